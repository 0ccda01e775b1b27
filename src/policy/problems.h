/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is wrong with one file. Counts on its own, since the list that people read is bounded; running out of memory is
 * remembered, so that callers check once.
 */

#include "base/diag.h"
#include "policy/tree.h"

#define PROBLEM_KEY_MAX 256     /* bytes of a key's path, "defaults.lock.renew_before" */
#define PROBLEM_TEXT_MAX 1024   /* bytes of a message */

typedef struct Problems {
        Diagnostics *diags;     /* borrowed */
        const char *file;       /* as shown; borrowed */
        size_t n;               /* found in this file so far */
        size_t first;           /* of them in @diags */
        int error;              /* 0 or -ENOMEM: sticky */
} Problems;

void problems_init(Problems *p, const char *file, Diagnostics *diags);

/* @key: path of the key, NULL for none. */
void problems_add(Problems *p, unsigned line, unsigned column, const char *key, const char *format, ...)
        _printf_(5, 6);

/* At a node, which is marked as bad. */
void problems_at(Problems *p, TreeNode *node, const char *key, const char *format, ...) _printf_(4, 5);

/* Puts what was said of this file into the order of its lines. */
void problems_sort(Problems *p);
