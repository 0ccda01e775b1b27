/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a lock that was read says about the requests made before: which of them took effect, which readings of the API that proves
 * or disproves, and whether it can be explained at all.
 */

#include "facts/state.h"

typedef enum LockJudgement {
        LOCK_JUDGED_QUIET,      /* no request is outstanding, and nothing odd is seen */
        LOCK_JUDGED_CONFIRMED,  /* a request took effect; see the sets */
        LOCK_JUDGED_PENDING,    /* unchanged, and may only be slow: look again at settled_at_usec */
        LOCK_JUDGED_VOID,       /* unchanged for long enough: the request had no effect */
        LOCK_JUDGED_FOREIGN,    /* somebody else changed the lock */
        LOCK_JUDGED_SHORTER,    /* ends earlier than it did: must not happen */
        LOCK_JUDGED_PAST_CAP,   /* ends past the cap of a request of ours: must not happen */
        LOCK_JUDGED_ODD,        /* changed by our request, but as no reading explains */
} LockJudgement;

typedef struct LockRuling {
        LockJudgement judgement;
        LockAction action;              /* CONFIRMED: of the request that took effect */
        unsigned matched;               /* CONFIRMED, extend: readings that explain the new end */
        bool short_of_target;           /* CONFIRMED: another reading than the one it was reckoned for holds, and it fell short */
        usec_t settled_at_usec;         /* PENDING: the cloud's clock */
        const LockIntent *intent;       /* the request concerned; belongs to the memory */
} LockRuling;

/* Does the intent still wait for its effect to be seen? */
bool lock_intent_outstanding(const LockIntent *i);

/**
 * lock_judge() - hold what was read against what was asked for
 * @m:          memory; outcomes of intents are updated, as are struck readings. Not the known start and end.
 * @f:          the lock as read
 * @now_usec:   the cloud's clock
 * @settle_usec: how long an accepted request may stay without effect
 * @fresh:      the read follows our own write within this look: a change must be ours
 */
void lock_judge(LockMemory *m, const LockFacts *f, usec_t now_usec, usec_t settle_usec, bool fresh, LockRuling *ret);

/* The request had no effect: strikes out, for this climb, the readings under which it should have had one. Enabling goes by none: all of them.
 * Returns false if that leaves what was left before: the same request would be the next one. */
bool lock_strike(LockMemory *m, const LockIntent *i);

/*
 * A request that was accepted, or lost, and shows no effect may still come. After a climb with such requests the next one waits: it would begin
 * with the same request again, which comes on top where periods are added.
 */
typedef struct LockRest {
        unsigned n_unshown[LOCK_ACTION__MAX];   /* such requests, of late */
        usec_t until_usec;      /* what was tried is not tried again before this; the cloud's clock; 0: there is no such request */
} LockRest;

void lock_rest(const LockMemory *m, usec_t now_usec, usec_t settle_usec, LockRest *ret);

/* Appends an intent, making room by dropping the oldest one that can't come any more, else the oldest concluded one. Returns it. */
LockIntent *lock_remember(LockMemory *m, const LockIntent *i);

/* Drops concluded intents that can no longer take effect, and takes back the last one (never sent, or refused without a reason of
 * its own). */
void lock_forget_old(LockMemory *m, usec_t now_usec, usec_t settle_usec);
/* For how long a look at an unchanged lock leaves memory as it is; USEC_INFINITY: for good. */
usec_t lock_memory_left_usec(const LockMemory *m, usec_t now_usec, usec_t settle_usec);
void lock_take_back(LockMemory *m);
