/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON Schema (draft 07, which every editor's YAML support reads) of what the table of keys describes.
 */

#include <json-c/json.h>

#include "policy/keys.h"

typedef enum SchemaFile {
        SCHEMA_SETTINGS,        /* holdfast.yaml */
        SCHEMA_INSTANCE,        /* a document of instances.d */
        SCHEMA_FILE__MAX,
} SchemaFile;

/* New (json_object_put()); NULL: out of memory. */
json_object *schema_new(SchemaFile file);
