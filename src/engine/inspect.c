/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "control/describe.h"
#include "engine/engine-internal.h"

/*
 * How each control and endpoint stands, for people. Sentences are made when somebody asks, from what is there anyway; of a look, only
 * how it ended is kept.
 */

/* --- What a look leaves for those who ask ------------------------------------------------------------------------- */

/* NULL also if memory is short: then nobody is told how it failed. */
static ItemFailure *item_failure_new(const Failure *f) {
        size_t n_message = strlen(f->message) + 1, n_code = strlen(f->code) + 1, n_id = strlen(f->request_id) + 1;
        ItemFailure *copy;
        char *p;

        copy = malloc(sizeof(*copy) + n_message + n_code + n_id);
        if (!copy)
                return NULL;

        copy->class = f->class;
        copy->http_status = f->http_status;
        copy->n_unwell = 0;
        p = memcpy(copy->message, f->message, n_message);
        copy->code = memcpy(p + n_message, f->code, n_code);
        copy->request_id = memcpy(p + n_message + n_code, f->request_id, n_id);
        return copy;
}

void item_note_end(Engine *e, Item *item, const char *why, const Failure *failure) {
        Kept *k;

        assert(item->is_open);

        k = &item->open->kept;
        (void) kept_set_why(e, k, why);         /* out of memory: none is told */
        free(k->failure);
        k->failure = failure ? item_failure_new(failure) : NULL;
        item->told_changed = true;
}

void item_note_change(Engine *e, Item *item, EventId id, const char *request_id) {
        ControlTold *told;

        assert(item->is_open);

        told = &item->open->kept.state.told;
        told->changed_at_usec = engine_realtime(e);
        told->changed_as = event_type(id)->name;
        (void) told_set(&told->changed_request_id, request_id);         /* likewise */
        item->told_changed = true;
}

/* --- One control -------------------------------------------------------------------------------------------------- */

typedef struct Texts {          /* what a status points to while it is handed over */
        char wanted[DESCRIBE_MAX], next[DESCRIBE_MAX], readings[READINGS_TEXT_MAX];
} Texts;

static bool enforces(const Engine *e, const Instance *i) {
        return instance_mode(i, engine_settings(e)) == MODE_ENFORCE && !e->options.observe;
}

/* A point of CLOCK_BOOTTIME on the wall clock as it is now. */
static usec_t to_wall(const Engine *e, usec_t boottime_usec) {
        usec_t now = engine_boottime(e);

        return boottime_usec >= now ? usec_add(engine_realtime(e), boottime_usec - now) : usec_sub(engine_realtime(e), now - boottime_usec);
}

static usec_t next_look(const Engine *e, const Item *item) {
        if (item_run(item) || item->ready)
                return engine_realtime(e);

        return item->due.index > 0 ? to_wall(e, heap_usec(&e->due, &item->due)) : 0;
}

/* Readings under which an extension would be reckoned: as the policy states, as was learned, else all, less those disproved. */
static unsigned lock_readings(const Item *item, const Endpoint *n, const LockMemory *m) {
        unsigned learned = n ? n->state.readings : 0, readings = READINGS_ALL;

        switch (item->instance->terms->lock->extension) {
        case EXTENSION_AUTO:
                readings = learned ? learned : READINGS_ALL;
                break;
        case EXTENSION_FROM_START:
                readings = 1u << READING_FROM_START;
                break;
        case EXTENSION_FROM_NOW:
                readings = 1u << READING_FROM_NOW;
                break;
        case EXTENSION_ADDED:
                readings = 1u << READING_ADDED;
                break;
        case EXTENSION__MAX:
                assert(false);
                break;
        }

        /* After a climb that has struck them all, the next one begins with all of them. */
        return readings & ~m->struck ? readings & ~m->struck : readings;
}

