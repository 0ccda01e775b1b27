/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/change.h"

#include <ctype.h>
#include <errno.h>

#include "sim/schedule.h"

/*
 * One instance of a change. In a dry reading there may be no instance yet: then @i is NULL and nothing of it is
 * touched.
 */

#define NAME_TEXT_MAX 128 /* bytes; TaurusDB: instance names of 4 to 64 characters */

typedef void (*ReadMember)(SimReader *r, Sim *s, SimInstance *i, json_object *v);

static void read_project_id(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        const char *text;

        if (sim_reader_text(r, v, 64, &text) && sim_reader_id(r, text, 32, 32) && !r->dry)
                sim_copy_id(i->project_id, sizeof(i->project_id), text);
}

static void read_name(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        const char *text;
        char *none = NULL;

        if (sim_reader_text(r, v, NAME_TEXT_MAX, &text))
                sim_reader_store(r, i ? &i->name : &none, text);
}

static void read_busy(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        bool on;

        if (sim_reader_bool(r, v, &on) && !r->dry)
                i->busy = on;
}

static void read_abnormal(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        bool on;

        if (sim_reader_bool(r, v, &on) && !r->dry)
                i->abnormal = on;
}

static void read_runs(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        bool on;

        if (sim_reader_bool(r, v, &on) && !r->dry) {
                sim_schedule_settle(s, i, r->now_usec);
                i->runs = on;
        }
}

static void read_last_backup_ok(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        bool on;

        if (sim_reader_bool(r, v, &on) && !r->dry)
                i->last_backup_ok = on;
}

static void read_zone(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        int64_t seconds;

        if (sim_reader_zone(r, v, &seconds) && !r->dry) {
                i->has_zone = true;
                i->zone_seconds = seconds;
        }
}

static bool is_none(json_object *v) {
        return !v || (json_object_is_type(v, json_type_string) && streq(json_object_get_string(v), "none"));
}

/* What an administrator changes is seen at once: nothing older is left for a delayed read. */
static void replace(SimReader *r, SimHistory *h, size_t size, const void *item) {
        if (r->dry)
                return;
        sim_history_done(h);
        if (sim_history_set(h, size, item, 0) < 0)
                r->error = -ENOMEM;
}

static void read_latest_backup(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        SimSchedule schedule = {};
        usec_t at_usec = 0;

        if ((!is_none(v) && !sim_reader_moment(r, v, &at_usec)) || r->dry)
                return;
        i->latest_backup_usec = at_usec;
        /* What is told here holds: runs are reckoned from now on. */
        if (sim_history_now(&i->schedule)) {
                schedule = *(const SimSchedule *) sim_history_now(&i->schedule);
                schedule.since_usec = r->now_usec;
                replace(r, &i->schedule, sizeof(schedule), &schedule);
        }
}

static void read_encryption(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        SimEncryption e = {};
        const char *text;

        if (i && sim_history_now(&i->encryption))
                e = *(const SimEncryption *) sim_history_now(&i->encryption);
        e.since_usec = 0;

        if (!json_object_is_type(v, json_type_object)) {
                if (!sim_reader_bool(r, v, &e.on))
                        return;
        } else {
                json_object_object_foreach(v, key, value) {
                        SimPlace place = sim_reader_enter(r, key, value);

                        if (streq(key, "status"))
                                (void) sim_reader_bool(r, value, &e.on);
                        else if (!streq(key, "kms_key_id"))
                                sim_reader_error(r, "there is no such key");
                        else if (sim_reader_text(r, value, SIM_ID_MAX - 1, &text))
                                sim_copy_id(e.kms_key_id, sizeof(e.kms_key_id), text);
                        sim_reader_leave(r, place);
                }
        }
        if (i)
                replace(r, &i->encryption, sizeof(e), &e);
}

static void read_lock_members(SimReader *r, json_object *v, SimLock *l, bool *start, bool *end, bool *days) {
        json_object_object_foreach(v, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                if (streq(key, "start"))
                        *start = sim_reader_moment(r, value, &l->start_usec);
                else if (streq(key, "end"))
                        *end = sim_reader_moment(r, value, &l->end_usec);
                else if (streq(key, "days"))
                        *days = sim_reader_int(r, value, 1, 36500, &l->days);
                else
                        sim_reader_error(r, "there is no such key");
                sim_reader_leave(r, place);
        }
}

