/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"
#include "store/sql.h"

/*
 * Row n brings version n to version n + 1. A released row is never changed: a new version is a new row at the end.
 *
 * There are no CHECK constraints: quick_check would find a row that violates one, and the whole database would be set aside
 * for it. A row that makes no sense is skipped when it is read instead.
 */
static const char *const migrations[] = {
        "CREATE TABLE control (\n"
        "  -- A control of an instance as last seen. Times: microseconds since 1970 UTC, 0 for never.\n"
        "  service TEXT NOT NULL,\n"
        "  instance_id TEXT NOT NULL,\n"
        "  control TEXT NOT NULL,\n"
        "  name TEXT,                        -- of the policy\n"
        "  verdict TEXT NOT NULL,            -- unknown, compliant, violated\n"
        "  since INTEGER NOT NULL,\n"
        "  unknown_since INTEGER NOT NULL,\n"
        "  n_unknown INTEGER NOT NULL,       -- looks in a row without a verdict\n"
        "  schedule_applied_at INTEGER,\n"
        "  schedule_has_echo INTEGER,\n"
        "  schedule_sent TEXT,               -- trigger_time as written, and as read right afterwards\n"
        "  schedule_echo TEXT,\n"
        "  schedule_offset_at_echo INTEGER,  -- seconds east of UTC\n"
        "  schedule_phase_digest INTEGER,\n"
        "  schedule_on_since INTEGER,\n"
        "  lock_seen INTEGER,\n"
        "  lock_start INTEGER,               -- as last read\n"
        "  lock_end INTEGER,\n"
        "  lock_struck TEXT,                 -- readings of the API disproved since the last extension began\n"
        "  lock_enabled_at INTEGER,\n"
        "  PRIMARY KEY (service, instance_id, control)\n"
        ") WITHOUT ROWID;\n"

        "CREATE TABLE said (\n"
        "  -- When a lasting state was last said; digest tells whether it is still the same one.\n"
        "  service TEXT NOT NULL,\n"
        "  instance_id TEXT NOT NULL,\n"
        "  control TEXT NOT NULL,\n"
        "  said TEXT NOT NULL,\n"
        "  at INTEGER NOT NULL,\n"
        "  digest INTEGER NOT NULL,\n"
        "  PRIMARY KEY (service, instance_id, control, said),\n"
        "  FOREIGN KEY (service, instance_id, control) REFERENCES control ON DELETE CASCADE\n"
        ") WITHOUT ROWID;\n"

        "CREATE TABLE lock_intent (\n"
        "  -- The requests of the lock change going on, oldest first. Stored before they are sent.\n"
        "  service TEXT NOT NULL,\n"
        "  instance_id TEXT NOT NULL,\n"
        "  control TEXT NOT NULL,\n"
        "  step INTEGER NOT NULL,            -- from 0\n"
        "  action TEXT NOT NULL,             -- enable, extend\n"
        "  days INTEGER NOT NULL,\n"
        "  outcome TEXT NOT NULL,            -- open, accepted, lost, refused, confirmed, void\n"
        "  sent_at INTEGER NOT NULL,\n"
        "  start_before INTEGER NOT NULL,\n"
        "  end_before INTEGER NOT NULL,\n"
        "  expected_end INTEGER NOT NULL,\n"
        "  cap_at INTEGER NOT NULL,          -- no later end may be read back\n"
        "  readings TEXT NOT NULL,           -- of the API that were possible when it was sent\n"
        "  PRIMARY KEY (service, instance_id, control, step),\n"
        "  FOREIGN KEY (service, instance_id, control) REFERENCES control ON DELETE CASCADE\n"
        ") WITHOUT ROWID;\n"

        "CREATE TABLE endpoint (\n"
        "  -- What was learned at an endpoint, and whether lock writes to it are frozen.\n"
        "  origin TEXT NOT NULL PRIMARY KEY,\n"
        "  service TEXT NOT NULL,\n"
        "  readings TEXT NOT NULL,           -- of the API that evidence left; empty: nothing learned\n"
        "  frozen INTEGER NOT NULL,          -- 1 until holdfastctl thaw\n"
        "  frozen_at INTEGER NOT NULL,\n"
        "  frozen_why TEXT NOT NULL,\n"
        "  said_at INTEGER NOT NULL,\n"
        "  said_digest INTEGER NOT NULL\n"
        ") WITHOUT ROWID;\n"

        "CREATE TABLE grant_record (\n"
        "  -- Every backup authorized for download, as of its last authorization.\n"
        "  service TEXT NOT NULL,\n"
        "  instance_id TEXT NOT NULL,\n"
        "  backup_id TEXT NOT NULL,\n"
        "  granted_at INTEGER NOT NULL,\n"
        "  bucket TEXT,\n"
        "  file_paths TEXT,                  -- one a line\n"
        "  request_id TEXT,\n"
        "  PRIMARY KEY (service, instance_id, backup_id)\n"
        ") WITHOUT ROWID;\n"

        "CREATE TABLE evidence (\n"
        "  -- History; rows are added and, when old, dropped, but never changed.\n"
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "  at INTEGER NOT NULL,\n"
        "  service TEXT,\n"
        "  instance_id TEXT,\n"
        "  control TEXT,\n"
        "  what TEXT NOT NULL,\n"
        "  detail TEXT,\n"
        "  request_id TEXT\n"
        ");\n"
        "CREATE INDEX evidence_by_instance ON evidence (instance_id, at);\n"
        "CREATE INDEX evidence_by_time ON evidence (at);\n"

        "CREATE VIEW overview AS\n"
        "  SELECT name, service, instance_id, control, verdict,\n"
        "         strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000, 'unixepoch') AS since,\n"
        "         iif(unknown_since, strftime('%Y-%m-%dT%H:%M:%SZ', unknown_since / 1000000, 'unixepoch'), NULL)\n"
        "           AS unknown_since,\n"
        "         iif(lock_end, strftime('%Y-%m-%dT%H:%M:%SZ', lock_end / 1000000, 'unixepoch'), NULL) AS lock_end\n"
        "    FROM control;\n"
        "CREATE VIEW history AS\n"
        "  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS at,\n"
        "         service, instance_id, control, what, detail, request_id\n"
        "    FROM evidence ORDER BY id;\n",

        "-- How the last look ended, for people. Written together with what must be kept, and when the daemon stops.\n"
        "ALTER TABLE control ADD COLUMN why TEXT;                    -- verdict in words\n"
        "ALTER TABLE control ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0;   -- last answer that a verdict rests on\n"
        "ALTER TABLE control ADD COLUMN change_at INTEGER NOT NULL DEFAULT 0;   -- when the verdict can change by itself\n"
        "ALTER TABLE control ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;  -- last change made and read back\n"
        "ALTER TABLE control ADD COLUMN changed_as TEXT;             -- its event\n"
        "ALTER TABLE control ADD COLUMN changed_request_id TEXT;\n",
};

