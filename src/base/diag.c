/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of one text: a key quoted from a file of 1 MiB must not be shown a thousand times over. Picked, not measured. */
#define DIAGNOSTIC_TEXT_MAX 1024

static const char cut_mark[] = "…";

/*
 * Length of the printable UTF-8 character at @s, 0 if there is none: broken UTF-8, and the control characters of both
 * sets (C0 with DEL, C1), which could steer the terminal that the text is shown on. Never reads past a NUL.
 */
static size_t printable_length(const unsigned char *s) {
        uint32_t c;
        size_t n;

        if (s[0] < 0x80)
                return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;

        if (s[0] >= 0xc2 && s[0] <= 0xdf) {
                n = 2;
                c = s[0] & 0x1fU;
        } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
                n = 3;
                c = s[0] & 0x0fU;
        } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
                n = 4;
                c = s[0] & 0x07U;
        } else
                return 0;

        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fU);
        }

        /* Overlong forms, surrogates, past the last code point, C1 controls. */
        if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c <= 0xdfff) ||
            c < 0xa0)
                return 0;
        return n;
}

/* Makes @s printable in place, at most DIAGNOSTIC_TEXT_MAX bytes. */
static void make_printable(char *s) {
        size_t i = 0, n;

        while (s[i]) {
                n = printable_length((const unsigned char *) s + i);
                if (n == 0) {
                        s[i] = '?';
                        n = 1;
                }
                if (i + n > DIAGNOSTIC_TEXT_MAX - (sizeof(cut_mark) - 1)) {
                        /* The mark is written where more than its own length is still to come, else the text fits. */
                        if (strnlen(s + i, sizeof(cut_mark)) >= sizeof(cut_mark)) {
                                memcpy(s + i, cut_mark, sizeof(cut_mark));
                                return;
                        }
                }
                i += n;
        }
}

static int copy_printable(const char *s, char **ret) {
        char *copy;

        if (!s) {
                *ret = NULL;
                return 0;
        }

        copy = strdup(s);
        if (!copy)
                return -ENOMEM;

        make_printable(copy);
        *ret = copy;
        return 0;
}

static void diagnostic_done(Diagnostic *d) {
        free(d->file);
        free(d->key);
        free(d->message);
        *d = (Diagnostic) {};
}

static int diagnostics_grow(Diagnostics *d) {
        Diagnostic *items;

        /* Sizes are the powers of two: a new block is due when the number of items is one. */
        if (d->n_items & (d->n_items - 1))
                return 0;

        items = reallocarray(d->items, d->n_items > 0 ? d->n_items * 2 : 1, sizeof(*items));
        if (!items)
                return -ENOMEM;

        d->items = items;
        return 0;
}

int diagnostics_add(Diagnostics *d, const char *file, unsigned line, unsigned column, const char *key,
                    const char *format, ...) {
        Diagnostic item = { .line = line, .column = column };
        va_list ap;
        int n;

        assert(d);
        assert(format);

        if (d->n_items >= DIAGNOSTICS_MAX) {
                d->n_dropped++;
                return 0;
        }
        if (diagnostics_grow(d) < 0)
                return -ENOMEM;

        va_start(ap, format);
        n = vasprintf(&item.message, format, ap);
        va_end(ap);
        if (n < 0) {
                item.message = NULL; /* undefined after a failure */
                return -ENOMEM;
        }
        make_printable(item.message);

        if (copy_printable(file, &item.file) < 0 || copy_printable(key, &item.key) < 0) {
                diagnostic_done(&item);
                return -ENOMEM;
        }

        d->items[d->n_items++] = item;
        return 0;
}

void diagnostics_done(Diagnostics *d) {
        if (!d)
                return;

        for (size_t i = 0; i < d->n_items; i++)
                diagnostic_done(&d->items[i]);
        free(d->items);
        *d = (Diagnostics) {};
}

char *diagnostic_to_string(const Diagnostic *d) {
        char position[32] = ""; /* two colons and two unsigned numbers */
        char *s;

        assert(d);

        if (d->line > 0 && d->column > 0)
                (void) snprintf(position, sizeof(position), ":%u:%u", d->line, d->column);
        else if (d->line > 0)
                (void) snprintf(position, sizeof(position), ":%u", d->line);

        if (asprintf(&s, "%s%s%s%s%s%s", d->file ? d->file : "", d->file ? position : "", d->file ? ": " : "",
                     d->key ? d->key : "", d->key ? ": " : "", d->message ? d->message : "") < 0)
                return NULL;

        return s;
}
