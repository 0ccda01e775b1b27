/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/json.h"
#include "ctl/pager.h"
#include "ctl/source.h"
#include "ctl/table.h"
#include "ctl/words.h"

/*
 * status: the fleet at a glance, or each control of an instance.
 */

#define LOCKS_SHOWN 5           /* of those that are extended next; picked: what fits under an eye */
#define BAR_WIDTH 12

typedef struct StatusOptions {
        bool verdicts[VERDICT__MAX];    /* to be shown; none: all */
        bool filtered;
        bool all;                       /* also what is compliant */
} StatusOptions;

/* --- Selection ---------------------------------------------------------------------------------------------------- */

static int parse_verdicts(const char *list, StatusOptions *ret) {
        _cleanup_(freep) char *copy = strdup(list);
        char *rest = copy, *word;

        if (!copy)
                return -ENOMEM;

        while ((word = strsep(&rest, ","))) {
                int r = verdict_from_string(word);

                if (r < 0)
                        return -EINVAL;
                ret->verdicts[r] = true;
        }

        ret->filtered = true;
        return 0;
}

static bool is_shown(const StatusOptions *so, const ControlStatus *s) {
        return !so->filtered || so->verdicts[status_verdict(s)];
}

static void filter(const StatusOptions *so, Fleet *f) {
        size_t n = 0;

        for (size_t i = 0; i < f->n_items; i++)
                if (is_shown(so, &f->items[i]))
                        f->items[n++] = f->items[i];
        f->n_items = n;
}

/* --- The fleet ---------------------------------------------------------------------------------------------------- */

static usec_t last_contact(const Fleet *f) {
        usec_t at = f->info.contact_at_usec;

        for (size_t i = 0; i < f->n_items; i++)
                at = MAX(at, f->items[i].looked_at_usec);
        for (size_t i = 0; i < f->n_endpoints; i++)
                at = MAX(at, f->endpoints[i].contact_at_usec);

        return at;
}

static const char *plural(size_t n) {
        return n == 1 ? "" : "s";
}

static void print_count(const CtlOptions *o, size_t n, const char *what, const char *color, const char *before) {
        char on[COLOR_TEXT_MAX];

        if (n > 0)
                (void) printf("%s%s%zu %s%s", before, words_color(o, color, on), n, what, words_color_off(o));
        else
                (void) printf("%s%zu %s", before, n, what);
}

static void print_daemon(const CtlOptions *o, const Fleet *f) {
        const FleetInfo *i = &f->info;
        char started[WORDS_MAX], expire[WORDS_MAX], contact[WORDS_MAX], next[WORDS_MAX], on[COLOR_TEXT_MAX];
        usec_t at;

        if (i->live)
                (void) printf("%s%s%s holdfastd %s, mode %s, since %s\n", words_color(o, i->state_failing ? COLOR_BAD : COLOR_GOOD, on),
                              o->utf8 ? "●" : "*", words_color_off(o), i->version ? i->version : "?", i->mode ? i->mode : "?",
                              words_time_both(i->started_usec, i->now_usec, started));
        else
                (void) printf("%s%s%s holdfastd %s\n", words_color(o, COLOR_WARN, on), o->utf8 ? "○" : "*", words_color_off(o),
                              i->running ? "is running, but was not asked: what it has stored" : "is not running: what it left behind");

        if (i->settings_rejected)
                (void) printf("  %sholdfast.yaml was rejected at the reload of %s: the one before is in force: holdfastctl check says why%s\n",
                              words_color(o, COLOR_BAD, on), words_time(i->reloaded_usec, expire), words_color_off(o));
        if (i->policies_rejected)
                (void) printf("  %sThe policies could not be read at the reload of %s: those of before are in force: the journal says why%s\n",
                              words_color(o, COLOR_BAD, on), words_time(i->reloaded_usec, expire), words_color_off(o));
        if (i->state_failing)
                (void) printf("  %sThe state cannot be stored: no lock is written until it can%s\n", words_color(o, COLOR_BAD, on),
                              words_color_off(o));
        if (i->n_rejected > 0)
                (void) printf("  %s%u polic%s rejected: holdfastctl check says why%s\n", words_color(o, COLOR_BAD, on), i->n_rejected,
                              i->n_rejected == 1 ? "y was" : "ies were", words_color_off(o));

        if (i->live) {
                (void) printf("  Credentials: %s%s%s", i->credentials_source ? i->credentials_source : "none",
                              i->credentials_state ? ", " : "", i->credentials_state ? i->credentials_state : "");
                if (i->credentials_expire_usec > 0 && i->credentials_expire_usec != USEC_INFINITY)
                        (void) printf(", until %s", words_time_both(i->credentials_expire_usec, i->now_usec, expire));
                (void) printf("\n");
        }

        at = last_contact(f);
        (void) printf("  Last answer of the cloud: %s", at > 0 ? words_time_both(at, i->now_usec, contact) : "none yet");
        if (i->live && i->next_look_usec > 0)
                (void) printf("; next look %s", words_relative(i->next_look_usec, i->now_usec, next));
        (void) printf("\n");
}

