/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <syslog.h>

#include "engine/engine-internal.h"

/*
 * When each control is looked at.
 */

#define GRID_USEC USEC_PER_SEC                  /* polls begin on a grid of this, so that one wake-up serves all of a second */
#define GRID_POLL_USEC (10 * USEC_PER_SEC)      /* unless they are shorter than this: a second matters then; picked */
#define FIRST_ROUND_MIN_USEC USEC_PER_SEC       /* over which the first round is spread, with room for the rate */

/* Where in its interval an instance's control is polled: by its name alone, so that it stays the same over restarts. */
static uint64_t item_phase(const Item *item) {
        const char *const key[] = {
                service_to_string(item->instance->service), "/", item->instance->instance_id, "/", control_to_string(item->control),
        };
        uint64_t h = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < N_ELEMENTS(key); i++)
                for (const char *s = key[i]; *s; s++)
                        h = (h ^ (unsigned char) *s) * UINT64_C(1099511628211);
        h ^= h >> 33;   /* neighbouring ids differ in the last characters only */
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 33;
        return h;
}

static void item_show_renewal(Engine *e, Item *item) {
        Kept scratch;
        const LockMemory *m = &item_kept(item, &scratch)->state.lock;

        if (m->seen)
                heap_put(&e->renewals, &item->renewal, usec_sub(m->end_usec, item->instance->terms->lock->renew_before_usec));
        else
                heap_remove(&e->renewals, &item->renewal);
}

void engine_item_show(Engine *e, Item *item, Verdict v) {
        if (item->gone)
                return;

        if (item->shown != v) {
                Verdict before = item->shown;

                e->n_shown[before]--;
                item->shown = (uint8_t) v;
                e->n_shown[v]++;
                order_show(&e->order, item, before);
                if (e->world.shown)
                        e->world.shown(e->world.userdata, item->instance, item->control, v);
        }

        if (item->control == CONTROL_LOCK)
                item_show_renewal(e, item);
}

/* Locks go first at the start, out of turn, where one is not as it should be, and near its end. A regular poll of one with time left takes its
 * turn: where more is asked for than the rate allows, everything else would never be looked at again, and nobody would be told. */
bool engine_item_goes_first(const Engine *e, const Item *item) {
        if (item->control != CONTROL_LOCK)
                return false;

        return !item->looked || item->poll_at_usec == 0 || item->shown != VERDICT_COMPLIANT || item->renewal.index == 0 ||
               heap_usec(&e->renewals, &item->renewal) <= engine_realtime(e);
}

void engine_item_plan_poll(Engine *e, Item *item) {
        usec_t now = engine_boottime(e), poll = instance_poll_usec(item->instance, item->control);
        uint64_t hash = item_phase(item);
        usec_t phase = hash % poll;
        usec_t since_start = usec_sub(now, e->started_at_usec);
        usec_t slot;

        /* One wake-up for all of a second, and within it in the same order each time. */
        if (poll >= GRID_POLL_USEC)
                phase = phase / GRID_USEC * GRID_USEC + hash % BATCH_USEC;

        /* The next of its slots: never more than an interval away, also after a look out of turn. */
        slot = (since_start + poll - phase) / poll * poll + phase;
        item->poll_at_usec = e->started_at_usec + slot;
}

/* No endpoint is known for it: there is nobody to ask. @priority: as of events. */
static void say_no_endpoint(Engine *e, Item *item, int priority) {
        Event event = EVENT(EVENT_UNKNOWN);
        const Instance *i = item->instance;

        event.name = i->name;
        event.instance = i->instance_id;
        event.service = service_to_string(i->service);
        event.region = i->terms->region;
        event.control = control_to_string(item->control);
        event.priority = priority;
        event_set_message(&event, "%s: %s cannot be looked at: no endpoint is known for service %s in region %s, set endpoints.%s",
                          i->name, control_to_string(item->control), service_to_string(i->service), i->terms->region ? i->terms->region : "(none)",
                          service_to_string(i->service));
        engine_say(e, &event);
}

/* Again after a day, and louder when it has gone on for as long as unknown may. */
static void note_no_endpoint(Engine *e, Item *item) {
        ControlState *state = &item->open->kept.state;
        usec_t now = engine_realtime(e), long_usec = unknown_long_usec(item->instance, item->control);
        bool is_long;

        item_note_end(e, item, "no endpoint is known for its service in its region", NULL);
        if (state->unknown_since_usec == 0)
                state->unknown_since_usec = now;
        is_long = usec_sub(now, state->unknown_since_usec) >= long_usec;
        if (said_news(&state->said[is_long ? SAID_UNKNOWN_LONG : SAID_UNKNOWN], now, 0))
                say_no_endpoint(e, item, is_long ? LOG_ERR : -1);
}

