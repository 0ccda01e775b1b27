/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The engine with its controls, signing, decoding and store against the simulated cloud: what is due when, what is sent, said and kept.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define ORDERS "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define CUSTOMERS "8144f8d4d0a4549808e55be8bf1b8e06in07"
#define AUDIT "2f6b1d3c4e5f60718293a4b5c6d7e8f9"
#define LEDGER "1de27464abdf48519f8574c97a8f0625in14"
#define BACKUP "e28d08754b1a490fb2b3540ed013a7fbbr14"
#define KEY "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"

static const char fleet[] =
        "instances:\n"
        "  taurusdb:\n"
        "    " ORDERS ": {encryption: off, lock: {start: -27d, end: +3d}}\n"
        "    " CUSTOMERS ": {encryption: {status: on, kms_key_id: " KEY "}, lock: none}\n"
        "  dbss:\n"
        "    " AUDIT ": {schedule: {status: off, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", bucket_name: cbh-ynf}, "
        "latest_backup: -3h}\n"
        "  gaussdb:\n"
        "    " LEDGER ": {backups: {" BACKUP ": {type: auto, begin: -8h}}}\n"
        "lock: {reading: from-now, unit: seconds}\n";

static const char policies[] =
        "name: orders\n"
        "service: taurusdb\n"
        "instance_id: " ORDERS "\n"
        "encryption: {expect: on, kms_key_id: " KEY ", poll: 5m}\n"
        "lock: {retention_days: 30, settle: 0s}\n"
        "---\n"
        "name: customers\n"
        "service: taurusdb\n"
        "instance_id: " CUSTOMERS "\n"
        "lock: {retention_days: 30}\n"
        "---\n"
        "name: audit\n"
        "service: dbss\n"
        "instance_id: " AUDIT "\n"
        "schedule: {status: on, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", timezone: Asia/Singapore, bucket_name: cbh-ynf, poll: 15m}\n"
        "---\n"
        "name: ledger\n"
        "service: gaussdb\n"
        "instance_id: " LEDGER "\n"
        "download: {backups: latest}\n";

static const char encryption_only[] =
        "name: orders\n"
        "service: taurusdb\n"
        "instance_id: " ORDERS "\n"
        "encryption: {expect: on, kms_key_id: " KEY ", poll: 5m}\n";

static const char lock_only[] =
        "name: orders\n"
        "service: taurusdb\n"
        "instance_id: " ORDERS "\n"
        "lock: {retention_days: 30, settle: 0s}\n";

static int setup(void **state) {
        static SimWorld w;

        world_setup(&w, fleet);
        *state = &w;
        return 0;
}

static int teardown(void **state) {
        world_teardown(*state);
        return 0;
}

static EngineCounts counts(const SimWorld *w) {
        EngineCounts c;

        engine_counts(w->engine, &c);
        return c;
}

static void test_engine_once_repairs_everything(void **state) {
        SimWorld *w = *state;

        w->once = true;
        world_start(w, "", policies);
        assert_true(world_run_once(w));
        assert_int_equal(counts(w).n_controls, 5);
        assert_int_equal(counts(w).n_compliant, 5);

        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 5);
        assert_int_equal(world_said(w, EVENT_REMEDIATED, "orders"), 1);
        assert_int_equal(world_said(w, EVENT_REMEDIATED, "audit"), 1);
        assert_int_equal(world_said(w, EVENT_LOCK_EXTENDED, "orders"), 2);      /* 27 days reach past the end, 30 to the target */
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, "customers"), 1);
        assert_int_equal(world_said(w, EVENT_DOWNLOAD_AUTHORIZED, "ledger"), 1);
        assert_int_equal(world_said(w, EVENT_COMPLIANT, NULL), 5);

        /* Locks are looked at first. */
        assert_non_null(strstr(w->requests[0].path, "vault-lock"));

        /* A second run finds nothing to do, and says nothing. */
        world_kill(w);
        world_forget(w);
        world_start(w, "", policies);
        assert_true(world_run_once(w));
        assert_int_equal(counts(w).n_compliant, 5);
        assert_int_equal(world_writes(w, ""), 0);
        assert_int_equal(w->n_events, 0);
}

