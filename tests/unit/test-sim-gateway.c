/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, tokens, lock-out, throttle and permissions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/percent.h"
#include "sim/signature.h"
#include "test-sim-common.h"

static const char account[] =
        "gateway: {auth: on}\n"
        "keys:\n"
        "  AKLASTING: {secret_key: lasting-secret}\n"
        "  AKOTHER: {secret_key: other-secret}\n"
        "  AKTEMPORARY: {secret_key: temporary-secret, security_token: the-token, expires: +1h}\n"
        "users:\n"
        "  holdfast: {password: right}\n";

static int setup(void **state) {
        int r = test_sim_setup(state);

        test_sim_change(*state, account);
        return r;
}

/* --- The published vectors ------------------------------------------------------------------------------------ */

static const char *text(json_object *o, const char *key) {
        json_object *v;

        assert_true(json_object_object_get_ex(o, key, &v));
        return json_object_get_string(v);
}

static char *encoded_query(json_object *vector) {
        StrBuf b = STRBUF(4096);
        json_object *pairs;
        char *query;

        assert_true(json_object_object_get_ex(vector, "query", &pairs));
        for (size_t i = 0; i < json_object_array_length(pairs); i++) {
                json_object *pair = json_object_array_get_idx(pairs, i);

                for (size_t k = 0; k < 2; k++) {
                        const char *s = json_object_get_string(json_object_array_get_idx(pair, k));

                        assert_int_equal(strbuf_add(&b, k == 1 ? "=" : i > 0 ? "&" : ""), 0);
                        assert_int_equal(sim_percent_encode(&b, s, strlen(s)), 0);
                }
        }
        assert_int_equal(strbuf_finish(&b, &query), 0);
        strbuf_done(&b);
        return query;
}

static void check_vector(json_object *vector) {
        _cleanup_(freep) char *query = encoded_query(vector), *canonical = NULL;
        _cleanup_(sim_signature_done) Signature signature = {};
        json_object *headers, *expected;
        SimHeader list[16] = { { "Host", text(vector, "host") }, { "X-Sdk-Date", text(vector, "date") } };
        SimRequest q = { .method = text(vector, "method"),
                         .path = text(vector, "path"),
                         .query = query,
                         .headers = list,
                         .n_headers = 2,
                         .body = text(vector, "body"),
                         .n_body = strlen(text(vector, "body")) };
        char hex[65];

        print_message("%s\n", text(vector, "name"));
        assert_true(json_object_object_get_ex(vector, "headers", &headers));
        json_object_object_foreach(headers, name, value)
                list[q.n_headers++] = (SimHeader){ name, json_object_get_string(value) };

        assert_true(json_object_object_get_ex(vector, "expected", &expected));
        assert_int_equal(sim_signature_parse(text(expected, "authorization"), &signature), 0);
        assert_string_equal(signature.access_key, text(vector, "ak"));
        assert_int_equal(sim_signature_canonical_request(&q, signature.signed_headers, &canonical), 0);
        assert_string_equal(canonical, text(expected, "canonical_request"));
        assert_int_equal(sim_signature_compute(canonical, text(vector, "date"), text(vector, "sk"), hex), 0);
        assert_string_equal(hex, signature.hex);
}

static void test_signature_vectors(void **state) {
        json_object *root, *vectors;
        char path[4096];

        (void) snprintf(path, sizeof(path), "%s/sim/signing-vectors.json", getenv("HOLDFAST_TEST_DATA"));
        root = json_object_from_file(path);
        assert_non_null(root);
        assert_true(json_object_object_get_ex(root, "vectors", &vectors));
        assert_true(json_object_array_length(vectors) >= 6);
        for (size_t i = 0; i < json_object_array_length(vectors); i++)
                check_vector(json_object_array_get_idx(vectors, i));
        json_object_put(root);
}

