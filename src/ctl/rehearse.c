/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ctl/pager.h"
#include "ctl/rehearse.h"

/*
 * holdfastctl rehearse: the owner's configuration against the simulated cloud, in virtual time.
 */

#define LOAD_POLLS_MAX 1500000.0        /* of the first hours, in which none is left out; picked */
#define LOAD_USEC USEC_PER_DAY

static void rehearsal_done(Rehearsal *r) {
        rehearse_life_done(&r->load);
        for (size_t i = 0; i < r->n_lives; i++) {
                rehearse_life_done(&r->lives[i]);
                rehearse_calendar_done(&r->calendars[i]);
        }
        rehearse_lapses_done(&r->lapses);
}

/* The readings under which at least one lock can be. */
static unsigned readings_of(const RehearseFleet *f) {
        unsigned readings = 0;

        for (size_t i = 0; i < f->n_endpoints; i++)
                if (f->endpoints[i].n_locks > 0)
                        readings |= f->endpoints[i].readings;
        return readings ? readings : 1u << READING_FROM_START;
}

/* The first hours of everybody, poll by poll: how busy are the endpoints? */
static int live_load(Rehearsal *r) {
        RehearseLifeOptions o = {
                .start_usec = r->options->start_usec,
                .for_usec = MIN(LOAD_USEC, r->options->for_usec),
                .seed = r->options->seed,
                .every_poll = true,
        };
        double polls = 0;

        for (size_t i = 0; i < r->fleet->n_endpoints; i++)
                polls += r->fleet->endpoints[i].polls_per_sec * (double) o.for_usec / (double) USEC_PER_SEC;
        if (polls > LOAD_POLLS_MAX)
                o.for_usec = (usec_t) ((double) o.for_usec * LOAD_POLLS_MAX / polls);

        for (Reading reading = READING__MAX; reading-- > 0;)
                if (readings_of(r->fleet) & (1u << reading))
                        o.reading = reading;
        return rehearse_live(r->fleet, &o, &r->load);
}

/* Policies without a lock are played once: no reading matters to them. */
static bool choose(const RehearseFleet *f, bool first, bool *played) {
        size_t n = 0;

        for (size_t i = 0; i < f->n_members; i++) {
                played[i] = f->members[i].played && (first || f->members[i].policy->terms->lock);
                n += played[i];
        }
        return n > 0;
}

static int live_all(Rehearsal *r) {
        _cleanup_(freep) bool *played = NULL;
        unsigned readings = readings_of(r->fleet);
        int q;

        played = calloc(r->fleet->n_members, sizeof(*played));
        if (!played)
                return -ENOMEM;

        for (Reading reading = 0; reading < READING__MAX; reading++) {
                const RehearseLifeOptions o = {
                        .reading = reading,
                        .start_usec = r->options->start_usec,
                        .for_usec = r->options->for_usec,
                        .seed = r->options->seed,
                        .faults = r->options->faults,
                        .n_faults = r->options->n_faults,
                        .played = played,
                };

                if (!(readings & (1u << reading)) || !choose(r->fleet, r->n_lives == 0, played))
                        continue;
                q = rehearse_live(r->fleet, &o, &r->lives[r->n_lives]);
                if (q < 0)
                        return q;
                q = rehearse_calendar_make(r->fleet, &r->lives[r->n_lives], !r->options->all && !r->ctl->json, &r->calendars[r->n_lives]);
                r->n_lives++;   /* also after a failure: to be freed */
                if (q < 0)
                        return q;
        }
        return 0;
}

static int compare(Rehearsal *r) {
        r->alike = true;
        for (size_t i = 1; i < r->n_lives && r->alike; i++) {
                int q = rehearse_lives_alike(r->fleet, &r->lives[0], &r->lives[i], &r->alike);

                if (q < 0)
                        return q;
        }
        return 0;
}

static int begin(RehearseFleet *f, const CtlOptions *ctl, const RehearseOptions *o, size_t *ret_n_unread) {
        int r;

        r = rehearse_fleet_learn(f, ctl, o->from_cloud);
        if (r >= 0)
                r = rehearse_start_set(f, o);
        if (r >= 0 && o->from_cloud)
                r = rehearse_start_from_cloud(f, ctl, ret_n_unread);
        return r < 0 ? r : rehearse_fleet_group(f, o);
}

static int report(const Rehearsal *r) {
        Pager pager = {};
        int q;

        if (r->ctl->json)
                return rehearse_print_json(r);

        if (r->ctl->pager)
                pager_start(r->ctl, &pager);
        q = rehearse_print(r);
        pager_done(&pager);
        return q;
}

int verb_rehearse(const CtlOptions *ctl, int argc, char *argv[]) {
        _cleanup_(rehearse_options_done) RehearseOptions options = {};
        _cleanup_(rehearse_fleet_done) RehearseFleet fleet = {};
        _cleanup_(rehearsal_done) Rehearsal r = { .ctl = ctl, .options = &options, .fleet = &fleet };
        int q;

        q = rehearse_options_parse(argc, argv, &options);
        if (q == -EINVAL)
                return EXIT_USAGE;
        if (q >= 0) {
                int status = rehearse_fleet_load(ctl, &options, &fleet);

                if (status != 0)
                        return status;
                q = begin(&fleet, ctl, &options, &r.n_unread);
        }
        if (q >= 0)
                q = live_load(&r);
        if (q >= 0)
                q = live_all(&r);
        if (q >= 0)
                q = compare(&r);
        if (q >= 0)
                q = rehearse_lapses(&fleet, &options, &r.lapses);
        if (q >= 0)
                q = report(&r);
        if (q < 0) {
                ctl_complain("rehearse: %s", strerror(-q));
                return EXIT_FAILURE;
        }

        if (fleet.n_rejected > 0)
                return EXIT_FAILURE;
        return rehearse_is_bad(&r) ? EXIT_SOMETHING : EXIT_SUCCESS;
}
