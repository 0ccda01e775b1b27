/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"

#define NOW  (UINT64_C(1795168800) * USEC_PER_SEC) /* 2026-11-20T10:00:00Z */
#define POLL (5 * USEC_PER_MINUTE)
#define KEY  "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"

/* One control under test: what the engine would hold for it. */
typedef struct Bench {
        EncryptionPolicy policy;
        Instance instance;
        Terms terms;
        ControlState state;
        EndpointState endpoint;
        Look look;
        Situation situation;
        Decision d;
} Bench;

static void bench_begin(Bench *b, bool expect_on, const char *key, bool enforce) {
        *b = (Bench){
                .policy = { .poll_usec = POLL, .expect_on = expect_on, .kms_key_id = (char *) key },
        };
        b->terms = (Terms) { .encryption = &b->policy };
        b->instance = (Instance) { .name = "orders", .terms = &b->terms };
        b->situation = (Situation){
                .instance = &b->instance,
                .state = &b->state,
                .look = &b->look,
                .endpoint = &b->endpoint,
                .enforce = enforce,
                .now_usec = NOW,
        };
}

static void step(Bench *b, const Answer *answer, const Failure *failure) {
        b->situation.answer = answer;
        b->situation.failure = failure;
        b->d = (Decision){};
        encryption_step(&b->situation, &b->d);
        b->situation.answer = NULL;
        b->situation.failure = NULL;
}

static void answer_on(Bench *b, Call call, bool on) {
        Answer a = { .call = call, .request_id = "req-1", .encryption_on = on };

        step(b, &a, NULL);
}

static void answer_failure(Bench *b, FailureClass class, bool maybe_done) {
        Failure f = {
                .class = class,
                .http_status = 400,
                .code = "DBS.200506",
                .message = "the cloud's words",
                .request_id = "req-2",
                .maybe_done = maybe_done,
        };

        step(b, NULL, &f);
}

static void assert_asks(const Bench *b, Next next, Call call, usec_t wait_usec) {
        assert_int_equal(b->d.next, next);
        assert_int_equal(b->d.ask.call, call);
        assert_true(b->d.wait_usec == wait_usec);
}

static void assert_done(const Bench *b, Verdict verdict, usec_t wait_usec, bool waiting) {
        assert_int_equal(b->d.next, NEXT_DONE);
        assert_int_equal(b->d.verdict, verdict);
        assert_true(b->d.wait_usec == wait_usec);
        assert_int_equal(b->d.waiting, waiting);
        assert_true(b->d.why[0] != '\0');
}

static const Saying *says(const Bench *b, EventId id) {
        for (size_t i = 0; i < b->d.n_sayings; i++)
                if (b->d.sayings[i].id == id)
                        return &b->d.sayings[i];

        return NULL;
}

static const Saying *assert_says(const Bench *b, EventId id, int said, const char *text) {
        const Saying *say = says(b, id);

        assert_non_null(say);
        assert_int_equal(say->said, said);
        assert_int_equal(say->priority, -1);
        if (!strstr(say->message, text))
                fail_msg("\"%s\" is not in: %s", text, say->message);
        return say;
}

static void begin_and_read(Bench *b, bool expect_on, const char *key, bool enforce, bool found_on) {
        bench_begin(b, expect_on, key, enforce);
        step(b, NULL, NULL);
        assert_asks(b, NEXT_ASK, CALL_ENCRYPTION_GET, 0);
        assert_int_equal(b->d.n_sayings, 0);
        answer_on(b, CALL_ENCRYPTION_GET, found_on);
}

