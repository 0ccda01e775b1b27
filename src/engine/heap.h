/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A binary heap of nodes that sit inside what they time: what is due first is on top. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time-util.h"

typedef struct HeapNode {
        uint32_t index;         /* from 1; 0: not in a heap */
} HeapNode;

/* The time lies here and not in the node: a fleet's nodes are all over memory, and sifting looks at times only. */
typedef struct HeapSlot {
        usec_t at_usec;
        HeapNode *node;
} HeapSlot;

typedef struct Heap {
        HeapSlot *slots;
        size_t n, n_allocated;
} Heap;

#define CONTAINER_OF(node, type, member) ((type *) ((char *) (node) - offsetof(type, member)))

/* Makes room for @n nodes, after which heap_put() of so many cannot fail. Return: 0 or -ENOMEM. */
int heap_reserve(Heap *h, size_t n);
/* Puts a node in, or moves one that is in. There must be room. */
void heap_put(Heap *h, HeapNode *node, usec_t at_usec);
void heap_remove(Heap *h, HeapNode *node);      /* nothing if it is not in */
HeapNode *heap_top(const Heap *h);              /* NULL if empty */
usec_t heap_top_usec(const Heap *h);            /* USEC_INFINITY if empty */
usec_t heap_usec(const Heap *h, const HeapNode *node);  /* of one that is in */
void heap_done(Heap *h);
