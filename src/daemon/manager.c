/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/manager-internal.h"
#include "store/read.h"

/*
 * Set-up, signals and stopping: the only place where all rooms meet.
 */

#define STOP_USEC (10 * USEC_PER_SEC)           /* holdfastd(8): requests in flight, or 10 s */
#define REOPEN_USEC (30 * USEC_PER_SEC)         /* a state folder that could not be used is tried again; picked */
#define WAIT_MAX_USEC USEC_PER_HOUR             /* the engine is run at least so often: a lost wake-up heals; picked */

void manager_say_event(Manager *m, const Event *event) {
        /* For whoever asked for a reload: the first problem is what the others follow from. */
        if (event->id == EVENT_POLICY_REJECTED && !m->problem[0])
                (void) snprintf(m->problem, sizeof(m->problem), "%.*s", (int) sizeof(m->problem) - 1, event->message);
        report_event(m->report, event, now_realtime());
}

void manager_say(Manager *m, EventId id, const char *format, ...) {
        Event event = EVENT(id);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(event.message, sizeof(event.message), format, ap);
        va_end(ap);
        manager_say_event(m, &event);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Manager *m = userdata;
        uint64_t number;
        int r = 0;

        if (!m->stopping)
                r = manager_reload(m, &number);
        if (r < 0)
                manager_say(m, EVENT_POLICY_REJECTED, "the reload could not be begun: %s", strerror(-r));
        return 0;
}

/* --- Engine ------------------------------------------------------------------------------------------------------- */

static int exit_status(const Manager *m) {
        EngineCounts c;

        if (!m->options->once)
                return EXIT_WELL;

        engine_counts(m->engine, &c);
        return c.finished && c.n_compliant == c.n_controls && m->n_rejected == 0 ? EXIT_WELL : EXIT_NOT_COMPLIANT;
}

static void maybe_finish(Manager *m) {
        EngineCounts c;

        engine_counts(m->engine, &c);
        if (m->stopping ? c.idle : c.finished)
                (void) sd_event_exit(m->event, exit_status(m));
}

/* Setting it is a system call, and a wake-up that comes too early sets it anew. Without this timer every lock would run out in silence: it is
 * armed, or the daemon ends visibly. */
static int arm_due(Manager *m) {
        int r;

        if (m->armed_at_usec <= m->engine_due_at_usec)
                return 0;

        r = sd_event_source_set_time(m->due_source, m->engine_due_at_usec);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->due_source, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;

        m->armed_at_usec = m->engine_due_at_usec;
        return 0;
}

static int run_engine(Manager *m) {
        usec_t wait = WAIT_MAX_USEC;
        int r;

        r = engine_run(m->engine, &wait);
        if (r < 0)
                manager_say(m, EVENT_INTERNAL_ERROR, "the engine failed, and is run again in a second: %s", strerror(-r));
        if (r < 0)
                wait = USEC_PER_SEC;

        m->engine_due_at_usec = usec_add(now_boottime(), MIN(wait, WAIT_MAX_USEC));
        r = arm_due(m);
        if (r >= 0 && m->transport)
                transport_start(m->transport);
        if (r < 0)
                return r;

        service_note_change(m);
        maybe_finish(m);
        return 0;
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->armed_at_usec = USEC_INFINITY;
        return run_engine(m);
}

static int on_run(sd_event_source *source, void *userdata) {
        return run_engine(userdata);
}

void manager_wake(Manager *m) {
        (void) sd_event_source_set_enabled(m->run_source, SD_EVENT_ONESHOT);    /* else the due timer does */
        m->engine_due_at_usec = MIN(m->engine_due_at_usec, now_boottime());
}

/* What the answers of this turn lead to goes out in the same turn. A failure is left to the next, where it ends the loop. */
void manager_after_replies(void *userdata) {
        Manager *m = userdata;

        if (run_engine(m) < 0)
                manager_wake(m);
}

static int on_commit(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        engine_on_committed(m->engine, manager_commit_now(m));
        manager_wake(m);
        return 0;
}

/* --- State -------------------------------------------------------------------------------------------------------- */

static int new_engine(Manager *m) {
        World world = manager_world;
        EngineOptions options = { .observe = m->options->observe, .once = m->options->once };

        world.userdata = m;
        return engine_new(&world, &options, &m->engine);
}

