/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/rehearse.h"
#include "policy/keys.h"
#include "policy/record.h"
#include "store/read.h"

/*
 * The owner's configuration as a fleet.
 */

#define REHEARSE_PROJECT "00000000000000000000000000000002" /* where neither the policy nor holdfast.yaml names one */

/* --- Loading ------------------------------------------------------------------------------------------------------ */

static int find_endpoint(RehearseFleet *f, const char *origin, Service service, size_t *ret) {
        RehearseEndpoint *larger;

        for (size_t i = 0; i < f->n_endpoints; i++)
                if (streq(f->endpoints[i].origin, origin)) {
                        *ret = i;
                        return 0;
                }

        larger = reallocarray(f->endpoints, f->n_endpoints + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        f->endpoints = larger;
        f->endpoints[f->n_endpoints] = (RehearseEndpoint) { .origin = origin, .service = service, .readings = READINGS_ALL };
        *ret = f->n_endpoints++;
        return 0;
}

/* The ids with which a policy is played: the simulated account has one domain, and names of instances that are letters and digits. */
static void set_ids(RehearseMember *m, size_t index) {
        Instance *i = &m->instance;

        *i = *m->policy;
        m->terms = *m->policy->terms;
        i->terms = &m->terms;
        m->terms.domain_id = REHEARSE_DOMAIN;
        if (!m->terms.project_id || strlen(m->terms.project_id) != strlen(REHEARSE_PROJECT))
                m->terms.project_id = REHEARSE_PROJECT;
        if (strpbrk(i->instance_id, "-_")) {
                (void) snprintf(m->own_id, sizeof(m->own_id), "rehearsed%023zu", index);
                i->instance_id = m->own_id;
        }
}

static Control first_control(const Instance *i) {
        Control c = 0;

        while (c + 1 < CONTROL__MAX && !instance_has(i, c))
                c++;
        return c;
}

static int add_member(RehearseFleet *f, const Instance *policy) {
        const char *origin = config_endpoint(f->config.settings, policy, first_control(policy));
        RehearseMember *m = &f->members[f->n_members];
        RehearseEndpoint *e;
        int r;

        if (!origin) {
                (void) fprintf(stderr, "%s:%u:1: region: found %s, expected a region in which service %s is known to answer, or endpoints.%s in "
                               "holdfast.yaml\n", policy->file, policy->line, policy->terms->region ? policy->terms->region : "none",
                               service_to_string(policy->service), service_to_string(policy->service));
                f->n_rejected++;
                return 0;
        }

        *m = (RehearseMember) { .policy = policy };
        r = find_endpoint(f, origin, policy->service, &m->endpoint);
        if (r < 0)
                return r;
        set_ids(m, f->n_members);

        e = &f->endpoints[m->endpoint];
        for (Control c = 0; c < CONTROL__MAX; c++)
                if (instance_has(policy, c))
                        e->polls_per_sec += (double) USEC_PER_SEC / (double) instance_poll_usec(policy, c);
        e->n_locks += policy->terms->lock != NULL;
        f->n_members++;
        return 0;
}

static int by_id(const void *a, const void *b) {
        const RehearseMember *const *x = a, *const *y = b;

        return strcmp((*x)->instance.instance_id, (*y)->instance.instance_id);
}

static int take_members(RehearseFleet *f) {
        const PolicySet *set = f->config.policies;
        int r;

        f->members = calloc(MAX(set->n_instances, (size_t) 1), sizeof(*f->members));
        f->by_id = calloc(MAX(set->n_instances, (size_t) 1), sizeof(*f->by_id));
        if (!f->members || !f->by_id)
                return -ENOMEM;

        for (size_t i = 0; i < set->n_instances; i++) {
                r = add_member(f, set->instances[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < f->n_members; i++)
                f->by_id[i] = &f->members[i];
        if (f->n_members > 1)
                qsort(f->by_id, f->n_members, sizeof(*f->by_id), by_id);
        return 0;
}

int rehearse_fleet_load(const CtlOptions *ctl, const RehearseOptions *o, RehearseFleet *ret) {
        _cleanup_(rehearse_fleet_done) RehearseFleet f = { .limit_divisor = 1 };
        int status, r;

        assert(ret);

        status = config_need(ctl, &f.config);
        if (status != 0)
                return status;
        f.n_rejected = f.config.n_rejected;

        r = config_select(&f.config, o->names, o->n_names);
        if (r == -ENOENT || r == -ENOTUNIQ)
                return EXIT_NO_SUCH;
        if (r >= 0)
                r = take_members(&f);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }
        if (f.n_members == 0) {
                ctl_complain("%s: there is no policy to rehearse", ctl->instances);
                return EXIT_FAILURE;
        }

        *ret = f;
        f = (RehearseFleet) {};
        return 0;
}

void rehearse_fleet_done(RehearseFleet *f) {
        for (size_t i = 0; i < f->n_members; i++)
                json_object_put(f->members[i].start);
        free(f->members);
        free(f->endpoints);
        free(f->groups);
        free(f->order);
        free(f->by_id);
        rehearse_memory_free(f->known);
        config_done(&f->config);
        *f = (RehearseFleet) {};
}

RehearseMember *rehearse_fleet_find(const RehearseFleet *f, const char *name) {
        size_t low = 0, high = f->n_members;

        while (name && low < high) {
                size_t middle = low + (high - low) / 2;
                int d = strcmp(name, f->members[middle].policy->name);

                if (d == 0)
                        return &f->members[middle];
                if (d < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

RehearseMember *rehearse_fleet_find_id(const RehearseFleet *f, const char *instance_id) {
        size_t low = 0, high = f->n_members;

        while (instance_id && low < high) {
                size_t middle = low + (high - low) / 2;
                int d = strcmp(instance_id, f->by_id[middle]->instance.instance_id);

                if (d == 0)
                        return f->by_id[middle];
                if (d < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

bool rehearse_fleet_has_locks(const RehearseFleet *f) {
        for (size_t i = 0; i < f->n_endpoints; i++)
                if (f->endpoints[i].n_locks > 0)
                        return true;
        return false;
}

/* --- What is known already ---------------------------------------------------------------------------------------- */

static void learn_endpoint(RehearseFleet *f, const StateRecord *record) {
        for (size_t i = 0; i < f->n_endpoints; i++) {
                RehearseEndpoint *e = &f->endpoints[i];

                if (!streq(e->origin, record->endpoint.origin))
                        continue;
                e->state = *record->endpoint.state;
                if (e->state.readings)
                        e->readings = e->state.readings;
        }
}

static int learn(void *userdata, const StateRecord *record) {
        RehearseFleet *f = userdata;
        const RehearseMember *m;

        if (record->kind == STATE_ENDPOINT)
                learn_endpoint(f, record);
        if (!f->known || (record->kind != STATE_CONTROL && record->kind != STATE_GRANT))
                return 0;

        m = rehearse_fleet_find_id(f, record->instance_id);
        /* One that is played under another id. */
        for (size_t i = 0; !m && strpbrk(record->instance_id, "-_") && i < f->n_members; i++)
                if (streq(f->members[i].policy->instance_id, record->instance_id))
                        m = &f->members[i];
        return m ? rehearse_memory_put(f->known, (size_t) (m - f->members), record) : 0;
}

int rehearse_fleet_learn(RehearseFleet *f, const CtlOptions *ctl, bool everything) {
        _cleanup_(store_view_freep) StoreView *view = NULL;
        int r;

        if (everything) {
                r = rehearse_memory_new(f, &f->known);
                if (r < 0)
                        return r;
        }

        /* Without it every reading is possible: that is more work, and no mistake. */
        r = store_view_open(ctl->state, &view);
        if (r >= 0)
                r = store_view_load(view, learn, f, NULL);
        f->state_read = r >= 0;
        return r == -ENOMEM ? r : 0;
}

/* --- What the engine gets ----------------------------------------------------------------------------------------- */

static int copy_settings(const RehearseFleet *f, Settings **ret) {
        _cleanup_(settings_freep) Settings *s = NULL;
        int r;

        s = malloc(sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = *f->config.settings;
        r = record_take(&keys_settings, s, NULL);
        if (r < 0)
                return r;

        *ret = STEAL(s);
        return 0;
}

/* @original: as written, else as they are played. What they point to stays the fleet's. */
static int copy_policies(const RehearseFleet *f, const bool *played, bool original, PolicySet **ret) {
        _cleanup_(policy_set_freep) PolicySet *set = NULL;

        set = calloc(1, sizeof(*set));
        if (!set)
                return -ENOMEM;
        set->instances = calloc(f->n_members, sizeof(*set->instances));
        if (!set->instances)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_members; i++)
                if (!played || played[i])
                        set->instances[set->n_instances++] = original ? f->members[i].policy : &f->members[i].instance;

        *ret = STEAL(set);
        return 0;
}

static int copy_both(const RehearseFleet *f, const bool *played, bool original, Settings **ret_settings, PolicySet **ret_policies) {
        _cleanup_(settings_freep) Settings *settings = NULL;
        int r;

        r = copy_settings(f, &settings);
        if (r >= 0)
                r = copy_policies(f, played, original, ret_policies);
        if (r < 0)
                return r;

        *ret_settings = STEAL(settings);
        return 0;
}

int rehearse_fleet_originals(const RehearseFleet *f, Settings **ret_settings, PolicySet **ret_policies) {
        return copy_both(f, NULL, true, ret_settings, ret_policies);
}

unsigned rehearse_fleet_new_locks(const RehearseFleet *f) {
        return (f->config.settings->limits.new_locks_per_day + f->limit_divisor - 1) / f->limit_divisor;
}

int rehearse_fleet_configuration(const RehearseFleet *f, const bool *played, Settings **ret_settings, PolicySet **ret_policies) {
        int r;

        r = copy_both(f, played, false, ret_settings, ret_policies);
        if (r < 0)
                return r;

        /* Nobody's secrets are read: the machine answers for the environment with a key of its own. */
        (*ret_settings)->credentials.source = CREDENTIALS_ENVIRONMENT;
        (*ret_settings)->limits.new_locks_per_day = rehearse_fleet_new_locks(f);
        return 0;
}
