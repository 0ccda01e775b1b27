/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ctl/json.h"
#include "ctl/rehearse.h"

/*
 * The report for scripts: the same things as for people, nothing folded.
 */

static int add_number(json_object *to, const char *key, double v) {
        json_object *o = json_object_new_double(v);

        return o ? ctl_json_add(to, key, o) : -ENOMEM;
}

static int add_seconds(json_object *to, const char *key, usec_t usec) {
        return ctl_json_add_int(to, key, (int64_t) (usec / USEC_PER_SEC));
}

/* A failure in between shows at the end: objects that could not be made take nothing. */
static void note(int *error, int r) {
        if (r < 0)
                *error = r;
}

static int add_faults(json_object *root, const RehearseOptions *o) {
        json_object *list = ctl_json_add_array(root, "faults");
        int error = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < o->n_faults; i++) {
                const RehearseFault *f = &o->faults[i];
                json_object *x = ctl_json_add_object(list, NULL);

                note(&error, ctl_json_add_text(x, "kind", rehearse_fault_to_string(f->kind)));
                note(&error, ctl_json_add_time(x, "begin", usec_add(o->start_usec, f->begin_usec)));
                if (f->kind == REHEARSE_CLOCK)
                        note(&error, ctl_json_add_int(x, "step", f->step_usec / (int64_t) USEC_PER_SEC));
                else
                        note(&error, add_seconds(x, "duration", f->for_usec));
        }
        return error;
}

static int add_row(json_object *list, const RehearseRow *w, bool loose) {
        json_object *x = ctl_json_add_object(list, NULL);
        int error = x ? 0 : -ENOMEM;

        note(&error, ctl_json_add_time(x, "at", w->at_usec));
        if (w->at_last_usec > w->at_usec)
                note(&error, ctl_json_add_time(x, "at_last", w->at_last_usec));
        note(&error, ctl_json_add_text(x, "event", rehearse_kind_to_string(w->kind)));
        if (loose)
                note(&error, ctl_json_add_int(x, "times", (int64_t) w->n_times));
        if (w->n_requests_max > 0)
                note(&error, ctl_json_add_int(x, "requests", w->n_requests_max));
        if (w->end_usec > 0)
                note(&error, ctl_json_add_time(x, "lock_end", w->end_usec));
        if (w->end_last_usec > w->end_usec)
                note(&error, ctl_json_add_time(x, "lock_end_last", w->end_last_usec));
        return error;
}

static int add_strand(json_object *list, const RehearseFleet *f, const RehearseCalendar *c, const RehearseStrand *s) {
        json_object *x = ctl_json_add_object(list, NULL), *rows;
        int error = x ? 0 : -ENOMEM;

        if (s->member == REHEARSE_NOBODY)
                note(&error, ctl_json_add_text(x, "name", NULL));
        else {
                const Instance *i = f->members[s->member].policy;

                note(&error, ctl_json_add_text(x, "name", i->name));
                note(&error, ctl_json_add_text(x, "service", service_to_string(i->service)));
                note(&error, ctl_json_add_text(x, "instance_id", i->instance_id));
        }
        note(&error, ctl_json_add_int(x, "policies", (int64_t) s->n));
        note(&error, ctl_json_add_bool(x, "bad", s->bad));
        rows = ctl_json_add_array(x, "events");
        for (size_t i = 0; i < s->n_rows; i++)
                note(&error, add_row(rows, &c->rows[s->first_row + i], s->loose));
        return error;
}

static int add_lives(json_object *root, const Rehearsal *r) {
        json_object *list = ctl_json_add_array(root, "calendars");
        int error = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < r->n_lives; i++) {
                json_object *x = ctl_json_add_object(list, NULL), *strands, *reasons;

                note(&error, ctl_json_add_text(x, "reading", rehearse_fleet_has_locks(r->fleet) ? reading_to_string(r->lives[i].reading) : NULL));
                note(&error, ctl_json_add_bool(x, "bad", r->lives[i].bad));
                reasons = ctl_json_add_object(x, "reasons");
                for (RehearseKind k = 0; k < REHEARSE_KIND__MAX; k++)
                        if (r->lives[i].why[k])
                                note(&error, ctl_json_add_text(reasons, rehearse_kind_to_string(k), r->lives[i].why[k]));
                strands = ctl_json_add_array(x, "policies");
                for (size_t k = 0; k < r->calendars[i].n_strands; k++)
                        note(&error, add_strand(strands, r->fleet, &r->calendars[i], &r->calendars[i].strands[k]));
        }
        return error;
}

