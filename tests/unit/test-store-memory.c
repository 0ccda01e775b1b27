/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: each allocation of the store fails in turn, SQLite's included. What store_commit() said is durable is there, what it
 * refused is not, in this process and in the next one; a database is never set aside for want of memory; and the store works
 * again as soon as there is some.
 */

#include "test-store-util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory-fault.h"

#define N_MAX 100000
/*
 * Thousands of allocations go into opening a database, nearly all of them in SQLite's reading of the schema and the statements. Each takes
 * a database of its own to fail, which makes ten minutes of them: with HOLDFAST_TORTURE in the environment all are tried, else every so manieth.
 */

/* The disk is not what is tried here (test-store-faults.c does), and thousands of databases are made: in place of the C library's. */
int fsync(int fd) {
        return 0;
}

int fdatasync(int fd) {
        return 0;
}

typedef void (*Arm)(size_t n);
static const Arm arms[] = { memory_fail_at, memory_fail_from };

/* One transaction; memory is short for the store alone. Adds to @committed what is durable afterwards. Return: 0 or -errno. */
static int transact(Store *store, Random *random, Model *committed) {
        Model gathered = {};
        int r;

        memory_pause();
        model_copy(committed, &gathered);
        for (unsigned i = 0; i < 4; i++) {
                Sample s;

                sample_any(random, &s);
                memory_resume();
                r = store_put(store, &s.record);
                memory_pause();
                if (r >= 0)
                        model_put(&gathered, &s.record);
        }

        memory_resume();
        r = store_commit(store);
        memory_pause();
        assert_false(store_dirty(store));
        if (r >= 0)
                model_copy(&gathered, committed);
        model_done(&gathered);
        memory_resume();
        return r;
}

static int count(void *userdata, const StateRecord *record) {
        (*(size_t *) userdata)++;
        return 0;
}

/* A load hands everything over, or says that it did not. */
static void load(Store *store, size_t n_expected) {
        size_t n = 0, n_skipped = 0;

        if (store_load(store, count, &n, &n_skipped) >= 0) {
                assert_int_equal(n, n_expected);
                assert_int_equal(n_skipped, 0);
        }
}

static void check(Store *store, const Model *committed) {
        Model found = {};

        model_load(&found, store, 0);
        assert_models_equal(&found, committed);
        model_done(&found);
}

static void check_again(const char *dir, const Model *committed) {
        Store *store = NULL;
        char *aside = NULL;

        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        check(store, committed);
        store_free(store);
        assert_int_equal(folder_count_broken(dir), 0);
}

static bool work(Arm arm, size_t n) {
        char *dir = folder_make();
        Random random = { 7 };
        Store *store = NULL;
        Model committed = {};
        bool failed;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(transact(store, &random, &committed), 0);

        arm(n);
        for (int i = 0; i < 3; i++)
                (void) transact(store, &random, &committed);
        load(store, committed.n);
        (void) store_prune(store, UINT64_MAX / 4);
        failed = memory_fail_never();

        check(store, &committed);
        assert_int_equal(transact(store, &random, &committed), 0);
        check(store, &committed);
        store_free(store);
        check_again(dir, &committed);
        model_done(&committed);
        folder_remove(dir);
        return failed;
}

static void test_store_each_allocation_fails(void **state) {
        if (!memory_can_fail())
                skip();

        for (size_t k = 0; k < N_ELEMENTS(arms); k++) {
                size_t n = 0;

                while (work(arms[k], n)) {
                        n += arms[k] == memory_fail_at || getenv("HOLDFAST_TORTURE") ? 1 : 7;
                        assert_true(n < N_MAX);
                }
                print_message("%zu allocations\n", n);
        }
}

/* A freeze is taken back in the store, or the caller is told that it was not. */
static void test_store_thaw_each_allocation_fails(void **state) {
        bool failed = true;

        if (!memory_can_fail())
                skip();

        for (size_t n = 0; failed; n++) {
                char *dir = folder_make();
                Random random = { 7 };
                Store *store = NULL;
                Sample s;
                int r;

                assert_int_equal(store_open(dir, &store, NULL), 0);
                sample_endpoint(&random, 1, &s);
                s.endpoint.frozen = true;
                assert_int_equal(store_put(store, &s.record), 0);
                assert_int_equal(store_commit(store), 0);

                memory_fail_at(n);
                r = store_thaw(store, NULL);
                failed = memory_fail_never();
                assert_true(r == 1 || (failed && r == -ENOMEM));
                store_free(store);
                assert_int_equal(query_int(dir, "SELECT frozen FROM endpoint"), r == 1 ? 0 : 1);
                folder_remove(dir);
                assert_true(n < N_MAX);
        }
}

/* --- Opening ---------------------------------------------------------------------------------------------------------- */

typedef enum Found {
        FOUND_NOTHING,
        FOUND_DATABASE,
        FOUND_LOG,              /* left by a process that was killed */
        FOUND__MAX,
} Found;

static void prepare(const char *dir, Found found, Model *committed) {
        Random random = { 11 };
        Store *store = NULL;
        int status;
        pid_t pid;

        if (found == FOUND_NOTHING)
                return;

        if (found == FOUND_DATABASE) {
                assert_int_equal(store_open(dir, &store, NULL), 0);
                assert_int_equal(transact(store, &random, committed), 0);
                store_free(store);
                return;
        }

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(store_open(dir, &store, NULL) < 0 || transact(store, &random, committed) < 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_true(folder_has(dir, "holdfast.db-wal"));
        for (unsigned i = 0; i < 4; i++) {      /* the same, in memory */
                Sample s;

                sample_any(&random, &s);
                model_put(committed, &s.record);
        }
}

static bool open_store(Found found, Arm arm, size_t n) {
        char *dir = folder_make();
        Random random = { 13 };
        Store *store = NULL;
        Model committed = {};
        char *aside = NULL;
        bool failed;
        int r;

        prepare(dir, found, &committed);
        arm(n);
        r = store_open(dir, &store, &aside);
        failed = memory_fail_never();

        assert_null(aside);
        if (r < 0) {
                assert_true(failed);
                assert_int_equal(r, -ENOMEM);
                assert_null(store);
        } else {
                check(store, &committed);
                assert_int_equal(transact(store, &random, &committed), 0);
                store_free(store);
        }
        check_again(dir, &committed);
        model_done(&committed);
        folder_remove(dir);
        return failed;
}

static void test_store_open_each_allocation_fails(void **state) {
        static const char *const names[FOUND__MAX] = { "nothing there", "a database", "a database with a log" };
        static const size_t strides[FOUND__MAX] = { 211, 67, 97 };

        if (!memory_can_fail())
                skip();

        for (Found f = 0; f < FOUND__MAX; f++) {
                size_t n = 0;

                while (open_store(f, memory_fail_at, n)) {
                        n += getenv("HOLDFAST_TORTURE") ? 1 : strides[f];
                        assert_true(n < N_MAX);
                }
                print_message("%s: %zu allocations\n", names[f], n);
                assert_true(n > 1000);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_store_each_allocation_fails),
                cmocka_unit_test(test_store_thaw_each_allocation_fails),
                cmocka_unit_test(test_store_open_each_allocation_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
