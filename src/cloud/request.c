/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/request.h"

#include <errno.h>

#include "base/strbuf.h"

#define PATH_MAX_BYTES 4096     /* a path has at most eight parts of ours; the gateway takes URIs of 32 KB */
#define USER_AGENT "holdfastd/" HOLDFAST_VERSION
#define JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define ESCAPED_MAX 6           /* bytes that one byte of a text becomes at most: \u0001 */

/* Dot segments would be resolved on the way, and another path would arrive than was signed. */
static bool part_valid(const char *s) {
        return s && *s && !streq(s, ".") && !streq(s, "..");
}

static int add_path(HttpRequest *q, const char *const *parts) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF(PATH_MAX_BYTES);

        for (; *parts; parts++) {
                if (!part_valid(*parts))
                        return -EINVAL;
                (void) strbuf_add(&b, "/");     /* sticky */
                (void) strbuf_add_percent(&b, *parts, strlen(*parts));
        }

        return strbuf_finish(&b, &q->path);
}

int request_begin(HttpMethod method, const char *origin, const char *const *parts, const char *content_type,
                  HttpRequest *ret) {
        int r;

        assert(parts);
        assert(ret);

        *ret = (HttpRequest) { .method = method };
        if (!origin || !*origin)
                return -EINVAL;

        ret->origin = strdup(origin);
        if (!ret->origin)
                return -ENOMEM;
        r = add_path(ret, parts);
        if (r < 0)
                return r;

        r = http_request_add_header(ret, "User-Agent", USER_AGENT);
        if (r >= 0 && content_type)
                r = http_request_add_header(ret, "Content-Type", content_type);
        return r;
}

int request_add_scope(HttpRequest *q, const CallTarget *target, bool language) {
        int r = 0;

        assert(q);
        assert(target);

        if (target->project_id && *target->project_id)
                r = http_request_add_header(q, "X-Project-Id", target->project_id);
        if (r >= 0 && language && target->language && *target->language)
                r = http_request_add_header(q, "X-Language", target->language);
        return r;
}

int request_add_query(HttpRequest *q, const char *name, const char *value) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF(PATH_MAX_BYTES);
        char *query;
        int r;

        assert(q);
        assert(name);
        assert(value);

        if (q->query) {
                (void) strbuf_add(&b, q->query);        /* sticky */
                (void) strbuf_add(&b, "&");
        }
        (void) strbuf_add_percent(&b, name, strlen(name));
        (void) strbuf_add(&b, "=");
        (void) strbuf_add_percent(&b, value, strlen(value));
        r = strbuf_finish(&b, &query);
        if (r < 0)
                return r;

        free(q->query);
        q->query = query;
        return 0;
}

static int copy_body(HttpRequest *q, const char *s, size_t n) {
        q->body = malloc(n + 1);
        if (!q->body)
                return -ENOMEM;

        memcpy(q->body, s, n);
        q->body[n] = '\0';
        q->n_body = n;
        return 0;
}

int request_set_body(HttpRequest *q, json_object *body) {
        const char *s;
        size_t n;

        assert(q);
        assert(body);

        s = json_object_to_json_string_length(body, JSON_FLAGS, &n);
        return s ? copy_body(q, s, n) : -ENOMEM;
}

/*
 * json-c writes into a buffer that grows by moving, and leaves what it held behind. So it writes once with a
 * placeholder that is at least as long as the secret can become; then the buffer is large enough, and stays where it
 * is until it has been wiped.
 */
int request_set_secret_body(HttpRequest *q, json_object *body, json_object *place, const Secret *secret) {
        _cleanup_(freep) char *filler = NULL;
        size_t n_secret, n_filler, n = 0;
        const char *s;
        int r = -ENOMEM;

        assert(q);
        assert(body);
        assert(place);
        assert(secret);

        n_secret = secret_size(secret);
        n_filler = n_secret * ESCAPED_MAX;
        filler = malloc(n_filler + 1);
        if (!filler)
                return -ENOMEM;
        memset(filler, 'x', n_filler);
        filler[n_filler] = '\0';

        if (!json_object_set_string_len(place, filler, (int) n_filler) ||
            !json_object_to_json_string_ext(body, JSON_FLAGS))
                return -ENOMEM;

        /* Shorter than the placeholder, so it goes where that one was. */
        if (json_object_set_string_len(place, secret_text(secret), (int) n_secret)) {
                s = json_object_to_json_string_length(body, JSON_FLAGS, &n);
                if (s) {
                        r = copy_body(q, s, n);
                        explicit_bzero((char *) s, n);
                }
        }
        explicit_bzero((char *) json_object_get_string(place), n_secret);
        return r;
}

int json_add(json_object *o, const char *name, json_object *value) {
        assert(o);
        assert(name);

        if (!value)
                return -ENOMEM;
        if (json_object_object_add(o, name, value) < 0) {
                (void) json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int json_add_object(json_object *o, const char *name, json_object **ret) {
        json_object *value = json_object_new_object();
        int r = json_add(o, name, value);

        assert(ret);

        if (r >= 0)
                *ret = value;
        return r;
}

int json_add_text(json_object *o, const char *name, const char *value) {
        return json_add(o, name, json_object_new_string(value));
}
