/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Paths and queries as the signature wants them (API Request Signing Guide, api-sign-algorithm-001): decoded once,
 * encoded one way. Sequences such as "%zz" that encode nothing stay as they are, and their "%" is encoded.
 */

#include "base/strbuf.h"

/* Each part between slashes encoded, a slash at the end. @path may be NULL. Return: 0 or -errno, sticky in @b. */
int canonical_path(StrBuf *b, const char *path);

/**
 * canonical_query() - pairs in the order of their raw bytes
 * @query:      without "?"; NULL or empty: none
 *
 * By key, then by value; "=" also where there is no value; repeated keys stay, empty pairs vanish. A "+" is a plus
 * sign: the cloud's rules encode a blank as %20 only. Return: 0 or -errno.
 */
int canonical_query(StrBuf *b, const char *query);