static void test_encryption_step_looks(void **state) {
        static const struct {
                const char *what;
                const char *key;
                bool expect_on, enforce, found_on;
                Verdict verdict;
                const char *drift; /* NULL: none is said */
        } cases[] = {
                { "on as expected", KEY, true, true, true, VERDICT_COMPLIANT, NULL },
                { "on as expected, no key", NULL, true, true, true, VERDICT_COMPLIANT, NULL },
                { "on as expected, observed", KEY, true, false, true, VERDICT_COMPLIANT, NULL },
                { "off as expected", NULL, false, true, false, VERDICT_COMPLIANT, NULL },
                { "off as expected, with a key", KEY, false, true, false, VERDICT_COMPLIANT, NULL },
                { "off, no key", NULL, true, true, false, VERDICT_VIOLATED,
                  "encrypted backup is off, expected on; the policy gives no key" },
                { "off, observed", KEY, true, false, false, VERDICT_VIOLATED,
                  "encrypted backup is off, expected on" },
                { "on, expected off: never switched off", KEY, false, true, true, VERDICT_VIOLATED,
                  "encrypted backup is on, expected off" },
                { "on, expected off, observed", NULL, false, false, true, VERDICT_VIOLATED,
                  "encrypted backup is on, expected off" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", cases[i].what);
                begin_and_read(&b, cases[i].expect_on, cases[i].key, cases[i].enforce, cases[i].found_on);
                assert_done(&b, cases[i].verdict, POLL, false);
                assert_int_equal(b.d.n_sayings, cases[i].drift ? 1 : 0);
                if (cases[i].drift)
                        assert_says(&b, EVENT_DRIFT, SAID_DRIFT, cases[i].drift);
        }
}

static void test_encryption_step_same_drift_is_no_news(void **state) {
        Bench a, b, c;

        begin_and_read(&a, true, NULL, true, false);
        begin_and_read(&b, true, NULL, true, false);
        begin_and_read(&c, false, NULL, true, true);
        assert_int_equal(a.d.sayings[0].digest, b.d.sayings[0].digest);
        assert_int_not_equal(a.d.sayings[0].digest, c.d.sayings[0].digest);
}

static void begin_and_write(Bench *b) {
        begin_and_read(b, true, KEY, true, false);
        assert_asks(b, NEXT_ASK, CALL_ENCRYPTION_SET, 0);
        assert_string_equal(b->d.ask.encryption_set.kms_key_id, KEY);
        assert_int_equal(b->d.n_sayings, 1);
        assert_says(b, EVENT_DRIFT, SAID_DRIFT, "encrypted backup is off, expected on");
}

/* @n_off: reads back that still show it off. */
static void read_back(Bench *b, int n_off) {
        assert_asks(b, NEXT_ASK, CALL_ENCRYPTION_GET, 0);
        for (int i = 1; i <= n_off; i++) {
                answer_on(b, CALL_ENCRYPTION_GET, false);
                if (i == READ_BACK_MAX)
                        return;
                assert_asks(b, NEXT_ASK_LATER, CALL_ENCRYPTION_GET, read_back_wait_usec(i));
                assert_int_equal(b->d.n_sayings, 0);
        }

        answer_on(b, CALL_ENCRYPTION_GET, true);
}

static void test_encryption_step_switches_on(void **state) {
        for (int n_off = 0; n_off < READ_BACK_MAX; n_off++) {
                Bench b;

                print_message("shown after %d reads\n", n_off);
                begin_and_write(&b);
                answer_on(&b, CALL_ENCRYPTION_SET, true);
                read_back(&b, n_off);
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_int_equal(b.d.n_sayings, 1);
                assert_string_equal(assert_says(&b, EVENT_REMEDIATED, -1, KEY)->request_id, "req-1");
        }
}

static void test_encryption_step_accepted_without_effect(void **state) {
        Bench b;

        begin_and_write(&b);
        answer_on(&b, CALL_ENCRYPTION_SET, true);
        read_back(&b, READ_BACK_MAX);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_int_equal(b.d.n_sayings, 1);
        assert_string_equal(
                assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "reads back as off")->request_id,
                "req-1");
}

