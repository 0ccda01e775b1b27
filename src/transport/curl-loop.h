/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libcurl's multi handle on an sd-event loop: its sockets, its timer, and what has finished.
 */

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct CurlLoop CurlLoop;

/* @easy has ended with @result and is no longer in the multi handle. May add and remove handles, but not free the loop. */
typedef void (*CurlLoopDone)(void *userdata, CURL *easy, CURLcode result);

/* That was all that had ended. May do the same, and call curl_loop_start(). */
typedef void (*CurlLoopAfter)(void *userdata);

/**
 * curl_loop_new() - a multi handle of its own
 * @max_host_connections:       to one host and port
 * @max_connections:            kept open when idle, to all
 *
 * Return: 0; -ENOMEM; -errno.
 */
int curl_loop_new(sd_event *event, unsigned max_host_connections, unsigned max_connections, CurlLoopDone done, CurlLoopAfter after,
                  void *userdata, CurlLoop **ret);
CurlLoop *curl_loop_free(CurlLoop *l);          /* all handles must have been removed */
DEFINE_CLEANUP(CurlLoop *, curl_loop_free)

/* Once for each handle, before it is first added: its connections are the loop's to watch. Return: 0; -EOPNOTSUPP. */
int curl_loop_prepare(CurlLoop *l, CURL *easy);
/* Starts @easy from the loop, not from here. Return: 0; -ENOMEM; -EINVAL. */
int curl_loop_add(CurlLoop *l, CURL *easy);
/* Starts all that was added now, which the loop would do in its next turn. What ends at once is told in that. Not from CurlLoopDone. */
void curl_loop_start(CurlLoop *l);

/* Ends it without a call. */
void curl_loop_remove(CurlLoop *l, CURL *easy);
