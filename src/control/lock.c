/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/lock-internal.h"

/*
 * Control "lock": a compliance lock is enabled where there is none, and extended before less than renew_before of it remains. It can be
 * neither shortened nor removed afterwards, by anyone, so a write is only ever decided on a read that has just come, by the clock of the
 * cloud, after the intent was stored.
 *
 * One look: read → judge what earlier requests did → compliant? → plan → store the intent → write → read back → judge …
 */

/* Where the cloud's clock and ours differ by more, one of them is broken, and no lock is written (holdfastd(8), What cannot be taken back). The
 * gateway refuses signatures at the same distance (API Request Signing Guide). */
#define LOCK_SKEW_MAX_USEC (15 * USEC_PER_MINUTE)

/* A lock that ends earlier than it did is read once more after this before it is believed: a replica may lag. Picked. */
#define LOCK_CONFIRM_USEC (2 * USEC_PER_SEC)

#define LOCK_DOUBTS_MAX 3       /* reads of one look that the next does not bear out; picked */

static bool clocks_agree(const Situation *s, usec_t date_usec) {
        return date_usec > 0 && usec_diff(date_usec, s->now_usec) <= LOCK_SKEW_MAX_USEC;
}

static void freeze(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d) {
        char was[TIME_TEXT_MAX], is[TIME_TEXT_MAX];
        Saying *say;

        d->freeze.freeze = true;
        rfc3339_format(v->end_usec, is);

        if (ruling->judgement == LOCK_JUDGED_SHORTER)
                (void) snprintf(d->freeze.why, sizeof(d->freeze.why), "the lock of %s ended at %s and now reads %s%s",
                                s->instance->name, rfc3339_format(v->memory->end_usec, was),
                                v->end_usec > 0 ? "as ending at " : "as not enabled", v->end_usec > 0 ? is : "");
        else if (ruling->judgement == LOCK_JUDGED_PAST_CAP)
                (void) snprintf(d->freeze.why, sizeof(d->freeze.why), "the lock of %s reads as ending at %s, past the cap %s",
                                s->instance->name, is, rfc3339_format(ruling->intent->cap_at_usec, was));
        else
                (void) snprintf(d->freeze.why, sizeof(d->freeze.why),
                                "the lock of %s reads as ending at %s after %s by %lld days: no reading explains that", s->instance->name,
                                is, lock_action_to_string(ruling->action), (long long) ruling->intent->days);

        say = decision_say(d, EVENT_LOCK_FROZEN, SAID_LOCK_REFUSED, digest_text(d->freeze.why),
                           "%s; all lock writes to this endpoint stop until an administrator says: holdfastctl thaw", d->freeze.why);
        say->lock_end_usec = v->end_usec;

        /* From here on this is what the lock is: a thaw must not freeze again at once. */
        v->memory->seen = true;
        v->memory->start_usec = v->facts->start_usec;
        v->memory->end_usec = v->end_usec;
        v->memory->struck = 0;
        v->memory->n_intents = 0;
        d->state_changed = true;
        lock_done_violated(v, d, v->policy->poll_usec, "lock writes to this endpoint are frozen");
}

/* Readings that the endpoint is known for after this. */
static unsigned taught(const Situation *s, const LockRuling *ruling) {
        unsigned known = s->endpoint->readings, now;

        if (ruling->action != LOCK_EXTEND || ruling->matched == 0 || ruling->intent->end_before_usec <= ruling->intent->sent_at_usec)
                return known;   /* of an ended lock it shows nothing of one that runs */

        now = known ? known & ruling->matched : ruling->matched;
        if (now == 0)
                now = ruling->matched;  /* the cloud has changed its ways: what it does now counts */
        return now == READINGS_ALL ? known : now;
}

static void learn(const Situation *s, const LockRuling *ruling, Decision *d) {
        unsigned now = taught(s, ruling);

        if (now != s->endpoint->readings)
                d->learned_readings = now;
}

/* Does it tell, or stop, the other locks of the endpoint too? */
static bool bears_on_others(const Situation *s, const LockRuling *ruling) {
        switch (ruling->judgement) {
        case LOCK_JUDGED_SHORTER:
        case LOCK_JUDGED_PAST_CAP:
        case LOCK_JUDGED_ODD:
                return true;
        case LOCK_JUDGED_CONFIRMED:
                return taught(s, ruling) != s->endpoint->readings;
        case LOCK_JUDGED_QUIET:
        case LOCK_JUDGED_PENDING:
        case LOCK_JUDGED_VOID:
        case LOCK_JUDGED_FOREIGN:
                break;
        }

        return false;
}