/* Of start, end and days, what is not given follows from the rest, or stays. */
static void read_lock(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        SimLock l = {};
        bool start = false, end = false, days = false;
        size_t n_before = r->n_errors;

        if (is_none(v)) {
                if (i)
                        replace(r, &i->lock, sizeof(l), &l);
                return;
        }
        if (!sim_reader_object(r, v))
                return;
        if (i && sim_history_now(&i->lock))
                l = *(const SimLock *) sim_history_now(&i->lock);
        l.since_usec = 0;
        read_lock_members(r, v, &l, &start, &end, &days);
        if (r->n_errors > n_before)
                return;

        if (!start && !l.enabled)
                l.start_usec = end && days ? usec_sub(l.end_usec, (usec_t) l.days * USEC_PER_DAY) : r->now_usec;
        if (!end && (days || !l.enabled)) {
                if (!days) {
                        sim_reader_error(r, "a lock needs an end or days");
                        return;
                }
                l.end_usec = usec_add(l.start_usec, (usec_t) l.days * USEC_PER_DAY);
        }
        if (l.end_usec <= l.start_usec) {
                sim_reader_error(r, "the lock ends before it starts");
                return;
        }
        if (!days)
                l.days = (int64_t) ((l.end_usec - l.start_usec + USEC_PER_DAY / 2) / USEC_PER_DAY);
        l.enabled = true;
        if (i)
                replace(r, &i->lock, sizeof(l), &l);
}

static void read_schedule_member(SimReader *r, SimSchedule *c, const char *key, json_object *v) {
        const char *text;
        CivilTime civil;

        if (streq(key, "status")) {
                (void) sim_reader_bool(r, v, &c->on);
        } else if (streq(key, "cycle")) {
                (void) sim_reader_enum(r, v, sim_cycle_names, &c->cycle);
        } else if (streq(key, "trigger_time")) {
                if (!sim_reader_text(r, v, TIME_TEXT_MAX, &text))
                        return;
                if (civil_parse(text, &civil, NULL, NULL) < 0)
                        sim_reader_error(r, "expected a time as yyyy-MM-dd HH:mm:ss");
                else
                        c->trigger_seconds = civil_to_seconds(&civil);
        } else if (streq(key, "bucket_name")) {
                if (sim_reader_text(r, v, SIM_BUCKET_MAX - 1, &text))
                        sim_copy_id(c->bucket_name, sizeof(c->bucket_name), text);
        } else if (streq(key, "bucket_root_path")) {
                if (sim_reader_text_or_empty(r, v, SIM_BUCKET_PATH_MAX - 1, &text))
                        sim_copy_id(c->bucket_root_path, sizeof(c->bucket_root_path), text);
        } else {
                sim_reader_error(r, "there is no such key");
        }
}

static void read_schedule(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        SimSchedule c = { .cycle = SIM_CYCLE_PER_DAY };

        if (is_none(v)) {
                if (i)
                        replace(r, &i->schedule, sizeof(c), &c);
                return;
        }
        if (!sim_reader_object(r, v))
                return;
        if (i && sim_history_now(&i->schedule))
                c = *(const SimSchedule *) sim_history_now(&i->schedule);
        json_object_object_foreach(v, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read_schedule_member(r, &c, key, value);
                sim_reader_leave(r, place);
        }
        c.configured = true;
        c.since_usec = r->now_usec;
        if (i && !r->dry) {
                sim_schedule_settle(s, i, r->now_usec);
                replace(r, &i->schedule, sizeof(c), &c);
        }
}

/* --- Backups -------------------------------------------------------------------------------------------------- */

static void read_backup_member(SimReader *r, SimBackup *b, const char *key, json_object *v) {
        static const char *const types[] = { "auto", "manual", NULL };
        const char *text;
        int type;

        if (streq(key, "name")) {
                if (sim_reader_text(r, v, NAME_TEXT_MAX, &text))
                        sim_reader_store(r, &b->name, text);
        } else if (streq(key, "type")) {
                if (sim_reader_enum(r, v, types, &type))
                        b->manual = type == 1;
        } else if (streq(key, "status")) {
                (void) sim_reader_enum(r, v, sim_backup_status_names, &b->status);
        } else if (streq(key, "begin")) {
                (void) sim_reader_moment(r, v, &b->begin_usec);
        } else if (streq(key, "end")) {
                if (is_none(v))
                        b->end_usec = 0;
                else
                        (void) sim_reader_moment(r, v, &b->end_usec);
        } else if (streq(key, "size_mb")) {
                (void) sim_reader_int(r, v, 0, INT64_C(1) << 40, &b->size_mb);
        } else if (streq(key, "in_obs")) {
                (void) sim_reader_bool(r, v, &b->in_obs);
        } else {
                sim_reader_error(r, "there is no such key");
        }
}

