/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The command line of holdfastd. */

#include "report/report.h"

/* Exit statuses (holdfastd(8)). */
enum {
        EXIT_WELL = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NOT_COMPLIANT = 3,         /* --once */
        EXIT_BAD_CONFIG = 78,           /* EX_CONFIG of sysexits.h: the unit does not restart on it */
};

typedef struct Options {
        const char *config;             /* file */
        char *instances;                /* folder */
        bool instances_given;           /* and must be there */
        char *state;                    /* folder */
        bool observe, once, check;
        ReportFormat log;
} Options;

/* Return: 0 go on; 1 done (help, version); -EINVAL wrong usage, said on stderr; -ENOMEM. Free with options_done(). */
int options_parse(int argc, char *argv[], Options *ret);
void options_done(Options *o);