static void test_engine_observe_changes_nothing(void **state) {
        SimWorld *w = *state;

        w->once = w->observe = true;
        world_start(w, "", policies);
        assert_true(world_run_once(w));
        assert_int_equal(world_writes(w, ""), 0);
        assert_int_equal(counts(w).n_violated, 5);
        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 5);
}

static void test_engine_finds_drift_within_a_poll(void **state) {
        SimWorld *w = *state;

        world_start(w, "", encryption_only);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 1);
        world_forget(w);

        world_run(w, USEC_PER_HOUR);
        assert_int_equal(w->n_events, 0);
        assert_in_range(w->n_requests, 11, 13);         /* one a poll of 5 min */
        assert_int_equal(w->n_puts_since_commit, 0);    /* an unchanged poll writes nothing */

        world_change(w, "instances: {taurusdb: {" ORDERS ": {encryption: off}}}");
        world_run(w, 6 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_DRIFT, "orders"), 1);
        assert_int_equal(world_said(w, EVENT_REMEDIATED, "orders"), 1);
        assert_int_equal(world_said(w, EVENT_COMPLIANT, "orders"), 1);
}

static void test_engine_says_a_lasting_state_once_a_day(void **state) {
        SimWorld *w = *state;

        w->observe = true;
        world_start(w, "", encryption_only);
        world_run(w, 23 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 1);
        world_run(w, 50 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 4);

        /* Over a restart too. */
        world_kill(w);
        world_forget(w);
        world_start(w, "", encryption_only);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 0);
}

static void test_engine_unknown_after_three_polls(void **state) {
        SimWorld *w = *state;

        world_change(w, "deny: [\"gaussdbformysql:backup:encrypt\"]");
        world_start(w, "", encryption_only);
        world_run(w, 9 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_API_FAILING, "orders"), 1);
        assert_int_equal(world_said(w, EVENT_UNKNOWN, NULL), 0);
        assert_int_equal(counts(w).n_unknown, 1);
        world_run(w, 10 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_UNKNOWN, NULL), 1);
        assert_int_equal(world_last(w, EVENT_UNKNOWN)->priority, 4);
        assert_int_equal(world_writes(w, ""), 0);       /* a refusal to look is not "off" */

        world_run(w, 25 * USEC_PER_HOUR);
        assert_int_equal(world_last(w, EVENT_UNKNOWN)->priority, 3);
        assert_in_range(world_said(w, EVENT_UNKNOWN, NULL), 2, 3);

        world_change(w, "deny: []");
        world_run(w, 6 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, "orders"), 1);
        assert_int_equal(counts(w).n_compliant, 1);
}

static void test_engine_outage_is_said_once(void **state) {
        SimWorld *w = *state;

        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        world_forget(w);

        world_faults(w, "[{path: \"/v3/*\", status: 503}]");
        world_run(w, 2 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 1);    /* the endpoint, not each control */
        assert_true(w->n_requests < 600);               /* backed off */

        world_faults(w, NULL);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, NULL), 1);
        assert_int_equal(counts(w).n_compliant, 5);
}

static void test_engine_stops_at_the_first_refusal_of_a_key(void **state) {
        SimWorld *w = *state;
        usec_t first;

        w->secret_key = "not-the-secret";
        world_start(w, "", policies);
        world_run(w, 5 * USEC_PER_MINUTE);
        assert_int_equal(w->n_requests, 1);
        assert_int_equal(w->requests[0].status, 401);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 1);
        first = w->requests[0].at_usec;

        world_run(w, 3 * USEC_PER_MINUTE);
        assert_int_equal(w->n_requests, 2);             /* once more after six minutes */
        assert_in_range(w->requests[1].at_usec - first, 6 * USEC_PER_MINUTE, 8 * USEC_PER_MINUTE);

        /* New ones are used at once. */
        w->secret_key = SECRET_KEY;
        engine_on_credentials_changed(w->engine);
        world_run(w, 10 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REFRESHED, NULL), 1);
        assert_int_equal(counts(w).n_compliant, 5);
}

