/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the wire and comes back, and with whom the transport speaks at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "transport-fixture.h"
#include "transport-servers.h"

static int send_refused(Fixture *f, HttpRequest q) {
        int r = transport_send(f->transport, &q, 0);

        assert_true(r < 0);
        assert_non_null(q.path);
        http_request_done(&q);
        return r;
}

/* What goes over the wire. */

static void test_send_writes_exactly_the_request(void **state) {
        static const struct {
                HttpMethod method;
                const char *path, *query, *body, *content_type;
                const char *wire;
        } cases[] = {
                { HTTP_GET, "/v3/a", NULL, NULL, NULL,
                  "GET /v3/a HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n\r\n" },
                { HTTP_GET, "/v3/../a/./b//c%2fd%20", "q=%2F..&z&b=%e4", NULL, "application/json",
                  "GET /v3/../a/./b//c%2fd%20?q=%2F..&z&b=%e4 HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\n"
                  "X-Auth-Token: t0ken\r\nX-Empty:\r\nContent-Type: application/json\r\n\r\n" },
                { HTTP_GET, "/", "", NULL, NULL,
                  "GET / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n\r\n" },
                { HTTP_POST, "/v3/a", NULL, NULL, NULL,
                  "POST /v3/a HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n"
                  "Content-Length: 0\r\n\r\n" },
                { HTTP_PUT, "/v3/a", NULL, NULL, NULL,
                  "PUT /v3/a HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n"
                  "Content-Length: 0\r\n\r\n" },
                { HTTP_POST, "/v3/a", "x=1", "{\"a\":1}", "application/json",
                  "POST /v3/a?x=1 HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n"
                  "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
                { HTTP_PUT, "/v3/a", NULL, "{}", "application/json;charset=utf8",
                  "PUT /v3/a HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n"
                  "Content-Type: application/json;charset=utf8\r\nContent-Length: 2\r\n\r\n{}" },
                { HTTP_GET, "/again", NULL, NULL, NULL,
                  "GET /again HTTP/1.1\r\nHost: HOST\r\nUser-Agent: UA\r\nX-Auth-Token: t0ken\r\nX-Empty:\r\n\r\n" },
        };
        Raw *raw = raw_new(RAW_ANSWER_AND_CLOSE, ANSWER_OK);
        Fixture *f = fixture_new(NULL);
        char host[64];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpRequest q = make_request(cases[i].method, "http", "127.0.0.1", raw->port, cases[i].path, cases[i].query,
                                             cases[i].body);

                /* A Host of the request's own, as the signature needs it; the Content-Length is not its business. */
                assert_int_equal(http_request_add_header(&q, "Host", "HOST"), 0);
                assert_int_equal(http_request_add_header(&q, "User-Agent", "UA"), 0);
                assert_int_equal(http_request_add_header(&q, "X-Auth-Token", "t0ken"), 0);
                assert_int_equal(http_request_add_header(&q, "X-Empty", ""), 0);
                assert_int_equal(http_request_add_header(&q, "Content-Length", "99"), 0);
                assert_int_equal(http_request_add_header(&q, "Expect", "100-continue"), 0);
                if (cases[i].content_type)
                        assert_int_equal(http_request_add_header(&q, "Content-Type", cases[i].content_type), 0);

                assert_replied(ask(f, q), 200, "ok");
                print_message("%s\n", cases[i].path);
                (void) pthread_mutex_lock(&raw->lock);
                assert_string_equal(raw->seen, cases[i].wire);
                (void) pthread_mutex_unlock(&raw->lock);
        }

        assert_replied(ask(f, plain_request(HTTP_GET, raw->port, NULL)), 200, "ok");
        raw_stop(raw);
        (void) snprintf(host, sizeof(host), "GET /v3/p HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", raw->port);
        assert_memory_equal(raw->seen, host, strlen(host));
        assert_null(strstr(raw->seen, "User-Agent"));
        raw_free(raw);
        fixture_free(f);
}

static void test_send_with_all_headers_and_a_long_one(void **state) {
        Raw *raw = raw_new(RAW_ANSWER, ANSWER_OK);
        Fixture *f = fixture_new(NULL);
        HttpRequest q = plain_request(HTTP_GET, raw->port, NULL);
        char *token = calloc(1, 32769), *huge = calloc(1, 300001);

        assert_non_null(token);
        assert_non_null(huge);
        memset(token, 't', 32768);
        memset(huge, 'h', 300000);
        while (q.n_headers < HTTP_HEADERS_MAX)
                assert_int_equal(http_request_add_header(&q, "X-Auth-Token", q.n_headers == 0 ? token : "short"), 0);
        assert_replied(ask(f, q), 200, "ok");
        assert_non_null(strstr(raw->seen, token));

        q = plain_request(HTTP_GET, raw->port, NULL);
        assert_int_equal(http_request_add_header(&q, "X-Auth-Token", huge), 0);
        assert_int_equal(send_refused(f, q), -E2BIG);

        raw_stop(raw);
        assert_int_equal(raw->n_requests, 1);
        raw_free(raw);
        fixture_free(f);
        free(token);
        free(huge);
}

