/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

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
        assert(!item_run(item));

        heap_remove(&e->due, &item->due);
        heap_remove(&e->renewals, &item->renewal);
        if (item->ready)
                endpoint_unqueue_item(item_endpoint(e, item), item);
}

void engine_item_free(Engine *e, Item *item) {
        item_put_away(e, item);
        engine_forget_dirty(e, item);
        item_forget(e, item);
        if (item->gone)
                load_unref(item->load);
        free(item);
}

/* Its key lies in the policies that it looks at, or of before: they are kept for as long. */
static void item_set_gone(Engine *e, Item *item, Load *before) {
        Run *r = item_run(item);

        if (r)
                item->instance = r->instance;
        item->gone = true;
        item->load = load_ref(r ? r->load : before);
        item->next = e->leaving;
        e->leaving = item;
}

static void take_leaving(Engine *e, Item *item) {
        Item **p = &e->leaving;

        while (*p != item)
                p = &(*p)->next;
        *p = item->next;
        item->next = NULL;
        item->gone = false;
        load_unref(item->load);
        item->poll_at_usec = 0;
}

void engine_item_leave(Engine *e, Item *item) {
        assert(item->gone);

        item_put_away(e, item);
        if (item->dirty)
                return;         /* until it is stored: settle_dirty() */
        if (shelf_put_item(e, item) < 0)
                return;         /* without memory the item itself is kept */

        take_leaving(e, item);
        engine_item_free(e, item);
}

/* Takes an item out of force, and keeps what it knows for a policy that comes back. One whose look runs stays reachable: the policy may be
 * back before the answer is. */
static void item_retire(Engine *e, Item *item, Load *before) {
        e->n_items--;
        e->n_shown[item->shown]--;
        if (item->finished)
                e->n_finished--;

        if (item_run(item)) {
                heap_remove(&e->renewals, &item->renewal);
                item_set_gone(e, item, before);
                return;
        }

        item_put_away(e, item);
        item_set_gone(e, item, before);
        engine_item_leave(e, item);
}

/* --- Into force ----------------------------------------------------------------------------------------------------- */

/* A control of a set that is to come into force: everything that needs memory, before anything is changed. */
typedef struct Place {
        Item *item;
        const Instance *instance;       /* of the new set */
        uint16_t endpoint_number;
        Control control;
        enum { PLACE_KEPT, PLACE_NEW, PLACE_BACK } kind;        /* in force already, never seen, or gone but not forgotten */
} Place;

/* What goes on from one control of the set to the next: most are where the one before is. */
typedef struct Walk {
        const Settings *settings;
        size_t i_order;         /* of what is in force, the first whose name is not smaller */
        Service service;        /* of the last endpoint that was looked for */
        const char *region;
        uint16_t endpoint_number;
        bool looked;            /* one was */
} Walk;

/* Return: 0 or -ENOMEM. */
static int place_find_endpoint(Engine *e, Walk *w, Place *place) {
        Service service = control_service(place->control);
        const Instance *i = place->instance;
        Endpoint *endpoint;

        if (!w->looked || w->service != service || w->region != i->terms->region) {    /* sets have equal texts once */
                if (endpoint_of(e, w->settings, i, place->control, &endpoint) < 0)
                        return -ENOMEM;

                w->endpoint_number = endpoint ? endpoint->number : 0;
                w->service = service;
                w->region = i->terms->region;
                w->looked = true;
        }

        place->endpoint_number = w->endpoint_number;
        return 0;
}

/* The item that is in force for a control, if its policy has the name that it had: both are sorted by it. NULL: look for it by its
 * key. */
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

static int compare_keys(const ItemKey *a, const ItemKey *b) {
        int r = strcmp(a->instance_id, b->instance_id);

        if (r != 0)
                return r;
        if (a->service != b->service)
                return a->service < b->service ? -1 : 1;
        return a->control < b->control ? -1 : a->control > b->control;
}

static int compare_items(const void *a, const void *b) {
        ItemKey x = item_key(*(Item *const *) a), y = item_key(*(Item *const *) b);

        return compare_keys(&x, &y);
}

static int compare_with_key(const void *key, const void *item) {
        ItemKey k = item_key(*(Item *const *) item);

        return compare_keys(key, &k);
}

/* What is in force and was not found under its name, by keys: what has another name now is among these. */
typedef struct Strays {
        Item **items;
        size_t n;
} Strays;

static void strays_done(Strays *s) {
        free(s->items);
}

