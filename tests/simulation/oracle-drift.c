/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "keeper.h"
#include "oracle.h"
#include "sim/truth.h"

/*
 * Promises e, f and i: what is called compliant is so, what is not as written is found and put right, and when nothing goes wrong any more
 * all of it is as written.
 */

/* --- The truth ----------------------------------------------------------------------------------------------------- */

static bool is_granted(const Oracle *o, const Subject *x) {
        uint64_t n[SCENARIO_BACKUPS], any = 0;
        char id[40];

        for (int k = 0; k < SCENARIO_BACKUPS; k++) {
                n[k] = sim_truth_grants(o->life->sim, subject_backup(x, k, id));
                any += n[k];
        }
        return x->download.latest ? any > 0 : n[0] > 0 && n[1] > 0;
}

static bool is_scheduled(const SimTruth *t, const Subject *x) {
        char bucket[32];

        if (!x->schedule.on)
                return !t->schedule_on;
        (void) snprintf(bucket, sizeof(bucket), "bucket-%s", x->name);
        return t->schedule_on && streq(t->schedule_cycle, cycle_to_string(x->schedule.cycle)) && streq0(t->bucket_name, bucket);
}

bool oracle_as_written(const Oracle *o, size_t subject, Control c) {
        const Subject *x = &o->life->scenario.subjects[subject];
        usec_t now = life_cloud_now(o->life), slack;
        SimTruth t;

        if (!sim_truth(o->life->sim, x->id, &t))
                return false;
        switch (c) {
        case CONTROL_ENCRYPTION: return t.encryption_on == x->encryption.expect_on;
        case CONTROL_SCHEDULE: return is_scheduled(&t, x);
        case CONTROL_DOWNLOAD: return is_granted(o, x);
        case CONTROL_LOCK:
                /* One that has just fallen below is being extended. */
                slack = 3 * x->lock.settle_usec + ORACLE_SLACK_USEC;
                return t.lock_end_usec > now && t.lock_end_usec - now + slack >= x->lock.renew_before_usec;
        case CONTROL__MAX: break;
        }
        return false;
}

/* Is holdfast to put it right, and can it? */
static bool is_mended(const Subject *x, Control c) {
        if (x->observe || !subject_has(x, c))
                return false;
        return c != CONTROL_ENCRYPTION || (x->encryption.expect_on && x->encryption.has_key);
}

/* --- e: compliant --------------------------------------------------------------------------------------------------- */

static bool compliant_lock(const Oracle *o, int subject, const Situation *s) {
        /* The lock was read before its backups were; and a cloud that answers in seconds cuts what is left of one. */
        usec_t read_at = usec_sub(s->answer->date_usec, (s->answer->call == CALL_LOCK_GET ? 1 : 60) * USEC_PER_SEC);

        return o->locks[subject].end_usec >= read_at + s->instance->terms->lock->renew_before_usec;
}

static bool compliant_schedule(const SimTruth *t, const SchedulePolicy *p) {
        if (!p->on)
                return !t->schedule_on;
        return t->schedule_on && streq(t->schedule_cycle, cycle_to_string(p->cycle)) && streq0(t->bucket_name, p->bucket_name);
}

void oracle_check_compliant(Oracle *o, int subject, Control c, const Situation *s) {
        Life *l = o->life;
        usec_t underway = o->read_delay_usec + 4 * l->scenario.latency_usec + USEC_PER_MINUTE;
        bool right = true;
        SimTruth t;

        /* What was changed by hand while the answer was on its way is for the next look. */
        if (o->foreign_usec + underway > life_now(l) || !sim_truth(l->sim, s->instance->instance_id, &t))
                return;

        switch (c) {
        case CONTROL_LOCK: right = !s->answer || compliant_lock(o, subject, s); break;
        case CONTROL_ENCRYPTION: right = t.encryption_on == s->instance->terms->encryption->expect_on; break;
        case CONTROL_SCHEDULE: right = compliant_schedule(&t, s->instance->terms->schedule); break;
        case CONTROL_DOWNLOAD:
                right = s->instance->terms->download->latest != l->scenario.subjects[subject].download.latest ||
                        is_granted(o, &l->scenario.subjects[subject]);
                break;
        case CONTROL__MAX: break;
        }
        if (!right)
                life_fail(l, subject, "e", "%s is called compliant, and in truth it is not", control_to_string(c));
}

