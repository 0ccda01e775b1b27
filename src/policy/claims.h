/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What only one document of a folder may have: its name, and each control of an instance. */

#include "policy/policy.h"

typedef struct Claims Claims;

int claims_new(Claims **ret);
Claims *claims_free(Claims *c);
DEFINE_CLEANUP(Claims *, claims_free)

/* Claims the name and all controls of @i, which must be free; @i is borrowed until it is removed or moved. Return: 0; -ENOMEM, and it has none. */
int claims_add(Claims *c, const Instance *i);

void claims_remove(Claims *c, const Instance *i);       /* @i has claimed */
void claims_move(Claims *c, const Instance *from, const Instance *to);  /* @from has claimed, and @to says the same: it has the claims now */

/* Who has it, as it was added; NULL: it is free. */
const Instance *claims_find_name(const Claims *c, const Instance *i);
const Instance *claims_find_control(const Claims *c, const Instance *i, Control control);       /* NULL too if @i does not have it */
bool claims_are_free(const Claims *c, const Instance *i);
