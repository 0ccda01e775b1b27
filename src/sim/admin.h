/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * /sim/v1: looking at the simulated cloud and changing it while it runs. Answered to the same host only, and
 * not part of any record.
 */

#include "sim/exchange.h"

bool sim_admin_is_path(const char *path);

/* Return: 0 or -ENOMEM. @real_usec: the wall clock that was handed in. */
int sim_admin_handle(Exchange *x, usec_t real_usec);

/* Everything there is, without secrets; view.c. @instance NULL: all. */
void sim_admin_show_state(const Exchange *x, const char *instance, JsonBuild *b, json_object *to);
