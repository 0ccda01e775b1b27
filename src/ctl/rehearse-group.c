/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/rehearse.h"

/*
 * Who is like whom. Policies that differ in nothing but name and id, and begin alike, do the same at moments that differ by less than a
 * poll: of a large group only some are played, so that ten thousand policies do not take an hour.
 */

#define GROUP_TEXT_MAX 16384
/* Exchanges that go the whole way, of all lives; picked so that a rehearsal of any size takes less than a minute. */
#define EXCHANGES_LOCKS 1000000.0
#define EXCHANGES_OTHERS 400000.0
#define EXCHANGES_PER_WRITE 2.0 /* the write, and the read that shows it */
#define RETRY_USEC (150 * USEC_PER_SEC) /* from one try to the next while something is wrong: half of the most, on average */
#define POLLS_PER_EXCHANGE 10.0 /* polls that memory answers cost that much less; measured */

typedef struct Keyed {
        char *text;
        size_t member;
} Keyed;

static void add_controls(StrBuf *b, const Instance *i) {
        const EncryptionPolicy *e = i->terms->encryption;
        const SchedulePolicy *s = i->terms->schedule;
        const DownloadPolicy *d = i->terms->download;
        const LockPolicy *l = i->terms->lock;

        if (e)
                (void) strbuf_addf(b, "|e %" PRIu64 " %d %s", e->poll_usec, e->expect_on, e->kms_key_id ? e->kms_key_id : "-");
        if (s)
                (void) strbuf_addf(b, "|s %" PRIu64 " %d %d %" PRId64 " %s %" PRIu64 " %" PRIu64, s->poll_usec, s->on, (int) s->cycle,
                                   civil_to_seconds(&s->trigger_time), timezone_name(s->timezone), s->reapply_usec, s->max_backup_age_usec);
        if (l)
                (void) strbuf_addf(b, "|l %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRId64 " %d %" PRIu64 " %" PRIu64, l->poll_usec,
                                   l->retention_days, l->renew_before_usec, l->max_retention_days, (int) l->extension, l->settle_usec,
                                   l->require_manual_backup_usec);
        if (d)
                (void) strbuf_addf(b, "|d %" PRIu64 " %d %zu %" PRIu64, d->poll_usec, d->latest, d->n_backup_ids, d->reauthorize_usec);
}

