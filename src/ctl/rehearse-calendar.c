/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/rehearse.h"

/*
 * Happenings of many as rows for people. Members of a group to whom the same happens in the same order make a strand: its rows stand for all of
 * them, and say from when to when. What comes at even intervals is folded.
 */

#define ALIKE_USEC USEC_PER_HOUR        /* so close in time are two happenings the same */
#define FOLD_MIN 4                      /* rows; fewer are quicker to read than to unfold */
#define STRANDS_MAX 4                   /* of a group; more tell less than rows by kind */

/* One member's happenings: where they begin in an array that is sorted by member. */
typedef struct Thread {
        size_t group, member;
        size_t first, n;
        uint64_t digest;        /* of the kinds in their order */
        bool bad;
} Thread;

typedef struct Maker {
        const RehearseFleet *fleet;
        Happening *items;       /* by member, then by time */
        size_t n_items;
        Thread *threads;
        size_t n_threads;
        RehearseCalendar *calendar;
        size_t n_strands_allocated, n_rows_allocated;
} Maker;

/* --- Threads ------------------------------------------------------------------------------------------------------ */

static int by_member(const void *a, const void *b) {
        const Happening *x = a, *y = b;

        if (x->member != y->member)
                return x->member < y->member ? -1 : 1;
        if (x->at_usec != y->at_usec)
                return x->at_usec < y->at_usec ? -1 : 1;
        return (int) x->kind - (int) y->kind;
}

static int by_likeness(const void *a, const void *b) {
        const Thread *x = a, *y = b;

        if (x->group != y->group)
                return x->group < y->group ? -1 : 1;
        if (x->bad != y->bad)
                return x->bad ? -1 : 1;
        if (x->digest != y->digest)
                return x->digest < y->digest ? -1 : 1;
        return x->member < y->member ? -1 : 1;
}

static void make_threads(Maker *m) {
        for (size_t i = 0; i < m->n_items; i++) {
                const Happening *h = &m->items[i];
                bool nobody = h->member == REHEARSE_NOBODY;
                Thread *t;

                if (i == 0 || h->member != m->items[i - 1].member)
                        m->threads[m->n_threads++] = (Thread) {
                                .group = nobody ? SIZE_MAX : m->fleet->members[h->member].group,
                                .member = h->member,
                                .first = i,
                        };
                t = &m->threads[m->n_threads - 1];
                t->digest = (t->digest ^ (h->kind + 1u)) * UINT64_C(1099511628211);
                t->n++;
                t->bad |= rehearse_kind_is_bad(h->kind);
        }
        if (m->n_threads > 1)
                qsort(m->threads, m->n_threads, sizeof(*m->threads), by_likeness);
}

/* --- Strands ------------------------------------------------------------------------------------------------------ */

static RehearseStrand *add_strand(Maker *m, const Thread *t) {
        RehearseCalendar *c = m->calendar;

        if (c->n_strands >= m->n_strands_allocated) {
                size_t n = MAX(2 * m->n_strands_allocated, (size_t) 16);
                RehearseStrand *larger = reallocarray(c->strands, n, sizeof(*larger));

                if (!larger)
                        return NULL;
                c->strands = larger;
                m->n_strands_allocated = n;
        }
        c->strands[c->n_strands] = (RehearseStrand) { .group = t->group, .member = t->member, .first_row = c->n_rows, .bad = t->bad };
        return &c->strands[c->n_strands++];
}

static RehearseRow *add_row(Maker *m, const RehearseRow *row) {
        RehearseCalendar *c = m->calendar;

        if (c->n_rows >= m->n_rows_allocated) {
                size_t n = MAX(2 * m->n_rows_allocated, (size_t) 256);
                RehearseRow *larger = reallocarray(c->rows, n, sizeof(*larger));

                if (!larger)
                        return NULL;
                c->rows = larger;
                m->n_rows_allocated = n;
        }
        c->rows[c->n_rows] = *row;
        c->strands[row->strand].n_rows++;
        return &c->rows[c->n_rows++];
}

static void widen(RehearseRow *row, const Happening *h) {
        row->at_usec = MIN(row->at_usec, h->at_usec);
        row->at_last_usec = MAX(row->at_last_usec, h->at_usec);
        row->end_usec = MIN(row->end_usec, h->end_usec);
        row->end_last_usec = MAX(row->end_last_usec, h->end_usec);
        row->n_requests = MIN(row->n_requests, (unsigned) h->n_requests);
        row->n_requests_max = MAX(row->n_requests_max, (unsigned) h->n_requests);
}

