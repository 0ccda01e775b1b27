/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys, tokens and the metadata service when they fail at a bad moment: a key is never tried so often that it is locked, nothing waits for
 * ever, and a policy that changed meanwhile counts.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define ORDERS "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define AUDIT "2f6b1d3c4e5f60718293a4b5c6d7e8f9"

#define ENCRYPTED "{\"encryption_status\":\"on\"}"
#define REFUSED "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"Incorrect IAM authentication information\"}"

static const char cloud[] =
        "instances:\n"
        "  taurusdb:\n"
        "    " ORDERS ": {encryption: on, lock: {start: -24d, end: +6d}}\n"
        "  dbss:\n"
        "    " AUDIT ": {schedule: {status: on, cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", bucket_name: cbh-ynf}}\n"
        "lock: {reading: added}\n";

static const char lock_policy[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\nlock: {retention_days: 30, extension: added}\n";

static const char other_policy[] = "name: other\nservice: taurusdb\ninstance_id: 8144f8d4d0a4549808e55be8bf1b8e06in07\n"
                                   "encryption: {poll: 30d}\n";

/* @n policies on encryption, all to be looked at every five minutes. */
static char *encryption_policies(unsigned n) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (unsigned i = 0; i < n; i++)
                (void) fprintf(f, "%sname: n%u\nservice: taurusdb\ninstance_id: %032uin07\nencryption: {expect: on, poll: 5m}\n",
                               i > 0 ? "---\n" : "", i, i + 1);
        (void) fclose(f);
        return text;
}

static int setup(void **state) {
        static SimWorld w;

        world_setup(&w, cloud);
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

/* Requests with a status, or to a part of an address. */
static size_t count_status(const SimWorld *w, int status) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_requests; i++)
                n += w->requests[i].status == status;
        return n;
}

static size_t count_path(const SimWorld *w, const char *part) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_requests; i++)
                n += strstr(w->requests[i].path, part) != NULL;
        return n;
}

/* --- Passwords and tokens ----------------------------------------------------------------------------------------- */

enum { TOKEN_FIRST, TOKEN_SECOND, TOKEN_FORBIDDEN, TOKEN_UNREACHABLE };

static bool answer_tokens(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        const char *token = http_request_header(q, "X-Auth-Token");

        if (strstr(q->path, "auth/tokens")) {
                if (w->phase == TOKEN_FORBIDDEN || w->phase == TOKEN_UNREACHABLE) {
                        *ret = w->phase == TOKEN_FORBIDDEN ? world_reply(w, 403, "{\"error\":{\"code\":403,\"message\":\"no\",\"title\":\"Forbidden\"}}") :
                                (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
                        return true;
                }
                if (!memmem(q->body, q->n_body, "\"right\"", 7)) {
                        *ret = world_reply(w, 401, "{\"error\":{\"code\":401,\"message\":\"bad\",\"title\":\"Unauthorized\"}}");
                        return true;
                }
                *ret = world_reply(w, 201, "{\"token\":{\"expires_at\":\"2026-12-01T00:00:00.000000Z\",\"project\":{\"id\":\"" PROJECT
                                   "\"},\"user\":{\"domain\":{\"id\":\"" DOMAIN "\"}}}}");
                ret->subject_token = strdup(w->phase == TOKEN_FIRST ? "first" : "second");
                return true;
        }

        *ret = w->phase == TOKEN_SECOND && token && streq(token, "first") ? world_reply(w, 401, REFUSED) : world_reply(w, 200, ENCRYPTED);
        return true;
}

static void test_identity_revoked_token_is_renewed(void **state) {
        SimWorld *w = *state;
        char *policies = encryption_policies(4);

        w->hook = answer_tokens;
        w->password = "secret";
        w->credentials = "source: password, user_name: right, domain_name: d";
        w->latency_usec = 2 * USEC_PER_SEC;
        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 4);

        /* All at once with the token of before. */
        w->phase = TOKEN_SECOND;
        engine_on_clock_step(w->engine);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 4);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 0);
        free(policies);
}

