/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is said of trouble, and what never is: each outage once and of whom it is, and no secret in whatever words the cloud finds.
 */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "sim-world.h"

#define PASSWORD "hunter2-hunter2"
#define TOKEN "MIIToken-of-forty-characters-and-no-fewer"

static const char cloud[] = "instances: {}\n";

/* Instances n1, n2, … with encryption to be on, looked at every minute. */
static char *policies(unsigned n) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (unsigned i = 1; i <= n; i++)
                (void) fprintf(f, "%sname: n%u\nservice: taurusdb\ninstance_id: %032uin07\nencryption: {expect: on, poll: 1m}\n",
                               i > 1 ? "---\n" : "", i, i);
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

/* --- Outages ------------------------------------------------------------------------------------------------------ */

enum { WELL, FIRST_UNWELL, ALL_UNWELL, FIRST_LOST };

static bool answer_by_phase(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        bool first = strstr(q->path, "00001in07") != NULL;

        if (w->phase == FIRST_LOST && first) {
                *ret = (HttpReply) { .outcome = HTTP_LOST, .error = strdup("timed out") };
                *delay_usec = 30 * USEC_PER_SEC;
        } else if (w->phase == ALL_UNWELL || (w->phase == FIRST_UNWELL && first))
                *ret = world_reply(w, w->n_requests % 2 ? 500 : 503, "{\"error_code\":\"DBS.200500\",\"error_msg\":\"boom\"}");
        else
                *ret = world_reply(w, 200, "{\"encryption_status\":\"on\"}");
        return true;
}

static void check_one_outage(SimWorld *w, unsigned phase, unsigned n, const char *of) {
        char *text = policies(n);

        w->hook = answer_by_phase;
        w->phase = WELL;
        world_start(w, "", text);
        world_run(w, 10 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 0);

        w->phase = phase;
        world_run(w, 4 * USEC_PER_HOUR);
        if (world_said(w, EVENT_API_FAILING, NULL) != 1)
                world_print(w);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 1);
        assert_int_equal(world_said(w, EVENT_API_FAILING, of), 1);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, NULL), 0);
        assert_non_null(strstr(world_last(w, EVENT_API_FAILING)->message, "requests in a row"));

        w->phase = WELL;
        world_run(w, 10 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 1);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, NULL), 1);
        assert_int_equal(world_said(w, EVENT_API_RECOVERED, of), 1);
        assert_non_null(strstr(world_last(w, EVENT_API_RECOVERED)->message, "failed requests"));
        free(text);
}

static void test_said_outage_of_one_instance(void **state) {
        check_one_outage(*state, FIRST_UNWELL, 2, "n1");
}

static void test_said_outage_of_one_instance_that_times_out(void **state) {
        check_one_outage(*state, FIRST_LOST, 2, "n1");
}

static void test_said_outage_of_the_only_instance(void **state) {
        check_one_outage(*state, FIRST_UNWELL, 1, "n1");
}

static void test_said_outage_of_the_endpoint(void **state) {
        check_one_outage(*state, ALL_UNWELL, 20, "");
}

/* Nobody else is due for a day: one of them is asked all the same, and tells whose outage it is. */
static void check_slow_fleet(SimWorld *w, unsigned phase, const char *of) {
        static const char slow[] = "name: n1\nservice: taurusdb\ninstance_id: 00000000000000000000000000000001in07\n"
                                   "encryption: {expect: on, poll: 1m}\n"
                                   "---\n"
                                   "name: n2\nservice: taurusdb\ninstance_id: 00000000000000000000000000000002in07\n"
                                   "encryption: {expect: on, poll: 30d}\n";

        w->hook = answer_by_phase;
        w->phase = WELL;
        world_start(w, "", slow);
        world_run(w, 10 * USEC_PER_MINUTE);
        w->phase = phase;
        world_run(w, 5 * USEC_PER_MINUTE);
        assert_int_equal(world_said(w, EVENT_API_FAILING, NULL), 1);
        assert_int_equal(world_said(w, EVENT_API_FAILING, of), 1);
}

static void test_said_outage_is_told_apart_one(void **state) {
        check_slow_fleet(*state, FIRST_UNWELL, "n1");
}

static void test_said_outage_is_told_apart_all(void **state) {
        check_slow_fleet(*state, ALL_UNWELL, "");
}

/* --- Clocks ------------------------------------------------------------------------------------------------------- */

static const char *date;

