/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The real cloud, looked at once and never written to: the engine in its --once mode, over the transport and with the credentials
 * that the daemon would use. Reads go out; a write ends here, and is shown to whoever asked. What the daemon remembers is read from
 * its state; nothing is stored.
 */

#include "ctl/ctl.h"
#include "engine/engine.h"

/* All texts and structs are borrowed: valid during the call. NULL: not wanted. None may end the world. */
typedef struct CloudWorldHooks {
        void *userdata;

        /* A read was answered, and understood. Pages of a list come one by one. */
        void (*answered)(void *userdata, const Instance *instance, const Ask *ask, const Answer *answer);
        /* A read failed, for now: it may be tried again. */
        void (*failed)(void *userdata, const Instance *instance, const Ask *ask, const Failure *failure);
        /* A write that the daemon would send now, and that is not sent. Of @request only method, origin, path, query and body may be
         * shown: its headers hold a signature or a token. The same write may come again within one run. */
        void (*withheld)(void *userdata, const Instance *instance, const Ask *ask, const HttpRequest *request);
        /* What the journal would be told. States that were said before are said again. */
        void (*said)(void *userdata, const Event *event);
} CloudWorldHooks;

typedef struct CloudWorldOptions {
        const CtlOptions *ctl;          /* where the state is */
        bool observe;                   /* every policy as with mode: observe: no write is planned */
} CloudWorldOptions;

/**
 * cloud_world_run() - look at every control once, to its end
 * @settings:   taken, also on failure
 * @policies:   likewise; what is in it is looked at
 * @ret:        how it ended; may be NULL
 *
 * Blocks until everything is looked at, has failed or would have to wait. SIGINT and SIGTERM end it with -ECANCELED.
 *
 * Return: 0, also where the cloud could not be reached (see the hooks); -errno, after a word on stderr.
 */
int cloud_world_run(const CloudWorldOptions *options, Settings *settings, PolicySet *policies, const CloudWorldHooks *hooks,
                    EngineCounts *ret);
