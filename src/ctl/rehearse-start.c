/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "ctl/json.h"
#include "ctl/rehearse.h"
#include "virtual/machine.h"

/*
 * The state in which the simulated cloud begins, as a document of holdfast-sim(1).
 */

static json_object *child(json_object *to, const char *key) {
        json_object *o = NULL;

        if (!to)
                return NULL;
        if (json_object_object_get_ex(to, key, &o))
                return o;
        return ctl_json_add_object(to, key);
}

static int put_backup(json_object *o, const char *id, bool manual, usec_t end_usec) {
        json_object *backup = child(child(o, "backups"), id);
        int r;

        r = ctl_json_add_text(backup, "type", manual ? "manual" : "auto");
        if (r >= 0)
                r = ctl_json_add_text(backup, "status", "COMPLETED");
        if (r >= 0)
                r = ctl_json_add_time(backup, "begin", usec_sub(end_usec, USEC_PER_HOUR));
        return r < 0 ? r : ctl_json_add_time(backup, "end", end_usec);
}

static int put_zone(json_object *o, const SchedulePolicy *s, usec_t at_usec) {
        int32_t east = timezone_offset(s->timezone, at_usec), minutes = (east < 0 ? -east : east) / 60;
        char text[TIME_TEXT_MAX];

        (void) snprintf(text, sizeof(text), "%c%02d:%02d", east < 0 ? '-' : '+', (int) (minutes / 60 % 15), (int) (minutes % 60));
        return ctl_json_add_text(o, "zone", text);
}

static int put_schedule(json_object *o, const SchedulePolicy *s) {
        json_object *schedule = child(o, "schedule");
        char trigger[TIME_TEXT_MAX];
        int r;

        r = ctl_json_add_bool(schedule, "status", s->on);
        if (r >= 0)
                r = ctl_json_add_text(schedule, "cycle", cycle_to_string(s->cycle));
        if (r >= 0)
                r = ctl_json_add_text(schedule, "trigger_time", civil_format(&s->trigger_time, trigger));
        if (r >= 0 && s->bucket_name)
                r = ctl_json_add_text(schedule, "bucket_name", s->bucket_name);
        if (r >= 0 && s->bucket_root_path)
                r = ctl_json_add_text(schedule, "bucket_root_path", s->bucket_root_path);
        return r;
}

static int put_lock(json_object *o, const LockPolicy *l, usec_t start_usec) {
        json_object *lock = child(o, "lock");
        int r;

        r = ctl_json_add_time(lock, "start", start_usec);
        return r < 0 ? r : ctl_json_add_time(lock, "end", usec_add(start_usec, (usec_t) l->retention_days * USEC_PER_DAY));
}

/* What is there in any case: backups that others make, and what holdfast can't change. */
static int put_surroundings(json_object *o, const Instance *i, size_t index, usec_t start_usec) {
        char id[40];
        int r = 0;

        (void) snprintf(id, sizeof(id), "rehearsed%027zu", index);
        if (i->terms->schedule)
                r = put_zone(o, i->terms->schedule, start_usec);
        if (r >= 0 && i->terms->encryption && !i->terms->encryption->kms_key_id)
                r = ctl_json_add_bool(o, "encryption", i->terms->encryption->expect_on);
        if (r >= 0 && i->terms->lock && i->terms->lock->require_manual_backup_usec != USEC_INFINITY)
                r = put_backup(o, id, true, start_usec);
        if (r < 0 || !i->terms->download)
                return r;

        if (i->terms->download->latest)
                return put_backup(o, id, false, usec_sub(start_usec, USEC_PER_HOUR));
        for (size_t k = 0; k < i->terms->download->n_backup_ids && r >= 0; k++)
                r = put_backup(o, i->terms->download->backup_ids[k], false, usec_sub(start_usec, USEC_PER_HOUR));
        return r;
}

static int put_as_written(json_object *o, const Instance *i, usec_t start_usec) {
        int r = 0;

        if (i->terms->encryption)
                r = ctl_json_add_bool(o, "encryption", i->terms->encryption->expect_on);
        if (r >= 0 && i->terms->lock)
                r = put_lock(o, i->terms->lock, start_usec);
        if (r >= 0 && i->terms->schedule)
                r = put_schedule(o, i->terms->schedule);
        return r;
}

