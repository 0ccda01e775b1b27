/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/wrap.h"

#define CELL_BYTES 256          /* of table_addf() */
#define COLUMNS_MAX 16          /* of a table; ours have six */
#define GAP 2                   /* blanks between two columns */
#define WRAP_MIN 20             /* columns; narrower text is no text */
#define WRAPPED_BYTES_MAX 65536 /* of a cell */

struct Table {
        struct libscols_table *table;
        bool limited;           /* lines end at columns: those of the terminal, or of who names a width */
        unsigned columns;
        unsigned flags[COLUMNS_MAX], widths[COLUMNS_MAX];
        size_t n_columns;
        struct libscols_line *row;
        size_t column;          /* of the next cell */
        int error;              /* sticky */
};

static void note(Table *t, int r) {
        if (r < 0 && t->error == 0)
                t->error = r;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        scols_unref_table(t->table);
        free(t);
        return NULL;
}

int table_new(const CtlOptions *o, Table **ret) {
        _cleanup_(table_freep) Table *t = NULL;

        assert(o);
        assert(ret);

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->table = scols_new_table();
        if (!t->table)
                return -ENOMEM;

        /* Behind a pager the terminal is not stdout any more. */
        t->limited = o->terminal || getenv("COLUMNS");
        note(t, scols_table_set_termforce(t->table, t->limited ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER));
        if (t->limited)
                note(t, scols_table_set_termwidth(t->table, o->columns));
        note(t, scols_table_enable_colors(t->table, o->color));
        note(t, scols_table_enable_noheadings(t->table, !o->legend));
        note(t, scols_table_set_column_separator(t->table, "  "));      /* GAP */
        note(t, scols_table_enable_minout(t->table, 1));        /* no blanks at the end of a line */

        t->columns = o->columns;
        *ret = STEAL(t);
        return 0;
}

void table_add_column(Table *t, const char *head, unsigned flags) {
        int f = (flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) | (flags & TABLE_WRAP ? SCOLS_FL_WRAP : 0) |
                (flags & TABLE_CUT ? SCOLS_FL_TRUNC : 0);
        struct libscols_column *c;

        assert(t->n_columns < COLUMNS_MAX);

        c = scols_table_new_column(t->table, head, 0, f);
        if (!c) {
                note(t, -ENOMEM);
                return;
        }
        if (flags & TABLE_WRAP) {
                note(t, scols_column_set_safechars(c, "\n"));
                note(t, scols_column_set_wrapfunc(c, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL));
        }
        t->flags[t->n_columns] = flags;
        t->widths[t->n_columns++] = wrap_width(head, strlen(head));
        note(t, scols_cell_set_color(scols_column_get_header(c), "\x1b[1m"));
}

void table_begin_row(Table *t) {
        t->column = 0;
        t->row = scols_table_new_line(t->table, NULL);
        if (!t->row)
                note(t, -ENOMEM);
}

void table_add(Table *t, const char *text, const char *color) {
        char sequence[32];
        size_t column = t->column++;
        int r;

        if (!t->row)
                return;

        assert(column < t->n_columns);
        if (text)
                t->widths[column] = MAX(t->widths[column], wrap_width(text, strlen(text)));
        r = scols_line_set_data(t->row, column, text ? text : "");
        if (r >= 0 && color) {
                (void) snprintf(sequence, sizeof(sequence), "\x1b[%sm", color);
                r = scols_cell_set_color(scols_line_get_cell(t->row, column), sequence);
        }
        note(t, r);
}

void table_addf(Table *t, const char *color, const char *format, ...) {
        char text[CELL_BYTES];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        table_add(t, text, color);
}

static int wrap_cell(struct libscols_cell *cell, unsigned columns) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF(WRAPPED_BYTES_MAX);
        _cleanup_(freep) char *lines = NULL;
        const char *text = scols_cell_get_data(cell);
        int r;

        if (!text || wrap_width(text, strlen(text)) <= columns)
                return 0;

        r = wrap_lines(text, columns, &b);
        if (r >= 0)
                r = strbuf_finish(&b, &lines);
        return r < 0 ? r : scols_cell_set_data(cell, lines);
}

/* libsmartcols breaks lines where they end; people read words. What the other columns leave is known now. */
static int wrap_column(Table *t, size_t column) {
        unsigned others = 0, left;
        int r = 0;

        for (size_t i = 0; i < t->n_columns; i++)
                others += i == column ? 0 : t->widths[i] + GAP;
        left = MAX((unsigned) WRAP_MIN, t->columns - MIN(others, t->columns));
        for (size_t i = 0; i < scols_table_get_nlines(t->table) && r >= 0; i++)
                r = wrap_cell(scols_line_get_cell(scols_table_get_line(t->table, i), column), left);
        return r;
}

int table_print(Table *t) {
        for (size_t i = 0; i < t->n_columns && t->limited; i++)
                if (t->flags[i] & TABLE_WRAP)
                        note(t, wrap_column(t, i));
        if (t->error < 0)
                return t->error;
        if (scols_table_get_nlines(t->table) == 0)
                return 0;

        (void) fflush(stdout);
        return scols_print_table(t->table);
}
