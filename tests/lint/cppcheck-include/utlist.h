/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What cppcheck sees of utlist: only the macros that look like syntax. */

#define LL_FOREACH(head, el) for ((el) = (head); (el); (el) = (el)->next)
#define LL_FOREACH_SAFE(head, el, tmp) for ((el) = (head), (tmp) = (el); (el); (el) = (tmp))
#define DL_FOREACH(head, el) LL_FOREACH(head, el)
#define DL_FOREACH_SAFE(head, el, tmp) LL_FOREACH_SAFE(head, el, tmp)