static int make(const Instance *i, size_t index, bool as_written, usec_t start_usec, json_object **ret) {
        _cleanup_(json_putp) json_object *o = NULL;
        int r;

        o = json_object_new_object();
        if (!o)
                return -ENOMEM;
        r = put_surroundings(o, i, index, start_usec);
        if (r >= 0 && as_written)
                r = put_as_written(o, i, start_usec);
        if (r < 0)
                return r;

        *ret = STEAL(o);
        return 0;
}

int rehearse_start_as_written(const Instance *i, usec_t start_usec, json_object **ret) {
        return make(i, 0, true, start_usec, ret);
}

int rehearse_start_set(RehearseFleet *f, const RehearseOptions *o) {
        for (size_t i = 0; i < f->n_members; i++) {
                int r = make(f->members[i].policy, i, o->as_written, o->start_usec, &f->members[i].start);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- The cloud ---------------------------------------------------------------------------------------------------- */

/* Signatures are the same at any time: checking millions of them shows nothing, unless the clock is wrong. */
static bool has_clock_fault(const RehearseLifeOptions *o) {
        for (size_t i = 0; i < o->n_faults; i++)
                if (o->faults[i].kind == REHEARSE_CLOCK)
                        return true;
        return false;
}

static int put_account(json_object *root, const RehearseLifeOptions *o) {
        json_object *account = child(root, "account"), *lock = child(root, "lock"), *gateway = child(root, "gateway");
        json_object *key = child(child(root, "keys"), MACHINE_ACCESS_KEY);
        int r;

        r = ctl_json_add_text(account, "domain_id", REHEARSE_DOMAIN);
        if (r >= 0)
                r = ctl_json_add_text(lock, "reading", reading_to_string(o->reading));
        if (r >= 0)
                r = ctl_json_add_bool(gateway, "auth", has_clock_fault(o));
        return r < 0 ? r : ctl_json_add_text(key, "secret_key", MACHINE_SECRET_KEY);
}

/* Several policies may share an instance. */
static int put_member(json_object *root, const RehearseMember *m) {
        const Instance *i = &m->instance;
        json_object *o = child(child(child(root, "instances"), service_to_string(i->service)), i->instance_id);
        json_object *projects = child(child(root, "account"), "projects"), *name = NULL;
        int r;

        r = ctl_json_add_text(o, "project_id", i->terms->project_id);
        if (r >= 0 && projects && !json_object_object_get_ex(projects, i->terms->project_id, &name))
                r = ctl_json_add_text(projects, i->terms->project_id, i->terms->project_id);   /* never looked up by name */
        if (r < 0)
                return r;

        json_object_object_foreach(m->start, key, value) {
                json_object *backups = NULL;

                if (streq(key, "backups") && json_object_object_get_ex(o, key, &backups)) {
                        json_object_object_foreach(value, id, backup) {
                                r = ctl_json_add(backups, id, json_object_get(backup));
                                if (r < 0)
                                        return r;
                        }
                        continue;
                }
                r = ctl_json_add(o, key, json_object_get(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int make_document(const RehearseFleet *f, const bool *played, const RehearseLifeOptions *o, json_object **ret) {
        _cleanup_(json_putp) json_object *root = NULL;
        int r;

        root = json_object_new_object();
        if (!root)
                return -ENOMEM;
        r = put_account(root, o);
        for (size_t i = 0; i < f->n_members && r >= 0; i++)
                if (!played || played[i])
                        r = put_member(root, &f->members[i]);
        if (r < 0)
                return r;

        *ret = STEAL(root);
        return 0;
}

int rehearse_cloud_new(const RehearseFleet *f, const bool *played, const RehearseLifeOptions *o, Sim **ret) {
        _cleanup_(json_putp) json_object *root = NULL;
        _cleanup_(diagnostics_done) Diagnostics diags = {};
        _cleanup_(sim_freep) Sim *sim = NULL;
        const char *text;
        int r;

        assert(ret);

        r = make_document(f, played, o, &root);
        if (r < 0)
                return r;
        text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
        if (!text)
                return -ENOMEM;

        r = sim_new(o->seed, &sim);
        if (r >= 0)
                r = sim_change(sim, "rehearsal", text, strlen(text), o->start_usec, &diags);
        for (size_t i = 0; i < diags.n_items; i++) {
                _cleanup_(freep) char *s = diagnostic_to_string(&diags.items[i]);

                ctl_complain("the simulated cloud does not take this: %s", s ? s : strerror(ENOMEM));
        }
        if (r < 0)
                return r;

        *ret = STEAL(sim);
        return 0;
}
