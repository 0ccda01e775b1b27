/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State and evidence in SQLite (holdfast.db): WAL, synchronous=FULL, one writer, prepared statements, a schema version.
 * Puts gather in one transaction until store_commit(); after a failed commit everything gathered is rolled back and the caller is told.
 */

#include "facts/state.h"

typedef struct Store Store;

/**
 * store_open() - open or create the database
 * @dir:        state folder; must exist
 * @ret_set_aside: new text when a broken database was found: the name it was given (free with free()); else NULL. May be NULL.
 *
 * A file that is no database, fails its integrity check, or has a schema from the future is renamed (with its -wal and -shm) to
 * "holdfast.db.broken-<n>" and a fresh one is made. A second process on the same folder is refused.
 *
 * Return: 0; -EBUSY if another process has it; -errno.
 */
int store_open(const char *dir, Store **ret, char **ret_set_aside);
Store *store_free(Store *s);            /* commits nothing */
DEFINE_CLEANUP(Store *, store_free)

/* Hands every stored CONTROL, ENDPOINT and GRANT record over, in that order; a row that makes no sense is skipped and counted.
 * The callback's negative return ends it. */
int store_load(Store *s, int (*on_record)(void *userdata, const StateRecord *record), void *userdata, size_t *ret_skipped);

/* Joins the open transaction (opens one). Return: 0; -ENOSPC, -EROFS, -EIO …: nothing of this record is in it. */
int store_put(Store *s, const StateRecord *record);
bool store_dirty(const Store *s);       /* is a transaction open? */
int store_commit(Store *s);             /* durable on return 0; on failure rolled back */

/* Takes back a freeze of every endpoint, or of @origin (holdfastctl thaw, also without a daemon). Return: how many, or -errno. */
int store_thaw(Store *s, const char *origin);

/* Drops evidence older than @before_usec. Return: rows, or -errno. */
int store_prune(Store *s, usec_t before_usec);
