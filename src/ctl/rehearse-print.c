/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "ctl/rehearse.h"
#include "ctl/table.h"
#include "ctl/words.h"
#include "ctl/wrap.h"

/*
 * The report for people.
 */

#define CELL_MAX 160
#define NAME_WIDTH_MIN 12u

const char *const rehearse_assumptions[] = {
        "The cloud is simulated: it keeps to its documentation, answers within 50 ms, and refuses an extension that would shorten a lock or leave it "
        "as it is. Nobody else changes anything, no manual backup is made, and of the backups to be downloaded none is added.",
        "Times are the cloud's, in UTC, and those of this rehearsal: where in its interval a policy is polled depends on the moment at which holdfastd "
        "starts, and every restart moves it by less than one poll.",
        NULL,
};

bool rehearse_is_bad(const Rehearsal *r) {
        for (size_t i = 0; i < r->n_lives; i++)
                if (r->lives[i].bad)
                        return true;
        return false;
}

/* Polls that show nothing new are left out of a life: their rate is added. */
void rehearse_rate(const Rehearsal *r, size_t endpoint, double *ret_mean_per_sec, double *ret_peak_per_sec, usec_t *ret_peak_at_usec) {
        const double limit = r->fleet->config.settings->http.rate_per_sec, polls = r->fleet->endpoints[endpoint].polls_per_sec;
        double mean = 0, peak = r->load.rates[endpoint].peak_per_minute / 60;
        usec_t at = r->load.rates[endpoint].peak_at_usec;

        for (size_t i = 0; i < r->n_lives; i++) {
                const RehearseRate *rate = &r->lives[i].rates[endpoint];
                double busiest = rate->peak_per_minute / 60 + polls;

                mean = MAX(mean, rate->n_calls / ((double) r->options->for_usec / (double) USEC_PER_SEC) + polls);
                if (rate->peak_per_minute > 0 && busiest > peak) {
                        peak = busiest;
                        at = rate->peak_at_usec;
                }
        }

        *ret_mean_per_sec = MIN(mean, limit);
        *ret_peak_per_sec = MIN(peak, limit);
        *ret_peak_at_usec = at;
}

/* --- Pieces ------------------------------------------------------------------------------------------------------- */

static const char *dots(const CtlOptions *o) {
        return o->utf8 ? "…" : "...";
}

/* "6 d 23 h 55 min": to the minute, however long. Returns @buf. */
static char *exactly(usec_t usec, char buf[static TIME_TEXT_MAX]) {
        unsigned days = (unsigned) (usec / USEC_PER_DAY), hours = (unsigned) (usec / USEC_PER_HOUR % 24),
                 minutes = (unsigned) (usec / USEC_PER_MINUTE % 60);
        int n = 0;

        if (days > 0)
                n += snprintf(buf + n, TIME_TEXT_MAX - (size_t) n, "%u d", days);
        if (hours > 0)
                n += snprintf(buf + n, TIME_TEXT_MAX - (size_t) n, "%s%u h", n > 0 ? " " : "", hours);
        if (minutes > 0 || n == 0)
                (void) snprintf(buf + n, TIME_TEXT_MAX - (size_t) n, "%s%u min", n > 0 ? " " : "", minutes);
        return buf;
}

/* To the minute: where in its interval a poll lies is chance anyway. */
static char *minute(usec_t at_usec, char buf[static TIME_TEXT_MAX]) {
        (void) words_time(at_usec, buf);
        buf[strlen("2026-11-20 21:56")] = '\0';
        return buf;
}

static void heading(const CtlOptions *o, const char *text) {
        char color[COLOR_TEXT_MAX];

        (void) printf("\n%s%s%s\n", words_color(o, COLOR_HEAD, color), text, words_color_off(o));
}

static void plural(char *buf, size_t size, size_t n, const char *one, const char *many) {
        (void) snprintf(buf, size, "%zu %s", n, n == 1 ? one : many);
}

