/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of `holdfastctl rehearse` share:
 *
 *      rehearse.c              the verb: which lives are lived, and what is printed
 *      rehearse-options.c      the command line
 *      rehearse-faults.c       --fault
 *      rehearse-fleet.c        the owner's configuration as a fleet: who asks where, and who is like whom
 *      rehearse-group.c        who is like whom
 *      rehearse-start.c        the state in which the simulated cloud begins
 *      rehearse-from-cloud.c   the same, from the real one
 *      rehearse-life.c         one life of the fleet in virtual time, under one reading
 *      rehearse-collect.c      what happened in it
 *      rehearse-memory.c       what holdfast remembers while it is down
 *      rehearse-lapse.c        at which outage length a lock runs out
 *      rehearse-calendar.c     happenings of many, as rows for people
 *      rehearse-print.c        the report for people …
 *      rehearse-timeline.c     … its timeline …
 *      rehearse-json.c         … and for scripts
 */

#include <json-c/json.h>
#include <stdint.h>

#include "ctl/config.h"
#include "ctl/ctl.h"
#include "facts/event.h"
#include "facts/state.h"
#include "base/strbuf.h"
#include "policy/policy.h"
#include "sim/rules.h"

/* --- What was asked for ------------------------------------------------------------------------------------------- */

typedef enum RehearseFaultKind {
        REHEARSE_OUTAGE,        /* the cloud cannot be reached */
        REHEARSE_DOWN,          /* this host, or holdfastd, is off */
        REHEARSE_THROTTLED,     /* 429 */
        REHEARSE_ERROR,         /* 500 */
        REHEARSE_NO_PERMISSION, /* 403 */
        REHEARSE_CLOCK,         /* this host's clock is stepped */
        REHEARSE_FAULT__MAX,
} RehearseFaultKind;

typedef struct RehearseFault {
        RehearseFaultKind kind;
        usec_t begin_usec;      /* since the start of the rehearsal */
        usec_t for_usec;        /* 0 with CLOCK */
        int64_t step_usec;      /* CLOCK */
} RehearseFault;

const char *rehearse_fault_to_string(RehearseFaultKind k);

/* As in policies, and y (365 days) besides. Return: 0; -EINVAL; -ERANGE. */
int rehearse_duration_parse(const char *s, usec_t *ret);

/* "outage=3d@40d", "clock=-20m@5d". Return: 0; -EINVAL with new text in @reterr: what was found, what is expected; -ENOMEM. */
int rehearse_fault_parse(const char *s, RehearseFault *ret, char **reterr);

/* Sorts by begin. Return: 0; -EINVAL with new text in @reterr if one begins past the end, or two of a kind overlap; -ENOMEM. */
int rehearse_faults_check(RehearseFault *faults, size_t n, usec_t for_usec, char **reterr);

#define REHEARSE_FOR_MAX (UINT64_C(100) * 365 * USEC_PER_DAY)

typedef struct RehearseOptions {
        usec_t for_usec;
        usec_t start_usec;      /* wall clock at the beginning */
        uint64_t seed;
        bool from_cloud, as_written;
        bool all;               /* every row, nothing folded */
        RehearseFault *faults;
        size_t n_faults;
        char **names;           /* patterns; none: every policy; borrowed from argv */
        size_t n_names;
} RehearseOptions;

/* Return: 0; -EINVAL after a word on stderr; -ENOMEM. */
int rehearse_options_parse(int argc, char *argv[], RehearseOptions *ret);
void rehearse_options_done(RehearseOptions *o);

/* --- The fleet ---------------------------------------------------------------------------------------------------- */

typedef struct RehearseMemory RehearseMemory;

typedef struct RehearseEndpoint {
        const char *origin;     /* belongs to the settings, or static */
        Service service;
        EndpointState state;    /* as the daemon's state has it; zeroed: nothing is known */
        unsigned readings;      /* of extend that are still possible here */
        size_t n_locks;
        double polls_per_sec;   /* of all policies, when nothing else goes on */
} RehearseEndpoint;

typedef struct RehearseMember {
        const Instance *policy; /* as written */
        Instance instance;      /* as it is played: the same texts, but ids that the simulated account has */
        Terms terms;            /* of @instance */
        char own_id[40];        /* room for such an id */
        size_t endpoint;        /* index */
        size_t group;
        json_object *start;     /* what its controls find in the simulated cloud at the beginning: an entry of instances.<service> */
        bool played;
} RehearseMember;

