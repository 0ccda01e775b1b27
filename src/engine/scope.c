/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"

/*
 * Tokens and projects that are looked up at IAM, one scope for each region or project.
 */

#define TOKEN_REFRESH_USEC (30 * USEC_PER_MINUTE)       /* IAM tokens last 24 h */
#define SCOPE_TEXT_MAX 160      /* bytes; holds what scope_of() tells */

void identity_scope_forget_answer(Scope *s) {
        if (s->token.token) {
                (void) secret_free(s->former);
                s->former = STEAL(s->token.token);
        }
        token_done(&s->token);
        s->known = false;
}

void identity_scope_free(Scope *s) {
        identity_scope_forget_answer(s);
        (void) secret_free(s->former);
        free(s->key);
        free(s->region);
        free(s->project_id);
        free(s);
}

/* Forgets what was looked up with other credentials. Look-ups under way end into nothing. */
void identity_forget_scopes(Engine *e) {
        Scope *s, *next;

        HASH_ITER(hh, e->identity.scopes, s, next) {
                identity_scope_forget_answer(s);
                s->former = secret_free(s->former);
                s->fetching = s->failed = false;
                s->n_failed = 0;
                s->retry_at_usec = 0;
        }
}

static const char *iam_origin(const Engine *e, const char *region) {
        const char *set = engine_settings(e)->endpoints[SERVICE_IAM];

        return set ? set : region ? endpoint_lookup(SERVICE_IAM, region) : NULL;
}

/* The scope of a region or project, made when first needed. NULL: a failure was set. */
Scope *identity_scope_get(Engine *e, const Instance *i, bool is_token, Failure *reterr) {
        const char *origin = iam_origin(e, i->terms->region);
        const char *project = is_token ? i->terms->project_id : NULL;
        char key[512];
        Scope *s = NULL;

        if (!origin || (!project && !i->terms->region)) {
                identity_fail_withheld(reterr, "no %s is written for it, so IAM cannot be asked", origin ? "region" : "region or endpoints.iam");
                return NULL;
        }

        (void) snprintf(key, sizeof(key), "%s %s %s %s", is_token ? "token" : "project", origin, project ? project : "",
                        project ? "" : i->terms->region);
        HASH_FIND_STR(e->identity.scopes, key, s);
        if (s)
                return s;

        s = calloc(1, sizeof(*s));
        if (!s)
                goto nomem;

        s->is_token = is_token;
        s->key = strdup(key);
        s->region = i->terms->region ? strdup(i->terms->region) : NULL;
        s->project_id = project ? strdup(project) : NULL;
        s->iam = endpoint_get(e, origin, SERVICE_IAM, i->terms->region);
        if (!s->key || (i->terms->region && !s->region) || (project && !s->project_id) || !s->iam) {
                identity_scope_free(s);
                goto nomem;
        }

        HASH_ADD_KEYPTR(hh, e->identity.scopes, s->key, strlen(s->key), s);
        if (!hash_added(s)) {
                identity_scope_free(s);
                goto nomem;
        }
        return s;

nomem:
        identity_fail_withheld(reterr, "%s", "out of memory");
        return NULL;
}

static int scope_send(Engine *e, Scope *s, bool probing) {
        Identity *id = &e->identity;
        HttpRequest request = {};
        Flight f = {
                .kind = s->is_token ? FLIGHT_TOKEN : FLIGHT_PROJECT,
                .endpoint = s->iam,
                .scope = s,
                .signed_with_key = !s->is_token,
                .probing = probing,
        };
        int r;

        if (s->is_token)
                r = iam_token_encode(s->iam->origin, s->region, s->project_id, engine_settings(e)->credentials.user_name,
                                     engine_settings(e)->credentials.domain_name, id->credentials->password, &request);
        else {
                r = iam_projects_encode(s->iam->origin, s->region, &request);
                if (r >= 0)
                        r = sign_request(id->signer, &request, engine_realtime(e));
        }
        if (r < 0) {
                http_request_done(&request);
                return r;
        }

        r = flight_send(e, &f, &request);
        if (r >= 0)
                s->fetching = true;
        return r;
}

static const char *scope_what(const Scope *s) {
        return s->is_token ? "token" : "project";
}

