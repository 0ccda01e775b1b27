/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table of verbs: for main(), the help, and the tests that hold manual and completions to it.
 */

#include "ctl/ctl.h"

typedef struct Verb {
        const char *name;
        const char *arguments;
        const char *group;      /* of the help: this verb begins it; else NULL */
        CtlVerb run;            /* NULL: help */
        const char *help;
} Verb;

extern const Verb verbs[];      /* ends with a NULL name */
