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

/* Takes an item off every list of what is to be done. */
static void item_put_away(Engine *e, Item *item) {
        assert(!item->run);

        heap_remove(&e->due, &item->due);
        heap_remove(&e->renewals, &item->renewal);
        if (item->endpoint)
                endpoint_unqueue_item(item->endpoint, item);
        engine_forget_dirty(e, item);
}

void engine_item_free(Engine *e, Item *item) {
        item_put_away(e, item);
        control_state_done(item->control, &item->state);
        grants_done(item);
        free(item->failure);
        free(item->key);
        free(item);
}

/* Keeps what an item remembers for a policy that comes back, and frees the rest. Where there is no memory for that, the item itself is
 * kept. */
static void item_shelve(Engine *e, Item *item) {
        Shelved *s = engine_shelf_get(e, item->key, item->control);

        if (!s) {
                item_put_away(e, item);
                item->instance = NULL;
                item->gone = true;
                item->leaving_next = e->leaving;
                e->leaving = item;
                return;
        }

        control_state_done(s->control, &s->state);
        s->state = item->state;
        item->state = (ControlState) {};
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

/* --- Into force ----------------------------------------------------------------------------------------------------- */

/* A control of a set that is to come into force: everything that needs memory, before anything is changed. */
typedef struct Place {
        Item *item;
        const Instance *instance;       /* of the new set */
        Endpoint *endpoint;
        enum { PLACE_KEPT, PLACE_NEW, PLACE_BACK } kind;        /* in force already, never seen, or gone but not forgotten */
} Place;

/* What goes on from one control of the set to the next: most are where the one before is. */
typedef struct Walk {
        const Settings *settings;
        size_t i_order;         /* of what is in force, the first whose name is not smaller */
        Service service;        /* of the last endpoint that was looked for */
        const char *region;
        Endpoint *endpoint;
        bool looked;            /* one was */
} Walk;

/* @ret: NULL where no endpoint is known. Return: 0 or -ENOMEM. */
static int find_endpoint(Engine *e, Walk *w, const Instance *i, Control c, Endpoint **ret) {
        Service service = control_service(c);
        const char *origin;

        if (!w->looked || w->service != service || w->region != i->region) {    /* sets have equal texts once */
                origin = w->settings->endpoints[service];
                if (!origin && i->region)
                        origin = endpoint_lookup(service, i->region);

                w->endpoint = origin ? endpoint_get(e, origin, service, i->region) : NULL;
                if (origin && !w->endpoint)
                        return -ENOMEM;
                w->service = service;
                w->region = i->region;
                w->looked = true;
        }

        *ret = w->endpoint;
        return 0;
}

/* The item that is in force for a control, if its policy has the name that it had: both are sorted by it, so that neither key nor hash is
 * needed for what was there before. NULL: look for it. */
static Item *find_in_order(const Engine *e, Walk *w, const Instance *i, Control c) {
        for (; w->i_order < e->order.n; w->i_order++) {
                Item *item = e->order.items[w->i_order];
                const Instance *before = item->instance;
                int r = before == i ? 0 : strcmp(before->name, i->name);

                if (r == 0 && item->control != c)
                        r = item->control < c ? -1 : 1;
                if (r > 0)
                        return NULL;
                if (r == 0)
                        return before == i || (before->service == i->service && streq(before->instance_id, i->instance_id)) ? item : NULL;
        }

        return NULL;
}

static Item *find_leaving(const Engine *e, const char *key) {
        for (Item *item = e->leaving; item; item = item->leaving_next)
                if (streq(item->key, key))
                        return item;

        return NULL;
}

static Item *item_new(char *key_taken, Control c) {
        Item *item = calloc(1, sizeof(*item));

        if (!item) {
                free(key_taken);
                return NULL;
        }

        item->key = key_taken;
        item->control = c;
        return item;
}

/* Of one whose policy has another name than before, or none before. */
static int place_find(Engine *e, Place *place, Control c) {
        _cleanup_(freep) char *key = engine_item_key(place->instance->service, place->instance->instance_id, c);

        if (!key)
                return -ENOMEM;

        HASH_FIND_STR(e->items, key, place->item);
        if (place->item)
                return 0;

        place->item = find_leaving(e, key);
        place->kind = place->item ? PLACE_BACK : PLACE_NEW;
        if (!place->item)
                place->item = item_new(STEAL(key), c);
        if (!place->item)
                return -ENOMEM;

        HASH_ADD_KEYPTR(hh, e->items, place->item->key, strlen(place->item->key), place->item);
        if (!hash_added(place->item)) {
                if (place->kind == PLACE_NEW)
                        engine_item_free(e, place->item);
                return -ENOMEM;
        }
        return 0;
}

static int place_prepare(Engine *e, Walk *w, const Instance *i, Control c, Place *ret) {
        Place place = { .instance = i };

        if (find_endpoint(e, w, i, c, &place.endpoint) < 0)
                return -ENOMEM;

        place.item = find_in_order(e, w, i, c);
        if (!place.item && place_find(e, &place, c) < 0)
                return -ENOMEM;

        *ret = place;
        return 0;
}

static void places_undo(Engine *e, Place *places, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (places[i].kind == PLACE_KEPT)
                        continue;
                HASH_DEL(e->items, places[i].item);
                if (places[i].kind == PLACE_NEW)
                        engine_item_free(e, places[i].item);
        }
}