/* "project <id>", or "region <name>" where none is written. Returns @buf. */
static const char *scope_of(const Scope *s, char buf[static SCOPE_TEXT_MAX]) {
        (void) snprintf(buf, SCOPE_TEXT_MAX, "%s %.128s", s->project_id ? "project" : "region", s->project_id ? s->project_id : s->region);
        return buf;
}

/* What IAM does is said of IAM: of the service that was to be asked it says nothing. */
static void withhold(const Scope *s, Failure *ret) {
        char of[SCOPE_TEXT_MAX];

        *ret = s->failure;
        ret->class = FAILURE_WITHHELD;
        ret->of_iam = true;
        ret->maybe_done = false;
        (void) snprintf(ret->message, sizeof(ret->message), "no %s for %s from IAM: %.800s", scope_what(s), scope_of(s, of), s->failure.message);
}

static void scope_event(Event *event, const Scope *s) {
        event->service = service_to_string(SERVICE_IAM);
        event->region = s->region;
}

/* An IAM that does not answer is said as any endpoint is, and refused credentials as those; this is of what else it may say. */
static void note_refused(Engine *e, Scope *s) {
        const Failure *f = &s->failure;
        Event event = EVENT(EVENT_API_FAILING);
        char of[SCOPE_TEXT_MAX];

        if (failure_is_unwell(f->class) || f->class == FAILURE_CREDENTIALS)
                return;
        if (s->n_refused++ == 0)
                s->refused_since_usec = engine_boottime(e);
        if (!said_news(&s->said_failing, engine_realtime(e), digest_failure(f)))
                return;

        scope_event(&event, s);
        event.http_status = f->http_status;
        event.error_code = f->code[0] ? f->code : NULL;
        event.request_id = f->request_id[0] ? f->request_id : NULL;
        event_set_message(&event, "%s: no %s for %s (%s): %s", s->iam->origin, scope_what(s), scope_of(s, of),
                          failure_class_to_string(f->class), f->message);
        engine_say(e, &event);
}

static void scope_known(Engine *e, Scope *s) {
        Event event = EVENT(EVENT_API_RECOVERED);
        char of[SCOPE_TEXT_MAX], lasted[TIME_TEXT_MAX];

        if (s->said_failing.at_usec > 0) {
                scope_event(&event, s);
                event_set_message(&event, "%s: the %s for %s is there, after %s and %u refusals", s->iam->origin, scope_what(s), scope_of(s, of),
                                  duration_format_human(usec_sub(engine_boottime(e), s->refused_since_usec), lasted), s->n_refused);
                engine_say(e, &event);
        }

        s->said_failing = (Said) {};
        s->n_refused = 0;
        s->known = true;
        s->failed = false;
        s->n_failed = 0;
}

/* Is the scope's answer there? If not, sees to it that it is asked for. */
IdentityAnswer identity_scope_pass(Engine *e, Scope *s, bool probing, Failure *reterr) {
        usec_t wait = USEC_INFINITY, now = engine_boottime(e);
        bool fresh = s->known && (!s->is_token || engine_realtime(e) < s->token.expires_at_usec);
        bool renew = s->known && s->is_token && engine_realtime(e) >= s->refresh_at_usec;
        int r;

        if (fresh && !renew)
                return IDENTITY_GO;

        if (!s->fetching && now >= s->retry_at_usec) {
                if (!endpoint_may_send(e, s->iam, &wait)) {
                        if (wait != USEC_INFINITY)
                                s->wait_until_usec = now + wait;        /* else a reply of IAM wakes us */
                } else if ((r = scope_send(e, s, probing)) < 0) {
                        identity_fail_withheld(&s->failure, "IAM could not be asked: %s", strerror(-r));
                        s->failed = true;
                        s->retry_at_usec = now + identity_backoff(e, s->n_failed++);
                }
        }

        if (fresh)
                return IDENTITY_GO;     /* renewed while the old one still holds */
        if (s->failed && !s->fetching && now < s->retry_at_usec && (!e->options.once || s->n_failed >= IDENTITY_ONCE_TRIES)) {
                withhold(s, reterr);
                return IDENTITY_NO;
        }
        return IDENTITY_WAIT;
}

