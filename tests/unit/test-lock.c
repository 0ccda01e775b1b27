/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control "lock" against a model of the cloud that can be told every reading of the API: whatever the reading, the delay and the fault, a
 * lock never ends past its cap, is never extended twice by one request, and is long enough in the end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/lock-plan.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */
#define DAY USEC_PER_DAY

typedef enum Fault {
        FAULT_NONE,
        FAULT_LOST_BEFORE,      /* no answer, no effect */
        FAULT_LOST_AFTER,       /* no answer, but an effect */
        FAULT_ERROR_AFTER,      /* 500, but an effect */
        FAULT_NO_EFFECT,        /* 200, but no effect */
        FAULT_BUSY,             /* 409 */
        FAULT_REFUSED,          /* 400 */
        FAULT_ANYBODYS,         /* 400 without an error code */
        FAULT_FORBIDDEN,        /* 403 */
        FAULT_OVERSHOOT,        /* an end a year too late */
        FAULT_SHORTEN,          /* an end a day earlier than before */
        FAULT_ODD,              /* lengthens by a third of what any reading says */
        FAULT__MAX,
} Fault;

typedef struct Model {
        Reading reading;
        bool refuse_shorter;    /* 400 to what would not lengthen; else 200 and nothing */
        bool refuse_enable_expired;
        usec_t delay;           /* until a write shows in reads */
        usec_t start, end;      /* 0: no lock */
        usec_t shown_start, shown_end, show_at;
        usec_t now;             /* the cloud's clock */
        int64_t host_offset;    /* host's clock minus the cloud's, seconds */
        bool no_start;          /* lock_start_time is not answered */
        bool ended_is_none;     /* of a lock that has ended, the answer says that there is none, and when it ended */
        Fault faults[8];        /* of the next writes */
        size_t n_faults, n_writes;
        int64_t days[64];
        usec_t cap;             /* latest end that any write may lead to */
        bool may_pass_cap;
        Fault read_fault;       /* FAULT_FORBIDDEN: cannot be read */
        const BackupFacts *backups;
        size_t n_backups, page;         /* as many are given at once; 0: all */
        usec_t list_takes, write_takes; /* of listing the backups, and of a write */
        usec_t lie_end;         /* what reads show instead of the end … */
        usec_t lie_step;        /* … later by so much each time … */
        unsigned n_lies;        /* … so often … */
        size_t lie_after;       /* … after so many writes */
} Model;

typedef struct Case {
        LockPolicy policy;
        Instance instance;
        Terms terms;
        ControlState state;
        EndpointState endpoint;
        unsigned new_locks_left;
        bool enforce;
        Model cloud;
        /* of the last look */
        Decision last;
        unsigned said;          /* set of EventId */
        size_t n_said[EVENT__MAX];
        char text[4096];
        size_t n_stored;        /* intents stored before sending */
} Case;

static void case_init(Case *c, Reading reading, usec_t start, usec_t end, int64_t retention, int64_t cap, usec_t renew_before) {
        *c = (Case) {
                .policy = {
                        .poll_usec = USEC_PER_HOUR,
                        .retention_days = retention,
                        .renew_before_usec = renew_before,
                        .max_retention_days = cap,
                        .settle_usec = 0,
                        .require_manual_backup_usec = USEC_INFINITY,
                },
                .new_locks_left = 20,
                .enforce = true,
                .cloud = { .reading = reading, .start = start, .end = end, .shown_start = start, .shown_end = end, .now = T0 },
        };
        c->instance = (Instance) { .name = (char *) "orders", .service = SERVICE_TAURUSDB };
}

static void model_settle(Model *m) {
        if (m->now >= m->show_at) {
                m->shown_start = m->start;
                m->shown_end = m->end;
        }
}

static Failure failure(FailureClass class, int status, bool maybe_done) {
        Failure f = { .class = class, .http_status = status, .maybe_done = maybe_done };

        (void) snprintf(f.message, sizeof(f.message), "made to fail");
        if (class == FAILURE_BAD_REQUEST)
                (void) snprintf(f.code, sizeof(f.code), "DBS.200001");
        return f;
}

/* Carries a write out. Returns whether there is an answer. */
static bool model_write(Model *m, const Ask *ask, Answer *answer, Failure *f) {
        Fault fault = m->n_writes < m->n_faults ? m->faults[m->n_writes] : FAULT_NONE;
        usec_t end, days = (usec_t) ask->lock_set.days * DAY;

        assert_true(m->n_writes < N_ELEMENTS(m->days));
        assert_in_range(ask->lock_set.days, 1, 36500);
        m->days[m->n_writes++] = ask->lock_set.days;

        if (fault == FAULT_LOST_BEFORE || fault == FAULT_BUSY || fault == FAULT_REFUSED || fault == FAULT_ANYBODYS ||
            fault == FAULT_FORBIDDEN) {
                *f = fault == FAULT_LOST_BEFORE ? failure(FAILURE_TRANSPORT, 0, true) :
                        fault == FAULT_BUSY ? failure(FAILURE_BUSY, 409, false) :
                        fault == FAULT_FORBIDDEN ? failure(FAILURE_NOT_PERMITTED, 403, false) :
                        failure(FAILURE_BAD_REQUEST, 400, false);
                if (fault == FAULT_ANYBODYS)
                        f->code[0] = '\0';
                return false;
        }

        if (ask->lock_set.action == LOCK_ENABLE) {
                if (m->end > m->now || (m->end > 0 && m->refuse_enable_expired)) {
                        *f = failure(FAILURE_BAD_REQUEST, 400, false);
                        return false;
                }
                end = m->now + days;
                if (fault != FAULT_NO_EFFECT)
                        m->start = m->now;
        } else {
                end = m->reading == READING_FROM_START ? m->start + days : m->reading == READING_FROM_NOW ? m->now + days : m->end + days;
                if (m->end == 0 || (end <= m->end && m->refuse_shorter)) {
                        *f = failure(FAILURE_BAD_REQUEST, 400, false);
                        return false;
                }
        }

        if (end > m->end && fault != FAULT_NO_EFFECT) {
                if (fault == FAULT_ODD)
                        end = m->end + (end - m->end) / 3;
                m->end = fault == FAULT_OVERSHOOT ? end + 365 * DAY : fault == FAULT_SHORTEN ? m->end - DAY : end;
                m->show_at = m->now + m->delay;
                /* What the whole control is about. A second for the transit. */
                if (fault != FAULT_OVERSHOOT && !m->may_pass_cap)
                        assert_true(m->end <= m->cap + USEC_PER_SEC);
        }
        model_settle(m);

        if (fault == FAULT_LOST_AFTER || fault == FAULT_ERROR_AFTER) {
                *f = failure(fault == FAULT_LOST_AFTER ? FAILURE_TRANSPORT : FAILURE_SERVER, fault == FAULT_LOST_AFTER ? 0 : 500, true);
                return false;
        }

        *answer = (Answer) { .call = CALL_LOCK_SET, .date_usec = m->now, .lock_accepted = true };
        return true;
}

