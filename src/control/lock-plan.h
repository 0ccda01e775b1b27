/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The arithmetic of compliance locks: where a request would make a lock end under each reading of the API, and which request may be
 * sent. Nothing here knows of time-outs, answers or events.
 *
 * The documentation does not say whether the period of "extend" counts from the start of the lock, from the call, or is added to the end
 * (TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock, 2026-06). So a request is only sent if no reading that is
 * still possible would carry the lock past the cap, and the smallest request that one of them asks for goes first.
 */

#include "facts/facts.h"

#define LOCK_DAYS_MIN 1         /* days; API Reference, lock_retention_days */
#define LOCK_DAYS_MAX 36500

/* Days are whole, and reading, deciding and sending take a moment: no further day is asked for when the target is missed by no more than
 * this. Picked. */
#define LOCK_TARGET_SLACK_USEC USEC_PER_MINUTE

typedef struct LockTimes {
        usec_t start_usec;      /* 0: not given */
        usec_t end_usec;        /* 0: no lock */
        usec_t now_usec;        /* the cloud's */
} LockTimes;

/**
 * lock_predict() - where the lock would end
 *
 * A request that would shorten the lock changes nothing (three pages of the vendor say so), hence never before the present end.
 * An unknown start is taken as now, the latest it can be: good for an upper bound, see lock_predictable().
 */
usec_t lock_predict(Reading reading, const LockTimes *t, int64_t days);

/* Is the prediction exact, or only an upper bound? */
bool lock_predictable(Reading reading, const LockTimes *t);

typedef enum LockPlanResult {
        LOCK_PLAN_SEND,
        LOCK_PLAN_CAP,          /* every useful request could pass the cap */
        LOCK_PLAN_LIMIT,        /* the host's limit, or the API's range of days, forbids it */
        LOCK_PLAN_BLIND,        /* what would have to be known for the possible readings is not */
} LockPlanResult;

typedef struct LockPlanInput {
        LockTimes times;
        unsigned readings;              /* candidates: readings to reckon a request for */
        unsigned possible;              /* readings under which the cap must hold; includes @readings */
        int64_t retention_days;         /* target: now + this */
        int64_t max_retention_days;     /* cap: now + this */
        int64_t limit_days;             /* no period beyond this, whatever the cap says */
        usec_t useful_usec;             /* where the target can't be reached, an end beyond this will do; 0: nothing short of it */
} LockPlanInput;

typedef struct LockPlan {
        LockPlanResult result;
        Reading reading;                /* SEND: the reading that the days were reckoned for */
        int64_t days;
        usec_t expected_end_usec;       /* under that reading */
        usec_t cap_usec;
} LockPlan;

/*
 * Chooses the request with the fewest days. Days are whole: with a cap that has not one to spare, those that reach the target may pass it. Then
 * the most that stays within does, if it is of use: under the reading that it is reckoned for, and under no other, so that the next one is
 * due only once that has been used up.
 */
void lock_plan_extension(const LockPlanInput *in, LockPlan *ret);
