/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/describe.h"
#include "control/lock-internal.h"

/*
 * Writing to a lock: which request may be sent, and what its answer means.
 */

/* From deciding on a request to its answer; a Date beyond that is wrong. Picked. */
#define ANSWER_MAX_USEC (5 * USEC_PER_MINUTE)

unsigned lock_stated_reading(Extension e) {
        switch (e) {
        case EXTENSION_FROM_START:
                return 1u << READING_FROM_START;
        case EXTENSION_FROM_NOW:
                return 1u << READING_FROM_NOW;
        case EXTENSION_ADDED:
                return 1u << READING_ADDED;
        case EXTENSION_AUTO:
        case EXTENSION__MAX:
                break;
        }

        return 0;
}

/* What the endpoint is known for, with what this very step has learned. */
static unsigned learned_readings(const Situation *s, const Decision *d) {
        return d->learned_readings ? d->learned_readings : s->endpoint->readings;
}

static bool is_one(unsigned readings) {
        return readings && (readings & (readings - 1)) == 0;
}

static void ask_write(const Situation *s, const LockView *v, LockAction action, int64_t days, usec_t expected_end_usec,
                      unsigned readings, Decision *d) {
        LockIntent intent = {
                .action = action,
                .days = days,
                .outcome = INTENT_OPEN,
                .sent_at_usec = v->now_usec,
                .start_before_usec = v->facts ? v->facts->start_usec : v->memory->start_usec,
                .end_before_usec = v->end_usec,
                .expected_end_usec = expected_end_usec,
                .cap_at_usec = usec_add(v->now_usec,
                                        (usec_t) MIN(v->policy->max_retention_days, s->limit_retention_days) * USEC_PER_DAY),
                .readings = readings,
        };

        lock_say_lapsed(v, d);
        (void) lock_remember(v->memory, &intent);
        if (action == LOCK_ENABLE)
                v->memory->enabled_at_usec = v->now_usec;

        d->next = NEXT_ASK_STORED;
        d->state_changed = true;
        d->ask = (Ask) { .call = CALL_LOCK_SET, .lock_set = { .action = action, .days = days } };
        s->look->phase = LOCK_PHASE_WRITE;
        s->look->n_writes++;
}

/* Of a climb, so many requests may show nothing: each reading has its own, and one that was lost is made once more. After that the next climb
 * is waited for. With settle: 0s an unchanged lock is believed at once: then what was lost has never arrived, however often that is. */
static bool climb_is_over(const Situation *s, const LockView *v, LockAction action, const Decision *d) {
        static const unsigned most[LOCK_ACTION__MAX] = { [LOCK_ENABLE] = 2, [LOCK_EXTEND] = READING__MAX };
        LockRest rest;

        lock_rest(v->memory, v->now_usec, v->policy->settle_usec, &rest);
        return lock_candidate_readings(s, d) == 0 || (v->policy->settle_usec > 0 && rest.n_unshown[action] >= most[action]);
}

void lock_begin_climb(const Situation *s, const LockView *v, Decision *d) {
        LockRest rest;

        lock_rest(v->memory, v->now_usec, v->policy->settle_usec, &rest);
        if (lock_candidate_readings(s, d) != 0 || rest.until_usec > v->now_usec)
                return;

        v->memory->struck = 0;
        d->state_changed = true;
}

static void plan_enable(const Situation *s, const LockView *v, Decision *d) {
        const LockPolicy *p = v->policy;
        char why[DESCRIBE_MAX];

        if (climb_is_over(s, v, LOCK_ENABLE, d)) {
                lock_done_exhausted(s, v, d);
                return;
        }

        if (p->retention_days > s->limit_retention_days || p->retention_days > p->max_retention_days) {
                (void) snprintf(why, sizeof(why), "%lld days are more than the cap of %lld days allows", (long long) p->retention_days,
                                (long long) MIN(p->max_retention_days, s->limit_retention_days));
                lock_done_refused(s, v, d, why);
                return;
        }

        if (s->new_locks_left == 0) {
                (void) control_describe_new_locks(s->new_locks_per_day, why);
                lock_done_refused(s, v, d, why);
                return;
        }

        ask_write(s, v, LOCK_ENABLE, p->retention_days,
                  usec_add(v->now_usec, (usec_t) p->retention_days * USEC_PER_DAY), READINGS_ALL, d);
}

