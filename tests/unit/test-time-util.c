/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/time-util.h"

static void test_usec_sums_saturate(void **state) {
        assert_true(usec_add(1, 2) == 3);
        assert_true(usec_add(USEC_INFINITY, 1) == USEC_INFINITY);
        assert_true(usec_add(USEC_INFINITY - 1, 5) == USEC_INFINITY);
        assert_true(usec_sub(5, 2) == 3);
        assert_true(usec_sub(2, 5) == 0);
        assert_true(usec_sub(USEC_INFINITY, 5) == USEC_INFINITY);
        assert_true(usec_diff(2, 5) == 3);
        assert_true(usec_diff(5, 2) == 3);
}

static void test_duration_parse(void **state) {
        static const struct {
                const char *s;
                int r;
                usec_t usec;
        } cases[] = {
                { "0s", 0, 0 },
                { "1s", 0, USEC_PER_SEC },
                { "5m", 0, 5 * USEC_PER_MINUTE },
                { "24h", 0, USEC_PER_DAY },
                { "7d", 0, 7 * USEC_PER_DAY },
                { "2w", 0, 14 * USEC_PER_DAY },
                { "007d", 0, 7 * USEC_PER_DAY },
                { "1d12h", 0, 36 * USEC_PER_HOUR },
                { "1w2d3h4m5s", 0, 9 * USEC_PER_DAY + 3 * USEC_PER_HOUR + 4 * USEC_PER_MINUTE + 5 * USEC_PER_SEC },
                { "1h1d", 0, 25 * USEC_PER_HOUR },
                { "18446744073709s", 0, UINT64_C(18446744073709000000) },
                { "18446744073710s", -ERANGE, 0 },
                { "18446744073709s1m", -ERANGE, 0 },
                { "99999999999999999999999s", -ERANGE, 0 },
                { "18446744073709551616s", -ERANGE, 0 },
                { "30500569w", -ERANGE, 0 },
                { "99999999999999999999999", -EINVAL, 0 },
                { "99999999999999999999999s1", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { "5", -EINVAL, 0 },
                { "d", -EINVAL, 0 },
                { "1.5h", -EINVAL, 0 },
                { "-1s", -EINVAL, 0 },
                { "+1s", -EINVAL, 0 },
                { " 5s", -EINVAL, 0 },
                { "5s ", -EINVAL, 0 },
                { "5 s", -EINVAL, 0 },
                { "5S", -EINVAL, 0 },
                { "5ms", -EINVAL, 0 },
                { "5y", -EINVAL, 0 },
                { "1h1h", -EINVAL, 0 },
                { "1h2d1h", -EINVAL, 0 },
                { "1d12", -EINVAL, 0 },
                { "never", -EINVAL, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t usec = 42;

                print_message("\"%s\"\n", cases[i].s);
                assert_int_equal(duration_parse(cases[i].s, &usec), cases[i].r);
                assert_true(usec == (cases[i].r == 0 ? cases[i].usec : 42));
        }
}

static void test_duration_format(void **state) {
        static const struct {
                usec_t usec;
                const char *text, *human;
        } cases[] = {
                { 0, "0s", "0 s" },
                { 999999, "0s", "0 s" },
                { USEC_PER_SEC, "1s", "1 s" },
                { 12 * USEC_PER_MINUTE, "12m", "12 min" },
                { 90 * USEC_PER_SEC, "1m30s", "1 min 30 s" },
                { 7 * USEC_PER_DAY, "7d", "7 d" },
                { 36 * USEC_PER_HOUR, "1d12h", "1 d 12 h" },
                { 3 * USEC_PER_DAY + 4 * USEC_PER_HOUR + 59 * USEC_PER_MINUTE, "3d4h", "3 d 4 h" },
                { USEC_PER_DAY + 5 * USEC_PER_MINUTE, "1d5m", "1 d 5 min" },
                { USEC_INFINITY - 1, "213503982d8h", "213503982 d 8 h" },
                { USEC_INFINITY, "never", "never" },
        };
        char buf[TIME_TEXT_MAX];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_string_equal(duration_format(cases[i].usec, buf), cases[i].text);
                assert_string_equal(duration_format_human(cases[i].usec, buf), cases[i].human);
        }
}

static void test_duration_format_reads_back(void **state) {
        static const usec_t cases[] = { 0, USEC_PER_SEC, 90 * USEC_PER_SEC, 7 * USEC_PER_DAY, 100 * USEC_PER_DAY + USEC_PER_HOUR };
        char buf[TIME_TEXT_MAX];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t usec;

                assert_int_equal(duration_parse(duration_format(cases[i], buf), &usec), 0);
                assert_true(usec == cases[i]);
        }
}

