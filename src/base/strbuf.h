/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A text that grows up to a hard cap. A failed append makes every later one fail, so that one check at the end is enough.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/macro.h"

typedef struct StrBuf {
        char *s;                /* NUL-terminated once something was appended */
        size_t n, n_allocated;
        size_t max;             /* cap in bytes without the NUL, set by STRBUF() */
        int error;              /* 0, -ENOMEM or -E2BIG: sticky */
        bool wipe;              /* holds secrets: every block is wiped before it is freed */
} StrBuf;

#define STRBUF(cap) { .max = (cap) }

/* All appends: 0 or the sticky error; what they are given must not lie in the buffer itself. */
static inline int strbuf_add(StrBuf *b, const char *s);
static inline int strbuf_add_n(StrBuf *b, const void *p, size_t n);
int strbuf_addf(StrBuf *b, const char *format, ...) _printf_(2, 3);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ (upper-case hex), as the cloud's signature wants it. */
int strbuf_add_percent(StrBuf *b, const char *s, size_t n);

/* Makes room for @n more bytes and the NUL, so that a text whose size is known does not grow piece by piece. Return: 0 or the sticky error. */
int strbuf_reserve(StrBuf *b, size_t n);

/* Hands the text over (never NULL on success: an empty buffer gives "") and leaves the buffer empty, with its cap. Return: 0 or the
 * sticky error. */
int strbuf_finish(StrBuf *b, char **ret);
/* Frees what is left and clears the error; the buffer can be used again. */
void strbuf_done(StrBuf *b);

static inline int strbuf_add_n(StrBuf *b, const void *p, size_t n) {
        int r = 0;

        assert(b);
        assert(p || n == 0);

        if (b->error < 0 || n >= b->n_allocated - b->n)
                r = strbuf_reserve(b, n);
        if (r < 0)
                return r;

        if (n > 0)
                memcpy(b->s + b->n, p, n);
        b->n += n;
        b->s[b->n] = '\0';
        return 0;
}

static inline int strbuf_add(StrBuf *b, const char *s) {
        assert(s);
        return strbuf_add_n(b, s, strlen(s));
}
