/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A text that grows up to a hard cap. A failed append makes every later one fail, so that one check at the end is enough.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

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
int strbuf_add(StrBuf *b, const char *s);
int strbuf_add_n(StrBuf *b, const void *p, size_t n);
int strbuf_addf(StrBuf *b, const char *format, ...) _printf_(2, 3);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ (upper-case hex), as the cloud's signature wants it. */
int strbuf_add_percent(StrBuf *b, const char *s, size_t n);

/* Hands the text over (never NULL on success: an empty buffer gives "") and leaves the buffer empty, with its cap. Return: 0 or the
 * sticky error. */
int strbuf_finish(StrBuf *b, char **ret);
/* Frees what is left and clears the error; the buffer can be used again. */
void strbuf_done(StrBuf *b);
