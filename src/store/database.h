/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One connection to holdfast.db: opened, found sound or not, brought up to date; or made anew.
 */

#include <sqlite3.h>
#include <stdbool.h>

#include "store/folder.h"

/* Closes; what is uncommitted is rolled back. Returns NULL. */
sqlite3 *database_close(sqlite3 *db);
DEFINE_CLEANUP(sqlite3 *, database_close)

/**
 * database_open() - open an existing database
 * @path:       absolute
 * @ret:        new (database_close()); untouched if it is broken
 * @ret_broken: the file is no database, damaged, not holdfast's, or of a version that there never was. It is left as it was found, with its
 *              log.
 *
 * Return: 0, also for a broken one; -EPROTONOSUPPORT for one of a newer version, left as it was found; -errno if it could not be told or
 * brought up to date (I/O, permissions, disk full).
 */
int database_open(const char *path, sqlite3 **ret, bool *ret_broken);

/* Makes a fresh database: it has its name only once it is whole. Return: 0 or -errno. */
int database_create(const Folder *f);