/* Return: 0 or -ENOMEM. */
static int strays_collect(const Engine *e, Strays *ret) {
        const Order *o = &e->order;
        size_t n = 0;

        for (size_t i = 0; i < o->n; i++)
                n += !o->items[i]->stays;
        if (n == 0)
                return 0;

        ret->items = calloc(n, sizeof(*ret->items));
        if (!ret->items)
                return -ENOMEM;

        for (size_t i = 0; i < o->n; i++)
                if (!o->items[i]->stays)
                        ret->items[ret->n++] = o->items[i];
        qsort(ret->items, ret->n, sizeof(*ret->items), compare_items);
        return 0;
}

static Item *find_stray(const Strays *s, const ItemKey *key) {
        Item **found = s->n > 0 ? bsearch(key, s->items, s->n, sizeof(*s->items), compare_with_key) : NULL;

        return found ? *found : NULL;
}

static Item *find_leaving(const Engine *e, const ItemKey *key) {
        for (Item *item = e->leaving; item; item = item->next)
                if (compare_with_key(key, &item) == 0)
                        return item;

        return NULL;
}

static Item *item_new(Control c) {
        Item *item = calloc(1, sizeof(*item));

        if (item)
                item->control = (uint8_t) c;
        return item;
}

/* Of one whose policy has another name than before, or none before. */
static int place_find(Engine *e, const Strays *s, Place *place) {
        ItemKey key = { .service = place->instance->service, .instance_id = place->instance->instance_id, .control = place->control };

        place->item = find_stray(s, &key);
        if (place->item) {
                place->item->stays = true;
                return 0;
        }

        place->item = find_leaving(e, &key);
        place->kind = place->item ? PLACE_BACK : PLACE_NEW;
        if (!place->item)
                place->item = item_new(place->control);
        return place->item ? 0 : -ENOMEM;
}

static int place_prepare(Engine *e, Walk *w, const Instance *i, Control c, Place *ret) {
        *ret = (Place) { .instance = i, .control = c };
        if (place_find_endpoint(e, w, ret) < 0)
                return -ENOMEM;

        ret->item = find_in_order(e, w, i, c);
        if (ret->item)
                ret->item->stays = true;
        return 0;
}

static void places_undo(Engine *e, Place *places, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (places[i].kind == PLACE_NEW)
                        engine_item_free(e, places[i].item);
}

