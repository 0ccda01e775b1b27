/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"

/*
 * Who we are: the access key or the password in use, the tokens and projects that were looked up with it, and the rule that keeps a key
 * from being locked out: more than five failed signatures in a row lock it for five minutes, for everybody who uses it (API Request
 * Signing Guide, APIGW.0301). So the first request with a key goes alone, and at the first refusal all stop.
 */

#define REFUSED_USEC (6 * USEC_PER_MINUTE)              /* PRODUCT: five minutes of lock-out, and one to be sure */
#define PROVEN_USEC (5 * USEC_PER_MINUTE)               /* a key not used for longer may have been revoked: alone again; picked */
#define NONE_RETRY_USEC USEC_PER_MINUTE
#define METADATA_REFRESH_USEC (40 * USEC_PER_MINUTE)    /* as the SDKs do, or half of the life that is left */
#define METADATA_TOKEN_USEC (6 * USEC_PER_HOUR)         /* X-Metadata-Token-Ttl-Seconds: 21600 */
#define METADATA_NO_TOKEN_USEC (24 * USEC_PER_HOUR)     /* a service without v2 is asked for it once a day */
#define TOKEN_REFRESH_USEC (30 * USEC_PER_MINUTE)       /* IAM tokens last 24 h */
#define SCOPE_RETRY_USEC USEC_PER_SEC
#define SCOPE_RETRY_MAX_USEC (5 * USEC_PER_MINUTE)
#define ONCE_TRIES 3
#define CLOCK_MAX_USEC (15 * USEC_PER_MINUTE)           /* the gateway takes no signature from further away */

static usec_t backoff(Engine *e, unsigned n_failed) {
        usec_t most = MIN(SCOPE_RETRY_USEC << MIN(n_failed, 16u), SCOPE_RETRY_MAX_USEC);

        return MAX(engine_random(e) % (most + 1), 100 * USEC_PER_MSEC);
}

static void fail_withheld(Failure *f, const char *format, const char *detail) {
        *f = (Failure) { .class = FAILURE_WITHHELD };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) snprintf(f->message, sizeof(f->message), format, detail);        /* formats are literals of this file */
#pragma GCC diagnostic pop
}

static bool uses_password(const Engine *e) {
        return engine_settings(e)->credentials.source == CREDENTIALS_PASSWORD;
}

/* --- Scopes: tokens and projects ---------------------------------------------------------------------------------- */

static void scope_forget_answer(Scope *s) {
        token_done(&s->token);
        s->known = false;
}

static void scope_free(Scope *s) {
        scope_forget_answer(s);
        free(s->key);
        free(s->region);
        free(s->project_id);
        free(s);
}

