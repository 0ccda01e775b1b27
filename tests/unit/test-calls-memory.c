/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each allocation of the room fails in turn. What follows must be -ENOMEM (or the same result as ever, where
 * the allocation was a convenience), outputs must be untouched, and the address sanitizer sees that nothing leaks.
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
#include "cloud/credential-file.h"
#include "cloud/profile.h"
#include "cloud/sign.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)

static long left = -1;  /* allocations until one fails; negative: none does */
static bool failed;

static bool fails(void) {
        if (left < 0 || left-- > 0)
                return false;
        failed = true;
        errno = ENOMEM;
        return true;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n) {
        return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n) {
        return fails() ? NULL : __real_realloc(p, n);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s) {
        return fails() ? NULL : __real_strdup(s);
}

char *__real_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n) {
        return fails() ? NULL : __real_strndup(s, n);
}

static const CallTarget target = { .origin = "https://h.example.com",
                                   .project_id = "p",
                                   .domain_id = "d",
                                   .instance_id = "i",
                                   .language = "en-us" };

static HttpReply reply(int status, const char *body) {
        return (HttpReply) {
                .outcome = HTTP_REPLIED, .status = status, .body = (char *) body, .n_body = strlen(body)
        };
}

static int do_encode(const Ask *ask) {
        HttpRequest q = {};
        int r = call_encode(ask, &target, &q);

        assert_int_equal(r == 0, q.origin != NULL);
        http_request_done(&q);
        return r;
}

static int encode_lock(void) {
        return do_encode(&(Ask) { .call = CALL_LOCK_SET, .lock_set = { LOCK_ENABLE, 7 } });
}

static int encode_encryption(void) {
        return do_encode(&(Ask) { .call = CALL_ENCRYPTION_SET, .encryption_set = { "k" } });
}

static int encode_schedule(void) {
        return do_encode(&(Ask) { .call = CALL_SCHEDULE_SET,
                                  .schedule_set = { .bucket_name = "b", .trigger_time = "2025-08-21 02:00:44" } });
}

static int encode_backups(void) {
        return do_encode(&(Ask) { .call = CALL_GAUSSDB_BACKUPS });
}

static int encode_token(void) {
        _cleanup_(secret_freep) Secret *password = NULL;
        HttpRequest q = {};
        int r;

        assert_int_equal(secret_new("pw", 2, &password), 0);
        r = iam_token_encode("https://h", "r", NULL, "u", "a", password, &q);
        http_request_done(&q);
        return r;
}

static int do_decode(Call call, const char *body) {
        HttpReply p = reply(200, body);
        Ask ask = { .call = call };
        Failure f = { .http_status = 77 };
        Answer a = {};
        int r = call_decode(&ask, &target, &p, T0, &a, &f);

        assert_true(r < 0 || r == 1);
        assert_int_equal(f.http_status, 77);
        answer_done(&a);
        return r;
}

static int decode_backups(void) {
        return do_decode(CALL_GAUSSDB_BACKUPS, "{\"backups\":[{\"id\":\"b\",\"status\":\"COMPLETED\"}]}");
}

static int decode_schedule(void) {
        return do_decode(CALL_SCHEDULE_GET, "{\"bucket_name\":\"b\",\"bucket_root_path\":\"p\",\"status\":1}");
}

static int decode_grant(void) {
        return do_decode(CALL_DOWNLOAD_AUTHORIZE, "{\"bucket\":\"b\",\"file_paths\":[\"a\",\"b\",\"c\"]}");
}

static int decode_token(void) {
        HttpReply p = reply(201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"project\":{\"id\":\"p\"},"
                                 "\"user\":{\"domain\":{\"id\":\"d\"}}}}");
        Token t = {};
        Failure f;
        int r;

        p.subject_token = (char *) "T";
        r = iam_token_decode(&p, T0, &t, &f);
        token_done(&t);
        return r;
}

static int decode_projects(void) {
        HttpReply p = reply(200, "{\"projects\":[{\"id\":\"p\",\"name\":\"r\",\"domain_id\":\"d\"}]}");
        Project project = {};
        Failure f;
        int r = iam_projects_decode(&p, "r", T0, &project, &f);

        project_done(&project);
        return r;
}

