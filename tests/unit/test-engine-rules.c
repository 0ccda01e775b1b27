/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the engine promises between looks and over restarts: rates, throttles, freezes, budgets, and that no old decision is sent.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine-world.h"

#define FIRST "00000000000000000000000000000001in07"
#define SECOND "00000000000000000000000000000002in07"
#define THIRD "00000000000000000000000000000003in07"

#define ENCRYPTED "{\"encryption_status\":\"on\"}"
#define THROTTLED "{\"error_code\":\"APIGW.0308\",\"error_msg\":\"Too many requests\"}"

static const char lock_of_first[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n";

static const char lock_of_second[] = "name: b\nservice: taurusdb\ninstance_id: " SECOND "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n";

static const char locks[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n---\n"
                            "name: b\nservice: taurusdb\ninstance_id: " SECOND "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n";

/* --- Rates and throttles ------------------------------------------------------------------------------------------- */

static bool answer_encrypted(EngineWorld *w, const HttpRequest *q, HttpReply *ret) {
        *ret = engine_world_reply(w, 200, ENCRYPTED);
        return true;
}

/* Twenty instances. */
static void many(char *buf, size_t size) {
        size_t n = 0;

        for (unsigned i = 0; i < 20; i++)
                n += (size_t) snprintf(buf + n, size - n, "%sname: i%02u\nservice: taurusdb\ninstance_id: %032uin07\n"
                                       "encryption: {expect: on, poll: 1h}\n", i > 0 ? "---\n" : "", i, i);
        assert_true(n < size);
}

static void test_engine_rate(void **state) {
        EngineWorld *w = *state;
        char policies[4096];

        many(policies, sizeof(policies));
        w->answer = answer_encrypted;
        w->options.once = true;         /* all at once, as nothing else is */
        assert_int_equal(engine_world_start(w, "http: {rate: 2/s}\n", policies), 0);
        engine_world_run(w, 5 * USEC_PER_SEC);
        assert_in_range(engine_world_asked(w, "encryption", false), 10, 12);     /* a burst of two, and two a second */
        engine_world_run(w, 5 * USEC_PER_SEC);
        assert_int_equal(engine_world_asked(w, "encryption", false), 20);
}

/* More signatures than lock a key are never under way at a time: it may have been revoked this very moment. */
static void test_engine_signed_requests_at_a_time(void **state) {
        EngineWorld *w = *state;
        size_t n_most = 0;
        char policies[4096];

        many(policies, sizeof(policies));
        w->answer = answer_encrypted;
        w->options.once = true;
        w->latency_usec = USEC_PER_SEC;
        assert_int_equal(engine_world_start(w, "http: {rate: 100/s}\n", policies), 0);
        for (int i = 0; i < 100; i++) {
                engine_world_run(w, 100 * USEC_PER_MSEC);
                n_most = MAX(n_most, engine_world_counts(w).n_in_flight);
        }
        assert_int_equal(n_most, 5);
        assert_int_equal(engine_world_asked(w, "encryption", false), 20);
}

static bool answer_throttled(EngineWorld *w, const HttpRequest *q, HttpReply *ret) {
        *ret = engine_world_reply(w, 429, THROTTLED);
        ret->retry_after = strdup(w->phase == 0 ? "120" : "480");
        return true;
}

/* One throttled call is told for all that the key or the address may ask there. */
static void test_engine_throttle_quiets_the_endpoint(void **state) {
        EngineWorld *w = *state;

        w->answer = answer_throttled;
        assert_int_equal(engine_world_start(w, "", locks), 0);
        engine_world_run(w, 110 * USEC_PER_SEC);
        assert_int_equal(engine_world_asked(w, "/", false), 1);
        engine_world_run(w, 20 * USEC_PER_SEC);
        assert_true(engine_world_asked(w, "/", false) > 1);
}

/* An endpoint is not quiet for longer than five minutes; the look itself waits as long as it was told. */
static void test_engine_throttle_quiets_the_look(void **state) {
        EngineWorld *w = *state;

        w->answer = answer_throttled;
        w->phase = 1;
        assert_int_equal(engine_world_start(w, "", lock_of_first), 0);
        engine_world_run(w, 470 * USEC_PER_SEC);
        assert_int_equal(engine_world_asked(w, "/", false), 1);
        engine_world_run(w, 20 * USEC_PER_SEC);
        assert_int_equal(engine_world_asked(w, "/", false), 2);
}

/* --- What lasts ------------------------------------------------------------------------------------------------------ */

static bool answer_without_effect(EngineWorld *w, const HttpRequest *q, HttpReply *ret) {
        char body[256];

        (void) snprintf(body, sizeof(body), "{\"backup_vaultlock_info\":{\"lock_retention_days\":30,\"lock_policy\":true,"
                        "\"lock_start_time\":%llu,\"lock_end_time\":%llu}}",
                        (unsigned long long) ((WORLD_T0 - 28 * USEC_PER_DAY) / USEC_PER_MSEC),
                        (unsigned long long) ((WORLD_T0 + 2 * USEC_PER_DAY) / USEC_PER_MSEC));
        *ret = engine_world_reply(w, 200, q->method == HTTP_PUT ? "{\"result\":\"success\"}" : body);
        return true;
}

/* Between one climb and the next, looks that wait for an effect find nothing new: what failed is said once, and again after a day. */
static void test_engine_says_once_that_nothing_helps(void **state) {
        static const char policy[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\n"
                                     "lock: {retention_days: 30, renew_before: 7d, poll: 10m, settle: 30m}\n";
        EngineWorld *w = *state;

        w->answer = answer_without_effect;
        assert_int_equal(engine_world_start(w, "", policy), 0);
        for (int i = 0; i < 20; i++)
                engine_world_run(w, USEC_PER_HOUR);
        assert_true(engine_world_asked(w, "vault-lock", true) >= 2);   /* a second climb has begun */
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL), 1);
        for (int i = 0; i < 6; i++)
                engine_world_run(w, USEC_PER_HOUR);
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL), 2);
}

