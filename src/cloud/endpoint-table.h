/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The vendor's hosts (Python SDK 3.1.211, region files of gaussdb, dbss, gaussdbforopengauss and iam), sorted by
 * service and region.
 */

#include "facts/facts.h"

typedef struct EndpointRow {
        Service service;
        const char *region;
        const char *origin;
} EndpointRow;

extern const EndpointRow endpoint_table[];
extern const size_t endpoint_table_size;