/* Policies that differ in nothing but name and id, and begin alike. */
typedef struct RehearseGroup {
        size_t first, n;        /* of RehearseFleet.order */
        size_t n_played;
} RehearseGroup;

typedef struct RehearseFleet {
        Config config;
        RehearseMember *members;        /* sorted by name, as policies are */
        RehearseMember **by_id;
        size_t n_members, n_rejected;
        RehearseEndpoint *endpoints;
        size_t n_endpoints;
        RehearseGroup *groups;
        size_t n_groups;
        size_t *order;          /* members by group */
        unsigned limit_divisor; /* limits.new_locks_per_day is divided by this while only some are played */
        bool state_read;        /* the daemon's state could be read */
        RehearseMemory *known;  /* what it remembers of the controls; NULL: nothing */
} RehearseFleet;

#define REHEARSE_DOMAIN "00000000000000000000000000000001" /* of the simulated account */

/**
 * rehearse_fleet_load() - settings and policies, as holdfastd reads them
 *
 * Mistakes go to stderr as with holdfastd --check. Return: 0, also with rejected policies; else the exit status, after a word on stderr.
 */
int rehearse_fleet_load(const CtlOptions *ctl, const RehearseOptions *o, RehearseFleet *ret);
void rehearse_fleet_done(RehearseFleet *f);

/* Once every member's start is known: who is like whom, and who is played so that it does not take for ever. */
int rehearse_fleet_group(RehearseFleet *f, const RehearseOptions *o);

/* What the daemon has learned of the endpoints, from its state, where that can be read; with @everything also what it remembers of the controls.
 * Return: 0, also without a state; -ENOMEM. */
int rehearse_fleet_learn(RehearseFleet *f, const CtlOptions *ctl, bool everything);

RehearseMember *rehearse_fleet_find(const RehearseFleet *f, const char *name);       /* NULL: none */
RehearseMember *rehearse_fleet_find_id(const RehearseFleet *f, const char *instance_id);        /* as it is played; NULL: none */
bool rehearse_fleet_has_locks(const RehearseFleet *f);
/* Settings and policies as written, and as they are played: with a key of our own, and only members with @played (NULL: all). Both new; the
 * texts of the policies stay the fleet's. */
int rehearse_fleet_originals(const RehearseFleet *f, Settings **ret_settings, PolicySet **ret_policies);
unsigned rehearse_fleet_new_locks(const RehearseFleet *f);       /* limits.new_locks_per_day as it is played */
int rehearse_fleet_configuration(const RehearseFleet *f, const bool *played, Settings **ret_settings, PolicySet **ret_policies);

/* Sets every member's start: bare or as written. Return: 0 or -ENOMEM. */
int rehearse_start_set(RehearseFleet *f, const RehearseOptions *o);
int rehearse_start_as_written(const Instance *i, usec_t start_usec, json_object **ret);
/* Reads the real cloud, changes nothing in it. @ret_n_unread: controls that could not be read: theirs begin as --start says. */
int rehearse_start_from_cloud(RehearseFleet *f, const CtlOptions *ctl, size_t *ret_n_unread);

/* --- A life ------------------------------------------------------------------------------------------------------- */

typedef enum RehearseKind {
        REHEARSE_LOCK_ENABLED,
        REHEARSE_LOCK_EXTENDED,
        REHEARSE_SCHEDULE_SET,          /* was not as written */
        REHEARSE_SCHEDULE_REAPPLIED,
        REHEARSE_ENCRYPTION_ON,
        REHEARSE_AUTHORIZED,
        /* what somebody would have to know */
        REHEARSE_DRIFT,                 /* that holdfast does not mend */
        REHEARSE_UNKNOWN,
        REHEARSE_BACKUP_STALE,
        REHEARSE_LOCK_EMPTY,
        REHEARSE_API_FAILING,
        REHEARSE_API_RECOVERED,
        REHEARSE_CLOCK_SKEW,
        REHEARSE_KEY_REFUSED,
        /* for which the rehearsal counts as failed: from here on */
        REHEARSE_LOCK_EXPIRING,
        REHEARSE_LOCK_LAPSED,
        REHEARSE_LOCK_REFUSED,
        REHEARSE_LOCK_FROZEN,
        REHEARSE_WRITE_FAILED,
        REHEARSE_KIND__MAX,
} RehearseKind;

