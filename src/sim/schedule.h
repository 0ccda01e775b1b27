/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When an audit instance makes its backups: reckoned when somebody looks, so that no timer is needed. */

#include "sim/state.h"

/* Seconds east of UTC in which the instance reads trigger times. */
int64_t sim_schedule_zone(const Sim *s, const SimInstance *i);

/* The @k-th trigger of a schedule, in civil seconds of its zone. */
int64_t sim_schedule_trigger(const SimSchedule *c, int64_t k);

/* The first trigger after @civil_seconds, as its number (0: the trigger time as sent). */
int64_t sim_schedule_next(const SimSchedule *c, int64_t civil_seconds);

/* The latest backup at @now_usec; 0: none so far. */
usec_t sim_schedule_latest(const Sim *s, const SimInstance *i, usec_t now_usec);

/* Has the schedule in force run since it was set? */
bool sim_schedule_triggered(const Sim *s, const SimInstance *i, usec_t now_usec);

/* Keeps what has run so far, before the schedule changes. */
void sim_schedule_settle(const Sim *s, SimInstance *i, usec_t now_usec);
