/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The tables of holdfast.db and how one version of them becomes the next. PRAGMA application_id says that the file is
 * holdfast's, PRAGMA user_version which version of the tables it holds.
 */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHEMA_APPLICATION_ID 0x484f4c44        /* "HOLD" */

/* The newest version that this program knows. */
int64_t schema_newest(void);

/* Is this a file of ours, of a version that there was? Reads the header only. Return: 0; -EPROTONOSUPPORT if it is ours and of a newer version
 * than this program knows; -errno. */
int schema_is_known(sqlite3 *db, bool *ret);

/* Brings the tables to the newest version, each step in a transaction of its own. Return: 0 or -errno. */
int schema_migrate(sqlite3 *db);