static void view_set_end(LockView *v, usec_t end_usec) {
        v->end_usec = end_usec;
        v->running = end_usec > v->now_usec;
        v->remaining_usec = usec_sub(end_usec, v->now_usec);
}

/* The lock could not be read, or not be believed: what is said of its end goes by what was read before. A request that was not seen to take
 * effect protects nothing. */
static void say_end_as_known(LockView v, Decision *d, const char *why) {
        view_set_end(&v, v.memory->seen ? v.memory->end_usec : 0);
        if (!v.running && v.memory->seen)
                lock_say_lapsed(&v, d);
        lock_say_expiring(&v, d, why);
}

/* What bears on others is believed if two reads in a row show it: a single one may be wrong. Returns true if the look goes on with another
 * read, or ends since no two agree. */
static bool read_again(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d) {
        Look *look = s->look;
        usec_t end_usec = MAX(v->end_usec, (usec_t) 1);

        if (!bears_on_others(s, ruling) || look->doubted_end_usec == end_usec)
                return false;

        look->doubted_end_usec = end_usec;
        if (look->n_doubted++ >= LOCK_DOUBTS_MAX) {
                decision_unknown(d, "the end of the compliance lock reads otherwise each time");
                say_end_as_known(*v, d, d->why);
                return true;
        }

        decision_ask(d, CALL_LOCK_GET);
        if (ruling->judgement == LOCK_JUDGED_SHORTER) {
                d->next = NEXT_ASK_LATER;
                d->wait_usec = LOCK_CONFIRM_USEC;
        }
        return true;
}

static void remember_read(const LockView *v, Decision *d) {
        LockMemory *m = v->memory;

        if (v->facts->presence != LOCK_HELD)
                return;         /* the end of a lock that is gone stays known: it lapsed */

        if (!m->seen || m->end_usec != v->facts->end_usec || m->start_usec != v->facts->start_usec) {
                m->seen = true;
                m->start_usec = v->facts->start_usec;
                m->end_usec = v->facts->end_usec;
                d->state_changed = true;
        }
}

/* A request is out whose effect does not show yet. */
static void done_pending(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d) {
        usec_t wait = usec_sub(ruling->settled_at_usec, v->now_usec);

        /* Most clouds are only seconds slow. */
        if (s->look->wrote && ++s->look->n_reads_back < READ_BACK_MAX && read_back_wait_usec(s->look->n_reads_back) < wait) {
                decision_ask(d, CALL_LOCK_GET);
                d->next = NEXT_ASK_LATER;
                d->wait_usec = read_back_wait_usec(s->look->n_reads_back);
                return;
        }

        if (v->remaining_usec >= v->policy->renew_before_usec) {
                lock_done_compliant(s, v, d);
                return;
        }

        if (!s->look->wrote)
                lock_say_drift(s, v, d);
        lock_done_waiting(v, d, usec_add(wait, USEC_PER_SEC), "a request to the cloud does not show its effect yet: it may only be slow");
}

static LockView view_read(const Situation *s) {
        const LockFacts *f = &s->answer->lock;
        LockView v = {
                .policy = s->instance->terms->lock,
                .memory = &s->state->lock,
                .facts = f,
                .now_usec = s->answer->date_usec > 0 ? s->answer->date_usec : s->cloud_now_usec,
                .clock_agreed = clocks_agree(s, s->answer->date_usec),
        };

        view_set_end(&v, f->presence == LOCK_HELD ? f->end_usec : 0);
        return v;
}

/* Has an effect shown that the cloud does not count as the policy states? */
static bool is_misstated(const LockView *v, const LockRuling *ruling) {
        unsigned stated = lock_stated_reading(v->policy->extension);

        return ruling->action == LOCK_EXTEND && stated && ruling->matched && !(stated & ruling->matched);
}

/* Acts on what the read says of earlier requests. Returns true if the look goes on with the lock as it is. */
static bool take_ruling(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d) {
        switch (ruling->judgement) {
        case LOCK_JUDGED_SHORTER:
        case LOCK_JUDGED_PAST_CAP:
        case LOCK_JUDGED_ODD:
                freeze(s, v, ruling, d);
                return false;
        case LOCK_JUDGED_PENDING:
                done_pending(s, v, ruling, d);
                return false;
        case LOCK_JUDGED_CONFIRMED:
                learn(s, ruling, d);
                lock_say_confirmed(s, v, ruling, d);
                s->look->climbing = s->look->wrote && ruling->short_of_target;
                if (is_misstated(v, ruling)) {
                        s->look->climbing = false;
                        lock_say_misstated(v, ruling->matched, d);
                }
                break;
        case LOCK_JUDGED_VOID:
        case LOCK_JUDGED_FOREIGN:
                s->look->climbing = false;
                break;
        case LOCK_JUDGED_QUIET:
                return true;
        }

        s->look->wrote = false;
        s->look->n_reads_back = 0;
        d->state_changed = true;
        return true;
}

