/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What must hold, whatever goes wrong: the promises of holdfastd(8), held at every step against what is true in the cloud. The letters are those
 * under which a failing life names them:
 *
 *      a       no lock ends later than the cap in force when its extension was sent
 *      b       a lock that could be reached, written and read for six polls and three settles within its renew_before never lapses
 *      c       no request to a lock without a stored intent; one effective request at most for each
 *      d       nothing is sent in observe mode, while frozen, while the clocks disagree, or beyond the host's limits
 *      e       no verdict "compliant" that the truth contradicts; nothing is written on what is unknown
 *      f       drift is found within one poll and repaired within two; a schedule is applied again no more than a poll late
 *      g       request rates within the limits, at most five bad signatures in a row, retries bounded
 *      h       violated and unknown states are said in time, and not again before 24 h
 *      i       once nothing goes wrong any more, everything is as written within two polls
 */

#include "control/control.h"
#include "life.h"

#define ORACLE_SLACK_USEC (2 * USEC_PER_MINUTE) /* queues, rates, and the moments that exchanges take */

/* One control of one subject. */
typedef struct Watch {
        usec_t calm_usec;       /* CLOCK_BOOTTIME: nothing has disturbed it since */
        usec_t drift_usec;      /* the truth is not as written since; 0: it is */
        bool found, skewed;
        bool lied;              /* an answer of this look was a lie */
        Verdict verdict;        /* of the last look that ended, in this process */
        usec_t unknown_usec;    /* looks have failed since; 0: the last has not */
        bool unknown_said;      /* since the last verdict */
        usec_t applied_usec;    /* schedule: last write that took effect */
        unsigned n_asked;       /* in the hour that began at hour_usec */
        usec_t hour_usec;
        struct OracleSaid {
                uint32_t digest;
                usec_t wall_usec;       /* 0: not said, or it ended */
        } said[SAID__MAX];
        unsigned passed;        /* set of SaidId that this look has passed */
} Watch;

typedef struct LockWatch {
        usec_t end_usec;        /* the truth; 0: never enabled */
        usec_t before_usec;     /* the end that was seen when the last effect moved it */
        usec_t good_usec;       /* CLOCK_BOOTTIME: it could be read, written and stored since, but for an exchange now and then */
        bool running;
        bool unseen;            /* somebody moved its end by hand, and no read that could show it has gone out since */
        usec_t hand_usec;       /* cloud's clock, of that */
        usec_t read_usec;       /* cloud's clock: a read of it went out last */
        bool deceived;          /* a request of the climb that goes on was answered with a success that was none */
        LockIntent intent;      /* of the last request */
        unsigned n_effects;
        usec_t effect_usec;     /* cloud's clock, of the last */
        usec_t cap_usec;        /* of that, when it was sent */
} LockWatch;

typedef struct EnabledLock {
        usec_t cloud_usec;
        int subject;
} EnabledLock;

#define ENABLED_MAX 1024

struct Oracle {
        Life *life;
        Watch watches[SUBJECTS_MAX][CONTROL__MAX];
        LockWatch locks[SUBJECTS_MAX];
        int touched;            /* a write to this subject is being carried out; -1: none */
        usec_t next_end_usec;   /* cloud's clock: the first end of a running lock */
        usec_t next_check_usec;
        usec_t read_delay_usec;
        usec_t foreign_usec;    /* CLOCK_BOOTTIME of the last change by hand */
        usec_t identity_usec;   /* CLOCK_BOOTTIME: since when we can be who we are */
        bool frozen;
        bool dated;             /* this process has seen the cloud's clock */
        bool misled;            /* the endpoint is known for a reading that is not the true one */
        double tokens[SERVICE__MAX];
        usec_t tokens_usec[SERVICE__MAX];
        unsigned n_identity;    /* requests to IAM and metadata, in the hour that began at … */
        usec_t identity_hour_usec;
        char access_key[32];
        unsigned n_refused;     /* signatures in a row … */
        usec_t refused_usec;    /* … the last of them then, CLOCK_BOOTTIME */
        EnabledLock enabled[ENABLED_MAX];
        size_t n_enabled;
        /* the step that was just made, for the events that follow from it */
        int step_subject;
        Control step_control;
        size_t n_step_sayings;
        struct { EventId id; int said; uint32_t digest; } step_sayings[SAYINGS_MAX];
        bool delivering_lie;
        uint64_t lies[TWISTS_MAX];      /* cookies */
        size_t n_lies;
};

Oracle *oracle_new(Life *l);
Oracle *oracle_free(Oracle *o);

/* What happens, as the machine tells. */
void oracle_on_asked(Oracle *o, const Instance *i, const Ask *ask);
void oracle_on_sent(Oracle *o, const MachineExchange *x);       /* before it is carried out, or answered from memory */
void oracle_on_replied(Oracle *o, const MachineExchange *x, const HttpReply *reply);
void oracle_on_delivered(Oracle *o, uint64_t cookie);
void oracle_on_step(Oracle *o, Control c, const Situation *s, const Decision *d);
void oracle_on_put(Oracle *o, const StateRecord *record);
void oracle_on_say(Oracle *o, const Event *e);
void oracle_on_rested(Oracle *o);

/* What befalls everybody. */
void oracle_on_trouble(Oracle *o, int subject, Service service, Trouble kind, const Ask *ask);
void oracle_on_lie(Oracle *o, uint64_t cookie);
void oracle_on_spell(Oracle *o, int subject, int service, Trouble kind);
void oracle_on_read_delay(Oracle *o, usec_t delay_usec);
void oracle_on_identity(Oracle *o);
void oracle_on_clock(Oracle *o);
void oracle_on_sleep(Oracle *o);
void oracle_on_death(Oracle *o);
void oracle_on_boot(Oracle *o);
void oracle_on_reload(Oracle *o);
void oracle_on_foreign(Oracle *o);

/* When faults have ended at @calm_usec: CLOCK_BOOTTIME at which this subject must be as written; and is it? */
usec_t oracle_converged_usec(const Oracle *o, size_t subject, usec_t calm_usec);
void oracle_check_converged(Oracle *o, size_t subject);

/* oracle-lock.c */
void oracle_lock_sent(Oracle *o, int subject, const Instance *i, const Ask *ask);
void oracle_lock_effect(Oracle *o, int subject);
void oracle_lock_ends(Oracle *o);
void oracle_lock_reckon(Oracle *o, bool by_hand);
void oracle_lock_read(Oracle *o, int subject);
void oracle_lock_trouble(Oracle *o, int subject);       /* TRACE_ALL: all */

/* oracle-drift.c */
void oracle_drift_reckon(Oracle *o);
void oracle_drift_step(Oracle *o, int subject, Control c, const Decision *d);
void oracle_drift_check(Oracle *o);
bool oracle_as_written(const Oracle *o, size_t subject, Control c);     /* in truth */
void oracle_check_compliant(Oracle *o, int subject, Control c, const Situation *s);

/* oracle-events.c */
void oracle_events_step(Oracle *o, int subject, Control c, const Situation *s, const Decision *d);
void oracle_events_check(Oracle *o);