static void test_timestamp_parse(void **state) {
        static const struct {
                const char *s;
                int r;
                usec_t usec;
        } cases[] = {
                { "1970-01-01T00:00:00Z", 0, 0 },
                { "2020-01-04T09:05:22Z", 0, UINT64_C(1578128722000000) },
                { "2020-01-04 09:05:22Z", 0, UINT64_C(1578128722000000) },
                { "2020-01-04T09:05:22+0000", 0, UINT64_C(1578128722000000) },
                { "2020-01-04T17:05:22+0800", 0, UINT64_C(1578128722000000) },
                { "2020-01-04T17:05:22+08:00", 0, UINT64_C(1578128722000000) },
                { "2020-01-04T03:35:22-05:30", 0, UINT64_C(1578128722000000) },
                { "2020-01-04T09:05:22.5Z", 0, UINT64_C(1578128722500000) },
                { "2020-01-04T09:05:22.123456789Z", 0, UINT64_C(1578128722123456) },
                { "2020-02-29T00:00:00Z", 0, UINT64_C(1582934400000000) },
                { "2016-12-31T23:59:60Z", 0, UINT64_C(1483228800000000) },
                { "9999-12-31T23:59:59Z", 0, UINT64_C(253402300799000000) },
                { "1970-01-01T00:00:00+01:00", -EINVAL, 0 },
                { "1969-12-31T23:59:59Z", -EINVAL, 0 },
                { "2019-02-29T00:00:00Z", -EINVAL, 0 },
                { "2100-02-29T00:00:00Z", -EINVAL, 0 },
                { "2020-13-01T00:00:00Z", -EINVAL, 0 },
                { "2020-00-01T00:00:00Z", -EINVAL, 0 },
                { "2020-04-31T00:00:00Z", -EINVAL, 0 },
                { "2020-04-00T00:00:00Z", -EINVAL, 0 },
                { "2020-01-04T24:00:00Z", -EINVAL, 0 },
                { "2020-01-04T09:60:00Z", -EINVAL, 0 },
                { "2020-01-04T09:05:61Z", -EINVAL, 0 },
                { "2020-01-04T09:05:22", -EINVAL, 0 },
                { "2020-01-04T09:05:22.Z", -EINVAL, 0 },
                { "2020-01-04T09:05:22+24:00", -EINVAL, 0 },
                { "2020-01-04T09:05:22+08:60", -EINVAL, 0 },
                { "2020-01-04T09:05:22+8", -EINVAL, 0 },
                { "2020-01-04T09:05:22+08", -EINVAL, 0 },
                { "2020-01-04T09:05:22+08:0", -EINVAL, 0 },
                { "2020-01-04T09:05:22ZZ", -EINVAL, 0 },
                { "2020-01-04T09:05:22Z ", -EINVAL, 0 },
                { " 2020-01-04T09:05:22Z", -EINVAL, 0 },
                { "2020-1-4T09:05:22Z", -EINVAL, 0 },
                { "2020-01-04_09:05:22Z", -EINVAL, 0 },
                { "20-01-04T09:05:22Z", -EINVAL, 0 },
                { "2020-01-04", -EINVAL, 0 },
                { "1578128722", -EINVAL, 0 },
                { "", -EINVAL, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t usec = 42;

                print_message("\"%s\"\n", cases[i].s);
                assert_int_equal(timestamp_parse(cases[i].s, &usec), cases[i].r);
                assert_true(usec == (cases[i].r == 0 ? cases[i].usec : 42));
        }
}

static void test_civil_parse(void **state) {
        static const struct {
                const char *s;
                int r;
                bool has_zone;
                usec_t at_usec;
        } cases[] = {
                { "2025-08-21 02:00:44", 0, false, 0 },
                { "2025-08-21T02:00:44", 0, false, 0 },
                { "2025-08-21 02:00:44.999", 0, false, 0 },
                { "2025-08-21 02:00:44Z", 0, true, UINT64_C(1755741644000000) },
                { "2025-08-21 02:00:44.7+08:00", 0, true, UINT64_C(1755712844000000) },
                { "2025-08-21 02:00:44 ", -EINVAL, false, 0 },
                { "2025-08-21 02:00", -EINVAL, false, 0 },
                { "2025-08-21  02:00:44", -EINVAL, false, 0 },
                { "2025-08-32 02:00:44", -EINVAL, false, 0 },
                { "2025-08-21 02:00:44+0860", -EINVAL, false, 0 },
                { "2025/08/21 02:00:44", -EINVAL, false, 0 },
                { "", -EINVAL, false, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                CivilTime c = { .year = 42 };
                usec_t at_usec = 42;
                bool has_zone = !cases[i].has_zone;

                print_message("\"%s\"\n", cases[i].s);
                assert_int_equal(civil_parse(cases[i].s, &c, &has_zone, &at_usec), cases[i].r);
                if (cases[i].r < 0) {
                        assert_int_equal(c.year, 42);
                        continue;
                }

                assert_int_equal(has_zone, cases[i].has_zone);
                assert_true(at_usec == (has_zone ? cases[i].at_usec : 42));
                assert_int_equal(c.year, 2025);
                assert_int_equal(c.month, 8);
                assert_int_equal(c.day, 21);
                assert_int_equal(c.hour, 2);
                assert_int_equal(c.minute, 0);
                assert_int_equal(c.second, 44);
        }
}

static void test_civil_parse_without_outputs(void **state) {
        CivilTime c;
        char buf[TIME_TEXT_MAX];

        assert_int_equal(civil_parse("2025-08-21T02:00:44Z", &c, NULL, NULL), 0);
        assert_string_equal(civil_format(&c, buf), "2025-08-21 02:00:44");
}

/* The C library's calendar is the yardstick, from the year 1 to 9999, and around every month's ends. */
static void test_civil_seconds_agree_with_libc(void **state) {
        const int64_t first = INT64_C(-62135596800), last = INT64_C(253402300799);

        for (int64_t at = first; at <= last; at += INT64_C(9876543)) {
                time_t t = (time_t) at;
                struct tm tm;
                CivilTime c;

                assert_non_null(gmtime_r(&t, &tm));
                civil_from_seconds(at, &c);
                assert_int_equal(c.year, tm.tm_year + 1900);
                assert_int_equal(c.month, tm.tm_mon + 1);
                assert_int_equal(c.day, tm.tm_mday);
                assert_int_equal(c.hour, tm.tm_hour);
                assert_int_equal(c.minute, tm.tm_min);
                assert_int_equal(c.second, tm.tm_sec);
                assert_true(civil_to_seconds(&c) == at);
        }
}

static void test_civil_from_seconds_stops_at_the_ends(void **state) {
        CivilTime c;
        char buf[TIME_TEXT_MAX];

        civil_from_seconds(INT64_MAX, &c);
        assert_string_equal(civil_format(&c, buf), "9999-12-31 23:59:59");
        civil_from_seconds(INT64_MIN, &c);
        assert_string_equal(civil_format(&c, buf), "0001-01-01 00:00:00");
        civil_from_seconds(-1, &c);
        assert_string_equal(civil_format(&c, buf), "1969-12-31 23:59:59");
}

static void test_civil_days_in_month(void **state) {
        assert_int_equal(civil_days_in_month(2024, 2), 29);
        assert_int_equal(civil_days_in_month(2023, 2), 28);
        assert_int_equal(civil_days_in_month(2000, 2), 29);
        assert_int_equal(civil_days_in_month(2100, 2), 28);
        assert_int_equal(civil_days_in_month(2023, 4), 30);
        assert_int_equal(civil_days_in_month(2023, 12), 31);
}

static void test_http_date_parse(void **state) {
        static const struct {
                const char *s;
                int r;
                usec_t usec;
        } cases[] = {
                { "Sun, 06 Nov 1994 08:49:37 GMT", 0, UINT64_C(784111777000000) },
                { "Sunday, 06-Nov-94 08:49:37 GMT", 0, UINT64_C(784111777000000) },
                { "Sun Nov  6 08:49:37 1994", 0, UINT64_C(784111777000000) },
                { "Fri, 20 Nov 2026 21:56:00 GMT", 0, UINT64_C(1795211760000000) },
                { "Friday, 20-Nov-26 21:56:00 GMT", 0, UINT64_C(1795211760000000) },
                { "Fri Nov 20 21:56:00 2026", 0, UINT64_C(1795211760000000) },
                { "Sun, 6 Nov 1994 08:49:37 GMT", -EINVAL, 0 },
                { "Sun, 06 Nov 1994 08:49:37", -EINVAL, 0 },
                { "Sun, 06 Nov 1994 08:49:37 UTC", -EINVAL, 0 },
                { "Sun, 06 Nov 1994 08:49:37 +0000", -EINVAL, 0 },
                { "Sun, 06 Nov 1994 08:49:37 GMT ", -EINVAL, 0 },
                { "Sun, 31 Feb 1994 08:49:37 GMT", -EINVAL, 0 },
                { "Sun, 06 Nov 1964 08:49:37 GMT", -EINVAL, 0 },
                { "Sun, 06 nov 1994 08:49:37 GMT", -EINVAL, 0 },
                { "Foo, 06 Nov 1994 08:49:37 GMT", -EINVAL, 0 },
                { "Sunday, 06 Nov 1994 08:49:37 GMT", -EINVAL, 0 },
                { "Sun, 06-Nov-94 08:49:37 GMT", -EINVAL, 0 },
                { "Sunday Nov  6 08:49:37 1994", -EINVAL, 0 },
                { "Sun Nov 6 08:49:37 1994", -EINVAL, 0 },
                { "Sun Nov  6 08:49:37 1994 GMT", -EINVAL, 0 },
                { "Sun,", -EINVAL, 0 },
                { "Sun", -EINVAL, 0 },
                { "120", -EINVAL, 0 },
                { "", -EINVAL, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t usec = 42;

                print_message("\"%s\"\n", cases[i].s);
                assert_int_equal(http_date_parse(cases[i].s, &usec), cases[i].r);
                assert_true(usec == (cases[i].r == 0 ? cases[i].usec : 42));
        }
}

static void test_dates_are_written(void **state) {
        char buf[TIME_TEXT_MAX];

        assert_string_equal(rfc3339_format(UINT64_C(1795211760999999), buf), "2026-11-20T21:56:00Z");
        assert_string_equal(rfc3339_format(0, buf), "1970-01-01T00:00:00Z");
        assert_string_equal(rfc3339_format(USEC_INFINITY, buf), "9999-12-31T23:59:59Z");
        assert_string_equal(rfc3339_format(TIME_MIN_USEC, buf), "2015-01-01T00:00:00Z");
        assert_string_equal(rfc3339_format(TIME_MAX_USEC, buf), "2150-01-01T00:00:00Z");
        assert_string_equal(sdk_date_format(UINT64_C(1795211760999999), buf), "20261120T215600Z");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_usec_sums_saturate),
                cmocka_unit_test(test_duration_parse),
                cmocka_unit_test(test_duration_format),
                cmocka_unit_test(test_duration_format_reads_back),
                cmocka_unit_test(test_timestamp_parse),
                cmocka_unit_test(test_civil_parse),
                cmocka_unit_test(test_civil_parse_without_outputs),
                cmocka_unit_test(test_civil_seconds_agree_with_libc),
                cmocka_unit_test(test_civil_from_seconds_stops_at_the_ends),
                cmocka_unit_test(test_civil_days_in_month),
                cmocka_unit_test(test_http_date_parse),
                cmocka_unit_test(test_dates_are_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
