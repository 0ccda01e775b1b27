/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * What survives a restart: state handed to the store and taken back, what must be put again after a failure, and the budget of new locks.
 */

#define REWRITE_USEC (30 * USEC_PER_SEC)        /* state that could not be stored is tried again after this; picked */
#define NEW_LOCKS_USEC (24 * USEC_PER_HOUR)     /* limits.new_locks_per_day */

char *engine_item_key(Service service, const char *instance_id, Control control) {
        char *key;

        if (asprintf(&key, "%s/%s/%s", service_to_string(service), instance_id, control_to_string(control)) < 0)
                return NULL;
        return key;
}

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
        StateRecord record = {
                .kind = STATE_CONTROL,
                .service = item->instance->service,
                .instance_id = item->instance->instance_id,
                .control = item->control,
                .control_state = { .name = item->instance->name, .state = &item->state },
        };

        int r;

        r = put(e, &record);
        if (r >= 0) {
                r = grants_put(e, item);
                if (r < 0)
                        engine_say_state_failing(e, r);
        }

        item->missing = r < 0;
        return r;
}

int engine_try_put_item(Engine *e, Item *item) {
        if (!item->dirty) {
                item->dirty = true;
                item->dirty_next = e->dirty;
                e->dirty = item;
        }

        item->told_changed = false;
        return put_control(e, item);
}

void engine_put_item(Engine *e, Item *item) {
        (void) engine_try_put_item(e, item);    /* stays dirty, and is put again */
}

void engine_keep_told(Engine *e) {
        Item *item, *next;

        assert(e);

        HASH_ITER(hh, e->items, item, next)
                if (item->told_changed && engine_try_put_item(e, item) < 0)
                        return; /* nothing is lost that anybody decides by */
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
        for (Item *item = e->dirty; item; item = item->dirty_next)
                if (put_control(e, item) < 0)
                        return;
        HASH_ITER(hh, e->endpoints, n, next)
                if (n->dirty)
                        engine_put_endpoint(e, n);
        engine_commit(e);
}

void engine_forget_dirty(Engine *e, Item *item) {
        Item **p = &e->dirty;

        if (!item->dirty)
                return;

        while (*p != item)
                p = &(*p)->dirty_next;
        *p = item->dirty_next;
        item->dirty = false;
}

/* A commit has taken all that was put. Return: is everything stored? What could not be put was not in it. */
static bool settle_dirty(Engine *e) {
        Endpoint *n, *next;
        Item **p = &e->dirty;
        bool all = true;

        while (*p) {
                Item *item = *p;

                if (item->missing) {
                        p = &item->dirty_next;
                        all = false;
                        continue;
                }
                grants_stored(item);
                item->dirty = false;
                *p = item->dirty_next;
        }
        HASH_ITER(hh, e->endpoints, n, next) {
                n->dirty = n->dirty && n->missing;
                all = all && !n->dirty;
        }

        return all;
}

/* All that was put is in no commit any more, and the next one, of others, will not have it either. */
static void miss_dirty(Engine *e) {
        Endpoint *n, *next;

        for (Item *item = e->dirty; item; item = item->dirty_next)
                item->missing = true;
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
                r->item->endpoint->n_running--;

                if (result >= 0) {
                        endpoint_queue_stored(r->item->endpoint, r);
                        continue;
                }

                look_withhold(r, "the state could not be stored", result);
        }
}

Shelved *engine_shelf_get(Engine *e, const char *key, Control control) {
        Shelved *s = NULL;

        HASH_FIND_STR(e->shelf, key, s);
        if (s)
                return s;

        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->key = strdup(key);
        if (!s->key) {
                free(s);
                return NULL;
        }

        s->control = control;
        HASH_ADD_KEYPTR(hh, e->shelf, s->key, strlen(s->key), s);
        if (!hash_added(s)) {
                free(s->key);
                free(s);
                return NULL;
        }
        return s;
}

void engine_shelved_free(Engine *e, Shelved *s) {
        HASH_DEL(e->shelf, s);
        control_state_done(s->control, &s->state);
        free(s->key);
        free(s);
}

