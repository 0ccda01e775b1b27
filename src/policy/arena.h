/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory that is given back in one go: what all policies have in common, or the tree of one file while it is read. Equal things can
 * be stored once, since thousands of policies name the same region, project and bucket and want the same of their locks.
 */

#include <stddef.h>

#include "base/macro.h"

typedef struct Arena Arena;

int arena_new(Arena **ret);
Arena *arena_free(Arena *a);
DEFINE_CLEANUP(Arena *, arena_free)

/* Forgets everything that was handed out, but keeps some memory for the next use. */
void arena_reset(Arena *a);

/* All of these return memory that belongs to @a until arena_reset() or arena_free(), or NULL if memory ran out. */
void *arena_alloc(Arena *a, size_t n);                          /* zeroed, aligned for every type */
void *arena_copy(Arena *a, const void *p, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_strndup(Arena *a, const char *s, size_t n);
const void *arena_intern(Arena *a, const void *p, size_t n);    /* the same pointer for the same bytes */
const char *arena_intern_text(Arena *a, const char *s);

size_t arena_size(const Arena *a);      /* bytes that were handed out */
