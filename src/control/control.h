/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What all controls have in common. A control is a pure function: it is told the policy, what it remembers, the time and what the
 * cloud answered, and returns a decision: what to ask next, or a verdict and when to look again. No clock, no I/O.
 *
 * A look goes: step (no answer yet) → ask → step (answer or failure) → … → done. The engine sends, retries, stores and says.
 */

#include "facts/event.h"
#include "facts/facts.h"
#include "facts/state.h"
#include "policy/policy.h"

/* Where a look stands; zeroed by the engine when one begins. The meaning of the fields is the control's own. */
typedef struct Look {
        int phase;
        bool routine;           /* the work was expected (a renewal in time): no drift is said */
        bool wrote;             /* a write of this look was accepted */
        bool climbing;          /* lock: an extension of this look showed its effect; on to the target */
        bool lost;              /* lock: a write of this look got no definite answer */
        int n_writes;           /* lock: of this look */
        bool enable_refused;    /* lock: the cloud refused to enable a lock that ran out */
        int n_reads_back;
        int64_t offset;         /* of the page asked for */
        unsigned n_pages;       /* of the list of backups, seen */
        usec_t lock_end_usec;   /* lock: as this look has read it, while it lists backups */
        usec_t doubted_end_usec;        /* lock: an end that was read once and is to be read again before it counts; 0: none */
        unsigned n_doubted;     /* lock: such reads */
        bool became_due;        /* lock: while its backups were listed; it was read anew */
        char request_id[REQUEST_ID_MAX];        /* of the last write */
        char backup_id[BACKUP_ID_MAX];
        usec_t backup_at_usec;  /* schedule: of the latest backup, 0: not known; download: end of the one above */
        usec_t backup_begin_usec;       /* download */
        size_t index;           /* into a list of the policy */
        size_t n_refused;       /* download: backups of this look that cannot be authorized … */
        uint32_t refused_digest;        /* … and which, and why */
        char found[256];        /* what a read before the write showed, for the sentence afterwards */
        CivilTime sent;         /* schedule: the trigger that this look has written */
        CivilTime doubted;      /* schedule: the trigger that made it write; year 0: none */
        Failure write_failure;  /* of the last write, when it had one */
} Look;

typedef struct Situation {
        const Instance *instance;
        ControlState *state;    /* the control changes its memory; verdict, said and unknown are the engine's */
        Look *look;
        const EndpointState *endpoint;
        bool enforce;           /* mode: enforce and not --observe */
        bool first_look;        /* no verdict from this process yet */
        usec_t now_usec;        /* wall clock of this host */
        usec_t cloud_now_usec;  /* the cloud's: its last Date, and the time since; that of this host where it has shown none */
        int64_t limit_retention_days;   /* limits.max_retention_days */
        bool reading_on_trial;  /* lock: an extension of another at this endpoint is under way, by a reading that is only stated */
        unsigned new_locks_left;        /* of limits.new_locks_per_day */
        unsigned new_locks_per_day;
        const Answer *answer;   /* NULL at the beginning and after a failure */
        const Failure *failure; /* NULL at the beginning and after an answer */
} Situation;

typedef enum Next {
        NEXT_ASK,               /* send ask */
        NEXT_ASK_STORED,        /* store the state first, durably, then send ask */
        NEXT_ASK_LATER,         /* look at ask again after wait_usec: within this look (reading back) */
        NEXT_DONE,              /* verdict and wait_usec are set */
        NEXT_UNKNOWN,           /* could not be determined; the failure that is handed in (or why) says so */
} Next;

/* Something to say. Lasting states (said >= 0) go out only if they are news. */
typedef struct Saying {
        EventId id;
        int said;               /* SaidId, or -1: always said */
        uint32_t digest;        /* of what matters in it: a change is news */
        int priority;           /* -1: as in the table */
        usec_t lock_end_usec;
        char message[1024];
        char request_id[REQUEST_ID_MAX];
        int http_status;
        char error_code[64];
} Saying;

#define HAMPERED_POLLS 3        /* for so long a change may fail for a reason that may pass; then it is said, as with what is unknown; picked */

#define SAYINGS_MAX 5

typedef struct Freeze {
        bool freeze;            /* stop all lock writes to this endpoint */
        char why[512];
} Freeze;