/* The known answers of the vendor's own SDK tests. */
static void test_signature_known_answers(void **state) {
        static const struct {
                const char *method, *body, *hex;
        } cases[] = {
                { "GET", "", "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842" },
                { "POST", "{\"name\":\"test\",\"id\":1}",
                  "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f" },
        };
        const SimHeader headers[] = { { "host", "service.endpoint.myhuaweicloud.com" },
                                      { "x-sdk-date", "20200608T023900Z" } };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const SimRequest q = { .method = cases[i].method,
                                       .path = "/resources",
                                       .query = "size=1",
                                       .headers = headers,
                                       .n_headers = 2,
                                       .body = cases[i].body,
                                       .n_body = strlen(cases[i].body) };
                _cleanup_(freep) char *canonical = NULL;
                char hex[65];

                assert_int_equal(sim_signature_canonical_request(&q, "host;x-sdk-date", &canonical), 0);
                assert_int_equal(sim_signature_compute(canonical, "20200608T023900Z", "SecretKey", hex), 0);
                assert_string_equal(hex, cases[i].hex);
        }
}

static void test_signature_query_and_path(void **state) {
        static const struct {
                const char *path, *query, *expected;
        } cases[] = {
                { "/", NULL, "GET\n/\n\n" },
                { "/a/", "", "GET\n/a/\n\n" },
                { "/a b/%41%zz", NULL, "GET\n/a%20b/A%25zz/\n\n" },
                { "/\xc3\xbc", NULL, "GET\n/%C3%BC/\n\n" },
                { "/x", "b=2&a=1&a=0&c", "GET\n/x/\na=0&a=1&b=2&c=\n" },
                { "/x", "t=2022-05-09T16%3A01%3A10%2B0800", "GET\n/x/\nt=2022-05-09T16%3A01%3A10%2B0800\n" },
                { "/x", "t=a+b", "GET\n/x/\nt=a%20b\n" },
                { "/x", "&&a&", "GET\n/x/\na=\n" },
        };
        const SimHeader header = { "X-Sdk-Date", " 20200608T023900Z\t" };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const SimRequest q = { .method = "GET",
                                       .path = cases[i].path,
                                       .query = cases[i].query,
                                       .headers = &header,
                                       .n_headers = 1 };
                _cleanup_(freep) char *canonical = NULL;

                assert_int_equal(sim_signature_canonical_request(&q, "x-sdk-date", &canonical), 0);
                assert_memory_equal(canonical, cases[i].expected, strlen(cases[i].expected));
                assert_non_null(strstr(canonical, "\nx-sdk-date:20200608T023900Z\n\nx-sdk-date\n"));
        }
}

static void test_signature_wants_good_lists(void **state) {
        static const struct {
                const char *names;
                int result;
        } cases[] = {
                { "host;x-sdk-date", 0 },
                { "x-sdk-date", 0 },
                { "x-sdk-date;host", -EINVAL },
                { "host;host;x-sdk-date", -EINVAL },
                { "host", -EINVAL },
                { "Host;x-sdk-date", -EINVAL },
                { "host;x-absent;x-sdk-date", -EINVAL },
                { "host;x-sdk-date;", -EINVAL },
                { ";x-sdk-date", -EINVAL },
                { "", -EINVAL },
        };
        const SimHeader headers[] = { { "Host", "localhost" }, { "X-Sdk-Date", "20200608T023900Z" } };
        const SimRequest q = { .method = "GET", .path = "/", .headers = headers, .n_headers = 2 };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *canonical = NULL;

                print_message("%s\n", cases[i].names);
                assert_int_equal(sim_signature_canonical_request(&q, cases[i].names, &canonical), cases[i].result);
        }
}