static void test_identity_corrected_user(void **state) {
        SimWorld *w = *state;
        char *policies = encryption_policies(2);

        w->hook = answer_tokens;
        w->password = "secret";
        w->credentials = "source: password, user_name: wrong, domain_name: d";
        world_start(w, "", policies);
        world_run(w, 24 * USEC_PER_HOUR);
        assert_int_equal(count_path(w, "auth/tokens"), 1);      /* a wrong password is not tried again by itself */

        w->credentials = "source: password, user_name: right, domain_name: d";
        world_reload_settings(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 2);
        free(policies);
}

static void test_identity_waits_for_the_rate_of_iam(void **state) {
        SimWorld *w = *state;
        char policies[1024] = "";

        for (int i = 0; i < 3; i++) {
                size_t n = strlen(policies);

                (void) snprintf(policies + n, sizeof(policies) - n, "%sname: n%d\nservice: taurusdb\ninstance_id: %032din07\n"
                                "project_id: %032d\nencryption: {expect: on, poll: 6h}\n", i > 0 ? "---\n" : "", i, i + 1, i + 1);
        }
        w->hook = answer_tokens;
        w->password = "secret";
        w->credentials = "source: password, user_name: right, domain_name: d";
        w->once = true;
        world_start(w, "http: {rate: 1/s}\n", policies);
        world_run(w, USEC_PER_MINUTE);
        assert_int_equal(counts(w).n_compliant, 3);
}

/* What IAM refuses is said of IAM, once: of the services, and of twenty instances, nothing is known. */
static void test_identity_iam_that_fails_is_said_once(void **state) {
        static const unsigned phases[] = { TOKEN_FORBIDDEN, TOKEN_UNREACHABLE };

        for (size_t i = 0; i < N_ELEMENTS(phases); i++) {
                char *policies = encryption_policies(20);
                SimWorld w;

                world_setup(&w, cloud);
                w.hook = answer_tokens;
                w.phase = phases[i];
                w.password = "secret";
                w.credentials = "source: password, user_name: right, domain_name: d";
                world_start(&w, "", policies);
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(counts(&w).n_unknown, 20);
                assert_int_equal(world_said(&w, EVENT_API_FAILING, NULL), 1);
                assert_null(strstr(world_last(&w, EVENT_API_FAILING)->message, "not permitted to look"));
                assert_int_equal(world_said(&w, EVENT_UNKNOWN, NULL), 20);
                assert_non_null(strstr(world_last(&w, EVENT_UNKNOWN)->message, "no token for project " PROJECT " from IAM: "));
                assert_in_range(count_path(&w, "auth/tokens"), 10, 40); /* every five minutes, or as often as what passes is tried again */

                w.phase = TOKEN_FIRST;
                world_run(&w, 11 * USEC_PER_MINUTE);
                assert_int_equal(counts(&w).n_compliant, 20);
                assert_int_equal(world_said(&w, EVENT_API_RECOVERED, NULL), 1);
                world_teardown(&w);
                free(policies);
        }
}

/* --- Temporary keys ----------------------------------------------------------------------------------------------- */

enum { METADATA_WELL, METADATA_SLOW_KEY_REFUSED, METADATA_DOWN_KEY_REFUSED, METADATA_SAME_KEY };

static bool answer_metadata(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->origin, ":5")) {
                *ret = w->phase == METADATA_SLOW_KEY_REFUSED || w->phase == METADATA_DOWN_KEY_REFUSED ? world_reply(w, 401, REFUSED) :
                        world_reply(w, 200, ENCRYPTED);
                return true;
        }

        if (w->phase == METADATA_DOWN_KEY_REFUSED) {
                *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
                return true;
        }

        *delay_usec = w->phase == METADATA_SLOW_KEY_REFUSED ? 25 * USEC_PER_SEC : 0;
        *ret = strstr(q->path, "token") ? world_reply(w, 200, "metadata-token") :
                world_reply(w, 200, w->phase == METADATA_SAME_KEY ?
                            "{\"credential\":{\"access\":\"TEMPORARYKEY1\",\"secret\":\"s\",\"securitytoken\":\"t\","
                            "\"expires_at\":\"2026-01-01T02:00:00.000000Z\"}}" :
                            "{\"credential\":{\"access\":\"TEMPORARYKEY1\",\"secret\":\"s\",\"securitytoken\":\"t\","
                            "\"expires_at\":\"2026-01-02T00:00:00.000000Z\"}}");
        return true;
}

