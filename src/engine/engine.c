/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"
#include "policy/load.h"

/*
 * Policies in and out, what is due, what is stored, and the counts.
 */

#define REWRITE_USEC (30 * USEC_PER_SEC)        /* state that could not be stored is tried again after this; picked */
#define NEW_LOCKS_USEC (24 * USEC_PER_HOUR)     /* limits.new_locks_per_day */
#define FIRST_ROUND_MIN_USEC USEC_PER_SEC       /* over which the first round is spread, with room for the rate */

/* --- Small things ------------------------------------------------------------------------------------------------- */

bool said_news(Said *s, usec_t now_usec, uint32_t digest) {
        /* Said in the future: the clock was set back. */
        if (s->at_usec > 0 && s->digest == digest && s->at_usec <= now_usec && now_usec - s->at_usec < SAID_AGAIN_USEC)
                return false;

        *s = (Said) { .at_usec = MAX(now_usec, (usec_t) 1), .digest = digest };
        return true;
}

void engine_say(Engine *e, const Event *event) {
        e->world.say(e->world.userdata, event);
}

Load *load_ref(Load *l) {
        l->n_ref++;
        return l;
}

static void shared_settings_unref(SharedSettings *s) {
        if (--s->n_ref > 0)
                return;

        settings_free(s->settings);
        free(s);
}

Load *load_unref(Load *l) {
        if (l && --l->n_ref == 0) {
                shared_settings_unref(l->shared);
                policy_set_free(l->policies);
                free(l);
        }
        return NULL;
}

/* Takes both, unless it fails; @settings NULL: those of @old. */
static Load *load_new(Settings *settings, PolicySet *policies, const Load *old) {
        SharedSettings *shared;
        Load *l;

        l = malloc(sizeof(*l));
        if (!l)
                return NULL;

        if (settings) {
                shared = malloc(sizeof(*shared));
                if (!shared) {
                        free(l);
                        return NULL;
                }
                *shared = (SharedSettings) { .settings = settings };
        } else
                shared = old->shared;

        shared->n_ref++;
        *l = (Load) { .shared = shared, .settings = shared->settings, .policies = policies, .n_ref = 1 };
        return l;
}

static char *item_key(Service service, const char *instance_id, Control control) {
        char *key;

        if (asprintf(&key, "%s/%s/%s", service_to_string(service), instance_id, control_to_string(control)) < 0)
                return NULL;
        return key;
}

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

/* --- State -------------------------------------------------------------------------------------------------------- */

