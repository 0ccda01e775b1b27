/* SPDX-License-Identifier: Apache-2.0 */
/* Faults by rule, and the administration: state, changes, clock, records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test-sim-common.h"

static const char enable[] =
        "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":\"enable\"}";

static void add_fault(TestSim *t, const char *rule) {
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/faults", NULL, rule), 201);
}

static bool lock_is_enabled(TestSim *t) {
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", "instance=" TAURUS, NULL), 200);
        return test_sim_member(t, "instances.taurusdb." TAURUS ".lock") != NULL;
}

static void test_fault_status_and_effect(void **state) {
        static const struct {
                const char *rule;
                int status;
                bool drop, effect;
                const char *code;
        } cases[] = {
                { "{call: lock-set, status: 503}", 503, false, false, "APIGW.0201" },
                { "{call: lock-set, status: 503, effect: on}", 503, false, true, "APIGW.0201" },
                { "{call: lock-set, status: 409, code: DBS.200047, message: busy}", 409, false, false, "DBS.200047" },
                { "{call: lock-set, close: before-effect}", 200, true, false, NULL },
                { "{call: lock-set, close: after-effect}", 200, true, true, NULL },
                { "{method: PUT, path: '/v3/*/vault-lock', body: empty}", 200, false, true, NULL },
                { "{service: taurusdb, instance: " TAURUS ", body: html}", 200, false, true, NULL },
                { "{service: taurusdb, status: 202}", 202, false, false, NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                TestSim *t;

                print_message("%s\n", cases[i].rule);
                test_sim_setup((void **) &t);
                add_fault(t, cases[i].rule);
                assert_int_equal(test_sim_ask(t, "PUT", LOCK_PATH, NULL, enable), cases[i].status);
                assert_int_equal(t->reply.drop, cases[i].drop);
                assert_int_equal(t->reply.effect, cases[i].effect);
                if (cases[i].code)
                        assert_string_equal(test_sim_text(t, "error_code"), cases[i].code);
                assert_int_equal(lock_is_enabled(t), cases[i].effect);
                test_sim_teardown((void **) &t);
        }
}

static void test_fault_does_not_hit_others(void **state) {
        static const char *const rules[] = {
                "{call: lock-set, status: 500}",
                "{method: PUT, status: 500}",
                "{path: '*/vault-lock', status: 500}",
                "{service: dbss, status: 500}",
                "{instance: 8144f8d4d0a4549808e55be8bf1b8e06in07, status: 500}",
                "{call: unknown, status: 500}",
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(rules); i++)
                add_fault(t, rules[i]);
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_ask(t, "GET", "/nowhere", NULL, NULL), 500);
        assert_int_equal(test_sim_ask(t, "DELETE", "/sim/v1/faults/6", NULL, NULL), 200);
        assert_int_equal(test_sim_ask(t, "GET", "/nowhere", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "DELETE", "/sim/v1/faults/6", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "DELETE", "/sim/v1/faults", NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "removed"), 5);
}

static void test_fault_nth_and_times(void **state) {
        static const int expected[] = { 200, 200, 500, 500, 200, 200 };
        TestSim *t = *state;

        add_fault(t, "{call: lock-get, nth: 3, times: 2, status: 500}");
        for (size_t i = 0; i < N_ELEMENTS(expected); i++)
                assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), expected[i]);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/faults", NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "faults.0.matched"), 6);
        assert_int_equal(test_sim_int(t, "faults.0.fired"), 2);
}

static void test_fault_chance(void **state) {
        TestSim *t = *state;
        int n_hit = 0;

        add_fault(t, "{call: lock-get, percent: 30, status: 500}");
        for (int i = 0; i < 1000; i++)
                n_hit += test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL) == 500;
        assert_in_range(n_hit, 240, 360);
}