static bool model_read(Model *m, Answer *answer, Failure *f) {
        if (m->read_fault == FAULT_FORBIDDEN) {
                *f = failure(FAILURE_NOT_PERMITTED, 403, false);
                f->date_usec = m->now;
                return false;
        }
        if (m->read_fault == FAULT_LOST_BEFORE) {
                *f = failure(FAILURE_TRANSPORT, 0, false);
                return false;
        }

        model_settle(m);
        *answer = (Answer) { .call = CALL_LOCK_GET, .date_usec = m->now };
        if (m->shown_end == 0 || (m->ended_is_none && m->shown_end <= m->now))
                answer->lock = (LockFacts) { .presence = LOCK_NONE, .explicit_none = true, .ended_usec = m->shown_end };
        else
                answer->lock = (LockFacts) {
                        .presence = LOCK_HELD,
                        .retention_days = 30,
                        .start_usec = m->no_start ? 0 : m->shown_start,
                        .end_usec = m->shown_end,
                };
        if (m->n_writes >= m->lie_after && m->n_lies > 0) {
                m->n_lies--;
                answer->lock.end_usec = m->lie_end;
                m->lie_end += m->lie_step;
        }
        return true;
}

/* One look, to its verdict; time passes a little with every exchange. */
static void look(Case *c) {
        Model *m = &c->cloud;
        Look state = {};
        Answer answer = {};
        Failure f = {};
        bool has_answer = false, has_failure = false;

        c->terms = (Terms) { .lock = &c->policy };
        c->instance.terms = &c->terms;
        c->said = 0;
        memset(c->n_said, 0, sizeof(c->n_said));
        c->text[0] = '\0';

        for (size_t i = 0; i < 40 + m->n_backups; i++) {
                Decision d = {};
                Situation s = {
                        .instance = &c->instance,
                        .state = &c->state,
                        .look = &state,
                        .endpoint = &c->endpoint,
                        .enforce = c->enforce,
                        .now_usec = m->now + (usec_t) (m->host_offset * (int64_t) USEC_PER_SEC),
                        .cloud_now_usec = m->now,
                        .limit_retention_days = 3660,
                        .new_locks_left = c->new_locks_left,
                        .new_locks_per_day = 20,
                        .answer = has_answer ? &answer : NULL,
                        .failure = has_failure ? &f : NULL,
                };

                lock_step(&s, &d);
                for (size_t k = 0; k < d.n_sayings; k++) {
                        c->said |= 1u << d.sayings[k].id;
                        c->n_said[d.sayings[k].id]++;
                        strncat(c->text, d.sayings[k].message, sizeof(c->text) - strlen(c->text) - 2);
                        strcat(c->text, "\n");
                }
                if (d.learned_readings > 0)
                        c->endpoint.readings = d.learned_readings;
                if (d.freeze.freeze) {
                        c->endpoint.frozen = true;
                        memcpy(c->endpoint.frozen_why, d.freeze.why, sizeof(d.freeze.why));
                }

                has_answer = has_failure = false;
                answer = (Answer) {};
                f = (Failure) {};

                switch (d.next) {
                case NEXT_DONE:
                case NEXT_UNKNOWN:
                        c->last = d;
                        c->state.verdict = d.next == NEXT_DONE ? d.verdict : c->state.verdict;
                        return;
                case NEXT_ASK_LATER:
                        m->now += d.wait_usec;
                        break;
                case NEXT_ASK_STORED:
                        assert_true(d.state_changed);
                        assert_true(c->state.lock.n_intents > 0);
                        assert_int_equal(c->state.lock.intents[c->state.lock.n_intents - 1].outcome, INTENT_OPEN);
                        assert_int_equal(c->state.lock.intents[c->state.lock.n_intents - 1].days, d.ask.lock_set.days);
                        c->n_stored++;
                        break;
                case NEXT_ASK:
                        assert_int_not_equal(d.ask.call, CALL_LOCK_SET);        /* never without a stored intent */
                        break;
                }

                m->now += 100 * USEC_PER_MSEC;
                if (d.ask.call == CALL_LOCK_SET) {
                        m->cap = m->now + (usec_t) c->policy.max_retention_days * DAY;
                        m->now += m->write_takes;
                        has_answer = model_write(m, &d.ask, &answer, &f);
                } else if (d.ask.call == CALL_LOCK_GET)
                        has_answer = model_read(m, &answer, &f);
                else {
                        assert_int_equal(d.ask.call, CALL_TAURUSDB_BACKUPS);
                        size_t from = MIN((size_t) d.ask.backups.offset, m->n_backups);
                        size_t n = MIN(m->n_backups - from, m->page > 0 ? m->page : m->n_backups);

                        m->now += m->list_takes;
                        answer = (Answer) {
                                .call = CALL_TAURUSDB_BACKUPS,
                                .date_usec = m->now,
                                .backups = { .items = (BackupFacts *) m->backups + from, .n_items = n, .total = (int64_t) m->n_backups },
                        };
                        has_answer = true;
                }
                has_failure = !has_answer;
        }

        fail_msg("a look does not end");
}

#define SAID(c, id) (((c)->said & (1u << (id))) != 0)

/* --- Planning ----------------------------------------------------------------------------------------------------- */

