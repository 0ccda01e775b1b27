/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The daemon's face on D-Bus (org.holdfast1(5)): the object, its name on the system bus, who may act, and what is told of itself. The daemon does
 * its work with a bus, without one, and while one comes and goes.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "engine/engine.h"

typedef struct BusReload {
        int result;             /* 0; -errno: the settings or policies of before are in force; -ECANCELED: the daemon stops */
        size_t n_rejected;
        char problem[1024];     /* on failure: what stands in the way, for people */
} BusReload;

typedef struct BusFacts {       /* what the daemon knows and the engine does not; texts outlive the call */
        const char *config, *state;             /* the file and the folder in use */
        size_t n_policies, n_rejected;
        usec_t started_usec, reloaded_usec;     /* wall clock; reloaded: 0: not since it started */
        bool state_failing;     /* there is no store at all */
        bool settings_rejected; /* holdfast.yaml was broken at the last load: that of before is in force */
        bool policies_rejected; /* instances.d could not be read at the last load: the policies of before are in force */
        bool stopping;
} BusFacts;

/* The daemon as this room sees it. None may call back. */
typedef struct BusHost {
        void *userdata;
        Engine *(*engine)(void *userdata);      /* the one that runs now; with policies in force */
        void (*facts)(void *userdata, BusFacts *ret);
        /* As at SIGHUP, from the loop: bus_answer_reload() tells later how the one of that number, or a later one, went. Return: 0; -errno. */
        int (*reload)(void *userdata, uint64_t *ret_number);
        void (*acted)(void *userdata);          /* the engine was told to do something: run it soon */
        void (*say)(void *userdata, const Event *event);
} BusHost;

typedef struct Bus Bus;

int bus_new(sd_event *event, const BusHost *host, Bus **ret);
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free)

/**
 * bus_open() - appear on the system bus, before the loop runs
 *
 * Blocks for some seconds at most, and not at all where there is no bus: then, and whenever the bus goes away, it is looked for again from
 * the loop. A daemon that may not have the name is no failure either.
 *
 * Return: 0; -EEXIST if another process has the name; -ENOMEM.
 */
int bus_open(Bus *b);

/* Puts the object on a connection that the caller has made and keeps: a direct one, without a bus and its names. */
int bus_serve(Bus *b, sd_bus *connection);

/* For those who asked for reloads of numbers up to this one. */
void bus_answer_reload(Bus *b, uint64_t number, const BusReload *outcome);

/* News for those who listen. */
void bus_note_shown(Bus *b, const char *name, const char *control, const char *verdict);
void bus_note_reloaded(Bus *b);
