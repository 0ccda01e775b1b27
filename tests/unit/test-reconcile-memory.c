/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: one full reconcile of each control, with each allocation of the process failing once, in turn: those of the engine, the
 * controls, the calls, the store, and of the libraries under them. Nothing crashes or leaks, no lock request goes out without its
 * stored intent, nothing is said to be compliant that is not, nothing is done twice, and afterwards everything comes to be as
 * written.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine-world.h"
#include "memory-fault.h"

#define N_MAX 100000

typedef struct Scenario {
        const char *what, *cloud, *policies;
        const char *path;       /* part of the path of the requests that change something */
        size_t n_writes;        /* of them, when nothing fails */
        bool may_be_repeated;
        usec_t before_usec;     /* lived before memory begins to fail */
} Scenario;

static const Scenario scenarios[] = {
        {
                .what = "encryption is switched on",
                .cloud = "instances: {taurusdb: {" WORLD_ORDERS ": {encryption: off}}}",
                .policies = "name: orders\nservice: taurusdb\ninstance_id: " WORLD_ORDERS "\n"
                            "encryption: {expect: on, kms_key_id: 4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11, poll: 10m}\n",
                .path = "/backups/encryption",
                .n_writes = 1,
        },
        {
                .what = "a schedule is put back",
                .cloud = "instances: {dbss: {" WORLD_AUDIT ": {schedule: {status: off, bucket_name: other}}}}",
                .policies = "name: audit\nservice: dbss\ninstance_id: " WORLD_AUDIT "\n"
                            "schedule: {status: on, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, "
                            "bucket_name: as-written, reapply: never, poll: 10m}\n",
                .path = "/backup/switch",
                .n_writes = 1,
        },
        {
                .what = "a schedule is applied again",
                .cloud = "instances: {dbss: {" WORLD_AUDIT ": {schedule: {status: off, bucket_name: other}}}}",
                .policies = "name: audit\nservice: dbss\ninstance_id: " WORLD_AUDIT "\n"
                            "schedule: {status: on, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, "
                            "bucket_name: as-written, reapply: 12h, poll: 10m}\n",
                .path = "/backup/switch",
                .n_writes = 2,
                .may_be_repeated = true,
                .before_usec = 12 * USEC_PER_HOUR - 5 * USEC_PER_MINUTE,
        },
        {
                .what = "a lock is enabled",
                .cloud = "instances: {taurusdb: {" WORLD_ORDERS ": {lock: none}}}",
                .policies = "name: orders\nservice: taurusdb\ninstance_id: " WORLD_ORDERS "\n"
                            "lock: {retention_days: 30, renew_before: 7d, settle: 5m, poll: 10m}\n",
                .path = "/backups/vault-lock",
                .n_writes = 1,
        },
        {
                .what = "a lock is extended by a climb",
                .cloud = "lock: {reading: from-start}\ninstances: {taurusdb: {" WORLD_ORDERS ": {lock: {start: -5d, end: +3d}}}}",
                .policies = "name: orders\nservice: taurusdb\ninstance_id: " WORLD_ORDERS "\n"
                            "lock: {retention_days: 30, renew_before: 7d, settle: 0s, poll: 10m}\n",
                .path = "/backups/vault-lock",
                .n_writes = 2,
        },
        {
                .what = "a download is authorized",
                .cloud = "instances: {gaussdb: {" WORLD_LEDGER ": {backups: {e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h}}}}}",
                .policies = "name: ledger\nservice: gaussdb\ninstance_id: " WORLD_LEDGER "\ndownload: {backups: latest, poll: 10m}\n",
                .path = "/download/authorization",
                .n_writes = 1,
        },
};

typedef void (*Arm)(size_t n);

static void print_seen(const EngineWorld *w) {
        for (size_t i = 0; i < w->n_requests; i++)
                (void) fprintf(stderr, "%llu: %s %s: %d\n", (unsigned long long) (w->requests[i].boot_usec / USEC_PER_SEC),
                               http_method_to_string(w->requests[i].method), w->requests[i].path, w->requests[i].status);
        for (size_t i = 0; i < w->n_events; i++)
                (void) fprintf(stderr, "%llu: %s\n", (unsigned long long) ((w->events[i].at_usec - WORLD_T0) / USEC_PER_SEC),
                               w->events[i].message);
}