/* --- Freezing ------------------------------------------------------------------------------------------------------- */

/* Of two locks at one endpoint the first reads shorter than before. */
static void freeze_begin(EngineWorld *w) {
        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +20d}}, " SECOND ": {lock: {start: -5d, end: +8d}}}}");
        assert_int_equal(engine_world_start(w, "", locks), 0);
        engine_world_run(w, 2 * USEC_PER_HOUR);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_FROZEN, NULL), 0);
}

static void freeze_end(EngineWorld *w) {
        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +19d}}}}");
        engine_world_run(w, 2 * USEC_PER_HOUR);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_FROZEN, NULL), 1);
}

static void freeze(EngineWorld *w) {
        freeze_begin(w);
        freeze_end(w);
}

static void test_engine_freeze_outlives_the_process(void **state) {
        EngineWorld *w = *state;

        freeze(w);
        engine_world_kill(w);
        assert_int_equal(engine_world_start(w, "", locks), 0);
        engine_world_run(w, 2 * USEC_PER_DAY);          /* the second is due within the first of them */
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 0);
}

static void test_engine_thaw(void **state) {
        for (int restart = 0; restart < 2; restart++) {
                EngineWorld *w = calloc(1, sizeof(*w));

                assert_non_null(w);
                engine_world_setup(w, "instances: {}");
                freeze(w);
                assert_int_equal(engine_thaw(w->engine, NULL), 1);
                assert_int_equal(engine_world_said(w, EVENT_LOCK_THAWED, NULL), 1);
                engine_world_run(w, USEC_PER_MINUTE);
                if (restart) {
                        engine_world_kill(w);
                        assert_int_equal(engine_world_start(w, "", locks), 0);
                }
                engine_world_run(w, 2 * USEC_PER_DAY);
                assert_true(engine_world_asked(w, SECOND "/backups/vault-lock", true) >= 1);
                assert_int_equal(engine_thaw(w->engine, NULL), 0);
                engine_world_teardown(w);
                free(w);
        }
}

