/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/reader.h"

typedef enum SettingType {
        SETTING_BOOL,
        SETTING_INT,      /* int64_t, min to max */
        SETTING_TEXT,     /* char *, at most max bytes */
        SETTING_ID,       /* char *, 32 letters and digits */
        SETTING_ENUM,     /* int, names */
        SETTING_SET,      /* unsigned, one bit a name */
        SETTING_DURATION, /* usec_t */
        SETTING_SHIFT,    /* int64_t, may be negative */
        SETTING_ZONE,     /* int64_t, seconds east of UTC */
} SettingType;

typedef struct Setting {
        const char *section, *key;
        SettingType type;
        size_t offset;
        int64_t min, max;
        const char *const *names;
        int64_t fallback;          /* BOOL, INT, ENUM, SET, ZONE; DURATION and SHIFT: microseconds */
        const char *fallback_text; /* TEXT, ID */
} Setting;

#define NAMES(...)               ((const char *const[]){ __VA_ARGS__, NULL })
#define AT(section, key, member) #section, key, .offset = offsetof(SimSettings, section.member)

/* clang-format off: a table reads by its columns */
static const Setting settings[] = {
        { AT(account, "domain_id", domain_id), .type = SETTING_ID,
          .fallback_text = "8a6f5e0c1d2b4f739e0d1c2b3a495867" },
        { AT(account, "domain_name", domain_name), .type = SETTING_TEXT, .max = 64, .fallback_text = "example" },

        { AT(gateway, "auth", auth), .type = SETTING_BOOL, .fallback = true },
        { AT(gateway, "clock_offset", clock_offset_usec), .type = SETTING_SHIFT },
        { AT(gateway, "tolerance", tolerance_usec), .type = SETTING_DURATION, .fallback = 15 * USEC_PER_MINUTE },
        { AT(gateway, "lockout_failures", lockout_failures), .type = SETTING_INT, .max = 1000000, .fallback = 5 },
        { AT(gateway, "lockout", lockout_usec), .type = SETTING_DURATION, .fallback = 5 * USEC_PER_MINUTE },
        { AT(gateway, "token_life", token_life_usec), .type = SETTING_DURATION, .fallback = USEC_PER_DAY },
        { AT(gateway, "expired_token", expired_token), .type = SETTING_ENUM,
          .names = NAMES("renew", "undecodable", "dbs") },
        { AT(gateway, "rate_limit", rate_limit), .type = SETTING_INT, .max = 1000000 },
        { AT(gateway, "rate_per", rate_per_usec), .type = SETTING_DURATION, .fallback = USEC_PER_MINUTE },
        { AT(gateway, "rate_policy", rate_policy), .type = SETTING_ENUM, .names = NAMES("user", "ip", "api") },
        { AT(gateway, "rate_retry_after", rate_retry_after_usec), .type = SETTING_DURATION },

        { AT(api, "encryption", encryption), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "vault_lock", vault_lock), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "taurusdb_backups", taurusdb_backups), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "gaussdb_backups", gaussdb_backups), .type = SETTING_SET, .names = NAMES("v3.2", "v3.1", "v3"),
          .fallback = 7 },
        { AT(api, "download", download), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "dbss_switch", dbss_switch), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "dbss_template", dbss_template), .type = SETTING_BOOL, .fallback = true },
        { AT(api, "backup_zone", backup_zone_seconds), .type = SETTING_ZONE },

        { AT(lock, "reading", reading), .type = SETTING_ENUM, .names = NAMES("from-start", "from-now", "added") },
        { AT(lock, "unit", unit), .type = SETTING_ENUM, .names = NAMES("milliseconds", "seconds") },
        { AT(lock, "shorten", shorten), .type = SETTING_ENUM, .names = NAMES("refuse", "ignore", "obey") },
        { AT(lock, "no_op", no_op), .type = SETTING_ENUM, .names = NAMES("refuse", "ignore") },
        { AT(lock, "start_moves", start_moves), .type = SETTING_BOOL },
        { AT(lock, "days_reported", days_reported), .type = SETTING_ENUM, .names = NAMES("total", "last") },
        { AT(lock, "after_expiry", after_expiry), .type = SETTING_BOOL, .fallback = true },
        { AT(lock, "enable_on_enabled", enable_on_enabled), .type = SETTING_ENUM,
          .names = NAMES("refuse", "ignore", "extend") },
        { AT(lock, "enable_after_expiry", enable_after_expiry), .type = SETTING_ENUM, .names = NAMES("refuse", "ok"),
          .fallback = SIM_ALLOW },
        { AT(lock, "never_enabled", never_enabled), .type = SETTING_ENUM,
          .names = NAMES("explicit", "zeros", "nulls", "missing") },
        { AT(lock, "round_end", round_end), .type = SETTING_ENUM, .names = NAMES("none", "day") },
        { AT(lock, "extend_without_lock", extend_without_lock), .type = SETTING_ENUM,
          .names = NAMES("refuse", "enable") },
        { AT(lock, "extend_after_expiry", extend_after_expiry), .type = SETTING_ENUM,
          .names = NAMES("refuse", "enable") },
        { AT(lock, "overshoot_days", overshoot_days), .type = SETTING_INT, .min = -36500, .max = 36500 },
        { AT(lock, "refusal_code", refusal_code), .type = SETTING_TEXT, .max = 32, .fallback_text = "DBS.200001" },

        { AT(consistency, "read_delay", read_delay_usec), .type = SETTING_DURATION },

        { AT(dbss, "shown_shift", shown_shift_usec), .type = SETTING_SHIFT },
        { AT(dbss, "moves_trigger", moves_trigger), .type = SETTING_BOOL },
        { AT(dbss, "time_format", time_format), .type = SETTING_ENUM, .names = NAMES("blank", "T", "zone") },
        { AT(dbss, "refuse_past_trigger", refuse_past_trigger), .type = SETTING_BOOL },
        { AT(dbss, "zone", zone_seconds), .type = SETTING_ZONE },
        { AT(dbss, "first_page", first_page), .type = SETTING_INT, .max = 1, .fallback = 1 },

        { AT(gaussdb, "bucket", bucket), .type = SETTING_TEXT, .max = 63,
          .fallback_text = "gaussdb-backups-simulated" },
        { AT(gaussdb, "repeat_grant", repeat_grant), .type = SETTING_ENUM, .names = NAMES("refuse", "ok"),
          .fallback = SIM_ALLOW },
        { AT(gaussdb, "file_paths", file_paths), .type = SETTING_INT, .min = 0, .max = 10000, .fallback = 1 },

        { AT(metadata, "service", service), .type = SETTING_ENUM, .names = NAMES("v2", "v2-only", "v1", "none") },
        { AT(metadata, "agency", agency), .type = SETTING_BOOL, .fallback = true },
        { AT(metadata, "key_life", key_life_usec), .type = SETTING_DURATION, .fallback = USEC_PER_DAY },
};
/* clang-format on */

