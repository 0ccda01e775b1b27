/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is true in the simulated cloud, whatever reads show: for tests that hold a client against it at every step. Cheap: no text
 * is made and nothing is copied but these numbers.
 */

#include "sim/rules.h"

typedef struct SimTruth {
        usec_t changed_usec;    /* cloud's clock: since when the latest of these holds */
        bool encryption_on;
        bool lock_enabled;      /* ever */
        usec_t lock_start_usec, lock_end_usec;  /* 0: never enabled */
        bool schedule_configured, schedule_on;
        const char *schedule_cycle;             /* "PER_DAY"; static */
        const char *bucket_name, *bucket_root_path; /* belong to @s until the next change; NULL: never set up */
        int64_t trigger_seconds;                /* civil reading, as sent */
        uint64_t n_writes;                      /* changing calls that took effect */
} SimTruth;

/* Return: is there such an instance? */
bool sim_truth(const Sim *s, const char *instance_id, SimTruth *ret);

/* How often was the backup authorized for download? 0 also if there is none. */
uint64_t sim_truth_grants(const Sim *s, const char *backup_id);
