/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An engine in force over a fleet, in a world that is nothing but numbers: time is advanced, and the cloud's answers are made from a few words
 * on each instance. For tests of what is told about a fleet rather than of how it is kept.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/engine.h"

#define FLEET_T0 (UINT64_C(1767225600) * USEC_PER_SEC)  /* 2026-01-01T00:00:00Z */
#define FLEET_KEY "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"

typedef struct FleetInstance {
        bool encryption_off;
        bool refused;           /* not permitted to look */
        usec_t lock_start_usec, lock_end_usec;  /* 0: none */
} FleetInstance;

typedef struct FleetArrival {
        uint64_t cookie;
        Ask ask;
        size_t instance;
} FleetArrival;

typedef struct Fleet {
        Engine *engine;
        char dir[64];
        usec_t boot_usec, wall_usec;
        FleetInstance *instances;
        size_t n_instances;
        FleetArrival *arrivals;
        size_t n_arrivals;
        bool commit_asked;
        size_t n_puts, n_shown;
        Verdict last_shown;
        ControlState last_put;  /* texts cleared */
        void (*on_shown)(void *userdata, const char *name, const char *control, const char *verdict);
        void *userdata;
} Fleet;

/* A document for instance @i of a fleet; NULL: taurusdb with encryption (without a key) and a lock of 30 days, renewed at 7. */
typedef void (*FleetPolicy)(FILE *f, size_t i);

/* Instances are named i00000, i00001, …; none has drifted, all have a lock that began at T0 and ends after 30 days and as many seconds as the
 * instance's number. */
void fleet_setup(Fleet *f, size_t n, const char *settings, FleetPolicy policy);
void fleet_reload(Fleet *f, size_t n, const char *settings, FleetPolicy policy);        /* the first @n; @settings NULL: those in force */
void fleet_teardown(Fleet *f);
void fleet_instance_id(size_t i, char buf[static 64]);

void fleet_step(Fleet *f);              /* all that is due at this moment, with its answers */
void fleet_run(Fleet *f, usec_t for_usec);