static void fill_lock(const Item *item, const Endpoint *n, const LockMemory *m, Texts *texts, ControlStatus *ret) {
        const LockPolicy *p = item->instance->terms->lock;

        ret->retention_days = (uint64_t) p->retention_days;
        ret->max_retention_days = (uint64_t) p->max_retention_days;
        ret->renew_before_usec = p->renew_before_usec;
        ret->readings = readings_to_text(lock_readings(item, n, m), texts->readings);
        if (m->seen)
                ret->renew_at_usec = usec_sub(m->end_usec, p->renew_before_usec);
        if (n && n->state.frozen) {
                ret->frozen = true;
                ret->frozen_at_usec = n->state.frozen_at_usec;
                ret->frozen_why = n->state.frozen_why;
        }
}

static void fill_schedule(const Item *item, const ScheduleMemory *m, ControlStatus *ret) {
        const SchedulePolicy *p = item->instance->terms->schedule;

        if (p->reapply_usec != USEC_INFINITY && m->applied_at_usec > 0)
                ret->reapply_at_usec = usec_add(m->applied_at_usec, p->reapply_usec);
}

static void fill_failure(const ItemFailure *f, ControlStatus *ret) {
        ret->failure = failure_class_to_string(f->class);
        ret->failure_message = f->message[0] ? f->message : NULL;
        ret->failure_code = f->code[0] ? f->code : NULL;
        ret->failure_request_id = f->request_id[0] ? f->request_id : NULL;
        ret->failure_http_status = (unsigned) MAX(f->http_status, 0);
}

static void fill_status(const Engine *e, const Item *item, Texts *texts, ControlStatus *ret) {
        const Instance *i = item->instance;
        Kept scratch;
        const Kept *k = item_kept(item, &scratch);
        const Endpoint *n = item_endpoint(e, item);
        DescribeNext next = {
                .state = &k->state,
                .verdict = item->shown,
                .enforce = enforces(e, i),
                .frozen = n && n->state.frozen,
                .now_usec = engine_realtime(e),
        };

        *ret = (ControlStatus) {
                .name = i->name,
                .service = service_to_string(i->service),
                .instance_id = i->instance_id,
                .region = i->terms->region,
                .control = control_to_string(item->control),
                .mode = mode_to_string(next.enforce ? MODE_ENFORCE : MODE_OBSERVE),
                .file = i->file,
                .line = i->line,
                .endpoint = n ? n->origin : NULL,
                .verdict = verdict_to_string(item->shown),
                .wanted = control_describe_wanted(i, item->control, texts->wanted),
                .next_look_usec = next_look(e, item),
                .next_action = control_describe_next(i, item->control, &next, texts->next),
        };

        control_status_from_state(item->control, &k->state, ret);
        if (k->failure)
                fill_failure(k->failure, ret);
        if (item->control == CONTROL_LOCK)
                fill_lock(item, n, &k->state.lock, texts, ret);
        else if (item->control == CONTROL_SCHEDULE)
                fill_schedule(item, &k->state.schedule, ret);
}

static int hand_over(const Engine *e, const Item *item, EngineOnStatus on_status, void *userdata) {
        ControlStatus status;
        Texts texts;

        fill_status(e, item, &texts, &status);
        return on_status(userdata, &status);
}

/* --- Pages -------------------------------------------------------------------------------------------------------- */

static const char *const filter_names[INSPECT_FILTER__MAX] = {
        [INSPECT_ALL] = "all",
        [INSPECT_COMPLIANT] = "compliant",
        [INSPECT_VIOLATED] = "violated",
        [INSPECT_UNKNOWN] = "unknown",
        [INSPECT_NOT_COMPLIANT] = "not-compliant",
        [INSPECT_RENEWALS] = "renewals",
};

const char *inspect_filter_to_string(InspectFilter f) {
        assert(f < INSPECT_FILTER__MAX);
        return filter_names[f];
}

int inspect_filter_from_string(const char *s) {
        assert(s);

        for (int i = 0; i < INSPECT_FILTER__MAX; i++)
                if (streq(filter_names[i], s))
                        return i;

        return -EINVAL;
}

