/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What no single key of a policy can tell: whether the keys go together, with the instance's service, and with the
 * limits. A policy that cannot work is refused here, with the figures.
 */

#include "policy/policy.h"
#include "policy/problems.h"

/**
 * instance_check() - the last word on a document that was read
 * @root:       the document; what was complained of in it is passed over
 * @i:          as read and completed
 */
void instance_check(Problems *problems, TreeNode *root, const Settings *settings, const Instance *i);