/* Of the one endpoint that was asked. */
static char *origin_of(const EngineWorld *w, char buf[static 192]) {
        const char *path = strstr(w->requests[0].path, "/v3/");

        assert_non_null(path);
        (void) snprintf(buf, 192, "%.*s", (int) (path - w->requests[0].path), w->requests[0].path);
        return buf;
}

/* What was learned of an endpoint that is not frozen is forgotten too, where it is named. */
static void test_engine_thaw_forgets_what_was_learned(void **state) {
        EngineWorld *w = *state;
        char origin[192];

        engine_world_change(w, "{lock: {reading: added}, instances: {taurusdb: {" FIRST ": {lock: {start: -27d, end: +3d}}}}}");
        assert_int_equal(engine_world_start(w, "", lock_of_first), 0);
        engine_world_run(w, 3 * USEC_PER_HOUR);
        assert_true(engine_world_said(w, EVENT_LOCK_EXTENDED, NULL) >= 1);

        (void) origin_of(w, origin);
        assert_int_equal(engine_thaw(w->engine, NULL), 0);
        assert_int_equal(engine_thaw(w->engine, "https://elsewhere.example.com"), 0);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_THAWED, NULL), 0);
        assert_int_equal(engine_thaw(w->engine, origin), 1);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_THAWED, NULL), 1);
        assert_int_equal(engine_thaw(w->engine, origin), 0);     /* nothing is left to forget */
}

/* One slot: the request that was decided waits in the queue while the other lock is found to be shorter. */
static void test_engine_freeze_stops_what_was_decided(void **state) {
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +20d}}, " SECOND ": {lock: none}}}");
        assert_int_equal(engine_world_start(w, "http: {max_connections: 1}\n", lock_of_first), 0);
        engine_world_run(w, 2 * USEC_PER_HOUR);
        engine_world_kill(w);

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +19d}}}}");
        w->latency_usec = 5 * USEC_PER_SEC;
        assert_int_equal(engine_world_start(w, "http: {max_connections: 1}\n", locks), 0);
        engine_world_run(w, 2 * USEC_PER_HOUR);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_FROZEN, NULL) >= 1, true);
        assert_int_equal(w->locks[1].committed.n_intents, 0);   /* taken back: it never went out */
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 0);
}

/* --- A disk that fails ------------------------------------------------------------------------------------------------- */

/* Whatever could not be put, or committed, is stored when the disk works again: a restart knows of the freeze. */
static void test_engine_freeze_outlives_a_failing_disk(void **state) {
        for (int commits = 0; commits < 2; commits++) {
                bool failed = true;

                for (size_t n = 1; failed; n++) {
                        EngineWorld *w = calloc(1, sizeof(*w));

                        assert_non_null(w);
                        engine_world_setup(w, "instances: {}");
                        freeze_begin(w);
                        *(commits ? &w->n_commits_left : &w->n_puts_left) = n;
                        freeze_end(w);
                        failed = w->io_failed;
                        w->n_commits_left = w->n_puts_left = 0;
                        engine_world_kill(w);

                        assert_int_equal(engine_world_start(w, "", locks), 0);
                        engine_world_run(w, 2 * USEC_PER_DAY);
                        assert_int_equal(engine_world_asked(w, "vault-lock", true), 0);
                        engine_world_teardown(w);
                        free(w);
                        assert_true(n < 100);
                }
        }
}

/* What is stated of the cloud and not shown yet is tried on one lock, while the others have time. */
static void test_engine_tries_a_stated_reading_on_one_lock(void **state) {
        static const char stated[] = "defaults: {lock: {extension: from-start}}\n";
        static const char policies[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\nlock: {retention_days: 30, poll: 1h}\n---\n"
                                       "name: b\nservice: taurusdb\ninstance_id: " SECOND "\nlock: {retention_days: 30, poll: 1h}\n---\n"
                                       "name: c\nservice: taurusdb\ninstance_id: " THIRD "\nlock: {retention_days: 30, poll: 1h}\n";

        for (int right = 0; right <= 1; right++) {
                EngineWorld *w = calloc(1, sizeof(*w));

                assert_non_null(w);
                engine_world_setup(w, right ? "lock: {reading: from-start}\n" : "lock: {reading: from-now}\n");
                engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -400d, end: +5d}}, " SECOND
                                    ": {lock: {start: -400d, end: +5d}}, " THIRD ": {lock: {start: -400d, end: +5d}}}}");
                assert_int_equal(engine_world_start(w, stated, policies), 0);
                engine_world_run(w, 10 * USEC_PER_MINUTE);
                assert_int_equal(engine_world_asked(w, "vault-lock", true), right ? 3 : 1);
                assert_int_equal(engine_world_said(w, EVENT_LOCK_FROZEN, NULL) > 0, !right);
                assert_int_equal(engine_world_counts(w).n_compliant, right ? 3 : 0);
                engine_world_teardown(w);
                free(w);
        }
}

