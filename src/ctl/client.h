/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The daemon, as a client of the system bus sees it.
 */

#include <systemd/sd-bus.h>

#include "ctl/ctl.h"

static inline _unused_ void client_closep(sd_bus **bus) {
        (void) sd_bus_flush_close_unref(*bus);
}

static inline _unused_ void message_unrefp(sd_bus_message **m) {
        (void) sd_bus_message_unref(*m);
}

/* Return: 0; -ENODEV, unsaid: there is no bus. */
int client_open(sd_bus **ret);

/**
 * client_call() - call a method of the daemon's
 * @types:      of the arguments that follow, as sd_bus_message_append()
 * @acts:       it changes something: may ask for authorization, and take its time
 * @ret:        new (sd_bus_message_unref()); may be NULL
 *
 * Return: 0; -ENODEV, unsaid: no daemon is on the bus; -errno after a word on stderr.
 */
int client_call(sd_bus *bus, const char *interface, const char *method, bool acts, sd_bus_message **ret, const char *types, ...);

/* The same with a message that is made already. */
int client_send(sd_bus *bus, sd_bus_message *m, bool acts, sd_bus_message **ret);

/* Calls a method with one text, to read. Return: 1; 0 if the answer is the @expected error, by its name; -errno as client_call(). */
int client_try(sd_bus *bus, const char *interface, const char *method, const char *expected, sd_bus_message **ret, const char *text);

/* For verbs that need the daemon. Return: -ENODEV, said on stderr. */
int client_complain_missing(void);
