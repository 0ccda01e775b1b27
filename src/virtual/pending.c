/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "virtual/machine-internal.h"

/*
 * Exchanges under way: a binary heap, first come first served among those that are due at the same moment.
 */

static bool earlier(const PendingSlot *a, const PendingSlot *b) {
        return a->at_usec != b->at_usec ? a->at_usec < b->at_usec : a->number < b->number;
}

Pending *pending_free(Pending *p) {
        if (!p)
                return NULL;

        http_reply_done(&p->reply);
        remembered_unref(p->remembered);
        free(p);
        return NULL;
}

int pending_add(PendingQueue *q, usec_t at_usec, Pending *taken) {
        PendingSlot slot = { .at_usec = at_usec, .number = q->n_ever, .pending = taken };
        size_t i;

        if (q->n >= q->n_allocated) {
                size_t n = MAX(q->n_allocated * 2, (size_t) 16);
                PendingSlot *slots = reallocarray(q->slots, n, sizeof(*slots));

                if (!slots)
                        return -ENOMEM;
                q->slots = slots;
                q->n_allocated = n;
        }

        q->n_ever++;
        for (i = q->n++; i > 0 && earlier(&slot, &q->slots[(i - 1) / 2]); i = (i - 1) / 2)
                q->slots[i] = q->slots[(i - 1) / 2];
        q->slots[i] = slot;
        return 0;
}

Pending *pending_take(PendingQueue *q) {
        PendingSlot last;
        Pending *taken;
        size_t i = 0;

        assert(q->n > 0);

        taken = q->slots[0].pending;
        last = q->slots[--q->n];
        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= q->n)
                        break;
                if (child + 1 < q->n && earlier(&q->slots[child + 1], &q->slots[child]))
                        child++;
                if (!earlier(&q->slots[child], &last))
                        break;
                q->slots[i] = q->slots[child];
                i = child;
        }
        if (q->n > 0)
                q->slots[i] = last;
        return taken;
}

static int compare_slots(const void *a, const void *b) {
        const PendingSlot *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

void pending_lose_all(PendingQueue *q, usec_t at_usec) {
        if (q->n == 0)
                return;

        for (size_t i = 0; i < q->n; i++) {
                Pending *p = q->slots[i].pending;

                p->remembered = remembered_unref(p->remembered);
                http_reply_done(&p->reply);
                (void) wire_fail(HTTP_LOST, "the host was suspended", &p->reply); /* without memory it has no words */
                q->slots[i].at_usec = at_usec;
        }
        qsort(q->slots, q->n, sizeof(*q->slots), compare_slots);        /* what is sorted is a heap */
}

void pending_drop_all(PendingQueue *q) {
        while (q->n > 0)
                pending_free(q->slots[--q->n].pending);
}

void pending_done(PendingQueue *q) {
        pending_drop_all(q);
        free(q->slots);
        *q = (PendingQueue) {};
}
