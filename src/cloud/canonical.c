/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/canonical.h"

#include <errno.h>

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* Decodes in place. Return: the bytes that remain; some of them may be NUL. */
static size_t percent_decode(char *s, size_t n) {
        size_t written = 0;

        for (size_t i = 0; i < n; i++) {
                int high = i + 2 < n && s[i] == '%' ? hex_digit(s[i + 1]) : -1;
                int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                if (low >= 0) {
                        s[written++] = (char) (high << 4 | low);
                        i += 2;
                } else
                        s[written++] = s[i];
        }

        return written;
}

/* Is @path its own canonical form, but for the slash at its end? */
static bool is_canonical(const char *path) {
        return path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")] == '\0';
}

int canonical_path(StrBuf *b, const char *path) {
        _cleanup_(freep) char *copy = NULL;
        const char *p, *end;
        size_t n;

        assert(b);

        if (path && is_canonical(path)) {
                n = strlen(path);
                (void) strbuf_add_n(b, path, n);        /* sticky */
                return n == 0 || path[n - 1] != '/' ? strbuf_add_n(b, "/", 1) : b->error;
        }

        copy = strdup(path ? path : "");
        if (!copy)
                return -ENOMEM;
        n = percent_decode(copy, strlen(copy));

        for (p = copy, end = copy + n; p < end;) {
                const char *slash = memchr(p, '/', (size_t) (end - p));
                size_t length = (size_t) ((slash ? slash : end) - p);

                (void) strbuf_add_percent(b, p, length);        /* sticky */
                p += length;
                if (slash) {
                        (void) strbuf_add_n(b, "/", 1);
                        p++;
                }
        }
        if (n == 0 || copy[n - 1] != '/')
                (void) strbuf_add_n(b, "/", 1);

        return b->error;
}

typedef struct Pair {
        const char *key, *value;        /* decoded, by length: may hold NULs */
        size_t n_key, n_value;
} Pair;

static int compare_bytes(const char *a, size_t n_a, const char *b, size_t n_b) {
        int c = memcmp(a, b, MIN(n_a, n_b));

        return c != 0 ? c : (n_a > n_b) - (n_a < n_b);
}

static int compare_pairs(const void *x, const void *y) {
        const Pair *a = x, *b = y;
        int c = compare_bytes(a->key, a->n_key, b->key, b->n_key);

        return c != 0 ? c : compare_bytes(a->value, a->n_value, b->value, b->n_value);
}

/* Splits first, decodes then: an encoded "&" or "=" is no separator. */
static Pair pair_parse(char *s) {
        char *equals = strchr(s, '=');
        char *value = equals ? equals + 1 : s + strlen(s);
        size_t n_key = equals ? (size_t) (equals - s) : strlen(s);

        return (Pair) {
                .key = s,
                .n_key = percent_decode(s, n_key),
                .value = value,
                .n_value = percent_decode(value, strlen(value)),
        };
}

int canonical_query(StrBuf *b, const char *query) {
        _cleanup_(freep) char *copy = NULL;
        _cleanup_(freep) Pair *pairs = NULL;
        size_t n_pairs = 0, n_max = 1;
        char *save = NULL;

        assert(b);

        if (!query || !*query)
                return b->error;

        for (const char *p = query; *p; p++)
                n_max += *p == '&';
        copy = strdup(query);
        pairs = calloc(n_max, sizeof(*pairs));
        if (!copy || !pairs)
                return -ENOMEM;

        for (char *piece = strtok_r(copy, "&", &save); piece; piece = strtok_r(NULL, "&", &save))
                pairs[n_pairs++] = pair_parse(piece);
        qsort(pairs, n_pairs, sizeof(*pairs), compare_pairs);

        for (size_t i = 0; i < n_pairs; i++) {
                if (i > 0)
                        (void) strbuf_add_n(b, "&", 1); /* sticky */
                (void) strbuf_add_percent(b, pairs[i].key, pairs[i].n_key);
                (void) strbuf_add_n(b, "=", 1);
                (void) strbuf_add_percent(b, pairs[i].value, pairs[i].n_value);
        }

        return b->error;
}