/* A step reckoned for another reading than the true one may fall short of the target: go on, if it can be done. */
static bool climb_on(const Situation *s, const LockView *v, Decision *d) {
        usec_t target_usec = (usec_t) v->policy->retention_days * USEC_PER_DAY;

        if (!s->look->climbing || usec_add(v->remaining_usec, LOCK_TARGET_SLACK_USEC) >= target_usec)
                return false;
        if (!s->enforce || s->endpoint->frozen || !v->clock_agreed || s->look->n_writes >= LOCK_WRITES_MAX)
                return false;

        return lock_try_extend(s, v, 0, d) == LOCK_PLAN_SEND;
}

/* A lock that its owner extended by hand may end as late as they please; on a frozen endpoint it is taken for what froze it. */
static bool past_cap(const Situation *s, const LockView *v) {
        return v->remaining_usec > (usec_t) MIN(v->policy->max_retention_days, s->limit_retention_days) * USEC_PER_DAY + USEC_PER_DAY;
}

/* A renewal in time is no drift: the lock is due, as was planned. */
static void note_routine(const Situation *s, const LockView *v) {
        if (s->state->verdict == VERDICT_COMPLIANT && v->running &&
            usec_add(v->remaining_usec, 2 * v->policy->poll_usec) >= v->policy->renew_before_usec)
                s->look->routine = true;
}

static void on_lock_read(const Situation *s, Decision *d) {
        LockView v = view_read(s);
        LockRuling ruling;

        /* A reply that says nothing about a lock that must still run is no proof that it is gone. */
        if (v.facts->presence == LOCK_NONE && !v.facts->explicit_none && v.memory->seen && v.memory->end_usec > v.now_usec) {
                char end[TIME_TEXT_MAX];

                decision_unknown(d, "the reply does not mention the lock, which was read before as lasting until %s",
                                 rfc3339_format(v.memory->end_usec, end));
                say_end_as_known(v, d, d->why);
                return;
        }

        /* By a clock that may be wrong nothing is judged: a request would seem to have had its time to settle, and the next, larger one would
         * follow too early. What is read counts once the clocks agree; until then nothing is written either. */
        if (v.clock_agreed) {
                LockMemory judged = *v.memory;

                lock_judge(&judged, v.facts, v.now_usec, v.policy->settle_usec, s->look->wrote, &ruling);
                if (read_again(s, &v, &ruling, d))
                        return;
                *v.memory = judged;
                if (!take_ruling(s, &v, &ruling, d))
                        return;

                remember_read(&v, d);
                lock_forget_old(v.memory, v.now_usec, v.policy->settle_usec);
        }

        if (s->endpoint->frozen && past_cap(s, &v)) {
                lock_say_frozen(s, d);
                lock_done_violated(&v, d, v.policy->poll_usec, "it ends past the cap, and lock writes to this endpoint are frozen");
                return;
        }

        if (v.remaining_usec >= v.policy->renew_before_usec) {
                if (!climb_on(s, &v, d))
                        lock_done_compliant(s, &v, d);
                return;
        }

        note_routine(s, &v);
        lock_plan_write(s, &v, d);
}

/* --- Not reading -------------------------------------------------------------------------------------------------- */

/* The end to reckon with while the lock can't be read: as it was last read, or as the last request should have left it. */
static usec_t assumed_end(const LockMemory *m) {
        usec_t end_usec = m->seen ? m->end_usec : 0;

        for (size_t k = 0; k < m->n_intents; k++)
                if (lock_intent_outstanding(&m->intents[k]))
                        end_usec = MAX(end_usec, m->intents[k].expected_end_usec);

        return end_usec;
}

/* The lock can't be read back here at all. Only the owner's word on the reading allows an extension then (holdfastd(8), the irrevocable
 * one, 3). Returns true if one was asked for. */