static void test_lock_plan_extension_picks_the_smallest(void **state) {
        static const struct {
                const char *what;
                int start, end;         /* days from now */
                int retention, cap;
                unsigned readings, possible;
                LockPlanResult result;
                int days;
        } cases[] = {
                { "all readings: what would be added", -25, 5, 30, 31, 7, 7, LOCK_PLAN_SEND, 25 },
                { "added disproved: from now", -25, 5, 30, 31, 3, 3, LOCK_PLAN_SEND, 30 },
                { "only from start", -25, 5, 30, 31, 1, 1, LOCK_PLAN_SEND, 55 },
                { "from start, added not disproved: the cap", -25, 5, 30, 31, 1, 5, LOCK_PLAN_CAP, 0 },
                { "stated from now, learned added: the cap", -25, 5, 30, 31, 2, 6, LOCK_PLAN_CAP, 0 },
                { "the same with a cap that has room", -25, 5, 30, 36, 2, 6, LOCK_PLAN_SEND, 30 },
                { "at the target already", -25, 30, 30, 30, 4, 4, LOCK_PLAN_CAP, 0 },
                { "over the limit of days", -4000, 5, 30, 31, 1, 1, LOCK_PLAN_LIMIT, 0 },
                { "start unknown", 0, 5, 30, 31, 1, 1, LOCK_PLAN_BLIND, 0 },
                { "ended: from now is the smallest", -40, -10, 30, 31, 7, 7, LOCK_PLAN_SEND, 30 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                LockPlanInput in = {
                        .times = {
                                .start_usec = cases[i].start ? (usec_t) ((int64_t) T0 + cases[i].start * (int64_t) DAY) : 0,
                                .end_usec = (usec_t) ((int64_t) T0 + cases[i].end * (int64_t) DAY),
                                .now_usec = T0,
                        },
                        .readings = cases[i].readings,
                        .possible = cases[i].possible,
                        .retention_days = cases[i].retention,
                        .max_retention_days = cases[i].cap,
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

/* --- Climbing ----------------------------------------------------------------------------------------------------- */

static void test_lock_step_climbs_under_every_reading(void **state) {
        static const struct {
                int start, end, retention, cap, renew;
        } locks[] = {
                { -25, 5, 30, 31, 7 },
                { -10, 5, 30, 31, 7 },
                { -1, 1, 30, 31, 7 },
                { -360, 5, 30, 31, 7 },
                { -25, 5, 30, 45, 7 },
                { -300, 60, 365, 366, 90 },
                { -1, 6, 3600, 3601, 7 },
        };

        for (Reading r = 0; r < READING__MAX; r++)
                for (size_t i = 0; i < N_ELEMENTS(locks); i++)
                        for (int refuse = 0; refuse < 2; refuse++) {
                                usec_t start = (usec_t) ((int64_t) T0 + locks[i].start * (int64_t) DAY);
                                usec_t end = (usec_t) ((int64_t) T0 + locks[i].end * (int64_t) DAY);
                                Case c;
                                size_t n;

                                print_message("%s, lock %zu, shortening %s\n", reading_to_string(r), i, refuse ? "refused" : "ignored");
                                case_init(&c, r, start, end, locks[i].retention, locks[i].cap, (usec_t) locks[i].renew * DAY);
                                c.cloud.refuse_shorter = refuse;

                                look(&c);
                                assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
                                assert_true(SAID(&c, EVENT_LOCK_EXTENDED));
                                assert_true(SAID(&c, EVENT_DRIFT));
                                assert_false(SAID(&c, EVENT_LOCK_REFUSED));
                                assert_true(c.cloud.end + 2 * USEC_PER_MINUTE >= c.cloud.now + (usec_t) locks[i].retention * DAY);
                                assert_true(c.cloud.n_writes <= 4);
                                assert_int_equal(c.n_stored, c.cloud.n_writes);

                                /* Next time the reading is known as far as it showed itself: no detour. */
                                c.cloud.now = c.cloud.end - (usec_t) locks[i].renew * DAY + USEC_PER_MINUTE;
                                n = c.cloud.n_writes;
                                if (__builtin_popcount(c.endpoint.readings) == 1) {
                                        assert_int_equal(c.endpoint.readings, 1u << r);
                                        look(&c);
                                        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
                                        assert_int_equal(c.cloud.n_writes, n + 1);
                                        assert_false(SAID(&c, EVENT_DRIFT));    /* in time, as planned */
                                }
                        }
}

static void test_lock_step_sends_the_documented_climb(void **state) {
        Case c;

        case_init(&c, READING_FROM_START, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        assert_int_equal(c.cloud.days[0], 25);
        assert_int_equal(c.cloud.days[1], 55);  /* without effect, 25 days disprove from-now as well: they reach past the end */
        assert_int_equal(c.endpoint.readings, 1u << READING_FROM_START);

        /* A second lock of the same endpoint goes straight. */
        case_init(&c, READING_FROM_START, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.endpoint.readings = 1u << READING_FROM_START;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
}

static void test_lock_step_waits_for_settle(void **state) {
        Case c;

        case_init(&c, READING_FROM_START, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.policy.settle_usec = USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
        assert_true(c.last.waiting);
        assert_true(c.last.wait_usec <= USEC_PER_HOUR + USEC_PER_SEC);

        look(&c);       /* too soon */
        assert_int_equal(c.cloud.n_writes, 1);

        c.cloud.now += USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);

        /* A quarter of what remains, if that is less. */
        case_init(&c, READING_FROM_START, T0 - 40 * DAY, T0 + 2 * USEC_PER_HOUR, 30, 31, 7 * DAY);
        c.policy.settle_usec = DAY;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(c.last.wait_usec <= 30 * USEC_PER_MINUTE + USEC_PER_SEC);
}

static void test_lock_step_never_repeats_a_lost_request_blindly(void **state) {
        static const Fault faults[] = { FAULT_LOST_BEFORE, FAULT_LOST_AFTER, FAULT_ERROR_AFTER };

        for (size_t i = 0; i < N_ELEMENTS(faults); i++) {
                Case c;

                case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
                c.policy.settle_usec = USEC_PER_HOUR;
                c.cloud.faults[0] = faults[i];
                c.cloud.n_faults = 1;
                look(&c);
                assert_int_equal(c.cloud.n_writes, 1);
                if (faults[i] == FAULT_LOST_BEFORE) {
                        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
                        assert_true(c.last.waiting);
                        c.cloud.now += USEC_PER_HOUR;
                        look(&c);
                        assert_int_equal(c.cloud.n_writes, 2);
                        assert_in_range(c.cloud.days[1], c.cloud.days[0], c.cloud.days[0] + 1); /* the same step, an hour later */
                }
                assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
                assert_true(SAID(&c, EVENT_LOCK_EXTENDED));
        }
}

static void test_lock_step_lost_answer_with_settle_zero_ends(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_LOST_BEFORE;
        c.cloud.n_faults = 8;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(c.last.waiting && c.last.retry);
}

static void test_lock_step_without_effect_gives_up_until_the_poll(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_NO_EFFECT;
        c.cloud.n_faults = 8;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));

        /* What was learned by an effect is not given up for the lack of one: a larger request could pass the cap. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.endpoint.readings = 1u << READING_ADDED;
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_NO_EFFECT;
        c.cloud.n_faults = 8;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));
        assert_int_equal(c.endpoint.readings, 1u << READING_ADDED);

        /* Enabling without effect: once a look. */
        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
        c.cloud.faults[0] = FAULT_NO_EFFECT;
        c.cloud.n_faults = 1;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
}

/* --- After a climb without effect ---------------------------------------------------------------------------------- */

/* Looks at every poll until @until. */
static void poll_until(Case *c, usec_t until) {
        while (c->cloud.now < until) {
                look(c);
                c->cloud.now += c->policy.poll_usec;
        }
}

/* What was accepted may still come, and on top of the next climb: that one waits for a quarter of what remained, and settle. */
static void test_lock_step_rests_after_a_climb(void **state) {
        static const struct {
                const char *what;
                usec_t left, settle, rest;
                unsigned learned;
                Extension stated;
                size_t n_climb;
        } cases[] = {
                { "a quarter of what remains",         4 * DAY, 10 * USEC_PER_MINUTE, DAY,     0, EXTENSION_AUTO, 2 },
                { "settle, where that is more",        2 * DAY, DAY,                  DAY,     0, EXTENSION_AUTO, 2 },
                { "settle 0s: what remains all the same", 4 * DAY, 0,                 DAY,     0, EXTENSION_AUTO, 2 },
                { "the reading is known",              4 * DAY, 10 * USEC_PER_MINUTE, DAY, 1u << READING_ADDED, EXTENSION_AUTO, 1 },
                { "the reading is stated",             4 * DAY, 10 * USEC_PER_MINUTE, DAY,     0, EXTENSION_ADDED, 1 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t last;
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c, READING_ADDED, T0 - 40 * DAY, T0 + cases[i].left, 30, 31, 7 * DAY);
                c.policy.settle_usec = cases[i].settle;
                c.policy.extension = cases[i].stated;
                c.endpoint.readings = cases[i].learned;
                c.cloud.n_faults = cases[i].n_climb;
                for (size_t k = 0; k < cases[i].n_climb; k++)
                        c.cloud.faults[k] = FAULT_NO_EFFECT;

                do {
                        look(&c);
                        c.cloud.now += 10 * USEC_PER_MINUTE;
                        assert_true(c.cloud.now < T0 + DAY);
                } while (c.cloud.n_writes < cases[i].n_climb);
                last = c.state.lock.intents[c.state.lock.n_intents - 1].sent_at_usec;

                poll_until(&c, last + cases[i].rest * 3 / 4);
                assert_int_equal(c.cloud.n_writes, cases[i].n_climb);
                assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
                assert_int_equal(c.n_said[EVENT_REMEDIATION_FAILED] + !!c.last.held, 1);

                /* It was lost, not slow: it is asked for again before the lock ends. */
                poll_until(&c, last + cases[i].rest + 3 * USEC_PER_HOUR);
                assert_int_equal(c.cloud.n_writes, cases[i].n_climb + 1);
                assert_true(c.cloud.end > T0 + 20 * DAY);
        }
}

/* A cloud that shows what it did only after so long, with settle far too short: one climb, then it is waited for. */
static void test_lock_step_does_not_repeat_what_may_come(void **state) {
        for (int restart = 0; restart < 2; restart++) {
                Case c;

                case_init(&c, READING_FROM_START, T0 - 27 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
                c.policy.settle_usec = 2 * USEC_PER_SEC;
                c.policy.poll_usec = USEC_PER_SEC;
                c.cloud.delay = 17 * USEC_PER_HOUR;
                while (c.cloud.now < T0 + 16 * USEC_PER_HOUR) {
                        if (restart)
                                c.state.verdict = VERDICT_UNKNOWN;
                        look(&c);
                        c.cloud.now += c.cloud.now < T0 + USEC_PER_MINUTE ? c.policy.poll_usec : USEC_PER_HOUR;
                }
                assert_int_equal(c.cloud.n_writes, 2);
                assert_int_equal(c.state.lock.n_intents, 2);    /* both may still come, and are known of */
        }
}

/* Definite refusals can't come: the next poll begins anew. */
static void test_lock_step_does_not_rest_after_refusals(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.n_faults = 4;
        for (size_t i = 0; i < 4; i++)
                c.cloud.faults[i] = FAULT_REFUSED;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        c.cloud.now += USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 4);
        c.cloud.now += USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
}

/* Each answer is lost, and so is each request: three within the rest, not one a poll. */
static void test_lock_step_rests_after_lost_requests(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 4 * DAY, 30, 31, 7 * DAY);
        c.policy.settle_usec = 10 * USEC_PER_MINUTE;
        c.cloud.n_faults = 8;
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_LOST_BEFORE;
        poll_until(&c, T0 + 20 * USEC_PER_HOUR);
        assert_int_equal(c.cloud.n_writes, 3);
}

static void test_lock_step_rests_after_enabling(void **state) {
        static const struct {
                const char *what;
                Fault fault;
                usec_t settle, rest;
                size_t n_within, n_after;
        } cases[] = {
                { "accepted, settle 2s: an hour",      FAULT_NO_EFFECT,   2 * USEC_PER_SEC, USEC_PER_HOUR,     1, 2 },
                { "accepted, settle 3h: three hours",  FAULT_NO_EFFECT,   3 * USEC_PER_HOUR, 3 * USEC_PER_HOUR, 1, 2 },
                { "lost: two an hour",                 FAULT_LOST_BEFORE, 2 * USEC_PER_SEC, USEC_PER_HOUR,     2, 4 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Case c;

                print_message("%s\n", cases[i].what);
                case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
                c.policy.settle_usec = cases[i].settle;
                c.policy.poll_usec = 5 * USEC_PER_MINUTE;
                c.cloud.n_faults = 8;
                for (size_t k = 0; k < 8; k++)
                        c.cloud.faults[k] = cases[i].fault;
                poll_until(&c, T0 + cases[i].rest - USEC_PER_MINUTE);
                assert_int_equal(c.cloud.n_writes, cases[i].n_within);
                assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
                poll_until(&c, T0 + cases[i].rest + 16 * USEC_PER_MINUTE);
                assert_int_equal(c.cloud.n_writes, cases[i].n_after);
        }
}

/* While something is awaited, what was said before is not news again. */
static void test_lock_step_holds_what_was_said(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.policy.settle_usec = USEC_PER_HOUR;
        c.cloud.delay = 365 * DAY;
        look(&c);
        assert_true(c.last.waiting);
        assert_true(c.last.held & (1u << SAID_REMEDIATION_FAILED));
        assert_true(c.last.held & (1u << SAID_LOCK_REFUSED));
}

/* --- What the policy states ----------------------------------------------------------------------------------------- */

/* Stated is added, and the cloud counts from now: what was asked for fell short; nothing more is asked for by what is not so, and it is said. */
static void test_lock_step_says_what_is_misstated(void **state) {
        Case c;

        case_init(&c, READING_FROM_NOW, T0 - 27 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.policy.extension = EXTENSION_ADDED;
        c.cloud.refuse_shorter = true;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_int_equal(c.n_said[EVENT_LOCK_REFUSED], 1);
        assert_non_null(strstr(c.text, "lock.extension: added"));
        assert_non_null(strstr(c.text, "from-now"));

        case_init(&c, READING_ADDED, T0 - 27 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.policy.extension = EXTENSION_ADDED;
        look(&c);
        assert_int_equal(c.n_said[EVENT_LOCK_REFUSED], 0);
}

/* A refusal is not asked for again before the next poll, whatever was known before. */
static void test_lock_step_refused_once(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 27 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.policy.extension = EXTENSION_ADDED;
        c.endpoint.readings = 1u << READING_FROM_NOW;
        c.cloud.n_faults = 8;
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_REFUSED;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
}

/* An effect has shown one reading, the policy states another: the cap holds under both, and there is a way out. */
static void test_lock_step_stated_against_learned(void **state) {
        Case c;

        case_init(&c, READING_FROM_START, T0 - 27 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.cloud.refuse_shorter = true;
        c.endpoint.readings = 1u << READING_ADDED;
        look(&c);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));
        assert_non_null(strstr(c.text, "holdfastctl thaw"));

        c.policy.extension = EXTENSION_FROM_START;
        c.cloud.n_writes = 0;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_LOCK_REFUSED));
        assert_non_null(strstr(c.text, "holdfastctl thaw"));

        c.endpoint = (EndpointState) {};        /* what thaw does */
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
}

/* --- No day to spare ------------------------------------------------------------------------------------------------ */

/* A cap of retention_days: the days that would reach the target could pass it, one less may not. In the end the target is reached. */
static void test_lock_step_cap_without_a_day_to_spare(void **state) {
        for (Reading r = 0; r < READING__MAX; r++)
                for (int tenths = 1; tenths < 70; tenths += 3) {
                        usec_t left = (usec_t) tenths * DAY / 10;
                        size_t n;
                        Case c;

                        print_message("%s, %d tenths of a day left\n", reading_to_string(r), tenths);
                        case_init(&c, r, T0 - 30 * DAY + left, T0 + left, 30, 30, 7 * DAY);
                        look(&c);
                        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
                        assert_false(SAID(&c, EVENT_LOCK_REFUSED));
                        assert_true(c.cloud.n_writes <= 3);
                        assert_true(c.cloud.end > c.cloud.now + 28 * DAY);

                        /* No row of small ones: nothing more before it is due again. */
                        n = c.cloud.n_writes;
                        while (c.cloud.end > c.cloud.now + 7 * DAY + USEC_PER_HOUR) {
                                look(&c);
                                c.cloud.now += 12 * USEC_PER_HOUR;
                                if (c.cloud.end > c.cloud.now + 7 * DAY)
                                        assert_int_equal(c.cloud.n_writes, n);
                        }
                }
}

/* --- Failing writes ----------------------------------------------------------------------------------------------- */

static void test_lock_step_busy_changes_nothing(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.faults[0] = FAULT_BUSY;
        c.cloud.n_faults = 1;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(c.last.waiting);
        assert_int_equal(c.state.lock.struck, 0);
        assert_int_equal(c.state.lock.n_intents, 0);
        assert_false(SAID(&c, EVENT_REMEDIATION_FAILED));

        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
}

static void test_lock_step_refusals(void **state) {
        Case c;

        /* Not permitted: said, and the lock is about to end: said too. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.cloud.faults[0] = FAULT_FORBIDDEN;
        c.cloud.n_faults = 1;
        look(&c);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));
        assert_true(SAID(&c, EVENT_LOCK_EXPIRING));
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);

        /* Everything refused: what each refusal disproves is not tried, then it is said. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_REFUSED;
        c.cloud.n_faults = 8;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));

        /* A 400 that may come from anybody disproves nothing: no larger request follows. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.faults[0] = FAULT_ANYBODYS;
        c.cloud.n_faults = 1;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.state.lock.struck, 0);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));

        /* Learned, and refused: the same once a look, nothing larger. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        for (size_t i = 0; i < 8; i++)
                c.cloud.faults[i] = FAULT_REFUSED;
        c.cloud.n_faults = 8;
        c.endpoint.readings = 1u << READING_ADDED;
        c.cloud.n_writes = 0;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);

        /* No lock, refused. */
        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
        c.cloud.faults[0] = FAULT_REFUSED;
        c.cloud.n_faults = 1;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(SAID(&c, EVENT_REMEDIATION_FAILED));
        assert_int_equal(c.state.lock.enabled_at_usec, 0);
}

/* --- Freezing ----------------------------------------------------------------------------------------------------- */

static void test_lock_step_freezes_on_what_no_reading_allows(void **state) {
        static const Fault faults[] = { FAULT_OVERSHOOT, FAULT_SHORTEN, FAULT_ODD };

        for (size_t i = 0; i < N_ELEMENTS(faults); i++) {
                Case c;
                size_t n;

                print_message("fault %d\n", (int) faults[i]);
                case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 10 * DAY);
                c.cloud.faults[0] = faults[i];
                c.cloud.n_faults = 1;
                look(&c);
                assert_true(c.endpoint.frozen);
                assert_true(SAID(&c, EVENT_LOCK_FROZEN));
                assert_int_equal(c.last.verdict, VERDICT_VIOLATED);

                /* Nothing more is sent, however short it gets. */
                n = c.cloud.n_writes;
                c.cloud.now = c.cloud.end - DAY;
                look(&c);
                assert_int_equal(c.cloud.n_writes, n);
                assert_true(SAID(&c, EVENT_LOCK_FROZEN));
                assert_true(SAID(&c, EVENT_LOCK_EXPIRING));

                /* Thawed, it goes on, and does not freeze again for what is past. */
                c.endpoint = (EndpointState) {};
                look(&c);
                assert_false(c.endpoint.frozen);
                assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        }
}

/* What would teach or stop all locks of an endpoint is read twice. */
static void test_lock_step_believes_no_single_read(void **state) {
        static const usec_t lies[] = { T0 + 25 * DAY, T0 + 400 * DAY, T0 + 12 * DAY, T0 + DAY };

        for (size_t i = 0; i < N_ELEMENTS(lies); i++) {
                Case c;

                case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
                c.cloud.lie_end = lies[i];
                c.cloud.n_lies = c.cloud.lie_after = 1;
                look(&c);
                assert_false(c.endpoint.frozen);
                assert_int_equal(c.endpoint.readings, 1u << READING_ADDED);
                assert_true(SAID(&c, EVENT_LOCK_EXTENDED));
                assert_int_equal(c.cloud.n_writes, 1);

                case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
                c.cloud.lie_end = lies[i];
                c.cloud.n_lies = 2;
                c.cloud.lie_after = 1;
                c.cloud.may_pass_cap = true;
                look(&c);
                if (lies[i] == T0 + 25 * DAY)   /* as from now on: it can't be told from the truth */
                        assert_int_equal(c.endpoint.readings, 1u << READING_FROM_NOW);
                else
                        assert_true(c.endpoint.frozen);
        }
}

/* A lock about to end, and a cloud that is slower than can be waited for: what the first request has done is not taken for the second's. */
static void test_lock_step_knows_an_effect_that_was_given_up(void **state) {
        Case c;

        case_init(&c, READING_FROM_NOW, T0 - 31 * DAY - DAY / 2, T0 + 212 * USEC_PER_SEC, 17, 29, 2 * DAY);
        c.cloud.now = T0 + 100 * USEC_PER_SEC;  /* on no quarter of an hour, to which ends may be rounded */
        c.policy.settle_usec = USEC_PER_HOUR;
        c.cloud.delay = USEC_PER_HOUR;
        c.cloud.may_pass_cap = true;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        c.cloud.now += 20 * USEC_PER_SEC;
        c.cloud.lie_end = c.cloud.end;
        c.cloud.n_lies = c.cloud.lie_after = 2;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);
        assert_int_equal(c.cloud.days[1], 49);
        assert_true(SAID(&c, EVENT_LOCK_EXTENDED));
        assert_int_equal(c.endpoint.readings, (1u << READING_FROM_NOW) | (1u << READING_ADDED));
}

/* However late what was decided on was carried out: a quarter of what remains is waited for after the answer. */
static void test_lock_step_waits_from_the_answer(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 31 * DAY, T0 + 100 * USEC_PER_SEC, 17, 29, 2 * DAY);
        c.policy.settle_usec = USEC_PER_HOUR;
        c.cloud.delay = USEC_PER_HOUR;
        c.cloud.write_takes = 30 * USEC_PER_SEC;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(c.last.waiting);
}

