/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/record.h"

#include <errno.h>

static int take_text(const KeyInfo *key, const char **p, Arena *arena) {
        if (!*p || (arena && key->flags & KEY_OWN))
                return 0;

        *p = arena ? arena_intern_text(arena, *p) : strdup(*p);
        return *p ? 0 : -ENOMEM;
}

static int take_backups(DownloadPolicy *p, Arena *arena) {
        _cleanup_(freep) const char **ids = NULL;
        const char *const *from = p->backup_ids;
        size_t n = p->n_backup_ids;

        assert(arena || n == 0);

        p->backup_ids = NULL;
        p->n_backup_ids = 0;
        if (n == 0)
                return 0;

        ids = malloc(n * sizeof(*ids));
        if (!ids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                ids[i] = arena_intern_text(arena, from[i]);
                if (!ids[i])
                        return -ENOMEM;
        }

        p->backup_ids = arena_intern(arena, ids, n * sizeof(*ids));
        if (!p->backup_ids)
                return -ENOMEM;
        p->n_backup_ids = n;
        return 0;
}

static int take_control(const KeyInfo *key, const void **p, Arena *arena) {
        union {
                EncryptionPolicy encryption;
                SchedulePolicy schedule;
                LockPolicy lock;
                DownloadPolicy download;
        } copy;
        int r;

        assert(arena || !*p);
        assert(key->size <= sizeof(copy));

        if (!*p)
                return 0;

        /* Once its texts are stored but once, equal sections are equal bytes. */
        memcpy(&copy, *p, key->size);
        r = record_take(key->section, &copy, arena);
        *p = r >= 0 ? arena_intern(arena, &copy, key->size) : NULL;
        return *p ? 0 : -ENOMEM;
}

static int take_field(const KeyInfo *key, void *p, Arena *arena) {
        switch (key->type) {
        case KEY_TEXT:
        case KEY_ORIGIN:
                return take_text(key, p, arena);
        case KEY_BACKUPS:
                return take_backups(p, arena);
        case KEY_SECTION:
                return record_take(key->section, p, arena);
        case KEY_CONTROL:
                return take_control(key, p, arena);
        case KEY_WORD:
        case KEY_SWITCH:
        case KEY_INTEGER:
        case KEY_COUNT:
        case KEY_RATE:
        case KEY_DURATION:
        case KEY_TIME:
        case KEY_ZONE: /* belongs to base/timezone */
        case KEY_TYPE__MAX:
                break;
        }
        return 0;
}

int record_take(const KeySection *section, void *target, Arena *arena) {
        int result = 0;

        assert(section);
        assert(target);

        /* To the end even after a failure, so that no pointer is left that belongs to somebody else. */
        for (size_t i = 0; i < section->n_keys; i++) {
                int r = take_field(&section->keys[i], (char *) target + section->keys[i].offset, arena);

                if (r < 0)
                        result = r;
        }

        return result;
}

void record_done(const KeySection *section, void *target) {
        assert(section);
        assert(target);

        for (size_t i = 0; i < section->n_keys; i++) {
                const KeyInfo *key = &section->keys[i];
                void *p = (char *) target + key->offset;

                if (key->type == KEY_SECTION)
                        record_done(key->section, p);
                else if (key->type == KEY_TEXT || key->type == KEY_ORIGIN) {
                        free(*(char **) p);
                        *(char **) p = NULL;
                }
        }
}

static bool text_equal(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

static bool backups_equal(const DownloadPolicy *a, const DownloadPolicy *b) {
        if (a->latest != b->latest || a->n_backup_ids != b->n_backup_ids)
                return false;

        for (size_t i = 0; i < a->n_backup_ids; i++)
                if (!streq(a->backup_ids[i], b->backup_ids[i]))
                        return false;

        return true;
}

static bool time_equal(const CivilTime *a, const CivilTime *b) {
        return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour &&
               a->minute == b->minute && a->second == b->second;
}

static bool zone_equal(const Timezone *a, const Timezone *b) {
        return a == b || (a && b && streq(timezone_name(a), timezone_name(b)));
}

static bool control_equal(const KeyInfo *key, const void *a, const void *b) {
        return a && b ? record_equal(key->section, a, b) : a == b;
}

static bool field_equal(const KeyInfo *key, const void *a, const void *b) {
        switch (key->type) {
        case KEY_TEXT:
        case KEY_ORIGIN:
                return text_equal(*(char *const *) a, *(char *const *) b);
        case KEY_WORD:
        case KEY_COUNT:
        case KEY_RATE:
                return *(const unsigned *) a == *(const unsigned *) b;
        case KEY_SWITCH:
                return *(const bool *) a == *(const bool *) b;
        case KEY_INTEGER:
                return *(const int64_t *) a == *(const int64_t *) b;
        case KEY_DURATION:
                return *(const usec_t *) a == *(const usec_t *) b;
        case KEY_TIME:
                return time_equal(a, b);
        case KEY_ZONE:
                return zone_equal(*(const Timezone *const *) a, *(const Timezone *const *) b);
        case KEY_BACKUPS:
                return backups_equal(a, b);
        case KEY_SECTION:
                return record_equal(key->section, a, b);
        case KEY_CONTROL:
                return control_equal(key, *(void *const *) a, *(void *const *) b);
        case KEY_TYPE__MAX:
                break;
        }
        assert(false);
        return false;
}

bool record_equal(const KeySection *section, const void *a, const void *b) {
        assert(section);
        assert(a);
        assert(b);

        for (size_t i = 0; i < section->n_keys; i++) {
                const KeyInfo *key = &section->keys[i];

                if (key->flags & KEY_UNSTORED)
                        continue;
                if (!field_equal(key, (const char *) a + key->offset, (const char *) b + key->offset))
                        return false;
        }

        return true;
}
