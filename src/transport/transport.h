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
        const char *proxy;              /* NULL: none; never taken from the environment */
        usec_t connect_timeout_usec, timeout_usec;
        unsigned max_connections;       /* per origin */
} TransportOptions;

/* Called once for each request sent, from the event loop, never from within transport_send(). @reply is the callee's to read, not
 * to keep. */
typedef void (*TransportDone)(void *userdata, uint64_t cookie, HttpReply *reply);

/**
 * transport_new() - bring up libcurl on an event loop
 * Return: 0; -ENOENT or -EACCES if ca_file cannot be read; -errno.
 */
int transport_new(sd_event *event, const TransportOptions *options, TransportDone done, void *userdata, Transport **ret);
Transport *transport_free(Transport *t);        /* running exchanges are dropped without a call */
DEFINE_CLEANUP(Transport *, transport_free)

/* Settings changed: running exchanges end under the old ones. */
int transport_reconfigure(Transport *t, const TransportOptions *options);

/**
 * transport_send() - start one exchange
 * @request:    taken (left zeroed) on success, untouched on failure
 * @cookie:     handed to the callback
 *
 * Refuses plain http but for loopback and the metadata address. Return: 0; -EPROTONOSUPPORT for such; -ENOMEM; -errno.
 */
int transport_send(Transport *t, HttpRequest *request, uint64_t cookie);

size_t transport_n_running(const Transport *t);
