/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "ctl/wrap.h"

/* What is written to stdout while @text is wrapped. New. */
static char *wrapped(const char *text, unsigned columns, unsigned indent, unsigned at) {
        FILE *file = tmpfile();
        int saved, n;
        char *buf = calloc(1, 4096);

        assert_non_null(file);
        assert_non_null(buf);
        (void) fflush(stdout);
        saved = dup(STDOUT_FILENO);
        assert_true(saved >= 0);
        assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
        wrap_print(text, columns, indent, at);
        (void) fflush(stdout);
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        (void) close(saved);

        rewind(file);
        n = (int) fread(buf, 1, 4095, file);
        buf[n] = '\0';
        (void) fclose(file);
        return buf;
}

static void test_wrap_print(void **state) {
        static const struct {
                const char *text;
                unsigned columns, indent, at;
                const char *lines;
        } cases[] = {
                { "",                     10, 2, 2, "\n"                       },
                { "one",                  10, 2, 2, "one\n"                    },
                { "one two three",        10, 2, 2, "one two\n  three\n"       },
                { "one  two",             10, 0, 0, "one two\n"                },
                { "exactly ten",          11, 0, 0, "exactly ten\n"            },
                { "exactly ten",          10, 0, 0, "exactly\nten\n"           },
                { "aaaaaaaaaaaaaaa bb",   10, 1, 1, "aaaaaaaaaaaaaaa\n bb\n"   },       /* a word stays whole */
                { "ää öö üü ßß",          11, 0, 0, "ää öö üü ßß\n"            },       /* characters, not bytes */
                { "漢字 漢字 漢字",       9,  0, 0, "漢字 漢字\n漢字\n"        },       /* two columns each */
                { "\xff\xff x",           4,  0, 0, "\xff\xff x\n"             },
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *lines = wrapped(cases[i].text, cases[i].columns, cases[i].indent, cases[i].at);

                assert_string_equal(lines, cases[i].lines);
        }
}

static void test_wrap_lines(void **state) {
        static const struct {
                const char *text;
                unsigned columns;
                const char *lines;
        } cases[] = {
                { "",                  10, ""                        },
                { "  one  two ",       10, "one two"                 },
                { "one two three",     7,  "one two\nthree"          },
                { "aaaaaaaaaa bb",     4,  "aaaa\naaaa\naa\nbb"      },       /* a long word is broken … */
                { "aaaaaaaaa bb",      4,  "aaaa\naaaa\na bb"        },       /* … and the line goes on behind it */
                { "漢字漢字",          5,  "漢字\n漢字"              },
                { "a\xff\xff\xff",    2,  "a\xff\n\xff\xff"        },
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(strbuf_done) StrBuf b = STRBUF(1000);
                _cleanup_(freep) char *lines = NULL;

                assert_int_equal(wrap_lines(cases[i].text, cases[i].columns, &b), 0);
                assert_int_equal(strbuf_finish(&b, &lines), 0);
                assert_string_equal(lines, cases[i].lines);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wrap_lines),
                cmocka_unit_test(test_wrap_print),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
