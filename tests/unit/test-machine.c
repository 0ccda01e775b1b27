/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The virtual machine: what becomes of exchanges, the lives of an engine, its two clocks, and that neither its memory nor the polls it leaves
 * out change anything that is said.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/load.h"
#include "virtual/machine.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

#define PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"
#define LOCK_ID "%032din07"
#define AUDIT_ID "%032d"
#define GAUSS_ID "%032din14"

/* One life, and what was said in it. */
typedef struct Fixture {
        Sim *sim;
        Machine *machine;
        char *log;
        size_t n_log;
        FILE *stream;
        uint64_t n_asked, n_fates, n_replied, n_delivered, n_commits, n_rested, n_puts;
        MachineFate fate;               /* of lock-set, else DELIVER */
        Call fate_call;
        unsigned n_spoiled;             /* so many exchanges end like that */
        usec_t delay_usec;              /* of those; 0: as they are */
        uint64_t kill_at_put;           /* 0: never */
        unsigned percent;               /* of all exchanges get a fate by chance */
        bool spoil;                     /* replied() makes the reply empty */
        HttpOutcome last_outcome;
        int last_status;
} Fixture;

static void on_say(void *userdata, const Event *e) {
        Fixture *x = userdata;
        char at[TIME_TEXT_MAX];

        (void) fprintf(x->stream, "%s %s %s\n", rfc3339_format(machine_cloud_time(x->machine), at), event_type(e->id)->name, e->message);
}

static void on_asked(void *userdata, const Instance *instance, const Ask *ask) {
        Fixture *x = userdata;

        assert_non_null(instance);
        assert_non_null(ask);
        x->n_asked++;
}

static MachineFate on_fate(void *userdata, const MachineExchange *e, usec_t *delay_usec) {
        Fixture *x = userdata;

        x->n_fates++;
        if (x->percent > 0 && machine_random(x->machine) % 100 < x->percent) {
                MachineFate fate = (MachineFate) (machine_random(x->machine) % MACHINE_INVENT);

                if (fate != MACHINE_DELIVER && fate != MACHINE_ALTER)
                        *delay_usec = 30 * USEC_PER_SEC;
                return fate;
        }
        if (x->n_spoiled == 0 || !e->ask || e->ask->call != x->fate_call)
                return MACHINE_DELIVER;

        x->n_spoiled--;
        if (x->delay_usec > 0)
                *delay_usec = x->delay_usec;
        return x->fate;
}

static void on_replied(void *userdata, const MachineExchange *e, HttpReply *reply) {
        Fixture *x = userdata;

        assert_non_null(e->request);
        assert_non_null(reply->date);
        x->n_replied++;
        if (!x->spoil)
                return;
        free(reply->body);
        reply->body = NULL;
        reply->n_body = 0;
}

static void on_delivered(void *userdata, uint64_t cookie, const HttpReply *reply, const Answer *answer) {
        Fixture *x = userdata;

        assert_true(cookie != 0);
        assert_true(!reply != !answer);
        x->n_delivered++;
        if (reply) {
                x->last_outcome = reply->outcome;
                x->last_status = reply->status;
        }
}

static int on_put(void *userdata, const StateRecord *record) {
        Fixture *x = userdata;

        if (++x->n_puts == x->kill_at_put)
                machine_kill(x->machine);
        return 0;
}

static int on_commit(void *userdata) {
        ((Fixture *) userdata)->n_commits++;
        return 0;
}

static void on_rested(void *userdata) {
        ((Fixture *) userdata)->n_rested++;
}

static void must(int r, Diagnostics *d) {
        for (size_t i = 0; i < d->n_items; i++) {
                char *text = diagnostic_to_string(&d->items[i]);

                print_message("%s\n", text);
                free(text);
        }
        assert_int_equal(r, 0);
        assert_int_equal(d->n_items, 0);
        diagnostics_done(d);
}

static void change(Fixture *x, const char *yaml) {
        Diagnostics d = {};

        must(machine_change(x->machine, yaml, &d), &d);
}

static void setup(Fixture *x, const MachineOptions *options, const char *cloud) {
        MachineHooks hooks = {
                .userdata = x,
                .asked = on_asked,
                .fate = on_fate,
                .replied = on_replied,
                .delivered = on_delivered,
                .put = on_put,
                .commit = on_commit,
                .say = on_say,
                .rested = on_rested,
        };

        *x = (Fixture) {};
        x->stream = open_memstream(&x->log, &x->n_log);
        assert_non_null(x->stream);
        assert_int_equal(sim_new(options->seed, &x->sim), 0);
        assert_int_equal(machine_new(options, &hooks, x->sim, &x->machine), 0);
        change(x, "account: {domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867, projects: {" PROJECT ": ap-southeast-1}}\n"
               "keys: {" MACHINE_ACCESS_KEY ": {secret_key: " MACHINE_SECRET_KEY "}}\n");
        change(x, cloud);
}

