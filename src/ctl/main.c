/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfastctl: the administrator's word. For now its only verb is thaw, on the state of a daemon that is stopped.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "store/store.h"

#define DEFAULT_STATE "/var/lib/holdfast"

static int usage(FILE *to, int status) {
        (void) fprintf(to, "holdfastctl [--state DIR] thaw [ENDPOINT]\n"
                       "\n"
                       "Allows lock writes again to every frozen endpoint, or to ENDPOINT (https://host), and forgets what was\n"
                       "learned there. Look at the journal first: journalctl HOLDFAST_EVENT=lock-frozen. holdfastd must be stopped.\n"
                       "\n"
                       "  --state DIR   the daemon's state folder (default %s)\n"
                       "  --version     print the version\n"
                       "  --help        print this\n",
                       DEFAULT_STATE);
        return status;
}

static int thaw(const char *state, const char *origin) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(freep) char *set_aside = NULL;
        int r, thawed;

        if (access(state, F_OK) < 0) {
                (void) fprintf(stderr, "holdfastctl: %s: %s\n", state, strerror(errno));
                return EXIT_FAILURE;
        }

        r = store_open(state, &store, &set_aside);
        if (r == -EBUSY) {
                (void) fprintf(stderr, "holdfastctl: %s: holdfastd is running: systemctl stop holdfast, thaw, start it again\n", state);
                return EXIT_FAILURE;
        }
        if (set_aside)
                (void) fprintf(stderr, "holdfastctl: %s: the database was broken and was set aside as %s\n", state, set_aside);

        thawed = r < 0 ? r : store_thaw(store, origin);
        if (thawed >= 0)
                r = store_dirty(store) ? store_commit(store) : 0;
        if (thawed < 0 || r < 0) {
                (void) fprintf(stderr, "holdfastctl: %s: %s\n", state, strerror(thawed < 0 ? -thawed : -r));
                return EXIT_FAILURE;
        }

        (void) printf("%d endpoint%s thawed\n", thawed, thawed == 1 ? "" : "s");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        enum { OPT_STATE = 256, OPT_VERSION, OPT_HELP };
        static const struct option longs[] = {
                { "state", required_argument, NULL, OPT_STATE },
                { "version", no_argument, NULL, OPT_VERSION },
                { "help", no_argument, NULL, OPT_HELP },
                {},
        };
        const char *state = DEFAULT_STATE;
        int c;

        while ((c = getopt_long(argc, argv, "h", longs, NULL)) >= 0)
                switch (c) {
                case OPT_STATE:
                        state = optarg;
                        break;
                case OPT_VERSION:
                        (void) printf("holdfastctl %s\n", HOLDFAST_VERSION);
                        return EXIT_SUCCESS;
                case 'h':
                case OPT_HELP:
                        return usage(stdout, EXIT_SUCCESS);
                default:
                        return usage(stderr, 2);
                }

        if (optind >= argc || !streq(argv[optind], "thaw") || argc - optind > 2)
                return usage(stderr, 2);

        return thaw(state, optind + 1 < argc ? argv[optind + 1] : NULL);
}
