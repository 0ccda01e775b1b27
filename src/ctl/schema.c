/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/schema.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/json.h"
#include "policy/value.h"

/* What a check accepts, as a pattern. The lengths and the rest are the check's; an editor need not know more than the daemon says. */
static const struct {
        bool (*check)(const char *s);
        const char *pattern;
} patterns[] = {
        { value_is_name,          "^[A-Za-z0-9._-]{1,128}$" },
        { value_is_region,        "^[a-z0-9-]{1,64}$"       },
        { value_is_project_id,    "^[A-Za-z0-9]{32,64}$"    },
        { value_is_domain_id,     "^[A-Za-z0-9]{1,64}$"     },
        { value_is_instance_id,   "^[A-Za-z0-9_-]{1,64}$"   },
        { value_is_backup_id,     "^[A-Za-z0-9]{36}$"       },
        { value_is_kms_key_id,    "^[A-Za-z0-9-]{1,64}$"    },
        { value_is_bucket_name,   "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$" },
        { value_is_absolute_path, "^/"                      },
};

#define DURATION_PATTERN "^([0-9]+[smhdw])+$"
#define TIME_PATTERN "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
#define BACKUP_ID_PATTERN "^[A-Za-z0-9]{36}$"

static const char *pattern_of(const KeyInfo *key) {
        for (size_t i = 0; i < N_ELEMENTS(patterns); i++)
                if (patterns[i].check == key->check)
                        return patterns[i].pattern;

        return NULL;
}

static int add_strings(json_object *to, const char *key, const char *const *words, size_t n) {
        json_object *list = ctl_json_add_array(to, key);
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = ctl_json_add_text(list, NULL, words[i]);
        return r;
}

/* An id that is all digits is a number to YAML, and a text to holdfast. */
static int add_text_type(json_object *s, const char *pattern) {
        static const char *const types[] = { "string", "number" };
        int r;

        r = add_strings(s, "type", types, N_ELEMENTS(types));
        return r < 0 || !pattern ? r : ctl_json_add_text(s, "pattern", pattern);
}

