/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a seed decides before life begins: how the cloud behaves where its documentation leaves a choice, what there is in it, and what the
 * owner wrote down. Texts come out as YAML, and go the way that files go.
 */

#include "policy/policy.h"
#include "rng.h"

#define SUBJECTS_MAX 50

#define SCENARIO_PROJECT "619d3e78f61b4be68bc5aa0b59edcf7b"
#define SCENARIO_DOMAIN "8a6f5e0c1d2b4f739e0d1c2b3a495867"
#define SCENARIO_USER "holdfast"
#define SCENARIO_PASSWORD "simulated-password"
#define SCENARIO_BACKUPS 3      /* of each instance that has some */

/* One instance, and what its policy says. */
typedef struct Subject {
        char id[40];
        char name[8];           /* "s07": its place in the list, so that it is found by it */
        Service service;
        bool in_force;          /* its policy is in the folder */
        bool observe;
        bool has_lock, has_encryption;
        struct {
                int64_t retention_days, max_retention_days;
                usec_t renew_before_usec, poll_usec, settle_usec;
                bool stated;            /* the policy names the reading */
                bool require_backup;
        } lock;
        struct {
                bool expect_on, has_key;
                usec_t poll_usec;
        } encryption;
        struct {
                bool on;
                Cycle cycle;
                CivilTime trigger;
                const char *zone;
                usec_t poll_usec, reapply_usec;
        } schedule;
        struct {
                bool latest;
                usec_t poll_usec, reauthorize_usec;
        } download;
        char *cloud;            /* how it is in the cloud at the beginning: one entry below its service, YAML */
} Subject;

typedef enum Keys {
        KEYS_LASTING,           /* an access key in the environment */
        KEYS_PASSWORD,
        KEYS_METADATA,
} Keys;

typedef struct Scenario {
        uint64_t seed;
        Reading reading;
        char *behaviour;        /* of the cloud, YAML */
        usec_t read_delay_usec;
        bool rounds;            /* ends of locks are rounded up to whole days */
        usec_t start_usec, for_usec;
        usec_t latency_usec;
        Keys keys;
        bool knows_project;     /* holdfast.yaml has the ids */
        bool real_store;        /* SQLite over a disk that fails; else a model of it */
        int64_t limit_days;
        unsigned new_locks_per_day, rate, max_connections;
        double troubles;        /* how often things go wrong, 1: as is usual here */
        size_t n_subjects;
        Subject subjects[SUBJECTS_MAX];
} Scenario;

/* Everything that follows is drawn from @seed. */
void scenario_draw(Scenario *s, uint64_t seed, usec_t for_usec);
void scenario_done(Scenario *s);

/* The owner edits one policy: other numbers, another mode, or the file is removed or comes back. */
void scenario_edit(Scenario *s, Subject *subject, Rng *rng);

/* New texts (free()). */
char *scenario_settings(const Scenario *s);
char *scenario_policies(const Scenario *s, bool broken);
char *scenario_cloud(const Scenario *s);

size_t scenario_n_locks(const Scenario *s);
/* Is this control of the subject in the policies? And its poll. */
bool subject_has(const Subject *s, Control c);
usec_t subject_poll_usec(const Subject *s, Control c);
char *subject_backup(const Subject *s, int k, char buf[static 40]);      /* id of its k-th; returns @buf */
