/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "sim/dbs.h"
#include "sim/lock.h"
#include "sim/services.h"

/* TaurusDB (API Reference, Backup Management; pages of 2024-02, 2026-01 and 2026-06). */

/* What every call on an instance checks first. */
static int begin(Exchange *x) {
        int r = sim_dbs_check_language(x);

        if (r > 0)
                r = sim_dbs_check_no_query(x);
        return r > 0 ? sim_dbs_check_instance(x, SIM_TAURUSDB) : r;
}

/* A read may lag behind the last write. */
static usec_t seen_at(const Exchange *x) {
        return usec_sub(x->now_usec, x->sim->settings.consistency.read_delay_usec);
}

/* Until when reads show the same. */
static usec_t seen_until(const Exchange *x, const SimHistory *h) {
        return usec_add(sim_history_until(h, seen_at(x)), x->sim->settings.consistency.read_delay_usec);
}

static int refuse_write(Exchange *x, const char *code, const char *message) {
        x->instance->n_refused++;
        return sim_dbs_refuse(x, code, message);
}

/* --- Encryption ----------------------------------------------------------------------------------------------- */

static int show_encryption(Exchange *x, bool on) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b);

        sim_json_build_text(&b, o, "encryption_status", on ? "on" : "off");
        return sim_exchange_json(x, 200, &b, o);
}

int sim_taurusdb_encryption_get(Exchange *x) {
        const SimEncryption *e;
        int r;

        r = begin(x);
        if (r <= 0)
                return r;
        e = sim_history_at(&x->instance->encryption, seen_at(x));
        x->reply->steady_until_usec = x->reply->news_at_usec = seen_until(x, &x->instance->encryption);
        return show_encryption(x, e && e->on);
}

/* A member that must be text. Return: 1 there; 2 absent; 0 answered; -ENOMEM. */
static int body_text(Exchange *x, json_object *body, const char *key, const char **ret) {
        json_object *v;

        if (!json_object_object_get_ex(body, key, &v))
                return 2;
        if (!json_object_is_type(v, json_type_string) || json_object_get_string_len(v) == 0)
                return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001", "Parameter error: %s.", key);
        *ret = json_object_get_string(v);
        return 1;
}

static int check_kms_key(Exchange *x, const char *id) {
        SimKmsKey *k;

        for (const char *p = id; *p; p++)
                if (!isalnum((unsigned char) *p) && *p != '-')
                        return refuse_write(x, "DBS.200506", "The KMS key ID is invalid.");
        if (strlen(id) >= SIM_ID_MAX)
                return refuse_write(x, "DBS.200506", "The KMS key ID is invalid.");
        if (!x->sim->kms_keys)
                return 1;
        HASH_FIND_STR(x->sim->kms_keys, id, k);
        return k && k->enabled ? 1 : refuse_write(x, "DBS.200507", "The KMS key is invalid or has been deleted.");
}

static int check_encryption_body(Exchange *x, json_object *body, bool *ret_on, const char **ret_kms_key_id) {
        static const char *const known[] = { "encryption_status", "type", "kms_key_id", NULL };
        const char *status = "", *type = NULL;
        int r;

        r = sim_dbs_check_members(x, body, known);
        if (r > 0)
                r = body_text(x, body, "encryption_status", &status);
        if (r == 2)
                return refuse_write(x, "DBS.280006", "The parameter is missing: encryption_status.");
        if (r > 0)
                r = body_text(x, body, "type", &type);
        if (r > 0)
                r = body_text(x, body, "kms_key_id", ret_kms_key_id);
        if (r <= 0)
                return r;

        if (strcasecmp(status, "off") == 0) {
                *ret_on = false;
                return !type && !*ret_kms_key_id
                               ? 1
                               : refuse_write(x, "DBS.280001",
                                              "Parameter error: type and kms_key_id must be left out to switch off.");
        }
        if (strcasecmp(status, "on") != 0)
                return refuse_write(x, "DBS.280001", "Parameter error: encryption_status.");
        if (!type || !*ret_kms_key_id)
                return refuse_write(x, "DBS.280006", "The parameter is missing: type or kms_key_id.");
        if (strcasecmp(type, "kms") != 0)
                return refuse_write(x, "DBS.280001", "Parameter error: type.");
        *ret_on = true;
        return check_kms_key(x, *ret_kms_key_id);
}

