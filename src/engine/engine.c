/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>

#include "engine/engine-internal.h"

/*
 * The engine as others see it: it is made, run, told what happened, and asked how things stand.
 */

bool said_news(Said *s, usec_t now_usec, uint32_t digest) {
        /* Said in the future: the clock was set back. */
        if (s->at_usec > 0 && s->digest == digest && s->at_usec <= now_usec && now_usec - s->at_usec < SAID_AGAIN_USEC)
                return false;

        s->at_usec = MAX(now_usec, (usec_t) 1);         /* not as a whole: the gap behind it stays zero (packed.h) */
        s->digest = digest;
        return true;
}

void engine_say(Engine *e, const Event *event) {
        e->world.say(e->world.userdata, event);
}

int engine_new(const World *world, const EngineOptions *options, Engine **ret) {
        Engine *e;

        assert(world);
        assert(options);
        assert(ret);

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;

        e->world = *world;
        e->options = *options;
        e->started_at_usec = engine_boottime(e);
        *ret = e;
        return 0;
}

Engine *engine_free(Engine *e) {
        Item *item;
        Endpoint *n, *next_endpoint;
        Run *r;

        if (!e)
                return NULL;

        while (e->flights) {
                r = e->flights->kind == FLIGHT_RUN ? e->flights->run : NULL;
                flight_free(e, e->flights);
                if (r)
                        run_free_with_item(r);
        }
        while ((r = e->committing)) {
                e->committing = r->next;
                run_free_with_item(r);
        }
        for (HeapNode *node; (node = heap_top(&e->later));)
                run_free_with_item(CONTAINER_OF(node, Run, later));
        HASH_ITER(hh, e->endpoints, n, next_endpoint)
                while ((r = n->asks)) {
                        n->asks = r->next;
                        run_free_with_item(r);
                }

        e->n_dirty = 0;
        for (size_t i = 0; i < e->order.n; i++) {
                item = e->order.items[i];
                item->dirty = item->ready = false;
                engine_item_free(e, item);
        }
        while ((item = e->leaving)) {   /* those that there was no memory to shelve */
                e->leaving = item->next;
                item->dirty = false;
                engine_item_free(e, item);
        }
        identity_done(e);
        HASH_ITER(hh, e->endpoints, n, next_endpoint) {
                HASH_DEL(e->endpoints, n);
                endpoint_free(n);
        }
        shelf_done(e);
        engine_enabled_done(e);

        free(e->dirty);
        free(e->numbered);
        heap_done(&e->due);
        heap_done(&e->renewals);
        heap_done(&e->later);
        order_done(&e->order);
        load_unref(e->load);
        free(e->spare_run);
        free(e->spare_open);
        table_done(&e->texts);
        free(e);
        return NULL;
}

static bool has_lock(const Endpoint *n) {
        if (n->ready[0])
                return true;
        for (const Run *r = n->asks; r; r = r->next)
                if (r->item->control == CONTROL_LOCK)
                        return true;
        return false;
}

typedef enum Turn {
        TURN_LOCKS,             /* that answer, and have a lock to look at */
        TURN_WELL,
        TURN_FAILING,
} Turn;

/*
 * Endpoints take turns, the one first that has sent nothing for longest: a key's requests under way are counted over all of them, and one with
 * much to ask must not keep the others from asking. Of those that do not answer, where only one request may go at a time, each is tried, and
 * the one that is well again is found.
 */
static void pump_in_turn(Engine *e, Turn turn, usec_t *wait_usec) {
        Endpoint *n, *next, *first;

        HASH_ITER(hh, e->endpoints, n, next)
                n->pumped = (n->n_failed > 0) != (turn == TURN_FAILING) || (turn == TURN_LOCKS && !has_lock(n));

        for (;;) {
                first = NULL;
                HASH_ITER(hh, e->endpoints, n, next)
                        if (!n->pumped && (!first || n->started_at_usec < first->started_at_usec))
                                first = n;
                if (!first)
                        return;

                first->pumped = true;
                endpoint_pump(e, first, wait_usec);
        }
}

