/* SPDX-License-Identifier: Apache-2.0 */
#include "store/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "store/database.h"
#include "store/schema.h"
#include "store/sql.h"
#include "store/store-internal.h"
#include "store/text.h"

#define BUSY_WAIT_MSEC 2000     /* a checkpoint that has to be waited for; picked */
#define PATH_BYTES_MAX 16384    /* of a percent-encoded path */

#define CHANGES "'remediated', 'lock-enabled', 'lock-extended', 'download-authorized'"
#define NO_EVENTS "'verdict', 'lock-intent', 'intent'"

struct StoreView {
        Store store;            /* the loader's: connection and statements, no folder claimed */
        usec_t written_usec;
};

StoreView *store_view_free(StoreView *v) {
        if (!v)
                return NULL;

        store_finalize_all(&v->store);
        v->store.db = database_close(v->store.db);
        free(v);
        return NULL;
}

static usec_t stat_usec(const struct stat *st) {
        return st->st_mtim.tv_sec <= 0 ? 0 : (usec_t) st->st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st->st_mtim.tv_nsec / 1000;
}

/*
 * Without a write-ahead log, or with an empty one, nobody writes: the file is read as it is, and no companion files are made. This is also
 * the only way for those who may read it but not write beside it. With a log it is read like any database.
 */
static int make_uri(const char *dir, bool still, char **ret) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF(PATH_BYTES_MAX);

        (void) strbuf_add(&b, "file:");
        (void) strbuf_add_percent(&b, dir, strlen(dir));
        (void) strbuf_addf(&b, "/holdfast.db?mode=ro%s", still ? "&immutable=1" : "");
        return strbuf_finish(&b, ret);
}

