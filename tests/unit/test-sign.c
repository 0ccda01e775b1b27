/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/strbuf.h"
#include "cloud/sign.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)        /* 2026-08-01T02:39:00Z */
#define TEXT_MAX 65536

static const char *text(json_object *o, const char *name) {
        return json_object_get_string(json_object_object_get(o, name));
}

static Secret *secret(const char *s) {
        Secret *ret = NULL;

        assert_int_equal(secret_new(s, strlen(s), &ret), 0);
        return ret;
}

static Signer *signer(const char *access_key, const char *secret_key, const char *security_token) {
        _cleanup_(secret_freep) Secret *key = secret(secret_key),
                                       *token = security_token ? secret(security_token) : NULL;
        Signer *s = NULL;

        assert_int_equal(signer_new(access_key, key, token, &s), 0);
        return s;
}

static char *encoded_query(json_object *v) {
        json_object *pairs = json_object_object_get(v, "query");
        _cleanup_(strbuf_done) StrBuf b = STRBUF(TEXT_MAX);
        char *s = NULL;

        if (!pairs)
                return strdup(text(v, "query_text"));

        for (size_t i = 0; i < json_object_array_length(pairs); i++) {
                json_object *pair = json_object_array_get_idx(pairs, i);

                for (size_t k = 0; k < 2; k++) {
                        json_object *part = json_object_array_get_idx(pair, k);

                        if (k > 0 || i > 0)
                                (void) strbuf_add(&b, k > 0 ? "=" : "&");
                        (void) strbuf_add_percent(&b, json_object_get_string(part),
                                                  (size_t) json_object_get_string_len(part));
                }
        }
        assert_int_equal(strbuf_finish(&b, &s), 0);
        return s;
}

static void build_request(json_object *v, HttpRequest *ret) {
        json_object *headers = json_object_object_get(v, "headers");
        const char *method = text(v, "method"), *body = text(v, "body");
        HttpRequest q = {};

        q.method = strcmp(method, "GET") == 0 ? HTTP_GET : strcmp(method, "PUT") == 0 ? HTTP_PUT : HTTP_POST;
        assert_true(asprintf(&q.origin, "https://%s", text(v, "host")) > 0);
        q.path = strdup(text(v, "path"));
        q.query = encoded_query(v);
        if (*body) {
                q.body = strdup(body);
                q.n_body = strlen(body);
        }
        json_object_object_foreach(headers, name, value)
                assert_int_equal(http_request_add_header(&q, name, json_object_get_string(value)), 0);
        *ret = q;
}

static void check_vector(json_object *v) {
        json_object *expected = json_object_object_get(v, "expected");
        _cleanup_(signer_freep) Signer *s = signer(text(v, "ak"), text(v, "sk"), NULL);
        HttpRequest q;

        print_message("%s: %s\n", text(v, "name"), text(v, "why"));
        build_request(v, &q);

        /* Twice: the prepared key must serve again. */
        for (int i = 0; i < 2; i++) {
                _cleanup_(freep) char *canonical = NULL, *to_sign = NULL, *authorization = NULL;

                assert_int_equal(sign_explain(s, &q, text(v, "date"), &canonical, &to_sign, &authorization), 0);
                assert_string_equal(canonical, text(expected, "canonical_request"));
                assert_string_equal(to_sign, text(expected, "string_to_sign"));
                assert_string_equal(authorization, text(expected, "authorization"));
        }
        http_request_done(&q);
}

static void check_file(const char *name, size_t least) {
        char path[4096];
        json_object *o, *vectors;

        assert_non_null(getenv("HOLDFAST_TEST_DATA"));
        (void) snprintf(path, sizeof(path), "%s/cloud/%s", getenv("HOLDFAST_TEST_DATA"), name);
        o = json_object_from_file(path);
        assert_non_null(o);
        vectors = json_object_object_get(o, "vectors");
        assert_true(json_object_array_length(vectors) >= least);
        for (size_t i = 0; i < json_object_array_length(vectors); i++)
                check_vector(json_object_array_get_idx(vectors, i));
        json_object_put(o);
}

static void test_sign_explain_vectors(void **state) {
        check_file("signing-vectors.json", 6);
}

static void test_sign_explain_more_vectors(void **state) {
        check_file("more-signing-vectors.json", 60);
}

static void simple_request(HttpRequest *ret, const char *content_type) {
        *ret = (HttpRequest) { .method = HTTP_POST, .origin = strdup("https://h.example.com"), .path = strdup("/a"),
                               .body = strdup("x"), .n_body = 1 };
        if (content_type)
                assert_int_equal(http_request_add_header(ret, "Content-Type", content_type), 0);
}

static void test_sign_request_adds_what_is_missing(void **state) {
        _cleanup_(signer_freep) Signer *s = signer("AK", "SK", "TOKEN");
        _cleanup_(signer_freep) Signer *plain = signer("AK", "SK", NULL);
        _cleanup_(freep) char *authorization = NULL;
        HttpRequest q;

        simple_request(&q, "application/json");
        assert_int_equal(sign_request(s, &q, T0), 0);
        assert_string_equal(http_request_header(&q, "X-Sdk-Date"), "20260801T023900Z");
        assert_string_equal(http_request_header(&q, "X-Security-Token"), "TOKEN");
        assert_non_null(strstr(http_request_header(&q, "Authorization"),
                               "SDK-HMAC-SHA256 Access=AK, "
                               "SignedHeaders=content-type;host;x-sdk-date;x-security-token, Signature="));
        assert_null(http_request_header(&q, "X-Sdk-Content-Sha256"));
        assert_null(http_request_header(&q, "Host"));   /* the HTTP library writes it */

        /* Whoever verifies has the headers from the wire and knows no token: the same signature comes out. */
        assert_int_equal(sign_explain(plain, &q, "19700101T000000Z", NULL, NULL, &authorization), 0);
        assert_string_equal(authorization, http_request_header(&q, "Authorization"));
        http_request_done(&q);
}

