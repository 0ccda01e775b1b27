/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/schedule.h"

static const int64_t
        cycle_seconds
                [SIM_CYCLE__MAX] = {
                        [SIM_CYCLE_FIVE_MIN] = 300,         [SIM_CYCLE_PER_HOUR] = 3600,
                        [SIM_CYCLE_PER_DAY] = 86400,        [SIM_CYCLE_PER_WEEK] = 7 * 86400,
                        [SIM_CYCLE_PER_MONTH] = 28 * 86400, /* at least: months are counted on the calendar */
                };

int64_t sim_schedule_zone(const Sim *s, const SimInstance *i) {
        return i->has_zone ? i->zone_seconds : s->settings.dbss.zone_seconds;
}

int64_t sim_schedule_trigger(const SimSchedule *c, int64_t k) {
        CivilTime civil;
        int64_t months;

        if (c->cycle != SIM_CYCLE_PER_MONTH)
                return c->trigger_seconds + k * cycle_seconds[c->cycle];

        /* The same day of each month, or the last one of a month that is too short. */
        civil_from_seconds(c->trigger_seconds, &civil);
        months = civil.year * INT64_C(12) + civil.month - 1 + k;
        civil.year = (int) (months / 12);
        civil.month = (int) (months % 12) + 1;
        civil.day = MIN(civil.day, civil_days_in_month(civil.year, civil.month));
        return civil_to_seconds(&civil);
}

int64_t sim_schedule_next(const SimSchedule *c, int64_t civil_seconds) {
        int64_t k;

        if (civil_seconds < c->trigger_seconds)
                return 0;
        if (c->cycle != SIM_CYCLE_PER_MONTH)
                return (civil_seconds - c->trigger_seconds) / cycle_seconds[c->cycle] + 1;

        /*
         * No month is longer than 31 days, so this starts at or before the month in question and ends within
         * some steps.
         */
        k = (civil_seconds - c->trigger_seconds) / (31 * INT64_C(86400));
        while (sim_schedule_trigger(c, k) <= civil_seconds)
                k++;
        return k;
}

/* The last trigger after the schedule was set and up to now; 0: none. */
static usec_t last_run(const Sim *s, const SimInstance *i, usec_t now_usec) {
        const SimSchedule *c = sim_history_now(&i->schedule);
        int64_t zone = sim_schedule_zone(s, i), k, at;

        if (!c || !c->configured || !c->on || !i->runs)
                return 0;
        k = sim_schedule_next(c, (int64_t) (now_usec / USEC_PER_SEC) + zone) - 1;
        if (k < 0)
                return 0;
        at = sim_schedule_trigger(c, k) - zone;
        return at > 0 && (usec_t) at * USEC_PER_SEC > c->since_usec ? (usec_t) at * USEC_PER_SEC : 0;
}

usec_t sim_schedule_latest(const Sim *s, const SimInstance *i, usec_t now_usec) {
        return MAX(i->latest_backup_usec, last_run(s, i, now_usec));
}

bool sim_schedule_triggered(const Sim *s, const SimInstance *i, usec_t now_usec) {
        return last_run(s, i, now_usec) > 0;
}

void sim_schedule_settle(const Sim *s, SimInstance *i, usec_t now_usec) {
        i->latest_backup_usec = sim_schedule_latest(s, i, now_usec);
}
