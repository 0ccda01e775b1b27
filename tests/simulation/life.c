/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "oracle.h"
#include "policy/load.h"

#define YEAR_USEC (365.25 * (double) USEC_PER_DAY)
#define VERIFY 512              /* one in so many remembered answers is asked for all the same */

static Life *current;           /* the steps of controls are pure functions: they bring nobody along */

/* --- Failing and telling ------------------------------------------------------------------------------------------- */

usec_t life_now(const Life *l) {
        return machine_boottime(l->machine);
}

usec_t life_cloud_now(const Life *l) {
        return machine_cloud_time(l->machine);
}

int64_t life_skew_usec(const Life *l) {
        return (int64_t) machine_wall_time(l->machine) - (int64_t) machine_cloud_time(l->machine);
}

void life_trace(Life *l, int subject, TraceKind kind, const char *text, int64_t a, int64_t b) {
        trace_add(l->trace, life_cloud_now(l), life_skew_usec(l), subject, kind, text, a, b);
}

static void print_subject(const Life *l, int subject, FILE *to) {
        const Subject *x = &l->scenario.subjects[subject];

        (void) fprintf(to, "  s%02d is %s %s%s", subject, service_to_string(x->service), x->id, x->observe ? ", observed" : "");
        if (x->has_lock)
                (void) fprintf(to, "; lock: retention %" PRId64 " d, cap %" PRId64 " d, renew_before %.1f h, poll %.2f h, settle %.2f h, %s",
                               x->lock.retention_days, x->lock.max_retention_days,
                               (double) x->lock.renew_before_usec / (double) USEC_PER_HOUR,
                               (double) x->lock.poll_usec / (double) USEC_PER_HOUR,
                               (double) x->lock.settle_usec / (double) USEC_PER_HOUR, x->lock.stated ? "reading stated" : "auto");
        if (x->has_encryption)
                (void) fprintf(to, "; encryption: poll %.2f h", (double) x->encryption.poll_usec / (double) USEC_PER_HOUR);
        (void) fprintf(to, "\n  extend counts %s, reads lag by %" PRIu64 " s\n", reading_to_string(l->scenario.reading),
                       l->scenario.read_delay_usec / USEC_PER_SEC);
}

void life_fail(Life *l, int subject, const char *invariant, const char *format, ...) {
        char at[TIME_TEXT_MAX];
        va_list ap;

        if (l->failed)
                return;
        l->failed = true;

        (void) fprintf(stderr, "seed %" PRIu64 ": invariant %s does not hold at %s: ", l->options.seed, invariant,
                       rfc3339_format(life_cloud_now(l), at));
        va_start(ap, format);
        (void) vfprintf(stderr, format, ap);
        va_end(ap);
        (void) fputc('\n', stderr);
        if (subject >= 0)
                print_subject(l, subject, stderr);
        trace_print(l->trace, stderr, subject, l->options.n_shown);
        (void) fprintf(stderr, "  again: simulate --seed %" PRIu64 " --for %" PRIu64 "h%s\n", l->options.seed,
                       l->options.for_usec / USEC_PER_HOUR, l->options.calm ? " --calm" : "");
}

/* --- Hooks --------------------------------------------------------------------------------------------------------- */

/* The process may be killed between any two things that it does. */
static bool killed(Life *l) {
        if (l->n_until_kill == 0 || --l->n_until_kill > 0)
                return false;
        life_trace(l, TRACE_ALL, TRACE_LIFE, "killed at work", 0, 0);
        machine_kill(l->machine);
        return true;
}

static void on_asked(void *userdata, const Instance *instance, const Ask *ask) {
        Life *l = userdata;

        oracle_on_asked(l->oracle, instance, ask);
}

static MachineFate on_fate(void *userdata, const MachineExchange *x, usec_t *delay_usec) {
        Life *l = userdata;
        MachineFate fate;

        if (killed(l))
                return MACHINE_REFUSE;
        oracle_on_sent(l->oracle, x);
        fate = troubles_fate(l, x, delay_usec);
        return fate;
}

static void on_replied(void *userdata, const MachineExchange *x, HttpReply *reply) {
        Life *l = userdata;

        troubles_replied(l, x, reply);
        oracle_on_replied(l->oracle, x, reply);
}

static void on_delivered(void *userdata, uint64_t cookie, const HttpReply *reply, const Answer *answer) {
        Life *l = userdata;

        if (!killed(l))
                oracle_on_delivered(l->oracle, cookie);
}

