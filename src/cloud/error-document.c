/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/error-document.h"

#include <stdio.h>

#include "cloud/json-read.h"
#include "cloud/text.h"

/* What a shape consists of, borrowed from the document. */
typedef struct Shape {
        json_object *code, *message, *encoded, *details;
} Shape;

static bool is_scalar(json_object *o) {
        return json_object_is_type(o, json_type_string) || json_object_is_type(o, json_type_int);
}

static json_object *scalar(json_object *o, const char *name) {
        json_object *m = json_object_object_get(o, name);

        return is_scalar(m) ? m : NULL;
}

/* One level, in the order in which the vendor's SDK looks (Python SDK, exception_handler.py). */
static bool shape_here(json_object *o, Shape *ret) {
        static const struct {
                const char *code, *message;
        } names[] = {
                { "error_code", "error_msg" },
                { "errorCode", "errorMsg" },
                { "errCode", "errMsg" },
                { "code", "message" },
        };

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                Shape s = {
                        .code = scalar(o, names[i].code),
                        .message = scalar(o, names[i].message),
                        .encoded = scalar(o, "encoded_authorization_message"),
                        .details = json_object_object_get(o, "details"),
                };

                /* A "message" alone is anybody's, a code or an error_msg alone is the cloud's. */
                if (s.code || (s.message && i + 1 < N_ELEMENTS(names)) || (s.encoded && i + 1 == N_ELEMENTS(names))) {
                        *ret = s;
                        return true;
                }
        }

        return false;
}

/* The parser's depth limit bounds the recursion. */
static bool shape_find(json_object *o, Shape *ret) {
        if (shape_here(o, ret))
                return true;

        json_object_object_foreach(o, key, value) {
                (void) key;
                if (json_object_is_type(value, json_type_object) && shape_find(value, ret))
                        return true;
        }
        return false;
}

static void copy_scalar(char *dst, size_t size, json_object *o) {
        const char *s = o ? json_object_get_string(o) : NULL;

        (void) text_copy(dst, size, s ? s : "", s ? strlen(s) : 0);     /* cutting is what it is for */
}

/*
 * A refused signature is answered with the gateway's canonical request, which holds the security token where there is
 * one; and no header that proves who we are belongs into a log. All of that comes last in the message.
 */
static size_t harmless_length(const char *s) {
        static const char *const markers[] = {
                "canonicalRequest", "x-security-token:", "x-auth-token:",
                "x-subject-token:", "authorization:",    "signature=",
        };
        size_t n = strlen(s);

        for (size_t i = 0; i < N_ELEMENTS(markers); i++) {
                const char *at = strcasestr(s, markers[i]);

                if (at)
                        n = MIN(n, (size_t) (at - s));
        }

        while (n < strlen(s) && n > 0 && strchr(" ,:;|.", s[n - 1]))
                n--;
        return n;
}

/* Small numbers only: the sums made of them must not overflow. */
static unsigned read_number(const char **s) {
        unsigned value = 0;

        while (**s == ' ')
                (*s)++;
        for (; **s >= '0' && **s <= '9'; (*s)++)
                value = value > 1000000 ? value : value * 10 + (unsigned) (**s - '0');
        return value;
}

static unsigned unit_seconds(const char *s) {
        while (*s == ' ')
                s++;
        return strncmp(s, "minute", 6) == 0 ? 60 : strncmp(s, "hour", 4) == 0 ? 3600 : 1;
}

/*
 * The gateway's "...,limit:<N>,time:<M> <unit>" and IAM's "Threshold: <N> times per <M> seconds"; a hint, odd text
 * does not matter.
 */
static void read_throttle(const char *message, ErrorDocument *d) {
        const char *limit = strstr(message, "limit:"), *time = strstr(message, "time:");

        if (limit && time) {
                limit += strlen("limit:");
                time += strlen("time:");
        } else {
                limit = strstr(message, "Threshold:");
                time = limit ? strstr(limit, "times per ") : NULL;
                if (!time)
                        return;
                limit += strlen("Threshold:");
                time += strlen("times per ");
        }

        d->limit = read_number(&limit);
        d->window_sec = read_number(&time);
        d->window_sec *= unit_seconds(time);
        if (d->limit == 0 || d->window_sec == 0)
                d->limit = d->window_sec = 0;
}

/*
 * Texts that the gateway is known to write (API Request Signing Guide, api-sign-0001); all others go by their code.
 */
static void read_texts(const char *message, ErrorDocument *d) {
        d->locked_out = strstr(message, "AK access failed to reach the limit");
        d->bad_signature = d->locked_out || strstr(message, "verify aksk signature fail") ||
                           strstr(message, "Get secretKey failed");
        read_throttle(message, d);
}

/* The refusals under identity policies name the missing action in their details. */
static void append_details(ErrorDocument *d, json_object *details) {
        size_t n = json_object_is_type(details, json_type_array) ? json_object_array_length(details) : 0;

        for (size_t i = 0; i < n; i++) {
                json_object *item = json_object_array_get_idx(details, i);
                json_object *message = json_object_is_type(item, json_type_object) ? scalar(item, "error_msg") : NULL;
                const char *s = message ? json_object_get_string(message) : "";
                size_t before = strlen(d->message);

                if (!s || !*s || harmless_length(s) < strlen(s) || strstr(d->message, s))
                        continue;
                if (!text_append_whole(d->message, sizeof(d->message), before > 0 ? "; " : "") ||
                    !text_append_whole(d->message, sizeof(d->message), s)) {
                        d->message[before] = '\0';
                        return;
                }
        }
}

/* Opaque, and of use only as a whole: the operator gives it to another command to decode. */
static void append_encoded(ErrorDocument *d, json_object *encoded) {
        const char *s = encoded ? json_object_get_string(encoded) : NULL;
        size_t before = strlen(d->message);

        if (!s || !*s)
                return;
        if (!text_append_whole(d->message, sizeof(d->message), before > 0 ? "; encoded authorization message: " :
                                                                            "encoded authorization message: ") ||
            !text_append_whole(d->message, sizeof(d->message), s))
                d->message[before] = '\0';
}

void error_document_read(const HttpReply *p, ErrorDocument *ret) {
        _cleanup_(json_putp) json_object *o = NULL;
        const char *ignored, *message;
        Shape shape = {};

        assert(p);
        assert(ret);

        *ret = (ErrorDocument) {};
        if (p->n_body == 0 || p->body_cut || json_parse(p->body, p->n_body, &o, &ignored) < 0)
                return; /* also when memory ran out: the status still says what kind of failure it is */

        copy_scalar(ret->request_id, sizeof(ret->request_id), scalar(o, "request_id"));
        if (!shape_find(o, &shape))
                return;

        ret->found = true;
        copy_scalar(ret->code, sizeof(ret->code), shape.code);
        message = shape.message ? json_object_get_string(shape.message) : NULL;
        if (message) {
                read_texts(message, ret);
                (void) text_copy(ret->message, sizeof(ret->message), message, harmless_length(message));
        }
        append_details(ret, shape.details);
        append_encoded(ret, shape.encoded);
}