static RehearseRow row_of(const Maker *m, const Happening *h) {
        return (RehearseRow) {
                .kind = h->kind,
                .strand = m->calendar->n_strands - 1,
                .at_usec = h->at_usec,
                .at_last_usec = h->at_usec,
                .end_usec = h->end_usec,
                .end_last_usec = h->end_usec,
                .n_requests = h->n_requests,
                .n_requests_max = h->n_requests,
                .n_times = 1,
        };
}

/* For how many policies @n_threads played ones of a group stand: in parts, so that all parts make the whole. */
static size_t stand_for(const RehearseFleet *f, size_t group, size_t n_before, size_t n_threads) {
        const RehearseGroup *g;

        if (group == SIZE_MAX)
                return 0;
        g = &f->groups[group];
        if (g->n_played == 0)
                return n_threads;
        return (n_before + n_threads) * g->n / g->n_played - n_before * g->n / g->n_played;
}

/* The same things in the same order: one row for the k-th of all. */
static int add_even(Maker *m, const Thread *threads, size_t n, size_t n_policies) {
        RehearseStrand *s = add_strand(m, &threads[0]);

        if (!s)
                return -ENOMEM;
        s->n = n_policies;
        for (size_t k = 0; k < threads[0].n; k++) {
                RehearseRow row = row_of(m, &m->items[threads[0].first + k]);

                for (size_t i = 1; i < n; i++)
                        widen(&row, &m->items[threads[i].first + k]);
                if (!add_row(m, &row))
                        return -ENOMEM;
        }
        return 0;
}

/* Too many different courses: one row for each kind. */
static int add_loose(Maker *m, const Thread *threads, size_t n, size_t n_policies) {
        RehearseStrand *s = add_strand(m, &threads[0]);

        if (!s)
                return -ENOMEM;
        s->n = n_policies;
        s->loose = true;

        for (RehearseKind kind = 0; kind < REHEARSE_KIND__MAX; kind++) {
                RehearseRow row = {};
                bool any = false;

                for (size_t i = 0; i < n; i++)
                        for (size_t k = 0; k < threads[i].n; k++) {
                                const Happening *h = &m->items[threads[i].first + k];

                                if (h->kind != kind)
                                        continue;
                                if (!any)
                                        row = row_of(m, h);
                                else {
                                        widen(&row, h);
                                        row.n_times++;
                                }
                                any = true;
                        }
                if (!any)
                        continue;
                row.n_times = n_policies * row.n_times / n;
                if (!add_row(m, &row))
                        return -ENOMEM;
        }
        return 0;
}