static bool extend_unread(const Situation *s, const LockView *v, Decision *d) {
        bool due = v->remaining_usec < v->policy->renew_before_usec, refused = s->look->n_writes > 0;

        if (!due || !s->enforce || s->endpoint->frozen || (refused && lock_candidate_readings(s, d) != 0))
                return false;

        if (lock_stated_reading(v->policy->extension) == 0) {
                (void) decision_say(d, EVENT_LOCK_REFUSED, SAID_LOCK_REFUSED, 1,
                                    "the compliance lock cannot be read here, and the policy does not state what an extension counts from "
                                    "(lock.extension): nothing is sent");
                return false;
        }

        if (!v->clock_agreed)
                return false;

        if (!refused) {
                lock_begin_climb(s, v, d);
                note_routine(s, v);
                if (v->running)         /* else nothing is known, and what is not known is no drift */
                        lock_say_drift(s, v, d);
                if (lock_candidate_readings(s, d) != 0 && lock_try_extend(s, v, usec_add(v->now_usec, v->policy->renew_before_usec), d) == LOCK_PLAN_SEND)
                        return true;
        }

        (void) decision_say(d, EVENT_LOCK_REFUSED, SAID_LOCK_REFUSED, 2,
                            "the compliance lock cannot be read here, and cannot be extended unread as the policy states (%s)",
                            extension_to_string(v->policy->extension));
        return false;
}

static void on_read_failed(const Situation *s, Decision *d) {
        const Failure *f = s->failure;
        LockView v = {
                .policy = s->instance->terms->lock,
                .memory = &s->state->lock,
                .now_usec = f->date_usec > 0 ? f->date_usec : s->cloud_now_usec,
                .clock_agreed = clocks_agree(s, f->date_usec),
        };

        view_set_end(&v, assumed_end(v.memory));
        if ((f->class == FAILURE_NOT_PERMITTED || f->class == FAILURE_NOT_OFFERED) && extend_unread(s, &v, d))
                return;

        say_end_as_known(v, d, f->message);
        decision_unknown(d, "the compliance lock could not be read: %s", f->message);
}

/* --- Something to protect ----------------------------------------------------------------------------------------- */

static void on_backups(const Situation *s, Decision *d) {
        const LockPolicy *p = s->instance->terms->lock;
        const BackupPage *page;
        usec_t now_usec, oldest_usec;
        char age[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
        LockView v = { .policy = p, .memory = &s->state->lock, .end_usec = s->look->lock_end_usec, .clock_agreed = true };

        if (s->failure) {
                decision_unknown(d, "the backups that the lock should protect could not be listed: %s", s->failure->message);
                return;
        }

        page = &s->answer->backups;
        now_usec = s->answer->date_usec > 0 ? s->answer->date_usec : s->cloud_now_usec;
        oldest_usec = usec_sub(now_usec, p->require_manual_backup_usec);
        v.remaining_usec = usec_sub(v.end_usec, now_usec);

        /* The list may have waited for its turn for minutes, and the lock has become due meanwhile. */
        if (v.remaining_usec < p->renew_before_usec && !s->look->became_due) {
                s->look->became_due = true;
                s->look->phase = LOCK_PHASE_READ;
                decision_ask(d, CALL_LOCK_GET);
                return;
        }

        for (size_t i = 0; i < page->n_items; i++) {
                const BackupFacts *b = &page->items[i];

                if (b->status == BACKUP_COMPLETED && b->manual && b->of_instance && b->end_usec >= oldest_usec) {
                        decision_done(d, VERDICT_COMPLIANT, lock_wait_compliant(&v), "locked until %s, with manual backup %s",
                                      rfc3339_format(v.end_usec, end), b->id);
                        lock_quiet(s, &v, d, usec_add(b->end_usec - oldest_usec, 1));
                        return;
                }
        }

        if (decision_next_page(d, s->look, CALL_TAURUSDB_BACKUPS, page))
                return;

        (void) decision_say(d, EVENT_LOCK_EMPTY, SAID_LOCK_EMPTY, 1,
                            "the compliance lock has nothing to protect: no completed manual backup is younger than %s",
                            duration_format_human(p->require_manual_backup_usec, age));
        decision_done(d, VERDICT_VIOLATED, lock_wait_compliant(&v), "locked until %s, but no manual backup is younger than %s",
                      rfc3339_format(v.end_usec, end), age);
}

void lock_step(const Situation *s, Decision *ret) {
        assert(s);
        assert(s->instance->terms->lock);
        assert(ret);

        switch (s->look->phase) {
        case LOCK_PHASE_START:
                s->look->phase = LOCK_PHASE_READ;
                decision_ask(ret, CALL_LOCK_GET);
                return;
        case LOCK_PHASE_READ:
                if (s->failure)
                        on_read_failed(s, ret);
                else
                        on_lock_read(s, ret);
                return;
        case LOCK_PHASE_WRITE:
                lock_on_written(s, ret);
                return;
        case LOCK_PHASE_BACKUPS:
                on_backups(s, ret);
                return;
        default:
                assert(false);
        }
}