static int add_word(json_object *s, const KeyInfo *key) {
        json_object *list;
        char lower[64];
        int r;

        r = add_strings(s, "enum", key->words, key->n_words);
        if (r < 0 || !(key->flags & KEY_ANY_CASE))
                return r;

        (void) json_object_object_get_ex(s, "enum", &list);
        for (size_t i = 0; i < key->n_words && r >= 0; i++) {
                size_t n = 0;

                for (const char *p = key->words[i]; *p && n + 1 < sizeof(lower); p++)
                        lower[n++] = (char) (*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
                lower[n] = '\0';
                r = ctl_json_add_text(list, NULL, lower);
        }
        return r;
}

static int add_pattern(json_object *s, const char *pattern) {
        int r;

        r = ctl_json_add_text(s, "type", "string");
        return r < 0 ? r : ctl_json_add_text(s, "pattern", pattern);
}

static int add_integer(json_object *s, const KeyInfo *key) {
        int r;

        r = ctl_json_add_text(s, "type", "integer");
        if (r >= 0)
                r = ctl_json_add_int(s, "minimum", (int64_t) key->min);
        return r < 0 ? r : ctl_json_add_int(s, "maximum", (int64_t) key->max);
}

static int add_duration(json_object *s, const KeyInfo *key) {
        json_object *list, *of;
        int r;

        if (!(key->flags & KEY_NEVER))
                return add_pattern(s, DURATION_PATTERN);

        list = ctl_json_add_array(s, "anyOf");
        r = ctl_json_add_text(ctl_json_add_object(list, NULL), "const", "never");
        of = ctl_json_add_object(list, NULL);
        return r < 0 ? r : of ? add_pattern(of, DURATION_PATTERN) : -ENOMEM;
}

static int add_backups(json_object *s) {
        json_object *list, *of, *items;
        int r;

        list = ctl_json_add_array(s, "anyOf");
        r = ctl_json_add_text(ctl_json_add_object(list, NULL), "const", "latest");
        of = ctl_json_add_object(list, NULL);
        if (r >= 0)
                r = ctl_json_add_text(of, "type", "array");
        if (r >= 0)
                r = ctl_json_add_int(of, "minItems", 1);
        items = ctl_json_add_object(of, "items");
        return r < 0 ? r : items ? add_text_type(items, BACKUP_ID_PATTERN) : -ENOMEM;
}

static int add_section(json_object *to, const KeySection *section, unsigned flags);

static int add_type(json_object *s, const KeyInfo *key) {
        switch (key->type) {
        case KEY_TEXT:
                return add_text_type(s, pattern_of(key));
        case KEY_WORD:
                return add_word(s, key);
        case KEY_SWITCH:
                return add_strings(s, "enum", (const char *const[]) { "on", "off" }, 2);
        case KEY_INTEGER:
        case KEY_COUNT:
                return add_integer(s, key);
        case KEY_RATE:
                return add_pattern(s, "^[0-9]+/s$");
        case KEY_DURATION:
                return add_duration(s, key);
        case KEY_TIME:
                return add_pattern(s, TIME_PATTERN);
        case KEY_ZONE:
                return add_pattern(s, "^[A-Za-z0-9_+/-]+$");
        case KEY_ORIGIN:
                return ctl_json_add_text(s, "type", "string");
        case KEY_BACKUPS:
                return add_backups(s);
        case KEY_SECTION:
        case KEY_CONTROL:
                return add_section(s, key->section, key->flags);
        case KEY_TYPE__MAX:
                break;
        }

        assert(false);
        return -EINVAL;
}

/* A value as YAML gives it to whoever validates: numbers are numbers. */
static int add_default(json_object *s, const KeyInfo *key) {
        if (!key->initial)
                return 0;
        if (key->type == KEY_INTEGER || key->type == KEY_COUNT)
                return ctl_json_add_int(s, "default", strtoll(key->initial, NULL, 10));
        return ctl_json_add_text(s, "default", key->initial);
}

static int add_key(json_object *properties, const KeyInfo *key) {
        json_object *s = ctl_json_add_object(properties, key->key);
        char expected[KEY_EXPECTED_MAX], text[KEY_EXPECTED_MAX * 2];
        bool section = key->type == KEY_SECTION || key->type == KEY_CONTROL;
        int r;

        (void) snprintf(text, sizeof(text), "%s%s%s", key->help, section ? "" : "; ", section ? "" : key_expected(key, expected));
        r = ctl_json_add_text(s, "description", text);
        if (r >= 0)
                r = add_type(s, key);
        return r < 0 ? r : add_default(s, key);
}

static int add_section(json_object *to, const KeySection *section, unsigned flags) {
        json_object *properties, *required = NULL;
        int r;

        r = ctl_json_add_text(to, "type", "object");
        if (r >= 0)
                r = ctl_json_add_bool(to, "additionalProperties", false);
        properties = ctl_json_add_object(to, "properties");

        for (size_t i = 0; i < section->n_keys && r >= 0; i++) {
                const KeyInfo *key = &section->keys[i];

                if (!key_allowed(key, flags))
                        continue;
                r = add_key(properties, key);
                if (r < 0 || !(key->flags & KEY_REQUIRED) || flags & KEY_DEFAULTS)
                        continue;
                if (!required)
                        required = ctl_json_add_array(to, "required");
                r = ctl_json_add_text(required, NULL, key->key);
        }

        return r;
}

/* A document has at least one control, and none that its service does not have. */
static int add_controls(json_object *to) {
        json_object *any = ctl_json_add_array(to, "anyOf"), *all = ctl_json_add_array(to, "allOf");
        int r = 0;

        for (Control c = 0; c < CONTROL__MAX && r >= 0; c++) {
                const char *name = keys_control(c)->key;
                json_object *rule, *then;

                r = add_strings(ctl_json_add_object(any, NULL), "required", &name, 1);
                rule = ctl_json_add_object(all, NULL);
                if (r >= 0)
                        r = add_strings(ctl_json_add_object(rule, "if"), "required", &name, 1);
                then = ctl_json_add_object(ctl_json_add_object(ctl_json_add_object(rule, "then"), "properties"), "service");
                if (r >= 0)
                        r = ctl_json_add_text(then, "const", service_to_string(control_service(c)));
        }

        return r;
}

json_object *schema_new(SchemaFile file) {
        _cleanup_(json_putp) json_object *s = json_object_new_object();
        bool instance = file == SCHEMA_INSTANCE;
        int r;

        r = ctl_json_add_text(s, "$schema", "http://json-schema.org/draft-07/schema#");
        if (r >= 0)
                r = ctl_json_add_text(s, "title", instance ? "holdfast: a policy of instances.d" : "holdfast.yaml");
        if (r >= 0)
                r = ctl_json_add_text(s, "description", "See holdfast.yaml(5). holdfastctl check knows more: it has the last word.");
        if (r >= 0)
                r = add_section(s, instance ? &keys_instance : &keys_settings, 0);
        if (r >= 0 && instance)
                r = add_controls(s);
        return r < 0 ? NULL : STEAL(s);
}
