/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Values as a person reads them in the database, and back.
 */

#include "facts/state.h"

/* What readings_to_text() writes. */
int readings_from_text(const char *s, unsigned *ret);   /* 0 or -EINVAL */

const char *said_to_text(SaidId id);                    /* "lock-lapsed" */
int said_from_text(const char *s);                      /* or -EINVAL */

int control_from_text(const char *s);                   /* or -EINVAL */
int lock_action_from_text(const char *s);               /* or -EINVAL */

/* A time that civil_format() can write and civil_parse() reads back the same. */
bool civil_is_valid(const CivilTime *c);
bool civil_is_zero(const CivilTime *c);
