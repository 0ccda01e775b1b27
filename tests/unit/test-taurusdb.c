/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/calls.h"

#define NOW_SEC INT64_C(1785551940)     /* 2026-08-01T02:39:00Z */
#define T0 ((usec_t) NOW_SEC * USEC_PER_SEC)
#define DATE "Sat, 01 Aug 2026 02:39:00 GMT"
#define INSTANCE "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"

static const CallTarget target = {
        .origin = "https://gaussdb.example.com",
        .region = "cn-north-4",
        .project_id = PROJECT,
        .instance_id = INSTANCE,
        .language = "zh-cn",
};

static HttpReply reply(const char *body) {
        return (HttpReply) { .outcome = HTTP_REPLIED,
                            .status = 200,
                            .body = (char *) body,
                            .n_body = body ? strlen(body) : 0,
                            .date = (char *) DATE,
                            .request_id = (char *) "r-1" };
}

static int decode(Call call, const char *body, Answer *ret, Failure *reterr) {
        HttpReply p = reply(body);
        Ask ask = { .call = call };

        return call_decode(&ask, &target, &p, T0 + USEC_PER_DAY, ret, reterr);
}

static void test_encode(void **state) {
        static const struct {
                Ask ask;
                HttpMethod method;
                const char *path, *query, *body;
        } cases[] = {
                { { .call = CALL_ENCRYPTION_GET },
                  HTTP_GET,
                  "/v3/" PROJECT "/instances/" INSTANCE "/backups/encryption",
                  NULL,
                  NULL },
                { { .call = CALL_ENCRYPTION_SET, .encryption_set = { "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11" } },
                  HTTP_POST,
                  "/v3/" PROJECT "/instances/" INSTANCE "/backups/encryption",
                  NULL,
                  "{\"encryption_status\":\"on\",\"type\":\"kms\",\"kms_key_id\":\"4f1b0c7e-5d7a-4b53-9d2c-"
                  "0d5a1f3a8c11\"}" },
                { { .call = CALL_LOCK_GET },
                  HTTP_GET,
                  "/v3/" PROJECT "/instances/" INSTANCE "/backups/vault-lock",
                  NULL,
                  NULL },
                { { .call = CALL_LOCK_SET, .lock_set = { LOCK_ENABLE, 1 } },
                  HTTP_PUT,
                  "/v3/" PROJECT "/instances/" INSTANCE "/backups/vault-lock",
                  NULL,
                  "{\"backup_vaultlock_info\":{\"lock_retention_days\":1,\"lock_policy\":true},\"action\":"
                  "\"enable\"}" },
                { { .call = CALL_LOCK_SET, .lock_set = { LOCK_EXTEND, 36500 } },
                  HTTP_PUT,
                  "/v3/" PROJECT "/instances/" INSTANCE "/backups/vault-lock",
                  NULL,
                  "{\"backup_vaultlock_info\":{\"lock_retention_days\":36500,\"lock_policy\":true},\"action\":"
                  "\"extend\"}" },
                { { .call = CALL_TAURUSDB_BACKUPS, .backups = { 200 } },
                  HTTP_GET,
                  "/v3/" PROJECT "/backups",
                  "instance_id=" INSTANCE "&offset=200&limit=100&backup_type=manual",
                  NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpRequest q = {};

                print_message("%s\n", call_to_string(cases[i].ask.call));
                assert_int_equal(call_encode(&cases[i].ask, &target, &q), 0);
                assert_int_equal(q.method, cases[i].method);
                assert_string_equal(q.origin, target.origin);
                assert_string_equal(q.path, cases[i].path);
                assert_true(streq0(q.query, cases[i].query));
                assert_true(streq0(q.body, cases[i].body));
                assert_int_equal(q.n_body, cases[i].body ? strlen(cases[i].body) : 0);
                assert_string_equal(http_request_header(&q, "Content-Type"), "application/json");
                assert_string_equal(http_request_header(&q, "X-Language"), "zh-cn");
                assert_string_equal(http_request_header(&q, "X-Project-Id"), PROJECT);
                assert_int_equal(strncmp(http_request_header(&q, "User-Agent"), "holdfastd/", 10), 0);
                assert_int_equal(q.n_headers, 4);
                assert_false(q.no_proxy);
                http_request_done(&q);
        }
}

static void test_encode_refuses(void **state) {
        static const Ask asks[] = {
                { .call = CALL_LOCK_SET, .lock_set = { LOCK_ENABLE, 0 } },
                { .call = CALL_LOCK_SET, .lock_set = { LOCK_EXTEND, 36501 } },
                { .call = CALL_LOCK_SET, .lock_set = { LOCK_EXTEND, -1 } },
                { .call = CALL_LOCK_SET, .lock_set = { LOCK_ACTION__MAX, 7 } },
                { .call = CALL_ENCRYPTION_SET, .encryption_set = { NULL } },
                { .call = CALL_ENCRYPTION_SET, .encryption_set = { "" } },
                { .call = CALL_TAURUSDB_BACKUPS, .backups = { -1 } },
        };

        for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
                HttpRequest q = {};

                assert_int_equal(call_encode(&asks[i], &target, &q), -EINVAL);
                assert_null(q.origin);
        }
}

