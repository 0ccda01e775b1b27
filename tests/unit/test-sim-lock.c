/* SPDX-License-Identifier: Apache-2.0 */
/* The compliance lock in every way in which its documentation can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test-sim-common.h"

#define DAY ((int64_t) 86400)

static int ask_lock(TestSim *t, const char *action, int64_t days) {
        char body[160];

        (void) snprintf(
                body, sizeof(body),
                "{\"backup_vaultlock_info\":{\"lock_retention_days\":%lld,\"lock_policy\":true},\"action\":\"%s\"}",
                (long long) days, action);
        return test_sim_ask(t, "PUT", LOCK_PATH, NULL, body);
}

/* Days from now until the end of the lock as it reads back in milliseconds; -1: not given. */
static int64_t end_in_days(TestSim *t) {
        int64_t end;

        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        end = test_sim_int(t, "backup_vaultlock_info.lock_end_time");
        return end < 0 ? -1 : (end - (int64_t) (t->now_usec / 1000)) / (DAY * 1000);
}

/* The lock began 10 days ago and ends in 20. */
static void test_lock_extend_readings(void **state) {
        static const struct {
                const char *settings;
                int64_t days;
                int status;
                int64_t end_in_days;
        } cases[] = {
                { "{reading: from-start}", 31, 200, 21 },
                { "{reading: from-start}", 29, 400, 20 },
                { "{reading: from-start, shorten: ignore}", 29, 200, 20 },
                { "{reading: from-start, shorten: obey}", 29, 200, 19 },
                { "{reading: from-start}", 30, 400, 20 },
                { "{reading: from-start, no_op: ignore}", 30, 200, 20 },
                { "{reading: from-now}", 21, 200, 21 },
                { "{reading: from-now}", 19, 400, 20 },
                { "{reading: from-now, shorten: ignore}", 19, 200, 20 },
                { "{reading: added}", 1, 200, 21 },
                { "{reading: added}", 30, 200, 50 },
                { "{reading: added, overshoot_days: 400}", 1, 200, 421 },
                { "{reading: from-now, overshoot_days: -5}", 30, 200, 25 },
                { "{reading: from-now, shorten: obey}", 1, 200, 1 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                TestSim *t;
                char yaml[256];

                print_message("%s %lld\n", cases[i].settings, (long long) cases[i].days);
                test_sim_setup((void **) &t);
                (void) snprintf(yaml, sizeof(yaml),
                                "lock: %s\ninstances: {taurusdb: {" TAURUS ": {lock: {start: -10d, end: +20d}}}}",
                                cases[i].settings);
                test_sim_change(t, yaml);
                assert_int_equal(ask_lock(t, "extend", cases[i].days), cases[i].status);
                assert_string_equal(test_sim_text(t, "result"), cases[i].status == 200 ? "success" : "");
                assert_int_equal(end_in_days(t), cases[i].end_in_days);
                test_sim_teardown((void **) &t);
        }
}

static void test_lock_states(void **state) {
        static const struct {
                const char *settings, *lock, *action;
                int status;
                int64_t end_in_days;
        } cases[] = {
                { "{}", "none", "enable", 200, 7 },
                { "{}", "none", "ENABLE", 200, 7 },
                { "{}", "none", "extend", 400, -1 },
                { "{extend_without_lock: enable}", "none", "Extend", 200, 7 },
                { "{}", "{start: -1d, end: +3d}", "enable", 400, 3 },
                { "{enable_on_enabled: ignore}", "{start: -1d, end: +3d}", "enable", 200, 3 },
                { "{enable_on_enabled: extend, reading: added}", "{start: -1d, end: +3d}", "enable", 200, 10 },
                { "{}", "{start: -9d, end: -2d}", "enable", 200, 7 },
                { "{enable_after_expiry: refuse}", "{start: -9d, end: -2d}", "enable", 400, -2 },
                { "{}", "{start: -9d, end: -2d}", "extend", 400, -2 },
                { "{extend_after_expiry: enable}", "{start: -9d, end: -2d}", "extend", 200, 7 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                TestSim *t;
                char yaml[256];

                print_message("%s, lock %s: %s\n", cases[i].settings, cases[i].lock, cases[i].action);
                test_sim_setup((void **) &t);
                (void) snprintf(yaml, sizeof(yaml), "lock: %s\ninstances: {taurusdb: {" TAURUS ": {lock: %s}}}",
                                cases[i].settings, cases[i].lock);
                test_sim_change(t, yaml);
                assert_int_equal(ask_lock(t, cases[i].action, 7), cases[i].status);
                assert_int_equal(end_in_days(t), cases[i].end_in_days);
                test_sim_teardown((void **) &t);
        }
}

static void test_lock_units(void **state) {
        TestSim *t = *state;
        int64_t now = (int64_t) (T0 / USEC_PER_SEC);

        assert_int_equal(ask_lock(t, "enable", 36500), 200);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_start_time"), now * 1000);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_end_time"), (now + 36500 * DAY) * 1000);

        test_sim_change(t, "lock: {unit: seconds}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_start_time"), now);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_end_time"), now + 36500 * DAY);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 36500);
}

