/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/table.h"

#include "base/macro.h"

#define CHAINS_MIN 16

static TableNode **chain_of(const Table *t, uint32_t hash) {
        return t->n_chains > 0 ? &t->chains[hash & (t->n_chains - 1)] : (TableNode **) &t->first;
}

static void link_node(Table *t, TableNode *node) {
        TableNode **chain = chain_of(t, node->hash);

        node->next = *chain;
        *chain = node;
}

/* To one node a chain, if there is memory. */
static void grow(Table *t) {
        Table larger = { .n_chains = MAX(t->n_chains * 2, (size_t) CHAINS_MIN) };
        TableNode *node;

        larger.chains = calloc(larger.n_chains, sizeof(TableNode *));
        if (!larger.chains)
                return;

        for (size_t i = 0; i < MAX(t->n_chains, (size_t) 1); i++) {
                TableNode **chain = t->n_chains > 0 ? &t->chains[i] : &t->first;

                while ((node = *chain)) {
                        *chain = node->next;
                        link_node(&larger, node);
                }
        }

        larger.n = t->n;
        free(t->chains);
        *t = larger;
}

void table_put(Table *t, TableNode *node, uint32_t hash) {
        assert(t);
        assert(node);

        if (t->n >= t->n_chains)
                grow(t);

        node->hash = hash;
        link_node(t, node);
        t->n++;
}

void table_remove(Table *t, TableNode *node) {
        TableNode **p;

        assert(t);
        assert(node);

        for (p = chain_of(t, node->hash); *p != node; p = &(*p)->next)
                assert(*p);
        *p = node->next;
        t->n--;
}

static TableNode *of_hash(TableNode *node, uint32_t hash) {
        while (node && node->hash != hash)
                node = node->next;
        return node;
}

TableNode *table_first(const Table *t, uint32_t hash) {
        assert(t);
        return of_hash(*chain_of(t, hash), hash);
}

TableNode *table_next(const TableNode *node) {
        assert(node);
        return of_hash(node->next, node->hash);
}

TableNode *table_after(const Table *t, const TableNode *node) {
        assert(t);

        if (node && node->next)
                return node->next;
        if (t->n_chains == 0)
                return node ? NULL : t->first;

        for (size_t i = node ? (node->hash & (t->n_chains - 1)) + 1 : 0; i < t->n_chains; i++)
                if (t->chains[i])
                        return t->chains[i];
        return NULL;
}

void table_done(Table *t) {
        assert(t);
        assert(t->n == 0);

        free(t->chains);
        *t = (Table) {};
}
