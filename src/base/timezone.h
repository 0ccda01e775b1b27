/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An IANA time zone as a table of UTC offsets. The table is taken from the C library once, when a policy names the
 * zone; from then on looking up is pure, so that control/ can reckon in any zone without touching TZ.
 */

#include "base/time-util.h"

typedef struct Timezone Timezone;

/**
 * timezone_get() - the table of one zone, shared
 * @name:       an IANA name such as "Asia/Singapore"
 * @ret:        belongs to this module, stays valid until timezone_forget_all()
 *
 * Reads the host's zone files through the C library (it sets TZ while it does, and puts it back): call it while policies
 * are loaded, on the main thread. The table covers 2015 to 2150.
 *
 * Return: 0; -ENOENT if there is no such zone; -ENOMEM.
 */
int timezone_get(const char *name, const Timezone **ret);
void timezone_forget_all(void);

const char *timezone_name(const Timezone *z);

/* Seconds east of UTC at that moment. */
int32_t timezone_offset(const Timezone *z, usec_t at_usec);

/* The next moment after @at_usec at which it is another; USEC_INFINITY: none is known. */
usec_t timezone_next_change(const Timezone *z, usec_t at_usec);

void timezone_to_civil(const Timezone *z, usec_t at_usec, CivilTime *ret);

/**
 * timezone_from_civil() - the moment at which clocks of the zone show @c
 *
 * Of a reading that occurs twice (clocks set back) the first is taken; one that is skipped (clocks set forward) counts as
 * many seconds after the gap's beginning as it lies inside it.
 */
usec_t timezone_from_civil(const Timezone *z, const CivilTime *c);
