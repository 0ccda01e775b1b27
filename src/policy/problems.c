/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void problems_init(Problems *p, const char *file, Diagnostics *diags) {
        assert(p);
        assert(file);
        assert(diags);

        *p = (Problems) { .diags = diags, .file = file, .first = diags->n_items };
}

static void _printf_(5, 0) problems_addv(Problems *p, unsigned line, unsigned column, const char *key,
                                         const char *format, va_list args) {
        char text[PROBLEM_TEXT_MAX];
        int r;

        (void) vsnprintf(text, sizeof(text), format, args); /* cut if need be: it is for people */
        p->n++;
        r = diagnostics_add(p->diags, p->file, line, column, key, "%s", text);
        if (r < 0)
                p->error = r;
}

void problems_add(Problems *p, unsigned line, unsigned column, const char *key, const char *format, ...) {
        va_list args;

        assert(p);

        va_start(args, format);
        problems_addv(p, line, column, key, format, args);
        va_end(args);
}

void problems_at(Problems *p, TreeNode *node, const char *key, const char *format, ...) {
        va_list args;

        assert(p);
        assert(node);

        node->bad = true;
        va_start(args, format);
        problems_addv(p, node->line, node->column, key, format, args);
        va_end(args);
}

static int diagnostic_compare(const void *a, const void *b) {
        const Diagnostic *x = a, *y = b;
        int r;

        if (x->line != y->line)
                return x->line < y->line ? -1 : 1;
        if (x->column != y->column)
                return x->column < y->column ? -1 : 1;
        r = strcmp(x->key ? x->key : "", y->key ? y->key : "");
        return r != 0 ? r : strcmp(x->message, y->message);
}

void problems_sort(Problems *p) {
        assert(p);

        if (p->diags->n_items > p->first + 1)
                qsort(p->diags->items + p->first, p->diags->n_items - p->first, sizeof(*p->diags->items),
                      diagnostic_compare);
}
