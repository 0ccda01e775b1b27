/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Instances that fail and endpoints that fail: the one does not delay others, the other is told from being throttled, and a lock that cannot be
 * read is judged by a clock that can be believed.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define ORDERS "00000000000000000000000000000001in07"

#define ENCRYPTED "{\"encryption_status\":\"on\"}"
#define ENCRYPTION "encryption: {expect: on, poll: 1h}\n"

static int setup(void **state) {
        static SimWorld w;

        world_setup(&w, "instances:\n  taurusdb:\n    " ORDERS ": {lock: {start: -20d, end: +10d}}\n");
        *state = &w;
        return 0;
}

static int teardown(void **state) {
        world_teardown(*state);
        return 0;
}

/* @n policies with these lines, for instances that are all the same to a hook but for their number. New text. */
static char *fleet(unsigned n, const char *lines) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        for (unsigned i = 1; i <= n; i++)
                (void) fprintf(f, "%sname: i%02u\nservice: taurusdb\ninstance_id: %032uin07\n%s", i > 1 ? "---\n" : "", i, i, lines);
        assert_int_equal(fclose(f), 0);
        return text;
}

static unsigned instance_number(const char *path) {
        const char *id = strstr(path, "/instances/");

        return id ? (unsigned) strtoul(id + strlen("/instances/"), NULL, 10) : 0;
}

static EngineCounts counts(const SimWorld *w) {
        EngineCounts c;

        engine_counts(w->engine, &c);
        return c;
}

static int count_unasked(void *userdata, const ControlStatus *s) {
        *(unsigned *) userdata += s->why && strstr(s->why, "one request at a time tries it") != NULL;
        return 0;
}

/* How many were told that there is no use in asking. */
static unsigned n_unasked(const SimWorld *w) {
        unsigned n = 0;
        size_t total;

        assert_int_equal(engine_inspect(w->engine, INSPECT_ALL, 0, 1000, count_unasked, &n, &total), 0);
        return n;
}

/* --- Throttled ---------------------------------------------------------------------------------------------------- */

enum { WELL, THROTTLED, THROTTLED_AFTER };

static bool answer_throttled(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        *ret = w->phase == WELL ? world_reply(w, 200, ENCRYPTED)
                                : world_reply(w, 429, "{\"error_code\":\"APIGW.0308\",\"error_msg\":\"The throttling threshold has been reached\"}");
        if (w->phase == THROTTLED_AFTER)
                ret->retry_after = strdup("20");
        return true;
}

static void test_endpoint_throttled_is_slowed(void **state) {
        char *policies = fleet(20, ENCRYPTION);
        SimWorld *w = *state;

        w->hook = answer_throttled;
        w->phase = THROTTLED;
        world_start(w, "", policies);
        world_run(w, USEC_PER_MINUTE);
        assert_in_range(w->n_requests, 15, 30); /* one every two seconds, whoever's turn it is */
        assert_int_equal(n_unasked(w), 0);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 1);

        w->phase = WELL;
        world_run(w, 5 * USEC_PER_MINUTE);
        assert_int_equal(counts(w).n_compliant, 20);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, NULL), 1);
        free(policies);
}

static void test_endpoint_retry_after_holds_for_all(void **state) {
        char *policies = fleet(20, ENCRYPTION);
        SimWorld *w = *state;

        w->hook = answer_throttled;
        w->phase = THROTTLED_AFTER;
        world_start(w, "", policies);
        world_run(w, 2 * USEC_PER_MINUTE);
        assert_in_range(w->n_requests, 5, 7);
        for (size_t i = 1; i < w->n_requests; i++)
                assert_true(w->requests[i].at_usec - w->requests[i - 1].at_usec >= 20 * USEC_PER_SEC);
        assert_int_equal(n_unasked(w), 0);
        free(policies);
}

/* Where it goes on for longer than any pause, those whose turn does not come are told so. */
static void test_endpoint_throttled_for_long_is_not_silent(void **state) {
        char *policies = fleet(20, "lock: {retention_days: 30, poll: 15m}\nencryption: {expect: on, poll: 15m}\n"), name[16];
        SimWorld *w = *state;

        w->hook = answer_throttled;
        w->phase = THROTTLED_AFTER;
        world_start(w, "", policies);
        world_run(w, 4 * 15 * USEC_PER_MINUTE);
        for (unsigned i = 1; i <= 20; i++) {
                (void) snprintf(name, sizeof(name), "i%02u", i);
                assert_int_equal(world_said(w, EVENT_UNKNOWN, name), 2);
        }
        free(policies);
}