#define SCHEMA_VERSION ((int64_t) N_ELEMENTS(migrations))

int64_t schema_newest(void) {
        return SCHEMA_VERSION;
}

int schema_is_known(sqlite3 *db, bool *ret) {
        int64_t application_id, version;
        int r;

        assert(db);
        assert(ret);

        r = sql_get_int(db, "PRAGMA application_id", &application_id);
        if (r < 0)
                return r;

        r = sql_get_int(db, "PRAGMA user_version", &version);
        if (r < 0)
                return r;

        /* Nothing is broken where a newer program was replaced by an older one, and what it has learned is not given up for it. */
        if (application_id == SCHEMA_APPLICATION_ID && version > SCHEMA_VERSION)
                return -EPROTONOSUPPORT;

        *ret = application_id == SCHEMA_APPLICATION_ID && version >= 1;
        return 0;
}

/* One step, or nothing of it. */
static int migrate_from(sqlite3 *db, int64_t version) {
        char stamp[128];
        int r;

        (void) snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                        SCHEMA_APPLICATION_ID, (int) version + 1);

        r = sql_exec(db, "BEGIN IMMEDIATE");
        if (r < 0)
                return r;

        r = sql_exec(db, migrations[version]);
        if (r >= 0)
                r = sql_exec(db, stamp);
        if (r < 0 && !sqlite3_get_autocommit(db))
                (void) sql_exec(db, "ROLLBACK");        /* the error that counts is the one before */

        return r;
}

int schema_migrate(sqlite3 *db) {
        int64_t version;
        int r;

        assert(db);

        r = sql_get_int(db, "PRAGMA user_version", &version);
        if (r < 0)
                return r;

        for (; version < SCHEMA_VERSION; version++) {
                r = migrate_from(db, version);
                if (r < 0)
                        return r;
        }

        return 0;
}