static void test_fault_bodies(void **state) {
        TestSim *t = *state;
        size_t n;

        test_sim_change(t, "instances: {taurusdb: {" TAURUS ": {lock: {start: -1d, end: +3d}}}}");
        add_fault(t, "{call: lock-get, times: 1, body: wrong-type}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_true(json_object_is_type(test_sim_member(t, "backup_vaultlock_info.lock_policy"), json_type_array));

        add_fault(t, "{call: lock-get, times: 1, lie: {backup_vaultlock_info: {lock_end_time: 12, lock_policy: null, "
                     "x: {y: [1]}}}}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_end_time"), 12);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 4);
        assert_false(json_object_object_get_ex(test_sim_member(t, "backup_vaultlock_info"), "lock_policy", NULL));
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.x.y.0"), 1);

        add_fault(t, "{call: lock-get, times: 1, body: oversize}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_true(t->reply.n_body > 2 * 1024 * 1024);
        assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), 4);

        add_fault(t, "{call: lock-get, times: 1, body: garbage}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_null(t->json);
        assert_true(t->reply.n_body > 0);

        add_fault(t, "{call: lock-get, times: 1, truncate: 10, delay: 3s, headers: {X-Odd: 'yes', Date: ''}}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
        assert_true(t->reply.cut);
        assert_int_equal(t->reply.n_sent, 10);
        assert_int_equal(t->reply.delay_usec, 3 * USEC_PER_SEC);
        assert_string_equal(sim_reply_header(&t->reply, "x-odd"), "yes");
        assert_string_equal(sim_reply_header(&t->reply, "date"), "");

        add_fault(t, "{call: lock-get, times: 1, status: 429, code: APIGW.0308, headers: {Retry-After: '7'}}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 429);
        n = strlen(test_sim_text(t, "request_id"));
        assert_int_equal(n, 32);
        assert_string_equal(sim_reply_header(&t->reply, "Retry-After"), "7");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 200);
}

static void test_fault_refuses_bad_rules(void **state) {
        static const char *const rules[] = {
                "",
                "[]",
                "{}",
                "{call: lock-get}",
                "{call: nothing, status: 500}",
                "{service: x, status: 500}",
                "{status: 100}",
                "{status: 700}",
                "{body: x}",
                "{close: maybe}",
                "{delay: -1s}",
                "{percent: 101, status: 500}",
                "{lie: 1}",
                "{lie: [1]}",
                "{status: 500, x: 1}",
                "{headers: {Content-Length: '5'}}",
                "{headers: {'a b': x}}",
                "{headers: {a: \"x\\r\\ny: z\"}}",
                "{truncate: -1}",
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
                print_message("%s\n", rules[i]);
                assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/faults", NULL, rules[i]), 400);
                assert_non_null(test_sim_member(t, "errors.0"));
        }
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/faults", NULL, NULL), 200);
        assert_int_equal(json_object_array_length(test_sim_member(t, "faults")), 0);
}

/* --- The administration --------------------------------------------------------------------------------------- */

static void test_admin_change_and_clock(void **state) {
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/change", NULL,
                                      "{\"instances\":{\"taurusdb\":{\"" TAURUS "\":{\"encryption\":\"on\"}}}}"),
                         200);
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "encryption_status"), "on");

        assert_int_equal(test_sim_ask(t, "PUT", LOCK_PATH, NULL, enable), 200);
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{advance: 8d}"), 200);
        assert_string_equal(test_sim_text(t, "now"), "2026-01-09T00:00:00Z");
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_false(json_object_get_boolean(test_sim_member(t, "instances.taurusdb." TAURUS ".lock.runs")));
        assert_string_equal(test_sim_text(t, "settings.lock.reading"), "from-start");
        assert_int_equal(test_sim_int(t, "counters.calls.lock-set.succeeded"), 1);

        /* Ageing moves what is known, not the clock. */
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{advance: -8d, age: 2d}"), 200);
        assert_string_equal(test_sim_text(t, "now"), "2026-01-01T00:00:00Z");
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".lock.end"), "2026-01-06T00:00:00Z");
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{age: -1d}"), 400);
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{back: 1d}"), 400);
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "[1"), 400);
        for (int i = 0; i < 5; i++)
                assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{advance: 70000d}"), 200);
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/clock", NULL, "{advance: 70000d}"), 400);
}