/* Return: 0; or -ENOMEM, and nothing has changed. */
static int places_prepare(Engine *e, const Settings *settings, const PolicySet *policies, size_t n_controls, Place **ret) {
        _cleanup_(freep) Place *places = calloc(MAX(n_controls, (size_t) 1), sizeof(*places));
        _cleanup_(strays_done) Strays strays = {};
        Walk walk = { .settings = settings };
        size_t n = 0;

        if (!places)
                return -ENOMEM;

        for (size_t i = 0; i < e->order.n; i++)
                e->order.items[i]->stays = false;
        for (size_t i = 0; i < policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        if (instance_has(policies->instances[i], c) &&
                            place_prepare(e, &walk, policies->instances[i], c, &places[n++]) < 0)
                                return -ENOMEM;

        if (strays_collect(e, &strays) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!places[i].item && place_find(e, &strays, &places[i]) < 0) {
                        places_undo(e, places, i);
                        return -ENOMEM;
                }

        *ret = STEAL(places);
        return 0;
}

static void place_new(Engine *e, const Place *place) {
        place->item->instance = place->instance;
        place->item->endpoint_number = place->endpoint_number;
        shelf_take_item(e, place->item);
}

/* A policy that was removed is back. If the look of before still runs, what it has asked for must not be forgotten. */
static void place_back(Engine *e, const Place *place) {
        Item *item = place->item;

        take_leaving(e, item);
        item->instance = place->instance;
        item->changed = item_run(item) != NULL;
        if (item->changed)
                return;

        item->endpoint_number = place->endpoint_number;
        item->looked = item->finished = false;
        item->shown = VERDICT_UNKNOWN;
}

/* @before, @now: in force with the settings of before, and of now. */
static bool is_changed(const Instance *before, const Instance *now, const Load *load_before, const Load *load_now) {
        return instance_mode(before, load_before->settings) != instance_mode(now, load_now->settings) ||
               (before != now && !instance_equal(before, now));
}

static void place_kept(const Place *place, const Load *before, const Load *now) {
        Item *item = place->item;

        item->moved = place->endpoint_number != item->endpoint_number || is_changed(item->instance, place->instance, before, now);
        item->instance = place->instance;
        if (item->moved && !item_run(item)) {
                item->endpoint_number = place->endpoint_number;
                item->poll_at_usec = 0; /* also where it waits for its turn already */
        }
}

/* Brings one control of the new set in force. */
static void place_settle(Engine *e, const Place *place, const Load *before) {
        switch (place->kind) {
        case PLACE_KEPT:
                place_kept(place, before, e->load);
                return;
        case PLACE_NEW:
                place_new(e, place);
                break;
        case PLACE_BACK:
                place_back(e, place);
                break;
        }

        e->n_items++;
        e->n_shown[place->item->shown]++;
}

/* @control: CONTROL__MAX: all of them. */
static void say_removed(Engine *e, const Instance *i, Control control, const char *why) {
        Event event = EVENT(EVENT_POLICY_REMOVED);

        event.name = i->name;
        event.instance = i->instance_id;
        event.service = service_to_string(i->service);
        event.region = i->terms->region;
        event.control = control < CONTROL__MAX ? control_to_string(control) : NULL;
        event.file = i->file;
        if (event.control)
                event_set_message(&event, "%s: %s, its %s is not enforced any more", i->name, why, event.control);
        else
                event_set_message(&event, "%s: %s, nothing is enforced for %s any more", i->name, why, i->instance_id);
        engine_say(e, &event);
}

static bool same_instance(const Instance *a, const Instance *b) {
        return a->service == b->service && streq(a->instance_id, b->instance_id);
}

static int compare_name(const void *key, const void *item) {
        return strcmp(key, (*(const Instance *const *) item)->name);
}

/* Of one instance's items, all that there were, those that are in no policy of the new set. One that is called otherwise now has lost nothing. */
static void say_those_lost(Engine *e, Item *const *items, size_t n, const PolicySet *now) {
        const Instance *i = items[0]->instance, *named = NULL;
        const Instance **found;
        size_t n_stays = 0;

        for (size_t k = 0; k < n; k++)
                n_stays += items[k]->stays;
        if (n_stays == n)
                return;

        found = now->n_instances > 0 ? bsearch(i->name, now->instances, now->n_instances, sizeof(Instance *), compare_name) : NULL;
        if (found)
                named = *found;

        if (n_stays == 0 && (!named || !same_instance(named, i))) {
                say_removed(e, i, CONTROL__MAX, named ? "its policy is for another instance now" : "its policy is gone");
                return;
        }
        for (size_t k = 0; k < n; k++)
                if (!items[k]->stays)
                        say_removed(e, i, items[k]->control, "it was taken out of the policy");
}

/* While the items are still those of the set before. */
static void say_those_removed(Engine *e, const PolicySet *now) {
        const Order *o = &e->order;
        size_t n;

        for (size_t i = 0; i < o->n; i += n) {
                for (n = 1; i + n < o->n && o->items[i + n]->instance == o->items[i]->instance; n++)
                        ;
                say_those_lost(e, &o->items[i], n, now);
        }
}

/* Retires what the new set does not have. */
static void retire_items(Engine *e, Load *before) {
        for (Endpoint *n = e->endpoints; n; n = n->hh.next)
                endpoint_unqueue_strangers(n);
        for (size_t i = 0; i < e->order.n; i++)
                if (!e->order.items[i]->stays)
                        item_retire(e, e->order.items[i], before);
        order_clear(&e->order);
}

/* Wakes what is new or changed. */
static void wake_item(Engine *e, Item *item) {
        bool idle = !item->looked && !item->ready && !item_run(item) && item->due.index == 0;

        if (item->endpoint_number == 0)
                engine_item_lost_endpoint(e, item);
        else if (idle || item->moved)
                engine_item_due_soon(e, item);
        item->moved = false;
}

int engine_configure(Engine *e, Settings *settings, PolicySet *policies) {
        _cleanup_(freep) Place *places = NULL;
        Load *old, *load;
        size_t n_controls = 0, n_items, n_renewals;

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
        n_renewals = e->renewals.n;
        for (size_t i = 0; i < n_controls; i++) {
                n_items += places[i].kind != PLACE_KEPT;
                n_renewals += places[i].control == CONTROL_LOCK && places[i].item->renewal.index == 0;
        }
        if (heap_reserve(&e->due, n_items) < 0 || heap_reserve(&e->renewals, n_renewals) < 0 || order_reserve(&e->order, n_controls) < 0 ||
            !(load = load_new(settings, policies, e->load))) {
                places_undo(e, places, n_controls);
                return -ENOMEM;
        }

        /* From here on nothing fails: what is in force is the old or the new, and nothing in between. */
        say_those_removed(e, policies);
        old = e->load;
        e->load = load;

        for (size_t i = 0; i < n_controls; i++)
                place_settle(e, &places[i], old);
        retire_items(e, old);
        for (size_t i = 0; i < n_controls; i++)
                order_append(&e->order, places[i].item);
        for (size_t i = 0; i < n_controls; i++)
                wake_item(e, places[i].item);
        load_unref(old);

        if (e->n_items > 0)
                identity_reload(e);
        return 0;
}
