/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <limits.h>

#include "store/database.h"
#include "store/sql.h"
#include "store/store-internal.h"

#define PRUNE_BATCH "5000"      /* rows in one transaction, so that the write-ahead log stays small; picked, not measured */

#define CONTROL_COLUMNS \
        "service, instance_id, control, name, verdict, since, unknown_since, n_unknown, " \
        "schedule_applied_at, schedule_has_echo, schedule_sent, schedule_echo, schedule_offset_at_echo, " \
        "schedule_phase_digest, schedule_on_since, " \
        "lock_seen, lock_start, lock_end, lock_struck, lock_enabled_at, " \
        "why, looked_at, change_at, changed_at, changed_as, changed_request_id"
#define INTENT_COLUMNS \
        "step, action, days, outcome, sent_at, start_before, end_before, expected_end, cap_at, readings"
#define ENDPOINT_COLUMNS "origin, service, readings, frozen, frozen_at, frozen_why, said_at, said_digest"
#define GRANT_COLUMNS "service, instance_id, backup_id, granted_at, bucket, file_paths, request_id"
#define OF_CONTROL "WHERE service = ? AND instance_id = ? AND control = ?"

static const char *const statement_texts[STATEMENT__MAX] = {
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_SAVE] = "SAVEPOINT record",
        [STATEMENT_RELEASE] = "RELEASE record",
        [STATEMENT_ROLLBACK_TO] = "ROLLBACK TO record",
        [STATEMENT_DELETE_SAID] = "DELETE FROM said " OF_CONTROL,
        [STATEMENT_DELETE_INTENTS] = "DELETE FROM lock_intent " OF_CONTROL,
        [STATEMENT_PUT_CONTROL] = "INSERT OR REPLACE INTO control (" CONTROL_COLUMNS ") "
                                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_PUT_SAID] = "INSERT INTO said (service, instance_id, control, said, at, digest) "
                               "VALUES (?, ?, ?, ?, ?, ?)",
        [STATEMENT_PUT_INTENT] = "INSERT INTO lock_intent (service, instance_id, control, " INTENT_COLUMNS ") "
                                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_PUT_ENDPOINT] = "INSERT OR REPLACE INTO endpoint (" ENDPOINT_COLUMNS ") "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_PUT_GRANT] = "INSERT OR REPLACE INTO grant_record (" GRANT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_PUT_EVIDENCE] = "INSERT INTO evidence (at, service, instance_id, control, what, detail, request_id) "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_GET_CONTROLS] = "SELECT " CONTROL_COLUMNS " FROM control ORDER BY service, instance_id, control",
        [STATEMENT_GET_SAID] = "SELECT said, at, digest FROM said " OF_CONTROL,
        [STATEMENT_GET_INTENTS] = "SELECT " INTENT_COLUMNS " FROM lock_intent " OF_CONTROL " ORDER BY step",
        [STATEMENT_GET_ENDPOINTS] = "SELECT " ENDPOINT_COLUMNS " FROM endpoint ORDER BY origin",
        [STATEMENT_GET_GRANTS] = "SELECT " GRANT_COLUMNS " FROM grant_record "
                                 "ORDER BY service, instance_id, granted_at, backup_id",
        [STATEMENT_THAW] = "UPDATE endpoint SET readings = '', frozen = 0, frozen_at = 0, frozen_why = '', "
                           "said_at = 0, said_digest = 0 WHERE CASE WHEN ?1 IS NULL THEN frozen IS NOT 0 "
                           "ELSE origin = ?1 AND (frozen IS NOT 0 OR readings IS NOT '') END",
        [STATEMENT_PRUNE] = "DELETE FROM evidence WHERE id IN "
                            "(SELECT id FROM evidence WHERE at < ? ORDER BY at LIMIT " PRUNE_BATCH ")",
};

void store_finalize_all(Store *s) {
        for (size_t i = 0; i < STATEMENT__MAX; i++) {
                (void) sqlite3_finalize(s->statements[i]);      /* repeats an error that was already seen */
                s->statements[i] = NULL;
        }
}

static void disconnect(Store *s) {
        store_finalize_all(s);
        s->db = database_close(s->db);
}

