/* SPDX-License-Identifier: Apache-2.0 */
#include "facts/status.h"

#define FIELD(k, j, t, member, h) { .key = (k), .json_key = (j), .type = (t), .offset = offsetof(STATUS, member), .help = (h) }

#define STATUS ControlStatus
const StatusField status_fields[] = {
        FIELD("Name", "name", STATUS_TEXT, name, "name of the policy"),
        FIELD("Service", "service", STATUS_TEXT, service, "taurusdb, dbss or gaussdb"),
        FIELD("InstanceId", "instance_id", STATUS_TEXT, instance_id, "id of the instance in the cloud"),
        FIELD("Region", "region", STATUS_TEXT, region, "region of the instance"),
        FIELD("Control", "control", STATUS_TEXT, control, "encryption, schedule, lock or download"),
        FIELD("Mode", "mode", STATUS_TEXT, mode, "enforce or observe, as it works out for this instance"),
        FIELD("File", "file", STATUS_TEXT, file, "file of the policy"),
        FIELD("Line", "line", STATUS_UINT, line, "line of the policy's document in it"),
        FIELD("Endpoint", "endpoint", STATUS_TEXT, endpoint, "origin that is asked; missing: none is known for the region"),

        FIELD("Verdict", "verdict", STATUS_TEXT, verdict, "how it stands now: compliant, violated or unknown"),
        FIELD("LastVerdict", "last_verdict", STATUS_TEXT, last_verdict, "last verdict that could be determined; unknown: none ever was"),
        FIELD("SinceUSec", "since", STATUS_TIME, since_usec, "since when that verdict holds"),
        FIELD("UnknownSinceUSec", "unknown_since", STATUS_TIME, unknown_since_usec, "since when it could not be determined"),
        FIELD("NUnknown", "n_unknown", STATUS_UINT, n_unknown, "polls in a row without a verdict"),
        FIELD("Why", "why", STATUS_TEXT, why, "verdict in words, with what was found"),
        FIELD("Wanted", "wanted", STATUS_TEXT, wanted, "what the policy says, in words"),

        FIELD("LookedAtUSec", "looked_at", STATUS_TIME, looked_at_usec, "when the last look that gave a verdict ended"),
        FIELD("NextLookUSec", "next_look", STATUS_TIME, next_look_usec, "when it is looked at next"),
        FIELD("ChangeAtUSec", "change_at", STATUS_TIME, change_at_usec,
              "when the verdict can change by itself, or holdfast will act, if the cloud stays as it is"),
        FIELD("NextAction", "next_action", STATUS_TEXT, next_action, "what happens next, in words"),

        FIELD("Failure", "failure", STATUS_TEXT, failure,
              "class of what keeps it from being determined or mended, such as not-permitted"),
        FIELD("FailureMessage", "failure_message", STATUS_TEXT, failure_message, "the cloud's words, or what stands in the way"),
        FIELD("FailureCode", "failure_code", STATUS_TEXT, failure_code, "the cloud's error code"),
        FIELD("FailureRequestId", "failure_request_id", STATUS_TEXT, failure_request_id, "id of the request that failed"),
        FIELD("FailureHTTPStatus", "failure_http_status", STATUS_UINT, failure_http_status, "HTTP status that it failed with"),

        FIELD("ChangedAtUSec", "changed_at", STATUS_TIME, changed_at_usec, "when holdfast last changed something and read it back"),
        FIELD("ChangedAs", "changed_as", STATUS_TEXT, changed_as, "event of that change, such as lock-extended"),
        FIELD("ChangedRequestId", "changed_request_id", STATUS_TEXT, changed_request_id, "id of its request"),

        FIELD("LockStartUSec", "lock_start", STATUS_TIME, lock_start_usec, "lock: start, as last read"),
        FIELD("LockEndUSec", "lock_end", STATUS_TIME, lock_end_usec, "lock: end, as last read"),
        FIELD("RenewAtUSec", "renew_at", STATUS_TIME, renew_at_usec, "lock: from when on it is extended"),
        FIELD("RetentionDays", "retention_days", STATUS_UINT64, retention_days, "lock: days that should remain after an extension"),
        FIELD("MaxRetentionDays", "max_retention_days", STATUS_UINT64, max_retention_days, "lock: cap, in days from now"),
        FIELD("RenewBeforeUSec", "renew_before", STATUS_DURATION, renew_before_usec, "lock: it is extended when less than this remains"),
        FIELD("Readings", "readings", STATUS_TEXT, readings, "lock: readings of an extension's period that are still possible"),
        FIELD("Frozen", "frozen", STATUS_BOOL, frozen, "lock: writes to the endpoint wait for holdfastctl thaw"),
        FIELD("FrozenAtUSec", "frozen_at", STATUS_TIME, frozen_at_usec, "lock: since when"),
        FIELD("FrozenWhy", "frozen_why", STATUS_TEXT, frozen_why, "lock: why"),
        FIELD("NIntents", "n_intents", STATUS_UINT, n_intents, "lock: requests whose effect is still waited for"),

        FIELD("AppliedAtUSec", "applied_at", STATUS_TIME, applied_at_usec, "schedule: when it was last written and read back"),
        FIELD("ReapplyAtUSec", "reapply_at", STATUS_TIME, reapply_at_usec, "schedule: when it is written again without drift"),
        FIELD("NGrants", "n_grants", STATUS_UINT, n_grants, "download: backups authorized so far, of those remembered"),
};
#undef STATUS