static void test_decode_encryption(void **state) {
        static const struct {
                const char *body;
                int result;     /* 1 on, 0 off, -1 unreadable */
                const char *message;
        } cases[] = {
                { "{\"encryption_status\":\"on\"}", 1, NULL },
                { "{\"encryption_status\":\"off\"}", 0, NULL },
                { " {\"encryption_status\" : \"ON\", \"more\": [1,2]} \n", 1, NULL },
                { "{\"encryption_status\":\"Off\"}", 0, NULL },
                { "{\"encryption_status\":\"on\",\"error_code\":\"\",\"error\":null}", 1, NULL },
                { "{\"encryption_status\":\"enabled\"}", -1,
                  "encryption_status: found another word, expected on or off" },
                { "{\"encryption_status\":\"\"}", -1, "encryption_status: found empty text" },
                { "{\"encryption_status\":\"on\\u0000\"}", -1, "encryption_status: found text with a NUL" },
                { "{\"encryption_status\":true}", -1, "encryption_status: found true" },
                { "{\"encryption_status\":1}", -1, "encryption_status: found a number" },
                { "{\"encryption_status\":null}", -1, "encryption_status: missing" },
                { "{\"Encryption_status\":\"on\"}", -1, "encryption_status: missing" },
                { "{}", -1, "encryption_status: missing, expected on or off" },
                { NULL, -1, "empty" },
                { "   ", -1, "too early" },
                { "{\"encryption_status\":\"on\"", -1, "too early" },
                { "{\"encryption_status\":\"on\"}}", -1, "no JSON object" },
                { "{\"encryption_status\":\"on\"} x", -1, "no JSON object" },
                { "{\"encryption_status\":\"on\"}{}", -1, "no JSON object" },
                { "{\"encryption_status\":'on'}", -1, "no JSON object" },
                { "{\"encryption_status\":\"on\",}", -1, "no JSON object" },
                { "{\"encryption_status\":\"on\" /* c */}", -1, "no JSON object" },
                { "{\"encryption_status\":NaN}", -1, "NaN or Infinity" },
                { "{\"encryption_status\":\"o\xffn\"}", -1, "no JSON object" },
                { "[{\"encryption_status\":\"on\"}]", -1, "not an object" },
                { "\"on\"", -1, "not an object" },
                { "{\"encryption_status\":\"on\",\"x\":NaN}", -1, "NaN or Infinity" },
                { "{\"encryption_status\":\"on\",\"x\":[1,{\"y\":-Infinity}]}", -1, "NaN or Infinity" },
                { "null", -1, "no JSON object" },
                { "\xef\xbb\xbf{\"encryption_status\":\"on\"}", -1, "no JSON object" },
                { "<html>", -1, "no JSON object" },
                { "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]],\"encryption_status\":\"on\"}", -1, "nesting" },
                { "{\"encryption_status\":\"on\",\"error_code\":\"DBS.1\"}", -1,
                  "error_code: an error under status 200" },
                { "{\"error\":{\"code\":500}}", -1, "error: an error" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};
                int r;

                print_message("%s\n", cases[i].body ? cases[i].body : "-");
                r = decode(CALL_ENCRYPTION_GET, cases[i].body, &a, &f);
                assert_int_equal(r, cases[i].result >= 0);
                if (r > 0) {
                        assert_int_equal(a.encryption_on, cases[i].result);
                        assert_int_equal(a.date_usec, T0);
                        assert_string_equal(a.request_id, "r-1");
                        assert_int_equal(a.call, CALL_ENCRYPTION_GET);
                } else {
                        assert_int_equal(f.class, FAILURE_UNREADABLE);
                        assert_int_equal(f.http_status, 200);
                        assert_string_equal(f.request_id, "r-1");
                        assert_int_equal(f.date_usec, T0);
                        assert_false(f.maybe_done);
                        assert_non_null(strstr(f.message, cases[i].message));
                }
        }
}

