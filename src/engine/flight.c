/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * One exchange: from an ask to a request on its way, and from a reply to an answer or a failure.
 */

/* NULL: out of memory. */
static Flight *flight_begin(Engine *e, const Flight *template) {
        Flight *f;

        f = malloc(sizeof(*f));
        if (!f)
                return NULL;

        *f = *template;
        f->generation = e->identity.generation;
        f->prev = NULL;
        f->sent_at_usec = engine_boottime(e);

        f->next = e->flights;
        if (f->next)
                f->next->prev = f;
        e->flights = f;
        e->n_flights++;
        f->endpoint->n_running++;
        if (f->probing)
                e->identity.n_probing++;
        return f;
}

/* @request is taken or done with. */
static int flight_go(Engine *e, Flight *f, HttpRequest *request) {
        int r;

        r = e->world.send(e->world.userdata, request, (uint64_t) (uintptr_t) f);
        if (r < 0) {
                http_request_done(request);
                flight_free(e, f);
        }
        return r;
}

int flight_send(Engine *e, Flight *template, HttpRequest *request) {
        Flight *f;

        f = flight_begin(e, template);
        if (!f) {
                http_request_done(request);
                return -ENOMEM;
        }

        return flight_go(e, f, request);
}

void flight_free(Engine *e, Flight *f) {
        if (f->prev)
                f->prev->next = f->next;
        else
                e->flights = f->next;
        if (f->next)
                f->next->prev = f->prev;

        e->n_flights--;
        f->endpoint->n_running--;
        if (f->probing && f->generation == e->identity.generation)
                e->identity.n_probing--;
        free(f);
}

static CallTarget run_target(const Engine *e, const Run *r, const Pass *pass) {
        return (CallTarget) {
                .origin = r->endpoint->origin,
                .region = r->instance->terms->region,
                .project_id = pass ? pass->project_id : r->instance->terms->project_id,
                .domain_id = pass ? pass->domain_id : r->instance->terms->domain_id,
                .instance_id = r->instance->instance_id,
                .language = language_to_string(engine_settings(e)->language),
                .api_version = r->api_version,
        };
}

int flight_send_run(Engine *e, Run *r, const Pass *pass) {
        Flight *f, template = {
                .kind = FLIGHT_RUN,
                .endpoint = r->endpoint,
                .run = r,
                .signed_with_key = pass->signer != NULL,
                .probing = pass->probing,
        };
        HttpRequest request = {};
        CallTarget target;
        int q;

        if (r->ask.call == CALL_GAUSSDB_BACKUPS)
                r->api_version = r->endpoint->gaussdb_version;

        f = flight_begin(e, &template);
        if (!f)
                return -ENOMEM;

        if (e->world.recall && e->world.recall(e->world.userdata, r->instance, &r->ask, (uint64_t) (uintptr_t) f)) {
                r->state = RUN_IN_FLIGHT;
                return 0;
        }

        target = run_target(e, r, pass);
        q = call_encode(&r->ask, &target, &request);
        if (q >= 0)
                q = pass->signer ? sign_request(pass->signer, &request, engine_realtime(e)) : call_add_token(&request, pass->token);
        if (q < 0) {
                http_request_done(&request);
                flight_free(e, f);
                return q;
        }

        q = flight_go(e, f, &request);
        if (q >= 0)
                r->state = RUN_IN_FLIGHT;
        return q;
}

/* An older list of backups may be offered where the newer is not. Returns true if it is worth asking again. */
static bool fall_back(Engine *e, Run *r, const Failure *failure) {
        Endpoint *n = r->endpoint;

        if (r->ask.call != CALL_GAUSSDB_BACKUPS || failure->class != FAILURE_NOT_OFFERED)
                return false;

        if (r->api_version + 1 < GAUSSDB_API_VERSIONS) {
                n->gaussdb_version = MAX(n->gaussdb_version, r->api_version + 1);
                return true;
        }

        n->gaussdb_version = 0; /* none of them: begin with the newest next time */
        return false;
}

