/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One life: the daemon's engine in a virtual machine against the simulated cloud, as one seed decides. What goes wrong is the part of
 * troubles.c, what must hold all the same is that of oracle.c.
 */

#include <stdio.h>

#include "keeper.h"
#include "scenario.h"
#include "sim/rules.h"
#include "trace.h"
#include "troubles.h"
#include "virtual/machine.h"

typedef struct Oracle Oracle;   /* oracle.h */

typedef struct Figures {
        uint64_t n_lives, n_failed;
        double instance_years, lock_years;
        uint64_t n_asked, n_sent, n_remembered, n_verified;
        uint64_t n_enabled, n_extended, n_lapsed, n_frozen, n_events;
        uint64_t n_deceived;            /* ends past a cap that a lying cloud has brought about: see oracle-lock.c */
        uint64_t n_checked;             /* verdicts that were held against the truth */
        uint64_t n_troubles[TROUBLE__MAX];
} Figures;

void figures_add(Figures *to, const Figures *f);
void figures_print(const Figures *f, FILE *to, double wall_seconds, double core_seconds);

typedef struct LifeOptions {
        uint64_t seed;
        usec_t for_usec;
        bool verbose;           /* the trace of everything, at the end */
        bool calm;              /* nothing goes wrong */
        unsigned n_shown;       /* records of the subject concerned */
} LifeOptions;

typedef struct Life {
        LifeOptions options;
        Scenario scenario;
        Rng rng;
        Sim *sim;
        Machine *machine;
        Keeper *keeper;
        Troubles troubles;
        Oracle *oracle;
        Trace *trace;
        bool failed;
        const PolicySet *policies;      /* in force; the engine's */
        uint64_t n_until_kill;  /* hooks until the process is killed; 0: not */
        usec_t ran_usec;        /* while an engine was there */
        Figures figures;
} Life;

/* Return: did it hold? What did not is printed to @to. */
bool life_run(const LifeOptions *options, FILE *to, Figures *figures);

/* The first broken invariant ends the life. @subject: or TRACE_ALL. */
void life_fail(Life *l, int subject, const char *invariant, const char *format, ...) _printf_(4, 5);
void life_trace(Life *l, int subject, TraceKind kind, const char *text, int64_t a, int64_t b);

usec_t life_now(const Life *l);                 /* CLOCK_BOOTTIME */
usec_t life_cloud_now(const Life *l);
int64_t life_skew_usec(const Life *l);          /* of the host's wall clock */
static inline int life_subject(const char *name) { return (name[1] - '0') * 10 + (name[2] - '0'); }

/* Only at rest. */
void life_boot(Life *l);
void life_reload(Life *l, bool broken, bool settings);
void life_change(Life *l, const char *format, ...) _printf_(2, 3);       /* of the cloud, YAML */
