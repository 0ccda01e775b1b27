/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The simulated cloud without its front: a request and the time go in, a reply comes out. No I/O, no clock, no
 * randomness but from a seed, so that the same code serves `holdfast-sim` over HTTPS and tests in process,
 * where a year passes in milliseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/macro.h"
#include "base/time-util.h"

typedef struct Sim Sim;

#define SIM_BODY_MAX ((size_t) 12 * 1024 * 1024) /* bytes; the gateway's own limit (API Gateway, error codes, 0201) */

typedef enum SimListener {
        SIM_LISTENER_CLOUD,    /* the services, IAM and /sim/v1 */
        SIM_LISTENER_METADATA, /* what a server sees at 169.254.169.254 */
} SimListener;

typedef struct SimHeader {
        const char *name, *value;
} SimHeader;

/* One request as it came off the wire: all borrowed. */
typedef struct SimRequest {
        SimListener listener;
        const char *method;
        const char *path;  /* raw, percent-encoded, without the query */
        const char *query; /* raw, without "?"; NULL: none */
        const SimHeader *headers;
        size_t n_headers;
        const void *body;
        size_t n_body;      /* more than SIM_BODY_MAX is answered 413 */
        const char *peer;   /* address, for throttling by source; NULL: unknown */
        bool peer_is_local; /* may use /sim/v1 */
        bool unrecorded;    /* not remembered for GET /sim/v1/requests */
} SimRequest;

typedef struct SimReplyHeader {
        char *name, *value;
} SimReplyHeader;

#define SIM_REPLY_HEADERS_MAX 32

typedef struct SimReply {
        int status;
        SimReplyHeader headers[SIM_REPLY_HEADERS_MAX];
        size_t n_headers;
        char *body;
        size_t n_body;
        usec_t delay_usec; /* wait this long before anything of the reply is sent */
        bool drop;         /* send nothing, close the connection */
        bool cut;          /* announce n_body bytes, send n_sent, close the connection */
        size_t n_sent;
        bool effect;      /* false: the rules were not reached, whatever the reply looks like: nothing changed */
        /*
         * On the cloud's clock (sim_clock()): until when an equal request gets an equal answer, but for dates and ids,
         * if nobody changes anything. 0: not known.
         */
        usec_t steady_until_usec;
        usec_t news_at_usec; /* a read, likewise: when it will show what is certain already: an earlier write, a backup to come */
        const char *call; /* name of the call, "lock-set"; "unknown" */
        char who[72];     /* access key, user or "-" */
} SimReply;

/**
 * sim_new() - a cloud with nothing in it
 * @seed:       request ids, tokens and the chance of faults come from it: the same seed and requests give the
 * same replies
 * @ret:        new (sim_free())
 */
int sim_new(uint64_t seed, Sim **ret);
Sim *sim_free(Sim *s);
DEFINE_CLEANUP(Sim *, sim_free)

/**
 * sim_change() - apply a state file, or a change in the same form
 * @file:       name for diagnostics
 * @text:       one YAML or JSON document, holdfast-sim(1); collections are merged by their keys, null removes
 * an entry
 * @now_usec:   wall clock: what relative times count from (the cloud's own clock offset is added)
 * @reterr:     what is wrong, added to; when anything is, nothing was changed (but for an id that one document uses
 *              twice: that is noticed only while the document is applied)
 *
 * Return: 0; -EINVAL with diagnostics; -ENOMEM (then the change may be there in part).
 */
int sim_change(Sim *s, const char *file, const char *text, size_t n, usec_t now_usec, Diagnostics *reterr);

/**
 * sim_handle() - answer one request
 * @now_usec:   wall clock
 * @ret:        sim_reply_done() it
 *
 * Return: 0; -ENOMEM, or -EIO if OpenSSL fails: no answer can be given, close the connection.
 */
int sim_handle(Sim *s, const SimRequest *q, usec_t now_usec, SimReply *ret);
void sim_reply_done(SimReply *p); /* leaves it zeroed; fits _cleanup_() as it is */

/* First value of a reply's header, any case; NULL if absent. */
const char *sim_reply_header(const SimReply *p, const char *name);

/*
 * The time of the simulated cloud: @now_usec, the configured clock offset and what POST /sim/v1/clock has
 * advanced it by.
 */
usec_t sim_clock(const Sim *s, usec_t now_usec);

/*
 * What a policy needs to know about the account, for the front to print: the first project and access key, NULL where
 * there is none. Belong to @s until the next change.
 */
void sim_describe(const Sim *s, const char **ret_region, const char **ret_project_id, const char **ret_domain_id,
                  const char **ret_access_key);
