/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Percent-encoding, as the gateway reads it: independent of the signer that it checks. */

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/**
 * sim_percent_decode() - decode once
 * @buf:        gets the bytes and a NUL; @size must be larger than the result
 *
 * A "%" that two hex digits do not follow stands for itself. With @plus_is_blank a plus sign is a blank, as in
 * queries.
 *
 * Return: false if the result does not fit.
 */
bool sim_percent_decode(const char *s, size_t n, bool plus_is_blank, char *buf, size_t size, size_t *ret_n);

/* Appends @n bytes, all but the unreserved characters encoded (RFC 3986, upper-case digits). */
int sim_percent_encode(StrBuf *to, const char *s, size_t n);
