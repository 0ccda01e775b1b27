/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The process: one event loop on which the engine meets transport, store and report. */

#include "daemon/options.h"

typedef struct Manager Manager;

/**
 * manager_new() - read the configuration, open the state, set everything up
 * @options, @report: borrowed, must outlive it
 *
 * Return: 0; -EBADMSG if holdfast.yaml is broken (exit 78); -errno otherwise. What is wrong was said.
 */
int manager_new(const Options *options, Report *report, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)

/* Runs until it is told to stop, or --once has come to its end. Returns the exit status. */
int manager_run(Manager *m);
