/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/read.h"

/*
 * Databases of released versions are read for ever. The one of version 1 is kept as text (data/store/version-1.sql), as that version made it.
 */

#define TAURUS "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define T(n) (UINT64_C(1767225600) * USEC_PER_SEC + (n) * USEC_PER_SEC)         /* 2026-01-01T00:00:00Z and n seconds */

static int setup(void **state) {
        *state = folder_make();
        return 0;
}

static int teardown(void **state) {
        folder_remove(*state);
        return 0;
}

/* Makes holdfast.db as the version wrote it. */
static void make_version_1(const char *dir) {
        _cleanup_(freep) char *database = folder_path(dir, "holdfast.db"), *path = NULL, *sql = NULL;
        sqlite3 *db = NULL;
        struct stat st;
        size_t n;
        FILE *f;

        assert_true(asprintf(&path, "%s/store/version-1.sql", getenv("HOLDFAST_TEST_DATA")) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fstat(fileno(f), &st), 0);
        sql = calloc(1, (size_t) st.st_size + 1);
        assert_non_null(sql);
        n = fread(sql, 1, (size_t) st.st_size, f);
        assert_int_equal(n, st.st_size);
        assert_int_equal(fclose(f), 0);

        assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static Store *open_sound(const char *dir) {
        Store *store = NULL;
        char *aside = NULL;

        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        return store;
}

typedef struct Seen {
        unsigned n_controls, n_endpoints, n_grants;
} Seen;

static void check_lock(const ControlState *s) {
        const LockIntent *i = &s->lock.intents[0];

        assert_int_equal(s->verdict, VERDICT_VIOLATED);
        assert_int_equal(s->since_usec, T(1));
        assert_int_equal(s->unknown_since_usec, T(2));
        assert_int_equal(s->n_unknown, 2);
        assert_true(s->lock.seen);
        assert_int_equal(s->lock.start_usec, T(3));
        assert_int_equal(s->lock.end_usec, T(3) + 30 * USEC_PER_DAY);
        assert_int_equal(s->lock.struck, 1u << READING_FROM_START);
        assert_int_equal(s->lock.enabled_at_usec, T(4));
        assert_int_equal(s->said[SAID_LOCK_REFUSED].at_usec, T(8));
        assert_int_equal(s->said[SAID_LOCK_REFUSED].digest, 77);
        assert_int_equal(s->lock.n_intents, 1);
        assert_int_equal(i->action, LOCK_EXTEND);
        assert_int_equal(i->days, 30);
        assert_int_equal(i->outcome, INTENT_LOST);
        assert_int_equal(i->expected_end_usec, T(3) + 60 * USEC_PER_DAY);
        assert_int_equal(i->readings, 1u << READING_FROM_NOW | 1u << READING_ADDED);
}

static void check_control(const StateRecord *record) {
        const ControlState *s = record->control_state.state;

        /* What version 1 did not know. */
        assert_null(s->told.why);
        assert_int_equal(s->told.looked_at_usec, 0);
        assert_int_equal(s->told.change_at_usec, 0);
        assert_int_equal(s->told.changed_at_usec, 0);
        assert_null(s->told.changed_as);
        assert_null(s->told.changed_request_id);

        if (record->control == CONTROL_LOCK)
                check_lock(s);
        else if (record->control == CONTROL_SCHEDULE) {
                assert_int_equal(s->schedule.applied_at_usec, T(6));
                assert_int_equal(s->schedule.echo.hour, 10);
                assert_int_equal(s->schedule.phase_digest, 12345);
        } else {
                assert_string_equal(record->control_state.name, "orders");
                assert_int_equal(s->verdict, VERDICT_COMPLIANT);
        }
}

static int on_record(void *userdata, const StateRecord *record) {
        Seen *seen = userdata;

        if (record->kind == STATE_CONTROL) {
                check_control(record);
                seen->n_controls++;
        } else if (record->kind == STATE_ENDPOINT) {
                assert_true(record->endpoint.state->frozen);
                assert_int_equal(record->endpoint.state->readings, 1u << READING_FROM_NOW);
                assert_string_equal(record->endpoint.state->frozen_why, "past its cap");
                seen->n_endpoints++;
        } else {
                assert_int_equal(record->kind, STATE_GRANT);
                assert_string_equal(record->grant.bucket, "cbh-ynf");
                seen->n_grants++;
        }
        return 0;
}

static void assert_all_is_there(Store *store) {
        size_t n_skipped = 1;
        Seen seen = {};

        assert_int_equal(store_load(store, on_record, &seen, &n_skipped), 0);
        assert_int_equal(n_skipped, 0);
        assert_int_equal(seen.n_controls, 3);
        assert_int_equal(seen.n_endpoints, 1);
        assert_int_equal(seen.n_grants, 1);
}

static void test_version_1_keeps_everything(void **state) {
        make_version_1(*state);

        {
                _cleanup_(store_freep) Store *store = open_sound(*state);

                assert_all_is_there(store);
        }
        assert_int_equal(query_int(*state, "PRAGMA user_version"), 2);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM evidence WHERE at = 1767225613000000 AND detail = 'violated'"), 1);
        assert_int_equal(folder_count_broken(*state), 0);

        /* And again, now that there is nothing to bring up to date. */
        _cleanup_(store_freep) Store *store = open_sound(*state);
        assert_all_is_there(store);
}

static int note_told(void *userdata, const StateRecord *record) {
        const ControlTold *told = &record->control_state.state->told;

        if (record->kind != STATE_CONTROL || record->control != CONTROL_ENCRYPTION)
                return 0;

        assert_string_equal(told->why, "encrypted backup is on");
        assert_int_equal(told->looked_at_usec, T(100));
        assert_int_equal(told->change_at_usec, USEC_INFINITY);
        assert_int_equal(told->changed_at_usec, T(99));
        assert_string_equal(told->changed_as, "remediated");
        assert_string_equal(told->changed_request_id, "request-9");
        ++*(unsigned *) userdata;
        return 0;
}

static void test_version_1_takes_what_is_new(void **state) {
        char why[] = "encrypted backup is on", id[] = "request-9";
        ControlState control = {
                .verdict = VERDICT_COMPLIANT,
                .since_usec = T(98),
                .told = { why, T(100), USEC_INFINITY, T(99), event_type(EVENT_REMEDIATED)->name, id },
        };
        StateRecord record = {
                .kind = STATE_CONTROL,
                .service = SERVICE_TAURUSDB,
                .instance_id = TAURUS,
                .control = CONTROL_ENCRYPTION,
                .control_state = { .name = "orders", .state = &control },
        };
        unsigned n = 0;

        make_version_1(*state);
        _cleanup_(store_freep) Store *store = open_sound(*state);

        assert_int_equal(store_put(store, &record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_load(store, note_told, &n, NULL), 0);
        assert_int_equal(n, 1);
}

static int note_nothing_told(void *userdata, const StateRecord *record) {
        if (record->kind != STATE_CONTROL)
                return 0;

        check_control(record);
        ++*(unsigned *) userdata;
        return 0;
}

/* What only people read takes no memory of a lock with it. */
static void test_nonsense_for_people_costs_nothing(void **state) {
        static const char *const nonsense[] = {
                "UPDATE control SET looked_at = -1",
                "UPDATE control SET why = x'00'",
                "UPDATE control SET changed_as = 'abolished'",
                "UPDATE control SET changed_at = 'yesterday', why = 'x'",
        };

        for (size_t i = 0; i < N_ELEMENTS(nonsense); i++) {
                _cleanup_(freep) char *path = folder_path(*state, "holdfast.db");
                size_t n_skipped = 0;
                unsigned n = 0;

                print_message("%s\n", nonsense[i]);
                (void) unlink(path);
                make_version_1(*state);
                store_free(open_sound(*state));
                execute(*state, nonsense[i]);

                _cleanup_(store_freep) Store *store = open_sound(*state);
                assert_int_equal(store_load(store, note_nothing_told, &n, &n_skipped), 0);
                assert_int_equal(n, 3);
                assert_int_equal(n_skipped, 3);
        }
}

static char *read_all(const char *dir, const char *name, size_t *ret_n) {
        _cleanup_(freep) char *path = folder_path(dir, name);
        FILE *f = fopen(path, "re");
        struct stat st;
        char *p;

        assert_non_null(f);
        assert_int_equal(fstat(fileno(f), &st), 0);
        *ret_n = (size_t) st.st_size;
        p = calloc(1, *ret_n + 1);
        assert_non_null(p);
        assert_int_equal(fread(p, 1, *ret_n, f), *ret_n);
        assert_int_equal(fclose(f), 0);
        return p;
}

/* As a newer program left it that was killed: the version is in the log, with a table that nobody knows here. */
static void make_version_3_with_log(const char *dir) {
        int status;
        pid_t pid;

        make_version_1(dir);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                _cleanup_(freep) char *path = folder_path(dir, "holdfast.db");
                sqlite3 *db = NULL;

                if (sqlite3_open(path, &db) != SQLITE_OK ||
                    sqlite3_exec(db, "PRAGMA journal_mode = WAL; ALTER TABLE endpoint RENAME TO place; PRAGMA user_version = 3", NULL, NULL,
                                 NULL) != SQLITE_OK)
                        _exit(1);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A program of before a migration meets its result: refused, and neither misread nor changed nor moved away, since a freeze is in it. */
static void test_newer_version_is_refused(void **state) {
        static const char *const names[] = { "holdfast.db", "holdfast.db-wal" };
        _cleanup_(freep) char *aside = NULL;
        char *before[2], *after, text[STORE_TEXT_MAX];
        StoreView *view = NULL;
        Store *store = NULL;
        size_t n[2], n_after;

        make_version_3_with_log(*state);
        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                before[i] = read_all(*state, names[i], &n[i]);
        assert_true(n[1] > 0);

        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_open(*state, &store, &aside), -EPROTONOSUPPORT);
                assert_int_equal(store_open_existing(*state, &store), -EPROTONOSUPPORT);
                assert_int_equal(store_view_open(*state, &view), -EPROTONOSUPPORT);
        }
        assert_null(store);
        assert_null(view);
        assert_null(aside);
        assert_int_equal(folder_count_broken(*state), 0);

        assert_non_null(strstr(store_explain_newer(*state, text), "is of version 3, and this program knows up to version 2"));
        assert_non_null(strstr(store_explain_newer("/nonexistent", text), "is of a newer version"));

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                after = read_all(*state, names[i], &n_after);
                assert_int_equal(n_after, n[i]);
                assert_memory_equal(after, before[i], n[i]);
                free(after);
                free(before[i]);
        }
        assert_int_equal(query_int(*state, "SELECT count(*) FROM place WHERE frozen = 1"), 1);

        /* The newer program is there again. */
        execute(*state, "ALTER TABLE place RENAME TO endpoint; PRAGMA user_version = 1");
        store = open_sound(*state);
        assert_all_is_there(store);
        store = store_free(store);
}

