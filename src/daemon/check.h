/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --check: read everything, say what is wrong, contact nobody. */

#include "daemon/options.h"
#include "policy/load.h"

/* Returns the exit status: 0, or 78 if anything is wrong. */
int check_configuration(const Options *o);

/* Adds to @diags what only the endpoint table can tell: regions for which no endpoint is known. Return: how many, or -ENOMEM. */
int check_endpoints(const Settings *settings, const PolicySet *policies, Diagnostics *diags);
