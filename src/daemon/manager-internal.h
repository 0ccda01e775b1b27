/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this room share:
 *
 *      manager.c       set-up, signals, stopping
 *      reload.c        settings and policies: read, and put in force
 *      world.c         the engine's World: clocks, sending, storing, saying, credentials
 *      service.c       the service manager: readiness, status, watchdog
 *      watch.c         what changes outside: the clock, credential files
 *      face.c          what is seen and done over D-Bus
 */

#include <limits.h>

#include <systemd/sd-event.h>

#include "bus/bus.h"
#include "daemon/manager.h"
#include "engine/engine.h"
#include "policy/load.h"
#include "store/store.h"
#include "transport/transport.h"

typedef struct Reload Reload;

struct Manager {
        const Options *options;
        Report *report;
        sd_event *event;
        Engine *engine;
        Transport *transport;
        Store *store;                   /* NULL: could not be opened, is tried again */
        const Settings *settings;       /* in force; the engine's */
        const PolicySet *policies;      /* in force; the engine's */
        size_t n_rejected;
        bool settings_rejected;         /* at the last load: those of before are in force */
        bool policies_rejected;         /* at the last load, all of them: those of before are in force */
        char problem[1024];             /* the first of the last load; empty: none */
        bool reloading, reload_again;   /* … and once more after that */
        Reload *reload;                 /* what was read of it so far; NULL: nothing */
        uint64_t n_reloads;             /* that were begun */
        usec_t started_usec, reloaded_usec;     /* wall clock */
        Bus *bus;                       /* NULL: --once */

        sd_event_source *run_source;    /* engine_run() is wanted now */
        sd_event_source *due_source;    /* engine_run() is wanted later */
        sd_event_source *commit_source;
        sd_event_source *stop_source;   /* 10 s to stop */
        sd_event_source *reload_source; /* its next slice */
        sd_event_source *reopen_source;
        sd_event_source *status_source;
        sd_event_source *watchdog_source;
        sd_event_source *clock_source;
        sd_event_source *files_source;  /* inotify on the credentials' folder */
        sd_event_source *above_source;  /* … and on the one above, where it is replaced or appears */
        sd_event_source *settle_source; /* their change is acted upon once they have settled */
        sd_event_source *signal_sources[3];

        char name_above[NAME_MAX + 1];  /* what is looked for there */
        bool said_unwatched;            /* that the credentials cannot be watched */

        usec_t committed_at_usec;       /* CLOCK_BOOTTIME */
        int put_error;                  /* of a put since the last commit */
        bool stopping;
        char status[256];               /* as last told */
        bool status_is_due;             /* it may have changed since */
        usec_t watchdog_usec;           /* 0: nobody watches */
        usec_t engine_due_at_usec;      /* CLOCK_BOOTTIME: when the engine wants to be run next */
        usec_t armed_at_usec;           /* CLOCK_BOOTTIME: when due_source wakes it, perhaps too early; USEC_INFINITY: not set */
        bool stuck;                     /* it was not, when the watchdog looked last */
};

usec_t now_boottime(void);
usec_t now_realtime(void);

/* world.c */
extern const World manager_world;       /* but for userdata */
void manager_wake(Manager *m);          /* run the engine in this turn of the loop */
void manager_after_replies(void *userdata);
int manager_commit_now(Manager *m);
int manager_open_store(Manager *m);     /* and hand what it has to the engine */
void manager_on_reply(void *userdata, uint64_t cookie, HttpReply *reply);

/* service.c */
int service_start(Manager *m);
void service_note_change(Manager *m);           /* the status line may be another now: it is told soon */
void service_ready(Manager *m);
void service_format_status(const Manager *m, char *buf, size_t size);  /* "4,812 controls: 4,801 compliant, …" */
void service_reloading(Manager *m);
void service_stopping(Manager *m);

/* watch.c */
int watch_clock(Manager *m);
/* Before they are read: anew each time, for the path may lead elsewhere than it did. Where they are not files, nothing is watched. */
void watch_credentials(Manager *m, const Settings *settings);

/* face.c */
int face_open(Manager *m);              /* -EEXIST, said: another daemon has the bus's name */

/* reload.c */
int reload_set_up(Manager *m);
/* Reads settings and policies and puts them in force. Return: 0, also if policies were rejected; -EBADMSG if the settings are broken: those
 * of before stay, if there are any, and the policies are read all the same; -EBADMSG at start if the folder of policies cannot be read; -errno. */
int manager_configure(Manager *m);
/* The same from the loop, a little at a time: returns at once. @ret_number: of the reload that will have read what there is now. */
int manager_reload(Manager *m, uint64_t *ret_number);
void reload_cancel(Manager *m);         /* nothing of it comes in force */

/* manager.c */
void manager_say_event(Manager *m, const Event *event);
void manager_say(Manager *m, EventId id, const char *format, ...) _printf_(3, 4);
