/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * uthash as this room uses it. By default it would end the process when memory runs out; here the element, which has a
 * member "bool lost" for this, is marked instead, was not added, and the caller says so.
 */

#include <stdbool.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)

/* One-at-a-time; the default function falls through cases without a mark that Clang knows. */
#define HASH_FUNCTION(key, n_key, hash) HASH_OAT(key, n_key, hash)

#include <uthash.h>
