/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * What survives a restart: state handed to the store and taken back, what must be put again after a failure, and the budget of new locks.
 */

#define REWRITE_USEC (30 * USEC_PER_SEC)        /* state that could not be stored is tried again after this; picked */
#define NEW_LOCKS_USEC (24 * USEC_PER_HOUR)     /* limits.new_locks_per_day */

void engine_say_state_failing(Engine *e, int error) {
        Event event = EVENT(EVENT_STATE_FAILING);

        e->rewrite_at_usec = engine_boottime(e) + REWRITE_USEC;
        if (!said_news(&e->said_state, engine_realtime(e), (uint32_t) -error))
                return;

        event_set_message(&event, "state cannot be stored: %s; until it can, no lock is written", strerror(-error));
        engine_say(e, &event);
}

void engine_on_no_store(Engine *e, int error) {
        assert(e);
        assert(error < 0);

        (void) said_news(&e->said_state, engine_realtime(e), (uint32_t) -error);
}

static void say_state_recovered(Engine *e) {
        Event event = EVENT(EVENT_STATE_RECOVERED);

        e->rewrite_at_usec = 0;
        if (e->said_state.at_usec == 0)
                return;

        e->said_state = (Said) {};
        event_set_message(&event, "state is stored again");
        engine_say(e, &event);
}

void engine_commit(Engine *e) {
        if (e->commit_asked)
                return;

        e->commit_asked = true;
        e->world.commit(e->world.userdata);
}

void engine_flush(Engine *e) {
        engine_on_committed(e, e->world.flush(e->world.userdata));
}

static int put(Engine *e, const StateRecord *record) {
        int r;

        r = e->world.put(e->world.userdata, record);
        if (r < 0)
                engine_say_state_failing(e, r);
        else
                engine_commit(e);
        return r;
}

static int put_control(Engine *e, Item *item) {
        Kept scratch;
        const Kept *k = item_kept(item, &scratch);
        StateRecord record = {
                .kind = STATE_CONTROL,
                .service = item->instance->service,
                .instance_id = item->instance->instance_id,
                .control = item->control,
                .control_state = { .name = item->instance->name, .state = &k->state },
        };
        int r;

        r = put(e, &record);
        if (r >= 0) {
                r = grants_put(e, item, k);
                if (r < 0)
                        engine_say_state_failing(e, r);
        }

        item->missing = r < 0;
        return r;
}

int engine_reserve_dirty(Engine *e, size_t n) {
        size_t n_wanted = e->n_dirty + n;
        Item **dirty;

        if (n_wanted <= e->n_dirty_allocated)
                return 0;

        n_wanted = MAX(n_wanted, e->n_dirty_allocated * 2);
        dirty = reallocarray(e->dirty, n_wanted, sizeof(*dirty));
        if (!dirty)
                return -ENOMEM;

        e->dirty = dirty;
        e->n_dirty_allocated = n_wanted;
        return 0;
}

int engine_try_put_item(Engine *e, Item *item) {
        if (!item->dirty) {
                assert(e->n_dirty < e->n_dirty_allocated);
                item->dirty = true;
                e->dirty[e->n_dirty++] = item;
        }

        item->told_changed = false;
        return put_control(e, item);
}

void engine_put_item(Engine *e, Item *item) {
        (void) engine_try_put_item(e, item);    /* stays dirty, and is put again */
}

void engine_keep_told(Engine *e) {
        assert(e);

        for (size_t i = 0; i < e->order.n; i++) {
                Item *item = e->order.items[i];

                if (item->told_changed && (engine_reserve_dirty(e, e->n_runs + 1) < 0 || engine_try_put_item(e, item) < 0))
                        return; /* nothing is lost that anybody decides by */
        }
}

void engine_put_endpoint(Engine *e, Endpoint *n) {
        StateRecord record = {
                .kind = STATE_ENDPOINT,
                .service = n->service,
                .endpoint = { .origin = n->origin, .state = &n->state },
        };

        n->dirty = true;
        n->missing = put(e, &record) < 0;
}