/* A disk that fails in the middle of it: version 1 is still there, and the next start brings it up to date. */
static void test_interrupted_migration_changes_nothing(void **state) {
        _cleanup_(store_freep) Store *store = NULL;
        char *aside = NULL;

        make_version_1(*state);
        /* The first new column is there already: the step cannot be carried out, and is undone as a whole. */
        execute(*state, "CREATE TABLE control_of_before AS SELECT * FROM control; ALTER TABLE control ADD COLUMN changed_as TEXT");

        assert_int_equal(store_open(*state, &store, &aside), 0);        /* blamed on the content: set aside as it was */
        assert_non_null(aside);
        {
                _cleanup_(freep) char *path = folder_path(*state, aside);
                sqlite3 *db = NULL;
                sqlite3_stmt *stmt = NULL;

                assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
                assert_int_equal(sqlite3_prepare_v2(db, "SELECT user_version, (SELECT count(*) FROM pragma_table_info('control') "
                                                    "WHERE name = 'why'), (SELECT count(*) FROM control) FROM pragma_user_version",
                                                    -1, &stmt, NULL), SQLITE_OK);
                assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
                assert_int_equal(sqlite3_column_int(stmt, 0), 1);
                assert_int_equal(sqlite3_column_int(stmt, 1), 0);
                assert_int_equal(sqlite3_column_int(stmt, 2), 3);
                assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
                assert_int_equal(sqlite3_close(db), SQLITE_OK);
        }
        free(aside);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_version_1_keeps_everything, setup, teardown),
                cmocka_unit_test_setup_teardown(test_version_1_takes_what_is_new, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nonsense_for_people_costs_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_newer_version_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_interrupted_migration_changes_nothing, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
