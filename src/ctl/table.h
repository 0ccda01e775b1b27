/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Aligned columns, by libsmartcols: as wide as the terminal where there is one, as wide as needed elsewhere.
 */

#include "ctl/ctl.h"

typedef struct Table Table;

typedef enum TableFlags {
        TABLE_RIGHT     = 1 << 0,       /* numbers */
        TABLE_WRAP      = 1 << 1,       /* long text goes on in the next line … */
        TABLE_CUT       = 1 << 2,       /* … or is cut, on a terminal */
} TableFlags;

int table_new(const CtlOptions *o, Table **ret);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)

/* @head: not shown with --no-legend. Failures of all these stick until table_print(). */
void table_add_column(Table *t, const char *head, unsigned flags);
void table_begin_row(Table *t);
/* The next cell of the row. @text is copied; NULL: empty; @color: SGR parameters as in words.h, or NULL. */
void table_add(Table *t, const char *text, const char *color);
void table_addf(Table *t, const char *color, const char *format, ...) _printf_(3, 4);

/* On stdout. Return: 0 or -ENOMEM and the like. */
int table_print(Table *t);
