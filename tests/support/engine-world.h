/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world for the engine whose own needs never fail, so that a test may take memory and disk away from what ships and from
 * nothing else: the simulated cloud in process, the real store, time as a number, and fixed room for what was seen.
 *
 * It holds the daemon to its promises while it lives: no lock request without an intent that was committed before, no verdict
 * that the simulated cloud's true state contradicts.
 */

#include "engine/engine.h"
#include "sim/rules.h"
#include "store/store.h"

#define WORLD_T0 (UINT64_C(1767225600) * USEC_PER_SEC)  /* 2026-01-01T00:00:00Z */

#define WORLD_PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"
#define WORLD_DOMAIN "8a6f5e0c1d2b4f739e0d1c2b3a495867"
#define WORLD_ORDERS "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define WORLD_AUDIT "2f6b1d3c4e5f60718293a4b5c6d7e8f9"
#define WORLD_LEDGER "1de27464abdf48519f8574c97a8f0625in14"

#define WORLD_SEEN_MAX 512
#define WORLD_ARRIVALS_MAX 64
#define WORLD_LOCKS_MAX 4

typedef struct WorldEvent {
        EventId id;
        usec_t at_usec;         /* wall clock */
        char name[32], control[16], message[256];
} WorldEvent;

typedef struct WorldRequest {
        HttpMethod method;
        int status;             /* 0: no reply */
        usec_t boot_usec;
        char path[192];         /* with the origin */
} WorldRequest;

typedef struct WorldArrival {
        bool used;
        usec_t at_usec;         /* CLOCK_BOOTTIME */
        uint64_t cookie, number;
        HttpReply reply;
} WorldArrival;

/* What was put of a lock, and what of that is durable. */
typedef struct WorldLock {
        char instance_id[40];
        LockMemory gathered, committed;
} WorldLock;

typedef struct EngineWorld {
        Sim *sim;
        Engine *engine;
        Store *store;
        char dir[64];
        EngineOptions options;
        usec_t boot_usec, wall_usec, latency_usec;
        uint64_t seed, n_sent;
        const char *secret_key;
        bool commit_asked;
        int put_error, commit_error;    /* returned while negative */
        size_t n_puts_left, n_commits_left;     /* good ones until one fails with -EIO; 0: none does */
        bool io_failed;
        /* Answers in the cloud's place, with heap texts; false: the cloud does. May set the latency. */
        bool (*answer)(struct EngineWorld *w, const HttpRequest *q, HttpReply *ret);
        unsigned phase;         /* the hook's own */
        WorldArrival arrivals[WORLD_ARRIVALS_MAX];
        WorldEvent events[WORLD_SEEN_MAX];
        size_t n_events;
        WorldRequest requests[WORLD_SEEN_MAX];
        size_t n_requests;
        WorldLock locks[WORLD_LOCKS_MAX];
} EngineWorld;

/* @cloud: what the simulated cloud has, over an account and a key. */
void engine_world_setup(EngineWorld *w, const char *cloud);
void engine_world_teardown(EngineWorld *w);
void engine_world_change(EngineWorld *w, const char *yaml);

/* A new process: opens the store, restores, puts in force. @settings: lines of holdfast.yaml besides region and ids. Opening and reading files do
 * not run out of memory; what the engine does can. Return: 0, or -errno with nothing of it left. */
int engine_world_start(EngineWorld *w, const char *settings, const char *policies);
int engine_world_reload(EngineWorld *w, const char *settings, const char *policies);     /* settings NULL: those in force */
void engine_world_kill(EngineWorld *w);

void engine_world_run(EngineWorld *w, usec_t for_usec);
void engine_world_step_clock(EngineWorld *w, int64_t by_usec);
EngineCounts engine_world_counts(const EngineWorld *w);

void engine_world_forget(EngineWorld *w);       /* what was seen so far */
size_t engine_world_said(const EngineWorld *w, EventId id, const char *control);        /* NULL: any */
size_t engine_world_asked(const EngineWorld *w, const char *part, bool writes);         /* requests whose path has @part */

/* True end of a lock; 0: none. */
usec_t engine_world_lock_end(const EngineWorld *w, const char *instance_id);

HttpReply engine_world_reply(const EngineWorld *w, int status, const char *body);
