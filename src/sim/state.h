/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the simulated cloud holds. Everything a request names is found through a hash, so that ten thousand
 * instances cost no more a request than one. Private to the room: the outside sees rules.h.
 */

#include "base/hash.h"
#include "sim/rules.h"
#include "sim/settings.h"

#define SIM_ID_MAX          65 /* bytes with the NUL: DBSS ids run to 64 */
#define SIM_BUCKET_MAX      256
#define SIM_BUCKET_PATH_MAX 1024

typedef enum SimService {
        SIM_TAURUSDB,
        SIM_DBSS,
        SIM_GAUSSDB,
        SIM_IAM,
        SIM_METADATA,
        SIM_SERVICE__MAX,
} SimService;

const char *sim_service_to_string(SimService s);

/*
 * What a value was at which time, so that reads may lag behind writes. Entries are plain structs that begin
 * with the moment from which they hold; the last one is the truth.
 */
typedef struct SimHistory {
        void *items;
        size_t n_items, item_size;
} SimHistory;

#define SIM_HISTORY_MAX 64 /* writes within one read delay; picked, not measured */

/*
 * Adds the truth as of its first member, and forgets what no read at @oldest_usec or later can see. Return: 0
 * or -ENOMEM.
 */
int sim_history_set(SimHistory *h, size_t item_size, const void *item, usec_t oldest_usec);
const void *sim_history_now(const SimHistory *h);                /* NULL: never set */
const void *sim_history_at(const SimHistory *h, usec_t at_usec); /* the oldest one known if @at_usec lies before it */
usec_t sim_history_until(const SimHistory *h, usec_t at_usec);   /* when that one is over; USEC_INFINITY: it is the last */
void sim_history_done(SimHistory *h);

typedef struct SimEncryption {
        usec_t since_usec;
        bool on;
        char kms_key_id[SIM_ID_MAX];
} SimEncryption;

typedef struct SimLock {
        usec_t since_usec;
        bool enabled; /* ever */
        usec_t start_usec, end_usec;
        int64_t days; /* as last sent */
} SimLock;

typedef struct SimSchedule {
        usec_t since_usec;
        bool configured, on;
        int cycle;               /* SimCycle */
        int64_t trigger_seconds; /* civil reading, as sent */
        char bucket_name[SIM_BUCKET_MAX];
        char bucket_root_path[SIM_BUCKET_PATH_MAX];
} SimSchedule;

typedef enum SimCycle {
        SIM_CYCLE_FIVE_MIN,
        SIM_CYCLE_PER_HOUR,
        SIM_CYCLE_PER_DAY,
        SIM_CYCLE_PER_WEEK,
        SIM_CYCLE_PER_MONTH,
        SIM_CYCLE__MAX,
} SimCycle;

extern const char *const sim_cycle_names[]; /* ends in NULL, as all lists of names here */
extern const char *const sim_backup_status_names[];

typedef struct SimInstance SimInstance;

typedef struct SimBackup {
        char id[SIM_ID_MAX];
        SimInstance *instance;
        char *name; /* NULL: made from the instance's */
        bool manual;
        bool in_obs;
        int status;                  /* index of sim_backup_status_names */
        usec_t begin_usec, end_usec; /* end 0: still running */
        int64_t size_mb;
        uint64_t n_grants;
        usec_t granted_at_usec;
        struct SimBackup *next, *prev; /* of the instance, oldest entry first */
        UT_hash_handle hh;
} SimBackup;

struct SimInstance {
        char id[SIM_ID_MAX];
        SimService service;
        char project_id[SIM_ID_MAX]; /* empty: the account's first */
        char *name;
        bool busy;                   /* writes answer 409 */
        bool abnormal;               /* writes are refused by state */
        SimHistory encryption, lock; /* TaurusDB */
        SimHistory schedule;         /* DBSS */
        bool runs;                   /* DBSS: due backups are really made */
        bool last_backup_ok;
        bool has_zone;
        int64_t zone_seconds;      /* east of UTC; without: as in the settings */
        usec_t latest_backup_usec; /* DBSS, as told; later runs are reckoned; 0: none */
        SimBackup *backups;
        size_t n_backups;
        uint64_t n_writes, n_refused; /* changing calls that took effect, or were refused by the service */
        UT_hash_handle hh;
};

/* Names of actions that are denied, "*" for all. */
typedef struct SimDeny {
        char **actions;
        size_t n_actions;
} SimDeny;

typedef struct SimKey {
        char *access_key;
        char *secret_key, *security_token; /* token NULL: a lasting key */
        char *user;                        /* NULL: the account itself */
        usec_t expires_usec;               /* 0: does not */
        bool enabled;
        bool issued; /* by IAM or metadata, not by the state: goes when it expires */
        SimDeny deny;
        uint64_t n_failures; /* in a row */
        usec_t locked_until_usec;
        UT_hash_handle hh;
} SimKey;