int store_prepare_all(Store *s) {
        int r;

        for (size_t i = 0; i < STATEMENT__MAX; i++) {
                r = sql_prepare(s->db, statement_texts[i], &s->statements[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

Store *store_free(Store *s) {
        if (!s)
                return NULL;

        disconnect(s);
        folder_done(&s->folder);        /* last: the lock outlives the connection */
        free(s);
        return NULL;
}

/* Opens what there is. @create: where there is nothing. @ret_broken: it is of no use, and still has its name. */
static int open_content(Store *s, bool create, bool *ret_broken) {
        FolderContent content;
        int r;

        r = folder_look(&s->folder, &content);
        if (r < 0)
                return r;

        switch (content) {
        case FOLDER_EMPTY:
                if (!create)
                        return -ENOENT;
                r = database_create(&s->folder);
                if (r < 0)
                        return r;
                break;
        case FOLDER_REMAINS:
                *ret_broken = true;
                return 0;
        case FOLDER_DATABASE:
                break;
        }

        r = database_open(s->folder.database_path, &s->db, ret_broken);
        if (r < 0 || *ret_broken)
                return r;

        r = store_prepare_all(s);
        if (sql_blames_content(r)) {    /* a sound file, without the tables that its version promises */
                disconnect(s);
                *ret_broken = true;
                return 0;
        }

        return r;
}

int store_open_existing(const char *dir, Store **ret) {
        _cleanup_(store_freep) Store *s = NULL;
        bool broken = false;
        int r;

        assert(dir);
        assert(ret);

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->folder = (Folder) FOLDER_NULL;

        r = folder_open_existing(dir, &s->folder);
        if (r >= 0)
                r = open_content(s, false, &broken);
        if (r < 0)
                return r;
        if (broken)
                return -EBADMSG;

        *ret = STEAL(s);
        return 0;
}

int store_open(const char *dir, Store **ret, char **ret_set_aside) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(freep) char *name = NULL;
        bool broken = false;
        int r;

        assert(dir);
        assert(ret);

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->folder = (Folder) FOLDER_NULL;

        r = folder_open(dir, &s->folder);
        if (r < 0)
                return r;

        r = open_content(s, true, &broken);
        if (r < 0)
                return r;
        if (broken) {
                r = folder_set_aside(&s->folder, &name);
                if (r < 0)
                        return r;

                broken = false;
                r = open_content(s, true, &broken);
                if (r < 0)
                        return r;
                if (broken)     /* one just made: what is written to this disk does not come back */
                        return -EIO;
        }

        *ret = STEAL(s);
        if (ret_set_aside)
                *ret_set_aside = STEAL(name);
        return 0;
}

static int run(Store *s, Statement statement) {
        Bind b = BIND(s->statements[statement]);

        return bind_run(&b);
}

static bool in_transaction(const Store *s) {
        return !sqlite3_get_autocommit(s->db);
}

/* Ends the transaction, whoever ended it already, and returns @error. */
static int roll_back(Store *s, int error) {
        if (in_transaction(s))
                (void) run(s, STATEMENT_ROLLBACK);      /* fails only where it is not needed any more */
        s->n_gathered = 0;
        return error;
}

/*
 * Undoes one record. Where that takes the records before it as well (a full disk or an I/O error can make SQLite roll back the whole
 * transaction), their loss is remembered until store_commit() tells it: the caller believes that they are gathered.
 */
static int undo_record(Store *s, int error) {
        if (in_transaction(s) && s->n_gathered > 0 &&
            run(s, STATEMENT_ROLLBACK_TO) >= 0 && run(s, STATEMENT_RELEASE) >= 0)
                return error;

        if (s->n_gathered > 0)
                s->lost = error;
        return roll_back(s, error);
}

int store_put(Store *s, const StateRecord *record) {
        int r;

        assert(s);
        assert(record);

        if (!record_is_valid(record))
                return -EINVAL;
        if (s->lost < 0)
                return s->lost;

        if (!in_transaction(s)) {
                r = run(s, STATEMENT_BEGIN);
                if (r < 0)
                        return r;
        }

        r = run(s, STATEMENT_SAVE);
        if (r >= 0)
                r = record_write(s, record);
        if (r >= 0)
                r = run(s, STATEMENT_RELEASE);
        if (r < 0)
                return undo_record(s, r);

        s->n_gathered++;
        return 0;
}

bool store_dirty(const Store *s) {
        assert(s);
        return s->lost < 0 || in_transaction(s);
}

/* Was the file removed or replaced under its name? Then a commit would go to a file that no restart finds. */
static bool has_moved(Store *s) {
        int moved = 0;

        return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

int store_commit(Store *s) {
        int r;

        assert(s);

        if (s->lost < 0) {
                r = s->lost;
                s->lost = 0;
                return r;
        }
        if (!in_transaction(s))
                return 0;

        r = has_moved(s) ? -ESTALE : run(s, STATEMENT_COMMIT);
        if (r < 0)
                return roll_back(s, r);

        s->n_gathered = 0;
        return 0;
}

/* One statement that changes rows: in the open transaction, or durable when it returns. Return: how many rows, or -errno. */
static int change(Store *s, Bind *b) {
        bool gathering = in_transaction(s);
        int r;

        if (s->lost < 0)
                return s->lost;
        if (!gathering && has_moved(s))
                return -ESTALE;

        r = bind_run(b);        /* undone by SQLite when it fails */
        if (r < 0) {
                if (gathering && !in_transaction(s)) {
                        s->lost = r;
                        s->n_gathered = 0;
                }
                return r;
        }

        return sqlite3_changes(s->db);
}

int store_thaw(Store *s, const char *origin) {
        Bind b;

        assert(s);

        b = (Bind) BIND(s->statements[STATEMENT_THAW]);
        bind_text(&b, origin);
        return change(s, &b);
}

int store_prune(Store *s, usec_t before_usec) {
        int r, n = 0;

        assert(s);

        do {
                Bind b = BIND(s->statements[STATEMENT_PRUNE]);

                bind_usec(&b, before_usec);
                r = change(s, &b);
                if (r < 0)
                        return r;
                n = r > INT_MAX - n ? INT_MAX : n + r;
        } while (r > 0);

        return n;
}
