/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The state that holdfast-sim has without a file: etc/holdfast-sim.yaml, built in. */

#include <stddef.h>

extern const char sim_builtin_state[];
extern const size_t sim_builtin_state_size;

/* The secret key in it: published, good for nothing but the simulated cloud. */
#define SIM_BUILTIN_SECRET_KEY "simulated-secret-key-for-trying-only"