/* Forgets what was looked up with other credentials. Look-ups under way end into nothing. */
static void forget_scopes(Engine *e) {
        Scope *s, *next;

        HASH_ITER(hh, e->identity.scopes, s, next) {
                scope_forget_answer(s);
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
static Scope *scope_get(Engine *e, const Instance *i, bool is_token, Failure *reterr) {
        const char *origin = iam_origin(e, i->region);
        const char *project = is_token ? i->project_id : NULL;
        char key[512];
        Scope *s = NULL;

        if (!origin || (!project && !i->region)) {
                fail_withheld(reterr, "no %s is written for it, so IAM cannot be asked", origin ? "region" : "region or endpoints.iam");
                return NULL;
        }

        (void) snprintf(key, sizeof(key), "%s %s %s %s", is_token ? "token" : "project", origin, project ? project : "",
                        project ? "" : i->region);
        HASH_FIND_STR(e->identity.scopes, key, s);
        if (s)
                return s;

        s = calloc(1, sizeof(*s));
        if (!s)
                goto nomem;

        s->is_token = is_token;
        s->key = strdup(key);
        s->region = i->region ? strdup(i->region) : NULL;
        s->project_id = project ? strdup(project) : NULL;
        s->iam = endpoint_get(e, origin, SERVICE_IAM, i->region);
        if (!s->key || (i->region && !s->region) || (project && !s->project_id) || !s->iam) {
                scope_free(s);
                goto nomem;
        }

        HASH_ADD_KEYPTR(hh, e->identity.scopes, s->key, strlen(s->key), s);
        if (!hash_added(s)) {
                scope_free(s);
                goto nomem;
        }
        return s;

nomem:
        fail_withheld(reterr, "%s", "out of memory");
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

/* Is the scope's answer there? If not, sees to it that it is asked for. */
static IdentityAnswer scope_pass(Engine *e, Scope *s, bool probing, Failure *reterr) {
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
                        fail_withheld(&s->failure, "IAM could not be asked: %s", strerror(-r));
                        s->failed = true;
                        s->retry_at_usec = now + backoff(e, s->n_failed++);
                }
        }

        if (fresh)
                return IDENTITY_GO;     /* renewed while the old one still holds */
        if (s->failed && !s->fetching && now < s->retry_at_usec && (!e->options.once || s->n_failed >= ONCE_TRIES)) {
                *reterr = s->failure;
                reterr->maybe_done = false;
                return IDENTITY_NO;
        }
        return IDENTITY_WAIT;
}

static void scope_failed(Engine *e, Scope *s, const Failure *f) {
        s->failure = *f;
        s->failed = true;
        s->retry_at_usec = engine_boottime(e) + MAX(backoff(e, s->n_failed), MIN(f->retry_after_usec, SCOPE_RETRY_MAX_USEC));
        s->n_failed++;
        /* What is no passing trouble is not worth asking again soon. */
        if (f->class != FAILURE_TRANSPORT && f->class != FAILURE_SERVER && f->class != FAILURE_THROTTLED && f->class != FAILURE_BUSY) {
                s->n_failed = MAX(s->n_failed, (unsigned) ONCE_TRIES);
                s->retry_at_usec = engine_boottime(e) + SCOPE_RETRY_MAX_USEC;
        }
}

/* --- Credentials -------------------------------------------------------------------------------------------------- */

static void say_rejected(Engine *e, const Failure *f) {
        Identity *id = &e->identity;
        Event event = EVENT(EVENT_CREDENTIALS_REJECTED);
        const char *origin = id->credentials && id->credentials->origin ? id->credentials->origin : "credentials";

        if (!said_news(&id->said_rejected, engine_realtime(e), digest_text(f->code)))
                return;

        event.http_status = f->http_status;
        event.error_code = f->code[0] ? f->code : NULL;
        event.request_id = f->request_id[0] ? f->request_id : NULL;
        if (f->date_usec > 0 && usec_diff(f->date_usec, engine_realtime(e)) > CLOCK_MAX_USEC)
                event_set_message(&event, "%s: refused, but the cloud's clock is more than 15 minutes away from this host's: "
                                  "set the clock before you doubt the key (%s)", origin, f->message);
        else
                event_set_message(&event, "%s: refused, all calls stop until the credentials change%s: %s", origin,
                                  uses_password(e) ? "" : " or six minutes have passed", f->message);
        engine_say(e, &event);
}

/* The source is there, but cannot be used as it is. */
static void say_unreadable(Engine *e, const Failure *f) {
        Identity *id = &e->identity;
        Event event = EVENT(EVENT_CREDENTIALS_REJECTED);

        if (!said_news(&id->said_rejected, engine_realtime(e), digest_text(f->message)))
                return;

        event_set_message(&event, "%s; %s", f->message, id->credentials ? "those read before stay in use" : "no call can be made");
        engine_say(e, &event);
}

static void refuse(Engine *e, const Failure *f) {
        Identity *id = &e->identity;

        id->state = IDENTITY_REFUSED;
        id->failure = *f;
        id->failure.maybe_done = false;
        /* A wrong password locks the user by the account's own rule: it is not tried again by itself. */
        id->refused_until_usec = uses_password(e) ? USEC_INFINITY : usec_add(engine_boottime(e), REFUSED_USEC);
        say_rejected(e, f);
}

static void set_refresh(Engine *e) {
        Identity *id = &e->identity;
        usec_t expires = id->credentials->expires_at_usec, left = usec_sub(expires, engine_realtime(e));

        id->refresh_at_usec = expires == USEC_INFINITY ? USEC_INFINITY : expires - MIN(METADATA_REFRESH_USEC, left / 2);
}

/* Puts credentials in use, unless they are those in use already. Takes them. Return: whether they are new; or -ENOMEM. */
static int adopt(Engine *e, Credentials *taken) {
        _cleanup_(credentials_freep) Credentials *c = taken;
        _cleanup_(signer_freep) Signer *signer = NULL;
        Identity *id = &e->identity;
        Event event = EVENT(EVENT_CREDENTIALS_REFRESHED);
        int r;

        if (id->credentials && credentials_equal(id->credentials, c)) {
                id->credentials->expires_at_usec = MAX(id->credentials->expires_at_usec, c->expires_at_usec);
                set_refresh(e);
                return 0;
        }

        if (c->access_key) {
                r = signer_new(c->access_key, c->secret_key, c->security_token, &signer);
                if (r < 0)
                        return r;
        }

        if (id->credentials) {
                event_set_message(&event, "%s: new credentials are in use", c->origin ? c->origin : "credentials");
                engine_say(e, &event);
        }

        id->signer = signer_free(id->signer);
        credentials_free(id->credentials);
        id->credentials = STEAL(c);
        id->signer = STEAL(signer);
        id->state = IDENTITY_UNPROVEN;
        id->n_probing = 0;
        id->n_failed = 0;
        id->generation++;
        id->said_rejected = (Said) {};
        forget_scopes(e);
        set_refresh(e);
        engine_wake_unknown(e);
        return 1;
}

static void metadata_fetch(Engine *e);

/* Reads a source that lies on this host. Return: 1 new, 0 the same, -ENOENT nothing there, -errno broken (failure is set). */
static int read_source(Engine *e, CredentialsSource source) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        _cleanup_(freep) char *error = NULL;
        Identity *id = &e->identity;
        int r;

        r = e->world.credentials(e->world.userdata, engine_settings(e), source, &c, &error);
        if (r == -ENOENT) {
                if (error && !id->credentials)
                        fail_withheld(&id->failure, "%s", error);
                return r;
        }
        if (r < 0) {
                fail_withheld(&id->failure, "%s", error ? error : strerror(-r));
                return r;
        }

        r = adopt(e, STEAL(c));
        if (r > 0)
                id->metadata = NULL;    /* what lies on this host is in use now */
        return r;
}