static void test_decode_bytes_and_size(void **state) {
        static const char nul[] = "{\"encryption_status\":\"on\"}\0{}";
        HttpReply p = { .outcome = HTTP_REPLIED, .status = 200, .body = (char *) nul, .n_body = sizeof(nul) - 1 };
        Ask ask = { .call = CALL_ENCRYPTION_GET };
        Failure f = {};
        Answer a = {};

        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 0);
        assert_non_null(strstr(f.message, "NUL"));

        p.n_body = strlen(nul);
        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 1);
        p.body_cut = true;
        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 0);
        assert_int_equal(f.class, FAILURE_UNREADABLE);
        assert_non_null(strstr(f.message, "over 1048576 bytes"));
}

/* What a write is answered with proves nothing: no body makes a failure of it, and only the documented one a yes. */
static void test_decode_writes(void **state) {
        static const struct {
                Call call;
                const char *body;
                bool yes;
        } cases[] = {
                { CALL_LOCK_SET, "{\"result\":\"success\"}", true },
                { CALL_LOCK_SET, "{\"result\":\"SUCCESS\"}", true },
                { CALL_LOCK_SET, "{\"result\":\"fail\"}", false },
                { CALL_LOCK_SET, "{\"result\":true}", false },
                { CALL_LOCK_SET, "{\"result\":\"success\",\"error_code\":\"DBS.1\"}", false },
                { CALL_LOCK_SET, "{}", false },
                { CALL_LOCK_SET, NULL, false },
                { CALL_LOCK_SET, "<html>", false },
                { CALL_ENCRYPTION_SET, "{\"encryption_status\":\"on\"}", true },
                { CALL_ENCRYPTION_SET, "{\"encryption_status\":\"off\"}", false },
                { CALL_ENCRYPTION_SET, "{}", false },
                { CALL_ENCRYPTION_SET, NULL, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body ? cases[i].body : "-");
                assert_int_equal(decode(cases[i].call, cases[i].body, &a, &f), 1);
                assert_int_equal(cases[i].call == CALL_LOCK_SET ? a.lock_accepted : a.encryption_on, cases[i].yes);
                assert_string_equal(a.request_id, "r-1");
        }
}

#define LOCK(days, policy, start, end)                                                                               \
        "{\"backup_vaultlock_info\":{\"lock_retention_days\":" days ",\"lock_policy\":" policy                       \
        ",\"lock_start_time\":" start ",\"lock_end_time\":" end "}}"