typedef struct SimUser {
        char *name;
        char *password;
        bool enabled, console_only;
        SimDeny deny;
        uint64_t n_failures;
        usec_t locked_until_usec;
        UT_hash_handle hh;
} SimUser;

typedef struct SimToken {
        char *text;
        char *user;                  /* name, or the access key for which it stands */
        char project_id[SIM_ID_MAX]; /* empty: scoped to the account */
        usec_t expires_usec;
        bool metadata; /* of the metadata service, good for nothing else */
        UT_hash_handle hh;
} SimToken;

typedef struct SimProject {
        char id[SIM_ID_MAX];
        char *name; /* the region's, for a system project */
        UT_hash_handle hh;
} SimProject;

typedef struct SimKmsKey {
        char id[SIM_ID_MAX];
        bool enabled;
        UT_hash_handle hh;
} SimKmsKey;

/* One window of the throttle: who, since when, how many. */
typedef struct SimWindow {
        char *key;
        usec_t since_usec;
        uint64_t n;
        UT_hash_handle hh;
} SimWindow;

typedef struct SimFault SimFault;   /* fault.h */
typedef struct SimRecord SimRecord; /* record.h */

#define SIM_RECORDS_MAX 10000 /* requests remembered; the oldest go first */
#define SIM_CALLS_MAX   40    /* rows of the route table */

typedef struct SimCounter {
        uint64_t n_requests, n_succeeded;
} SimCounter;

struct Sim {
        uint64_t random;
        int64_t advance_usec; /* by POST /sim/v1/clock */
        SimSettings settings;
        SimDeny deny; /* for everybody */
        SimProject *projects;
        SimKey *keys;
        SimUser *users;
        SimToken *tokens;
        SimKmsKey *kms_keys;    /* none: any key will do */
        SimInstance *instances; /* of all services, by id */
        SimBackup *backups;     /* of all instances, by id */
        SimWindow *windows;
        usec_t windows_pruned_usec, issued_pruned_usec;
        SimFault *faults;
        uint64_t n_faults_ever;
        SimRecord *records; /* ring of SIM_RECORDS_MAX, allocated with the first */
        uint64_t n_requests;
        SimCounter counters[SIM_CALLS_MAX];
};

uint64_t sim_random(Sim *s);
/* Fills @buf with @n lower-case hex digits and a NUL. */
void sim_random_hex(Sim *s, char *buf, size_t n);

/* Found by key; NULL if there is none. */
SimInstance *sim_instance_find(const Sim *s, const char *id);
SimBackup *sim_backup_find(const Sim *s, const char *id);
SimKey *sim_key_find(const Sim *s, const char *access_key);
SimUser *sim_user_find(const Sim *s, const char *name);
SimToken *sim_token_find(const Sim *s, const char *text);
SimProject *sim_project_find(const Sim *s, const char *id);
SimProject *sim_project_find_name(const Sim *s, const char *name);

/* Found or made; belong to @s. NULL if memory ran out. */
SimInstance *sim_instance_get(Sim *s, SimService service, const char *id);
SimBackup *sim_backup_get(Sim *s, SimInstance *i, const char *id);
SimKey *sim_key_get(Sim *s, const char *access_key);
SimUser *sim_user_get(Sim *s, const char *name);
SimProject *sim_project_get(Sim *s, const char *id);
SimKmsKey *sim_kms_key_get(Sim *s, const char *id);

/* A new token of @n_hex digits for @user. NULL if memory ran out. */
SimToken *sim_token_new(Sim *s, const char *user, size_t n_hex, usec_t expires_usec);

void sim_instance_remove(Sim *s, SimInstance *i);
void sim_backup_remove(Sim *s, SimBackup *b);
void sim_key_remove(Sim *s, SimKey *k);
void sim_user_remove(Sim *s, SimUser *u); /* and the tokens of it */
void sim_project_remove(Sim *s, SimProject *p);
void sim_kms_key_remove(Sim *s, SimKmsKey *k);
void sim_tokens_revoke(Sim *s, const char *user); /* NULL: all */

/* Drops keys and tokens that were issued and have expired; looks at most once a minute. */
void sim_prune_issued(Sim *s, usec_t now_usec);

/* Everything that is known becomes @usec older, as though that time had passed, while the clock stays. */
void sim_age(Sim *s, usec_t usec);

bool sim_denies(const SimDeny *d, const char *action, const char *alias, const char *call);
void sim_deny_done(SimDeny *d);

/* The project an instance belongs to: its own or the account's first; "" if there is none. */
const char *sim_instance_project(const Sim *s, const SimInstance *i);
/* Clock offset and zone as signed sums that stop at 0. */
usec_t sim_shift(usec_t at_usec, int64_t by_usec);
/* Copies a text that is known or was checked to fit; longer ones are cut. */
void sim_copy_id(char *to, size_t size, const char *from);
