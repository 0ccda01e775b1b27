/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

static int setup(void **state) {
        *state = folder_make();
        return 0;
}

static int teardown(void **state) {
        folder_remove(*state);
        return 0;
}

static Store *open_sound(const char *dir) {
        Store *store = NULL;
        char *aside = NULL;

        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        return store;
}

static void put_all_kinds(Store *store, Random *random, Model *model) {
        for (unsigned i = 0; i < 5; i++) {
                Sample s;

                for (Control c = 0; c < CONTROL__MAX; c++) {
                        sample_control(random, c, i, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                        model_put(model, &s.record);
                }

                sample_endpoint(random, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
                model_put(model, &s.record);

                for (unsigned k = 0; k < 3; k++) {
                        sample_grant(random, i, k, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                        model_put(model, &s.record);
                }

                sample_evidence(random, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
        }
}

/* What was put comes out the same, at once, after a restart, and after being replaced by something else. */
static void test_store_round_trip(void **state) {
        Model expected = {}, found = {};

        for (uint64_t seed = 1; seed <= 20; seed++) {
                _cleanup_(store_freep) Store *store = open_sound(*state);
                Random random = { seed };

                put_all_kinds(store, &random, &expected);
                assert_true(store_dirty(store));
                assert_int_equal(store_commit(store), 0);
                assert_false(store_dirty(store));
                model_load(&found, store, 0);
                assert_models_equal(&found, &expected);

                store = store_free(store);
                store = open_sound(*state);
                model_load(&found, store, 0);
                assert_models_equal(&found, &expected);
                assert_int_equal(found.n, 5 * (CONTROL__MAX + 1 + 3));
        }

        assert_int_equal(query_int(*state, "SELECT count(*) FROM evidence"), 20 * 5);
        model_done(&expected);
        model_done(&found);
}

static void test_store_put_clamps_infinity(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 3 };
        Sample s;

        sample_control(&random, CONTROL_LOCK, 1, &s);
        s.control.lock.end_usec = USEC_INFINITY;
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(query_int(*state, "SELECT lock_end FROM control"), INT64_MAX);
}

/* Each of these makes a record that could not come back as it was put. Return: false past the last one. */
static bool spoil(int way, Sample *s, Random *random) {
        sample_control(random, way < 8 ? CONTROL_LOCK : CONTROL_SCHEDULE, 1, s);
        if (way < 8) {
                s->control.lock.n_intents = 1;
                s->control.lock.intents[0] = (LockIntent) { .days = 1 };
        }

        switch (way) {
        case 0:
                s->record.kind = STATE_KIND__MAX;
                return true;
        case 1:
                s->record.instance_id = NULL;
                return true;
        case 2:
                s->record.service = SERVICE_DBSS;
                return true;
        case 3:
                s->control.verdict = VERDICT__MAX;
                return true;
        case 4:
                s->control.lock.n_intents = LOCK_INTENTS_MAX + 1;
                return true;
        case 5:
                s->control.lock.struck = READINGS_ALL + 1;
                return true;
        case 6:
                s->control.lock.intents[0].days = 0;
                return true;
        case 7:
                s->control.lock.intents[0].days = 36501;
                return true;
        case 8:
                s->control.schedule.sent = (CivilTime) { 2026, 2, 29, 0, 0, 0 };
                return true;
        case 9:
                s->control.schedule.echo = (CivilTime) { 2026, 2, 1, 24, 0, 0 };
                return true;
        case 10:
                s->record.control = CONTROL__MAX;
                return true;
        case 11:
                sample_endpoint(random, 0, s);
                s->endpoint.readings = READINGS_ALL + 1;
                return true;
        case 12:
                sample_endpoint(random, 0, s);
                memset(s->endpoint.frozen_why, 'x', sizeof(s->endpoint.frozen_why));
                return true;
        case 13:
                sample_grant(random, 0, 0, s);
                s->record.grant.backup_id = "";
                return true;
        case 14:
                sample_evidence(random, 0, s);
                s->record.evidence.what = NULL;
                return true;
        default:
                return false;
        }
}

static void test_store_put_refuses_nonsense(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 5 };
        Model model = {};
        Sample s;

        for (int way = 0; spoil(way, &s, &random); way++) {
                print_message("way %d\n", way);
                assert_int_equal(store_put(store, &s.record), -EINVAL);
                assert_false(store_dirty(store));
        }

        model_load(&model, store, 0);
        assert_int_equal(model.n, 0);
}

/* Uncommitted records are seen by the store itself, and by nobody after it is gone. */
static void test_store_free_commits_nothing(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Model model = {};
        Random random = { 11 };

        put_all_kinds(store, &random, &model);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM control"), 0);
        store = store_free(store);
        store = open_sound(*state);
        model_load(&model, store, 0);
        assert_int_equal(model.n, 0);
        assert_int_equal(store_commit(store), 0);       /* of nothing */
}

static void test_store_thaw(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 19 };
        Sample s;

        for (unsigned i = 0; i < 3; i++) {
                sample_endpoint(&random, i, &s);
                s.endpoint.frozen = true;
                s.endpoint.frozen_at_usec = T0;
                s.endpoint.readings = 1u << READING_FROM_NOW;
                assert_int_equal(store_put(store, &s.record), 0);
        }
        assert_int_equal(store_commit(store), 0);

        /* By its name, what was learned of it is forgotten where it is not frozen; by no name it is left alone. */
        sample_endpoint(&random, 3, &s);
        s.endpoint.frozen = false;
        s.endpoint.readings = 1u << READING_ADDED;
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_thaw(store, "https://gaussdb-3.example.com"), 1);
        assert_int_equal(store_thaw(store, "https://gaussdb-3.example.com"), 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM endpoint WHERE readings = 'added'"), 0);

        assert_int_equal(store_thaw(store, "https://elsewhere.example.com"), 0);
        assert_int_equal(store_thaw(store, "https://gaussdb-1.example.com"), 1);
        assert_false(store_dirty(store));       /* durable at once */
        assert_int_equal(query_int(*state, "SELECT sum(frozen) FROM endpoint"), 2);
        assert_int_equal(query_int(*state, "SELECT frozen_at + length(frozen_why) + said_at + said_digest FROM endpoint "
                                           "WHERE origin = 'https://gaussdb-1.example.com'"), 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM endpoint WHERE readings = 'from-now'"), 2);

        /* Together with evidence of who did it. */
        sample_evidence(&random, 1, &s);
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_thaw(store, NULL), 2);
        assert_int_equal(query_int(*state, "SELECT sum(frozen) FROM endpoint"), 2);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(query_int(*state, "SELECT sum(frozen) FROM endpoint"), 0);
        assert_int_equal(store_thaw(store, NULL), 0);

        sample_endpoint(&random, 3, &s);
        s.endpoint.frozen = false;
        s.endpoint.readings = 1u << READING_ADDED;
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_thaw(store, NULL), 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM endpoint WHERE readings = 'added'"), 1);
}

static void test_store_prune(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 23 };
        Sample s;

        for (unsigned i = 0; i < 12000; i++) {  /* more than two batches */
                sample_evidence(&random, i % 10, &s);
                s.record.evidence.at_usec = T0 + i;
                assert_int_equal(store_put(store, &s.record), 0);
        }
        assert_int_equal(store_commit(store), 0);

        assert_int_equal(store_prune(store, T0), 0);
        assert_int_equal(store_prune(store, T0 + 11000), 11000);
        assert_int_equal(query_int(*state, "SELECT min(at) FROM evidence"), T0 + 11000);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM evidence"), 1000);
        assert_int_equal(store_prune(store, USEC_INFINITY), 1000);

        /* Ids are never given twice, so that a reader who remembers one misses nothing. */
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(query_int(*state, "SELECT id FROM evidence"), 12001);
}

