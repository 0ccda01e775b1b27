/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A hash table of nodes that sit inside what is found: for many small things, of which each is told from the others by its owner. A node has
 * 16 bytes, where that of base/hash.h has 56: with a hundred thousand instances this is what counts. Putting cannot fail: where there is no
 * memory for more room, the table gets slower.
 */

#include <stddef.h>
#include <stdint.h>

typedef struct TableNode {
        struct TableNode *next;
        uint32_t hash;
} TableNode;

typedef struct Table {
        TableNode **chains;
        size_t n, n_chains;     /* the latter a power of two */
        TableNode *first;       /* the only chain, until there is room for more */
} Table;

void table_put(Table *t, TableNode *node, uint32_t hash);
void table_remove(Table *t, TableNode *node);
TableNode *table_first(const Table *t, uint32_t hash);  /* of those with this hash; NULL: none */
TableNode *table_next(const TableNode *node);           /* the next with the same hash */
TableNode *table_after(const Table *t, const TableNode *node);  /* all, in no order; NULL: the first, and after the last */
void table_done(Table *t);                              /* the nodes are their owner's */
