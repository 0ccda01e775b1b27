/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Settings and policies as the daemon would read them now.
 */

#include "ctl/ctl.h"
#include "policy/load.h"

typedef struct Config {
        Settings *settings;
        PolicySet *policies;
        Diagnostics diags;
        size_t n_rejected;
} Config;

/**
 * config_load() - read both
 * @ret:        config_done() it, also after a failure: it has the mistakes
 *
 * Return: 0, also where policies were rejected; -EINVAL if holdfast.yaml is broken; -errno if something cannot be read. Nothing is said.
 */
int config_load(const CtlOptions *o, Config *ret);
void config_done(Config *c);

/* Every mistake on stderr, one a line. */
void config_complain(const CtlOptions *o, const Config *c, int error);

/* For those who cannot go on without: loads, complains. Return: 0 or the exit status. */
int config_need(const CtlOptions *o, Config *ret);

/* Leaves only the instances that the names mean (fleet_select()). Return: 0; -ENOENT, -ENOTUNIQ, said on stderr; -ENOMEM. */
int config_select(Config *c, char *const names[], size_t n_names);

/* Origin that a control of an instance is asked at; NULL: none is known. */
const char *config_endpoint(const Settings *s, const Instance *i, Control c);
