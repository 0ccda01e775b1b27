/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: whatever the disk does at whatever moment, what store_commit() said is durable is there afterwards, what it refused is told, the
 * store works again when the disk does, and a disk that fails is never taken for a broken database.
 */

#include "test-store-util.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test-store-vfs.h"

#define ROUNDS_MAX 4000         /* faults tried; each test ends when one lies past its last call */

/* What the caller of the store knows. */
typedef struct Truth {
        Model committed;        /* store_commit() returned 0 */
        Model attempted;        /* the commit that failed last, whose records may yet turn up after a power cut */
        bool has_attempted;
} Truth;

static void truth_done(Truth *t) {
        model_done(&t->committed);
        model_done(&t->attempted);
}

/* One transaction. Return: 0 if it is durable, else -EIO for any reason. */
static int transact(Store *store, Random *random, Truth *truth) {
        unsigned n = 1 + (unsigned) random_below(random, 12);
        Model gathered = {};
        int r = 0;

        model_copy(&truth->committed, &gathered);
        for (unsigned i = 0; i < n; i++) {
                Sample s;

                sample_any(random, &s);
                if (store_put(store, &s.record) >= 0)
                        model_put(&gathered, &s.record);
        }

        /* A failed put may have cost those before it: then the commit says so. */
        if (store_commit(store) < 0) {
                r = -EIO;
                model_copy(&gathered, &truth->attempted);
                truth->has_attempted = true;
        } else {
                model_copy(&gathered, &truth->committed);
                truth->has_attempted = false;
        }

        assert_false(store_dirty(store));
        model_done(&gathered);
        return r;
}

/* After a restart: one of the two, and nothing in between. */
static void assert_state_is_true(const char *dir, Truth *truth) {
        Store *store = NULL;
        Model found = {};
        char *aside = NULL;

        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        model_load(&found, store, 0);
        if (!truth->has_attempted || !model_equal(&found, &truth->attempted))
                assert_models_equal(&found, &truth->committed);
        model_copy(&found, &truth->committed);
        model_done(&found);
        store = store_free(store);
}

/* Transactions, a restart with its checkpoint, and more transactions. Return: the store, or NULL if the restart failed. */
static Store *work(const char *dir, Store *store, Random *random, Truth *truth, bool until_failure) {
        for (int i = 0; i < 12; i++) {
                char *aside = NULL;

                if (transact(store, random, truth) < 0 && until_failure)
                        break;
                if (i != 6 || truth->has_attempted)     /* a failed commit may come true by a restart: that is looked at last */
                        continue;

                store = store_free(store);
                if (store_open(dir, &store, &aside) < 0)
                        break;
                assert_null(aside);
        }

        return store;
}

/* The same work each time, with a fault at one place of it. Return: was the place reached? */
static bool run_with_fault(Fault fault, size_t n, bool reads) {
        char *dir = folder_make();
        Random random = { 1 };
        Store *store = NULL;
        Truth truth = {};
        bool happened;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(transact(store, &random, &truth), 0);

        vfs_arm(fault, n, reads);
        store = work(dir, store, &random, &truth, fault == FAULT_POWER_CUT);    /* nothing runs on without power */
        if (fault == FAULT_POWER_CUT) {
                store = store_free(store);
                happened = vfs_disarm();
                vfs_after_power_cut(n);
        } else {
                Model found = {};

                happened = vfs_disarm();
                if (!store)
                        assert_int_equal(store_open(dir, &store, NULL), 0);

                /* The disk works again, and so does the store, without a restart. */
                model_load(&found, store, 0);
                assert_models_equal(&found, &truth.committed);
                model_done(&found);
                assert_int_equal(transact(store, &random, &truth), 0);
                assert_int_equal(transact(store, &random, &truth), 0);
                store = store_free(store);
        }

        assert_state_is_true(dir, &truth);
        assert_int_equal(folder_count_broken(dir), 0);
        truth_done(&truth);
        folder_remove(dir);
        vfs_forget();
        return happened;
}

