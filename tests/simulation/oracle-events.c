/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include "oracle.h"

/*
 * Promise h: what lasts is said in time, once, and again after 24 h. The digest that makes something news is the control's own; whether
 * the engine goes by it is what is held here.
 */

#define AGAIN_USEC USEC_PER_DAY
#define UNKNOWN_POLLS 3         /* holdfastd(8), unknown */

static void note_sayings(Oracle *o, int subject, Control c, const Decision *d) {
        o->step_subject = subject;
        o->step_control = c;
        o->n_step_sayings = 0;
        for (size_t i = 0; i < d->n_sayings; i++) {
                o->step_sayings[o->n_step_sayings].id = d->sayings[i].id;
                o->step_sayings[o->n_step_sayings].said = d->sayings[i].said;
                o->step_sayings[o->n_step_sayings++].digest = d->sayings[i].digest;
                if (d->sayings[i].id == EVENT_LOCK_REFUSED)
                        oracle_lock_trouble(o, subject);        /* a cap or a limit forbids it: b does not hold for it */
                if (d->sayings[i].said >= 0)
                        o->watches[subject][c].passed |= 1u << d->sayings[i].said;
        }
}

/* A lock that ended, or is about to, is never passed over in silence. */
static void check_lock_said(Oracle *o, int subject, const Situation *s, const Decision *d, unsigned passed) {
        const LockFacts *f = s->answer && s->answer->call == CALL_LOCK_GET ? &s->answer->lock : NULL;
        usec_t left;

        if (!f || f->presence != LOCK_HELD || d->verdict != VERDICT_VIOLATED)
                return;

        left = usec_sub(f->end_usec, s->answer->date_usec);
        if (left == 0 && !(passed & (1u << SAID_LOCK_LAPSED)))
                life_fail(o->life, subject, "h", "the lock has ended, and nothing says so");
        if (left > 0 && left < s->instance->terms->lock->renew_before_usec / 2 && !(passed & (1u << SAID_LOCK_EXPIRING)))
                life_fail(o->life, subject, "h", "under half of renew_before is left, and nothing says so");
}

/* While a lock cannot be read, this host's clock may be anything: nobody is woken for it. */
static void check_unread_said(Oracle *o, int subject, const Situation *s, const Decision *d) {
        usec_t end_usec = s->state->lock.end_usec;

        if (!s->failure || !o->dated || end_usec <= life_cloud_now(o->life) + USEC_PER_MINUTE)
                return;
        for (size_t i = 0; i < d->n_sayings; i++)
                if (d->sayings[i].id == EVENT_LOCK_LAPSED)
                        life_fail(o->life, subject, "h", "the lock is said to have ended, and by the cloud's clock it runs");
}

void oracle_events_step(Oracle *o, int subject, Control c, const Situation *s, const Decision *d) {
        Watch *w = &o->watches[subject][c];

        note_sayings(o, subject, c, d);
        o->dated |= (s->answer && s->answer->date_usec > 0) || (s->failure && s->failure->date_usec > 0);
        if (c == CONTROL_LOCK)
                check_unread_said(o, subject, s, d);
        if (d->next == NEXT_UNKNOWN && w->unknown_usec == 0)
                w->unknown_usec = life_now(o->life);
        if (d->next != NEXT_DONE)
                return;

        w->unknown_usec = 0;
        w->unknown_said = false;
        if (c == CONTROL_LOCK)
                check_lock_said(o, subject, s, d, w->passed);
        /* The first failure of a renewal in time is no news yet; the second is. */
        if (d->verdict == VERDICT_VIOLATED && w->verdict == VERDICT_VIOLATED && w->passed == 0)
                life_fail(o->life, subject, "h", "%s is violated, and nothing says so", control_to_string(c));

        for (int k = 0; k < SAID__MAX; k++)
                if (d->verdict == VERDICT_COMPLIANT || !((w->passed | d->held) & (1u << k)))
                        w->said[k].wall_usec = 0;
}

/* Which lasting state it is; -1: none that a look knows of. */
static int said_of(const Oracle *o, const Event *e, uint32_t *ret_digest) {
        *ret_digest = 0;
        if (e->id == EVENT_UNKNOWN)
                return e->priority == LOG_ERR ? SAID_UNKNOWN_LONG : SAID_UNKNOWN;
        if (e->id == EVENT_API_FAILING) {
                *ret_digest = digest_text(e->error_code) ^ (uint32_t) e->http_status;
                return SAID_API_FAILING;
        }
        for (size_t i = 0; i < o->n_step_sayings; i++)
                if (o->step_sayings[i].id == e->id && o->step_sayings[i].said >= 0) {
                        *ret_digest = o->step_sayings[i].digest;
                        return o->step_sayings[i].said;
                }
        return -1;
}

void oracle_on_say(Oracle *o, const Event *e) {
        usec_t wall = machine_wall_time(o->life->machine);
        struct OracleSaid *said;
        uint32_t digest;
        int subject, k;

        o->life->figures.n_events++;
        subject = e->name ? life_subject(e->name) : TRACE_ALL;
        life_trace(o->life, subject, TRACE_EVENT, event_type(e->id)->name, (int64_t) e->lock_end_usec, 0);
        if (o->life->options.verbose && event_type(e->id)->priority <= LOG_ERR)
                (void) printf("%s: %s\n", event_type(e->id)->name, e->message);
        if (!e->name || !event_type(e->id)->lasting || subject != o->step_subject)
                return;

        k = said_of(o, e, &digest);
        if (k < 0)
                return;
        said = &o->watches[subject][o->step_control].said[k];
        if (said->wall_usec > 0 && said->digest == digest && wall >= said->wall_usec && wall - said->wall_usec < AGAIN_USEC)
                life_fail(o->life, subject, "h", "%s was said again after %" PRIu64 " min", event_type(e->id)->name,
                          (wall - said->wall_usec) / USEC_PER_MINUTE);
        o->watches[subject][o->step_control].unknown_said |= e->id == EVENT_UNKNOWN;
        said->digest = digest;
        said->wall_usec = MAX(wall, (usec_t) 1);
}

void oracle_events_check(Oracle *o) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                for (Control c = 0; c < CONTROL__MAX; c++) {
                        const Watch *w = &o->watches[i][c];
                        usec_t polls;

                        if (w->unknown_usec == 0 || w->unknown_said || !subject_has(&o->life->scenario.subjects[i], c))
                                continue;
                        polls = UNKNOWN_POLLS * subject_poll_usec(&o->life->scenario.subjects[i], c);
                        if (life_now(o->life) > w->unknown_usec + polls + 5 * ORACLE_SLACK_USEC)
                                life_fail(o->life, (int) i, "h", "%s cannot be determined for %" PRIu64 " h, and nothing says so",
                                          control_to_string(c), (life_now(o->life) - w->unknown_usec) / USEC_PER_HOUR);
                }
}