#define STATUS EndpointStatus
const StatusField endpoint_status_fields[] = {
        FIELD("Origin", "origin", STATUS_TEXT, origin, "scheme, host and port"),
        FIELD("Service", "service", STATUS_TEXT, service, "what answers there"),
        FIELD("Region", "region", STATUS_TEXT, region, "region of its first use"),
        FIELD("ContactAtUSec", "contact_at", STATUS_TIME, contact_at_usec, "last reply of any kind since the daemon began"),
        FIELD("FailingSinceUSec", "failing_since", STATUS_TIME, failing_since_usec, "since when it does not answer as it should"),
        FIELD("NFailed", "n_failed", STATUS_UINT, n_failed, "exchanges in a row that found it unwell"),
        FIELD("Readings", "readings", STATUS_TEXT, readings, "readings of a lock extension's period that are still possible there"),
        FIELD("Frozen", "frozen", STATUS_BOOL, frozen, "lock writes wait for holdfastctl thaw"),
        FIELD("FrozenAtUSec", "frozen_at", STATUS_TIME, frozen_at_usec, "since when"),
        FIELD("FrozenWhy", "frozen_why", STATUS_TEXT, frozen_why, "why"),
};
#undef STATUS

const size_t n_status_fields = N_ELEMENTS(status_fields);
const size_t n_endpoint_status_fields = N_ELEMENTS(endpoint_status_fields);

bool status_field_is_set(const StatusField *f, const void *s) {
        const void *member;

        assert(f);
        assert(s);

        member = (const char *) s + f->offset;
        switch (f->type) {
        case STATUS_TEXT:
                return *(const char *const *) member != NULL;
        case STATUS_BOOL:
                return *(const bool *) member;
        case STATUS_UINT:
                return *(const unsigned *) member != 0;
        case STATUS_UINT64:
        case STATUS_TIME:
        case STATUS_DURATION:
                return *(const uint64_t *) member != 0;
        }

        assert(false);
        return false;
}

/* Of the requests that are remembered, those whose effect is still waited for. */
static unsigned n_outstanding(const LockMemory *m) {
        unsigned n = 0;

        for (size_t i = 0; i < m->n_intents; i++)
                switch (m->intents[i].outcome) {
                case INTENT_OPEN:
                case INTENT_ACCEPTED:
                case INTENT_LOST:
                        n++;
                        break;
                case INTENT_REFUSED:
                case INTENT_CONFIRMED:
                case INTENT_VOID:
                case INTENT_OUTCOME__MAX:
                        break;
                }

        return n;
}

void control_status_from_state(Control c, const ControlState *state, ControlStatus *ret) {
        assert(state);
        assert(ret);

        ret->last_verdict = verdict_to_string(state->verdict);
        ret->since_usec = state->since_usec;
        ret->unknown_since_usec = state->unknown_since_usec;
        ret->n_unknown = state->n_unknown;
        ret->why = state->told.why;
        ret->looked_at_usec = state->told.looked_at_usec;
        ret->change_at_usec = state->told.change_at_usec;
        ret->changed_at_usec = state->told.changed_at_usec;
        ret->changed_as = state->told.changed_as;
        ret->changed_request_id = state->told.changed_request_id;

        switch (c) {
        case CONTROL_SCHEDULE:
                ret->applied_at_usec = state->schedule.applied_at_usec;
                break;
        case CONTROL_LOCK:
                ret->lock_start_usec = state->lock.start_usec;
                ret->lock_end_usec = state->lock.end_usec;
                ret->n_intents = n_outstanding(&state->lock);
                break;
        case CONTROL_DOWNLOAD:
                ret->n_grants = (unsigned) state->download.n_grants;
                break;
        case CONTROL_ENCRYPTION:
        case CONTROL__MAX:
                break;
        }
}
