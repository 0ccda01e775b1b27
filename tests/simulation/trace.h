/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What happened last: a ring of small records, made into sentences only when a life has failed.
 */

#include <stdint.h>
#include <stdio.h>

#include "base/time-util.h"

#define TRACE_ALL (-1)          /* concerns every subject */

typedef enum TraceKind {
        TRACE_FAULT,            /* text: which */
        TRACE_LIFE,             /* text: what befell the host or the daemon */
        TRACE_SENT,             /* text: call; a: lock: days */
        TRACE_REPLY,            /* text: call; a: status; b: outcome */
        TRACE_STEP,             /* text: verdict or call; a: lock: end as read */
        TRACE_TRUTH,            /* text: what changed in the cloud; a: lock: end */
        TRACE_EVENT,            /* text: name of the event; a: lock's end, if it has one */
        TRACE_STORE,            /* text: put or commit; a: result */
} TraceKind;

typedef struct Trace Trace;

Trace *trace_new(void);
Trace *trace_free(Trace *t);

/* @text: static or interned; only the pointer is kept. */
void trace_add(Trace *t, usec_t cloud_usec, int64_t skew_usec, int subject, TraceKind kind, const char *text, int64_t a, int64_t b);

/* The last @n records that concern @subject, oldest first. */
void trace_print(const Trace *t, FILE *to, int subject, size_t n);
