/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which call a method and a path are, and of which service. */

#include "sim/state.h"

typedef struct Exchange Exchange;

/* Answers one call that got past the gateway. Return: 0 or -ENOMEM. */
typedef int (*SimHandler)(Exchange *x);

typedef struct SimRoute {
        const char *call; /* "lock-set" */
        const char *method;
        const char *pattern; /* "/v3/{project}/instances/{instance}/backups/vault-lock" */
        SimService service;
        const char *action, *alias; /* as identity policies and as older role policies name it; NULL: needs none */
        bool write;                 /* changes something */
        bool public;                /* no authentication at the gateway */
        SimHandler handler;
} SimRoute;

/*
 * Parts of the path; empty where the pattern has none. Cut to what an id can be and one more, so that a long
 * one stays wrong.
 */
typedef struct SimRouteIds {
        char project[SIM_ID_MAX + 1], domain[SIM_ID_MAX + 1], instance[SIM_ID_MAX + 1], backup[SIM_ID_MAX + 1];
} SimRouteIds;

/**
 * sim_route_find() - the call of a request
 * @ret_ids:    set when a route is returned
 *
 * TaurusDB and GaussDB share some paths: the first label of Host decides ("taurusdb.localhost"), or else whose
 * instance it is.
 * Return: NULL if there is no such API here, or the settings do not offer it.
 */
const SimRoute *sim_route_find(const Sim *s, const SimRequest *q, SimRouteIds *ret_ids);

size_t sim_route_index(const SimRoute *r); /* below SIM_CALLS_MAX */
const SimRoute *sim_route_at(size_t i);    /* NULL past the end */
