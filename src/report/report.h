/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where events are written: the journal with fields, text on stderr (coloured on a terminal), or JSON, one object a line. */

#include <stdio.h>

#include "facts/event.h"

typedef enum ReportFormat {
        REPORT_AUTO,            /* the journal where stderr is connected to it, else text */
        REPORT_JOURNAL,
        REPORT_TEXT,
        REPORT_JSON,
        REPORT_FORMAT__MAX,
} ReportFormat;

int report_format_from_string(const char *s);   /* or -EINVAL */

typedef struct Report Report;

/* @stream: borrowed, for text and JSON (stderr in the daemon). @max_priority: less important ones are dropped (LOG_DEBUG: none). */
int report_new(ReportFormat format, FILE *stream, int max_priority, Report **ret);
Report *report_free(Report *r);
DEFINE_CLEANUP(Report *, report_free)

/* @at_usec: wall clock, shown in text and JSON. Never blocks for long, never fails visibly: a full pipe or a missing journal drops it and
 * counts it. */
void report_event(Report *r, const Event *e, usec_t at_usec);

size_t report_n_dropped(const Report *r);