#define CHECK(w, n, what)                                                       \
        do {                                                                    \
                if (!(what)) {                                                  \
                        print_seen(w);                                          \
                        fail_msg("with allocation %zu failing: %s", n, #what);  \
                }                                                               \
        } while (0)

/* All is as written, and a new process finds it so without changing anything. */
static void check_recovered(EngineWorld *w, const Scenario *s, size_t n) {
        size_t n_writes;
        EngineCounts c;

        engine_world_run(w, 2 * USEC_PER_HOUR);
        c = engine_world_counts(w);
        CHECK(w, n, c.n_compliant == c.n_controls && c.n_controls == 1);
        CHECK(w, n, c.n_in_flight == 0);
        CHECK(w, n, engine_world_lock_end(w, WORLD_ORDERS) <= w->wall_usec + 31 * USEC_PER_DAY);
        CHECK(w, n, engine_world_said(w, EVENT_LOCK_FROZEN, NULL) == 0);
        n_writes = engine_world_asked(w, s->path, true);

        engine_world_kill(w);
        CHECK(w, n, engine_world_start(w, "", s->policies) == 0);
        engine_world_run(w, USEC_PER_HOUR);
        c = engine_world_counts(w);
        CHECK(w, n, c.n_compliant == c.n_controls && c.n_controls == 1);
        CHECK(w, n, engine_world_asked(w, s->path, true) == n_writes);
}

/* Return: did an allocation fail at all? */
static bool reconcile(const Scenario *s, Arm arm, size_t n) {
        EngineWorld *w = calloc(1, sizeof(*w));
        size_t n_writes, n_lost;
        bool failed;

        engine_world_setup(w, s->cloud);
        CHECK(w, n, engine_world_start(w, "", s->policies) == 0);
        engine_world_run(w, s->before_usec);

        arm(n);
        engine_world_run(w, 10 * USEC_PER_MINUTE);
        failed = memory_fail_never();

        /* A climb that was interrupted is long enough as it is. A reply that there was no memory to read is as good as lost: then, and only
         * then, the same may be asked for once more; of a schedule also where the read back was lost, since its writes can be repeated. */
        engine_world_run(w, 30 * USEC_PER_MINUTE);
        n_writes = engine_world_asked(w, s->path, true);
        n_lost = engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL) + engine_world_said(w, EVENT_API_FAILING, NULL);
        CHECK(w, n, n_writes >= (failed ? 1 : s->n_writes));
        CHECK(w, n, n_writes <= s->n_writes + (failed && (n_lost > 0 || s->may_be_repeated || arm == memory_fail_from)));
        check_recovered(w, s, n);
        engine_world_teardown(w);
        free(w);
        return failed;
}

static void sweep(Arm arm, size_t stride) {
        for (size_t i = 0; i < N_ELEMENTS(scenarios); i++) {
                size_t n = 0;

                while (reconcile(&scenarios[i], arm, n)) {
                        n += stride;
                        assert_true(n < N_MAX);
                }
                print_message("%s: %zu allocations\n", scenarios[i].what, n);
                assert_true(n > 50);
        }
}

static void test_reconcile_each_allocation_fails(void **state) {
        if (!memory_can_fail())
                skip();
        sweep(memory_fail_at, 1);
}

/* Memory stays short for ten minutes. */
static void test_reconcile_memory_runs_out(void **state) {
        if (!memory_can_fail())
                skip();
        sweep(memory_fail_from, 4);
}

/* --- Into force and out of it ------------------------------------------------------------------------------------------ */

static const char everything_cloud[] =
        "instances:\n"
        "  taurusdb: {" WORLD_ORDERS ": {encryption: off, lock: none}}\n"
        "  dbss: {" WORLD_AUDIT ": {schedule: {status: off, bucket_name: other}}}\n"
        "  gaussdb: {" WORLD_LEDGER ": {backups: {e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h}}}}\n";

#define ORDERS "name: orders\nservice: taurusdb\ninstance_id: " WORLD_ORDERS "\n"                                   \
               "encryption: {expect: on, kms_key_id: 4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11, poll: 10m}\n"            \
               "lock: {retention_days: 30, renew_before: 7d, settle: 5m, poll: 10m}\n"
#define AUDIT  "name: audit\nservice: dbss\ninstance_id: " WORLD_AUDIT "\n"                                         \
               "schedule: {status: on, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, " \
               "bucket_name: as-written, poll: 10m}\n"
