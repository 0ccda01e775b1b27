/* SPDX-License-Identifier: Apache-2.0 */
#include "store/text.h"

#include <errno.h>

/* The set is small enough to be compared as a whole: what we did not write ourselves is not taken. */
int readings_from_text(const char *s, unsigned *ret) {
        assert(s);
        assert(ret);

        for (unsigned set = 0; set <= READINGS_ALL; set++) {
                char buf[READINGS_TEXT_MAX];

                if (streq(s, readings_to_text(set, buf))) {
                        *ret = set;
                        return 0;
                }
        }

        return -EINVAL;
}

static const char *const said_names[SAID__MAX] = {
        [SAID_DRIFT] = "drift",
        [SAID_REMEDIATION_FAILED] = "remediation-failed",
        [SAID_LOCK_EXPIRING] = "lock-expiring",
        [SAID_LOCK_LAPSED] = "lock-lapsed",
        [SAID_LOCK_REFUSED] = "lock-refused",
        [SAID_LOCK_EMPTY] = "lock-empty",
        [SAID_BACKUP_STALE] = "backup-stale",
        [SAID_UNKNOWN] = "unknown",
        [SAID_UNKNOWN_LONG] = "unknown-long",
        [SAID_API_FAILING] = "api-failing",
};

const char *said_to_text(SaidId id) {
        assert(id < SAID__MAX);
        return said_names[id];
}

int said_from_text(const char *s) {
        assert(s);

        for (int i = 0; i < SAID__MAX; i++)
                if (streq(said_names[i], s))
                        return i;

        return -EINVAL;
}

int control_from_text(const char *s) {
        assert(s);

        for (int i = 0; i < CONTROL__MAX; i++)
                if (streq(control_to_string((Control) i), s))
                        return i;

        return -EINVAL;
}

int lock_action_from_text(const char *s) {
        assert(s);

        for (int i = 0; i < LOCK_ACTION__MAX; i++)
                if (streq(lock_action_to_string((LockAction) i), s))
                        return i;

        return -EINVAL;
}

bool civil_is_valid(const CivilTime *c) {
        assert(c);

        return c->year >= 1970 && c->year <= 9999 && c->month >= 1 && c->month <= 12 &&
               c->day >= 1 && c->day <= civil_days_in_month(c->year, c->month) &&
               c->hour >= 0 && c->hour <= 23 && c->minute >= 0 && c->minute <= 59 &&
               c->second >= 0 && c->second <= 60;
}

bool civil_is_zero(const CivilTime *c) {
        assert(c);

        return c->year == 0 && c->month == 0 && c->day == 0 && c->hour == 0 && c->minute == 0 && c->second == 0;
}
