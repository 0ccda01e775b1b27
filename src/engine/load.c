/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"
#include "policy/load.h"

/*
 * Settings and policies in and out of force, while looks run.
 */

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

void engine_item_free(Engine *e, Item *item) {
        assert(!item->run);

        heap_remove(&e->due, &item->due);
        heap_remove(&e->renewals, &item->renewal);
        if (item->endpoint)
                endpoint_unqueue_item(item->endpoint, item);
        engine_forget_dirty(e, item);
        control_state_done(item->control, &item->state);
        free(item->key);
        free(item);
}

/* Keeps what an item remembers for a policy that comes back, and frees the rest. */
static void item_shelve(Engine *e, Item *item) {
        Shelved *s = engine_shelf_get(e, item->key, item->control);

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
                engine_shelved_free(e, s);
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
        _cleanup_(freep) char *key = engine_item_key(i->service, i->instance_id, c);
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
                        engine_item_lost_endpoint(e, item);
                        item->moved = false;
                        continue;
                }

                if (!item->looked && !item->ready && !item->run && item->due.index == 0)
                        engine_item_due_soon(e, item);
                else if (item->moved)
                        engine_item_due_soon(e, item);
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
