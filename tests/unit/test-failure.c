/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/calls.h"

#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)        /* 2026-08-01T02:39:00Z */
#define DATE "Sat, 01 Aug 2026 02:39:00 GMT"

#define E1(code) "{\"error_code\":\"" code "\",\"error_msg\":\"why\"}"
#define HTML "<html><body>502 Bad Gateway</body></html>"

/* Nothing in it is owned: never handed to http_reply_done(). */
static HttpReply reply(int status, const char *body) {
        return (HttpReply) {
                .outcome = HTTP_REPLIED, .status = status, .body = (char *) body, .n_body = body ? strlen(body) : 0
        };
}

static Failure classify(int status, const char *body, bool is_write) {
        HttpReply p = reply(status, body);
        Failure f;

        memset(&f, 0xaa, sizeof(f));
        failure_classify(&p, is_write, T0, &f);
        assert_int_equal(f.http_status, status);
        assert_non_null(memchr(f.message, '\0', sizeof(f.message)));
        assert_true(*f.message);
        return f;
}

static void test_failure_classify_class(void **state) {
        static const struct {
                int status;
                const char *body;
                FailureClass class;
                bool maybe_done;        /* of a write */
        } cases[] = {
                /* By status alone, with every kind of useless body. */
                { 100, "", FAILURE_UNREADABLE, true },
                { 200, "", FAILURE_UNREADABLE, true },
                { 301, HTML, FAILURE_UNREADABLE, true },
                { 302, "", FAILURE_UNREADABLE, true },
                { 304, "", FAILURE_UNREADABLE, true },
                { 400, "", FAILURE_BAD_REQUEST, false },
                { 400, HTML, FAILURE_BAD_REQUEST, false },
                { 401, "", FAILURE_CREDENTIALS, false },
                { 403, "{}", FAILURE_NOT_PERMITTED, false },
                { 404, "", FAILURE_NOT_OFFERED, false },
                { 404, HTML, FAILURE_NOT_OFFERED, false },
                { 404, "{\"status\":404,\"error\":\"Not Found\",\"path\":\"/x\"}", FAILURE_NOT_OFFERED, false },
                { 405, "", FAILURE_BAD_REQUEST, false },
                { 408, "", FAILURE_SERVER, true },
                { 409, "", FAILURE_BUSY, false },
                { 412, "", FAILURE_BAD_REQUEST, false },
                { 413, "", FAILURE_BAD_REQUEST, false },
                { 422, "[]", FAILURE_BAD_REQUEST, false },
                { 429, "", FAILURE_THROTTLED, false },
                { 500, "", FAILURE_SERVER, true },
                { 502, HTML, FAILURE_SERVER, true },
                { 503, "", FAILURE_SERVER, true },
                { 504, "", FAILURE_SERVER, true },
                { 599, "", FAILURE_SERVER, true },
                { 600, "", FAILURE_UNREADABLE, true },
                { 0, "", FAILURE_UNREADABLE, true },
                { -1, "", FAILURE_UNREADABLE, true },
                /* The gateway's digits, under each prefix, whatever the status. */
                { 404, E1("APIGW.0101"), FAILURE_NOT_OFFERED, false },
                { 404, E1("APIG.0101"), FAILURE_NOT_OFFERED, false },
                { 404, E1("APIC.0101"), FAILURE_NOT_OFFERED, false },
                { 404, E1("APIGW.0999"), FAILURE_NOT_OFFERED, false },
                { 404, E1("APIX.0101"), FAILURE_NOT_FOUND, false },
                { 404, E1("APIGW.01012"), FAILURE_NOT_FOUND, false },
                { 400, E1("APIGW.0103"), FAILURE_SERVER, true },
                { 500, E1("APIGW.0106"), FAILURE_SERVER, true },
                { 400, E1("APIGW.0201"), FAILURE_BAD_REQUEST, false },
                { 413, E1("APIGW.0201"), FAILURE_BAD_REQUEST, false },
                { 494, E1("APIGW.0201"), FAILURE_BAD_REQUEST, false },
                { 504, E1("APIGW.0201"), FAILURE_SERVER, true },
                { 502, E1("APIGW.0202"), FAILURE_SERVER, true },
                { 504, E1("APIG.0203"), FAILURE_SERVER, true },
                { 400, E1("APIGW.0204"), FAILURE_BAD_REQUEST, false },
                { 401, E1("APIGW.0301"), FAILURE_CREDENTIALS, false },
                { 400, E1("APIG.0301"), FAILURE_CREDENTIALS, false },
                { 403, E1("APIGW.0302"), FAILURE_NOT_PERMITTED, false },
                { 401, E1("APIGW.0303"), FAILURE_CREDENTIALS, false },
                { 403, E1("APIGW.0304"), FAILURE_NOT_PERMITTED, false },
                { 403, E1("APIGW.0306"), FAILURE_NOT_PERMITTED, false },
                { 401, E1("APIGW.0307"), FAILURE_CREDENTIALS, false },
                { 429, E1("APIGW.0308"), FAILURE_THROTTLED, false },
                { 403, E1("APIGW.0308"), FAILURE_THROTTLED, false },
                { 403, E1("APIGW.0310"), FAILURE_NOT_PERMITTED, false },
                { 403, E1("APIGW.0401"), FAILURE_NOT_PERMITTED, false },
                { 403, E1("APIGW.0802"), FAILURE_NOT_PERMITTED, false },
                { 500, E1("APIGW.0601"), FAILURE_SERVER, true },
                { 400, E1("APIGW.0607"), FAILURE_BAD_REQUEST, false },
                { 503, E1("APIGW.0613"), FAILURE_SERVER, true },
                /* The services' codes. */
                { 400, E1("DBS.200001"), FAILURE_BAD_REQUEST, false },
                { 400, E1("DBS.280001"), FAILURE_BAD_REQUEST, false },
                { 400, E1("DBS.290001"), FAILURE_BAD_REQUEST, false },
                { 400, E1("DBS.200086"), FAILURE_BUSY, false },
                { 400, E1("DBS.201014"), FAILURE_BUSY, false },
                { 400, E1("DBS.280800"), FAILURE_BUSY, false },
                { 400, E1("DBS.201208"), FAILURE_BUSY, false },
                { 400, E1("DBS.301024"), FAILURE_BUSY, false },
                { 409, E1("DBS.280011"), FAILURE_BUSY, false },
                { 409, E1("DBS.200019"), FAILURE_BUSY, false },
                { 400, E1("DBS.200019"), FAILURE_BUSY, false },
                { 409, E1("DBS.05000084"), FAILURE_BUSY, false },
                { 409, E1("DBS.201205"), FAILURE_BUSY, false },
                { 409, E1("DBS.999999"), FAILURE_BUSY, false },
                { 409, E1("DBS.200316"), FAILURE_BAD_REQUEST, false },
                { 400, E1("DBS.201203"), FAILURE_NOT_FOUND, false },
                { 400, E1("DBS.200506"), FAILURE_BAD_REQUEST, false },
                { 403, E1("DBS.280056"), FAILURE_CREDENTIALS, false },
                { 403, E1("DBS.200010"), FAILURE_NOT_PERMITTED, false },
                { 403, E1("DBS.280015"), FAILURE_NOT_PERMITTED, false },
                { 404, E1("DBS.200010"), FAILURE_NOT_PERMITTED, false },
                { 404, E1("DBS.200002"), FAILURE_NOT_FOUND, false },
                { 404, E1("DBS.290011"), FAILURE_NOT_FOUND, false },
                { 404, E1("DBS.777777"), FAILURE_NOT_FOUND, false },
                { 404, E1("DBS.201010"), FAILURE_NOT_FOUND, false },
                { 500, E1("DBS.111205"), FAILURE_SERVER, true },
                { 500, E1("DBS.200019"), FAILURE_SERVER, true },
                { 500, E1("DBS.200002"), FAILURE_SERVER, true },
                { 401, E1("DBSS.10020100"), FAILURE_CREDENTIALS, false },
                { 403, E1("DBSS.10020101"), FAILURE_NOT_PERMITTED, false },
                { 404, E1("DBSS.10021004"), FAILURE_NOT_OFFERED, false },
                { 500, E1("DBSS.11000000"), FAILURE_SERVER, true },
                { 429, E1("IAM.0012"), FAILURE_THROTTLED, false },
                { 403, E1("IAM.0003"), FAILURE_NOT_PERMITTED, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f;

                print_message("%d %s\n", cases[i].status, cases[i].body);
                f = classify(cases[i].status, cases[i].body, true);
                assert_string_equal(failure_class_to_string(f.class), failure_class_to_string(cases[i].class));
                assert_int_equal(f.maybe_done, cases[i].maybe_done);
                f = classify(cases[i].status, cases[i].body, false);
                assert_int_equal(f.class, cases[i].class);
                assert_false(f.maybe_done);
        }
}

static void test_failure_classify_shapes(void **state) {
        static const struct {
                const char *what, *body, *code, *message;
        } cases[] = {
                { "flat", "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\"}", "DBS.1", "why" },
                { "numeric code", "{\"error_code\":17,\"error_msg\":\"why\"}", "17", "why" },
                { "details",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"details\":[{\"error_code\":\"PDP5.0001\","
                  "\"error_msg\":\"because\"}],"
                  "\"encoded_authorization_message\":\"XYZ\"}",
                  "DBS.1", "why; because; encoded authorization message: XYZ" },
                { "null details",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"details\":null,\"encoded_authorization_"
                  "message\":null}",
                  "DBS.1", "why" },
                { "odd details",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"details\":[7,null,[],{},{\"error_msg\":7},{"
                  "\"error_msg\":{}}]}",
                  "DBS.1", "why; 7" },
                { "details as an object",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"details\":{\"error_msg\":\"x\"}}", "DBS.1",
                  "why" },
                { "repeated detail",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"details\":[{\"error_msg\":\"why\"}]}", "DBS.1",
                  "why" },
                { "encoded message alone", "{\"encoded_authorization_message\":\"XYZ\"}", "",
                  "encoded authorization message: XYZ" },
                { "under error", "{\"error\":{\"error_code\":\"DBSS.1\",\"error_msg\":\"why\"}}", "DBSS.1", "why" },
                { "keystone", "{\"error\":{\"code\":400,\"message\":\"why\",\"title\":\"Bad Request\"}}", "400",
                  "why" },
                { "gateway", "{\"error_msg\":\"why\",\"error_code\":\"APIGW.0201\",\"request_id\":\"r1\"}",
                  "APIGW.0201", "why" },
                { "camel", "{\"errorCode\":\"X.1\",\"errorMsg\":\"why\"}", "X.1", "why" },
                { "errCode", "{\"errCode\":\"X.2\"}", "X.2", "HTTP status 400" },
                { "code and message", "{\"code\":\"X.3\",\"message\":\"why\"}", "X.3", "why" },
                { "flat before nested",
                  "{\"error\":{\"code\":\"N.1\",\"message\":\"inner\"},\"error_code\":\"F.1\",\"error_msg\":"
                  "\"outer\"}",
                  "F.1", "outer" },
                { "error_code before code",
                  "{\"code\":\"C.1\",\"message\":\"c\",\"error_code\":\"F.1\",\"error_msg\":\"f\"}", "F.1", "f" },
                { "errorCode before code",
                  "{\"code\":\"C.1\",\"message\":\"c\",\"errorCode\":\"F.1\",\"errorMsg\":\"f\"}", "F.1", "f" },
                { "deeper", "{\"a\":{\"b\":{\"c\":{\"error_code\":\"D.1\",\"error_msg\":\"why\"}}}}", "D.1", "why" },
                { "a message alone is nobody's", "{\"message\":\"hello\"}", "",
                  "HTTP status 400 without an error document" },
                { "an error_msg alone", "{\"error_msg\":\"why\"}", "", "why" },
                { "wrong types", "{\"error_code\":[],\"error_msg\":{},\"code\":true}", "",
                  "HTTP status 400 without an error document" },
                { "not JSON", HTML, "", "HTTP status 400 without an error document" },
                { "JSON that ends early", "{\"error_code\":\"DBS.1\",\"error_msg\":\"wh", "",
                  "HTTP status 400 without an error document" },
                { "a list", "[{\"error_code\":\"DBS.1\"}]", "", "HTTP status 400 without an error document" },
                { "control characters",
                  "{\"error_code\":\"DBS.1\",\"error_msg\":\"a\\nb\\tc\\u001b[31m\\u0000d\\u202ee\"}", "DBS.1",
                  "a b c?[31m" },
                { "Chinese", "{\"error_code\":\"DBS.1\",\"error_msg\":\"\xe5\xae\x9e\xe4\xbe\x8b\"}", "DBS.1",
                  "\xe5\xae\x9e\xe4\xbe\x8b" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Failure f = classify(400, cases[i].body, false);

                print_message("%s\n", cases[i].what);
                assert_string_equal(f.code, cases[i].code);
                assert_memory_equal(f.message, cases[i].message, strlen(cases[i].message));
                assert_true(strncmp(cases[i].what, "control", 7) == 0 ||
                            strlen(f.message) == strlen(cases[i].message));
                assert_null(strpbrk(f.message, "\n\t\x1b"));
        }
}

static void test_failure_classify_long_message(void **state) {
        char body[8192], filler[4000];
        Failure f;

        /* Three bytes a character: the cut must not split one. */
        for (size_t i = 0; i + 3 < sizeof(filler); i += 3)
                memcpy(filler + i, "\xe5\xae\x9e", 4);
        (void) snprintf(body, sizeof(body),
                        "{\"error_code\":\"DBS.1\",\"error_msg\":\"%s\",\"encoded_authorization_message\":\"XYZ\"}",
                        filler);
        f = classify(400, body, false);
        assert_int_equal(strlen(f.message) % 3, 0);
        assert_true(strlen(f.message) >= sizeof(f.message) - 3);
        assert_null(strstr(f.message, "XYZ"));

        /* The encoded message is of use only whole. */
        memset(filler, 'x', sizeof(filler));
        filler[2000] = '\0';
        (void) snprintf(body, sizeof(body),
                        "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"encoded_authorization_message\":\"%s\"}",
                        filler);
        assert_string_equal(classify(403, body, false).message, "why");
        filler[500] = '\0';
        (void) snprintf(body, sizeof(body),
                        "{\"error_code\":\"DBS.1\",\"error_msg\":\"why\",\"encoded_authorization_message\":\"%s\"}",
                        filler);
        assert_non_null(strstr(classify(403, body, false).message, filler));

        /* An endless code is cut to its field. */
        (void) snprintf(body, sizeof(body), "{\"error_code\":\"%s\",\"error_msg\":\"why\"}", filler);
        assert_int_equal(strlen(classify(400, body, false).code), sizeof(f.code) - 1);
}

static void test_failure_classify_hides_secrets(void **state) {
        static const char *const bodies[] = {
                "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"Incorrect IAM authentication information: verify "
                "aksk signature fail, canonicalRequest:GET|/v3/x/||host:h|x-security-token:SECRETTOKEN||host|e3b0\"}",
                "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"bad headers X-Security-Token:SECRETTOKEN\"}",
                "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"bad headers X-Auth-Token: SECRETTOKEN\"}",
                "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"why\",\"details\":[{\"error_msg\":\"x-auth-token:"
                "SECRETTOKEN\"}]}",
                "SECRETTOKEN",
                "{\"token\":\"SECRETTOKEN\"}",
        };

        for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
                Failure f = classify(401, bodies[i], false);

                print_message("%s\n", f.message);
                assert_null(strstr(f.message, "SECRET"));
        }
        assert_string_equal(classify(401, bodies[0], false).message,
                            "Incorrect IAM authentication information: verify aksk signature fail");
}

static void test_failure_classify_credentials(void **state) {
        static const struct {
                int status;
                const char *code, *message;
                bool token_expired, locked_out;
        } cases[] = {
                { 401, "APIGW.0301", "Incorrect IAM authentication information: verify aksk signature fail", false,
                  false },
                { 401, "APIG.0301",
                  "Incorrect IAM authentication information: Get secretKey failed,ak:A,err:ak not exist", false,
                  false },
                { 401, "APIGW.0301",
                  "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden", false,
                  true },
                { 401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail", true, false },
                { 401, "APIGW.0307", "The token must be updated.", true, false },
                { 401, "DBSS.10020100", "token authentication failed", true, false },
                { 403, "DBS.280056", "Invalid token.", true, false },
                { 401, "", "", true, false },
                { 403, "DBS.200010", "no", false, false },
                { 400, "DBS.1", "AK access failed to reach the limit", false, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char body[512];
                Failure f;

                (void) snprintf(body, sizeof(body), "{\"error_code\":\"%s\",\"error_msg\":\"%s\"}", cases[i].code,
                                cases[i].message);
                print_message("%s\n", body);
                f = classify(cases[i].status, body, true);
                assert_int_equal(f.token_expired, cases[i].token_expired);
                assert_int_equal(f.locked_out, cases[i].locked_out);
                assert_false(f.maybe_done);
        }
}

static void test_failure_classify_retry_after(void **state) {
        static const struct {
                const char *header, *date;
                int status;
                const char *message;
                usec_t expected;
        } cases[] = {
                { "7", NULL, 429, "", 7 * USEC_PER_SEC },
                { "7 ", NULL, 429, "", 7 * USEC_PER_SEC },
                { "120", NULL, 503, "", 120 * USEC_PER_SEC },
                { "60", NULL, 409, "", 60 * USEC_PER_SEC },
                { "0", NULL, 429, "", 0 },
                { "86401", NULL, 429, "", USEC_PER_DAY },
                { "99999999999999999999999999", NULL, 429, "", USEC_PER_DAY },
                { "-5", NULL, 429, "", 0 },
                { "7s", NULL, 429, "", 0 },
                { "soon", NULL, 429, "", 0 },
                { "Sat, 01 Aug 2026 02:40:00 GMT", NULL, 429, "", 60 * USEC_PER_SEC },
                { "Sat, 01 Aug 2026 03:40:00 GMT", "Sat, 01 Aug 2026 03:39:30 GMT", 429, "", 30 * USEC_PER_SEC },
                { "Sat, 01 Aug 2026 02:00:00 GMT", DATE, 429, "", 0 },
                { "Sat, 01 Aug 2099 02:00:00 GMT", DATE, 429, "", USEC_PER_DAY },
                { NULL, NULL, 429, "", 0 },
                { NULL, NULL, 429, "policy user over ratelimit,limit:5,time:1 minute", 12 * USEC_PER_SEC },
                { NULL, NULL, 429, "policy ip over ratelimit,limit:200,time:5 minute", 2 * USEC_PER_SEC },
                { NULL, NULL, 429, "policy api over ratelimit,limit:1,time:30 second", 30 * USEC_PER_SEC },
                { "3", NULL, 429, "limit:5,time:1 minute", 3 * USEC_PER_SEC },
                { NULL, NULL, 429, "Threshold: 10 times per 60 seconds", 6 * USEC_PER_SEC },
                { NULL, NULL, 429, "limit:0,time:1 minute", 0 },
                { NULL, NULL, 429, "limit:,time:", 0 },
                { NULL, NULL, 429, "limit:1,time:99999999999999 hours", USEC_PER_DAY },
                { NULL, NULL, 500, "limit:5,time:1 minute", 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char body[512];
                HttpReply p;
                Failure f;

                print_message("%s %s\n", cases[i].header ? cases[i].header : "-", cases[i].message);
                (void) snprintf(body, sizeof(body), "{\"error_code\":\"X.1\",\"error_msg\":\"%s\"}",
                                cases[i].message);
                p = reply(cases[i].status, body);
                p.retry_after = (char *) cases[i].header;
                p.date = (char *) cases[i].date;
                failure_classify(&p, false, T0, &f);
                assert_int_equal(f.retry_after_usec, cases[i].expected);
        }
}

static void test_failure_classify_headers(void **state) {
        HttpReply p = reply(400,
                            "{\"error_code\":\"APIGW.0201\",\"error_msg\":\"why\",\"request_id\":\"from-body\"}");
        char long_id[1000];
        Failure f;

        failure_classify(&p, false, T0, &f);
        assert_string_equal(f.request_id, "from-body");
        assert_int_equal(f.date_usec, 0);

        p.request_id = (char *) "from-header";
        p.date = (char *) DATE;
        failure_classify(&p, false, T0, &f);
        assert_string_equal(f.request_id, "from-header");
        assert_int_equal(f.date_usec, T0);

        memset(long_id, 'r', sizeof(long_id) - 1);
        long_id[sizeof(long_id) - 1] = '\0';
        p.request_id = long_id;
        p.date = (char *) "yesterday";
        failure_classify(&p, false, T0, &f);
        assert_int_equal(strlen(f.request_id), REQUEST_ID_MAX - 1);
        assert_int_equal(f.date_usec, 0);
}

static void test_failure_classify_transport(void **state) {
        static const struct {
                HttpOutcome outcome;
                bool is_write, maybe_done;
                const char *error, *message;
        } cases[] = {
                { HTTP_NOT_SENT, false, false, "could not resolve host", "could not resolve host" },
                { HTTP_NOT_SENT, true, false, "refused\n", "refused " },
                { HTTP_NOT_SENT, true, false, NULL, "the request could not be sent" },
                { HTTP_LOST, false, false, "timed out", "timed out" },
                { HTTP_LOST, true, true, "timed out", "timed out" },
                { HTTP_LOST, true, true, NULL, "no answer came" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpReply p = { .outcome = cases[i].outcome, .error = (char *) cases[i].error, .status = 200 };
                Failure f;

                failure_classify(&p, cases[i].is_write, T0, &f);
                assert_int_equal(f.class, FAILURE_TRANSPORT);
                assert_int_equal(f.http_status, 0);
                assert_int_equal(f.maybe_done, cases[i].maybe_done);
                assert_string_equal(f.message, cases[i].message);
        }
}

/* An error that a cut body hides is still a failure by its status. */
static void test_failure_classify_cut_body(void **state) {
        HttpReply p = reply(404, E1("DBS.200002"));
        Failure f;

        p.body_cut = true;
        failure_classify(&p, false, T0, &f);
        assert_int_equal(f.class, FAILURE_NOT_OFFERED);
        assert_string_equal(f.code, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_failure_classify_class),
                cmocka_unit_test(test_failure_classify_shapes),
                cmocka_unit_test(test_failure_classify_long_message),
                cmocka_unit_test(test_failure_classify_hides_secrets),
                cmocka_unit_test(test_failure_classify_credentials),
                cmocka_unit_test(test_failure_classify_retry_after),
                cmocka_unit_test(test_failure_classify_headers),
                cmocka_unit_test(test_failure_classify_transport),
                cmocka_unit_test(test_failure_classify_cut_body),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