void engine_put_frozen(Engine *e, Endpoint *n, usec_t at_usec, const char *why) {
        n->state.frozen = true;
        n->state.frozen_at_usec = at_usec;
        (void) snprintf(n->state.frozen_why, sizeof(n->state.frozen_why), "%s", why);
        engine_put_endpoint(e, n);
}

void engine_put_evidence(Engine *e, const Item *item, const char *what, const char *detail, const char *request_id) {
        StateRecord record = {
                .kind = STATE_EVIDENCE,
                .service = item->instance->service,
                .instance_id = item->instance->instance_id,
                .control = item->control,
                .evidence = { .at_usec = engine_realtime(e), .what = what, .detail = detail, .request_id = request_id },
        };

        (void) put(e, &record); /* history has gaps while the disk is full; what must not be lost is the state */
}

void engine_put_thawed(Engine *e, const Endpoint *n, const char *detail) {
        StateRecord record = {
                .kind = STATE_EVIDENCE,
                .service = n->service,
                .evidence = { .at_usec = engine_realtime(e), .what = event_type(EVENT_LOCK_THAWED)->name, .detail = detail },
        };

        (void) put(e, &record);
}

/* Puts again what a failed commit has lost. */
void engine_rewrite(Engine *e) {
        Endpoint *n, *next;

        e->rewrite_at_usec = 0;
        for (size_t i = 0; i < e->n_dirty; i++)
                if (put_control(e, e->dirty[i]) < 0)
                        return;
        HASH_ITER(hh, e->endpoints, n, next)
                if (n->dirty)
                        engine_put_endpoint(e, n);
        engine_commit(e);
}

void engine_forget_dirty(Engine *e, Item *item) {
        size_t i = 0;

        if (!item->dirty)
                return;

        while (e->dirty[i] != item)
                i++;
        e->dirty[i] = e->dirty[--e->n_dirty];
        item->dirty = false;
}

/* A commit has taken all that was put. Return: is everything stored? What could not be put was not in it. */
static bool settle_dirty(Engine *e) {
        Endpoint *n, *next;
        size_t n_left = 0;
        bool all;

        for (size_t i = 0; i < e->n_dirty; i++) {
                Item *item = e->dirty[i];

                if (item->missing) {
                        e->dirty[n_left++] = item;
                        continue;
                }
                item_grants_stored(item);
                item->dirty = false;
                if (item->gone && !item_run(item))
                        engine_item_leave(e, item);
        }
        e->n_dirty = n_left;
        all = n_left == 0;
        HASH_ITER(hh, e->endpoints, n, next) {
                n->dirty = n->dirty && n->missing;
                all = all && !n->dirty;
        }

        return all;
}

/* All that was put is in no commit any more, and the next one, of others, will not have it either. */
static void miss_dirty(Engine *e) {
        Endpoint *n, *next;

        for (size_t i = 0; i < e->n_dirty; i++)
                e->dirty[i]->missing = true;
        HASH_ITER(hh, e->endpoints, n, next)
                n->missing = n->dirty;
}

void engine_on_committed(Engine *e, int result) {
        Run *committing, *r;

        assert(e);

        committing = STEAL(e->committing);
        e->commit_asked = false;

        if (result >= 0) {
                if (settle_dirty(e))
                        say_state_recovered(e);
        } else {
                miss_dirty(e);
                engine_say_state_failing(e, result);
        }

        while ((r = committing)) {
                committing = r->next;
                e->n_committing--;
                r->endpoint->n_running--;

                if (result >= 0) {
                        endpoint_queue_stored(r->endpoint, r);
                        continue;
                }

                look_withhold(r, "the state could not be stored", result);
        }
}

int engine_restore(Engine *e, const StateRecord *record) {
        Endpoint *n;
        int r;

        assert(e);
        assert(record);

        switch (record->kind) {
        case STATE_ENDPOINT:
                n = endpoint_get(e, record->endpoint.origin, record->service, NULL);
                if (!n)
                        return -ENOMEM;
                n->state = *record->endpoint.state;
                return 0;
        case STATE_CONTROL:
        case STATE_GRANT:
                r = shelf_restore(e, record);
                if (r >= 0 && record->kind == STATE_CONTROL && record->control == CONTROL_LOCK)
                        engine_note_enabled(e, record->service, record->instance_id, record->control_state.state->lock.enabled_at_usec);
                return r;
        case STATE_EVIDENCE:
        case STATE_KIND__MAX:
                break;
        }

        return -EINVAL;
}

