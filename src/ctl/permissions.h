/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which permission of the cloud each call needs. Huawei Cloud has two systems of authorization side by side, in which actions have
 * different names: policies (roles), and identity policies.
 */

#include "facts/facts.h"

typedef enum PermissionSystem {
        PERMISSION_POLICY,      /* custom policies, "Version": "1.1" */
        PERMISSION_IDENTITY,    /* custom identity policies, "Version": "5.0" */
        PERMISSION_SYSTEM__MAX,
} PermissionSystem;

#define PERMISSION_ACTIONS_MAX 2

typedef struct Permission {
        const char *actions[PERMISSION_SYSTEM__MAX][PERMISSION_ACTIONS_MAX];    /* NULL ends them; none: not published */
        const char *instead;    /* the system policy that has it, where no action is published; NULL: none is needed */
        const char *note;       /* what an administrator should know; NULL: nothing */
        const char *source;     /* document of the vendor that names them */
} Permission;

/* NULL: needs no permission (IAM tokens, metadata). */
const Permission *permission_of(Call c);