static void print_counts(const CtlOptions *o, const Fleet *f) {
        FleetCounts c;

        fleet_count(f, &c);
        (void) printf("  %zu control%s of %zu instance%s: ", c.n_controls, plural(c.n_controls), c.n_instances, plural(c.n_instances));
        print_count(o, c.n_compliant, "compliant", COLOR_GOOD, "");
        print_count(o, c.n_violated, "violated", COLOR_BAD, ", ");
        print_count(o, c.n_unknown, "unknown", COLOR_WARN, ", ");
        (void) printf("\n");
}

static void print_frozen(const CtlOptions *o, const Fleet *f) {
        char since[WORDS_MAX], on[COLOR_TEXT_MAX];

        for (size_t i = 0; i < f->n_endpoints; i++) {
                const EndpointStatus *n = &f->endpoints[i];

                if (n->frozen)
                        (void) printf("  %sLock writes to %s are frozen%s since %s: %s\n", words_color(o, COLOR_BAD, on), n->origin,
                                      words_color_off(o), words_time_both(n->frozen_at_usec, f->info.now_usec, since),
                                      n->frozen_why ? n->frozen_why : "no reason is known");
                if (n->failing_since_usec > 0)
                        (void) printf("  %s%s does not answer as it should%s since %s\n", words_color(o, COLOR_WARN, on), n->origin,
                                      words_color_off(o), words_time_both(n->failing_since_usec, f->info.now_usec, since));
        }
}

static usec_t since(const ControlStatus *s) {
        return status_verdict(s) == VERDICT_UNKNOWN ? s->unknown_since_usec : s->since_usec;
}

/* What is not compliant, or, where it is asked for, everything. */
static int print_controls(const CtlOptions *o, const StatusOptions *so, const Fleet *f) {
        _cleanup_(table_freep) Table *t = NULL;
        char apart[WORDS_MAX];
        int r;

        r = table_new(o, &t);
        if (r < 0)
                return r;

        table_add_column(t, "INSTANCE", 0);
        table_add_column(t, "CONTROL", 0);
        table_add_column(t, "VERDICT", 0);
        table_add_column(t, "SINCE", 0);
        table_add_column(t, "WHY", TABLE_WRAP);
        for (size_t i = 0; i < f->n_items; i++) {
                const ControlStatus *s = &f->items[i];
                Verdict v = status_verdict(s);

                if (v == VERDICT_COMPLIANT && !so->all && !so->filtered)
                        continue;
                table_begin_row(t);
                table_add(t, s->name, COLOR_HEAD);
                table_add(t, s->control, NULL);
                table_add(t, verdict_to_string(v), words_verdict_color(v));
                table_add(t, words_relative(since(s), f->info.now_usec, apart), NULL);
                table_add(t, v != VERDICT_COMPLIANT && s->failure_message && !s->why ? s->failure_message : s->why, NULL);
        }

        return table_print(t);
}

