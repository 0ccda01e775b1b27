/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Addresses of servers as the settings write them. Whether a table of regions is needed at all, and what default ports
 * are, is the cloud room's; here only the shape is checked, so that a mistake is found where it was written.
 */

#include <stdbool.h>

#include "policy/arena.h"

typedef enum OriginUse {
        ORIGIN_SERVICE,         /* https; plain http only to loopback */
        ORIGIN_METADATA,        /* and http to 169.254.169.254 */
        ORIGIN_PROXY,           /* http or https to any host, the scheme must be written */
        ORIGIN_USE__MAX,
} OriginUse;

/**
 * origin_parse() - check and normalise "[scheme://]host[:port][/]"
 * @arena:      the result is kept there
 * @ret:        "scheme://host[:port]", scheme and host in lower case
 * @reterr:     static text, "found …" without the text itself, which may hold a password
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int origin_parse(Arena *arena, const char *s, OriginUse use, char **ret, const char **reterr);
