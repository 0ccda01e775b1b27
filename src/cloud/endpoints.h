/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where each service of a region answers. Hosts are irregular: they come from a table, never from the region's name.
 */

#include "facts/facts.h"

/*
 * Origin such as "https://gaussdb.cn-north-4.myhuaweicloud.com"; NULL if the table has none. IAM falls back to its
 * global host for a region without an entry; metadata is the link-local address. Static text.
 */
const char *endpoint_lookup(Service s, const char *region);

/* For checks and completion: is the region known for any service? */
bool endpoint_region_known(const char *region);
/* The i-th row of the table, for listings; NULL past the end. */
const char *endpoint_row(size_t i, Service *ret_service, const char **ret_region);

/**
 * endpoint_check() - is this text an origin that we may talk to?
 * @s:          as written: a scheme (https assumed if none is given), host, optional port; a trailing slash is
 *              dropped
 * @service:    metadata may be plain http to 169.254.169.254; everything else only to loopback (127.0.0.0/8, ::1,
 *              localhost)
 * @ret:        new text, normalised "scheme://host[:port]", default ports dropped
 * @reterr:     static text on failure: what was expected
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int endpoint_check(Service service, const char *s, char **ret, const char **reterr);