void identity_reload(Engine *e) {
        static const CredentialsSource automatic[] = { CREDENTIALS_SYSTEMD, CREDENTIALS_ENVIRONMENT, CREDENTIALS_PROFILE };
        CredentialsSource source = engine_settings(e)->credentials.source;
        Identity *id = &e->identity;
        int r = -ENOENT;
        uint32_t who;

        if (id->state != IDENTITY_REFUSED)
                id->failure = (Failure) {};

        who = source == CREDENTIALS_PASSWORD ? digest_text(engine_settings(e)->credentials.user_name) * 31 +
                                               digest_text(engine_settings(e)->credentials.domain_name) : 0;
        if (id->credentials && who != id->who) {        /* the same password of another user is another credential */
                id->signer = signer_free(id->signer);
                credentials_free(id->credentials);
                id->credentials = NULL;
                id->generation++;
                id->n_probing = 0;
                forget_scopes(e);
        }
        id->who = who;

        if (source == CREDENTIALS_AUTO)
                for (size_t i = 0; i < N_ELEMENTS(automatic) && r == -ENOENT; i++)
                        r = read_source(e, automatic[i]);
        else if (source != CREDENTIALS_METADATA)
                r = read_source(e, source);

        if (r == -ENOENT && (source == CREDENTIALS_AUTO || source == CREDENTIALS_METADATA)) {
                metadata_fetch(e);
                return;
        }
        if (r >= 0)
                return;

        if (r != -ENOENT)
                say_unreadable(e, &id->failure);
        if (!id->failure.message[0])
                fail_withheld(&id->failure, "no credentials found (source %s)", credentials_source_to_string(source));
        if (!id->credentials) {
                id->state = IDENTITY_NONE;
                id->retry_at_usec = engine_boottime(e) + NONE_RETRY_USEC;
        }
}

/* --- Metadata service --------------------------------------------------------------------------------------------- */