static void test_store_evidence_without_instance(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        StateRecord record = {
                .kind = STATE_EVIDENCE,
                .service = SERVICE__MAX,
                .control = CONTROL_LOCK,
                .evidence = { .at_usec = T0, .what = "lock-thawed", .detail = "every endpoint" },
        };

        assert_int_equal(store_put(store, &record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM history WHERE at = '2026-01-01T00:00:00Z' AND service IS NULL "
                                           "AND control IS NULL AND instance_id IS NULL AND what = 'lock-thawed'"), 1);
}

static void test_store_overview_is_readable(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 29 };
        Sample s;

        sample_control(&random, CONTROL_LOCK, 1, &s);
        s.record.control_state.name = "orders";
        s.control.verdict = VERDICT_COMPLIANT;
        s.control.since_usec = T0;
        s.control.unknown_since_usec = 0;
        s.control.lock.end_usec = T0 + USEC_PER_DAY;
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM overview WHERE name = 'orders' AND service = 'taurusdb' "
                                           "AND control = 'lock' AND verdict = 'compliant' AND since = '2026-01-01T00:00:00Z' "
                                           "AND unknown_since IS NULL AND lock_end = '2026-01-02T00:00:00Z'"), 1);
}

/* In a process of its own, since that is who is refused; a reader is not. */
static void test_store_open_refuses_second_opener(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Store *second = NULL;
        int status;
        pid_t pid;

        assert_int_equal(store_open(*state, &second, NULL), -EBUSY);

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Store *other = NULL;

                _exit(store_open(*state, &other, NULL) == -EBUSY ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_int_equal(query_int(*state, "SELECT count(*) FROM control"), 0);

        store = store_free(store);
        store = open_sound(*state);
}

/* A writer from outside delays, but nothing is lost, and nothing hangs. */
static void test_store_put_while_another_writes(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 31 };
        int ready[2], done[2], status;
        char c;
        Sample s;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        assert_int_equal(pipe(done), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                _cleanup_(freep) char *command = NULL;
                FILE *tool;

                if (asprintf(&command, "sqlite3 '%s/holdfast.db' >/dev/null", (char *) *state) < 0 || !(tool = popen(command, "w")))
                        _exit(77);
                (void) fprintf(tool, "BEGIN IMMEDIATE;\n.shell echo > '%s/taken'\n", (char *) *state);
                (void) fflush(tool);
                for (int i = 0; i < 200 && !folder_has(*state, "taken"); i++)
                        (void) usleep(20000);
                if (!folder_has(*state, "taken") || write(ready[1], "r", 1) != 1 || read(done[0], &c, 1) != 1)
                        _exit(77);
                _exit(pclose(tool) == 0 ? 0 : 1);
        }

        (void) close(ready[1]);
        if (read(ready[0], &c, 1) == 1) {
                sample_control(&random, CONTROL_LOCK, 1, &s);
                assert_int_equal(store_put(store, &s.record), -EBUSY);
                assert_false(store_dirty(store));
        }
        assert_int_equal(write(done[1], "d", 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        (void) close(ready[0]);
        (void) close(done[0]);
        (void) close(done[1]);
        if (WEXITSTATUS(status) == 77)
                skip(); /* no sqlite3(1) here */

        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
}

static void test_store_commit_after_file_is_gone(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        _cleanup_(freep) char *path = folder_path(*state, "holdfast.db");
        Random random = { 37 };
        Sample s;

        sample_control(&random, CONTROL_LOCK, 1, &s);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), -ESTALE);
        assert_false(store_dirty(store));
        assert_int_equal(store_thaw(store, NULL), -ESTALE);
}