const char *rehearse_kind_to_string(RehearseKind k);    /* "lock-extended" */
const char *rehearse_kind_to_words(RehearseKind k);     /* "lock extended" */
static inline bool rehearse_kind_is_bad(RehearseKind k) { return k >= REHEARSE_LOCK_EXPIRING; }

#define REHEARSE_NOBODY UINT32_MAX      /* of an endpoint as a whole */

typedef struct Happening {
        usec_t at_usec;         /* the cloud's clock */
        usec_t end_usec;        /* lock: as read back; 0: does not apply */
        uint32_t member;        /* index, or REHEARSE_NOBODY */
        uint16_t n_requests;    /* that were sent for it */
        uint8_t kind;           /* RehearseKind */
} Happening;

typedef struct RehearseRate {
        double n_calls;         /* of the whole fleet */
        double peak_per_minute;
        usec_t peak_at_usec;
        double minute_calls;    /* private to the collecting */
        usec_t minute_usec;
} RehearseRate;

typedef struct RehearseCollect RehearseCollect;

typedef struct RehearseLifeOptions {
        Reading reading;
        usec_t start_usec, for_usec;
        uint64_t seed;
        const RehearseFault *faults;
        size_t n_faults;
        const bool *played;     /* NULL: every member */
        bool every_poll;        /* leave none out: for the rates; then nothing but the rates is kept */
} RehearseLifeOptions;

typedef struct RehearseLife {
        Reading reading;
        usec_t for_usec;
        Happening *items;       /* by time */
        size_t n_items;
        RehearseRate *rates;    /* one an endpoint */
        size_t n_locks;         /* that were played */
        bool bad;
        char *why[REHEARSE_KIND__MAX];  /* what the journal is told the first time; NULL: it did not happen */
} RehearseLife;

/* The simulated cloud: the members with @played. */
int rehearse_cloud_new(const RehearseFleet *f, const bool *played, const RehearseLifeOptions *o, Sim **ret);

int rehearse_live(const RehearseFleet *f, const RehearseLifeOptions *o, RehearseLife *ret);
void rehearse_life_done(RehearseLife *l);

/* What happened, while it happens. */
struct RehearseCollect {
        const RehearseFleet *fleet;
        RehearseLife *life;
        bool rates_only;
        size_t n_allocated;
        uint32_t *n_writes;     /* [member][control] */
        usec_t *end_usec;       /* [member]: of the lock as last seen; 0: none */
        usec_t *told_usec;      /* [member + 1][kind]: when a state that lasts was last told */
        size_t *applied;        /* [member]: index + 1 of the happening of the last write to the schedule; 0: none … */
        size_t *extended;       /* … and of the last extension */
        double *weight;         /* [member]: how many it stands for */
        int error;
};

int rehearse_collect_init(RehearseCollect *c, const RehearseFleet *f, RehearseLife *life, bool rates_only);
void rehearse_collect_done(RehearseCollect *c);
void rehearse_collect_ask(RehearseCollect *c, size_t member, const Ask *ask, usec_t now_usec);
void rehearse_collect_reply(RehearseCollect *c, size_t member, const Ask *ask, int status, usec_t now_usec);
void rehearse_collect_event(RehearseCollect *c, const Event *e, usec_t now_usec);
/* Locks whose end nobody was there to see; puts things in order. Return: 0 or -ENOMEM, also of what was to be kept before. */
int rehearse_collect_end(RehearseCollect *c, const bool *played, usec_t now_usec);

/* What is put while it runs, for the next start. */
typedef int (*RehearseOnRecord)(void *userdata, const StateRecord *record);
int rehearse_memory_new(const RehearseFleet *f, RehearseMemory **ret);
RehearseMemory *rehearse_memory_free(RehearseMemory *m);
DEFINE_CLEANUP(RehearseMemory *, rehearse_memory_free)
int rehearse_memory_put(RehearseMemory *m, size_t member, const StateRecord *record);   /* @member: of CONTROL and GRANT */
/* What is not 0 from the callback ends it, and is returned. */
int rehearse_memory_load(const RehearseMemory *m, RehearseOnRecord on_record, void *userdata);