static void test_signature_parse(void **state) {
        static const char *const bad[] = {
                "",
                "SDK-HMAC-SHA256",
                "SDK-HMAC-SHA256 ",
                "SDK-HMAC-SHA256 Access=a",
                "SDK-HMAC-SHA256 Access=, SignedHeaders=b, Signature=c",
                "SDK-HMAC-SHA256 Access=a, SignedHeaders=b, Signature=",
                "SDK-HMAC-SHA256 Access=a, SignedHeaders=b, Signature=c d",
                "SDK-HMAC-SM3 Access=a, SignedHeaders=b, Signature=c",
                "SDK-HMAC-SHA256 SignedHeaders=b, Access=a, Signature=c",
        };
        usec_t at_usec;

        for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
                Signature signature = {};

                assert_int_equal(sim_signature_parse(bad[i], &signature), -EINVAL);
                assert_null(signature.access_key);
        }
        assert_int_equal(sim_signature_parse_date("20260101T000000Z", &at_usec), 0);
        assert_int_equal(at_usec, T0);
        assert_int_equal(sim_signature_parse_date("20260101T000000Z0", &at_usec), -EINVAL);
        assert_int_equal(sim_signature_parse_date("20260101T000000", &at_usec), -EINVAL);
        assert_int_equal(sim_signature_parse_date("20261301T000000Z", &at_usec), -EINVAL);
        assert_int_equal(sim_signature_parse_date("", &at_usec), -EINVAL);
}

/* --- Requests ------------------------------------------------------------------------------------------------- */

typedef struct Signed {
        const char *access_key, *secret_key, *token;
        const char *signed_headers; /* NULL: all, sorted */
        int64_t late_seconds;       /* of X-Sdk-Date */
        const char *project;        /* X-Project-Id */
} Signed;

static int ask_signed(TestSim *t, const Signed *by, const char *path) {
        char date[32], authorization[512], hex[65], names[256];
        SimHeader headers[6] = { { "Host", "127.0.0.1:8443" }, { "X-Sdk-Date", date } };
        SimRequest q = { .method = "GET", .path = path, .headers = headers, .n_headers = 2, .peer = "127.0.0.1" };
        _cleanup_(freep) char *canonical = NULL;
        int64_t seconds = (int64_t) (t->now_usec / USEC_PER_SEC) + by->late_seconds;
        CivilTime c;

        civil_from_seconds(seconds, &c);
        (void) snprintf(date, sizeof(date), "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour, c.minute,
                        c.second);
        if (by->project)
                headers[q.n_headers++] = (SimHeader){ "X-Project-Id", by->project };
        if (by->token)
                headers[q.n_headers++] = (SimHeader){ "X-Security-Token", by->token };
        (void) snprintf(names, sizeof(names), "host%s;x-sdk-date%s", by->project ? ";x-project-id" : "",
                        by->token ? ";x-security-token" : "");

        assert_int_equal(sim_signature_canonical_request(&q, names, &canonical), 0);
        assert_int_equal(sim_signature_compute(canonical, date, by->secret_key, hex), 0);
        (void) snprintf(authorization, sizeof(authorization),
                        "SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s", by->access_key,
                        by->signed_headers ? by->signed_headers : names, hex);
        headers[q.n_headers++] = (SimHeader){ "Authorization", authorization };
        return test_sim_send(t, &q);
}

static const Signed lasting = { .access_key = "AKLASTING", .secret_key = "lasting-secret", .project = PROJECT };
static const Signed wrong = { .access_key = "AKLASTING", .secret_key = "wrong-secret", .project = PROJECT };

