/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of the store share: the connection, its kept statements, and who writes and reads which record.
 */

#include <sqlite3.h>

#include "store/folder.h"
#include "store/store.h"

typedef enum Statement {
        STATEMENT_BEGIN,
        STATEMENT_COMMIT,
        STATEMENT_ROLLBACK,
        STATEMENT_SAVE,         /* a savepoint around each record, which takes several statements */
        STATEMENT_RELEASE,
        STATEMENT_ROLLBACK_TO,
        STATEMENT_DELETE_SAID,
        STATEMENT_DELETE_INTENTS,
        STATEMENT_PUT_CONTROL,
        STATEMENT_PUT_SAID,
        STATEMENT_PUT_INTENT,
        STATEMENT_PUT_ENDPOINT,
        STATEMENT_PUT_GRANT,
        STATEMENT_PUT_EVIDENCE,
        STATEMENT_GET_CONTROLS,
        STATEMENT_GET_SAID,
        STATEMENT_GET_INTENTS,
        STATEMENT_GET_ENDPOINTS,
        STATEMENT_GET_GRANTS,
        STATEMENT_THAW,
        STATEMENT_PRUNE,
        STATEMENT__MAX,
} Statement;

struct Store {
        Folder folder;
        sqlite3 *db;
        sqlite3_stmt *statements[STATEMENT__MAX];
        size_t n_gathered;      /* records in the open transaction */
        int lost;               /* -errno: gathered records were rolled back, and store_commit() has not said so yet */
};

#define INTENT_DAYS_MAX 36500   /* TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock */

/* Where in STATEMENT_GET_CONTROLS the columns begin that one control alone has. */
#define CONTROL_COLUMN_SCHEDULE 8
#define CONTROL_COLUMN_LOCK 15
#define CONTROL_COLUMN_TOLD 20          /* of all controls again */

/* store.c: the kept statements of a connection. Return: 0 or -errno; the caller finalizes also after a failure. */
int store_prepare_all(Store *s);
void store_finalize_all(Store *s);

/* put.c: is the record such that it can be stored and comes back the same? */
bool record_is_valid(const StateRecord *record);
/* put.c: writes a valid record in the open transaction. Return: 0 or -errno; on failure part of it may be written. */
int record_write(Store *s, const StateRecord *record);
