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

/* The most days that no possible reading carries past the cap. The request can't be taken back. */
static int64_t most_days(const LockPlanInput *in, usec_t cap_usec) {
        int64_t days = MIN(in->limit_days, (int64_t) LOCK_DAYS_MAX);

        for (Reading r = 0; r < READING__MAX; r++)
                if (in->possible & (1u << r))
                        days = MIN(days, (int64_t) (usec_sub(cap_usec, reading_base(r, &in->times)) / USEC_PER_DAY));

        return days;
}

/* The request for one candidate reading. Returns why there is none, or SEND with @ret_days set. */
static LockPlanResult plan_for(const LockPlanInput *in, Reading reading, usec_t cap_usec, int64_t *ret_days) {
        usec_t target_usec, base_usec;
        LockPlanResult obstacle = LOCK_PLAN_CAP;
        int64_t days, most;

        if (!lock_predictable(reading, &in->times))
                return LOCK_PLAN_BLIND;

        target_usec = usec_sub(usec_add(in->times.now_usec, days_to_usec(in->retention_days)), LOCK_TARGET_SLACK_USEC);
        base_usec = reading_base(reading, &in->times);
        if (target_usec <= base_usec)
                return LOCK_PLAN_CAP;   /* the lock ends later than the target: nothing to ask for */

        days = days_up(target_usec - base_usec);
        if (days > in->limit_days || days > LOCK_DAYS_MAX)
                obstacle = LOCK_PLAN_LIMIT;

        most = most_days(in, cap_usec);
        if (days > most) {
                if (in->useful_usec == 0 || lock_predict(reading, &in->times, most) <= in->useful_usec)
                        return obstacle;
                days = most;
        }
        if (lock_predict(reading, &in->times, days) <= in->times.end_usec)
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
                usec_t expected_usec;
                int64_t days = 0;

                if (!(in->readings & (1u << r)))
                        continue;

                result = plan_for(in, r, plan.cap_usec, &days);
                if (result != LOCK_PLAN_SEND) {
                        if (plan.result == LOCK_PLAN_BLIND)
                                plan.result = result;
                        continue;
                }

                /* Of two that ask for the same, the one that hopes for more: should the other hold, the read-back tells that it fell short. */
                expected_usec = lock_predict(r, &in->times, days);
                if (plan.result == LOCK_PLAN_SEND && (plan.days < days || (plan.days == days && plan.expected_end_usec >= expected_usec)))
                        continue;

                plan.result = LOCK_PLAN_SEND;
                plan.reading = r;
                plan.days = days;
                plan.expected_end_usec = expected_usec;
        }

        *ret = plan;
}