static int by_renewal(const void *a, const void *b) {
        const ControlStatus *x = *(const ControlStatus *const *) a, *y = *(const ControlStatus *const *) b;

        return (x->renew_at_usec > y->renew_at_usec) - (x->renew_at_usec < y->renew_at_usec);
}

static void add_lock(const CtlOptions *o, Table *t, const ControlStatus *s, usec_t now_usec) {
        usec_t left = usec_sub(s->lock_end_usec, now_usec), whole = (usec_t) s->retention_days * USEC_PER_DAY;
        const char *color = left < s->renew_before_usec / 2 ? COLOR_BAD : left < s->renew_before_usec ? COLOR_WARN : COLOR_GOOD;
        char end[TIME_TEXT_MAX], remains[TIME_TEXT_MAX], due[WORDS_MAX], bar[WORDS_MAX];

        table_begin_row(t);
        table_add(t, s->name, COLOR_HEAD);
        table_add(t, words_time(s->lock_end_usec, end), NULL);
        table_add(t, left > 0 ? duration_format_human(left, remains) : "ended", left > 0 ? NULL : COLOR_BAD);
        table_add(t, words_bar(o, left, whole, BAR_WIDTH, bar), color);
        if (s->mode && streq(s->mode, "observe"))
                table_add(t, "not by holdfast (observe)", COLOR_DIM);
        else if (s->frozen)
                table_add(t, "frozen", COLOR_BAD);
        else
                table_add(t, s->renew_at_usec <= now_usec ? "due" : words_relative(s->renew_at_usec, now_usec, due), NULL);
}

/* The locks that are extended next, soonest first. */
static int print_locks(const CtlOptions *o, const Fleet *f, size_t n_shown) {
        _cleanup_(freep) const ControlStatus **locks = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = 0;
        int r;

        locks = calloc(MAX(f->n_items, (size_t) 1), sizeof(*locks));
        if (!locks)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_items; i++)
                if (f->items[i].lock_end_usec > 0 && f->items[i].renew_at_usec > 0)
                        locks[n++] = &f->items[i];
        if (n == 0)
                return 0;
        qsort((void *) locks, n, sizeof(*locks), by_renewal);

        r = table_new(o, &t);
        if (r < 0)
                return r;
        table_add_column(t, "LOCK", 0);
        table_add_column(t, "ENDS", 0);
        table_add_column(t, "REMAINS", TABLE_RIGHT);
        table_add_column(t, "", 0);
        table_add_column(t, "EXTENDED", 0);
        for (size_t i = 0; i < MIN(n, n_shown); i++)
                add_lock(o, t, locks[i], f->info.now_usec);

        (void) printf("\n");
        r = table_print(t);
        if (r >= 0 && n > n_shown && o->legend)
                (void) printf("%zu more locks after these.\n", n - n_shown);
        return r;
}

static int print_fleet(const CtlOptions *o, const StatusOptions *so, const Fleet *f) {
        FleetCounts c;
        int r;

        fleet_count(f, &c);
        if (o->legend) {
                print_daemon(o, f);
                print_counts(o, f);
                print_frozen(o, f);
                if (c.n_compliant < c.n_controls || ((so->all || so->filtered) && c.n_controls > 0))
                        (void) printf("\n");
        }

        r = print_controls(o, so, f);
        return r < 0 || so->filtered ? r : print_locks(o, f, so->all ? SIZE_MAX : LOCKS_SHOWN);
}

/* --- One instance ------------------------------------------------------------------------------------------------- */

#define LABEL_WIDTH 11

static void field(const char *label, const char *value) {
        if (value && *value)
                (void) printf("  %*s: %s\n", LABEL_WIDTH, label, value);
}

static void field_time(const char *label, usec_t at_usec, usec_t now_usec) {
        char text[WORDS_MAX];

        if (at_usec > 0)
                field(label, words_time_both(at_usec, now_usec, text));
}