static void test_store_with_fault(void **state) {
        static const struct {
                Fault fault;
                bool reads;
                size_t step;
        } cases[] = {
                { FAULT_ERROR_ONCE, false, 2 },
                { FAULT_ERROR_ONCE, true,  3 },
                { FAULT_ERROR_ON,   false, 3 },
                { FAULT_FULL_ON,    false, 2 },
                { FAULT_POWER_CUT,  false, 1 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                size_t n = 0, n_happened = 0;

                while (n < ROUNDS_MAX && run_with_fault(cases[i].fault, n, cases[i].reads)) {
                        n += cases[i].step;
                        n_happened++;
                }
                print_message("fault %d: %zu places\n", cases[i].fault, n_happened);
                assert_true(n_happened > 20);
                assert_true(n < ROUNDS_MAX);
        }
}

/* Opening with a failing disk: an error or a good store, and the database stays where it is, sound. */
static bool open_with_fault(Fault fault, size_t n, bool with_log) {
        char *dir = folder_make();
        Random random = { n + 1 };
        Store *store = NULL;
        Truth truth = {};
        bool happened;
        char *aside = NULL;
        int r, status;

        if (with_log) {         /* left by a process that was killed */
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0) {
                        if (store_open(dir, &store, NULL) < 0)
                                _exit(1);
                        (void) transact(store, &random, &truth);
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                assert_true(folder_has(dir, "holdfast.db-wal"));
                random = (Random) { n + 1 };
                {       /* the same records in memory */
                        unsigned k = 1 + (unsigned) random_below(&random, 12);
                        Sample s;

                        while (k-- > 0) {
                                sample_any(&random, &s);
                                model_put(&truth.committed, &s.record);
                        }
                }
        } else {
                assert_int_equal(store_open(dir, &store, NULL), 0);
                assert_int_equal(transact(store, &random, &truth), 0);
                store = store_free(store);
        }

        vfs_arm(fault, n, true);
        r = store_open(dir, &store, &aside);
        happened = vfs_disarm();
        assert_null(aside);
        if (r < 0)
                assert_true(r == -EIO || r == -ENOSPC || r == -ENOMEM);
        else {
                assert_int_equal(transact(store, &random, &truth), 0);
                store = store_free(store);
        }

        assert_state_is_true(dir, &truth);
        assert_int_equal(folder_count_broken(dir), 0);
        truth_done(&truth);
        folder_remove(dir);
        vfs_forget();
        return happened;
}

static void test_store_open_with_fault(void **state) {
        for (int with_log = 0; with_log < 2; with_log++)
                for (Fault f = FAULT_ERROR_ONCE; f <= FAULT_FULL_ON; f++) {
                        size_t n = 0;

                        while (n < ROUNDS_MAX && open_with_fault(f, n, with_log))
                                n++;
                        print_message("fault %d, %s log: %zu places\n", f, with_log ? "with" : "without", n);
                        assert_true(f == FAULT_FULL_ON || n > 5);
                        assert_true(n < ROUNDS_MAX);
                }
}

/* The first start: either it comes up, or it says why, and comes up the next time as if nothing had been. */
static bool create_with_fault(Fault fault, size_t n) {
        char *dir = folder_make();
        Store *store = NULL;
        Truth truth = {};
        bool happened;
        int r;

        vfs_arm(fault, n, true);
        r = store_open(dir, &store, NULL);
        happened = vfs_disarm();
        store = store_free(store);
        if (fault == FAULT_POWER_CUT)
                vfs_after_power_cut(n);
        assert_true(r == 0 || happened);
        assert_state_is_true(dir, &truth);
        assert_int_equal(folder_count_broken(dir), 0);
        truth_done(&truth);
        folder_remove(dir);
        vfs_forget();
        return happened;
}

static void test_store_create_with_fault(void **state) {
        for (Fault f = FAULT_ERROR_ONCE; f < FAULT__MAX; f++) {
                size_t n = 0;

                while (n < ROUNDS_MAX && create_with_fault(f, n))
                        n++;
                print_message("fault %d: %zu places\n", f, n);
                assert_true(n > 5);
                assert_true(n < ROUNDS_MAX);
        }
}

/* A put that costs the records before it: every later put says so, until the commit has. */
static void test_store_put_after_loss(void **state) {
        char *dir = folder_make();
        Random random = { 3 };
        Store *store = NULL;
        Truth truth = {};
        Model found = {};
        size_t n_lost = 0;
        Sample s;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        assert_int_equal(transact(store, &random, &truth), 0);

        execute(dir, "CREATE TRIGGER spoil BEFORE INSERT ON said WHEN NEW.digest = 77 BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
        for (int lost = 0; lost < 2; lost++) {
                if (lost) {     /* something was gathered before */
                        sample_evidence(&random, 1, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                }

                sample_control(&random, CONTROL_LOCK, 1, &s);
                s.control.said[SAID_DRIFT].digest = 77;
                assert_true(store_put(store, &s.record) < 0);

                sample_control(&random, CONTROL_DOWNLOAD, 1, &s);
                memset(s.control.said, 0, sizeof(s.control.said));
                if (lost) {
                        assert_true(store_dirty(store));
                        assert_true(store_put(store, &s.record) < 0);
                        assert_true(store_thaw(store, NULL) < 0);
                        assert_true(store_commit(store) < 0);
                        n_lost++;
                } else {
                        assert_false(store_dirty(store));
                        assert_int_equal(store_put(store, &s.record), 0);
                        model_put(&truth.committed, &s.record);
                        assert_int_equal(store_commit(store), 0);
                }
                assert_false(store_dirty(store));
                model_load(&found, store, 0);
                assert_models_equal(&found, &truth.committed);
        }
        assert_int_equal(n_lost, 1);

        execute(dir, "DROP TRIGGER spoil");
        assert_int_equal(transact(store, &random, &truth), 0);
        store = store_free(store);
        assert_state_is_true(dir, &truth);
        model_done(&found);
        truth_done(&truth);
        folder_remove(dir);
}

/* A put that fails within alone undoes itself alone. */
static void test_store_put_undoes_itself(void **state) {
        char *dir = folder_make();
        Random random = { 9 };
        Store *store = NULL;
        Truth truth = {};
        Model found = {};
        Sample s;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        execute(dir, "CREATE TRIGGER spoil BEFORE INSERT ON said WHEN NEW.digest = 77 BEGIN SELECT RAISE(ABORT, 'no'); END");

        sample_endpoint(&random, 1, &s);
        assert_int_equal(store_put(store, &s.record), 0);
        model_put(&truth.committed, &s.record);

        sample_control(&random, CONTROL_LOCK, 1, &s);
        s.control.said[SAID__MAX - 1] = (Said) { 1, 77 };       /* late: most of the record is written already */
        assert_int_equal(store_put(store, &s.record), -EINVAL);

        sample_grant(&random, 1, 1, &s);
        assert_int_equal(store_put(store, &s.record), 0);
        model_put(&truth.committed, &s.record);
        assert_int_equal(store_commit(store), 0);
        model_load(&found, store, 0);
        assert_models_equal(&found, &truth.committed);

        store = store_free(store);
        model_done(&found);
        truth_done(&truth);
        folder_remove(dir);
}

/* A real limit of the kernel's instead of our disk: -EFBIG stands for what a quota or a full disk does. */
static void test_store_with_file_size_limit(void **state) {
        char *dir = folder_make();
        struct rlimit before, tight;
        Random random = { 21 };
        Store *store = NULL;
        Truth truth = {};
        Model found = {};
        int r = 0;

        (void) signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(store_open(dir, &store, NULL), 0);
        assert_int_equal(transact(store, &random, &truth), 0);

        tight = before;
        tight.rlim_cur = 200 * 1024;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        for (int i = 0; i < 200 && r == 0; i++)
                r = transact(store, &random, &truth);
        assert_true(r < 0);
        model_load(&found, store, 0);
        assert_models_equal(&found, &truth.committed);

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(transact(store, &random, &truth), 0);
        store = store_free(store);
        assert_state_is_true(dir, &truth);
        model_done(&found);
        truth_done(&truth);
        folder_remove(dir);
}

/* --- kill -9 --- */

#define GENERATION_RECORDS 9

/* The records of one generation all carry its number, so that a mixture would show. */
static void put_generation(Store *store, uint64_t generation) {
        for (unsigned i = 0; i < GENERATION_RECORDS; i++) {
                Random random = { 1 };
                Sample s;

                if (i == 0) {
                        sample_endpoint(&random, 0, &s);
                        s.endpoint.frozen_at_usec = generation;
                } else {
                        sample_control(&random, i % 2 ? CONTROL_LOCK : CONTROL_SCHEDULE, i, &s);
                        s.control.since_usec = generation;
                }
                if (store_put(store, &s.record) < 0)
                        _exit(2);
        }
}

static int note_generation(void *userdata, const StateRecord *record) {
        uint64_t *generation = userdata, found;

        found = record->kind == STATE_ENDPOINT ? record->endpoint.state->frozen_at_usec
                                               : record->control_state.state->since_usec;
        if (*generation == UINT64_MAX)
                *generation = found;
        assert_int_equal(found, *generation);
        return 0;
}

static void write_generations(const char *dir, uint64_t generation, int fd) {
        Store *store = NULL;

        if (store_open(dir, &store, NULL) < 0)
                _exit(1);
        for (;;) {
                put_generation(store, ++generation);
                if (store_commit(store) < 0 || write(fd, &generation, sizeof(generation)) != sizeof(generation))
                        _exit(3);
        }
}

static void test_store_survives_kill(void **state) {
        char *dir = folder_make();
        Random random = { 77 };
        uint64_t last = 0;

        for (int round = 0; round < 40; round++) {
                uint64_t n_wait = 1 + random_below(&random, 30), found = UINT64_MAX, acknowledged = last;
                Store *store = NULL;
                char *aside = NULL;
                int fds[2], status;
                pid_t pid;

                assert_int_equal(pipe(fds), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        write_generations(dir, last, fds[1]);
                (void) close(fds[1]);

                for (uint64_t i = 0; i < n_wait; i++)
                        assert_int_equal(read(fds[0], &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
                for (uint64_t i = random_below(&random, 20000); i > 0; i--)     /* into the middle of something */
                        __asm__ volatile("" ::: "memory");
                assert_int_equal(kill(pid, SIGKILL), 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
                while (read(fds[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged))
                        ;
                (void) close(fds[0]);

                assert_int_equal(store_open(dir, &store, &aside), 0);
                assert_null(aside);
                assert_int_equal(store_load(store, note_generation, &found, NULL), 0);
                assert_true(found == acknowledged || found == acknowledged + 1);
                store = store_free(store);
                last = found;
        }

        print_message("%llu commits\n", (unsigned long long) last);
        folder_remove(dir);
}

static int setup_vfs(void **state) {
        vfs_install();
        return 0;
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_store_put_after_loss),
                cmocka_unit_test(test_store_put_undoes_itself),
                cmocka_unit_test(test_store_with_file_size_limit),
                cmocka_unit_test(test_store_survives_kill),
                cmocka_unit_test_setup(test_store_with_fault, setup_vfs),
                cmocka_unit_test(test_store_open_with_fault),
                cmocka_unit_test(test_store_create_with_fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