#define LEDGER "name: ledger\nservice: gaussdb\ninstance_id: " WORLD_LEDGER "\ndownload: {backups: latest, poll: 10m}\n"

/* A start that there is no memory for leaves nothing behind, and the next one goes well. Return: did an allocation fail? */
static bool start(size_t n) {
        EngineWorld *w = calloc(1, sizeof(*w));
        EngineCounts c;
        bool failed;
        int r;

        engine_world_setup(w, everything_cloud);
        memory_fail_at(n);
        r = engine_world_start(w, "", ORDERS "---\n" AUDIT "---\n" LEDGER);
        failed = memory_fail_never();
        CHECK(w, n, r == 0 || r == -ENOMEM);
        CHECK(w, n, r == 0 || failed);
        if (r < 0)
                CHECK(w, n, engine_world_start(w, "", ORDERS "---\n" AUDIT "---\n" LEDGER) == 0);

        engine_world_run(w, USEC_PER_HOUR);
        c = engine_world_counts(w);
        CHECK(w, n, c.n_controls == 4 && c.n_compliant == 4);
        CHECK(w, n, engine_world_asked(w, "/", true) == 4);
        engine_world_teardown(w);
        free(w);
        return failed;
}

/* A reload that there is no memory for changes nothing: neither what is in force, nor what is remembered. */
static bool reload(size_t n) {
        EngineWorld *w = calloc(1, sizeof(*w));
        EngineCounts c;
        bool failed;
        int r;

        engine_world_setup(w, everything_cloud);
        CHECK(w, n, engine_world_start(w, "", ORDERS "---\n" AUDIT) == 0);
        engine_world_run(w, USEC_PER_HOUR);
        engine_world_forget(w);

        memory_fail_at(n);
        r = engine_world_reload(w, "http: {rate: 5/s}\n", AUDIT "---\n" LEDGER);
        failed = memory_fail_never();
        CHECK(w, n, r == 0 || (r == -ENOMEM && failed));
        c = engine_world_counts(w);
        CHECK(w, n, c.n_controls == (r == 0 ? 2 : 3));
        CHECK(w, n, c.n_compliant == (r == 0 ? 1 : 3));
        CHECK(w, n, engine_world_said(w, EVENT_POLICY_REMOVED, NULL) == (r == 0));
        CHECK(w, n, engine_world_said(w, EVENT_POLICY_REJECTED, NULL) == 0);

        engine_world_run(w, USEC_PER_HOUR);
        c = engine_world_counts(w);
        CHECK(w, n, c.n_compliant == c.n_controls && c.n_controls == (r == 0 ? 2 : 3));
        CHECK(w, n, engine_world_asked(w, "/", true) == (r == 0));      /* the download, where it came into force */

        /* Whatever became of it, the next one works; and nothing that was done is done again. */
        engine_world_forget(w);
        CHECK(w, n, engine_world_reload(w, NULL, ORDERS "---\n" AUDIT "---\n" LEDGER) == 0);
        engine_world_run(w, USEC_PER_HOUR);
        c = engine_world_counts(w);
        CHECK(w, n, c.n_controls == 4 && c.n_compliant == 4);
        CHECK(w, n, engine_world_asked(w, "/", true) == (r < 0));
        engine_world_teardown(w);
        free(w);
        return failed;
}

static void sweep_loads(bool (*once)(size_t n), const char *what) {
        size_t n = 0;

        if (!memory_can_fail())
                skip();
        while (once(n)) {
                n++;
                assert_true(n < N_MAX);
        }
        print_message("%s: %zu allocations\n", what, n);
        assert_true(n > 10);
}

static void test_start_each_allocation_fails(void **state) {
        sweep_loads(start, "start");
}

static void test_reload_each_allocation_fails(void **state) {
        sweep_loads(reload, "reload");
}

/* json-c 0.16 copies the keys of objects and does not look whether there was memory for them (json_tokener.c). */
static int setup(void **state) {
        return memory_spare("libjson-c") ? 0 : -1;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_start_each_allocation_fails),
                cmocka_unit_test(test_reload_each_allocation_fails),
                cmocka_unit_test(test_reconcile_each_allocation_fails),
                cmocka_unit_test(test_reconcile_memory_runs_out),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
