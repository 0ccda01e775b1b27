/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * Who we are: the access key or the password in use, the tokens and projects that were looked up with it, and the rule that keeps a key
 * from being locked out: more than five failed signatures in a row lock it for five minutes, for everybody who uses it (API Request
 * Signing Guide, APIGW.0301). So the first request with a key goes alone, and at the first refusal all stop.
 */

#define REFUSED_USEC (6 * USEC_PER_MINUTE)              /* holdfastd(8): five minutes of lock-out, and one to be sure */
#define PROVEN_USEC (5 * USEC_PER_MINUTE)               /* a key not used for longer may have been revoked: alone again; picked */
/*
 * A key that has been good may be revoked, or this host's clock be stepped, at any moment; whatever is on its way then fails. So no more
 * signed requests are under way at a time, over all endpoints, than may fail without locking the key: each answer that shows it to be good
 * lets one more go. At a tenth of a second for an exchange that is fifty a second, more than http.rate allows an endpoint.
 *
 * The gateway judges the signature before it asks the service behind it. So what has been under way for a second, or for several times what an
 * exchange takes from here where that is more, waits for the service: its signature is good, and it counts no more. Else five instances that
 * hang would keep all others from being looked at. http.max_connections bounds how many may hang at one endpoint.
 */
#define SIGNED_MAX 5
#define DOUBT_MIN_USEC USEC_PER_SEC                     /* picked: many times what a gateway takes for a refusal */
#define DOUBT_EXCHANGES 4                               /* of the quick ones; picked: an exchange may take three times what another took */
#define QUICK_SHARE 16                                  /* by which part of it a slower exchange counts; picked: some may hang and still answer */
#define METADATA_REFRESH_USEC (40 * USEC_PER_MINUTE)    /* as the SDKs do, or half of the life that is left */
#define RENEWALS_MAX 3                                  /* picked */
#define CLOCK_MAX_USEC (15 * USEC_PER_MINUTE)           /* the gateway takes no signature from further away */

usec_t identity_backoff(Engine *e, unsigned n_failed) {
        usec_t most = MIN(IDENTITY_RETRY_USEC << MIN(n_failed, 16u), IDENTITY_RETRY_MAX_USEC);

        return MAX(engine_random(e) % (most + 1), 100 * USEC_PER_MSEC);
}

void identity_fail_withheld(Failure *f, const char *format, const char *detail) {
        *f = (Failure) { .class = FAILURE_WITHHELD };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) snprintf(f->message, sizeof(f->message), format, detail);        /* formats are literals of this file */
#pragma GCC diagnostic pop
}

bool identity_uses_password(const Engine *e) {
        return engine_settings(e)->credentials.source == CREDENTIALS_PASSWORD;
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
                                  identity_uses_password(e) ? "" : " or six minutes have passed", f->message);
        engine_say(e, &event);
}

void identity_say_none(Engine *e, const Failure *f) {
        Identity *id = &e->identity;
        Event event = EVENT(EVENT_CREDENTIALS_REJECTED);
        /* Of the network the words differ from one time to the next. */
        uint32_t digest = f->class == FAILURE_WITHHELD ? digest_text(f->message) : (uint32_t) f->class;

        if (!said_news(&id->said_rejected, engine_realtime(e), digest))
                return;

        event_set_message(&event, "%s; %s", f->message, id->credentials ? "those read before stay in use" : "no call can be made");
        engine_say(e, &event);
}

void identity_refuse(Engine *e, const Failure *f) {
        Identity *id = &e->identity;

        id->state = IDENTITY_REFUSED;
        id->renewed = false;
        id->failure = *f;
        id->failure.maybe_done = false;
        id->refused_until_usec = usec_add(engine_boottime(e), REFUSED_USEC);
        say_rejected(e, f);
}

static void set_refresh(Engine *e) {
        Identity *id = &e->identity;
        usec_t expires = id->credentials->expires_at_usec, left = usec_sub(expires, engine_realtime(e));

        id->refresh_at_usec = expires == USEC_INFINITY ? USEC_INFINITY : expires - MIN(METADATA_REFRESH_USEC, left / 2);
}

/* Puts credentials in use, unless they are those in use already. Takes them. Return: whether they are new; or -ENOMEM. */
int identity_adopt(Engine *e, Credentials *taken) {
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
        identity_forget_scopes(e);
        set_refresh(e);
        engine_wake_unknown(e);
        return 1;
}

