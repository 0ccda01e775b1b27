/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"

/*
 * Temporary keys from the metadata service: the token first where it has one, then the key; again well before it expires.
 */

#define METADATA_TOKEN_USEC (6 * USEC_PER_HOUR)         /* X-Metadata-Token-Ttl-Seconds: 21600 */
#define METADATA_NO_TOKEN_USEC (24 * USEC_PER_HOUR)     /* a service without v2 is asked for it once a day */

static void metadata_failed(Engine *e, const Failure *f) {
        Identity *id = &e->identity;

        id->refreshing = false;
        id->retry_at_usec = engine_boottime(e) + (f->class == FAILURE_NOT_OFFERED ? IDENTITY_NONE_RETRY_USEC : identity_backoff(e, id->n_failed));
        id->n_failed++;

        if (id->credentials) {
                if (id->state == IDENTITY_FETCHING)
                        identity_refuse(e, &id->failure);        /* asked for because the old one was refused */
                return;         /* else the old key goes on until it expires */
        }

        id->failure = *f;
        if (!e->options.once || id->n_failed >= IDENTITY_ONCE_TRIES || f->class == FAILURE_NOT_OFFERED)
                id->state = IDENTITY_NONE;
        if (id->n_failed >= IDENTITY_NONE_TRIES || f->class == FAILURE_NOT_OFFERED)
                identity_say_none(e, f);
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

void identity_metadata_fetch(Engine *e) {
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
                identity_fail_withheld(&f, "the metadata service could not be asked: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        id->refreshing = true;
        if (!id->credentials || id->state == IDENTITY_REFUSED)
                id->state = IDENTITY_FETCHING;
}

void identity_metadata_forget_token(Identity *id) {
        id->metadata_token = secret_free(id->metadata_token);
        id->metadata_token_until_usec = 0;
}

void identity_on_metadata_token(Engine *e, const HttpReply *reply) {
        Identity *id = &e->identity;
        Secret *token = NULL;
        Failure f = {};
        int r;

        r = metadata_token_decode(reply, &token, &f);
        scrub_failure(e, id->generation, &f);
        endpoint_note(e, id->metadata, NULL, r > 0 || f.class == FAILURE_NOT_OFFERED ? NULL : &f);
        if (r > 0) {
                identity_metadata_forget_token(id);
                id->metadata_token = token;
                id->metadata_token_until_usec = engine_boottime(e) + METADATA_TOKEN_USEC - USEC_PER_MINUTE;
        } else if (f.class == FAILURE_NOT_OFFERED)
                id->no_token_until_usec = engine_boottime(e) + METADATA_NO_TOKEN_USEC;  /* only v1 here */
        else {
                if (r < 0)
                        identity_fail_withheld(&f, "the metadata service's answer could not be read: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        r = metadata_send(e, FLIGHT_METADATA_KEY);
        if (r < 0) {
                identity_fail_withheld(&f, "the metadata service could not be asked: %s", strerror(-r));
                metadata_failed(e, &f);
        }
}

void identity_on_metadata_key(Engine *e, const HttpReply *reply) {
        Identity *id = &e->identity;
        Credentials *c = NULL;
        Failure f = {};
        int r;

        r = metadata_key_decode(reply, engine_realtime(e), &c, &f);
        scrub_failure(e, id->generation, &f);
        endpoint_note(e, id->metadata, NULL, r > 0 ? NULL : &f);

        /* The token ran out: a new one, and once more. */
        if (r == 0 && f.class == FAILURE_CREDENTIALS && f.token_expired && !id->metadata_retried) {
                id->metadata_retried = true;
                identity_metadata_forget_token(id);
                id->no_token_until_usec = 0;
                id->refreshing = false;
                identity_metadata_fetch(e);
                return;
        }

        id->metadata_retried = false;
        if (r <= 0) {
                if (r < 0)
                        identity_fail_withheld(&f, "the metadata service's answer could not be read: %s", strerror(-r));
                metadata_failed(e, &f);
                return;
        }

        id->refreshing = false;
        id->n_failed = 0;
        r = identity_adopt(e, c);
        if (r == 0 && id->state == IDENTITY_FETCHING)
                identity_refuse(e, &id->failure);        /* still the key that was refused */
        /* It has no newer one yet; or, by a clock that is wrong, even a new one has expired. */
        if (r == 0 || (r > 0 && id->refresh_at_usec <= engine_realtime(e)))
                id->retry_at_usec = engine_boottime(e) + IDENTITY_NONE_RETRY_USEC;
        if (r < 0) {
                identity_fail_withheld(&f, "the key from the metadata service could not be used: %s", strerror(-r));
                metadata_failed(e, &f);
        }
}