static void test_gateway_accepts_and_refuses_signatures(void **state) {
        static const struct {
                const char *what;
                Signed by;
                int status;
                const char *says;
        } cases[] = {
                { "right",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .project = PROJECT },
                  200,
                  NULL },
                { "wrong secret",
                  { .access_key = "AKLASTING", .secret_key = "x" },
                  401,
                  "verify aksk signature fail, canonicalRequest:GET|/v3/" },
                { "unknown key",
                  { .access_key = "AKNOBODY", .secret_key = "x" },
                  401,
                  "Get secretKey failed,ak:AKNOBODY,err:ak not exist" },
                { "15 minutes late",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .late_seconds = 900 },
                  200,
                  NULL },
                { "15 minutes early",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .late_seconds = -900 },
                  200,
                  NULL },
                { "a second more",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .late_seconds = 901 },
                  401,
                  "x-sdk-date" },
                { "a second less",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .late_seconds = -901 },
                  401,
                  "x-sdk-date" },
                { "unsorted",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .signed_headers = "x-sdk-date;host" },
                  401,
                  "verify aksk" },
                { "date not signed",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .signed_headers = "host" },
                  401,
                  "verify aksk" },
                { "header missing",
                  { .access_key = "AKLASTING",
                    .secret_key = "lasting-secret",
                    .signed_headers = "host;x-a;x-sdk-date" },
                  401,
                  "verify aksk" },
                { "temporary",
                  { .access_key = "AKTEMPORARY", .secret_key = "temporary-secret", .token = "the-token" },
                  200,
                  NULL },
                { "temporary without token",
                  { .access_key = "AKTEMPORARY", .secret_key = "temporary-secret" },
                  401,
                  "securityToken" },
                { "temporary, wrong token",
                  { .access_key = "AKTEMPORARY", .secret_key = "temporary-secret", .token = "another-t" },
                  401,
                  "securityToken" },
                { "token not signed",
                  { .access_key = "AKTEMPORARY",
                    .secret_key = "temporary-secret",
                    .token = "the-token",
                    .signed_headers = "host;x-sdk-date" },
                  401,
                  "securityToken" },
                { "lasting with token",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .token = "the-token" },
                  401,
                  "securityToken" },
                { "another project",
                  { .access_key = "AKLASTING", .secret_key = "lasting-secret", .project = DOMAIN },
                  403,
                  "project" },
        };
        TestSim *t = *state;

        test_sim_change(t, "gateway: {lockout_failures: 0}");
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].what);
                assert_int_equal(ask_signed(t, &cases[i].by, LOCK_PATH), cases[i].status);
                if (cases[i].says)
                        assert_non_null(strstr(test_sim_text(t, "error_msg"), cases[i].says));
                if (cases[i].status == 401) {
                        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0301");
                        assert_string_equal(test_sim_text(t, "request_id"),
                                            sim_reply_header(&t->reply, "x-request-id"));
                        assert_false(t->reply.effect);
                }
        }
        t->now_usec += USEC_PER_HOUR;
        assert_int_equal(ask_signed(t,
                                    &(Signed){ .access_key = "AKTEMPORARY",
                                               .secret_key = "temporary-secret",
                                               .token = "the-token" },
                                    LOCK_PATH),
                         401);
}

static void test_gateway_locks_out(void **state) {
        static const Signed other = { .access_key = "AKOTHER", .secret_key = "other-secret" };
        TestSim *t = *state;

        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 4; i++)
                        assert_int_equal(ask_signed(t, &wrong, LOCK_PATH), 401);
                /* A success in between starts the count anew. */
                assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);
        }
        for (int i = 0; i < 5; i++)
                assert_int_equal(ask_signed(t, &wrong, LOCK_PATH), 401);
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 401);
        assert_non_null(strstr(test_sim_text(t, "error_msg"), "AK access failed to reach the limit,forbidden"));
        assert_int_equal(ask_signed(t, &other, LOCK_PATH), 200);

        t->now_usec += 5 * USEC_PER_MINUTE - 1;
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 401);
        t->now_usec += 1;
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);
}

static void test_gateway_clock_offset(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "gateway: {clock_offset: 20m}");
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 401);
        assert_string_equal(sim_reply_header(&t->reply, "Date"), "Thu, 01 Jan 2026 00:20:00 GMT");
        test_sim_change(t, "gateway: {clock_offset: -14m}");
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);
        assert_string_equal(sim_reply_header(&t->reply, "Date"), "Wed, 31 Dec 2025 23:46:00 GMT");
}

static int ask_token(TestSim *t, const char *token) {
        const SimHeader headers[] = { { "Host", "127.0.0.1" }, { "X-Auth-Token", token } };
        const SimRequest q = { .method = "GET", .path = LOCK_PATH, .headers = headers, .n_headers = token ? 2 : 1 };

        return test_sim_send(t, &q);
}

