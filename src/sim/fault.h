/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Faults by rule: which requests they hit, and what becomes of those. holdfast-sim(1) has the keys. */

#include "sim/exchange.h"
#include "sim/reader.h"

/*
 * Reads one rule and adds it to the others; in a dry reading only checks. Return: its number from 1; 0 on a
 * mistake or when dry.
 */
uint64_t sim_fault_read(SimReader *r, Sim *s, json_object *node);

/* Removes the rule of that number, or all with 0. Return: how many. */
size_t sim_fault_remove(Sim *s, uint64_t number);

/* The first rule that hits this request now, counted; NULL: none. */
const SimFault *sim_fault_hit(Exchange *x);

/* Are the rules of the cloud reached in spite of the fault? */
bool sim_fault_has_effect(const SimFault *f);

/* Makes of the reply what the rule says. Return: 0 or -ENOMEM. */
int sim_fault_apply(Exchange *x, const SimFault *f);

/* All rules as a list. */
void sim_fault_show(const Sim *s, JsonBuild *b, json_object *list);