static void test_engine_first_request_goes_alone(void **state) {
        SimWorld *w = *state;

        w->latency_usec = USEC_PER_SEC;
        world_start(w, "", policies);
        world_run(w, 900 * USEC_PER_MSEC);
        assert_int_equal(w->n_requests, 1);
        world_run(w, 200 * USEC_PER_MSEC);
        assert_true(w->n_requests > 1);
}

static void test_engine_sends_no_lock_request_that_is_not_stored(void **state) {
        for (int which = 0; which < 2; which++) {
                SimWorld w;

                world_setup(&w, fleet);
                if (which == 0)
                        w.put_error = -28;      /* ENOSPC */
                else
                        w.commit_error = -28;
                world_start(&w, "", policies);
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(world_writes(&w, "vault-lock"), 0);
                assert_int_equal(world_said(&w, EVENT_STATE_FAILING, NULL), 1);
                assert_int_equal(world_said(&w, EVENT_REMEDIATED, "orders"), 1);        /* what needs no memory goes on */

                w.put_error = w.commit_error = 0;
                world_run(&w, 2 * USEC_PER_HOUR);
                assert_int_equal(world_said(&w, EVENT_STATE_RECOVERED, NULL), 1);
                assert_int_equal(world_said(&w, EVENT_LOCK_EXTENDED, "orders"), 2);
                assert_int_equal(counts(&w).n_compliant, 5);
                world_teardown(&w);
        }
}

static void test_engine_keeps_what_it_learned(void **state) {
        SimWorld *w = *state;

        world_change(w, "lock: {reading: from-start, shorten: ignore}");
        world_start(w, "", lock_only);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 2);     /* the climb */

        world_kill(w);
        world_forget(w);
        world_start(w, "", lock_only);
        world_run(w, 30 * USEC_PER_DAY);
        assert_int_equal(world_writes(w, "vault-lock"), 1);     /* straight */
        assert_int_equal(world_said(w, EVENT_LOCK_EXTENDED, NULL), 1);
        assert_int_equal(world_said(w, EVENT_DRIFT, NULL), 0);  /* in time, as planned */
}

static void test_engine_freeze_outlives_a_restart(void **state) {
        SimWorld *w = *state;

        world_change(w, "lock: {overshoot_days: 400}");
        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        assert_true(world_said(w, EVENT_LOCK_FROZEN, NULL) >= 1);

        world_kill(w);
        world_forget(w);
        world_change(w, "instances: {taurusdb: {" CUSTOMERS ": {lock: {start: -27d, end: +2d}}}}");
        world_start(w, "", policies);
        world_run(w, 12 * USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 0);

        world_change(w, "lock: {overshoot_days: 0}");
        assert_int_equal(engine_thaw(w->engine, NULL), 1);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_THAWED, NULL), 1);
}

/* Nothing was stored meanwhile, so the new engine finds no sign of what was seen. */
static void test_engine_freeze_outlives_a_missing_store(void **state) {
        SimWorld *w = *state;

        w->put_error = w->commit_error = -EIO;
        world_start(w, "", lock_only);
        world_run(w, 2 * USEC_PER_HOUR);
        world_change(w, "instances: {taurusdb: {" ORDERS ": {lock: {start: -27d, end: +2d}}}}");      /* shorter than before */
        world_run(w, 2 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_FROZEN, NULL), 1);

        world_reopen(w, lock_only);
        world_run(w, 12 * USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 0);

        world_kill(w);
        world_start(w, "", lock_only);
        world_run(w, 12 * USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 0);
        assert_int_equal(engine_thaw(w->engine, NULL), 1);
        world_run(w, 12 * USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 1);
}

