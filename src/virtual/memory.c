/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "virtual/machine-internal.h"

/*
 * What reads have shown. Most polls of a year show what the one before did: those are answered from here.
 */

Remembered *remembered_ref(Remembered *r) {
        r->n_ref++;
        return r;
}

Remembered *remembered_unref(Remembered *r) {
        if (!r || --r->n_ref > 0)
                return NULL;

        answer_done(&r->answer);
        free(r);
        return NULL;
}

/* Its place among what is remembered of an instance; -1: it cannot be. */
static int place_of(Call call) {
        static const Call reads[MEMORY_READS] = {
                CALL_LOCK_GET,
                CALL_ENCRYPTION_GET,
                CALL_SCHEDULE_GET,
                CALL_TAURUSDB_BACKUPS,
                CALL_GAUSSDB_BACKUPS,
        };

        for (int i = 0; i < MEMORY_READS; i++)
                if (reads[i] == call)
                        return i;

        return -1;
}

static int64_t offset_of(const Ask *ask) {
        return ask->call == CALL_TAURUSDB_BACKUPS || ask->call == CALL_GAUSSDB_BACKUPS ? ask->backups.offset : 0;
}

bool memory_can_hold(const Ask *ask) {
        return place_of(ask->call) >= 0;
}

static Known *known_find(const Memory *y, const Instance *i) {
        Known *k = NULL;

        HASH_FIND_PTR(y->known, &i, k);
        return k;
}

static bool known_is_of(const Known *k, const Instance *i) {
        return streq0(k->instance_id, i->instance_id) && streq0(k->region, i->terms->region) && streq0(k->project_id, i->terms->project_id) &&
               streq0(k->domain_id, i->terms->domain_id);
}

static Known *known_free(Known *k) {
        if (!k)
                return NULL;

        for (size_t i = 0; i < MEMORY_READS; i++)
                remembered_unref(k->reads[i]);
        free(k->instance_id);
        free(k->region);
        free(k->project_id);
        free(k->domain_id);
        free(k);
        return NULL;
}
DEFINE_CLEANUP(Known *, known_free)

static void known_drop(Memory *y, Known *k) {
        HASH_DEL(y->known, k);
        known_free(k);
}

