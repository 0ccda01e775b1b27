/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is due when. The engine keeps a heap of controls by due time, runs their looks one at a time each, sends what they ask within
 * the limits of rate, connections and credentials, retries what may be retried, and hands out state and events. It reads no
 * clock, opens no socket and no file: World is all it sees.
 */

#include "base/http.h"
#include "cloud/credentials.h"
#include "facts/event.h"
#include "facts/state.h"
#include "facts/status.h"
#include "policy/policy.h"

/* The world as the engine sees it: the daemon's real one, or a simulated one. All callbacks get @userdata and must not call the engine
 * back, except where said. */
typedef struct World {
        void *userdata;
        usec_t (*realtime)(void *userdata);
        usec_t (*boottime)(void *userdata);
        uint64_t (*random)(void *userdata);

        /* Starts an exchange (request is taken); engine_on_reply() follows later, never from within. Return: 0 or -errno. */
        int (*send)(void *userdata, HttpRequest *request, uint64_t cookie);

        /* Gathers a record for the next commit. Return: 0 or -errno (state cannot be written now). */
        int (*put)(void *userdata, const StateRecord *record);
        /* Asks for a commit soon; engine_on_committed() follows later, never from within. */
        void (*commit)(void *userdata);
        /* Commits at once what has gathered: for what must not be forgotten once it was said. Return: 0 or -errno. */
        int (*flush)(void *userdata);

        void (*say)(void *userdata, const Event *event);

        /* Reads the credentials that lie on this host; never METADATA or AUTO, which the engine works out itself. Return: 0; -ENOENT if
         * the source has none; -errno with new text in @reterr. */
        int (*credentials)(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr);

        /* For worlds in which time is a number; NULL in the daemon's. Every ask of a look that may go out now, before it is encoded. true: the
         * world answers it itself, engine_on_answer() follows later, never from within; false: send() is called, with the same cookie. */
        bool (*recall)(void *userdata, const Instance *instance, const Ask *ask, uint64_t cookie);
        /* Likewise: until when (CLOCK_BOOTTIME) no poll of this control can show anything that the last did not; regular polls before that
         * are left out. 0: none is. */
        usec_t (*quiet_until)(void *userdata, const Instance *instance, Control control);

        /* A control shows another verdict than before (engine_counts(), engine_inspect()); UNKNOWN too. May be NULL. */
        void (*shown)(void *userdata, const Instance *instance, Control control, Verdict verdict);
} World;

typedef struct EngineOptions {
        bool observe;           /* --observe: whatever the policies say */
        bool once;              /* --once: every control once, to its end */
} EngineOptions;

typedef struct Engine Engine;

int engine_new(const World *world, const EngineOptions *options, Engine **ret);
Engine *engine_free(Engine *e);
DEFINE_CLEANUP(Engine *, engine_free)

/* What the store kept; before the first engine_configure(). */
int engine_restore(Engine *e, const StateRecord *record);

/**
 * engine_configure() - put settings and policies in force
 * @settings:   taken on success; NULL at a reload: those in force stay
 * @policies:   taken on success
 *
 * At start, and at each reload. Controls whose policy did not change keep their place; new and changed ones are looked at soon; removed ones
 * are dropped (policy-removed is said for each instance, or for the controls that were taken out of its policy). Running looks end under the policy they began with, but change
 * nothing in the cloud any more.
 *
 * Return: 0; -ENOMEM, and all is as it was.
 */
int engine_configure(Engine *e, Settings *settings, PolicySet *policies);

/**
 * engine_run() - do all that is due now
 * @ret_wait_usec: until when nothing needs doing, in CLOCK_BOOTTIME from now; USEC_INFINITY: nothing at all
 *
 * Never blocks. Return: 0 or -ENOMEM and the like: call again later.
 */
int engine_run(Engine *e, usec_t *ret_wait_usec);

void engine_on_reply(Engine *e, uint64_t cookie, const HttpReply *reply);
void engine_on_answer(Engine *e, uint64_t cookie, const Answer *answer); /* to a recall(); borrowed. NULL: it is withheld */
void engine_on_committed(Engine *e, int result);        /* 0, or why nothing was stored */
void engine_on_no_store(Engine *e, int error);          /* there is none to put anything in, and that was said */
/* Of @before, which ran without a store, to @e, which has one and takes its place: what may be forgotten by nobody but an administrator. */
void engine_take_frozen(Engine *e, const Engine *before);
void engine_on_credentials_changed(Engine *e);          /* a watched file changed */
void engine_on_clock_step(Engine *e);                   /* clock stepped, or resumed from suspend: all due is due now, locks first */
void engine_stop(Engine *e);                            /* begin nothing new; running exchanges end */