/* Every reading was tried, and nothing helped: said once, though it is found at each poll until the next climb. */
static void done_resting(const LockView *v, Decision *d, usec_t until_usec) {
        char until[TIME_TEXT_MAX], why[160];

        (void) snprintf(why, sizeof(why), "what was asked for shows no effect, which may still come: nothing is asked for again before %s",
                        rfc3339_format(until_usec, until));
        (void) decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, 1, "the compliance lock could not be %s: %s",
                            v->running ? "extended" : "enabled", why);
        lock_done_violated(v, d, v->policy->poll_usec, why);
}

void lock_done_exhausted(const Situation *s, const LockView *v, Decision *d) {
        static const char hint[] = "; holdfastctl thaw, with this endpoint, makes holdfast forget how it counted so far";
        const Failure *f = &s->look->write_failure;
        const char *what = f->message[0] ? f->message : "the cloud lets the lock's end as it is, whatever is asked for";
        LockRest rest;
        Saying *say;

        lock_rest(v->memory, v->now_usec, v->policy->settle_usec, &rest);
        if (rest.until_usec > v->now_usec) {
                done_resting(v, d, rest.until_usec);
                return;
        }

        say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, digest_text(f->code),
                           "the compliance lock could not be %s: %s%s%s%s", v->running ? "extended" : "enabled", what,
                           f->code[0] ? ", " : "", f->code, v->running && lock_certain_reading(s) ? hint : "");
        saying_set_failure(say, f);
        lock_done_violated(v, d, v->policy->poll_usec, what);
}

unsigned lock_certain_reading(const Situation *s) {
        return is_one(s->endpoint->readings) ? s->endpoint->readings : 0;
}

/* Readings to reckon a request for: as the policy states, as was learned, else all, less those that this climb has disproved. */
unsigned lock_candidate_readings(const Situation *s, const Decision *d) {
        unsigned stated = lock_stated_reading(s->instance->terms->lock->extension);
        unsigned learned = learned_readings(s, d);

        return (stated ? stated : learned ? learned : READINGS_ALL) & ~s->state->lock.struck;
}

/* Asks for the extension, if there is one that may be sent. */
LockPlanResult lock_try_extend(const Situation *s, const LockView *v, usec_t useful_usec, Decision *d) {
        const LockPolicy *p = v->policy;
        unsigned candidates = lock_candidate_readings(s, d), learned = learned_readings(s, d);
        LockPlanInput in = {
                .times = {
                        .start_usec = v->facts ? v->facts->start_usec : v->memory->start_usec,
                        .end_usec = v->end_usec,
                        .now_usec = v->now_usec,
                },
                .readings = candidates,
                /* What was proved holds, whatever the policy states, and for whatever lack of an effect in this climb; but where effects have
                 * left several, one may have been disproved since. */
                .possible = candidates | (is_one(learned) ? learned : learned & ~s->state->lock.struck),
                .retention_days = p->retention_days,
                .max_retention_days = MIN(p->max_retention_days, s->limit_retention_days),
                /* Counted from the start, the days of an old lock grow past any limit, though little of it remains: that is fine where an
                 * effect has shown it, and only there. What a policy states is what limits stand above. The end is limited in any case. */
                .limit_days = lock_certain_reading(s) ? LOCK_DAYS_MAX : s->limit_retention_days,
                .useful_usec = useful_usec,
        };
        LockPlan plan;

        /* What an ended lock is extended from, no effect on a running one has shown: it may be begun anew from now. */
        if (!v->running) {
                unsigned anew = (1u << READING_FROM_NOW) & ~s->state->lock.struck;

                in.possible |= anew;
                in.readings |= lock_stated_reading(p->extension) ? 0 : anew;
        }
        lock_plan_extension(&in, &plan);
        if (plan.result != LOCK_PLAN_SEND)
                return plan.result;

        ask_write(s, v, LOCK_EXTEND, plan.days, plan.expected_end_usec, in.possible, d);
        d->reading_on_trial = lock_stated_reading(p->extension) && !lock_certain_reading(s);
        return LOCK_PLAN_SEND;
}

