/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/calls.h"
#include "cloud/text.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)

static const CallTarget target = {
        .origin = "https://h.example.com", .project_id = "p", .domain_id = "d", .instance_id = "i"
};

static void test_call_needs(void **state) {
        for (Call c = 0; c < CALL__MAX; c++) {
                bool own = call_service(c) == SERVICE_TAURUSDB || call_service(c) == SERVICE_DBSS ||
                           call_service(c) == SERVICE_GAUSSDB;

                assert_int_equal(call_needs_project(c), own);
                assert_int_equal(call_needs_domain(c), c == CALL_SCHEDULE_SET);
        }
}

static Ask complete_ask(Call c) {
        Ask ask = { .call = c };

        if (c == CALL_ENCRYPTION_SET)
                ask.encryption_set.kms_key_id = "k";
        else if (c == CALL_LOCK_SET)
                ask.lock_set.days = 1;
        else if (c == CALL_SCHEDULE_SET) {
                ask.schedule_set.bucket_name = "b";
                strcpy(ask.schedule_set.trigger_time, "2025-08-21 02:00:44");
        } else if (c == CALL_DOWNLOAD_AUTHORIZE)
                strcpy(ask.authorize.backup_id, "b");
        return ask;
}

static void test_call_encode_needs_its_target(void **state) {
        for (Call c = 0; c < CALL__MAX; c++) {
                Ask ask = complete_ask(c);
                HttpRequest q = {};
                CallTarget t = target;

                print_message("%s\n", call_to_string(c));
                if (!call_needs_project(c)) {
                        assert_int_equal(call_encode(&ask, &t, &q), -EINVAL); /* these have functions of their own */
                        continue;
                }

                assert_int_equal(call_encode(&ask, &t, &q), 0);
                assert_null(http_request_header(&q, "X-Language"));     /* none was given */
                http_request_done(&q);

                t.project_id = NULL;
                assert_int_equal(call_encode(&ask, &t, &q), -EINVAL);
                t = target;
                t.origin = NULL;
                assert_int_equal(call_encode(&ask, &t, &q), -EINVAL);
                t = target;
                t.origin = "";
                assert_int_equal(call_encode(&ask, &t, &q), -EINVAL);
                t = target;
                t.domain_id = "";
                assert_int_equal(call_encode(&ask, &t, &q), c == CALL_SCHEDULE_SET ? -EINVAL : 0);
                http_request_done(&q);
                t = target;
                t.instance_id = "";
                assert_int_equal(call_encode(&ask, &t, &q), c == CALL_DOWNLOAD_AUTHORIZE ? 0 : -EINVAL);
                http_request_done(&q);
        }
}

static void test_call_encode_path_parts(void **state) {
        static const struct {
                const char *instance;
                const char *path;       /* NULL: refused */
        } cases[] = {
                { "a/b", "/v3/p/instances/a%2Fb/backups/vault-lock" },
                { "a?b#c", "/v3/p/instances/a%3Fb%23c/backups/vault-lock" },
                { "\xc3\xa9 %", "/v3/p/instances/%C3%A9%20%25/backups/vault-lock" },
                { "..a", "/v3/p/instances/..a/backups/vault-lock" },
                { "..", NULL },
                { ".", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Ask ask = { .call = CALL_LOCK_GET };
                CallTarget t = target;
                HttpRequest q = {};

                t.instance_id = cases[i].instance;
                assert_int_equal(call_encode(&ask, &t, &q), cases[i].path ? 0 : -EINVAL);
                assert_true(streq0(q.path, cases[i].path));
                http_request_done(&q);
        }
}

static void test_call_add_token(void **state) {
        _cleanup_(secret_freep) Secret *good = NULL, *bad = NULL;
        HttpRequest q = {};

        assert_int_equal(secret_new("MIIF", 4, &good), 0);
        assert_int_equal(secret_new("MI\r\nX: y", 8, &bad), 0);
        assert_int_equal(call_add_token(&q, good), 0);
        assert_string_equal(http_request_header(&q, "X-Auth-Token"), "MIIF");
        assert_int_equal(call_add_token(&q, bad), -EINVAL);
        assert_int_equal(q.n_headers, 1);
        http_request_done(&q);
}

/* Every call, with every kind of reply that is no answer: a failure of the right kind, never an answer. */
static void test_call_decode_failures(void **state) {
        static const struct {
                HttpOutcome outcome;
                int status;
                FailureClass class;
                bool maybe_done;
        } cases[] = {
                { HTTP_NOT_SENT, 0, FAILURE_TRANSPORT, false },
                { HTTP_LOST, 0, FAILURE_TRANSPORT, true },
                { HTTP_REPLIED, 199, FAILURE_UNREADABLE, true },
                { HTTP_REPLIED, 302, FAILURE_UNREADABLE, true },
                { HTTP_REPLIED, 400, FAILURE_BAD_REQUEST, false },
                { HTTP_REPLIED, 401, FAILURE_CREDENTIALS, false },
                { HTTP_REPLIED, 403, FAILURE_NOT_PERMITTED, false },
                { HTTP_REPLIED, 500, FAILURE_SERVER, true },
        };

        for (Call c = 0; c < CALL__MAX; c++)
                for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                        HttpReply p = { .outcome = cases[i].outcome, .status = cases[i].status };
                        Ask ask = complete_ask(c);
                        Failure f = {};
                        Answer a = {};

                        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 0);
                        assert_int_equal(f.class, cases[i].class);
                        assert_int_equal(f.maybe_done, cases[i].maybe_done && call_is_write(c));
                }
}

