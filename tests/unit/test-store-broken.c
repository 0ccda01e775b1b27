/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/read.h"

#define N_CONTROLS 400          /* enough for a tree of some pages */

static void put_some(Store *store) {
        Random random = { 1 };
        Sample s;

        for (unsigned i = 0; i < N_CONTROLS; i++) {
                sample_control(&random, CONTROL_LOCK, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
        }
        sample_endpoint(&random, 1, &s);
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);
}

/* A closed database with content. */
static char *folder_with_database(void) {
        char *dir = folder_make();
        Store *store = NULL;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        put_some(store);
        store = store_free(store);
        return dir;
}

/* As a process leaves it that was killed: with its log. */
static void die_with_log(const char *dir) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                Store *store = NULL;

                if (store_open(dir, &store, NULL) < 0)
                        _exit(1);
                put_some(store);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_true(folder_has(dir, "holdfast.db-wal"));
        assert_true(folder_has(dir, "holdfast.db-shm"));
}

static char *read_all(const char *path, size_t *ret_n) {
        FILE *f = fopen(path, "re");
        char *p;
        long n;

        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        n = ftell(f);
        assert_true(n >= 0);
        rewind(f);
        p = malloc((size_t) n + 1);
        assert_non_null(p);
        assert_int_equal(fread(p, 1, (size_t) n, f), n);
        assert_int_equal(fclose(f), 0);
        *ret_n = (size_t) n;
        return p;
}

static void write_all(const char *path, const void *p, size_t n) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(p, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
}

static void make_file(const char *dir, const char *name, const char *content) {
        _cleanup_(freep) char *path = folder_path(dir, name);

        write_all(path, content, strlen(content));
}

static void overwrite(const char *dir, off_t at, const char *p, size_t n) {
        _cleanup_(freep) char *path = folder_path(dir, "holdfast.db");
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, p, n, at), n);
        assert_int_equal(close(fd), 0);
}

static void cut(const char *dir, off_t size) {
        _cleanup_(freep) char *path = folder_path(dir, "holdfast.db");

        assert_int_equal(truncate(path, size), 0);
}

/* --- ways to break it --- */

static void break_text(const char *dir) {
        make_file(dir, "holdfast.db", "this is no database\n");
}

static void break_long_text(const char *dir) {
        char text[8193];

        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        make_file(dir, "holdfast.db", text);
}

static void break_empty(const char *dir) {
        cut(dir, 0);
}

static void break_cut_in_header(const char *dir) {
        cut(dir, 50);
}

static void break_cut_after_page(const char *dir) {
        cut(dir, 4096);
}

static void break_cut_in_page(const char *dir) {
        cut(dir, 40000);
}

static void break_header(const char *dir) {
        overwrite(dir, 0, "SQLite format 4", 16);
}

static void break_page_size(const char *dir) {
        overwrite(dir, 16, "\x00\x03", 2);
}

static void break_schema_page(const char *dir) {
        char noise[512];

        memset(noise, 0xa5, sizeof(noise));
        overwrite(dir, 100, noise, sizeof(noise));
}

static void break_some_page(const char *dir) {
        char noise[4096] = {};
        int64_t page = query_int(dir, "SELECT rootpage FROM sqlite_schema WHERE name = 'control'");

        assert_true(page > 1);
        overwrite(dir, (page - 1) * 4096, noise, sizeof(noise));
}

static void break_past(const char *dir) {
        execute(dir, "PRAGMA user_version = 0");
}

static void break_negative(const char *dir) {
        execute(dir, "PRAGMA user_version = -1");
}

static void break_application(const char *dir) {
        execute(dir, "PRAGMA application_id = 1");
}

static void break_no_table(const char *dir) {
        execute(dir, "DROP TABLE said");
}

static void break_no_column(const char *dir) {
        execute(dir, "DROP VIEW overview; ALTER TABLE control RENAME COLUMN lock_end TO lock_start_too");
}