static void test_lock_days_reported_and_start(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "lock: {reading: from-now, unit: seconds}\ninstances: {taurusdb: {" TAURUS
                           ": {lock: {start: -10d, end: +5d}}}}");
        assert_int_equal(ask_lock(t, "extend", 30), 200);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 40);

        test_sim_change(t, "lock: {days_reported: last, start_moves: on}");
        assert_int_equal(ask_lock(t, "extend", 31), 200);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 31);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_start_time"), T0 / USEC_PER_SEC);
}

static void test_lock_round_end(void **state) {
        TestSim *t = *state;

        t->now_usec = T0 + USEC_PER_HOUR;
        test_sim_change(t, "lock: {round_end: day, unit: seconds}");
        assert_int_equal(ask_lock(t, "enable", 7), 200);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_end_time"),
                         (int64_t) (T0 / USEC_PER_SEC) + 8 * DAY);
}

static void test_lock_never_enabled(void **state) {
        static const struct {
                const char *how;
                const char *body;
        } cases[] = {
                { "explicit", "{\"backup_vaultlock_info\":{\"lock_policy\":false}}" },
                { "zeros", "{\"backup_vaultlock_info\":{\"lock_policy\":false,\"lock_retention_days\":0,\"lock_start_"
                           "time\":0,\"lock_end_time\":0}}" },
                { "nulls", "{\"backup_vaultlock_info\":{\"lock_retention_days\":null,\"lock_policy\":null,\"lock_"
                           "start_time\":null,\"lock_end_time\":null}}" },
                { "missing", "{}" },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char yaml[64];

                (void) snprintf(yaml, sizeof(yaml), "lock: {never_enabled: %s}", cases[i].how);
                test_sim_change(t, yaml);
                assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
                assert_string_equal(t->reply.body, cases[i].body);
        }
}

static void test_lock_after_expiry(void **state) {
        TestSim *t = *state;

        assert_int_equal(ask_lock(t, "enable", 1), 200);
        t->now_usec += USEC_PER_DAY;
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_true(json_object_get_boolean(test_sim_member(t, "backup_vaultlock_info.lock_policy")));
        test_sim_change(t, "lock: {after_expiry: off}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_false(json_object_get_boolean(test_sim_member(t, "backup_vaultlock_info.lock_policy")));
        /* One microsecond earlier it still ran. */
        t->now_usec -= 1;
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_true(json_object_get_boolean(test_sim_member(t, "backup_vaultlock_info.lock_policy")));
}

static void test_lock_read_delay(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "consistency: {read_delay: 10s}\nlock: {reading: added}");
        assert_int_equal(ask_lock(t, "enable", 7), 200);
        assert_int_equal(end_in_days(t), -1);
        t->now_usec += 10 * USEC_PER_SEC;
        assert_int_equal(end_in_days(t), 6); /* seven, less ten seconds */

        assert_int_equal(ask_lock(t, "extend", 1), 200);
        t->now_usec += 5 * USEC_PER_SEC;
        assert_int_equal(ask_lock(t, "extend", 1), 200);
        assert_int_equal(end_in_days(t), 6);
        t->now_usec += 5 * USEC_PER_SEC;
        assert_int_equal(end_in_days(t), 7);
        t->now_usec += 5 * USEC_PER_SEC;
        assert_int_equal(end_in_days(t), 8);
}