static void test_send_refuses(void **state) {
        static const struct {
                const char *origin, *path, *query;
                int r;
        } cases[] = {
                { "http://192.0.2.1", "/", NULL, -EPROTONOSUPPORT },
                { "http://example.invalid", "/", NULL, -EPROTONOSUPPORT },
                { "http://127.0.0.1.example.invalid", "/", NULL, -EPROTONOSUPPORT },
                { "http://localhost.example.invalid", "/", NULL, -EPROTONOSUPPORT },
                { "http://128.0.0.1", "/", NULL, -EPROTONOSUPPORT },
                { "http://169.254.169.253", "/", NULL, -EPROTONOSUPPORT },
                { "http://0.0.0.0", "/", NULL, -EPROTONOSUPPORT },
                { "http://[::2]", "/", NULL, -EPROTONOSUPPORT },
                { "http://[::ffff:192.0.2.1]", "/", NULL, -EPROTONOSUPPORT },
                { "ftp://127.0.0.1", "/", NULL, -EPROTONOSUPPORT },
                { "file://localhost", "/etc/passwd", NULL, -EPROTONOSUPPORT },
                { "gopher://127.0.0.1", "/", NULL, -EPROTONOSUPPORT },
                { "https://user:password@127.0.0.1", "/", NULL, -EINVAL },
                { "https://127.0.0.1/path", "/", NULL, -EINVAL },
                { "https://127.0.0.1?q", "/", NULL, -EINVAL },
                { "https://127.0.0.1#f", "/", NULL, -EINVAL },
                { "https://127.0.0.1:99999", "/", NULL, -EINVAL },
                { "https://", "/", NULL, -EINVAL },
                { "127.0.0.1", "/", NULL, -EINVAL },
                { "", "/", NULL, -EINVAL },
                { "https://127.0.0.1", "", NULL, -EINVAL },
                { "https://127.0.0.1", "path", NULL, -EINVAL },
                { "https://127.0.0.1", "/a b", NULL, -EINVAL },
                { "https://127.0.0.1", "/a\r\nX-Other: 1", NULL, -EINVAL },
                { "https://127.0.0.1", "/a?b", NULL, -EINVAL },
                { "https://127.0.0.1", "/a#b", NULL, -EINVAL },
                { "https://127.0.0.1", "/\xc3\xa4", NULL, -EINVAL },
                { "https://127.0.0.1", "/", "a b", -EINVAL },
                { "https://127.0.0.1", "/", "a\n", -EINVAL },
                { "https://127.0.0.1", "/", "a#b", -EINVAL },
        };
        Fixture *f = fixture_new(NULL);

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpRequest q = { .origin = copy_text(cases[i].origin), .path = copy_text(cases[i].path),
                                  .query = cases[i].query ? copy_text(cases[i].query) : NULL };

                print_message("%s %s %s\n", cases[i].origin, cases[i].path, cases[i].query ? cases[i].query : "");
                assert_int_equal(send_refused(f, q), cases[i].r);
        }

        HttpRequest q = plain_request(HTTP_GET, 1, "a body");
        assert_int_equal(send_refused(f, q), -EINVAL);
        q = plain_request(HTTP_GET, 1, NULL);
        assert_int_equal(http_request_add_header(&q, "X-Bad", "a\r\nX-Other: b"), 0);
        assert_int_equal(send_refused(f, q), -EINVAL);

        assert_int_equal(transport_n_running(f->transport), 0);
        fixture_free(f);
}

static void test_send_speaks_plain_http_on_the_loopback(void **state) {
        static const char *const hosts[] = { "127.0.0.1", "localhost", "LOCALHOST", "127.1" };
        Raw *raw = raw_new(RAW_ANSWER_AND_CLOSE, ANSWER_OK);
        Fixture *f = fixture_new(NULL);

        for (size_t i = 0; i < N_ELEMENTS(hosts); i++)
                assert_replied(ask(f, make_request(HTTP_GET, "http", hosts[i], raw->port, "/", NULL, NULL)), 200, "ok");

        /* Not refused; whether something answers there is another question. */
        send_request(f, make_request(HTTP_GET, "http", "[::1]", raw->port, "/", NULL, NULL), 1);
        fixture_free(f);
        raw_stop(raw);
        raw_free(raw);
}

