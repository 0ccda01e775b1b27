/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "ctl/rehearse.h"

#define DEFAULT_FOR (2 * 365 * USEC_PER_DAY)
#define FOR_MIN USEC_PER_HOUR

static int usage(const char *format, ...) _printf_(1, 2);
static int usage(const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) ctl_usage("rehearse: %s", text);
        return -EINVAL;
}

static int parse_at(const char *s, usec_t *ret) {
        char text[TIME_TEXT_MAX];
        usec_t at;

        /* A day is its beginning in UTC. */
        if (snprintf(text, sizeof(text), "%s%s", s, strlen(s) == 10 ? "T00:00:00Z" : "") >= (int) sizeof(text) ||
            timestamp_parse(text, &at) < 0)
                return usage("--at: found '%.100s', expected a time such as 2026-01-01T00:00:00Z", s);
        if (at < TIME_MIN_USEC || at > TIME_MAX_USEC - REHEARSE_FOR_MAX)
                return usage("--at: found '%.100s', expected a year from 2015 to 2049", s);

        *ret = at;
        return 0;
}

static int parse_for(const char *s, usec_t *ret) {
        if (rehearse_duration_parse(s, ret) < 0 || *ret < FOR_MIN || *ret > REHEARSE_FOR_MAX)
                return usage("--for: found '%.100s', expected a duration such as 2y or 90d, from 1h to 100y", s);
        return 0;
}

static int parse_seed(const char *s, uint64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoull(s, &end, 10);
        if (errno != 0 || *s < '0' || *s > '9' || *end || *ret == 0)
                return usage("--seed: found '%.100s', expected a whole number from 1", s);
        return 0;
}

static int parse_start(const char *s, RehearseOptions *o) {
        if (!streq(s, "bare") && !streq(s, "as-written"))
                return usage("--start: found '%.100s', expected bare or as-written", s);
        o->as_written = streq(s, "as-written");
        return 0;
}

static int add_fault(const char *s, RehearseOptions *o) {
        _cleanup_(freep) char *error = NULL;
        RehearseFault *larger;
        int r;

        larger = reallocarray(o->faults, o->n_faults + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        o->faults = larger;

        r = rehearse_fault_parse(s, &o->faults[o->n_faults], &error);
        if (r == -EINVAL)
                return usage("--fault: %s", error);
        if (r >= 0)
                o->n_faults++;
        return r;
}

enum { OPT_FOR = 256, OPT_FAULT, OPT_START, OPT_FROM_CLOUD, OPT_AT, OPT_SEED, OPT_ALL };

static int parse_one(int c, RehearseOptions *o) {
        int r = 0;

        switch (c) {
        case OPT_FOR:
                r = parse_for(optarg, &o->for_usec);
                break;
        case OPT_FAULT:
                r = add_fault(optarg, o);
                break;
        case OPT_START:
                r = parse_start(optarg, o);
                break;
        case OPT_FROM_CLOUD:
                o->from_cloud = true;
                break;
        case OPT_AT:
                r = parse_at(optarg, &o->start_usec);
                break;
        case OPT_SEED:
                r = parse_seed(optarg, &o->seed);
                break;
        case OPT_ALL:
                o->all = true;
                break;
        default:
                return -EINVAL; /* getopt has said what is wrong */
        }
        return r;
}

int rehearse_options_parse(int argc, char *argv[], RehearseOptions *ret) {
        static const struct option longs[] = {
                { "for", required_argument, NULL, OPT_FOR },
                { "fault", required_argument, NULL, OPT_FAULT },
                { "start", required_argument, NULL, OPT_START },
                { "from-cloud", no_argument, NULL, OPT_FROM_CLOUD },
                { "at", required_argument, NULL, OPT_AT },
                { "seed", required_argument, NULL, OPT_SEED },
                { "all", no_argument, NULL, OPT_ALL },
                {},
        };
        RehearseOptions o = { .for_usec = DEFAULT_FOR, .seed = 1 };
        _cleanup_(freep) char *error = NULL;
        int c, r = 0;

        assert(ret);

        optind = 0;     /* a new command line, for glibc */
        while (r >= 0 && (c = getopt_long(argc + 1, argv - 1, "", longs, NULL)) >= 0)
                r = parse_one(c, &o);

        if (r >= 0 && o.from_cloud && o.start_usec > 0)
                r = usage("--from-cloud begins now: --at does not go with it");
        if (r >= 0) {
                r = rehearse_faults_check(o.faults, o.n_faults, o.for_usec, &error);
                if (r == -EINVAL)
                        r = usage("--fault: %s", error);
        }
        if (r < 0) {
                rehearse_options_done(&o);
                return r;
        }

        if (o.start_usec == 0)
                o.start_usec = (usec_t) time(NULL) * USEC_PER_SEC;
        o.names = argv - 1 + optind;
        o.n_names = (size_t) (argc + 1 - optind);
        *ret = o;
        return 0;
}

void rehearse_options_done(RehearseOptions *o) {
        free(o->faults);
        *o = (RehearseOptions) {};
}
