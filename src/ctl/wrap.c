/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/wrap.h"

#include <stdio.h>
#include <wchar.h>

#include "base/macro.h"

/* The next character. Return: its bytes, at least 1; @ret: its columns. */
static size_t next_character(const char *s, size_t n, unsigned *ret) {
        mbstate_t state = {};
        wchar_t c;
        size_t k = mbrtowc(&c, s, n, &state);
        int w;

        if (k == (size_t) -1 || k == (size_t) -2 || k == 0) {
                *ret = 1;
                return 1;
        }

        w = wcwidth(c);
        *ret = w > 0 ? (unsigned) w : 0;
        return k;
}

unsigned wrap_width(const char *s, size_t n) {
        unsigned width = 0, w;

        for (size_t at = 0; at < n; width += w)
                at += next_character(s + at, n - at, &w);

        return width;
}

/* A word that fits in no line: as many characters as do, again and again. Return: columns of its last line. */
static unsigned add_long_word(StrBuf *b, const char *s, size_t n, unsigned columns) {
        unsigned column = 0, w;

        while (n > 0) {
                size_t k = next_character(s, n, &w);

                if (column > 0 && column + w > columns) {
                        (void) strbuf_add(b, "\n");
                        column = 0;
                }
                (void) strbuf_add_n(b, s, k);
                column += w;
                s += k;
                n -= k;
        }

        return column;
}

int wrap_lines(const char *text, unsigned columns, StrBuf *b) {
        unsigned column = 0;

        assert(text);
        assert(columns > 0);

        for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
                size_t n = strcspn(text, " ");
                unsigned width = wrap_width(text, n);

                if (column > 0 && column + 1 + width > columns) {
                        (void) strbuf_add(b, "\n");
                        column = 0;
                } else if (column > 0) {
                        (void) strbuf_add(b, " ");
                        column++;
                }
                column += add_long_word(b, text, n, columns);
                text += n;
        }

        return b->error;
}

void wrap_print(const char *text, unsigned columns, unsigned indent, unsigned at) {
        unsigned column = at;
        int first = 1;

        assert(text);

        while (*text) {
                size_t n = strcspn(text, " ");
                unsigned width = wrap_width(text, n);

                if (!first && column + 1 + width > columns) {
                        (void) printf("\n%*s", (int) indent, "");
                        column = indent;
                } else if (!first) {
                        (void) putchar(' ');
                        column++;
                }

                (void) fwrite(text, 1, n, stdout);
                column += width;
                first = 0;
                text += n;
                text += strspn(text, " ");
        }

        (void) putchar('\n');
}