static int restore_grant(ControlState *state, const StateRecord *record) {
        DownloadMemory *m = &state->download;
        Grant *grants;

        if (m->n_grants >= DOWNLOAD_GRANTS_MAX) {
                memmove(m->grants, m->grants + 1, (m->n_grants - 1) * sizeof(*m->grants));
                m->n_grants--;
        }

        grants = reallocarray(m->grants, m->n_grants + 1, sizeof(*grants));
        if (!grants)
                return -ENOMEM;

        m->grants = grants;
        m->grants[m->n_grants] = (Grant) { .granted_at_usec = record->grant.granted_at_usec };
        (void) snprintf(m->grants[m->n_grants].backup_id, BACKUP_ID_MAX, "%s", record->grant.backup_id);
        m->n_grants++;
        return 0;
}

int engine_restore(Engine *e, const StateRecord *record) {
        _cleanup_(freep) char *key = NULL;
        Endpoint *n;
        Shelved *s;

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
                key = engine_item_key(record->service, record->instance_id, record->control);
                s = key ? engine_shelf_get(e, key, record->control) : NULL;
                if (!s)
                        return -ENOMEM;
                if (record->kind == STATE_GRANT)
                        return restore_grant(&s->state, record);

                free(s->state.told.why);
                free(s->state.told.changed_request_id);
                s->state = *record->control_state.state;
                s->state.told.why = s->state.told.changed_request_id = NULL;    /* the record's own */
                if (told_set(&s->state.told.why, record->control_state.state->told.why) < 0 ||
                    told_set(&s->state.told.changed_request_id, record->control_state.state->told.changed_request_id) < 0)
                        return -ENOMEM;
                if (record->control == CONTROL_DOWNLOAD)
                        s->state.download = (DownloadMemory) {};        /* its grants come as records of their own */
                if (record->control == CONTROL_LOCK)
                        engine_note_enabled(e, key, s->state.lock.enabled_at_usec);
                return 0;
        case STATE_EVIDENCE:
        case STATE_KIND__MAX:
                break;
        }

        return -EINVAL;
}

/* --- New locks a day ---------------------------------------------------------------------------------------------- */

void engine_note_enabled(Engine *e, const char *key, usec_t at_usec) {
        Enabled *b = NULL;

        HASH_FIND_STR(e->enabled, key, b);
        if (!b && at_usec == 0)
                return;

        if (!b) {
                b = calloc(1, sizeof(*b));
                if (b)
                        b->key = strdup(key);
                if (!b || !b->key) {
                        free(b);
                        e->enabled_lost = true; /* not counted means not limited: enable nothing more */
                        return;
                }
                HASH_ADD_KEYPTR(hh, e->enabled, b->key, strlen(b->key), b);
                if (!hash_added(b)) {
                        free(b->key);
                        free(b);
                        e->enabled_lost = true;
                        return;
                }
        }

        b->at_usec = at_usec;
}

void engine_enabled_free(Engine *e, Enabled *b) {
        HASH_DEL(e->enabled, b);
        free(b->key);
        free(b);
}

/* Memory had run out for one of them; every control still knows when its own lock was enabled. Return: are all counted again? */
static bool recount_enabled(Engine *e) {
        Item *item, *next;
        Shelved *s, *next_shelved;

        e->enabled_lost = false;
        HASH_ITER(hh, e->items, item, next)
                if (item->control == CONTROL_LOCK)
                        engine_note_enabled(e, item->key, item->state.lock.enabled_at_usec);
        for (item = e->leaving; item; item = item->leaving_next)
                if (item->control == CONTROL_LOCK)
                        engine_note_enabled(e, item->key, item->state.lock.enabled_at_usec);
        HASH_ITER(hh, e->shelf, s, next_shelved)
                if (s->control == CONTROL_LOCK)
                        engine_note_enabled(e, s->key, s->state.lock.enabled_at_usec);

        return !e->enabled_lost;
}

unsigned engine_new_locks_left(Engine *e, const Item *item) {
        unsigned limit = engine_settings(e)->limits.new_locks_per_day, n = 0;
        usec_t now = endpoint_cloud_time(e, item->endpoint);
        Enabled *b, *next;

        if (e->enabled_lost && !recount_enabled(e))
                return 0;

        HASH_ITER(hh, e->enabled, b, next) {
                bool over = b->at_usec == 0 || usec_sub(now, b->at_usec) >= NEW_LOCKS_USEC;

                if (!over)
                        n += !streq(b->key, item->key);         /* the same lock, tried again, is one lock */
                else if (b->at_usec == 0 || e->clock.date_usec > 0)     /* not by a clock that may be years ahead, until it is set right */
                        engine_enabled_free(e, b);
        }

        return n < limit ? limit - n : 0;
}