static int on_put(void *userdata, const StateRecord *record) {
        Life *l = userdata;

        if (killed(l))
                return -EIO;
        oracle_on_put(l->oracle, record);
        return keeper_put(l->keeper, record);
}

static int on_commit(void *userdata) {
        Life *l = userdata;
        int r;

        if (killed(l))
                return -EIO;
        r = keeper_commit(l->keeper);
        if (r < 0)
                life_trace(l, TRACE_ALL, TRACE_STORE, "commit failed", r, 0);
        if (l->n_until_kill == 1)       /* or right after this one, before anything follows from it */
                (void) killed(l);
        return r;
}

static void on_say(void *userdata, const Event *event) {
        Life *l = userdata;

        if (!killed(l))
                oracle_on_say(l->oracle, event);
}

static int on_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        char access_key[32], secret_key[32];
        Life *l = userdata;
        const char *secret = SCENARIO_PASSWORD;
        int r;

        if (source != (l->scenario.keys == KEYS_PASSWORD ? CREDENTIALS_PASSWORD : CREDENTIALS_ENVIRONMENT) ||
            l->scenario.keys == KEYS_METADATA)
                return -ENOENT;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->origin = strdup("simulated");
        c->expires_at_usec = USEC_INFINITY;
        if (l->scenario.keys == KEYS_LASTING) {
                troubles_key_names(l->troubles.key_number, access_key, secret_key);
                c->access_key = strdup(access_key);
                secret = secret_key;
        }
        r = secret_new(secret, strlen(secret), l->scenario.keys == KEYS_LASTING ? &c->secret_key : &c->password);
        if (r < 0)
                return r;
        *ret = STEAL(c);
        return 0;
}

static void on_rested(void *userdata) {
        Life *l = userdata;

        oracle_on_rested(l->oracle);
}

/* --- Every step of a control --------------------------------------------------------------------------------------- */

#define WRAP_STEP(name, control)                                                        \
        void __real_##name(const Situation *s, Decision *ret);                          \
        void __wrap_##name(const Situation *s, Decision *ret);                          \
        void __wrap_##name(const Situation *s, Decision *ret) {                         \
                __real_##name(s, ret);                                                  \
                if (current && machine_engine(current->machine))                        \
                        oracle_on_step(current->oracle, control, s, ret);               \
        }

WRAP_STEP(encryption_step, CONTROL_ENCRYPTION)
WRAP_STEP(schedule_step, CONTROL_SCHEDULE)
WRAP_STEP(lock_step, CONTROL_LOCK)
WRAP_STEP(download_step, CONTROL_DOWNLOAD)

/* --- The daemon's life --------------------------------------------------------------------------------------------- */

static void must(int r, const Diagnostics *d, const char *what) {
        for (size_t i = 0; i < d->n_items; i++) {
                char *s = diagnostic_to_string(&d->items[i]);

                (void) fprintf(stderr, "%s: %s\n", what, s);
                free(s);
        }
        if (r < 0 || d->n_items > 0) {
                (void) fprintf(stderr, "%s: %s\n", what, strerror(-r));
                abort();
        }
}

void life_change(Life *l, const char *format, ...) {
        _cleanup_(freep) char *text = NULL;
        Diagnostics d = {};
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                abort();

        life_trace(l, TRACE_ALL, TRACE_LIFE, "the cloud is changed", 0, 0);
        must(machine_change(l->machine, text, &d), &d, "machine_change");
        diagnostics_done(&d);
        oracle_on_foreign(l->oracle);
}

static Settings *load_settings(const Life *l) {
        _cleanup_(freep) char *text = scenario_settings(&l->scenario);
        Settings *s = NULL;
        Diagnostics d = {};

        must(settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s), &d, "settings");
        diagnostics_done(&d);
        return s;
}

/* A file that is broken keeps all that it gave before; the diagnostics are the point then. */
static PolicySet *load_policies(const Life *l, const Settings *settings, bool broken) {
        _cleanup_(freep) char *text = scenario_policies(&l->scenario, broken);
        PolicySet *set = NULL;
        Diagnostics d = {};
        int r;

        r = policies_load_buffer("fleet.yaml", text, strlen(text), settings, broken ? l->policies : NULL, &d, &set, NULL);
        if (broken && r >= 0 && d.n_items > 0)
                diagnostics_done(&d);
        must(r, &d, "policies");
        diagnostics_done(&d);
        return set;
}

