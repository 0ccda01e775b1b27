/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/admin.h"
#include "sim/fault.h"
#include "sim/lock.h"
#include "sim/schedule.h"

/* The state for people and tests: no key, password or token is in it. */

static void show_deny(JsonBuild *b, json_object *to, const SimDeny *d) {
        json_object *list = sim_json_build_list(b, to, "deny");

        for (size_t i = 0; i < d->n_actions; i++)
                sim_json_build_push(b, list, json_object_new_string(d->actions[i]));
}

static void show_account(const Exchange *x, JsonBuild *b, json_object *to) {
        json_object *keys = sim_json_build_child(b, to, "keys"), *users = sim_json_build_child(b, to, "users"),
                    *projects = sim_json_build_child(b, to, "projects"), *o;

        for (const SimProject *p = x->sim->projects; p; p = p->hh.next)
                sim_json_build_text(b, projects, p->id, p->name);
        for (const SimKey *k = x->sim->keys; k; k = k->hh.next) {
                o = sim_json_build_child(b, keys, k->access_key);
                sim_json_build_text(b, o, "user", k->user);
                sim_json_build_bool(b, o, "enabled", k->enabled);
                sim_json_build_bool(b, o, "temporary", k->security_token != NULL);
                sim_json_build_time(b, o, "expires", k->expires_usec);
                sim_json_build_int(b, o, "failures", (int64_t) k->n_failures);
                sim_json_build_time(b, o, "locked_until",
                                    k->locked_until_usec > x->now_usec ? k->locked_until_usec : 0);
                show_deny(b, o, &k->deny);
        }
        for (const SimUser *u = x->sim->users; u; u = u->hh.next) {
                o = sim_json_build_child(b, users, u->name);
                sim_json_build_bool(b, o, "enabled", u->enabled);
                sim_json_build_bool(b, o, "console_only", u->console_only);
                sim_json_build_int(b, o, "failures", (int64_t) u->n_failures);
                sim_json_build_time(b, o, "locked_until",
                                    u->locked_until_usec > x->now_usec ? u->locked_until_usec : 0);
                show_deny(b, o, &u->deny);
        }
        show_deny(b, to, &x->sim->deny);
        sim_json_build_int(b, to, "tokens", HASH_COUNT(x->sim->tokens));
}

static void show_taurusdb(const Exchange *x, const SimInstance *i, JsonBuild *b, json_object *to) {
        const SimEncryption *e = sim_history_now(&i->encryption);
        const SimLock *l = sim_history_now(&i->lock);
        json_object *o = sim_json_build_child(b, to, "encryption");

        sim_json_build_text(b, o, "status", e && e->on ? "on" : "off");
        if (e && e->kms_key_id[0] != '\0')
                sim_json_build_text(b, o, "kms_key_id", e->kms_key_id);
        if (!l || !l->enabled) {
                sim_json_build_null(b, to, "lock");
                return;
        }
        o = sim_json_build_child(b, to, "lock");
        sim_json_build_time(b, o, "start", l->start_usec);
        sim_json_build_time(b, o, "end", l->end_usec);
        sim_json_build_int(b, o, "days", l->days);
        sim_json_build_bool(b, o, "runs", sim_lock_runs(l, x->now_usec));
}

static void show_dbss(const Exchange *x, const SimInstance *i, JsonBuild *b, json_object *to) {
        const SimSchedule *c = sim_history_now(&i->schedule);
        char text[TIME_TEXT_MAX];
        CivilTime civil;
        json_object *o;

        sim_json_build_time(b, to, "latest_backup", sim_schedule_latest(x->sim, i, x->now_usec));
        sim_json_build_bool(b, to, "last_backup_ok", i->last_backup_ok);
        sim_json_build_bool(b, to, "runs", i->runs);
        if (!c || !c->configured) {
                sim_json_build_null(b, to, "schedule");
                return;
        }
        o = sim_json_build_child(b, to, "schedule");
        civil_from_seconds(c->trigger_seconds, &civil);
        sim_json_build_text(b, o, "status", c->on ? "on" : "off");
        sim_json_build_text(b, o, "cycle", sim_cycle_names[c->cycle]);
        sim_json_build_text(b, o, "trigger_time", civil_format(&civil, text));
        sim_json_build_text(b, o, "bucket_name", c->bucket_name);
        sim_json_build_text(b, o, "bucket_root_path", c->bucket_root_path);
}