/* Does a failure show that the key was accepted? What the gateway answers before it looks at the key shows nothing. */
static bool shows_accepted(const Failure *f) {
        switch (f->class) {
        case FAILURE_NOT_PERMITTED:
        case FAILURE_NOT_FOUND:
        case FAILURE_BUSY:
        case FAILURE_BAD_REQUEST:
                return true;
        case FAILURE_UNREADABLE:
                return f->http_status >= 200 && f->http_status < 300;
        case FAILURE_TRANSPORT:
        case FAILURE_THROTTLED:
        case FAILURE_NOT_OFFERED:
        case FAILURE_CREDENTIALS:
        case FAILURE_SERVER:
        case FAILURE_WITHHELD:
        case FAILURE_CLASS__MAX:
                break;
        }

        return false;
}

static void run_replied(Engine *e, Flight *f, const HttpReply *reply) {
        Run *r = f->run;
        CallTarget target = run_target(e, r, NULL);
        Failure failure = {};
        Answer answer = {};
        usec_t date_usec;
        bool again = false;
        int q;

        q = call_decode(&r->ask, &target, reply, engine_realtime(e), &answer, &failure);
        if (q < 0) {
                failure = (Failure) { .class = FAILURE_UNREADABLE, .maybe_done = call_is_write(r->ask.call) };
                (void) snprintf(failure.message, sizeof(failure.message), "the reply could not be read: %s", strerror(-q));
        }

        if (q > 0)
                scrub_answer(e, &answer);
        else
                scrub_failure(e, f->generation, &failure);

        endpoint_note_run(e, f, q > 0 ? NULL : &failure);
        if (q <= 0 && failure.class == FAILURE_THROTTLED)
                endpoint_pause(e, f->endpoint, failure.retry_after_usec, instance_poll_usec(r->instance, r->item->control));
        date_usec = q > 0 ? answer.date_usec : failure.date_usec;
        if (date_usec > 0)
                endpoint_note_date(e, f->endpoint, date_usec);
        else
                endpoint_note_reply(e, f->endpoint, reply);     /* nothing is reckoned by it, and still it shows that clocks differ */

        if (q > 0 || shows_accepted(&failure))
                identity_on_accepted(e, f);
        else if (failure.class == FAILURE_CREDENTIALS)
                again = identity_on_refused(e, f, r->instance, &failure) && !failure.maybe_done && r->n_auth_tries++ < 1;
        else
                again = fall_back(e, r, &failure);

        flight_free(e, f);
        r->state = RUN_STEPPING;

        if (again && !e->stopping)
                endpoint_queue_run(r->endpoint, r);       /* refused requests had no effect: the same may be asked again */
        else
                look_continue(r, q > 0 ? &answer : NULL, q > 0 ? NULL : &failure);

        answer_done(&answer);
}

void engine_on_answer(Engine *e, uint64_t cookie, const Answer *answer) {
        Flight *f = (Flight *) (uintptr_t) cookie;
        Run *r;

        assert(e);
        assert(f && f->kind == FLIGHT_RUN);

        r = f->run;
        if (!answer) {
                flight_free(e, f);
                look_withhold(r, "it is not sent in this world", 0);
                return;
        }

        assert(answer->call == r->ask.call);
        endpoint_note_run(e, f, NULL);
        if (answer->date_usec > 0)
                endpoint_note_date(e, f->endpoint, answer->date_usec);
        identity_on_accepted(e, f);
        flight_free(e, f);
        look_continue(r, answer, NULL);
}

void engine_on_reply(Engine *e, uint64_t cookie, const HttpReply *reply) {
        Flight *f = (Flight *) (uintptr_t) cookie;

        assert(e);
        assert(f);
        assert(reply);

        if (f->kind == FLIGHT_RUN)
                run_replied(e, f, reply);
        else {
                identity_on_flight(e, f, reply);
                flight_free(e, f);
        }
}
