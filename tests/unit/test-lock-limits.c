/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The edges of the control "lock": each limit with what lies just within and just past it, one step at a time. What it does over
 * a lock's life is in test-lock.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/lock-judge.h"
#include "control/lock-plan.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */
#define DAY USEC_PER_DAY
#define HALF_A_DAY (12 * USEC_PER_HOUR)

typedef struct Case {
        LockPolicy policy;
        Instance instance;
        Terms terms;
        ControlState state;
        EndpointState endpoint;
        int64_t limit_retention_days;
        bool reading_on_trial;
} Case;

static void case_init(Case *c) {
        *c = (Case) {
                .policy = {
                        .poll_usec = USEC_PER_HOUR,
                        .retention_days = 30,
                        .renew_before_usec = 7 * DAY,
                        .max_retention_days = 45,
                        .require_manual_backup_usec = USEC_INFINITY,
                },
                .instance = { .name = (char *) "orders", .service = SERVICE_TAURUSDB },
                .limit_retention_days = 3660,
        };
        c->terms = (Terms) { .lock = &c->policy };
        c->instance.terms = &c->terms;
}

/* What is decided on a lock that reads like this at T0. @end_usec 0: there is none. */
static void read_lock(Case *c, usec_t start_usec, usec_t end_usec, Decision *ret) {
        Answer answer = { .call = CALL_LOCK_GET, .date_usec = T0 };
        Look look = {};
        Situation s = {
                .instance = &c->instance,
                .state = &c->state,
                .look = &look,
                .endpoint = &c->endpoint,
                .enforce = true,
                .now_usec = T0,
                .limit_retention_days = c->limit_retention_days,
                .reading_on_trial = c->reading_on_trial,
                .new_locks_left = 1,
                .new_locks_per_day = 1,
        };
        Decision d = {};

        lock_step(&s, &d);
        assert_int_equal(d.next, NEXT_ASK);
        assert_int_equal(d.ask.call, CALL_LOCK_GET);

        if (end_usec > 0)
                answer.lock = (LockFacts) { .presence = LOCK_HELD, .retention_days = 30, .start_usec = start_usec, .end_usec = end_usec };
        else
                answer.lock = (LockFacts) { .presence = LOCK_NONE, .explicit_none = true };
        s.answer = &answer;
        lock_step(&s, ret);
}

static bool said(const Decision *d, EventId id) {
        for (size_t i = 0; i < d->n_sayings; i++)
                if (d->sayings[i].id == id)
                        return true;

        return false;
}

/* --- The cap -------------------------------------------------------------------------------------------------------- */

/* Days are whole, ends are not: half a day past the cap is past it. Less than what the policy wants is not asked for. */
static void test_lock_plan_extension_at_the_cap(void **state) {
        static const struct {
                const char *what;
                usec_t end_usec;
                int64_t cap_days;
                LockPlanResult result;
                int64_t days;
        } cases[] = {
                { "half a day within it",    T0 + 5 * DAY + HALF_A_DAY,   31, LOCK_PLAN_SEND, 25 },
                { "exactly at it",           T0 + 5 * DAY,                30, LOCK_PLAN_SEND, 25 },
                { "a second past it",        T0 + 5 * DAY + USEC_PER_SEC, 30, LOCK_PLAN_CAP,  0  },
                { "half a day past it",      T0 + 5 * DAY + HALF_A_DAY,   30, LOCK_PLAN_CAP,  0  },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                LockPlanInput in = {
                        .times = { .start_usec = T0 - DAY, .end_usec = cases[i].end_usec, .now_usec = T0 },
                        .readings = 1u << READING_ADDED,
                        .possible = 1u << READING_ADDED,
                        .retention_days = 30,
                        .max_retention_days = cases[i].cap_days,
                        .limit_days = 3660,
                };
                LockPlan plan = {};

                print_message("%s\n", cases[i].what);
                lock_plan_extension(&in, &plan);
                assert_int_equal(plan.result, cases[i].result);
                if (plan.result == LOCK_PLAN_SEND)
                        assert_int_equal(plan.days, cases[i].days);
        }
}

