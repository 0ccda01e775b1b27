/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be done with a struct that a table of keys describes, whatever is in it. */

#include "policy/arena.h"
#include "policy/keys.h"

/**
 * record_take() - make a struct own what it points to
 * @target:     a bytewise copy of another; its texts, lists and structs are replaced by copies of them
 * @arena:      where the copies go, equal ones but once, and without texts that are KEY_OWN: those are left as they are; NULL: each text on
 *              its own, to be freed with record_done() (sections of controls and lists have no place in such a struct)
 *
 * Return: 0; -ENOMEM: what could not be copied is NULL, nothing else is borrowed any more.
 */
int record_take(const KeySection *section, void *target, Arena *arena);

/* Frees what record_take() without an arena has copied. */
void record_done(const KeySection *section, void *target);

/* Do two structs say the same? */
bool record_equal(const KeySection *section, const void *a, const void *b);