/* A stated reading that is wrong is wrong for every lock: one goes first, while the others have time. */
static bool waits_for_another(const Situation *s, const LockView *v) {
        return s->reading_on_trial && lock_stated_reading(v->policy->extension) && !lock_certain_reading(s) &&
                v->remaining_usec >= v->policy->renew_before_usec / 2;
}

static void plan_extend(const Situation *s, const LockView *v, Decision *d) {
        unsigned stated = lock_stated_reading(v->policy->extension), learned = learned_readings(s, d);
        char why[320], as[READINGS_TEXT_MAX];

        if (waits_for_another(s, v)) {
                lock_done_waiting(v, d, v->policy->poll_usec,
                                  "an extension of another lock is to show first that the cloud counts as lock.extension states");
                d->retry = true;
                return;
        }

        if (climb_is_over(s, v, LOCK_EXTEND, d)) {
                lock_done_exhausted(s, v, d);
                return;
        }

        switch (lock_try_extend(s, v, usec_add(v->now_usec, v->policy->renew_before_usec), d)) {
        case LOCK_PLAN_SEND:
                return;
        case LOCK_PLAN_CAP:
                if (stated && learned && !(stated & learned)) {
                        (void) snprintf(why, sizeof(why),
                                        "what the policy states (lock.extension: %s) is not how the cloud has counted (%s), and by that it could be "
                                        "carried past the cap; if the cloud counts otherwise now, say: holdfastctl thaw, with this endpoint",
                                        extension_to_string(v->policy->extension), readings_to_text(learned, as));
                        break;
                }
                (void) snprintf(why, sizeof(why), "any request that helps could carry it past the cap of %lld days from now",
                                (long long) MIN(v->policy->max_retention_days, s->limit_retention_days));
                break;
        case LOCK_PLAN_LIMIT:
                (void) snprintf(why, sizeof(why), "the period that would be needed is over the limit of %lld days%s",
                                (long long) MIN(s->limit_retention_days, (int64_t) LOCK_DAYS_MAX),
                                lock_certain_reading(s) ? "" : ", and no extension has shown yet that it counts from the lock's start");
                break;
        case LOCK_PLAN_BLIND:
                (void) snprintf(why, sizeof(why), "the cloud does not say what the %s reading has to be reckoned from",
                                extension_to_string(v->policy->extension));
                break;
        }

        lock_done_refused(s, v, d, why);
}

/* The lock needs a write: may one be made, and which? */
void lock_plan_write(const Situation *s, const LockView *v, Decision *d) {
        lock_say_drift(s, v, d);
        if (s->look->n_writes == 0)
                lock_begin_climb(s, v, d);

        if (!s->enforce) {
                lock_done_violated(v, d, v->policy->poll_usec, "observe mode: nothing is changed");
                return;
        }

        if (s->endpoint->frozen) {
                lock_say_frozen(s, d);
                lock_done_violated(v, d, v->policy->poll_usec, "lock writes to this endpoint are frozen");
                return;
        }

        if (!v->clock_agreed) {
                lock_done_waiting(v, d, v->policy->poll_usec,
                                  "this host's clock and the cloud's differ by more than 15 minutes, or the cloud names no time");
                d->hampered = true;
                return;
        }

        if (s->look->lost) {
                lock_done_waiting(v, d, v->policy->poll_usec, "the last request had no answer and no effect");
                d->hampered = d->retry = true;
                return;
        }

        if (s->look->n_writes >= LOCK_WRITES_MAX) {
                lock_done_exhausted(s, v, d);
                return;
        }

        /* A lock that ran out is enabled anew; where the cloud refuses that, extending is the other reading. */
        if (!v->running && !(s->look->enable_refused && v->end_usec > 0))
                plan_enable(s, v, d);
        else
                plan_extend(s, v, d);
}

