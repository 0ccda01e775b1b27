/* SPDX-License-Identifier: Apache-2.0 */

/* Every allocation fails in turn: each time the answer is -ENOMEM, nothing was handed out, and nothing leaks. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/load.h"

static size_t n_until_failure = SIZE_MAX;       /* SIZE_MAX: none fails */

static bool fails_now(void) {
        if (n_until_failure == SIZE_MAX)
                return false;
        if (n_until_failure > 0) {
                n_until_failure--;
                return false;
        }
        errno = ENOMEM;
        return true; /* and all after it, until the test says otherwise */
}

#define WRAP(type, name, declared, used)        \
        type __real_##name declared;            \
        type __wrap_##name declared;            \
        type __wrap_##name declared {           \
                return fails_now() ? NULL : __real_##name used; \
        }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))

/* A policy of each kind and some mistakes, so that every way through the room is taken. */
static const char policies[] =
        "name: orders\nservice: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n"
        "encryption: &e {expect: on, kms_key_id: a}\nlock: {retention_days: 30}\n---\n"
        "name: audit\nservice: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\n"
        "schedule: {status: on, cycle: PER_DAY, trigger_time: 2025-08-21 02:00:44, timezone: UTC, bucket_name: abc}\n---\n"
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
        n_until_failure = SIZE_MAX;
        if (r < 0) {
                assert_null(set);
                assert_null(s);
                assert_int_equal(n_rejected, 42);
        } else
                assert_true(set || s);
        return r;
}

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
        _cleanup_(diagnostics_done) Diagnostics d = {};

        assert_int_equal(settings_load_buffer("holdfast.yaml", settings_text, strlen(settings_text), &d, &settings),
                         0);
        assert_int_equal(
                policies_load_buffer("a.yaml", policies, strlen(policies), settings, NULL, &d, &previous, NULL), 0);
        assert_int_equal(d.n_items, 0);
        assert_int_equal(previous->n_instances, 3);

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                size_t n = 0;
                int r;

                for (;; n++) {
                        assert_true(n < 10000);
                        n_until_failure = n;
                        r = attempt(&cases[i], settings, previous);
                        if (r != -ENOMEM)
                                break;
                }
                print_message("%s: %zu allocations\n", cases[i].what, n);
                assert_int_equal(r, cases[i].result);
                assert_true(n > 3); /* they were seen at all */
        }
}

static int forget_zones(void **state) {
        timezone_forget_all();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_each_allocation_fails, forget_zones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
