/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Building json-c trees without a check at each member: the first failure sticks, and is looked at once at the end.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time-util.h"

typedef struct JsonBuild {
        int error; /* 0 or -ENOMEM: sticky */
} JsonBuild;

/* A new object or array; NULL if memory ran out. */
json_object *sim_json_build_object(JsonBuild *b);
json_object *sim_json_build_array(JsonBuild *b);

/* Each sets a member of @o; @o NULL (an earlier failure) does nothing. Keys and texts are copied. */
void sim_json_build_text(JsonBuild *b, json_object *o, const char *key, const char *v); /* NULL: null */
void sim_json_build_int(JsonBuild *b, json_object *o, const char *key, int64_t v);
void sim_json_build_bool(JsonBuild *b, json_object *o, const char *key, bool v);
void sim_json_build_null(JsonBuild *b, json_object *o, const char *key);
void sim_json_build_time(JsonBuild *b, json_object *o, const char *key, usec_t at_usec);   /* RFC 3339; 0: null */
void sim_json_build_duration(JsonBuild *b, json_object *o, const char *key, int64_t usec); /* "-1h30m" */

/* A child that belongs to @o; NULL after a failure. */
json_object *sim_json_build_child(JsonBuild *b, json_object *o, const char *key);
json_object *sim_json_build_list(JsonBuild *b, json_object *o, const char *key);

/* Hands a ready value (NULL: a failure) to an object or an array. */
void sim_json_build_put(JsonBuild *b, json_object *o, const char *key, json_object *taken);
void sim_json_build_push(JsonBuild *b, json_object *array, json_object *taken);

/* One document and nothing after it. Return: 0; -EINVAL; -ENOMEM. */
int sim_json_read(const char *text, size_t n, json_object **ret);

/* Copies the text of @o. Return: 0 or -ENOMEM. */
int sim_json_write(json_object *o, char **ret, size_t *ret_n);

static inline void json_object_putp(json_object **o) {
        if (*o)
                json_object_put(*o);
}