static int key_of(const RehearseMember *m, char **ret) {
        StrBuf b = STRBUF(GROUP_TEXT_MAX);
        int r;

        (void) strbuf_addf(&b, "%zu %d", m->endpoint, (int) m->policy->terms->mode);
        add_controls(&b, m->policy);
        if (m->start) {
                json_object_object_foreach(m->start, key, value)
                        /* Ids of backups are everybody's own. */
                        if (!streq(key, "backups") && !streq(key, "project_id"))
                                (void) strbuf_addf(&b, "|%s %s", key, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }

        r = strbuf_finish(&b, ret);
        strbuf_done(&b);
        return r;
}

static int by_text(const void *a, const void *b) {
        const Keyed *x = a, *y = b;
        int d = strcmp(x->text, y->text);

        if (d != 0)
                return d;
        return x->member < y->member ? -1 : 1;
}

static int sort_members(const RehearseFleet *f, Keyed *keyed) {
        for (size_t i = 0; i < f->n_members; i++) {
                int r = key_of(&f->members[i], &keyed[i].text);

                if (r < 0)
                        return r;
                keyed[i].member = i;
        }
        qsort(keyed, f->n_members, sizeof(*keyed), by_text);
        return 0;
}

/* --- Whom to play ------------------------------------------------------------------------------------------------- */

static double times(const RehearseOptions *o, usec_t every_usec) {
        return every_usec == USEC_INFINITY || every_usec == 0 ? 0 : (double) o->for_usec / (double) every_usec;
}

static double lock_cost(const LockPolicy *l, const RehearseOptions *o) {
        usec_t term = (usec_t) l->retention_days * USEC_PER_DAY;

        return READING__MAX * EXCHANGES_PER_WRITE * times(o, usec_sub(term, l->renew_before_usec));
}

static double other_cost(const Instance *i, const RehearseOptions *o) {
        const SchedulePolicy *s = i->terms->schedule;
        const DownloadPolicy *d = i->terms->download;
        double n = 0;

        if (s)
                n += EXCHANGES_PER_WRITE * times(o, s->reapply_usec);
        if (d)
                n += EXCHANGES_PER_WRITE * times(o, d->reauthorize_usec) * (double) MAX(d->n_backup_ids, (size_t) 1);
        return n;
}

/* What the polls of locks cost that wait for limits.new_locks_per_day. */
static double waiting_cost(const RehearseFleet *f, const RehearseOptions *o, double n_new) {
        double per_day = f->config.settings->limits.new_locks_per_day, days = n_new / per_day;
        double polls = 0;

        days = MIN(days, (double) o->for_usec / (double) USEC_PER_DAY);
        for (size_t i = 0; i < f->n_endpoints; i++)
                if (f->endpoints[i].n_locks > 0)
                        polls += f->endpoints[i].polls_per_sec * 24 * 60 * 60 * days / 2;
        return READING__MAX * polls / POLLS_PER_EXCHANGE;
}

/* Seconds in which every control is tried again and again, or polled though it shows nothing new. */
static double fault_cost(const RehearseOptions *o, double n_controls) {
        double n = 0;

        for (size_t i = 0; i < o->n_faults; i++) {
                const RehearseFault *f = &o->faults[i];
                usec_t lasts = f->kind == REHEARSE_CLOCK ? o->for_usec : f->for_usec;

                if (f->kind != REHEARSE_DOWN)
                        n += (double) MIN(lasts, usec_sub(o->for_usec, f->begin_usec)) / (double) RETRY_USEC;
        }
        return n * n_controls;
}

static double count_controls(const Instance *i) {
        double n = 0;

        for (Control c = 0; c < CONTROL__MAX; c++)
                n += instance_has(i, c);
        return n;
}

/* Of a limit only whole parts can be taken. */
static unsigned divisor_from(unsigned n, double least) {
        for (unsigned d = 1; d < n; d++)
                if (n % d == 0 && d >= least)
                        return d;
        return n;
}

static void play(RehearseFleet *f, RehearseGroup *g, size_t one_in) {
        for (size_t k = 0; k < g->n; k += one_in) {
                f->members[f->order[g->first + k]].played = true;
                g->n_played++;
        }
}

static void choose_played(RehearseFleet *f, const RehearseOptions *o) {
        double locks = 0, others = 0, n_new = 0, one_in_locks, one_in_others;

        for (size_t i = 0; i < f->n_members; i++) {
                const RehearseMember *m = &f->members[i];

                others += other_cost(m->policy, o) + (m->policy->terms->lock ? 0 : fault_cost(o, count_controls(m->policy)));
                if (m->policy->terms->lock) {
                        json_object *lock = NULL;

                        locks += lock_cost(m->policy->terms->lock, o) + READING__MAX * fault_cost(o, count_controls(m->policy));
                        n_new += instance_mode(m->policy, f->config.settings) == MODE_ENFORCE && !json_object_object_get_ex(m->start, "lock", &lock);
                }
        }

        one_in_locks = locks / EXCHANGES_LOCKS;
        one_in_others = MAX(others / EXCHANGES_OTHERS, 1.0);
        if (f->config.settings->limits.new_locks_per_day > 0 && n_new > f->config.settings->limits.new_locks_per_day) {
                one_in_locks = MAX(one_in_locks, (locks + waiting_cost(f, o, n_new)) / EXCHANGES_LOCKS);
                f->limit_divisor = divisor_from(f->config.settings->limits.new_locks_per_day, one_in_locks);
                one_in_locks = f->limit_divisor;
        }
        one_in_locks = MAX(one_in_locks, 1.0);

        for (size_t i = 0; i < f->n_groups; i++) {
                const Instance *policy = f->members[f->order[f->groups[i].first]].policy;

                play(f, &f->groups[i], (size_t) ((policy->terms->lock ? one_in_locks : one_in_others) + 0.999));
        }
}

int rehearse_fleet_group(RehearseFleet *f, const RehearseOptions *o) {
        Keyed *keyed;
        int r;

        keyed = calloc(f->n_members, sizeof(*keyed));
        f->order = calloc(f->n_members, sizeof(*f->order));
        f->groups = calloc(f->n_members, sizeof(*f->groups));
        r = keyed && f->order && f->groups ? sort_members(f, keyed) : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < f->n_members; i++) {
                if (i == 0 || !streq(keyed[i].text, keyed[i - 1].text))
                        f->groups[f->n_groups++] = (RehearseGroup) { .first = i };
                f->groups[f->n_groups - 1].n++;
                f->order[i] = keyed[i].member;
                f->members[keyed[i].member].group = f->n_groups - 1;
        }
        if (r >= 0)
                choose_played(f, o);

        for (size_t i = 0; keyed && i < f->n_members; i++)
                free(keyed[i].text);
        free(keyed);
        return r;
}
