/* SPDX-License-Identifier: Apache-2.0 */

/*
 * More than a year of a few of locks under every reading, unit and answer to a shortening, with faults coming and going: no lock lapses, none
 * ever ends past its cap.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define N_LOCKS 3

static usec_t lock_end(SimWorld *w, const char *instance) {
        const char *path[] = { "instances", "taurusdb", instance, "lock", "end", NULL };
        json_object *o = world_state(w, path);
        usec_t end = 0;

        if (o)
                assert_int_equal(timestamp_parse(json_object_get_string(o), &end), 0);
        json_object_put(o);
        return end;
}

static void run_years(const char *reading, const char *unit, const char *shorten, bool faults) {
        static const char *const fault_menu[] = {
                "[{call: lock-set, close: after-effect}]",
                "[{call: lock-set, close: before-effect}]",
                "[{call: lock-get, status: 500}]",
                "[{path: \"/v3/*\", status: 429, headers: {Retry-After: \"30\"}}]",
                "[{call: lock-get, truncate: 20}]",
                "[{call: lock-get, body: empty}]",
        };
        char change[256], id[N_LOCKS][40], cloud[2048] = "instances:\n  taurusdb:\n", policies[2048] = "";
        usec_t before[N_LOCKS] = {};
        SimWorld w;

        print_message("%s, %s, %s%s\n", reading, unit, shorten, faults ? ", with faults" : "");
        for (int i = 0; i < N_LOCKS; i++) {
                size_t n = strlen(cloud), k = strlen(policies);

                (void) snprintf(id[i], sizeof(id[i]), "%032din07", i + 1);
                (void) snprintf(cloud + n, sizeof(cloud) - n, i % 2 ? "    %s: {lock: none}\n" : "    %s: {lock: {start: -20d, end: +10d}}\n",
                                id[i]);
                (void) snprintf(policies + k, sizeof(policies) - k, "%sname: lock%d\nservice: taurusdb\ninstance_id: %s\n"
                                "lock: {retention_days: 30, renew_before: 7d, poll: 6h, settle: 1h}\n", i > 0 ? "---\n" : "", i, id[i]);
        }
        world_setup(&w, cloud);
        (void) snprintf(change, sizeof(change), "lock: {reading: %s, unit: %s, shorten: %s}\nconsistency: {read_delay: 90s}", reading, unit, shorten);
        world_change(&w, change);
        world_start(&w, "", policies);

        for (int day = 0; day < 400; day++) {
                if (faults)     /* every other day something is wrong */
                        world_faults(&w, day % 2 ? NULL : fault_menu[(size_t) (day / 2) % N_ELEMENTS(fault_menu)]);
                if (faults && day % 90 == 89) {
                        world_kill(&w);
                        world_run_after_kill(&w, USEC_PER_DAY / 2);
                        world_start(&w, "", policies);
                }
                world_run(&w, USEC_PER_DAY);

                for (int i = 0; i < N_LOCKS; i++) {
                        usec_t end = lock_end(&w, id[i]);

                        /* The cap is 31 days from when it was asked for: never later than now. */
                        if (end > w.wall_usec + 31 * USEC_PER_DAY || end < before[i] || (day > 3 && end <= w.wall_usec)) {
                                world_print(&w);
                                fail_msg("day %d, lock %d: out of bounds", day, i);
                        }
                        before[i] = end;
                }
        }

        assert_int_equal(world_said(&w, EVENT_LOCK_FROZEN, NULL), 0);
        assert_int_equal(world_said(&w, EVENT_LOCK_LAPSED, NULL), 0);
        assert_in_range(world_said(&w, EVENT_LOCK_EXTENDED, NULL), 14 * N_LOCKS, 26 * N_LOCKS);
        world_teardown(&w);
}

static void test_years_under_every_reading(void **state) {
        static const char *const readings[] = { "from-start", "from-now", "added" };
        static const char *const units[] = { "seconds", "milliseconds" };
        static const char *const shortens[] = { "refuse", "ignore" };

        for (size_t r = 0; r < N_ELEMENTS(readings); r++)
                for (size_t u = 0; u < N_ELEMENTS(units); u++)
                        run_years(readings[r], units[u], shortens[(r + u) % 2], false);
}

static void test_years_with_faults(void **state) {
        static const char *const readings[] = { "from-start", "from-now", "added" };

        for (size_t r = 0; r < N_ELEMENTS(readings); r++)
                run_years(readings[r], "milliseconds", r % 2 ? "refuse" : "ignore", true);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_years_under_every_reading),
                cmocka_unit_test(test_years_with_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
