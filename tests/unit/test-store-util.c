/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

char *folder_make(void) {
        const char *base = getenv("TMPDIR");
        char *dir;

        assert_true(asprintf(&dir, "%s/holdfast-store-XXXXXX", base && *base ? base : "/tmp") > 0);
        assert_non_null(mkdtemp(dir));
        return dir;
}

void folder_remove(char *dir) {
        DIR *d = opendir(dir);
        struct dirent *entry;

        assert_non_null(d);
        while ((entry = readdir(d)))
                if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        (void) unlinkat(dirfd(d), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
        (void) closedir(d);
        assert_int_equal(rmdir(dir), 0);
        free(dir);
}

char *folder_path(const char *dir, const char *name) {
        char *path;

        assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
        return path;
}

bool folder_has(const char *dir, const char *name) {
        _cleanup_(freep) char *path = folder_path(dir, name);
        struct stat st;

        return lstat(path, &st) == 0;
}

size_t folder_count_broken(const char *dir) {
        DIR *d = opendir(dir);
        struct dirent *entry;
        size_t n = 0;

        assert_non_null(d);
        while ((entry = readdir(d)))
                n += strstr(entry->d_name, ".broken-") != NULL;
        (void) closedir(d);
        return n;
}

/* xorshift64* */
uint64_t random_next(Random *random) {
        random->state ^= random->state >> 12;
        random->state ^= random->state << 25;
        random->state ^= random->state >> 27;
        return random->state * UINT64_C(2685821657736338717);
}

uint64_t random_below(Random *random, uint64_t n) {
        return (random_next(random) >> 11) % n;
}

static usec_t random_time(Random *random) {
        switch (random_below(random, 6)) {
        case 0:
                return 0;
        case 1:
                return INT64_MAX;
        default:
                return TIME_MIN_USEC + random_below(random, TIME_MAX_USEC - TIME_MIN_USEC);
        }
}

/* Also quotes, newlines, SQL and bytes that are no UTF-8: all of it comes back. */
static const char *random_text(Random *random, char buf[static 64]) {
        static const char *const texts[] = {
                "orders", "'; DROP TABLE control; --", "na\xc3\xafve \"quoted\"", "two\nlines\tand a tab", "\xff\xfe raw", "%s%n", "",
        };

        (void) snprintf(buf, 64, "%s-%" PRIu64, texts[random_below(random, N_ELEMENTS(texts))], random_below(random, 1000));
        return buf;
}

static CivilTime random_civil(Random *random) {
        CivilTime c = {
                .year = 1970 + (int) random_below(random, 8030),
                .month = 1 + (int) random_below(random, 12),
                .hour = (int) random_below(random, 24),
                .minute = (int) random_below(random, 60),
                .second = (int) random_below(random, 60),
        };

        c.day = 1 + (int) random_below(random, (uint64_t) civil_days_in_month(c.year, c.month));
        return random_below(random, 4) == 0 ? (CivilTime) {} : c;
}

static void random_lock(Random *random, LockMemory *m) {
        m->seen = random_below(random, 2);
        m->start_usec = random_time(random);
        m->end_usec = random_time(random);
        m->struck = (unsigned) random_below(random, READINGS_ALL + 1);
        m->enabled_at_usec = random_time(random);
        m->n_intents = random_below(random, LOCK_INTENTS_MAX + 1);
        for (size_t i = 0; i < m->n_intents; i++)
                m->intents[i] = (LockIntent) {
                        .action = (LockAction) random_below(random, LOCK_ACTION__MAX),
                        .days = 1 + (int64_t) random_below(random, 36500),
                        .outcome = (IntentOutcome) random_below(random, INTENT_OUTCOME__MAX),
                        .sent_at_usec = random_time(random),
                        .start_before_usec = random_time(random),
                        .end_before_usec = random_time(random),
                        .expected_end_usec = random_time(random),
                        .cap_at_usec = random_time(random),
                        .readings = (unsigned) random_below(random, READINGS_ALL + 1),
                };
}

static void random_schedule(Random *random, ScheduleMemory *m) {
        m->applied_at_usec = random_time(random);
        m->has_echo = random_below(random, 2);
        m->sent = random_civil(random);
        m->echo = random_civil(random);
        m->offset_at_echo = (int32_t) random_next(random);
        m->phase_digest = (uint32_t) random_next(random);
        m->on_since_usec = random_time(random);
}

static void random_told(Random *random, Sample *s) {
        ControlTold *t = &s->control.told;

        t->why = random_below(random, 4) ? (char *) random_text(random, s->text[1]) : NULL;
        t->looked_at_usec = random_time(random);
        t->change_at_usec = random_time(random);
        if (t->change_at_usec >= INT64_MAX)
                t->change_at_usec = USEC_INFINITY;      /* as what it is stored as is read */
        t->changed_at_usec = random_time(random);
        t->changed_as = random_below(random, 4) ? event_type((EventId) random_below(random, EVENT__MAX))->name : NULL;
        t->changed_request_id = random_below(random, 4) ? (char *) random_text(random, s->text[2]) : NULL;
}

static void sample_begin(Sample *s, StateKind kind, unsigned instance) {
        *s = (Sample) { .record.kind = kind };
        (void) snprintf(s->instance_id, sizeof(s->instance_id), "%032xin%02x", instance, instance % 256);
        s->record.instance_id = s->instance_id;
}

void sample_control(Random *random, Control c, unsigned instance, Sample *s) {
        sample_begin(s, STATE_CONTROL, instance);
        s->record.service = control_service(c);
        s->record.control = c;
        s->record.control_state.name = random_below(random, 8) == 0 ? NULL : random_text(random, s->text[0]);
        s->record.control_state.state = &s->control;

        s->control.verdict = (Verdict) random_below(random, VERDICT__MAX);
        s->control.since_usec = random_time(random);
        s->control.unknown_since_usec = random_time(random);
        s->control.n_unknown = (unsigned) random_next(random);
        for (size_t i = 0; i < SAID__MAX; i++)
                if (random_below(random, 2))
                        s->control.said[i] = (Said) { random_time(random), (uint32_t) random_next(random) };

        random_told(random, s);
        if (c == CONTROL_LOCK)
                random_lock(random, &s->control.lock);
        else if (c == CONTROL_SCHEDULE)
                random_schedule(random, &s->control.schedule);
}

void sample_endpoint(Random *random, unsigned n, Sample *s) {
        sample_begin(s, STATE_ENDPOINT, 0);
        (void) snprintf(s->text[0], sizeof(s->text[0]), "https://gaussdb-%u.example.com", n);
        s->record.service = (Service) random_below(random, SERVICE__MAX);
        s->record.endpoint.origin = s->text[0];
        s->record.endpoint.state = &s->endpoint;

        s->endpoint.readings = (unsigned) random_below(random, READINGS_ALL + 1);
        s->endpoint.frozen = random_below(random, 2);
        s->endpoint.frozen_at_usec = random_time(random);
        s->endpoint.said_frozen = (Said) { random_time(random), (uint32_t) random_next(random) };
        memset(s->endpoint.frozen_why, 'w', random_below(random, sizeof(s->endpoint.frozen_why)));
}

void sample_grant(Random *random, unsigned instance, unsigned n, Sample *s) {
        sample_begin(s, STATE_GRANT, instance);
        s->record.service = SERVICE_GAUSSDB;
        s->record.control = CONTROL_DOWNLOAD;
        (void) snprintf(s->text[0], sizeof(s->text[0]), "%064u", n);
        s->record.grant.backup_id = s->text[0];
        s->record.grant.granted_at_usec = random_time(random);
        s->record.grant.bucket = random_below(random, 4) ? random_text(random, s->text[1]) : NULL;
        s->record.grant.file_paths = random_below(random, 4) ? random_text(random, s->text[2]) : NULL;
        s->record.grant.request_id = random_below(random, 4) ? random_text(random, s->text[3]) : NULL;
}

void sample_evidence(Random *random, unsigned instance, Sample *s) {
        sample_begin(s, STATE_EVIDENCE, instance);
        s->record.service = SERVICE_TAURUSDB;
        s->record.control = CONTROL_LOCK;
        s->record.evidence.at_usec = random_time(random);
        s->record.evidence.what = "lock-intent";
        s->record.evidence.detail = random_text(random, s->text[0]);
        s->record.evidence.request_id = random_below(random, 2) ? random_text(random, s->text[1]) : NULL;
}

void sample_any(Random *random, Sample *s) {
        unsigned instance = (unsigned) random_below(random, 6);

        switch (random_below(random, 4)) {
        case 0:
                sample_endpoint(random, instance, s);
                break;
        case 1:
                sample_grant(random, instance, (unsigned) random_below(random, 4), s);
                break;
        case 2:
                sample_evidence(random, instance, s);
                break;
        default:
                sample_control(random, (Control) random_below(random, CONTROL__MAX), instance, s);
        }
}

static void print_civil(FILE *f, const CivilTime *c) {
        (void) fprintf(f, " %d-%d-%d/%d:%d:%d", c->year, c->month, c->day, c->hour, c->minute, c->second);
}

static void print_control(FILE *f, const StateRecord *record) {
        const ControlState *s = record->control_state.state;

        (void) fprintf(f, "%s\n%d %" PRIu64 " %" PRIu64 " %u", record->control_state.name ? record->control_state.name : "NULL",
                       s->verdict, s->since_usec, s->unknown_since_usec, s->n_unknown);
        for (size_t i = 0; i < SAID__MAX; i++)
                (void) fprintf(f, " %" PRIu64 "/%u", s->said[i].at_usec, s->said[i].digest);

        (void) fprintf(f, "\n%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s", s->told.why ? s->told.why : "NULL", s->told.looked_at_usec,
                       s->told.change_at_usec, s->told.changed_at_usec, s->told.changed_as ? s->told.changed_as : "NULL",
                       s->told.changed_request_id ? s->told.changed_request_id : "NULL");

        if (record->control == CONTROL_SCHEDULE) {
                (void) fprintf(f, "\n%" PRIu64 " %d", s->schedule.applied_at_usec, s->schedule.has_echo);
                print_civil(f, &s->schedule.sent);
                print_civil(f, &s->schedule.echo);
                (void) fprintf(f, " %d %u %" PRIu64, s->schedule.offset_at_echo, s->schedule.phase_digest,
                               s->schedule.on_since_usec);
        } else if (record->control == CONTROL_LOCK) {
                (void) fprintf(f, "\n%d %" PRIu64 " %" PRIu64 " %u %" PRIu64, s->lock.seen, s->lock.start_usec,
                               s->lock.end_usec, s->lock.struck, s->lock.enabled_at_usec);
                for (size_t i = 0; i < s->lock.n_intents; i++) {
                        const LockIntent *t = &s->lock.intents[i];

                        (void) fprintf(f, "\n%d %" PRId64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u",
                                       t->action, t->days, t->outcome, t->sent_at_usec, t->start_before_usec,
                                       t->end_before_usec, t->expected_end_usec, t->cap_at_usec, t->readings);
                }
        } else if (record->control == CONTROL_DOWNLOAD)
                assert_true(!s->download.grants && s->download.n_grants == 0);
}

static void print_endpoint(FILE *f, const EndpointState *s) {
        (void) fprintf(f, "%u %d %" PRIu64 " %s %" PRIu64 "/%u", s->readings, s->frozen, s->frozen_at_usec, s->frozen_why,
                       s->said_frozen.at_usec, s->said_frozen.digest);
}

static void print_grant(FILE *f, const StateRecord *r) {
        (void) fprintf(f, "%" PRIu64 " %s|%s|%s", r->grant.granted_at_usec, r->grant.bucket ? r->grant.bucket : "NULL",
                       r->grant.request_id ? r->grant.request_id : "NULL", r->grant.file_paths ? r->grant.file_paths : "NULL");
}

#define KEY_END '\x1f'

/* The key, KEY_END, and all else. */
static char *record_to_text(const StateRecord *record) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        switch (record->kind) {
        case STATE_CONTROL:
                (void) fprintf(f, "control %d %s %d%c", record->service, record->instance_id, record->control, KEY_END);
                print_control(f, record);
                break;
        case STATE_ENDPOINT:
                (void) fprintf(f, "endpoint %s%c%d ", record->endpoint.origin, KEY_END, record->service);
                print_endpoint(f, record->endpoint.state);
                break;
        case STATE_GRANT:
                (void) fprintf(f, "grant %d %s %s%c", record->service, record->instance_id, record->grant.backup_id, KEY_END);
                print_grant(f, record);
                break;
        case STATE_EVIDENCE:
        case STATE_KIND__MAX:
                fail_msg("no such record is handed back");
        }
        assert_int_equal(fclose(f), 0);
        return text;
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void model_append(Model *m, char *text) {
        m->texts = realloc(m->texts, (m->n + 1) * sizeof(char *));
        assert_non_null(m->texts);
        m->texts[m->n++] = text;
}

void model_put(Model *m, const StateRecord *record) {
        char *text;
        size_t n_key;

        if (record->kind == STATE_EVIDENCE)
                return;

        text = record_to_text(record);
        n_key = (size_t) (strchr(text, KEY_END) - text) + 1;
        for (size_t i = 0; i < m->n; i++)
                if (strncmp(m->texts[i], text, n_key) == 0) {
                        free(m->texts[i]);
                        m->texts[i] = text;
                        return;
                }

        model_append(m, text);
        qsort(m->texts, m->n, sizeof(char *), compare_texts);
}

/* Appends: a key that came twice would be a difference. */
static int on_record(void *userdata, const StateRecord *record) {
        model_append(userdata, record_to_text(record));
        return 0;
}

void model_load(Model *m, Store *store, size_t expected_skipped) {
        size_t skipped = 12345;

        model_done(m);
        assert_int_equal(store_load(store, on_record, m, &skipped), 0);
        assert_int_equal(skipped, expected_skipped);
        if (m->n > 0)
                qsort(m->texts, m->n, sizeof(char *), compare_texts);
}

void model_copy(const Model *from, Model *to) {
        model_done(to);
        for (size_t i = 0; i < from->n; i++) {
                char *text = strdup(from->texts[i]);

                assert_non_null(text);
                model_append(to, text);
        }
}

bool model_equal(const Model *a, const Model *b) {
        if (a->n != b->n)
                return false;

        for (size_t i = 0; i < a->n; i++)
                if (!streq(a->texts[i], b->texts[i]))
                        return false;

        return true;
}

void assert_models_equal(const Model *found, const Model *expected) {
        for (size_t i = 0; i < MIN(found->n, expected->n); i++)
                assert_string_equal(found->texts[i], expected->texts[i]);
        assert_int_equal(found->n, expected->n);
}

void model_done(Model *m) {
        for (size_t i = 0; i < m->n; i++)
                free(m->texts[i]);
        free(m->texts);
        *m = (Model) {};
}

static sqlite3 *reader_open(const char *dir) {
        _cleanup_(freep) char *path = folder_path(dir, "holdfast.db");
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        return db;
}

int64_t query_int(const char *dir, const char *sql) {
        sqlite3 *db = reader_open(dir);
        sqlite3_stmt *stmt = NULL;
        int64_t v = -1;

        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
                v = sqlite3_column_int64(stmt, 0);
        (void) sqlite3_finalize(stmt);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        return v;
}

void execute(const char *dir, const char *sql) {
        sqlite3 *db = reader_open(dir);
        char *error = NULL;

        if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
                fail_msg("%s: %s", sql, error);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