/* --- Some instances only ------------------------------------------------------------------------------------------ */

static unsigned bad_status;

static bool answer_some_bad(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        *ret = instance_number(q->path) <= 6 ? world_reply(w, (int) bad_status, "{\"error_code\":\"DBS.200001\",\"error_msg\":\"Server error.\"}")
                                             : world_reply(w, 200, ENCRYPTED);
        return true;
}

static bool hang_some(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        bool hangs = w->phase == 1 && instance_number(q->path) <= 6;

        *ret = hangs ? (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") }
                     : world_reply(w, 200, strstr(q->path, "vault-lock") ? "{\"lock_start_time\":1766000000000,\"lock_end_time\":1780000000000}"
                                                                         : ENCRYPTED);
        *delay_usec = hangs ? 30 * USEC_PER_SEC : 0;
        return true;
}

/* An answer is an answer, also one of 500: it is that instance's, and others are asked all the same. */
static void test_endpoint_errors_of_some_are_theirs(void **state) {
        char *policies = fleet(20, ENCRYPTION);
        SimWorld *w = *state;

        bad_status = 500;
        w->hook = answer_some_bad;
        w->latency_usec = 100 * USEC_PER_MSEC;
        world_start(w, "", policies);
        for (int i = 0; i < 600; i++) {
                world_run(w, 100 * USEC_PER_MSEC);
                assert_int_equal(n_unasked(w), 0);
        }
        assert_int_equal(counts(w).n_compliant, 14);
        free(policies);
}

/* Six that hang take neither the five signatures in doubt nor the endpoint, and end together without it being taken for dead. */
static void test_endpoint_instances_that_hang(void **state) {
        char *policies = fleet(40, "encryption: {expect: on, poll: 1m}\n");
        bool read[41] = {};
        SimWorld *w = *state;

        w->hook = hang_some;
        w->latency_usec = 100 * USEC_PER_MSEC;
        world_start(w, "http: {rate: 100/s}\n", policies);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 40);

        world_forget(w);
        w->phase = 1;
        engine_reconcile(w->engine, NULL);
        world_run(w, 100 * USEC_PER_MSEC);
        for (unsigned i = 1; i <= 6; i++) {     /* at once, as the first: five of them hold all signatures in doubt */
                char name[16];

                (void) snprintf(name, sizeof(name), "i%02u", i);
                assert_int_equal(engine_reconcile(w->engine, name), 1);
        }
        for (int i = 0; i < 80; i++) {
                world_run(w, 100 * USEC_PER_MSEC);
                assert_int_equal(n_unasked(w), 0);
        }
        for (size_t i = 0; i < w->n_requests; i++)
                read[instance_number(w->requests[i].path)] |= w->requests[i].status == 200;
        for (unsigned i = 7; i <= 40; i++)
                assert_true(read[i]);

        for (int i = 0; i < 3000; i++) {        /* and when they end, they end alone */
                world_run(w, 100 * USEC_PER_MSEC);
                assert_int_equal(n_unasked(w), 0);
        }
        for (unsigned i = 1; i <= 6; i++) {
                char name[16];

                (void) snprintf(name, sizeof(name), "i%02u", i);
                assert_int_equal(world_said(w, EVENT_API_FAILING, name), 1);
        }
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 6);    /* and not of the endpoint */
        free(policies);
}

/* --- The clock ---------------------------------------------------------------------------------------------------- */

static bool hang_all(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (w->phase != 1)
                return false;
        *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
        *delay_usec = 30 * USEC_PER_SEC;
        return true;
}

static const char lock_policy[] = "name: orders\nservice: taurusdb\ninstance_id: " ORDERS "\nlock: {retention_days: 30}\n";

/* The lock has ten days, and nobody extends it while the cloud cannot be reached. */
static void start_and_lose(SimWorld *w) {
        w->hook = hang_all;
        w->observe = true;
        world_start(w, "", lock_policy);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(counts(w).n_compliant, 1);
        w->phase = 1;
}

