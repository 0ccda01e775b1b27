/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this control share:
 *
 *      lock.c          reading: what a lock that was read means
 *      lock-write.c    writing: which request may be sent, and what its answer means
 *      lock-say.c      verdicts and sentences
 *      lock-judge.c    earlier requests against what is read (no sentences, no decisions)
 *      lock-plan.c     days and ends (nothing but arithmetic)
 */

#include "control/control.h"
#include "control/lock-judge.h"
#include "control/lock-plan.h"

enum LockPhase {
        LOCK_PHASE_START,
        LOCK_PHASE_READ,
        LOCK_PHASE_WRITE,
        LOCK_PHASE_BACKUPS,
};

typedef struct LockView {
        const LockPolicy *policy;
        LockMemory *memory;
        const LockFacts *facts;         /* NULL: could not be read */
        usec_t now_usec;                /* the cloud's clock where it said, else ours */
        bool clock_agreed;              /* the cloud said, and ours agrees */
        bool running;
        usec_t end_usec;                /* 0: none */
        usec_t remaining_usec;
} LockView;

/* Requests in one look: enabling, three readings, and one more step to the target. */
#define LOCK_WRITES_MAX 5

/* lock-say.c */
void lock_say_lapsed(const LockView *v, Decision *d);           /* if it is so */
void lock_say_expiring(const LockView *v, Decision *d, const char *why);        /* if it is so */
void lock_say_drift(const Situation *s, const LockView *v, Decision *d);
void lock_say_frozen(const Situation *s, Decision *d);
void lock_say_misstated(const LockView *v, unsigned shown, Decision *d);        /* the policy's lock.extension is not what an effect has shown */
void lock_say_confirmed(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d);
usec_t lock_wait_compliant(const LockView *v);
void lock_quiet(const Situation *s, const LockView *v, Decision *d, usec_t quiet_usec);  /* likewise: until when, at most */
void lock_done_compliant(const Situation *s, const LockView *v, Decision *d);   /* or asks for the backups first */
void lock_done_violated(const LockView *v, Decision *d, usec_t wait_usec, const char *why);
void lock_done_waiting(const LockView *v, Decision *d, usec_t wait_usec, const char *why);     /* as violated, while something is awaited */
void lock_done_refused(const Situation *s, const LockView *v, Decision *d, const char *why);

/* lock-write.c */
unsigned lock_stated_reading(Extension e);      /* as a set; 0: auto */
unsigned lock_certain_reading(const Situation *s);      /* as a set: the one that effects have left; 0: none or several */
unsigned lock_candidate_readings(const Situation *s, const Decision *d);
/* Asks for it on LOCK_PLAN_SEND. @useful_usec: as LockPlanInput. */
LockPlanResult lock_try_extend(const Situation *s, const LockView *v, usec_t useful_usec, Decision *d);
void lock_begin_climb(const Situation *s, const LockView *v, Decision *d);      /* a new one, if the last one is over and has had its rest */
void lock_plan_write(const Situation *s, const LockView *v, Decision *d);      /* the lock needs one: may it be made, and which? */
void lock_done_exhausted(const Situation *s, const LockView *v, Decision *d);   /* nothing that was tried has helped */
void lock_on_written(const Situation *s, Decision *d);
