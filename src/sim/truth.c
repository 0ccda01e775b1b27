/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/truth.h"

#include "sim/state.h"

bool sim_truth(const Sim *s, const char *instance_id, SimTruth *ret) {
        const SimInstance *i = sim_instance_find(s, instance_id);
        const SimEncryption *e;
        const SimSchedule *c;
        const SimLock *l;

        if (!i)
                return false;

        *ret = (SimTruth){ .n_writes = i->n_writes };
        e = sim_history_now(&i->encryption);
        if (e) {
                ret->encryption_on = e->on;
                ret->changed_usec = e->since_usec;
        }
        l = sim_history_now(&i->lock);
        if (l && l->enabled) {
                ret->lock_enabled = true;
                ret->lock_start_usec = l->start_usec;
                ret->lock_end_usec = l->end_usec;
                ret->changed_usec = MAX(ret->changed_usec, l->since_usec);
        }
        c = sim_history_now(&i->schedule);
        if (c && c->configured) {
                ret->schedule_configured = true;
                ret->schedule_on = c->on;
                ret->schedule_cycle = sim_cycle_names[c->cycle];
                ret->bucket_name = c->bucket_name;
                ret->bucket_root_path = c->bucket_root_path;
                ret->trigger_seconds = c->trigger_seconds;
                ret->changed_usec = MAX(ret->changed_usec, c->since_usec);
        }
        return true;
}

uint64_t sim_truth_grants(const Sim *s, const char *backup_id) {
        const SimBackup *b = sim_backup_find(s, backup_id);

        return b ? b->n_grants : 0;
}