/* What comes back. */

static void test_reply_headers(void **state) {
        static const struct {
                const char *answer;
                int status;
                const char *body, *date, *request_id, *retry_after, *token;
        } cases[] = {
                { "HTTP/1.1 429 Too Many\r\nDATE: Fri, 20 Nov 2026 21:56:00 GMT\r\nx-request-ID:  abc \r\nretry-After: 120\r\n"
                  "X-Subject-TOKEN: tok\r\nX-IAM-Trace-Id: trace\r\nContent-Length: 0\r\n\r\n",
                  429, "", "Fri, 20 Nov 2026 21:56:00 GMT", "abc", "120", "tok" },
                { "HTTP/1.1 200 OK\r\nX-IAM-Trace-Id: trace\r\nContent-Length: 0\r\n\r\n",
                  200, "", NULL, "trace", NULL, NULL },
                { "HTTP/1.1 200 OK\r\nDate:\r\nX-Request-Idd: a\r\nX-Request-I: b\r\nContent-Length: 0\r\n\r\n",
                  200, "", NULL, NULL, NULL, NULL },
                { "HTTP/1.1 200 OK\r\nX-Request-Id: one\r\nX-Request-Id: two\r\nContent-Length: 0\r\n\r\n",
                  200, "", NULL, "one", NULL, NULL },
                { "HTTP/1.1 103 Early Hints\r\nDate: early\r\nRetry-After: 1\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nDate: late\r\nContent-Length: 1\r\n\r\nx", 200, "x", "late", NULL, NULL, NULL },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Date\r\nX-Request-Id: one\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Request-Id: two\r\n\r\n", 200, "abcde", NULL, "one", NULL, NULL },
                { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", NULL, NULL, NULL, NULL },
                { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, "until the end", NULL, NULL, NULL, NULL },
                { "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", 500, "oops", NULL, NULL, NULL, NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Raw *raw = raw_new(RAW_ANSWER_AND_CLOSE, cases[i].answer);
                Fixture *f = fixture_new(NULL);
                HttpReply *p = ask(f, plain_request(HTTP_GET, raw->port, NULL));

                print_message("%s\n", cases[i].answer);
                assert_replied(p, cases[i].status, cases[i].body);
                assert_true(streq0(p->date, cases[i].date));
                assert_true(streq0(p->request_id, cases[i].request_id));
                assert_true(streq0(p->retry_after, cases[i].retry_after));
                assert_true(streq0(p->subject_token, cases[i].token));
                assert_true(p->taken_usec > 0 && p->taken_usec < PATIENCE_USEC);
                raw_stop(raw);
                raw_free(raw);
                fixture_free(f);
        }
}

static void test_reply_headers_are_capped(void **state) {
        Raw *raw = raw_new(RAW_FLOOD, NULL);
        Fixture *f = fixture_new(NULL);

        assert_failed(ask(f, plain_request(HTTP_GET, raw->port, NULL)), HTTP_LOST);
        assert_non_null(strstr(f->results[0].error, "256 KB"));
        raw_stop(raw);
        raw_free(raw);
        fixture_free(f);
}

/* TLS. */

static void test_tls_round_trip(void **state) {
        Https *s = https_new("DNS:localhost,IP:127.0.0.1");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);

        assert_replied(ask(f, make_request(HTTP_GET, "https", "localhost", s->port, "/v3/a%20b", "x=%2f", NULL)), 200,
                       "GET /v3/a%20b?x=%2f ");
        assert_string_equal(f->results[0].request_id, "req-1");
        assert_non_null(f->results[0].date);
        assert_replied(ask(f, make_request(HTTP_POST, "https", "127.0.0.1", s->port, "/v3/p", NULL, "{\"a\":1}")), 200,
                       "POST /v3/p {\"a\":1}");
        assert_replied(ask(f, tls_request(HTTP_PUT, s->port, "/v3/p", "{}")), 200, "PUT /v3/p {}");
        assert_replied(ask(f, tls_request(HTTP_POST, s->port, "/v3/p", NULL)), 200, "POST /v3/p ");
        fixture_free(f);
        https_free(s);
}

static void test_tls_refuses_who_is_not_trusted(void **state) {
        Https *s = https_new("DNS:localhost,IP:127.0.0.1"), *other = https_new("DNS:localhost,IP:127.0.0.1");
        TransportOptions o = options_for(other->ca_file), system = options_for(NULL);
        Fixture *f = fixture_new(&o);

        assert_failed(ask(f, tls_request(HTTP_PUT, s->port, "/v3/p", "{}")), HTTP_NOT_SENT);
        assert_non_null(strstr(f->results[0].error, "certificate"));
        fixture_free(f);

        f = fixture_new(&system);
        assert_failed(ask(f, tls_request(HTTP_PUT, s->port, "/v3/p", "{}")), HTTP_NOT_SENT);
        fixture_free(f);
        https_free(other);
        https_free(s);
}

static void test_tls_refuses_another_name(void **state) {
        Https *s = https_new("DNS:elsewhere.example,IP:127.0.0.2");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);

        assert_failed(ask(f, tls_request(HTTP_GET, s->port, "/v3/p", NULL)), HTTP_NOT_SENT);
        assert_failed(ask(f, make_request(HTTP_GET, "https", "127.0.0.1", s->port, "/v3/p", NULL, NULL)), HTTP_NOT_SENT);
        fixture_free(f);
        https_free(s);
}

