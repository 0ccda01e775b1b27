/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: every call of the cloud room, with each allocation failing in turn. A request that is made is the same as ever, or none;
 * a reply is read as ever, or not at all: never otherwise. A refusal may lose what it says beside its status, and nothing else.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/calls.h"
#include "memory-fault.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)        /* 2026-08-01T02:39:00Z */
#define N_MAX 10000

static const CallTarget target = { .origin = "https://h.example.com",
                                   .region = "r",
                                   .project_id = "p",
                                   .domain_id = "d",
                                   .instance_id = "i",
                                   .language = "en-us" };

/* Whether one fails, or all from there on. */
static void (*const arms[])(size_t n) = { memory_fail_at, memory_fail_from };

/* --- Requests --------------------------------------------------------------------------------------------------------- */

static bool requests_equal(const HttpRequest *a, const HttpRequest *b) {
        if (a->method != b->method || !streq0(a->origin, b->origin) || !streq0(a->path, b->path) || !streq0(a->query, b->query) ||
            !streq0(a->body, b->body) || a->n_headers != b->n_headers)
                return false;
        for (size_t i = 0; i < a->n_headers; i++)
                if (!streq(a->headers[i].name, b->headers[i].name) || !streq(a->headers[i].value, b->headers[i].value))
                        return false;

        return true;
}

static void test_encode_each_allocation_fails(void **state) {
        static const Ask asks[] = {
                { .call = CALL_ENCRYPTION_GET },
                { .call = CALL_ENCRYPTION_SET, .encryption_set = { "k" } },
                { .call = CALL_LOCK_GET },
                { .call = CALL_LOCK_SET, .lock_set = { LOCK_EXTEND, 30 } },
                { .call = CALL_TAURUSDB_BACKUPS, .backups = { 100 } },
                { .call = CALL_SCHEDULE_GET },
                { .call = CALL_SCHEDULE_SET, .schedule_set = { .on = true, .bucket_name = "b", .bucket_root_path = "", .trigger_time = "2025-08-21 02:00:44" } },
                { .call = CALL_GAUSSDB_BACKUPS },
                { .call = CALL_DOWNLOAD_AUTHORIZE, .authorize = { "b" } },
        };

        if (!memory_can_fail())
                skip();

        for (size_t i = 0; i < N_ELEMENTS(asks); i++)
                for (size_t k = 0; k < N_ELEMENTS(arms); k++) {
                        HttpRequest expected = {};
                        bool failed = true;
                        size_t n = 0;

                        assert_int_equal(call_encode(&asks[i], &target, &expected), 0);
                        for (; failed; n++) {
                                HttpRequest q = {};
                                int r;

                                arms[k](n);
                                r = call_encode(&asks[i], &target, &q);
                                failed = memory_fail_never();
                                if (r < 0) {
                                        assert_int_equal(r, -ENOMEM);
                                        assert_null(q.origin);
                                } else
                                        assert_true(requests_equal(&q, &expected));
                                http_request_done(&q);
                                assert_true(n < N_MAX);
                        }
                        print_message("%s: %zu allocations\n", call_to_string(asks[i].call), n);
                        assert_true(n > 3);
                        http_request_done(&expected);
                }
}

/* --- Replies ---------------------------------------------------------------------------------------------------------- */

static bool pages_equal(const BackupPage *a, const BackupPage *b) {
        if (a->n_items != b->n_items || a->total != b->total)
                return false;
        for (size_t i = 0; i < a->n_items; i++)
                if (!streq(a->items[i].id, b->items[i].id) || a->items[i].status != b->items[i].status ||
                    a->items[i].of_instance != b->items[i].of_instance || a->items[i].end_usec != b->items[i].end_usec)
                        return false;

        return true;
}

static bool schedules_equal(const ScheduleFacts *a, const ScheduleFacts *b) {
        return a->configured == b->configured && a->on == b->on && a->cycle == b->cycle && streq0(a->bucket_name, b->bucket_name) &&
               streq0(a->bucket_root_path, b->bucket_root_path) && a->has_trigger == b->has_trigger &&
               streq(a->trigger_text, b->trigger_text) && a->has_latest == b->has_latest;
}

static bool grants_equal(const GrantFacts *a, const GrantFacts *b) {
        if (!streq0(a->bucket, b->bucket) || a->n_file_paths != b->n_file_paths)
                return false;
        for (size_t i = 0; i < a->n_file_paths; i++)
                if (!streq(a->file_paths[i], b->file_paths[i]))
                        return false;

        return true;
}

