/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From a tree to a struct, along the table of keys. Every mistake is told, none ends the reading: a field whose value
 * is no good keeps what it had.
 */

#include "policy/keys.h"
#include "policy/problems.h"
#include "policy/tree.h"

#define DECODE_BACKUPS_MAX 1000         /* ids of one list; picked: a listing of the cloud has as many at most */

typedef struct Decoder {
        Problems *problems;
        Arena *arena;           /* structs and texts are kept there; some texts stay where the tree has them */
        const Settings *settings;       /* what sections of controls start from; NULL for holdfast.yaml */
} Decoder;

/**
 * decode_section() - read a mapping into a struct
 * @mapping:    any node: what is no mapping is a mistake, but an empty one is an empty mapping
 * @path:       of the section, "" at the top
 * @flags:      KEY_DEFAULTS, KEY_PRIVATE
 * @target:     the struct, filled with defaults before
 *
 * Return: 0, also with mistakes; -ENOMEM.
 */
int decode_section(Decoder *d, TreeNode *mapping, const KeySection *section, const char *path, unsigned flags,
                   void *target);

/* Sets what the table gives as default, sections included. Return: 0; -ENOMEM. */
int decode_initial(Arena *arena, const KeySection *section, void *target);

/* "section.key", or "key" at the top; unknown keys are shown as far as that is safe. Returns @buf. */
char *decode_path(const char *path, const char *key, char buf[static PROBLEM_KEY_MAX]);
