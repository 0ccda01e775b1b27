/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What TaurusDB and GaussDB have in common: their error codes, checks of ids and bodies, and the list of
 * backups.
 */

#include "sim/exchange.h"

/* Refused: 400 with a DBS code. Return: 0 or -ENOMEM. */
int sim_dbs_refuse(Exchange *x, const char *code, const char *message);

/* Each: 1 fine; 0 answered; -ENOMEM. */
int sim_dbs_check_language(Exchange *x);
int sim_dbs_check_no_query(Exchange *x);
int sim_dbs_check_instance(Exchange *x, SimService service); /* sets x->instance */
int sim_dbs_check_writable(Exchange *x);                     /* of x->instance: not busy, not abnormal */

/* The request's JSON object. @ret: new (json_object_put()), when 1. */
int sim_dbs_read_body(Exchange *x, json_object **ret);

/* Are all members of @o among @known (ends in NULL)? */
int sim_dbs_check_members(Exchange *x, json_object *o, const char *const *known);

/* offset and limit of a list, and no other query. */
int sim_dbs_read_page(Exchange *x, int64_t *ret_offset, int64_t *ret_limit);

/* GET .../backups: full backups of the project, newest first, with the filters of the API references. */
int sim_dbs_list_backups(Exchange *x, SimService service);