static const struct {
        const char *what;
        void (*act)(const char *dir);
} ways[] = {
        { "a text file",                   break_text           },
        { "a longer text file",            break_long_text      },
        { "cut to nothing",                break_empty          },
        { "cut within its header",         break_cut_in_header  },
        { "cut after its first page",      break_cut_after_page },
        { "cut within a page",             break_cut_in_page    },
        { "another format",                break_header         },
        { "an impossible page size",       break_page_size      },
        { "noise in the schema",           break_schema_page    },
        { "zeroes in a table",             break_some_page      },
        { "a schema without a version",    break_past           },
        { "a negative version",            break_negative       },
        { "another application's",         break_application    },
        { "a table is missing",            break_no_table       },
        { "a column is missing",           break_no_column      },
};

static void assert_fresh_and_working(Store *store) {
        Model model = {};

        model_load(&model, store, 0);
        assert_int_equal(model.n, 0);
        put_some(store);
        model_load(&model, store, 0);
        assert_int_equal(model.n, N_CONTROLS + 1);
        model_done(&model);
}

static void test_store_open_sets_broken_aside(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
                char *dir = folder_with_database();
                _cleanup_(freep) char *path = folder_path(dir, "holdfast.db"), *aside_path = NULL;
                _cleanup_(freep) char *before = NULL, *after = NULL, *aside = NULL;
                size_t n_before, n_after;
                Store *store = NULL;

                print_message("%s\n", ways[i].what);
                ways[i].act(dir);
                before = read_all(path, &n_before);

                assert_int_equal(store_open(dir, &store, &aside), 0);
                assert_string_equal(aside, "holdfast.db.broken-1");
                aside_path = folder_path(dir, aside);
                after = read_all(aside_path, &n_after);
                assert_int_equal(n_after, n_before);
                assert_memory_equal(after, before, n_before);

                assert_fresh_and_working(store);
                store = store_free(store);

                /* The fresh one is sound, and the next broken one takes nobody's name. */
                freep(&aside);
                aside = NULL;
                assert_int_equal(store_open(dir, &store, &aside), 0);
                assert_null(aside);
                store = store_free(store);
                make_file(dir, "holdfast.db.broken-2-wal", "somebody's");
                break_text(dir);
                assert_int_equal(store_open(dir, &store, &aside), 0);
                assert_string_equal(aside, "holdfast.db.broken-3");
                store = store_free(store);
                freep(&after);
                after = read_all(aside_path, &n_after);
                assert_int_equal(n_after, n_before);
                folder_remove(dir);
        }
}

/* A log belongs to its database: replayed into a fresh one it would break that, too. */
static void test_store_open_sets_log_aside(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
                char *dir = folder_with_database();
                _cleanup_(freep) char *wal = folder_path(dir, "holdfast.db-wal"), *aside_wal = NULL;
                _cleanup_(freep) char *before = NULL, *after = NULL, *aside = NULL;
                size_t n_before, n_after;
                Store *store = NULL;

                if (ways[i].act == break_past || ways[i].act == break_negative || ways[i].act == break_application ||
                    ways[i].act == break_no_table || ways[i].act == break_no_column ||
                    ways[i].act == break_some_page) {
                        folder_remove(dir);     /* made through SQLite, which clears the log away */
                        continue;
                }

                die_with_log(dir);
                before = read_all(wal, &n_before);
                assert_true(n_before > 4096);
                print_message("%s\n", ways[i].what);
                ways[i].act(dir);

                assert_int_equal(store_open(dir, &store, &aside), 0);
                if (aside) {
                        assert_string_equal(aside, "holdfast.db.broken-1");
                        aside_wal = folder_path(dir, "holdfast.db.broken-1-wal");
                        after = read_all(aside_wal, &n_after);
                        assert_int_equal(n_after, n_before);
                        assert_memory_equal(after, before, n_before);
                        assert_fresh_and_working(store);
                } else {        /* the log had all that was spoilt */
                        Model model = {};

                        model_load(&model, store, 0);
                        assert_int_equal(model.n, N_CONTROLS + 1);
                        model_done(&model);
                }
                store = store_free(store);
                folder_remove(dir);
        }
}

