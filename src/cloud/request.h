/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Putting requests together: paths from parts, the headers that every call has, JSON bodies. */

#include <json-c/json.h>

#include "cloud/calls.h"

#define CONTENT_TYPE_JSON "application/json"
#define CONTENT_TYPE_IAM "application/json;charset=utf8"        /* as IAM's own pages ask for */

/**
 * request_begin() - method, origin, path, and the headers that never vary
 * @parts:      of the path, NULL at the end; each is percent-encoded
 * @content_type: NULL: none
 * @ret:        http_request_done() it, whatever is returned
 *
 * Return: 0; -EINVAL for a missing origin, an empty part, "." or ".."; -ENOMEM.
 */
int request_begin(HttpMethod method, const char *origin, const char *const *parts, const char *content_type,
                  HttpRequest *ret);

/* X-Project-Id when it is known, and X-Language for the services that document it. */
int request_add_scope(HttpRequest *q, const CallTarget *target, bool language);

/* Appends "name=value" to the query, encoded. */
int request_add_query(HttpRequest *q, const char *name, const char *value);

int request_set_body(HttpRequest *q, json_object *body);

/**
 * request_set_secret_body() - a body that holds a secret, leaving no copy of it elsewhere
 * @place:      text inside @body where the secret belongs
 */
int request_set_secret_body(HttpRequest *q, json_object *body, json_object *place, const Secret *secret);

/* Adds @value, which is taken also on failure; NULL counts as memory that ran out. Return: 0 or -ENOMEM. */
int json_add(json_object *o, const char *name, json_object *value);
/* Adds a new object. It belongs to @o. */
int json_add_object(json_object *o, const char *name, json_object **ret);
int json_add_text(json_object *o, const char *name, const char *value);