static bool answer_busy_to_changes(EngineWorld *w, const HttpRequest *q, HttpReply *ret) {
        if (q->method == HTTP_GET)
                return false;

        *ret = engine_world_reply(w, 500, "{\"error_code\":\"DBS.200000\",\"error_msg\":\"try again\"}");
        return true;
}

/* A change that fails may go well at the next poll; if it fails for ever, somebody has to hear of it, once a day. */
static void test_engine_says_what_cannot_be_put_back(void **state) {
        static const char policy[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST
                                     "\nencryption: {expect: on, kms_key_id: 4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11, poll: 10m}\n";
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {encryption: off}}}");
        w->answer = answer_busy_to_changes;
        assert_int_equal(engine_world_start(w, "", policy), 0);
        engine_world_run(w, 25 * USEC_PER_MINUTE);
        assert_int_equal(engine_world_said(w, EVENT_DRIFT, NULL), 1);
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL), 0);
        engine_world_run(w, 30 * USEC_PER_MINUTE);
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL), 1);
        w->answer = NULL;
        engine_world_run(w, 20 * USEC_PER_MINUTE);
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATED, NULL), 1);
        assert_int_equal(engine_world_said(w, EVENT_REMEDIATION_FAILED, NULL), 1);
}

/* A policy is removed while its state cannot be stored; then the daemon stops. */
static void test_engine_ends_with_what_could_not_be_stored(void **state) {
        static const char policy[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\nencryption: {expect: on, poll: 5m}\n";
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {encryption: off}}}");
        assert_int_equal(engine_world_start(w, "", policy), 0);
        w->commit_error = -EIO;
        engine_world_run(w, 10 * USEC_PER_SEC);
        assert_int_equal(engine_world_said(w, EVENT_STATE_FAILING, NULL), 1);
        assert_int_equal(engine_world_reload(w, NULL, ""), 0);
        engine_world_run(w, USEC_PER_MINUTE);
        engine_world_kill(w);
}

/* The next commit, of another control, goes well before what the one before it lost is put again: it does not make up for that. */
static void test_engine_freeze_outlives_others_commits(void **state) {
        static const char policies[] = "name: a\nservice: taurusdb\ninstance_id: " FIRST "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n---\n"
                                       "name: b\nservice: taurusdb\ninstance_id: " SECOND "\nlock: {retention_days: 30, renew_before: 7d, poll: 1h}\n---\n"
                                       "name: c\nservice: taurusdb\ninstance_id: " THIRD "\nmode: observe\nencryption: {expect: on, poll: 10s}\n";
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +20d}}, " SECOND ": {lock: {start: -5d, end: +8d}}, "
                            THIRD ": {encryption: on}}}");
        assert_int_equal(engine_world_start(w, "", policies), 0);
        engine_world_run(w, 2 * USEC_PER_HOUR);
        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: {start: -5d, end: +19d}}}}");
        w->commit_error = -EIO;
        while (engine_world_said(w, EVENT_LOCK_FROZEN, NULL) == 0)
                engine_world_run(w, USEC_PER_SEC);
        engine_world_run(w, USEC_PER_SEC);

        w->commit_error = 0;
        engine_world_change(w, "instances: {taurusdb: {" THIRD ": {encryption: off}}}");
        engine_world_run(w, 11 * USEC_PER_SEC);
        assert_int_equal(engine_world_said(w, EVENT_DRIFT, "encryption"), 1);
        assert_int_equal(engine_world_said(w, EVENT_STATE_RECOVERED, NULL), 0);
        engine_world_run(w, USEC_PER_MINUTE);
        assert_int_equal(engine_world_said(w, EVENT_STATE_RECOVERED, NULL), 1);
        engine_world_kill(w);

        assert_int_equal(engine_world_start(w, "", policies), 0);
        engine_world_run(w, 2 * USEC_PER_DAY);
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 0);
}

