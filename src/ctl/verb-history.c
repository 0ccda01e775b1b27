/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "ctl/json.h"
#include "ctl/pager.h"
#include "ctl/source.h"
#include "ctl/table.h"
#include "ctl/words.h"
#include "store/read.h"

/*
 * history: what happened, from the state's evidence; the newest last, as in the journal.
 */

#define LINES_DEFAULT 1000      /* a fleet's history of years is no reading matter; picked */
#define LINES_MAX 10000000
#define NAMED_MAX 128           /* bytes: service and instance id (at most 64) */

typedef struct Line {
        usec_t at_usec;
        const char *name, *service, *instance_id, *control, *what, *detail, *request_id;        /* the fleet's */
} Line;

/* What an instance is called now. */
typedef struct Named {
        char key[NAMED_MAX];
        UT_hash_handle hh;
        const char *name;       /* the fleet's */
} Named;

typedef struct History {
        Fleet *fleet;
        Named *named;
        Line *lines;
        size_t n_lines, n_allocated;
} History;

typedef struct HistoryOptions {
        EvidenceQuery query;
        bool named;
} HistoryOptions;

static void history_done(History *h) {
        Named *n, *next;

        HASH_ITER(hh, h->named, n, next) {
                HASH_DEL(h->named, n);
                free(n);
        }
        free(h->lines);
}

static void named_key(const char *service, const char *instance_id, char key[static NAMED_MAX]) {
        (void) snprintf(key, NAMED_MAX, "%s/%s", service ? service : "", instance_id);
}

static int note_names(History *h) {
        for (size_t i = 0; i < h->fleet->n_items; i++) {
                const ControlStatus *s = &h->fleet->items[i];
                char key[NAMED_MAX];
                Named *n = NULL;

                named_key(s->service, s->instance_id, key);
                HASH_FIND_STR(h->named, key, n);
                if (n)
                        continue;

                n = calloc(1, sizeof(*n));
                if (!n)
                        return -ENOMEM;
                memcpy(n->key, key, sizeof(key));
                n->name = s->name;
                HASH_ADD_STR(h->named, key, n);
                if (!hash_added(n)) {
                        free(n);
                        return -ENOMEM;
                }
        }

        return 0;
}

/* Of an instance that nobody knows any more, its id. */
static const char *name_of(const History *h, const char *service, const char *instance_id) {
        char key[NAMED_MAX];
        Named *n = NULL;

        if (!instance_id)
                return NULL;

        named_key(service, instance_id, key);
        HASH_FIND_STR(h->named, key, n);
        return n ? n->name : instance_id;
}

/* The sentence begins with the name, which has a column of its own. */
static const char *without_name(const char *detail, const char *name) {
        size_t n = name ? strlen(name) : 0;

        if (detail && n > 0 && strncmp(detail, name, n) == 0 && detail[n] == ':' && detail[n + 1] == ' ')
                return detail + n + 2;
        return detail;
}

static int on_evidence(void *userdata, const StateRecord *record) {
        History *h = userdata;
        const char *service = record->service < SERVICE__MAX ? service_to_string(record->service) : NULL, *name;
        Line *line;

        if (h->n_lines >= h->n_allocated) {
                size_t n = MAX((size_t) 256, h->n_allocated * 2);
                Line *lines = reallocarray(h->lines, n, sizeof(*lines));

                if (!lines)
                        return -ENOMEM;
                h->lines = lines;
                h->n_allocated = n;
        }

        line = &h->lines[h->n_lines++];
        name = name_of(h, service, record->instance_id);
        *line = (Line) {
                .at_usec = record->evidence.at_usec,
                .name = fleet_text(h->fleet, name),
                .service = service,
                .instance_id = fleet_text(h->fleet, record->instance_id),
                .control = record->control < CONTROL__MAX ? control_to_string(record->control) : NULL,
                .what = fleet_text(h->fleet, record->evidence.what),
                .detail = fleet_text(h->fleet, without_name(record->evidence.detail, name)),
                .request_id = fleet_text(h->fleet, record->evidence.request_id),
        };
        return line->what ? 0 : -ENOMEM;
}

static int newest_first(const void *a, const void *b) {
        const Line *x = a, *y = b;

        return (x->at_usec < y->at_usec) - (x->at_usec > y->at_usec);
}

/* --- Names of the past -------------------------------------------------------------------------------------------- */