typedef struct EngineCounts {
        size_t n_controls, n_compliant, n_violated, n_unknown;
        size_t n_in_flight;
        const char *next_lock_name;     /* next lock to extend; NULL: none; valid until the next call */
        usec_t next_lock_usec;          /* wall clock at which it is due for extension */
        bool finished;                  /* --once: every control came to its end */
        bool idle;                      /* nothing in flight */
        usec_t overdue_usec;            /* for how long something that could have been done has not been done */
} EngineCounts;

void engine_counts(const Engine *e, EngineCounts *ret);

/* --- How things stand, for people (inspect.c) --------------------------------------------------------------------- */

/* Texts are valid during the call. A negative return ends the inspection and is handed on. */
typedef int (*EngineOnStatus)(void *userdata, const ControlStatus *status);
typedef int (*EngineOnEndpoint)(void *userdata, const EndpointStatus *status);

typedef enum InspectFilter {
        INSPECT_ALL,            /* the first five: sorted by name, then by control */
        INSPECT_COMPLIANT,
        INSPECT_VIOLATED,
        INSPECT_UNKNOWN,
        INSPECT_NOT_COMPLIANT,  /* violated or unknown */
        INSPECT_RENEWALS,       /* locks, the next to be extended first */
        INSPECT_FILTER__MAX,
} InspectFilter;

const char *inspect_filter_to_string(InspectFilter f);          /* "not-compliant" */
int inspect_filter_from_string(const char *s);                  /* or -EINVAL */

/**
 * engine_inspect() - hand over a page of controls
 * @offset, @limit: counted in controls of that filter
 * @ret_total:  how many there are
 *
 * Costs what the page costs, however large the fleet is; but for RENEWALS, where the pages before it cost as well.
 *
 * Return: 0; -ENOMEM; what @on_status returned.
 */
int engine_inspect(const Engine *e, InspectFilter filter, size_t offset, size_t limit, EngineOnStatus on_status, void *userdata,
                   size_t *ret_total);

bool engine_has_instance(const Engine *e, const char *name);

/* All controls of one instance. Return: how many, 0 if there is none of that name; what @on_status returned. */
int engine_inspect_instance(const Engine *e, const char *name, EngineOnStatus on_status, void *userdata);

/* All endpoints, sorted by origin; there are few. Return: 0; -ENOMEM; what @on_endpoint returned. */
int engine_inspect_endpoints(const Engine *e, EngineOnEndpoint on_endpoint, void *userdata);

typedef struct EngineStatus {
        const char *mode;                       /* enforce, observe: as settings and --observe have it */
        const char *credentials_source;         /* as the settings have it, no secret */
        const char *credentials_origin;         /* for people, no secret; NULL: there are none */
        const char *credentials_state;          /* "none", "fetching", "unproven", "accepted", "refused" */
        usec_t credentials_expire_at_usec;      /* wall clock; 0: none, or not known; USEC_INFINITY: never */
        usec_t next_look_usec;                  /* wall clock; 0: nothing is due */
        usec_t contact_at_usec;                 /* last reply of any endpoint; 0: none */
        bool state_failing;                     /* the state cannot be stored */
        size_t n_frozen;                        /* endpoints */
} EngineStatus;

void engine_status(const Engine *e, EngineStatus *ret); /* texts are valid until the engine is called again */

/* An administrator's word: look at the controls of an instance now (NULL: of all, soon, spread). Return: how many; 0: no such instance. */
int engine_reconcile(Engine *e, const char *name);

/* Puts how the last looks ended, where nothing else had to be stored: for those who ask when the daemon is gone. Before the last commit. */
void engine_keep_told(Engine *e);

/* An administrator's word: lock writes may go on. */
/* Lifts the freeze of all endpoints, or of one, and forgets what was learned there; of the one also where it is not frozen. Return: how many
 * endpoints, or -errno. */
int engine_thaw(Engine *e, const char *origin);
