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
        bool baffling;                  /* VOID: nothing explains it, and no other request is worth trying */
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
 * @certain:    set of the one reading that an effect has shown to hold here: the lack of one does not disprove it; 0: none
 */
void lock_judge(LockMemory *m, const LockFacts *f, usec_t now_usec, usec_t settle_usec, bool fresh, unsigned certain,
                LockRuling *ret);

/* The request had no effect: strikes out the readings under which it should have had one, but never the @certain one. Returns false if nothing
 * was learned by it: the same request would be the next one. */
bool lock_strike(LockMemory *m, const LockIntent *i, unsigned certain);

/* Appends an intent, making room by dropping the oldest concluded one. Returns it. */
LockIntent *lock_remember(LockMemory *m, const LockIntent *i);

/* Drops concluded intents that can no longer take effect, and takes back the last one (never sent, or refused without a reason of
 * its own). */
void lock_forget_old(LockMemory *m, usec_t now_usec);
/* For how long a look at an unchanged lock leaves memory as it is; USEC_INFINITY: for good. */
usec_t lock_memory_left_usec(const LockMemory *m, usec_t now_usec);
void lock_take_back(LockMemory *m);