static int log_in(TestSim *t, const char *password, const char *scope) {
        char body[512];

        (void) snprintf(body, sizeof(body),
                        "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"domain\":{"
                        "\"name\":\"example\"},"
                        "\"name\":\"holdfast\",\"password\":\"%s\"}}}%s}}",
                        password, scope);
        return test_sim_ask(t, "POST", "/v3/auth/tokens", "nocatalog=true", body);
}

#define SCOPE ",\"scope\":{\"project\":{\"name\":\"ap-southeast-1\"}}"

static void test_gateway_tokens(void **state) {
        _cleanup_(freep) char *token = NULL, *unscoped = NULL;
        TestSim *t = *state;

        assert_int_equal(ask_token(t, NULL), 401);
        assert_int_equal(ask_token(t, "nonsense"), 401);
        assert_non_null(strstr(test_sim_text(t, "error_msg"), "decrypt token fail"));

        assert_int_equal(log_in(t, "right", SCOPE), 201);
        token = strdup(sim_reply_header(&t->reply, "X-Subject-Token"));
        assert_string_equal(test_sim_text(t, "token.project.id"), PROJECT);
        assert_string_equal(test_sim_text(t, "token.user.domain.id"), DOMAIN);
        assert_string_equal(test_sim_text(t, "token.expires_at"), "2026-01-02T00:00:00.000000Z");
        assert_int_equal(ask_token(t, token), 200);
        assert_string_equal(t->reply.who, "holdfast");

        /* A token for the account is none for a project. */
        assert_int_equal(log_in(t, "right", ""), 201);
        unscoped = strdup(sim_reply_header(&t->reply, "X-Subject-Token"));
        assert_int_equal(ask_token(t, unscoped), 403);

        t->now_usec += USEC_PER_DAY;
        assert_int_equal(ask_token(t, token), 401);
        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0307");
        test_sim_change(t, "gateway: {expired_token: dbs}");
        assert_int_equal(ask_token(t, token), 403);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.280056");

        t->now_usec -= USEC_PER_DAY;
        assert_int_equal(ask_token(t, token), 200);
        assert_int_equal(test_sim_ask(t, "DELETE", "/sim/v1/tokens", NULL, NULL), 200);
        assert_int_equal(ask_token(t, token), 401);
}

static void test_gateway_password_failures(void **state) {
        TestSim *t = *state;

        for (int i = 0; i < 5; i++) {
                assert_int_equal(log_in(t, "wrong", SCOPE), 401);
                assert_int_equal(test_sim_int(t, "error.code"), 401);
                assert_string_equal(test_sim_text(t, "error_code"), "IAM.0062");
        }
        assert_int_equal(log_in(t, "right", SCOPE), 401);
        assert_string_equal(test_sim_text(t, "error_code"), "IAM.0061");
        t->now_usec += 5 * USEC_PER_MINUTE;
        assert_int_equal(log_in(t, "right", SCOPE), 201);

        test_sim_change(t, "users: {holdfast: {console_only: on}}");
        assert_int_equal(log_in(t, "right", SCOPE), 403);
        assert_int_equal(test_sim_ask(t, "POST", "/v3/auth/tokens", NULL, "{}"), 400);
        assert_int_equal(test_sim_ask(t, "POST", "/v3/auth/tokens", NULL, "x"), 400);
}

