/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "ctl/rehearse.h"
#include "ctl/words.h"

/*
 * A life as lines of the terminal, one a strand: each cell is a part of the whole time.
 */

#define STRANDS_SHOWN 24
#define NAME_WIDTH_MAX 28
#define WIDTH_MIN 20
#define WIDTH_MAX 120
#define DAYS_SHOWN 100          /* up to so many the axis shows days, else months */

typedef enum Mark {             /* a cell shows the greatest */
        MARK_NONE,
        MARK_HELD,              /* a lock is in force */
        MARK_APPLIED,
        MARK_DONE,
        MARK_EXTENDED,
        MARK_ENABLED,
        MARK_NOTE,
        MARK_BAD,
        MARK_LAPSED,
        MARK__MAX,
} Mark;

static const struct {
        const char *utf8, *ascii, *color;
        const char *legend;
} marks[MARK__MAX] = {
        [MARK_NONE] = { " ", " ", NULL, NULL },
        [MARK_HELD] = { "─", "-", COLOR_DIM, "locked" },
        [MARK_APPLIED] = { "·", ".", NULL, "re-applied" },
        [MARK_DONE] = { "◇", "o", NULL, "set" },
        [MARK_EXTENDED] = { "●", "+", COLOR_GOOD, "extended" },
        [MARK_ENABLED] = { "◆", "#", COLOR_GOOD, "enabled" },
        [MARK_NOTE] = { "?", "?", COLOR_WARN, "to be known" },
        [MARK_BAD] = { "!", "!", COLOR_BAD, "refused or failing" },
        [MARK_LAPSED] = { "✗", "X", COLOR_BAD, "lapsed" },
};

typedef struct Line {
        size_t strand;
        uint8_t cells[WIDTH_MAX];
        usec_t held_from_usec, held_until_usec;
} Line;

typedef struct Timeline {
        const Rehearsal *r;
        const RehearseCalendar *calendar;
        usec_t start_usec, for_usec;
        unsigned name_width, width;
        Line *lines;
        size_t n_lines;
        bool used[MARK__MAX];
} Timeline;

static Mark mark_of(RehearseKind k) {
        switch (k) {
        case REHEARSE_LOCK_ENABLED:
                return MARK_ENABLED;
        case REHEARSE_LOCK_EXTENDED:
                return MARK_EXTENDED;
        case REHEARSE_SCHEDULE_REAPPLIED:
                return MARK_APPLIED;
        case REHEARSE_SCHEDULE_SET:
        case REHEARSE_ENCRYPTION_ON:
        case REHEARSE_AUTHORIZED:
                return MARK_DONE;
        case REHEARSE_DRIFT:
        case REHEARSE_UNKNOWN:
        case REHEARSE_BACKUP_STALE:
        case REHEARSE_LOCK_EMPTY:
        case REHEARSE_API_FAILING:
        case REHEARSE_CLOCK_SKEW:
        case REHEARSE_KEY_REFUSED:
                return MARK_NOTE;
        case REHEARSE_LOCK_LAPSED:
                return MARK_LAPSED;
        case REHEARSE_LOCK_EXPIRING:
        case REHEARSE_LOCK_REFUSED:
        case REHEARSE_LOCK_FROZEN:
        case REHEARSE_WRITE_FAILED:
                return MARK_BAD;
        case REHEARSE_API_RECOVERED:
        case REHEARSE_KIND__MAX:
                break;
        }
        return MARK_NONE;
}

static unsigned cell_of(const Timeline *t, usec_t at_usec) {
        usec_t since = usec_sub(at_usec, t->start_usec);

        return (unsigned) MIN((double) since / (double) t->for_usec * t->width, t->width - 1.0);
}

static void put_mark(Timeline *t, uint8_t *cells, unsigned cell, Mark mark) {
        cells[cell] = (uint8_t) MAX((Mark) cells[cell], mark);
        t->used[mark] = true;
}

/* --- What happened ------------------------------------------------------------------------------------------------ */

static void hold_until(Timeline *t, Line *l, usec_t until_usec) {
        usec_t until = MIN(MIN(until_usec, l->held_until_usec), t->start_usec + t->for_usec);

        if (l->held_until_usec == 0 || until <= l->held_from_usec)
                return;
        for (unsigned c = cell_of(t, l->held_from_usec); c <= cell_of(t, until - 1); c++)
                put_mark(t, l->cells, c, MARK_HELD);
        l->held_from_usec = until;
}

