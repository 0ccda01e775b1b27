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
 * A file that is no database, or fails its integrity check, is renamed (with its -wal and -shm) to "holdfast.db.broken-<n>" and a fresh
 * one is made; so is an empty file, which this module never makes, and a -wal without its database. A medium that fails (-EIO, -EACCES,
 * -EROFS, -ENOSPC) is no broken database, nor is one that a newer program has left. A second process on the same folder is refused;
 * readers such as sqlite3(1) are not. The database is a plain file: -ELOOP for a link, -EISDIR for a folder.
 *
 * Return: 0; -EBUSY if another process has it; -EPROTONOSUPPORT if it is of a newer version (store_explain_newer()); -EOPNOTSUPP if the file
 * system cannot hold a write-ahead log; -errno.
 */
int store_open(const char *dir, Store **ret, char **ret_set_aside);

/* The same, but nothing is created or set aside. Return: also -ENOENT if there is no database, -EBADMSG if it is a broken one, left as it
 * was found. */
int store_open_existing(const char *dir, Store **ret);

Store *store_free(Store *s);            /* commits nothing */
DEFINE_CLEANUP(Store *, store_free)

/* Hands every stored CONTROL, ENDPOINT and GRANT record over, in that order; a row that makes no sense is skipped and counted.
 * The callback's negative return ends it. */
int store_load(Store *s, int (*on_record)(void *userdata, const StateRecord *record), void *userdata, size_t *ret_skipped);

/*
 * Joins the open transaction (opens one). Points in time past INT64_MAX are stored as INT64_MAX. Evidence without an instance_id names no
 * control; the service SERVICE__MAX is none.
 *
 * Return: 0; -EINVAL for a record that makes no sense; -ENOSPC, -EROFS, -EIO, -EBUSY …: nothing of this record is in it. If SQLite rolled
 * back the records gathered before as well, the same error is returned by every put until store_commit() has returned it.
 */
int store_put(Store *s, const StateRecord *record);
bool store_dirty(const Store *s);       /* is a transaction open? */

/*
 * Durable on return 0, also when there was nothing to commit. On failure everything gathered is rolled back, and the next put begins
 * anew: it works again when the disk does. What a failing disk took in nevertheless may turn up after a restart, as a whole.
 * -ESTALE: the database was removed or replaced under its name; only a restart helps.
 */
int store_commit(Store *s);

/*
 * Takes back a freeze of every endpoint, or of @origin (holdfastctl thaw, also without a daemon), and forgets what was learned there; of
 * @origin also where it is not frozen.
 * Joins the open transaction; where there is none, durable on return. Return: how many, or -errno.
 */
int store_thaw(Store *s, const char *origin);

/* Drops evidence older than @before_usec. Transactions as store_thaw(). Return: rows, or -errno. */
int store_prune(Store *s, usec_t before_usec);