/* The cap was reckoned when the request was decided on; the cloud counts from when it came there. */
static void test_lock_judge_at_the_cap(void **state) {
        static const struct {
                const char *what;
                usec_t end_usec;
                LockJudgement judgement;
        } cases[] = {
                { "as reckoned",                    T0 + 30 * DAY,                        LOCK_JUDGED_CONFIRMED },
                { "later by the time in transit",   T0 + 30 * DAY + 15 * USEC_PER_MINUTE, LOCK_JUDGED_CONFIRMED },
                { "later than any transit",         T0 + 30 * DAY + 16 * USEC_PER_MINUTE, LOCK_JUDGED_PAST_CAP  },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                LockMemory m = {
                        .seen = true,
                        .start_usec = T0 - DAY,
                        .end_usec = T0 + 5 * DAY,
                        .n_intents = 1,
                        .intents[0] = {
                                .action = LOCK_EXTEND,
                                .days = 30,
                                .outcome = INTENT_ACCEPTED,
                                .sent_at_usec = T0,
                                .start_before_usec = T0 - DAY,
                                .end_before_usec = T0 + 5 * DAY,
                                .expected_end_usec = T0 + 30 * DAY,
                                .cap_at_usec = T0 + 30 * DAY,
                                .readings = 1u << READING_FROM_NOW,
                        },
                };
                LockFacts f = { .presence = LOCK_HELD, .retention_days = 30, .start_usec = T0 - DAY, .end_usec = cases[i].end_usec };
                LockRuling ruling;

                print_message("%s\n", cases[i].what);
                lock_judge(&m, &f, T0 + USEC_PER_HOUR, 0, true, &ruling);
                assert_int_equal(ruling.judgement, cases[i].judgement);
        }
}

/* limits.max_retention_days stands above the policy's own cap. */
static void test_lock_step_at_the_limit_of_the_host(void **state) {
        static const struct {
                const char *what;
                int64_t limit_days, days;       /* 0: nothing is sent */
        } cases[] = {
                { "within it",           31, 25 },
                { "half a day over",     30, 24 },     /* a day less stays within, and is of use */
                { "a day is of no use",  7, 0 },
                { "not even a day",      5, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Decision d = {};
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c);
                c.limit_retention_days = cases[i].limit_days;
                c.endpoint.readings = 1u << READING_ADDED;
                read_lock(&c, T0 - DAY, T0 + 5 * DAY + HALF_A_DAY, &d);
                assert_int_equal(d.next, cases[i].days > 0 ? NEXT_ASK_STORED : NEXT_DONE);
                assert_int_equal(said(&d, EVENT_LOCK_REFUSED), cases[i].days == 0);
                if (cases[i].days > 0)
                        assert_int_equal(d.ask.lock_set.days, cases[i].days);
        }
}

/* Thousands of days are asked for only where it is certain that they count from a start which lies as far back. */
static void test_lock_step_long_period_needs_certainty(void **state) {
        static const struct {
                const char *what;
                unsigned readings, struck;
                Extension stated;
                bool sent;
        } cases[] = {
                { "shown by an effect",    1u << READING_FROM_START, 0, EXTENSION_AUTO, true },
                { "shown and stated",      1u << READING_FROM_START, 0, EXTENSION_FROM_START, true },
                { "only stated",           0, 0, EXTENSION_FROM_START, false },
                { "all others seem void",  0, (1u << READING_FROM_NOW) | (1u << READING_ADDED), EXTENSION_AUTO, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Decision d = {};
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c);
                c.endpoint.readings = cases[i].readings;
                c.state.lock.struck = cases[i].struck;
                c.policy.extension = cases[i].stated;
                read_lock(&c, T0 - 4000 * DAY, T0 + 5 * DAY, &d);
                assert_int_equal(d.next, cases[i].sent ? NEXT_ASK_STORED : NEXT_DONE);
                if (cases[i].sent)
                        assert_int_equal(d.ask.lock_set.days, 4030);
                else
                        assert_true(said(&d, EVENT_LOCK_REFUSED));
        }
}

