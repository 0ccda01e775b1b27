/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql.h"

/*
 * The errno behind a failed system call of SQLite's. Only what a person can act on is believed: SQLite may have kept one from a call
 * whose failure it expected, and -EBADMSG (a file system's bad checksum, say) would be taken for a broken database.
 */
static int system_errno(sqlite3 *db) {
        static const int known[] = { EACCES, EDQUOT, EFBIG, EISDIR, EMFILE, ENFILE, ENOMEM, ENOSPC, EPERM, EROFS, ESTALE };
        int e = db ? sqlite3_system_errno(db) : 0;

        for (size_t i = 0; i < N_ELEMENTS(known); i++)
                if (e == known[i])
                        return -e;

        return -EIO;
}

int sql_errno(sqlite3 *db, int rc) {
        assert(rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE);

        switch (rc & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR:      /* our SQL is constant: then the tables are not those that the version promises */
        case SQLITE_SCHEMA:
                return -EBADMSG;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_IOERR:
                return rc == SQLITE_IOERR_NOMEM ? -ENOMEM : system_errno(db);
        case SQLITE_CANTOPEN:
                return system_errno(db);
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:   /* the wal-index lock could not be had after many tries */
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_TOOBIG:
                return -E2BIG;
        case SQLITE_INTERRUPT:
                return -EINTR;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
                return -EINVAL;
        default:
                return -EIO;
        }
}

int sql_exec(sqlite3 *db, const char *sql) {
        int rc;

        assert(db);
        assert(sql);

        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        return rc == SQLITE_OK ? 0 : sql_errno(db, rc);
}

int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret) {
        sqlite3_stmt *stmt = NULL;
        int rc;

        assert(db);
        assert(sql);
        assert(ret);

        rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
        if (rc != SQLITE_OK)
                return sql_errno(db, rc);

        *ret = stmt;
        return 0;
}

/* Leaves the statement standing on its first row. */
static int first_row(sqlite3 *db, const char *sql, sqlite3_stmt **ret) {
        _cleanup_(sql_finalizep) sqlite3_stmt *stmt = NULL;
        int r;

        r = sql_prepare(db, sql, &stmt);
        if (r < 0)
                return r;

        r = sql_next(stmt);
        if (r < 0)
                return r;
        if (r == 0)
                return -EBADMSG;

        *ret = STEAL(stmt);
        return 0;
}

int sql_get_int(sqlite3 *db, const char *sql, int64_t *ret) {
        _cleanup_(sql_finalizep) sqlite3_stmt *stmt = NULL;
        int r;

        assert(ret);

        r = first_row(db, sql, &stmt);
        if (r < 0)
                return r;

        *ret = sqlite3_column_int64(stmt, 0);
        return 0;
}

int sql_get_matches(sqlite3 *db, const char *sql, const char *expected, bool *ret) {
        _cleanup_(sql_finalizep) sqlite3_stmt *stmt = NULL;
        const char *text;
        int r;

        assert(expected);
        assert(ret);

        r = first_row(db, sql, &stmt);
        if (r < 0)
                return r;

        text = (const char *) sqlite3_column_text(stmt, 0);
        *ret = text && sqlite3_stricmp(text, expected) == 0;
        return 0;
}

/* The first failure stays: SQLite would say the same of every later parameter. */
static void bind_note(Bind *b, int rc) {
        if (b->rc == SQLITE_OK)
                b->rc = rc;
}

void bind_int(Bind *b, int64_t v) {
        bind_note(b, sqlite3_bind_int64(b->stmt, ++b->index, v));
}

void bind_usec(Bind *b, usec_t v) {
        bind_int(b, (int64_t) MIN(v, (usec_t) INT64_MAX));
}

void bind_text(Bind *b, const char *s) {
        bind_note(b, s ? sqlite3_bind_text(b->stmt, ++b->index, s, -1, SQLITE_STATIC)
                       : sqlite3_bind_null(b->stmt, ++b->index));
}

void bind_null(Bind *b, int n) {
        for (int i = 0; i < n; i++)
                bind_note(b, sqlite3_bind_null(b->stmt, ++b->index));
}

int bind_run(Bind *b) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = b->stmt;
        sqlite3 *db = sqlite3_db_handle(stmt);
        int rc;

        if (b->rc != SQLITE_OK)
                return sql_errno(db, b->rc);

        assert(b->index == sqlite3_bind_parameter_count(stmt));

        rc = sqlite3_step(stmt);
        return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : sql_errno(db, rc);
}

int64_t row_int(Row *r, int64_t min, int64_t max) {
        int i = r->index++;
        int64_t v;

        if (sqlite3_column_type(r->stmt, i) != SQLITE_INTEGER) {
                r->insane = true;
                return min;
        }

        v = sqlite3_column_int64(r->stmt, i);
        if (v < min || v > max) {
                r->insane = true;
                return min;
        }

        return v;
}

usec_t row_usec(Row *r) {
        return (usec_t) row_int(r, 0, INT64_MAX);
}

bool row_bool(Row *r) {
        return row_int(r, 0, 1) != 0;
}

const char *row_text_or_null(Row *r) {
        return sqlite3_column_type(r->stmt, r->index) == SQLITE_NULL ? (r->index++, NULL) : row_text(r);
}

const char *row_text(Row *r) {
        int i = r->index++;
        const char *s;

        if (sqlite3_column_type(r->stmt, i) == SQLITE_TEXT) {
                s = (const char *) sqlite3_column_text(r->stmt, i);
                if (s && strlen(s) == (size_t) sqlite3_column_bytes(r->stmt, i))
                        return s;
        }

        r->insane = true;
        return "";
}

int sql_next(sqlite3_stmt *stmt) {
        sqlite3 *db = sqlite3_db_handle(stmt);
        int rc, r;

        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
                return 1;

        r = rc == SQLITE_DONE ? 0 : sql_errno(db, rc);  /* before the reset: it is the next call */
        (void) sqlite3_reset(stmt);
        return r;
}