/* A grant is asked for once, whatever the disk does while it is made; and what it opened is in the store. */
static void test_engine_grant_outlives_a_failing_disk(void **state) {
        static const char policy[] = "name: ledger\nservice: gaussdb\ninstance_id: " WORLD_LEDGER "\ndownload: {backups: latest, poll: 1h}\n";
        static const char cloud[] = "instances: {gaussdb: {" WORLD_LEDGER ": {backups: "
                                    "{e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h}}}}}";

        for (int commits = 0; commits < 2; commits++) {
                bool failed = true;

                for (size_t n = 1; failed; n++) {
                        EngineWorld *w = calloc(1, sizeof(*w));

                        assert_non_null(w);
                        engine_world_setup(w, cloud);
                        assert_int_equal(engine_world_start(w, "", policy), 0);
                        *(commits ? &w->n_commits_left : &w->n_puts_left) = n;
                        engine_world_run(w, 3 * USEC_PER_HOUR);
                        failed = w->io_failed;
                        w->n_commits_left = w->n_puts_left = 0;
                        assert_int_equal(engine_world_asked(w, "/download/authorization", true), 1);
                        assert_int_equal(engine_world_counts(w).n_compliant, 1);
                        engine_world_kill(w);

                        assert_int_equal(engine_world_start(w, "", policy), 0);
                        engine_world_run(w, 3 * USEC_PER_HOUR);
                        assert_int_equal(engine_world_asked(w, "/download/authorization", true), 1);
                        assert_int_equal(engine_world_counts(w).n_compliant, 1);
                        engine_world_teardown(w);
                        free(w);
                        assert_true(n < 100);
                }
        }
}

/* The same where its policy is removed before the disk works again. */
static void test_engine_grant_outlives_its_policy_and_a_failing_disk(void **state) {
        static const char policy[] = "name: ledger\nservice: gaussdb\ninstance_id: " WORLD_LEDGER "\ndownload: {backups: latest, poll: 1h}\n";
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {gaussdb: {" WORLD_LEDGER ": {backups: "
                            "{e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h}}}}}");
        w->latency_usec = 5 * USEC_PER_SEC;
        assert_int_equal(engine_world_start(w, "", policy), 0);
        while (engine_world_asked(w, "/download/authorization", true) == 0)
                engine_world_run(w, USEC_PER_SEC);
        w->commit_error = -EIO;
        engine_world_run(w, 10 * USEC_PER_SEC);
        assert_int_equal(engine_world_said(w, EVENT_STATE_FAILING, NULL), 1);
        assert_int_equal(engine_world_reload(w, NULL, ""), 0);
        engine_world_run(w, USEC_PER_MINUTE);
        w->commit_error = 0;
        engine_world_run(w, USEC_PER_MINUTE);
        assert_int_equal(engine_world_said(w, EVENT_STATE_RECOVERED, NULL), 1);
        engine_world_kill(w);

        assert_int_equal(engine_world_start(w, "", policy), 0);
        engine_world_run(w, 3 * USEC_PER_HOUR);
        assert_int_equal(engine_world_counts(w).n_compliant, 1);
        assert_int_equal(engine_world_asked(w, "/download/authorization", true), 1);
}

/* --- Old decisions ---------------------------------------------------------------------------------------------------- */

/* The lock's read is slow, and while it is under way the endpoint asks for quiet. */
static bool answer_quiet_please(EngineWorld *w, const HttpRequest *q, HttpReply *ret) {
        w->latency_usec = 20 * USEC_PER_MSEC;
        if (w->phase == 0)
                return false;

        if (strstr(q->path, "vault-lock")) {
                w->latency_usec = 10 * USEC_PER_SEC;
                return false;
        }

        w->phase = 0;
        *ret = engine_world_reply(w, 429, THROTTLED);
        ret->retry_after = strdup("100");
        return true;
}

static void test_engine_sends_no_old_decision(void **state) {
        static const char encryption[] = "name: z\nservice: taurusdb\ninstance_id: " SECOND "\nencryption: {expect: on, poll: 1h}\n";
        EngineWorld *w = *state;
        usec_t read_usec = 0;
        size_t n_writes = 0;
        char both[1024];

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: none}, " SECOND ": {encryption: on}}}");
        w->answer = answer_quiet_please;
        assert_int_equal(engine_world_start(w, "", encryption), 0);
        engine_world_run(w, USEC_PER_MINUTE);

        w->phase = 1;
        (void) snprintf(both, sizeof(both), "%s---\n%s", lock_of_first, encryption);
        assert_int_equal(engine_world_reload(w, NULL, both), 0);
        engine_on_clock_step(w->engine);
        engine_world_run(w, 10 * USEC_PER_MINUTE);

        for (size_t i = 0; i < w->n_requests; i++) {
                if (!strstr(w->requests[i].path, "vault-lock"))
                        continue;
                if (w->requests[i].method == HTTP_GET)
                        read_usec = w->requests[i].boot_usec;
                else {
                        n_writes++;
                        assert_true(w->requests[i].boot_usec - read_usec <= USEC_PER_MINUTE);
                }
        }
        assert_int_equal(n_writes, 1);
}

