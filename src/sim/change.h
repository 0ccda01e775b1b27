/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The state file and its changes: which keys there are, what they take, and how they end up in the state. */

#include <json-c/json.h>

#include "sim/reader.h"
#include "sim/state.h"

/* Applies a document: first all of it on trial, then for good. @now_usec is the cloud's clock. As sim_change(). */
int sim_change_apply(Sim *s, const char *file, json_object *root, usec_t now_usec, Diagnostics *reterr);

/* JSON or YAML text as a tree. Return: 0; -EINVAL with a diagnostic; -ENOMEM. */
int sim_change_parse(const char *file, const char *text, size_t n, json_object **ret, Diagnostics *reterr);

/* One entry of instances.<service>; instances.c. */
void sim_change_instance(SimReader *r, Sim *s, SimService service, const char *id, json_object *node);