static void teardown(Fixture *x) {
        machine_free(x->machine);
        sim_free(x->sim);
        (void) fclose(x->stream);
        free(x->log);
}

static const char *log_of(Fixture *x) {
        (void) fflush(x->stream);
        return x->log;
}

static size_t n_said(Fixture *x, const char *event) {
        size_t n = 0;

        for (const char *at = log_of(x); (at = strstr(at, event)); at++)
                n++;
        return n;
}

static void load(Fixture *x, const char *policies) {
        static const char settings[] =
                "region: ap-southeast-1\nproject_id: " PROJECT "\ndomain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867\n"
                "credentials: {source: environment}\n"
                "endpoints: {taurusdb: \"https://127.0.0.1:1\", dbss: \"https://127.0.0.1:2\", gaussdb: \"https://127.0.0.1:3\"}\n";
        PolicySet *set = NULL;
        Settings *s = NULL;
        Diagnostics d = {};

        must(settings_load_buffer("holdfast.yaml", settings, strlen(settings), &d, &s), &d);
        must(policies_load_buffer("test.yaml", policies, strlen(policies), s, NULL, &d, &set, NULL), &d);
        must(engine_configure(machine_engine(x->machine), s, set), &d);
}

static void boot(Fixture *x, const char *policies) {
        assert_int_equal(machine_boot(x->machine), 0);
        load(x, policies);
}

static void run(Fixture *x, usec_t for_usec) {
        usec_t until = machine_boottime(x->machine) + for_usec;

        assert_int_equal(machine_run(x->machine, until), 0);
}

static const MachineOptions plain = { .seed = 1, .start_usec = T0, .latency_usec = 20 * USEC_PER_MSEC };

static const char one_cloud[] = "instances: {taurusdb: {00000000000000000000000000000001in07: {lock: none, encryption: off}}}";
static const char one_policy[] = "name: one\nservice: taurusdb\ninstance_id: 00000000000000000000000000000001in07\n"
                                 "lock: {retention_days: 30, renew_before: 7d}\n";

/* --- Exchanges ---------------------------------------------------------------------------------------------------- */

