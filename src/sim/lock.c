/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/lock.h"

bool sim_lock_runs(const SimLock *l, usec_t now_usec) {
        return l->enabled && now_usec < l->end_usec;
}

static LockOutcome refuse(const char **ret_why, const char *why) {
        *ret_why = why;
        return LOCK_REFUSED;
}

static usec_t round_end(const SimSettings *s, usec_t end_usec) {
        usec_t past = end_usec % USEC_PER_DAY;

        return s->lock.round_end == SIM_ROUND_DAY && past > 0 ? end_usec - past + USEC_PER_DAY : end_usec;
}

/* A cloud that lies gives more, or less, than was asked for. */
static usec_t overshoot(const SimSettings *s, usec_t end_usec) {
        return sim_shift(end_usec, s->lock.overshoot_days * (int64_t) USEC_PER_DAY);
}

static LockOutcome enable(const SimSettings *s, SimLock *lock, int64_t days, usec_t now_usec) {
        lock->enabled = true;
        lock->start_usec = now_usec;
        lock->end_usec = overshoot(s, round_end(s, usec_add(now_usec, (usec_t) days * USEC_PER_DAY)));
        lock->days = days;
        return LOCK_CHANGED;
}

static LockOutcome extend(const SimSettings *s, SimLock *lock, int64_t days, usec_t now_usec, const char **ret_why) {
        usec_t from_usec, end_usec;

        switch (s->lock.reading) {
        case SIM_FROM_START: from_usec = lock->start_usec; break;
        case SIM_FROM_NOW: from_usec = now_usec; break;
        default: from_usec = lock->end_usec; break;
        }
        end_usec = round_end(s, usec_add(from_usec, (usec_t) days * USEC_PER_DAY));

        if (end_usec < lock->end_usec && s->lock.shorten != SIM_SHORTEN_OBEY)
                return s->lock.shorten == SIM_SHORTEN_IGNORE
                               ? LOCK_UNCHANGED
                               : refuse(ret_why, "The retention period of the compliance lock cannot be shortened.");
        if (end_usec == lock->end_usec)
                return s->lock.no_op == SIM_ALLOW
                               ? LOCK_UNCHANGED
                               : refuse(ret_why, "The retention period of the compliance lock is not extended.");

        lock->end_usec = overshoot(s, end_usec);
        lock->days = days;
        if (s->lock.start_moves)
                lock->start_usec = now_usec;
        return LOCK_CHANGED;
}

LockOutcome sim_lock_request(const SimSettings *s, SimLock *lock, bool extends, int64_t days, usec_t now_usec,
                             const char **ret_why) {
        bool runs = sim_lock_runs(lock, now_usec);

        if (!extends) {
                if (runs && s->lock.enable_on_enabled == SIM_ON_ENABLED_EXTEND)
                        return extend(s, lock, days, now_usec, ret_why);
                if (runs)
                        return s->lock.enable_on_enabled == SIM_ON_ENABLED_IGNORE
                                       ? LOCK_UNCHANGED
                                       : refuse(ret_why, "The compliance lock is already enabled.");
                if (lock->enabled && s->lock.enable_after_expiry == SIM_REFUSE)
                        return refuse(ret_why, "The compliance lock has expired and cannot be enabled again.");
                return enable(s, lock, days, now_usec);
        }

        if (runs)
                return extend(s, lock, days, now_usec, ret_why);
        if (!lock->enabled)
                return s->lock.extend_without_lock == SIM_ALLOW
                               ? enable(s, lock, days, now_usec)
                               : refuse(ret_why, "The compliance lock is not enabled.");
        return s->lock.extend_after_expiry == SIM_ALLOW ? enable(s, lock, days, now_usec)
                                                        : refuse(ret_why, "The compliance lock has expired.");
}

static int64_t in_unit(const SimSettings *s, usec_t at_usec) {
        return (int64_t) (at_usec / (s->lock.unit == SIM_SECONDS ? USEC_PER_SEC : USEC_PER_MSEC));
}

static void show_never(const SimSettings *s, JsonBuild *b, json_object *to) {
        static const char *const names[] = { "lock_retention_days", "lock_policy", "lock_start_time",
                                             "lock_end_time" };
        json_object *info;

        if (s->lock.never_enabled == SIM_NEVER_MISSING)
                return;
        info = sim_json_build_child(b, to, "backup_vaultlock_info");
        if (s->lock.never_enabled == SIM_NEVER_NULLS) {
                for (size_t i = 0; i < N_ELEMENTS(names); i++)
                        sim_json_build_null(b, info, names[i]);
                return;
        }
        sim_json_build_bool(b, info, "lock_policy", false);
        if (s->lock.never_enabled == SIM_NEVER_EXPLICIT)
                return;
        sim_json_build_int(b, info, "lock_retention_days", 0);
        sim_json_build_int(b, info, "lock_start_time", 0);
        sim_json_build_int(b, info, "lock_end_time", 0);
}

void sim_lock_show(const SimSettings *s, const SimLock *l, usec_t now_usec, JsonBuild *b, json_object *to) {
        int64_t days = l->days;
        json_object *info;

        if (!l->enabled) {
                show_never(s, b, to);
                return;
        }
        if (s->lock.days_reported == SIM_DAYS_TOTAL)
                days = (int64_t) ((usec_sub(l->end_usec, l->start_usec) + USEC_PER_DAY / 2) / USEC_PER_DAY);

        info = sim_json_build_child(b, to, "backup_vaultlock_info");
        sim_json_build_int(b, info, "lock_retention_days", days);
        sim_json_build_bool(b, info, "lock_policy", sim_lock_runs(l, now_usec) || s->lock.after_expiry);
        sim_json_build_int(b, info, "lock_start_time", in_unit(s, l->start_usec));
        sim_json_build_int(b, info, "lock_end_time", in_unit(s, l->end_usec));
}
