/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: each allocation of the loader fails in turn, its own and those of the libraries under it. Each time the answer is -ENOMEM
 * and nothing was handed out, or it is the same as with all the memory in the world: no mistake is found that is not there, and
 * no zone is taken for another. Nothing leaks, and a set that is in force stays as it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory-fault.h"
#include "policy/load.h"

#define N_MAX 100000
#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

/* A policy of each kind and some mistakes, so that every way through the room is taken. */
static const char policies[] =
        "name: orders\nservice: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n"
        "encryption: &e {expect: on, kms_key_id: a}\nlock: {retention_days: 30}\n---\n"
        "name: audit\nservice: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\n"
        "schedule: {status: on, cycle: PER_DAY, trigger_time: 2025-08-21 02:00:44, timezone: Europe/Berlin, bucket_name: abc}\n---\n"
        "name: ledger\nservice: gaussdb\ninstance_id: 1de27464abdf48519f8574c97a8f0625in14\n"
        "download: {backups: [1de27464abdf48519f8574c97a8f0625br14]}\n";

static const char broken[] = "name: orders\nservice: x\nlokc: {}\n---\n"
                             "name: audit\nservice: gaussdb\ninstance_id: 1de27464abdf48519f8574c97a8f0625in14\n"
                             "download: {backups: latest}\n";

static const char settings_text[] = "region: ap-southeast-1\nproject_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n"
                                    "endpoints: {iam: iam.example}\ndefaults: {schedule: {bucket_root_path: a}}\n";

static const char settings_broken[] = "mode: x\nregionn: y\n";

typedef struct Case {
        const char *what, *text;
        bool settings;
        int result;             /* with all the memory in the world */
        bool reload;
} Case;

static int attempt(const Case *c, const Settings *settings, const PolicySet *previous) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(settings_freep) Settings *s = NULL;
        size_t n_rejected = 42;
        int r;

        if (c->settings)
                r = settings_load_buffer("holdfast.yaml", c->text, strlen(c->text), &d, &s);
        else
                r = policies_load_buffer("a.yaml", c->text, strlen(c->text), settings, c->reload ? previous : NULL,
                                         &d, &set, &n_rejected);
        if (r < 0) {
                assert_null(set);
                assert_null(s);
                assert_int_equal(n_rejected, 42);
        } else
                assert_true(set || s);
        return r;
}

static void load_well(Settings **ret_settings, PolicySet **ret) {
        _cleanup_(diagnostics_done) Diagnostics d = {};

        assert_int_equal(settings_load_buffer("holdfast.yaml", settings_text, strlen(settings_text), &d, ret_settings), 0);
        assert_int_equal(policies_load_buffer("a.yaml", policies, strlen(policies), *ret_settings, NULL, &d, ret, NULL), 0);
        assert_int_equal(d.n_items, 0);
        assert_int_equal((*ret)->n_instances, 3);
}

/* Whether one fails or all from there on: the same must hold. */
static void (*const arms[])(size_t n) = { memory_fail_at, memory_fail_from };

static void test_each_allocation_fails(void **state) {
        static const Case cases[] = {
                { "policies",             policies,        false, 0,       false },
                { "broken policies",      broken,          false, 0,       false },
                { "reload",               policies,        false, 0,       true  },
                { "reload, broken",       broken,          false, 0,       true  },
                { "settings",             settings_text,   true,  0,       false },
                { "broken settings",      settings_broken, true,  -EINVAL, false },
        };
        _cleanup_(settings_freep) Settings *settings = NULL;
        _cleanup_(policy_set_freep) PolicySet *previous = NULL;

        if (!memory_can_fail())
                skip();
        load_well(&settings, &previous);

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (size_t k = 0; k < N_ELEMENTS(arms); k++) {
                        size_t n = 0;
                        int r;

                        for (;; n++) {
                                bool failed;

                                assert_true(n < N_MAX);
                                arms[k](n);
                                r = attempt(&cases[i], settings, previous);
                                failed = memory_fail_never();
                                if (!failed)
                                        break;
                                assert_true(r == -ENOMEM || r == cases[i].result);
                        }
                        print_message("%s: %zu allocations\n", cases[i].what, n);
                        assert_int_equal(r, cases[i].result);
                        assert_true(n > 3); /* they were seen at all */
                }
}

/* --- A folder ------------------------------------------------------------------------------------------------------- */

typedef struct Folder {
        char path[64], settings[96];
} Folder;

static const struct {
        const char *name, *text;
} files[] = {
        { "a.yaml",       policies },
        { "b.yaml",       "name: broken\nservice: taurusdb\ninstance_id: x\nlokc: {}\n" },
        { "c.yaml",       "service: gaussdb\ninstance_id: 2de27464abdf48519f8574c97a8f0625in14\ndownload: {backups: latest}\n" },
        { ".hidden.yaml", "no: policy\n" },
        { "notes.txt",    "neither\n" },
};

