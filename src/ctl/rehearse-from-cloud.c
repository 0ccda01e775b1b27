/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ctl/cloud-world.h"
#include "ctl/json.h"
#include "ctl/rehearse.h"

/*
 * The state in which the real cloud is now, read with the engine in observe mode: GETs alone.
 */

typedef struct Snapshot {
        RehearseFleet *fleet;
        bool *read;             /* [member][control] */
        usec_t now_usec;
        int error;
} Snapshot;

static void note(Snapshot *s, int r) {
        if (r < 0)
                s->error = r;
}

static int take_lock(json_object *o, const LockFacts *f) {
        json_object *lock;
        int r;

        json_object_object_del(o, "lock");
        if (f->presence == LOCK_NONE || f->end_usec == 0)
                return 0;

        lock = ctl_json_add_object(o, "lock");
        r = ctl_json_add_time(lock, "start", f->start_usec > 0 ? f->start_usec : usec_sub(f->end_usec, (usec_t) f->retention_days * USEC_PER_DAY));
        return r < 0 ? r : ctl_json_add_time(lock, "end", f->end_usec);
}

static int take_schedule(json_object *o, const ScheduleFacts *f) {
        char trigger[TIME_TEXT_MAX];
        json_object *schedule;
        int r;

        json_object_object_del(o, "schedule");
        if (!f->configured)
                return 0;

        schedule = ctl_json_add_object(o, "schedule");
        r = ctl_json_add_bool(schedule, "status", f->on);
        if (r >= 0 && f->cycle >= 0)
                r = ctl_json_add_text(schedule, "cycle", cycle_to_string((Cycle) f->cycle));
        if (r >= 0 && f->has_trigger)
                r = ctl_json_add_text(schedule, "trigger_time", civil_format(&f->trigger, trigger));
        if (r >= 0 && f->bucket_name)
                r = ctl_json_add_text(schedule, "bucket_name", f->bucket_name);
        if (r >= 0 && f->bucket_root_path)
                r = ctl_json_add_text(schedule, "bucket_root_path", f->bucket_root_path);
        return r;
}

static const char *const backup_states[BACKUP_STATUS__MAX] = {
        [BACKUP_COMPLETED] = "COMPLETED",
        [BACKUP_BUILDING] = "BUILDING",
        [BACKUP_FAILED] = "FAILED",
        [BACKUP_DELETING] = "DELETING",
        [BACKUP_OTHER] = "FAILED",
};

/* Pages come one by one: the first puts away what was made up. */
static int take_backups(json_object *o, const BackupPage *page, bool first) {
        json_object *backups = NULL;

        if (first)
                json_object_object_del(o, "backups");
        if (!json_object_object_get_ex(o, "backups", &backups))
                backups = ctl_json_add_object(o, "backups");

        for (size_t i = 0; i < page->n_items; i++) {
                const BackupFacts *b = &page->items[i];
                json_object *backup;
                int r;

                if (!b->of_instance || b->begin_usec == 0 || strlen(b->id) != 36)
                        continue;
                backup = ctl_json_add_object(backups, b->id);
                r = ctl_json_add_text(backup, "type", b->manual ? "manual" : "auto");
                if (r >= 0)
                        r = ctl_json_add_text(backup, "status", backup_states[b->status]);
                if (r >= 0)
                        r = ctl_json_add_time(backup, "begin", b->begin_usec);
                if (r >= 0 && b->end_usec > b->begin_usec)
                        r = ctl_json_add_time(backup, "end", b->end_usec);
                if (r < 0)
                        return r;
        }
        return backups ? 0 : -ENOMEM;
}

static void on_answered(void *userdata, const Instance *instance, const Ask *ask, const Answer *answer) {
        Snapshot *s = userdata;
        RehearseMember *m = rehearse_fleet_find(s->fleet, instance->name);
        bool *read;

        if (!m)
                return;
        read = &s->read[(size_t) (m - s->fleet->members) * CONTROL__MAX];

        if (ask->call == CALL_LOCK_GET) {
                note(s, take_lock(m->start, &answer->lock));
                read[CONTROL_LOCK] = true;
        } else if (ask->call == CALL_ENCRYPTION_GET) {
                json_object_object_del(m->start, "encryption");
                note(s, ctl_json_add_bool(m->start, "encryption", answer->encryption_on));
                read[CONTROL_ENCRYPTION] = true;
        } else if (ask->call == CALL_SCHEDULE_GET) {
                note(s, take_schedule(m->start, &answer->schedule));
                read[CONTROL_SCHEDULE] = true;
        } else if (ask->call == CALL_GAUSSDB_BACKUPS || ask->call == CALL_TAURUSDB_BACKUPS) {
                note(s, take_backups(m->start, &answer->backups, ask->backups.offset == 0));
                read[CONTROL_DOWNLOAD] |= ask->call == CALL_GAUSSDB_BACKUPS;
        }
}

int rehearse_start_from_cloud(RehearseFleet *f, const CtlOptions *ctl, size_t *ret_n_unread) {
        _cleanup_(freep) bool *read = NULL;
        Snapshot s = { .fleet = f };
        const CloudWorldHooks hooks = { .userdata = &s, .answered = on_answered };
        const CloudWorldOptions options = { .ctl = ctl, .observe = true };
        Settings *settings = NULL;
        PolicySet *policies = NULL;
        size_t n_unread = 0;
        int r;

        assert(ret_n_unread);

        s.read = read = calloc(f->n_members * CONTROL__MAX, sizeof(*read));
        if (!read)
                return -ENOMEM;
        r = rehearse_fleet_originals(f, &settings, &policies);
        if (r >= 0)
                r = cloud_world_run(&options, settings, policies, &hooks, NULL);
        if (r >= 0)
                r = s.error;
        if (r < 0)
                return r;

        for (size_t i = 0; i < f->n_members; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        if (instance_has(f->members[i].policy, c) && !read[i * CONTROL__MAX + c])
                                n_unread++;
        *ret_n_unread = n_unread;
        return 0;
}
