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

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)
#define ORIGIN "https://iam.example.com"

static HttpReply reply(int status, const char *body) {
        return (HttpReply) {
                .outcome = HTTP_REPLIED, .status = status, .body = (char *) body, .n_body = body ? strlen(body) : 0
        };
}

static Secret *secret(const char *s) {
        Secret *ret = NULL;

        assert_int_equal(secret_new(s, strlen(s), &ret), 0);
        return ret;
}

#define TOKEN_BODY(password, scope)                                                                                  \
        "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"domain\":{\"name\":"          \
        "\"account\"},\"name\":\"user\",\"password\":\"" password "\"}}},\"scope\":{\"project\":" scope "}}}"

static void test_iam_token_encode(void **state) {
        static const struct {
                const char *region, *project_id, *password, *body;
        } cases[] = {
                { "cn-north-4", NULL, "pw", TOKEN_BODY("pw", "{\"name\":\"cn-north-4\"}") },
                { "cn-north-4", "", "pw", TOKEN_BODY("pw", "{\"name\":\"cn-north-4\"}") },
                { "cn-north-4", "p1", "pw", TOKEN_BODY("pw", "{\"id\":\"p1\"}") },
                { NULL, "p1", "\"\\\x01/\xc3\xa9", TOKEN_BODY("\\\"\\\\\\u0001/\xc3\xa9", "{\"id\":\"p1\"}") },
                { NULL, "p1", "a password so long that no short text's own room in its object can take it 0123456789",
                  TOKEN_BODY("a password so long that no short text's own room in its object can take it 0123456789",
                             "{\"id\":\"p1\"}") },
                { NULL, "p1", "", TOKEN_BODY("", "{\"id\":\"p1\"}") },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(secret_freep) Secret *password = secret(cases[i].password);
                HttpRequest q = {};

                assert_int_equal(iam_token_encode(ORIGIN, cases[i].region, cases[i].project_id, "user", "account",
                                                  password, &q),
                                 0);
                assert_int_equal(q.method, HTTP_POST);
                assert_string_equal(q.path, "/v3/auth/tokens");
                assert_string_equal(q.query, "nocatalog=true");
                assert_string_equal(q.body, cases[i].body);
                assert_int_equal(q.n_body, strlen(cases[i].body));
                assert_string_equal(http_request_header(&q, "Content-Type"), "application/json;charset=utf8");
                assert_false(q.no_proxy);
                http_request_done(&q);
        }
}

static void test_iam_token_encode_refuses(void **state) {
        _cleanup_(secret_freep) Secret *password = secret("pw"), *odd = secret("\xff");
        HttpRequest q = {};

        assert_int_equal(iam_token_encode(ORIGIN, NULL, NULL, "user", "account", password, &q), -EINVAL);
        assert_int_equal(iam_token_encode(ORIGIN, "", "", "user", "account", password, &q), -EINVAL);
        assert_int_equal(iam_token_encode(ORIGIN, "r", NULL, "", "account", password, &q), -EINVAL);
        assert_int_equal(iam_token_encode(ORIGIN, "r", NULL, "user", NULL, password, &q), -EINVAL);
        assert_int_equal(iam_token_encode(ORIGIN, "r", NULL, "user", "account", NULL, &q), -EINVAL);
        assert_int_equal(iam_token_encode(ORIGIN, "r", NULL, "user", "account", odd, &q), -EINVAL);
        assert_int_equal(iam_token_encode(NULL, "r", NULL, "user", "account", password, &q), -EINVAL);
        assert_null(q.origin);
}

#define TOKEN_REPLY                                                                                                  \
        "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00.701000Z\",\"methods\":[\"password\"],\"catalog\":[],"      \
        "\"roles\":[{\"name\":\"r\",\"id\":\"0\"}],"                                                                 \
        "\"project\":{\"domain\":{\"name\":\"a\",\"id\":\"d0\"},\"name\":\"cn-north-4\",\"id\":\"p1\"},\"issued_"    \
        "at\":\"2026-08-01T02:39:00.701000Z\","                                                                      \
        "\"user\":{\"domain\":{\"name\":\"a\",\"id\":\"d1\"},\"name\":\"user\",\"password_expires_at\":\"\",\"id\":" \
        "\"u1\"}}}"