/* --- f: drift ------------------------------------------------------------------------------------------------------- */

static usec_t undisturbed_since(const Oracle *o, const Watch *w) {
        return MAX(MAX(w->drift_usec, w->calm_usec), o->identity_usec) + o->read_delay_usec;
}

static void reckon(Oracle *o, size_t i, Control c) {
        const Subject *x = &o->life->scenario.subjects[i];
        Watch *w = &o->watches[i][c];
        usec_t now = life_now(o->life), polls = 2 * subject_poll_usec(x, c) + ORACLE_SLACK_USEC;

        if (!subject_has(x, c) || oracle_as_written(o, i, c)) {
                if (w->drift_usec > 0 && is_mended(x, c) && now > undisturbed_since(o, w) + polls &&
                    !troubles_concern(o->life, (int) i, x->service))
                        life_fail(o->life, (int) i, "f", "%s was put right after %" PRIu64 " min, and two polls are %" PRIu64,
                                  control_to_string(c), (now - w->drift_usec) / USEC_PER_MINUTE, polls / USEC_PER_MINUTE);
                w->drift_usec = 0;
                return;
        }
        if (w->drift_usec == 0) {
                w->drift_usec = now;
                w->found = false;
        }
}

void oracle_drift_reckon(Oracle *o) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++) {
                if (o->life->scenario.subjects[i].has_encryption)
                        reckon(o, i, CONTROL_ENCRYPTION);
                if (o->life->scenario.subjects[i].service == SERVICE_DBSS)
                        reckon(o, i, CONTROL_SCHEDULE);
        }
}

/* Found late, or not at all? */
static void check_found(Oracle *o, int subject, Control c) {
        const Subject *x = &o->life->scenario.subjects[subject];
        Watch *w = &o->watches[subject][c];
        usec_t poll = subject_poll_usec(x, c), since = undisturbed_since(o, w), now = life_now(o->life);

        if (now <= since + poll + ORACLE_SLACK_USEC || troubles_concern(o->life, subject, x->service) || !machine_engine(o->life->machine))
                return;
        life_fail(o->life, subject, "f", "%s is not as written, and was not found to be for %" PRIu64 " min; a poll is %" PRIu64,
                  control_to_string(c), (now - since) / USEC_PER_MINUTE, poll / USEC_PER_MINUTE);
}

void oracle_drift_step(Oracle *o, int subject, Control c, const Decision *d) {
        Watch *w = &o->watches[subject][c];
        bool found = d->next == NEXT_DONE && d->verdict == VERDICT_VIOLATED;

        if (w->drift_usec == 0 || w->found)
                return;
        found |= (d->next == NEXT_ASK || d->next == NEXT_ASK_STORED) && call_is_write(d->ask.call);
        if (!found)
                return;
        check_found(o, subject, c);
        w->found = true;
}

static void check_repaired(Oracle *o, int subject, Control c) {
        const Subject *x = &o->life->scenario.subjects[subject];
        Watch *w = &o->watches[subject][c];
        usec_t now = life_now(o->life), polls = 2 * subject_poll_usec(x, c);

        if (!is_mended(x, c) || now <= undisturbed_since(o, w) + polls + ORACLE_SLACK_USEC ||
            troubles_concern(o->life, subject, x->service) || !machine_engine(o->life->machine))
                return;
        life_fail(o->life, subject, "f", "%s was not put right for %" PRIu64 " min; two polls are %" PRIu64, control_to_string(c),
                  (now - undisturbed_since(o, w)) / USEC_PER_MINUTE, polls / USEC_PER_MINUTE);
}

