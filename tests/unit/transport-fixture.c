/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "transport-fixture.h"

char *copy_text(const char *s) {
        char *c = strdup(s);

        assert_non_null(c);
        return c;
}

char *origin_of(const char *scheme, const char *host, uint16_t port) {
        char *s = NULL;

        assert_true(asprintf(&s, "%s://%s:%u", scheme, host, port) > 0);
        return s;
}

HttpRequest make_request(HttpMethod method, const char *scheme, const char *host, uint16_t port, const char *path,
                           const char *query, const char *body) {
        return (HttpRequest) {
                .method = method,
                .origin = origin_of(scheme, host, port),
                .path = copy_text(path),
                .query = query ? copy_text(query) : NULL,
                .body = body ? copy_text(body) : NULL,
                .n_body = body ? strlen(body) : 0,
        };
}

HttpRequest plain_request(HttpMethod method, uint16_t port, const char *body) {
        return make_request(method, "http", "127.0.0.1", port, "/v3/p", NULL, body);
}

HttpRequest tls_request(HttpMethod method, uint16_t port, const char *path, const char *body) {
        return make_request(method, "https", "localhost", port, path, NULL, body);
}

void send_request(Fixture *f, HttpRequest q, uint64_t cookie) {
        f->sending = true;
        assert_int_equal(transport_send(f->transport, &q, cookie), 0);
        f->sending = false;
        assert_null(q.origin);
        assert_null(q.body);
}

void fixture_on_done(void *userdata, uint64_t cookie, HttpReply *reply) {
        Fixture *f = userdata;

        assert_false(f->sending);
        assert_true(f->n_results < RESULTS_MAX);
        f->results[f->n_results] = *reply;
        f->cookies[f->n_results++] = cookie;
        *reply = (HttpReply) {};

        if (f->n_chained > 0) {
                f->n_chained--;
                send_request(f, plain_request(HTTP_GET, f->chain_port, NULL), 1000 + f->n_chained);
        }
}

void fixture_on_after(void *userdata) {
        Fixture *f = userdata;

        assert_false(f->sending);
        assert_true(f->n_results > f->n_told);  /* there was something to be told */
        f->n_told = f->n_results;

        if (f->n_chained_after > 0) {
                f->n_chained_after--;
                send_request(f, plain_request(HTTP_GET, f->chain_port, NULL), 2000 + f->n_chained_after);
                transport_start(f->transport);
        }
}

usec_t now_usec(void) {
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

void run_until(Fixture *f, size_t n_results) {
        usec_t end = now_usec() + PATIENCE_USEC;

        while (f->n_results < n_results) {
                assert_true(now_usec() < end);
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
        }
        assert_int_equal(f->n_results, n_results);
        assert_int_equal(f->n_told, n_results);
}

TransportOptions options_for(const char *ca_file) {
        return (TransportOptions) {
                .ca_file = ca_file,
                .connect_timeout_usec = 5 * USEC_PER_SEC,
                .timeout_usec = 10 * USEC_PER_SEC,
                .max_connections = 4,
        };
}

Fixture *fixture_new(const TransportOptions *options) {
        TransportOptions o = options_for(NULL);
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(transport_new(f->event, options ? options : &o, fixture_on_done, fixture_on_after, f, &f->transport), 0);
        return f;
}

void fixture_forget(Fixture *f) {
        for (size_t i = 0; i < f->n_results; i++)
                http_reply_done(&f->results[i]);
        f->n_results = f->n_told = 0;
}

void fixture_free(Fixture *f) {
        fixture_forget(f);
        transport_free(f->transport);
        sd_event_unref(f->event);
        free(f);
}

HttpReply *ask(Fixture *f, HttpRequest q) {
        fixture_forget(f);
        send_request(f, q, 7);
        assert_int_equal(transport_n_running(f->transport), 1);
        run_until(f, 1);
        assert_int_equal(transport_n_running(f->transport), 0);
        assert_true(f->cookies[0] == 7);
        return &f->results[0];
}

void assert_failed(const HttpReply *p, HttpOutcome outcome) {
        if (p->error)
                print_message("%s\n", p->error);
        assert_int_equal(p->outcome, outcome);
        assert_int_equal(p->status, 0);
        assert_non_null(p->error);
        assert_null(p->body);
        assert_null(strstr(p->error, "v3"));
}

void assert_replied(const HttpReply *p, int status, const char *body) {
        if (p->error)
                print_message("%s\n", p->error);
        assert_int_equal(p->outcome, HTTP_REPLIED);
        assert_int_equal(p->status, status);
        assert_null(p->error);
        assert_false(p->body_cut);
        if (*body)
                assert_string_equal(p->body, body);
        else
                assert_null(p->body);
        assert_int_equal(p->n_body, strlen(body));
}