static void test_store_open_without_database_but_log(void **state) {
        char *dir = folder_with_database();
        _cleanup_(freep) char *path = folder_path(dir, "holdfast.db"), *aside = NULL;
        Store *store = NULL;

        die_with_log(dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_string_equal(aside, "holdfast.db.broken-1");
        assert_true(folder_has(dir, "holdfast.db.broken-1-wal"));
        assert_fresh_and_working(store);
        store = store_free(store);
        folder_remove(dir);
}

/* Killed while it made its first database: nothing was lost, and nothing is said. */
static void test_store_open_with_half_a_draft(void **state) {
        char *dir = folder_make();
        _cleanup_(freep) char *aside = NULL;
        Store *store = NULL;

        make_file(dir, "holdfast.db.new", "SQLite form");
        make_file(dir, "holdfast.db.new-journal", "?");
        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        assert_fresh_and_working(store);
        assert_false(folder_has(dir, "holdfast.db.new"));
        assert_false(folder_has(dir, "holdfast.db.new-journal"));
        store = store_free(store);
        folder_remove(dir);
}

static void place_folder(const char *path) {
        assert_int_equal(mkdir(path, 0700), 0);
}

static void place_link(const char *path) {
        assert_int_equal(symlink("/nonexistent", path), 0);
}

static void place_fifo(const char *path) {
        assert_int_equal(mkfifo(path, 0600), 0);
}

static void test_store_open_name_taken(void **state) {
        static const struct {
                const char *name;
                void (*place)(const char *path);
                int expected;
        } cases[] = {
                { "holdfast.db",     place_folder, -EISDIR },
                { "holdfast.db",     place_link,   -ELOOP  },
                { "holdfast.db",     place_fifo,   -EINVAL },
                { "holdfast.lock",   place_link,   -ELOOP  },
                { "holdfast.lock",   place_folder, -EISDIR },
                { "holdfast.db.new", place_folder, -EEXIST },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char *dir = folder_make();
                _cleanup_(freep) char *path = folder_path(dir, cases[i].name);
                Store *store = NULL;

                cases[i].place(path);
                print_message("%s %d\n", cases[i].name, cases[i].expected);
                assert_int_equal(store_open(dir, &store, NULL), cases[i].expected);
                assert_null(store);
                assert_int_equal(folder_count_broken(dir), 0);
                folder_remove(dir);
        }
}

static void test_store_open_no_folder(void **state) {
        char *dir = folder_make();
        _cleanup_(freep) char *path = folder_path(dir, "file");
        Store *store = NULL;

        assert_int_equal(store_open("/nonexistent/state", &store, NULL), -ENOENT);
        make_file(dir, "file", "");
        assert_int_equal(store_open(path, &store, NULL), -ENOTDIR);
        folder_remove(dir);
}

/* As an ordinary user, in a process of its own: root may do everything. */
static int open_as_user(const char *dir) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                Store *store = NULL;

                if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
                        _exit(255);
                _exit(-store_open(dir, &store, NULL));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return -WEXITSTATUS(status);
}

/* What may not be read or written is not broken. */
static void test_store_open_without_permission(void **state) {
        char *dir = folder_with_database();
        _cleanup_(freep) char *database = folder_path(dir, "holdfast.db"), *lock = folder_path(dir, "holdfast.lock");

        assert_int_equal(chmod(dir, 0777), 0);
        assert_int_equal(chmod(lock, 0666), 0);
        assert_int_equal(chmod(database, 0), 0);
        assert_int_equal(open_as_user(dir), -EACCES);
        assert_int_equal(chmod(database, 0444), 0);
        assert_int_equal(open_as_user(dir), -EACCES);
        assert_int_equal(chmod(lock, 0), 0);
        assert_int_equal(open_as_user(dir), -EACCES);
        assert_int_equal(folder_count_broken(dir), 0);

        /* The log cannot be made. */
        assert_int_equal(chmod(database, 0666), 0);
        assert_int_equal(chmod(lock, 0666), 0);
        assert_int_equal(chmod(dir, 0555), 0);
        assert_int_equal(open_as_user(dir), -EACCES);
        assert_int_equal(chmod(dir, 0700), 0);
        assert_int_equal(folder_count_broken(dir), 0);
        folder_remove(dir);
}

