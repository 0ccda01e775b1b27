/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Connections and exchanges under one set of options. Changed options mean a new pool; the old one lives on until its last
 * exchange has ended, and no connection that was made under old options serves new requests.
 */

#include "transport/transport.h"

typedef struct Pool Pool;

/* As TransportDone(). It may call pool_send(), but not free the pool. */
typedef TransportDone PoolDone;
typedef TransportAfter PoolAfter;

int pool_new(sd_event *event, const TransportOptions *options, PoolDone done, PoolAfter after, void *userdata, Pool **ret);
Pool *pool_free(Pool *p);       /* running exchanges are dropped without a call */
DEFINE_CLEANUP(Pool *, pool_free)

int pool_send(Pool *p, HttpRequest *request, uint64_t cookie);  /* as transport_send() */
void pool_start(Pool *p);       /* as transport_start() */
size_t pool_n_running(const Pool *p);