/* --- The budget ------------------------------------------------------------------------------------------------------- */

static void test_engine_budget_outlives_the_process(void **state) {
        static const char limits[] = "limits: {new_locks_per_day: 1}\n";
        EngineWorld *w = *state;

        engine_world_change(w, "instances: {taurusdb: {" FIRST ": {lock: none}, " SECOND ": {lock: none}}}");
        assert_int_equal(engine_world_start(w, limits, locks), 0);
        engine_world_run(w, 3 * USEC_PER_HOUR);
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 1);
        assert_int_equal(engine_world_said(w, EVENT_LOCK_REFUSED, NULL), 1);

        /* Also where the policy of the one that was enabled is gone. */
        engine_world_kill(w);
        assert_int_equal(engine_world_start(w, limits, lock_of_second), 0);
        engine_world_run(w, 20 * USEC_PER_HOUR);
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 1);
        engine_world_run(w, 3 * USEC_PER_HOUR);         /* a day is over */
        assert_int_equal(engine_world_asked(w, "vault-lock", true), 2);
}

static int setup(void **state) {
        EngineWorld *w = calloc(1, sizeof(*w));

        if (!w)
                return -1;
        engine_world_setup(w, "instances: {}");
        *state = w;
        return 0;
}

static int teardown(void **state) {
        engine_world_teardown(*state);
        free(*state);
        return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_engine_rate),
                TEST(test_engine_signed_requests_at_a_time),
                TEST(test_engine_throttle_quiets_the_endpoint),
                TEST(test_engine_throttle_quiets_the_look),
                TEST(test_engine_freeze_outlives_the_process),
                cmocka_unit_test(test_engine_thaw),
                TEST(test_engine_thaw_forgets_what_was_learned),
                TEST(test_engine_says_once_that_nothing_helps),
                TEST(test_engine_freeze_stops_what_was_decided),
                cmocka_unit_test(test_engine_freeze_outlives_a_failing_disk),
                TEST(test_engine_freeze_outlives_others_commits),
                cmocka_unit_test(test_engine_tries_a_stated_reading_on_one_lock),
                TEST(test_engine_says_what_cannot_be_put_back),
                TEST(test_engine_ends_with_what_could_not_be_stored),
                cmocka_unit_test(test_engine_grant_outlives_a_failing_disk),
                TEST(test_engine_grant_outlives_its_policy_and_a_failing_disk),
                TEST(test_engine_sends_no_old_decision),
                TEST(test_engine_budget_outlives_the_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