static void test_admin_is_for_this_host(void **state) {
        TestSim *t = *state;
        SimRequest q = { .method = "GET", .path = "/sim/v1/state" };
        const SimHeader origin = { "Origin", "http://example.org" };

        assert_int_equal(test_sim_send(t, &q), 403);
        q.peer_is_local = true;
        assert_int_equal(test_sim_send(t, &q), 200);
        q.headers = &origin;
        q.n_headers = 1;
        assert_int_equal(test_sim_send(t, &q), 403);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "POST", "/sim/v1/state", NULL, "{}"), 404);
}

static void test_admin_records(void **state) {
        const SimHeader headers[] = { { "Content-Type", "application/json" },
                                      { "X-Auth-Token", "secret-a" },
                                      { "X-Security-Token", "secret-b" },
                                      { "Authorization",
                                        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=secret-c" },
                                      { "X-Language", "en-us" } };
        const char *body =
                "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":\"visible-d\","
                "\"password\":\"secret-e\"}},\"hw_ak_sk\":{\"secret\":{\"key\":\"secret-f\"}}}}}";
        SimRequest q = { .method = "POST",
                         .path = "/v3/auth/tokens",
                         .headers = headers,
                         .n_headers = N_ELEMENTS(headers),
                         .body = body,
                         .n_body = strlen(body) };
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "PUT", LOCK_PATH, NULL, enable), 200);
        (void) test_sim_send(t, &q);
        q.body = "password=secret-g";
        q.n_body = strlen(q.body);
        (void) test_sim_send(t, &q);

        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/requests", NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "total"), 3);
        assert_string_equal(test_sim_text(t, "requests.0.call"), "lock-set");
        assert_string_equal(test_sim_text(t, "requests.0.body"), enable);
        assert_int_equal(test_sim_int(t, "requests.0.status"), 200);
        assert_null(strstr(t->reply.body, "secret-"));
        assert_non_null(strstr(t->reply.body, "visible-d"));
        assert_string_equal(test_sim_text(t, "requests.1.headers.authorization"),
                            "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=***");
        assert_string_equal(test_sim_text(t, "requests.1.headers.x-language"), "en-us");

        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/requests", "since=1&limit=1", NULL), 200);
        assert_int_equal(test_sim_int(t, "requests.0.number"), 2);
        assert_null(test_sim_member(t, "requests.1"));
        assert_int_equal(test_sim_ask(t, "DELETE", "/sim/v1/requests", NULL, NULL), 200);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/requests", NULL, NULL), 200);
        assert_null(test_sim_member(t, "requests.0"));
}

static void test_admin_records_are_limited(void **state) {
        TestSim *t = *state;

        for (int i = 0; i < 10005; i++)
                assert_int_equal(test_sim_ask(t, "GET", "/nowhere", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/requests", "limit=100000", NULL), 200);
        assert_int_equal(json_object_array_length(test_sim_member(t, "requests")), 10000);
        assert_int_equal(test_sim_int(t, "requests.0.number"), 6);
}

static void test_same_seed_same_replies(void **state) {
        TestSim *a, *b;

        test_sim_setup((void **) &a);
        test_sim_setup((void **) &b);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(test_sim_ask(a, "GET", LOCK_PATH, NULL, NULL), 200);
                assert_int_equal(test_sim_ask(b, "GET", LOCK_PATH, NULL, NULL), 200);
                assert_string_equal(sim_reply_header(&a->reply, "X-Request-Id"),
                                    sim_reply_header(&b->reply, "X-Request-Id"));
        }
        test_sim_teardown((void **) &a);
        test_sim_teardown((void **) &b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fault_status_and_effect),
                cmocka_unit_test_setup_teardown(test_fault_does_not_hit_others, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_fault_nth_and_times, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_fault_chance, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_fault_bodies, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_fault_refuses_bad_rules, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_admin_change_and_clock, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_admin_is_for_this_host, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_admin_records, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_admin_records_are_limited, test_sim_setup, test_sim_teardown),
                cmocka_unit_test(test_same_seed_same_replies),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
