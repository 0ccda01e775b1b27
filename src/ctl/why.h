/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Why a control is as it is, in sentences. Pure: what is known of it and the time in, sentences out.
 */

#include "base/strbuf.h"
#include "ctl/fleet.h"

#define WHY_BYTES_MAX 4096      /* of one part */

/* Sentences; each may be empty, then there is nothing to say. */
typedef struct Why {
        char *rule;             /* which rule, and where it is written */
        char *facts;            /* what was found, how old that is, what holdfast did last */
        char *next;             /* what happens next, and when */
        char *changes;          /* what would change the answer */
        char *blocked;          /* what stands in the way, and who must act; empty: nobody has to */
} Why;

/**
 * why_explain() - put it in words
 * @info:       of the whole: whether a daemon runs, since else nothing happens next, its mode, the time
 * @ret:        new (why_done())
 *
 * Return: 0 or -ENOMEM.
 */
int why_explain(const ControlStatus *s, const FleetInfo *info, Why *ret);
void why_done(Why *w);