/* Verdicts that a filter lets through, as a set. */
static unsigned filter_verdicts(InspectFilter f) {
        switch (f) {
        case INSPECT_ALL:
                return (1u << VERDICT__MAX) - 1;
        case INSPECT_COMPLIANT:
                return 1u << VERDICT_COMPLIANT;
        case INSPECT_VIOLATED:
                return 1u << VERDICT_VIOLATED;
        case INSPECT_UNKNOWN:
                return 1u << VERDICT_UNKNOWN;
        case INSPECT_NOT_COMPLIANT:
                return 1u << VERDICT_VIOLATED | 1u << VERDICT_UNKNOWN;
        case INSPECT_RENEWALS:
        case INSPECT_FILTER__MAX:
                break;
        }

        assert(false);
        return 0;
}

static uint64_t order_word(const Order *o, unsigned verdicts, size_t k) {
        uint64_t word = 0;

        for (Verdict v = 0; v < VERDICT__MAX; v++)
                if (verdicts & (1u << v))
                        word |= o->sets[v][k];
        return word;
}

static int inspect_order(const Engine *e, unsigned verdicts, size_t offset, size_t limit, EngineOnStatus on_status, void *userdata,
                         size_t *ret_total) {
        const Order *o = &e->order;
        size_t n_before = 0;
        int r;

        for (size_t k = 0; k * 64 < o->n; k++) {
                uint64_t word = order_word(o, verdicts, k);
                size_t n = (size_t) __builtin_popcountll(word), n_seen = n_before;

                n_before += n;
                if (limit == 0 || n_before <= offset)
                        continue;

                for (; word && limit > 0; word &= word - 1, n_seen++) {
                        if (n_seen < offset)
                                continue;

                        r = hand_over(e, o->items[k * 64 + (size_t) __builtin_ctzll(word)], on_status, userdata);
                        if (r < 0)
                                return r;
                        limit--;
                }
        }

        *ret_total = n_before;
        return 0;
}

/* A node of another heap, as one that can be in a heap itself. */
typedef struct Candidate {
        HeapNode node;
        size_t index;           /* in the other heap, from 0 */
} Candidate;

