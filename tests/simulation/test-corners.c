/* SPDX-License-Identifier: Apache-2.0 */

/* Years of nothing going wrong are lived elsewhere; here are the corners: locks that have ended, answers that say nothing, changes that cannot
 * be read back, tokens that are refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define ORDERS "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define KEY "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"
#define BY_PASSWORD "source: password, user_name: admin, domain_name: someone"

static const char encryption[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\nencryption: {expect: on, kms_key_id: " KEY ", poll: 5m}\n";
static const char lock[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\nlock: {retention_days: 30}\n";

/* --- Locks that have ended ------------------------------------------------------------------------------------------ */

/* A cloud that refuses to enable a lock which has ended, and takes an extension of it for a new one from now. */
static void lapse(const char *reading, const char *policy, usec_t away_usec, SimWorld *w) {
        char cloud[512];

        (void) snprintf(cloud, sizeof(cloud), "instances:\n  taurusdb:\n    " ORDERS ": {encryption: on, lock: {start: -27d, end: +3d}}\n"
                        "lock: {reading: %s, unit: seconds, enable_after_expiry: refuse, extend_after_expiry: enable}\n", reading);
        world_setup(w, cloud);
        world_start(w, "", policy);
        world_run(w, 40 * USEC_PER_DAY);
        assert_int_equal(world_said(w, EVENT_LOCK_FROZEN, NULL), 0);
        world_kill(w);
        world_forget(w);
        world_run_after_kill(w, away_usec);
        world_start(w, "", policy);
}

/* What the endpoint has shown of locks that run says nothing of one that has ended. */
static void test_ended_lock_is_extended_within_the_cap(void **state) {
        static const char policy[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\n"
                                     "lock: {retention_days: 30, max_retention_days: 45, settle: 0s}\n";
        static const char *const readings[] = { "added", "from-start", "from-now" };

        for (size_t i = 0; i < N_ELEMENTS(readings); i++) {
                SimWorld w;

                lapse(readings[i], policy, 60 * USEC_PER_DAY, &w);
                world_run(&w, USEC_PER_HOUR);
                assert_int_equal(world_said(&w, EVENT_LOCK_FROZEN, NULL), 0);   /* as it is where a lock ends past the cap */
                world_teardown(&w);
        }
}

/* … and what becomes of it says nothing of those that run. */
static void test_ended_lock_teaches_nothing(void **state) {
        SimWorld w;

        lapse("added", lock, 13 * USEC_PER_DAY + 12 * USEC_PER_HOUR + 431 * USEC_PER_SEC, &w);
        world_run(&w, 60 * USEC_PER_DAY);
        assert_int_equal(world_said(&w, EVENT_LOCK_FROZEN, NULL), 0);
        world_teardown(&w);
}

/* --- What somebody else did ----------------------------------------------------------------------------------------- */

static bool accept_without_effect(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->path, "vault-lock") || q->method == HTTP_GET || w->phase == 0)
                return false;

        *ret = world_reply(w, 200, "{\"result\":\"success\"}");
        return true;
}

/* Requests without effect for a day; then the owner extends by hand, to within a day of what one of them had asked for. */
static void test_extension_by_hand_is_not_ours(void **state) {
        char change[200], end[TIME_TEXT_MAX];
        SimWorld w;

        world_setup(&w, "instances:\n  taurusdb:\n    " ORDERS ": {encryption: on, lock: {start: -27d, end: +3d}}\n"
                    "lock: {reading: added, unit: seconds}\n");
        w.hook = accept_without_effect;
        w.phase = 1;
        world_start(&w, "", lock);
        world_run(&w, USEC_PER_DAY);
        w.phase = 0;
        (void) snprintf(change, sizeof(change), "instances: {taurusdb: {" ORDERS ": {lock: {end: \"%s\"}}}}",
                        rfc3339_format(T0 + 27 * USEC_PER_DAY + 9 * USEC_PER_HOUR + 1234 * USEC_PER_SEC, end));
        world_change(&w, change);
        world_run(&w, 40 * USEC_PER_DAY);
        assert_int_equal(world_said(&w, EVENT_LOCK_FROZEN, NULL), 0);
        world_teardown(&w);
}

/* --- What cannot be read -------------------------------------------------------------------------------------------- */

static bool fail_the_read_back(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->path, "encryption"))
                return false;
        if (q->method == HTTP_POST) {
                w->phase = 1;
                return false;
        }
        if (w->phase != 1)
                return false;

        w->phase = 2;
        *ret = world_reply(w, 503, NULL);
        return true;
}

/* A change that cannot be undone is told of, though it could not be read back at once. */
static void test_change_is_told_when_it_is_read_back(void **state) {
        SimWorld w;

        world_setup(&w, "instances:\n  taurusdb:\n    " ORDERS ": {encryption: {status: on, kms_key_id: " KEY "}, lock: none}\n");
        w.hook = fail_the_read_back;
        world_start(&w, "", encryption);
        world_run(&w, USEC_PER_HOUR);
        world_forget(&w);
        world_change(&w, "instances: {taurusdb: {" ORDERS ": {encryption: off}}}");
        world_run(&w, USEC_PER_DAY);
        assert_int_equal(w.phase, 2);
        assert_int_equal(world_writes(&w, "encryption"), 1);
        assert_int_equal(world_said(&w, EVENT_REMEDIATED, NULL), 1);
        world_teardown(&w);
}