/* A cloud that shows another end each time teaches nothing and stops nothing, but a lock about to end is told of. */
static void test_lock_step_believes_no_two_ends(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 3 * DAY, 30, 31, 7 * DAY);
        c.enforce = false;
        look(&c);
        c.cloud.lie_end = T0 + 2 * DAY;
        c.cloud.lie_step = 1;
        c.cloud.n_lies = 10;
        look(&c);
        assert_int_equal(c.last.next, NEXT_UNKNOWN);
        assert_true(SAID(&c, EVENT_LOCK_EXPIRING));
        assert_false(c.endpoint.frozen);
        assert_int_equal(c.state.lock.end_usec, T0 + 3 * DAY);
}

static void test_lock_step_freezes_when_a_running_lock_is_gone(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);

        c.cloud.end = c.cloud.start = 0;
        look(&c);
        assert_true(c.endpoint.frozen);
        assert_int_equal(c.cloud.n_writes, 0);
}

static void test_lock_step_lets_others_extend(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
        look(&c);
        c.cloud.end += 3650 * DAY;      /* by hand, far past the cap */
        look(&c);
        assert_false(c.endpoint.frozen);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_int_equal(c.cloud.n_writes, 0);
}

static void test_lock_step_freezes_on_a_late_effect(void **state) {
        Case c;

        /* Under "added", an effect that shows only after settle comes on top of the next step. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.delay = 365 * DAY;
        c.cloud.may_pass_cap = true;    /* the owner's settle: 0s said that this cannot be */
        look(&c);
        assert_false(c.endpoint.frozen);
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
        c.cloud.show_at = 0;
        look(&c);
        assert_true(c.cloud.end > c.cloud.now + 31 * DAY);
        assert_true(c.endpoint.frozen);
}

