/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/change.h"

#include <errno.h>
#include <strings.h>
#include <utlist.h>

#include "sim/fault.h"
#include "sim/yaml.h"

#define SECRET_TEXT_MAX 65536 /* bytes; security tokens run to several KB (IAM: up to 32768) */
#define KEY_TEXT_MAX    128   /* bytes of an access key or a name; IAM: names of 1 to 64 characters */

/* What reads one entry of a collection. */
typedef void (*ReadEntry)(SimReader *r, Sim *s, const char *key, json_object *v);

static void read_collection(SimReader *r, Sim *s, json_object *node, ReadEntry read) {
        if (!sim_reader_object(r, node))
                return;
        json_object_object_foreach(node, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read(r, s, key, value);
                sim_reader_leave(r, place);
        }
}

static void read_project(SimReader *r, Sim *s, const char *id, json_object *v) {
        SimProject *p = sim_project_find(s, id);
        const char *name;

        if (!sim_reader_id(r, id, 32, 32))
                return;
        if (!v) {
                if (p && !r->dry)
                        sim_project_remove(s, p);
                return;
        }
        if (!sim_reader_text(r, v, KEY_TEXT_MAX, &name) || r->dry)
                return;
        p = sim_project_get(s, id);
        if (!p)
                r->error = -ENOMEM;
        else
                sim_reader_store(r, &p->name, name);
}

static void read_deny(SimReader *r, SimDeny *deny, json_object *v) {
        SimDeny fresh = {};
        size_t n;

        if (!json_object_is_type(v, json_type_array)) {
                sim_reader_error(r, "expected a list of actions");
                return;
        }
        n = json_object_array_length(v);
        fresh.actions = n > 0 ? calloc(n, sizeof(*fresh.actions)) : NULL;
        if (n > 0 && !fresh.actions) {
                r->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < n; i++) {
                const char *action;

                if (!sim_reader_text(r, json_object_array_get_idx(v, i), KEY_TEXT_MAX, &action))
                        break;
                fresh.actions[i] = strdup(action);
                if (!fresh.actions[i]) {
                        r->error = -ENOMEM;
                        break;
                }
                fresh.n_actions++;
        }
        if (!r->dry && fresh.n_actions == n) {
                sim_deny_done(deny);
                *deny = fresh;
        } else {
                sim_deny_done(&fresh);
        }
}

/* In a dry reading @k may be a scratch entry: everything but texts and lists is written to it. */
static void read_key_member(SimReader *r, SimKey *k, const char *key, json_object *v) {
        const char *text;

        if (streq(key, "secret_key")) {
                if (sim_reader_text(r, v, SECRET_TEXT_MAX, &text))
                        sim_reader_store(r, &k->secret_key, text);
        } else if (streq(key, "security_token")) {
                if (sim_reader_text(r, v, SECRET_TEXT_MAX, &text))
                        sim_reader_store(r, &k->security_token, text);
        } else if (streq(key, "user")) {
                if (sim_reader_text(r, v, KEY_TEXT_MAX, &text))
                        sim_reader_store(r, &k->user, text);
        } else if (streq(key, "expires")) {
                (void) sim_reader_moment(r, v, &k->expires_usec);
        } else if (streq(key, "enabled")) {
                (void) sim_reader_bool(r, v, &k->enabled);
        } else if (streq(key, "deny")) {
                read_deny(r, &k->deny, v);
        } else {
                sim_reader_error(r, "there is no such key");
        }
}

static void read_key(SimReader *r, Sim *s, const char *access_key, json_object *v) {
        SimKey *k = sim_key_find(s, access_key), scratch = {};

        if (strlen(access_key) > KEY_TEXT_MAX || access_key[0] == '\0' || strpbrk(access_key, ", \t") != NULL) {
                sim_reader_error(r, "expected an access key without blanks and commas");
                return;
        }
        if (!v) {
                if (k && !r->dry)
                        sim_key_remove(s, k);
                return;
        }
        if (!sim_reader_object(r, v))
                return;
        if (!k && !json_object_object_get_ex(v, "secret_key", NULL)) {
                sim_reader_error(r, "a new access key needs a secret_key");
                return;
        }
        if (!r->dry) {
                k = sim_key_get(s, access_key);
                if (!k) {
                        r->error = -ENOMEM;
                        return;
                }
                /* A changed key starts anew. */
                k->n_failures = 0;
                k->locked_until_usec = 0;
                k->issued = false;
        }
        json_object_object_foreach(v, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read_key_member(r, r->dry ? &scratch : k, key, value);
                sim_reader_leave(r, place);
        }
}

static void read_user(SimReader *r, Sim *s, const char *name, json_object *v) {
        SimUser *u = sim_user_find(s, name), scratch = {};
        const char *text;

        if (strlen(name) > KEY_TEXT_MAX || name[0] == '\0') {
                sim_reader_error(r, "expected a user's name");
                return;
        }
        if (!v) {
                if (u && !r->dry)
                        sim_user_remove(s, u);
                return;
        }
        if (!sim_reader_object(r, v))
                return;
        if (!u && !json_object_object_get_ex(v, "password", NULL)) {
                sim_reader_error(r, "a new user needs a password");
                return;
        }
        if (r->dry) {
                u = &scratch;
        } else {
                u = sim_user_get(s, name);
                if (!u) {
                        r->error = -ENOMEM;
                        return;
                }
                /*
                 * The cloud revokes a user's tokens when the user changes (IAM API Reference, Obtaining a User
                 * Token).
                 */
                sim_tokens_revoke(s, name);
                u->n_failures = 0;
                u->locked_until_usec = 0;
        }
        json_object_object_foreach(v, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                if (streq(key, "password")) {
                        if (sim_reader_text(r, value, KEY_TEXT_MAX, &text))
                                sim_reader_store(r, &u->password, text);
                } else if (streq(key, "enabled")) {
                        (void) sim_reader_bool(r, value, &u->enabled);
                } else if (streq(key, "console_only")) {
                        (void) sim_reader_bool(r, value, &u->console_only);
                } else if (streq(key, "deny")) {
                        read_deny(r, &u->deny, value);
                } else {
                        sim_reader_error(r, "there is no such key");
                }
                sim_reader_leave(r, place);
        }
}

