/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "control/describe.h"
#include "ctl/config.h"
#include "ctl/source.h"
#include "ctl/words.h"
#include "store/read.h"

/*
 * Without a daemon: what the policies say, and what the last daemon left behind.
 */

#define KEY_MAX 192             /* bytes: service, instance id (at most 64) and control */
#define WHY_MAX 1280            /* bytes; longer reasons are cut */
#define POLL_NOT_KNOWN_USEC (12 * USEC_PER_HOUR)        /* where no policy says how often it is looked at; picked */

typedef struct Slot {
        char key[KEY_MAX];
        UT_hash_handle hh;
        size_t index;           /* of the fleet's items */
        const Instance *instance;       /* NULL: it has no policy any more, or policies cannot be read */
        Control control;
} Slot;

typedef struct Reader {
        Fleet *fleet;
        const Config *config;
        Slot *slots;
        bool policies;          /* could be read */
        bool removed;           /* also what has no policy any more */
} Reader;

static void reader_done(Reader *rd) {
        Slot *s, *next;

        HASH_ITER(hh, rd->slots, s, next) {
                HASH_DEL(rd->slots, s);
                free(s);
        }
}

static void make_key(Service service, const char *instance_id, Control control, char key[static KEY_MAX]) {
        (void) snprintf(key, KEY_MAX, "%s/%s/%s", service_to_string(service), instance_id, control_to_string(control));
}

static int add(Reader *rd, const ControlStatus *status, Service service, const Instance *instance, Control control, Slot **ret) {
        Slot *s;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;

        make_key(service, status->instance_id, control, s->key);
        s->index = rd->fleet->n_items;
        s->instance = instance;
        s->control = control;
        r = fleet_add(rd->fleet, status);
        if (r < 0) {
                free(s);
                return r;
        }

        HASH_ADD_STR(rd->slots, key, s);
        if (!hash_added(s)) {
                free(s);
                return -ENOMEM;
        }

        *ret = s;
        return 0;
}

static int add_policy(Reader *rd, const Instance *i, Control c) {
        char wanted[DESCRIBE_MAX];
        ControlStatus status = {
                .name = i->name,
                .service = service_to_string(i->service),
                .instance_id = i->instance_id,
                .region = i->terms->region,
                .control = control_to_string(c),
                .mode = mode_to_string(instance_mode(i, rd->config->settings)),
                .file = i->file,
                .line = i->line,
                .endpoint = config_endpoint(rd->config->settings, i, c),
                .verdict = verdict_to_string(VERDICT_UNKNOWN),
                .last_verdict = verdict_to_string(VERDICT_UNKNOWN),
                .why = "it was not looked at yet",
        };
        Slot *s;

        status.wanted = control_describe_wanted(i, c, wanted);
        if (c == CONTROL_LOCK) {
                status.retention_days = (uint64_t) i->terms->lock->retention_days;
                status.max_retention_days = (uint64_t) i->terms->lock->max_retention_days;
                status.renew_before_usec = i->terms->lock->renew_before_usec;
        }
        return add(rd, &status, i->service, i, c, &s);
}

static int add_policies(Reader *rd) {
        const PolicySet *set = rd->config->policies;
        int r;

        for (size_t i = 0; i < set->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++) {
                        if (!instance_has(set->instances[i], c))
                                continue;
                        r = add_policy(rd, set->instances[i], c);
                        if (r < 0)
                                return r;
                }

        return 0;
}

static int on_endpoint(void *userdata, const StateRecord *record) {
        const EndpointState *state = record->endpoint.state;
        Reader *rd = userdata;
        char readings[READINGS_TEXT_MAX];
        EndpointStatus status;

        if (record->kind != STATE_ENDPOINT)
                return 0;

        status = (EndpointStatus) {
                .origin = record->endpoint.origin,
                .service = service_to_string(record->service),
                .readings = state->readings > 0 ? readings_to_text(state->readings, readings) : NULL,
                .frozen = state->frozen,
                .frozen_at_usec = state->frozen_at_usec,
                .frozen_why = state->frozen ? state->frozen_why : NULL,
        };
        return fleet_add_endpoint(rd->fleet, &status);
}