/* --- Times -------------------------------------------------------------------------------------------------------- */

static void test_lock_step_writes_nothing_while_clocks_disagree(void **state) {
        static const int64_t offsets[] = { 16 * 60, -16 * 60, 86400 * 365, -86400 * 365 };

        for (size_t i = 0; i < N_ELEMENTS(offsets); i++) {
                Case c;

                case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
                c.cloud.host_offset = offsets[i];
                look(&c);
                assert_int_equal(c.cloud.n_writes, 0);
                assert_int_equal(c.last.verdict, VERDICT_VIOLATED);

                c.cloud.host_offset = offsets[i] > 0 ? 14 * 60 : -14 * 60;
                look(&c);
                assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        }
}

/* One reply with a wrong Date must not make settle seem over: the next request is larger, and under "added" it would come on top. */
static void test_lock_step_judges_nothing_by_a_wrong_clock(void **state) {
        usec_t now;
        Case c;

        case_init(&c, READING_ADDED, T0 - 40 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.policy.settle_usec = 6 * USEC_PER_HOUR;
        c.cloud.delay = 2 * USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);

        now = c.cloud.now;
        c.cloud.show_at += 2 * DAY;
        c.cloud.now += 2 * DAY;
        c.cloud.host_offset = -2 * 86400;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.state.lock.struck, 0);

        c.cloud.show_at -= 2 * DAY;
        c.cloud.now = now + USEC_PER_HOUR;
        c.cloud.host_offset = 0;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);          /* still only slow */
        c.cloud.now = now + 3 * USEC_PER_HOUR;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(SAID(&c, EVENT_LOCK_EXTENDED));
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
}

