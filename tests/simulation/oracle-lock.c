/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "oracle.h"
#include "sim/truth.h"

/*
 * Promises a to d: how far locks go, that they do not lapse, and what must have happened before a request to one.
 */

#define SKEW_MAX_USEC (15 * USEC_PER_MINUTE)    /* holdfastd(8): beyond it no lock is written */
#define NEW_LOCKS_USEC USEC_PER_DAY

void oracle_lock_trouble(Oracle *o, int subject) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                if (subject < 0 || subject == (int) i)
                        o->locks[i].good_usec = life_now(o->life);
}

/* --- Before it is sent --------------------------------------------------------------------------------------------- */

static int64_t cap_days(const Oracle *o, const Instance *i) {
        return MIN(i->terms->lock->max_retention_days, o->life->scenario.limit_days);
}

/* c: the newest intent is stored, and is this request's. */
static void check_intent(Oracle *o, int subject, const Ask *ask) {
        const ControlState *stored = keeper_committed(o->life->keeper, (size_t) subject, CONTROL_LOCK);
        LockWatch *w = &o->locks[subject];
        const LockIntent *i;

        if (!stored || stored->lock.n_intents == 0) {
                life_fail(o->life, subject, "c", "a request to a lock, and no intent is stored");
                return;
        }

        i = &stored->lock.intents[stored->lock.n_intents - 1];
        if (i->outcome != INTENT_OPEN || i->action != ask->lock_set.action || i->days != ask->lock_set.days) {
                life_fail(o->life, subject, "c", "the newest stored intent is %s by %" PRId64 " days, %s; sent is %s by %" PRId64,
                          lock_action_to_string(i->action), i->days, intent_outcome_to_string(i->outcome),
                          lock_action_to_string(ask->lock_set.action), ask->lock_set.days);
                return;
        }

        if (i->sent_at_usec != w->intent.sent_at_usec || i->action != w->intent.action || i->days != w->intent.days)
                w->n_effects = 0;
        w->intent = *i;
}

void oracle_lock_sent(Oracle *o, int subject, const Instance *i, const Ask *ask) {
        Life *l = o->life;
        int64_t skew = life_skew_usec(l);
        LockWatch *w = &o->locks[subject];

        w->cap_usec = life_cloud_now(l) + (usec_t) cap_days(o, i) * USEC_PER_DAY;
        check_intent(o, subject, ask);

        if (o->frozen)
                life_fail(l, subject, "d", "a request to a lock while lock writes are frozen");
        if ((usec_t) (skew < 0 ? -skew : skew) > SKEW_MAX_USEC + 2 * l->scenario.latency_usec + USEC_PER_SEC)
                life_fail(l, subject, "d", "a request to a lock while the clocks differ by %" PRId64 " s", skew / (int64_t) USEC_PER_SEC);
        if (ask->lock_set.action == LOCK_ENABLE && ask->lock_set.days > cap_days(o, i))
                life_fail(l, subject, "d", "a lock is enabled for %" PRId64 " days, and %" PRId64 " are the cap", ask->lock_set.days,
                          cap_days(o, i));
}

/* --- What it did --------------------------------------------------------------------------------------------------- */

static void note_next_end(Oracle *o) {
        o->next_end_usec = USEC_INFINITY;
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                if (o->locks[i].running)
                        o->next_end_usec = MIN(o->next_end_usec, o->locks[i].end_usec);
}

/* d: so many locks are enabled within 24 hours, whatever happens in between. By the host's clock, which may be off by a quarter of an hour before
 * it is held to be broken (holdfastd(8), What cannot be taken back, 6). */
static void check_budget(Oracle *o, int subject) {
        usec_t now = life_cloud_now(o->life);
        bool seen[SUBJECTS_MAX] = {};
        unsigned n = 0;

        if (o->n_enabled == ENABLED_MAX) {
                memmove(o->enabled, o->enabled + 1, (ENABLED_MAX - 1) * sizeof(o->enabled[0]));
                o->n_enabled--;
        }
        o->enabled[o->n_enabled++] = (EnabledLock) { .cloud_usec = now, .subject = subject };

        for (size_t i = 0; i < o->n_enabled; i++) {
                const EnabledLock *e = &o->enabled[i];

                if (e->cloud_usec + NEW_LOCKS_USEC > now + 15 * USEC_PER_MINUTE && !seen[e->subject]) {
                        seen[e->subject] = true;
                        n++;
                }
        }
        if (n > o->life->scenario.new_locks_per_day)
                life_fail(o->life, subject, "d", "%u locks were enabled within 24 hours, and %u are the limit", n,
                          o->life->scenario.new_locks_per_day);
}

/* Was the last effect not to be seen yet by the read that the request rests on, and could it not be waited for, because what is seen of the
 * lock is about to end? */
