/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Years of a fleet in seconds: each seed is one life of the daemon's engine against the simulated cloud, with everything going wrong that can,
 * and every promise held at every step. A life that fails says how to see it again. "simulate --help" lists what can be chosen.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "life.h"

#define JOBS_MAX 64
#define FAILED_MAX 8            /* lives; then enough is known */
#define YEAR_HOURS 8766.

typedef struct Options {
        uint64_t first, last;   /* seeds */
        usec_t for_usec;
        double lock_years, minutes;     /* 0: all seeds */
        unsigned jobs, n_shown;
        bool verbose, calm;
        const char *seeds_file;
} Options;

/* What the jobs share. */
typedef struct Shared {
        atomic_uint_fast64_t next_seed;
        atomic_uint_fast64_t lock_hours;
        atomic_uint n_failed;
        Figures figures[JOBS_MAX];
} Shared;

static void usage(FILE *to) {
        (void) fputs("simulate [OPTION...]\n"
                     "  --seed N         one life\n"
                     "  --seeds A..B     these lives\n"
                     "  --cases FILE     the lives that this file lists, a seed at the beginning of each line\n"
                     "  --fresh          seeds that begin with the second of now\n"
                     "  --for SPAN       how long each lasts: 400d, 10000h\n"
                     "  --lock-years N   one seed after the other until so many years of locks were lived\n"
                     "  --minutes N      one seed after the other for so long\n"
                     "  --jobs N         at the same time; 0: as many as there are processors\n"
                     "  --calm           nothing goes wrong\n"
                     "  --trace N        show so much of what happened last where a life fails\n"
                     "  --verbose        print the end of each life\n", to);
}

static bool more(const Options *o, Shared *s, const struct timespec *began) {
        struct timespec now;

        if (atomic_load(&s->n_failed) >= FAILED_MAX)
                return false;
        if (o->lock_years > 0 && (double) atomic_load(&s->lock_hours) >= o->lock_years * YEAR_HOURS)
                return false;
        if (o->minutes <= 0)
                return true;
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (double) (now.tv_sec - began->tv_sec) < o->minutes * 60;
}

static void live_one(const Options *o, Shared *s, uint64_t seed, Figures *figures) {
        LifeOptions life = { .seed = seed, .for_usec = o->for_usec, .verbose = o->verbose, .calm = o->calm,
                             .n_shown = o->n_shown };
        double before = figures->lock_years;

        if (!life_run(&life, stdout, figures))
                (void) atomic_fetch_add(&s->n_failed, 1);
        (void) atomic_fetch_add(&s->lock_hours, (uint64_t) ((figures->lock_years - before) * YEAR_HOURS));
}

static void job(const Options *o, Shared *s, unsigned number, const struct timespec *began) {
        while (more(o, s, began)) {
                uint64_t seed = atomic_fetch_add(&s->next_seed, 1);

                if (seed > o->last)
                        return;
                live_one(o, s, seed, &s->figures[number]);
        }
}

