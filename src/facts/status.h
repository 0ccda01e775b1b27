/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How one control stands, for people: what the bus tells, what holdfastctl shows, with and without a daemon. One table names the members, so
 * that bus, JSON and documentation cannot differ.
 */

#include "facts/state.h"

/* Texts are borrowed from whoever filled it in; NULL where they do not apply. Times are wall clock; 0: never, or not known. */
typedef struct ControlStatus {
        const char *name, *service, *instance_id, *region, *control;
        const char *mode;               /* enforce, observe: as it works out for this instance */
        const char *file;               /* of the policy */
        unsigned line;
        const char *endpoint;           /* origin */

        const char *verdict;            /* of now: compliant, violated, unknown */
        const char *last_verdict;       /* the last that could be determined; unknown: none ever was */
        usec_t since_usec;              /* of last_verdict */
        usec_t unknown_since_usec;
        unsigned n_unknown;             /* polls in a row without a verdict */
        const char *why;                /* the verdict in words, with what was found */
        const char *wanted;             /* what the policy says, in words */

        usec_t looked_at_usec;          /* last answer that a verdict rests on */
        usec_t next_look_usec;
        usec_t change_at_usec;          /* when the verdict can change by itself, or holdfast will act */
        const char *next_action;        /* what it will do then, in words */

        const char *failure;            /* class of what keeps it from being determined or mended: "not-permitted" … */
        const char *failure_message, *failure_code, *failure_request_id;
        unsigned failure_http_status;

        usec_t changed_at_usec;         /* last change that holdfast made and read back */
        const char *changed_as;         /* event: remediated, lock-extended, … */
        const char *changed_request_id;

        usec_t lock_start_usec, lock_end_usec;
        usec_t renew_at_usec;           /* lock: from when on it is extended */
        uint64_t retention_days, max_retention_days;
        usec_t renew_before_usec;
        const char *readings;           /* lock: readings of extend that are still possible here, "from-now,added" */
        bool frozen;                    /* lock: writes to the endpoint wait for holdfastctl thaw */
        usec_t frozen_at_usec;
        const char *frozen_why;
        unsigned n_intents;             /* lock: requests whose effect is still waited for */

        usec_t applied_at_usec, reapply_at_usec;        /* schedule */
        unsigned n_grants;              /* download */
} ControlStatus;

typedef enum StatusType {
        STATUS_TEXT,                    /* const char * */
        STATUS_BOOL,
        STATUS_UINT,                    /* unsigned */
        STATUS_UINT64,
        STATUS_TIME,                    /* usec_t, wall clock */
        STATUS_DURATION,                /* usec_t */
} StatusType;

typedef struct StatusField {
        const char *key;                /* D-Bus: CamelCase, "LockEndUSec"; JSON: snake case, "lock_end" */
        const char *json_key;
        StatusType type;
        size_t offset;                  /* in ControlStatus */
        const char *help;
} StatusField;

extern const StatusField status_fields[];
extern const size_t n_status_fields;

/* How one endpoint stands: what was learned there, and when it last answered. */
typedef struct EndpointStatus {
        const char *origin, *service, *region;
        usec_t contact_at_usec;         /* last reply of any kind; 0: none since the daemon began */
        usec_t failing_since_usec;      /* 0: it is well */
        unsigned n_failed;              /* exchanges in a row that found it unwell */
        const char *readings;           /* of extend that are still possible there; NULL: nothing was learned */
        bool frozen;                    /* lock writes wait for holdfastctl thaw */
        usec_t frozen_at_usec;
        const char *frozen_why;
} EndpointStatus;

extern const StatusField endpoint_status_fields[];      /* offsets in EndpointStatus */
extern const size_t n_endpoint_status_fields;

/* Is the member of @s (a ControlStatus or an EndpointStatus, as the field belongs to) set: a text that is not NULL, a number that is not 0? */
bool status_field_is_set(const StatusField *f, const void *s);

/*
 * What the memory of a control tells by itself, with or without a daemon: verdicts, times, the lock, the last change. Members that need the
 * policy or the engine are left as they are. Texts are borrowed from @state. last_verdict is set, verdict is not: the state cannot know
 * what is now.
 */
void control_status_from_state(Control c, const ControlState *state, ControlStatus *ret);
