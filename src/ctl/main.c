/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>

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

/* Whoever read the output has gone, which is no failure: what else was wrong with it errno may not tell any more. */
static bool is_abandoned(void) {
        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

        return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* What was printed is with whom it is for, or the exit status says that it is not. */
static int close_output(int status) {
        bool lost = ferror(stdout) != 0, printed = lost || __fpending(stdout) > 0;
        bool abandoned = lost && is_abandoned();

        int error;

        error = fclose(stdout) == 0 ? 0 : errno;
        if (abandoned || error == EPIPE || (error == EBADF && !printed) || (error == 0 && !lost))
                return status;

        ctl_complain("stdout: not all could be written%s%s", error > 0 ? ": " : "", error > 0 ? strerror(error) : "");
        return EXIT_FAILURE;
}

static int run_verb(CtlOptions *o, int argc, char *argv[]) {
        char *program = NULL;
        const Verb *verb;
        int status;

        verb = argc > 0 ? find_verb(argv[0]) : find_verb("status");
        if (!verb)
                return unknown_verb(argv[0]);
        if (streq(verb->name, "help")) {
                print_help();
                return EXIT_SUCCESS;
        }
        if (argc == 0)
                return verb->run(o, 0, argv);

        /* What getopt_long() calls the program. */
        if (asprintf(&program, "holdfastctl: %s", verb->name) < 0) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }
        argv[0] = program;
        status = verb->run(o, argc - 1, argv + 1);
        if (status == EXIT_USAGE)
                ctl_hint();     /* getopt_long() gives none */
        free(program);
        return status;
}

static int run(CtlOptions *o, int argc, char *argv[]) {
        switch (options_take(&argc, argv, o)) {
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

        if (options_settle(o) < 0) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }
        return run_verb(o, argc, argv);
}

int main(int argc, char *argv[]) {
        _cleanup_(options_done) CtlOptions options = {};

        /* Whoever reads the output may go away, "| head": that is no error worth a signal's exit status in the middle of a line. */
        (void) signal(SIGPIPE, SIG_IGN);

        return close_output(run(&options, argc - 1, argv + 1));
}