static void load(Life *l, bool broken, bool with_settings) {
        Settings *settings = load_settings(l);
        PolicySet *policies = load_policies(l, settings, broken);
        Diagnostics none = {};

        if (!with_settings)
                settings = settings_free(settings);
        must(engine_configure(machine_engine(l->machine), settings, policies), &none, "engine_configure");
        l->policies = policies;
}

void life_boot(Life *l) {
        Diagnostics none = {};
        int r;

        life_trace(l, TRACE_ALL, TRACE_LIFE, "started", 0, 0);
        must(machine_boot(l->machine), &none, "machine_boot");
        r = keeper_restore(l->keeper, machine_engine(l->machine));
        must(r, &none, "restore");
        oracle_on_boot(l->oracle);
        l->policies = NULL;
        load(l, false, true);
}

void life_reload(Life *l, bool broken, bool settings) {
        life_trace(l, TRACE_ALL, TRACE_LIFE, broken ? "reload of a broken file" : "reload", settings, 0);
        if (!machine_engine(l->machine))
                return;
        load(l, broken, settings);
        oracle_on_reload(l->oracle);
}

static bool begin(Life *l, const LifeOptions *options) {
        _cleanup_(freep) char *cloud = NULL;
        MachineHooks hooks = {
                .userdata = l, .asked = on_asked, .fate = on_fate, .replied = on_replied, .delivered = on_delivered,
                .put = on_put, .commit = on_commit, .say = on_say, .credentials = on_credentials, .rested = on_rested,
        };
        MachineOptions machine = { .verify = VERIFY };
        char access_key[32], secret_key[32];

        *l = (Life) { .options = *options, .rng = { .state = options->seed * 2 + 1 } };
        scenario_draw(&l->scenario, options->seed, options->for_usec);
        machine.seed = rng_next(&l->rng);
        machine.start_usec = l->scenario.start_usec;
        machine.latency_usec = l->scenario.latency_usec;

        l->trace = trace_new();
        l->keeper = keeper_new(l->scenario.real_store);
        if (!l->trace || !l->keeper || sim_new(rng_next(&l->rng), &l->sim) < 0 ||
            machine_new(&machine, &hooks, l->sim, &l->machine) < 0)
                return false;
        l->oracle = oracle_new(l);
        if (!l->oracle)
                return false;

        cloud = scenario_cloud(&l->scenario);
        life_change(l, "%s", cloud);
        troubles_key_names(0, access_key, secret_key);
        life_change(l, "keys: {%s: {secret_key: %s}}", access_key, secret_key);
        current = l;
        troubles_init(l);
        life_boot(l);
        return true;
}

static void end(Life *l) {
        current = NULL;
        l->machine = machine_free(l->machine);
        l->keeper = keeper_free(l->keeper);
        l->oracle = oracle_free(l->oracle);
        l->trace = trace_free(l->trace);
        l->sim = sim_free(l->sim);
        scenario_done(&l->scenario);
}

static void run_until(Life *l, usec_t until_usec) {
        usec_t before = life_now(l);
        bool ran = machine_engine(l->machine) != NULL;
        int r;

        r = machine_run(l->machine, until_usec);
        if (r < 0)
                life_fail(l, TRACE_ALL, "rest", "the engine does not come to rest: %s", strerror(-r));
        if (ran)
                l->ran_usec += life_now(l) - before;
}

/* Nothing goes wrong any more: how do things stand, when they must be in order again? */
static void settle(Life *l) {
        usec_t calm = life_now(l);
        bool checked[SUBJECTS_MAX] = {};

        for (size_t n = 0; n < l->scenario.n_subjects && !l->failed; n++) {
                usec_t first = USEC_INFINITY;
                size_t next = 0;

                for (size_t i = 0; i < l->scenario.n_subjects; i++)
                        if (!checked[i] && oracle_converged_usec(l->oracle, i, calm) < first) {
                                first = oracle_converged_usec(l->oracle, i, calm);
                                next = i;
                        }
                run_until(l, first);
                if (!l->failed)
                        oracle_check_converged(l->oracle, next);
                checked[next] = true;
        }
}

static void live(Life *l) {
        usec_t until = life_now(l) + l->options.for_usec;

        while (life_now(l) < until && !l->failed) {
                run_until(l, MIN(until, troubles_next(l)));
                if (!l->failed)
                        troubles_happen(l);
        }
        if (!l->failed && !l->options.calm) {
                troubles_end(l);
                /* A lie that was told last is found out by the next look, and freezes the endpoint once more. */
                run_until(l, life_now(l) + USEC_PER_DAY + USEC_PER_HOUR);
                if (!l->failed)
                        troubles_end(l);
        }
        if (!l->failed)
                settle(l);
}