static void *member(const SimSettings *s, const Setting *k) {
        return (char *) s + k->offset;
}

static void set_number(SimSettings *s, const Setting *k, int64_t v) {
        switch (k->type) {
        case SETTING_BOOL: *(bool *) member(s, k) = v != 0; return;
        case SETTING_ENUM: *(int *) member(s, k) = (int) v; return;
        case SETTING_SET: *(unsigned *) member(s, k) = (unsigned) v; return;
        case SETTING_DURATION: *(usec_t *) member(s, k) = (usec_t) v; return;
        case SETTING_INT:
        case SETTING_SHIFT:
        case SETTING_ZONE: *(int64_t *) member(s, k) = v; return;
        case SETTING_TEXT:
        case SETTING_ID: assert(!"texts are no numbers");
        }
}

static bool is_text(const Setting *k) {
        return k->type == SETTING_TEXT || k->type == SETTING_ID;
}

int sim_settings_init(SimSettings *s) {
        *s = (SimSettings){};
        for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
                const Setting *k = &settings[i];
                char *copy;

                if (!is_text(k)) {
                        set_number(s, k, k->fallback);
                        continue;
                }
                copy = strdup(k->fallback_text);
                if (!copy) {
                        sim_settings_done(s);
                        return -ENOMEM;
                }
                *(char **) member(s, k) = copy;
        }
        return 0;
}

void sim_settings_done(SimSettings *s) {
        for (size_t i = 0; i < N_ELEMENTS(settings); i++)
                if (is_text(&settings[i]))
                        free(*(char **) member(s, &settings[i]));
        *s = (SimSettings){};
}

static bool read_set(SimReader *r, json_object *v, const char *const *names, int64_t *ret) {
        int64_t set = 0;

        if (!json_object_is_type(v, json_type_array)) {
                sim_reader_error(r, "expected a list");
                return false;
        }
        for (size_t i = 0; i < json_object_array_length(v); i++) {
                int bit;

                if (!sim_reader_enum(r, json_object_array_get_idx(v, i), names, &bit))
                        return false;
                set |= INT64_C(1) << bit;
        }
        *ret = set;
        return true;
}