static int run_jobs(const Options *o, Shared *s, const struct timespec *began) {
        pid_t pids[JOBS_MAX];
        int r = 0;

        for (unsigned i = 0; i < o->jobs; i++) {
                (void) fflush(NULL);
                pids[i] = fork();
                if (pids[i] < 0)
                        return -errno;
                if (pids[i] == 0) {
                        job(o, s, i, began);
                        exit(EXIT_SUCCESS);
                }
        }
        for (unsigned i = 0; i < o->jobs; i++) {
                int status;

                if (waitpid(pids[i], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                        (void) fprintf(stderr, "job %u ended with status %x\n", i, (unsigned) status);
                        r = -ECHILD;
                }
        }
        return r;
}

static int run_cases(const Options *o, Shared *s) {
        FILE *f = fopen(o->seeds_file, "re");
        char line[512];

        if (!f) {
                (void) fprintf(stderr, "%s: %m\n", o->seeds_file);
                return -errno;
        }
        while (fgets(line, sizeof(line), f)) {
                char *end;
                uint64_t seed = strtoull(line, &end, 10);

                if (end != line)
                        live_one(o, s, seed, &s->figures[0]);
        }
        (void) fclose(f);
        return 0;
}

static double core_seconds(void) {
        struct rusage self, children;

        (void) getrusage(RUSAGE_SELF, &self);
        (void) getrusage(RUSAGE_CHILDREN, &children);
        return (double) (self.ru_utime.tv_sec + self.ru_stime.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
               (double) (self.ru_utime.tv_usec + self.ru_stime.tv_usec + children.ru_utime.tv_usec + children.ru_stime.tv_usec) / 1e6;
}

static int parse(int argc, char *argv[], Options *o) {
        static const struct option options[] = {
                { "seed", required_argument, NULL, 's' },     { "seeds", required_argument, NULL, 'S' },
                { "cases", required_argument, NULL, 'c' },    { "for", required_argument, NULL, 'f' },
                { "lock-years", required_argument, NULL, 'l' }, { "minutes", required_argument, NULL, 'm' },
                { "jobs", required_argument, NULL, 'j' },     { "calm", no_argument, NULL, 'q' },
                { "fresh", no_argument, NULL, 'F' },
                { "trace", required_argument, NULL, 't' },
                { "verbose", no_argument, NULL, 'v' },        { "help", no_argument, NULL, 'h' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 's': o->first = o->last = strtoull(optarg, NULL, 10); break;
                case 'S':
                        if (sscanf(optarg, "%" SCNu64 "..%" SCNu64, &o->first, &o->last) != 2)
                                return -EINVAL;
                        break;
                case 'c': o->seeds_file = optarg; break;
                case 'F': o->first = (uint64_t) time(NULL) * 1000000; break;
                case 'f':
                        if (duration_parse(optarg, &o->for_usec) < 0)
                                return -EINVAL;
                        break;
                case 'l': o->lock_years = strtod(optarg, NULL); break;
                case 'm': o->minutes = strtod(optarg, NULL); break;
                case 'j': o->jobs = (unsigned) strtoul(optarg, NULL, 10); break;
                case 't': o->n_shown = (unsigned) strtoul(optarg, NULL, 10); break;
                case 'q': o->calm = true; break;
                case 'v': o->verbose = true; break;
                case 'h': usage(stdout); exit(EXIT_SUCCESS);
                default: return -EINVAL;
                }
        if (o->jobs == 0)
                o->jobs = (unsigned) MAX(MIN(sysconf(_SC_NPROCESSORS_ONLN), (long) JOBS_MAX), 1L);
        return optind == argc && o->jobs > 0 && o->jobs <= JOBS_MAX ? 0 : -EINVAL;
}

int main(int argc, char *argv[]) {
        Options o = { .first = 1, .last = UINT64_MAX - 1, .for_usec = 400 * USEC_PER_DAY, .jobs = 1, .n_shown = 60 };
        struct timespec began, ended;
        Figures figures = {};
        Shared *s;
        int r;

        if (parse(argc, argv, &o) < 0) {
                usage(stderr);
                return 2;
        }
        if (o.last == UINT64_MAX - 1 && !(o.lock_years > 0) && !(o.minutes > 0) && !o.seeds_file)
                o.last = 10;    /* nothing was said: a taste */

        s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
                return EXIT_FAILURE;
        atomic_store(&s->next_seed, o.first);
        (void) clock_gettime(CLOCK_MONOTONIC, &began);

        if (o.seeds_file)
                r = run_cases(&o, s);
        else if (o.jobs == 1) {
                job(&o, s, 0, &began);
                r = 0;
        } else
                r = run_jobs(&o, s, &began);

        (void) clock_gettime(CLOCK_MONOTONIC, &ended);
        for (unsigned i = 0; i < o.jobs; i++)
                figures_add(&figures, &s->figures[i]);
        figures_print(&figures, stdout, (double) (ended.tv_sec - began.tv_sec) + (double) (ended.tv_nsec - began.tv_nsec) / 1e9,
                      core_seconds());
        return r < 0 || figures.n_failed > 0 || figures.n_lives == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
