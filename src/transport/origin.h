/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whom we may talk to: https with anybody, plain http only where nobody can listen in on the way.
 */

#include <stdbool.h>

/**
 * origin_check() - judge the origin of a request
 * @origin:             "https://host[:port]", nothing behind it
 * @ret_is_https:       whether it is https
 * @ret_is_direct:      loopback (127.0.0.0/8, ::1, localhost) or the metadata service (169.254.169.254): never asked through a
 *                      proxy, which would reach its own loopback and its own metadata
 *
 * Return: 0; -EPROTONOSUPPORT for a scheme that is not allowed there; -EINVAL if it is no origin; -ENOMEM.
 */
int origin_check(const char *origin, bool *ret_is_https, bool *ret_is_direct);