static void test_engine_new_locks_a_day(void **state) {
        SimWorld *w = *state;
        char cloud[4096] = "instances:\n  taurusdb:\n", text[8192] = "";

        for (int i = 0; i < 5; i++) {
                size_t n = strlen(cloud), k = strlen(text);

                (void) snprintf(cloud + n, sizeof(cloud) - n, "    %032din07: {lock: none}\n", i + 1);
                (void) snprintf(text + k, sizeof(text) - k, "%sname: new%d\nservice: taurusdb\ninstance_id: %032din07\n"
                                "lock: {retention_days: 30}\n", i > 0 ? "---\n" : "", i, i + 1);
        }
        world_change(w, cloud);
        world_start(w, "limits: {new_locks_per_day: 2}\n", text);
        world_run(w, 20 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, NULL), 2);
        assert_int_equal(world_said(w, EVENT_LOCK_REFUSED, NULL), 3);

        /* Not to be got round by a restart. */
        world_kill(w);
        world_start(w, "limits: {new_locks_per_day: 2}\n", text);
        world_run(w, 3 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, NULL), 2);

        world_run(w, 10 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, NULL), 4);
        world_run(w, 26 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, NULL), 5);
}

static void test_engine_reload(void **state) {
        SimWorld *w = *state;

        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        world_forget(w);

        world_reload(w, policies);                      /* nothing changed: nothing happens */
        world_run(w, USEC_PER_MINUTE);
        assert_in_range(w->n_requests, 0, 2);                /* polls that were due */

        world_reload(w, encryption_only);
        assert_int_equal(world_said(w, EVENT_POLICY_REMOVED, NULL), 4);         /* three instances, and the lock of the one that stays */
        assert_int_equal(counts(w).n_controls, 1);
        world_forget(w);
        world_change(w, "instances: {dbss: {" AUDIT ": {schedule: {status: off, cycle: PER_DAY, "
                     "trigger_time: \"2025-08-21 02:00:44\", bucket_name: cbh-ynf}}}}");
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_writes(w, ""), 0);       /* enforcement of it has ended */

        world_reload(w, policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 5);
        assert_int_equal(world_said(w, EVENT_REMEDIATED, "audit"), 1);
        assert_int_equal(world_writes(w, "download"), 0);       /* what was granted is remembered */
}

static void test_engine_reload_while_looks_run(void **state) {
        SimWorld *w = *state;

        w->latency_usec = 3 * USEC_PER_SEC;
        world_start(w, "", policies);
        for (int i = 0; i < 40; i++) {
                world_run(w, USEC_PER_SEC);
                world_reload(w, i % 2 ? policies : i % 3 ? encryption_only : lock_only);
        }
        world_reload(w, policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 5);
        assert_int_equal(counts(w).n_in_flight, 0);
}

static void test_engine_killed_anywhere_extends_once(void **state) {
        for (int at = 0; at < 60; at++) {
                const char *path[] = { "instances", "taurusdb", ORDERS, "lock", "end", NULL };
                json_object *end;
                usec_t end_usec;
                SimWorld w;

                world_setup(&w, fleet);
                world_change(&w, "lock: {reading: added}");
                world_start(&w, "", lock_only);
                world_run(&w, (usec_t) at * 7 * USEC_PER_MSEC);
                world_kill(&w);
                world_run_after_kill(&w, 5 * USEC_PER_MINUTE);
                world_start(&w, "", lock_only);
                world_run(&w, 3 * USEC_PER_HOUR);

                end = world_state(&w, path);
                assert_non_null(end);
                assert_int_equal(timestamp_parse(json_object_get_string(end), &end_usec), 0);
                assert_true(end_usec <= T0 + 31 * USEC_PER_DAY);
                assert_true(end_usec >= T0 + 29 * USEC_PER_DAY);
                json_object_put(end);
                world_teardown(&w);
        }
}