static void print_lock(const CtlOptions *o, const ControlStatus *s, usec_t now_usec) {
        usec_t left = usec_sub(s->lock_end_usec, now_usec);
        char end[WORDS_MAX], bar[WORDS_MAX], line[512], since_text[WORDS_MAX];

        if (s->lock_end_usec > 0) {
                (void) snprintf(line, sizeof(line), "until %s  %s", words_time_both(s->lock_end_usec, now_usec, end),
                                words_bar(o, left, (usec_t) s->retention_days * USEC_PER_DAY, BAR_WIDTH, bar));
                field("Lock", line);
        }
        field_time("Extend at", s->renew_at_usec, now_usec);
        field("Readings", s->readings);
        if (s->frozen) {
                (void) snprintf(line, sizeof(line), "since %s: %.300s", words_time_both(s->frozen_at_usec, now_usec, since_text),
                                s->frozen_why ? s->frozen_why : "no reason is known");
                field("Frozen", line);
        }
}

static void print_failure(const ControlStatus *s) {
        char line[1024], status[32] = "";

        if (!s->failure)
                return;
        if (s->failure_http_status > 0)
                (void) snprintf(status, sizeof(status), ", HTTP %u", s->failure_http_status);
        (void) snprintf(line, sizeof(line), "%s%s%s%s%s%s%s%s", s->failure, s->failure_message ? ": " : "",
                        s->failure_message ? s->failure_message : "", status, s->failure_code ? ", " : "",
                        s->failure_code ? s->failure_code : "", s->failure_request_id ? ", request " : "",
                        s->failure_request_id ? s->failure_request_id : "");
        field("Failure", line);
}

static void print_change(const ControlStatus *s, usec_t now_usec) {
        char line[512], at[WORDS_MAX];

        if (s->changed_at_usec == 0)
                return;
        (void) snprintf(line, sizeof(line), "%s, %s%s%s", s->changed_as ? s->changed_as : "changed",
                        words_time_both(s->changed_at_usec, now_usec, at), s->changed_request_id ? ", request " : "",
                        s->changed_request_id ? s->changed_request_id : "");
        field("Last change", line);
}

/* With the time, where that is not at the next look. */
static void print_next(const ControlStatus *s, const FleetInfo *info) {
        usec_t at_usec = s->renew_at_usec > 0 ? s->renew_at_usec : s->reapply_at_usec > 0 ? s->reapply_at_usec : s->change_at_usec;
        char line[1024], at[WORDS_MAX];

        if (!info->running)
                field("Next", "nothing, as long as holdfastd does not run");
        else if (s->next_action && status_verdict(s) == VERDICT_COMPLIANT && at_usec > info->now_usec && at_usec != USEC_INFINITY) {
                (void) snprintf(line, sizeof(line), "%.700s, at %s", s->next_action, words_time_both(at_usec, info->now_usec, at));
                field("Next", line);
        } else
                field("Next", s->next_action);
}

static void print_control(const CtlOptions *o, const ControlStatus *s, const Fleet *f) {
        Verdict v = status_verdict(s);
        usec_t now = f->info.now_usec;
        char on[COLOR_TEXT_MAX], at[WORDS_MAX], line[WORDS_MAX];

        (void) printf("%s%s%s %s: %s%s%s", words_color(o, words_verdict_color(v), on), o->utf8 ? "●" : "*", words_color_off(o), s->control,
                      words_color(o, words_verdict_color(v), line), verdict_to_string(v), words_color_off(o));
        if (since(s) > 0)
                (void) printf(" since %s", words_time_both(since(s), now, at));
        (void) printf("\n");

        field("Wanted", s->wanted);
        field("Found", s->why);
        print_failure(s);
        if (v == VERDICT_UNKNOWN && s->last_verdict && !streq(s->last_verdict, "unknown")) {
                (void) snprintf(line, sizeof(line), "%.32s, %.80s", s->last_verdict, words_time_both(s->since_usec, now, at));
                field("Before", line);
        }
        print_lock(o, s, now);
        field_time("Applied", s->applied_at_usec, now);
        if (s->n_grants > 0) {
                (void) snprintf(line, sizeof(line), "%u backup%s", s->n_grants, plural(s->n_grants));
                field("Authorized", line);
        }
        field_time("Looked at", s->looked_at_usec, now);
        if (f->info.live)
                field_time("Next look", s->next_look_usec, now);
        print_next(s, &f->info);
        print_change(s, now);
}

