/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The calls of each service, by the names of the route table. */

#include "sim/exchange.h"

int sim_taurusdb_encryption_get(Exchange *x);
int sim_taurusdb_encryption_set(Exchange *x);
int sim_taurusdb_lock_get(Exchange *x);
int sim_taurusdb_lock_set(Exchange *x);
int sim_taurusdb_backups(Exchange *x);
int sim_taurusdb_instance_backups(Exchange *x);
int sim_taurusdb_policy(Exchange *x);
int sim_taurusdb_instances(Exchange *x);

int sim_dbss_switch(Exchange *x);
int sim_dbss_template(Exchange *x);
int sim_dbss_status(Exchange *x);
int sim_dbss_backups(Exchange *x);
int sim_dbss_instances(Exchange *x);
int sim_dbss_buckets(Exchange *x);

int sim_gaussdb_backups(Exchange *x);
int sim_gaussdb_authorize(Exchange *x);

int sim_iam_token(Exchange *x);
int sim_iam_projects(Exchange *x);
int sim_iam_domains(Exchange *x);
int sim_iam_security_token(Exchange *x);
int sim_iam_caller_identity(Exchange *x);

int sim_metadata_token(Exchange *x);
int sim_metadata_key(Exchange *x);