static int copy_text(const char *s, char **ret) {
        if (!s)
                return 0;

        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

/* Found or made; NULL: out of memory. */
static Known *known_get(Memory *y, const Instance *i) {
        _cleanup_(known_freep) Known *k = NULL;
        Known *before = known_find(y, i);

        if (before && known_is_of(before, i))
                return before;
        if (before)
                known_drop(y, before);

        k = calloc(1, sizeof(*k));
        if (!k)
                return NULL;
        k->instance = i;
        if (copy_text(i->instance_id, &k->instance_id) < 0 || copy_text(i->terms->region, &k->region) < 0 ||
            copy_text(i->terms->project_id, &k->project_id) < 0 || copy_text(i->terms->domain_id, &k->domain_id) < 0)
                return NULL;

        HASH_ADD_PTR(y->known, instance, k);
        return hash_added(k) ? STEAL(k) : NULL;
}

/* What a read of an instance has shown; NULL: not known. */
static Remembered *known_read(const Memory *y, const Instance *i, Call call) {
        int place = place_of(call);
        const Known *k = place >= 0 ? known_find(y, i) : NULL;
        Remembered *r = k ? k->reads[place] : NULL;

        return r && r->generation == y->generation && known_is_of(k, i) ? r : NULL;
}

Remembered *memory_find(const Memory *y, const Instance *i, const Ask *ask, usec_t now_usec) {
        Remembered *r = known_read(y, i, ask->call);

        return r && now_usec < r->until_usec && r->offset == offset_of(ask) ? r : NULL;
}

static usec_t news_at(const Memory *y, const Instance *i, Call call) {
        const Remembered *r = known_read(y, i, call);

        return r ? r->news_at_usec : 0;
}

usec_t memory_news_at(const Memory *y, const Instance *i, Control control) {
        switch (control) {
        case CONTROL_ENCRYPTION:
                return news_at(y, i, CALL_ENCRYPTION_GET);
        case CONTROL_SCHEDULE:
                return news_at(y, i, CALL_SCHEDULE_GET);
        case CONTROL_LOCK:
                if (i->terms->lock->require_manual_backup_usec == USEC_INFINITY)
                        return news_at(y, i, CALL_LOCK_GET);
                return MIN(news_at(y, i, CALL_LOCK_GET), news_at(y, i, CALL_TAURUSDB_BACKUPS));
        case CONTROL_DOWNLOAD:
                return i->terms->download->latest ? news_at(y, i, CALL_GAUSSDB_BACKUPS) : USEC_INFINITY;
        case CONTROL__MAX:
                break;
        }

        return 0;
}

Remembered *memory_learn(Memory *y, const Instance *i, const Ask *ask, const WireSteady *steady, Answer *taken) {
        int place = place_of(ask->call);
        Remembered *r;
        Known *k;

        assert(place >= 0);

        k = known_get(y, i);
        r = k ? calloc(1, sizeof(*r)) : NULL;
        if (!r)
                return NULL;

        *r = (Remembered) {
                .n_ref = 1,
                .generation = y->generation,
                .offset = offset_of(ask),
                .until_usec = steady->until_usec,
                .news_at_usec = steady->news_at_usec,
                .answer = *taken,
        };
        *taken = (Answer) {};
        remembered_unref(k->reads[place]);
        k->reads[place] = r;
        return r;
}

void memory_forget_call(Memory *y, const Instance *i, Call call) {
        Known *k = known_find(y, i);
        int place = place_of(call);

        if (k && place >= 0)
                k->reads[place] = remembered_unref(k->reads[place]);
}

void memory_forget_instance(Memory *y, const Instance *i) {
        Known *k = known_find(y, i);

        for (size_t n = 0; k && n < MEMORY_READS; n++)
                k->reads[n] = remembered_unref(k->reads[n]);
}

void memory_forget(Memory *y) {
        y->generation++;
}

void memory_done(Memory *y) {
        Known *k, *next;

        HASH_ITER(hh, y->known, k, next)
                known_drop(y, k);
}

/* --- The same? ---------------------------------------------------------------------------------------------------- */

static bool lock_is_alike(const LockFacts *a, const LockFacts *b) {
        return a->presence == b->presence && a->explicit_none == b->explicit_none && a->retention_days == b->retention_days &&
               a->start_usec == b->start_usec && a->end_usec == b->end_usec && a->raw_start == b->raw_start && a->raw_end == b->raw_end &&
               a->unit == b->unit;
}

static bool civil_is_alike(const CivilTime *a, const CivilTime *b) {
        return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour && a->minute == b->minute &&
               a->second == b->second;
}

static bool schedule_is_alike(const ScheduleFacts *a, const ScheduleFacts *b) {
        return a->configured == b->configured && a->on == b->on && a->cycle == b->cycle && streq0(a->bucket_name, b->bucket_name) &&
               streq0(a->bucket_root_path, b->bucket_root_path) && a->has_trigger == b->has_trigger && a->has_latest == b->has_latest &&
               civil_is_alike(&a->trigger, &b->trigger) && civil_is_alike(&a->latest, &b->latest) &&
               a->latest_has_zone == b->latest_has_zone && a->latest_at_usec == b->latest_at_usec && streq(a->trigger_text, b->trigger_text);
}

static bool backup_is_alike(const BackupFacts *a, const BackupFacts *b) {
        return streq(a->id, b->id) && a->status == b->status && a->manual == b->manual && a->of_instance == b->of_instance &&
               a->begin_usec == b->begin_usec && a->end_usec == b->end_usec;
}

static bool page_is_alike(const BackupPage *a, const BackupPage *b) {
        if (a->n_items != b->n_items || a->total != b->total)
                return false;

        for (size_t i = 0; i < a->n_items; i++)
                if (!backup_is_alike(&a->items[i], &b->items[i]))
                        return false;

        return true;
}

bool memory_is_alike(const Answer *a, const Answer *b) {
        if (a->call != b->call)
                return false;

        switch (a->call) {
        case CALL_ENCRYPTION_GET:
                return a->encryption_on == b->encryption_on;
        case CALL_LOCK_GET:
                return lock_is_alike(&a->lock, &b->lock);
        case CALL_SCHEDULE_GET:
                return schedule_is_alike(&a->schedule, &b->schedule);
        case CALL_TAURUSDB_BACKUPS:
        case CALL_GAUSSDB_BACKUPS:
                return page_is_alike(&a->backups, &b->backups);
        case CALL_ENCRYPTION_SET:
        case CALL_LOCK_SET:
        case CALL_SCHEDULE_SET:
        case CALL_DOWNLOAD_AUTHORIZE:
        case CALL_PROJECTS:
        case CALL_TOKEN:
        case CALL_METADATA_TOKEN:
        case CALL_METADATA_KEY:
        case CALL__MAX:
                break;
        }

        return false;
}