static void test_fates(void **state) {
        static const struct {
                const char *what;
                MachineFate fate;
                HttpOutcome outcome;
                bool effect;
        } cases[] = {
                { "delivered",          MACHINE_DELIVER,      HTTP_REPLIED,  true  },
                { "refused",            MACHINE_REFUSE,       HTTP_NOT_SENT, false },
                { "lost on the way",    MACHINE_LOSE_REQUEST, HTTP_LOST,     false },
                { "reply lost",         MACHINE_LOSE_REPLY,   HTTP_LOST,     true  },
                { "reply may be other", MACHINE_ALTER,        HTTP_REPLIED,  true  },
                { "invented",           MACHINE_INVENT,       HTTP_REPLIED,  false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                MachineCounts counts;
                Fixture x;

                print_message("%s\n", cases[i].what);
                setup(&x, &plain, one_cloud);
                x.fate = cases[i].fate;
                x.fate_call = CALL_LOCK_SET;
                x.n_spoiled = 1;
                x.delay_usec = 10 * USEC_PER_SEC;
                boot(&x, one_policy);

                run(&x, 5 * USEC_PER_SEC);      /* lock-get is answered, lock-set is under way */
                assert_int_equal(x.n_delivered, 1);
                run(&x, 5 * USEC_PER_SEC + 30 * USEC_PER_MSEC);
                assert_int_equal(x.n_delivered, 2);
                assert_int_equal(x.last_outcome, cases[i].outcome);

                machine_kill(x.machine);
                x.n_spoiled = 0;
                boot(&x, one_policy);
                run(&x, 10 * USEC_PER_SEC);
                assert_int_equal(n_said(&x, "lock-enabled"), cases[i].effect ? 0 : 1); /* what was not remembered is somebody else's */

                machine_counts(x.machine, &counts);
                assert_int_equal(counts.n_asked, x.n_asked);
                assert_int_equal(x.n_fates, x.n_asked);
                assert_int_equal(counts.n_remembered, 0);
                assert_true(x.n_rested > 0);
                teardown(&x);
        }
}

/* A reply that the hook has changed is what the engine sees. */
static void test_replied_may_change(void **state) {
        MachineOptions options = plain;
        Fixture x;

        options.verify = 1000;
        setup(&x, &options, one_cloud);
        x.spoil = true;
        boot(&x, one_policy);
        run(&x, 5 * USEC_PER_HOUR);
        assert_int_equal(n_said(&x, " unknown "), 1);
        assert_int_equal(x.n_replied, x.n_asked);        /* and nothing of it is remembered */

        x.spoil = false;
        run(&x, 5 * USEC_PER_HOUR);
        assert_int_equal(n_said(&x, " lock-enabled "), 1);
        assert_true(x.n_replied < x.n_asked);
        teardown(&x);
}

/* --- Lives -------------------------------------------------------------------------------------------------------- */

static void test_time_passes_without_an_engine(void **state) {
        Fixture x;
        usec_t before;

        setup(&x, &plain, one_cloud);
        before = machine_boottime(x.machine);
        assert_int_equal(machine_cloud_time(x.machine), T0);
        assert_int_equal(machine_wall_time(x.machine), T0);
        run(&x, USEC_PER_DAY);
        assert_int_equal(machine_boottime(x.machine), before + USEC_PER_DAY);
        assert_int_equal(machine_cloud_time(x.machine), T0 + USEC_PER_DAY);
        assert_int_equal(machine_wall_time(x.machine), T0 + USEC_PER_DAY);
        assert_int_equal(x.n_rested, 0);
        teardown(&x);
}

static void test_kill_in_a_hook(void **state) {
        Fixture x;

        setup(&x, &plain, one_cloud);
        x.kill_at_put = 2;
        boot(&x, one_policy);
        run(&x, USEC_PER_HOUR);
        assert_null(machine_engine(x.machine));
        assert_int_equal(x.n_puts, 2);                   /* nothing after that instruction … */
        assert_int_equal(x.n_commits, 0);                /* … neither the commit that it would have asked for … */
        assert_int_equal(x.n_asked, 1);                  /* … nor what would have followed from it */

        x.kill_at_put = 0;
        boot(&x, one_policy);
        assert_non_null(machine_engine(x.machine));
        run(&x, USEC_PER_HOUR);
        assert_int_equal(n_said(&x, " lock-enabled "), 1);
        teardown(&x);
}

static void test_suspend(void **state) {
        Fixture x;
        usec_t before;

        setup(&x, &plain, one_cloud);
        boot(&x, one_policy);
        run(&x, 10 * USEC_PER_MSEC);                     /* the first request is under way */
        assert_int_equal(x.n_asked, 1);
        assert_int_equal(x.n_delivered, 0);
        before = machine_boottime(x.machine);
        machine_suspend(x.machine, USEC_PER_WEEK);
        assert_int_equal(machine_boottime(x.machine), before + USEC_PER_WEEK);
        assert_int_equal(machine_cloud_time(x.machine), T0 + 10 * USEC_PER_MSEC + USEC_PER_WEEK);
        assert_int_equal(x.n_delivered, 0);

        run(&x, 0);
        assert_int_equal(x.n_delivered, 1);
        assert_int_equal(x.last_outcome, HTTP_LOST);
        run(&x, USEC_PER_HOUR);
        assert_int_equal(n_said(&x, " lock-enabled "), 1);
        teardown(&x);
}

static void test_clock_step(void **state) {
        Fixture x;

        setup(&x, &plain, "instances: {taurusdb: {00000000000000000000000000000001in07: {lock: {start: -1d, end: +29d}}}}");
        boot(&x, one_policy);
        run(&x, USEC_PER_MINUTE);
        assert_int_equal(n_said(&x, " compliant "), 1);

        machine_step_clock(x.machine, (int64_t) (10 * USEC_PER_MINUTE));
        assert_int_equal(machine_wall_time(x.machine), machine_cloud_time(x.machine) + 10 * USEC_PER_MINUTE);
        run(&x, USEC_PER_MINUTE);
        assert_int_equal(n_said(&x, " clock-skew "), 1); /* all due is due now, and the engine sees the host's clock */

        machine_step_clock(x.machine, INT64_MIN);
        assert_int_equal(machine_wall_time(x.machine), 0);
        machine_step_clock(x.machine, (int64_t) machine_cloud_time(x.machine));
        assert_int_equal(machine_wall_time(x.machine), machine_cloud_time(x.machine));
        teardown(&x);
}

/* --- Years -------------------------------------------------------------------------------------------------------- */

#define N_OF_EACH 4

/* A cloud and policies with every control, some of them with nothing to do, some with drift ahead. */
static char *write_cloud(const char *settings) {
        char *text;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        (void) fprintf(f, "%s\ninstances:\n  taurusdb:\n", settings);
        for (int i = 0; i < N_OF_EACH; i++)
                (void) fprintf(f, "    " LOCK_ID ": {encryption: %s, lock: %s, backups: {b%035d: {type: manual, begin: -%dd, end: -%dd}}}\n", i,
                               i % 2 ? "on" : "off", i == 0 ? "none" : "{start: -20d, end: +10d}", i, i + 2, i + 1);
        (void) fprintf(f, "  dbss:\n");
        for (int i = 0; i < N_OF_EACH; i++)
                (void) fprintf(f, "    " AUDIT_ID ": {runs: %s}\n", i, i % 2 ? "true" : "false");
        (void) fprintf(f, "  gaussdb:\n");
        for (int i = 0; i < N_OF_EACH; i++)
                (void) fprintf(f, "    " GAUSS_ID ": {backups: {g%035d: {begin: -2d, end: -1d}, h%035d: {begin: +%dd, end: +%dd}}}\n", i, i, i,
                               20 + i, 21 + i);
        (void) fclose(f);
        return text;
}

static char *write_policies(void) {
        static const char *const locks[N_OF_EACH] = {
                "{retention_days: 30, renew_before: 7d, poll: 6h}",
                "{retention_days: 90, renew_before: 30d, poll: 1d, settle: 0s}",
                "{retention_days: 14, renew_before: 4d, poll: 1d, settle: 2h}",
                "{retention_days: 30, renew_before: 7d, poll: 13h, require_manual_backup: 30d}",
        };
        static const char *const schedules[N_OF_EACH] = {
                "cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", timezone: Europe/Berlin, reapply: 10d",
                "cycle: PER_WEEK, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, reapply: never, max_backup_age: 8d",
                "cycle: PER_HOUR, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, reapply: 24h, max_backup_age: 2h",
                "cycle: PER_MONTH, trigger_time: \"2025-08-31 02:00:44\", timezone: America/New_York, reapply: 100d, max_backup_age: 32d",
        };
        static const char *const downloads[N_OF_EACH] = {
                "{backups: latest}",
                "{backups: latest, reauthorize: 30d, poll: 15h}",
                "{backups: [g00000000000000000000000000000000002], reauthorize: 7d}",
                "{backups: [g00000000000000000000000000000000003]}",
        };
        char *text;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        for (int i = 0; i < N_OF_EACH; i++) {
                (void) fprintf(f, "---\nname: taurus%d\nservice: taurusdb\ninstance_id: " LOCK_ID "\nencryption: {expect: on, poll: 1d%s}\n"
                               "lock: %s\n", i, i,
                               i == 2 ? ", kms_key_id: 4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11" : "", locks[i]);
                (void) fprintf(f, "---\nname: audit%d\nservice: dbss\ninstance_id: " AUDIT_ID "\nschedule: {status: on, mode: AUTO, %s, "
                               "bucket_name: cbh-ynf, poll: 7h}\n", i, i, schedules[i]);
                (void) fprintf(f, "---\nname: gauss%d\nservice: gaussdb\ninstance_id: " GAUSS_ID "\ndownload: %s\n", i, i, downloads[i]);
        }
        (void) fclose(f);
        return text;
}

typedef struct Life {
        const char *cloud;
        unsigned percent, verify;
        bool skip;
        unsigned days;
        uint64_t seed;
} Life;

/* What was said in one life; new. */
static char *live(const Life *life, MachineCounts *ret_counts) {
        static const char *const changes[] = {
                "instances: {taurusdb: {00000000000000000000000000000001in07: {encryption: off}}}",
                "instances: {dbss: {00000000000000000000000000000001: {schedule: {status: off}}}}",
                "instances: {dbss: {00000000000000000000000000000003: {runs: false}}}",
                "instances: {gaussdb: {00000000000000000000000000000000in14: {backups: {x00000000000000000000000000000000001: {begin: -1h}}}}}",
                "instances: {taurusdb: {00000000000000000000000000000001in07: {encryption: on}}}",
        };
        MachineOptions options = {
                .seed = life->seed,
                .start_usec = T0,
                .latency_usec = 20 * USEC_PER_MSEC,
                .verify = life->verify,
                .skip = life->skip,
        };
        char *cloud = write_cloud(life->cloud), *policies = write_policies(), *said;
        unsigned step = life->days / (N_ELEMENTS(changes) + 1);
        Fixture x;

        setup(&x, &options, cloud);
        x.percent = life->percent;
        machine_set_quiet(x.machine, machine_boottime(x.machine) + step * USEC_PER_DAY);
        boot(&x, policies);
        for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
                run(&x, step * USEC_PER_DAY);
                machine_set_quiet(x.machine, machine_boottime(x.machine) + step * USEC_PER_DAY);
                change(&x, changes[i]);
        }
        run(&x, step * USEC_PER_DAY);

        machine_counts(x.machine, ret_counts);
        said = strdup(log_of(&x));
        assert_non_null(said);
        assert_true(strlen(said) > 1000);
        teardown(&x);
        free(cloud);
        free(policies);
        return said;
}