/* Reads a source that lies on this host. Return: 1 new, 0 the same, -ENOENT nothing there, -errno broken (failure is set). */
static int read_source(Engine *e, CredentialsSource source) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        _cleanup_(freep) char *error = NULL;
        Identity *id = &e->identity;
        int r;

        r = e->world.credentials(e->world.userdata, engine_settings(e), source, &c, &error);
        if (r == -ENOENT) {
                if (error && !id->credentials)
                        identity_fail_withheld(&id->failure, "%s", error);
                return r;
        }
        if (r < 0) {
                identity_fail_withheld(&id->failure, "%s", error ? error : strerror(-r));
                return r;
        }

        r = identity_adopt(e, STEAL(c));
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
                identity_forget_scopes(e);
        }
        id->who = who;

        if (source == CREDENTIALS_AUTO)
                for (size_t i = 0; i < N_ELEMENTS(automatic) && r == -ENOENT; i++)
                        r = read_source(e, automatic[i]);
        else if (source != CREDENTIALS_METADATA)
                r = read_source(e, source);

        if (r == -ENOENT && (source == CREDENTIALS_AUTO || source == CREDENTIALS_METADATA)) {
                identity_metadata_fetch(e);
                return;
        }
        if (r >= 0)
                return;

        if (!id->failure.message[0])
                identity_fail_withheld(&id->failure, "no credentials found (source %s)", credentials_source_to_string(source));
        if (r != -ENOENT || !id->credentials)
                identity_say_none(e, &id->failure);
        if (!id->credentials) {
                id->state = IDENTITY_NONE;
                id->retry_at_usec = engine_boottime(e) + IDENTITY_NONE_RETRY_USEC;
        }
}

void identity_on_flight(Engine *e, Flight *f, const HttpReply *reply) {
        if ((f->kind == FLIGHT_METADATA_TOKEN || f->kind == FLIGHT_METADATA_KEY) && f->generation != e->identity.generation) {
                e->identity.refreshing = false; /* another source has given a key since */
                return;
        }

        switch (f->kind) {
        case FLIGHT_TOKEN:
                identity_on_token(e, f, reply);
                break;
        case FLIGHT_PROJECT:
                identity_on_project(e, f, reply);
                break;
        case FLIGHT_METADATA_TOKEN:
                identity_on_metadata_token(e, reply);
                break;
        case FLIGHT_METADATA_KEY:
                identity_on_metadata_key(e, reply);
                break;
        case FLIGHT_RUN:
                assert(false);
        }
}

/* Signatures whose fate is not known yet: the newest flights come first, so few are looked at. @ret_until_usec: when the oldest of them is
 * judged. */
static unsigned n_in_doubt(const Engine *e, usec_t *ret_until_usec) {
        usec_t now = engine_boottime(e), doubt = MAX(DOUBT_MIN_USEC, DOUBT_EXCHANGES * e->identity.quick_usec);
        unsigned n = 0;

        for (const Flight *f = e->flights; f && usec_sub(now, f->sent_at_usec) < doubt; f = f->next)
                if (f->signed_with_key && f->generation == e->identity.generation) {
                        n++;
                        *ret_until_usec = f->sent_at_usec + doubt;
                }
        return n;
}

static void note_took(Identity *id, usec_t took_usec) {
        if (id->quick_usec == 0 || took_usec < id->quick_usec)
                id->quick_usec = took_usec;
        else
                id->quick_usec += (took_usec - id->quick_usec) / QUICK_SHARE;
}

/* --- May a call go out? ------------------------------------------------------------------------------------------- */

