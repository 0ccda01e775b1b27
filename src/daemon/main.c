/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <sys/prctl.h>

#include "daemon/check.h"
#include "daemon/manager.h"
#include "daemon/options.h"

/* What was printed is with whom it is for, or the exit status says that it is not. */
static int close_output(int status) {
        int error = fflush(stdout) == 0 ? 0 : errno;

        if (error == 0 && !ferror(stdout))
                return status;

        (void) fprintf(stderr, "holdfastd: stdout: not all could be written%s%s\n", error > 0 ? ": " : "", error > 0 ? strerror(error) : "");
        return EXIT_FAILED;
}

int main(int argc, char *argv[]) {
        _cleanup_(manager_freep) Manager *manager = NULL;
        _cleanup_(report_freep) Report *report = NULL;
        _cleanup_(options_done) Options options = {};
        int r;

        r = options_parse(argc, argv, &options);
        if (r != 0)
                return r > 0 ? close_output(EXIT_WELL) : r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;

        if (options.check)
                return close_output(check_configuration(&options));

        /* Keys are in memory from here on: no core dumps, no strangers with a debugger. */
        (void) prctl(PR_SET_DUMPABLE, 0);

        r = report_new(options.log, stderr, LOG_DEBUG, &report);
        if (r < 0) {
                (void) fprintf(stderr, "holdfastd: cannot set up the log: %s\n", strerror(-r));
                return EXIT_FAILED;
        }

        r = manager_new(&options, report, &manager);
        if (r < 0)
                return r == -EBADMSG ? EXIT_BAD_CONFIG : EXIT_FAILED;   /* said where it was found */

        return manager_run(manager);
}