/* What a sentence of the evidence calls an instance is kept as it was, whatever the policy is named now. */
typedef struct Search {
        Fleet *fleet;
        const char *name;
        const char *instance_id;        /* the fleet's: the newest that had this name or id; NULL: none */
        Service service;
} Search;

static bool names_it(const StateRecord *record, const char *name) {
        const char *detail = record->evidence.detail;
        size_t n = strlen(name);

        return streq(record->instance_id, name) || (detail && strncmp(detail, name, n) == 0 && detail[n] == ':' && detail[n + 1] == ' ');
}

static int on_searched(void *userdata, const StateRecord *record) {
        Search *s = userdata;

        if (!record->instance_id || record->service >= SERVICE__MAX || !names_it(record, s->name))
                return 0;
        s->instance_id = fleet_text(s->fleet, record->instance_id);
        s->service = record->service;
        return s->instance_id ? -ECANCELED : -ENOMEM;
}

static bool is_known(const Fleet *f, const char *name) {
        for (size_t i = 0; i < f->n_items; i++)
                if (streq(f->items[i].name, name) || streq(f->items[i].instance_id, name))
                        return true;

        return false;
}

/* An instance that is known now only under another name, or not at all any more, is found by what the evidence calls it: its id, or the fleet's
 * new entry for it. What is neither stays as it is, for fleet_select() to judge. */
static int find_past(StoreView *view, Fleet *f, const char **name) {
        const EvidenceQuery query = { .control = -1 };
        Search s = { .fleet = f, .name = *name };
        ControlStatus past;
        int r;

        if (!**name || is_known(f, *name))
                return 0;

        r = store_view_history(view, &query, on_searched, &s);
        if (r < 0 && r != -ECANCELED)
                return r;
        if (!s.instance_id)
                return 0;

        *name = s.instance_id;
        if (is_known(f, s.instance_id))
                return 0;
        past = (ControlStatus) { .name = s.instance_id, .instance_id = s.instance_id, .service = service_to_string(s.service), .control = "" };
        r = fleet_add(f, &past);
        if (r >= 0)
                fleet_sort(f);
        return r;
}

/* Leaves what the names mean. Return: 0; -ENOENT, -ENOTUNIQ, said; -errno, said. */
static int select_named(const CtlOptions *o, StoreView *view, Fleet *f, char *const names[], size_t n_names) {
        _cleanup_(freep) char **found = calloc(MAX(n_names, (size_t) 1), sizeof(*found));
        int r = found ? 0 : -ENOMEM;

        for (size_t i = 0; i < n_names && r >= 0; i++) {
                const char *name = names[i];

                if (view)
                        r = find_past(view, f, &name);
                found[i] = (char *) name;       /* only read */
        }

        return r < 0 ? state_complain(o, r) : fleet_select(f, found, n_names);
}

/* --- What is shown ------------------------------------------------------------------------------------------------ */

/* Each instance of the fleet once; several of them share the limit. */
static int collect(StoreView *view, const HistoryOptions *ho, History *h) {
        EvidenceQuery query = ho->query;
        size_t n_fleet = h->fleet->n_items;
        int r = 0;

        if (!ho->named)
                return store_view_history(view, &query, on_evidence, h);

        for (size_t i = 0; i < n_fleet && r >= 0; i++) {
                const ControlStatus *s = &h->fleet->items[i];

                if (i > 0 && streq(s->name, h->fleet->items[i - 1].name) && streq(s->instance_id, h->fleet->items[i - 1].instance_id))
                        continue;
                query.instance_id = s->instance_id;
                query.service = (Service) MAX(service_from_string(s->service ? s->service : ""), 0);
                r = store_view_history(view, &query, on_evidence, h);
        }
        if (r < 0)
                return r;

        if (h->n_lines > 1)
                qsort(h->lines, h->n_lines, sizeof(*h->lines), newest_first);
        if (query.limit > 0)
                h->n_lines = MIN(h->n_lines, (size_t) query.limit);
        return 0;
}

static const char *what_color(const Line *l) {
        int v = streq(l->what, "verdict") && l->detail ? verdict_from_string(l->detail) : -1;

        return v >= 0 ? words_verdict_color((Verdict) v) : NULL;
}

