/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* uthash as this room uses it: always through here, so that every file sees the same. */

#define HASH_NONFATAL_OOM 1 /* a failed add leaves hh.tbl NULL: no exit from a library */
#define HASH_FUNCTION                                                                                                \
        HASH_FNV /* the default one falls through switch labels, which clang warns of where it is used */

#include <uthash.h>
