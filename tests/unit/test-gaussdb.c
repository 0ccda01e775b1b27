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
#define INSTANCE "1de27464abdf48519f8574c97a8f0625in14"
#define PROJECT "0483b6b16e954cb88930a360d2c4e663"
#define BACKUP_ID "e28d08754b1a490fb2b3540ed013a7fbbr14"

static CallTarget make_target(void) {
        return (CallTarget) { .origin = "https://gaussdb-opengauss.example.com",
                             .project_id = PROJECT,
                             .instance_id = INSTANCE,
                             .language = "en-us" };
}

static int decode(Call call, const char *body, Answer *ret, Failure *reterr) {
        HttpReply p = {
                .outcome = HTTP_REPLIED, .status = 200, .body = (char *) body, .n_body = body ? strlen(body) : 0
        };
        CallTarget target = make_target();
        Ask ask = { .call = call };

        return call_decode(&ask, &target, &p, T0, ret, reterr);
}

static void test_encode_backups(void **state) {
        static const char *const paths[GAUSSDB_API_VERSIONS] = {
                "/v3.2/" PROJECT "/backups", "/v3.1/" PROJECT "/backups", "/v3/" PROJECT "/backups",
        };
        Ask ask = { .call = CALL_GAUSSDB_BACKUPS, .backups = { 100 } };
        CallTarget target = make_target();
        HttpRequest q = {};

        for (target.api_version = 0; target.api_version < GAUSSDB_API_VERSIONS; target.api_version++) {
                assert_int_equal(call_encode(&ask, &target, &q), 0);
                assert_int_equal(q.method, HTTP_GET);
                assert_string_equal(q.path, paths[target.api_version]);
                assert_string_equal(q.query, "instance_id=" INSTANCE "&offset=100&limit=100");
                assert_string_equal(http_request_header(&q, "X-Language"), "en-us");
                http_request_done(&q);
        }
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
}

static void test_encode_authorize(void **state) {
        static const char *const bad[] = { "", "..", ".", "a b", "a\nb" };
        Ask ask = { .call = CALL_DOWNLOAD_AUTHORIZE, .authorize = { BACKUP_ID } };
        CallTarget target = make_target();
        HttpRequest q = {};

        target.instance_id = NULL;      /* the path does not have it */
        assert_int_equal(call_encode(&ask, &target, &q), 0);
        assert_int_equal(q.method, HTTP_POST);
        assert_string_equal(q.path, "/v3/" PROJECT "/backups/" BACKUP_ID "/download/authorization");
        assert_null(q.body);
        assert_int_equal(q.n_body, 0);
        assert_string_equal(http_request_header(&q, "Content-Type"), "application/json");
        http_request_done(&q);

        /* An id comes from a listing: whatever it is, it stays one part of the path. */
        strcpy(ask.authorize.backup_id, "a/../%2e?x#");
        assert_int_equal(call_encode(&ask, &target, &q), 0);
        assert_string_equal(q.path, "/v3/" PROJECT "/backups/a%2F..%2F%252e%3Fx%23/download/authorization");
        http_request_done(&q);

        for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
                strcpy(ask.authorize.backup_id, bad[i]);
                assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
        }
        memset(ask.authorize.backup_id, 'x', sizeof(ask.authorize.backup_id));
        assert_int_equal(call_encode(&ask, &target, &q), -EINVAL);
}