static void test_lock_step_wakes_when_the_lead_is_reached(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 7 * DAY + 10 * USEC_PER_MINUTE, 30, 31, 7 * DAY);
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_true(c.last.wait_usec <= 10 * USEC_PER_MINUTE + USEC_PER_SEC);
        assert_int_equal(c.cloud.n_writes, 0);

        c.cloud.now += c.last.wait_usec;
        look(&c);
        assert_true(c.cloud.n_writes > 0);
        assert_false(SAID(&c, EVENT_DRIFT));
}

/* --- Enabling ----------------------------------------------------------------------------------------------------- */

static void test_lock_step_enables(void **state) {
        Case c;

        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.cloud.days[0], 30);
        assert_true(SAID(&c, EVENT_LOCK_ENABLED));
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_true(c.state.lock.enabled_at_usec > 0);
        assert_int_equal(c.endpoint.readings, 0);       /* enabling shows nothing about extending */

        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
        c.new_locks_left = 0;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_LOCK_REFUSED));

        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);
        c.enforce = false;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_DRIFT));

        case_init(&c, READING_ADDED, 0, 0, 5000, 5001, 7 * DAY);        /* beyond the host's limit of 3660 */
        look(&c);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_LOCK_REFUSED));
}

static void test_lock_step_lapsed(void **state) {
        for (int refuse = 0; refuse < 2; refuse++)
                for (Reading r = 0; r < READING__MAX; r++) {
                        Case c;

                        print_message("enabling an ended lock is %s, %s\n", refuse ? "refused" : "possible", reading_to_string(r));
                        case_init(&c, r, T0 - 40 * DAY, T0 - 10 * DAY, 30, 31, 7 * DAY);
                        c.cloud.refuse_enable_expired = refuse;
                        look(&c);
                        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
                        assert_true(c.cloud.end + DAY >= c.cloud.now + 30 * DAY);
                }

        Case c;
        case_init(&c, READING_ADDED, T0 - 40 * DAY, T0 - 10 * DAY, 30, 31, 7 * DAY);
        c.enforce = false;
        look(&c);
        assert_true(SAID(&c, EVENT_LOCK_LAPSED));
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);
}

/* Whether it is mended at once or only looked at, that a lock has ended is said, once a look. */
static void test_lock_step_says_lapsed(void **state) {
        for (int known = 0; known < 2; known++)
                for (int none = 0; none < 2; none++)
                        for (int enforce = 0; enforce < 2; enforce++) {
                                Case c;

                                print_message("%s, %s, %s\n", known ? "known" : "new", none ? "none" : "held", enforce ? "enforce" : "observe");
                                case_init(&c, READING_ADDED, T0 - 40 * DAY, T0 + DAY, 30, 31, 7 * DAY);
                                c.cloud.ended_is_none = none;
                                if (known) {
                                        c.enforce = false;
                                        look(&c);
                                        assert_false(SAID(&c, EVENT_LOCK_LAPSED));
                                }
                                c.cloud.now = T0 + 2 * DAY;
                                c.enforce = enforce;
                                look(&c);
                                assert_int_equal(c.n_said[EVENT_LOCK_LAPSED], 1);
                                assert_int_equal(c.last.verdict, enforce ? VERDICT_COMPLIANT : VERDICT_VIOLATED);
                                if (enforce) {
                                        look(&c);
                                        assert_int_equal(c.n_said[EVENT_LOCK_LAPSED], 0);
                                }
                        }

        Case c;
        case_init(&c, READING_ADDED, 0, 0, 30, 31, 7 * DAY);    /* there never was one */
        look(&c);
        assert_false(SAID(&c, EVENT_LOCK_LAPSED));
}

