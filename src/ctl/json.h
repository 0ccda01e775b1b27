/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One JSON document on stdout. Keys are stable; times are RFC 3339 in UTC, durations seconds; what is not known is null.
 */

#include <json-c/json.h>

#include "ctl/fleet.h"

static inline _unused_ void json_putp(json_object **o) {
        (void) json_object_put(*o);     /* NULL is fine, and says 0 */
}

/* Adders to an object or, with @key NULL, an array. @object NULL does nothing: a failure is seen at ctl_json_print(). All: 0 or -ENOMEM. */
int ctl_json_add(json_object *to, const char *key, json_object *taken);
int ctl_json_add_text(json_object *to, const char *key, const char *s);     /* NULL: null */
int ctl_json_add_int(json_object *to, const char *key, int64_t v);
int ctl_json_add_bool(json_object *to, const char *key, bool v);
int ctl_json_add_time(json_object *to, const char *key, usec_t at_usec);    /* 0: null; USEC_INFINITY: "never" */
/* New and empty, and part of @to already. NULL: out of memory. */
json_object *ctl_json_add_object(json_object *to, const char *key);
json_object *ctl_json_add_array(json_object *to, const char *key);

/* Every member that the fields name, also those that are not set. Return: 0 or -ENOMEM. */
int ctl_json_add_fields(json_object *to, const StatusField *fields, size_t n_fields, const void *s);
int ctl_json_add_info(json_object *to, const char *key, const FleetInfo *info);

/* Return: EXIT_SUCCESS, or EXIT_FAILURE with a word on stderr. */
int ctl_json_print(json_object *o);
