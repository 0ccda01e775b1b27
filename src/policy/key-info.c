/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/keys.h"

const KeyInfo *keys_find(const KeySection *section, const char *key) {
        assert(section);
        assert(key);

        for (size_t i = 0; i < section->n_keys; i++)
                if (streq(section->keys[i].key, key))
                        return &section->keys[i];

        return NULL;
}

const KeyInfo *keys_control(Control c) {
        for (size_t i = 0; i < keys_instance.n_keys; i++)
                if (keys_instance.keys[i].type == KEY_CONTROL && keys_instance.keys[i].control == c)
                        return &keys_instance.keys[i];

        return NULL;
}

bool key_allowed(const KeyInfo *key, unsigned section_flags) {
        assert(key);
        return !(section_flags & KEY_DEFAULTS) || key->initial;
}

/* "enforce or observe", "a, b or c" */
static void words_expected(const KeyInfo *key, char *buf, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < key->n_words && n < size; i++) {
                const char *separator = i == 0 ? "" : i + 1 == key->n_words ? " or " : ", ";

                n += (size_t) snprintf(buf + n, size - n, "%s%s", separator, key->words[i]);
        }
}

static void duration_expected(const KeyInfo *key, char *buf, size_t size) {
        (void) snprintf(buf, size, "%sa duration from %s to %s, such as %s",
                        key->flags & KEY_NEVER ? "never, or " : "", key->shortest, key->longest,
                        key->initial && !streq(key->initial, "never") ? key->initial : "30d");
}

char *key_expected(const KeyInfo *key, char buf[static KEY_EXPECTED_MAX]) {
        const size_t size = KEY_EXPECTED_MAX;
        const char *text = key->form;

        switch (key->type) {
        case KEY_TEXT:
        case KEY_ORIGIN:
                break;
        case KEY_WORD:
                words_expected(key, buf, size);
                return buf;
        case KEY_SWITCH:
                text = "on or off";
                break;
        case KEY_INTEGER:
        case KEY_COUNT:
                (void) snprintf(buf, size, "a whole number of %s from %" PRIu64 " to %" PRIu64, key->unit, key->min,
                                key->max);
                return buf;
        case KEY_RATE:
                (void) snprintf(buf, size, "a rate from %" PRIu64 "/s to %" PRIu64 "/s", key->min, key->max);
                return buf;
        case KEY_DURATION:
                duration_expected(key, buf, size);
                return buf;
        case KEY_TIME:
                text = "a time that exists, written as yyyy-MM-dd HH:mm:ss";
                break;
        case KEY_ZONE:
                text = "a time zone that this host knows, such as Asia/Singapore";
                break;
        case KEY_BACKUPS:
                text = "latest, or a list of backup ids";
                break;
        case KEY_SECTION:
        case KEY_CONTROL:
                text = "a mapping";
                break;
        case KEY_TYPE__MAX:
                assert(false);
                break;
        }
        (void) snprintf(buf, size, "%s", text);
        return buf;
}

static int section_each(const KeySection *section, unsigned flags, const char *prefix,
                        int (*visit)(void *userdata, const char *path, const KeyInfo *key), void *userdata) {
        for (size_t i = 0; i < section->n_keys; i++) {
                const KeyInfo *key = &section->keys[i];
                char path[KEY_PATH_MAX];
                int r;

                if (!key_allowed(key, flags))
                        continue;

                (void) snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key->key);
                r = visit(userdata, path, key);
                if (r < 0)
                        return r;
                if (!key->section)
                        continue;
                r = section_each(key->section, key->flags, path, visit, userdata);
                if (r < 0)
                        return r;
        }

        return 0;
}

int keys_each(const KeySection *section, int (*visit)(void *userdata, const char *path, const KeyInfo *key),
              void *userdata) {
        assert(section);
        assert(visit);
        return section_each(section, 0, "", visit, userdata);
}