static void read_backup(SimReader *r, Sim *s, SimInstance *i, const char *id, json_object *v) {
        SimBackup *b = sim_backup_find(s, id), scratch = {};

        if (!sim_reader_id(r, id, 36, 36))
                return;
        if (b && i != b->instance) {
                sim_reader_error(r, "another instance has a backup of this id");
                return;
        }
        if (!v) {
                if (b && !r->dry)
                        sim_backup_remove(s, b);
                return;
        }
        if (!sim_reader_object(r, v))
                return;
        if (!b && !json_object_object_get_ex(v, "begin", NULL)) {
                sim_reader_error(r, "a new backup needs a begin");
                return;
        }
        if (r->dry) {
                b = &scratch;
        } else {
                b = sim_backup_get(s, i, id);
                if (!b) {
                        r->error = -ENOMEM;
                        return;
                }
        }
        json_object_object_foreach(v, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read_backup_member(r, b, key, value);
                sim_reader_leave(r, place);
        }
        /* What is not said: a finished backup took five minutes. */
        if (b->end_usec == 0 && !streq(sim_backup_status_names[b->status], "BUILDING") &&
            !json_object_object_get_ex(v, "end", NULL))
                b->end_usec = usec_add(b->begin_usec, 5 * USEC_PER_MINUTE);
}

static void read_backups(SimReader *r, Sim *s, SimInstance *i, json_object *v) {
        if (!v || !sim_reader_object(r, v)) {
                if (!v)
                        sim_reader_error(r, "expected a mapping; single backups can be set to null");
                return;
        }
        json_object_object_foreach(v, id, value) {
                SimPlace place = sim_reader_enter(r, id, value);

                read_backup(r, s, i, id, value);
                sim_reader_leave(r, place);
        }
}

/* --- The table ------------------------------------------------------------------------------------------------ */

#define TAURUSDB (1u << SIM_TAURUSDB)
#define DBSS     (1u << SIM_DBSS)
#define GAUSSDB  (1u << SIM_GAUSSDB)

static const struct {
        const char *key;
        unsigned services;
        ReadMember read;
} members[] = {
        { "project_id", TAURUSDB | DBSS | GAUSSDB, read_project_id },
        { "name", TAURUSDB | DBSS | GAUSSDB, read_name },
        { "busy", TAURUSDB | DBSS | GAUSSDB, read_busy },
        { "abnormal", TAURUSDB | DBSS | GAUSSDB, read_abnormal },
        { "encryption", TAURUSDB, read_encryption },
        { "lock", TAURUSDB, read_lock },
        { "backups", TAURUSDB | GAUSSDB, read_backups },
        { "schedule", DBSS, read_schedule },
        { "latest_backup", DBSS, read_latest_backup },
        { "last_backup_ok", DBSS, read_last_backup_ok },
        { "runs", DBSS, read_runs },
        { "zone", DBSS, read_zone },
};

/* TaurusDB: 36 letters and digits that end in in07; GaussDB: 36; DBSS: 32 to 64 (the services' API references). */
static bool check_id(SimReader *r, SimService service, const char *id) {
        if (service == SIM_DBSS)
                return sim_reader_id(r, id, 32, 64);
        if (!sim_reader_id(r, id, 36, 36))
                return false;
        if (service == SIM_TAURUSDB && !streq(id + 32, "in07")) {
                sim_reader_error(r, "expected an id that ends in in07");
                return false;
        }
        return true;
}

static void read_member(SimReader *r, Sim *s, SimService service, SimInstance *i, const char *key, json_object *v) {
        for (size_t n = 0; n < N_ELEMENTS(members); n++)
                if (streq(members[n].key, key) && (members[n].services & 1u << service)) {
                        members[n].read(r, s, i, v);
                        return;
                }
        sim_reader_error(r, "there is no such key for %s", sim_service_to_string(service));
}

void sim_change_instance(SimReader *r, Sim *s, SimService service, const char *id, json_object *node) {
        SimInstance *i = sim_instance_find(s, id);

        if (!check_id(r, service, id))
                return;
        if (i && i->service != service) {
                sim_reader_error(r, "another service has an instance of this id");
                return;
        }
        if (!node) {
                if (i && !r->dry)
                        sim_instance_remove(s, i);
                return;
        }
        if (!sim_reader_object(r, node))
                return;
        if (!r->dry) {
                i = sim_instance_get(s, service, id);
                if (!i) {
                        r->error = -ENOMEM;
                        return;
                }
        }
        json_object_object_foreach(node, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read_member(r, s, service, i, key, value);
                sim_reader_leave(r, place);
        }
}
