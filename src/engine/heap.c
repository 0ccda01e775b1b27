/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heap.h"

#include <errno.h>

static void place(Heap *h, HeapSlot slot, size_t index) {
        h->slots[index - 1] = slot;
        slot.node->index = (uint32_t) index;
}

static void sift_up(Heap *h, HeapSlot slot, size_t index) {
        while (index > 1 && h->slots[index / 2 - 1].at_usec > slot.at_usec) {
                place(h, h->slots[index / 2 - 1], index);
                index /= 2;
        }

        place(h, slot, index);
}

static void sift_down(Heap *h, HeapSlot slot, size_t index) {
        for (;;) {
                size_t child = index * 2;

                if (child > h->n)
                        break;
                if (child < h->n && h->slots[child].at_usec < h->slots[child - 1].at_usec)
                        child++;
                if (h->slots[child - 1].at_usec >= slot.at_usec)
                        break;

                place(h, h->slots[child - 1], index);
                index = child;
        }

        place(h, slot, index);
}

int heap_reserve(Heap *h, size_t n) {
        HeapSlot *slots;

        assert(h);

        if (n <= h->n_allocated)
                return 0;
        if (n > UINT32_MAX)
                return -ENOMEM;

        n = MAX(n, h->n_allocated * 2);
        slots = reallocarray(h->slots, n, sizeof(*slots));
        if (!slots)
                return -ENOMEM;

        h->slots = slots;
        h->n_allocated = n;
        return 0;
}

void heap_put(Heap *h, HeapNode *node, usec_t at_usec) {
        assert(h);
        assert(node);

        heap_remove(h, node);
        assert(h->n < h->n_allocated);

        h->n++;
        sift_up(h, (HeapSlot) { .at_usec = at_usec, .node = node }, h->n);
}

void heap_remove(Heap *h, HeapNode *node) {
        HeapSlot last;
        size_t index;

        assert(h);
        assert(node);

        index = node->index;
        if (index == 0)
                return;

        assert(h->slots[index - 1].node == node);
        node->index = 0;

        last = h->slots[--h->n];
        if (last.node == node)
                return;

        if (index > 1 && h->slots[index / 2 - 1].at_usec > last.at_usec)
                sift_up(h, last, index);
        else
                sift_down(h, last, index);
}

HeapNode *heap_top(const Heap *h) {
        assert(h);
        return h->n > 0 ? h->slots[0].node : NULL;
}

usec_t heap_top_usec(const Heap *h) {
        assert(h);
        return h->n > 0 ? h->slots[0].at_usec : USEC_INFINITY;
}

usec_t heap_usec(const Heap *h, const HeapNode *node) {
        assert(h);
        assert(node->index > 0);
        return h->slots[node->index - 1].at_usec;
}

void heap_done(Heap *h) {
        free(h->slots);
        *h = (Heap) {};
}