static void add_happening(Timeline *t, Line *l, const Happening *h) {
        Mark mark = mark_of(h->kind);

        if (mark != MARK_NONE)
                put_mark(t, l->cells, cell_of(t, h->at_usec), mark);
        if (h->kind == REHEARSE_LOCK_ENABLED || h->kind == REHEARSE_LOCK_EXTENDED) {
                hold_until(t, l, h->at_usec);
                l->held_from_usec = h->at_usec;
                l->held_until_usec = h->end_usec;
        }
}

/* A lock that was there in the beginning. */
static void begin_line(Timeline *t, Line *l, size_t strand) {
        const RehearseStrand *s = &t->calendar->strands[strand];
        json_object *lock = NULL, *end = NULL;

        *l = (Line) { .strand = strand, .held_from_usec = t->start_usec };
        if (s->member == REHEARSE_NOBODY || !json_object_object_get_ex(t->r->fleet->members[s->member].start, "lock", &lock))
                return;
        if (json_object_object_get_ex(lock, "end", &end) && timestamp_parse(json_object_get_string(end), &l->held_until_usec) < 0)
                l->held_until_usec = 0;
}

static int make_lines(Timeline *t, const RehearseLife *life) {
        const RehearseFleet *f = t->r->fleet;
        _cleanup_(freep) size_t *line_of = NULL;        /* of a member; 0: none */

        line_of = calloc(f->n_members + 1, sizeof(*line_of));
        t->lines = calloc(STRANDS_SHOWN, sizeof(*t->lines));
        if (!line_of || !t->lines)
                return -ENOMEM;

        /* The bad ones first, so that they are shown in any case. */
        for (int bad = 1; bad >= 0; bad--)
                for (size_t i = 0; i < t->calendar->n_strands && t->n_lines < STRANDS_SHOWN; i++) {
                        const RehearseStrand *s = &t->calendar->strands[i];

                        if (s->bad != (bool) bad)
                                continue;
                        begin_line(t, &t->lines[t->n_lines++], i);
                        line_of[s->member == REHEARSE_NOBODY ? f->n_members : s->member] = t->n_lines;
                }

        for (size_t i = 0; i < life->n_items; i++) {
                const Happening *h = &life->items[i];
                size_t line = line_of[h->member == REHEARSE_NOBODY ? f->n_members : h->member];

                if (line > 0)
                        add_happening(t, &t->lines[line - 1], h);
        }
        for (size_t i = 0; i < t->n_lines; i++)
                hold_until(t, &t->lines[i], USEC_INFINITY);
        return 0;
}

/* --- Printing ----------------------------------------------------------------------------------------------------- */

static void print_name(const Timeline *t, const char *name) {
        unsigned n = (unsigned) strlen(name);   /* names are ASCII (holdfast.yaml(5)) */

        (void) printf("%-*.*s  ", (int) t->name_width, (int) MIN(n, t->name_width), name);
}

static void print_cells(const Timeline *t, const uint8_t *cells) {
        const CtlOptions *o = t->r->ctl;
        const char *color = NULL;
        unsigned n = t->width;

        while (n > 0 && cells[n - 1] == MARK_NONE)
                n--;
        for (unsigned c = 0; c < n; c++) {
                const char *wanted = o->color ? marks[cells[c]].color : NULL;

                if (wanted != color) {
                        if (color)
                                (void) fputs("\x1b[0m", stdout);
                        if (wanted)
                                (void) printf("\x1b[%sm", wanted);
                        color = wanted;
                }
                (void) fputs(o->utf8 ? marks[cells[c]].utf8 : marks[cells[c]].ascii, stdout);
        }
        (void) printf("%s\n", color ? "\x1b[0m" : "");
}

static usec_t month_begins(int months) {
        const CivilTime c = { .year = months / 12, .month = months % 12 + 1, .day = 1 };

        return (usec_t) civil_to_seconds(&c) * USEC_PER_SEC;
}

/* Writes the label of a moment into its cell; false: no room for it. */
static bool put_label(const Timeline *t, char *line, usec_t at_usec, size_t skip, size_t length) {
        unsigned cell = cell_of(t, at_usec);
        char text[TIME_TEXT_MAX];

        if (cell + length > t->width)
                return false;
        memcpy(line + cell, rfc3339_format(at_usec, text) + skip, length);
        return true;
}

/* How many of @unit_usec go from one label to the next, so that there is room for each. */
static unsigned label_step(const Timeline *t, const unsigned *steps, size_t n, usec_t unit_usec, size_t length) {
        for (size_t i = 0; i < n; i++)
                if ((double) steps[i] * (double) unit_usec / (double) t->for_usec * t->width >= (double) length + 2)
                        return steps[i];
        return steps[n - 1];
}