static void read_kms_key(SimReader *r, Sim *s, const char *id, json_object *v) {
        static const char *const names[] = { "disabled", "enabled", NULL };
        SimKmsKey *k;
        int enabled = 0;

        if (strlen(id) >= SIM_ID_MAX || id[0] == '\0') {
                sim_reader_error(r, "expected a key id of 1 to %d bytes", SIM_ID_MAX - 1);
                return;
        }
        if ((v && !sim_reader_enum(r, v, names, &enabled)) || r->dry)
                return;
        k = sim_kms_key_get(s, id);
        if (!k)
                r->error = -ENOMEM;
        else if (!v)
                sim_kms_key_remove(s, k);
        else
                k->enabled = enabled;
}

static void read_taurusdb(SimReader *r, Sim *s, const char *id, json_object *v) {
        sim_change_instance(r, s, SIM_TAURUSDB, id, v);
}

static void read_dbss(SimReader *r, Sim *s, const char *id, json_object *v) {
        sim_change_instance(r, s, SIM_DBSS, id, v);
}

static void read_gaussdb(SimReader *r, Sim *s, const char *id, json_object *v) {
        sim_change_instance(r, s, SIM_GAUSSDB, id, v);
}

static void read_instances(SimReader *r, Sim *s, const char *service, json_object *v) {
        if (streq(service, "taurusdb"))
                read_collection(r, s, v, read_taurusdb);
        else if (streq(service, "dbss"))
                read_collection(r, s, v, read_dbss);
        else if (streq(service, "gaussdb"))
                read_collection(r, s, v, read_gaussdb);
        else
                sim_reader_error(r, "expected taurusdb, dbss or gaussdb");
}

static void read_account(SimReader *r, Sim *s, json_object *v) {
        json_object *projects;

        (void) sim_settings_read(r, &s->settings, "account", v);
        if (json_object_is_type(v, json_type_object) && json_object_object_get_ex(v, "projects", &projects)) {
                SimPlace place = sim_reader_enter(r, "projects", projects);

                read_collection(r, s, projects, read_project);
                sim_reader_leave(r, place);
        }
}

static void read_faults(SimReader *r, Sim *s, json_object *v) {
        if (!json_object_is_type(v, json_type_array)) {
                sim_reader_error(r, "expected a list of rules");
                return;
        }
        for (size_t i = 0; i < json_object_array_length(v); i++) {
                json_object *rule = json_object_array_get_idx(v, i);
                SimPlace place = sim_reader_enter(r, "rule", rule);

                (void) sim_fault_read(r, s, rule);
                sim_reader_leave(r, place);
        }
}

static void read_section(SimReader *r, Sim *s, const char *section, json_object *v) {
        if (streq(section, "account"))
                read_account(r, s, v);
        else if (streq(section, "keys"))
                read_collection(r, s, v, read_key);
        else if (streq(section, "users"))
                read_collection(r, s, v, read_user);
        else if (streq(section, "deny"))
                read_deny(r, &s->deny, v);
        else if (streq(section, "kms_keys"))
                read_collection(r, s, v, read_kms_key);
        else if (streq(section, "instances"))
                read_collection(r, s, v, read_instances);
        else if (streq(section, "faults"))
                read_faults(r, s, v);
        else if (sim_settings_read(r, &s->settings, section, v) == 0)
                sim_reader_error(r, "there is no such section");
}

int sim_change_apply(Sim *s, const char *file, json_object *root, usec_t now_usec, Diagnostics *reterr) {
        SimReader r = { .file = file, .now_usec = now_usec, .errors = reterr, .at = root };

        if (!root)
                return 0;
        if (!sim_reader_object(&r, root))
                return r.error < 0 ? r.error : -EINVAL;

        for (int pass = 0; pass < 2; pass++) {
                r.dry = pass == 0;
                json_object_object_foreach(root, section, value) {
                        SimPlace place = sim_reader_enter(&r, section, value);

                        read_section(&r, s, section, value);
                        sim_reader_leave(&r, place);
                }
                if (r.error < 0)
                        return r.error;
                if (r.n_errors > 0)
                        return -EINVAL;
        }
        return 0;
}

int sim_change_parse(const char *file, const char *text, size_t n, json_object **ret, Diagnostics *reterr) {
        size_t first = 0;
        int r;

        /* JSON has escapes that YAML's reader does not know; flow YAML such as {advance: 3d} is not JSON. */
        while (first < n && strchr(" \t\r\n", text[first]) && text[first] != '\0')
                first++;
        if (first < n && (text[first] == '{' || text[first] == '[')) {
                r = sim_json_read(text, n, ret);
                if (r != -EINVAL)
                        return r;
        }
        return sim_yaml_read(file, text, n, ret, reterr);
}

int sim_change(Sim *s, const char *file, const char *text, size_t n, usec_t now_usec, Diagnostics *reterr) {
        _cleanup_(json_object_putp) json_object *root = NULL;
        int r;

        r = sim_change_parse(file, text, n, &root, reterr);
        if (r < 0)
                return r;
        return sim_change_apply(s, file, root, sim_clock(s, now_usec), reterr);
}