static void show_backups(const SimInstance *i, JsonBuild *b, json_object *to) {
        json_object *list = sim_json_build_child(b, to, "backups");

        for (const SimBackup *backup = i->backups; backup; backup = backup->next) {
                json_object *o = sim_json_build_child(b, list, backup->id);

                sim_json_build_text(b, o, "type", backup->manual ? "manual" : "auto");
                sim_json_build_text(b, o, "status", sim_backup_status_names[backup->status]);
                sim_json_build_time(b, o, "begin", backup->begin_usec);
                sim_json_build_time(b, o, "end", backup->end_usec);
                sim_json_build_int(b, o, "grants", (int64_t) backup->n_grants);
                sim_json_build_time(b, o, "granted_at", backup->granted_at_usec);
        }
}

static void show_instance(const Exchange *x, const SimInstance *i, JsonBuild *b, json_object *to) {
        json_object *o = sim_json_build_child(b, to, i->id);

        sim_json_build_text(b, o, "project_id", sim_instance_project(x->sim, i));
        sim_json_build_text(b, o, "name", i->name);
        sim_json_build_bool(b, o, "busy", i->busy);
        sim_json_build_bool(b, o, "abnormal", i->abnormal);
        if (i->service == SIM_TAURUSDB)
                show_taurusdb(x, i, b, o);
        if (i->service == SIM_DBSS)
                show_dbss(x, i, b, o);
        else
                show_backups(i, b, o);
        sim_json_build_int(b, o, "writes", (int64_t) i->n_writes);
        sim_json_build_int(b, o, "refused", (int64_t) i->n_refused);
}

static void show_instances(const Exchange *x, const char *id, JsonBuild *b, json_object *to) {
        json_object *services[SIM_SERVICE__MAX] = {};
        const SimInstance *i;

        for (int s = SIM_TAURUSDB; s <= SIM_GAUSSDB; s++)
                services[s] = sim_json_build_child(b, to, sim_service_to_string((SimService) s));
        if (id) {
                i = sim_instance_find(x->sim, id);
                if (i)
                        show_instance(x, i, b, services[i->service]);
                return;
        }
        for (i = x->sim->instances; i; i = i->hh.next)
                show_instance(x, i, b, services[i->service]);
}

static void show_counters(const Exchange *x, JsonBuild *b, json_object *to) {
        json_object *calls;

        sim_json_build_int(b, to, "requests", (int64_t) x->sim->n_requests);
        calls = sim_json_build_child(b, to, "calls");
        for (size_t i = 0; sim_route_at(i); i++) {
                const SimCounter *c = &x->sim->counters[i];
                json_object *o;

                /* Several routes can be one call. */
                if (c->n_requests == 0)
                        continue;
                if (calls && json_object_object_get_ex(calls, sim_route_at(i)->call, &o)) {
                        json_object *n;

                        if (json_object_object_get_ex(o, "requests", &n))
                                json_object_int_inc(n, (int64_t) c->n_requests);
                        if (json_object_object_get_ex(o, "succeeded", &n))
                                json_object_int_inc(n, (int64_t) c->n_succeeded);
                        continue;
                }
                o = sim_json_build_child(b, calls, sim_route_at(i)->call);
                sim_json_build_int(b, o, "requests", (int64_t) c->n_requests);
                sim_json_build_int(b, o, "succeeded", (int64_t) c->n_succeeded);
        }
}

void sim_admin_show_state(const Exchange *x, const char *instance, JsonBuild *b, json_object *to) {
        sim_json_build_time(b, to, "now", x->now_usec);
        sim_json_build_duration(b, to, "advanced", x->sim->advance_usec);
        show_instances(x, instance, b, sim_json_build_child(b, to, "instances"));
        if (instance)
                return;
        sim_settings_show(&x->sim->settings, b, sim_json_build_child(b, to, "settings"));
        show_account(x, b, sim_json_build_child(b, to, "identity"));
        show_counters(x, b, sim_json_build_child(b, to, "counters"));
        sim_fault_show(x->sim, b, sim_json_build_list(b, to, "faults"));
}