/* Is @a as good as @expected? That a write was taken may be missed, and is read back; it is never made up. */
static bool answers_agree(const Answer *a, const Answer *expected) {
        switch (a->call) {
        case CALL_ENCRYPTION_GET:
                return a->encryption_on == expected->encryption_on;
        case CALL_ENCRYPTION_SET:
                return expected->encryption_on || !a->encryption_on;
        case CALL_LOCK_GET:
                return a->lock.presence == expected->lock.presence && a->lock.explicit_none == expected->lock.explicit_none &&
                       a->lock.start_usec == expected->lock.start_usec && a->lock.end_usec == expected->lock.end_usec;
        case CALL_LOCK_SET:
                return expected->lock_accepted || !a->lock_accepted;
        case CALL_SCHEDULE_GET:
                return schedules_equal(&a->schedule, &expected->schedule);
        case CALL_SCHEDULE_SET:
                return expected->schedule_accepted || !a->schedule_accepted;
        case CALL_TAURUSDB_BACKUPS:
        case CALL_GAUSSDB_BACKUPS:
                return pages_equal(&a->backups, &expected->backups);
        case CALL_DOWNLOAD_AUTHORIZE:
                return grants_equal(&a->grant, &expected->grant);
        case CALL_PROJECTS:
        case CALL_TOKEN:
        case CALL_METADATA_TOKEN:
        case CALL_METADATA_KEY:
        case CALL__MAX:
                break;
        }

        return false;
}

static const struct {
        const char *what;
        Call call;
        int status;
        const char *body;
} replies[] = {
        { "encryption", CALL_ENCRYPTION_GET, 200, "{\"encryption_status\":\"on\"}" },
        { "no encryption", CALL_ENCRYPTION_GET, 200, "{\"encryption_status\":\"off\"}" },
        { "half of it", CALL_ENCRYPTION_GET, 200, "{\"encryption_status\":\"o" },
        { "encryption set", CALL_ENCRYPTION_SET, 200, "{\"encryption_status\":\"on\"}" },
        { "lock", CALL_LOCK_GET, 200,
          "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true,\"lock_start_time\":1785500000,"
          "\"lock_end_time\":1786104800}}" },
        { "no lock", CALL_LOCK_GET, 200, "{\"backup_vaultlock_info\":{\"lock_policy\":false}}" },
        { "a lock of the year 1970", CALL_LOCK_GET, 200,
          "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true,\"lock_end_time\":17}}" },
        { "lock set", CALL_LOCK_SET, 200, "{\"result\":\"success\"}" },
        { "lock set, perhaps", CALL_LOCK_SET, 200, "{\"result\":\"pending\"}" },
        { "manual backups", CALL_TAURUSDB_BACKUPS, 200,
          "{\"total_count\":1,\"backups\":[{\"id\":\"b\",\"status\":\"COMPLETED\",\"type\":\"manual\",\"instance_id\":\"i\","
          "\"begin_time\":\"2026-07-01T00:00:00+0000\",\"end_time\":\"2026-07-01T01:00:00+0000\"}]}" },
        { "schedule", CALL_SCHEDULE_GET, 200,
          "{\"bucket_name\":\"b\",\"bucket_root_path\":\"p\",\"status\":1,\"cycle\":\"PER_DAY\",\"trigger_time\":\"2025-08-21 02:00:44\"}" },
        { "schedule set", CALL_SCHEDULE_SET, 200, "{\"result\":\"SUCCESS\"}" },
        { "schedule not set", CALL_SCHEDULE_SET, 200, "{\"result\":\"FAILED\"}" },
        { "backups", CALL_GAUSSDB_BACKUPS, 200, "{\"total_count\":2,\"backups\":[{\"id\":\"b\",\"status\":\"COMPLETED\"},{\"id\":\"c\",\"status\":\"BUILDING\"}]}" },
        { "grant", CALL_DOWNLOAD_AUTHORIZE, 200, "{\"bucket\":\"b\",\"file_paths\":[\"a\",\"b\",\"c\"]}" },
        { "not permitted", CALL_LOCK_GET, 403, "{\"error_code\":\"DBS.200010\",\"error_msg\":\"No permission.\"}" },
        { "not found", CALL_ENCRYPTION_GET, 404, "{\"error_code\":\"DBS.280404\",\"error_msg\":\"The instance does not exist.\"}" },
        { "busy", CALL_LOCK_SET, 409, "{\"error_code\":\"DBS.200019\",\"error_msg\":\"Another operation is in progress.\"}" },
        { "refused", CALL_LOCK_SET, 400, "{\"error_code\":\"DBS.200001\",\"error_msg\":\"Parameter error.\"}" },
        { "signature", CALL_LOCK_SET, 401, "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"Incorrect IAM authentication information\"}" },
        { "broken", CALL_LOCK_SET, 500, "{\"error_code\":\"DBS.280001\",\"error_msg\":\"Server failure.\"}" },
};

static void check_failure(const Failure *f, const Failure *expected, int r) {
        assert_int_equal(r, 0);
        assert_int_equal(f->http_status, expected->http_status);
        assert_int_equal(f->maybe_done, expected->maybe_done);
        if (f->code[0]) {       /* it was read */
                assert_string_equal(f->code, expected->code);
                assert_int_equal(f->class, expected->class);
        }
}