static void scope_failed(Engine *e, Scope *s, const Failure *f) {
        s->failure = *f;
        s->failed = true;
        s->retry_at_usec = engine_boottime(e) + MAX(identity_backoff(e, s->n_failed), MIN(f->retry_after_usec, IDENTITY_RETRY_MAX_USEC));
        s->n_failed++;
        note_refused(e, s);
        /* What is no passing trouble is not worth asking again soon. */
        if (f->class != FAILURE_TRANSPORT && f->class != FAILURE_SERVER && f->class != FAILURE_THROTTLED && f->class != FAILURE_BUSY) {
                s->n_failed = MAX(s->n_failed, (unsigned) IDENTITY_ONCE_TRIES);
                s->retry_at_usec = engine_boottime(e) + IDENTITY_RETRY_MAX_USEC;
        }
}

/* Another token than before; the first is no news. */
static void say_renewed(Engine *e, const Scope *s) {
        Event event = EVENT(EVENT_CREDENTIALS_REFRESHED);
        char of[SCOPE_TEXT_MAX];

        scope_event(&event, s);
        event_set_message(&event, "%s: the token for %s was renewed", s->iam->origin, scope_of(s, of));
        engine_say(e, &event);
}

/* --- Tokens and projects: replies --------------------------------------------------------------------------------- */

void identity_on_token(Engine *e, Flight *f, const HttpReply *reply) {
        Scope *s = f->scope;
        Token token = {};
        Failure failure = {};
        int r;

        r = iam_token_decode(reply, engine_realtime(e), &token, &failure);
        scrub_failure(e, f->generation, &failure);
        endpoint_note(e, f->endpoint, NULL, r > 0 ? NULL : &failure);
        endpoint_note_reply(e, f->endpoint, reply);
        if (f->generation != e->identity.generation) {
                token_done(&token);
                return;
        }

        s->fetching = false;
        if (r > 0 && token.expires_at_usec <= engine_realtime(e)) {     /* another one would be no better: IAM is not asked at once */
                token_done(&token);
                identity_fail_withheld(&failure, "%s", "IAM's token has expired already by this host's clock: is it right?");
                scope_failed(e, s, &failure);
                return;
        }
        if (r > 0) {
                usec_t left = usec_sub(token.expires_at_usec, engine_realtime(e));

                if (s->known || s->renewed_at_usec > 0)
                        say_renewed(e, s);
                identity_scope_forget_answer(s);
                s->token = token;
                scope_known(e, s);
                s->refresh_at_usec = token.expires_at_usec - MIN(TOKEN_REFRESH_USEC, left / 2);
                if (e->identity.state != IDENTITY_REFUSED)
                        e->identity.state = IDENTITY_PROVEN;
                return;
        }

        if (r < 0)
                identity_fail_withheld(&failure, "IAM's answer could not be read: %s", strerror(-r));
        scope_failed(e, s, &failure);
        if (failure.class != FAILURE_CREDENTIALS)
                return;

        identity_refuse(e, &failure);
        /* A wrong password locks the user by the account's own rule: it is not tried again by itself. */
        if (identity_uses_password(e))
                e->identity.refused_until_usec = USEC_INFINITY;
}

void identity_on_project(Engine *e, Flight *f, const HttpReply *reply) {
        Scope *s = f->scope;
        Project project = {};
        Failure failure = {};
        int r;

        r = iam_projects_decode(reply, s->region, engine_realtime(e), &project, &failure);
        scrub_failure(e, f->generation, &failure);
        endpoint_note(e, f->endpoint, NULL, r > 0 ? NULL : &failure);
        endpoint_note_reply(e, f->endpoint, reply);
        if (f->generation != e->identity.generation) {
                project_done(&project);
                return;
        }

        s->fetching = false;
        if (r > 0) {
                identity_scope_forget_answer(s);
                s->token.project_id = STEAL(project.project_id);
                s->token.domain_id = STEAL(project.domain_id);
                project_done(&project);
                scope_known(e, s);
                identity_on_accepted(e, f);
                return;
        }

        if (r < 0)
                identity_fail_withheld(&failure, "IAM's answer could not be read: %s", strerror(-r));
        else if (failure.class == FAILURE_CREDENTIALS) {
                if (identity_on_refused(e, f, NULL, &failure) && s->n_failed < 1) {
                        s->n_failed++;
                        return;
                }
        } else if (failure.class == FAILURE_NOT_PERMITTED || failure.class == FAILURE_NOT_FOUND)
                identity_on_accepted(e, f);
        scope_failed(e, s, &failure);
}