static void test_gateway_throttle(void **state) {
        static const Signed other = { .access_key = "AKOTHER", .secret_key = "other-secret" };
        TestSim *t = *state;

        test_sim_change(t, "gateway: {rate_limit: 3, rate_per: 1m, rate_retry_after: 7s}");
        for (int i = 0; i < 3; i++)
                assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 429);
        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0308");
        assert_string_equal(
                test_sim_text(t, "error_msg"),
                "The throttling threshold has been reached: policy user over ratelimit,limit:3,time:1 minute");
        assert_string_equal(sim_reply_header(&t->reply, "Retry-After"), "7");
        assert_int_equal(ask_signed(t, &other, LOCK_PATH), 200);
        t->now_usec += USEC_PER_MINUTE;
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);

        test_sim_change(t, "gateway: {rate_limit: 1, rate_per: 30s, rate_policy: ip, rate_retry_after: 0s}");
        t->now_usec += USEC_PER_MINUTE;
        assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), 200);
        assert_int_equal(ask_signed(t, &other, LOCK_PATH), 429);
        assert_null(sim_reply_header(&t->reply, "Retry-After"));
        assert_non_null(strstr(test_sim_text(t, "error_msg"), "policy ip over ratelimit,limit:1,time:30 second"));
}

static void test_gateway_permissions(void **state) {
        static const struct {
                const char *deny;
                int lock_get, encryption_get;
        } cases[] = {
                { "[]", 200, 200 },
                { "['*']", 403, 403 },
                { "['gaussdbformysql:backup:listVaultLock']", 403, 200 },
                { "['gaussdb:backup:listVaultLock']", 403, 200 },
                { "[encryption-get]", 200, 403 },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char yaml[128];

                print_message("%s\n", cases[i].deny);
                (void) snprintf(yaml, sizeof(yaml), "keys: {AKLASTING: {deny: %s}}", cases[i].deny);
                test_sim_change(t, yaml);
                assert_int_equal(ask_signed(t, &lasting, LOCK_PATH), cases[i].lock_get);
                if (cases[i].lock_get == 403)
                        assert_string_equal(
                                test_sim_text(t, "error_msg"),
                                "Policy doesn't allow gaussdbformysql:backup:listVaultLock to be performed.");
                assert_int_equal(ask_signed(t, &lasting, ENCRYPTION_PATH), cases[i].encryption_get);
        }
        test_sim_change(t, "deny: [schedule-get]");
        assert_int_equal(ask_signed(t, &(Signed){ .access_key = "AKOTHER", .secret_key = "other-secret" },
                                    "/v1/" PROJECT "/audit/" AUDIT "/backup/template"),
                         403);
        assert_true(json_object_is_type(test_sim_member(t, "details"), json_type_array));
        assert_true(strlen(test_sim_text(t, "encoded_authorization_message")) > 32);
}

