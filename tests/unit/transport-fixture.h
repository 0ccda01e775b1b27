/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The client's side of the transport's tests: an event loop, a transport, and the replies that came. Asserts rather than
 * returning errors.
 */

#include <systemd/sd-event.h>

#include "base/http.h"
#include "transport/transport.h"

#define RESULTS_MAX 512
#define PATIENCE_USEC (20 * USEC_PER_SEC) /* for what should take milliseconds, on a machine under load */

/* A plain server's answer, whose body is "ok". */
#define ANSWER_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

typedef struct Fixture {
        sd_event *event;
        Transport *transport;
        bool sending;           /* within transport_send(): no callback then */
        unsigned n_chained;     /* requests that the callback still has to send */
        unsigned n_chained_after;       /* likewise, the call after them, which also starts them */
        uint16_t chain_port;
        size_t n_told;          /* results at the last call after them */
        HttpReply results[RESULTS_MAX];
        uint64_t cookies[RESULTS_MAX];
        size_t n_results;
} Fixture;

/* Generous time-outs, 4 connections; @ca_file NULL: the system's. */
TransportOptions options_for(const char *ca_file);

Fixture *fixture_new(const TransportOptions *options);  /* NULL: options_for(NULL) */
void fixture_forget(Fixture *f);        /* the results so far */
void fixture_free(Fixture *f);
void fixture_on_done(void *userdata, uint64_t cookie, HttpReply *reply);
void fixture_on_after(void *userdata);

/* New texts and requests. */
char *copy_text(const char *s);
char *origin_of(const char *scheme, const char *host, uint16_t port);
HttpRequest make_request(HttpMethod method, const char *scheme, const char *host, uint16_t port, const char *path,
                         const char *query, const char *body);
HttpRequest plain_request(HttpMethod method, uint16_t port, const char *body);  /* of http://127.0.0.1/v3/p */
HttpRequest tls_request(HttpMethod method, uint16_t port, const char *path, const char *body);  /* of https://localhost */

void send_request(Fixture *f, HttpRequest q, uint64_t cookie);
void run_until(Fixture *f, size_t n_results);
HttpReply *ask(Fixture *f, HttpRequest q);      /* one exchange, waited for; the reply is valid until the next */

void assert_failed(const HttpReply *p, HttpOutcome outcome);
void assert_replied(const HttpReply *p, int status, const char *body);

usec_t now_usec(void);