static IdentityAnswer key_pass(Engine *e, const Instance *i, Call call, Pass *ret, Failure *reterr) {
        Identity *id = &e->identity;
        usec_t now = engine_boottime(e);
        const char *project = i->terms->project_id, *domain = i->terms->domain_id;
        Scope *s;

        if (id->credentials->expires_at_usec <= engine_realtime(e)) {
                if (id->refreshing)
                        return IDENTITY_WAIT_ALL;
                identity_fail_withheld(reterr, "%s: the temporary key has expired and could not be renewed",
                              id->credentials->origin ? id->credentials->origin : "credentials");
                return IDENTITY_NO;
        }

        if (id->state == IDENTITY_PROVEN && usec_sub(now, id->proven_at_usec) > PROVEN_USEC)
                id->state = IDENTITY_UNPROVEN;
        if (id->state == IDENTITY_UNPROVEN && id->n_probing > 0)
                return IDENTITY_WAIT_ALL;
        if (n_in_doubt(e, &id->judged_at_usec) + e->n_committing >= SIGNED_MAX)
                return IDENTITY_WAIT_ALL;       /* an answer wakes us, or identity_wait() sees to it; what is being stored is sent next */

        if ((call_needs_project(call) && !project) || (call_needs_domain(call) && !domain)) {
                IdentityAnswer answer;

                s = identity_scope_get(e, i, false, reterr);
                if (!s)
                        return IDENTITY_NO;
                answer = identity_scope_pass(e, s, id->state == IDENTITY_UNPROVEN, reterr);
                if (answer != IDENTITY_GO)
                        return answer;

                project = project ? project : s->token.project_id;
                domain = domain ? domain : s->token.domain_id;
                if (call_needs_domain(call) && !domain) {
                        identity_fail_withheld(reterr, "%s", "IAM does not name the account: write domain_id into the policy or holdfast.yaml");
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

        s = identity_scope_get(e, i, true, reterr);
        if (!s)
                return IDENTITY_NO;

        /* One token at a time until the first has shown that the password is right. */
        if (e->identity.state == IDENTITY_UNPROVEN && !s->known && !s->fetching) {
                Scope *other, *next;

                HASH_ITER(hh, e->identity.scopes, other, next)
                        if (other != s && other->fetching)
                                return IDENTITY_WAIT;
        }

        answer = identity_scope_pass(e, s, false, reterr);
        if (answer != IDENTITY_GO)
                return answer;

        *ret = (Pass) {
                .token = s->token.token,
                .project_id = i->terms->project_id ? i->terms->project_id : s->token.project_id,
                .domain_id = i->terms->domain_id ? i->terms->domain_id : s->token.domain_id,
        };
        if ((call_needs_project(call) && !ret->project_id) || (call_needs_domain(call) && !ret->domain_id)) {
                identity_fail_withheld(reterr, "IAM does not name the %s: write it into the policy or holdfast.yaml",
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
                return IDENTITY_WAIT_ALL;
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

        return identity_uses_password(e) ? password_pass(e, i, call, ret, reterr) : key_pass(e, i, call, ret, reterr);
}

/* A key that was refused is renewed so often in six minutes: with a wrong clock, and an answer in between that does not look at the key, one
 * after the other would be refused for ever. */
static bool may_renew(Engine *e) {
        Identity *id = &e->identity;
        usec_t now = engine_boottime(e);

        if (usec_sub(now, id->renewals_since_usec) >= REFUSED_USEC) {
                id->renewals_since_usec = now;
                id->n_renewals = 0;
        }
        return id->n_renewals++ < RENEWALS_MAX;
}

bool identity_on_refused(Engine *e, const Flight *f, const Instance *i, const Failure *failure) {
        Identity *id = &e->identity;
        unsigned generation = id->generation;

        if (f->generation != generation)
                return true;            /* refused with what is no longer in use */

        if (!f->signed_with_key) {
                Failure ignored = {};
                Scope *s = i ? identity_scope_get(e, i, true, &ignored) : NULL;

                if (s && s->renewed_at_usec > 0 && f->sent_at_usec <= s->renewed_at_usec)
                        return true;            /* with the token of before: a new one is there, or on its way */
                if (!s || s->renewed_at_usec > 0) {
                        if (s)
                                identity_scope_forget_answer(s);
                        identity_refuse(e, failure);     /* a token that was only just given: another one is asked for later */
                        return false;
                }
                identity_scope_forget_answer(s);
                s->renewed_at_usec = engine_boottime(e);
                return true;
        }

        if (id->state == IDENTITY_REFUSED)
                return false;
        if (id->state == IDENTITY_FETCHING)
                return true;            /* refused already, and a new key is being asked for */

        id->failure = *failure;
        if (id->credentials->security_token && id->metadata) {
                if (id->renewed || !may_renew(e)) {     /* a new one was refused as well */
                        identity_refuse(e, failure);
                        return false;
                }
                id->renewed = true;
                id->state = IDENTITY_REFUSED;
                identity_metadata_fetch(e);      /* a temporary key may have been withdrawn: is there a new one? */
                if (id->state == IDENTITY_FETCHING)
                        return true;
                identity_refuse(e, failure);
                return false;
        }

        identity_reload(e);
        if (id->generation != generation)
                return true;

        identity_refuse(e, failure);
        return false;
}

void identity_on_accepted(Engine *e, const Flight *f) {
        Identity *id = &e->identity;
        Scope *s, *next;

        /* An answer to what was sent before the refusal does not take it back. */
        if (f->generation != id->generation || id->state == IDENTITY_REFUSED || id->state == IDENTITY_FETCHING)
                return;

        id->said_rejected = (Said) {};
        id->renewed = false;
        id->proven_at_usec = engine_boottime(e);
        id->state = IDENTITY_PROVEN;
        note_took(id, usec_sub(id->proven_at_usec, f->sent_at_usec));

        if (!f->signed_with_key && f->kind == FLIGHT_RUN)
                HASH_ITER(hh, id->scopes, s, next)
                        s->renewed_at_usec = 0;
}

void identity_run(Engine *e, usec_t *wait_usec) {
        Identity *id = &e->identity;
        usec_t now = engine_boottime(e), wall = engine_realtime(e);
        Scope *s, *next;

        if (e->n_items == 0)
                return; /* nobody is to be asked anything: a host without policies stays silent */

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
                        identity_metadata_fetch(e);
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
                identity_scope_free(s);
        }
        identity_metadata_forget_token(id);
        signer_free(id->signer);
        credentials_free(id->credentials);
        *id = (Identity) {};
}

void identity_wait(Engine *e, usec_t *wait_usec) {
        Identity *id = &e->identity;
        Scope *s, *next;

        if (id->judged_at_usec > 0)
                *wait_usec = MIN(*wait_usec, usec_sub(id->judged_at_usec, engine_boottime(e)));
        id->judged_at_usec = 0;

        HASH_ITER(hh, e->identity.scopes, s, next)
                if (s->wait_until_usec > 0) {
                        *wait_usec = MIN(*wait_usec, usec_sub(s->wait_until_usec, engine_boottime(e)) + 1);
                        s->wait_until_usec = 0;
                }
}
