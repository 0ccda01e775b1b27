/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/percent.h"

#include <ctype.h>

static int digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return (c | 0x20) - 'a' + 10;
}

bool sim_percent_decode(const char *s, size_t n, bool plus_is_blank, char *buf, size_t size, size_t *ret_n) {
        size_t out = 0;

        for (size_t i = 0; i < n; i++) {
                char c = s[i];

                if (out + 1 >= size)
                        return false;
                if (c == '%' && i + 2 < n && isxdigit((unsigned char) s[i + 1]) &&
                    isxdigit((unsigned char) s[i + 2])) {
                        c = (char) (digit(s[i + 1]) << 4 | digit(s[i + 2]));
                        i += 2;
                } else if (c == '+' && plus_is_blank) {
                        c = ' ';
                }
                buf[out++] = c;
        }
        if (out >= size)
                return false;
        buf[out] = '\0';
        *ret_n = out;
        return true;
}

static bool is_unreserved(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == '~';
}

int sim_percent_encode(StrBuf *to, const char *s, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n && r >= 0;) {
                size_t plain = i;

                while (plain < n && is_unreserved(s[plain]))
                        plain++;
                if (plain > i)
                        r = strbuf_add_n(to, &s[i], plain - i);
                else
                        r = strbuf_addf(to, "%%%02X", (unsigned char) s[plain++]);
                i = plain;
        }
        return r;
}
