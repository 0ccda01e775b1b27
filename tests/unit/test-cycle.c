/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "control/cycle.h"

static CivilTime civil(const char *s) {
        CivilTime c;

        assert_int_equal(civil_parse(s, &c, NULL, NULL), 0);
        return c;
}

static usec_t at(const char *s) {
        usec_t usec;

        assert_int_equal(timestamp_parse(s, &usec), 0);
        return usec;
}

static const Timezone *zone(const char *name) {
        const Timezone *z = NULL;

        assert_int_equal(timezone_get(name, &z), 0);
        return z;
}

static int forget_zones(void **state) {
        timezone_forget_all();
        return 0;
}

typedef struct NextCase {
        const char *what;
        Cycle cycle;
        const char *trigger, *zone, *now, *next;
} NextCase;

static void check_next(const NextCase *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const NextCase *c = &cases[i];
                CivilTime trigger = civil(c->trigger), next = {};
                char text[TIME_TEXT_MAX];

                print_message("%s\n", c->what);
                cycle_next(c->cycle, &trigger, zone(c->zone), at(c->now), &next);
                assert_string_equal(civil_format(&next, text), c->next);
        }
}

static void test_cycle_next_plain(void **state) {
        static const NextCase cases[] = {
                { "still to come: as it is", CYCLE_FIVE_MIN, "2031-01-01 00:00:01", "UTC", "2026-11-20T10:00:00Z",
                  "2031-01-01 00:00:01" },
                { "a month ahead", CYCLE_PER_MONTH, "2026-12-31 02:00:44", "UTC", "2026-11-20T10:00:00Z",
                  "2026-12-31 02:00:44" },
                { "one second ahead", CYCLE_PER_DAY, "2026-11-20 10:00:01", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-20 10:00:01" },
                { "right now is not after now", CYCLE_PER_DAY, "2026-11-20 10:00:00", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-21 10:00:00" },
                { "right now, 5 min", CYCLE_FIVE_MIN, "2026-11-20 10:00:00", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-20 10:05:00" },
                { "right now, week", CYCLE_PER_WEEK, "2026-11-20 10:00:00", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-27 10:00:00" },
                { "right now, month", CYCLE_PER_MONTH, "2026-11-20 10:00:00", "UTC", "2026-11-20T10:00:00Z",
                  "2026-12-20 10:00:00" },
                { "5 min", CYCLE_FIVE_MIN, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-20T10:02:00Z",
                  "2026-11-20 18:05:44" },
                { "5 min, in this very one", CYCLE_FIVE_MIN, "2025-08-21 02:00:44", "Asia/Singapore",
                  "2026-11-20T10:00:43Z", "2026-11-20 18:00:44" },
                { "hour", CYCLE_PER_HOUR, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-20T10:00:44Z",
                  "2026-11-20 19:00:44" },
                { "hour, zone of half hours", CYCLE_PER_HOUR, "2025-08-21 02:00:44", "Asia/Kolkata",
                  "2026-11-20T10:00:00Z", "2026-11-20 16:00:44" },
                { "day, later today", CYCLE_PER_DAY, "2025-08-21 20:00:44", "Asia/Singapore", "2026-11-20T10:00:00Z",
                  "2026-11-20 20:00:44" },
                { "day, passed today", CYCLE_PER_DAY, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-20T10:00:00Z",
                  "2026-11-21 02:00:44" },
                { "day, over the date line of the zone", CYCLE_PER_DAY, "2025-08-21 02:00:44", "Asia/Singapore",
                  "2026-11-20T17:00:00Z", "2026-11-21 02:00:44" },
                { "week", CYCLE_PER_WEEK, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-20T10:00:00Z",
                  "2026-11-26 02:00:44" },
                { "week, same day of the week", CYCLE_PER_WEEK, "2025-08-21 20:00:44", "Asia/Singapore",
                  "2026-11-19T10:00:00Z", "2026-11-19 20:00:44" },
                { "month", CYCLE_PER_MONTH, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-20T10:00:00Z",
                  "2026-11-21 02:00:44" },
                { "month, passed", CYCLE_PER_MONTH, "2025-08-21 02:00:44", "Asia/Singapore", "2026-11-21T10:00:00Z",
                  "2026-12-21 02:00:44" },
                { "over new year", CYCLE_PER_MONTH, "2025-08-21 02:00:44", "Asia/Singapore", "2026-12-21T10:00:00Z",
                  "2027-01-21 02:00:44" },
                { "over new year, day", CYCLE_PER_DAY, "2025-08-21 02:00:44", "UTC", "2026-12-31T10:00:00Z",
                  "2027-01-01 02:00:44" },
                { "far past, 5 min", CYCLE_FIVE_MIN, "1970-01-01 00:03:07", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-20 10:03:07" },
                { "far past, day", CYCLE_PER_DAY, "1970-01-01 00:03:07", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-21 00:03:07" },
                { "far past, week: a Thursday", CYCLE_PER_WEEK, "1970-01-01 00:03:07", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-26 00:03:07" },
                { "far past, month", CYCLE_PER_MONTH, "1970-01-31 00:03:07", "UTC", "2026-11-20T10:00:00Z",
                  "2026-11-30 00:03:07" },
                { "past 2038, 5 min", CYCLE_FIVE_MIN, "2025-08-21 02:00:44", "UTC", "2038-01-19T03:14:08Z",
                  "2038-01-19 03:15:44" },
                { "past 2038, day", CYCLE_PER_DAY, "2025-08-21 02:00:44", "UTC", "2038-01-19T03:14:08Z",
                  "2038-01-20 02:00:44" },
                { "far future", CYCLE_PER_MONTH, "2025-08-31 02:00:44", "Europe/Berlin", "2149-06-15T00:00:00Z",
                  "2149-06-30 02:00:44" },
                { "leap second: the minute after", CYCLE_PER_DAY, "2025-08-21 23:59:60", "UTC",
                  "2026-11-20T10:00:00Z", "2026-11-21 00:00:00" },
                { "leap second to come", CYCLE_PER_DAY, "2026-12-31 23:59:60", "UTC", "2026-11-20T10:00:00Z",
                  "2027-01-01 00:00:00" },
        };

        check_next(cases, N_ELEMENTS(cases));
}

static void test_cycle_next_month_ends(void **state) {
        static const NextCase cases[] = {
                { "31st: January", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "UTC", "2026-01-05T00:00:00Z",
                  "2026-01-31 02:00:44" },
                { "31st: end of February", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "UTC", "2026-01-31T03:00:00Z",
                  "2026-02-28 02:00:44" },
                { "31st: comes back in March", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "UTC", "2026-02-28T03:00:00Z",
                  "2026-03-31 02:00:44" },
                { "31st: April", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "UTC", "2026-03-31T03:00:00Z",
                  "2026-04-30 02:00:44" },
                { "31st: leap year", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "UTC", "2028-02-01T00:00:00Z",
                  "2028-02-29 02:00:44" },
                { "30th: leap year", CYCLE_PER_MONTH, "2025-12-30 02:00:44", "UTC", "2028-02-01T00:00:00Z",
                  "2028-02-29 02:00:44" },
                { "29th: leap year", CYCLE_PER_MONTH, "2028-02-29 02:00:44", "UTC", "2028-02-29T03:00:00Z",
                  "2028-03-29 02:00:44" },
                { "29th: no leap year", CYCLE_PER_MONTH, "2028-02-29 02:00:44", "UTC", "2029-02-01T00:00:00Z",
                  "2029-02-28 02:00:44" },
                { "29th: 2100 is no leap year", CYCLE_PER_MONTH, "2028-02-29 02:00:44", "UTC", "2100-02-01T00:00:00Z",
                  "2100-02-28 02:00:44" },
                { "the zone's month, not UTC's", CYCLE_PER_MONTH, "2025-12-31 02:00:44", "Asia/Singapore",
                  "2026-01-30T19:00:00Z", "2026-02-28 02:00:44" },
                { "December to January", CYCLE_PER_MONTH, "2025-10-31 02:00:44", "UTC", "2026-12-31T02:00:44Z",
                  "2027-01-31 02:00:44" },
                { "day over the 29th of February", CYCLE_PER_DAY, "2025-12-31 02:00:44", "UTC",
                  "2028-02-28T03:00:00Z", "2028-02-29 02:00:44" },
                { "week over the 29th of February", CYCLE_PER_WEEK, "2028-02-24 02:00:44", "UTC",
                  "2028-02-28T03:00:00Z", "2028-03-02 02:00:44" },
        };

        check_next(cases, N_ELEMENTS(cases));
}

/* Berlin 2026: 29 March 02:00 becomes 03:00 (01:00 UTC), 25 October 03:00 becomes 02:00 (01:00 UTC). Lord Howe
 * moves by half an hour: 5 April 2026 02:00 becomes 01:30 (4 April 15:00 UTC), 4 October 02:00 becomes 02:30 (3
 * October 15:30 UTC). */
static void test_cycle_next_daylight_saving(void **state) {
        static const NextCase cases[] = {
                { "day keeps the reading, forward", CYCLE_PER_DAY, "2026-01-10 05:00:00", "Europe/Berlin",
                  "2026-03-28T12:00:00Z", "2026-03-29 05:00:00" },
                { "day keeps the reading, back", CYCLE_PER_DAY, "2026-07-10 05:00:00", "Europe/Berlin",
                  "2026-10-24T12:00:00Z", "2026-10-25 05:00:00" },
                { "week keeps the reading", CYCLE_PER_WEEK, "2026-03-22 05:00:00", "Europe/Berlin",
                  "2026-03-28T12:00:00Z", "2026-03-29 05:00:00" },
                { "month keeps the reading", CYCLE_PER_MONTH, "2026-01-29 05:00:00", "Europe/Berlin",
                  "2026-03-28T12:00:00Z", "2026-03-29 05:00:00" },
                { "a skipped reading stays as it is", CYCLE_PER_DAY, "2026-01-10 02:30:00", "Europe/Berlin",
                  "2026-03-28T12:00:00Z", "2026-03-29 02:30:00" },
                { "... until it has passed by the clock", CYCLE_PER_DAY, "2026-01-10 02:30:00", "Europe/Berlin",
                  "2026-03-29T01:31:00Z", "2026-03-30 02:30:00" },
                { "... and not before", CYCLE_PER_DAY, "2026-01-10 02:30:00", "Europe/Berlin", "2026-03-29T01:29:00Z",
                  "2026-03-29 02:30:00" },
                { "... in a month", CYCLE_PER_MONTH, "2026-01-29 02:30:00", "Europe/Berlin", "2026-03-28T12:00:00Z",
                  "2026-03-29 02:30:00" },
                { "twice: before the first", CYCLE_PER_DAY, "2026-07-10 02:30:00", "Europe/Berlin",
                  "2026-10-25T00:10:00Z", "2026-10-25 02:30:00" },
                { "twice: after the first, by the clock before", CYCLE_PER_DAY, "2026-07-10 02:30:00",
                  "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26 02:30:00" },
                { "twice: week", CYCLE_PER_WEEK, "2026-10-18 02:30:00", "Europe/Berlin", "2026-10-25T01:10:00Z",
                  "2026-11-01 02:30:00" },
                { "twice: month", CYCLE_PER_MONTH, "2026-07-25 02:30:00", "Europe/Berlin", "2026-10-25T01:10:00Z",
                  "2026-11-25 02:30:00" },
                { "twice: still to come, but its first time has passed", CYCLE_PER_DAY, "2026-10-25 02:30:00",
                  "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26 02:30:00" },
                { "hour is an exact span, forward", CYCLE_PER_HOUR, "2026-03-29 01:30:00", "Europe/Berlin",
                  "2026-03-29T00:45:00Z", "2026-03-29 03:30:00" },
                { "hour, back: no text that is read as past", CYCLE_PER_HOUR, "2026-10-25 00:30:00", "Europe/Berlin",
                  "2026-10-25T01:10:00Z", "2026-10-25 03:30:00" },
                { "5 min, back: no text that is read as past", CYCLE_FIVE_MIN, "2026-10-25 00:32:00", "Europe/Berlin",
                  "2026-10-25T01:10:00Z", "2026-10-25 03:02:00" },
                { "hour, clocks forward by half an hour", CYCLE_PER_HOUR, "2026-07-10 01:10:00",
                  "Australia/Lord_Howe", "2026-11-20T00:00:00Z", "2026-11-20 11:40:00" },
                { "hour, and back", CYCLE_PER_HOUR, "2026-07-10 01:10:00", "Australia/Lord_Howe",
                  "2027-05-20T00:00:00Z", "2027-05-20 11:10:00" },
                { "hour, on the night of half an hour", CYCLE_PER_HOUR, "2026-03-10 01:40:00", "Australia/Lord_Howe",
                  "2026-04-04T14:50:00Z", "2026-04-05 02:10:00" },
                { "5 min, half an hour twice", CYCLE_FIVE_MIN, "2026-03-10 01:40:00", "Australia/Lord_Howe",
                  "2026-04-04T15:01:00Z", "2026-04-05 02:00:00" },
                { "day, half an hour skipped", CYCLE_PER_DAY, "2026-07-10 02:10:00", "Australia/Lord_Howe",
                  "2026-10-03T10:00:00Z", "2026-10-04 02:10:00" },
                { "two hours twice, as long as can be", CYCLE_FIVE_MIN, "2026-07-10 02:04:59", "Antarctica/Troll",
                  "2026-10-25T01:00:00Z", "2026-10-25 03:04:59" },
                { "two hours twice", CYCLE_FIVE_MIN, "2026-07-10 02:00:00", "Antarctica/Troll",
                  "2026-10-25T01:00:00Z", "2026-10-25 03:00:00" },
        };

        check_next(cases, N_ELEMENTS(cases));
}

/* Whatever the trigger: the result is to come, no further away than a cycle and what clocks can be set back, and
 * its phase. */
static void test_cycle_next_invariants(void **state) {
        static const char *const zones[] = { "UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Caracas",
                                             "Pacific/Apia" };
        static const char *const triggers[] = { "1970-01-01 00:00:00", "2024-02-29 02:30:00", "2025-12-31 23:59:59",
                                                "2026-10-25 02:30:00" };

        for (size_t z = 0; z < N_ELEMENTS(zones); z++)
                for (size_t t = 0; t < N_ELEMENTS(triggers); t++)
                        for (Cycle cycle = 0; cycle < CYCLE__MAX; cycle++)
                                for (usec_t now = at("2026-10-01T00:00:00Z"); now < at("2027-04-15T00:00:00Z");
                                     now += 7919 * USEC_PER_SEC) {
                                        CivilTime trigger = civil(triggers[t]), next;
                                        usec_t next_at;

                                        cycle_next(cycle, &trigger, zone(zones[z]), now, &next);
                                        next_at = timezone_from_civil(zone(zones[z]), &next);
                                        assert_true(next_at > now);
                                        assert_true(next_at <= MAX(now + cycle_length_usec(cycle) + 3 * USEC_PER_HOUR,
                                                                   timezone_from_civil(zone(zones[z]), &trigger)));
                                        if (cycle != CYCLE_PER_HOUR)
                                                assert_true(cycle_same_phase(cycle, &trigger, &next, 0));
                                }
}

/* Past the end of all tables it still ends. */
static void test_cycle_next_absurd_now(void **state) {
        static const usec_t nows[] = { 0, UINT64_C(253402300799) * USEC_PER_SEC, USEC_INFINITY - 1, USEC_INFINITY };

        for (size_t i = 0; i < N_ELEMENTS(nows); i++)
                for (Cycle cycle = 0; cycle < CYCLE__MAX; cycle++) {
                        CivilTime trigger = civil("2025-12-31 02:00:44"), next = {};

                        cycle_next(cycle, &trigger, zone("Europe/Berlin"), nows[i], &next);
                        assert_in_range(next.month, 1, 12);
                        assert_in_range(next.day, 1, 31);
                }
}

static void test_cycle_length(void **state) {
        assert_true(cycle_length_usec(CYCLE_FIVE_MIN) == 5 * USEC_PER_MINUTE);
        assert_true(cycle_length_usec(CYCLE_PER_HOUR) == USEC_PER_HOUR);
        assert_true(cycle_length_usec(CYCLE_PER_DAY) == USEC_PER_DAY);
        assert_true(cycle_length_usec(CYCLE_PER_WEEK) == USEC_PER_WEEK);
        assert_true(cycle_length_usec(CYCLE_PER_MONTH) == 31 * USEC_PER_DAY);
}

static void test_cycle_same_phase(void **state) {
        static const struct {
                const char *what;
                Cycle cycle;
                const char *a, *b;
                int32_t shift;
                bool same;
        } cases[] = {
                { "equal", CYCLE_PER_WEEK, "2026-11-20 02:00:44", "2026-11-20 02:00:44", 0, true },
                { "5 min later", CYCLE_FIVE_MIN, "2026-11-20 02:00:44", "2026-11-20 02:05:44", 0, true },
                { "5 min earlier", CYCLE_FIVE_MIN, "2026-11-20 02:00:44", "2026-11-19 23:55:44", 0, true },
                { "4 min later", CYCLE_FIVE_MIN, "2026-11-20 02:00:44", "2026-11-20 02:04:44", 0, false },
                { "a second later", CYCLE_FIVE_MIN, "2026-11-20 02:00:44", "2026-11-20 02:00:45", 0, false },
                { "hours later", CYCLE_PER_HOUR, "2026-11-20 02:00:44", "2027-01-01 17:00:44", 0, true },
                { "half an hour", CYCLE_PER_HOUR, "2026-11-20 02:00:44", "2026-11-20 02:30:44", 0, false },
                { "half an hour, which the zone moved by", CYCLE_PER_HOUR, "2026-11-20 02:00:44",
                  "2026-11-20 02:30:44", 1800, true },
                { "... in the other direction", CYCLE_PER_HOUR, "2026-11-20 02:00:44", "2026-11-20 02:30:44", -1800,
                  true },
                { "days later", CYCLE_PER_DAY, "2026-11-20 02:00:44", "2028-02-29 02:00:44", 0, true },
                { "an hour later", CYCLE_PER_DAY, "2026-11-20 02:00:44", "2026-11-20 03:00:44", 0, false },
                { "an hour later, which the zone moved by", CYCLE_PER_DAY, "2026-11-20 02:00:44",
                  "2026-11-27 03:00:44", 3600, true },
                { "the shift is no choice", CYCLE_PER_DAY, "2026-11-20 02:00:44", "2026-11-27 02:00:44", 3600,
                  false },
                { "the shift has a direction", CYCLE_PER_DAY, "2026-11-20 02:00:44", "2026-11-27 01:00:44", 3600,
                  false },
                { "weeks earlier", CYCLE_PER_WEEK, "2026-11-20 02:00:44", "2026-11-06 02:00:44", 0, true },
                { "another day of the week", CYCLE_PER_WEEK, "2026-11-20 02:00:44", "2026-11-21 02:00:44", 0, false },
                { "month: same day", CYCLE_PER_MONTH, "2026-11-20 02:00:44", "2027-02-20 02:00:44", 0, true },
                { "month: another day", CYCLE_PER_MONTH, "2026-11-20 02:00:44", "2027-02-21 02:00:44", 0, false },
                { "month: another hour", CYCLE_PER_MONTH, "2026-11-20 02:00:44", "2027-02-20 03:00:44", 0, false },
                { "month: another minute", CYCLE_PER_MONTH, "2026-11-20 02:00:44", "2027-02-20 02:01:44", 0, false },
                { "month: another second", CYCLE_PER_MONTH, "2026-11-20 02:00:44", "2027-02-20 02:00:45", 0, false },
                { "31st shown as 30th", CYCLE_PER_MONTH, "2026-03-31 02:00:44", "2026-04-30 02:00:44", 0, true },
                { "31st shown as 28th", CYCLE_PER_MONTH, "2026-03-31 02:00:44", "2026-02-28 02:00:44", 0, true },
                { "31st shown as 29th", CYCLE_PER_MONTH, "2026-03-31 02:00:44", "2028-02-29 02:00:44", 0, true },
                { "28th of a leap year is not the last", CYCLE_PER_MONTH, "2026-03-31 02:00:44",
                  "2028-02-28 02:00:44", 0, false },
                { "30th of March is not the last", CYCLE_PER_MONTH, "2026-01-31 02:00:44", "2026-03-30 02:00:44", 0,
                  false },
                { "30th of April back to the 31st", CYCLE_PER_MONTH, "2026-04-30 02:00:44", "2026-05-31 02:00:44", 0,
                  true },
                { "last, but the other is earlier", CYCLE_PER_MONTH, "2026-03-15 02:00:44", "2026-04-30 02:00:44", 0,
                  false },
                { "15th and last of February", CYCLE_PER_MONTH, "2026-02-28 02:00:44", "2026-04-15 02:00:44", 0,
                  false },
                { "month: zone moved over midnight", CYCLE_PER_MONTH, "2026-04-30 23:30:00", "2026-06-01 00:30:00",
                  3600, true },
                { "month: leap second", CYCLE_PER_MONTH, "2026-04-29 23:59:60", "2026-06-30 00:00:00", 0, true },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                CivilTime a = civil(cases[i].a), b = civil(cases[i].b);

                print_message("%s\n", cases[i].what);
                assert_int_equal(cycle_same_phase(cases[i].cycle, &a, &b, cases[i].shift), cases[i].same);
                assert_int_equal(cycle_same_phase(cases[i].cycle, &b, &a, -cases[i].shift), cases[i].same);
        }
}

#define NO_SHIFT INT32_MIN /* no zone explains it */
#define NOT_TOLD INT32_MAX /* possible, but how far can't be told */

static void test_cycle_zone_shift(void **state) {
        static const struct {
                const char *what;
                Cycle cycle;
                int32_t shift;
                const char *a, *b;
        } cases[] = {
                { "none", CYCLE_PER_DAY, 0, "2026-11-20 02:00:44", "2026-11-20 02:00:44" },
                { "moved on by a day", CYCLE_PER_DAY, 0, "2026-11-20 02:00:44", "2026-11-21 02:00:44" },
                { "eight hours behind", CYCLE_PER_DAY, -8 * 3600, "2026-11-20 02:00:44", "2026-11-19 18:00:44" },
                { "eight hours behind and moved on", CYCLE_PER_DAY, -8 * 3600, "2026-11-20 02:00:44",
                  "2026-11-20 18:00:44" },
                { "twelve hours behind", CYCLE_PER_DAY, -12 * 3600, "2026-11-20 02:00:44", "2026-11-19 14:00:44" },
                { "twelve hours ahead", CYCLE_PER_DAY, 12 * 3600, "2026-11-20 02:00:44", "2026-11-20 14:00:44" },
                { "fourteen hours ahead", CYCLE_PER_DAY, 14 * 3600, "2026-11-20 02:00:44", "2026-11-20 16:00:44" },
                { "quarter hour", CYCLE_PER_DAY, 900, "2026-11-20 02:00:44", "2026-11-20 02:15:44" },
                { "Nepal", CYCLE_PER_DAY, 5 * 3600 + 45 * 60, "2026-11-20 02:00:44", "2026-11-20 07:45:44" },
                { "ten minutes", CYCLE_PER_DAY, NO_SHIFT, "2026-11-20 02:00:44", "2026-11-20 02:10:44" },
                { "a second", CYCLE_PER_DAY, NO_SHIFT, "2026-11-20 02:00:44", "2026-11-20 02:00:45" },
                { "week, moved on and behind", CYCLE_PER_WEEK, -8 * 3600, "2026-11-20 02:00:44",
                  "2026-11-26 18:00:44" },
                { "week, 26 hours", CYCLE_PER_WEEK, 26 * 3600, "2026-11-20 02:00:44", "2026-11-21 04:00:44" },
                { "week, more than zones lie apart", CYCLE_PER_WEEK, NO_SHIFT, "2026-11-20 02:00:44",
                  "2026-11-21 04:15:44" },
                { "week, three days", CYCLE_PER_WEEK, NO_SHIFT, "2026-11-20 02:00:44", "2026-11-23 02:00:44" },
                { "month, behind", CYCLE_PER_MONTH, -8 * 3600, "2026-11-01 02:00:44", "2026-10-31 18:00:44" },
                { "month, moved on and behind", CYCLE_PER_MONTH, -8 * 3600, "2026-11-01 02:00:44",
                  "2026-11-30 18:00:44" },
                { "month, end shown as the first", CYCLE_PER_MONTH, 5 * 3600, "2026-04-30 22:00:44",
                  "2026-05-01 03:00:44" },
                { "month, a week", CYCLE_PER_MONTH, NO_SHIFT, "2026-11-10 02:00:44", "2026-11-17 02:00:44" },
                { "month, ten minutes", CYCLE_PER_MONTH, NO_SHIFT, "2026-11-10 02:00:44", "2026-11-10 02:10:44" },
                { "hour, moved on", CYCLE_PER_HOUR, NOT_TOLD, "2026-11-20 02:00:44", "2026-11-20 03:00:44" },
                { "hour, zone of half hours", CYCLE_PER_HOUR, NOT_TOLD, "2026-11-20 02:00:44",
                  "2026-11-20 02:30:44" },
                { "hour, ten minutes", CYCLE_PER_HOUR, NO_SHIFT, "2026-11-20 02:00:44", "2026-11-20 02:10:44" },
                { "5 min, moved on", CYCLE_FIVE_MIN, NOT_TOLD, "2026-11-20 02:00:44", "2026-11-20 02:05:44" },
                { "5 min, a minute", CYCLE_FIVE_MIN, NO_SHIFT, "2026-11-20 02:00:44", "2026-11-20 02:01:44" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                CivilTime a = civil(cases[i].a), b = civil(cases[i].b);
                int32_t shift = 4711;
                bool told = cases[i].shift != NO_SHIFT && cases[i].shift != NOT_TOLD;

                print_message("%s\n", cases[i].what);
                assert_int_equal(cycle_zone_shift_possible(cases[i].cycle, &a, &b), cases[i].shift != NO_SHIFT);
                assert_int_equal(cycle_zone_shift(cases[i].cycle, &a, &b, &shift), told);
                assert_int_equal(shift, told ? cases[i].shift : 4711);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cycle_next_plain),           cmocka_unit_test(test_cycle_next_month_ends),
                cmocka_unit_test(test_cycle_next_daylight_saving), cmocka_unit_test(test_cycle_next_invariants),
                cmocka_unit_test(test_cycle_next_absurd_now),      cmocka_unit_test(test_cycle_length),
                cmocka_unit_test(test_cycle_same_phase),           cmocka_unit_test(test_cycle_zone_shift),
        };

        return cmocka_run_group_tests(tests, NULL, forget_zones);
}