/* --- The answer --------------------------------------------------------------------------------------------------- */

static void on_write_failed(const Situation *s, LockIntent *intent, Decision *d) {
        const Failure *f = s->failure;
        LockView v = {
                .policy = s->instance->terms->lock,
                .memory = &s->state->lock,
                .end_usec = intent->end_before_usec,
                .now_usec = s->cloud_now_usec,
        };
        bool enable = intent->action == LOCK_ENABLE, transient;
        Saying *say;

        v.running = v.end_usec > v.now_usec;
        v.remaining_usec = usec_sub(v.end_usec, v.now_usec);
        s->look->write_failure = *f;
        d->state_changed = true;

        /* Carried out or not: the lock says so, and nothing else is done before it is asked. */
        if (f->maybe_done) {
                intent->outcome = INTENT_LOST;
                s->look->lost = true;
                s->look->phase = LOCK_PHASE_READ;
                decision_ask(d, CALL_LOCK_GET);
                return;
        }

        if (enable)
                v.memory->enabled_at_usec = 0;  /* does not count for new_locks_per_day */

        /* A definite no of the service to what was asked disproves the readings under which it was a fair request; on to the next one. A 400
         * without the service's error code may be anybody's, and other refusals say nothing about the period: they prove nothing. */
        if (f->class == FAILURE_BAD_REQUEST && f->http_status == 400 && f->code[0]) {
                intent->outcome = INTENT_REFUSED;
                s->look->enable_refused |= enable;
                if (enable ? v.end_usec > 0 : lock_strike(v.memory, intent)) {
                        s->look->phase = LOCK_PHASE_READ;
                        decision_ask(d, CALL_LOCK_GET);
                        return;
                }
        } else
                lock_take_back(v.memory);

        transient = f->class == FAILURE_TRANSPORT || f->class == FAILURE_THROTTLED || f->class == FAILURE_BUSY ||
                f->class == FAILURE_SERVER || f->class == FAILURE_CREDENTIALS || f->class == FAILURE_WITHHELD;
        if (!transient) {
                say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, digest_text(f->code),
                                   "the compliance lock could not be %s: %s", enable ? "enabled" : "extended", f->message);
                saying_set_failure(say, f);
        }

        if (transient)
                lock_done_waiting(&v, d, v.policy->poll_usec, f->message);
        else
                lock_done_violated(&v, d, v.policy->poll_usec, f->message);
        d->hampered = transient;
}

void lock_on_written(const Situation *s, Decision *d) {
        LockMemory *m = &s->state->lock;
        LockIntent *intent;

        assert(m->n_intents > 0);
        intent = &m->intents[m->n_intents - 1];

        if (s->failure) {
                on_write_failed(s, intent, d);
                return;
        }

        /* A 200 whose body is not the documented one is no definite answer. */
        intent->outcome = s->answer->lock_accepted ? INTENT_ACCEPTED : INTENT_LOST;
        if (s->answer->date_usec > intent->sent_at_usec)        /* it was carried out after it was decided on: its time to show begins then */
                intent->sent_at_usec = MIN(s->answer->date_usec, usec_add(intent->sent_at_usec, ANSWER_MAX_USEC));
        s->look->wrote = s->answer->lock_accepted;
        s->look->lost = !s->answer->lock_accepted;
        s->look->n_reads_back = 0;
        memcpy(s->look->request_id, s->answer->request_id, sizeof(s->look->request_id));
        s->look->write_failure = (Failure) {};
        s->look->phase = LOCK_PHASE_READ;
        d->state_changed = true;
        decision_ask(d, CALL_LOCK_GET);
}
