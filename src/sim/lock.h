/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The compliance lock, in every way in which its documentation can be read (TaurusDB API Reference, Enabling or
 * Extending the Backup Compliance Lock, 2026-06). Pure: a lock and a request give a lock or a refusal.
 */

#include "sim/state.h"

typedef enum LockOutcome {
        LOCK_CHANGED,
        LOCK_UNCHANGED, /* answered with success, and nothing happened */
        LOCK_REFUSED,
} LockOutcome;

/*
 * Applies "enable" or "extend" by @days at @now_usec to @lock (may be never enabled: zeroed). @ret_why: static
 * text with LOCK_REFUSED.
 */
LockOutcome sim_lock_request(const SimSettings *s, SimLock *lock, bool extend, int64_t days, usec_t now_usec,
                             const char **ret_why);

bool sim_lock_runs(const SimLock *l, usec_t now_usec);

/* backup_vaultlock_info as a read at @now_usec shows it. */
void sim_lock_show(const SimSettings *s, const SimLock *l, usec_t now_usec, JsonBuild *b, json_object *to);
