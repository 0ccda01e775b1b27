/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#define STRBUF_FIRST 256 /* bytes; most texts here fit, and few are kept */

static void block_free(StrBuf *b, char *s, size_t n_allocated) {
        if (s && b->wipe)
                explicit_bzero(s, n_allocated);
        free(s);
}

int strbuf_reserve(StrBuf *b, size_t n) {
        size_t needed, wanted;
        char *s;

        assert(b);

        if (b->error < 0)
                return b->error;

        if (b->n > b->max || n > b->max - b->n || n > SIZE_MAX - b->n - 1)
                return b->error = -E2BIG;
        needed = b->n + n + 1;
        if (needed <= b->n_allocated)
                return 0;

        if (__builtin_mul_overflow(b->n_allocated, (size_t) 2, &wanted))
                wanted = needed;
        wanted = MAX(wanted, (size_t) STRBUF_FIRST);
        wanted = MAX(wanted, needed);
        if (b->max < SIZE_MAX)
                wanted = MIN(wanted, b->max + 1);

        /* realloc() would leave the old block's bytes behind. */
        s = b->wipe ? malloc(wanted) : realloc(b->s, wanted);
        if (!s)
                return b->error = -ENOMEM;
        if (b->wipe) {
                if (b->s)
                        memcpy(s, b->s, b->n);
                block_free(b, b->s, b->n_allocated);
        }

        b->s = s;
        b->n_allocated = wanted;
        b->s[b->n] = '\0';
        return 0;
}

int strbuf_addf(StrBuf *b, const char *format, ...) {
        size_t room;
        va_list ap;
        int n, r;

        assert(b);
        assert(format);

        /* Mostly there is room for it already. */
        room = b->error < 0 || b->n_allocated == 0 ? 0 : b->n_allocated - b->n;
        va_start(ap, format);
        n = vsnprintf(room > 0 ? b->s + b->n : NULL, room, format, ap);
        va_end(ap);
        if (n >= 0 && (size_t) n < room) {
                b->n += (size_t) n;
                return 0;
        }
        if (room > 0)
                b->s[b->n] = '\0';
        if (n < 0)      /* longer than an int can count, or no memory to work it out */
                return b->error = b->error < 0 ? b->error : errno == ENOMEM ? -ENOMEM : -E2BIG;

        r = strbuf_reserve(b, (size_t) n);
        if (r < 0)
                return r;

        va_start(ap, format);
        (void) vsnprintf(b->s + b->n, (size_t) n + 1, format, ap);
        va_end(ap);
        b->n += (size_t) n;
        return 0;
}

/* RFC 3986, 2.3 */
static const bool unreserved[256] = {
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true,
        ['-'] = true, ['_'] = true, ['.'] = true, ['~'] = true,
};

int strbuf_add_percent(StrBuf *b, const char *s, size_t n) {
        static const char hex[] = "0123456789ABCDEF";
        int r;

        assert(b);
        assert(s || n == 0);

        r = strbuf_reserve(b, 0);
        for (size_t i = 0; i < n && r >= 0;) {
                unsigned char c = (unsigned char) s[i];
                char escaped[] = { '%', hex[c >> 4], hex[c & 15] };
                size_t plain = i;

                while (plain < n && unreserved[(unsigned char) s[plain]])
                        plain++;
                r = plain > i ? strbuf_add_n(b, &s[i], plain - i) : strbuf_add_n(b, escaped, sizeof(escaped));
                i = MAX(plain, i + 1);
        }

        return r;
}

int strbuf_finish(StrBuf *b, char **ret) {
        int r;

        assert(b);
        assert(ret);

        r = strbuf_reserve(b, 0);
        if (r < 0)
                return r;

        *ret = STEAL(b->s);
        b->n = b->n_allocated = 0;
        return 0;
}

void strbuf_done(StrBuf *b) {
        if (!b)
                return;

        block_free(b, b->s, b->n_allocated);
        b->s = NULL;
        b->n = b->n_allocated = 0;
        b->error = 0;
}