static int add_rates(json_object *root, const Rehearsal *r) {
        json_object *list = ctl_json_add_array(root, "endpoints");
        int error = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < r->fleet->n_endpoints; i++) {
                json_object *x = ctl_json_add_object(list, NULL);
                double mean, peak;
                usec_t at;

                rehearse_rate(r, i, &mean, &peak, &at);
                note(&error, ctl_json_add_text(x, "origin", r->fleet->endpoints[i].origin));
                note(&error, ctl_json_add_text(x, "service", service_to_string(r->fleet->endpoints[i].service)));
                note(&error, add_number(x, "mean_per_second", mean));
                note(&error, add_number(x, "peak_per_second", peak));
                note(&error, ctl_json_add_time(x, "peak_at", at));
                note(&error, add_number(x, "polls_per_second", r->fleet->endpoints[i].polls_per_sec));
                note(&error, ctl_json_add_int(x, "limit_per_second", r->fleet->config.settings->http.rate_per_sec));
        }
        return error;
}

static int add_lapses(json_object *root, const Rehearsal *r) {
        json_object *list = ctl_json_add_array(root, "lapses");
        int error = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < r->lapses.n_items; i++) {
                const RehearseLapse *l = &r->lapses.items[i];
                json_object *x = ctl_json_add_object(list, NULL);

                note(&error, ctl_json_add_text(x, "name", r->fleet->members[l->member].policy->name));
                note(&error, ctl_json_add_int(x, "policies", (int64_t) l->n_alike));
                for (size_t k = 0; k < N_ELEMENTS(rehearse_lapse_kinds); k++) {
                        RehearseFaultKind kind = rehearse_lapse_kinds[k];
                        json_object *y;

                        if (l->of[kind].survived_usec == 0 && l->of[kind].lapsed_usec == 0)
                                continue;
                        y = ctl_json_add_object(x, rehearse_fault_to_string(kind));
                        note(&error, add_seconds(y, "reckoned", l->of[kind].reckoned_usec));
                        note(&error, add_seconds(y, "held", l->of[kind].survived_usec));
                        note(&error, l->of[kind].lapsed_usec > 0 ? add_seconds(y, "lapsed", l->of[kind].lapsed_usec) :
                                                                   ctl_json_add_text(y, "lapsed", NULL));
                        note(&error, ctl_json_add_text(y, "reading", reading_to_string(l->of[kind].reading)));
                }
        }
        note(&error, add_seconds(root, "queue", r->lapses.queue_usec));
        return error;
}

static int add_head(json_object *root, const Rehearsal *r) {
        const RehearseOptions *o = r->options;
        size_t n_played = 0;
        int error = 0;

        for (size_t i = 0; i < r->fleet->n_groups; i++)
                n_played += r->fleet->groups[i].n_played;

        note(&error, ctl_json_add_time(root, "begin", o->start_usec));
        note(&error, ctl_json_add_time(root, "end", usec_add(o->start_usec, o->for_usec)));
        note(&error, ctl_json_add_text(root, "start", o->from_cloud ? "cloud" : o->as_written ? "as-written" : "bare"));
        note(&error, ctl_json_add_int(root, "seed", (int64_t) o->seed));
        note(&error, ctl_json_add_int(root, "policies", (int64_t) r->fleet->n_members));
        note(&error, ctl_json_add_int(root, "played", (int64_t) n_played));
        note(&error, ctl_json_add_int(root, "rejected", (int64_t) r->fleet->n_rejected));
        note(&error, ctl_json_add_int(root, "unread", (int64_t) r->n_unread));
        note(&error, ctl_json_add_bool(root, "bad", rehearse_is_bad(r)));
        note(&error, ctl_json_add_bool(root, "alike", r->alike));
        return error;
}

int rehearse_print_json(const Rehearsal *r) {
        _cleanup_(json_putp) json_object *root = NULL;
        json_object *list;
        int error = 0;

        root = json_object_new_object();
        note(&error, add_head(root, r));
        note(&error, add_faults(root, r->options));
        note(&error, add_lives(root, r));
        note(&error, add_rates(root, r));
        note(&error, add_lapses(root, r));
        list = ctl_json_add_array(root, "assumptions");
        for (size_t i = 0; rehearse_assumptions[i]; i++)
                note(&error, ctl_json_add_text(list, NULL, rehearse_assumptions[i]));
        if (error < 0)
                return error;

        return ctl_json_print(root) == EXIT_SUCCESS ? 0 : -EIO;
}
