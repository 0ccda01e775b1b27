/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/timezone.h"

/* A fixed offset, northern and southern summer time, half an hour of it, odd offsets, a rule by the moon. */
static const char *const zones[] = {
        "UTC",
        "Africa/Casablanca",
        "America/New_York",
        "Asia/Kathmandu",
        "Asia/Singapore",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Pacific/Apia",
        "Pacific/Chatham",
        "Etc/GMT+8",
};

static const Timezone *get(const char *name) {
        const Timezone *z = NULL;

        assert_int_equal(timezone_get(name, &z), 0);
        assert_non_null(z);
        assert_string_equal(timezone_name(z), name);
        return z;
}

static usec_t at(const char *rfc3339) {
        usec_t usec;

        assert_int_equal(timestamp_parse(rfc3339, &usec), 0);
        return usec;
}

/* xorshift64: the same moments in every run, so that a failure comes back. */
static uint64_t next_random(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

static void assert_is_libc(const Timezone *z, int64_t seconds) {
        time_t t = (time_t) seconds;
        struct tm tm;
        CivilTime c;
        usec_t at_usec = (usec_t) seconds * USEC_PER_SEC + 999999;

        assert_non_null(localtime_r(&t, &tm));
        assert_int_equal(timezone_offset(z, at_usec), tm.tm_gmtoff);

        timezone_to_civil(z, at_usec, &c);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.minute, tm.tm_min);
        assert_int_equal(c.second, tm.tm_sec);
}

static void test_offsets_agree_with_libc(void **state) {
        const int64_t first = (int64_t) (TIME_MIN_USEC / USEC_PER_SEC), last = (int64_t) (TIME_MAX_USEC / USEC_PER_SEC);
        uint64_t random = UINT64_C(0x9e3779b97f4a7c15);

        for (size_t i = 0; i < N_ELEMENTS(zones); i++) {
                const Timezone *z = get(zones[i]);
                char tz[64];
                int32_t before = timezone_offset(z, TIME_MIN_USEC);
                unsigned n_changes = 0;

                (void) snprintf(tz, sizeof(tz), ":%s", zones[i]);
                assert_int_equal(setenv("TZ", tz, 1), 0);
                tzset();

                for (unsigned k = 0; k < 20000; k++)
                        assert_is_libc(z, first + (int64_t) (next_random(&random) % (uint64_t) (last - first)));

                /* Every change of the table's, to the second: hours on the hour, or it is not found at all. */
                for (int64_t t = first; t < last; t += 1800) {
                        int32_t now = timezone_offset(z, (usec_t) t * USEC_PER_SEC);

                        if (now == before)
                                continue;
                        assert_is_libc(z, t - 1);
                        assert_is_libc(z, t);
                        before = now;
                        n_changes++;
                }
                print_message("%s: %u changes\n", zones[i], n_changes);
                if (streq(zones[i], "Europe/Berlin"))
                        assert_int_equal(n_changes, 2 * 135);
        }
}

/* Where a reading names one moment only, both ways lead back; of two moments the first is taken. */
static void test_next_change(void **state) {
        static const struct {
                const char *zone;
                uint64_t at, change;    /* seconds; 0: none */
        } cases[] = {
                { "Europe/Berlin",  1767225600, 1774746000 },   /* 2026-01-01 → 2026-03-29T01:00:00Z */
                { "Europe/Berlin",  1774745999, 1774746000 },
                { "Europe/Berlin",  1774746000, 1792890000 },   /* → 2026-10-25T01:00:00Z */
                { "Asia/Singapore", 1767225600, 0          },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const Timezone *zone;

                assert_int_equal(timezone_get(cases[i].zone, &zone), 0);
                assert_true(timezone_next_change(zone, cases[i].at * USEC_PER_SEC) ==
                            (cases[i].change > 0 ? cases[i].change * USEC_PER_SEC : USEC_INFINITY));
        }
}

static void test_from_civil_is_the_inverse(void **state) {
        uint64_t random = UINT64_C(0xd1b54a32d192ed03);

        for (size_t i = 0; i < N_ELEMENTS(zones); i++) {
                const Timezone *z = get(zones[i]);

                for (unsigned k = 0; k < 20000; k++) {
                        usec_t at_usec = TIME_MIN_USEC + next_random(&random) % (TIME_MAX_USEC - TIME_MIN_USEC), back;
                        CivilTime c, shown;

                        at_usec -= at_usec % USEC_PER_SEC;
                        timezone_to_civil(z, at_usec, &c);
                        back = timezone_from_civil(z, &c);
                        assert_true(back <= at_usec && at_usec - back <= 3 * USEC_PER_HOUR);

                        timezone_to_civil(z, back, &shown);
                        assert_memory_equal(&shown, &c, sizeof(c));
                }
        }
}

