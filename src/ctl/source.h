/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where holdfastctl learns how things stand: from the daemon over the bus, or, where none runs, from the state it left behind and the
 * policies.
 */

#include <systemd/sd-bus.h>

#include "ctl/ctl.h"
#include "ctl/fleet.h"

/**
 * source_read() - the fleet, or what the names mean
 * @ret:        new (fleet_free())
 *
 * Asks the daemon, unless --state, --config or --instances say which files to read. That it does not run, or was not asked, is said by the
 * caller, with source_foot(); info.running tells which. The verdicts are as of now: what only the files say, and is too old to hold, is
 * unknown already.
 *
 * Return: 0; -errno after a word on stderr: -ENOENT, -ENOTUNIQ for a name.
 */
int source_read(const CtlOptions *o, char *const names[], size_t n_names, Fleet **ret);

/* The same of one source, neither sorted nor selected: names are hints. bus: -ENODEV, unsaid, if no daemon answers. */
int source_bus_read(const CtlOptions *o, char *const names[], size_t n_names, Fleet *f);
/* state: @removed: with controls whose policy is gone. */
int source_state_read(const CtlOptions *o, bool removed, Fleet *f);

usec_t source_realtime(void);           /* this host's clock */

/* All endpoints that the daemon knows, and nothing else. Returns as source_read(); -ENODEV, unsaid, if no daemon answers. */
int source_bus_endpoints(sd_bus *bus, Fleet *f);

/* "holdfastd is not running; this is the state as of …" on stderr, or that it is running and was not asked. */
void source_foot(const Fleet *f);

/* Says why the state could not be read, and who may. Return: @r; -ENODATA for -ENOENT, which is said of names. */
int state_complain(const CtlOptions *o, int r);

/* The exit status of a failure that was said already. */
int source_exit(int r);