static void test_gateway_sizes_and_unknown_paths(void **state) {
        _cleanup_(freep) char *large = calloc(1, SIM_BODY_MAX + 2);
        TestSim *t = *state;
        SimRequest q = { .method = "PUT", .path = LOCK_PATH, .body = large, .n_body = SIM_BODY_MAX + 1 };

        assert_non_null(large);
        assert_int_equal(test_sim_send(t, &q), 413);
        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0201");
        memset(large, 'a', 40000);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, large, NULL), 414);

        assert_int_equal(test_sim_ask(t, "GET", "/", NULL, NULL), 404);
        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0101");
        assert_int_equal(test_sim_ask(t, "DELETE", LOCK_PATH, NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH "/", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", "/v3//instances/" TAURUS "/backups/vault-lock", NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", "", NULL, NULL), 404);
}

static void test_gateway_temporary_keys(void **state) {
        _cleanup_(freep) char *token = NULL, *access = NULL, *secret = NULL, *security = NULL;
        SimHeader headers[] = { { "X-Auth-Token", "" }, { "Content-Type", "application/json" } };
        SimRequest q = {
                .method = "POST", .path = "/v3.0/OS-CREDENTIAL/securitytokens", .headers = headers, .n_headers = 2
        };
        TestSim *t = *state;

        q.body = "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{\"duration_seconds\":900}}}}";
        q.n_body = strlen(q.body);
        assert_int_equal(log_in(t, "right", SCOPE), 201);
        token = strdup(sim_reply_header(&t->reply, "X-Subject-Token"));
        headers[0].value = token;
        assert_int_equal(test_sim_send(t, &q), 201);
        access = strdup(test_sim_text(t, "credential.access"));
        secret = strdup(test_sim_text(t, "credential.secret"));
        security = strdup(test_sim_text(t, "credential.securitytoken"));
        assert_string_equal(test_sim_text(t, "credential.expires_at"), "2026-01-01T00:15:00.000000Z");

        assert_int_equal(
                ask_signed(t, &(Signed){ .access_key = access, .secret_key = secret, .token = security }, LOCK_PATH),
                200);
        assert_int_equal(ask_signed(t, &(Signed){ .access_key = access, .secret_key = secret }, LOCK_PATH), 401);
        t->now_usec += 15 * USEC_PER_MINUTE;
        assert_int_equal(
                ask_signed(t, &(Signed){ .access_key = access, .secret_key = secret, .token = security }, LOCK_PATH),
                401);
}

static int ask_metadata(TestSim *t, const char *method, const char *path, const char *name, const char *value) {
        const SimHeader header = { name, value };
        const SimRequest q = { .listener = SIM_LISTENER_METADATA,
                               .method = method,
                               .path = path,
                               .headers = &header,
                               .n_headers = name ? 1 : 0 };

        return test_sim_send(t, &q);
}

#define METADATA_TOKEN "/meta-data/latest/api/token"
#define METADATA_KEY   "/openstack/latest/securitykey"

static void test_gateway_metadata(void **state) {
        _cleanup_(freep) char *token = NULL, *access = NULL, *secret = NULL, *security = NULL;
        TestSim *t = *state;

        assert_int_equal(ask_metadata(t, "PUT", METADATA_TOKEN, NULL, NULL), 400);
        assert_int_equal(ask_metadata(t, "PUT", METADATA_TOKEN, "X-Metadata-Token-Ttl-Seconds", "21601"), 400);
        assert_int_equal(ask_metadata(t, "PUT", METADATA_TOKEN, "X-Metadata-Token-Ttl-Seconds", "21600"), 200);
        token = strdup(t->reply.body);
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, "X-Metadata-Token", "nonsense"), 401);
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, "X-Metadata-Token", token), 200);
        access = strdup(test_sim_text(t, "credential.access"));
        secret = strdup(test_sim_text(t, "credential.secret"));
        security = strdup(test_sim_text(t, "credential.securitytoken"));
        assert_int_equal(
                ask_signed(t, &(Signed){ .access_key = access, .secret_key = secret, .token = security }, LOCK_PATH),
                200);
        assert_int_equal(ask_token(t, token), 401); /* no IAM token */

        test_sim_change(t, "metadata: {service: v2-only}");
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, NULL, NULL), 401);
        test_sim_change(t, "metadata: {service: v1}");
        assert_int_equal(ask_metadata(t, "PUT", METADATA_TOKEN, "X-Metadata-Token-Ttl-Seconds", "60"), 404);
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, NULL, NULL), 200);
        test_sim_change(t, "metadata: {agency: off}");
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, NULL, NULL), 401);
        assert_non_null(strstr(t->reply.body, "Please configure Cloud Service Agency first"));
        test_sim_change(t, "metadata: {service: none}");
        assert_int_equal(ask_metadata(t, "GET", METADATA_KEY, NULL, NULL), 404);
        /* Each listener knows its own paths only. */
        assert_int_equal(ask_metadata(t, "GET", LOCK_PATH, NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", METADATA_KEY, NULL, NULL), 404);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_signature_vectors),
                cmocka_unit_test(test_signature_known_answers),
                cmocka_unit_test(test_signature_query_and_path),
                cmocka_unit_test(test_signature_wants_good_lists),
                cmocka_unit_test(test_signature_parse),
                cmocka_unit_test_setup_teardown(test_gateway_accepts_and_refuses_signatures, setup,
                                                test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_locks_out, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_clock_offset, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_tokens, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_password_failures, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_throttle, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_permissions, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_sizes_and_unknown_paths, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_temporary_keys, setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gateway_metadata, setup, test_sim_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