static void test_from_civil(void **state) {
        static const struct {
                const char *zone, *reading, *moment;
        } cases[] = {
                { "Asia/Singapore", "2025-08-21 02:00:44", "2025-08-20T18:00:44Z" },
                { "Asia/Kathmandu", "2025-08-21 05:45:00", "2025-08-21T00:00:00Z" },
                { "UTC", "2025-08-21 02:00:44", "2025-08-21T02:00:44Z" },
                /* 2026-03-29 01:00Z: 02:00 becomes 03:00 */
                { "Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z" },
                { "Europe/Berlin", "2026-03-29 02:00:00", "2026-03-29T01:00:00Z" },
                { "Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z" },
                { "Europe/Berlin", "2026-03-29 02:59:59", "2026-03-29T01:59:59Z" },
                { "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z" },
                /* 2026-10-25 01:00Z: 03:00 becomes 02:00 */
                { "Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z" },
                { "Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25T00:00:00Z" },
                { "Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25T00:59:59Z" },
                { "Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z" },
                /* half an hour: 2026-04-04 15:00Z back, 2026-10-03 15:30Z forward */
                { "Australia/Lord_Howe", "2026-04-05 01:29:59", "2026-04-04T14:29:59Z" },
                { "Australia/Lord_Howe", "2026-04-05 01:30:00", "2026-04-04T14:30:00Z" },
                { "Australia/Lord_Howe", "2026-04-05 02:00:00", "2026-04-04T15:30:00Z" },
                { "Australia/Lord_Howe", "2026-10-04 02:10:00", "2026-10-03T15:40:00Z" },
                { "Australia/Lord_Howe", "2026-10-04 02:30:00", "2026-10-03T15:30:00Z" },
                { "America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z" },
                { "America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z" },
                /* outside the table: the nearest offset goes on */
                { "Asia/Singapore", "1999-12-31 08:00:00", "1999-12-31T00:00:00Z" },
                { "Asia/Singapore", "9999-01-01 08:00:00", "9999-01-01T00:00:00Z" },
                { "Asia/Singapore", "1970-01-01 00:00:00", "1970-01-01T00:00:00Z" },    /* not before 1970 */
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                CivilTime c;

                print_message("%s %s\n", cases[i].zone, cases[i].reading);
                assert_int_equal(civil_parse(cases[i].reading, &c, NULL, NULL), 0);
                assert_true(timezone_from_civil(get(cases[i].zone), &c) == at(cases[i].moment));
        }
}

static void test_get_refuses_what_is_no_zone(void **state) {
        static const char *const names[] = {
                "", ".", "..", "/", "Asia", "Asia/", "/usr/share/zoneinfo/Asia/Singapore", "../zoneinfo/Asia/Singapore",
                "Asia/../Asia/Singapore", "Asia/Singapur", "zone.tab", "tzdata.zi", "UTC0", "CET-1CEST", "<+08>-8", ":UTC",
                "right/UTC", "posix/UTC", "localtime", "posixrules", "Asia/Singapore\n", "Asia Singapore", "+8",
        };
        const Timezone *z = NULL;
        char *too_long = calloc(1, 100001);

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                print_message("\"%s\"\n", names[i]);
                assert_int_equal(timezone_get(names[i], &z), -ENOENT);
                assert_null(z);
        }

        assert_non_null(too_long);
        memset(too_long, 'A', 100000);
        assert_int_equal(timezone_get(too_long, &z), -ENOENT);
        free(too_long);
}

static void test_get_obeys_tzdir(void **state) {
        char dir[] = "/tmp/test-timezone-XXXXXX", path[64];
        const Timezone *z = NULL;
        FILE *f;

        assert_non_null(mkdtemp(dir));
        (void) snprintf(path, sizeof(path), "%s/Broken", dir);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs("no zone at all", f) >= 0);
        assert_int_equal(fclose(f), 0);

        assert_int_equal(setenv("TZDIR", dir, 1), 0);
        assert_int_equal(timezone_get("Broken", &z), -ENOENT);
        assert_int_equal(timezone_get("Africa/Abidjan", &z), -ENOENT);
        assert_int_equal(unsetenv("TZDIR"), 0);
        assert_int_equal(timezone_get("Africa/Abidjan", &z), 0);

        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

static void test_get_is_shared_and_forgotten(void **state) {
        const Timezone *z = get("Europe/Berlin");

        assert_ptr_equal(get("Europe/Berlin"), z);
        timezone_forget_all();
        timezone_forget_all();
        assert_int_equal(timezone_offset(get("Europe/Berlin"), at("2026-07-01T00:00:00Z")), 7200);
}

static void test_get_leaves_tz_alone(void **state) {
        timezone_forget_all();
        assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
        tzset();
        (void) get("Asia/Singapore");
        assert_string_equal(getenv("TZ"), "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_int_equal(timezone, -3600);

        timezone_forget_all();
        assert_int_equal(unsetenv("TZ"), 0);
        tzset();
        long before = timezone;
        (void) get("Asia/Kathmandu");
        assert_null(getenv("TZ"));
        assert_int_equal(timezone, before);
}

static int forget(void **state) {
        timezone_forget_all();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_offsets_agree_with_libc),
                cmocka_unit_test(test_next_change),
                cmocka_unit_test(test_from_civil_is_the_inverse),
                cmocka_unit_test(test_from_civil),
                cmocka_unit_test(test_get_refuses_what_is_no_zone),
                cmocka_unit_test(test_get_obeys_tzdir),
                cmocka_unit_test(test_get_is_shared_and_forgotten),
                cmocka_unit_test(test_get_leaves_tz_alone),
        };

        return cmocka_run_group_tests(tests, NULL, forget);
}