static void metadata_failed(Engine *e, const Failure *f) {
        Identity *id = &e->identity;

        id->refreshing = false;
        id->retry_at_usec = engine_boottime(e) + (f->class == FAILURE_NOT_OFFERED ? NONE_RETRY_USEC : backoff(e, id->n_failed));
        id->n_failed++;

        if (id->credentials) {
                if (id->state == IDENTITY_FETCHING)
                        refuse(e, &id->failure);        /* asked for because the old one was refused */
                return;         /* else the old key goes on until it expires */
        }

        id->failure = *f;
        if (!e->options.once || id->n_failed >= ONCE_TRIES || f->class == FAILURE_NOT_OFFERED)
                id->state = IDENTITY_NONE;
}

static int metadata_send(Engine *e, FlightKind kind) {
        Identity *id = &e->identity;
        Flight f = { .kind = kind, .endpoint = id->metadata };
        HttpRequest request = {};
        int r;

        if (kind == FLIGHT_METADATA_TOKEN)
                r = metadata_token_encode(id->metadata->origin, &request);
        else
                r = metadata_key_encode(id->metadata->origin, id->metadata_token, &request);
        if (r < 0) {
                http_request_done(&request);
                return r;
        }

        return flight_send(e, &f, &request);
}

static void metadata_fetch(Engine *e) {
        Identity *id = &e->identity;
        const char *set = engine_settings(e)->endpoints[SERVICE_METADATA];
        usec_t now = engine_boottime(e);
        bool have_token = id->metadata_token && now < id->metadata_token_until_usec;
        Failure f;
        int r;

        if (id->refreshing) {
                if (!id->credentials || id->state == IDENTITY_REFUSED)
                        id->state = IDENTITY_FETCHING;
                return;
        }

        id->metadata = endpoint_get(e, set ? set : endpoint_lookup(SERVICE_METADATA, ""), SERVICE_METADATA, NULL);
        if (!id->metadata)
                r = -ENOMEM;
        else
                r = metadata_send(e, have_token || now < id->no_token_until_usec ? FLIGHT_METADATA_KEY : FLIGHT_METADATA_TOKEN);

        if (r < 0) {
                fail_withheld(&f, "the metadata service could not be asked: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        id->refreshing = true;
        if (!id->credentials || id->state == IDENTITY_REFUSED)
                id->state = IDENTITY_FETCHING;
}

static void metadata_forget_token(Identity *id) {
        id->metadata_token = secret_free(id->metadata_token);
        id->metadata_token_until_usec = 0;
}

static void on_metadata_token(Engine *e, const HttpReply *reply) {
        Identity *id = &e->identity;
        Secret *token = NULL;
        Failure f = {};
        int r;

        r = metadata_token_decode(reply, &token, &f);
        endpoint_note(e, id->metadata, r > 0 || f.class == FAILURE_NOT_OFFERED ? NULL : &f);
        if (r > 0) {
                metadata_forget_token(id);
                id->metadata_token = token;
                id->metadata_token_until_usec = engine_boottime(e) + METADATA_TOKEN_USEC - USEC_PER_MINUTE;
        } else if (f.class == FAILURE_NOT_OFFERED)
                id->no_token_until_usec = engine_boottime(e) + METADATA_NO_TOKEN_USEC;  /* only v1 here */
        else {
                if (r < 0)
                        fail_withheld(&f, "the metadata service's answer could not be read: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        r = metadata_send(e, FLIGHT_METADATA_KEY);
        if (r < 0) {
                fail_withheld(&f, "the metadata service could not be asked: %s", strerror(-r));
                metadata_failed(e, &f);
        }
}

static void on_metadata_key(Engine *e, const HttpReply *reply) {
        Identity *id = &e->identity;
        Credentials *c = NULL;
        Failure f = {};
        int r;

        r = metadata_key_decode(reply, engine_realtime(e), &c, &f);
        endpoint_note(e, id->metadata, r > 0 ? NULL : &f);

        /* The token ran out: a new one, and once more. */
        if (r == 0 && f.class == FAILURE_CREDENTIALS && f.token_expired && !id->metadata_retried) {
                id->metadata_retried = true;
                metadata_forget_token(id);
                id->no_token_until_usec = 0;
                id->refreshing = false;
                metadata_fetch(e);
                return;
        }

        id->metadata_retried = false;
        if (r <= 0) {
                if (r < 0)
                        fail_withheld(&f, "the metadata service's answer could not be read: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        id->refreshing = false;
        id->n_failed = 0;
        r = adopt(e, c);
        if (r == 0 && id->state == IDENTITY_FETCHING)
                refuse(e, &id->failure);        /* still the key that was refused */
        if (r == 0)
                id->retry_at_usec = engine_boottime(e) + NONE_RETRY_USEC;       /* it has no newer one yet */
        else if (r < 0) {
                fail_withheld(&f, "the key from the metadata service could not be used: %s", strerror(-r));
                metadata_failed(e, &f);
        }
}

/* --- Tokens and projects: replies --------------------------------------------------------------------------------- */

static void on_token(Engine *e, Flight *f, const HttpReply *reply) {
        Scope *s = f->scope;
        Token token = {};
        Failure failure = {};
        int r;

        r = iam_token_decode(reply, engine_realtime(e), &token, &failure);
        endpoint_note(e, f->endpoint, r > 0 ? NULL : &failure);
        endpoint_note_date(e, f->endpoint, failure.date_usec);
        if (f->generation != e->identity.generation) {
                token_done(&token);
                return;
        }

        s->fetching = false;
        if (r > 0) {
                usec_t left = usec_sub(token.expires_at_usec, engine_realtime(e));

                scope_forget_answer(s);
                s->token = token;
                s->known = true;
                s->failed = false;
                s->n_failed = 0;
                s->refresh_at_usec = token.expires_at_usec - MIN(TOKEN_REFRESH_USEC, left / 2);
                e->identity.state = IDENTITY_PROVEN;
                return;
        }

        if (r < 0)
                fail_withheld(&failure, "IAM's answer could not be read: %s", strerror(-r));
        scope_failed(e, s, &failure);
        if (failure.class == FAILURE_CREDENTIALS)
                refuse(e, &failure);
}

static void on_project(Engine *e, Flight *f, const HttpReply *reply) {
        Scope *s = f->scope;
        Project project = {};
        Failure failure = {};
        int r;

        r = iam_projects_decode(reply, s->region, engine_realtime(e), &project, &failure);
        endpoint_note(e, f->endpoint, r > 0 ? NULL : &failure);
        endpoint_note_date(e, f->endpoint, failure.date_usec);
        if (f->generation != e->identity.generation) {
                project_done(&project);
                return;
        }

        s->fetching = false;
        if (r > 0) {
                scope_forget_answer(s);
                s->token.project_id = STEAL(project.project_id);
                s->token.domain_id = STEAL(project.domain_id);
                project_done(&project);
                s->known = true;
                s->failed = false;
                s->n_failed = 0;
                identity_on_accepted(e, f);
                return;
        }

        if (r < 0)
                fail_withheld(&failure, "IAM's answer could not be read: %s", strerror(-r));
        else if (failure.class == FAILURE_CREDENTIALS) {
                if (identity_on_refused(e, f, NULL, &failure) && s->n_failed < 1) {
                        s->n_failed++;
                        return;
                }
        } else if (failure.class == FAILURE_NOT_PERMITTED || failure.class == FAILURE_NOT_FOUND)
                identity_on_accepted(e, f);
        scope_failed(e, s, &failure);
}

void identity_on_flight(Engine *e, Flight *f, const HttpReply *reply) {
        if ((f->kind == FLIGHT_METADATA_TOKEN || f->kind == FLIGHT_METADATA_KEY) && f->generation != e->identity.generation) {
                e->identity.refreshing = false; /* another source has given a key since */
                return;
        }

        switch (f->kind) {
        case FLIGHT_TOKEN:
                on_token(e, f, reply);
                break;
        case FLIGHT_PROJECT:
                on_project(e, f, reply);
                break;
        case FLIGHT_METADATA_TOKEN:
                on_metadata_token(e, reply);
                break;
        case FLIGHT_METADATA_KEY:
                on_metadata_key(e, reply);
                break;
        case FLIGHT_RUN:
                assert(false);
        }
}

/* --- May a call go out? ------------------------------------------------------------------------------------------- */

static IdentityAnswer key_pass(Engine *e, const Instance *i, Call call, Pass *ret, Failure *reterr) {
        Identity *id = &e->identity;
        usec_t now = engine_boottime(e);
        const char *project = i->project_id, *domain = i->domain_id;
        Scope *s;

        if (id->credentials->expires_at_usec <= engine_realtime(e)) {
                if (id->refreshing)
                        return IDENTITY_WAIT;
                fail_withheld(reterr, "%s: the temporary key has expired and could not be renewed",
                              id->credentials->origin ? id->credentials->origin : "credentials");
                return IDENTITY_NO;
        }

        if (id->state == IDENTITY_PROVEN && usec_sub(now, id->proven_at_usec) > PROVEN_USEC)
                id->state = IDENTITY_UNPROVEN;
        if (id->state == IDENTITY_UNPROVEN && id->n_probing > 0)
                return IDENTITY_WAIT;

        if ((call_needs_project(call) && !project) || (call_needs_domain(call) && !domain)) {
                IdentityAnswer answer;

                s = scope_get(e, i, false, reterr);
                if (!s)
                        return IDENTITY_NO;
                answer = scope_pass(e, s, id->state == IDENTITY_UNPROVEN, reterr);
                if (answer != IDENTITY_GO)
                        return answer;

                project = project ? project : s->token.project_id;
                domain = domain ? domain : s->token.domain_id;
                if (call_needs_domain(call) && !domain) {
                        fail_withheld(reterr, "%s", "IAM does not name the account: write domain_id into the policy or holdfast.yaml");
                        return IDENTITY_NO;
                }
        }

        *ret = (Pass) {
                .signer = id->signer,
                .project_id = project,
                .domain_id = domain,
                .probing = id->state == IDENTITY_UNPROVEN,
        };
        return IDENTITY_GO;
}

static IdentityAnswer password_pass(Engine *e, const Instance *i, Call call, Pass *ret, Failure *reterr) {
        IdentityAnswer answer;
        Scope *s;

        s = scope_get(e, i, true, reterr);
        if (!s)
                return IDENTITY_NO;

        /* One token at a time until the first has shown that the password is right. */
        if (e->identity.state == IDENTITY_UNPROVEN && !s->known && !s->fetching) {
                Scope *other, *next;

                HASH_ITER(hh, e->identity.scopes, other, next)
                        if (other != s && other->fetching)
                                return IDENTITY_WAIT;
        }

        answer = scope_pass(e, s, false, reterr);
        if (answer != IDENTITY_GO)
                return answer;

        *ret = (Pass) {
                .token = s->token.token,
                .project_id = i->project_id ? i->project_id : s->token.project_id,
                .domain_id = i->domain_id ? i->domain_id : s->token.domain_id,
        };
        if ((call_needs_project(call) && !ret->project_id) || (call_needs_domain(call) && !ret->domain_id)) {
                fail_withheld(reterr, "IAM does not name the %s: write it into the policy or holdfast.yaml",
                              call_needs_domain(call) && !ret->domain_id ? "account (domain_id)" : "project (project_id)");
                return IDENTITY_NO;
        }

        return IDENTITY_GO;
}

IdentityAnswer identity_pass(Engine *e, const Instance *i, Call call, Pass *ret, Failure *reterr) {
        Identity *id = &e->identity;

        switch (id->state) {
        case IDENTITY_NONE:
                *reterr = id->failure;
                reterr->class = FAILURE_WITHHELD;
                return IDENTITY_NO;
        case IDENTITY_FETCHING:
                return IDENTITY_WAIT;
        case IDENTITY_REFUSED:
                if (engine_boottime(e) < id->refused_until_usec) {
                        *reterr = (Failure) { .class = FAILURE_WITHHELD };
                        (void) snprintf(reterr->message, sizeof(reterr->message), "the credentials were refused: %.900s",
                                        id->failure.message);
                        return IDENTITY_NO;
                }
                id->state = IDENTITY_UNPROVEN;
                break;
        case IDENTITY_UNPROVEN:
        case IDENTITY_PROVEN:
                break;
        }

        return uses_password(e) ? password_pass(e, i, call, ret, reterr) : key_pass(e, i, call, ret, reterr);
}

bool identity_on_refused(Engine *e, const Flight *f, const Instance *i, const Failure *failure) {
        Identity *id = &e->identity;
        unsigned generation = id->generation;

        if (f->generation != generation)
                return true;            /* refused with what is no longer in use */

        if (!f->signed_with_key) {
                Failure ignored = {};
                Scope *s = i ? scope_get(e, i, true, &ignored) : NULL;

                if (s && s->renewed_at_usec > 0 && f->sent_at_usec <= s->renewed_at_usec)
                        return true;            /* with the token of before: a new one is there, or on its way */
                if (!s || s->renewed_at_usec > 0) {
                        refuse(e, failure);     /* a token that was only just given */
                        return false;
                }
                scope_forget_answer(s);
                s->renewed_at_usec = engine_boottime(e);
                return true;
        }

        if (id->state == IDENTITY_REFUSED)
                return false;
        if (id->state == IDENTITY_FETCHING)
                return true;            /* refused already, and a new key is being asked for */

        id->failure = *failure;
        if (id->credentials->security_token && id->metadata) {
                id->state = IDENTITY_REFUSED;
                metadata_fetch(e);      /* a temporary key may have been withdrawn: is there a new one? */
                if (id->state == IDENTITY_FETCHING)
                        return true;
                refuse(e, failure);
                return false;
        }

        identity_reload(e);
        if (id->generation != generation)
                return true;

        refuse(e, failure);
        return false;
}

void identity_on_accepted(Engine *e, const Flight *f) {
        Identity *id = &e->identity;
        Scope *s, *next;

        /* An answer to what was sent before the refusal does not take it back. */
        if (f->generation != id->generation || id->state == IDENTITY_REFUSED || id->state == IDENTITY_FETCHING)
                return;

        id->said_rejected = (Said) {};
        id->proven_at_usec = engine_boottime(e);
        id->state = IDENTITY_PROVEN;

        if (!f->signed_with_key && f->kind == FLIGHT_RUN)
                HASH_ITER(hh, id->scopes, s, next)
                        s->renewed_at_usec = 0;
}

void identity_run(Engine *e, usec_t *wait_usec) {
        Identity *id = &e->identity;
        usec_t now = engine_boottime(e), wall = engine_realtime(e);
        Scope *s, *next;

        if (id->state == IDENTITY_NONE || (id->state == IDENTITY_FETCHING && !id->refreshing)) {
                if (now >= id->retry_at_usec)
                        identity_reload(e);
                else
                        *wait_usec = MIN(*wait_usec, id->retry_at_usec - now);
        }

        if (id->state == IDENTITY_REFUSED && id->refused_until_usec != USEC_INFINITY) {
                if (now >= id->refused_until_usec) {
                        id->state = IDENTITY_UNPROVEN;
                        engine_wake_unknown(e);
                } else
                        *wait_usec = MIN(*wait_usec, id->refused_until_usec - now);
        }

        /* Temporary keys, well before they expire. */
        if (id->credentials && id->metadata && id->refresh_at_usec != USEC_INFINITY && !id->refreshing) {
                if (wall >= id->refresh_at_usec && now >= id->retry_at_usec)
                        metadata_fetch(e);
                else
                        *wait_usec = MIN(*wait_usec, MAX(usec_sub(id->refresh_at_usec, wall), usec_sub(id->retry_at_usec, now)));
        }

        HASH_ITER(hh, id->scopes, s, next)
                if (s->failed && !s->fetching && now < s->retry_at_usec)
                        *wait_usec = MIN(*wait_usec, s->retry_at_usec - now);
}

void identity_done(Engine *e) {
        Identity *id = &e->identity;
        Scope *s, *next;

        HASH_ITER(hh, id->scopes, s, next) {
                HASH_DEL(id->scopes, s);
                scope_free(s);
        }
        metadata_forget_token(id);
        signer_free(id->signer);
        credentials_free(id->credentials);
        *id = (Identity) {};
}

void identity_wait(Engine *e, usec_t *wait_usec) {
        Scope *s, *next;

        HASH_ITER(hh, e->identity.scopes, s, next)
                if (s->wait_until_usec > 0) {
                        *wait_usec = MIN(*wait_usec, usec_sub(s->wait_until_usec, engine_boottime(e)) + 1);
                        s->wait_until_usec = 0;
                }
}