static void test_iam_token_decode(void **state) {
        HttpReply p = reply(201, TOKEN_REPLY);
        Failure f = {};
        Token t = {};

        p.subject_token = (char *) "MIIFtoken";
        assert_int_equal(iam_token_decode(&p, T0, &t, &f), 1);
        assert_string_equal(secret_text(t.token), "MIIFtoken");
        assert_int_equal(t.expires_at_usec, T0 + USEC_PER_DAY + 701000);
        assert_string_equal(t.project_id, "p1");
        assert_string_equal(t.domain_id, "d1");
        token_done(&t);

        p = reply(201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"project\":null}}");
        p.subject_token = (char *) "T";
        assert_int_equal(iam_token_decode(&p, T0, &t, &f), 1);
        assert_null(t.project_id);
        assert_null(t.domain_id);
        token_done(&t);
        assert_null(t.token);
}

static void test_iam_token_decode_failures(void **state) {
        static const struct {
                int status;
                const char *body, *header;
                FailureClass class;
                const char *message;
        } cases[] = {
                { 201, TOKEN_REPLY, NULL, FAILURE_UNREADABLE, "X-Subject-Token: missing" },
                { 201, TOKEN_REPLY, "", FAILURE_UNREADABLE, "X-Subject-Token: found odd characters" },
                { 201, TOKEN_REPLY, "a b", FAILURE_UNREADABLE, "X-Subject-Token: found odd characters" },
                { 201, "{}", "T", FAILURE_UNREADABLE, "token: missing" },
                { 201, "{\"token\":[]}", "T", FAILURE_UNREADABLE, "token: found a list" },
                { 201, "{\"token\":{}}", "T", FAILURE_UNREADABLE, "token.expires_at: missing" },
                { 201, "{\"token\":{\"expires_at\":17}}", "T", FAILURE_UNREADABLE,
                  "token.expires_at: found a number" },
                { 201, "{\"token\":{\"expires_at\":\"tomorrow\"}}", "T", FAILURE_UNREADABLE,
                  "token.expires_at: found another text" },
                { 201, "{\"token\":{\"expires_at\":\"1990-01-01T00:00:00Z\"}}", "T", FAILURE_UNREADABLE,
                  "token.expires_at" },
                { 201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"project\":7}}", "T", FAILURE_UNREADABLE,
                  "token.project: found a number" },
                { 201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"user\":{\"domain\":{\"id\":7}}}}", "T",
                  FAILURE_UNREADABLE, "token.user.domain.id" },
                { 201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"project\":{\"id\":\"../x\"}}}", "T",
                  FAILURE_UNREADABLE, "token.project.id: found another text, expected an id" },
                { 201, "{\"token\":{\"expires_at\":\"2026-08-02T02:39:00Z\",\"user\":{\"domain\":{\"id\":\"a b\"}}}}", "T",
                  FAILURE_UNREADABLE, "token.user.domain.id: found another text, expected an id" },
                { 201, NULL, "T", FAILURE_UNREADABLE, "empty" },
                { 204, TOKEN_REPLY, "T", FAILURE_UNREADABLE, "204" },
                { 401,
                  "{\"error\":{\"code\":401,\"message\":\"The username or password is "
                  "wrong.\",\"title\":\"Unauthorized\"}}",
                  NULL, FAILURE_CREDENTIALS, "username or password" },
                { 401, "{\"error_code\":\"IAM.0061\",\"error_msg\":\"locked\"}", NULL, FAILURE_CREDENTIALS,
                  "locked" },
                { 403, "{\"error_code\":\"IAM.0081\",\"error_msg\":\"console only\"}", NULL, FAILURE_NOT_PERMITTED,
                  "console" },
                { 429, "{\"error_code\":\"IAM.0012\",\"error_msg\":\"Threshold: 10 times per 60 seconds\"}", NULL,
                  FAILURE_THROTTLED, "Threshold" },
                { 503, NULL, NULL, FAILURE_SERVER, "503" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpReply p = reply(cases[i].status, cases[i].body);
                Failure f = {};
                Token t = {};

                print_message("%d %s\n", cases[i].status, cases[i].body ? cases[i].body : "-");
                p.subject_token = (char *) cases[i].header;
                assert_int_equal(iam_token_decode(&p, T0, &t, &f), 0);
                assert_null(t.token);
                assert_int_equal(f.class, cases[i].class);
                assert_false(f.token_expired);
                assert_false(f.maybe_done);
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

static void test_iam_token_decode_long_token(void **state) {
        HttpReply p = reply(201, TOKEN_REPLY);
        Failure f = {};
        Token t = {};

        p.subject_token = malloc(SECRET_MAX + 2);
        memset(p.subject_token, 'T', SECRET_MAX + 1);
        p.subject_token[SECRET_MAX + 1] = '\0';
        assert_int_equal(iam_token_decode(&p, T0, &t, &f), 0);
        assert_int_equal(f.class, FAILURE_UNREADABLE);
        p.subject_token[SECRET_MAX] = '\0';
        assert_int_equal(iam_token_decode(&p, T0, &t, &f), 1);
        token_done(&t);
        free(p.subject_token);
}

static void test_iam_projects(void **state) {
        HttpRequest q = {};

        assert_int_equal(iam_projects_encode(ORIGIN, "cn-north-4_a b", &q), 0);
        assert_int_equal(q.method, HTTP_GET);
        assert_string_equal(q.path, "/v3/projects");
        assert_string_equal(q.query, "name=cn-north-4_a%20b");
        http_request_done(&q);
        assert_int_equal(iam_projects_encode(ORIGIN, "", &q), -EINVAL);
        assert_int_equal(iam_projects_encode(ORIGIN, NULL, &q), -EINVAL);
}

#define ID_OF_60 "012345678901234567890123456789012345678901234567890123456789"
#define PROJECT(id, name, enabled)                                                                                   \
        "{\"id\":\"" id "\",\"name\":\"" name "\",\"domain_id\":\"d-" id "\",\"enabled\":" enabled "}"

static void test_iam_projects_decode(void **state) {
        static const struct {
                const char *body, *id;  /* id NULL: a failure */
                FailureClass class;
                const char *message;
        } cases[] = {
                { "{\"projects\":[" PROJECT("p1", "r", "true") "]}", "p1", 0, NULL },
                { "{\"projects\":[" PROJECT("p0", "r_sub", "true") "," PROJECT("p1", "r", "true") "," PROJECT(
                          "p2", "r", "false") "]}",
                  "p1", 0, NULL },
                { "{\"projects\":[{\"id\":\"p1\",\"name\":\"r\"}]}", "p1", 0, NULL },
                { "{\"projects\":[" PROJECT(ID_OF_60 "-_aZ", "r", "true") "]}", NULL, FAILURE_UNREADABLE,
                  "projects[0].domain_id: found another text, expected an id" },
                { "{\"projects\":[{\"name\":\"r\",\"id\":\"" ID_OF_60 "-_aZ\"}]}", ID_OF_60 "-_aZ", 0, NULL },
                { "{\"projects\":[{\"name\":\"r\",\"id\":\"" ID_OF_60 "-_aZ0\"}]}", NULL, FAILURE_UNREADABLE,
                  "projects[0].id: found another text, expected an id" },
                { "{\"projects\":[{\"name\":\"r\",\"id\":\"../x\"}]}", NULL, FAILURE_UNREADABLE,
                  "projects[0].id: found another text, expected an id of 1 to 64 letters, digits, - and _" },
                { "{\"projects\":[]}", NULL, FAILURE_NOT_FOUND, "no project named r" },
                { "{\"projects\":[" PROJECT("p0", "R", "true") "]}", NULL, FAILURE_NOT_FOUND, "no project named r" },
                { "{\"projects\":[" PROJECT("p0", "r", "false") "]}", NULL, FAILURE_NOT_FOUND,
                  "no enabled project named r" },
                { "{\"projects\":[" PROJECT("p0", "r", "true") "," PROJECT("p1", "r", "true") "]}", NULL,
                  FAILURE_NOT_FOUND, "2 projects are named r" },
                { "{\"projects\":[" PROJECT("p0", "r", "\"true\"") "]}", NULL, FAILURE_UNREADABLE,
                  "projects[0].enabled: found text" },
                { "{\"projects\":[{\"name\":\"r\"}]}", NULL, FAILURE_UNREADABLE, "projects[0].id: missing" },
                { "{\"projects\":[7]}", NULL, FAILURE_UNREADABLE, "projects[0]: found a number" },
                { "{\"projects\":{}}", NULL, FAILURE_UNREADABLE, "projects: found an object" },
                { "{}", NULL, FAILURE_UNREADABLE, "projects: missing" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpReply p = reply(200, cases[i].body);
                Project project = {};
                Failure f = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(iam_projects_decode(&p, "r", T0, &project, &f), cases[i].id != NULL);
                if (cases[i].id) {
                        assert_string_equal(project.project_id, cases[i].id);
                        assert_true(!project.domain_id || strncmp(project.domain_id, "d-", 2) == 0);
                } else {
                        assert_int_equal(f.class, cases[i].class);
                        if (!strstr(f.message, cases[i].message))
                                fail_msg("said: %s", f.message);
                }
                project_done(&project);
        }
}

static void test_metadata_encode(void **state) {
        _cleanup_(secret_freep) Secret *token = secret("TOK"), *odd = secret("T\nK");
        HttpRequest q = {};

        assert_int_equal(metadata_token_encode("http://169.254.169.254", &q), 0);
        assert_int_equal(q.method, HTTP_PUT);
        assert_string_equal(q.path, "/meta-data/latest/api/token");
        assert_string_equal(http_request_header(&q, "X-Metadata-Token-Ttl-Seconds"), "21600");
        assert_true(q.no_proxy);
        assert_int_equal(q.timeout_usec, 3 * USEC_PER_SEC);
        assert_null(q.body);
        http_request_done(&q);

        assert_int_equal(metadata_key_encode("http://169.254.169.254", token, &q), 0);
        assert_int_equal(q.method, HTTP_GET);
        assert_string_equal(q.path, "/openstack/latest/securitykey");
        assert_string_equal(http_request_header(&q, "X-Metadata-Token"), "TOK");
        assert_true(q.no_proxy);
        http_request_done(&q);

        assert_int_equal(metadata_key_encode("http://169.254.169.254", NULL, &q), 0);
        assert_null(http_request_header(&q, "X-Metadata-Token"));
        http_request_done(&q);
        assert_int_equal(metadata_key_encode("http://169.254.169.254", odd, &q), -EINVAL);
}

static void test_metadata_token_decode(void **state) {
        static const struct {
                int status;
                const char *body, *token;
                FailureClass class;
        } cases[] = {
                { 200, "QUFB=\n", "QUFB=", 0 },
                { 200, "", NULL, FAILURE_UNREADABLE },
                { 200, "a b", NULL, FAILURE_UNREADABLE },
                { 200, "<html>\n</html>", NULL, FAILURE_UNREADABLE },
                { 404, "", NULL, FAILURE_NOT_OFFERED },
                { 405, "", NULL, FAILURE_NOT_OFFERED },
                { 503, "", NULL, FAILURE_NOT_OFFERED },
                { 500, "", NULL, FAILURE_SERVER },
                { 403, "", NULL, FAILURE_NOT_PERMITTED },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(secret_freep) Secret *token = NULL;
                HttpReply p = reply(cases[i].status, cases[i].body);
                Failure f = {};

                assert_int_equal(metadata_token_decode(&p, &token, &f), cases[i].token != NULL);
                if (cases[i].token)
                        assert_string_equal(secret_text(token), cases[i].token);
                else
                        assert_int_equal(f.class, cases[i].class);
        }
}

static void test_metadata_key_decode(void **state) {
        static const struct {
                const char *body;
                usec_t expires_at_usec;
        } cases[] = {
                { "{\"credential\":{\"access\":\"AK\",\"secret\":\"SK\",\"securitytoken\":\"ST\",\"expires_at\":"
                  "\"2026-08-02T02:39:00.701000Z\"}}",
                  T0 + USEC_PER_DAY + 701000 },
                { "{\"credentials\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SK\",\"securityToken\":\"ST\","
                  "\"expiration\":\"2026-08-02T02:39:00Z\"}}",
                  T0 + USEC_PER_DAY },
                { "{\"credential\":null,\"credentials\":{\"access\":\"AK\",\"secret\":\"SK\",\"securitytoken\":"
                  "\"ST\",\"expires_at\":\"2026-08-02 10:39:00+0800\"}}",
                  T0 + USEC_PER_DAY },
                { "{\"credential\":{\"access\":\"AK\",\"secret\":\"SK\",\"securitytoken\":\"ST\",\"expires_at\":"
                  "\"2026-08-02T02:39:00\"}}",
                  T0 + USEC_PER_DAY },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *c = NULL;
                HttpReply p = reply(200, cases[i].body);
                Failure f = {};

                print_message("%s\n", cases[i].body);
                assert_int_equal(metadata_key_decode(&p, T0, &c, &f), 1);
                assert_string_equal(c->access_key, "AK");
                assert_string_equal(secret_text(c->secret_key), "SK");
                assert_string_equal(secret_text(c->security_token), "ST");
                assert_string_equal(c->origin, "metadata");
                assert_in_range(cases[i].expires_at_usec - c->expires_at_usec, 0, USEC_PER_SEC - 1);
        }
}

#define KEY(access, secret, token, expires)                                                                          \
        "{\"credential\":{\"access\":" access ",\"secret\":" secret ",\"securitytoken\":" token                      \
        ",\"expires_at\":" expires "}}"
#define LATER "\"2026-08-02T02:39:00Z\""

static void test_metadata_key_decode_failures(void **state) {
        static const struct {
                int status;
                const char *body;
                FailureClass class;
                bool token_expired;
                const char *message;
        } cases[] = {
                { 200, "{}", FAILURE_UNREADABLE, false, "credential: missing" },
                { 200, "{\"credential\":\"SEEKRIT\"}", FAILURE_UNREADABLE, false, "credential: found text" },
                { 200, KEY("null", "\"SEEKRIT\"", "\"ST\"", LATER), FAILURE_UNREADABLE, false,
                  "credential.access: missing" },
                { 200, KEY("\"AK\"", "null", "\"ST\"", LATER), FAILURE_UNREADABLE, false,
                  "credential.secret: missing" },
                { 200, KEY("\"AK\"", "\"\"", "\"ST\"", LATER), FAILURE_UNREADABLE, false,
                  "credential.secret: missing" },
                { 200, KEY("\"AK\"", "\"SEEKRIT\"", "null", LATER), FAILURE_UNREADABLE, false,
                  "credential.securitytoken: missing" },
                { 200, KEY("\"AK\"", "\"SEEKRIT\"", "\"ST\"", "null"), FAILURE_UNREADABLE, false,
                  "credential.expires_at: missing" },
                { 200, KEY("\"AK\"", "\"SEEKRIT\"", "\"ST\"", "\"soon\""), FAILURE_UNREADABLE, false,
                  "credential.expires_at: found another text" },
                { 200, KEY("\"AK\"", "\"SEEKRIT\"", "\"ST\"", "\"1960-01-01T00:00:00\""), FAILURE_UNREADABLE, false,
                  "credential.expires_at" },
                { 200, KEY("\"AK\"", "17", "\"ST\"", LATER), FAILURE_UNREADABLE, false,
                  "credential.secret: found a number" },
                { 200, KEY("\"A\\nK\"", "\"SEEKRIT\"", "\"ST\"", LATER), FAILURE_UNREADABLE, false,
                  "odd characters" },
                { 200, KEY("\"AK\"", "\"SEEK RIT\"", "\"ST\"", LATER), FAILURE_UNREADABLE, false, "odd characters" },
                { 200, "SEEKRIT", FAILURE_UNREADABLE, false, "no JSON object" },
                { 200, NULL, FAILURE_UNREADABLE, false, "empty" },
                { 401, "{\"error\":\"expired\"}", FAILURE_CREDENTIALS, true, "401" },
                { 401, "Please configure Cloud Service Agency first.", FAILURE_NOT_OFFERED, false, "no agency" },
                { 404, "", FAILURE_NOT_OFFERED, false, "404" },
                { 500, "SEEKRIT", FAILURE_SERVER, false, "500" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpReply p = reply(cases[i].status, cases[i].body);
                Credentials *c = NULL;
                Failure f = {};

                print_message("%d %s\n", cases[i].status, cases[i].body ? cases[i].body : "-");
                assert_int_equal(metadata_key_decode(&p, T0, &c, &f), 0);
                assert_null(c);
                assert_int_equal(f.class, cases[i].class);
                assert_int_equal(f.token_expired, cases[i].token_expired);
                assert_null(strstr(f.message, "SEEK"));
                if (!strstr(f.message, cases[i].message))
                        fail_msg("said: %s", f.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_iam_token_encode),
                cmocka_unit_test(test_iam_token_encode_refuses),
                cmocka_unit_test(test_iam_token_decode),
                cmocka_unit_test(test_iam_token_decode_failures),
                cmocka_unit_test(test_iam_token_decode_long_token),
                cmocka_unit_test(test_iam_projects),
                cmocka_unit_test(test_iam_projects_decode),
                cmocka_unit_test(test_metadata_encode),
                cmocka_unit_test(test_metadata_token_decode),
                cmocka_unit_test(test_metadata_key_decode),
                cmocka_unit_test(test_metadata_key_decode_failures),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