/* A word that is wrong is wrong for every lock: one goes first. */
static void test_lock_step_waits_for_a_trial(void **state) {
        static const struct {
                const char *what;
                bool on_trial;
                unsigned readings;
                Extension stated;
                usec_t left_usec;
                bool sent;
        } cases[] = {
                { "nobody tries it",            false, 0, EXTENSION_FROM_NOW, 5 * DAY, true },
                { "another one tries it",       true, 0, EXTENSION_FROM_NOW, 5 * DAY, false },
                { "half of renew_before",       true, 0, EXTENSION_FROM_NOW, 3 * DAY + HALF_A_DAY, false },
                { "less than that",             true, 0, EXTENSION_FROM_NOW, 3 * DAY + HALF_A_DAY - 1, true },
                { "it is shown already",        true, 1u << READING_FROM_NOW, EXTENSION_FROM_NOW, 5 * DAY, true },
                { "nothing is stated",          true, 0, EXTENSION_AUTO, 5 * DAY, true },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Decision d = {};
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c);
                c.reading_on_trial = cases[i].on_trial;
                c.endpoint.readings = cases[i].readings;
                c.policy.extension = cases[i].stated;
                read_lock(&c, T0 - DAY, T0 + cases[i].left_usec, &d);
                assert_int_equal(d.next, cases[i].sent ? NEXT_ASK_STORED : NEXT_DONE);
                assert_int_equal(d.reading_on_trial, cases[i].sent && cases[i].stated != EXTENSION_AUTO && cases[i].readings == 0);
                assert_int_equal(d.waiting && d.retry, !cases[i].sent);
        }
}

/* --- When, and when not --------------------------------------------------------------------------------------------- */

static void test_lock_step_at_renew_before(void **state) {
        static const struct {
                const char *what;
                usec_t left_usec;
                bool due;
        } cases[] = {
                { "exactly renew_before remains", 7 * DAY,     false },
                { "a microsecond less",           7 * DAY - 1, true  },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Decision d = {};
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c);
                read_lock(&c, T0 - DAY, T0 + cases[i].left_usec, &d);
                assert_int_equal(d.next, cases[i].due ? NEXT_ASK_STORED : NEXT_DONE);
                if (!cases[i].due) {
                        assert_int_equal(d.verdict, VERDICT_COMPLIANT);
                        assert_int_equal(d.wait_usec, USEC_PER_SEC);
                }
        }
}

/* Neither an extension nor a new lock goes to a frozen endpoint. */
static void test_lock_step_frozen(void **state) {
        static const usec_t ends[] = { 0, T0 - DAY, T0 + 5 * DAY };

        for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
                Decision d = {};
                Case c;

                case_init(&c);
                c.endpoint = (EndpointState) { .frozen = true, .frozen_why = "a test" };
                read_lock(&c, ends[i] ? T0 - 10 * DAY : 0, ends[i], &d);
                assert_int_equal(d.next, NEXT_DONE);
                assert_int_equal(d.verdict, VERDICT_VIOLATED);
                assert_true(said(&d, EVENT_LOCK_FROZEN));
                assert_int_equal(c.state.lock.n_intents, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lock_plan_extension_at_the_cap),
                cmocka_unit_test(test_lock_judge_at_the_cap),
                cmocka_unit_test(test_lock_step_at_the_limit_of_the_host),
                cmocka_unit_test(test_lock_step_waits_for_a_trial),
                cmocka_unit_test(test_lock_step_long_period_needs_certainty),
                cmocka_unit_test(test_lock_step_at_renew_before),
                cmocka_unit_test(test_lock_step_frozen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
