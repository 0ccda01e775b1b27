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
 * A trigger that is still to come is returned as it is. Five minutes and an hour are exact spans; day, week and month
 * keep the clock reading, across daylight saving; a month too short for the day takes its last day, and the day comes
 * back afterwards. Where clocks show a reading twice, the first time counts: the text that is sent never lies in the
 * past of a server that reads it so.
 */
void cycle_next(Cycle cycle, const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret);

/* The longest time from one trigger to the next, by the clock. */
usec_t cycle_length_usec(Cycle cycle);

/**
 * cycle_same_phase() - do two readings of one clock lie a whole number of cycles apart?
 * @shift_seconds: how much further @b is known to be than @a for another reason (a change of the clock's zone between
 *              the two readings); 0: none
 *
 * Months have no one length: the same clock time, and the same day, or one that is the last of its month where the
 * other is no earlier (a 31st is shown as the 30th of April).
 */
bool cycle_same_phase(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t shift_seconds);

/**
 * cycle_zone_shift() - how far is @b's clock ahead of @a's, if both are the same phase?
 * @ret_seconds: where the readings themselves are close enough, their difference; else the smallest shift there is;
 *              untouched if none can be told
 *
 * Cycles shorter than a day can't tell: hours ahead and hours moved on are the same.
 *
 * Return: whether there is a shift that a zone can explain: whole quarter hours, at most the 26 hours that zones lie
 * apart.
 */
bool cycle_zone_shift(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t *ret_seconds);

/* Could @b be the phase @a, shown in another zone? As above, for all cycles. */
bool cycle_zone_shift_possible(Cycle cycle, const CivilTime *a, const CivilTime *b);