static bool leave_the_lock_out(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->path, "vault-lock") || w->phase == 0)
                return false;

        *ret = world_reply(w, 200, "{}");
        return true;
}

static void test_lock_that_is_not_mentioned_expires(void **state) {
        SimWorld w;

        world_setup(&w, "instances:\n  taurusdb:\n    " ORDERS ": {encryption: on, lock: {start: -1d, end: +29d}}\n");
        w.hook = leave_the_lock_out;
        world_start(&w, "", lock);
        world_run(&w, USEC_PER_DAY);
        w.phase = 1;
        world_forget(&w);
        world_run(&w, 27 * USEC_PER_DAY + 23 * USEC_PER_HOUR);
        assert_in_range(world_said(&w, EVENT_LOCK_EXPIRING, NULL), 3, 5);       /* once a day */
        world_teardown(&w);
}

/* Nobody to ask: said again every day, and louder after one. */
static void test_lost_endpoint_is_said_again(void **state) {
        static const char policy[] = "name: orders\nservice: taurusdb\nregion: nowhere-1\ninstance_id: " ORDERS "\nencryption: {expect: on}\n";
        SimWorld w;

        world_setup(&w, "instances: {taurusdb: {" ORDERS ": {encryption: on}}}");
        w.no_taurusdb = true;
        world_start(&w, "", policy);
        for (int i = 0; i < 5; i++) {
                world_run(&w, USEC_PER_HOUR);
                world_reload_settings(&w, "", policy);
        }
        assert_int_equal(world_said(&w, EVENT_UNKNOWN, NULL), 1);
        world_run(&w, 10 * USEC_PER_DAY);
        assert_in_range(world_said(&w, EVENT_UNKNOWN, NULL), 10, 13);
        world_teardown(&w);
}

/* --- Tokens --------------------------------------------------------------------------------------------------------- */

static void give_token(SimWorld *w, HttpReply *ret) {
        char body[256], expires[TIME_TEXT_MAX];

        (void) snprintf(body, sizeof(body), "{\"token\":{\"expires_at\":\"%s\",\"project\":{\"id\":\"" PROJECT "\"},"
                        "\"user\":{\"domain\":{\"id\":\"" DOMAIN "\"}}}}", rfc3339_format(w->wall_usec + USEC_PER_DAY, expires));
        *ret = world_reply(w, 201, body);
        ret->subject_token = strdup("token");
}

/* phase 1: IAM hangs; 2: the service refuses every token. */
static bool by_password(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->path, "auth/tokens"))
                *ret = w->phase == 2 ? world_reply(w, 401, "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"verify token failed\"}")
                                     : world_reply(w, 200, "{\"encryption_status\":\"on\"}");
        else if (w->phase != 1)
                give_token(w, ret);
        else {
                *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
                *delay_usec = 30 * USEC_PER_SEC;
        }
        return true;
}

static void start_by_password(SimWorld *w, const char *policy) {
        world_setup(w, "users: {holdfast: {password: simulated-password}}\n");
        w->hook = by_password;
        w->password = "simulated-password";
        w->credentials = BY_PASSWORD;
        world_start(w, "", policy);
        world_run(w, 2 * USEC_PER_HOUR);
}

/* What waits for a token is not stuck, however seldom it is polled. */
static void test_waiting_for_a_token_is_not_stuck(void **state) {
        static const char policy[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\nencryption: {expect: on, poll: 1h}\n";
        SimWorld w;

        start_by_password(&w, policy);
        w.phase = 1;
        for (usec_t t = 0; t < 2 * USEC_PER_DAY; t += 60 * USEC_PER_SEC) {
                EngineCounts c;

                world_run(&w, 60 * USEC_PER_SEC);
                engine_counts(w.engine, &c);
                assert_true(c.overdue_usec <= 10 * USEC_PER_MINUTE);
        }
        world_teardown(&w);
}

/* A service that refuses good tokens for a while does not stop all for ever: the password was never refused. */
static void test_refused_tokens_are_tried_again(void **state) {
        EngineCounts c;
        SimWorld w;

        start_by_password(&w, encryption);
        w.phase = 2;
        world_run(&w, 6 * USEC_PER_MINUTE);
        assert_int_equal(world_said(&w, EVENT_CREDENTIALS_REJECTED, NULL), 1);
        w.phase = 0;
        world_run(&w, 20 * USEC_PER_MINUTE);
        engine_counts(w.engine, &c);
        assert_int_equal(c.n_compliant, 1);
        world_teardown(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ended_lock_is_extended_within_the_cap),
                cmocka_unit_test(test_ended_lock_teaches_nothing),
                cmocka_unit_test(test_extension_by_hand_is_not_ours),
                cmocka_unit_test(test_change_is_told_when_it_is_read_back),
                cmocka_unit_test(test_lock_that_is_not_mentioned_expires),
                cmocka_unit_test(test_lost_endpoint_is_said_again),
                cmocka_unit_test(test_waiting_for_a_token_is_not_stuck),
                cmocka_unit_test(test_refused_tokens_are_tried_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
