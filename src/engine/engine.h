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
 * are dropped (policy-removed is said for each instance). Running looks end under the policy they began with, but change
 * nothing in the cloud any more.
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
void engine_on_committed(Engine *e, int result);        /* 0, or why nothing was stored */
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

/* An administrator's word: lock writes may go on. */
int engine_thaw(Engine *e, const char *origin);         /* NULL: all. Return: how many endpoints, or -errno */