static void print_head(const Rehearsal *r) {
        char duration[TIME_TEXT_MAX], at[TIME_TEXT_MAX], policies[64];
        const RehearseFleet *f = r->fleet;
        size_t n_played = 0;

        for (size_t i = 0; i < f->n_groups; i++)
                n_played += f->groups[i].n_played;

        plural(policies, sizeof(policies), f->n_members, "policy", "policies");
        (void) printf("%s, %s from %s, %s\n", policies, duration_format_human(r->options->for_usec, duration),
                      words_time(r->options->start_usec, at),
                      r->options->from_cloud ? "beginning as the cloud is now" : r->options->as_written ? "beginning as written" :
                                                                                                          "beginning bare");
        if (r->n_unread > 0)
                (void) printf("%zu controls could not be read in the cloud and begin %s\n", r->n_unread,
                              r->options->as_written ? "as written" : "bare");
        if (n_played < f->n_members)
                (void) printf("%zu policies were played for all: the others differ from one of them in name and id alone\n", n_played);
        if (f->limit_divisor > 1)
                (void) printf("limits.new_locks_per_day, %u, was divided by %u, as the locks are\n", r->fleet->config.settings->limits.new_locks_per_day,
                              f->limit_divisor);
        for (size_t i = 0; i < r->options->n_faults; i++) {
                const RehearseFault *x = &r->options->faults[i];
                char length[TIME_TEXT_MAX], begin[TIME_TEXT_MAX];
                usec_t step = x->step_usec < 0 ? (usec_t) -x->step_usec : (usec_t) x->step_usec;

                (void) printf("fault: %s %s%s at %s\n", rehearse_fault_to_string(x->kind),
                              x->kind != REHEARSE_CLOCK ? "" : x->step_usec < 0 ? "-" : "+",
                              duration_format(x->kind == REHEARSE_CLOCK ? step : x->for_usec, length),
                              minute(usec_add(r->options->start_usec, x->begin_usec), begin));
        }
}

/* --- Calendar ----------------------------------------------------------------------------------------------------- */

typedef struct Sorted {
        const RehearseRow *row;
} Sorted;

static int by_time(const void *a, const void *b) {
        const RehearseRow *x = ((const Sorted *) a)->row, *y = ((const Sorted *) b)->row;

        if (x->at_usec != y->at_usec)
                return x->at_usec < y->at_usec ? -1 : 1;
        return x < y ? -1 : x > y;
}

static const char *color_of(RehearseKind k) {
        if (rehearse_kind_is_bad(k))
                return COLOR_BAD;
        switch (k) {
        case REHEARSE_LOCK_ENABLED:
        case REHEARSE_LOCK_EXTENDED:
                return COLOR_GOOD;
        case REHEARSE_SCHEDULE_REAPPLIED:
        case REHEARSE_API_RECOVERED:
                return COLOR_DIM;
        case REHEARSE_DRIFT:
        case REHEARSE_UNKNOWN:
        case REHEARSE_BACKUP_STALE:
        case REHEARSE_LOCK_EMPTY:
        case REHEARSE_API_FAILING:
        case REHEARSE_CLOCK_SKEW:
        case REHEARSE_KEY_REFUSED:
                return COLOR_WARN;
        case REHEARSE_SCHEDULE_SET:
        case REHEARSE_ENCRYPTION_ON:
        case REHEARSE_AUTHORIZED:
        case REHEARSE_LOCK_EXPIRING:
        case REHEARSE_LOCK_LAPSED:
        case REHEARSE_LOCK_REFUSED:
        case REHEARSE_LOCK_FROZEN:
        case REHEARSE_WRITE_FAILED:
        case REHEARSE_KIND__MAX:
                break;
        }
        return NULL;
}

static void add_what(Table *t, const RehearseRow *w, const RehearseStrand *s) {
        char text[CELL_MAX], every[TIME_TEXT_MAX], span[TIME_TEXT_MAX];
        const char *words = rehearse_kind_to_words(w->kind);

        if (w->every_usec > 0)
                (void) snprintf(text, sizeof(text), "%s, %zu more, every %s", words, w->n_times, exactly(w->every_usec + USEC_PER_MINUTE / 2, every));
        else if (s->loose)
                (void) snprintf(text, sizeof(text), "%s, %zu until %s", words, w->n_times, minute(w->at_last_usec, span));
        else if (w->at_last_usec - w->at_usec >= USEC_PER_MINUTE)
                (void) snprintf(text, sizeof(text), "%s, within %s", words, duration_format_human(w->at_last_usec - w->at_usec, span));
        else
                (void) snprintf(text, sizeof(text), "%s", words);
        table_add(t, text, color_of(w->kind));
}