static void test_engine_survives_clock_steps(void **state) {
        static const int64_t steps[] = { 1, -1, 600, -600, 86400, -86400, 3650LL * 86400, -3650LL * 86400 };
        SimWorld *w = *state;

        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
                /* The cloud keeps its own time: its offset takes the step back. */
                char change[128];

                world_forget(w);
                (void) snprintf(change, sizeof(change), "gateway: {clock_offset: %llds}", (long long) -steps[i]);
                world_step_clock(w, steps[i] * (int64_t) USEC_PER_SEC);
                world_change(w, change);
                world_run(w, 2 * USEC_PER_HOUR);
                assert_int_equal(world_writes(w, "vault-lock"), 0);
                assert_int_equal(world_said(w, EVENT_CLOCK_SKEW, NULL) > 0, steps[i] > 300 || steps[i] < -300);
                world_step_clock(w, -steps[i] * (int64_t) USEC_PER_SEC);
                world_change(w, "gateway: {clock_offset: 0s}");
                world_run(w, 2 * USEC_PER_HOUR);
                assert_int_equal(counts(w).n_compliant, 5);
        }
}

static void test_engine_spreads_polls_and_keeps_the_rate(void **state) {
        enum { N = 400 };
        SimWorld *w = *state;
        char *cloud = NULL, *text = NULL;
        size_t n_cloud, n_text, busiest = 0, from = 0;
        FILE *c = open_memstream(&cloud, &n_cloud), *t = open_memstream(&text, &n_text);

        (void) fprintf(c, "instances:\n  taurusdb:\n");
        for (int i = 0; i < N; i++) {
                (void) fprintf(c, "    %032din07: {encryption: on}\n", i + 1);
                (void) fprintf(t, "%sname: i%d\nservice: taurusdb\ninstance_id: %032din07\nencryption: {poll: 10m}\n", i > 0 ? "---\n" : "", i,
                               i + 1);
        }
        (void) fclose(c);
        (void) fclose(t);
        world_change(w, cloud);
        world_start(w, "http: {rate: 10/s}\n", text);
        world_run(w, 30 * USEC_PER_MINUTE);
        assert_int_equal(counts(w).n_compliant, N);

        for (size_t i = 0; i < w->n_requests; i++) {
                while (w->requests[i].at_usec - w->requests[from].at_usec >= USEC_PER_SEC)
                        from++;
                assert_true(i - from + 1 <= 20);        /* burst and rate */
                if (w->requests[i].at_usec > T0 + 15 * USEC_PER_MINUTE)
                        busiest = MAX(busiest, i - from + 1);
        }
        assert_true(busiest <= 8);      /* 400 in 600 s are 0.7/s on average */
        assert_in_range(w->n_requests, 3 * N - N / 4, 4 * N);
        free(cloud);
        free(text);
}

static void test_engine_falls_back_to_older_lists(void **state) {
        SimWorld *w = *state;

        world_change(w, "api: {gaussdb_backups: [v3]}");
        w->once = true;
        world_start(w, "", policies);
        assert_true(world_run_once(w));
        assert_int_equal(world_said(w, EVENT_DOWNLOAD_AUTHORIZED, NULL), 1);
        assert_int_equal(counts(w).n_compliant, 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_engine_once_repairs_everything),
                TEST(test_engine_observe_changes_nothing),
                TEST(test_engine_finds_drift_within_a_poll),
                TEST(test_engine_says_a_lasting_state_once_a_day),
                TEST(test_engine_unknown_after_three_polls),
                TEST(test_engine_outage_is_said_once),
                TEST(test_engine_stops_at_the_first_refusal_of_a_key),
                TEST(test_engine_first_request_goes_alone),
                cmocka_unit_test(test_engine_sends_no_lock_request_that_is_not_stored),
                TEST(test_engine_keeps_what_it_learned),
                TEST(test_engine_freeze_outlives_a_restart),
                TEST(test_engine_freeze_outlives_a_missing_store),
                TEST(test_engine_new_locks_a_day),
                TEST(test_engine_reload),
                TEST(test_engine_reload_while_looks_run),
                cmocka_unit_test(test_engine_killed_anywhere_extends_once),
                TEST(test_engine_survives_clock_steps),
                TEST(test_engine_spreads_polls_and_keeps_the_rate),
                TEST(test_engine_falls_back_to_older_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
