/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/text.h"

#include <stdint.h>

#include "base/http.h"
#include "base/macro.h"

/*
 * Length of the UTF-8 character at @s (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0 if there is none.
 */
static size_t utf8_next(const unsigned char *s, size_t n, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t length;
        uint32_t c;

        if (n == 0)
                return 0;
        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }

        length = (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
        if (length == 0 || n < length)
                return 0;

        c = s[0] & (0x7fu >> length);
        for (size_t i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }

        if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;

        *ret = c;
        return length;
}

/* Control characters of ASCII and Latin-1, and those that break a line or change the direction of what follows. */
static bool is_unsafe(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
               c == 0x061c || c == 0x200e || c == 0x200f ||
               (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

size_t text_copy(char *dst, size_t size, const char *s, size_t n) {
        const unsigned char *p = (const unsigned char *) s;
        size_t written = 0;

        assert(dst);
        assert(size > 0);
        assert(s || n == 0);

        while (n > 0) {
                uint32_t c = 0;
                size_t length = utf8_next(p, n, &c);
                bool keep = length > 0 && !is_unsafe(c);
                size_t wanted = keep ? length : 1;

                if (written + wanted >= size)
                        break;

                if (keep)
                        memcpy(dst + written, p, length);
                else
                        dst[written] = length == 1 && c >= '\t' && c <= '\r' ? ' ' : '?';
                written += wanted;

                p += MAX(length, (size_t) 1);
                n -= MAX(length, (size_t) 1);
        }

        dst[written] = '\0';
        return written;
}

bool text_append_whole(char *dst, size_t size, const char *s) {
        size_t have, n;

        assert(dst);
        assert(s);

        have = strlen(dst);
        n = strlen(s);
        if (have + n >= size)
                return false;

        (void) text_copy(dst + have, size - have, s, n);        /* never longer than what it copies */
        return true;
}

static bool is_white(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

void text_trim(const char **s, size_t *n) {
        assert(s);
        assert(n);

        while (*n > 0 && is_white((*s)[*n - 1]))
                (*n)--;
        while (*n > 0 && is_white(**s)) {
                (*s)++;
                (*n)--;
        }
}

bool text_is_utf8(const char *s, size_t n) {
        const unsigned char *p = (const unsigned char *) s;

        assert(s || n == 0);

        while (n > 0) {
                uint32_t c;
                size_t length = utf8_next(p, n, &c);

                if (length == 0)
                        return false;
                p += length;
                n -= length;
        }

        return true;
}

bool text_is_visible(const char *s, size_t n) {
        assert(s || n == 0);

        return n > 0 && http_text_visible(s, n);
}

bool text_is_printable(const char *s, size_t n) {
        assert(s || n == 0);

        for (size_t i = 0; i < n; i++)
                if ((unsigned char) s[i] < 0x20 || s[i] == 0x7f)
                        return false;

        return n > 0;
}
