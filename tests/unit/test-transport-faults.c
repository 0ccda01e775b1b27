/* SPDX-License-Identifier: Apache-2.0 */
/* The transport when things go wrong, with proxies, and while its options change. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "base/macro.h"
#include "transport-fixture.h"
#include "transport-servers.h"

/* libcurl as the room calls it: the one option that keeps changes off used connections can be left out. */
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
static bool drop_fresh_connect;

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...) {
        CURLcode rc;
        va_list ap;

        va_start(ap, option);
        if (drop_fresh_connect && option == CURLOPT_FRESH_CONNECT)
                rc = CURLE_OK;
        else if (option < CURLOPTTYPE_OBJECTPOINT)
                rc = __real_curl_easy_setopt(easy, option, va_arg(ap, long));
        else
                rc = __real_curl_easy_setopt(easy, option, va_arg(ap, void *));
        va_end(ap);
        return rc;
}

/* What goes wrong. */

static void test_lost_when_the_server_closes(void **state) {
        static const struct {
                RawMode mode;
                const char *answer;
        } cases[] = {
                { RAW_CLOSE, NULL },
                { RAW_ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" },
                { RAW_ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\nDate: x" },
                { RAW_ANSWER_AND_CLOSE, "HTTP/1.1 100 Continue\r\n\r\n" },
                { RAW_ANSWER_AND_CLOSE, "what is this\r\n\r\n" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (HttpMethod m = HTTP_GET; m < HTTP_METHOD__MAX; m++) {
                        Raw *raw = raw_new(cases[i].mode, cases[i].answer);
                        Fixture *f = fixture_new(NULL);

                        assert_failed(ask(f, plain_request(m, raw->port, m == HTTP_GET ? NULL : "{}")), HTTP_LOST);
                        raw_stop(raw);
                        assert_int_equal(raw->n_requests, 1);
                        raw_free(raw);
                        fixture_free(f);
                }
}

/* A kept connection dies under the second request: a read is sent again, a change goes over a new one at once. */
static void test_dead_kept_connection(void **state) {
        for (HttpMethod m = HTTP_GET; m < HTTP_METHOD__MAX; m++) {
                Raw *raw = raw_new(RAW_ANSWER_THEN_CLOSE, ANSWER_OK);
                Fixture *f = fixture_new(NULL);

                assert_replied(ask(f, plain_request(HTTP_GET, raw->port, NULL)), 200, "ok");
                /* The one thread serves one connection at a time, and only closing makes it turn to the next. */
                if (m != HTTP_GET)
                        assert_int_equal(shutdown(raw->listen_fd, SHUT_RD), 0);
                if (m == HTTP_GET) {
                        assert_replied(ask(f, plain_request(m, raw->port, NULL)), 200, "ok");
                        raw_stop(raw);
                        assert_int_equal(raw->n_requests, 3);
                        assert_int_equal(raw->n_connections, 2);
                } else {
                        assert_failed(ask(f, plain_request(m, raw->port, "{}")), HTTP_NOT_SENT);
                        raw_stop(raw);
                        assert_int_equal(raw->n_requests, 1);
                }
                raw_free(raw);
                fixture_free(f);
        }
}

/* Were a change to share a used connection after all, as it may with HTTP/2: never sent twice. */
static void test_change_is_never_sent_twice(void **state) {
        for (HttpMethod m = HTTP_POST; m < HTTP_METHOD__MAX; m++) {
                Raw *raw = raw_new(RAW_ANSWER_THEN_CLOSE, ANSWER_OK);
                Fixture *f;

                drop_fresh_connect = true;
                f = fixture_new(NULL);
                assert_replied(ask(f, plain_request(HTTP_GET, raw->port, NULL)), 200, "ok");
                assert_failed(ask(f, plain_request(m, raw->port, "{}")), HTTP_LOST);
                assert_non_null(strstr(f->results[0].error, "not sent a second time"));
                drop_fresh_connect = false;

                fixture_free(f);
                raw_stop(raw);
                assert_int_equal(raw->n_requests, 2);
                raw_free(raw);
        }
}

static void test_connection_refused(void **state) {
        Fixture *f = fixture_new(NULL);
        uint16_t port;
        int fd = bind_on_loopback(&port); /* bound, but not listening */

        for (HttpMethod m = HTTP_GET; m < HTTP_METHOD__MAX; m++) {
                assert_failed(ask(f, plain_request(m, port, NULL)), HTTP_NOT_SENT);
                assert_non_null(strstr(f->results[0].error, "http://127.0.0.1:"));
        }
        assert_int_equal(close(fd), 0);
        fixture_free(f);
}

static void test_time_out(void **state) {
        Raw *raw = raw_new(RAW_HANG, NULL);
        Fixture *f = fixture_new(NULL);
        HttpRequest q = plain_request(HTTP_PUT, raw->port, "{}");
        usec_t begin = now_usec();

        q.timeout_usec = 100 * USEC_PER_MSEC;
        assert_failed(ask(f, q), HTTP_LOST);
        assert_true(now_usec() - begin >= 100 * USEC_PER_MSEC);
        raw_stop(raw);
        assert_int_equal(raw->n_requests, 1);
        raw_free(raw);
        fixture_free(f);
}

/* A TLS handshake that gets no answer: nothing of the request was sent. */
static void test_time_out_while_connecting(void **state) {
        TransportOptions o = options_for(NULL);
        Raw *raw = raw_new(RAW_HANG, NULL);
        Fixture *f;

        o.connect_timeout_usec = 100 * USEC_PER_MSEC;
        f = fixture_new(&o);
        assert_failed(ask(f, make_request(HTTP_PUT, "https", "127.0.0.1", raw->port, "/v3/p", NULL, "{}")), HTTP_NOT_SENT);
        fixture_free(f);
        raw_stop(raw);
        raw_free(raw);
}

/* More than fit at once is not what the engine does; it gets an answer in time nevertheless. */
static void test_time_out_while_waiting_for_a_connection(void **state) {
        TransportOptions o = options_for(NULL);
        Raw *raw = raw_new(RAW_HANG, NULL);
        HttpRequest q;
        Fixture *f;

        o.max_connections = 1;
        f = fixture_new(&o);
        q = plain_request(HTTP_PUT, raw->port, NULL);
        q.timeout_usec = 8 * USEC_PER_SEC;
        send_request(f, q, 1);
        while (raw_n_requests(raw) == 0)
                assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);

        q = plain_request(HTTP_PUT, raw->port, NULL);
        q.timeout_usec = 100 * USEC_PER_MSEC;
        send_request(f, q, 2);
        run_until(f, 1);
        assert_true(f->cookies[0] == 2);
        assert_failed(&f->results[0], HTTP_NOT_SENT);
        assert_int_equal(transport_n_running(f->transport), 1);

        fixture_free(f);
        raw_stop(raw);
        assert_int_equal(raw->n_requests, 1);
        raw_free(raw);
}

/* Proxies. */

static void test_proxy_of_the_environment_is_ignored(void **state) {
        static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
        Raw *proxy = raw_new(RAW_ANSWER_AND_CLOSE, ANSWER_OK);
        char *url = origin_of("http", "127.0.0.1", proxy->port);
        Fixture *f;
        uint16_t port;
        int fd = bind_on_loopback(&port);

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                assert_int_equal(setenv(names[i], url, 1), 0);
        f = fixture_new(NULL);
        /* An address that is no loopback's by name, but leads nowhere else. */
        assert_failed(ask(f, make_request(HTTP_GET, "https", "0.0.0.0", port, "/v3/p", NULL, NULL)), HTTP_NOT_SENT);
        assert_failed(ask(f, plain_request(HTTP_GET, port, NULL)), HTTP_NOT_SENT);
        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                assert_int_equal(unsetenv(names[i]), 0);

        raw_stop(proxy);
        assert_int_equal(proxy->n_connections, 0);
        raw_free(proxy);
        fixture_free(f);
        free(url);
        assert_int_equal(close(fd), 0);
}

static void test_proxy_of_the_options(void **state) {
        Raw *proxy = raw_new(RAW_ANSWER_AND_CLOSE, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        char *url = origin_of("http", "name:passw0rd@127.0.0.1", proxy->port);
        TransportOptions o = options_for(NULL);
        HttpRequest q;
        Fixture *f;
        uint16_t port;
        int fd = bind_on_loopback(&port);

        assert_int_equal(setenv("no_proxy", "*", 1), 0);
        o.proxy = url;
        f = fixture_new(&o);

        /* Directly: what is local, and what asks for it. */
        assert_failed(ask(f, make_request(HTTP_GET, "https", "127.0.0.1", port, "/v3/p", NULL, NULL)), HTTP_NOT_SENT);
        assert_failed(ask(f, plain_request(HTTP_GET, port, NULL)), HTTP_NOT_SENT);
        q = make_request(HTTP_GET, "https", "0.0.0.0", port, "/v3/p", NULL, NULL);
        q.no_proxy = true;
        assert_failed(ask(f, q), HTTP_NOT_SENT);
        assert_int_equal(raw_n_requests(proxy), 0);

        /* Through the proxy, which learns the name alone. Its refusal is not the server's answer. */
        q = make_request(HTTP_PUT, "https", "0.0.0.0", port, "/v3/p", NULL, "{}");
        assert_int_equal(http_request_add_header(&q, "X-Auth-Token", "t0ken"), 0);
        assert_failed(ask(f, q), HTTP_NOT_SENT);
        assert_null(strstr(f->results[0].error, "passw0rd"));
        raw_stop(proxy);
        assert_int_equal(proxy->n_requests, 1);
        assert_memory_equal(proxy->seen, "CONNECT 0.0.0.0:", 16);
        assert_null(strstr(proxy->seen, "t0ken"));
        assert_int_equal(unsetenv("no_proxy"), 0);

        raw_free(proxy);
        fixture_free(f);
        free(url);
        assert_int_equal(close(fd), 0);
}

/* Life. */

static void test_callback_may_send(void **state) {
        Raw *raw = raw_new(RAW_ANSWER, ANSWER_OK);
        Fixture *f = fixture_new(NULL);

        f->chain_port = raw->port;
        f->n_chained = 50;
        send_request(f, plain_request(HTTP_GET, raw->port, NULL), 1);
        run_until(f, 51);
        for (size_t i = 0; i < f->n_results; i++)
                assert_replied(&f->results[i], 200, "ok");
        fixture_free(f);
        raw_stop(raw);
        assert_int_equal(raw->n_connections, 1);
        raw_free(raw);
}

/* One turn of the loop for each exchange: what comes in, and what goes out because of it. */
static void test_start_needs_no_turn_of_its_own(void **state) {
        Raw *raw = raw_new(RAW_ANSWER, ANSWER_OK);
        Fixture *f = fixture_new(NULL);
        usec_t began = now_usec();
        size_t n_turns = 0;

        ask(f, plain_request(HTTP_GET, raw->port, NULL));       /* the connection */
        fixture_forget(f);
        f->chain_port = raw->port;
        f->n_chained_after = 50;
        send_request(f, plain_request(HTTP_GET, raw->port, NULL), 1);
        transport_start(f->transport);
        while (f->n_results < 51) {
                int r = sd_event_run(f->event, USEC_PER_MSEC);  /* 0: nothing has come */

                assert_true(r >= 0);
                assert_true(now_usec() < began + PATIENCE_USEC);
                n_turns += r > 0;
        }
        assert_int_equal(f->n_told, 51);
        assert_in_range(n_turns, 51, 54 + (now_usec() - began) / USEC_PER_SEC);        /* and the ticks that watch deadlines */
        transport_start(f->transport);          /* nothing is to be started */
        fixture_free(f);
        raw_stop(raw);
        raw_free(raw);
}

static void test_free_while_running(void **state) {
        for (unsigned n_rounds = 0; n_rounds < 8; n_rounds++) {
                Raw *raw = raw_new(RAW_HANG, NULL);
                Fixture *f = fixture_new(NULL);

                for (unsigned i = 0; i < 10; i++) {
                        send_request(f, plain_request(i % 2 ? HTTP_PUT : HTTP_GET, raw->port, NULL), i);
                        send_request(f, tls_request(HTTP_GET, raw->port, "/v3/p", NULL), i);
                }
                for (unsigned i = 0; i < n_rounds; i++)
                        assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);
                assert_int_equal(transport_n_running(f->transport), 20);
                fixture_free(f);
                raw_stop(raw);
                raw_free(raw);
        }
        assert_null(transport_free(NULL));
}

static void test_reconfigure_lets_the_running_end(void **state) {
        Https *s = https_new("DNS:localhost"), *other = https_new("DNS:localhost");
        TransportOptions o = options_for(s->ca_file), changed = options_for(other->ca_file);
        TransportOptions broken = options_for("/nowhere/ca.pem");
        Fixture *f = fixture_new(&o);

        /* A connection is kept now, which must not serve under the new options. */
        assert_replied(ask(f, tls_request(HTTP_GET, s->port, "/v3/p", NULL)), 200, "GET /v3/p ");

        fixture_forget(f);
        send_request(f, tls_request(HTTP_GET, s->port, "/v3/p", NULL), 1);
        assert_int_equal(transport_reconfigure(f->transport, &changed), 0);
        assert_int_equal(transport_n_running(f->transport), 1);
        run_until(f, 1);
        assert_replied(&f->results[0], 200, "GET /v3/p ");

        assert_failed(ask(f, tls_request(HTTP_GET, s->port, "/v3/p", NULL)), HTTP_NOT_SENT);
        assert_replied(ask(f, tls_request(HTTP_GET, other->port, "/v3/p", NULL)), 200, "GET /v3/p ");

        /* What cannot work changes nothing. */
        assert_int_equal(transport_reconfigure(f->transport, &broken), -ENOENT);
        assert_replied(ask(f, tls_request(HTTP_GET, other->port, "/v3/p", NULL)), 200, "GET /v3/p ");

        /* Back again while something runs, and freed like that. */
        send_request(f, tls_request(HTTP_GET, other->port, "/v3/p", NULL), 1);
        assert_int_equal(transport_reconfigure(f->transport, &o), 0);
        fixture_free(f);
        https_free(other);
        https_free(s);
}

static unsigned n_open_files(void) {
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        assert_int_equal(closedir(d), 0);
        return n;
}

/* What ran under old options goes away by itself when its last exchange has ended, connections and all. */
static void test_reconfigure_leaves_nothing_behind(void **state) {
        Raw *raw = raw_new(RAW_ANSWER, ANSWER_OK);
        TransportOptions o = options_for(NULL);
        Fixture *f = fixture_new(NULL);
        unsigned n_before = n_open_files();

        for (unsigned i = 0; i < 3; i++) {
                fixture_forget(f);
                send_request(f, plain_request(HTTP_GET, raw->port, NULL), i);
                assert_int_equal(transport_reconfigure(f->transport, &o), 0);
                run_until(f, 1);
                assert_replied(&f->results[0], 200, "ok");
        }
        assert_int_equal(transport_reconfigure(f->transport, &o), 0);
        while (sd_event_run(f->event, 0) > 0)
                ;
        raw_stop(raw);
        raw_free(raw);
        assert_in_range(n_open_files(), 1, n_before - 2); /* the server's two are closed */
        fixture_free(f);
}

static void test_ca_file_with_new_content_is_read_again(void **state) {
        Https *s = https_new("DNS:localhost"), *other = https_new("DNS:localhost");
        char path[] = "/tmp/test-transport-XXXXXX", text[8192];
        TransportOptions o = options_for(path);
        size_t n;
        FILE *file;
        Fixture *f;
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        for (unsigned i = 0; i < 2; i++) {
                Https *trusted = i == 0 ? s : other, *not_trusted = i == 0 ? other : s;

                file = fopen(trusted->ca_file, "re");
                assert_non_null(file);
                n = fread(text, 1, sizeof(text) - 1, file);
                text[n] = '\0';
                assert_int_equal(fclose(file), 0);
                write_file(path, text);
                if (i == 0)
                        f = fixture_new(&o);
                else
                        assert_int_equal(transport_reconfigure(f->transport, &o), 0);
                assert_replied(ask(f, tls_request(HTTP_GET, trusted->port, "/v3/p", NULL)), 200, "GET /v3/p ");
                assert_failed(ask(f, tls_request(HTTP_GET, not_trusted->port, "/v3/p", NULL)), HTTP_NOT_SENT);
        }
        fixture_free(f);
        assert_int_equal(unlink(path), 0);
        https_free(other);
        https_free(s);
}

static void test_new_refuses_an_unreadable_ca_file(void **state) {
        TransportOptions o = options_for("/nowhere/ca.pem");
        Transport *t = NULL;
        sd_event *event;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(transport_new(event, &o, fixture_on_done, NULL, NULL, &t), -ENOENT);
        o.ca_file = "/tmp";
        assert_int_equal(transport_new(event, &o, fixture_on_done, NULL, NULL, &t), -EISDIR);
        assert_null(t);
        sd_event_unref(event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lost_when_the_server_closes),
                cmocka_unit_test(test_dead_kept_connection),
                cmocka_unit_test(test_change_is_never_sent_twice),
                cmocka_unit_test(test_connection_refused),
                cmocka_unit_test(test_time_out),
                cmocka_unit_test(test_time_out_while_connecting),
                cmocka_unit_test(test_time_out_while_waiting_for_a_connection),
                cmocka_unit_test(test_proxy_of_the_environment_is_ignored),
                cmocka_unit_test(test_proxy_of_the_options),
                cmocka_unit_test(test_callback_may_send),
                cmocka_unit_test(test_start_needs_no_turn_of_its_own),
                cmocka_unit_test(test_free_while_running),
                cmocka_unit_test(test_reconfigure_lets_the_running_end),
                cmocka_unit_test(test_reconfigure_leaves_nothing_behind),
                cmocka_unit_test(test_ca_file_with_new_content_is_read_again),
                cmocka_unit_test(test_new_refuses_an_unreadable_ca_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
