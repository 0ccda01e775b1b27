/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this room share:
 *
 *      bus.c           the connection and the name: there, gone, looked for again
 *      object.c        properties, methods and signals
 *      reload.c        those who wait for a reload to end
 *      authority.c     who may act: asked of the bus and of polkit, while the loop turns
 *      status-message.c        a control as a dictionary, and back
 */

#include "bus/bus.h"

/* The properties, as sd-bus reads them: fixed sizes, booleans are int. */
typedef struct Properties {
        const char *version, *mode, *config_file, *state_directory;
        const char *credentials_source, *credentials_origin, *credentials_state;
        char next_lock_name[256];
        uint32_t n_policies, n_rejected, n_controls, n_compliant, n_violated, n_unknown, n_in_flight, n_frozen;
        uint64_t next_lock_usec, next_look_usec, contact_at_usec, credentials_expire_usec, started_usec, reloaded_usec;
        int state_failing, settings_rejected, policies_rejected;
} Properties;

typedef struct Pending Pending;         /* a call that waits to be allowed */
typedef struct Waiting Waiting;         /* a call that waits for a reload to end */

struct Bus {
        sd_event *event;
        BusHost host;
        sd_bus *bus;            /* NULL: none */
        bool borrowed;          /* by bus_serve() */
        sd_bus_slot *object_slot, *lost_slot, *name_slot;
        sd_event_source *retry_source;          /* looks for a bus */
        sd_event_source *tell_source;           /* tells changed properties */
        unsigned n_tries;       /* without success */
        bool refused;           /* there is a bus, but it does not give the name */
        int said;               /* errno of the last trouble that was said */
        bool lost;              /* the connection has ended */

        Properties properties;  /* as of this call */
        Properties told;        /* as last told */
        Pending *pending;
        unsigned n_pending, n_asked;
        Waiting *waiting;
        unsigned n_waiting;
};

/* object.c */
int object_add(Bus *b);         /* to b->bus */
void object_tell_soon(Bus *b);

/* reload.c */
int reload_act(Bus *b, sd_bus_message *m, sd_bus_error *reterr);        /* an AuthorityAct: replies later */
void reload_forget(Bus *b);     /* the connection is gone, with all who wait */

/* authority.c */
typedef int (*AuthorityAct)(Bus *b, sd_bus_message *m, sd_bus_error *reterr);   /* replies itself; a negative return is replied */

/* Calls @act now or later, if the sender of @m may do what @action stands for; else refuses. Return: as a method handler. */
int authority_act(Bus *b, sd_bus_message *m, const char *action, AuthorityAct act, sd_bus_error *reterr);
void authority_forget(Bus *b);  /* the connection is gone, with all that waits */
