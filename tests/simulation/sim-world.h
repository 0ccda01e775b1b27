/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world for the engine that ships: the simulated cloud in process, the real store in a temporary folder, a clock that is set by hand.
 */

#include <json-c/json.h>

#include "engine/engine.h"
#include "facts/event.h"
#include "sim/rules.h"
#include "store/store.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

#define PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"
#define DOMAIN "8a6f5e0c1d2b4f739e0d1c2b3a495867"
#define ACCESS_KEY "SIMULATEDKEY00000001"
#define SECRET_KEY "simulated-secret-key-for-trying-only"

typedef struct WorldEvent {
        EventId id;
        int priority;
        usec_t at_usec;                 /* wall clock */
        char name[64], control[16], message[512], code[64];
        usec_t lock_end_usec;
} WorldEvent;

typedef struct Pending {
        uint64_t cookie;
        usec_t at_usec;                 /* boot time */
        HttpReply reply;
        struct Pending *next;
} Pending;

typedef struct WorldRequest {
        usec_t at_usec;                 /* wall clock */
        HttpMethod method;
        char path[256];
        int status;
} WorldRequest;

typedef struct SimWorld {
        Sim *sim;
        Engine *engine;
        Store *store;                   /* NULL: nothing is kept */
        char dir[64];
        usec_t boot_usec, wall_usec;
        usec_t latency_usec;
        uint64_t seed;
        Pending *pending;
        bool commit_asked;
        int put_error, commit_error;    /* to be returned */
        const char *access_key, *secret_key;    /* NULL: none */
        const char *password;           /* source password; NULL: none */
        const char *credentials;        /* of holdfast.yaml; NULL: "source: environment" */
        bool no_taurusdb;       /* no endpoint is written for it */
        /* Answers a request in the simulated cloud's place, after @delay_usec. Returns false to leave it to the cloud. */
        bool (*hook)(struct SimWorld *w, const HttpRequest *q, HttpReply *ret, usec_t *delay_usec);
        unsigned phase;                 /* the hook's own */
        bool once, observe;
        WorldEvent *events;
        size_t n_events;
        WorldRequest *requests;
        size_t n_requests, n_puts_since_commit;
        char *settings_yaml, *policies_yaml;
} SimWorld;

/* @cloud: state of the simulated cloud, over a default with the account and the key above. */
void world_setup(SimWorld *w, const char *cloud);
void world_teardown(SimWorld *w);

/* Starts the engine, with what the store has; without one if put_error is set. @settings: lines of holdfast.yaml besides region and ids, or "". */
void world_start(SimWorld *w, const char *settings, const char *policies);
void world_reload(SimWorld *w, const char *policies);
void world_reload_settings(SimWorld *w, const char *settings, const char *policies);
void world_reopen(SimWorld *w, const char *policies);    /* there was no store, now there is */
void world_kill(SimWorld *w);           /* as kill -9: nothing is committed, nothing answered */

void world_run(SimWorld *w, usec_t for_usec);
void world_run_after_kill(SimWorld *w, usec_t for_usec);        /* time passes without anybody running */
bool world_run_once(SimWorld *w);       /* until --once has finished; false: it has not within an hour */
void world_step_clock(SimWorld *w, int64_t by_usec);    /* the host's wall clock alone */

void world_change(SimWorld *w, const char *yaml);
void world_faults(SimWorld *w, const char *rules);      /* instead of those before; NULL: none */

/* How many events were said; @name NULL: of any instance. */
size_t world_said(const SimWorld *w, EventId id, const char *name);
const WorldEvent *world_last(const SimWorld *w, EventId id);    /* NULL: none */
void world_forget(SimWorld *w);         /* events and requests so far */
size_t world_writes(const SimWorld *w, const char *part_of_path);       /* PUT and POST requests */
void world_print(const SimWorld *w);    /* all events, when a test fails */

/* A reply for a hook to give: @body may be NULL. */
HttpReply world_reply(const SimWorld *w, int status, const char *body);

/* A member of the simulated cloud's state: "instances.taurusdb.<id>.lock.end"; new (json_object_put()). */
json_object *world_state(SimWorld *w, const char *const *path);