static int reopen_later(sd_event_source *source) {
        (void) sd_event_source_set_time_relative(source, REOPEN_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* The state folder can be used now: begin again with what it remembers. Nothing on a lock was sent meanwhile. If that fails, what there was
 * goes on without a store. */
static int on_reopen(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        Manager before = *m;
        int r;

        if (m->stopping)
                return 0;
        if (m->reloading) /* for the engine that there is */
                return reopen_later(source);

        r = new_engine(m);
        if (r < 0)
                return reopen_later(source);

        r = manager_open_store(m);
        if (r >= 0) {
                m->transport = NULL;
                m->settings = NULL;     /* the policies stay: the last good version of a broken file is among them */
                r = manager_configure(m);       /* without settings of before, it is 0 or nothing is in force */
        }
        if (r < 0) {
                transport_free(m->transport != before.transport ? m->transport : NULL);
                engine_free(m->engine);
                m->store = store_free(m->store);
                m->transport = before.transport;
                m->engine = before.engine;
                m->settings = before.settings;
                m->policies = before.policies;
                m->put_error = before.put_error;
                watch_credentials(m, m->settings);
                return reopen_later(source);
        }

        engine_take_frozen(m->engine, before.engine);
        transport_free(before.transport);
        engine_free(before.engine);
        manager_say(m, EVENT_STATE_RECOVERED, "%s: state is stored again", m->options->state);
        manager_wake(m);
        return 0;
}

static int open_state(Manager *m) {
        char newer[STORE_TEXT_MAX];
        int r;

        r = manager_open_store(m);
        if (r >= 0)
                return 0;

        if (r == -EBUSY) {
                manager_say(m, EVENT_STATE_FAILING, "%s: another holdfastd uses this state folder", m->options->state);
                return r;
        }

        /* Looking and reporting go on without it; locks are not written. */
        m->put_error = r;
        manager_say(m, EVENT_STATE_FAILING, "%s: the state cannot be opened: %s; until it can, no lock is written", m->options->state,
                    r == -EPROTONOSUPPORT ? store_explain_newer(m->options->state, newer) : strerror(-r));
        engine_on_no_store(m->engine, r);
        if (m->options->once)
                return 0;
        return sd_event_add_time_relative(m->event, &m->reopen_source, CLOCK_BOOTTIME, REOPEN_USEC, 0, on_reopen, m);
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        return sd_event_exit(m->event, exit_status(m));
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Manager *m = userdata;
        int r;

        if (m->stopping)
                return 0;

        m->stopping = true;
        service_stopping(m);
        manager_say(m, EVENT_STOPPING, "stopping");
        reload_cancel(m);
        engine_stop(m->engine);

        r = sd_event_add_time_relative(m->event, &m->stop_source, CLOCK_BOOTTIME, STOP_USEC, 0, on_stop_timeout, m);
        if (r < 0)
                return sd_event_exit(m->event, exit_status(m)); /* no timer to wait with */

        maybe_finish(m);
        return 0;
}

static int add_signals(Manager *m) {
        static const struct {
                int signal;
                sd_event_signal_handler_t handler;
        } signals[] = {
                { SIGTERM, on_stop },
                { SIGINT, on_stop },
                { SIGHUP, on_reload },
        };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < N_ELEMENTS(signals); i++)
                (void) sigaddset(&mask, signals[i].signal);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        (void) signal(SIGPIPE, SIG_IGN);        /* a reader of our log that went away is no reason to die */

        for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
                r = sd_event_add_signal(m->event, &m->signal_sources[i], signals[i].signal, signals[i].handler, m);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int add_sources(Manager *m) {
        int r;

        r = sd_event_add_defer(m->event, &m->run_source, on_run, m);
        if (r < 0)
                return r;
        /* After what has arrived: replies of one turn are answered together. */
        r = sd_event_source_set_priority(m->run_source, SD_EVENT_PRIORITY_NORMAL + 10);
        if (r < 0)
                return r;
        r = sd_event_source_set_exit_on_failure(m->run_source, true);
        if (r < 0)
                return r;

        r = sd_event_add_time_relative(m->event, &m->due_source, CLOCK_BOOTTIME, 0, 1, on_due, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_exit_on_failure(m->due_source, true);
        if (r < 0)
                return r;

        r = sd_event_add_time_relative(m->event, &m->commit_source, CLOCK_BOOTTIME, 0, 1, on_commit, m);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(m->commit_source, SD_EVENT_OFF);
}

static int set_up(Manager *m) {
        int r;

        r = sd_event_new(&m->event);
        if (r >= 0)
                r = add_signals(m);
        if (r >= 0)
                r = add_sources(m);
        if (r >= 0)
                r = watch_clock(m);
        if (r >= 0)
                r = reload_set_up(m);
        if (r >= 0)
                r = service_start(m);
        if (r >= 0)
                r = new_engine(m);
        if (r < 0)
                manager_say(m, EVENT_INTERNAL_ERROR, "the event loop cannot be set up: %s", strerror(-r));
        return r;
}

int manager_new(const Options *options, Report *report, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        assert(options);
        assert(report);
        assert(ret);

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->options = options;
        m->report = report;
        m->armed_at_usec = USEC_INFINITY;
        m->started_usec = now_realtime();

        r = set_up(m);
        if (r < 0)
                return r;

        r = open_state(m);
        if (r < 0)
                return r;

        if (!options->once) {
                r = face_open(m);
                if (r < 0)
                        return r;
        }

        r = manager_configure(m);
        if (r < 0)
                return r;

        *ret = STEAL(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;

        reload_cancel(m);
        bus_free(m->bus);               /* nobody asks the engine any more */
        transport_free(m->transport);   /* drops what is in flight before the engine forgets it */
        engine_free(m->engine);
        if (m->store)
                (void) manager_commit_now(m);   /* at the end of everything: a failure was said before */
        store_free(m->store);

        sd_event_source_disable_unref(m->run_source);
        sd_event_source_disable_unref(m->due_source);
        sd_event_source_disable_unref(m->commit_source);
        sd_event_source_disable_unref(m->stop_source);
        sd_event_source_disable_unref(m->reload_source);
        sd_event_source_disable_unref(m->reopen_source);
        sd_event_source_disable_unref(m->status_source);
        sd_event_source_disable_unref(m->watchdog_source);
        sd_event_source_disable_unref(m->clock_source);
        sd_event_source_disable_unref(m->files_source);
        sd_event_source_disable_unref(m->above_source);
        sd_event_source_disable_unref(m->settle_source);
        for (size_t i = 0; i < N_ELEMENTS(m->signal_sources); i++)
                sd_event_source_disable_unref(m->signal_sources[i]);
        sd_event_unref(m->event);
        free(m);
        timezone_forget_all();
        return NULL;
}

static bool state_is_failing(const Manager *m) {
        EngineStatus status;

        engine_status(m->engine, &status);
        return !m->store || status.state_failing;
}

int manager_run(Manager *m) {
        EngineCounts c;
        int r, committed;

        assert(m);

        engine_counts(m->engine, &c);
        manager_say(m, EVENT_STARTED, "holdfastd %s: %zu %s with %zu %s in force, %zu rejected%s", HOLDFAST_VERSION,
                    m->policies->n_instances, m->policies->n_instances == 1 ? "policy" : "policies", c.n_controls,
                    c.n_controls == 1 ? "control" : "controls", m->n_rejected, m->options->observe ? "; observing only" : "");
        service_ready(m);

        r = sd_event_loop(m->event);
        if (r < 0) {
                manager_say(m, EVENT_INTERNAL_ERROR, "the event loop failed: %s", strerror(-r));
                return EXIT_FAILED;
        }

        if (!m->stopping) {
                char status[sizeof(m->status)];

                service_format_status(m, status, sizeof(status));
                manager_say(m, EVENT_STOPPING, "done: %s", status);
        }

        if (m->store)
                engine_keep_told(m->engine);
        committed = m->store ? manager_commit_now(m) : 0;
        if (committed < 0 && !state_is_failing(m))      /* else it was said */
                manager_say(m, EVENT_STATE_FAILING, "the state could not be stored at the end: %s", strerror(-committed));
        return m->options->once && (committed < 0 || state_is_failing(m)) ? EXIT_FAILED : r;
}
