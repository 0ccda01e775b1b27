/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ctl/rehearse.h"

/*
 * What holdfast would find in its state after a restart, without a disk: the last record of every control and endpoint, and the grants.
 */

typedef struct KeptControl {
        bool set;
        ControlState state;     /* without what it would own: grants are records of their own, and words nothing is decided by */
} KeptControl;

typedef struct KeptGrant {
        size_t member;
        char backup_id[BACKUP_ID_MAX];
        usec_t granted_at_usec;
} KeptGrant;

struct RehearseMemory {
        const RehearseFleet *fleet;
        KeptControl *controls;  /* [member][control] */
        EndpointState *endpoints;
        bool *endpoint_set;
        KeptGrant *grants;
        size_t n_grants, n_allocated;
};

static int copy_grants(const RehearseMemory *from, RehearseMemory *to) {
        if (from->n_grants == 0)
                return 0;
        to->grants = calloc(from->n_grants, sizeof(*to->grants));
        if (!to->grants)
                return -ENOMEM;
        memcpy(to->grants, from->grants, from->n_grants * sizeof(*to->grants));
        to->n_grants = to->n_allocated = from->n_grants;
        return 0;
}

int rehearse_memory_new(const RehearseFleet *f, RehearseMemory **ret) {
        _cleanup_(rehearse_memory_freep) RehearseMemory *m = NULL;
        int r;

        assert(ret);

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->fleet = f;
        m->controls = calloc(f->n_members * CONTROL__MAX, sizeof(*m->controls));
        m->endpoints = calloc(f->n_endpoints, sizeof(*m->endpoints));
        m->endpoint_set = calloc(f->n_endpoints, sizeof(*m->endpoint_set));
        if (!m->controls || !m->endpoints || !m->endpoint_set)
                return -ENOMEM;

        if (f->known) {
                memcpy(m->controls, f->known->controls, f->n_members * CONTROL__MAX * sizeof(*m->controls));
                r = copy_grants(f->known, m);
                if (r < 0)
                        return r;
        }
        /* What is known of an endpoint holds however the rehearsal begins. */
        for (size_t i = 0; i < f->n_endpoints; i++) {
                m->endpoints[i] = f->endpoints[i].state;
                m->endpoint_set[i] = f->state_read;
        }
        *ret = STEAL(m);
        return 0;
}

RehearseMemory *rehearse_memory_free(RehearseMemory *m) {
        if (!m)
                return NULL;

        free(m->controls);
        free(m->endpoints);
        free(m->endpoint_set);
        free(m->grants);
        free(m);
        return NULL;
}

static int put_grant(RehearseMemory *m, size_t member, const StateRecord *record) {
        KeptGrant *g;

        for (size_t i = 0; i < m->n_grants; i++)
                if (m->grants[i].member == member && streq(m->grants[i].backup_id, record->grant.backup_id)) {
                        m->grants[i].granted_at_usec = record->grant.granted_at_usec;
                        return 0;
                }

        if (m->n_grants >= m->n_allocated) {
                size_t n = MAX(2 * m->n_allocated, (size_t) 64);
                KeptGrant *larger = reallocarray(m->grants, n, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                m->grants = larger;
                m->n_allocated = n;
        }
        g = &m->grants[m->n_grants++];
        *g = (KeptGrant) { .member = member, .granted_at_usec = record->grant.granted_at_usec };
        memcpy(g->backup_id, record->grant.backup_id, strnlen(record->grant.backup_id, sizeof(g->backup_id) - 1));
        return 0;
}

int rehearse_memory_put(RehearseMemory *m, size_t member, const StateRecord *record) {
        KeptControl *c;

        switch (record->kind) {
        case STATE_CONTROL:
                c = &m->controls[member * CONTROL__MAX + record->control];
                c->set = true;
                c->state = *record->control_state.state;
                c->state.told = (ControlTold) {};
                if (record->control == CONTROL_DOWNLOAD)
                        c->state.download = (DownloadMemory) {};
                return 0;
        case STATE_ENDPOINT:
                for (size_t i = 0; i < m->fleet->n_endpoints; i++)
                        if (streq(m->fleet->endpoints[i].origin, record->endpoint.origin)) {
                                m->endpoints[i] = *record->endpoint.state;
                                m->endpoint_set[i] = true;
                        }
                return 0;
        case STATE_GRANT:
                return put_grant(m, member, record);
        case STATE_EVIDENCE:
        case STATE_KIND__MAX:
                break;
        }
        return 0;
}

static int load_endpoints(const RehearseMemory *m, RehearseOnRecord on_record, void *userdata) {
        for (size_t i = 0; i < m->fleet->n_endpoints; i++) {
                const StateRecord record = {
                        .kind = STATE_ENDPOINT,
                        .service = m->fleet->endpoints[i].service,
                        .endpoint = { .origin = m->fleet->endpoints[i].origin, .state = &m->endpoints[i] },
                };
                int r = m->endpoint_set[i] ? on_record(userdata, &record) : 0;

                if (r != 0)
                        return r;
        }
        return 0;
}

int rehearse_memory_load(const RehearseMemory *m, RehearseOnRecord on_record, void *userdata) {
        int r = 0;

        for (size_t i = 0; i < m->fleet->n_members * CONTROL__MAX && r == 0; i++) {
                const Instance *instance = &m->fleet->members[i / CONTROL__MAX].instance;
                const StateRecord record = {
                        .kind = STATE_CONTROL,
                        .service = instance->service,
                        .instance_id = instance->instance_id,
                        .control = (Control) (i % CONTROL__MAX),
                        .control_state = { .name = instance->name, .state = &m->controls[i].state },
                };

                if (m->controls[i].set)
                        r = on_record(userdata, &record);
        }
        if (r == 0)
                r = load_endpoints(m, on_record, userdata);

        for (size_t i = 0; i < m->n_grants && r == 0; i++) {
                const Instance *instance = &m->fleet->members[m->grants[i].member].instance;
                const StateRecord record = {
                        .kind = STATE_GRANT,
                        .service = instance->service,
                        .instance_id = instance->instance_id,
                        .control = CONTROL_DOWNLOAD,
                        .grant = { .backup_id = m->grants[i].backup_id, .granted_at_usec = m->grants[i].granted_at_usec },
                };

                r = on_record(userdata, &record);
        }
        return r;
}
