/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What cppcheck sees of json-c: only the macro that looks like syntax. */

#define json_object_object_foreach(obj, key, val)                                       \
        char *key = next_key(obj);                                                      \
        for (struct json_object *val = next_value(obj); key; key = next_key(obj))