void engine_take_frozen(Engine *e, const Engine *before) {
        assert(e);
        assert(before);

        for (const Endpoint *b = before->endpoints; b; b = b->hh.next) {
                Endpoint *n = b->state.frozen ? endpoint_get(e, b->origin, b->service, b->region) : NULL;

                if (n && !n->state.frozen)
                        engine_put_frozen(e, n, b->state.frozen_at_usec, b->state.frozen_why);
        }
}

/* --- New locks a day ---------------------------------------------------------------------------------------------- */

void engine_note_enabled(Engine *e, Service service, const char *instance_id, usec_t at_usec) {
        size_t n_id = strlen(instance_id);
        Enabled *b = NULL;

        HASH_FIND(hh, e->enabled[service], instance_id, n_id, b);
        if (!b && at_usec == 0)
                return;

        if (!b) {
                b = malloc(offsetof(Enabled, instance_id) + n_id + 1);
                if (!b) {
                        e->enabled_lost = true; /* not counted means not limited: enable nothing more */
                        return;
                }
                memcpy(b->instance_id, instance_id, n_id + 1);
                HASH_ADD_KEYPTR(hh, e->enabled[service], b->instance_id, n_id, b);
                if (!hash_added(b)) {
                        free(b);
                        e->enabled_lost = true;
                        return;
                }
        }

        b->at_usec = at_usec;
}

void engine_enabled_done(Engine *e) {
        Enabled *b, *next;

        for (Service s = 0; s < SERVICE__MAX; s++)
                HASH_ITER(hh, e->enabled[s], b, next) {
                        HASH_DEL(e->enabled[s], b);
                        free(b);
                }
}

void engine_note_item_enabled(Engine *e, const Item *item) {
        Kept scratch;

        if (item->control == CONTROL_LOCK)
                engine_note_enabled(e, item->instance->service, item->instance->instance_id,
                                    item_kept(item, &scratch)->state.lock.enabled_at_usec);
}

/* Memory had run out for one of them; every control still knows when its own lock was enabled. Return: are all counted again? */
static bool recount_enabled(Engine *e) {
        Kept k;

        e->enabled_lost = false;
        for (size_t i = 0; i < e->order.n; i++)
                engine_note_item_enabled(e, e->order.items[i]);
        for (const Item *item = e->leaving; item; item = item->next)
                engine_note_item_enabled(e, item);
        for (const Shelved *s = shelf_after(e, NULL); s; s = shelf_after(e, s))
                if (s->control == CONTROL_LOCK) {
                        kept_unpack(s->packed, &k);
                        engine_note_enabled(e, s->service, s->instance_id, k.state.lock.enabled_at_usec);
                }

        return !e->enabled_lost;
}

unsigned engine_new_locks_left(Engine *e, const Item *item) {
        unsigned limit = engine_settings(e)->limits.new_locks_per_day, n = 0;
        usec_t now = endpoint_cloud_time(e, item_endpoint(e, item));
        Enabled *b, *next;

        if (e->enabled_lost && !recount_enabled(e))
                return 0;

        for (Service s = 0; s < SERVICE__MAX; s++)
                HASH_ITER(hh, e->enabled[s], b, next) {
                        bool over = b->at_usec == 0 || usec_sub(now, b->at_usec) >= NEW_LOCKS_USEC;

                        if (!over)      /* the same lock, tried again, is one lock */
                                n += s != item->instance->service || !streq(b->instance_id, item->instance->instance_id);
                        else if (b->at_usec == 0 || e->clock.date_usec > 0) {   /* not by a clock that may be years ahead, until it is set right */
                                HASH_DEL(e->enabled[s], b);
                                free(b);
                        }
                }

        return n < limit ? limit - n : 0;
}