static bool answer_with_date(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        char body[256];

        (void) snprintf(body, sizeof(body), "{\"backup_vaultlock_info\":{\"lock_retention_days\":30,\"lock_policy\":true,"
                        "\"lock_start_time\":%lld,\"lock_end_time\":%lld}}", (long long) (T0 / USEC_PER_SEC) - 86400 * 26,
                        (long long) (T0 / USEC_PER_SEC) + 86400 * 4);
        *ret = world_reply(w, 200, body);
        free(ret->date);
        ret->date = date ? strdup(date) : NULL;
        return true;
}

static int take_why(void *userdata, const ControlStatus *status) {
        char **why = userdata;

        *why = strdup(status->why);
        return 0;
}

/* A lock that should be extended is not, by a clock that is wrong or by none; and who looks finds out why. */
static void test_said_clock_of_the_cloud(void **state) {
        static const struct {
                const char *date;
                size_t n_said;
        } cases[] = {
                { "Thu, 01 Jan 1970 00:00:00 GMT", 1 },
                { "Thu, 01 Jan 1970 01:00:00 GMT", 1 },
                { "Fri, 31 Dec 9999 23:59:59 GMT", 1 },
                { "Fri, 01 Jan 2027 00:00:00 GMT", 1 },
                { "yesterday",                     0 },
                { NULL,                            0 },
        };
        SimWorld *w = *state;

        w->hook = answer_with_date;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *why = NULL;

                print_message("%s\n", cases[i].date ? cases[i].date : "none");
                date = cases[i].date;
                world_forget(w);
                world_start(w, "", "name: orders\nservice: taurusdb\ninstance_id: 00000000000000000000000000000001in07\n"
                                   "lock: {retention_days: 30}\n");
                world_run(w, USEC_PER_HOUR);
                assert_int_equal(world_said(w, EVENT_CLOCK_SKEW, NULL), cases[i].n_said);
                assert_int_equal(world_writes(w, ""), 0);
                assert_int_equal(engine_inspect_instance(w->engine, "orders", take_why, &why), 1);
                if (!strstr(why, "the cloud's differ by more than 15 minutes, or the cloud names no time"))
                        fail_msg("why: %s", why);
                world_kill(w);
        }
}

/* --- Secrets ------------------------------------------------------------------------------------------------------ */

static void check_not_in(const void *p, size_t n, const char *secret, const char *where) {
        if (memmem(p, n, secret, strlen(secret)))
                fail_msg("%s is in %s", secret, where);
}

static void check_nowhere(SimWorld *w, const char *secret) {
        static char content[4 * 1024 * 1024];
        struct dirent *entry;
        DIR *dir;

        for (size_t i = 0; i < w->n_events; i++) {
                check_not_in(w->events[i].message, strlen(w->events[i].message), secret, w->events[i].message);
                check_not_in(w->events[i].code, strlen(w->events[i].code), secret, "a code");
        }

        dir = opendir(w->dir);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                _cleanup_(close_fdp) int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd >= 0 ? read(fd, content, sizeof(content)) : -1;

                if (n > 0)
                        check_not_in(content, (size_t) n, secret, entry->d_name);
        }
        (void) closedir(dir);
}

static char signature[65];

/* Whatever it got, it gives back: in the message, the code and the request's id, one a time. */
static bool answer_with_what_was_sent(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        const char *authorization = http_request_header(q, "Authorization"), *token = http_request_header(q, "X-Auth-Token");
        const char *said = token ? token : SECRET_KEY;
        char body[512];

        if (strstr(q->path, "auth/tokens")) {
                if (w->phase >= 3) {
                        *ret = world_reply(w, 401, "{\"error\":{\"code\":401,\"message\":\"password " PASSWORD " is wrong\",\"title\":\"x\"}}");
                        return true;
                }
                *ret = world_reply(w, 201, "{\"token\":{\"expires_at\":\"2026-01-01T12:00:00.000000Z\",\"project\":{\"id\":\"" PROJECT
                                   "\"},\"user\":{\"domain\":{\"id\":\"" DOMAIN "\"}}}}");
                ret->subject_token = strdup(TOKEN);
                return true;
        }

        if (authorization) {
                assert_true(strlen(authorization) > 64);
                (void) strcpy(signature, authorization + strlen(authorization) - 64);
                if (w->phase == 2)
                        said = signature;
        }
        (void) snprintf(body, sizeof(body), "{\"error_code\":\"%s\",\"error_msg\":\"%s is no good\"}", w->phase == 1 ? said : "DBS.1", said);
        *ret = world_reply(w, 400, body);
        free(ret->request_id);
        ret->request_id = strdup(said);
        return true;
}

