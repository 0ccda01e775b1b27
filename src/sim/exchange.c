/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "sim/percent.h"

const char *sim_exchange_header(const Exchange *x, const char *name) {
        for (size_t i = 0; i < x->request->n_headers; i++)
                if (strcasecmp(x->request->headers[i].name, name) == 0)
                        return x->request->headers[i].value;
        return NULL;
}

/* --- Replies -------------------------------------------------------------------------------------------------- */

static void header_done(SimReplyHeader *h) {
        if (h->value) /* it may have been taken */
                explicit_bzero(h->value, strlen(h->value)); /* X-Subject-Token is a secret */
        free(h->value);
        free(h->name);
}

void sim_reply_drop_header(SimReply *p, const char *name) {
        for (size_t i = 0; i < p->n_headers; i++)
                if (strcasecmp(p->headers[i].name, name) == 0) {
                        header_done(&p->headers[i]);
                        p->headers[i] = p->headers[--p->n_headers]; /* there is one of each name at most */
                        return;
                }
}

int sim_reply_set_header(SimReply *p, const char *name, const char *value) {
        char *n = strdup(name), *v = strdup(value);

        if (!n || !v) {
                free(n);
                free(v);
                return -ENOMEM;
        }
        sim_reply_drop_header(p, name);
        if (p->n_headers == SIM_REPLY_HEADERS_MAX) {
                free(n);
                free(v);
                return -E2BIG;
        }
        p->headers[p->n_headers++] = (SimReplyHeader){ .name = n, .value = v };
        return 0;
}

void sim_reply_take_body(SimReply *p, char *body, size_t n) {
        if (p->body)
                explicit_bzero(p->body, p->n_body); /* may hold a key that was issued */
        free(p->body);
        p->body = body;
        p->n_body = n;
}

const char *sim_reply_header(const SimReply *p, const char *name) {
        for (size_t i = 0; i < p->n_headers; i++)
                if (strcasecmp(p->headers[i].name, name) == 0)
                        return p->headers[i].value;
        return NULL;
}

void sim_reply_done(SimReply *p) {
        if (!p)
                return;
        sim_reply_take_body(p, NULL, 0);
        while (p->n_headers > 0)
                header_done(&p->headers[--p->n_headers]);
        *p = (SimReply){};
}

int sim_exchange_json(Exchange *x, int status, JsonBuild *b, json_object *taken) {
        char *text = NULL;
        size_t n = 0;
        int r = b->error;

        if (r >= 0)
                r = sim_json_write(taken, &text, &n);
        json_object_put(taken);
        if (r < 0)
                return r;

        x->reply->status = status;
        sim_reply_take_body(x->reply, text, n);
        return sim_reply_set_header(x->reply, "Content-Type", "application/json");
}

int sim_exchange_text(Exchange *x, int status, const char *content_type, const char *text) {
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        x->reply->status = status;
        sim_reply_take_body(x->reply, copy, strlen(copy));
        return sim_reply_set_header(x->reply, "Content-Type", content_type);
}

static const char *status_title(int status) {
        switch (status) {
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 429: return "Too Many Requests";
        default: return "Error";
        }
}

static void build_error(Exchange *x, JsonBuild *b, json_object *o, ErrorShape shape, int status, const char *code,
                        const char *message) {
        json_object *child;

        switch (shape) {
        case ERROR_PLAIN:
                sim_json_build_text(b, o, "error_code", code);
                sim_json_build_text(b, o, "error_msg", message);
                return;
        case ERROR_PDP:
                sim_json_build_text(b, o, "error_code", code);
                sim_json_build_text(b, o, "error_msg", message);
                sim_json_build_null(b, o, "details");
                sim_json_build_null(b, o, "encoded_authorization_message");
                return;
        case ERROR_KEYSTONE:
                child = sim_json_build_child(b, o, "error");
                sim_json_build_int(b, child, "code", status);
                sim_json_build_text(b, child, "message", message);
                sim_json_build_text(b, child, "title", status_title(status));
                sim_json_build_text(b, o, "error_code", code);
                sim_json_build_text(b, o, "error_msg", message);
                return;
        case ERROR_GATEWAY:
                sim_json_build_text(b, o, "error_msg", message);
                sim_json_build_text(b, o, "error_code", code);
                sim_json_build_text(b, o, "request_id", sim_reply_header(x->reply, "X-Request-Id"));
                return;
        }
}

