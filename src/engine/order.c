/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "engine/engine-internal.h"

/*
 * Controls in the order of their names, so that people can leaf through ten thousand instances page by page, and sets of those that stand one
 * way or another. Whoever asks for "the hundred violated ones from the two thousandth on" costs some hundred words of counting, not a
 * walk through the fleet.
 */

#define WORD_BITS 64

static size_t n_words(size_t n) {
        return (n + WORD_BITS - 1) / WORD_BITS;
}

/* By name, of which each is there once. */
static int compare_items(const Item *x, const Item *y) {
        int r = x->instance == y->instance ? 0 : strcmp(x->instance->name, y->instance->name);

        if (r != 0)
                return r;
        return x->control < y->control ? -1 : x->control > y->control;
}

int order_reserve(Order *o, size_t n) {
        uint64_t *sets[VERDICT__MAX] = {};
        Item **items;
        bool ok;

        if (n <= o->n_allocated)
                return 0;

        items = calloc(n, sizeof(*items));
        ok = items != NULL;
        for (Verdict v = 0; v < VERDICT__MAX; v++) {
                sets[v] = calloc(n_words(n), sizeof(uint64_t));
                ok = ok && sets[v];
        }
        if (!ok) {
                free(items);
                for (Verdict v = 0; v < VERDICT__MAX; v++)
                        free(sets[v]);
                return -ENOMEM;
        }

        /* What is in force stays in order until it is replaced. */
        if (o->n > 0)
                memcpy(items, o->items, o->n * sizeof(*items));
        free(o->items);
        o->items = items;
        for (Verdict v = 0; v < VERDICT__MAX; v++) {
                if (o->n > 0)
                        memcpy(sets[v], o->sets[v], n_words(o->n) * sizeof(uint64_t));
                free(o->sets[v]);
                o->sets[v] = sets[v];
        }
        o->n_allocated = n;
        return 0;
}

void order_clear(Order *o) {
        for (Verdict v = 0; v < VERDICT__MAX && o->n > 0; v++)
                memset(o->sets[v], 0, n_words(o->n) * sizeof(uint64_t));
        o->n = 0;
}

static void set_put(uint64_t *set, size_t i, bool in) {
        uint64_t bit = UINT64_C(1) << (i % WORD_BITS);

        if (in)
                set[i / WORD_BITS] |= bit;
        else
                set[i / WORD_BITS] &= ~bit;
}

void order_append(Order *o, Item *item) {
        assert(o->n < o->n_allocated);
        assert(o->n == 0 || compare_items(o->items[o->n - 1], item) < 0);

        set_put(o->sets[item->shown], o->n, true);
        o->items[o->n++] = item;
}

void order_show(Order *o, const Item *item, Verdict before) {
        size_t low = 0, high = o->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_items(o->items[middle], item) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }

        if (low == o->n || o->items[low] != item)
                return;

        set_put(o->sets[before], low, false);
        set_put(o->sets[item->shown], low, true);
}

size_t order_find(const Order *o, const char *name) {
        size_t low = 0, high = o->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(o->items[middle]->instance->name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low < o->n && streq(o->items[low]->instance->name, name) ? low : o->n;
}

void order_done(Order *o) {
        free(o->items);
        for (Verdict v = 0; v < VERDICT__MAX; v++)
                free(o->sets[v]);
        *o = (Order) {};
}