typedef struct GrantRecord {    /* download: a grant to be recorded */
        bool set;
        char backup_id[BACKUP_ID_MAX];
} GrantRecord;

typedef struct Decision {
        Next next;
        Ask ask;
        Verdict verdict;        /* DONE */
        usec_t wait_usec;       /* DONE: look again after this at the latest (the poll is the cap); ASK_LATER: wait */
        bool waiting;           /* DONE: a write has not shown its effect yet, or may not be made yet: --once ends here */
        bool hampered;          /* DONE, violated: a change was not made, for a reason that may pass: said when it lasts */
        bool retry;             /* DONE: worth another look soon, with the engine's back-off */
        bool state_changed;     /* memory must be stored */
        bool reading_on_trial;  /* ASK_STORED: of an extension by a reading that is only stated */
        unsigned learned_readings;      /* lock: set of readings that the endpoint has now shown; 0: nothing new */
        Freeze freeze;
        GrantRecord grant;      /* together with the answer that is being handled */
        unsigned held;          /* set of SaidId: what was said of these still holds, and nothing new is known of it */
        size_t n_sayings;
        usec_t change_at_usec;  /* DONE: wall clock at which the verdict can change by itself, or the control will act, if the cloud
                                 * stays as it is; 0: now or at any time; USEC_INFINITY: never */
        char why[512];          /* DONE, UNKNOWN: the verdict in words, for status */
        Saying sayings[SAYINGS_MAX];    /* the first n_sayings count */
} Decision;

/* An empty one. Most of it is room for texts that few decisions need: it is not cleared. */
static inline void decision_init(Decision *d) {
        memset(d, 0, offsetof(Decision, why));
        d->why[0] = '\0';
}

/* One step of the control's look. @ret comes from decision_init(). */
void encryption_step(const Situation *s, Decision *ret);
void schedule_step(const Situation *s, Decision *ret);
void lock_step(const Situation *s, Decision *ret);
void download_step(const Situation *s, Decision *ret);

/* Helpers of the controls, in control.c. */
Saying *decision_say(Decision *d, EventId id, int said, uint32_t digest, const char *format, ...) _printf_(5, 6);
void decision_ask(Decision *d, Call call);
void decision_done(Decision *d, Verdict verdict, usec_t wait_usec, const char *format, ...) _printf_(4, 5);
void decision_unknown(Decision *d, const char *format, ...) _printf_(2, 3);
/* After decision_done() as compliant: nothing changes by itself, and the control does nothing, for @quiet_usec from now. */
void decision_quiet(Decision *d, const Situation *s, usec_t quiet_usec);
void saying_set_failure(Saying *s, const Failure *f);   /* status, code, request id */
uint32_t digest_text(const char *s);    /* FNV-1a, for news only, never for identity */
uint32_t digest_failure(const Failure *f);      /* likewise, of a change that failed: which class, which code */
void decision_say_failed(Decision *d, const Failure *f, const char *what);      /* remediation-failed: "<what>: <cloud's words>" */

/* Goes on with the list of backups where @page ends: asks for the next, or, where the list has no end, leaves the control unknown. Returns
 * false if @page was the last, and nothing is decided. */
bool decision_next_page(Decision *d, Look *look, Call call, const BackupPage *page);

/* How long a change may take to show in a read: reads back after 0, 1 and 5 seconds; picked, not measured. */
#define READ_BACK_MAX 3
usec_t read_back_wait_usec(int n_reads_back);

/* Asks for another read back, after its wait. Returns false once there were READ_BACK_MAX of them in this look. */
bool decision_read_back(Decision *d, Look *look, Call call);

/* Can the very same request work a little later, without anybody doing anything about it here? */
bool failure_passes(FailureClass c);

/* Verdict after a write that failed: violated. What passes by itself is waited for, anything else is said: "<what>: <cloud's words>". */
void decision_write_failed(Decision *d, const Failure *f, usec_t poll_usec, const char *what);

/* Verdict after a write that no read back has shown: accepted without effect, or failed with look->write_failure. */
void decision_not_shown(Decision *d, const Look *look, usec_t poll_usec, const char *what, const char *shown);

/* The cloud's words in a sentence of ours: in quotes, cut, control characters replaced; NULL is empty. Returns @buf. */
#define QUOTED_MAX 200
char *quote(const char *s, char buf[static QUOTED_MAX]);