/* The next of a heap in their order, without taking anything out: the heap of those whose parents were handed over already. */
static int inspect_renewals(const Engine *e, size_t offset, size_t limit, EngineOnStatus on_status, void *userdata, size_t *ret_total) {
        _cleanup_(heap_done) Heap frontier = {};
        _cleanup_(freep) Candidate *candidates = NULL;
        const Heap *h = &e->renewals;
        size_t n_wanted, n_candidates = 0;
        HeapNode *top;

        *ret_total = h->n;
        if (offset >= h->n || limit == 0)
                return 0;

        n_wanted = offset + MIN(limit, h->n - offset);
        candidates = calloc(2 * n_wanted + 1, sizeof(*candidates));     /* each that leaves brings two */
        if (!candidates || heap_reserve(&frontier, 2 * n_wanted + 1) < 0)
                return -ENOMEM;

        heap_put(&frontier, &candidates[n_candidates++].node, h->slots[0].at_usec);
        for (size_t i = 0; i < n_wanted && (top = heap_top(&frontier)); i++) {
                size_t index = CONTAINER_OF(top, Candidate, node)->index;

                heap_remove(&frontier, top);
                for (size_t child = 2 * index + 1; child <= 2 * index + 2 && child < h->n; child++) {
                        candidates[n_candidates].index = child;
                        heap_put(&frontier, &candidates[n_candidates++].node, h->slots[child].at_usec);
                }
                if (i >= offset) {
                        int r = hand_over(e, CONTAINER_OF(h->slots[index].node, Item, renewal), on_status, userdata);

                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

int engine_inspect(const Engine *e, InspectFilter filter, size_t offset, size_t limit, EngineOnStatus on_status, void *userdata,
                   size_t *ret_total) {
        assert(e);
        assert(filter < INSPECT_FILTER__MAX);
        assert(on_status);
        assert(ret_total);

        if (filter == INSPECT_RENEWALS)
                return inspect_renewals(e, offset, limit, on_status, userdata, ret_total);

        return inspect_order(e, filter_verdicts(filter), offset, limit, on_status, userdata, ret_total);
}

bool engine_has_instance(const Engine *e, const char *name) {
        assert(e);
        assert(name);
        return order_find(&e->order, name) < e->order.n;
}

int engine_inspect_instance(const Engine *e, const char *name, EngineOnStatus on_status, void *userdata) {
        const Order *o = &e->order;
        int r, n = 0;

        assert(name);
        assert(on_status);

        for (size_t i = order_find(o, name); i < o->n && streq(o->items[i]->instance->name, name); i++) {
                r = hand_over(e, o->items[i], on_status, userdata);
                if (r < 0)
                        return r;
                n++;
        }

        return n;
}

/* --- Endpoints and the whole -------------------------------------------------------------------------------------- */

static int compare_endpoints(const void *a, const void *b) {
        return strcmp((*(Endpoint *const *) a)->origin, (*(Endpoint *const *) b)->origin);
}

static int hand_over_endpoint(const Engine *e, const Endpoint *n, EngineOnEndpoint on_endpoint, void *userdata) {
        char readings[READINGS_TEXT_MAX];
        EndpointStatus status = {
                .origin = n->origin,
                .service = service_to_string(n->service),
                .region = n->region,
                .contact_at_usec = n->contact_at_usec,
                .n_failed = n->n_failed,
        };

        if (n->n_failed > 0)
                status.failing_since_usec = to_wall(e, n->failing_since_usec);
        if (n->state.readings)
                status.readings = readings_to_text(n->state.readings, readings);
        if (n->state.frozen) {
                status.frozen = true;
                status.frozen_at_usec = n->state.frozen_at_usec;
                status.frozen_why = n->state.frozen_why;
        }

        return on_endpoint(userdata, &status);
}

int engine_inspect_endpoints(const Engine *e, EngineOnEndpoint on_endpoint, void *userdata) {
        _cleanup_(freep) Endpoint **sorted = NULL;
        size_t n = HASH_COUNT(e->endpoints), i = 0;
        int r;

        assert(on_endpoint);

        if (n == 0)
                return 0;

        sorted = calloc(n, sizeof(Endpoint *));
        if (!sorted)
                return -ENOMEM;
        for (Endpoint *p = e->endpoints; p && i < n; p = p->hh.next)
                sorted[i++] = p;
        qsort(sorted, n, sizeof(Endpoint *), compare_endpoints);

        for (i = 0; i < n; i++) {
                r = hand_over_endpoint(e, sorted[i], on_endpoint, userdata);
                if (r < 0)
                        return r;
        }

        return 0;
}

static const char *identity_state_to_string(IdentityState s) {
        switch (s) {
        case IDENTITY_NONE:
                return "none";
        case IDENTITY_FETCHING:
                return "fetching";
        case IDENTITY_UNPROVEN:
                return "unproven";
        case IDENTITY_PROVEN:
                return "accepted";
        case IDENTITY_REFUSED:
                return "refused";
        }

        assert(false);
        return NULL;
}

void engine_status(const Engine *e, EngineStatus *ret) {
        const Credentials *c;

        assert(e);
        assert(e->load);
        assert(ret);

        c = e->identity.credentials;
        *ret = (EngineStatus) {
                .mode = mode_to_string(e->options.observe ? MODE_OBSERVE : engine_settings(e)->mode),
                .credentials_source = credentials_source_to_string(engine_settings(e)->credentials.source),
                .credentials_origin = c ? c->origin : NULL,
                .credentials_state = identity_state_to_string(e->identity.state),
                .credentials_expire_at_usec = c ? c->expires_at_usec : 0,
                .state_failing = e->said_state.at_usec > 0 || e->rewrite_at_usec > 0,
        };

        if (heap_top(&e->due))
                ret->next_look_usec = to_wall(e, MAX(heap_top_usec(&e->due), engine_boottime(e)));
        for (const Endpoint *n = e->endpoints; n; n = n->hh.next) {
                ret->contact_at_usec = MAX(ret->contact_at_usec, n->contact_at_usec);
                ret->n_frozen += n->state.frozen;
        }
}
