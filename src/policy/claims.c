/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/claims.h"

#include <errno.h>
#include <stdint.h>

/*
 * Two tables with open addressing, of nothing but pointers: what is known of a hundred thousand instances while they are read fits in a
 * few MiB. Of an instance that several documents share, each has an entry of its own.
 */

typedef enum By { BY_NAME, BY_ID, BY__MAX } By;

typedef struct Table {
        const Instance **slots; /* NULL: free */
        size_t n_slots;         /* 0, or a power of two */
        size_t n;
} Table;

struct Claims {
        Table tables[BY__MAX];
};

int claims_new(Claims **ret) {
        Claims *c;

        assert(ret);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        *ret = c;
        return 0;
}

Claims *claims_free(Claims *c) {
        if (!c)
                return NULL;

        for (By k = 0; k < BY__MAX; k++)
                free(c->tables[k].slots);
        free(c);
        return NULL;
}

/* --- A table ------------------------------------------------------------------------------------------------------ */

/* Fowler, Noll and Vo's. */
static size_t place_of(const Table *t, By by, const Instance *i) {
        uint64_t h = UINT64_C(14695981039346656037);

        for (const char *s = by == BY_NAME ? i->name : i->instance_id; *s; s++)
                h = (h ^ (unsigned char) *s) * UINT64_C(1099511628211);
        return (size_t) (h ^ h >> 32) & (t->n_slots - 1);
}

static size_t next_place(const Table *t, size_t place) {
        return (place + 1) & (t->n_slots - 1);
}

static void table_put(Table *t, By by, const Instance *i) {
        size_t place = place_of(t, by, i);

        while (t->slots[place])
                place = next_place(t, place);
        t->slots[place] = i;
        t->n++;
}

/* Keeps a third of the places free, so that a search is short and ends. */
static int table_reserve(Table *t, By by) {
        Table larger = { .n_slots = MAX(t->n_slots * 2, (size_t) 16) };

        if (t->n + 1 <= t->n_slots / 3 * 2)
                return 0;

        larger.slots = calloc(larger.n_slots, sizeof(const Instance *));
        if (!larger.slots)
                return -ENOMEM;
        for (size_t place = 0; place < t->n_slots; place++)
                if (t->slots[place])
                        table_put(&larger, by, t->slots[place]);

        free(t->slots);
        *t = larger;
        return 0;
}

static const Instance **table_find(const Table *t, By by, const Instance *i) {
        size_t place = place_of(t, by, i);

        while (t->slots[place] != i) {
                assert(t->slots[place]);
                place = next_place(t, place);
        }
        return &t->slots[place];
}

/* What came to lie behind it because its place was taken moves up, so that searches end at a free place still. */
static void table_remove(Table *t, By by, const Instance *i) {
        size_t hole = (size_t) (table_find(t, by, i) - t->slots);

        for (size_t place = next_place(t, hole); t->slots[place]; place = next_place(t, place)) {
                size_t wanted = place_of(t, by, t->slots[place]);

                if (((place - wanted) & (t->n_slots - 1)) < ((place - hole) & (t->n_slots - 1)))
                        continue; /* it is past the hole by right */
                t->slots[hole] = t->slots[place];
                hole = place;
        }
        t->slots[hole] = NULL;
        t->n--;
}

/* --- Claims ------------------------------------------------------------------------------------------------------- */

int claims_add(Claims *c, const Instance *i) {
        assert(c);
        assert(i);
        assert(claims_are_free(c, i));

        for (By k = 0; k < BY__MAX; k++)
                if (table_reserve(&c->tables[k], k) < 0)
                        return -ENOMEM;
        for (By k = 0; k < BY__MAX; k++)
                table_put(&c->tables[k], k, i);
        return 0;
}

void claims_remove(Claims *c, const Instance *i) {
        assert(c);
        assert(i);

        for (By k = 0; k < BY__MAX; k++)
                table_remove(&c->tables[k], k, i);
}

void claims_move(Claims *c, const Instance *from, const Instance *to) {
        assert(c);
        assert(from);
        assert(to);

        for (By k = 0; k < BY__MAX; k++)
                *table_find(&c->tables[k], k, from) = to;
}

const Instance *claims_find_name(const Claims *c, const Instance *i) {
        const Table *t;

        assert(c);
        assert(i);

        t = &c->tables[BY_NAME];
        if (t->n == 0)
                return NULL;
        for (size_t place = place_of(t, BY_NAME, i); t->slots[place]; place = next_place(t, place))
                if (streq(t->slots[place]->name, i->name))
                        return t->slots[place];
        return NULL;
}

/* Who has one of these controls (a set of bits) of the instance. */
static const Instance *find_controls(const Claims *c, const Instance *i, unsigned controls) {
        const Table *t = &c->tables[BY_ID];

        if (t->n == 0)
                return NULL;

        for (size_t place = place_of(t, BY_ID, i); t->slots[place]; place = next_place(t, place)) {
                const Instance *other = t->slots[place];

                if (other->service != i->service || !streq(other->instance_id, i->instance_id))
                        continue;
                for (Control control = 0; control < CONTROL__MAX; control++)
                        if (controls & 1u << control && instance_has(other, control))
                                return other;
        }

        return NULL;
}

const Instance *claims_find_control(const Claims *c, const Instance *i, Control control) {
        assert(c);
        assert(i);
        return instance_has(i, control) ? find_controls(c, i, 1u << control) : NULL;
}

bool claims_are_free(const Claims *c, const Instance *i) {
        unsigned controls = 0;

        assert(c);
        assert(i);

        for (Control control = 0; control < CONTROL__MAX; control++)
                if (instance_has(i, control))
                        controls |= 1u << control;
        return !claims_find_name(c, i) && !find_controls(c, i, controls);
}
