/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store-internal.h"

#include <errno.h>

#include "store/sql.h"
#include "store/text.h"

/*
 * The file is ours, but a person may have written to it: nothing that is read is taken as it stands, and what makes no sense is left
 * out rather than guessed at. A control is left out as a whole when its memory is not: half a memory of a lock is worse than none, with
 * none the lock is simply read first.
 */

typedef struct Load {
        Store *store;
        int (*on_record)(void *userdata, const StateRecord *record);
        void *userdata;
        size_t n_skipped;
} Load;

/* The index of a name, by one of the _from_string() functions. */
static int row_name(Row *row, int (*from_text)(const char *s)) {
        int i = from_text(row_text(row));

        if (i < 0) {
                row->insane = true;
                return 0;
        }

        return i;
}

static unsigned row_readings(Row *row) {
        unsigned readings = 0;

        if (readings_from_text(row_text(row), &readings) < 0)
                row->insane = true;

        return readings;
}

static CivilTime row_civil(Row *row) {
        const char *s = row_text_or_null(row);
        bool has_zone = false;
        CivilTime c = {};

        if (s && (civil_parse(s, &c, &has_zone, NULL) < 0 || has_zone || !civil_is_valid(&c))) {
                row->insane = true;
                return (CivilTime) {};
        }

        return c;
}

static void read_schedule(Row *row, ScheduleMemory *ret) {
        ret->applied_at_usec = row_usec(row);
        ret->has_echo = row_bool(row);
        ret->sent = row_civil(row);
        ret->echo = row_civil(row);
        ret->offset_at_echo = (int32_t) row_int(row, INT32_MIN, INT32_MAX);
        ret->phase_digest = (uint32_t) row_int(row, 0, UINT32_MAX);
        ret->on_since_usec = row_usec(row);
}

static void read_lock(Row *row, LockMemory *ret) {
        ret->seen = row_bool(row);
        ret->start_usec = row_usec(row);
        ret->end_usec = row_usec(row);
        ret->struck = row_readings(row);
        ret->enabled_at_usec = row_usec(row);
}

/* NULL: no event of ours. */
static const char *row_event(Row *row) {
        const char *s = row_text_or_null(row);

        for (EventId i = 0; s && i < EVENT__MAX; i++)
                if (streq(event_type(i)->name, s))
                        return event_type(i)->name;

        if (s)
                row->insane = true;
        return NULL;
}

/* Nothing is decided by it: what makes no sense is not told, and takes nothing with it. Texts stay the statement's. */
static void read_told(Load *l, sqlite3_stmt *stmt, ControlTold *ret) {
        Row row = { .stmt = stmt, .index = CONTROL_COLUMN_TOLD };
        ControlTold told = {};

        told.why = (char *) row_text_or_null(&row);
        told.looked_at_usec = row_usec(&row);
        told.change_at_usec = row_usec(&row);
        told.changed_at_usec = row_usec(&row);
        told.changed_as = row_event(&row);
        told.changed_request_id = (char *) row_text_or_null(&row);
        if (told.change_at_usec == INT64_MAX)
                told.change_at_usec = USEC_INFINITY;

        if (row.insane)
                l->n_skipped++;
        else
                *ret = told;
}

static void read_intent(Row *row, LockIntent *ret) {
        ret->action = (LockAction) row_name(row, lock_action_from_text);
        ret->days = row_int(row, 1, INTENT_DAYS_MAX);
        ret->outcome = (IntentOutcome) row_name(row, intent_outcome_from_string);
        ret->sent_at_usec = row_usec(row);
        ret->start_before_usec = row_usec(row);
        ret->end_before_usec = row_usec(row);
        ret->expected_end_usec = row_usec(row);
        ret->cap_at_usec = row_usec(row);
        ret->readings = row_readings(row);
}

static sqlite3_stmt *select_children(Load *l, Statement statement, const StateRecord *record) {
        sqlite3_stmt *stmt = l->store->statements[statement];
        Bind b = BIND(stmt);

        bind_text(&b, service_to_string(record->service));
        bind_text(&b, record->instance_id);
        bind_text(&b, control_to_string(record->control));
        return b.rc == SQLITE_OK ? stmt : NULL;
}

/* What was said matters only for what is said again: a row that makes no sense does not take the control with it. */
static int read_said(Load *l, const StateRecord *record, ControlState *state) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = select_children(l, STATEMENT_GET_SAID, record);
        int r;

        if (!stmt)
                return -ENOMEM;

        while ((r = sql_next(stmt)) > 0) {
                Row row = ROW(stmt);
                int id = row_name(&row, said_from_text);
                usec_t at_usec = row_usec(&row);
                uint32_t digest = (uint32_t) row_int(&row, 0, UINT32_MAX);

                if (row.insane) {
                        l->n_skipped++;
                        continue;
                }
                state->said[id].at_usec = at_usec;
                state->said[id].digest = digest;
        }

        return r;
}

/* Return: 1; 0 if they make no sense; -errno. */
static int read_intents(Load *l, const StateRecord *record, LockMemory *lock) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = select_children(l, STATEMENT_GET_INTENTS, record);
        int r;

        if (!stmt)
                return -ENOMEM;

        while ((r = sql_next(stmt)) > 0) {
                Row row = ROW(stmt);

                if (lock->n_intents >= LOCK_INTENTS_MAX ||
                    row_int(&row, 0, LOCK_INTENTS_MAX) != (int64_t) lock->n_intents)
                        return 0;

                read_intent(&row, &lock->intents[lock->n_intents++]);
                if (row.insane)
                        return 0;
        }

        return r < 0 ? r : 1;
}

