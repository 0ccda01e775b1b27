/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/words.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

static void test_words_relative(void **state) {
        static const struct {
                usec_t at_usec;
                const char *text;
        } cases[] = {
                { 0,                           ""              },
                { T0,                          "now"           },
                { T0 + USEC_PER_SEC - 1,       "now"           },
                { T0 - USEC_PER_SEC,           "1 s ago"       },
                { T0 + 3 * USEC_PER_DAY,       "in 3 d"        },
                { T0 - 90 * USEC_PER_MINUTE,   "1 h 30 min ago" },
                { USEC_INFINITY,               "never"         },
        };
        char buf[WORDS_MAX];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                assert_string_equal(words_relative(cases[i].at_usec, T0, buf), cases[i].text);
}

static void test_words_time_both(void **state) {
        char buf[WORDS_MAX];

        assert_string_equal(words_time_both(T0 + USEC_PER_HOUR, T0, buf), "2026-01-01 01:00:00Z (in 1 h)");
        assert_string_equal(words_time_both(0, T0, buf), "not known");
        assert_string_equal(words_time_both(USEC_INFINITY, T0, buf), "never");
}

static void test_words_bar(void **state) {
        static const struct {
                usec_t part, whole;
                const char *ascii, *utf8;
        } cases[] = {
                { 0,             10,            "....", "░░░░" },
                { 1,             1000,          "#...", "█░░░" },       /* something is left */
                { 5,             10,            "##..", "██░░" },
                { 10,            10,            "####", "████" },
                { 11,            10,            "####", "████" },
                { USEC_INFINITY, USEC_INFINITY, "####", "████" },
                { 5,             0,             "#...", "█░░░" },
        };
        CtlOptions ascii = {}, utf8 = { .utf8 = true };
        char buf[WORDS_MAX];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_string_equal(words_bar(&ascii, cases[i].part, cases[i].whole, 4, buf), cases[i].ascii);
                assert_string_equal(words_bar(&utf8, cases[i].part, cases[i].whole, 4, buf), cases[i].utf8);
        }
        assert_int_equal(strlen(words_bar(&utf8, 1, 1, BAR_WIDTH_MAX, buf)), 3 * BAR_WIDTH_MAX);
}

static void test_words_color_only_where_wanted(void **state) {
        CtlOptions plain = {}, colored = { .color = true };
        char buf[COLOR_TEXT_MAX];

        assert_string_equal(words_color(&plain, COLOR_BAD, buf), "");
        assert_string_equal(words_color_off(&plain), "");
        assert_string_equal(words_color(&colored, COLOR_BAD, buf), "\x1b[1;31m");
        assert_string_equal(words_color_off(&colored), "\x1b[0m");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words_relative),
                cmocka_unit_test(test_words_time_both),
                cmocka_unit_test(test_words_bar),
                cmocka_unit_test(test_words_color_only_where_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