static void test_decode_lock_held(void **state) {
        static const struct {
                const char *what, *body;
                int64_t days, start, end;       /* seconds */
                LockUnit unit;
        } cases[] = {
                { "seconds", LOCK("7", "true", "1785500000", "1786104800"), 7, 1785500000, 1786104800,
                  LOCK_UNIT_SECONDS },
                { "milliseconds", LOCK("7", "true", "1785500000000", "1786104800000"), 7, 1785500000, 1786104800,
                  LOCK_UNIT_MILLISECONDS },
                { "as texts", LOCK("\"7\"", "true", "\"1785500000\"", "\"1786104800\""), 7, 1785500000, 1786104800,
                  LOCK_UNIT_SECONDS },
                { "as integral fractions", LOCK("7.0", "true", "1785500000.0", "1786104800.0"), 7, 1785500000,
                  1786104800, LOCK_UNIT_SECONDS },
                { "as a text with a fraction", LOCK("\"7.00\"", "true", "0", "1786104800"), 7, 0, 1786104800,
                  LOCK_UNIT_SECONDS },
                { "no start", LOCK("7", "true", "0", "1786104800"), 7, 0, 1786104800, LOCK_UNIT_SECONDS },
                { "null start", LOCK("7", "true", "null", "1786104800000"), 7, 0, 1786104800,
                  LOCK_UNIT_MILLISECONDS },
                { "rounded up to a day", LOCK("7", "true", "1785500000", "1786190000"), 7, 1785500000, 1786190000,
                  LOCK_UNIT_SECONDS },
                { "days are the last ones sent", LOCK("30", "true", "1785500000", "1790684000"), 30, 1785500000,
                  1790684000, LOCK_UNIT_SECONDS },
                { "and were added a hundred times", LOCK("7", "true", "1725020000", "1785500000"), 7, 1725020000,
                  1785500000, LOCK_UNIT_SECONDS },
                { "start moved on to a late extension", LOCK("3650", "true", "1785500000000", "1788092000000"), 3650,
                  1785500000, 1788092000, LOCK_UNIT_MILLISECONDS },
                { "already over", LOCK("7", "true", "1775500000", "1776104800"), 7, 1775500000, 1776104800,
                  LOCK_UNIT_SECONDS },
                { "a hundred years", LOCK("36500", "true", "1785500000", "4939100000"), 36500, 1785500000, 4939100000,
                  LOCK_UNIT_SECONDS },
                { "a hundred years in milliseconds", LOCK("36500", "true", "1785500000000", "4939100000000"), 36500,
                  1785500000, 4939100000, LOCK_UNIT_MILLISECONDS },
                { "the first moment", LOCK("1", "true", "0", "1420070400"), 1, 0, 1420070400, LOCK_UNIT_SECONDS },
                { "the last moment", LOCK("1", "true", "0", "5680281600000"), 1, 0, 5680281600,
                  LOCK_UNIT_MILLISECONDS },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].what);
                assert_int_equal(decode(CALL_LOCK_GET, cases[i].body, &a, &f), 1);
                assert_int_equal(a.lock.presence, LOCK_HELD);
                assert_false(a.lock.explicit_none);
                assert_int_equal(a.lock.retention_days, cases[i].days);
                assert_int_equal(a.lock.start_usec, (usec_t) cases[i].start * USEC_PER_SEC);
                assert_int_equal(a.lock.end_usec, (usec_t) cases[i].end * USEC_PER_SEC);
                assert_int_equal(a.lock.unit, cases[i].unit);
                assert_int_equal(a.lock.raw_end,
                                 cases[i].unit == LOCK_UNIT_SECONDS ? cases[i].end : cases[i].end * 1000);
        }
}