static void take_figures(Life *l, usec_t lived_usec) {
        Figures *f = &l->figures;
        MachineCounts c;

        machine_counts(l->machine, &c);
        f->n_lives = 1;
        f->n_failed = l->failed;
        f->instance_years = (double) lived_usec / YEAR_USEC * (double) l->scenario.n_subjects;
        f->lock_years = (double) lived_usec / YEAR_USEC * (double) scenario_n_locks(&l->scenario);
        f->n_asked = c.n_asked;
        f->n_sent = c.n_sent;
        f->n_remembered = c.n_remembered;
        f->n_verified = c.n_verified;
        if (l->scenario.start_usec / USEC_PER_SEC <= INT32_MAX && life_cloud_now(l) / USEC_PER_SEC > INT32_MAX)
                f->n_troubles[TROUBLE_2038]++;
}

bool life_run(const LifeOptions *options, FILE *to, Figures *figures) {
        Life *l = calloc(1, sizeof(*l));
        usec_t began;
        bool held;

        if (!l || !begin(l, options)) {
                (void) fprintf(stderr, "no memory for a life\n");
                abort();
        }

        began = life_now(l);
        live(l);
        take_figures(l, life_now(l) - began);
        held = !l->failed;
        if (options->verbose && held)
                for (int i = 0; i < (int) l->scenario.n_subjects; i++) {
                        print_subject(l, i, to);
                        trace_print(l->trace, to, i, options->n_shown);
                }
        figures_add(figures, &l->figures);
        end(l);
        free(l);
        return held;
}

/* --- Figures ------------------------------------------------------------------------------------------------------- */

void figures_add(Figures *to, const Figures *f) {
        to->n_lives += f->n_lives;
        to->n_failed += f->n_failed;
        to->instance_years += f->instance_years;
        to->lock_years += f->lock_years;
        to->n_asked += f->n_asked;
        to->n_sent += f->n_sent;
        to->n_remembered += f->n_remembered;
        to->n_verified += f->n_verified;
        to->n_enabled += f->n_enabled;
        to->n_extended += f->n_extended;
        to->n_lapsed += f->n_lapsed;
        to->n_frozen += f->n_frozen;
        to->n_events += f->n_events;
        to->n_deceived += f->n_deceived;
        to->n_checked += f->n_checked;
        for (Trouble t = 0; t < TROUBLE__MAX; t++)
                to->n_troubles[t] += f->n_troubles[t];
}

void figures_print(const Figures *f, FILE *to, double wall_seconds, double core_seconds) {
        uint64_t n_troubles = 0;

        (void) fprintf(to, "%" PRIu64 " lives, %" PRIu64 " failed; %.0f instance-years, %.0f lock-years\n", f->n_lives, f->n_failed,
                       f->instance_years, f->lock_years);
        (void) fprintf(to, "calls: %" PRIu64 " asked, %" PRIu64 " sent, %" PRIu64 " remembered (%" PRIu64 " of them verified)\n",
                       f->n_asked, f->n_sent, f->n_remembered, f->n_verified);
        (void) fprintf(to, "locks: %" PRIu64 " enabled, %" PRIu64 " extended, %" PRIu64 " lapsed with an excuse, %" PRIu64
                       " freezes, %" PRIu64 " caps passed by the word of a lying cloud\n",
                       f->n_enabled, f->n_extended, f->n_lapsed, f->n_frozen, f->n_deceived);
        (void) fprintf(to, "%" PRIu64 " events, %" PRIu64 " compliant verdicts held against the truth\n", f->n_events, f->n_checked);
        for (Trouble t = 0; t < TROUBLE__MAX; t++) {
                n_troubles += f->n_troubles[t];
                if (f->n_troubles[t] > 0)
                        (void) fprintf(to, "%12" PRIu64 "  %s\n", f->n_troubles[t], trouble_to_string(t));
        }
        (void) fprintf(to, "%12" PRIu64 "  faults in all\n", n_troubles);
        (void) fprintf(to, "%.1f s, %.1f core-seconds, %.0f calls a second and core\n", wall_seconds, core_seconds,
                       core_seconds > 0 ? (double) f->n_asked / core_seconds : 0.);
}
