/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The simulated cloud's face: HTTP and HTTPS by libmicrohttpd, on one thread. Every request becomes a
 * SimRequest, every SimReply goes out as it says: late, cut, or not at all.
 */

#include <netinet/in.h>
#include <sys/socket.h>

#include "sim/certificate.h"
#include "sim/rules.h"

typedef struct Front Front;

typedef enum FrontLog { FRONT_LOG_OFF, FRONT_LOG_TEXT, FRONT_LOG_JSON } FrontLog;

/* @sim is borrowed. Requests are logged on stderr, one line each. */
int front_new(Sim *sim, FrontLog log, Front **ret);
Front *front_free(Front *f); /* drops what is under way */
DEFINE_CLEANUP(Front *, front_free)

/**
 * front_listen() - open one listener
 * @address:            port 0: any
 * @certificate:        NULL: plain http; borrowed until front_free()
 * @ret_port:           the port it got
 *
 * Return: 0; -errno of socket(), bind() or listen(); -EIO if libmicrohttpd cannot start.
 */
int front_listen(Front *f, SimListener kind, const struct sockaddr *address, socklen_t size,
                 const Certificate *certificate, uint16_t *ret_port);

/* Serves until @stop_fd becomes readable. Return: 0 or -errno. */
int front_run(Front *f, int stop_fd);