static void test_identity_withdrawn_temporary_key(void **state) {
        static const unsigned phases[] = { METADATA_SLOW_KEY_REFUSED, METADATA_DOWN_KEY_REFUSED };

        for (size_t i = 0; i < N_ELEMENTS(phases); i++) {
                char *policies = encryption_policies(4);
                SimWorld w;

                world_setup(&w, cloud);
                w.hook = answer_metadata;
                w.credentials = "source: metadata";
                world_start(&w, "", policies);
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(counts(&w).n_compliant, 4);

                w.phase = phases[i];
                engine_on_clock_step(w.engine);
                world_run(&w, 5 * USEC_PER_MINUTE);
                assert_in_range(count_status(&w, 401), 1, 5);   /* more in a row would lock the key */
                world_run(&w, 6 * USEC_PER_HOUR);
                assert_int_equal(counts(&w).n_unknown, 4);
                assert_true(world_said(&w, EVENT_CREDENTIALS_REJECTED, NULL) >= 1);

                w.phase = METADATA_WELL;
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(counts(&w).n_compliant, 4);
                world_teardown(&w);
                free(policies);
        }
}

static void test_identity_metadata_with_no_newer_key(void **state) {
        SimWorld *w = *state;
        char *policies = encryption_policies(1);

        w->hook = answer_metadata;
        w->phase = METADATA_SAME_KEY;
        w->credentials = "source: metadata";
        world_start(w, "", policies);
        world_run(w, 119 * USEC_PER_MINUTE);
        assert_true(count_path(w, ":5/") < 100);
        world_run(w, 3 * USEC_PER_MINUTE);
        assert_true(count_path(w, ":5/") < 110);
        free(policies);
}

/* As installed: nothing is asked before there is something to look at, and at once then. */
static void test_identity_no_policies_no_requests(void **state) {
        SimWorld *w = *state;
        char *policies = encryption_policies(1);

        w->hook = answer_metadata;
        w->phase = METADATA_WELL;
        w->credentials = "source: metadata";
        world_start(w, "", "");
        world_run(w, USEC_PER_DAY / 2);
        assert_int_equal(w->n_requests, 0);
        assert_int_equal(w->n_events, 0);

        world_reload(w, policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 1);

        world_reload(w, "");
        world_forget(w);
        world_run(w, USEC_PER_DAY);
        assert_int_equal(w->n_requests, 0);
        free(policies);
}

static void test_identity_late_metadata_answer_is_dropped(void **state) {
        SimWorld *w = *state;
        char *policies = encryption_policies(1);

        w->hook = answer_metadata;
        w->credentials = "source: metadata";
        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        w->latency_usec = 20 * USEC_PER_SEC;
        engine_on_credentials_changed(w->engine);
        w->credentials = NULL;
        world_reload_settings(w, "", policies);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REFRESHED, NULL), 1);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REFRESHED, NULL), 1);
        free(policies);
}

/* --- Endpoints ---------------------------------------------------------------------------------------------------- */

static bool answer_dead_taurusdb(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->origin, "127.0.0.1:1"))
                return false;

        *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
        *delay_usec = 30 * USEC_PER_SEC;
        return true;
}

/* Alone means one at a time: a dead endpoint must not take that place for ever. */
static void test_identity_dead_endpoint_starves_no_other(void **state) {
        SimWorld *w = *state;
        char *many = encryption_policies(200), *policies;

        assert_true(asprintf(&policies, "%s---\nname: zaudit\nservice: dbss\ninstance_id: " AUDIT "\nschedule: {status: on, cycle: PER_DAY, "
                             "trigger_time: \"2025-08-21 02:00:44\", timezone: UTC, bucket_name: cbh-ynf, poll: 15m}\n", many) > 0);
        w->hook = answer_dead_taurusdb;
        world_start(w, "", policies);
        world_run(w, 6 * USEC_PER_HOUR);
        assert_true(count_path(w, "127.0.0.1:2/") >= 20);
        free(policies);
        free(many);
}

