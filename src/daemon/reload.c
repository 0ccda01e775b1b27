/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/manager-internal.h"

/*
 * Settings and policies, from files into force: in one go at start, and at a reload in slices with the loop turning between them. What was in
 * force stays so until all is read.
 */

/* A timer, and no source of low priority: a fleet that keeps the loop busy does not hold the reload up for ever, nor the reload the fleet. */
#define SLICE_USEC (4 * USEC_PER_MSEC)  /* of reading, and what the last file takes beyond it; picked */
#define PAUSE_USEC USEC_PER_MSEC        /* for all else, at least; picked */

/* What is being read. */
struct Reload {
        Settings *settings;     /* NULL: those in force stay */
        int settings_result;
        PolicyLoader *loader;
        Diagnostics diags;
        size_t n_said;          /* of these */
};

static Reload *reload_free(Reload *l) {
        if (!l)
                return NULL;

        policy_loader_free(l->loader);
        settings_free(l->settings);
        diagnostics_done(&l->diags);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(Reload *, reload_free)

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static void _printf_(3, 4) say_of(Manager *m, const char *file, const char *format, ...) {
        Event event = EVENT(EVENT_POLICY_REJECTED);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(event.message, sizeof(event.message), format, ap);
        va_end(ap);
        event.file = file;
        manager_say_event(m, &event);
}

/* As mistakes in it call it. */
static const char *settings_file(const Manager *m) {
        const char *slash = strrchr(m->options->config, '/');

        return slash ? slash + 1 : m->options->config;
}

/* The next mistake that was not said yet. Returns false if there is none. */
static bool say_next(Manager *m, Reload *l) {
        _cleanup_(freep) char *text = NULL;
        Event event = EVENT(EVENT_POLICY_REJECTED);
        const Diagnostic *d;

        if (l->n_said >= l->diags.n_items)
                return false;

        d = &l->diags.items[l->n_said++];
        text = diagnostic_to_string(d);
        event.file = d->file;
        event.line = d->line;
        event.column = d->column;
        event_set_message(&event, "%s", text ? text : strerror(ENOMEM));
        manager_say_event(m, &event);
        return true;
}

static void say_rest(Manager *m, Reload *l) {
        while (say_next(m, l))
                ;

        if (l->diags.n_dropped > 0)
                manager_say(m, EVENT_POLICY_REJECTED, "and %zu more mistakes", l->diags.n_dropped);
}

static int put_transport_in_force(Manager *m, const Settings *s) {
        TransportOptions options = {
                .ca_file = s->http.ca_file,
                .proxy = s->http.proxy,
                .connect_timeout_usec = s->http.connect_timeout_usec,
                .timeout_usec = s->http.timeout_usec,
                .max_connections = s->http.max_connections,
        };
        int r;

        if (m->transport)
                r = transport_reconfigure(m->transport, &options);
        else
                r = transport_new(m->event, &options, manager_on_reply, manager_after_replies, m, &m->transport);
        if (r < 0)
                say_of(m, settings_file(m), "%s: http.ca_file: %s cannot be used: %s", settings_file(m),
                       s->http.ca_file ? s->http.ca_file : "the system's", strerror(-r));
        return r;
}

/* Return: 0; -errno, said. */
static int open_policies(Manager *m, Reload *l) {
        const char *dir = m->options->instances;
        int r = 0;

        if (m->options->instances_given)
                r = policies_need_folder(dir, &l->diags);
        if (r < 0) {
                say_rest(m, l);
                return r;
        }

        r = policy_loader_new(dir, l->settings ? l->settings : m->settings, m->policies, &l->diags, &l->loader);
        if (r < 0)
                say_of(m, dir, "%s cannot be read: %s", dir, strerror(-r));
        return r;
}

/* Reads the settings, and what policies there are. Return: 0, also where the settings are broken and those of before stay; -EBADMSG if there are
 * none to stay, or at start no folder that can be read; -errno. Said. */
static int reload_begin(Manager *m, Reload **ret) {
        _cleanup_(reload_freep) Reload *l = NULL;
        int r;

        m->problem[0] = '\0';
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;

        l->settings_result = settings_load(m->options->config, &l->diags, &l->settings);
        if (l->settings_result >= 0)
                l->settings_result = put_transport_in_force(m, l->settings);
        if (l->settings_result < 0) {
                say_rest(m, l);
                l->settings = settings_free(l->settings);
                if (!m->settings)
                        return -EBADMSG;
                say_of(m, settings_file(m), "%s is broken, the settings read before stay in force", settings_file(m));
                diagnostics_done(&l->diags);
                l->n_said = 0;
        }

        r = open_policies(m, l);
        if (r < 0) {
                m->settings_rejected = l->settings_result < 0;
                return m->policies || r == -ENOMEM ? r : -EBADMSG;
        }

        *ret = STEAL(l);
        return 0;
}

/* Reads, and says what is wrong, until @until_usec on CLOCK_BOOTTIME. Return: 1: there is more; 0; -errno. */
static int reload_read(Manager *m, Reload *l, usec_t until_usec) {
        int r = 1;

        do
                if (!say_next(m, l))
                        r = policy_loader_step(l->loader);
        while (r > 0 && now_boottime() < until_usec);
        return r;
}

/* Puts in force what was read. @result: of that. Return: as manager_configure(). */
static int reload_end(Manager *m, Reload *l, int result) {
        _cleanup_(policy_set_freep) PolicySet *policies = NULL;
        size_t n_rejected = 0;
        int r = result;

        if (r >= 0)
                r = policy_loader_finish(l->loader, &policies, &n_rejected);
        say_rest(m, l);
        m->settings_rejected = l->settings_result < 0;
        if (r < 0) {
                say_of(m, m->options->instances, "%s cannot be read: %s", m->options->instances, strerror(-r));
                return r;
        }

        l->loader = policy_loader_free(l->loader);      /* its tables, before as much is wanted for the controls */
        r = engine_configure(m->engine, l->settings, policies);
        if (r < 0) {
                manager_say(m, EVENT_POLICY_REJECTED, "the policies cannot be put in force: %s", strerror(-r));
                return r;
        }

        m->settings = l->settings ? l->settings : m->settings;
        m->policies = STEAL(policies);
        m->n_rejected = n_rejected;
        l->settings = NULL;
        if (m->settings->credentials.source != CREDENTIALS_FILES)
                watch_credentials(m, m->settings);      /* no more; else since before they were read */
        return l->settings_result < 0 ? -EBADMSG : 0;
}

int manager_configure(Manager *m) {
        _cleanup_(reload_freep) Reload *l = NULL;
        int r;

        r = reload_begin(m, &l);
        if (r < 0)
                return r;

        return reload_end(m, l, reload_read(m, l, USEC_INFINITY));
}

/* --- While the loop turns ------------------------------------------------------------------------------------------- */

static int run_again(Manager *m, usec_t wait_usec) {
        int r;

        r = sd_event_source_set_time_relative(m->reload_source, wait_usec);
        return r < 0 ? r : sd_event_source_set_enabled(m->reload_source, SD_EVENT_ONESHOT);
}

static int begin(Manager *m) {
        int r;

        r = run_again(m, 0);
        if (r < 0)
                return r;

        m->n_reloads++;
        m->reloading = true;
        m->reload_again = false;
        service_reloading(m);
        return 0;
}

static void end(Manager *m, int result) {
        BusReload outcome = { .result = result };
        EngineCounts c;

        m->reload = reload_free(m->reload);
        m->reloading = false;
        m->policies_rejected = result < 0 && result != -EBADMSG;
        engine_counts(m->engine, &c);
        if (!m->policies_rejected)
                manager_say(m, EVENT_RELOADED, "reloaded: %zu %s with %zu %s in force, %zu rejected", m->policies->n_instances,
                            m->policies->n_instances == 1 ? "policy" : "policies", c.n_controls, c.n_controls == 1 ? "control" : "controls",
                            m->n_rejected);
        service_ready(m);       /* whether it worked or not: what was in force still is */
        m->reloaded_usec = now_realtime();
        bus_note_reloaded(m->bus);

        outcome.n_rejected = m->n_rejected;
        memcpy(outcome.problem, m->problem, sizeof(outcome.problem));
        bus_answer_reload(m->bus, m->n_reloads, &outcome);
        manager_wake(m);
}

static int on_slice(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        int r;

        if (!m->reload) {
                r = reload_begin(m, &m->reload);
                r = r < 0 ? r : 1;
        } else
                r = reload_read(m, m->reload, usec_add(now_boottime(), SLICE_USEC));
        if (r > 0) {
                r = run_again(m, PAUSE_USEC);
                if (r >= 0)
                        return 0;
        }

        end(m, m->reload ? reload_end(m, m->reload, r) : r);
        if (m->reload_again && begin(m) < 0)
                manager_say(m, EVENT_POLICY_REJECTED, "the second reload could not be begun");
        return 0;
}

int manager_reload(Manager *m, uint64_t *ret_number) {
        int r;

        /* What is being read may have changed since: once more, whoever else asks for it meanwhile. */
        m->reload_again = m->reloading;
        if (!m->reloading) {
                r = begin(m);
                if (r < 0)
                        return r;
        }

        *ret_number = m->n_reloads + m->reload_again;
        return 0;
}

void reload_cancel(Manager *m) {
        BusReload outcome = { .result = -ECANCELED };

        (void) sd_event_source_set_enabled(m->reload_source, SD_EVENT_OFF);
        m->reload = reload_free(m->reload);
        m->reloading = false;
        bus_answer_reload(m->bus, m->n_reloads + 1, &outcome);
}

int reload_set_up(Manager *m) {
        int r;

        r = sd_event_add_time_relative(m->event, &m->reload_source, CLOCK_BOOTTIME, 0, 1, on_slice, m);
        if (r < 0)
                return r;

        (void) sd_event_source_set_description(m->reload_source, "reload");
        return sd_event_source_set_enabled(m->reload_source, SD_EVENT_OFF);
}
