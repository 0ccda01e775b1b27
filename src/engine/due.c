/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine-internal.h"

/*
 * When each control is looked at.
 */

#define FIRST_ROUND_MIN_USEC USEC_PER_SEC       /* over which the first round is spread, with room for the rate */

/* Where in its interval an instance's control is polled: by its name alone, so that it stays the same over restarts. */
static uint64_t item_phase(const Item *item) {
        uint64_t h = UINT64_C(14695981039346656037);

        for (const char *s = item->key; *s; s++)
                h = (h ^ (unsigned char) *s) * UINT64_C(1099511628211);
        h ^= h >> 33;   /* neighbouring ids differ in the last characters only */
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 33;
        return h;
}

void engine_item_show(Engine *e, Item *item, Verdict v) {
        if (item->gone)
                return;

        e->n_shown[item->shown]--;
        item->shown = v;
        e->n_shown[v]++;

        if (item->control != CONTROL_LOCK)
                return;
        if (item->state.lock.seen)
                heap_put(&e->renewals, &item->renewal, usec_sub(item->state.lock.end_usec, item->instance->lock->renew_before_usec));
        else
                heap_remove(&e->renewals, &item->renewal);
}

void engine_item_plan_poll(Engine *e, Item *item) {
        usec_t now = engine_boottime(e), poll = instance_poll_usec(item->instance, item->control);
        usec_t phase = item_phase(item) % poll;
        usec_t since_start = usec_sub(now, e->started_at_usec);
        usec_t slot;

        /* The next of its slots that is at least half an interval away. */
        slot = (since_start + poll / 2 + poll - phase) / poll * poll + phase;
        item->poll_at_usec = e->started_at_usec + slot;
}

/* No endpoint is known for it: there is nobody to ask. */
static void say_no_endpoint(Engine *e, Item *item) {
        Event event = EVENT(EVENT_UNKNOWN);
        const Instance *i = item->instance;

        event.name = i->name;
        event.instance = i->instance_id;
        event.service = service_to_string(i->service);
        event.region = i->region;
        event.control = control_to_string(item->control);
        event_set_message(&event, "%s: %s cannot be looked at: no endpoint is known for service %s in region %s, set endpoints.%s",
                          i->name, control_to_string(item->control), service_to_string(i->service), i->region ? i->region : "(none)",
                          service_to_string(i->service));
        engine_say(e, &event);
}

/* There is nobody to ask any more. */
void engine_item_lost_endpoint(Engine *e, Item *item) {
        say_no_endpoint(e, item);
        engine_item_show(e, item, VERDICT_UNKNOWN);
        heap_remove(&e->due, &item->due);
        heap_remove(&e->renewals, &item->renewal);
        if (e->options.once && !item->finished) {
                item->finished = true;
                e->n_finished++;
        }
}

void engine_item_done(Engine *e, Item *item, usec_t at_usec) {
        if (item->gone) {
                engine_item_leave(e, item);
                return;
        }
        if (item->finished)
                return;

        if (item->changed) {
                item->changed = false;
                item->endpoint = item->next_endpoint;
                at_usec = 0;
                item->poll_at_usec = 0;
        }
        if (!item->endpoint) {
                engine_item_lost_endpoint(e, item);
                return;
        }
        heap_put(&e->due, &item->due, MIN(at_usec, item->poll_at_usec));
}

/* Over how long a round of everything is spread, so that the rate is half used. */
static usec_t round_usec(const Engine *e) {
        return FIRST_ROUND_MIN_USEC + e->n_items * USEC_PER_SEC * 2 / engine_settings(e)->http.rate_per_sec;
}

/* Looks at an item soon: at a lock now, at others spread. */
void engine_item_due_soon(Engine *e, Item *item) {
        usec_t now = engine_boottime(e);
        usec_t spread = MIN(instance_poll_usec(item->instance, item->control), round_usec(e));

        if (item->run) {
                item->changed = true;
                return;
        }
        if (item->ready || item->finished || !item->endpoint)
                return;

        item->poll_at_usec = 0;
        if (item->control == CONTROL_LOCK || e->options.once)
                heap_put(&e->due, &item->due, now);
        else
                heap_put(&e->due, &item->due, now + item_phase(item) % spread);
}

void engine_wake_unknown(Engine *e) {
        Item *item, *next;

        HASH_ITER(hh, e->items, item, next)
                if (item->state.unknown_since_usec > 0 && !item->run)
                        engine_item_due_soon(e, item);
}

void engine_on_clock_step(Engine *e) {
        Item *item, *next;

        assert(e);

        if (e->load)
                HASH_ITER(hh, e->items, item, next)
                        engine_item_due_soon(e, item);
}
