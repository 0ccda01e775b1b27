/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cloud/scrub.h"
#include "engine/engine-internal.h"

/*
 * No secret, token or signature leaves the engine in the cloud's words: not in an event, not in the state, not in a status.
 */

void scrub_text(const Engine *e, char *text) {
        const Identity *id = &e->identity;

        if (id->credentials) {
                scrub_secret(text, id->credentials->secret_key);
                scrub_secret(text, id->credentials->security_token);
                scrub_secret(text, id->credentials->password);
        }
        scrub_secret(text, id->metadata_token);
        for (const Scope *s = id->scopes; s; s = s->hh.next) {
                scrub_secret(text, s->token.token);
                scrub_secret(text, s->former);
        }
}

static void scrub_words(const Engine *e, char *text) {
        scrub_text(e, text);
        scrub_signatures(text);
}

void scrub_failure(const Engine *e, unsigned generation, Failure *f) {
        /* Secrets that are no longer known could not be found in it. */
        if (generation != e->identity.generation && f->http_status > 0) {
                f->code[0] = f->request_id[0] = '\0';
                (void) snprintf(f->message, sizeof(f->message), "HTTP status %d, to credentials that are no longer in use", f->http_status);
                return;
        }

        scrub_words(e, f->code);
        scrub_words(e, f->message);
        scrub_words(e, f->request_id);
}

/* Paths may hold any digits; what is judged by stays as it is, and is scrubbed where it is told. */
void scrub_answer(const Engine *e, Answer *answer) {
        scrub_words(e, answer->request_id);
        if (answer->call != CALL_DOWNLOAD_AUTHORIZE)
                return;

        if (answer->grant.bucket)
                scrub_text(e, answer->grant.bucket);
        for (size_t i = 0; i < answer->grant.n_file_paths; i++)
                scrub_text(e, answer->grant.file_paths[i]);
}

void scrub_decision(const Engine *e, Decision *d) {
        scrub_text(e, d->why);
        scrub_text(e, d->freeze.why);
        for (size_t i = 0; i < d->n_sayings; i++)
                scrub_text(e, d->sayings[i].message);
}
