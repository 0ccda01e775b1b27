/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cycle.h"

#define SECONDS_PER_HOUR INT64_C(3600)
#define SECONDS_PER_DAY  (24 * SECONDS_PER_HOUR)

/* Zones differ from UTC by whole quarter hours, and lie between 12 hours west and 14 hours east of it (IANA time
 * zone database). */
#define ZONE_STEP_SECONDS     INT32_C(900)
#define ZONE_EAST_MAX_SECONDS INT64_C(50400)
#define ZONE_STEPS_MAX        (26 * 4)

/* How many five minutes an hour that clocks show twice can hold; Antarctica/Troll shows two hours twice. */
#define REPEATED_MAX 24

/* The round that the clock says comes next may have come already, where clocks were set back between its first
 * time and now: the one after it is to come for sure. */
#define ROUNDS_MAX 2

/* 0: the cycle has no one length. */
static int64_t span_seconds(Cycle cycle) {
        switch (cycle) {
        case CYCLE_FIVE_MIN: return 300;
        case CYCLE_PER_HOUR: return SECONDS_PER_HOUR;
        case CYCLE_PER_DAY: return SECONDS_PER_DAY;
        case CYCLE_PER_WEEK: return 7 * SECONDS_PER_DAY;
        case CYCLE_PER_MONTH:
        case CYCLE__MAX: break;
        }

        return 0;
}

static bool is_exact(Cycle cycle) {
        return cycle == CYCLE_FIVE_MIN || cycle == CYCLE_PER_HOUR;
}

usec_t cycle_length_usec(Cycle cycle) {
        int64_t span = span_seconds(cycle);

        return span > 0 ? (usec_t) span * USEC_PER_SEC : 31 * USEC_PER_DAY;
}

static void shift_civil(const CivilTime *c, int64_t seconds, CivilTime *ret) {
        civil_from_seconds(civil_to_seconds(c) + seconds, ret);
}

static void next_exact(Cycle cycle, const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret) {
        usec_t span = cycle_length_usec(cycle), anchor = timezone_from_civil(zone, trigger);
        usec_t at = usec_add(now_usec, span - (now_usec - anchor) % span);

        timezone_to_civil(zone, at, ret);
        for (unsigned i = 0; i < REPEATED_MAX && timezone_from_civil(zone, ret) <= now_usec; i++) {
                at = usec_add(at, span);
                timezone_to_civil(zone, at, ret);
        }
}

static void next_days(Cycle cycle, const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret) {
        int64_t span = span_seconds(cycle), passed;
        CivilTime now;

        assert(span > 0);

        timezone_to_civil(zone, now_usec, &now);
        passed = civil_to_seconds(&now) - civil_to_seconds(trigger);
        passed -= passed % span; /* where clocks were set back it may be a little below 0, which is none */

        /* By the clock this one has passed, or it comes right now. */
        shift_civil(trigger, passed, ret);
        for (int i = 1; i <= ROUNDS_MAX && timezone_from_civil(zone, ret) <= now_usec; i++)
                shift_civil(trigger, passed + i * span, ret);
}

/* @trigger, @months later. */
static void add_months(const CivilTime *trigger, int months, CivilTime *ret) {
        int month = trigger->month - 1 + months;

        *ret = *trigger;
        ret->year = trigger->year + month / 12;
        ret->month = month % 12 + 1;
        ret->day = MIN(trigger->day, civil_days_in_month(ret->year, ret->month));
}

static void next_month(const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret) {
        CivilTime now;
        int months;

        timezone_to_civil(zone, now_usec, &now);
        months = MAX((now.year - trigger->year) * 12 + now.month - trigger->month, 0);

        add_months(trigger, months, ret);
        for (int i = 1; i <= ROUNDS_MAX && timezone_from_civil(zone, ret) <= now_usec; i++)
                add_months(trigger, months + i, ret);
}

void cycle_next(Cycle cycle, const CivilTime *trigger, const Timezone *zone, usec_t now_usec, CivilTime *ret) {
        CivilTime t;

        assert(trigger);
        assert(zone);
        assert(ret);

        shift_civil(trigger, 0, &t); /* a leap second becomes the minute that follows: few servers know one */
        if (timezone_from_civil(zone, &t) > now_usec)
                *ret = t;
        else if (is_exact(cycle))
                next_exact(cycle, &t, zone, now_usec, ret);
        else if (cycle == CYCLE_PER_MONTH)
                next_month(&t, zone, now_usec, ret);
        else
                next_days(cycle, &t, zone, now_usec, ret);
}

static bool is_last_of_month(const CivilTime *c) {
        return c->day == civil_days_in_month(c->year, c->month);
}

static bool same_phase_of_month(const CivilTime *a, const CivilTime *b) {
        if (a->hour != b->hour || a->minute != b->minute || a->second != b->second)
                return false;

        return a->day == b->day || (is_last_of_month(a) && b->day >= a->day) ||
               (is_last_of_month(b) && a->day >= b->day);
}

bool cycle_same_phase(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t shift_seconds) {
        CivilTime back, plain;
        int64_t span;

        assert(a);
        assert(b);

        span = span_seconds(cycle);
        if (span > 0)
                return (civil_to_seconds(b) - shift_seconds - civil_to_seconds(a)) % span == 0;

        shift_civil(a, 0, &plain); /* leap seconds as above */
        shift_civil(b, -(int64_t) shift_seconds, &back);
        return same_phase_of_month(&plain, &back);
}

/* The smallest shift that makes the two the same phase. */
static bool smallest_shift(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t *ret_seconds) {
        for (int32_t i = 0; i <= ZONE_STEPS_MAX; i++)
                for (int32_t sign = -1; sign <= 1; sign += 2)
                        if (cycle_same_phase(cycle, a, b, sign * i * ZONE_STEP_SECONDS)) {
                                *ret_seconds = sign * i * ZONE_STEP_SECONDS;
                                return true;
                        }

        return false;
}

bool cycle_zone_shift(Cycle cycle, const CivilTime *a, const CivilTime *b, int32_t *ret_seconds) {
        int64_t apart;

        assert(a);
        assert(b);
        assert(ret_seconds);

        if (is_exact(cycle))
                return false;

        /* What was sent lies ahead, so that a server has no reason to have moved it on when it is read at once. */
        apart = civil_to_seconds(b) - civil_to_seconds(a);
        if (apart % ZONE_STEP_SECONDS == 0 && apart >= -ZONE_EAST_MAX_SECONDS && apart <= ZONE_EAST_MAX_SECONDS) {
                *ret_seconds = (int32_t) apart;
                return true;
        }

        return smallest_shift(cycle, a, b, ret_seconds);
}

bool cycle_zone_shift_possible(Cycle cycle, const CivilTime *a, const CivilTime *b) {
        int32_t shift;

        assert(a);
        assert(b);

        return smallest_shift(cycle, a, b, &shift);
}
