/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The cloud's calls: an Ask becomes an HttpRequest, an HttpReply becomes an Answer or a Failure. Pure; one file a
 * service does the work (taurusdb.c, dbss.c, gaussdb.c, iam.c), calls.c chooses, failure.c classifies.
 */

#include "base/http.h"
#include "cloud/credentials.h"
#include "facts/facts.h"

/* Where and for whom: all borrowed. */
typedef struct CallTarget {
        const char *origin;
        const char *region;
        const char *project_id, *domain_id;     /* as needed by the call; see call_needs_project() */
        const char *instance_id;
        const char *language;           /* "en-us" */
        unsigned api_version;           /* CALL_GAUSSDB_BACKUPS: 0 v3.2, 1 v3.1, 2 v3 */
} CallTarget;

#define GAUSSDB_API_VERSIONS 3

bool call_needs_project(Call c);
bool call_needs_domain(Call c);

/**
 * call_encode() - the request for one question, unsigned
 * @ret:        new (http_request_done())
 *
 * Sets Content-Type, X-Language, User-Agent, X-Project-Id as documented; authentication is added afterwards
 * (sign_request() or call_add_token()).
 *
 * Return: 0; -ENOMEM; -EINVAL if the target lacks what the call needs.
 */
int call_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret);

/* X-Auth-Token. */
int call_add_token(HttpRequest *q, const Secret *token); /* -EINVAL: no token that fits in a header */

/**
 * call_decode() - what a reply says
 * @target:     as it was sent: backups of other instances are marked
 * @now_usec:   wall clock; stands in for the reply's Date where it has none (Retry-After given as a date, and whether
 *              a lock that is "not enabled" has ended)
 * @ret:        answer_done() it; set when 1 is returned
 * @reterr:     set when 0 is returned
 *
 * Tolerates what the cloud is known to vary (letter case of words, numbers as strings, unknown members, null as
 * absent) and nothing else: a reply that lacks what matters, or says it in the wrong type or range, is
 * FAILURE_UNREADABLE and names the field. What a write (lock, switch, encryption) is answered with proves nothing:
 * under 2xx any body but the documented "yes" is an answer that says "not accepted", to be read back.
 *
 * Return: 1 an answer; 0 a failure; -ENOMEM.
 */
int call_decode(const Ask *ask, const CallTarget *target, const HttpReply *p, usec_t now_usec, Answer *ret,
                Failure *reterr);

/* --- IAM and metadata: their answers hold secrets, so they do not travel as Answer ------------------------- */

typedef struct Token {
        Secret *token;
        usec_t expires_at_usec;
        char *project_id, *domain_id;   /* NULL: not said */
} Token;
void token_done(Token *t);

/*
 * POST /v3/auth/tokens: scope is @project_id if given, else the project named like the region. Retry: never blindly
 * (lock-out).
 */
int iam_token_encode(const char *origin, const char *region, const char *project_id, const char *user_name,
                     const char *domain_name, const Secret *password, HttpRequest *ret);
/* 1, 0, -ENOMEM as call_decode(); so do the decoders below. */
int iam_token_decode(const HttpReply *p, usec_t now_usec, Token *ret, Failure *reterr);

typedef struct Project {
        char *project_id, *domain_id;   /* domain NULL: not said */
} Project;
void project_done(Project *p);

/*
 * GET /v3/projects?name=<region>: exactly one enabled project of that name, else FAILURE_NOT_FOUND with a sentence.
 */
int iam_projects_encode(const char *origin, const char *region, HttpRequest *ret);
int iam_projects_decode(const HttpReply *p, const char *region, usec_t now_usec, Project *ret, Failure *reterr);

/* Instance metadata: v2 token (404, 405, 503: only v1 here, FAILURE_NOT_OFFERED), then the key. */
int metadata_token_encode(const char *origin, HttpRequest *ret);
int metadata_token_decode(const HttpReply *p, Secret **ret, Failure *reterr);
int metadata_key_encode(const char *origin, const Secret *token, HttpRequest *ret);     /* @token NULL: v1 */
/* 401: FAILURE_CREDENTIALS with token_expired, or FAILURE_NOT_OFFERED when no agency is attached. */
int metadata_key_decode(const HttpReply *p, usec_t now_usec, Credentials **ret, Failure *reterr);

/**
 * failure_classify() - a reply that is not 2xx, or no reply, as a class the engine can act on
 * @is_write:   the call changes something: then maybe_done is set for what may have been carried out
 *
 * Reads the six error shapes of the cloud from any service and content type, and survives empty and HTML bodies.
 * Codes come before the status where they say more. A 404 that carries no error document of a service counts as
 * NOT_OFFERED: it comes from something in front of the service, which has not looked for the instance. A redirect is
 * UNREADABLE, not a refusal: whoever sent it is not the API.
 */
void failure_classify(const HttpReply *p, bool is_write, usec_t now_usec, Failure *ret);