static void test_call_decode_success_statuses(void **state) {
        static const int statuses[] = { 200, 201, 202, 204 };

        for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
                HttpReply p = { .outcome = HTTP_REPLIED,
                                .status = statuses[i],
                                .body = (char *) "{\"result\":\"success\"}",
                                .n_body = 20 };
                Ask ask = complete_ask(CALL_LOCK_SET);
                Failure f = {};
                Answer a = {};

                assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 1);
                assert_true(a.lock_accepted);
        }
}

static void test_call_decode_without_decoder(void **state) {
        HttpReply p = { .outcome = HTTP_REPLIED, .status = 200, .body = (char *) "{}", .n_body = 2 };
        Ask ask = { .call = CALL_TOKEN };
        Failure f = {};
        Answer a = {};

        assert_int_equal(call_decode(&ask, &target, &p, T0, &a, &f), 0);
        assert_int_equal(f.class, FAILURE_UNREADABLE);
}

static void test_text_copy(void **state) {
        static const struct {
                const char *s;
                size_t n, size;
                const char *expected;
        } cases[] = {
                { "abc", 3, 8, "abc" },
                { "abc", 3, 3, "ab" },
                { "abc", 3, 1, "" },
                { "", 0, 4, "" },
                { "a\0b", 3, 8, "a?b" },
                { "a\r\n\tb\x7f\x1b", 7, 16, "a   b??" },
                { "\xc3\xa9", 2, 3, "\xc3\xa9" },
                { "\xc3\xa9", 2, 2, "" },
                { "x\xe5\xae\x9e", 4, 4, "x" },
                { "\xe5\xae", 2, 8, "??" },
                { "\xc0\xaf", 2, 8, "??" },             /* a slash, written too long */
                { "\xed\xa0\x80", 3, 8, "???" },        /* a surrogate */
                { "\xf4\x90\x80\x80", 4, 8, "????" },   /* past the last character */
                { "\xf0\x9f\x94\x92", 4, 8, "\xf0\x9f\x94\x92" },
                { "\xc2\x85", 2, 8, "?" },              /* a control character of Latin-1 */
                { "\xe2\x80\xae", 3, 8, "?" },          /* right to left from here */
                { "\xff\xfe", 2, 8, "??" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char buf[16];

                print_message("case %zu\n", i);
                memset(buf, 'x', sizeof(buf));
                assert_int_equal(text_copy(buf, cases[i].size, cases[i].s, cases[i].n), strlen(cases[i].expected));
                assert_string_equal(buf, cases[i].expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_call_needs),
                cmocka_unit_test(test_call_encode_needs_its_target),
                cmocka_unit_test(test_call_encode_path_parts),
                cmocka_unit_test(test_call_add_token),
                cmocka_unit_test(test_call_decode_failures),
                cmocka_unit_test(test_call_decode_success_statuses),
                cmocka_unit_test(test_call_decode_without_decoder),
                cmocka_unit_test(test_text_copy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
