/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whom we may talk to: https with anybody, plain http only where nobody can listen in on the way.
 */

#include <stdbool.h>

#include <curl/curl.h>

typedef struct Origin {
        CURLU *url;
        bool is_https;
        bool is_direct;         /* loopback (127.0.0.0/8, ::1, localhost) or the metadata service (169.254.169.254): never asked through a
                                 * proxy, which would reach its own loopback and its own metadata */
} Origin;

/**
 * origin_judge() - judge the origin of a request
 * @origin:     "https://host[:port]", nothing behind it
 * @ret:        its url is new (free with curl_url_cleanup())
 *
 * Return: 0; -EPROTONOSUPPORT for a scheme that is not allowed there; -EINVAL if it is no origin; -ENOMEM.
 */
int origin_judge(const char *origin, Origin *ret);
