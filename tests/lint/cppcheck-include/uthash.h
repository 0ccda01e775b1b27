/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What cppcheck sees of uthash: only the macros that look like syntax; the others are functions it does not know. */

#define HASH_ITER(hh, head, el, tmp) for ((el) = (head), (tmp) = (el); (el); (el) = (tmp))