static int accept_record(void *userdata, const StateRecord *record) {
        return 0;
}

/* Flipped bits anywhere: found out or harmless, but never a crash and never a refusal to start. */
static void test_store_open_with_noise(void **state) {
        char *dir = folder_with_database();
        _cleanup_(freep) char *path = folder_path(dir, "holdfast.db"), *sound = NULL;
        Random random = { 5 };
        size_t n, n_aside = 0;

        sound = read_all(path, &n);
        for (int round = 0; round < 150; round++) {
                _cleanup_(freep) char *noisy = malloc(n), *aside = NULL;
                uint64_t n_flips = 1 + random_below(&random, 8);
                Store *store = NULL;
                int r;

                assert_non_null(noisy);
                memcpy(noisy, sound, n);
                for (uint64_t i = 0; i < n_flips; i++)
                        noisy[random_below(&random, random_below(&random, 2) ? n : 200)] ^= (char) (1 << random_below(&random, 8));
                write_all(path, noisy, n);

                r = store_open(dir, &store, &aside);
                if (r == -EPROTONOSUPPORT) {    /* just where the version is: it could be a newer one, and people are asked */
                        assert_memory_not_equal(noisy + 60, sound + 60, 4);
                        continue;
                }
                assert_int_equal(r, 0);
                n_aside += aside != NULL;
                r = store_load(store, accept_record, NULL, NULL);
                assert_true(r == 0 || r == -EBADMSG);
                store = store_free(store);
        }

        print_message("%zu of 150 set aside\n", n_aside);
        assert_true(n_aside > 50);
        folder_remove(dir);
}

/* For those who must neither make a database nor set one aside. */
static void test_store_open_existing(void **state) {
        char *dir = folder_with_database(), *path = folder_path(dir, "holdfast.db"), *empty = folder_make();
        Store *store = NULL, *second = NULL;
        FILE *f;

        assert_int_equal(store_open_existing("/nonexistent/holdfast", &store), -ENOENT);
        assert_int_equal(store_open_existing(empty, &store), -ENOENT);
        assert_false(folder_has(empty, "holdfast.db"));
        assert_false(folder_has(empty, "holdfast.lock"));

        assert_false(store_is_held(empty));
        assert_false(store_is_held(dir));
        assert_int_equal(store_open_existing(dir, &store), 0);
        assert_true(store_is_held(dir));
        assert_int_equal(store_open_existing(dir, &second), -EBUSY);
        assert_null(second);
        store = store_free(store);
        assert_false(store_is_held(dir));

        f = fopen(path, "r+e");
        assert_non_null(f);
        for (unsigned i = 0; i < 4096; i++)
                assert_int_equal(fputc('x', f), 'x');
        assert_int_equal(fclose(f), 0);
        assert_int_equal(store_open_existing(dir, &store), -EBADMSG);
        assert_null(store);
        assert_true(folder_has(dir, "holdfast.db"));
        assert_int_equal(folder_count_broken(dir), 0);

        free(path);
        folder_remove(dir);
        folder_remove(empty);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_store_open_sets_broken_aside),
                cmocka_unit_test(test_store_open_sets_log_aside),
                cmocka_unit_test(test_store_open_without_database_but_log),
                cmocka_unit_test(test_store_open_with_half_a_draft),
                cmocka_unit_test(test_store_open_name_taken),
                cmocka_unit_test(test_store_open_no_folder),
                cmocka_unit_test(test_store_open_without_permission),
                cmocka_unit_test(test_store_open_with_noise),
                cmocka_unit_test(test_store_open_existing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
