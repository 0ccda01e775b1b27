/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include <errno.h>

#include "store/schema.h"
#include "store/sql.h"

#define BUSY_WAIT_MSEC 500      /* for a person's sqlite3 that writes; picked: far less than a watchdog's patience */

#define READ_CHUNK 65536        /* bytes */

sqlite3 *database_close(sqlite3 *db) {
        (void) sqlite3_close_v2(db);    /* fails for misuse only */
        return NULL;
}

/* A connection that trusts nothing in the file, and does not yet touch it. */
static int connect_to(const char *path, sqlite3 **ret) {
        _cleanup_(database_closep) sqlite3 *db = NULL;
        int rc;

        rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE, NULL);
        if (rc != SQLITE_OK)
                return sql_errno(db, rc);

        (void) sqlite3_extended_result_codes(db, 1);
        (void) sqlite3_busy_timeout(db, BUSY_WAIT_MSEC);
        /* Names of the schema in the file call no functions with effects, nor does SQL write to SQLite's own tables. */
        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        /* What turns out to be broken is kept as it was found. */
        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);

        *ret = STEAL(db);
        return 0;
}

/* The whole file roughly, what we act on thoroughly: also that the indexes agree with the tables. */
static int check_content(sqlite3 *db, bool *ret) {
        static const char *const checks[] = {
                "PRAGMA quick_check(1)",
                "PRAGMA integrity_check(control)",
                "PRAGMA integrity_check(said)",
                "PRAGMA integrity_check(lock_intent)",
                "PRAGMA integrity_check(endpoint)",
                "PRAGMA integrity_check(grant_record)",
        };
        bool ok = true;
        int r;

        for (size_t i = 0; ok && i < N_ELEMENTS(checks); i++) {
                r = sql_get_matches(db, checks[i], "ok", &ok);
                if (r < 0)
                        return r;
        }

        *ret = ok;
        return 0;
}

static int configure(sqlite3 *db) {
        bool wal;
        int r;

        r = sql_get_matches(db, "PRAGMA journal_mode = WAL", "wal", &wal);
        if (r < 0)
                return r;
        if (!wal)
                return -EOPNOTSUPP;     /* a file system without shared memory maps */

        return sql_exec(db,
                        "PRAGMA synchronous = FULL;"            /* an extension forgotten in a power cut would be made again */
                        "PRAGMA cache_size = -128;"             /* KiB of pages: rows are written once and hardly read again; picked */
                        "PRAGMA foreign_keys = ON;"
                        "PRAGMA mmap_size = 0;"                 /* an I/O error is to be a result code, not a SIGBUS */
                        "PRAGMA cell_size_check = ON;"
                        "PRAGMA wal_autocheckpoint = 1000;"     /* pages: the log is about 4 MiB, ... */
                        "PRAGMA journal_size_limit = 4194304"); /* ... and is cut to that after it has been longer */
}

/* A broken file shows as *ret_sound = false, or as a failure that blames the content. */
static int examine(sqlite3 *db, bool *ret_sound) {
        bool sound;
        int r;

        r = schema_is_known(db, &sound);
        if (r >= 0 && sound)
                r = check_content(db, &sound);
        if (r >= 0 && sound)
                r = configure(db);
        if (r >= 0 && sound)
                r = schema_migrate(db);
        if (r < 0)
                return r;

        *ret_sound = sound;
        return 0;
}

/* Reads a whole file through its VFS. @which: SQLITE_FCNTL_FILE_POINTER or _JOURNAL_POINTER. Return: 0 or -EIO. */
static int read_through(sqlite3 *db, int which) {
        _cleanup_(freep) char *chunk = NULL;
        sqlite3_file *file = NULL;
        sqlite3_int64 size = 0;
        int rc;

        if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || !file || !file->pMethods)
                return 0;       /* no such file open: nothing to read */

        chunk = malloc(READ_CHUNK);
        if (!chunk)
                return -ENOMEM;

        if (file->pMethods->xFileSize(file, &size) != SQLITE_OK)
                return -EIO;

        for (sqlite3_int64 at = 0; at < size; at += READ_CHUNK) {
                rc = file->pMethods->xRead(file, chunk, (int) MIN(size - at, (sqlite3_int64) READ_CHUNK), at);
                if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
                        return -EIO;
        }

        return 0;
}

/* One attempt. A page that cannot be read is just a finding to quick_check, so whether the medium is at fault is asked for apart. */
static int try_open(const char *path, sqlite3 **ret, bool *ret_broken) {
        _cleanup_(database_closep) sqlite3 *db = NULL;
        bool sound = false;
        int r;

        r = connect_to(path, &db);
        if (r < 0)
                return r;

        r = examine(db, &sound);
        if (r < 0 && !sql_blames_content(r))
                return r;

        *ret_broken = r < 0 || !sound;
        if (*ret_broken) {
                r = read_through(db, SQLITE_FCNTL_FILE_POINTER);
                return r < 0 ? r : read_through(db, SQLITE_FCNTL_JOURNAL_POINTER);
        }

        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        *ret = STEAL(db);
        return 0;
}

int database_open(const char *path, sqlite3 **ret, bool *ret_broken) {
        sqlite3 *db = NULL;
        bool broken = false;
        int r;

        assert(path);
        assert(ret);
        assert(ret_broken);

        r = try_open(path, &db, &broken);
        if (r >= 0 && broken)   /* state is not given up for one bad read: only what is broken twice is broken */
                r = try_open(path, &db, &broken);
        if (r < 0)
                return r;

        *ret_broken = broken;
        if (!broken)
                *ret = db;
        return 0;
}

int database_create(const Folder *f) {
        sqlite3 *db = NULL;
        int r;

        assert(f);

        r = folder_begin_draft(f);
        if (r < 0)
                return r;

        r = connect_to(f->draft_path, &db);
        if (r >= 0)
                r = sql_exec(db, "PRAGMA synchronous = FULL");
        if (r >= 0)
                r = schema_migrate(db);
        db = database_close(db);

        if (r >= 0)
                r = folder_publish_draft(f);
        if (r < 0)
                folder_drop_draft(f);
        return r;
}