/* Takes both. */
static void assert_same_log(char *a, char *b) {
        const char *line = a;

        for (size_t i = 0; a[i] || b[i]; i++) {
                if (a[i] != b[i]) {
                        print_message("after %zu bytes:\n%.400s\n----\n%.400s\n", i, line, b + (line - a));
                        break;
                }
                if (a[i] == '\n')
                        line = a + i + 1;
        }
        assert_int_equal(strcmp(a, b), 0);
        free(a);
        free(b);
}

static const char *const clouds[] = {
        "lock: {reading: from-start, unit: seconds}",
        "lock: {reading: from-now, shorten: ignore}\nconsistency: {read_delay: 90s}\ndbss: {moves_trigger: true}",
        "lock: {reading: added, round_end: day}\nconsistency: {read_delay: 3s}",
};

static void test_same_seed_same_life(void **state) {
        Life life = { .cloud = clouds[1], .percent = 10, .verify = 7, .days = 60, .seed = 3 };
        MachineCounts counts, again;
        char *a, *b;

        assert_same_log(live(&life, &counts), live(&life, &again));
        assert_memory_equal(&counts, &again, sizeof(counts));

        a = live(&life, &again);
        life.seed = 4;
        b = live(&life, &again);
        assert_true(strcmp(a, b) != 0);
        free(a);
        free(b);
}