static bool is_too_late(const Oracle *o, const LockWatch *w) {
        return w->effect_usec + o->read_delay_usec > w->read_usec &&
               w->before_usec < w->effect_usec + 4 * o->read_delay_usec;
}

void oracle_lock_effect(Oracle *o, int subject) {
        Life *l = o->life;
        LockWatch *w = &o->locks[subject];
        bool ran = w->running;
        SimTruth truth;

        if (!sim_truth(l->sim, l->scenario.subjects[subject].id, &truth) || truth.lock_end_usec == w->end_usec)
                return;

        life_trace(l, subject, TRACE_TRUTH, ran ? "lock extended" : "lock enabled", (int64_t) truth.lock_end_usec, 0);
        if (truth.lock_end_usec < w->end_usec && ran)
                life_fail(l, subject, "a", "the lock was shortened");
        if (w->effect_usec + o->read_delay_usec <= w->read_usec)
                w->before_usec = w->end_usec;
        w->end_usec = truth.lock_end_usec;
        w->running = w->end_usec > life_cloud_now(l);
        note_next_end(o);

        if (++w->n_effects > 1)
                life_fail(l, subject, "c", "%u requests took effect for one intent", w->n_effects);

        /* A success without effect disproves a reading that is the true one, as far as anybody can tell (holdfastd(8), What cannot be taken
         * back, 2): the larger request that follows is right under all that are left. The same if reads lag by more than a quarter of what
         * remains of the lock, which is as long as waiting may take. And if somebody moves the end between the read and the request that
         * rests on it: the API has no way to ask for one end if it is still another. */
        /* The API shows whole seconds, of the lock and of its own time: what lies between two of them nobody can reckon with. */
        if (w->end_usec > w->cap_usec + USEC_PER_SEC) {
                if (w->deceived || w->unseen || is_too_late(o, w))
                        l->figures.n_deceived++;
                else
                        life_fail(l, subject, "a", "the lock ends %" PRIu64 " s past its cap", (w->end_usec - w->cap_usec) / USEC_PER_SEC);
        }
        w->deceived = false;
        w->effect_usec = life_cloud_now(l);

        if (ran)
                l->figures.n_extended++;
        else {
                l->figures.n_enabled++;
                check_budget(o, subject);
        }
}

/* Looks at all of them: they are new, or were changed by hand. */
void oracle_lock_reckon(Oracle *o, bool by_hand) {
        Life *l = o->life;

        for (size_t i = 0; i < l->scenario.n_subjects; i++) {
                LockWatch *w = &o->locks[i];
                SimTruth truth;

                if (!l->scenario.subjects[i].has_lock || !sim_truth(l->sim, l->scenario.subjects[i].id, &truth) ||
                    truth.lock_end_usec == w->end_usec)
                        continue;
                if (by_hand) {
                        life_trace(l, (int) i, TRACE_TRUTH, "lock changed by hand", (int64_t) truth.lock_end_usec, 0);
                        w->unseen = true;
                        w->hand_usec = life_cloud_now(l);
                }
                w->end_usec = truth.lock_end_usec;
                w->running = w->end_usec > life_cloud_now(l);
                w->good_usec = life_now(l);
        }
        note_next_end(o);
}

void oracle_lock_read(Oracle *o, int subject) {
        LockWatch *w = &o->locks[subject];

        w->read_usec = life_cloud_now(o->life);
        if (w->hand_usec + o->read_delay_usec <= w->read_usec)
                w->unseen = false;
}

/* --- That it lapses ------------------------------------------------------------------------------------------------ */

static void lapse(Oracle *o, int subject) {
        Life *l = o->life;
        const Subject *x = &l->scenario.subjects[subject];
        LockWatch *w = &o->locks[subject];
        usec_t needed, had;

        w->running = false;
        l->figures.n_lapsed++;
        life_trace(l, subject, TRACE_TRUTH, "lock lapsed", (int64_t) w->end_usec, 0);

        /* A cap that the owner has set too tight is their word, and was said to be. */
        if (!x->in_force || x->observe || o->frozen || o->misled || !machine_engine(l->machine) || troubles_concern(l, subject, x->service) ||
            life_now(l) < o->identity_usec)
                return;

        needed = 6 * x->lock.poll_usec + 3 * x->lock.settle_usec + ORACLE_SLACK_USEC;
        had = MIN(usec_sub(life_now(l), w->good_usec), x->lock.renew_before_usec);
        if (had >= needed)
                life_fail(l, subject, "b", "the lock lapsed, and nothing has been wrong for %" PRIu64 " h; six polls and three settles are %"
                          PRIu64 " h", had / USEC_PER_HOUR, needed / USEC_PER_HOUR);
}

void oracle_lock_ends(Oracle *o) {
        usec_t now = life_cloud_now(o->life);

        if (now < o->next_end_usec)
                return;

        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                if (o->locks[i].running && o->locks[i].end_usec <= now)
                        lapse(o, (int) i);
        note_next_end(o);
}
