/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The edge to SQLite: its result codes become errnos here and nowhere else, and values go into and come out of statements
 * in order, with one check at the end.
 */

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time-util.h"

/**
 * sql_errno() - what an SQLite result means
 * @db:         the connection that just returned @rc, no other call made on it since; NULL only if there is none
 * @rc:         an extended result code other than SQLITE_OK, SQLITE_ROW and SQLITE_DONE
 *
 * Return: -EBADMSG if the file's content is at fault (no database, corrupt, or not the tables that its version promises); -ENOSPC,
 * -EROFS, -EACCES, -EIO and their kin if the medium is; -EBUSY, -ENOMEM, -EINVAL, -E2BIG.
 */
int sql_errno(sqlite3 *db, int rc);

/* Is the file's content at fault? Then it is set aside: the one errno of ours that decides anything. */
static inline bool sql_blames_content(int r) {
        return r == -EBADMSG;
}

/* Statements without parameters; rows that they give are not looked at. Return: 0 or -errno. */
int sql_exec(sqlite3 *db, const char *sql);

/* A statement that is kept. Return: 0 or -errno. */
int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);

/* First column of the first row, such as "PRAGMA user_version". Return: 0; -EBADMSG if there is no row; -errno. */
int sql_get_int(sqlite3 *db, const char *sql, int64_t *ret);

/* As above, compared with @expected (any case of ASCII letters). Return: 0 or -errno. */
int sql_get_matches(sqlite3 *db, const char *sql, const char *expected, bool *ret);

/* Values for a statement, in the order of its parameters. Texts are borrowed until bind_run(); a failure sticks. */
typedef struct Bind {
        sqlite3_stmt *stmt;
        int index;              /* of the last parameter set */
        int rc;
} Bind;

#define BIND(s) { .stmt = (s), .rc = SQLITE_OK }

void bind_int(Bind *b, int64_t v);
void bind_usec(Bind *b, usec_t v);      /* past INT64_MAX: INT64_MAX, since SQLite's integers are signed */
void bind_text(Bind *b, const char *s); /* NULL: the column's NULL */
void bind_null(Bind *b, int n);         /* @n columns of it */

/* Runs a statement that gives no rows, and leaves it reset with nothing bound. Return: 0 or -errno. */
int bind_run(Bind *b);

/* Values of a row, in the order of its columns. What is not as asked makes the row insane, and stays so. */
typedef struct Row {
        sqlite3_stmt *stmt;
        int index;              /* of the next column */
        bool insane;
} Row;

#define ROW(s) { .stmt = (s) }

int64_t row_int(Row *r, int64_t min, int64_t max);
usec_t row_usec(Row *r);
bool row_bool(Row *r);
const char *row_text(Row *r);           /* never NULL; "" when insane; belongs to the statement until its next step */
const char *row_text_or_null(Row *r);

/* The next row. Return: 1 if there is one; 0 at the end; -errno. At the end and on failure the statement is reset. */
int sql_next(sqlite3_stmt *stmt);

/* For _cleanup_: a kept statement goes back to its shelf. */
static inline _unused_ void sql_resetp(sqlite3_stmt **stmt) {
        if (!*stmt)
                return;
        (void) sqlite3_reset(*stmt);    /* repeats the error of the last step, which was already seen */
        (void) sqlite3_clear_bindings(*stmt);
}

static inline _unused_ void sql_finalizep(sqlite3_stmt **stmt) {
        (void) sqlite3_finalize(*stmt); /* likewise */
}
