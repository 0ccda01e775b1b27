/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What GET .../backups/vault-lock says. (TaurusDB API Reference, Querying the Backup Compliance Lock, 2026-06) */

#include "base/http.h"
#include "facts/facts.h"

/**
 * vault_lock_decode() - the lock, in our units
 * @now_usec:   the cloud's clock: a lock that is "not enabled" and ends after it contradicts itself
 *
 * The page does not give the unit of lock_start_time and lock_end_time. By size, a time of at least 10^11 is in
 * milliseconds: between 2015 and 2150, outside which nothing is accepted, the two units cannot be mistaken for each
 * other. Where the time between start and end, divided by lock_retention_days, comes out as a day of the other unit
 * (within a factor of two: the days may be the last ones sent, not the total), the answer contradicts itself and is
 * unreadable.
 *
 * Return: 1; -EBADMSG with @failure set; -ENOMEM.
 */
int vault_lock_decode(const HttpReply *p, usec_t now_usec, LockFacts *ret, Failure *failure);
