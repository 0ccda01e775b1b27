/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which policy files a folder has: their names, bit by bit and then in order. */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

#define LISTING_SUFFIX ".yaml"

typedef struct Listing Listing;

/* Opens it. @may_be_missing: one that does not exist is an empty one. Return: 0; -errno. */
int listing_open(const char *path, bool may_be_missing, Listing **ret);
Listing *listing_free(Listing *l);
DEFINE_CLEANUP(Listing *, listing_free)

/* Reads some more names: those that end in ".yaml" and do not start with a dot. Return: 1: there may be more; 0: all are there, in the
 * order of their bytes whatever the locale; -errno. */
int listing_read(Listing *l);

int listing_fd(const Listing *l);         /* for openat(); only after listing_read() has found a name */
size_t listing_n(const Listing *l);
const char *listing_name(const Listing *l, size_t i);
