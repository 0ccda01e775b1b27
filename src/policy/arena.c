/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#define ARENA_BLOCK_MIN ((size_t) 4096)         /* bytes; picked: holds the tree of an ordinary file */
#define ARENA_BLOCK_MAX ((size_t) 256 * 1024)   /* bytes; blocks double up to this, so that many texts need few of them */

typedef struct Block {
        struct Block *next;
        size_t n, n_used;
        alignas(max_align_t) unsigned char bytes[];
} Block;

/* A place of the table of what is stored once; p NULL: it is free. */
typedef struct Slot {
        const void *p;
        uint32_t n, hash;
} Slot;

struct Arena {
        Block *blocks;          /* the newest first: only it is filled */
        Slot *slots;            /* open addressing */
        size_t n_slots;         /* 0, or a power of two */
        size_t n_interned;
        size_t n_bytes;
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

        free(a->slots);
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

        if (a->n_interned > 0)
                memset(a->slots, 0, a->n_slots * sizeof(*a->slots));
        a->n_interned = 0;
        a->n_bytes = 0;
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
        a->n_bytes += n;
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

/* Fowler, Noll and Vo's, 32 bits. */
static uint32_t hash_bytes(const void *p, size_t n) {
        const unsigned char *bytes = p;
        uint32_t h = UINT32_C(2166136261);

        for (size_t i = 0; i < n; i++)
                h = (h ^ bytes[i]) * UINT32_C(16777619);
        return h;
}

/* The place of these bytes, or the free one where they would go. */
static Slot *find_slot(const Arena *a, const void *p, size_t n, uint32_t hash) {
        for (size_t i = hash & (a->n_slots - 1);; i = (i + 1) & (a->n_slots - 1)) {
                Slot *slot = &a->slots[i];

                if (!slot->p || (slot->hash == hash && slot->n == n && memcmp(slot->p, p, n) == 0))
                        return slot;
        }
}

/* Keeps a quarter of the places free, so that a search is short and ends. */
static int make_room(Arena *a) {
        Arena larger = { .n_slots = MAX(a->n_slots * 2, (size_t) 16) };

        if (a->n_interned + 1 <= a->n_slots / 4 * 3)
                return 0;

        larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
        if (!larger.slots)
                return -ENOMEM;
        for (size_t i = 0; i < a->n_slots; i++)
                if (a->slots[i].p)
                        *find_slot(&larger, a->slots[i].p, a->slots[i].n, a->slots[i].hash) = a->slots[i];

        free(a->slots);
        a->slots = larger.slots;
        a->n_slots = larger.n_slots;
        return 0;
}

const void *arena_intern(Arena *a, const void *p, size_t n) {
        uint32_t hash = hash_bytes(p, n);
        Slot *slot;

        assert(a);
        assert(p);
        assert(n <= UINT32_MAX);

        if (make_room(a) < 0)
                return NULL;

        slot = find_slot(a, p, n, hash);
        if (!slot->p) {
                const void *copy = arena_copy(a, p, n);

                if (!copy)
                        return NULL;
                *slot = (Slot) { .p = copy, .n = (uint32_t) n, .hash = hash };
                a->n_interned++;
        }
        return slot->p;
}

const char *arena_intern_text(Arena *a, const char *s) {
        assert(s);
        return arena_intern(a, s, strlen(s) + 1);
}

size_t arena_size(const Arena *a) {
        assert(a);
        return a->n_bytes;
}
