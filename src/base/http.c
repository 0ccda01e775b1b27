/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http.h"

#include <errno.h>
#include <stdint.h>
#include <strings.h>

static char *wipe_free(char *s, size_t n) {
        if (s)
                explicit_bzero(s, n);
        free(s);
        return NULL;
}

const char *http_method_to_string(HttpMethod m) {
        static const char *const names[HTTP_METHOD__MAX] = {
                [HTTP_GET] = "GET",
                [HTTP_POST] = "POST",
                [HTTP_PUT] = "PUT",
        };

        assert(m < HTTP_METHOD__MAX);
        return names[m];
}

/* All from @min to 0x7e? Eight bytes at a time: headers are looked at before each request, more than once. */
static bool is_ascii_from(const char *s, size_t n, unsigned char min) {
        const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
        size_t i = 0;

        for (uint64_t word; i + sizeof(word) <= n; i += sizeof(word)) {
                memcpy(&word, s + i, sizeof(word));
                if (((word - ones * min) | (word + ones) | word) & high)
                        return false;
        }
        for (; i < n; i++)
                if ((unsigned char) s[i] < min || (unsigned char) s[i] > 0x7e)
                        return false;

        return true;
}

bool http_header_value_valid(const char *value) {
        assert(value);

        if (is_ascii_from(value, strlen(value), ' '))
                return true;
        for (const char *p = value; *p; p++)
                if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7f)
                        return false;

        return true;
}

bool http_text_visible(const char *s, size_t n) {
        assert(s || n == 0);
        return is_ascii_from(s, n, 0x21);
}

int http_request_add_header(HttpRequest *q, const char *name, const char *value) {
        char *copy;

        assert(q);
        assert(name);
        assert(value);

        if (q->n_headers >= HTTP_HEADERS_MAX)
                return -E2BIG;

        copy = strdup(value);
        if (!copy)
                return -ENOMEM;

        q->headers[q->n_headers++] = (HttpHeader) { .name = name, .value = copy };
        return 0;
}

const char *http_request_header(const HttpRequest *q, const char *name) {
        assert(q);

        for (size_t i = 0; i < q->n_headers; i++)
                if (strcasecmp(q->headers[i].name, name) == 0)
                        return q->headers[i].value;

        return NULL;
}

void http_request_done(HttpRequest *q) {
        if (!q)
                return;

        free(q->origin);
        free(q->path);
        free(q->query);
        for (size_t i = 0; i < q->n_headers; i++)
                wipe_free(q->headers[i].value, strlen(q->headers[i].value));
        wipe_free(q->body, q->n_body);
        *q = (HttpRequest) {};
}

void http_reply_done(HttpReply *p) {
        if (!p)
                return;

        free(p->error);
        wipe_free(p->body, p->n_body);  /* a metadata answer holds a secret key */
        free(p->date);
        free(p->request_id);
        free(p->retry_after);
        wipe_free(p->subject_token, p->subject_token ? strlen(p->subject_token) : 0);
        *p = (HttpReply) {};
}