/* Return: 1; 0 if the row makes no sense; -errno. */
static int read_control(Load *l, Row *row, StateRecord *record, ControlState *state) {
        int r;

        record->kind = STATE_CONTROL;
        record->service = (Service) row_name(row, service_from_string);
        record->instance_id = row_text(row);
        record->control = (Control) row_name(row, control_from_text);
        record->control_state.name = row_text_or_null(row);
        record->control_state.state = state;
        state->verdict = (Verdict) row_name(row, verdict_from_string);
        state->since_usec = row_usec(row);
        state->unknown_since_usec = row_usec(row);
        state->n_unknown = (unsigned) row_int(row, 0, UINT32_MAX);
        if (row->insane)
                return 0;

        if (record->control == CONTROL_SCHEDULE) {
                row->index = CONTROL_COLUMN_SCHEDULE;
                read_schedule(row, &state->schedule);
        } else if (record->control == CONTROL_LOCK) {
                row->index = CONTROL_COLUMN_LOCK;
                read_lock(row, &state->lock);
                r = read_intents(l, record, &state->lock);
                if (r <= 0)
                        return r;
        }
        if (row->insane || !record_is_valid(record))
                return 0;

        read_told(l, row->stmt, &state->told);
        r = read_said(l, record, state);
        return r < 0 ? r : 1;
}

static int load_controls(Load *l) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = l->store->statements[STATEMENT_GET_CONTROLS];
        int r;

        while ((r = sql_next(stmt)) > 0) {
                ControlState state = {};
                StateRecord record = {};
                Row row = ROW(stmt);

                r = read_control(l, &row, &record, &state);
                if (r > 0)
                        r = l->on_record(l->userdata, &record);
                else if (r == 0)
                        l->n_skipped++;
                if (r < 0)
                        return r;
        }

        return r;
}

/* Whatever is not a plain 0 freezes: a lock write that should not have been cannot be taken back, a thaw can always be said again. */
static bool row_frozen(Row *row) {
        bool insane = row->insane;
        int64_t v;

        row->insane = false;
        v = row_int(row, 0, 1);
        if (row->insane)
                return true;

        row->insane = insane;
        return v != 0;
}

/*
 * A freeze outlives the rest of its row: of an endpoint that is frozen and whose row makes no sense otherwise, nothing is learned, and no
 * lock is written.
 */
static bool read_endpoint(Load *l, sqlite3_stmt *stmt, StateRecord *record, EndpointState *state) {
        Row row = ROW(stmt);
        const char *why;
        bool named;

        record->kind = STATE_ENDPOINT;
        record->endpoint.origin = row_text(&row);
        record->endpoint.state = state;
        named = !row.insane && *record->endpoint.origin;
        record->service = (Service) row_name(&row, service_from_string);

        state->readings = row_readings(&row);
        state->frozen = row_frozen(&row);
        state->frozen_at_usec = row_usec(&row);
        why = row_text(&row);
        memcpy(state->frozen_why, why, strnlen(why, sizeof(state->frozen_why) - 1));    /* zeroed before; a cut reason is one */
        state->said_frozen.at_usec = row_usec(&row);
        state->said_frozen.digest = (uint32_t) row_int(&row, 0, UINT32_MAX);

        if (named && !row.insane)
                return true;

        l->n_skipped++;
        if (!named || !state->frozen)
                return false;

        record->service = control_service(CONTROL_LOCK);        /* the only control that freezes */
        state->readings = 0;
        return true;
}

static int load_endpoints(Load *l) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = l->store->statements[STATEMENT_GET_ENDPOINTS];
        int r;

        while ((r = sql_next(stmt)) > 0) {
                EndpointState state = {};
                StateRecord record = {};

                if (!read_endpoint(l, stmt, &record, &state))
                        continue;

                r = l->on_record(l->userdata, &record);
                if (r < 0)
                        return r;
        }

        return r;
}

static bool read_grant(sqlite3_stmt *stmt, StateRecord *record) {
        Row row = ROW(stmt);

        record->kind = STATE_GRANT;
        record->control = CONTROL_DOWNLOAD;
        record->service = (Service) row_name(&row, service_from_string);
        record->instance_id = row_text(&row);
        record->grant.backup_id = row_text(&row);
        record->grant.granted_at_usec = row_usec(&row);
        record->grant.bucket = row_text_or_null(&row);
        record->grant.file_paths = row_text_or_null(&row);
        record->grant.request_id = row_text_or_null(&row);
        return !row.insane && record_is_valid(record);
}

static int load_grants(Load *l) {
        _cleanup_(sql_resetp) sqlite3_stmt *stmt = l->store->statements[STATEMENT_GET_GRANTS];
        int r;

        while ((r = sql_next(stmt)) > 0) {
                StateRecord record = {};

                if (!read_grant(stmt, &record)) {
                        l->n_skipped++;
                        continue;
                }

                r = l->on_record(l->userdata, &record);
                if (r < 0)
                        return r;
        }

        return r;
}

int store_load(Store *s, int (*on_record)(void *userdata, const StateRecord *record), void *userdata, size_t *ret_skipped) {
        Load l = { .store = s, .on_record = on_record, .userdata = userdata };
        int r;

        assert(s);
        assert(on_record);

        r = load_controls(&l);
        if (r < 0)
                return r;

        r = load_endpoints(&l);
        if (r < 0)
                return r;

        r = load_grants(&l);
        if (r < 0)
                return r;

        if (ret_skipped)
                *ret_skipped = l.n_skipped;
        return 0;
}