static void print_instances(const CtlOptions *o, const Fleet *f) {
        char on[COLOR_TEXT_MAX];

        for (size_t i = 0; i < f->n_items; i++) {
                const ControlStatus *s = &f->items[i];

                if (i == 0 || !streq(s->name, f->items[i - 1].name)) {
                        (void) printf("%s%s%s%s: %s %s%s%s", i == 0 ? "" : "\n", words_color(o, COLOR_HEAD, on), s->name, words_color_off(o),
                                      s->service ? s->service : "", s->instance_id, s->region ? " in " : "", s->region ? s->region : "");
                        if (s->file)
                                (void) printf(", %s:%u", s->file, s->line);
                        (void) printf("%s%s\n", s->mode ? ", mode " : "", s->mode ? s->mode : "");
                }
                print_control(o, s, f);
        }
}

/* --- The verb ----------------------------------------------------------------------------------------------------- */

static int print_json(const Fleet *f) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *list, *counts;
        FleetCounts c;

        fleet_count(f, &c);
        (void) ctl_json_add_info(document, "daemon", &f->info);
        counts = ctl_json_add_object(document, "counts");
        (void) ctl_json_add_int(counts, "instances", (int64_t) c.n_instances);
        (void) ctl_json_add_int(counts, "controls", (int64_t) c.n_controls);
        (void) ctl_json_add_int(counts, "compliant", (int64_t) c.n_compliant);
        (void) ctl_json_add_int(counts, "violated", (int64_t) c.n_violated);
        (void) ctl_json_add_int(counts, "unknown", (int64_t) c.n_unknown);

        list = ctl_json_add_array(document, "endpoints");
        for (size_t i = 0; i < f->n_endpoints; i++)
                if (ctl_json_add_fields(ctl_json_add_object(list, NULL), endpoint_status_fields, n_endpoint_status_fields,
                                        &f->endpoints[i]) < 0)
                        return ctl_json_print(NULL);

        list = ctl_json_add_array(document, "controls");
        for (size_t i = 0; i < f->n_items; i++)
                if (ctl_json_add_fields(ctl_json_add_object(list, NULL), status_fields, n_status_fields, &f->items[i]) < 0)
                        return ctl_json_print(NULL);

        return ctl_json_print(list ? document : NULL);
}

static int parse(int argc, char *argv[], StatusOptions *ret) {
        static const struct option longs[] = {
                { "verdict", required_argument, NULL, 'v' },
                { "all", no_argument, NULL, 'a' },
                {},
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc + 1, argv - 1, "a", longs, NULL)) >= 0)
                switch (c) {
                case 'a':
                        ret->all = true;
                        break;
                case 'v':
                        if (parse_verdicts(optarg, ret) < 0)
                                return ctl_usage("--verdict: found '%s', expected a list of compliant, violated, unknown", optarg);
                        break;
                default:
                        return EXIT_USAGE;
                }

        return 0;
}

int verb_status(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(fleet_freep) Fleet *f = NULL;
        _cleanup_(pager_done) Pager pager = {};
        StatusOptions so = {};
        bool named;
        int r;

        r = parse(argc, argv, &so);
        if (r != 0)
                return r;

        named = optind <= argc;
        r = source_read(o, argv - 1 + optind, named ? (size_t) (argc + 1 - optind) : 0, &f);
        if (r < 0)
                return source_exit(r);
        if (so.filtered)
                filter(&so, f);

        if (o->json)
                r = print_json(f) == EXIT_SUCCESS ? 0 : -ENOMEM;
        else {
                pager_start(o, &pager);
                if (named)
                        print_instances(o, f);
                else
                        r = print_fleet(o, &so, f);
        }
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }

        pager_done(&pager);
        if (!o->json)
                source_foot(f);
        return fleet_is_well(f, !named && !so.filtered) ? EXIT_SUCCESS : EXIT_SOMETHING;
}