static void test_decode_lock_none(void **state) {
        static const struct {
                const char *body;
                bool explicit_none;
                int64_t ended;          /* seconds */
        } cases[] = {
                { "{}", false, 0 },
                { "{\"other\":null}", false, 0 },
                { "{\"backup_vaultlock_info\":null,\"other\":1}", false, 0 },
                { "{\"backup_vaultlock_info\":null}", false, 0 },
                { "{\"backup_vaultlock_info\":{}}", false, 0 },
                { LOCK("null", "null", "null", "null"), false, 0 },
                { LOCK("0", "null", "0", "0"), false, 0 },
                { LOCK("\"0\"", "null", "\"0\"", "0.0"), false, 0 },
                { LOCK("0", "false", "0", "0"), true, 0 },
                { LOCK("null", "false", "null", "null"), true, 0 },
                { LOCK("7", "false", "0", "0"), true, 0 },
                { LOCK("-1", "false", "-1", "-1"), true, 0 },
                { LOCK("7", "false", "1775500000", "1776104800"), true, 1776104800 },
                { LOCK("7", "false", "1775500000000", "1776104800000"), true, 1776104800 },
                { LOCK("7", "false", "0", "1785551940"), true, 1785551940 },
                { "{\"backup_vaultlock_info\":{\"lock_policy\":false}}", true, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(decode(CALL_LOCK_GET, cases[i].body, &a, &f), 1);
                assert_int_equal(a.lock.presence, LOCK_NONE);
                assert_int_equal(a.lock.explicit_none, cases[i].explicit_none);
                assert_int_equal(a.lock.end_usec, 0);
                assert_int_equal(a.lock.ended_usec, (usec_t) cases[i].ended * USEC_PER_SEC);
                assert_int_equal(a.lock.retention_days, 0);
        }
}

static void test_decode_lock_unreadable(void **state) {
        static const struct {
                const char *body, *message;
        } cases[] = {
                { "{\"unexpected\":1}", "backup_vaultlock_info: missing" },
                { "{\"unexpected\":false}", "backup_vaultlock_info: missing" },
                { "{\"backup_vault_lock_info\":{\"lock_policy\":true}}", "backup_vaultlock_info: missing" },
                { "{\"backup_vaultlock_info\":[]}", "backup_vaultlock_info: found a list, expected an object" },
                { "{\"backup_vaultlock_info\":\"\"}", "backup_vaultlock_info: found text" },
                { "{\"backup_vaultlock_info\":false}", "backup_vaultlock_info: found false" },
                { "{\"error_code\":\"DBS.1\",\"error_msg\":\"x\"}", "error_code" },
                { LOCK("7", "\"true\"", "0", "1786104800"),
                  "backup_vaultlock_info.lock_policy: found text, expected true or false" },
                { LOCK("7", "1", "0", "1786104800"), "lock_policy: found a number" },
                { LOCK("7", "null", "0", "1786104800"), "lock_policy: missing" },
                { LOCK("7", "null", "0", "0"), "lock_policy: missing" },
                { LOCK("0", "null", "1", "0"), "lock_policy: missing" },
                { LOCK("\"x\"", "null", "0", "0"), "lock_retention_days: found text" },
                { LOCK("null", "true", "0", "1786104800"), "lock_retention_days: missing" },
                { LOCK("0", "true", "0", "1786104800"), "lock_retention_days: found 0, expected 1 to 36500 days" },
                { LOCK("36501", "true", "0", "1786104800"), "lock_retention_days: found 36501" },
                { LOCK("-7", "true", "0", "1786104800"), "lock_retention_days: found -7" },
                { LOCK("7.5", "true", "0", "1786104800"), "lock_retention_days: found a fraction" },
                { LOCK("NaN", "true", "0", "1786104800"), "NaN or Infinity" },
                { LOCK("-Infinity", "true", "0", "1786104800"), "NaN or Infinity" },
                { LOCK("\"7,\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("\" 7\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("\"+7\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("\"\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("\"0x7\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("\"7.\"", "true", "0", "1786104800"), "lock_retention_days: found text" },
                { LOCK("[7]", "true", "0", "1786104800"), "lock_retention_days: found a list" },
                { LOCK("true", "true", "0", "1786104800"), "lock_retention_days: found true" },
                { LOCK("7", "true", "0", "0"), "lock_end_time: missing, expected a timestamp" },
                { LOCK("7", "true", "0", "null"), "lock_end_time: missing" },
                { LOCK("7", "true", "0", "-1"), "lock_end_time: found a negative number" },
                { LOCK("7", "true", "-1", "1786104800"), "lock_start_time: found a negative number" },
                { LOCK("7", "true", "0", "\"2026-08-01\""),
                  "backup_vaultlock_info.lock_end_time: found text, expected a timestamp" },
                { LOCK("7", "true", "{}", "1786104800"), "lock_start_time: found an object" },
                { LOCK("7", "true", "1786104800", "1786104800"),
                  "lock_end_time: found 1786104800, expected a time after lock_start_time" },
                { LOCK("7", "true", "1786104801", "1786104800"), "expected a time after" },
                { LOCK("7", "true", "0", "1420070399"),
                  "lock_end_time: found 1420070399, expected a time between 2015 and 2150" },
                { LOCK("7", "true", "0", "5680281601"), "lock_end_time: found 5680281601" },
                { LOCK("7", "true", "0", "99999999999"), "lock_end_time: found 99999999999" },
                { LOCK("7", "true", "0", "100000000000"), "lock_end_time: found 100000000000" },
                { LOCK("7", "true", "0", "1420070399999"), "lock_end_time" },
                { LOCK("7", "true", "0", "5680281600001"), "lock_end_time" },
                { LOCK("7", "true", "0", "1786104800000000"), "lock_end_time" },
                { LOCK("7", "true", "0", "9223372036854775807"), "lock_end_time: found 9223372036854775807" },
                { LOCK("7", "true", "0", "9223372036854775808"), "lock_end_time: found a number beyond 64 bits" },
                { LOCK("7", "true", "0", "-99999999999999999999"), "lock_end_time" },
                { LOCK("7", "true", "0", "\"99999999999999999999\""),
                  "lock_end_time: found a number beyond 64 bits" },
                { LOCK("7", "true", "0", "1e300"), "lock_end_time: found a number beyond 64 bits" },
                { LOCK("7", "true", "1", "1786104800"), "lock_start_time: found 1, expected a time between" },
                { LOCK("7", "true", "1785500000", "1786104800000"), "lock_start_time: found 1785500000" },
                { LOCK("7", "true", "1785500000", "2390300000"), "seconds" },
                { LOCK("7", "true", "1785500000000", "1785500604800"),
                  "of which the size says milliseconds and the span says seconds" },
                { LOCK("7", "true", "1785500000000", "1785501209600"), "of which the size says milliseconds" },
                { LOCK("7", "false", "0", "1785551941"),
                  "lock_policy: found false, though lock_end_time lies ahead" },
                { LOCK("7", "false", "0", "1785551940001"), "lock_policy: found false" },
                { LOCK("7", "false", "0", "9223372036854775807"), "lock_policy: found false" },
                { LOCK("7", "false", "0", "\"soon\""), "lock_end_time: found text" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(decode(CALL_LOCK_GET, cases[i].body, &a, &f), 0);
                assert_int_equal(f.class, FAILURE_UNREADABLE);
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

/* Without a Date in the reply our own clock decides whether a lock that is "not enabled" lies ahead. */
static void test_decode_lock_contradiction_without_date(void **state) {
        HttpReply p = reply(LOCK("7", "false", "0", "1785551940"));
        Ask ask = { .call = CALL_LOCK_GET };
        Failure f = {};
        Answer a = {};

        p.date = NULL;
        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 1);
        assert_int_equal(a.date_usec, 0);
        assert_int_equal(call_decode(&ask, &target, &p, T0 - 1, &a, &f), 0);
}

#define BACKUP(extra) "{\"id\":\"b1\",\"status\":\"COMPLETED\"" extra "}"

static void test_decode_backups(void **state) {
        static const char body[] = "{\"total_count\":\"5\",\"backups\":["
                                   "{\"id\":\"e28d08754b1a490fb2b3540ed013a7fbbr07\",\"name\":\"x\",\"begin_time\":"
                                   "\"2026-07-01T16:01:10+0800\",\"end_time\":\"2026-07-01T16:05:10+0800\","
                                   "\"status\":\"COMPLETED\",\"take_up_time\":4,\"type\":\"manual\",\"size\":2803,"
                                   "\"datastore\":{\"type\":\"gaussdb-mysql\",\"version\":\"8.0\"},"
                                   "\"instance_id\":\"" INSTANCE "\",\"description\":null},"
                                   "{\"id\":\"b2\",\"status\":\"available\",\"type\":\"auto\",\"begin_time\":\"2026-"
                                   "07-01T00:00:00Z\",\"instance_id\":\"another\"},"
                                   "{\"id\":\"b3\",\"status\":\"BUILDING\",\"type\":\"MANUAL\",\"begin_time\":\"2026-"
                                   "07-01T00:00:00+08:00\",\"end_time\":\"\"},"
                                   "{\"id\":\"b4\",\"status\":\"FAILED\",\"begin_time\":null,\"end_time\":\"1970-01-"
                                   "01T00:00:00+0000\",\"instance_id\":null},"
                                   "{\"id\":\"b5\",\"status\":\"PAUSED\"}]}";
        Failure f = {};
        Answer a = {};
        BackupFacts *b;

        assert_int_equal(decode(CALL_TAURUSDB_BACKUPS, body, &a, &f), 1);
        assert_int_equal(a.backups.total, 5);
        assert_int_equal(a.backups.n_items, 5);
        b = a.backups.items;

        assert_string_equal(b[0].id, "e28d08754b1a490fb2b3540ed013a7fbbr07");
        assert_int_equal(b[0].status, BACKUP_COMPLETED);
        assert_true(b[0].manual && b[0].of_instance);
        assert_int_equal(b[0].begin_usec, UINT64_C(1782892870) * USEC_PER_SEC);
        assert_int_equal(b[0].end_usec, UINT64_C(1782893110) * USEC_PER_SEC);

        assert_int_equal(b[1].status, BACKUP_COMPLETED);
        assert_false(b[1].manual || b[1].of_instance);
        assert_int_equal(b[1].end_usec, b[1].begin_usec);
        assert_int_equal(b[1].begin_usec, UINT64_C(1782864000) * USEC_PER_SEC);

        assert_int_equal(b[2].status, BACKUP_BUILDING);
        assert_true(b[2].manual && b[2].of_instance);
        assert_int_equal(b[2].end_usec, 0);

        assert_int_equal(b[3].status, BACKUP_FAILED);
        assert_true(!b[3].manual && b[3].of_instance);
        assert_true(b[3].begin_usec == 0 && b[3].end_usec == 0);

        assert_int_equal(b[4].status, BACKUP_OTHER);
        answer_done(&a);
}

static void test_decode_backups_empty(void **state) {
        Failure f = {};
        Answer a = {};

        assert_int_equal(decode(CALL_TAURUSDB_BACKUPS, "{\"backups\":[]}", &a, &f), 1);
        assert_int_equal(a.backups.total, -1);
        assert_int_equal(a.backups.n_items, 0);
        answer_done(&a);
}

static void test_decode_backups_unreadable(void **state) {
        static const struct {
                const char *body, *message;
        } cases[] = {
                { "{}", "backups: missing, expected a list" },
                { "{\"backups\":null,\"total_count\":0}", "backups: missing" },
                { "{\"backups\":{}}", "backups: found an object, expected a list" },
                { "{\"backups\":[1]}", "backups[0]: found a number, expected an object" },
                { "{\"backups\":[" BACKUP("") ",null]}", "backups[1]: found null" },
                { "{\"backups\":[" BACKUP("") "],\"total_count\":\"many\"}", "total_count: found text" },
                { "{\"backups\":[" BACKUP("") "],\"total_count\":-1}", "total_count: found -1" },
                { "{\"backups\":[{\"status\":\"COMPLETED\"}]}", "backups[0].id: missing" },
                { "{\"backups\":[{\"id\":\"\",\"status\":\"COMPLETED\"}]}", "backups[0].id: missing" },
                { "{\"backups\":[{\"id\":7,\"status\":\"COMPLETED\"}]}", "backups[0].id: found a number" },
                { "{\"backups\":[{\"id\":\"a b\",\"status\":\"COMPLETED\"}]}", "backups[0].id: found text" },
                { "{\"backups\":[{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123x\","
                  "\"status\":\"COMPLETED\"}]}",
                  "backups[0].id: found text" },
                { "{\"backups\":[{\"id\":\"b1\"}]}", "backups[0].status: missing" },
                { "{\"backups\":[{\"id\":\"b1\",\"status\":\"\"}]}", "backups[0].status: missing" },
                { "{\"backups\":[{\"id\":\"b1\",\"status\":1}]}", "backups[0].status: found a number" },
                { "{\"backups\":[" BACKUP(",\"type\":1") "]}", "backups[0].type: found a number" },
                { "{\"backups\":[" BACKUP(",\"instance_id\":[]") "]}", "backups[0].instance_id: found a list" },
                { "{\"backups\":[" BACKUP(",\"begin_time\":1785500000") "]}",
                  "backups[0].begin_time: found a number" },
                { "{\"backups\":[" BACKUP(",\"end_time\":\"yesterday\"") "]}",
                  "backups[0].end_time: found text, expected a time such as" },
                { "{\"backups\":[" BACKUP(",\"end_time\":\"2026-07-01T00:00:00\"") "]}",
                  "backups[0].end_time: found text" },
                { "{\"backups\":[" BACKUP(",\"end_time\":\"2026-02-30T00:00:00Z\"") "]}",
                  "backups[0].end_time: found text" },
                { "{\"backups\":[" BACKUP(",\"end_time\":\"1970-01-01T00:00:00Z\"") "]}",
                  "backups[0].end_time: found 1970-01-01T00:00:00Z, expected a time between" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(decode(CALL_TAURUSDB_BACKUPS, cases[i].body, &a, &f), 0);
                assert_int_equal(f.class, FAILURE_UNREADABLE);
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

static void test_decode_backups_too_many(void **state) {
        const char entry[] = BACKUP("") ",";
        char *body = malloc(64 + (BACKUP_PAGE_MAX + 1) * sizeof(entry));

        assert_non_null(body);
        for (int extra = 0; extra <= 1; extra++) {
                char *p = stpcpy(body, "{\"backups\":[");
                Failure f = {};
                Answer a = {};

                for (int i = 0; i < BACKUP_PAGE_MAX + extra; i++)
                        p = stpcpy(p, entry);
                strcpy(p - 1, "]}");
                assert_int_equal(decode(CALL_TAURUSDB_BACKUPS, body, &a, &f), !extra);
                if (extra)
                        assert_non_null(strstr(f.message, "too many"));
                answer_done(&a);
        }
        free(body);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encode),
                cmocka_unit_test(test_encode_refuses),
                cmocka_unit_test(test_decode_encryption),
                cmocka_unit_test(test_decode_bytes_and_size),
                cmocka_unit_test(test_decode_writes),
                cmocka_unit_test(test_decode_lock_held),
                cmocka_unit_test(test_decode_lock_none),
                cmocka_unit_test(test_decode_lock_unreadable),
                cmocka_unit_test(test_decode_lock_contradiction_without_date),
                cmocka_unit_test(test_decode_backups),
                cmocka_unit_test(test_decode_backups_empty),
                cmocka_unit_test(test_decode_backups_unreadable),
                cmocka_unit_test(test_decode_backups_too_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