static void test_store_files_are_private(void **state) {
        static const char *const names[] = { "holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.lock" };
        mode_t before = umask(0);
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 41 };
        Model model = {};

        (void) umask(before);
        put_all_kinds(store, &random, &model);
        assert_int_equal(store_commit(store), 0);
        model_done(&model);

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                _cleanup_(freep) char *path = folder_path(*state, names[i]);
                struct stat st;

                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
        assert_false(folder_has(*state, "holdfast.db.new"));
}

/* No descriptor of ours reaches a program that we start. */
static void test_store_descriptors_are_cloexec(void **state) {
        _cleanup_(store_freep) _unused_ Store *store = open_sound(*state);
        size_t n = strlen(*state), n_found = 0;

        for (int fd = 0; fd < 256; fd++) {
                char name[64], target[4096];
                ssize_t k;

                (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
                k = readlink(name, target, sizeof(target) - 1);
                if (k < (ssize_t) n || strncmp(target, *state, n) != 0)
                        continue;

                n_found++;
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        }
        assert_true(n_found >= 3);      /* folder, lock, database */
}

static void test_store_open_pragmas(void **state) {
        _cleanup_(store_freep) _unused_ Store *store = open_sound(*state);

        assert_int_equal(query_int(*state, "PRAGMA user_version"), 2);
        assert_int_equal(query_int(*state, "PRAGMA application_id"), 0x484f4c44);
        assert_int_equal(query_int(*state, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}

/* However much is written, the log is checkpointed: it does not outgrow what one commit needs. */
static void test_store_log_is_bounded(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        _cleanup_(freep) char *path = folder_path(*state, "holdfast.db-wal");
        Random random = { 43 };
        struct stat st;

        for (int round = 0; round < 60; round++) {
                for (unsigned i = 0; i < 300; i++) {
                        Sample s;

                        sample_control(&random, CONTROL_LOCK, i, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                }
                assert_int_equal(store_commit(store), 0);
        }

        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < 8 * 1024 * 1024);
        assert_true(st.st_size > 100 * 1024);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_store_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_put_clamps_infinity, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_put_refuses_nonsense, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_free_commits_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_thaw, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_prune, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_evidence_without_instance, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_overview_is_readable, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_open_refuses_second_opener, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_put_while_another_writes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_commit_after_file_is_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_files_are_private, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_descriptors_are_cloexec, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_open_pragmas, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_log_is_bounded, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