static void write_file(const char *dir, const char *name, const char *text) {
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int folder_setup(void **state) {
        static Folder f;

        (void) snprintf(f.path, sizeof(f.path), "/tmp/holdfast-policies-XXXXXX");
        if (!mkdtemp(f.path))
                return -1;
        (void) snprintf(f.settings, sizeof(f.settings), "%s/holdfast.conf", f.path);
        write_file(f.path, "holdfast.conf", settings_text);
        *state = &f;
        return 0;
}

static int folder_teardown(void **state) {
        Folder *f = *state;
        char path[128];

        for (size_t i = 0; i < N_ELEMENTS(files); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", f->path, files[i].name);
                (void) unlink(path);
        }
        (void) unlink(f->settings);
        timezone_forget_all();
        return rmdir(f->path);
}

/* Europe/Berlin, and not what the C library takes where it has no memory to read a zone. */
static void assert_zone(const PolicySet *set) {
        for (size_t i = 0; i < set->n_instances; i++)
                if (set->instances[i]->terms->schedule) {
                        const Timezone *z = set->instances[i]->terms->schedule->timezone;

                        assert_int_equal(timezone_offset(z, T0), 3600);
                        assert_int_equal(timezone_offset(z, T0 + 180 * USEC_PER_DAY), 7200);
                        assert_int_equal(timezone_offset(z, T0 + (40 * 365 + 180) * USEC_PER_DAY), 7200);       /* past any table */
                        return;
                }

        fail_msg("no schedule");
}

/* As --check, start and reload do it: settings, then the whole folder. Return: 0 or -ENOMEM. */
static int load_folder(const Folder *f, const PolicySet *previous, PolicySet **ret, size_t *ret_rejected, size_t *ret_mistakes) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(settings_freep) Settings *settings = NULL;
        int r;

        r = settings_load(f->settings, &d, &settings);
        if (r >= 0)
                r = policies_load(f->path, settings, previous, &d, ret, ret_rejected);
        *ret_mistakes = d.n_items;
        return r;
}

/* Files that were written to a moment ago are read whatever is known of them; those that lie there for an hour are known. */
static time_t ahead_sec;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = __real_clock_gettime(clock, ret);

        ret->tv_sec += ahead_sec;
        return r;
}

static void write_files(const Folder *f) {
        for (size_t i = 0; i < N_ELEMENTS(files); i++)
                write_file(f->path, files[i].name, files[i].text);
}

static void test_unchanged_folder_each_allocation_fails(void **state) {
        _cleanup_(policy_set_freep) PolicySet *in_force = NULL;
        size_t n_rejected, n_mistakes, n = 0;
        bool failed = true;

        if (!memory_can_fail())
                skip();
        write_files(*state);
        ahead_sec = 3600;
        assert_int_equal(load_folder(*state, NULL, &in_force, &n_rejected, &n_mistakes), 0);

        for (; failed; n++) {
                _cleanup_(policy_set_freep) PolicySet *set = NULL;
                int r;

                memory_fail_at(n);
                r = load_folder(*state, in_force, &set, &n_rejected, &n_mistakes);
                failed = memory_fail_never();
                assert_true(r == 0 || (r == -ENOMEM && failed));
                if (r >= 0)
                        assert_memory_equal(set->instances, in_force->instances, 4 * sizeof(*set->instances));
                assert_true(n < N_MAX);
        }
        ahead_sec = 0;
        print_message("unchanged: %zu allocations\n", n);
}

static void test_folder_each_allocation_fails(void **state) {
        for (int reload = 0; reload < 2; reload++) {
                _cleanup_(policy_set_freep) PolicySet *expected = NULL, *in_force = NULL;
                size_t n_rejected, n_expected_rejected, n_mistakes, n_expected_mistakes, n = 0;
                bool failed = true;

                if (!memory_can_fail())
                        skip();
                write_files(*state);
                assert_int_equal(load_folder(*state, NULL, &in_force, &n_rejected, &n_mistakes), 0);
                if (reload)     /* then its last good version stays */
                        write_file(((Folder *) *state)->path, "c.yaml", "service: [\n");
                assert_int_equal(load_folder(*state, reload ? in_force : NULL, &expected, &n_expected_rejected, &n_expected_mistakes), 0);
                assert_int_equal(expected->n_instances, 4);
                assert_int_equal(n_expected_rejected, 1 + reload);

                for (; failed; n++) {
                        _cleanup_(policy_set_freep) PolicySet *set = NULL;
                        int r;

                        timezone_forget_all();  /* read anew each time; the sets of before hold on to theirs, but nobody asks them */
                        n_rejected = 42;
                        memory_fail_at(n);
                        r = load_folder(*state, reload ? in_force : NULL, &set, &n_rejected, &n_mistakes);
                        failed = memory_fail_never();
                        if (r < 0) {
                                assert_true(failed);
                                assert_int_equal(r, -ENOMEM);
                                assert_null(set);
                                assert_int_equal(n_rejected, 42);
                        } else {
                                assert_int_equal(n_rejected, n_expected_rejected);
                                assert_int_equal(n_mistakes, n_expected_mistakes);
                                assert_int_equal(set->n_instances, 4);
                                assert_zone(set);
                        }
                        assert_true(n < N_MAX);
                }
                print_message("%s: %zu allocations\n", reload ? "reload" : "start", n);
                assert_true(n > 100);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_allocation_fails),
                cmocka_unit_test_setup_teardown(test_folder_each_allocation_fails, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_unchanged_folder_each_allocation_fails, folder_setup, folder_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