/* Return: 0; or -ENOMEM, and nothing has changed. */
static int places_prepare(Engine *e, const Settings *settings, const PolicySet *policies, size_t n_controls, Place **ret) {
        _cleanup_(freep) Place *places = calloc(MAX(n_controls, (size_t) 1), sizeof(*places));
        Walk walk = { .settings = settings };
        size_t n = 0;

        if (!places)
                return -ENOMEM;

        for (size_t i = 0; i < policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++) {
                        if (!instance_has(policies->instances[i], c))
                                continue;
                        if (place_prepare(e, &walk, policies->instances[i], c, &places[n]) < 0) {
                                places_undo(e, places, n);
                                return -ENOMEM;
                        }
                        n++;
                }

        *ret = STEAL(places);
        return 0;
}

static void place_new(Engine *e, const Place *place) {
        Item *item = place->item;
        Shelved *s = NULL;

        HASH_FIND_STR(e->shelf, item->key, s);
        if (s) {
                item->state = s->state;
                s->state = (ControlState) {};
                engine_shelved_free(e, s);
        }

        item->endpoint = place->endpoint;
}

/* A policy that was removed is back. If the look of before still runs, what it has asked for must not be forgotten. */
static void place_back(Engine *e, const Place *place) {
        Item *item = take_leaving(e, place->item->key);

        item->gone = false;
        item->changed = item->run != NULL;
        if (item->run)
                return;

        item->endpoint = place->endpoint;
        item->looked = item->finished = false;
        item->shown = VERDICT_UNKNOWN;
}

static void place_kept(const Place *place) {
        Item *item = place->item;

        item->moved = place->endpoint != item->endpoint ||
                      (item->instance != place->instance && !instance_equal(item->instance, place->instance));
        if (item->moved && !item->run) {
                item->endpoint = place->endpoint;
                item->poll_at_usec = 0; /* also where it waits for its turn already */
        }
}

/* Brings one control of the new set in force. It is marked as one of these by its place in the order. */
static void place_settle(Engine *e, const Place *place) {
        Item *item = place->item;

        switch (place->kind) {
        case PLACE_KEPT:
                place_kept(place);
                break;
        case PLACE_NEW:
                place_new(e, place);
                break;
        case PLACE_BACK:
                place_back(e, place);
                break;
        }

        item->instance = place->instance;
        item->next_endpoint = place->endpoint;
        if (place->kind != PLACE_KEPT) {
                e->n_items++;
                e->n_shown[item->shown]++;
        }
        order_append(&e->order, item);
}

static void say_removed(Engine *e, const Instance *i, const char *why) {
        Event event = EVENT(EVENT_POLICY_REMOVED);

        event.name = i->name;
        event.instance = i->instance_id;
        event.service = service_to_string(i->service);
        event.region = i->region;
        event.file = i->file;
        event_set_message(&event, "%s: %s, nothing is enforced for %s any more", i->name, why, i->instance_id);
        engine_say(e, &event);
}

static bool same_instance(const Instance *a, const Instance *b) {
        return a->service == b->service && streq(a->instance_id, b->instance_id);
}

/* Both are sorted by name. */
static void say_those_removed(Engine *e, const PolicySet *before, const PolicySet *now) {
        size_t k = 0;

        for (size_t i = 0; i < before->n_instances; i++) {
                const Instance *old = before->instances[i];
                int r = -1;

                while (k < now->n_instances && now->instances[k] != old && (r = strcmp(now->instances[k]->name, old->name)) < 0)
                        k++;
                if (k >= now->n_instances || (now->instances[k] != old && r > 0))
                        say_removed(e, old, "its policy is gone");
                else if (!same_instance(now->instances[k], old))
                        say_removed(e, old, "its policy is for another instance now");
        }
}

/* Retires what the new set does not have, wakes what is new or changed. */
static void settle_items(Engine *e) {
        Item *item, *next;

        HASH_ITER(hh, e->items, item, next) {
                if (item->place == 0) {
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
        _cleanup_(freep) Place *places = NULL;
        Load *old, *load;
        size_t n_controls = 0, n_items;

        assert(e);
        assert(settings || e->load);
        assert(policies);

        for (size_t i = 0; i < policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        n_controls += instance_has(policies->instances[i], c);

        if (places_prepare(e, settings ? settings : engine_settings(e), policies, n_controls, &places) < 0)
                return -ENOMEM;

        /* Those that leave are there until all have come. */
        n_items = e->n_items;
        for (size_t i = 0; i < n_controls; i++)
                n_items += places[i].kind != PLACE_KEPT;
        if (heap_reserve(&e->due, n_items) < 0 || heap_reserve(&e->renewals, n_items) < 0 || order_reserve(&e->order, n_controls) < 0 ||
            !(load = load_new(settings, policies, e->load))) {
                places_undo(e, places, n_controls);
                return -ENOMEM;
        }

        /* From here on nothing fails: what is in force is the old or the new, and nothing in between. */
        old = e->load;
        e->load = load;
        order_clear(&e->order);

        for (size_t i = 0; i < n_controls; i++)
                place_settle(e, &places[i]);
        for (Endpoint *n = e->endpoints; n; n = n->hh.next)
                endpoint_unqueue_strangers(n);
        settle_items(e);
        if (old) {
                say_those_removed(e, old->policies, policies);
                load_unref(old);
        }

        if (e->n_items > 0)
                identity_reload(e);
        return 0;
}
