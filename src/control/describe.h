/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A control in words, for status: what its policy wants, and what happens next. Made when somebody asks, from what is there; nothing is kept.
 */

#include "facts/state.h"
#include "policy/policy.h"

#define DESCRIBE_MAX 512        /* bytes; longer ones (paths in a bucket) are cut */

typedef struct DescribeNext {
        const ControlState *state;
        Verdict verdict;        /* of now */
        bool enforce;           /* mode: enforce and not --observe */
        bool frozen;            /* lock: writes to its endpoint wait for an administrator */
        usec_t now_usec;
} DescribeNext;

/* What the policy says: "a lock of 30 days, extended when less than 7 d remain, …". @instance has @c. Returns @buf. */
char *control_describe_wanted(const Instance *instance, Control c, char buf[static DESCRIBE_MAX]);

/* What it says of limits.new_locks_per_day when that is reached. Returns @buf. */
char *control_describe_new_locks(unsigned per_day, char buf[static DESCRIBE_MAX]);

/* What is next where holdfast can do no more than report: somebody must act, and these tell who. */
#define NEXT_OTHER_LIMITS "report that the cap, the limits or what is unknown of the interface forbid the request that the policy needs, until the " \
                          "policy or the limits are changed"
#define NEXT_MANUAL_BACKUP "report that the lock has nothing to protect, until there is a manual full backup"
#define NEXT_YOUNGER_BACKUP "report it, until there is a younger backup"
#define NEXT_NEVER_OFF "report it: encryption is never switched off"
#define NEXT_NO_KEY "report it, until somebody switches encryption on: the policy gives no key to do it with"

/* Of what is compliant and waits for nothing. */
#define NEXT_LOOK "look whether it is still so"

/* What holdfast does next, as an order to itself: "extend the lock to 30 days from then". Returns @buf. */
char *control_describe_next(const Instance *instance, Control c, const DescribeNext *d, char buf[static DESCRIBE_MAX]);