static void test_said_no_key(void **state) {
        SimWorld *w = *state;
        char *text = policies(2);

        w->hook = answer_with_what_was_sent;
        for (w->phase = 0; w->phase < 3; w->phase++) {
                world_start(w, "", text);
                world_run(w, 10 * USEC_PER_MINUTE);
                world_kill(w);
        }
        assert_true(world_said(w, EVENT_API_FAILING, "n1") > 0);
        assert_int_equal(strlen(signature), 64);
        check_nowhere(w, SECRET_KEY);
        check_nowhere(w, signature);
        signature[48] = '\0';
        check_nowhere(w, signature);
        free(text);
}

static void test_said_no_password_and_no_token(void **state) {
        SimWorld *w = *state;
        char *text = policies(1);

        w->hook = answer_with_what_was_sent;
        w->password = PASSWORD;
        w->credentials = "source: password, user_name: u, domain_name: d";
        for (w->phase = 0; w->phase < 4; w->phase++) {
                world_start(w, "", text);
                world_run(w, 10 * USEC_PER_MINUTE);
                world_kill(w);
        }
        assert_true(world_said(w, EVENT_API_FAILING, "n1") > 0);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 1);
        check_nowhere(w, TOKEN);
        check_nowhere(w, PASSWORD);
        free(text);
}

/* --- Credentials -------------------------------------------------------------------------------------------------- */

static bool answer_well(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        char body[256], expires[TIME_TEXT_MAX];

        if (strstr(q->path, "auth/tokens")) {
                (void) snprintf(body, sizeof(body), "{\"token\":{\"expires_at\":\"%s\",\"project\":{\"id\":\"" PROJECT "\"},"
                                "\"user\":{\"domain\":{\"id\":\"" DOMAIN "\"}}}}", rfc3339_format(w->wall_usec + USEC_PER_DAY, expires));
                *ret = world_reply(w, 201, body);
                ret->subject_token = strdup(TOKEN);
        } else
                *ret = world_reply(w, 200, "{\"encryption_status\":\"on\"}");
        return true;
}

static void test_said_token_is_renewed(void **state) {
        SimWorld *w = *state;
        char *text = policies(1);

        w->hook = answer_well;
        w->password = PASSWORD;
        w->credentials = "source: password, user_name: u, domain_name: d";
        world_start(w, "", text);
        world_run(w, 20 * USEC_PER_HOUR);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REFRESHED, NULL), 0);  /* the first is no news */
        world_run(w, USEC_PER_DAY);
        assert_int_equal(world_said(w, EVENT_CREDENTIALS_REFRESHED, NULL), 1);
        free(text);
}

static bool answer_nobody(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        char error[64];

        (void) snprintf(error, sizeof(error), "could not connect after %zu ms", w->n_requests);
        *ret = (HttpReply) { .outcome = HTTP_NOT_SENT, .error = strdup(error) };
        return true;
}

static bool answer_no_agency(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec) {
        *ret = strstr(q->path, "api/token") ? world_reply(w, 200, "token")
                                            : world_reply(w, 401, "Please configure Cloud Service Agency first");
        return true;
}

static void test_said_no_credentials(void **state) {
        static const struct {
                const char *credentials;
                bool (*hook)(SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec);
        } cases[] = {
                { "source: environment", NULL             },
                { "source: systemd",     NULL             },
                { "source: profile",     NULL             },
                { "source: auto",        answer_no_agency },
                { "source: auto",        answer_nobody    },
                { "source: metadata",    answer_no_agency },
        };
        SimWorld *w = *state;
        char *text = policies(2);

        w->access_key = w->secret_key = NULL;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].credentials);
                world_forget(w);
                w->hook = cases[i].hook;
                w->credentials = cases[i].credentials;
                world_start(w, "", text);
                world_run(w, 5 * USEC_PER_MINUTE);
                assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 1);
                world_run(w, 23 * USEC_PER_HOUR);
                assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 1);
                world_run(w, 2 * USEC_PER_HOUR);
                assert_int_equal(world_said(w, EVENT_CREDENTIALS_REJECTED, NULL), 2);
                world_kill(w);
        }
        free(text);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_said_outage_of_one_instance, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_outage_of_one_instance_that_times_out, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_outage_of_the_only_instance, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_outage_of_the_endpoint, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_outage_is_told_apart_one, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_outage_is_told_apart_all, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_clock_of_the_cloud, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_no_key, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_no_password_and_no_token, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_token_is_renewed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_said_no_credentials, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
