/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What simulate.c has found out, each by itself: small enough to see what is wrong when it is wrong again.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim-world.h"

#define REFUSED "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"Incorrect IAM authentication information\"}"
#define KEY_FORMAT "{\"credential\":{\"access\":\"TEMPORARY%u\",\"secret\":\"s\",\"securitytoken\":\"t\",\"expires_at\":\"2026-01-02T00:00:00.000000Z\"}}"

static int setup(void **state) {
        static SimWorld w;

        world_setup(&w, "instances:\n  taurusdb:\n    00000000000000000000000000000001in07: {lock: {start: -25d, end: +5d}, encryption: on}\n");
        *state = &w;
        return 0;
}

static int teardown(void **state) {
        world_teardown(*state);
        return 0;
}

/* @n policies with these lines, for instances that are all the same to a hook. New text. */
static char *fleet(unsigned n, const char *lines) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        for (unsigned i = 1; i <= n; i++)
                (void) fprintf(f, "%sname: i%u\nservice: taurusdb\ninstance_id: %032uin07\n%s", i > 1 ? "---\n" : "", i, i, lines);
        assert_int_equal(fclose(f), 0);
        return text;
}

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

enum { WELL, BAD };

static bool answer_key(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        *ret = w->phase == BAD ? world_reply(w, 401, REFUSED) : world_reply(w, 200, "{\"encryption_status\":\"on\"}");
        return true;
}

/* A key that was good is revoked while a whole fleet asks: five refusals in a row are the most that do not lock it. */
static void test_found_five_signatures_under_way(void **state) {
        char *policies = fleet(40, "encryption: {expect: on, poll: 1h}\n");
        SimWorld *w = *state;

        w->hook = answer_key;
        w->latency_usec = USEC_PER_SEC;
        world_start(w, "http: {rate: 100/s, max_connections: 16}\n", policies);
        world_run(w, USEC_PER_HOUR);
        engine_on_clock_step(w->engine);
        world_run(w, 2500 * USEC_PER_MSEC);     /* shown to be good, and in the middle of it */
        w->phase = BAD;
        world_run(w, 5 * USEC_PER_MINUTE);
        assert_in_range(count_status(w, 401), 1, 5);
        free(policies);
}

static bool answer_nothing(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
        *delay_usec = 30 * USEC_PER_SEC;
        return true;
}

/* Time-outs of half a minute each: everything is said to be unknown all the same, also what is no lock. */
static void test_found_dead_endpoint_is_not_silent(void **state) {
        char *policies = fleet(50, "lock: {retention_days: 30, poll: 1h}\nencryption: {expect: on, poll: 1h}\n"), name[16];
        SimWorld *w = *state;

        w->hook = answer_nothing;
        world_start(w, "http: {max_connections: 2}\n", policies);
        world_run(w, 5 * USEC_PER_HOUR);
        for (unsigned i = 1; i <= 50; i++) {
                (void) snprintf(name, sizeof(name), "i%u", i);
                assert_in_range(world_said(w, EVENT_UNKNOWN, name), 2, 4);
        }
        assert_true(w->n_requests <= 5 * 121);
        free(policies);
}

static bool answer_metadata(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        char body[256];

        if (strstr(q->path, "api/token"))
                *ret = world_reply(w, 200, "token");
        else if (strstr(q->path, "securitykey")) {
                (void) snprintf(body, sizeof(body), KEY_FORMAT, ++w->phase);    /* a new one each time */
                *ret = world_reply(w, 200, body);
        } else
                *ret = world_reply(w, 401, REFUSED);
        return true;
}

/* What is wrong is not the key: no other is asked for again and again. */
static void test_found_new_keys_that_are_refused(void **state) {
        char *policies = fleet(4, "encryption: {expect: on, poll: 1h}\n");
        SimWorld *w = *state;

        w->hook = answer_metadata;
        w->credentials = "source: metadata";
        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        assert_in_range(count_path(w, "securitykey"), 1, 25);
        assert_in_range(count_status(w, 401), 1, 25);
        free(policies);
}

static bool answer_token(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        if (!strstr(q->path, "auth/tokens")) {
                *ret = world_reply(w, 200, "{\"encryption_status\":\"on\"}");
                return true;
        }

        *ret = world_reply(w, 201, "{\"token\":{\"expires_at\":\"2026-01-02T00:00:00.000000Z\",\"project\":{\"id\":\"" PROJECT
                           "\"},\"user\":{\"domain\":{\"id\":\"" DOMAIN "\"}}}}");
        ret->subject_token = strdup("token");
        return true;
}

/* A token that has expired by this host's clock as soon as it comes: IAM is not asked for the next one at once. */
static void test_found_clock_years_ahead(void **state) {
        char *policies = fleet(4, "encryption: {expect: on, poll: 5m}\n");
        SimWorld *w = *state;

        w->hook = answer_token;
        w->password = "secret";
        w->credentials = "source: password, user_name: right, domain_name: d";
        world_start(w, "", policies);
        world_run(w, USEC_PER_HOUR);
        world_step_clock(w, (int64_t) (3650 * USEC_PER_DAY));
        world_run(w, USEC_PER_HOUR);
        assert_in_range(count_path(w, "auth/tokens"), 2, 20);
        free(policies);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_found_five_signatures_under_way),
                TEST(test_found_dead_endpoint_is_not_silent),
                TEST(test_found_new_keys_that_are_refused),
                TEST(test_found_clock_years_ahead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
