/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/vault-lock.h"

#include <errno.h>
#include <stdio.h>

#include "cloud/failure.h"
#include "cloud/json-read.h"

#define DAYS_MAX 36500          /* lock_retention_days: 1 to 36500 */
#define RAW_MILLISECONDS_MIN INT64_C(100000000000)      /* seconds of the year 5138, milliseconds of 1973 */
#define SECONDS_PER_DAY INT64_C(86400)
#define MILLISECONDS_PER_DAY INT64_C(86400000)

#define INFO "backup_vaultlock_info"
#define START "lock_start_time"
#define END "lock_end_time"
#define EXPECTED_TIMESTAMP "a timestamp"
#define EXPECTED_RANGE "a time between 2015 and 2150, in seconds or milliseconds"

typedef struct RawLock {
        bool has_policy, policy;
        int64_t start, end;     /* 0: not given */
} RawLock;

static LockUnit unit_by_size(int64_t raw) {
        return raw >= RAW_MILLISECONDS_MIN ? LOCK_UNIT_MILLISECONDS : LOCK_UNIT_SECONDS;
}

/* Stops at USEC_INFINITY, so that no size of number passes for a date. */
static usec_t raw_to_usec(int64_t raw, LockUnit unit) {
        usec_t factor = unit == LOCK_UNIT_SECONDS ? USEC_PER_SEC : USEC_PER_MSEC;

        return raw <= 0 ? 0 : (usec_t) raw > USEC_INFINITY / factor ? USEC_INFINITY : (usec_t) raw * factor;
}

/* Does the span look like @days days of that unit? Both products stay far below 2^63. */
static bool span_fits(int64_t span, int64_t days, int64_t per_day) {
        return span >= days * per_day / 2 && span / 2 <= days * per_day;
}

static int check_unit(const JsonAt *at, const RawLock *raw, int64_t days, LockUnit unit) {
        int64_t other = unit == LOCK_UNIT_SECONDS ? MILLISECONDS_PER_DAY : SECONDS_PER_DAY;
        char found[160];

        if (raw->start <= 0 || !span_fits(raw->end - raw->start, days, other))
                return 0;

        (void) snprintf(found, sizeof(found),
                        "%lld after " START " %lld and %lld days, of which the size says %s and the span says %s",
                        (long long) raw->end, (long long) raw->start, (long long) days,
                        unit == LOCK_UNIT_SECONDS ? "seconds" : "milliseconds",
                        unit == LOCK_UNIT_SECONDS ? "milliseconds" : "seconds");
        return json_complain(at, END, found, "one unit");
}

static int check_range(const JsonAt *at, const char *name, int64_t raw, usec_t at_usec) {
        char found[32];

        if (at_usec >= TIME_MIN_USEC && at_usec <= TIME_MAX_USEC)
                return 0;

        (void) snprintf(found, sizeof(found), "%lld", (long long) raw);
        return json_complain(at, name, found, EXPECTED_RANGE);
}

static int read_days(const JsonAt *at, int64_t *ret) {
        int r = json_read_integer(at, "lock_retention_days", "1 to 36500 days", 1, DAYS_MAX, ret);

        return r == 0 ? json_missing(at, "lock_retention_days", "1 to 36500 days") : r;
}

static int decode_held(const JsonAt *at, const RawLock *raw, LockFacts *ret) {
        LockFacts lock = { .presence = LOCK_HELD, .raw_start = raw->start, .raw_end = raw->end };
        char found[64];
        int r;

        r = read_days(at, &lock.retention_days);
        if (r < 0)
                return r;
        if (raw->end == 0)
                return json_missing(at, END, EXPECTED_TIMESTAMP);
        if (raw->end < 0 || raw->start < 0)
                return json_complain(at, raw->end < 0 ? END : START, "a negative number", EXPECTED_TIMESTAMP);
        if (raw->start > 0 && raw->end <= raw->start) {
                (void) snprintf(found, sizeof(found), "%lld", (long long) raw->end);
                return json_complain(at, END, found, "a time after " START);
        }

        lock.unit = unit_by_size(raw->end);
        lock.end_usec = raw_to_usec(raw->end, lock.unit);
        lock.start_usec = raw_to_usec(raw->start, lock.unit);
        r = check_range(at, END, raw->end, lock.end_usec);
        if (r >= 0 && raw->start > 0)
                r = check_range(at, START, raw->start, lock.start_usec);
        if (r >= 0)
                r = check_unit(at, raw, lock.retention_days, lock.unit);
        if (r < 0)
                return r;

        *ret = lock;
        return 1;
}

static int decode_none(const JsonAt *at, const RawLock *raw, usec_t now_usec, LockFacts *ret) {
        usec_t end_usec = raw_to_usec(raw->end, unit_by_size(raw->end));
        LockFacts none = { .presence = LOCK_NONE, .raw_start = raw->start, .raw_end = raw->end };

        if (raw->has_policy && end_usec > now_usec)
                return json_complain(at, "lock_policy", "false, though " END " lies ahead",
                                     "true, or a time that has passed");

        if (!raw->has_policy) {
                int64_t days = 0;
                int r = json_read_integer(at, "lock_retention_days", "1 to 36500 days", 0, DAYS_MAX, &days);

                if (r < 0)
                        return r;
                if (days != 0 || raw->start != 0 || raw->end != 0)
                        return json_missing(at, "lock_policy", "true or false beside the other members");
        }

        none.explicit_none = raw->has_policy;
        none.ended_usec = end_usec >= TIME_MIN_USEC ? end_usec : 0;
        *ret = none;
        return 1;
}

int vault_lock_decode(const HttpReply *p, usec_t now_usec, LockFacts *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        RawLock raw = {};
        JsonAt root, info;
        int r;

        r = json_reply_root(p, false, failure, &o, &root);
        if (r < 0)
                return r;

        r = json_read_object(&root, INFO, &info);
        if (r < 0)
                return r;
        if (r == 0) {
                /* A cloud that has nothing to say of a lock may leave it out; one that says something else instead is not understood. */
                if (!json_object_object_get_ex(root.object, INFO, NULL) && !json_is_blank(&root))
                        return json_missing(&root, INFO, "it, where there is anything beside it");
                *ret = (LockFacts) { .presence = LOCK_NONE };
                return 1;
        }

        r = json_read_bool(&info, "lock_policy", &raw.policy);
        if (r < 0)
                return r;
        raw.has_policy = r > 0;
        r = json_read_integer(&info, START, EXPECTED_TIMESTAMP, INT64_MIN, INT64_MAX, &raw.start);
        if (r >= 0)
                r = json_read_integer(&info, END, EXPECTED_TIMESTAMP, INT64_MIN, INT64_MAX, &raw.end);
        if (r < 0)
                return r;

        return raw.policy ? decode_held(&info, &raw, ret) : decode_none(&info, &raw, now_usec, ret);
}