/* --- How long may it be gone? ------------------------------------------------------------------------------------- */

typedef struct RehearseLapse {
        size_t member;          /* the first of those with such a policy */
        size_t n_alike;         /* itself included */
        usec_t worst_usec;      /* since a lock was enabled: when an outage does the most harm */
        struct {
                usec_t reckoned_usec;           /* from the policy alone */
                usec_t survived_usec;           /* the longest that was played without a lapse … */
                usec_t lapsed_usec;             /* … and the shortest with one; 0: none was found */
                Reading reading;                /* under which that was */
        } of[REHEARSE_FAULT__MAX];              /* DOWN, OUTAGE and NO_PERMISSION alone */
} RehearseLapse;

typedef struct RehearseLapses {
        RehearseLapse *items;   /* the shortest DOWN first */
        size_t n_items;
        usec_t queue_usec;      /* what http.rate adds after an outage, until the last lock has had its turn */
} RehearseLapses;

extern const RehearseFaultKind rehearse_lapse_kinds[3];

int rehearse_lapses(const RehearseFleet *f, const RehearseOptions *o, RehearseLapses *ret);
void rehearse_lapses_done(RehearseLapses *l);

/* --- The report --------------------------------------------------------------------------------------------------- */

/* Members of a group to whom the same happens in the same order. */
typedef struct RehearseStrand {
        size_t group;
        size_t member;          /* the first, for its name; or REHEARSE_NOBODY */
        size_t n;               /* for how many policies it stands */
        size_t first_row, n_rows;
        bool bad;
        bool loose;             /* what happens differs in number: rows are one a kind */
} RehearseStrand;

typedef struct RehearseRow {
        RehearseKind kind;
        size_t strand;
        usec_t at_usec, at_last_usec;           /* of all that it stands for */
        usec_t end_usec, end_last_usec;
        unsigned n_requests, n_requests_max;
        size_t n_times;         /* loose, or folded */
        usec_t every_usec;      /* folded: from one to the next */
} RehearseRow;

typedef struct RehearseCalendar {
        RehearseStrand *strands;
        size_t n_strands;
        RehearseRow *rows;      /* by strand, then by time */
        size_t n_rows;
} RehearseCalendar;

int rehearse_calendar_make(const RehearseFleet *f, const RehearseLife *life, bool fold, RehearseCalendar *ret);
void rehearse_calendar_done(RehearseCalendar *c);
/* Does the same happen to the locks at the same times, to within an hour and but for the number of requests? Return: 0 or -ENOMEM. */
int rehearse_lives_alike(const RehearseFleet *f, const RehearseLife *a, const RehearseLife *b, bool *ret);
#define REHEARSE_NAME_MAX 192
/* "orders", or "orders +833" where it stands for so many more. Returns @buf. */
char *rehearse_strand_name(const RehearseFleet *f, const RehearseStrand *s, char buf[static REHEARSE_NAME_MAX]);

typedef struct Rehearsal {
        const CtlOptions *ctl;
        const RehearseOptions *options;
        const RehearseFleet *fleet;
        RehearseLife load;      /* every poll of the first hours */
        RehearseLife lives[READING__MAX];
        RehearseCalendar calendars[READING__MAX];       /* of each life; folded as it is to be printed */
        size_t n_lives;
        bool alike;             /* all lives' calendars: one is printed */
        RehearseLapses lapses;
        size_t n_unread;
} Rehearsal;

/* An endpoint's calls: of all lives the busiest. Seen over the whole time, polls that were left out included. */
void rehearse_rate(const Rehearsal *r, size_t endpoint, double *ret_mean_per_sec, double *ret_peak_per_sec, usec_t *ret_peak_at_usec);
bool rehearse_is_bad(const Rehearsal *r);

/* All: 0; -ENOMEM and the like. */
int rehearse_print(const Rehearsal *r);
int rehearse_print_timeline(const Rehearsal *r, const RehearseLife *life, const RehearseCalendar *c);
int rehearse_print_json(const Rehearsal *r);

/* What all forms say about what is assumed; ends with NULL. */
extern const char *const rehearse_assumptions[];
