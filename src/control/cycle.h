/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The arithmetic of DBSS backup cycles: when a trigger comes round again, and whether two triggers are the same phase.
 */

#include "base/timezone.h"
#include "facts/facts.h"

/**
 * cycle_next() - the first trigger after now
 * @trigger:    the phase as the policy writes it, a reading of clocks in @zone
 * @zone:       the zone of the audit instance
 *
 * A trigger that is still to come is returned as it is. Five minutes and an hour are exact spans; day, week and month keep the
 * clock reading, across daylight saving; a month too short for the day takes its last day, and the day comes back afterwards.
 */
void cycle_next(Cycle cycle, const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret);

/**
 * cycle_same_phase() - do two readings of one clock lie a whole number of cycles apart?
 * @shift_seconds: accept this difference too (a change of the zone's offset between the two readings); 0: none
 */
bool cycle_same_phase(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t shift_seconds);

/**
 * cycle_zone_shift_possible() - could @b be the phase @a, shown in another zone?
 *
 * True when they differ by a whole number of quarter hours (every zone's offset is one), whatever the cycle.
 */
bool cycle_zone_shift_possible(Cycle cycle, const CivilTime *a, const CivilTime *b);