/* --- Changed meanwhile -------------------------------------------------------------------------------------------- */

static void test_identity_reload_stops_a_lock_request(void **state) {
        for (int which = 0; which < 3; which++) {
                SimWorld w;

                world_setup(&w, cloud);
                w.latency_usec = 3 * USEC_PER_SEC;
                world_start(&w, "", lock_policy);
                world_run(&w, 100 * USEC_PER_MSEC);     /* the read is on its way */
                if (which == 0)
                        world_reload_settings(&w, "mode: observe\n", lock_policy);
                else if (which == 1)
                        world_reload(&w, other_policy);
                else
                        world_reload_settings(&w, "limits: {new_locks_per_day: 1}\n", "name: orders\nservice: taurusdb\ninstance_id: " ORDERS
                                              "\nlock: {retention_days: 8, renew_before: 2d, extension: added}\n");
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(world_writes(&w, "vault-lock"), 0);
                world_teardown(&w);
        }
}

/* Nor is anything else changed on the word of a policy that was taken back: a grant cannot be withdrawn. */
static void test_identity_reload_stops_every_write(void **state) {
        static const char policies[] = "name: ledger\nservice: gaussdb\ninstance_id: 1de27464abdf48519f8574c97a8f0625in14\n"
                                       "download: {backups: latest}\n";
        SimWorld *w = *state;

        world_change(w, "instances: {gaussdb: {1de27464abdf48519f8574c97a8f0625in14: "
                     "{backups: {e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h}}}}}");
        w->latency_usec = 3 * USEC_PER_SEC;
        world_start(w, "", policies);
        while (w->n_requests == 0)
                world_run(w, 10 * USEC_PER_MSEC);
        world_reload_settings(w, "mode: observe\n", policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_writes(w, ""), 0);

        world_reload_settings(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "download"), 1);
}

/* Removed, and back before the answer: what was asked for is remembered. */
static void test_identity_policy_that_comes_back(void **state) {
        SimWorld *w = *state;

        w->latency_usec = 3 * USEC_PER_SEC;
        world_start(w, "", lock_policy);
        while (world_writes(w, "vault-lock") == 0)
                world_run(w, 100 * USEC_PER_MSEC);
        world_reload(w, other_policy);
        world_reload(w, lock_policy);
        world_run(w, 3 * USEC_PER_HOUR);
        assert_int_equal(world_writes(w, "vault-lock"), 1);
        assert_int_equal(world_said(w, EVENT_LOCK_EXTENDED, NULL), 1);
}

static bool answer_unreadable_lock(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (w->phase == 0)
                return false;

        *ret = q->method == HTTP_PUT ? world_reply(w, 400, "{\"error_code\":\"DBS.200001\",\"error_msg\":\"Parameter error.\"}") :
                world_reply(w, 403, "{\"error_code\":\"DBS.200010\",\"error_msg\":\"No permission.\"}");
        return true;
}

static void test_identity_unread_lock_is_asked_for_once_a_look(void **state) {
        SimWorld *w = *state;

        world_change(w, "lock: {reading: from-start}");
        world_start(w, "", lock_policy);
        world_run(w, USEC_PER_HOUR);
        world_forget(w);
        w->hook = answer_unreadable_lock;
        w->phase = 1;
        world_run(w, 30 * USEC_PER_DAY);
        assert_true(world_writes(w, "vault-lock") <= 30 * 24);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_identity_revoked_token_is_renewed),
                TEST(test_identity_corrected_user),
                TEST(test_identity_waits_for_the_rate_of_iam),
                cmocka_unit_test(test_identity_iam_that_fails_is_said_once),
                cmocka_unit_test(test_identity_withdrawn_temporary_key),
                TEST(test_identity_metadata_with_no_newer_key),
                TEST(test_identity_no_policies_no_requests),
                TEST(test_identity_late_metadata_answer_is_dropped),
                TEST(test_identity_dead_endpoint_starves_no_other),
                cmocka_unit_test(test_identity_reload_stops_a_lock_request),
                TEST(test_identity_reload_stops_every_write),
                TEST(test_identity_policy_that_comes_back),
                TEST(test_identity_unread_lock_is_asked_for_once_a_look),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
