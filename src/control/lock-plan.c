/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lock-plan.h"

static usec_t days_to_usec(int64_t days) {
        assert(days >= 0);
        return (usec_t) days * USEC_PER_DAY;    /* at most 36500 days: far inside 64 bits */
}

static int64_t days_up(usec_t span_usec) {
        return (int64_t) ((span_usec + USEC_PER_DAY - 1) / USEC_PER_DAY);
}

/* From where the days count. */
static usec_t reading_base(Reading reading, const LockTimes *t) {
        switch (reading) {
        case READING_FROM_START:
                return t->start_usec > 0 ? MIN(t->start_usec, t->now_usec) : t->now_usec;
        case READING_FROM_NOW:
                return t->now_usec;
        case READING_ADDED:
                return t->end_usec;
        case READING__MAX:
                break;
        }

        assert(false);
        return t->now_usec;
}

bool lock_predictable(Reading reading, const LockTimes *t) {
        assert(t);

        if (reading == READING_FROM_START)
                return t->start_usec > 0;
        if (reading == READING_ADDED)
                return t->end_usec > 0;
        return true;
}

usec_t lock_predict(Reading reading, const LockTimes *t, int64_t days) {
        assert(t);
        return MAX(usec_add(reading_base(reading, t), days_to_usec(days)), t->end_usec);
}

/* Would no possible reading carry the lock past the cap? This request can't be taken back. */
static bool within_cap(const LockPlanInput *in, int64_t days, usec_t cap_usec) {
        for (Reading r = 0; r < READING__MAX; r++)
                if ((in->possible & (1u << r)) && lock_predict(r, &in->times, days) > cap_usec)
                        return false;

        return true;
}

/* The request for one candidate reading. Returns why there is none, or SEND with @ret_days set. */
static LockPlanResult plan_for(const LockPlanInput *in, Reading reading, usec_t cap_usec, int64_t *ret_days) {
        usec_t target_usec, base_usec;
        int64_t days;

        if (!lock_predictable(reading, &in->times))
                return LOCK_PLAN_BLIND;

        target_usec = usec_sub(usec_add(in->times.now_usec, days_to_usec(in->retention_days)), LOCK_TARGET_SLACK_USEC);
        base_usec = reading_base(reading, &in->times);
        if (target_usec <= base_usec)
                return LOCK_PLAN_CAP;   /* the lock ends later than the target: nothing to ask for */

        days = days_up(target_usec - base_usec);
        if (days > in->limit_days || days > LOCK_DAYS_MAX)
                return LOCK_PLAN_LIMIT;
        if (lock_predict(reading, &in->times, days) <= in->times.end_usec || !within_cap(in, days, cap_usec))
                return LOCK_PLAN_CAP;

        *ret_days = days;
        return LOCK_PLAN_SEND;
}

void lock_plan_extension(const LockPlanInput *in, LockPlan *ret) {
        LockPlan plan = { .result = LOCK_PLAN_BLIND };

        assert(in);
        assert(ret);
        assert((in->readings & ~in->possible) == 0);

        plan.cap_usec = usec_add(in->times.now_usec, days_to_usec(in->max_retention_days));

        for (Reading r = 0; r < READING__MAX; r++) {
                LockPlanResult result;
                int64_t days = 0;

                if (!(in->readings & (1u << r)))
                        continue;

                result = plan_for(in, r, plan.cap_usec, &days);
                if (result != LOCK_PLAN_SEND) {
                        if (plan.result == LOCK_PLAN_BLIND)
                                plan.result = result;
                        continue;
                }

                if (plan.result == LOCK_PLAN_SEND && plan.days <= days)
                        continue;

                plan.result = LOCK_PLAN_SEND;
                plan.reading = r;
                plan.days = days;
                plan.expected_end_usec = lock_predict(r, &in->times, days);
        }

        *ret = plan;
}
