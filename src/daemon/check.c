/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "cloud/endpoints.h"

int check_endpoints(const Settings *settings, const PolicySet *policies, Diagnostics *diags) {
        int n = 0;

        for (size_t i = 0; i < policies->n_instances; i++) {
                const Instance *p = policies->instances[i];
                int r;

                if (settings->endpoints[p->service] || (p->terms->region && endpoint_lookup(p->service, p->terms->region)))
                        continue;

                r = diagnostics_add(diags, p->file, p->line, 1, "region",
                                    "found %s, expected a region in which service %s is known to answer, or endpoints.%s in holdfast.yaml",
                                    p->terms->region ? p->terms->region : "none", service_to_string(p->service), service_to_string(p->service));
                if (r < 0)
                        return r;
                n++;
        }

        return n;
}

/* @report NULL: a plain line. */
static void write_out(Report *report, const Event *event) {
        if (report)
                report_event(report, event, (usec_t) time(NULL) * USEC_PER_SEC);
        else
                (void) fprintf(stderr, "%s\n", event->message);
}

static void _printf_(2, 3) say(Report *report, const char *format, ...) {
        Event event = EVENT(EVENT_POLICY_REJECTED);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(event.message, sizeof(event.message), format, ap);
        va_end(ap);
        write_out(report, &event);
}

static void print_diagnostics(const Diagnostics *d, Report *report) {
        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *s = diagnostic_to_string(&d->items[i]);
                Event event = EVENT(EVENT_POLICY_REJECTED);

                event.file = d->items[i].file;
                event.line = d->items[i].line;
                event.column = d->items[i].column;
                event_set_message(&event, "%s", s ? s : "out of memory");
                write_out(report, &event);
        }

        if (d->n_dropped > 0)
                say(report, "and %zu more", d->n_dropped);
}

int check_configuration(const Options *o) {
        _cleanup_(policy_set_freep) PolicySet *policies = NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;
        _cleanup_(diagnostics_done) Diagnostics diags = {};
        _cleanup_(report_freep) Report *report = NULL;
        size_t n_rejected = 0;
        int r, missing = 0;

        /* People and editors read plain lines; who asks for a log format gets events. */
        if (o->log != REPORT_AUTO && o->log != REPORT_TEXT && report_new(o->log, stderr, LOG_DEBUG, &report) < 0)
                return EXIT_FAILED;

        r = settings_load(o->config, &diags, &settings);
        if (o->instances_given)
                missing = policies_need_folder(o->instances, &diags);
        if (r >= 0)
                r = missing;
        if (r >= 0)
                r = policies_load(o->instances, settings, NULL, &diags, &policies, &n_rejected);
        if (r >= 0)
                r = settings_check_files(o->config, settings, &diags);
        if (r >= 0)
                r = check_endpoints(settings, policies, &diags);
        if (!settings)
                (void) policies_check_alone(o->instances, &diags);      /* what is wrong with the settings is enough to fail */

        print_diagnostics(&diags, report);
        if (r < 0 && diags.n_items == 0)
                say(report, "%s: %s", settings ? o->instances : o->config, strerror(-r));
        if (r < 0 || diags.n_items > 0)
                return EXIT_BAD_CONFIG;

        if (!report)
                (void) printf("%zu %s, no mistakes\n", policies->n_instances, policies->n_instances == 1 ? "policy" : "policies");
        return EXIT_WELL;
}