int sim_taurusdb_encryption_set(Exchange *x) {
        _cleanup_(json_object_putp) json_object *body = NULL;
        SimEncryption e = { .since_usec = x->now_usec };
        const char *kms_key_id = NULL;
        int r;

        r = begin(x);
        if (r > 0)
                r = sim_dbs_read_body(x, &body);
        if (r > 0)
                r = check_encryption_body(x, body, &e.on, &kms_key_id);
        if (r > 0)
                r = sim_dbs_check_writable(x);
        if (r <= 0)
                return r;

        if (kms_key_id)
                sim_copy_id(e.kms_key_id, sizeof(e.kms_key_id), kms_key_id);
        if (!sim_history_now(&x->instance->encryption)) {
                /* A delayed read shows what was before: off. */
                r = sim_history_set(&x->instance->encryption, sizeof(e), &(SimEncryption){}, 0);
                if (r < 0)
                        return r;
        }
        r = sim_history_set(&x->instance->encryption, sizeof(e), &e, seen_at(x));
        if (r < 0)
                return r;
        x->instance->n_writes++;
        return show_encryption(x, e.on);
}

/* --- Compliance lock ------------------------------------------------------------------------------------------ */

int sim_taurusdb_lock_get(Exchange *x) {
        const SimLock *l, never = {};
        JsonBuild b = {};
        json_object *o;
        int r;

        r = begin(x);
        if (r <= 0)
                return r;
        l = sim_history_at(&x->instance->lock, seen_at(x));
        x->reply->steady_until_usec = x->reply->news_at_usec = seen_until(x, &x->instance->lock);
        if (l && sim_lock_runs(l, x->now_usec))
                x->reply->steady_until_usec = MIN(x->reply->steady_until_usec, l->end_usec);
        o = sim_json_build_object(&b);
        sim_lock_show(&x->sim->settings, l ? l : &never, x->now_usec, &b, o);
        return sim_exchange_json(x, 200, &b, o);
}

static int check_lock_info(Exchange *x, json_object *info, int64_t *ret_days) {
        static const char *const known[] = { "lock_retention_days", "lock_policy", NULL };
        json_object *days, *policy;
        int r;

        if (!json_object_is_type(info, json_type_object))
                return refuse_write(x, "DBS.280001", "Parameter error: backup_vaultlock_info.");
        r = sim_dbs_check_members(x, info, known);
        if (r <= 0)
                return r;
        if (!json_object_object_get_ex(info, "lock_retention_days", &days))
                return refuse_write(x, "DBS.280006", "The parameter is missing: lock_retention_days.");
        if (!json_object_object_get_ex(info, "lock_policy", &policy))
                return refuse_write(x, "DBS.280006", "The parameter is missing: lock_policy.");
        if (!json_object_is_type(days, json_type_int) || json_object_get_int64(days) < 1 ||
            json_object_get_int64(days) > 36500)
                return refuse_write(x, "DBS.280001",
                                    "Parameter error: lock_retention_days must be an integer from 1 to 36500.");
        if (!json_object_is_type(policy, json_type_boolean) || !json_object_get_boolean(policy))
                return refuse_write(x, "DBS.280001", "Parameter error: lock_policy can only be true.");
        *ret_days = json_object_get_int64(days);
        return 1;
}

static int check_lock_body(Exchange *x, json_object *body, bool *ret_extend, int64_t *ret_days) {
        static const char *const known[] = { "backup_vaultlock_info", "action", NULL };
        const char *action = "";
        json_object *info;
        int r;

        r = sim_dbs_check_members(x, body, known);
        if (r <= 0)
                return r;
        if (!json_object_object_get_ex(body, "backup_vaultlock_info", &info))
                return refuse_write(x, "DBS.280006", "The parameter is missing: backup_vaultlock_info.");
        r = body_text(x, body, "action", &action);
        if (r == 2)
                return refuse_write(x, "DBS.280006", "The parameter is missing: action.");
        if (r <= 0)
                return r;
        *ret_extend = strcasecmp(action, "extend") == 0;
        if (!*ret_extend && strcasecmp(action, "enable") != 0)
                return refuse_write(x, "DBS.280001", "Parameter error: action.");
        return check_lock_info(x, info, ret_days);
}