int sim_exchange_error(Exchange *x, ErrorShape shape, int status, const char *code, const char *format, ...) {
        _cleanup_(freep) char *message = NULL;
        JsonBuild b = {};
        json_object *o;
        va_list args;
        int r;

        va_start(args, format);
        r = vasprintf(&message, format, args);
        va_end(args);
        if (r < 0) {
                message = NULL;
                return -ENOMEM;
        }

        o = sim_json_build_object(&b);
        build_error(x, &b, o, shape, status, code, message);
        return sim_exchange_json(x, status, &b, o);
}

/* A refusal by the policy engine, with the members that only it fills. */
static int denied_by_pdp(Exchange *x, const char *message) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *details, *detail;
        char encoded[97];

        sim_json_build_text(&b, o, "error_code", "DBSS.10020100");
        sim_json_build_text(&b, o, "error_msg", message);
        details = sim_json_build_list(&b, o, "details");
        detail = sim_json_build_object(&b);
        sim_json_build_text(&b, detail, "error_code", "IAM.0003");
        sim_json_build_text(&b, detail, "error_msg", message);
        sim_json_build_push(&b, details, detail);
        sim_random_hex(x->sim, encoded, sizeof(encoded) - 1);
        sim_json_build_text(&b, o, "encoded_authorization_message", encoded);
        return sim_exchange_json(x, 403, &b, o);
}

int sim_exchange_denied(Exchange *x, const char *action) {
        char message[256];

        (void) snprintf(message, sizeof(message), "Policy doesn't allow %s to be performed.", action);
        switch (x->route->service) {
        case SIM_DBSS: return denied_by_pdp(x, message);
        case SIM_IAM: return sim_exchange_error(x, ERROR_KEYSTONE, 403, "IAM.0003", "%s", message);
        case SIM_TAURUSDB:
        case SIM_GAUSSDB:
        case SIM_METADATA:
        case SIM_SERVICE__MAX: break;
        }
        return sim_exchange_error(x, ERROR_PLAIN, 403, "DBS.200010", "%s", message);
}

/* --- The query ------------------------------------------------------------------------------------------------ */

/* Steps through "a=1&b=2": sets the next pair, raw; false at the end. */
static bool next_pair(const char **at, const char **ret_key, size_t *ret_n_key, const char **ret_value,
                      size_t *ret_n_value) {
        while (**at == '&')
                (*at)++;
        if (**at == '\0')
                return false;

        const char *end = strchrnul(*at, '&');
        const char *equals = memchr(*at, '=', (size_t) (end - *at));

        *ret_key = *at;
        *ret_n_key = (size_t) ((equals ? equals : end) - *at);
        *ret_value = equals ? equals + 1 : end;
        *ret_n_value = (size_t) (end - *ret_value);
        *at = end;
        return true;
}

static bool decode_to(const char *s, size_t n, char *buf, size_t size) {
        size_t n_decoded = 0;

        if (n >= 4096 || !sim_percent_decode(s, n, true, buf, size, &n_decoded))
                return false;
        return strlen(buf) == n_decoded;
}

int sim_exchange_query(const Exchange *x, const char *key, char *buf, size_t size) {
        const char *at = x->request->query ? x->request->query : "", *k, *v;
        size_t n_k, n_v;
        char name[64];

        while (next_pair(&at, &k, &n_k, &v, &n_v))
                if (decode_to(k, n_k, name, sizeof(name)) && streq(name, key))
                        return decode_to(v, n_v, buf, size) ? 1 : -EINVAL;
        return 0;
}

bool sim_exchange_query_known(const Exchange *x, const char *const *known, char *buf, size_t size) {
        const char *at = x->request->query ? x->request->query : "", *k, *v;
        size_t n_k, n_v;
        uint64_t seen = 0;

        while (next_pair(&at, &k, &n_k, &v, &n_v)) {
                size_t i = 0;

                if (!decode_to(k, n_k, buf, size)) {
                        sim_copy_id(buf, size, "(unreadable)");
                        return false;
                }
                while (known[i] && !streq(known[i], buf))
                        i++;
                if (!known[i] || seen & UINT64_C(1) << i)
                        return false;
                seen |= UINT64_C(1) << i;
        }
        return true;
}
