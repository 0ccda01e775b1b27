/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What goes wrong in a life, and when: single exchanges, spells in which a service or an instance cannot be used, what others do to the
 * instances, and what befalls the host. Each kind has a rate, and each that happens is counted.
 */

#include "rng.h"
#include "virtual/machine.h"

typedef struct Life Life;

typedef enum Trouble {
        /* one exchange */
        TROUBLE_REFUSED,
        TROUBLE_TIMED_OUT,
        TROUBLE_RESET_BEFORE,
        TROUBLE_RESET_AFTER,
        TROUBLE_THROTTLED,
        TROUBLE_THROTTLED_AFTER,        /* with a Retry-After */
        TROUBLE_BUSY,
        TROUBLE_SERVER,
        TROUBLE_EMPTY,
        TROUBLE_TRUNCATED,
        TROUBLE_WRONG_TYPE,
        TROUBLE_LYING_END,
        TROUBLE_LYING_SUCCESS,          /* and nothing was done */

        /* spells: exchanges of one of the kinds above, or these */
        TROUBLE_OUTAGE,
        TROUBLE_BLACK_HOLE,
        TROUBLE_LOSSY,
        TROUBLE_STORM,
        TROUBLE_BUSY_LONG,
        TROUBLE_SERVER_LONG,
        TROUBLE_GARBAGE,
        TROUBLE_DENIED,
        TROUBLE_MISSING,
        TROUBLE_UNREAD,                 /* locks may be written, but not read */

        /* the cloud, and others in it */
        TROUBLE_STALE,
        TROUBLE_FOREIGN_ENCRYPTION,
        TROUBLE_FOREIGN_SCHEDULE,
        TROUBLE_FOREIGN_LOCK,

        /* who we are */
        TROUBLE_ROTATED,
        TROUBLE_REVOKED,
        TROUBLE_LOCKED_OUT,
        TROUBLE_TOKEN_REVOKED,

        /* the host */
        TROUBLE_CLOCK_STEP,             /* up to ten minutes */
        TROUBLE_CLOCK_WRONG,            /* up to ten years */
        TROUBLE_LEAP_SECOND,
        TROUBLE_SUSPENDED,
        TROUBLE_KILLED,
        TROUBLE_POWER_CUT,
        TROUBLE_EDITED,
        TROUBLE_BROKEN_RELOAD,
        TROUBLE_DISK_FULL,
        TROUBLE_DISK_ERROR,
        TROUBLE_COMMIT_ERROR,

        /* the calendar */
        TROUBLE_DAYLIGHT_SAVING,
        TROUBLE_2038,
        TROUBLE__MAX,
} Trouble;

const char *trouble_to_string(Trouble t);
double trouble_per_exchange(Trouble t);         /* chance of each read */
void trouble_count(Life *l, int subject, Trouble t);

typedef struct Spell {
        Trouble kind;
        usec_t until_usec;      /* CLOCK_BOOTTIME */
        int service, subject;   /* -1: all */
        double share;           /* of the exchanges */
} Spell;

typedef enum Deed { DEED_BOOT, DEED_CLOCK, DEED_KEY, DEED_THAW, DEED_FRESH, DEED_DISK } Deed;

typedef struct Todo {
        usec_t at_usec;
        Deed deed;
} Todo;

#define SPELLS_MAX 32
#define TODOS_MAX 32
#define TWISTS_MAX 64           /* exchanges under way whose reply will be changed */

typedef struct Twist {
        uint64_t cookie;
        Trouble kind;
} Twist;

typedef struct Troubles {
        bool over;
        usec_t next_usec[TROUBLE__MAX];
        double per_year[TROUBLE__MAX];
        Spell spells[SPELLS_MAX];
        size_t n_spells;
        Todo todos[TODOS_MAX];
        size_t n_todos;
        Twist twists[TWISTS_MAX];
        size_t n_twists;
        unsigned key_number;            /* of the key that the host has … */
        unsigned cloud_key_number;      /* … and of the one that is good */
        bool key_bad, key_locked;
        usec_t identity_bad_until_usec;
        bool disk_bad, stale;
        int64_t clock_wrong_usec;       /* what corrects it */
} Troubles;

void troubles_init(Life *l);

/* CLOCK_BOOTTIME of the next thing that happens to the host or the cloud. */
usec_t troubles_next(const Life *l);
void troubles_happen(Life *l);  /* all of them that are due; only at rest */
void troubles_end(Life *l);     /* everything is put right, and nothing goes wrong any more */

/* Of the machine's hooks; troubles-exchange.c. */
MachineFate troubles_fate(Life *l, const MachineExchange *x, usec_t *delay_usec);
void troubles_replied(Life *l, const MachineExchange *x, HttpReply *reply);

/* Is something wrong now that concerns this subject, more than an exchange now and then? */
bool troubles_concern(const Life *l, int subject, Service service);

void troubles_key_names(unsigned number, char access_key[static 32], char secret_key[static 32]);