static void label_days(const Timeline *t, char *line) {
        static const unsigned steps[] = { 1, 2, 7, 14 };
        const size_t length = strlen("01-31");
        unsigned step = label_step(t, steps, N_ELEMENTS(steps), USEC_PER_DAY, length);
        usec_t at = (t->start_usec + USEC_PER_DAY - 1) / USEC_PER_DAY * USEC_PER_DAY;

        while (at < t->start_usec + t->for_usec && put_label(t, line, at, strlen("2026-"), length))
                at += step * USEC_PER_DAY;
}

static void label_months(const Timeline *t, char *line) {
        static const unsigned steps[] = { 1, 2, 3, 6, 12, 24, 60, 120, 240, 600 };
        const size_t length = strlen("2026-01");
        unsigned step = label_step(t, steps, N_ELEMENTS(steps), 30 * USEC_PER_DAY, length);
        CivilTime first;

        civil_from_seconds((int64_t) (t->start_usec / USEC_PER_SEC), &first);
        for (int m = first.year * 12 + first.month - 1; month_begins(m) < t->start_usec + t->for_usec; m++)
                if (m % (int) step == 0 && month_begins(m) >= t->start_usec && !put_label(t, line, month_begins(m), 0, length))
                        return;
}

/* Months, or days where the whole is short; as many as have room. */
static void print_axis(const Timeline *t) {
        char line[WIDTH_MAX + 1];
        unsigned n = t->width;

        memset(line, ' ', sizeof(line));
        if (t->for_usec <= DAYS_SHOWN * USEC_PER_DAY)
                label_days(t, line);
        else
                label_months(t, line);

        while (n > 0 && line[n - 1] == ' ')
                n--;
        print_name(t, "");
        (void) printf("%.*s\n", (int) n, line);
}

static void print_faults(Timeline *t) {
        const RehearseOptions *o = t->r->options;
        unsigned n = 0;
        bool wrong[WIDTH_MAX] = {};

        if (o->n_faults == 0)
                return;
        for (size_t i = 0; i < o->n_faults; i++) {
                usec_t begin = usec_add(t->start_usec, o->faults[i].begin_usec), end = usec_add(begin, o->faults[i].for_usec);

                for (unsigned c = cell_of(t, begin); c <= cell_of(t, end); c++) {
                        wrong[c] = true;
                        n = MAX(n, c + 1);
                }
        }
        print_name(t, "(faults)");
        for (unsigned c = 0; c < n; c++)
                (void) fputs(!wrong[c] ? " " : t->r->ctl->utf8 ? "▒" : "%", stdout);
        (void) printf("\n");
}

static void print_legend(const Timeline *t) {
        const char *between = "";

        print_name(t, "");
        for (Mark m = MARK_HELD; m < MARK__MAX; m++)
                if (t->used[m]) {
                        (void) printf("%s%s %s", between, t->r->ctl->utf8 ? marks[m].utf8 : marks[m].ascii, marks[m].legend);
                        between = "  ";
                }
        (void) printf("\n");
}

int rehearse_print_timeline(const Rehearsal *r, const RehearseLife *life, const RehearseCalendar *c) {
        Timeline t = { .r = r, .calendar = c, .start_usec = r->options->start_usec, .for_usec = r->options->for_usec };
        char name[REHEARSE_NAME_MAX];
        int q;

        t.name_width = (unsigned) strlen("(faults)");
        for (size_t i = 0; i < c->n_strands; i++)
                t.name_width = MAX(t.name_width, (unsigned) strlen(rehearse_strand_name(r->fleet, &c->strands[i], name)));
        t.name_width = MIN(t.name_width, MIN((unsigned) NAME_WIDTH_MAX, r->ctl->columns / 3));
        t.width = MAX((unsigned) WIDTH_MIN, MIN((unsigned) WIDTH_MAX, r->ctl->columns - t.name_width - 2));

        q = make_lines(&t, life);
        if (q >= 0) {
                (void) printf("\n");
                print_axis(&t);
                print_faults(&t);
                for (size_t i = 0; i < t.n_lines; i++) {
                        print_name(&t, rehearse_strand_name(r->fleet, &c->strands[t.lines[i].strand], name));
                        print_cells(&t, t.lines[i].cells);
                }
                if (c->n_strands > t.n_lines)
                        (void) printf("and %zu more\n", c->n_strands - t.n_lines);
                if (r->ctl->legend)
                        print_legend(&t);
        }
        free(t.lines);
        return q;
}