/* What there is. @ret_still: no log that holds anything. */
static int look_at_files(const char *dir, usec_t *ret_written_usec, bool *ret_still) {
        _cleanup_(freep) char *path = NULL, *log = NULL;
        struct stat st;

        if (asprintf(&path, "%s/holdfast.db", dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (asprintf(&log, "%s/holdfast.db-wal", dir) < 0) {
                log = NULL;
                return -ENOMEM;
        }

        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        if (access(path, R_OK) < 0)
                return -errno;

        *ret_written_usec = stat_usec(&st);
        *ret_still = true;
        if (stat(log, &st) == 0) {
                *ret_still = st.st_size == 0;
                *ret_written_usec = MAX(*ret_written_usec, stat_usec(&st));
        } else if (errno != ENOENT)
                return -errno;
        return 0;
}

static int connect_to(const char *uri, sqlite3 **ret) {
        _cleanup_(database_closep) sqlite3 *db = NULL;
        int rc;

        rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE, NULL);
        if (rc != SQLITE_OK)
                return sql_errno(db, rc);

        (void) sqlite3_extended_result_codes(db, 1);
        (void) sqlite3_busy_timeout(db, BUSY_WAIT_MSEC);
        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        *ret = STEAL(db);
        return 0;
}

/* The database of a folder, whatever it holds. */
static int connect_to_folder(const char *dir, sqlite3 **ret, usec_t *ret_written_usec) {
        _cleanup_(freep) char *uri = NULL;
        bool still = true;
        int r;

        r = look_at_files(dir, ret_written_usec, &still);
        if (r >= 0)
                r = make_uri(dir, still, &uri);
        return r < 0 ? r : connect_to(uri, ret);
}

char *store_explain_newer(const char *dir, char buf[static STORE_TEXT_MAX]) {
        _cleanup_(database_closep) sqlite3 *db = NULL;
        usec_t written_usec;
        int64_t version = 0;
        char found[64] = "a newer version";

        assert(dir);

        if (connect_to_folder(dir, &db, &written_usec) >= 0 && sql_get_int(db, "PRAGMA user_version", &version) >= 0)
                (void) snprintf(found, sizeof(found), "version %" PRId64, version);
        (void) snprintf(buf, STORE_TEXT_MAX,
                        "holdfast.db is of %s, and this program knows up to version %" PRId64 ": a newer holdfast has written it, "
                        "and it is left as it is; install that one again, or move holdfast.db away to begin anew",
                        found, schema_newest());
        return buf;
}

int store_view_open(const char *dir, StoreView **ret) {
        _cleanup_(store_view_freep) StoreView *v = NULL;
        bool known = false;
        int r;

        assert(dir);
        assert(ret);

        v = calloc(1, sizeof(*v));
        if (!v)
                return -ENOMEM;
        v->store.folder = (Folder) FOLDER_NULL;

        r = connect_to_folder(dir, &v->store.db, &v->written_usec);
        if (r < 0)
                return r;

        r = sql_exec(v->store.db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; BEGIN");
        if (r >= 0)
                r = schema_is_known(v->store.db, &known);
        if (r < 0)
                return r;
        if (!known)
                return -EBADMSG;

        r = store_prepare_all(&v->store);
        if (r < 0)
                return r;

        *ret = STEAL(v);
        return 0;
}

int store_view_load(StoreView *v, int (*on_record)(void *userdata, const StateRecord *record), void *userdata, size_t *ret_skipped) {
        assert(v);
        return store_load(&v->store, on_record, userdata, ret_skipped);
}

bool store_is_held(const char *dir) {
        return folder_is_claimed(dir) > 0;
}

usec_t store_view_written_usec(const StoreView *v) {
        assert(v);
        return v->written_usec;
}

/* --- History ------------------------------------------------------------------------------------------------------ */

static const char *const kinds[EVIDENCE_KIND__MAX] = {
        [EVIDENCE_ALL] = "",
        [EVIDENCE_VERDICTS] = " AND what IN ('verdict', 'unknown')",
        [EVIDENCE_CHANGES] = " AND what IN (" CHANGES ")",
        [EVIDENCE_SAID] = " AND what NOT IN (" NO_EVENTS ")",
};

/* Only fragments of this file: what the query asks for is bound. */
static int prepare_history(StoreView *v, const EvidenceQuery *q, sqlite3_stmt **ret) {
        _cleanup_(sql_finalizep) sqlite3_stmt *stmt = NULL;
        char sql[512];
        Bind b;
        int r;

        (void) snprintf(sql, sizeof(sql),
                        "SELECT at, service, instance_id, control, what, detail, request_id FROM evidence WHERE at >= ?%s%s%s "
                        "ORDER BY at DESC, id DESC LIMIT ?",
                        q->instance_id ? " AND instance_id = ? AND service = ?" : "", q->control >= 0 ? " AND control = ?" : "",
                        kinds[q->kind]);
        r = sql_prepare(v->store.db, sql, &stmt);
        if (r < 0)
                return r;

        b = (Bind) BIND(stmt);
        bind_usec(&b, q->since_usec);
        if (q->instance_id) {
                bind_text(&b, q->instance_id);
                bind_text(&b, service_to_string(q->service));
        }
        if (q->control >= 0)
                bind_text(&b, control_to_string((Control) q->control));
        bind_int(&b, q->limit > 0 ? q->limit : -1);
        if (b.rc != SQLITE_OK)
                return -ENOMEM;

        *ret = STEAL(stmt);
        return 0;
}

static bool read_evidence(sqlite3_stmt *stmt, StateRecord *record) {
        Row row = ROW(stmt);
        const char *service, *control;
        int r;

        record->kind = STATE_EVIDENCE;
        record->service = SERVICE__MAX;
        record->control = CONTROL__MAX;
        record->evidence.at_usec = row_usec(&row);
        service = row_text_or_null(&row);
        record->instance_id = row_text_or_null(&row);
        control = row_text_or_null(&row);
        record->evidence.what = row_text(&row);
        record->evidence.detail = row_text_or_null(&row);
        record->evidence.request_id = row_text_or_null(&row);

        if (service) {
                r = service_from_string(service);
                if (r < 0)
                        return false;
                record->service = (Service) r;
        }
        if (control) {
                r = control_from_text(control);
                if (r < 0)
                        return false;
                record->control = (Control) r;
        }
        return !row.insane;
}

int store_view_history(StoreView *v, const EvidenceQuery *query, int (*on_evidence)(void *userdata, const StateRecord *record),
                       void *userdata) {
        _cleanup_(sql_finalizep) sqlite3_stmt *stmt = NULL;
        int r;

        assert(v);
        assert(query);
        assert(query->kind < EVIDENCE_KIND__MAX);
        assert(on_evidence);

        r = prepare_history(v, query, &stmt);
        if (r < 0)
                return r;

        while ((r = sql_next(stmt)) > 0) {
                StateRecord record = {};

                if (!read_evidence(stmt, &record))
                        continue;
                r = on_evidence(userdata, &record);
                if (r < 0)
                        return r;
        }

        return r;
}