/* Far more writes than a history keeps: the truth is the last one. */
static void test_lock_read_delay_many_writes(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "consistency: {read_delay: 1h}\nlock: {reading: added}");
        assert_int_equal(ask_lock(t, "enable", 1), 200);
        for (int i = 0; i < 200; i++)
                assert_int_equal(ask_lock(t, "extend", 1), 200);
        t->now_usec += USEC_PER_HOUR;
        assert_int_equal(end_in_days(t), 200); /* 201, less an hour */
}

/* More writes within the delay than are remembered: what is remembered is still shown at its time. */
static void test_lock_read_delay_long(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "consistency: {read_delay: 2h}\nlock: {reading: added, unit: seconds}");
        for (int i = 0; i < 100; i++) {
                assert_int_equal(ask_lock(t, i == 0 ? "enable" : "extend", 1), 200);
                t->now_usec += USEC_PER_MINUTE;
        }
        t->now_usec = T0 + 2 * USEC_PER_HOUR + 59 * USEC_PER_MINUTE;
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 60);
        t->now_usec -= 1;
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 59);
}

static void test_lock_bad_bodies(void **state) {
        static const struct {
                const char *body, *code;
        } cases[] = {
                { "", "DBS.200006" },
                { "{", "DBS.280001" },
                { "[]", "DBS.280001" },
                { "null", "DBS.280001" },
                { "{}", "DBS.280006" },
                { "{\"action\":\"extend\"}", "DBS.280006" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true}}", "DBS.280006" },
                { "{\"backup_vaultlock_info\":{\"lock_policy\":true},\"action\":\"enable\"}", "DBS.280006" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7},\"action\":\"enable\"}", "DBS.280006" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":0,\"lock_policy\":true},\"action\":"
                  "\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":36501,\"lock_policy\":true},\"action\":"
                  "\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7.0,\"lock_policy\":true},\"action\":"
                  "\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":\"7\",\"lock_policy\":true},\"action\":"
                  "\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":false},\"action\":"
                  "\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":1},\"action\":\"enable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":"
                  "\"disable\"}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":\"enable\","
                  "\"x\":1}",
                  "DBS.280001" },
                { "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":\"enable\"}"
                  "x",
                  "DBS.280001" },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].body);
                assert_int_equal(test_sim_ask(t, "PUT", LOCK_PATH, NULL, cases[i].body), 400);
                assert_string_equal(test_sim_text(t, "error_code"), cases[i].code);
        }
        assert_int_equal(end_in_days(t), -1);
}

static void test_lock_wants_content_type(void **state) {
        static const char body[] =
                "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":\"enable\"}";
        TestSim *t = *state;
        SimRequest q = { .method = "PUT", .path = LOCK_PATH, .body = body, .n_body = sizeof(body) - 1 };
        SimHeader header = { "content-type", "text/plain" };

        assert_int_equal(test_sim_send(t, &q), 400);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.280006");
        q.headers = &header;
        q.n_headers = 1;
        assert_int_equal(test_sim_send(t, &q), 415);
        header.value = "application/json;charset=utf8";
        assert_int_equal(test_sim_send(t, &q), 200);
}

static void test_lock_busy_and_abnormal(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "instances: {taurusdb: {" TAURUS ": {busy: on}}}");
        assert_int_equal(ask_lock(t, "enable", 7), 409);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.200019");
        test_sim_change(t, "instances: {taurusdb: {" TAURUS ": {busy: off, abnormal: on}}}");
        assert_int_equal(ask_lock(t, "enable", 7), 400);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.200086");
        assert_int_equal(end_in_days(t), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lock_extend_readings),
                cmocka_unit_test(test_lock_states),
                cmocka_unit_test_setup_teardown(test_lock_units, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_days_reported_and_start, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_round_end, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_never_enabled, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_after_expiry, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_read_delay, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_read_delay_many_writes, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_read_delay_long, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_bad_bodies, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_wants_content_type, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_lock_busy_and_abnormal, test_sim_setup, test_sim_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