static bool read_number(SimReader *r, const Setting *k, json_object *v, int64_t *ret) {
        bool flag;
        int choice;

        switch (k->type) {
        case SETTING_BOOL:
                if (!sim_reader_bool(r, v, &flag))
                        return false;
                *ret = flag;
                return true;
        case SETTING_ENUM:
                if (!sim_reader_enum(r, v, k->names, &choice))
                        return false;
                *ret = choice;
                return true;
        case SETTING_INT: return sim_reader_int(r, v, k->min, k->max, ret);
        case SETTING_SET: return read_set(r, v, k->names, ret);
        case SETTING_DURATION:
        case SETTING_SHIFT: return sim_reader_duration(r, v, k->type == SETTING_SHIFT, ret);
        case SETTING_ZONE: return sim_reader_zone(r, v, ret);
        case SETTING_TEXT:
        case SETTING_ID: break;
        }
        return false;
}

static void read_one(SimReader *r, SimSettings *s, const Setting *k, json_object *v) {
        const char *text;
        int64_t number;

        if (k->type == SETTING_TEXT) {
                if (sim_reader_text(r, v, (size_t) k->max, &text))
                        sim_reader_store(r, member(s, k), text);
        } else if (k->type == SETTING_ID) {
                if (sim_reader_text(r, v, 64, &text) && sim_reader_id(r, text, 32, 32))
                        sim_reader_store(r, member(s, k), text);
        } else if (read_number(r, k, v, &number) && !r->dry) {
                set_number(s, k, number);
        }
}

int sim_settings_read(SimReader *r, SimSettings *s, const char *section, json_object *node) {
        bool known = false;

        for (size_t i = 0; i < N_ELEMENTS(settings) && !known; i++)
                known = streq(settings[i].section, section);
        if (!known)
                return 0;
        if (!sim_reader_object(r, node))
                return 1;

        json_object_object_foreach(node, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);
                const Setting *k = NULL;

                for (size_t i = 0; i < N_ELEMENTS(settings) && !k; i++)
                        if (streq(settings[i].section, section) && streq(settings[i].key, key))
                                k = &settings[i];
                /* The account's projects are a collection, not a setting: change.c reads them. */
                if (k)
                        read_one(r, s, k, value);
                else if (!streq(section, "account") || !streq(key, "projects"))
                        sim_reader_error(r, "there is no such key");
                sim_reader_leave(r, place);
        }
        return 1;
}

static void show_set(JsonBuild *b, json_object *to, const Setting *k, unsigned set) {
        json_object *list = sim_json_build_list(b, to, k->key);

        for (int i = 0; k->names[i]; i++)
                if (set & 1u << i)
                        sim_json_build_push(b, list, json_object_new_string(k->names[i]));
}

static void show_zone(JsonBuild *b, json_object *to, const char *key, int64_t seconds) {
        uint64_t minutes = (uint64_t) (seconds < 0 ? -seconds : seconds) / 60;
        char text[32];

        (void) snprintf(text, sizeof(text), "%c%02u:%02u", seconds < 0 ? '-' : '+', (unsigned) (minutes / 60 % 100),
                        (unsigned) (minutes % 60));
        sim_json_build_text(b, to, key, text);
}

static void show_one(const SimSettings *s, const Setting *k, JsonBuild *b, json_object *to) {
        const void *v = member(s, k);

        switch (k->type) {
        case SETTING_BOOL: sim_json_build_bool(b, to, k->key, *(const bool *) v); return;
        case SETTING_INT: sim_json_build_int(b, to, k->key, *(const int64_t *) v); return;
        case SETTING_TEXT:
        case SETTING_ID: sim_json_build_text(b, to, k->key, *(char *const *) v); return;
        case SETTING_ENUM: sim_json_build_text(b, to, k->key, k->names[*(const int *) v]); return;
        case SETTING_SET: show_set(b, to, k, *(const unsigned *) v); return;
        case SETTING_DURATION:
        case SETTING_SHIFT: sim_json_build_duration(b, to, k->key, *(const int64_t *) v); return;
        case SETTING_ZONE: show_zone(b, to, k->key, *(const int64_t *) v); return;
        }
}

void sim_settings_show(const SimSettings *s, JsonBuild *b, json_object *to) {
        const char *section = "";
        json_object *child = NULL;

        for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
                if (!streq(settings[i].section, section)) {
                        section = settings[i].section;
                        child = sim_json_build_child(b, to, section);
                }
                show_one(s, &settings[i], b, child);
        }
}