static void test_decode_each_allocation_fails(void **state) {
        if (!memory_can_fail())
                skip();

        for (size_t i = 0; i < N_ELEMENTS(replies); i++)
                for (size_t k = 0; k < N_ELEMENTS(arms); k++) {
                        HttpReply p = { .status = replies[i].status, .body = (char *) replies[i].body, .n_body = strlen(replies[i].body) };
                        Ask ask = { .call = replies[i].call };
                        Answer expected = {};
                        Failure expected_failure = {};
                        bool failed = true;
                        int result;
                        size_t n = 0;

                        result = call_decode(&ask, &target, &p, T0, &expected, &expected_failure);
                        assert_true(result == 0 || result == 1);
                        for (; failed; n++) {
                                Failure f = { .http_status = 77 };
                                Answer a = {};
                                int r;

                                arms[k](n);
                                r = call_decode(&ask, &target, &p, T0, &a, &f);
                                failed = memory_fail_never();
                                if (r == 1) {
                                        assert_int_equal(result, 1);
                                        assert_int_equal(a.call, ask.call);
                                        assert_true(answers_agree(&a, &expected));
                                } else if (r < 0) {
                                        assert_int_equal(r, -ENOMEM);
                                        assert_int_equal(f.http_status, 77);
                                        assert_true(failed);
                                } else if (result == 0)
                                        check_failure(&f, &expected_failure, r);
                                else
                                        fail_msg("%s: %zu: %s", replies[i].what, n, f.message);
                                answer_done(&a);
                                assert_true(n < N_MAX);
                        }
                        print_message("%s: %zu allocations\n", replies[i].what, n);
                        answer_done(&expected);
                }
}

/* --- Who we are ------------------------------------------------------------------------------------------------------- */

static int read_token(const HttpReply *p) {
        Failure f;
        Token t = {};
        int r = iam_token_decode(p, T0, &t, &f);

        if (r > 0) {
                assert_string_equal(secret_text(t.token), "T");
                assert_string_equal(t.project_id, "p");
                assert_string_equal(t.domain_id, "d");
        }
        token_done(&t);
        return r;
}

static int read_projects(const HttpReply *p) {
        Project project = {};
        Failure f;
        int r = iam_projects_decode(p, "r", T0, &project, &f);

        if (r > 0) {
                assert_string_equal(project.project_id, "p");
                assert_string_equal(project.domain_id, "d");
        }
        project_done(&project);
        return r;
}

static int read_metadata_token(const HttpReply *p) {
        Secret *token = NULL;
        Failure f;
        int r = metadata_token_decode(p, &token, &f);

        assert_int_equal(r > 0, token != NULL);
        secret_free(token);
        return r;
}

static int read_metadata_key(const HttpReply *p) {
        Credentials *c = NULL;
        Failure f;
        int r = metadata_key_decode(p, T0, &c, &f);

        if (r > 0) {
                assert_string_equal(c->access_key, "AK");
                assert_string_equal(secret_text(c->secret_key), "SK");
                assert_string_equal(secret_text(c->security_token), "ST");
        }
        credentials_free(c);
        return r;
}

static void test_identity_each_allocation_fails(void **state) {
        static const struct {
                const char *what;
                int status;
                const char *body;
                int (*read)(const HttpReply *p);
        } cases[] = {
                { "token", 201,
                  "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"project\":{\"id\":\"p\"},\"user\":{\"domain\":{\"id\":\"d\"}}}}",
                  read_token },
                { "projects", 200, "{\"projects\":[{\"id\":\"p\",\"name\":\"r\",\"domain_id\":\"d\"}]}", read_projects },
                { "metadata token", 200, "T", read_metadata_token },
                { "metadata key", 200,
                  "{\"credential\":{\"access\":\"AK\",\"secret\":\"SK\",\"securitytoken\":\"ST\",\"expires_at\":\"2026-08-02T02:39:00Z\"}}",
                  read_metadata_key },
        };

        if (!memory_can_fail())
                skip();

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (size_t k = 0; k < N_ELEMENTS(arms); k++) {
                        HttpReply p = { .status = cases[i].status,
                                        .body = (char *) cases[i].body,
                                        .n_body = strlen(cases[i].body),
                                        .subject_token = (char *) "T" };
                        bool failed = true;
                        size_t n = 0;
                        int r = 0;

                        for (; failed; n++) {
                                arms[k](n);
                                r = cases[i].read(&p);
                                failed = memory_fail_never();
                                assert_true(r == 1 || (failed && r == -ENOMEM));
                                assert_true(n < N_MAX);
                        }
                        print_message("%s: %zu allocations\n", cases[i].what, n);
                        assert_int_equal(r, 1);
                }
}

/* json-c 0.16 copies the keys of objects and does not look whether there was memory for them (json_tokener.c). */
static int setup(void **state) {
        return memory_spare("libjson-c") ? 0 : -1;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encode_each_allocation_fails),
                cmocka_unit_test(test_decode_each_allocation_fails),
                cmocka_unit_test(test_identity_each_allocation_fails),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
