/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What must survive a restart, as the store keeps it and the engine and the controls use it. One record type for writing
 * and for reading back: what was put in comes out again.
 */

#include "facts/event.h"
#include "facts/facts.h"

/* When a lasting state was last said, and a digest of what was said: something else is news. */
typedef struct Said {
        usec_t at_usec;         /* wall clock; 0: not said since it last ended */
        uint32_t digest;
} Said;

/* The lasting states of a control, as indexes of ControlState.said. */
typedef enum SaidId {
        SAID_DRIFT,
        SAID_REMEDIATION_FAILED,
        SAID_LOCK_EXPIRING,
        SAID_LOCK_LAPSED,
        SAID_LOCK_REFUSED,
        SAID_LOCK_EMPTY,
        SAID_BACKUP_STALE,
        SAID_UNKNOWN,           /* warning after 3 polls */
        SAID_UNKNOWN_LONG,      /* err after half of renew_before, or 24 h */
        SAID_API_FAILING,       /* of this instance alone */
        SAID__MAX,
} SaidId;

typedef enum IntentOutcome {
        INTENT_OPEN,            /* stored; sent or about to be: may have had an effect */
        INTENT_ACCEPTED,        /* 200 */
        INTENT_LOST,            /* no answer, or 5xx: may have had an effect */
        INTENT_REFUSED,         /* a definite no: had no effect */
        INTENT_CONFIRMED,       /* read back as expected */
        INTENT_VOID,            /* read back unchanged after settle */
        INTENT_OUTCOME__MAX,
} IntentOutcome;

const char *intent_outcome_to_string(IntentOutcome o);
int intent_outcome_from_string(const char *s);  /* or -EINVAL */

/* One request to enable or extend a lock, stored before it is sent. Times are the cloud's. */
typedef struct LockIntent {
        LockAction action;
        IntentOutcome outcome;
        int64_t days;
        usec_t sent_at_usec;
        usec_t start_before_usec, end_before_usec;      /* 0: no lock, or no start given */
        usec_t expected_end_usec;       /* under the reading that the value was reckoned for */
        usec_t cap_at_usec;             /* no later end may be read back */
        unsigned readings;              /* readings that were possible when it was sent */
        unsigned unused;                /* where the compiler would leave a gap of whatever was there: states are kept by their words */
} LockIntent;

#define LOCK_INTENTS_MAX 4      /* one climb has at most three steps; one more for what came before */

typedef struct LockMemory {
        bool seen;                      /* a lock was read here before, with the two below */
        usec_t start_usec, end_usec;    /* as last read */
        LockIntent intents[LOCK_INTENTS_MAX];   /* of the climb that goes on, oldest first */
        size_t n_intents;
        unsigned struck;                /* readings that this climb has disproved */
        usec_t enabled_at_usec;         /* last enable that was not refused: counts for new_locks_per_day */
} LockMemory;

typedef struct ScheduleMemory {
        usec_t applied_at_usec;         /* last time the switch was written and read back; or first looked at */
        bool has_echo;
        CivilTime sent, echo;           /* what was written as trigger_time, and what was read right afterwards */
        int32_t offset_at_echo;         /* of the policy's zone, seconds east */
        uint32_t phase_digest;          /* of the policy's cycle, trigger_time and timezone that the echo belongs to */
        usec_t on_since_usec;           /* since when the switch was seen on; 0: it is not */
} ScheduleMemory;

typedef struct Grant {
        char backup_id[BACKUP_ID_MAX];
        usec_t granted_at_usec;
} Grant;

typedef struct DownloadMemory {
        Grant *grants;                  /* owned; newest last; pruned to DOWNLOAD_GRANTS_MAX */
        size_t n_grants;
} DownloadMemory;

#define DOWNLOAD_GRANTS_MAX 1000

/* What people want to know of a control, and nothing decides by. That it changed is no reason to store a state: it is stored together with
 * what is, and when the daemon stops. Times are wall clock. */
typedef struct ControlTold {
        char *why;                      /* owned; how the last look ended, in words; NULL: there was none */
        usec_t looked_at_usec;          /* last answer that a verdict rests on; 0: none */
        usec_t change_at_usec;          /* Decision.change_at_usec of that verdict */
        usec_t changed_at_usec;         /* last change that holdfast made and read back; 0: none */
        const char *changed_as;         /* name of its event (event_type()), static; NULL: none */
        char *changed_request_id;       /* owned; NULL: not known */
} ControlTold;

typedef struct ControlState {
        Verdict verdict;                /* the last that could be determined, or UNKNOWN when none ever was */
        unsigned n_unknown;             /* looks in a row without one */
        usec_t since_usec;              /* of the verdict; wall clock */
        ControlTold told;
        usec_t unknown_since_usec;      /* 0: the last look gave a verdict */
        Said said[SAID__MAX];
        union {
                ScheduleMemory schedule;
                LockMemory lock;
                DownloadMemory download;
        };
} ControlState;

void control_state_done(Control c, ControlState *s);

/* Replaces an owned text of ControlTold; NULL and "" clear it. Keeps what was there where the text is the same. Return: 0 or -ENOMEM, then
 * it is cleared: a text that is out of date would be worse than none. */
int told_set(char **text, const char *s);

/* "from-start,added"; empty for none. @readings holds no other bits. Returns @buf. */
#define READINGS_TEXT_MAX 64            /* bytes; holds all readings with commas */
char *readings_to_text(unsigned readings, char buf[static READINGS_TEXT_MAX]);

/* An endpoint (origin) of a service: what was learned there. */
typedef struct EndpointState {
        unsigned readings;              /* set of readings that positive evidence left; 0: nothing learned */
        bool frozen;                    /* no lock writes until an administrator says thaw */
        usec_t frozen_at_usec;
        char frozen_why[512];
        Said said_frozen;
} EndpointState;

/* What a thaw did to it, for the journal and the history; cut to size. Returns @buf. */
#define THAWED_TEXT_MAX 512             /* bytes */
char *thawed_to_text(const char *origin, bool was_frozen, char buf[static THAWED_TEXT_MAX]);

typedef enum StateKind {
        STATE_CONTROL,          /* replaces what was stored of that control */
        STATE_ENDPOINT,         /* likewise */
        STATE_GRANT,            /* adds or replaces one grant of a download control */
        STATE_EVIDENCE,         /* appends one line of history; never handed back by store_load() */
        STATE_KIND__MAX,
} StateKind;

/* Borrowed texts throughout: valid during the call. */
typedef struct StateRecord {
        StateKind kind;
        Service service;                /* CONTROL, GRANT, EVIDENCE */
        const char *instance_id;
        Control control;
        union {
                struct {
                        const char *name;       /* of the policy, for people who read the database */
                        const ControlState *state;      /* download: grants are records of their own */
                } control_state;
                struct {
                        const char *origin;
                        const EndpointState *state;
                } endpoint;
                struct {
                        const char *backup_id, *bucket, *request_id;
                        const char *file_paths; /* one a line */
                        usec_t granted_at_usec;
                } grant;
                struct {
                        usec_t at_usec; /* wall clock */
                        const char *what;       /* event name, or "lock-intent", "verdict" */
                        const char *detail;
                        const char *request_id;
                } evidence;
        };
} StateRecord;
