/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define ARENA_BLOCK_MIN ((size_t) 4096)         /* bytes; picked: holds the tree of an ordinary file */
#define ARENA_BLOCK_MAX ((size_t) 256 * 1024)   /* bytes; blocks double up to this, so that many texts need few of them */

typedef struct Block {
        struct Block *next;
        size_t n, n_used;
        alignas(max_align_t) unsigned char bytes[];
} Block;

typedef struct Interned {
        UT_hash_handle hh;
        char *text;
} Interned;

struct Arena {
        Block *blocks;          /* the newest first: only it is filled */
        Interned *interned;
};

int arena_new(Arena **ret) {
        Arena *a;

        assert(ret);

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;

        *ret = a;
        return 0;
}

Arena *arena_free(Arena *a) {
        if (!a)
                return NULL;

        HASH_CLEAR(hh, a->interned);
        while (a->blocks) {
                Block *next = a->blocks->next;

                free(a->blocks);
                a->blocks = next;
        }

        free(a);
        return NULL;
}

void arena_reset(Arena *a) {
        assert(a);

        HASH_CLEAR(hh, a->interned);
        while (a->blocks && a->blocks->next) {
                Block *older = a->blocks->next;

                a->blocks->next = older->next;
                free(older);
        }

        if (!a->blocks)
                return;
        if (a->blocks->n > ARENA_BLOCK_MAX) { /* one huge file is no reason to keep its memory */
                free(a->blocks);
                a->blocks = NULL;
                return;
        }
        a->blocks->n_used = 0;
}

static Block *arena_grow(Arena *a, size_t n) {
        size_t size = a->blocks ? MIN(a->blocks->n * 2, ARENA_BLOCK_MAX) : ARENA_BLOCK_MIN;
        Block *b;

        size = MAX(size, n);
        b = malloc(sizeof(*b) + size);
        if (!b)
                return NULL;

        *b = (Block) { .next = a->blocks, .n = size };
        a->blocks = b;
        return b;
}

void *arena_alloc(Arena *a, size_t n) {
        Block *b;
        void *p;

        assert(a);

        if (n > SIZE_MAX / 2)
                return NULL;

        n = (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
        b = a->blocks;
        if (!b || b->n - b->n_used < n)
                b = arena_grow(a, n);
        if (!b)
                return NULL;

        p = b->bytes + b->n_used;
        b->n_used += n;
        return memset(p, 0, n);
}

void *arena_copy(Arena *a, const void *p, size_t n) {
        void *copy = arena_alloc(a, n);

        return copy && n > 0 ? memcpy(copy, p, n) : copy;
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
        char *copy;

        assert(s);

        copy = arena_alloc(a, n + 1);
        return copy ? memcpy(copy, s, n) : NULL; /* the rest is zeroed already */
}

char *arena_strdup(Arena *a, const char *s) {
        assert(s);
        return arena_strndup(a, s, strlen(s));
}

char *arena_intern(Arena *a, const char *s) {
        Interned *found, *entry;

        assert(a);
        assert(s);

        HASH_FIND_STR(a->interned, s, found);
        if (found)
                return found->text;

        entry = arena_alloc(a, sizeof(*entry));
        if (!entry)
                return NULL;
        entry->text = arena_strdup(a, s);
        if (!entry->text)
                return NULL;

        HASH_ADD_KEYPTR(hh, a->interned, entry->text, strlen(entry->text), entry);
        return hash_added(entry) ? entry->text : NULL;
}