/* --- Not to be read ----------------------------------------------------------------------------------------------- */

static void test_lock_step_unread(void **state) {
        Case c;

        case_init(&c, READING_FROM_NOW, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.read_fault = FAULT_FORBIDDEN;
        look(&c);
        assert_int_equal(c.last.next, NEXT_UNKNOWN);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_LOCK_REFUSED));

        /* The owner's word allows it, and once is enough. */
        c.policy.extension = EXTENSION_FROM_NOW;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_int_equal(c.cloud.days[0], 30);
        assert_int_equal(c.last.next, NEXT_UNKNOWN);
        assert_false(SAID(&c, EVENT_DRIFT));            /* of a lock that nobody has seen nothing is known to be other than written */
        look(&c);
        assert_int_equal(c.cloud.n_writes, 1);

        c.cloud.now += 24 * DAY;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 2);

        /* Added to an end that nobody knows: no. */
        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.cloud.read_fault = FAULT_FORBIDDEN;
        c.policy.extension = EXTENSION_ADDED;
        look(&c);
        assert_int_equal(c.cloud.n_writes, 0);
        assert_true(SAID(&c, EVENT_LOCK_REFUSED));
}

/* A request without an answer, and then no more reads: what was read last counts, not what was hoped for. */
static void test_lock_step_says_expiring_while_unread(void **state) {
        Case c;

        case_init(&c, READING_ADDED, T0 - 25 * DAY, T0 + 5 * DAY, 30, 31, 7 * DAY);
        c.policy.settle_usec = USEC_PER_HOUR;
        c.cloud.faults[0] = FAULT_LOST_BEFORE;
        c.cloud.n_faults = 1;
        look(&c);
        c.cloud.read_fault = FAULT_FORBIDDEN;
        look(&c);
        assert_false(SAID(&c, EVENT_LOCK_EXPIRING));
        c.cloud.now += 2 * DAY;
        look(&c);
        assert_true(SAID(&c, EVENT_LOCK_EXPIRING));
        c.cloud.now += 4 * DAY;
        look(&c);
        assert_true(SAID(&c, EVENT_LOCK_LAPSED));
}

/* A lock that cannot be read is judged by what the cloud's clock must show by now, not by this host's. */
static void test_lock_step_believes_no_stepped_clock(void **state) {
        static const int64_t years[] = { -10, -1, 0, 1, 10 };

        for (size_t i = 0; i < N_ELEMENTS(years); i++) {
                Case c;

                case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
                look(&c);
                c.cloud.host_offset = years[i] * 365 * 86400;
                c.cloud.read_fault = FAULT_LOST_BEFORE;
                c.cloud.now = T0 + 21 * DAY;
                look(&c);
                assert_false(SAID(&c, EVENT_LOCK_EXPIRING) || SAID(&c, EVENT_LOCK_LAPSED));
                c.cloud.now = T0 + 22 * DAY;
                look(&c);
                assert_true(SAID(&c, EVENT_LOCK_EXPIRING) && !SAID(&c, EVENT_LOCK_LAPSED));
                c.cloud.now = T0 + 26 * DAY;
                look(&c);
                assert_true(SAID(&c, EVENT_LOCK_LAPSED));
        }
}

static void test_lock_step_silence_is_no_proof(void **state) {
        Situation s;
        Look l = { .phase = 1 };
        Case c;
        Decision d = {};
        Answer silent = { .call = CALL_LOCK_GET, .date_usec = T0 + USEC_PER_HOUR, .lock = { .presence = LOCK_NONE } };

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
        look(&c);
        s = (Situation) { .instance = &c.instance, .state = &c.state, .look = &l, .endpoint = &c.endpoint, .enforce = true,
                          .now_usec = T0 + USEC_PER_HOUR, .limit_retention_days = 3660, .new_locks_left = 20, .answer = &silent };
        lock_step(&s, &d);
        assert_int_equal(d.next, NEXT_UNKNOWN);
}

/* --- Something to protect ----------------------------------------------------------------------------------------- */

static void test_lock_step_reports_an_empty_lock(void **state) {
        BackupFacts backups[] = {
                { .id = "a", .status = BACKUP_COMPLETED, .manual = true, .of_instance = true, .end_usec = T0 - 40 * DAY },
                { .id = "b", .status = BACKUP_FAILED, .manual = true, .of_instance = true, .end_usec = T0 - DAY },
                { .id = "c", .status = BACKUP_COMPLETED, .manual = false, .of_instance = true, .end_usec = T0 - DAY },
                { .id = "d", .status = BACKUP_COMPLETED, .manual = true, .of_instance = false, .end_usec = T0 - DAY },
                { .id = "e", .status = BACKUP_COMPLETED, .manual = true, .of_instance = true, .end_usec = T0 - DAY },
        };
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
        c.policy.require_manual_backup_usec = 30 * DAY;
        c.cloud.backups = backups;
        c.cloud.n_backups = 4;
        look(&c);
        assert_true(SAID(&c, EVENT_LOCK_EMPTY));
        assert_int_equal(c.last.verdict, VERDICT_VIOLATED);

        c.cloud.n_backups = 5;
        look(&c);
        assert_false(SAID(&c, EVENT_LOCK_EMPTY));
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);

        /* A cloud that gives fewer at once than it was asked for. */
        for (c.cloud.page = 1; c.cloud.page < 5; c.cloud.page++) {
                look(&c);
                assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        }
}

/* What is remembered of a lock is not brought up to date while the clocks disagree: the next look goes by what was read. */
static void test_lock_step_waits_with_a_wrong_clock(void **state) {
        BackupFacts backup = { .id = "a", .status = BACKUP_COMPLETED, .manual = true, .of_instance = true, .end_usec = T0 };
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 8 * DAY, 30, 31, 7 * DAY);
        c.policy.require_manual_backup_usec = 30 * DAY;
        c.cloud.backups = &backup;
        c.cloud.n_backups = 1;
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);

        c.cloud.host_offset = -2 * 86400;
        c.cloud.now += 2 * DAY;
        c.cloud.end = c.cloud.shown_end = T0 + 28 * DAY;
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_int_equal(c.last.wait_usec, c.policy.poll_usec);
}

