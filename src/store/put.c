/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store-internal.h"

#include <errno.h>

#include "store/sql.h"
#include "store/text.h"

static bool text_is_given(const char *s) {
        return s && *s;
}

static bool intent_is_valid(const LockIntent *i) {
        return i->action < LOCK_ACTION__MAX && i->outcome < INTENT_OUTCOME__MAX &&
               i->days >= 1 && i->days <= INTENT_DAYS_MAX && (i->readings & ~READINGS_ALL) == 0;
}

static bool lock_is_valid(const LockMemory *m) {
        if (m->n_intents > LOCK_INTENTS_MAX || (m->struck & ~READINGS_ALL) != 0)
                return false;

        for (size_t i = 0; i < m->n_intents; i++)
                if (!intent_is_valid(&m->intents[i]))
                        return false;

        return true;
}

/* Each of the two is a time, or was never set. */
static bool schedule_is_valid(const ScheduleMemory *m) {
        return (civil_is_zero(&m->sent) || civil_is_valid(&m->sent)) &&
               (civil_is_zero(&m->echo) || civil_is_valid(&m->echo));
}

static bool control_is_valid(const StateRecord *record) {
        const ControlState *state = record->control_state.state;

        if (!text_is_given(record->instance_id) || !state || record->control >= CONTROL__MAX ||
            record->service != control_service(record->control) || state->verdict >= VERDICT__MAX)
                return false;

        switch (record->control) {
        case CONTROL_LOCK:
                return lock_is_valid(&state->lock);
        case CONTROL_SCHEDULE:
                return schedule_is_valid(&state->schedule);
        case CONTROL_ENCRYPTION:
        case CONTROL_DOWNLOAD:
        case CONTROL__MAX:
                break;
        }

        return true;
}

bool record_is_valid(const StateRecord *record) {
        switch (record->kind) {
        case STATE_CONTROL:
                return control_is_valid(record);
        case STATE_ENDPOINT:
                return record->service < SERVICE__MAX && text_is_given(record->endpoint.origin) && record->endpoint.state &&
                       (record->endpoint.state->readings & ~READINGS_ALL) == 0 &&
                       memchr(record->endpoint.state->frozen_why, 0, sizeof(record->endpoint.state->frozen_why));
        case STATE_GRANT:
                return record->service < SERVICE__MAX && text_is_given(record->instance_id) &&
                       text_is_given(record->grant.backup_id) && strlen(record->grant.backup_id) < BACKUP_ID_MAX;
        case STATE_EVIDENCE:
                return text_is_given(record->evidence.what);
        case STATE_KIND__MAX:
                break;
        }

        return false;
}

static void bind_key(Bind *b, const StateRecord *record) {
        bind_text(b, service_to_string(record->service));
        bind_text(b, record->instance_id);
        bind_text(b, control_to_string(record->control));
}

static int delete_children(Store *s, Statement statement, const StateRecord *record) {
        Bind b = BIND(s->statements[statement]);

        bind_key(&b, record);
        return bind_run(&b);
}

static void bind_civil(Bind *b, const CivilTime *c, char buf[static TIME_TEXT_MAX]) {
        bind_text(b, civil_is_zero(c) ? NULL : civil_format(c, buf));
}

static int write_control_row(Store *s, const StateRecord *record) {
        const ControlState *state = record->control_state.state;
        const ScheduleMemory *schedule = &state->schedule;
        const LockMemory *lock = &state->lock;
        char sent[TIME_TEXT_MAX], echo[TIME_TEXT_MAX], struck[READINGS_TEXT_MAX];
        Bind b = BIND(s->statements[STATEMENT_PUT_CONTROL]);

        bind_key(&b, record);
        bind_text(&b, record->control_state.name);
        bind_text(&b, verdict_to_string(state->verdict));
        bind_usec(&b, state->since_usec);
        bind_usec(&b, state->unknown_since_usec);
        bind_int(&b, state->n_unknown);

        if (record->control == CONTROL_SCHEDULE) {
                bind_usec(&b, schedule->applied_at_usec);
                bind_int(&b, schedule->has_echo);
                bind_civil(&b, &schedule->sent, sent);
                bind_civil(&b, &schedule->echo, echo);
                bind_int(&b, schedule->offset_at_echo);
                bind_int(&b, schedule->phase_digest);
                bind_usec(&b, schedule->on_since_usec);
        } else
                bind_null(&b, 7);

        if (record->control == CONTROL_LOCK) {
                bind_int(&b, lock->seen);
                bind_usec(&b, lock->start_usec);
                bind_usec(&b, lock->end_usec);
                bind_text(&b, readings_to_text(lock->struck, struck));
                bind_usec(&b, lock->enabled_at_usec);
        } else
                bind_null(&b, 5);

        bind_text(&b, state->told.why);
        bind_usec(&b, state->told.looked_at_usec);
        bind_usec(&b, state->told.change_at_usec);
        bind_usec(&b, state->told.changed_at_usec);
        bind_text(&b, state->told.changed_as);
        bind_text(&b, state->told.changed_request_id);
        return bind_run(&b);
}