/* The host's clock alone goes by a year, forth and back: nobody is woken, and when the lock really ends, it is said. */
static void test_endpoint_stepped_clock_ends_no_lock(void **state) {
        static const int64_t steps[] = { 365 * (int64_t) USEC_PER_DAY, 0, -365 * (int64_t) USEC_PER_DAY };
        SimWorld *w;

        for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
                assert_int_equal(setup(state), 0);
                w = *state;
                start_and_lose(w);
                print_message("%" PRId64 " days\n", steps[i] / (int64_t) USEC_PER_DAY);
                if (steps[i] != 0) {
                        world_step_clock(w, steps[i]);
                        engine_on_clock_step(w->engine);
                }
                world_run(w, 6 * USEC_PER_DAY);
                assert_int_equal(world_said(w, EVENT_LOCK_EXPIRING, NULL), 0);
                world_run(w, USEC_PER_DAY);
                assert_int_equal(world_said(w, EVENT_LOCK_EXPIRING, NULL), 1);
                assert_int_equal(world_said(w, EVENT_LOCK_LAPSED, NULL), 0);
                world_run(w, 3 * USEC_PER_DAY);
                assert_int_equal(world_said(w, EVENT_LOCK_LAPSED, NULL), 1);
                if (i + 1 < N_ELEMENTS(steps))
                        assert_int_equal(teardown(state), 0);
        }
}

/* A process that has seen no Date has nothing but the host's clock to go by. */
static void test_endpoint_lock_that_ended_before_the_start(void **state) {
        SimWorld *w = *state;

        start_and_lose(w);
        world_kill(w);
        world_run_after_kill(w, 11 * USEC_PER_DAY);
        world_start(w, "", lock_policy);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_LAPSED, NULL), 1);
}

/* What was enabled today counts until tomorrow, whatever the host's clock shows in between and whether its policy is still there: in this
 * process and in the next. */
static void test_endpoint_stepped_clock_forgets_no_new_lock(void **state) {
        static const char settings[] = "limits: {new_locks_per_day: 1}\n";
        static const char one[] = "name: one\nservice: taurusdb\ninstance_id: 8144f8d4d0a4549808e55be8bf1b8e06in07\nlock: {retention_days: 30}\n";
        static const char two[] = "name: two\nservice: taurusdb\ninstance_id: 9144f8d4d0a4549808e55be8bf1b8e06in07\nlock: {retention_days: 30}\n";
        SimWorld *w = *state;

        world_change(w, "instances:\n  taurusdb:\n    8144f8d4d0a4549808e55be8bf1b8e06in07: {lock: none}\n"
                        "    9144f8d4d0a4549808e55be8bf1b8e06in07: {lock: none}\n");
        w->hook = hang_all;
        world_start(w, settings, one);
        world_run(w, USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, "one"), 1);

        for (int i = 0; i < 2; i++) {
                w->phase = 1;   /* the simulated cloud would follow the clock */
                world_step_clock(w, 3650 * (int64_t) USEC_PER_DAY);
                if (i == 0)
                        world_reload(w, two);
                else {
                        world_kill(w);
                        world_start(w, settings, two);
                }
                world_run(w, USEC_PER_HOUR);
                world_step_clock(w, -3650 * (int64_t) USEC_PER_DAY);
                w->phase = 0;
                world_run(w, USEC_PER_HOUR);
                assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, "two"), 0);
        }

        world_run(w, USEC_PER_DAY);
        assert_int_equal(world_said(w, EVENT_LOCK_ENABLED, "two"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_endpoint_throttled_is_slowed),
                TEST(test_endpoint_retry_after_holds_for_all),
                TEST(test_endpoint_throttled_for_long_is_not_silent),
                TEST(test_endpoint_errors_of_some_are_theirs),
                TEST(test_endpoint_instances_that_hang),
                cmocka_unit_test_teardown(test_endpoint_stepped_clock_ends_no_lock, teardown),
                TEST(test_endpoint_lock_that_ended_before_the_start),
                TEST(test_endpoint_stepped_clock_forgets_no_new_lock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
