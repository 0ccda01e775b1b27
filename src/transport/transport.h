/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTPS: libcurl's multi socket interface on sd-event. Never blocks; never queues inside curl: the engine hands over
 * only what may run now (at most max_connections an origin).
 */

#include <systemd/sd-event.h>

#include "base/http.h"

typedef struct Transport Transport;

typedef struct TransportOptions {
        const char *ca_file;            /* NULL: the system's */
        const char *proxy;              /* NULL or empty: none; never taken from the environment; loopback and metadata go without */
        usec_t connect_timeout_usec, timeout_usec;      /* 0: 5 s and 30 s */
        unsigned max_connections;       /* per origin; 0: 16 */
} TransportOptions;

/* Called once for each request sent, from the event loop, never from within transport_send(). @reply is the callee's to read, not
 * to keep (what it takes with STEAL() is its own). It may send and reconfigure, but not free the transport. */
typedef void (*TransportDone)(void *userdata, uint64_t cookie, HttpReply *reply);

/* Called after the calls for all that had ended by then. May do the same, and call transport_start(). */
typedef void (*TransportAfter)(void *userdata);

/**
 * transport_new() - bring up libcurl on an event loop
 * @options:    copied
 * @after:      NULL: nobody wants to know
 *
 * From here on the process ignores SIGPIPE.
 *
 * Return: 0; -ENOENT or -EACCES if ca_file cannot be read; -errno.
 */
int transport_new(sd_event *event, const TransportOptions *options, TransportDone done, TransportAfter after, void *userdata,
                  Transport **ret);
Transport *transport_free(Transport *t);        /* running exchanges are dropped without a call */
DEFINE_CLEANUP(Transport *, transport_free)

/* Settings changed: running exchanges end under the old ones, and no connection made under them serves a later request; a changed
 * file of certificates is read anew. On failure (as transport_new()) the old settings stay. */
int transport_reconfigure(Transport *t, const TransportOptions *options);

/**
 * transport_send() - start one exchange
 * @request:    taken (left zeroed) on success, untouched on failure
 * @cookie:     handed to the callback
 *
 * On the wire are the request's headers and none else but Host (unless given) and Content-Length; path and query go byte by byte as
 * they are. A redirect is not followed, but handed over like any reply. A GET is sent again when a kept connection
 * turns out to be dead; a POST or PUT is sent at most once, on a new connection.
 *
 * Refuses plain http but for loopback and the metadata address. Return: 0; -EPROTONOSUPPORT for such; -EINVAL for what could not go
 * on the wire as it is (control characters, a GET with a body, an origin with a path); -E2BIG; -ENOMEM; -errno.
 */
int transport_send(Transport *t, HttpRequest *request, uint64_t cookie);

/* Starts now what was sent, which the event loop would do in its next turn. It calls nobody back. Not from TransportDone. */
void transport_start(Transport *t);

size_t transport_n_running(const Transport *t);