static int write_said(Store *s, const StateRecord *record) {
        for (SaidId i = 0; i < SAID__MAX; i++) {
                const Said *said = &record->control_state.state->said[i];
                Bind b = BIND(s->statements[STATEMENT_PUT_SAID]);
                int r;

                if (said->at_usec == 0 && said->digest == 0)
                        continue;

                bind_key(&b, record);
                bind_text(&b, said_to_text(i));
                bind_usec(&b, said->at_usec);
                bind_int(&b, said->digest);
                r = bind_run(&b);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int write_intent(Store *s, const StateRecord *record, size_t step) {
        const LockIntent *i = &record->control_state.state->lock.intents[step];
        char readings[READINGS_TEXT_MAX];
        Bind b = BIND(s->statements[STATEMENT_PUT_INTENT]);

        bind_key(&b, record);
        bind_int(&b, (int64_t) step);
        bind_text(&b, lock_action_to_string(i->action));
        bind_int(&b, i->days);
        bind_text(&b, intent_outcome_to_string(i->outcome));
        bind_usec(&b, i->sent_at_usec);
        bind_usec(&b, i->start_before_usec);
        bind_usec(&b, i->end_before_usec);
        bind_usec(&b, i->expected_end_usec);
        bind_usec(&b, i->cap_at_usec);
        bind_text(&b, readings_to_text(i->readings, readings));
        return bind_run(&b);
}

/* Replaces the whole of it: the children go first, since the row that they refer to is replaced. */
static int write_control(Store *s, const StateRecord *record) {
        int r;

        r = delete_children(s, STATEMENT_DELETE_SAID, record);
        if (r < 0)
                return r;

        r = delete_children(s, STATEMENT_DELETE_INTENTS, record);
        if (r < 0)
                return r;

        r = write_control_row(s, record);
        if (r < 0)
                return r;

        r = write_said(s, record);
        if (r < 0 || record->control != CONTROL_LOCK)
                return r;

        for (size_t i = 0; i < record->control_state.state->lock.n_intents; i++) {
                r = write_intent(s, record, i);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int write_endpoint(Store *s, const StateRecord *record) {
        const EndpointState *state = record->endpoint.state;
        char readings[READINGS_TEXT_MAX];
        Bind b = BIND(s->statements[STATEMENT_PUT_ENDPOINT]);

        bind_text(&b, record->endpoint.origin);
        bind_text(&b, service_to_string(record->service));
        bind_text(&b, readings_to_text(state->readings, readings));
        bind_int(&b, state->frozen);
        bind_usec(&b, state->frozen_at_usec);
        bind_text(&b, state->frozen_why);
        bind_usec(&b, state->said_frozen.at_usec);
        bind_int(&b, state->said_frozen.digest);
        return bind_run(&b);
}

static int write_grant(Store *s, const StateRecord *record) {
        Bind b = BIND(s->statements[STATEMENT_PUT_GRANT]);

        bind_text(&b, service_to_string(record->service));
        bind_text(&b, record->instance_id);
        bind_text(&b, record->grant.backup_id);
        bind_usec(&b, record->grant.granted_at_usec);
        bind_text(&b, record->grant.bucket);
        bind_text(&b, record->grant.file_paths);
        bind_text(&b, record->grant.request_id);
        return bind_run(&b);
}

/* History may be about an endpoint or the daemon: then there is no instance, and no control is named. */
static int write_evidence(Store *s, const StateRecord *record) {
        Bind b = BIND(s->statements[STATEMENT_PUT_EVIDENCE]);

        bind_usec(&b, record->evidence.at_usec);
        bind_text(&b, record->service < SERVICE__MAX ? service_to_string(record->service) : NULL);
        bind_text(&b, record->instance_id);
        bind_text(&b, record->instance_id && record->control < CONTROL__MAX ? control_to_string(record->control) : NULL);
        bind_text(&b, record->evidence.what);
        bind_text(&b, record->evidence.detail);
        bind_text(&b, record->evidence.request_id);
        return bind_run(&b);
}

int record_write(Store *s, const StateRecord *record) {
        assert(record_is_valid(record));

        switch (record->kind) {
        case STATE_CONTROL:
                return write_control(s, record);
        case STATE_ENDPOINT:
                return write_endpoint(s, record);
        case STATE_GRANT:
                return write_grant(s, record);
        case STATE_EVIDENCE:
                return write_evidence(s, record);
        case STATE_KIND__MAX:
                break;
        }

        assert(false);
        return -EINVAL;
}