/* Everything that could come from memory goes the whole way and is compared; and memory makes no difference. */
static void test_memory_is_as_the_whole_way(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(clouds); i++) {
                Life life = { .cloud = clouds[i], .days = 360, .seed = 1 };
                MachineCounts verified, remembered;
                char *a, *b;

                print_message("%s\n", clouds[i]);
                life.verify = 1;
                a = live(&life, &verified);
                assert_int_equal(verified.n_sent, verified.n_asked);
                assert_int_equal(verified.n_remembered, 0);
                assert_true(verified.n_verified > verified.n_sent / 2);

                life.verify = 100;
                b = live(&life, &remembered);
                assert_int_equal(remembered.n_asked, verified.n_asked);
                assert_true(remembered.n_remembered > 20 * remembered.n_verified);
                assert_int_equal(remembered.n_sent + remembered.n_remembered, verified.n_sent);

                assert_same_log(a, b);
        }
}

static void test_memory_with_faults(void **state) {
        Life life = { .cloud = clouds[2], .percent = 5, .days = 120, .seed = 9 };
        MachineCounts whole, remembered;
        char *a, *b;

        a = live(&life, &whole);
        life.verify = 3;
        b = live(&life, &remembered);
        assert_true(remembered.n_remembered > 1000);
        assert_int_equal(remembered.n_asked, whole.n_asked);
        assert_same_log(a, b);
}

static void test_skip_changes_nothing_said(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(clouds); i++) {
                Life life = { .cloud = clouds[i], .verify = 50, .days = 360, .seed = 1 };
                MachineCounts all, some;
                char *a, *b;

                print_message("%s\n", clouds[i]);
                a = live(&life, &all);
                life.skip = true;
                b = live(&life, &some);
                assert_same_log(a, b);
                assert_true(some.n_asked < all.n_asked / 2);
                print_message("%zu asks, %zu with what shows nothing new left out\n", (size_t) all.n_asked, (size_t) some.n_asked);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fates),
                cmocka_unit_test(test_replied_may_change),
                cmocka_unit_test(test_time_passes_without_an_engine),
                cmocka_unit_test(test_kill_in_a_hook),
                cmocka_unit_test(test_suspend),
                cmocka_unit_test(test_clock_step),
                cmocka_unit_test(test_same_seed_same_life),
                cmocka_unit_test(test_memory_is_as_the_whole_way),
                cmocka_unit_test(test_memory_with_faults),
                cmocka_unit_test(test_skip_changes_nothing_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