static void add_span(const CtlOptions *o, Table *t, usec_t first_usec, usec_t last_usec, bool to_last) {
        char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];

        if (first_usec == 0)
                table_add(t, NULL, NULL);
        else if (to_last)
                table_addf(t, NULL, "%s %.*s", dots(o), (int) strlen("2026-11-20"), minute(last_usec, last));
        else
                table_add(t, minute(first_usec, first), NULL);
}

/* Cuts a name where it would take the place of what happens. Names are ASCII (holdfast.yaml(5)). */
static const char *fit(const CtlOptions *o, char name[static REHEARSE_NAME_MAX]) {
        size_t width = MAX(o->columns / 4, NAME_WIDTH_MIN);

        if (o->terminal && strlen(name) > width)
                memcpy(name + width - strlen("..."), "...", sizeof("..."));
        return name;
}

static void add_requests(const CtlOptions *o, Table *t, const RehearseRow *w) {
        if (w->n_requests_max == 0)
                table_add(t, NULL, NULL);
        else if (w->n_requests == w->n_requests_max)
                table_addf(t, NULL, "%u", w->n_requests);
        else
                table_addf(t, NULL, "%u%s%u", w->n_requests, o->utf8 ? "–" : "-", w->n_requests_max);
}

static int print_calendar(const Rehearsal *r, const RehearseCalendar *c) {
        const CtlOptions *o = r->ctl;
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_(freep) Sorted *sorted = NULL;
        char name[REHEARSE_NAME_MAX];
        int q;

        q = table_new(o, &t);
        sorted = calloc(c->n_rows + 1, sizeof(*sorted));
        if (q < 0 || !sorted)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_rows; i++)
                sorted[i].row = &c->rows[i];
        if (c->n_rows > 1)
                qsort(sorted, c->n_rows, sizeof(*sorted), by_time);

        table_add_column(t, "WHEN (UTC)", 0);
        table_add_column(t, "POLICY", 0);
        table_add_column(t, "WHAT", TABLE_WRAP);
        table_add_column(t, "REQUESTS", TABLE_RIGHT);
        table_add_column(t, "LOCK ENDS", 0);
        for (size_t i = 0; i < c->n_rows; i++) {
                const RehearseRow *w = sorted[i].row;
                const RehearseStrand *s = &c->strands[w->strand];
                bool many = w->every_usec > 0 || s->loose;

                table_begin_row(t);
                add_span(o, t, w->at_usec, w->at_last_usec, w->every_usec > 0);
                table_add(t, fit(o, rehearse_strand_name(r->fleet, s, name)), s->bad ? COLOR_BAD : NULL);
                add_what(t, w, s);
                add_requests(o, t, w);
                add_span(o, t, w->end_usec, w->end_last_usec, many);
        }
        return table_print(t);
}

/* How many requests the longest extension took: that of an endpoint whose reading is found out. */
static unsigned most_requests(const RehearseLife *l) {
        unsigned n = 0;

        for (size_t i = 0; i < l->n_items; i++)
                if (l->items[i].kind == REHEARSE_LOCK_EXTENDED)
                        n = MAX(n, (unsigned) l->items[i].n_requests);
        return n;
}

static void print_readings(const Rehearsal *r) {
        char text[512];
        int n;

        if (r->n_lives < 2 || !r->alike)
                return;

        n = snprintf(text, sizeof(text), "Whether an extension counts from the lock's start, from now, or is added, this is the calendar. To find out which takes");
        for (size_t i = 0; i < r->n_lives; i++)
                n += snprintf(text + n, sizeof(text) - (size_t) n, "%s %u%s (%s)", i == 0 ? "" : i + 1 < r->n_lives ? "," : " or",
                              most_requests(&r->lives[i]), i == 0 ? " requests" : "", reading_to_string(r->lives[i].reading));
        (void) snprintf(text + n, sizeof(text) - (size_t) n, ".");
        (void) printf("\n");
        wrap_print(text, r->ctl->columns, 0, 0);
}

