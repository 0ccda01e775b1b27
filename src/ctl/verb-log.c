/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/ctl.h"

/*
 * log: the instance's journal. The unit is asked for as well: any process may write HOLDFAST_NAME= into the journal, but only the
 * unit's own are its own.
 */

int verb_log(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(freep) const char **arguments = NULL;
        _cleanup_(freep) char *match = NULL;
        size_t n = 0;

        if (argc < 1 || argv[0][0] == '-')
                return ctl_usage("log: which instance? Arguments to journalctl follow its name");

        if (asprintf(&match, "HOLDFAST_NAME=%s", argv[0]) < 0)
                match = NULL;
        arguments = calloc((size_t) argc + 8, sizeof(*arguments));
        if (!match || !arguments) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }

        arguments[n++] = "journalctl";
        arguments[n++] = "--unit=holdfast.service";
        if (o->json)
                arguments[n++] = "--output=json";
        if (!o->pager)
                arguments[n++] = "--no-pager";
        arguments[n++] = match;
        for (int i = 1; i < argc; i++)
                arguments[n++] = argv[i];

        (void) fflush(stdout);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) execvp(arguments[0], (char *const *) (void *) arguments);
        ctl_complain("journalctl: %s", strerror(errno));
        return EXIT_FAILURE;
}