static void check_reapplied(Oracle *o, int subject) {
        const Subject *x = &o->life->scenario.subjects[subject];
        Watch *w = &o->watches[subject][CONTROL_SCHEDULE];
        usec_t since = MAX(MAX(undisturbed_since(o, w), o->foreign_usec), w->applied_usec), now = life_now(o->life);
        SimTruth t;

        /* What was never set up, and is to be off, is left so. */
        if (!sim_truth(o->life->sim, x->id, &t) || !t.schedule_configured)
                return;
        if (x->schedule.reapply_usec == USEC_INFINITY || x->observe || !oracle_as_written(o, (size_t) subject, CONTROL_SCHEDULE))
                return;
        if (now > since + x->schedule.reapply_usec + x->schedule.poll_usec + ORACLE_SLACK_USEC &&
            !troubles_concern(o->life, subject, x->service) && machine_engine(o->life->machine))
                life_fail(o->life, subject, "f", "the schedule was not applied again for %" PRIu64 " h", (now - since) / USEC_PER_HOUR);
}

void oracle_drift_check(Oracle *o) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++) {
                const Subject *x = &o->life->scenario.subjects[i];

                for (Control c = 0; c < CONTROL__MAX; c++) {
                        if ((c != CONTROL_ENCRYPTION && c != CONTROL_SCHEDULE) || !subject_has(x, c))
                                continue;
                        if (o->watches[i][c].drift_usec > 0 && !o->watches[i][c].found)
                                check_found(o, (int) i, c);
                        if (o->watches[i][c].drift_usec > 0)
                                check_repaired(o, (int) i, c);
                        if (c == CONTROL_SCHEDULE)
                                check_reapplied(o, (int) i);
                }
        }
}

/* --- i: the end ----------------------------------------------------------------------------------------------------- */

usec_t oracle_converged_usec(const Oracle *o, size_t subject, usec_t calm_usec) {
        const Scenario *s = &o->life->scenario;
        const Subject *x = &s->subjects[subject];
        usec_t wait = 0;

        for (Control c = 0; c < CONTROL__MAX; c++)
                if (subject_has(x, c))
                        wait = MAX(wait, 2 * subject_poll_usec(x, c));
        /* Readings may have to be tried one after another, and new locks come so many a day. After a success without effect the next request waits
         * (holdfastd(8), What cannot be taken back). */
        if (x->has_lock)
                wait += 3 * x->lock.settle_usec + scenario_n_locks(s) / MAX(s->new_locks_per_day, 1u) * USEC_PER_DAY +
                        x->lock.poll_usec + MAX(x->lock.renew_before_usec / 4, USEC_PER_HOUR);
        return calm_usec + wait + 7 * USEC_PER_MINUTE + ORACLE_SLACK_USEC;
}

/*
 * Of a lock whose start lies further back than limits.max_retention_days, so many days are asked for only once an effect has shown that they
 * count from there. That is said, loudly (holdfastd(8), lock-refused).
 */
static bool is_refused(const Oracle *o, size_t subject) {
        const Scenario *s = &o->life->scenario;

        return (o->watches[subject][CONTROL_LOCK].passed & (1u << SAID_LOCK_REFUSED)) && s->reading == READING_FROM_START &&
               keeper_readings(o->life->keeper) == 0;
}

void oracle_check_converged(Oracle *o, size_t subject) {
        const Subject *x = &o->life->scenario.subjects[subject];

        for (Control c = 0; c < CONTROL__MAX; c++)
                if (is_mended(x, c) && !(c == CONTROL_LOCK && (o->misled || is_refused(o, subject))) && !oracle_as_written(o, subject, c))
                        life_fail(o->life, (int) subject, "i", "nothing goes wrong any more, and %s is still not as written",
                                  control_to_string(c));
}
