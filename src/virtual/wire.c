/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <time.h>

#include "virtual/machine-internal.h"

/*
 * Between the engine's requests and replies and those of the simulated cloud: what the network and two HTTP libraries do elsewhere.
 */

static const char *host_of(const char *origin) {
        const char *scheme_end = strstr(origin, "://");

        return scheme_end ? scheme_end + 3 : origin;
}

static char *take_header(SimReply *p, const char *name) {
        for (size_t i = 0; i < p->n_headers; i++)
                if (streq(p->headers[i].name, name))
                        return STEAL(p->headers[i].value);

        return NULL;
}

int wire_fail(HttpOutcome outcome, const char *error, HttpReply *ret) {
        *ret = (HttpReply) { .outcome = outcome, .error = strdup(error) };
        return ret->error ? 0 : -ENOMEM;
}

int wire_empty(usec_t now_usec, HttpReply *ret) {
        time_t now = (time_t) (now_usec / USEC_PER_SEC);
        char date[64];
        struct tm tm;

        if (!gmtime_r(&now, &tm) || strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
                return -EINVAL;
        *ret = (HttpReply) { .status = 200, .date = strdup(date) };
        return ret->date ? 0 : -ENOMEM;
}

static int reply_of(SimReply *p, HttpReply *ret) {
        if (p->drop || p->cut)
                return wire_fail(HTTP_LOST, "the connection was closed", ret);

        *ret = (HttpReply) {
                .status = p->status,
                .date = take_header(p, "Date"),
                .request_id = take_header(p, "X-Request-Id"),
                .retry_after = take_header(p, "Retry-After"),
                .subject_token = take_header(p, "X-Subject-Token"),
        };
        if (p->n_body == 0)
                return 0;

        ret->n_body = MIN(p->n_body, (size_t) HTTP_BODY_MAX);
        ret->body_cut = p->n_body > HTTP_BODY_MAX;
        ret->body = STEAL(p->body);
        ret->body[ret->n_body] = '\0';
        return 0;
}

/* 169.254.169.254 is a host of its own: what the engine asks there, it asks without a proxy. */
static SimListener listener_of(const HttpRequest *q) {
        return q->no_proxy ? SIM_LISTENER_METADATA : SIM_LISTENER_CLOUD;
}

int wire_exchange(Sim *sim, const HttpRequest *request, usec_t now_usec, HttpReply *ret, usec_t *ret_delay_usec,
                  WireSteady *ret_steady) {
        SimHeader headers[HTTP_HEADERS_MAX + 1];
        SimRequest q = {
                .listener = listener_of(request),
                .method = http_method_to_string(request->method),
                .path = request->path,
                .query = request->query,
                .headers = headers,
                .n_headers = request->n_headers,
                .body = request->body,
                .n_body = request->n_body,
                .peer = "127.0.0.1",
                .unrecorded = true,
        };
        _cleanup_(sim_reply_done) SimReply reply = {};
        int r;

        for (size_t i = 0; i < request->n_headers; i++)
                headers[i] = (SimHeader) { request->headers[i].name, request->headers[i].value };
        if (!http_request_header(request, "Host"))
                headers[q.n_headers++] = (SimHeader) { "Host", host_of(request->origin) };

        r = sim_handle(sim, &q, now_usec, &reply);
        if (r < 0)
                return r;

        *ret_delay_usec = reply.delay_usec;
        *ret_steady = (WireSteady) { .until_usec = reply.steady_until_usec, .news_at_usec = reply.news_at_usec };
        return reply_of(&reply, ret);
}

/* Fowler, Noll and Vo's, by the word: whatever one word is changed to, the result is another. */
static uint64_t digest_number(uint64_t h, uint64_t n) {
        return (h ^ n) * UINT64_C(1099511628211);
}

static uint64_t digest_bytes(uint64_t h, const char *s, size_t n) {
        size_t i = 0;

        for (uint64_t word; i + sizeof(word) <= n; i += sizeof(word)) {
                memcpy(&word, s + i, sizeof(word));
                h = digest_number(h, word);
        }
        for (; i < n; i++)
                h = digest_number(h, (unsigned char) s[i]);
        return digest_number(h, n);
}

static uint64_t digest_text0(uint64_t h, const char *s) {
        return s ? digest_bytes(h, s, strlen(s)) : digest_number(h, UINT64_MAX);
}

uint64_t wire_digest(const HttpReply *p) {
        uint64_t h = UINT64_C(14695981039346656037);

        h = digest_number(h, (uint64_t) p->outcome);
        h = digest_number(h, (uint64_t) p->status);
        h = digest_number(h, p->body_cut);
        h = p->body ? digest_bytes(h, p->body, p->n_body) : digest_number(h, p->n_body);
        h = digest_text0(h, p->error);
        h = digest_text0(h, p->date);
        h = digest_text0(h, p->request_id);
        return digest_text0(h, p->retry_after);
}
