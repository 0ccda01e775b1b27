/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/diag.h"

static void test_to_string(void **state) {
        static const struct {
                const char *file;
                unsigned line, column;
                const char *key, *message, *text;
        } cases[] = {
                { "orders.yaml", 7, 19, "lock.renew_before", "found 40d", "orders.yaml:7:19: lock.renew_before: found 40d" },
                { "orders.yaml", 7, 19, NULL, "found 40d", "orders.yaml:7:19: found 40d" },
                { "orders.yaml", 7, 0, NULL, "found 40d", "orders.yaml:7: found 40d" },
                { "orders.yaml", 0, 0, NULL, "not there", "orders.yaml: not there" },
                { "orders.yaml", 0, 5, "key", "not there", "orders.yaml: key: not there" },
                { NULL, 7, 19, "key", "not there", "key: not there" },
                { "a\nb\x1b[2J.yaml", 1, 1, "k\te\x7fy", "m\r\n", "a?b?[2J.yaml:1:1: k?e?y: m??" },
        };
        _cleanup_(diagnostics_donep) Diagnostics *none = NULL;

        assert_null(none);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Diagnostics d = {};
                char *s;

                assert_int_equal(diagnostics_add(&d, cases[i].file, cases[i].line, cases[i].column, cases[i].key, "%s",
                                                 cases[i].message), 0);
                assert_int_equal(d.n_items, 1);
                s = diagnostic_to_string(&d.items[0]);
                assert_non_null(s);
                assert_string_equal(s, cases[i].text);
                free(s);
                diagnostics_done(&d);
        }
}

static void test_add_copies_and_formats(void **state) {
        char file[] = "a.yaml", key[] = "key", value[] = "value";
        Diagnostics d = {};

        assert_int_equal(diagnostics_add(&d, file, 1, 2, key, "found %s, expected %d", value, 5), 0);
        memset(file, 'x', sizeof(file) - 1);
        memset(key, 'x', sizeof(key) - 1);
        memset(value, 'x', sizeof(value) - 1);
        assert_string_equal(d.items[0].file, "a.yaml");
        assert_string_equal(d.items[0].key, "key");
        assert_string_equal(d.items[0].message, "found value, expected 5");
        diagnostics_done(&d);
        assert_null(d.items);
        assert_int_equal(d.n_items, 0);
        diagnostics_done(&d);
        diagnostics_done(NULL);
}

static void test_add_makes_text_printable(void **state) {
        static const struct {
                const char *given, *shown;
        } cases[] = {
                { "plain", "plain" },
                { "", "" },
                { "Zürich 上海 🦀", "Zürich 上海 🦀" },
                { "\xc2\xa0", "\xc2\xa0" },
                { "\xc2\x9b" "31m", "??31m" },                  /* C1: CSI */
                { "a\xff" "b", "a?b" },
                { "\xc3", "?" },
                { "\xe4\xb8", "??" },
                { "\xf0\x9f\xa6", "???" },
                { "\xc3(", "?(" },
                { "\xc0\xaf", "??" },                           /* overlong */
                { "\xe0\x80\xaf", "???" },
                { "\xf0\x80\x80\xaf", "????" },
                { "\xed\xa0\x80", "???" },                      /* surrogate */
                { "\xf4\x90\x80\x80", "????" },                 /* past U+10FFFF */
                { "\xf5\x80\x80\x80", "????" },
        };
        Diagnostics d = {};

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_int_equal(diagnostics_add(&d, "f", 1, 1, cases[i].given, "%s", cases[i].given), 0);
                assert_string_equal(d.items[i].message, cases[i].shown);
                assert_string_equal(d.items[i].key, cases[i].shown);
        }
        diagnostics_done(&d);
}

static void test_add_cuts_long_text(void **state) {
        static const char mark[] = "…";
        Diagnostics d = {};
        char text[4096];

        /* Exactly the cap stays whole; one byte more is cut, with the mark inside the cap. */
        memset(text, 'a', sizeof(text));
        text[1024] = '\0';
        assert_int_equal(diagnostics_add(&d, "f", 1, 1, NULL, "%s", text), 0);
        assert_string_equal(d.items[0].message, text);
        text[1024] = 'a';
        text[1025] = '\0';
        assert_int_equal(diagnostics_add(&d, "f", 1, 1, NULL, "%s", text), 0);
        assert_int_equal(strlen(d.items[1].message), 1024);
        assert_string_equal(d.items[1].message + 1024 - strlen(mark), mark);

        /* No character is cut in two. */
        for (size_t shift = 0; shift < 4; shift++) {
                size_t n = shift;

                memset(text, 'a', shift);
                for (; n + 4 < sizeof(text) - 1; n += 4)
                        memcpy(text + n, "\xf0\x9f\xa6\x80", 4);
                text[n] = '\0';
                assert_int_equal(diagnostics_add(&d, "f", 1, 1, NULL, "%s", text), 0);

                const char *message = d.items[2 + shift].message;
                size_t length = strlen(message);

                assert_in_range(length, 1024 - 3, 1024);
                assert_string_equal(message + length - strlen(mark), mark);
                assert_int_equal((length - strlen(mark) - shift) % 4, 0);
                assert_null(strchr(message, '?'));
        }
        diagnostics_done(&d);
}

static void test_add_counts_past_the_cap(void **state) {
        Diagnostics d = {};

        for (unsigned i = 1; i <= DIAGNOSTICS_MAX + 5; i++)
                assert_int_equal(diagnostics_add(&d, "f", i, 1, NULL, "m"), 0);
        assert_int_equal(d.n_items, DIAGNOSTICS_MAX);
        assert_int_equal(d.n_dropped, 5);
        for (unsigned i = 0; i < DIAGNOSTICS_MAX; i++)
                assert_int_equal(d.items[i].line, i + 1);
        diagnostics_done(&d);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_to_string),
                cmocka_unit_test(test_add_copies_and_formats),
                cmocka_unit_test(test_add_makes_text_printable),
                cmocka_unit_test(test_add_cuts_long_text),
                cmocka_unit_test(test_add_counts_past_the_cap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
