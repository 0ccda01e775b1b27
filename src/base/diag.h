/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a person is told about a file: where, which key, and a sentence. Collected, so that all mistakes of a file are
 * reported in one go.
 */

#include <stddef.h>

#include "base/macro.h"

typedef struct Diagnostic {
        char *file;             /* as shown: the name without its folder; NULL: no file */
        unsigned line, column;  /* from 1; 0 where the file as a whole is meant */
        char *key;              /* "lock.renew_before", or NULL */
        char *message;          /* "found …, expected …" */
} Diagnostic;

typedef struct Diagnostics {
        Diagnostic *items;
        size_t n_items;
        size_t n_dropped;       /* past DIAGNOSTICS_MAX of one file */
} Diagnostics;

#define DIAGNOSTICS_MAX 1000    /* a run; picked, not measured: nobody reads more */

/* Appends one; strings are copied, each at most 1024 bytes of it (a mark shows the cut); control characters and what is not UTF-8
 * are replaced by "?". @file and @key may be NULL. Past DIAGNOSTICS_MAX it only counts. Return: 0 or -ENOMEM. */
int diagnostics_add(Diagnostics *d, const char *file, unsigned line, unsigned column, const char *key, const char *format, ...)
        _printf_(6, 7);
void diagnostics_done(Diagnostics *d);
DEFINE_CLEANUP(Diagnostics *, diagnostics_done)

/* "orders.yaml:7:19: lock.renew_before: found …, expected …". New (free with free()); NULL if memory ran out. */
char *diagnostic_to_string(const Diagnostic *d);
