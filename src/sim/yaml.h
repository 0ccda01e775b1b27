/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A YAML document as a json-c tree whose nodes know their line and column. Plain true, false, null, whole
 * numbers and numbers with a point are what they look like; everything else, on and off included, is text.
 * Anchors, tags and several documents are refused: nothing here needs them.
 */

#include <json-c/json.h>

#include "base/diag.h"

#define SIM_YAML_BYTES_MAX ((size_t) 64 * 1024 * 1024) /* 10,000 instances take some 5 MB */

/* Return: 0; -EINVAL with a diagnostic; -ENOMEM. An empty document gives NULL. */
int sim_yaml_read(const char *file, const char *text, size_t n, json_object **ret, Diagnostics *reterr);

/* Where a node was written; 0 where that is not known (null, or read by another parser). */
void sim_yaml_position(json_object *o, unsigned *ret_line, unsigned *ret_column);