static int change_lock(Exchange *x, bool extend, int64_t days) {
        const SimLock *before = sim_history_now(&x->instance->lock);
        SimLock lock = before ? *before : (SimLock){};
        const char *why = "";
        JsonBuild b = {};
        json_object *o;
        int r = 0;

        switch (sim_lock_request(&x->sim->settings, &lock, extend, days, x->now_usec, &why)) {
        case LOCK_REFUSED: return refuse_write(x, x->sim->settings.lock.refusal_code, why);
        case LOCK_CHANGED:
                lock.since_usec = x->now_usec;
                if (!before)
                        r = sim_history_set(&x->instance->lock, sizeof(lock), &(SimLock){}, 0);
                if (r >= 0)
                        r = sim_history_set(&x->instance->lock, sizeof(lock), &lock, seen_at(x));
                if (r < 0)
                        return r;
                break;
        case LOCK_UNCHANGED: break;
        }
        x->instance->n_writes++;
        o = sim_json_build_object(&b);
        sim_json_build_text(&b, o, "result", "success");
        return sim_exchange_json(x, 200, &b, o);
}

int sim_taurusdb_lock_set(Exchange *x) {
        _cleanup_(json_object_putp) json_object *body = NULL;
        bool extend = false;
        int64_t days = 0;
        int r;

        r = begin(x);
        if (r > 0)
                r = sim_dbs_read_body(x, &body);
        if (r > 0)
                r = check_lock_body(x, body, &extend, &days);
        if (r > 0)
                r = sim_dbs_check_writable(x);
        return r > 0 ? change_lock(x, extend, days) : r;
}

/* --- Lists ---------------------------------------------------------------------------------------------------- */

int sim_taurusdb_backups(Exchange *x) {
        return sim_dbs_list_backups(x, SIM_TAURUSDB);
}

/* Another view of the same backups, without a mark for manual ones and with a total that is text. */
int sim_taurusdb_instance_backups(Exchange *x) {
        int64_t offset, limit, n = 0;
        JsonBuild b = {};
        json_object *o, *list;
        char text[24];
        int r;

        r = sim_dbs_check_language(x);
        if (r > 0)
                r = sim_dbs_check_instance(x, SIM_TAURUSDB);
        if (r > 0)
                r = sim_dbs_read_page(x, &offset, &limit);
        if (r <= 0)
                return r;

        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "backups");
        for (const SimBackup *backup = x->instance->backups; backup; backup = backup->next, n++) {
                json_object *entry;

                if (n < offset || n - offset >= limit)
                        continue;
                entry = sim_json_build_object(&b);
                sim_json_build_text(&b, entry, "id", backup->id);
                sim_json_build_text(&b, entry, "name", backup->name ? backup->name : backup->id);
                sim_json_build_text(&b, entry, "instance_id", x->instance->id);
                sim_json_build_text(&b, entry, "status", sim_backup_status_names[backup->status]);
                sim_json_build_text(&b, entry, "backup_type", "Snapshot");
                sim_json_build_text(&b, entry, "size_unit", "KB");
                sim_json_build_push(&b, list, entry);
        }
        (void) snprintf(text, sizeof(text), "%" PRId64, n);
        sim_json_build_text(&b, o, "total_count", text);
        return sim_exchange_json(x, 200, &b, o);
}

int sim_taurusdb_policy(Exchange *x) {
        JsonBuild b = {};
        json_object *o, *policy;
        int r;

        r = begin(x);
        if (r <= 0)
                return r;
        o = sim_json_build_object(&b);
        policy = sim_json_build_child(&b, o, "backup_policy");
        sim_json_build_int(&b, policy, "keep_days", 7);
        sim_json_build_text(&b, policy, "start_time", "19:00-20:00");
        sim_json_build_text(&b, policy, "period", "1,2,3,4,5,6,7");
        sim_json_build_int(&b, policy, "retention_num_backup_level1", 0);
        return sim_exchange_json(x, 200, &b, o);
}

int sim_taurusdb_instances(Exchange *x) {
        int64_t offset, limit, n = 0;
        JsonBuild b = {};
        json_object *o, *list;
        int r;

        r = sim_dbs_check_language(x);
        if (r > 0)
                r = sim_dbs_read_page(x, &offset, &limit);
        if (r <= 0)
                return r;

        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "instances");
        for (const SimInstance *i = x->sim->instances; i; i = i->hh.next) {
                json_object *entry;

                if (i->service != SIM_TAURUSDB || !streq(sim_instance_project(x->sim, i), x->ids.project))
                        continue;
                if (n >= offset && n - offset < limit) {
                        entry = sim_json_build_object(&b);
                        sim_json_build_text(&b, entry, "id", i->id);
                        sim_json_build_text(&b, entry, "name", i->name ? i->name : i->id);
                        sim_json_build_text(&b, entry, "status", i->abnormal ? "abnormal" : "normal");
                        sim_json_build_push(&b, list, entry);
                }
                n++;
        }
        sim_json_build_int(&b, o, "total_count", n);
        return sim_exchange_json(x, 200, &b, o);
}
