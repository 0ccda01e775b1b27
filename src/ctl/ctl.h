/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * holdfastctl: one file a verb. main.c reads the options that all verbs share and hands over what follows the verb.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/* Exit codes of all verbs (holdfastctl(1)): 0 done, all well; 1 it failed; 2 there is something to tell (plan: to do; status: a
 * control is not compliant), 4 no such instance or endpoint, 64 wrong usage, 69 it needs the daemon, which does not run, 77 not
 * allowed, 78 bad configuration. */
enum {
        EXIT_SOMETHING = 2,
        EXIT_NO_SUCH = 4,
        EXIT_USAGE = 64,
        EXIT_NO_DAEMON = 69,
        EXIT_NOT_ALLOWED = 77,
        EXIT_CONFIG = 78,
};

#define DEFAULT_CONFIG "/etc/holdfast/holdfast.yaml"
#define DEFAULT_STATE "/var/lib/holdfast"

typedef struct CtlOptions {
        const char *config;             /* holdfast.yaml */
        const char *instances;          /* instances.d */
        const char *state;              /* the daemon's state folder */
        bool config_given, instances_given, state_given;
        bool json;
        bool legend;                    /* column heads and closing counts */
        bool pager;                     /* wanted, where stdout is a terminal */
        bool color;                     /* as works out for stdout */
        bool utf8;                      /* the locale can show more than ASCII */
        unsigned columns;               /* of the terminal; 80 where there is none */
        bool terminal;                  /* stdout is one: lines are cut and wrapped to columns */
} CtlOptions;

/* @argv: what follows the verb, which itself is argv[-1]; ends with NULL. Return: exit status. Each reads its own further options, with
 * getopt_long(argc + 1, argv - 1, …). */
typedef int (*CtlVerb)(const CtlOptions *o, int argc, char *argv[]);

int verb_check(const CtlOptions *o, int argc, char *argv[]);
int verb_history(const CtlOptions *o, int argc, char *argv[]);
int verb_iam_policy(const CtlOptions *o, int argc, char *argv[]);
int verb_log(const CtlOptions *o, int argc, char *argv[]);
int verb_plan(const CtlOptions *o, int argc, char *argv[]);
int verb_reconcile(const CtlOptions *o, int argc, char *argv[]);
int verb_rehearse(const CtlOptions *o, int argc, char *argv[]);
int verb_reload(const CtlOptions *o, int argc, char *argv[]);
int verb_schema(const CtlOptions *o, int argc, char *argv[]);
int verb_status(const CtlOptions *o, int argc, char *argv[]);
int verb_thaw(const CtlOptions *o, int argc, char *argv[]);
int verb_why(const CtlOptions *o, int argc, char *argv[]);

/* A line on stderr, "holdfastctl: …"; control characters of what is formatted are replaced. */
void ctl_complain(const char *format, ...) _printf_(1, 2);
/* Likewise, for wrong usage of a verb, with a hint at the manual. Return: EXIT_USAGE. */
int ctl_usage(const char *format, ...) _printf_(1, 2);
/* The hint alone, once. */
void ctl_hint(void);