/* In the words of the journal, as they would be the first time. */
static void print_why(const Rehearsal *r, const RehearseLife *l) {
        const char *gap = "\n";

        for (RehearseKind k = 0; k < REHEARSE_KIND__MAX; k++) {
                char color[COLOR_TEXT_MAX];
                unsigned indent = (unsigned) strlen(rehearse_kind_to_words(k)) + 2;

                if (!l->why[k] || k == REHEARSE_API_RECOVERED)
                        continue;
                (void) printf("%s%s%s%s: ", gap, words_color(r->ctl, color_of(k), color), rehearse_kind_to_words(k), words_color_off(r->ctl));
                wrap_print(l->why[k], r->ctl->columns, indent, indent);
                gap = "";
        }
}

static int print_lives(const Rehearsal *r) {
        for (size_t i = 0; i < (r->alike ? MIN(r->n_lives, (size_t) 1) : r->n_lives); i++) {
                char text[128];
                int q;

                if (r->alike || r->n_lives < 2)
                        (void) snprintf(text, sizeof(text), "Calendar");
                else
                        (void) snprintf(text, sizeof(text), "Calendar%s if an extension counts %s",
                                        i == 0 ? "" : " of the locks", reading_to_string(r->lives[i].reading));
                heading(r->ctl, text);
                if (r->calendars[i].n_rows == 0)
                        (void) printf("Nothing happens: all is as written, and stays so.\n");
                else {
                        q = print_calendar(r, &r->calendars[i]);
                        if (q < 0)
                                return q;
                        q = rehearse_print_timeline(r, &r->lives[i], &r->calendars[i]);
                        if (q < 0)
                                return q;
                        print_why(r, &r->lives[i]);
                }
        }
        print_readings(r);
        return 0;
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

static void add_rate(Table *t, double per_sec) {
        if (per_sec >= 0.995)
                table_addf(t, NULL, "%.1f/s", per_sec);
        else if (per_sec * 60 >= 0.995)
                table_addf(t, NULL, "%.1f/min", per_sec * 60);
        else
                table_addf(t, NULL, "%.1f/h", per_sec * 60 * 60);
}

/* More polls than may go out: they all come late. */
static void print_overload(const Rehearsal *r) {
        const double limit = r->fleet->config.settings->http.rate_per_sec;

        for (size_t i = 0; i < r->fleet->n_endpoints; i++) {
                const RehearseEndpoint *e = &r->fleet->endpoints[i];
                char color[COLOR_TEXT_MAX], text[512];

                if (e->polls_per_sec <= limit)
                        continue;
                (void) snprintf(text, sizeof(text), "The policies of %s ask for %.1f polls a second and http.rate lets %.0f go out: each comes "
                                "%.1f times as late as its poll says.", e->origin, e->polls_per_sec, limit, e->polls_per_sec / limit);
                (void) printf("\n%s", words_color(r->ctl, COLOR_WARN, color));
                wrap_print(text, r->ctl->columns, 0, 0);
                (void) fputs(words_color_off(r->ctl), stdout);
        }
}

static int print_rates(const Rehearsal *r) {
        const double limit = r->fleet->config.settings->http.rate_per_sec;
        _cleanup_(table_freep) Table *t = NULL;
        char at_text[TIME_TEXT_MAX];
        int q;

        if (table_new(r->ctl, &t) < 0)
                return -ENOMEM;

        heading(r->ctl, "Calls: on average, in the busiest minute, and what that is of http.rate");
        table_add_column(t, "ENDPOINT", TABLE_CUT);
        table_add_column(t, "MEAN", TABLE_RIGHT);
        table_add_column(t, "PEAK", TABLE_RIGHT);
        table_add_column(t, "OF RATE", TABLE_RIGHT);
        table_add_column(t, "PEAK AT (UTC)", 0);
        for (size_t i = 0; i < r->fleet->n_endpoints; i++) {
                double mean, peak;
                usec_t at;

                rehearse_rate(r, i, &mean, &peak, &at);
                table_begin_row(t);
                table_add(t, r->fleet->endpoints[i].origin, NULL);
                add_rate(t, mean);
                add_rate(t, peak);
                table_addf(t, peak >= limit ? COLOR_WARN : NULL, "%.0f %%", peak / limit * 100);
                table_add(t, minute(at, at_text), NULL);
        }
        q = table_print(t);
        if (q >= 0)
                print_overload(r);
        return q;
}

/* --- Outages ------------------------------------------------------------------------------------------------------ */

#define LAPSES_SHOWN 10

static const char *lapse_name(const Rehearsal *r, const RehearseLapse *x, char buf[static REHEARSE_NAME_MAX]) {
        const RehearseStrand s = { .member = x->member, .n = x->n_alike };

        return rehearse_strand_name(r->fleet, &s, buf);
}

static void add_duration(Table *t, usec_t usec) {
        char text[TIME_TEXT_MAX];

        table_add(t, usec == 0 ? "-" : exactly(usec, text), NULL);
}

static int print_downs(const Rehearsal *r) {
        _cleanup_(table_freep) Table *t = NULL;
        char name[REHEARSE_NAME_MAX];

        if (table_new(r->ctl, &t) < 0)
                return -ENOMEM;
        table_add_column(t, "LOCK", TABLE_CUT);
        table_add_column(t, "RECKONED", TABLE_RIGHT);
        table_add_column(t, "PLAYED AND HELD", TABLE_RIGHT);
        table_add_column(t, "PLAYED AND LAPSED", TABLE_RIGHT);
        for (size_t i = 0; i < MIN(r->lapses.n_items, (size_t) LAPSES_SHOWN); i++) {
                const RehearseLapse *x = &r->lapses.items[i];

                table_begin_row(t);
                table_add(t, lapse_name(r, x, name), NULL);
                add_duration(t, x->of[REHEARSE_DOWN].reckoned_usec);
                add_duration(t, x->of[REHEARSE_DOWN].survived_usec);
                add_duration(t, x->of[REHEARSE_DOWN].lapsed_usec);
        }
        return table_print(t);
}

static void print_first(const Rehearsal *r, const RehearseLapse *x) {
        static const char *const words[REHEARSE_FAULT__MAX] = {
                [REHEARSE_DOWN] = "this host may be down for",
                [REHEARSE_OUTAGE] = "the cloud may be out of reach for",
                [REHEARSE_NO_PERMISSION] = "the permission may be missing for",
        };
        char held[TIME_TEXT_MAX], queue[TIME_TEXT_MAX], name[REHEARSE_NAME_MAX];

        (void) printf("Beginning at the worst moment, just before an extension, and no lock lapses:\n");
        for (size_t i = 0; i < N_ELEMENTS(rehearse_lapse_kinds); i++)
                (void) printf("  %-34s %s\n", words[rehearse_lapse_kinds[i]],
                              exactly(x->of[rehearse_lapse_kinds[i]].survived_usec, held));
        if (r->lapses.queue_usec >= USEC_PER_MINUTE)
                (void) printf("  less %s until http.rate has let every lock have its turn\n", duration_format_human(r->lapses.queue_usec, queue));
        (void) printf("The first to lapse is %s. With a longer lock.renew_before it would hold longer.\n\n", lapse_name(r, x, name));
}

static int print_lapses(const Rehearsal *r) {
        if (r->lapses.n_items == 0)
                return 0;

        heading(r->ctl, "If this host is down");
        print_first(r, &r->lapses.items[0]);
        return print_downs(r);
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

static void print_verdict(const Rehearsal *r) {
        bool bad = rehearse_is_bad(r);
        char color[COLOR_TEXT_MAX];

        (void) printf("\n%s%s %s%s\n", words_color(r->ctl, bad ? COLOR_BAD : COLOR_GOOD, color), r->ctl->utf8 ? "●" : "*",
                      bad ? "Something lapses, is refused or fails: see above." : "No lock lapses, and nothing is refused.",
                      words_color_off(r->ctl));
}

int rehearse_print(const Rehearsal *r) {
        int q;

        print_head(r);
        q = print_lives(r);
        if (q >= 0)
                q = print_rates(r);
        if (q >= 0)
                q = print_lapses(r);
        if (q < 0)
                return q;

        if (r->ctl->legend) {
                (void) printf("\n");
                for (size_t i = 0; rehearse_assumptions[i]; i++)
                        wrap_print(rehearse_assumptions[i], r->ctl->columns, 0, 0);
        }
        print_verdict(r);
        return 0;
}