static int decode_key(void) {
        HttpReply p = reply(200, "{\"credential\":{\"access\":\"AK\",\"secret\":\"SK\",\"securitytoken\":\"ST\","
                                 "\"expires_at\":\"2026-08-02T02:39:00Z\"}}");
        Credentials *c = NULL;
        Failure f;
        int r = metadata_key_decode(&p, T0, &c, &f);

        assert_int_equal(r == 1, c != NULL);
        credentials_free(c);
        return r;
}

static int sign(void) {
        _cleanup_(secret_freep) Secret *key = NULL;
        _cleanup_(signer_freep) Signer *s = NULL;
        HttpRequest q = {};
        int r;

        assert_int_equal(secret_new("SK", 2, &key), 0);
        r = signer_new("AK", key, key, &s);
        if (r >= 0)
                r = do_encode(&(Ask) { .call = CALL_LOCK_GET });
        if (r >= 0)
                r = call_encode(&(Ask) { .call = CALL_GAUSSDB_BACKUPS }, &target, &q);
        if (r >= 0) {
                size_t n = q.n_headers;

                r = sign_request(s, &q, T0);
                assert_int_equal(q.n_headers, r < 0 ? n : n + 3);
        }
        http_request_done(&q);
        return r;
}

static int explain(void) {
        _cleanup_(freep) char *canonical = NULL, *to_sign = NULL, *authorization = NULL;
        _cleanup_(secret_freep) Secret *key = NULL;
        _cleanup_(signer_freep) Signer *s = NULL;
        HttpRequest q = { .origin = (char *) "https://h", .path = (char *) "/a", .query = (char *) "b=c" };
        int r;

        assert_int_equal(secret_new("SK", 2, &key), 0);
        r = signer_new("AK", key, NULL, &s);
        if (r >= 0)
                r = sign_explain(s, &q, "20260801T023900Z", &canonical, &to_sign, &authorization);
        assert_true(r >= 0 || (!canonical && !to_sign && !authorization));
        return r;
}

static int profile(void) {
        static const char text[] = "[basic]\nak=AK\nsk=SK\nsecurity_token=ST\nproject_id=p\ndomain_id=d\n";
        Credentials *c = NULL;
        int r = profile_parse(text, sizeof(text) - 1, "file", &c, NULL);

        assert_int_equal(r == 0, c != NULL);
        credentials_free(c);
        return r;
}

static int password(void) {
        Credentials *c = NULL;
        int r = credentials_build_password((CredentialText) { "pw", 2 }, "file", &c, NULL);

        credentials_free(c);
        return r;
}

static void test_each_allocation_fails(void **state) {
        static const struct {
                const char *name;
                int (*run)(void);
                int result, least;      /* allocations that it makes at least */
        } cases[] = {
                { "encode_lock", encode_lock, 0, 5 },
                { "encode_encryption", encode_encryption, 0, 5 },
                { "encode_schedule", encode_schedule, 0, 5 },
                { "encode_backups", encode_backups, 0, 5 },
                { "encode_token", encode_token, 0, 5 },
                { "decode_backups", decode_backups, 1, 1 },
                { "decode_schedule", decode_schedule, 1, 2 },
                { "decode_grant", decode_grant, 1, 5 },
                { "decode_token", decode_token, 1, 2 },
                { "decode_projects", decode_projects, 1, 2 },
                { "decode_key", decode_key, 1, 4 },
                { "sign", sign, 0, 12 },
                { "explain", explain, 0, 6 },
                { "profile", profile, 0, 5 },
                { "password", password, 0, 2 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                long n;

                print_message("%s\n", cases[i].name);
                for (n = 0;; n++) {
                        int r;

                        left = n;
                        failed = false;
                        r = cases[i].run();
                        left = -1;
                        if (!failed) {
                                assert_int_equal(r, cases[i].result);
                                break;
                        }
                        assert_int_equal(r, -ENOMEM);
                }
                assert_true(n >= cases[i].least);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_allocation_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