/* Between the lock and the list of backups minutes may pass. */
static void test_lock_step_that_becomes_due_meanwhile(void **state) {
        BackupFacts backup = { .id = "a", .status = BACKUP_COMPLETED, .manual = true, .of_instance = true, .end_usec = T0 };
        Case c;

        case_init(&c, READING_FROM_NOW, T0 - 5 * DAY, T0 + 7 * DAY + USEC_PER_MINUTE, 30, 31, 7 * DAY);
        c.endpoint.readings = 1u << READING_FROM_NOW;
        c.policy.require_manual_backup_usec = 30 * DAY;
        c.cloud.backups = &backup;
        c.cloud.n_backups = 1;
        c.cloud.list_takes = 5 * USEC_PER_MINUTE;
        look(&c);
        assert_int_equal(c.last.verdict, VERDICT_COMPLIANT);
        assert_int_equal(c.cloud.n_writes, 1);
        assert_true(c.cloud.end > c.cloud.now + 29 * DAY);
}

/* Nothing is known of what comes after the pages that were seen: the lock is not called empty. */
static void test_lock_step_gives_up_a_list_without_end(void **state) {
        static BackupFacts backups[1500];
        Case c;

        case_init(&c, READING_ADDED, T0 - 5 * DAY, T0 + 25 * DAY, 30, 31, 7 * DAY);
        c.policy.require_manual_backup_usec = 30 * DAY;
        c.cloud.backups = backups;
        c.cloud.n_backups = N_ELEMENTS(backups);
        c.cloud.page = 1;
        look(&c);
        assert_int_equal(c.last.next, NEXT_UNKNOWN);
        assert_false(SAID(&c, EVENT_LOCK_EMPTY));
}

/* --- Everything at once ------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

/* Years of a lock with lost answers, errors and slow effects: the model asserts the cap at every write. */
static void test_lock_step_survives_years_of_faults(void **state) {
        static const Fault menu[] = { FAULT_NONE, FAULT_NONE, FAULT_NONE, FAULT_LOST_BEFORE, FAULT_LOST_AFTER, FAULT_ERROR_AFTER, FAULT_BUSY };

        for (uint64_t seed = 1; seed <= 600; seed++) {
                uint64_t random = seed * UINT64_C(0x9E3779B97F4A7C15);
                Reading r = (Reading) (next_random(&random) % READING__MAX);
                int64_t retention = 10 + (int64_t) (next_random(&random) % 90);
                usec_t renew = (2 + next_random(&random) % 7) * DAY;
                Case c;

                case_init(&c, r, 0, 0, retention, retention + 1, renew);
                if (next_random(&random) % 2) {
                        c.cloud.start = T0 - (1 + next_random(&random) % 300) * DAY;
                        c.cloud.end = T0 + (1 + next_random(&random) % 9) * DAY;
                        c.cloud.shown_start = c.cloud.start;
                        c.cloud.shown_end = c.cloud.end;
                }
                c.policy.settle_usec = USEC_PER_HOUR;
                c.cloud.refuse_shorter = next_random(&random) % 2;
                c.cloud.delay = next_random(&random) % 2 ? next_random(&random) % (50 * USEC_PER_MINUTE) : 0;

                while (c.cloud.now < T0 + 200 * DAY) {
                        bool running = c.cloud.end > c.cloud.now;

                        c.cloud.n_writes = 0;
                        c.cloud.n_faults = 4;
                        for (size_t i = 0; i < 4; i++)
                                c.cloud.faults[i] = menu[next_random(&random) % N_ELEMENTS(menu)];

                        look(&c);
                        assert_false(c.endpoint.frozen);
                        if (running && c.cloud.end <= c.cloud.now)
                                fail_msg("seed %llu: the lock lapsed", (unsigned long long) seed);

                        c.cloud.now += c.last.retry ? USEC_PER_MINUTE : MAX(c.last.wait_usec, USEC_PER_SEC);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lock_plan_extension_picks_the_smallest),
                cmocka_unit_test(test_lock_step_climbs_under_every_reading),
                cmocka_unit_test(test_lock_step_sends_the_documented_climb),
                cmocka_unit_test(test_lock_step_waits_for_settle),
                cmocka_unit_test(test_lock_step_never_repeats_a_lost_request_blindly),
                cmocka_unit_test(test_lock_step_lost_answer_with_settle_zero_ends),
                cmocka_unit_test(test_lock_step_without_effect_gives_up_until_the_poll),
                cmocka_unit_test(test_lock_step_rests_after_a_climb),
                cmocka_unit_test(test_lock_step_does_not_repeat_what_may_come),
                cmocka_unit_test(test_lock_step_does_not_rest_after_refusals),
                cmocka_unit_test(test_lock_step_rests_after_lost_requests),
                cmocka_unit_test(test_lock_step_rests_after_enabling),
                cmocka_unit_test(test_lock_step_holds_what_was_said),
                cmocka_unit_test(test_lock_step_says_what_is_misstated),
                cmocka_unit_test(test_lock_step_refused_once),
                cmocka_unit_test(test_lock_step_stated_against_learned),
                cmocka_unit_test(test_lock_step_cap_without_a_day_to_spare),
                cmocka_unit_test(test_lock_step_busy_changes_nothing),
                cmocka_unit_test(test_lock_step_refusals),
                cmocka_unit_test(test_lock_step_freezes_on_what_no_reading_allows),
                cmocka_unit_test(test_lock_step_believes_no_single_read),
                cmocka_unit_test(test_lock_step_knows_an_effect_that_was_given_up),
                cmocka_unit_test(test_lock_step_waits_from_the_answer),
                cmocka_unit_test(test_lock_step_believes_no_two_ends),
                cmocka_unit_test(test_lock_step_freezes_when_a_running_lock_is_gone),
                cmocka_unit_test(test_lock_step_lets_others_extend),
                cmocka_unit_test(test_lock_step_freezes_on_a_late_effect),
                cmocka_unit_test(test_lock_step_writes_nothing_while_clocks_disagree),
                cmocka_unit_test(test_lock_step_judges_nothing_by_a_wrong_clock),
                cmocka_unit_test(test_lock_step_wakes_when_the_lead_is_reached),
                cmocka_unit_test(test_lock_step_enables),
                cmocka_unit_test(test_lock_step_lapsed),
                cmocka_unit_test(test_lock_step_says_lapsed),
                cmocka_unit_test(test_lock_step_unread),
                cmocka_unit_test(test_lock_step_says_expiring_while_unread),
                cmocka_unit_test(test_lock_step_believes_no_stepped_clock),
                cmocka_unit_test(test_lock_step_silence_is_no_proof),
                cmocka_unit_test(test_lock_step_reports_an_empty_lock),
                cmocka_unit_test(test_lock_step_waits_with_a_wrong_clock),
                cmocka_unit_test(test_lock_step_that_becomes_due_meanwhile),
                cmocka_unit_test(test_lock_step_gives_up_a_list_without_end),
                cmocka_unit_test(test_lock_step_survives_years_of_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
