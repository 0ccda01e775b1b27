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

/* What holdfast does next, as an order to itself: "extend the lock to 30 days from then". Returns @buf. */
char *control_describe_next(const Instance *instance, Control c, const DescribeNext *d, char buf[static DESCRIBE_MAX]);
