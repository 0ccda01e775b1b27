/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/options.h"
#include "ctl/verbs.h"
#include "policy/nearest.h"

static void print_help(void) {
        (void) printf("holdfastctl [OPTION...] [VERB] [ARGUMENT...]\n"
                      "\n"
                      "See, understand and steer holdfastd.\n"
                      "\n");
        for (const Verb *v = verbs; v->name; v++) {
                const char *group = v->group;

                if (group)
                        (void) printf("%s%s:\n", v == verbs ? "" : "\n", group);
                (void) printf("  %-10s  %-21s  %s\n", v->name, v->arguments, v->help);
        }
        (void) printf("\n"
                      "Options, before the verb or behind it:\n"
                      "  --json            one JSON document instead of text\n"
                      "  --no-legend       no column heads, no closing lines\n"
                      "  --no-pager        do not show long output through a pager\n"
                      "  --color WHEN      auto (default), always or never\n"
                      "  --config FILE     the daemon's settings (default %s)\n"
                      "  --instances DIR   the policies (default: instances.d beside the settings)\n"
                      "  --state DIR       the daemon's state folder (default %s)\n"
                      "  --version         print the version\n"
                      "  --help            print this\n"
                      "\n"
                      "Options of single verbs, exit codes and an example of each are in holdfastctl(1).\n",
                      DEFAULT_CONFIG, DEFAULT_STATE);
}

static const Verb *find_verb(const char *name) {
        for (const Verb *v = verbs; v->name; v++)
                if (streq(v->name, name))
                        return v;

        return NULL;
}

static int unknown_verb(const char *name) {
        const char *nearest = NULL;
        size_t best = SIZE_MAX;

        for (const Verb *v = verbs; v->name; v++) {
                size_t d = word_distance(name, v->name);

                if (d < best) {
                        best = d;
                        nearest = v->name;
                }
        }

        if (nearest && word_is_near(name, best))
                return ctl_usage("unknown verb '%s', did you mean %s?", name, nearest);
        return ctl_usage("unknown verb '%s'", name);
}

int main(int argc, char *argv[]) {
        _cleanup_(options_done) CtlOptions options = {};
        const Verb *verb;
        int status;

        /* Whoever reads the output may go away, "| head": that is no error worth a signal's exit status in the middle of a line. */
        (void) signal(SIGPIPE, SIG_IGN);

        argc--;
        argv++;
        switch (options_take(&argc, argv, &options)) {
        case OPTIONS_GO:
                break;
        case OPTIONS_HELP:
                print_help();
                return EXIT_SUCCESS;
        case OPTIONS_VERSION:
                (void) printf("holdfastctl %s\n", HOLDFAST_VERSION);
                return EXIT_SUCCESS;
        case OPTIONS_WRONG:
                return EXIT_USAGE;
        }

        if (options_settle(&options) < 0) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }

        verb = argc > 0 ? find_verb(argv[0]) : find_verb("status");
        if (!verb)
                return unknown_verb(argv[0]);
        if (streq(verb->name, "help")) {
                print_help();
                return EXIT_SUCCESS;
        }

        status = verb->run(&options, argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
        if (fflush(stdout) != 0 && errno != EPIPE) {
                ctl_complain("stdout: %s", strerror(errno));
                return EXIT_FAILURE;
        }
        return status;
}