static const EndpointStatus *endpoint_of(const Fleet *f, const char *origin) {
        for (size_t i = 0; origin && i < f->n_endpoints; i++)
                if (streq(f->endpoints[i].origin, origin))
                        return &f->endpoints[i];

        return NULL;
}

static void fill_lock(Reader *rd, const Slot *slot, ControlStatus *status) {
        const EndpointStatus *n = endpoint_of(rd->fleet, status->endpoint);

        if (n) {
                status->frozen = n->frozen;
                status->frozen_at_usec = n->frozen_at_usec;
                status->frozen_why = n->frozen_why;
                status->readings = n->readings;
        }
        if (slot->instance && status->lock_end_usec > 0)
                status->renew_at_usec = usec_sub(status->lock_end_usec, slot->instance->terms->lock->renew_before_usec);
}

/*
 * What held when somebody looked last holds no longer for sure once a look was due, and nobody has looked: a state that a daemon has left
 * behind says compliant for ever. A lock that has ended has, whoever looks. Both are told in @why, which @status borrows.
 */
static void age(const Reader *rd, const Slot *slot, ControlStatus *status, char why[static WHY_MAX]) {
        usec_t now_usec = rd->fleet->info.now_usec, due_usec, poll_usec = POLL_NOT_KNOWN_USEC;
        char at[WORDS_MAX];

        if (status_verdict(status) == VERDICT_UNKNOWN)
                return;

        if (status->lock_end_usec > 0 && status->lock_end_usec <= now_usec) {
                if (status_verdict(status) == VERDICT_COMPLIANT)
                        status->since_usec = status->lock_end_usec;
                (void) snprintf(why, WHY_MAX, "the compliance lock ended at %s", words_time_both(status->lock_end_usec, now_usec, at));
                status->verdict = status->last_verdict = verdict_to_string(VERDICT_VIOLATED);
                status->why = why;
                return;
        }

        if (rd->fleet->info.running || status->looked_at_usec == 0)
                return;
        if (slot->instance)
                poll_usec = instance_poll_usec(slot->instance, slot->control);
        due_usec = usec_add(status->looked_at_usec, usec_add(poll_usec, poll_usec));    /* the next look, and as long again */
        if (status->renew_at_usec > status->looked_at_usec)
                due_usec = MIN(due_usec, status->renew_at_usec);
        if (due_usec > now_usec)
                return;

        (void) snprintf(why, WHY_MAX, "nobody has looked since %s; then it was %s: %.1000s",
                        words_time_both(status->looked_at_usec, now_usec, at), verdict_to_string(status_verdict(status)),
                        status->why ? status->why : "why is not known");
        status->verdict = verdict_to_string(VERDICT_UNKNOWN);
        status->unknown_since_usec = due_usec;
        status->why = why;
}

static int on_control(Reader *rd, const StateRecord *record) {
        const ControlState *state = record->control_state.state;
        char next[DESCRIBE_MAX], key[KEY_MAX], why[WHY_MAX];
        ControlStatus *status;
        Slot *slot = NULL;
        int r;

        make_key(record->service, record->instance_id, record->control, key);
        HASH_FIND_STR(rd->slots, key, slot);
        if (!slot) {
                ControlStatus bare = {
                        .name = record->control_state.name ? record->control_state.name : record->instance_id,
                        .service = service_to_string(record->service),
                        .instance_id = record->instance_id,
                        .control = control_to_string(record->control),
                };

                if (rd->policies && !rd->removed)
                        return 0;       /* its policy was removed: nobody looks at it any more */
                r = add(rd, &bare, record->service, NULL, record->control, &slot);
                if (r < 0)
                        return r;
        }

        status = &rd->fleet->items[slot->index];
        control_status_from_state(record->control, state, status);
        status->verdict = state->unknown_since_usec > 0 ? verdict_to_string(VERDICT_UNKNOWN) : status->last_verdict;
        if (record->control == CONTROL_LOCK)
                fill_lock(rd, slot, status);
        age(rd, slot, status, why);
        if (slot->instance) {
                DescribeNext d = {
                        .state = state,
                        .verdict = status_verdict(status),
                        .enforce = instance_mode(slot->instance, rd->config->settings) == MODE_ENFORCE,
                        .frozen = status->frozen,
                        .now_usec = rd->fleet->info.now_usec,
                };

                status->next_action = control_describe_next(slot->instance, record->control, &d, next);
                if (record->control == CONTROL_SCHEDULE && slot->instance->terms->schedule->reapply_usec != USEC_INFINITY &&
                    status->applied_at_usec > 0)
                        status->reapply_at_usec = usec_add(status->applied_at_usec, slot->instance->terms->schedule->reapply_usec);
        }
        return fleet_own(rd->fleet, status);
}

