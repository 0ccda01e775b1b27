/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/source.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "ctl/words.h"

usec_t source_realtime(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);      /* cannot fail for this clock */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

int source_read(const CtlOptions *o, char *const names[], size_t n_names, Fleet **ret) {
        _cleanup_(fleet_freep) Fleet *f = NULL;
        bool files = o->state_given || o->config_given || o->instances_given;
        int r;

        r = fleet_new(&f);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return r;
        }

        f->info.now_usec = source_realtime();
        f->info.files = files;
        r = files ? -ENODEV : source_bus_read(o, names, n_names, f);
        if (r == -ENODEV)
                r = source_state_read(o, false, f);
        if (r < 0)
                return r;

        fleet_sort(f);
        r = fleet_select(f, names, n_names);
        if (r < 0)
                return r;

        *ret = STEAL(f);
        return 0;
}

void source_foot(const Fleet *f) {
        char when[TIME_TEXT_MAX];

        if (f->info.live)
                return;
        if (f->info.running && f->info.state_missing)
                (void) fprintf(stderr, "holdfastd is running, but has stored nothing yet: nothing is known of the cloud.\n");
        else if (f->info.running)
                (void) fprintf(stderr, "holdfastd is running, but %s: this is what it has stored, as of %s.\n",
                               f->info.files ? "the files were asked and not it" : "it is not on the system bus",
                               words_time(f->info.as_of_usec, when));
        else if (f->info.state_missing)
                (void) fprintf(stderr, "holdfastd is not running, and has left no state: nothing is known of the cloud.\n");
        else
                (void) fprintf(stderr, "holdfastd is not running; this is the state as of %s.\n", words_time(f->info.as_of_usec, when));
        if (f->info.files)
                (void) fprintf(stderr, "The files were asked, and not the daemon, as --config, --instances or --state is given.\n");
}

int source_exit(int r) {
        switch (r) {
        case -ENOENT:
        case -ENOTUNIQ:
                return EXIT_NO_SUCH;
        case -EACCES:
        case -EPERM:
                return EXIT_NOT_ALLOWED;
        case -ENODEV:
                return EXIT_NO_DAEMON;
        default:
                return EXIT_FAILURE;
        }
}