int engine_run(Engine *e, usec_t *ret_wait_usec) {
        usec_t wait = USEC_INFINITY, now;
        HeapNode *node;

        assert(e);
        assert(ret_wait_usec);

        if (!e->load || e->stopping) {
                *ret_wait_usec = USEC_INFINITY;
                return 0;
        }

        now = engine_boottime(e);
        identity_run(e, &wait);

        if (e->rewrite_at_usec > 0) {
                if (now >= e->rewrite_at_usec)
                        engine_rewrite(e);
                else
                        wait = MIN(wait, e->rewrite_at_usec - now);
        }

        while ((node = heap_top(&e->later)) && heap_top_usec(&e->later) <= now) {
                Run *r = CONTAINER_OF(node, Run, later);

                heap_remove(&e->later, node);
                endpoint_queue_run(r->endpoint, r);
        }

        while ((node = heap_top(&e->due)) && heap_top_usec(&e->due) <= now) {
                Item *item = CONTAINER_OF(node, Item, due);

                heap_remove(&e->due, node);
                if (item->endpoint_number > 0)
                        endpoint_queue_item(item_endpoint(e, item), item, engine_item_goes_first(e, item));
                else
                        engine_item_lost_endpoint(e, item);
        }

        /* Locks first, also where another service could have sent the request that shows whether the key is good; and before that, endpoints
         * that answer: one that does not would take that place for ever. */
        for (Turn turn = TURN_LOCKS; turn <= TURN_FAILING; turn++)
                pump_in_turn(e, turn, &wait);
        identity_wait(e, &wait);

        if (heap_top(&e->due))
                wait = MIN(wait, usec_sub(heap_top_usec(&e->due), now) + BATCH_USEC);
        if (heap_top(&e->later))
                wait = MIN(wait, usec_sub(heap_top_usec(&e->later), now));

        *ret_wait_usec = wait;
        return 0;
}

void engine_on_credentials_changed(Engine *e) {
        assert(e);

        if (e->load)
                identity_reload(e);
}

void engine_stop(Engine *e) {
        assert(e);

        e->stopping = true;
}

void engine_counts(const Engine *e, EngineCounts *ret) {
        const HeapNode *node;
        usec_t now;

        assert(e);
        assert(ret);

        now = engine_boottime(e);
        *ret = (EngineCounts) {
                .n_controls = e->n_items,
                .n_compliant = e->n_shown[VERDICT_COMPLIANT],
                .n_violated = e->n_shown[VERDICT_VIOLATED],
                .n_unknown = e->n_shown[VERDICT_UNKNOWN],
                .n_in_flight = e->n_flights,
                .finished = e->options.once && e->n_finished >= e->n_items && e->n_runs == 0,
                .idle = e->n_flights == 0,
        };

        node = heap_top(&e->renewals);
        if (node) {
                ret->next_lock_name = CONTAINER_OF(node, Item, renewal)->instance->name;
                ret->next_lock_usec = heap_top_usec(&e->renewals);
        }

        if (heap_top(&e->due) && !e->stopping)
                ret->overdue_usec = usec_sub(now, heap_top_usec(&e->due));
        for (const Endpoint *n = e->endpoints; n; n = n->hh.next)
                ret->overdue_usec = MAX(ret->overdue_usec, endpoint_stalled_usec(e, n));
}

int engine_thaw(Engine *e, const char *origin) {
        Endpoint *n, *next;
        int thawed = 0;

        assert(e);

        HASH_ITER(hh, e->endpoints, n, next) {
                Event event = EVENT(EVENT_LOCK_THAWED);
                char text[THAWED_TEXT_MAX];

                if (origin ? !streq(origin, n->origin) || !(n->state.frozen || n->state.readings) : !n->state.frozen)
                        continue;

                (void) thawed_to_text(n->origin, n->state.frozen, text);
                n->state = (EndpointState) {};  /* what it was thought to do is forgotten with it */
                engine_put_thawed(e, n, text);
                engine_put_endpoint(e, n);
                event.service = service_to_string(n->service);
                event.region = n->region;
                event_set_message(&event, "%s", text);
                engine_say(e, &event);
                thawed++;
        }

        if (thawed > 0)
                engine_on_clock_step(e);        /* look at everything anew */
        return thawed;
}