static void test_sign_request_keeps_what_is_there(void **state) {
        _cleanup_(signer_freep) Signer *s = signer("AK", "SK", "TOKEN");
        HttpRequest q;

        simple_request(&q, NULL);
        assert_int_equal(http_request_add_header(&q, "X-Sdk-Date", "20300101T000000Z"), 0);
        assert_int_equal(http_request_add_header(&q, "x-security-token", "OTHER"), 0);
        assert_int_equal(http_request_add_header(&q, "Host", "front.example.com"), 0);
        assert_int_equal(sign_request(s, &q, T0), 0);
        assert_int_equal(q.n_headers, 4);
        assert_string_equal(http_request_header(&q, "X-Sdk-Date"), "20300101T000000Z");
        assert_string_equal(http_request_header(&q, "X-Security-Token"), "OTHER");
        http_request_done(&q);
}

static void test_sign_request_content_hash(void **state) {
        static const struct {
                const char *type;
                bool unsigned_payload;
        } cases[] = {
                { NULL, false },
                { "application/json", false },
                { "application/json;charset=utf8", false },
                { "application/bson", false },
                { "text/plain", true },
                { "application/octet-stream", true },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(signer_freep) Signer *s = signer("AK", "SK", NULL);
                _cleanup_(freep) char *canonical = NULL;
                HttpRequest q;

                print_message("%s\n", cases[i].type ? cases[i].type : "no type");
                simple_request(&q, cases[i].type);
                assert_int_equal(sign_request(s, &q, T0), 0);
                assert_int_equal(http_request_header(&q, "X-Sdk-Content-Sha256") != NULL, cases[i].unsigned_payload);
                assert_int_equal(sign_explain(s, &q, "", &canonical, NULL, NULL), 0);
                assert_int_equal(strstr(canonical, "\nUNSIGNED-PAYLOAD") != NULL, cases[i].unsigned_payload);
                http_request_done(&q);
        }
}

static void test_sign_request_refuses(void **state) {
        static const struct {
                const char *what, *origin, *header;
        } cases[] = {
                { "no scheme", "h.example.com", NULL },
                { "no host", "https://", NULL },
                { "a path", "https://h.example.com/a", NULL },
                { "a user", "https://me@h.example.com", NULL },
                { "a blank", "https://h .example.com", NULL },
                { "a forged header", "https://h.example.com", "a\r\nX-Evil: 1" },
                { "a control character", "https://h.example.com", "a\x7f" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(signer_freep) Signer *s = signer("AK", "SK", "TOKEN");
                HttpRequest q;
                size_t before;

                print_message("%s\n", cases[i].what);
                simple_request(&q, "text/plain");
                free(q.origin);
                q.origin = strdup(cases[i].origin);
                if (cases[i].header)
                        assert_int_equal(http_request_add_header(&q, "X-Language", cases[i].header), 0);
                before = q.n_headers;
                assert_int_equal(sign_request(s, &q, T0), -EINVAL);
                assert_int_equal(q.n_headers, before);
                http_request_done(&q);
        }
}

static void test_sign_request_refuses_twice(void **state) {
        _cleanup_(signer_freep) Signer *s = signer("AK", "SK", NULL);
        HttpRequest q;

        simple_request(&q, NULL);
        assert_int_equal(sign_request(s, &q, T0), 0);
        assert_int_equal(sign_request(s, &q, T0), -EINVAL);
        http_request_done(&q);
}

static void test_sign_request_without_room(void **state) {
        _cleanup_(signer_freep) Signer *s = signer("AK", "SK", NULL);
        HttpRequest q;

        simple_request(&q, NULL);
        while (q.n_headers < HTTP_HEADERS_MAX - 1)
                assert_int_equal(http_request_add_header(&q, "X-A", "1"), 0);
        assert_int_equal(sign_request(s, &q, T0), -E2BIG);
        assert_int_equal(q.n_headers, HTTP_HEADERS_MAX - 1);
        http_request_done(&q);
}

static void test_signer_new_refuses(void **state) {
        static const struct {
                const char *access_key, *secret_key, *token;
        } cases[] = {
                { "", "SK", NULL },
                { "A K", "SK", NULL },
                { "A\nK", "SK", NULL },
                { "A,K", "SK", NULL },
                { "AK", "", NULL },
                { "AK", "SK", "to ken" },
                { "AK", "SK", "to\r\nken" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(secret_freep) Secret *key = secret(cases[i].secret_key),
                                               *token = cases[i].token ? secret(cases[i].token) : NULL;
                Signer *s = NULL;

                print_message("case %zu\n", i);
                assert_int_equal(signer_new(cases[i].access_key, key, token, &s), -EINVAL);
                assert_null(s);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sign_explain_vectors),
                cmocka_unit_test(test_sign_explain_more_vectors),
                cmocka_unit_test(test_sign_request_adds_what_is_missing),
                cmocka_unit_test(test_sign_request_keeps_what_is_there),
                cmocka_unit_test(test_sign_request_content_hash),
                cmocka_unit_test(test_sign_request_refuses),
                cmocka_unit_test(test_sign_request_refuses_twice),
                cmocka_unit_test(test_sign_request_without_room),
                cmocka_unit_test(test_signer_new_refuses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
