/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/calls.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)
#define INSTANCE "2f6b1d3c4e5f60718293a4b5c6d7e8f9"
#define PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"
#define DOMAIN "8a6f5e0c1d2b4f739e0d1c2b3a495867"

static const CallTarget target = {
        .origin = "https://dbss.example.com",
        .project_id = PROJECT,
        .domain_id = DOMAIN,
        .instance_id = INSTANCE,
        .language = "en-us",
};

static Ask set_ask(void) {
        return (Ask) {
                .call = CALL_SCHEDULE_SET,
                .schedule_set = { .on = true,
                                  .cycle = CYCLE_PER_HOUR,
                                  .bucket_name = "cbh-ynf",
                                  .bucket_root_path = "",
                                  .trigger_time = "2025-08-21 02:00:44" },
        };
}

static int decode(Call call, const char *body, Answer *ret, Failure *reterr) {
        HttpReply p = {
                .outcome = HTTP_REPLIED, .status = 200, .body = (char *) body, .n_body = body ? strlen(body) : 0
        };
        Ask ask = { .call = call };

        return call_decode(&ask, &target, &p, T0, ret, reterr);
}

static void test_encode_switch(void **state) {
        static const struct {
                bool on;
                Cycle cycle;
                const char *path, *body;
        } cases[] = {
                { true, CYCLE_PER_HOUR, "",
                  "{\"mode\":\"AUTO\",\"trigger_time\":\"2025-08-21 02:00:44\",\"status\":1,\"cycle\":\"PER_HOUR\","
                  "\"bucket_name\":\"cbh-ynf\",\"bucket_root_path\":\"\"}" },
                { true, CYCLE_FIVE_MIN, NULL,
                  "{\"mode\":\"AUTO\",\"trigger_time\":\"2025-08-21 02:00:44\",\"status\":1,\"cycle\":\"FIVE_MIN\","
                  "\"bucket_name\":\"cbh-ynf\",\"bucket_root_path\":\"\"}" },
                { false, CYCLE_PER_MONTH, "a/\"b",
                  "{\"mode\":\"AUTO\",\"trigger_time\":\"2025-08-21 02:00:44\",\"status\":0,\"cycle\":\"PER_MONTH\","
                  "\"bucket_name\":\"cbh-ynf\",\"bucket_root_path\":\"a/\\\"b\"}" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Ask ask = set_ask();
                HttpRequest q = {};

                ask.schedule_set.on = cases[i].on;
                ask.schedule_set.cycle = cases[i].cycle;
                ask.schedule_set.bucket_root_path = cases[i].path;
                assert_int_equal(call_encode(&ask, &target, &q), 0);
                assert_int_equal(q.method, HTTP_POST);
                assert_string_equal(q.path, "/v1/" DOMAIN "/audit/" INSTANCE "/backup/switch");
                assert_null(q.query);
                assert_string_equal(q.body, cases[i].body);
                assert_string_equal(http_request_header(&q, "Content-Type"), "application/json");
                assert_string_equal(http_request_header(&q, "X-Project-Id"), PROJECT);
                assert_null(http_request_header(&q, "X-Language"));
                http_request_done(&q);
        }
}

static void test_encode_template(void **state) {
        Ask ask = { .call = CALL_SCHEDULE_GET };
        HttpRequest q = {};

        assert_int_equal(call_encode(&ask, &target, &q), 0);
        assert_int_equal(q.method, HTTP_GET);
        assert_string_equal(q.path, "/v1/" PROJECT "/audit/" INSTANCE "/backup/template");
        assert_null(q.body);
        assert_string_equal(http_request_header(&q, "Content-Type"), "application/json");
        assert_null(http_request_header(&q, "X-Language"));
        http_request_done(&q);
}

static void test_encode_switch_refuses(void **state) {
        HttpRequest q = {};
        CallTarget t = target;
        Ask ask = set_ask();

        t.domain_id = NULL;
        assert_int_equal(call_encode(&ask, &t, &q), -EINVAL);
        t = target;
        t.project_id = "";
        assert_int_equal(call_encode(&ask, &t, &q), -EINVAL);

        ask.schedule_set.bucket_name = NULL;
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
        ask = set_ask();
        ask.schedule_set.bucket_name = "";
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
        ask = set_ask();
        ask.schedule_set.cycle = CYCLE__MAX;
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
        ask = set_ask();
        ask.schedule_set.trigger_time[0] = '\0';
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
        memset(ask.schedule_set.trigger_time, '1', sizeof(ask.schedule_set.trigger_time));
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
}

static void test_decode_switch(void **state) {
        static const struct {
                const char *body;
                bool yes;
        } cases[] = {
                { "{\"result\":\"SUCCESS\"}", true },
                { "{\"result\":\"success\"}", true },
                { "{\"result\":\"SUCCESSFUL\"}", false },
                { "{\"result\":null}", false },
                { "[]", false },
                { NULL, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                assert_int_equal(decode(CALL_SCHEDULE_SET, cases[i].body, &a, &f), 1);
                assert_int_equal(a.schedule_accepted, cases[i].yes);
        }
}

static void test_decode_template(void **state) {
        static const char body[] = "{\"bucket_name\":\"cbh-ynf\",\"bucket_root_path\":\"a/"
                                   "b\",\"cycle\":\"per_day\",\"latest_backup_time\":\"2026-07-31T02:00:44.5+0800\","
                                   "\"status\":1,\"trigger_time\":\"2025-08-21 02:00:44\",\"triggered\":true}";
        Failure f = {};
        Answer a = {};

        assert_int_equal(decode(CALL_SCHEDULE_GET, body, &a, &f), 1);
        assert_true(a.schedule.configured);
        assert_true(a.schedule.on);
        assert_int_equal(a.schedule.cycle, CYCLE_PER_DAY);
        assert_string_equal(a.schedule.bucket_name, "cbh-ynf");
        assert_string_equal(a.schedule.bucket_root_path, "a/b");
        assert_true(a.schedule.has_trigger);
        assert_int_equal(a.schedule.trigger.hour, 2);
        assert_int_equal(a.schedule.trigger.second, 44);
        assert_string_equal(a.schedule.trigger_text, "2025-08-21 02:00:44");
        assert_true(a.schedule.has_latest && a.schedule.latest_has_zone);
        assert_int_equal(a.schedule.latest.day, 31);
        assert_int_equal(a.schedule.latest_at_usec / USEC_PER_SEC, UINT64_C(1785434444));
        answer_done(&a);
}

static void test_decode_template_variants(void **state) {
        static const struct {
                const char *body;
                bool configured, on;
                int cycle;
                bool has_trigger, has_latest;
        } cases[] = {
                { "{}", false, false, -1, false, false },
                { "{\"other\":null}", false, false, -1, false, false },
                { "{\"triggered\":false,\"other\":1}", false, false, -1, false, false },
                { "{\"bucket_name\":null,\"status\":null,\"cycle\":null,\"triggered\":false}", false, false, -1,
                  false, false },
                { "{\"bucket_name\":\"\",\"bucket_root_path\":\"\",\"cycle\":\"\",\"trigger_time\":\"\",\"latest_"
                  "backup_time\":\"\"}",
                  false, false, -1, false, false },
                { "{\"status\":0}", true, false, -1, false, false },
                { "{\"status\":\"1\"}", true, true, -1, false, false },
                { "{\"status\":1.0,\"cycle\":\"FIVE_MIN\"}", true, true, CYCLE_FIVE_MIN, false, false },
                { "{\"status\":1,\"trigger_time\":\"2025-08-21T02:00:44\"}", true, true, -1, true, false },
                { "{\"status\":1,\"trigger_time\":\"2025-08-21 02:00:44.123456Z\"}", true, true, -1, true, false },
                { "{\"status\":1,\"latest_backup_time\":\"2025-08-21 02:00:44\"}", true, true, -1, false, true },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(decode(CALL_SCHEDULE_GET, cases[i].body, &a, &f), 1);
                assert_int_equal(a.schedule.configured, cases[i].configured);
                assert_int_equal(a.schedule.on, cases[i].on);
                assert_int_equal(a.schedule.cycle, cases[i].cycle);
                assert_int_equal(a.schedule.has_trigger, cases[i].has_trigger);
                assert_int_equal(a.schedule.has_latest, cases[i].has_latest);
                assert_false(a.schedule.latest_has_zone);
                assert_null(a.schedule.bucket_name);
                assert_null(a.schedule.bucket_root_path);
                answer_done(&a);
        }
}

static void test_decode_template_unreadable(void **state) {
        static const struct {
                const char *body, *message;
        } cases[] = {
                { "{\"unexpected\":1}", "status: missing" },
                { "{\"template\":{\"status\":1}}", "status: missing" },
                { "{\"bucket_name\":\"b\"}", "status: missing" },
                { "{\"cycle\":\"PER_DAY\"}", "status: missing" },
                { "{\"trigger_time\":\"2025-08-21 02:00:44\",\"status\":null}", "status: missing" },
                { "{\"latest_backup_time\":\"2025-08-21 02:00:44\"}", "status: missing" },
                { "{\"bucket_root_path\":\"x\"}", "status: missing" },
                { "{\"status\":2}", "status: found 2, expected 0 or 1" },
                { "{\"status\":-1}", "status: found -1" },
                { "{\"status\":\"on\"}", "status: found text" },
                { "{\"status\":true}", "status: found true" },
                { "{\"status\":0.5}", "status: found a fraction" },
                { "{\"status\":1,\"cycle\":\"PER_YEAR\"}", "cycle: found another word" },
                { "{\"status\":1,\"cycle\":5}", "cycle: found a number" },
                { "{\"status\":1,\"bucket_name\":{}}", "bucket_name: found an object" },
                { "{\"status\":1,\"bucket_root_path\":7}", "bucket_root_path: found a number" },
                { "{\"status\":1,\"trigger_time\":1755741644}",
                  "trigger_time: found a number, expected a time such as" },
                { "{\"status\":1,\"trigger_time\":\"2025-02-30 02:00:44\"}", "trigger_time: found text" },
                { "{\"status\":1,\"trigger_time\":\"21.08.2025 02:00\"}", "trigger_time: found text" },
                { "{\"status\":1,\"latest_backup_time\":\"never\"}", "latest_backup_time: found text" },
                { "[]", "not an object" },
                { NULL, "empty" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body ? cases[i].body : "-");
                assert_int_equal(decode(CALL_SCHEDULE_GET, cases[i].body, &a, &f), 0);
                assert_int_equal(f.class, FAILURE_UNREADABLE);
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encode_switch),
                cmocka_unit_test(test_encode_template),
                cmocka_unit_test(test_encode_switch_refuses),
                cmocka_unit_test(test_decode_switch),
                cmocka_unit_test(test_decode_template),
                cmocka_unit_test(test_decode_template_variants),
                cmocka_unit_test(test_decode_template_unreadable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
