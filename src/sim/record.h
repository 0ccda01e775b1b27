/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was asked and answered, for tests to look at: the last SIM_RECORDS_MAX requests, without secrets. */

#include "sim/exchange.h"

/* Remembers the exchange. Return: 0 or -ENOMEM. */
int sim_record_add(Exchange *x);

/* Requests after number @since, at most @limit, oldest first. */
void sim_record_show(const Sim *s, uint64_t since, size_t limit, JsonBuild *b, json_object *list);

void sim_record_clear(Sim *s);