static void test_redirect_is_not_followed(void **state) {
        Https *s = https_new("DNS:localhost");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);

        assert_replied(ask(f, tls_request(HTTP_GET, s->port, "/redirect", NULL)), 302, "");
        fixture_free(f);
        https_free(s);
}

static void test_body_is_cut(void **state) {
        static const struct {
                const char *path;
                size_t n;
                bool cut;
        } cases[] = {
                { "/big/1048576", HTTP_BODY_MAX, false },
                { "/big/1048577", HTTP_BODY_MAX, true },
                { "/big/2097152", HTTP_BODY_MAX, true },
                { "/big/70000", 70000, false },
        };
        Https *s = https_new("DNS:localhost");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                HttpReply *p = ask(f, tls_request(HTTP_GET, s->port, cases[i].path, NULL));

                print_message("%s\n", cases[i].path);
                assert_int_equal(p->outcome, HTTP_REPLIED);
                assert_int_equal(p->status, 200);
                assert_int_equal(p->body_cut, cases[i].cut);
                assert_int_equal(p->n_body, cases[i].n);
                assert_int_equal(strlen(p->body), cases[i].n);
                assert_int_equal(strspn(p->body, "b"), cases[i].n);
        }
        fixture_free(f);
        https_free(s);
}

static void test_big_token(void **state) {
        Https *s = https_new("DNS:localhost");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);
        HttpReply *p = ask(f, tls_request(HTTP_POST, s->port, "/token", "{}"));

        assert_replied(p, 201, "{}");
        assert_int_equal(strlen(p->subject_token), 40000);
        assert_int_equal(strspn(p->subject_token, "t"), 40000);
        fixture_free(f);
        https_free(s);
}

static void test_many_requests_over_few_connections(void **state) {
        Https *s = https_new("DNS:localhost");
        TransportOptions o = options_for(s->ca_file);
        Fixture *f = fixture_new(&o);
        bool seen[400] = {};

        for (unsigned i = 0; i < N_ELEMENTS(seen); i++)
                send_request(f, tls_request(HTTP_GET, s->port, "/v3/p", NULL), i);
        assert_int_equal(transport_n_running(f->transport), N_ELEMENTS(seen));
        run_until(f, N_ELEMENTS(seen));
        for (unsigned i = 0; i < N_ELEMENTS(seen); i++) {
                assert_replied(&f->results[i], 200, "GET /v3/p ");
                assert_false(seen[f->cookies[i]]);
                seen[f->cookies[i]] = true;
        }
        assert_in_range(https_n_connections(s), 1, 4);
        assert_int_equal(transport_n_running(f->transport), 0);
        fixture_free(f);
        https_free(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_send_writes_exactly_the_request),
                cmocka_unit_test(test_send_with_all_headers_and_a_long_one),
                cmocka_unit_test(test_send_refuses),
                cmocka_unit_test(test_send_speaks_plain_http_on_the_loopback),
                cmocka_unit_test(test_reply_headers),
                cmocka_unit_test(test_reply_headers_are_capped),
                cmocka_unit_test(test_tls_round_trip),
                cmocka_unit_test(test_tls_refuses_who_is_not_trusted),
                cmocka_unit_test(test_tls_refuses_another_name),
                cmocka_unit_test(test_redirect_is_not_followed),
                cmocka_unit_test(test_body_is_cut),
                cmocka_unit_test(test_big_token),
                cmocka_unit_test(test_many_requests_over_few_connections),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
