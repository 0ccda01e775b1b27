/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An event as the journal's fields: "NAME=value" texts, cleaned, in one block of memory that is used again for each event.
 */

#include <stddef.h>

#include "facts/event.h"
#include "report/clean.h"

#define FIELDS_MAX 17           /* MESSAGE … HOLDFAST_COLUMN */
#define FIELD_VALUE_MAX 1024    /* bytes with the NUL of any value but MESSAGE; picked: far more than any id or path of ours has */
#define FIELD_NAME_MAX 32
#define FIELDS_BLOCK_SIZE                                                                       \
        (CLEAN_GROWTH_MAX * EVENT_MESSAGE_MAX + FIELD_NAME_MAX +                                \
         (FIELDS_MAX - 1) * (FIELD_VALUE_MAX + FIELD_NAME_MAX))

typedef struct Field {
        const char *name;       /* static text */
        const char *text;       /* "NAME=value"; belongs to the Fields */
        const char *value;      /* points into text */
        size_t n_text;
} Field;

typedef struct Fields {
        Field items[FIELDS_MAX];
        size_t n_items;
        size_t n_block;
        char block[FIELDS_BLOCK_SIZE];
} Fields;

/* Forgets what was there before. */
void fields_from_event(Fields *f, const Event *e, int priority);

const char *fields_get(const Fields *f, const char *name);      /* NULL if it does not apply */
