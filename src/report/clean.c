/* SPDX-License-Identifier: Apache-2.0 */
#include "report/clean.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

#define REPLACEMENT "\xef\xbf\xbd"      /* U+FFFD */

static bool is_continuation(unsigned char c) {
        return (c & 0xc0) == 0x80;
}

/* Length of the UTF-8 character at @s, or 0 if there is none (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
static size_t decode(const unsigned char *s, uint32_t *ret) {
        static const struct {
                unsigned char mask, lead;
                uint32_t min;
        } forms[] = {
                { 0x80, 0x00, 0       },
                { 0xe0, 0xc0, 0x80    },
                { 0xf0, 0xe0, 0x800   },
                { 0xf8, 0xf0, 0x10000 },
        };

        for (size_t n = 0; n < N_ELEMENTS(forms); n++) {
                uint32_t c;

                if ((s[0] & forms[n].mask) != forms[n].lead)
                        continue;

                c = s[0] & (unsigned char) ~forms[n].mask;
                for (size_t i = 1; i <= n; i++) {
                        if (!is_continuation(s[i]))     /* the terminating NUL is none either */
                                return 0;
                        c = c << 6 | (s[i] & 0x3f);
                }

                if (c < forms[n].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                        return 0;

                *ret = c;
                return n + 1;
        }

        return 0;
}

static bool is_space(uint32_t c) {
        return c == '\n' || c == '\r' || c == '\t' || c == 0x2028 || c == 0x2029;
}

/* C0, DEL, C1, and what changes the direction in which a line is read: with those, a name could show as another one. */
static bool is_control(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t clean_text(const char *s, char *buf, size_t size) {
        size_t n = 0;

        assert(s);
        assert(buf);
        assert(size > 0);

        while (*s) {
                const char *out = s;
                uint32_t c = 0;
                size_t n_in, n_out;

                n_in = n_out = decode((const unsigned char *) s, &c);
                if (n_in == 0) {
                        out = REPLACEMENT;
                        n_in = 1;
                        n_out = strlen(REPLACEMENT);
                } else if (is_space(c) || is_control(c)) {
                        out = is_space(c) ? " " : "?";
                        n_out = 1;
                }

                if (n_out >= size - n)
                        break;

                memcpy(buf + n, out, n_out);
                n += n_out;
                s += n_in;
        }

        buf[n] = 0;
        return n;
}