static void test_decode_backups(void **state) {
        static const char body[] =
                "{\"backups\":[{\"id\":\"" BACKUP_ID "\",\"name\":\"GaussDB-x-20220509080110906\",\"description\":"
                                                     "null,\"begin_time\":\"2022-05-09T16:01:10+0800\","
                "\"end_time\":\"2022-05-09T16:05:01+0800\",\"status\":\"COMPLETED\",\"size\":0.0,\"type\":\"auto\","
                "\"datastore\":{\"type\":\"GaussDB\","
                "\"version\":\"2.3\"},\"instance_id\":\"" INSTANCE
                "\"},{\"id\":\"b2\",\"status\":\"DELETING\",\"instance_id\":\"other\"}],\"total_count\":2}";
        Failure f = {};
        Answer a = {};

        assert_int_equal(decode(CALL_GAUSSDB_BACKUPS, body, &a, &f), 1);
        assert_int_equal(a.backups.total, 2);
        assert_int_equal(a.backups.n_items, 2);
        assert_true(a.backups.items[0].of_instance);
        assert_int_equal(a.backups.items[0].begin_usec, UINT64_C(1652083270) * USEC_PER_SEC);
        assert_int_equal(a.backups.items[1].status, BACKUP_DELETING);
        assert_false(a.backups.items[1].of_instance);
        answer_done(&a);
}

static void test_decode_grant(void **state) {
        Failure f = {};
        Answer a = {};

        assert_int_equal(decode(CALL_DOWNLOAD_AUTHORIZE,
                                "{\"bucket\":\"bucketname\",\"file_paths\":[\"83dd_1de2in14/Db/"
                                "1708145548040\",\"b\"],\"x\":1}",
                                &a, &f),
                         1);
        assert_string_equal(a.grant.bucket, "bucketname");
        assert_int_equal(a.grant.n_file_paths, 2);
        assert_string_equal(a.grant.file_paths[0], "83dd_1de2in14/Db/1708145548040");
        assert_string_equal(a.grant.file_paths[1], "b");
        answer_done(&a);
}

static void test_decode_grant_unreadable(void **state) {
        static const struct {
                const char *body, *message;
        } cases[] = {
                { "{}", "bucket: missing" },
                { "{\"bucket\":\"\",\"file_paths\":[\"a\"]}", "bucket: missing" },
                { "{\"bucket\":7,\"file_paths\":[\"a\"]}", "bucket: found a number" },
                { "{\"bucket\":\"b\"}", "file_paths: missing" },
                { "{\"bucket\":\"b\",\"file_paths\":\"a\"}", "file_paths: found text, expected a list" },
                { "{\"bucket\":\"b\",\"file_paths\":[]}", "file_paths: found an empty list" },
                { "{\"bucket\":\"b\",\"file_paths\":[\"a\",\"\"]}", "file_paths[1]: found an odd text" },
                { "{\"bucket\":\"b\",\"file_paths\":[\"a\",7]}", "file_paths[1]: found no text" },
                { "{\"bucket\":\"b\",\"file_paths\":[null]}", "file_paths[0]: found no text" },
                { "{\"bucket\":\"b\",\"file_paths\":[\"a\\u0000b\"]}", "file_paths[0]: found an odd text" },
                { NULL, "empty" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = {};
                Answer a = {};

                print_message("%s\n", cases[i].body ? cases[i].body : "-");
                assert_int_equal(decode(CALL_DOWNLOAD_AUTHORIZE, cases[i].body, &a, &f), 0);
                assert_int_equal(f.class, FAILURE_UNREADABLE);
                assert_true(f.maybe_done);      /* the grant may have been given all the same */
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

/* It is made, however much it opens. */
static void test_decode_grant_of_many_paths(void **state) {
        static const size_t n = 100000;
        char *body = malloc(64 + n * 4), *p;
        Failure f = {};
        Answer a = {};

        assert_non_null(body);
        p = stpcpy(body, "{\"bucket\":\"b\",\"file_paths\":[");
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, "\"a\",");
        strcpy(p - 1, "]}");
        assert_true(decode(CALL_DOWNLOAD_AUTHORIZE, body, &a, &f));
        assert_int_equal(a.grant.n_file_paths, n);
        answer_done(&a);
        free(body);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encode_backups),
                cmocka_unit_test(test_encode_authorize),
                cmocka_unit_test(test_decode_backups),
                cmocka_unit_test(test_decode_grant),
                cmocka_unit_test(test_decode_grant_unreadable),
                cmocka_unit_test(test_decode_grant_of_many_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
