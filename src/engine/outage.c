/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * Trouble of one control alone, which is said of its instance; an endpoint's own is said once for all (endpoint.c).
 */

/* While the endpoint is said to fail, it is not counted against its controls. */
unsigned outage_count(const Run *r) {
        const ItemFailure *f = r->item->open->kept.failure;

        if (!r->failed || !failure_is_unwell(r->failure.class))
                return 0;
        return (f ? f->n_unwell : 0) + (r->endpoint->said_failing.at_usec == 0);
}

/* Nobody well was found so often in a row, while the endpoint answers others, or there is none to tell. */
static bool fails_alone(const Run *r, unsigned n_unwell) {
        return n_unwell >= FAILED_SAID && r->endpoint->said_failing.at_usec == 0 &&
               (n_unwell > r->endpoint->n_failed || !endpoint_other(r->engine, r->endpoint, r->item));
}

/* NULL: the failure is no answer to what was asked. */
static const char *answer_text(FailureClass c) {
        switch (c) {
        case FAILURE_NOT_PERMITTED:
                return "not permitted to look";
        case FAILURE_NOT_OFFERED:
                return "not offered in this region";
        case FAILURE_NOT_FOUND:
                return "instance not found";
        case FAILURE_BAD_REQUEST:
                return "request refused";
        case FAILURE_UNREADABLE:
                return "unreadable answer";
        case FAILURE_BUSY:
        case FAILURE_TRANSPORT:
        case FAILURE_THROTTLED:
        case FAILURE_CREDENTIALS:
        case FAILURE_SERVER:
        case FAILURE_WITHHELD:
        case FAILURE_CLASS__MAX:
                break;
        }

        return NULL;
}

static void say(Run *r, uint32_t digest, const char *what) {
        Item *item = r->item;
        Event event = EVENT(EVENT_API_FAILING);
        const Failure *f = &r->failure;

        if (!said_news(&item->open->kept.state.said[SAID_API_FAILING], engine_realtime(r->engine), digest))
                return;

        r->state_changed = true;
        look_event(&event, item, r->instance);
        event.http_status = f->http_status;
        event.error_code = f->code[0] ? f->code : NULL;
        event.request_id = f->request_id[0] ? f->request_id : NULL;
        event_set_message(&event, "%s: %s: %s: %s", r->instance->name, control_to_string(item->control), what, f->message);
        look_say(r->engine, item, &event);
}

void outage_say(Run *r, unsigned n_unwell) {
        const char *answer = answer_text(r->failure.class);
        char what[128], since[TIME_TEXT_MAX];

        if (answer)
                say(r, digest_text(r->failure.code) ^ (uint32_t) r->failure.class, answer);
        if (!fails_alone(r, n_unwell))
                return;

        (void) snprintf(what, sizeof(what), "failing for %s, %u requests in a row (%s)",
                        duration_format_human(usec_sub(engine_realtime(r->engine), r->item->open->kept.state.unknown_since_usec), since), n_unwell,
                        failure_class_to_string(r->failure.class));
        say(r, 0, what);        /* however it fails this time, it is the same outage */
}

void outage_say_over(Run *r) {
        Item *item = r->item;
        Event event = EVENT(EVENT_API_RECOVERED);
        const Kept *k = &item->open->kept;
        unsigned n_unwell = k->failure ? k->failure->n_unwell : 0;
        unsigned n = n_unwell > 0 ? n_unwell : k->state.n_unknown;
        char lasted[TIME_TEXT_MAX];

        look_event(&event, item, r->instance);
        event_set_message(&event, "%s: %s can be read again, after %u %s%s and %s", r->instance->name,
                          control_to_string(item->control), n, n_unwell > 0 ? "failed request" : "poll", n == 1 ? "" : "s",
                          duration_format_human(usec_sub(engine_realtime(r->engine), k->state.unknown_since_usec), lasted));
        look_say(r->engine, item, &event);
}
