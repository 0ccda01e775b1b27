/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the fleet stands, from whatever source: what holds for the daemon as a whole, and every control.
 */

#include "facts/status.h"
#include "policy/arena.h"

/* Texts belong to the fleet; NULL, and 0 for numbers and times, where it is not known. */
typedef struct FleetInfo {
        bool live;                      /* the daemon said it itself; else it is the state that it left behind */
        bool running;                   /* a daemon is there, also where the files were asked and not it */
        bool files;                     /* not live: because the command line says which files are meant */
        usec_t as_of_usec;              /* of the state */
        usec_t now_usec;                /* when it was asked */
        const char *version, *mode;
        unsigned n_rejected, n_in_flight;
        const char *credentials_source, *credentials_state;
        usec_t credentials_expire_usec;
        usec_t started_usec, reloaded_usec, next_look_usec, contact_at_usec;
        bool state_failing;
        bool settings_rejected;         /* holdfast.yaml was, at the last load: what was in force before still is */
        bool policies_rejected;         /* instances.d could not be read, at the last load: likewise */
        bool state_missing;             /* not live: there is no database yet */
        bool config_broken;             /* not live: settings or policies cannot be read at all */
} FleetInfo;

typedef struct Fleet {
        Arena *arena;
        FleetInfo info;
        ControlStatus *items;           /* sorted by name, then by control */
        size_t n_items, n_allocated;
        EndpointStatus *endpoints;
        size_t n_endpoints;
} Fleet;

int fleet_new(Fleet **ret);
Fleet *fleet_free(Fleet *f);
DEFINE_CLEANUP(Fleet *, fleet_free)

/* A copy that belongs to the fleet, fit for terminals: valid UTF-8 on one line. NULL stays NULL, and is also what lack of memory gives. */
const char *fleet_text(Fleet *f, const char *s);

/* Makes the texts of @s, wherever they are, the fleet's own. Return: 0 or -ENOMEM. */
int fleet_own(Fleet *f, ControlStatus *s);

/* Adds one; its texts are copied with fleet_text(). Return: 0 or -ENOMEM. */
int fleet_add(Fleet *f, const ControlStatus *s);
int fleet_add_endpoint(Fleet *f, const EndpointStatus *s);
void fleet_sort(Fleet *f);

typedef struct FleetCounts {
        size_t n_instances, n_controls, n_compliant, n_violated, n_unknown;
} FleetCounts;

void fleet_count(const Fleet *f, FleetCounts *ret);
bool fleet_is_well(const Fleet *f, bool whole); /* nothing to tell; @whole: of the daemon and its endpoints either */
Verdict status_verdict(const ControlStatus *s); /* what is not known as a verdict is unknown */

/**
 * fleet_select() - leave only what the names mean
 * @names:      each an instance's name or id, a pattern of them (glob(7)), or the beginning of exactly one name
 *
 * Return: 0; -ENOENT if a name means nothing, -ENOTUNIQ if it is the beginning of several: said on stderr.
 */
int fleet_select(Fleet *f, char *const names[], size_t n_names);

/* For those who have names, but no fleet. @on_match is called for each index that @name means. Same returns; *ret_index of names. */
typedef struct NameList {
        size_t n;
        const char *(*name)(const void *list, size_t i);        /* sorted by it */
        const char *(*instance_id)(const void *list, size_t i);
        const void *list;
} NameList;

int names_match(const NameList *list, const char *name, void (*on_match)(void *userdata, size_t i), void *userdata);