static int on_record(void *userdata, const StateRecord *record) {
        Reader *rd = userdata;
        char key[KEY_MAX];
        Slot *slot = NULL;

        switch (record->kind) {
        case STATE_CONTROL:
                return on_control(rd, record);
        case STATE_GRANT:
                make_key(record->service, record->instance_id, record->control, key);
                HASH_FIND_STR(rd->slots, key, slot);
                if (slot)
                        rd->fleet->items[slot->index].n_grants++;
                return 0;
        case STATE_ENDPOINT:
        case STATE_EVIDENCE:
        case STATE_KIND__MAX:
                break;
        }

        return 0;
}

int state_complain(const CtlOptions *o, int r) {
        char newer[STORE_TEXT_MAX];

        switch (r) {
        case -EACCES:
        case -EPERM:
                ctl_complain("%s: %s: root may read the state, and the user of the daemon; without the daemon nobody else", o->state,
                             strerror(-r));
                break;
        case -EBADMSG:
                ctl_complain(
                        "%s: holdfast.db is damaged, or not holdfast's; holdfastd says more when it is started, and sets aside what is "
                        "broken",
                        o->state);
                break;
        case -EPROTONOSUPPORT:
                ctl_complain("%s: %s", o->state, store_explain_newer(o->state, newer));
                break;
        case -EBUSY:
                ctl_complain("%s: the state is being written, try again", o->state);
                break;
        case -ENOENT:
                ctl_complain("%s: there is no state: holdfastd has left none", o->state);
                return -ENODATA;
        default:
                ctl_complain("%s: %s", o->state, strerror(-r));
                break;
        }

        return r;
}

static int read_state(const CtlOptions *o, Reader *rd) {
        _cleanup_(store_view_freep) StoreView *view = NULL;
        size_t n_skipped = 0;
        int r;

        r = store_view_open(o->state, &view);
        if (r == -ENOENT && rd->policies) {
                rd->fleet->info.state_missing = true;
                return 0;
        }
        if (r >= 0) {
                rd->fleet->info.as_of_usec = store_view_written_usec(view);
                r = store_view_load(view, on_endpoint, rd, NULL);
        }
        if (r >= 0)
                r = store_view_load(view, on_record, rd, &n_skipped);
        if (r < 0)
                return state_complain(o, r);

        if (n_skipped > 0)
                ctl_complain("%s: %zu records of the state make no sense and were passed over", o->state, n_skipped);
        return 0;
}

int source_state_read(const CtlOptions *o, bool removed, Fleet *f) {
        _cleanup_(config_done) Config config = {};
        _cleanup_(reader_done) Reader rd = { .fleet = f, .config = &config, .removed = removed };
        int r;

        f->info.running = store_is_held(o->state);
        r = config_load(o, &config);
        rd.policies = r >= 0;
        f->info.config_broken = r < 0;
        if (r < 0)
                ctl_complain("%s cannot be used, so this is the state alone: holdfastctl check says why",
                             config.settings ? o->instances : o->config);
        else if (config.n_rejected > 0)
                ctl_complain("%zu polic%s broken and left out: holdfastctl check says why", config.n_rejected,
                             config.n_rejected == 1 ? "y is" : "ies are");

        f->info.n_rejected = (unsigned) config.n_rejected;
        if (config.settings) {
                f->info.mode = mode_to_string(config.settings->mode);
                f->info.credentials_source = credentials_source_to_string(config.settings->credentials.source);
        }

        r = rd.policies ? add_policies(&rd) : 0;
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return r;
        }

        return read_state(o, &rd);
}
