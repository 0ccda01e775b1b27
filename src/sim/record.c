/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/record.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define BODY_KEPT_MAX 8192 /* bytes; the largest body of these APIs has some hundred */

struct SimRecord {
        uint64_t number;      /* from 1; 0: empty */
        json_object *details; /* method, path, headers and so on, ready to be shown */
};

static bool is_secret_header(const char *name) {
        static const char *const secrets[] = { "X-Auth-Token", "X-Security-Token", "X-Metadata-Token", "Cookie",
                                               "Proxy-Authorization" };

        for (size_t i = 0; i < N_ELEMENTS(secrets); i++)
                if (strcasecmp(name, secrets[i]) == 0)
                        return true;
        return false;
}

/* Everything but the signature itself. */
static void add_authorization(JsonBuild *b, json_object *o, const char *value) {
        const char *end = strstr(value, "Signature=");
        _cleanup_(freep) char *text = NULL;

        if (strncmp(value, "SDK-HMAC-SHA256 ", 16) != 0 || !end) {
                sim_json_build_text(b, o, "authorization", "***");
                return;
        }
        if (asprintf(&text, "%.*sSignature=***", (int) MIN(end - value, 4096), value) < 0) {
                text = NULL;
                b->error = -ENOMEM;
                return;
        }
        sim_json_build_text(b, o, "authorization", text);
}

static void add_headers(const Exchange *x, JsonBuild *b, json_object *o) {
        for (size_t i = 0; i < x->request->n_headers; i++) {
                const SimHeader *h = &x->request->headers[i];
                char name[64];
                size_t n = 0;

                for (; n < sizeof(name) - 1 && h->name[n] != '\0'; n++)
                        name[n] = (char) tolower((unsigned char) h->name[n]);
                name[n] = '\0';
                if (streq(name, "authorization"))
                        add_authorization(b, o, h->value);
                else
                        sim_json_build_text(b, o, name, is_secret_header(name) ? "***" : h->value);
        }
}

static bool is_secret_member(const char *key) {
        static const char *const secrets[] = { "password",   "passcode",       "secret",
                                               "secret_key", "security_token", "token" };

        for (size_t i = 0; i < N_ELEMENTS(secrets); i++)
                if (strcasecmp(key, secrets[i]) == 0)
                        return true;
        return false;
}

/* "password" is also the name of a method with the user in it: then only what is below counts. */
static bool is_hidden(const char *key, json_object *value) {
        return is_secret_member(key) &&
               (!json_object_is_type(value, json_type_object) || strcasecmp(key, "secret") == 0);
}

/* Hides the texts behind keys that name a secret, at any depth. */
static void hide(JsonBuild *b, json_object *o, bool secret) {
        if (json_object_is_type(o, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        hide(b, json_object_array_get_idx(o, i), secret);
        } else if (json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, key, value) hide(b, value, secret || is_hidden(key, value));
        } else if (secret && json_object_is_type(o, json_type_string)) {
                if (!json_object_set_string(o, "***"))
                        b->error = -ENOMEM;
        }
}

static void add_body(const Exchange *x, JsonBuild *b, json_object *o) {
        bool iam = x->route && x->route->service == SIM_IAM;
        json_object *body = NULL;
        int r;

        sim_json_build_int(b, o, "body_size", (int64_t) x->request->n_body);
        if (x->request->n_body == 0) {
                sim_json_build_text(b, o, "body", "");
                return;
        }
        if (x->request->n_body > BODY_KEPT_MAX) {
                sim_json_build_null(b, o, "body");
                return;
        }
        r = sim_json_read(x->request->body, x->request->n_body, &body);
        if (r == 0) {
                hide(b, body, false);
                sim_json_build_text(b, o, "body",
                                    json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN |
                                                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
                json_object_put(body);
        } else if (r == -ENOMEM) {
                b->error = r;
        } else if (iam) {
                sim_json_build_null(b, o, "body"); /* may be a password in a form that we cannot see through */
        } else {
                sim_json_build_put(b, o, "body",
                                   json_object_new_string_len(x->request->body, (int) x->request->n_body));
        }
}

int sim_record_add(Exchange *x) {
        Sim *s = x->sim;
        JsonBuild b = {};
        json_object *o, *headers;
        SimRecord *record;

        if (!s->records) {
                s->records = calloc(SIM_RECORDS_MAX, sizeof(*s->records));
                if (!s->records)
                        return -ENOMEM;
        }
        o = sim_json_build_object(&b);
        sim_json_build_int(&b, o, "number", (int64_t) s->n_requests);
        sim_json_build_time(&b, o, "at", x->now_usec);
        sim_json_build_text(&b, o, "method", x->request->method);
        sim_json_build_text(&b, o, "path", x->request->path);
        sim_json_build_text(&b, o, "query", x->request->query ? x->request->query : "");
        sim_json_build_text(&b, o, "call", x->reply->call);
        sim_json_build_text(&b, o, "who", x->reply->who);
        headers = sim_json_build_child(&b, o, "headers");
        add_headers(x, &b, headers);
        add_body(x, &b, o);
        sim_json_build_int(&b, o, "status", x->reply->status);
        sim_json_build_bool(&b, o, "effect", x->reply->effect);
        sim_json_build_bool(&b, o, "dropped", x->reply->drop);
        sim_json_build_text(&b, o, "request_id", sim_reply_header(x->reply, "X-Request-Id"));
        if (b.error < 0) {
                json_object_put(o);
                return b.error;
        }

        record = &s->records[s->n_requests % SIM_RECORDS_MAX];
        json_object_put(record->details);
        *record = (SimRecord){ .number = s->n_requests, .details = o };
        return 0;
}

void sim_record_show(const Sim *s, uint64_t since, size_t limit, JsonBuild *b, json_object *list) {
        uint64_t first = s->n_requests > SIM_RECORDS_MAX ? s->n_requests - SIM_RECORDS_MAX + 1 : 1;

        if (!s->records)
                return;
        for (uint64_t n = MAX(first, since + 1); n <= s->n_requests && limit > 0; n++) {
                const SimRecord *record = &s->records[n % SIM_RECORDS_MAX];

                if (record->number != n)
                        continue;
                sim_json_build_push(b, list, json_object_get(record->details));
                limit--;
        }
}

void sim_record_clear(Sim *s) {
        for (size_t i = 0; s->records && i < SIM_RECORDS_MAX; i++)
                json_object_put(s->records[i].details);
        free(s->records);
        s->records = NULL;
}
