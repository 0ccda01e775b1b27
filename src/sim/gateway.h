/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What stands in front of every service: sizes, signatures and tokens, the throttle, whose project it is, and
 * what is permitted (API Gateway, error codes; API Request Signing Guide).
 */

#include "sim/exchange.h"

/* Lets a request through, or answers it. Return: 1 through; 0 answered; -ENOMEM. */
int sim_gateway_pass(Exchange *x);

/* No such API: 404. */
int sim_gateway_unknown(Exchange *x);

/* A key or user that failed too often in a row is refused for a while. */
bool sim_gateway_locked(const Exchange *x, usec_t locked_until_usec);
void sim_gateway_count_failure(const Exchange *x, uint64_t *n_failures, usec_t *locked_until_usec);

/* Drops the windows of the throttle. */
void sim_gateway_forget(Sim *s);