/* There is nobody to ask any more. Looked at again at each poll, for who is told of it. */
void engine_item_lost_endpoint(Engine *e, Item *item) {
        if (item_open(e, item) >= 0) {
                note_no_endpoint(e, item);
                item_close(e, item);
        } else
                say_no_endpoint(e, item, -1);   /* without memory it is said, and that is all */

        engine_item_show(e, item, VERDICT_UNKNOWN);
        heap_remove(&e->renewals, &item->renewal);
        if (e->options.once) {
                heap_remove(&e->due, &item->due);
                e->n_finished += !item->finished;
                item->finished = true;
        } else
                heap_put(&e->due, &item->due, usec_add(engine_boottime(e), instance_poll_usec(item->instance, item->control)));
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
                item->endpoint_number = endpoint_number_of(e, item);
                at_usec = 0;
                item->poll_at_usec = 0;
        }
        if (item->endpoint_number == 0) {
                engine_item_lost_endpoint(e, item);
                return;
        }
        heap_put(&e->due, &item->due, MIN(at_usec, item->poll_at_usec));
}

/* The last slot before @until_usec. */
static usec_t last_slot_usec(usec_t slot_usec, usec_t poll_usec, usec_t until_usec) {
        if (until_usec == USEC_INFINITY || until_usec <= slot_usec)
                return until_usec == USEC_INFINITY ? USEC_INFINITY : slot_usec;

        return slot_usec + (until_usec - slot_usec - 1) / poll_usec * poll_usec;
}

usec_t engine_item_leave_out(Engine *e, Item *item, const Decision *d) {
        usec_t now = engine_boottime(e), poll = instance_poll_usec(item->instance, item->control), slot = item->poll_at_usec;
        usec_t change, quiet;

        if (!e->world.quiet_until || item->gone || item->changed)
                return d->wait_usec;
        if (d->verdict != VERDICT_COMPLIANT || d->waiting || d->retry || d->change_at_usec == 0)
                return d->wait_usec;
        /* Another look comes before the next slot; what it leaves out then is on the grid. */
        if (slot > usec_add(now, poll))
                return d->wait_usec;

        change = d->change_at_usec == USEC_INFINITY ? USEC_INFINITY : usec_add(now, usec_sub(d->change_at_usec, engine_realtime(e)));
        quiet = e->world.quiet_until(e->world.userdata, item->instance, item->control);
        if (MIN(change, quiet) <= slot)
                return d->wait_usec;

        /* The poll before a change is kept: the time at which the control acts is reckoned from what that one reads. Of what others do, the
         * first poll after it shows the effect. */
        change = last_slot_usec(slot, poll, change);
        quiet = quiet == USEC_INFINITY ? USEC_INFINITY : last_slot_usec(slot, poll, quiet) + poll;
        if (MIN(change, quiet) <= slot)
                return d->wait_usec;

        item->poll_at_usec = MIN(change, quiet);
        return USEC_INFINITY;
}

/* Over how long a round of everything is spread, so that the rate is half used. */
static usec_t round_usec(const Engine *e) {
        return FIRST_ROUND_MIN_USEC + e->n_items * USEC_PER_SEC * 2 / engine_settings(e)->http.rate_per_sec;
}

/* Looks at an item soon: at a lock now, at others spread. */
void engine_item_due_soon(Engine *e, Item *item) {
        usec_t now = engine_boottime(e);
        usec_t spread = MIN(instance_poll_usec(item->instance, item->control), round_usec(e));

        if (item_run(item)) {
                item->changed = true;
                return;
        }
        if (item->ready || item->finished || item->endpoint_number == 0)
                return;

        item->poll_at_usec = 0;
        if (item->control == CONTROL_LOCK || e->options.once)
                heap_put(&e->due, &item->due, now);
        else
                heap_put(&e->due, &item->due, now + item_phase(item) % spread);
}

int engine_reconcile(Engine *e, const char *name) {
        usec_t now = engine_boottime(e);
        size_t first, n = 0;

        assert(e);

        first = name ? order_find(&e->order, name) : 0;
        for (size_t i = first; i < e->order.n; i++, n++) {
                Item *item = e->order.items[i];

                if (name && !streq(item->instance->name, name))
                        break;

                engine_item_due_soon(e, item);
                if (name && item->due.index > 0)
                        heap_put(&e->due, &item->due, now);     /* somebody waits for it: no spreading */
        }

        return (int) MIN(n, (size_t) INT_MAX);
}

void engine_wake_unknown(Engine *e) {
        for (size_t i = 0; i < e->order.n; i++)
                if (item_unknown_since(e->order.items[i]) > 0 && !item_run(e->order.items[i]))
                        engine_item_due_soon(e, e->order.items[i]);
}

void engine_on_clock_step(Engine *e) {
        assert(e);

        for (size_t i = 0; i < e->order.n; i++)
                engine_item_due_soon(e, e->order.items[i]);
}
