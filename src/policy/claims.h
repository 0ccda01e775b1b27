/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What only one document of a folder may have: its name, and each control of an instance. */

#include "policy/policy.h"

typedef struct Claims Claims;

/* Who has something: where the document begins. Belongs to the claims. */
typedef struct Claim {
        const char *file;       /* borrowed from the instance that claimed */
        unsigned line;
} Claim;

int claims_new(Claims **ret);
Claims *claims_free(Claims *c);
DEFINE_CLEANUP(Claims *, claims_free)

void claims_begin_file(Claims *c);      /* from here on, claims are the next file's */
void claims_withdraw(Claims *c);        /* takes back those made since claims_begin_file() */

/* Claims the name and all controls of @i, which must be free. @i's file name is borrowed. Return: 0; -ENOMEM. */
int claims_add(Claims *c, const Instance *i);

bool claims_are_free(const Claims *c, const Instance *i);
const Claim *claims_find_name(const Claims *c, const Instance *i);      /* NULL: it is free */
const Claim *claims_find_control(const Claims *c, const Instance *i, Control control);  /* NULL: free, or @i does not have it */