void engine_say_state_failing(Engine *e, int error) {
        Event event = EVENT(EVENT_STATE_FAILING);

        e->rewrite_at_usec = engine_boottime(e) + REWRITE_USEC;
        if (!said_news(&e->said_state, engine_realtime(e), (uint32_t) -error))
                return;

        event_set_message(&event, "state cannot be stored: %s; until it can, no lock is written", strerror(-error));
        engine_say(e, &event);
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

static int put_control(Engine *e, const Item *item) {
        StateRecord record = {
                .kind = STATE_CONTROL,
                .service = item->instance->service,
                .instance_id = item->instance->instance_id,
                .control = item->control,
                .control_state = { .name = item->instance->name, .state = &item->state },
        };

        return put(e, &record);
}

int engine_try_put_item(Engine *e, Item *item) {
        if (!item->dirty) {
                item->dirty = true;
                item->dirty_next = e->dirty;
                e->dirty = item;
        }

        return put_control(e, item);
}

void engine_put_item(Engine *e, Item *item) {
        (void) engine_try_put_item(e, item);    /* stays dirty, and is put again */
}

void engine_put_endpoint(Engine *e, Endpoint *n) {
        StateRecord record = {
                .kind = STATE_ENDPOINT,
                .service = n->service,
                .endpoint = { .origin = n->origin, .state = &n->state },
        };

        n->dirty = true;
        (void) put(e, &record);
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

/* Puts again what a failed commit has lost. */
static void rewrite(Engine *e) {
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

static void forget_dirty(Engine *e, Item *item) {
        Item **p = &e->dirty;

        if (!item->dirty)
                return;

        while (*p != item)
                p = &(*p)->dirty_next;
        *p = item->dirty_next;
        item->dirty = false;
}

void engine_on_committed(Engine *e, int result) {
        Run *committing, *r;
        Endpoint *n, *next;

        assert(e);

        committing = STEAL(e->committing);
        e->commit_asked = false;

        if (result >= 0) {
                say_state_recovered(e);
                while (e->dirty) {
                        e->dirty->dirty = false;
                        e->dirty = e->dirty->dirty_next;
                }
                HASH_ITER(hh, e->endpoints, n, next)
                        n->dirty = false;
        } else
                engine_say_state_failing(e, result);

        while ((r = committing)) {
                committing = r->next;

                if (result >= 0) {
                        endpoint_queue_run(r->item->endpoint, r);
                        continue;
                }

                look_withhold(r, "the state could not be stored", result);
        }
}

static Shelved *shelf_get(Engine *e, const char *key, Control control) {
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

static void shelved_free(Engine *e, Shelved *s) {
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
                key = item_key(record->service, record->instance_id, record->control);
                s = key ? shelf_get(e, key, record->control) : NULL;
                if (!s)
                        return -ENOMEM;
                if (record->kind == STATE_GRANT)
                        return restore_grant(&s->state, record);

                s->state = *record->control_state.state;
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

static void enabled_free(Engine *e, Enabled *b) {
        HASH_DEL(e->enabled, b);
        free(b->key);
        free(b);
}

unsigned engine_new_locks_left(Engine *e, const Item *item) {
        unsigned limit = engine_settings(e)->limits.new_locks_per_day, n = 0;
        usec_t now = engine_realtime(e);
        Enabled *b, *next;

        if (e->enabled_lost)
                return 0;

        HASH_ITER(hh, e->enabled, b, next)
                if (b->at_usec == 0 || (b->at_usec < now && now - b->at_usec >= NEW_LOCKS_USEC))
                        enabled_free(e, b);
                else if (!streq(b->key, item->key))     /* the same lock, tried again, is one lock */
                        n++;

        return n < limit ? limit - n : 0;
}

/* --- Due ---------------------------------------------------------------------------------------------------------- */

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
static void item_lost_endpoint(Engine *e, Item *item) {
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
                item_lost_endpoint(e, item);
                return;
        }
        heap_put(&e->due, &item->due, MIN(at_usec, item->poll_at_usec));
}

/* Over how long a round of everything is spread, so that the rate is half used. */
static usec_t round_usec(const Engine *e) {
        return FIRST_ROUND_MIN_USEC + e->n_items * USEC_PER_SEC * 2 / engine_settings(e)->http.rate_per_sec;
}

/* Looks at an item soon: at a lock now, at others spread. */
static void due_soon(Engine *e, Item *item) {
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
                        due_soon(e, item);
}

void engine_on_clock_step(Engine *e) {
        Item *item, *next;

        assert(e);

        if (e->load)
                HASH_ITER(hh, e->items, item, next)
                        due_soon(e, item);
}

/* --- Policies ----------------------------------------------------------------------------------------------------- */

void engine_item_free(Engine *e, Item *item) {
        assert(!item->run);

        heap_remove(&e->due, &item->due);
        heap_remove(&e->renewals, &item->renewal);
        if (item->endpoint)
                endpoint_unqueue_item(item->endpoint, item);
        forget_dirty(e, item);
        control_state_done(item->control, &item->state);
        free(item->key);
        free(item);
}

/* Keeps what an item remembers for a policy that comes back, and frees the rest. */
static void item_shelve(Engine *e, Item *item) {
        Shelved *s = shelf_get(e, item->key, item->control);

        if (s) {
                control_state_done(s->control, &s->state);
                s->state = item->state;
                item->state = (ControlState) {};
        }
        engine_item_free(e, item);
}

/* Finds one that is gone, and takes it off the list; NULL if there is none. */
static Item *take_leaving(Engine *e, const char *key) {
        for (Item **p = &e->leaving; *p; p = &(*p)->leaving_next)
                if (streq((*p)->key, key)) {
                        Item *item = *p;

                        *p = item->leaving_next;
                        item->leaving_next = NULL;
                        return item;
                }

        return NULL;
}

void engine_item_leave(Engine *e, Item *item) {
        Item *taken;

        assert(item->gone);

        taken = take_leaving(e, item->key);
        assert(taken == item);
        item_shelve(e, taken);
}

/* Takes an item out of force. One whose look runs stays reachable: the policy may be back before the answer is. */
static void item_retire(Engine *e, Item *item) {
        HASH_DEL(e->items, item);
        e->n_items--;
        e->n_shown[item->shown]--;
        if (item->finished)
                e->n_finished--;

        if (!item->run) {
                item_shelve(e, item);
                return;
        }

        item->gone = true;
        item->instance = item->run->instance;
        heap_remove(&e->renewals, &item->renewal);
        item->leaving_next = e->leaving;
        e->leaving = item;
}

static Endpoint *item_endpoint(Engine *e, const Instance *i, Control c) {
        const char *origin = engine_settings(e)->endpoints[control_service(c)];

        if (!origin && i->region)
                origin = endpoint_lookup(control_service(c), i->region);
        return origin ? endpoint_get(e, origin, control_service(c), i->region) : NULL;
}

static int item_insert(Engine *e, Item *item) {
        HASH_ADD_KEYPTR(hh, e->items, item->key, strlen(item->key), item);
        if (!hash_added(item))
                return -ENOMEM;

        e->n_items++;
        e->n_shown[item->shown]++;
        return 0;
}

/* A policy that was removed is back while the look of before still runs: what that look has asked for must not be forgotten. */
static int item_revive(Engine *e, Item *item, const Instance *i) {
        const Instance *before = item->instance;
        int r;

        item->instance = i;
        r = item_insert(e, item);
        if (r < 0) {
                item->instance = before;
                item->leaving_next = e->leaving;
                e->leaving = item;
                return r;
        }

        item->gone = false;
        item->changed = true;
        item->next_endpoint = item_endpoint(e, i, item->control);
        return 0;
}

static int item_add(Engine *e, const Instance *i, Control c, char *key_taken) {
        _cleanup_(freep) char *key = key_taken;
        Shelved *s = NULL;
        Item *item;

        item = calloc(1, sizeof(*item));
        if (!item)
                return -ENOMEM;

        HASH_FIND_STR(e->shelf, key, s);
        if (s) {
                item->state = s->state;
                s->state = (ControlState) {};
                shelved_free(e, s);
        }

        item->key = STEAL(key);
        item->instance = i;
        item->control = c;
        item->endpoint = item_endpoint(e, i, c);
        if (item_insert(e, item) < 0) {
                engine_item_free(e, item);
                return -ENOMEM;
        }
        return 0;
}

/* Brings one control of a new set in force. Marks it as seen by pointing it to its instance in that set. */
static int item_configure(Engine *e, const Instance *i, Control c) {
        _cleanup_(freep) char *key = item_key(i->service, i->instance_id, c);
        const Instance *before;
        Endpoint *n;
        Item *item = NULL;

        if (!key)
                return -ENOMEM;

        HASH_FIND_STR(e->items, key, item);
        if (!item) {
                item = take_leaving(e, key);
                return item ? item_revive(e, item, i) : item_add(e, i, c, STEAL(key));
        }

        before = item->instance;
        item->instance = i;

        n = item_endpoint(e, i, c);
        item->moved = n != item->endpoint || !instance_equal(before, i);
        item->next_endpoint = n;
        if (item->moved && !item->run) {
                if (item->endpoint)
                        endpoint_unqueue_item(item->endpoint, item);
                item->endpoint = n;
        }
        return 0;
}

static void engine_say_no_memory(Engine *e) {
        Event event = EVENT(EVENT_POLICY_REJECTED);

        event_set_message(&event, "out of memory: not all policies are in force, reload when there is more");
        engine_say(e, &event);
}

static bool set_has_name(const PolicySet *set, const char *name) {
        size_t low = 0, high = set->n_instances;        /* sorted by name */

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(set->instances[middle].name, name);

                if (c == 0)
                        return true;
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }

        return false;
}

static void say_removed(Engine *e, const Instance *i) {
        Event event = EVENT(EVENT_POLICY_REMOVED);

        event.name = i->name;
        event.instance = i->instance_id;
        event.service = service_to_string(i->service);
        event.region = i->region;
        event.file = i->file;
        event_set_message(&event, "%s: its policy is gone, nothing is enforced for it any more", i->name);
        engine_say(e, &event);
}

/* Retires what the new set does not have, wakes what is new or changed. */
static void settle_items(Engine *e, const PolicySet *set) {
        Item *item, *next;

        HASH_ITER(hh, e->items, item, next) {
                bool kept = item->instance >= set->instances && item->instance < set->instances + set->n_instances;

                if (!kept) {
                        item_retire(e, item);
                        continue;
                }

                if (!item->endpoint) {
                        item_lost_endpoint(e, item);
                        item->moved = false;
                        continue;
                }

                if (!item->looked && !item->ready && !item->run && item->due.index == 0)
                        due_soon(e, item);
                else if (item->moved)
                        due_soon(e, item);
                item->moved = false;
        }
}

int engine_configure(Engine *e, Settings *settings, PolicySet *policies) {
        Load *old, *load;
        size_t n_controls = 0;
        int r = 0;

        assert(e);
        assert(settings || e->load);
        assert(policies);

        for (size_t i = 0; i < policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        n_controls += instance_has(&policies->instances[i], c);

        if (heap_reserve(&e->due, n_controls + e->n_items) < 0 || heap_reserve(&e->renewals, n_controls + e->n_items) < 0)
                return -ENOMEM;

        load = load_new(settings, policies, e->load);
        if (!load)
                return -ENOMEM;
        old = e->load;
        e->load = load;

        for (size_t i = 0; i < policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX && r >= 0; c++)
                        if (instance_has(&policies->instances[i], c))
                                r = item_configure(e, &policies->instances[i], c);

        settle_items(e, policies);
        if (old) {
                for (size_t i = 0; i < old->policies->n_instances; i++)
                        if (!set_has_name(policies, old->policies->instances[i].name))
                                say_removed(e, &old->policies->instances[i]);
                load_unref(old);
        }

        identity_reload(e);
        if (r < 0)
                engine_say_no_memory(e);        /* some controls are missing until the next reload */
        return 0;
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

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
        Item *item, *next_item;
        Endpoint *n, *next_endpoint;
        Shelved *s, *next_shelved;
        Enabled *b, *next_enabled;
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

        e->dirty = NULL;
        HASH_ITER(hh, e->items, item, next_item) {
                HASH_DEL(e->items, item);
                item->dirty = item->ready = false;
                engine_item_free(e, item);
        }
        identity_done(e);
        HASH_ITER(hh, e->endpoints, n, next_endpoint) {
                HASH_DEL(e->endpoints, n);
                endpoint_free(n);
        }
        HASH_ITER(hh, e->shelf, s, next_shelved)
                shelved_free(e, s);
        HASH_ITER(hh, e->enabled, b, next_enabled)
                enabled_free(e, b);

        heap_done(&e->due);
        heap_done(&e->renewals);
        heap_done(&e->later);
        load_unref(e->load);
        free(e);
        return NULL;
}

int engine_run(Engine *e, usec_t *ret_wait_usec) {
        usec_t wait = USEC_INFINITY, now;
        Endpoint *n, *next;
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
                        rewrite(e);
                else
                        wait = MIN(wait, e->rewrite_at_usec - now);
        }

        while ((node = heap_top(&e->later)) && node->at_usec <= now) {
                Run *r = CONTAINER_OF(node, Run, later);

                heap_remove(&e->later, node);
                endpoint_queue_run(r->item->endpoint, r);
        }

        while ((node = heap_top(&e->due)) && node->at_usec <= now) {
                Item *item = CONTAINER_OF(node, Item, due);

                heap_remove(&e->due, node);
                if (item->endpoint)
                        endpoint_queue_item(item->endpoint, item);
        }

        /* Locks first, also where another service could have sent the request that shows whether the key is good; and before that, endpoints
         * that answer: one that does not would take that place for ever. */
        for (unsigned round = 0; round < 4; round++)
                HASH_ITER(hh, e->endpoints, n, next)
                        if ((n->n_failed > 0) == (round >= 2) && (round % 2 == 1 || n->ready[0]))
                                endpoint_pump(e, n, &wait);
        identity_wait(e, &wait);

        if ((node = heap_top(&e->due)))
                wait = MIN(wait, usec_sub(node->at_usec, now));
        if ((node = heap_top(&e->later)))
                wait = MIN(wait, usec_sub(node->at_usec, now));

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
                ret->next_lock_usec = node->at_usec;
        }

        node = heap_top(&e->due);
        if (node && !e->stopping)
                ret->overdue_usec = usec_sub(now, node->at_usec);
        for (const Endpoint *n = e->endpoints; n; n = n->hh.next)
                ret->overdue_usec = MAX(ret->overdue_usec, endpoint_stalled_usec(e, n));
}

int engine_thaw(Engine *e, const char *origin) {
        Endpoint *n, *next;
        int thawed = 0;

        assert(e);

        HASH_ITER(hh, e->endpoints, n, next) {
                Event event = EVENT(EVENT_LOCK_THAWED);

                if (!n->state.frozen || (origin && !streq(origin, n->origin)))
                        continue;

                n->state = (EndpointState) {};  /* what it was thought to do is forgotten with it */
                engine_put_endpoint(e, n);
                event.service = service_to_string(n->service);
                event.region = n->region;
                event_set_message(&event, "%s: lock writes are allowed again, and what was learned of it is forgotten", n->origin);
                engine_say(e, &event);
                thawed++;
        }

        if (thawed > 0)
                engine_on_clock_step(e);        /* look at everything anew */
        return thawed;
}