static int print_table(const CtlOptions *o, const History *h) {
        _cleanup_(table_freep) Table *t = NULL;
        char at[TIME_TEXT_MAX];
        int r;

        r = table_new(o, &t);
        if (r < 0)
                return r;

        table_add_column(t, "TIME", 0);
        table_add_column(t, "INSTANCE", 0);
        table_add_column(t, "CONTROL", 0);
        table_add_column(t, "WHAT", 0);
        table_add_column(t, "DETAIL", TABLE_WRAP);
        table_add_column(t, "REQUEST", 0);
        for (size_t i = h->n_lines; i-- > 0;) {
                const Line *l = &h->lines[i];

                table_begin_row(t);
                table_add(t, words_time(l->at_usec, at), COLOR_DIM);
                table_add(t, l->name, COLOR_HEAD);
                table_add(t, l->control, NULL);
                table_add(t, l->what, NULL);
                table_add(t, l->detail, what_color(l));
                table_add(t, l->request_id, COLOR_DIM);
        }

        return table_print(t);
}

static int print_json(const History *h) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *list = ctl_json_add_array(document, "history");

        for (size_t i = h->n_lines; i-- > 0;) {
                const Line *l = &h->lines[i];
                json_object *o = ctl_json_add_object(list, NULL);

                (void) ctl_json_add_time(o, "at", l->at_usec);
                (void) ctl_json_add_text(o, "name", l->name);
                (void) ctl_json_add_text(o, "service", l->service);
                (void) ctl_json_add_text(o, "instance_id", l->instance_id);
                (void) ctl_json_add_text(o, "control", l->control);
                (void) ctl_json_add_text(o, "what", l->what);
                (void) ctl_json_add_text(o, "detail", l->detail);
                if (ctl_json_add_text(o, "request_id", l->request_id) < 0)
                        return ctl_json_print(NULL);
        }

        return ctl_json_print(list ? document : NULL);
}

static int parse_since(const char *s, usec_t *ret) {
        usec_t duration;

        if (timestamp_parse(s, ret) >= 0)
                return 0;
        if (duration_parse(s, &duration) < 0)
                return -EINVAL;
        *ret = usec_sub((usec_t) time(NULL) * USEC_PER_SEC, duration);
        return 0;
}

static int parse(int argc, char *argv[], HistoryOptions *ret) {
        static const struct option longs[] = {
                { "changes", no_argument, NULL, 'c' },
                { "lines", required_argument, NULL, 'n' },
                { "since", required_argument, NULL, 's' },
                { "verdicts", no_argument, NULL, 'v' },
                {},
        };
        char *end;
        int c;

        *ret = (HistoryOptions) { .query = { .control = -1, .limit = LINES_DEFAULT } };
        optind = 0;
        while ((c = getopt_long(argc + 1, argv - 1, "n:", longs, NULL)) >= 0)
                switch (c) {
                case 'c':
                        ret->query.kind = EVIDENCE_CHANGES;
                        break;
                case 'n':
                        ret->query.limit = strtol(optarg, &end, 10);
                        if (*optarg < '0' || *optarg > '9' || *end || ret->query.limit < 1 || ret->query.limit > LINES_MAX)
                                return ctl_usage("--lines: found '%s', expected a number of lines", optarg);
                        break;
                case 's':
                        if (parse_since(optarg, &ret->query.since_usec) < 0)
                                return ctl_usage(
                                        "--since: found '%s', expected a duration such as 30d, or a time such as 2026-11-20T21:56:00Z",
                                        optarg);
                        break;
                case 'v':
                        ret->query.kind = EVIDENCE_VERDICTS;
                        break;
                default:
                        return EXIT_USAGE;
                }

        ret->named = optind <= argc;
        return 0;
}

int verb_history(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(store_view_freep) StoreView *view = NULL;
        _cleanup_(fleet_freep) Fleet *f = NULL;
        _cleanup_(history_done) History h = {};
        _cleanup_(pager_done) Pager pager = {};
        HistoryOptions ho;
        int r;

        r = parse(argc, argv, &ho);
        if (r != 0)
                return r;

        r = fleet_new(&f);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = source_state_read(o, true, f);
        if (r < 0)
                return source_exit(r);
        fleet_sort(f);

        h.fleet = f;
        r = note_names(&h);
        if (r >= 0 && !f->info.state_missing)
                r = store_view_open(o->state, &view);
        if (r < 0)
                return source_exit(state_complain(o, r));
        r = select_named(o, view, f, argv - 1 + optind, ho.named ? (size_t) (argc + 1 - optind) : 0);
        if (r < 0)
                return source_exit(r);

        if (view)
                r = collect(view, &ho, &h);
        if (r < 0)
                return source_exit(state_complain(o, r));

        if (o->json)
                return print_json(&h);
        pager_start(o, &pager);
        r = print_table(o, &h);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