/* What the answer to the write says proves nothing either way. */
static void test_encryption_step_answer_says_off(void **state) {
        Bench b;

        begin_and_write(&b);
        answer_on(&b, CALL_ENCRYPTION_SET, false);
        read_back(&b, 0);
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_says(&b, EVENT_REMEDIATED, -1, "on again");
}

static void test_encryption_step_read_fails(void **state) {
        for (FailureClass class = 0; class < FAILURE_CLASS__MAX; class ++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(class));
                bench_begin(&b, true, KEY, true);
                step(&b, NULL, NULL);
                answer_failure(&b, class, false);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
                assert_int_equal(b.d.verdict, VERDICT_UNKNOWN);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
                assert_int_equal(b.d.n_sayings, 0);

                begin_and_write(&b);
                answer_on(&b, CALL_ENCRYPTION_SET, true);
                answer_failure(&b, class, false);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
                assert_int_equal(b.d.n_sayings, 0);
        }
}

static const struct {
        FailureClass class;
        bool passes;
} classes[] = {
        { FAILURE_TRANSPORT, true },      { FAILURE_THROTTLED, true },    { FAILURE_BUSY, true },
        { FAILURE_SERVER, true },         { FAILURE_CREDENTIALS, true },  { FAILURE_WITHHELD, true },
        { FAILURE_NOT_PERMITTED, false }, { FAILURE_NOT_OFFERED, false }, { FAILURE_NOT_FOUND, false },
        { FAILURE_BAD_REQUEST, false },
};

/* @read: the last step was handed a read, so that the engine must be told to try again. */
static void assert_failed(const Bench *b, bool passes, bool read) {
        const Saying *say;

        assert_done(b, VERDICT_VIOLATED, POLL, passes);
        assert_int_equal(b->d.retry, passes && read);
        assert_non_null(strstr(b->d.why, "the cloud's words"));
        if (passes) {
                assert_int_equal(b->d.n_sayings, 0);
                return;
        }

        assert_int_equal(b->d.n_sayings, 1);
        say = assert_says(b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "the cloud's words");
        assert_int_equal(say->http_status, 400);
        assert_string_equal(say->error_code, "DBS.200506");
        assert_string_equal(say->request_id, "req-2");
}

static void test_encryption_step_write_fails(void **state) {
        assert_int_equal(N_ELEMENTS(classes), FAILURE_CLASS__MAX - 1); /* unreadable: below */

        for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(classes[i].class));
                begin_and_write(&b);
                answer_failure(&b, classes[i].class, false);
                assert_failed(&b, classes[i].passes, false);
        }
}

/* Lost, or answered with nonsense: what was done is read before anything else. */
static void test_encryption_step_write_lost(void **state) {
        static const struct {
                FailureClass class;
                bool maybe_done, passes;
        } cases[] = {
                { FAILURE_TRANSPORT, true, true },
                { FAILURE_SERVER, true, true },
                { FAILURE_UNREADABLE, true, false },
                { FAILURE_UNREADABLE, false, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(cases[i].class));
                begin_and_write(&b);
                answer_failure(&b, cases[i].class, cases[i].maybe_done);
                read_back(&b, 1);
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_string_equal(assert_says(&b, EVENT_REMEDIATED, -1, "on again")->request_id, "req-2");

                begin_and_write(&b);
                answer_failure(&b, cases[i].class, cases[i].maybe_done);
                read_back(&b, READ_BACK_MAX);
                assert_failed(&b, cases[i].passes, true);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encryption_step_looks),
                cmocka_unit_test(test_encryption_step_same_drift_is_no_news),
                cmocka_unit_test(test_encryption_step_switches_on),
                cmocka_unit_test(test_encryption_step_accepted_without_effect),
                cmocka_unit_test(test_encryption_step_answer_says_off),
                cmocka_unit_test(test_encryption_step_read_fails),
                cmocka_unit_test(test_encryption_step_write_fails),
                cmocka_unit_test(test_encryption_step_write_lost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
