/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * uthash as this project uses it: always through here, so that every file sees the same. By default it would end the process when memory
 * runs out; here a failed HASH_ADD… leaves the element out, and hash_added() says so.
 */

#include <stdbool.h>

#define HASH_NONFATAL_OOM 1

/* Fowler, Noll and Vo's; the default function falls through switch labels without a mark that Clang knows. */
#define HASH_FUNCTION HASH_FNV

#include <uthash.h>

/* Was the element, whose handle is "hh", really added? */
#define hash_added(element) ((element)->hh.tbl != NULL)
