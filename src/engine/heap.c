/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heap.h"

#include <errno.h>

static void place(Heap *h, HeapNode *node, size_t index) {
        h->nodes[index - 1] = node;
        node->index = index;
}

static void sift_up(Heap *h, HeapNode *node, size_t index) {
        while (index > 1 && h->nodes[index / 2 - 1]->at_usec > node->at_usec) {
                place(h, h->nodes[index / 2 - 1], index);
                index /= 2;
        }

        place(h, node, index);
}

static void sift_down(Heap *h, HeapNode *node, size_t index) {
        for (;;) {
                size_t child = index * 2;

                if (child > h->n)
                        break;
                if (child < h->n && h->nodes[child]->at_usec < h->nodes[child - 1]->at_usec)
                        child++;
                if (h->nodes[child - 1]->at_usec >= node->at_usec)
                        break;

                place(h, h->nodes[child - 1], index);
                index = child;
        }

        place(h, node, index);
}

int heap_reserve(Heap *h, size_t n) {
        HeapNode **nodes;

        assert(h);

        if (n <= h->n_allocated)
                return 0;

        n = MAX(n, h->n_allocated * 2);
        nodes = reallocarray(h->nodes, n, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;

        h->nodes = nodes;
        h->n_allocated = n;
        return 0;
}

void heap_put(Heap *h, HeapNode *node, usec_t at_usec) {
        assert(h);
        assert(node);

        heap_remove(h, node);
        assert(h->n < h->n_allocated);

        node->at_usec = at_usec;
        h->n++;
        sift_up(h, node, h->n);
}

void heap_remove(Heap *h, HeapNode *node) {
        HeapNode *last;
        size_t index;

        assert(h);
        assert(node);

        index = node->index;
        if (index == 0)
                return;

        assert(h->nodes[index - 1] == node);
        node->index = 0;

        last = h->nodes[--h->n];
        if (last == node)
                return;

        if (index > 1 && h->nodes[index / 2 - 1]->at_usec > last->at_usec)
                sift_up(h, last, index);
        else
                sift_down(h, last, index);
}

HeapNode *heap_top(const Heap *h) {
        assert(h);
        return h->n > 0 ? h->nodes[0] : NULL;
}

void heap_done(Heap *h) {
        free(h->nodes);
        *h = (Heap) {};
}