/* Threads of one group, all bad or none: their strands. @n_before: threads of the same group that were added already. */
static int add_group(Maker *m, const Thread *threads, size_t n, size_t n_before) {
        size_t group = threads[0].group, n_courses = 0;
        int r;

        for (size_t i = 0; i < n; i++)
                n_courses += i == 0 || threads[i].digest != threads[i - 1].digest;
        if (n_courses > STRANDS_MAX)
                return add_loose(m, threads, n, stand_for(m->fleet, group, n_before, n));

        for (size_t i = 0, length; i < n; i += length) {
                for (length = 1; i + length < n && threads[i + length].digest == threads[i].digest; length++)
                        ;
                r = add_even(m, &threads[i], length, stand_for(m->fleet, group, n_before + i, length));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- Folding ------------------------------------------------------------------------------------------------------ */

static bool goes_on(const RehearseRow *a, const RehearseRow *b, usec_t every_usec) {
        return a->kind == b->kind && a->n_requests == b->n_requests && a->n_requests_max == b->n_requests_max &&
                usec_diff(b->at_usec - a->at_usec, every_usec) <= MAX(every_usec / 50, 10 * USEC_PER_MINUTE);
}

/* How many rows from @first on come at even intervals. */
static size_t even_rows(const RehearseRow *rows, size_t first, size_t n) {
        usec_t every = first + 1 < n ? rows[first + 1].at_usec - rows[first].at_usec : 0;
        size_t k = first;

        while (k + 1 < n && every > 0 && goes_on(&rows[k], &rows[k + 1], every))
                k++;
        return k - first + 1;
}

/* The first of a run stays, the others become one. Only rows of one strand, in order of time. */
static size_t fold_strand(RehearseRow *rows, size_t n) {
        size_t to = 0;

        for (size_t i = 0, run; i < n; i += run) {
                run = even_rows(rows, i, n);
                if (run < FOLD_MIN) {
                        run = 1;
                        rows[to++] = rows[i];
                        continue;
                }

                RehearseRow folded = rows[i + run - 1];

                folded.n_times = run - 1;
                folded.every_usec = (rows[i + run - 1].at_usec - rows[i].at_usec) / (run - 1);
                folded.at_usec = rows[i + 1].at_usec;
                folded.end_usec = rows[i + 1].end_usec;
                rows[to++] = rows[i];
                rows[to++] = folded;
        }
        return to;
}

/* Rows that are of another kind would break every run: a strand is sorted by kind for it. */
static int by_kind(const void *a, const void *b) {
        const RehearseRow *x = a, *y = b;

        if (x->kind != y->kind)
                return (int) x->kind - (int) y->kind;
        return x->at_usec < y->at_usec ? -1 : x->at_usec > y->at_usec;
}

static void fold(RehearseCalendar *c) {
        size_t to = 0;

        for (size_t i = 0; i < c->n_strands && c->rows; i++) {
                RehearseStrand *s = &c->strands[i];
                RehearseRow *rows = &c->rows[s->first_row];
                size_t n = s->n_rows;

                if (!s->loose && n > 1) {
                        qsort(rows, n, sizeof(*rows), by_kind);
                        n = fold_strand(rows, n);
                }
                memmove(&c->rows[to], rows, n * sizeof(*rows));
                s->first_row = to;
                s->n_rows = n;
                to += n;
        }
        c->n_rows = to;
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static int make(Maker *m) {
        size_t n_before = 0;
        int r;

        make_threads(m);
        for (size_t i = 0, n; i < m->n_threads; i += n) {
                const Thread *t = &m->threads[i];

                for (n = 1; i + n < m->n_threads && t[n].group == t->group && t[n].bad == t->bad; n++)
                        ;
                if (i == 0 || t[-1].group != t->group)
                        n_before = 0;
                r = add_group(m, t, n, n_before);
                if (r < 0)
                        return r;
                n_before += n;
        }
        return 0;
}

int rehearse_calendar_make(const RehearseFleet *f, const RehearseLife *life, bool folded, RehearseCalendar *ret) {
        _cleanup_(rehearse_calendar_done) RehearseCalendar calendar = {};
        _cleanup_(freep) Happening *items = NULL;
        _cleanup_(freep) Thread *threads = NULL;
        Maker m = { .fleet = f, .n_items = life->n_items, .calendar = &calendar };
        int r;

        assert(ret);

        m.items = items = calloc(life->n_items + 1, sizeof(*items));
        m.threads = threads = calloc(f->n_members + 1, sizeof(*threads));
        if (!items || !threads)
                return -ENOMEM;
        if (life->n_items > 0)
                memcpy(items, life->items, life->n_items * sizeof(*items));
        if (life->n_items > 1)
                qsort(items, life->n_items, sizeof(*items), by_member);

        r = make(&m);
        if (r < 0)
                return r;
        if (folded)
                fold(&calendar);

        *ret = calendar;
        calendar = (RehearseCalendar) {};
        return 0;
}

void rehearse_calendar_done(RehearseCalendar *c) {
        free(c->strands);
        free(c->rows);
        *c = (RehearseCalendar) {};
}

/* The happenings of locks, by member. Those of other policies are lived through once only: no reading matters to them. */
static int take_locks(const RehearseFleet *f, const RehearseLife *life, Happening **ret, size_t *ret_n) {
        Happening *items = calloc(life->n_items + 1, sizeof(*items));
        size_t n = 0;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < life->n_items; i++)
                if (life->items[i].member != REHEARSE_NOBODY && f->members[life->items[i].member].policy->terms->lock)
                        items[n++] = life->items[i];
        if (n > 1)
                qsort(items, n, sizeof(*items), by_member);
        *ret = items;
        *ret_n = n;
        return 0;
}

int rehearse_lives_alike(const RehearseFleet *f, const RehearseLife *a, const RehearseLife *b, bool *ret) {
        _cleanup_(freep) Happening *x = NULL, *y = NULL;
        size_t n_x, n_y;
        bool alike;
        int r;

        r = take_locks(f, a, &x, &n_x);
        if (r >= 0)
                r = take_locks(f, b, &y, &n_y);
        if (r < 0)
                return r;

        alike = n_x == n_y && a->n_locks == b->n_locks;
        for (size_t i = 0; i < n_x && alike; i++)
                alike = x[i].member == y[i].member && x[i].kind == y[i].kind && usec_diff(x[i].at_usec, y[i].at_usec) <= ALIKE_USEC &&
                        usec_diff(x[i].end_usec, y[i].end_usec) <= ALIKE_USEC;
        *ret = alike;
        return 0;
}

char *rehearse_strand_name(const RehearseFleet *f, const RehearseStrand *s, char buf[static REHEARSE_NAME_MAX]) {
        const char *name = s->member == REHEARSE_NOBODY ? "(endpoint)" : f->members[s->member].policy->name;

        if (s->n > 1)
                (void) snprintf(buf, REHEARSE_NAME_MAX, "%s +%zu", name, s->n - 1);
        else
                (void) snprintf(buf, REHEARSE_NAME_MAX, "%s", name);
        return buf;
}
