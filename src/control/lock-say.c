/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/lock-internal.h"

/*
 * Verdicts on a lock, and what is said with them.
 */

static uint32_t digest_usec(usec_t usec) {
        char text[TIME_TEXT_MAX];

        return digest_text(rfc3339_format(usec, text));
}

/* When the lock that there was has ended; 0: none is known of. */
static usec_t ended_usec(const LockView *v) {
        if (v->end_usec > 0)
                return v->end_usec;
        if (v->facts && v->facts->ended_usec > 0)
                return v->facts->ended_usec;
        return v->memory->seen ? v->memory->end_usec : 0;
}

void lock_say_lapsed(const LockView *v, Decision *d) {
        char end[TIME_TEXT_MAX];
        usec_t ended = ended_usec(v);
        Saying *say;

        if (v->running || ended == 0 || ended > v->now_usec)
                return;

        say = decision_say(d, EVENT_LOCK_LAPSED, SAID_LOCK_LAPSED, digest_usec(ended),
                           "the compliance lock ended at %s: its backups can be deleted by whoever may", rfc3339_format(ended, end));
        say->lock_end_usec = ended;
}

/* Under half of renew_before is left, and nothing has helped. */
void lock_say_expiring(const LockView *v, Decision *d, const char *why) {
        char end[TIME_TEXT_MAX], remains[TIME_TEXT_MAX];
        Saying *say;

        if (!v->running || v->remaining_usec >= v->policy->renew_before_usec / 2)
                return;

        say = decision_say(d, EVENT_LOCK_EXPIRING, SAID_LOCK_EXPIRING, digest_usec(v->end_usec),
                           "the compliance lock ends in %s, at %s, and could not be extended: %s",
                           duration_format_human(v->remaining_usec, remains), rfc3339_format(v->end_usec, end), why);
        say->lock_end_usec = v->end_usec;
}

void lock_say_drift(const Situation *s, const LockView *v, Decision *d) {
        char end[TIME_TEXT_MAX], remains[TIME_TEXT_MAX], wanted[TIME_TEXT_MAX];
        Saying *say;

        if (s->look->routine)
                return;

        if (!v->running) {
                (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, 1, "no compliance lock is in force, expected one of %lld days",
                                    (long long) v->policy->retention_days);
                return;
        }

        say = decision_say(d, EVENT_DRIFT, SAID_DRIFT, digest_usec(v->end_usec),
                           "the compliance lock ends in %s, at %s, expected at least %s to remain",
                           duration_format_human(v->remaining_usec, remains), rfc3339_format(v->end_usec, end),
                           duration_format_human(v->policy->renew_before_usec, wanted));
        say->lock_end_usec = v->end_usec;
}

void lock_say_confirmed(const Situation *s, const LockView *v, const LockRuling *ruling, Decision *d) {
        char end[TIME_TEXT_MAX];
        bool enabled = ruling->action == LOCK_ENABLE;
        Saying *say;

        say = decision_say(d, enabled ? EVENT_LOCK_ENABLED : EVENT_LOCK_EXTENDED, -1, 0, "the compliance lock %s, it ends at %s",
                           enabled ? "was enabled" : "was extended", rfc3339_format(v->end_usec, end));
        say->lock_end_usec = v->end_usec;
        if (s->look->wrote)
                memcpy(say->request_id, s->look->request_id, sizeof(say->request_id));
}

void lock_say_frozen(const Situation *s, Decision *d) {
        (void) decision_say(d, EVENT_LOCK_FROZEN, SAID_LOCK_REFUSED, digest_text(s->endpoint->frozen_why),
                            "lock writes to this endpoint are frozen: %s; an administrator must look and say: holdfastctl thaw",
                            s->endpoint->frozen_why);
}

/* Said with each extension that shows it: it is reckoned by what the policy states all the same, and falls short. */
void lock_say_misstated(const LockView *v, unsigned shown, Decision *d) {
        char as[READINGS_TEXT_MAX];

        (void) decision_say(d, EVENT_LOCK_REFUSED, -1, 0,
                            "the compliance lock was extended otherwise than the policy states (lock.extension: %s): the cloud counts %s; "
                            "state that, or auto",
                            extension_to_string(v->policy->extension), readings_to_text(shown, as));
}

/* --- Verdicts ----------------------------------------------------------------------------------------------------- */

/* When to look again at a lock that is long enough: at the poll, or when it falls below renew_before. */
usec_t lock_wait_compliant(const LockView *v) {
        usec_t left = usec_sub(v->remaining_usec, v->policy->renew_before_usec);

        return MIN(v->policy->poll_usec, usec_add(left, USEC_PER_SEC));
}

/* A look that finds nothing to do still forgets requests of long ago, and judges those that have shown no effect yet. */
void lock_quiet(const Situation *s, const LockView *v, Decision *d, usec_t quiet_usec) {
        usec_t left = usec_sub(v->remaining_usec, v->policy->renew_before_usec);

        if (!v->clock_agreed || left == 0)
                return;

        decision_quiet(d, s, MIN(MIN(quiet_usec, left), lock_memory_left_usec(v->memory, v->now_usec, v->policy->settle_usec)));
}

/* What was found comes before what keeps it from being mended: the one is the verdict, the other explains why it lasts. No durations: the
 * sentence is stored, and read later. */
void lock_done_violated(const LockView *v, Decision *d, usec_t wait_usec, const char *why) {
        char end[TIME_TEXT_MAX], wanted[TIME_TEXT_MAX];
        usec_t wait = MIN(wait_usec, v->policy->poll_usec);

        lock_say_lapsed(v, d);
        lock_say_expiring(v, d, why);

        if (!v->running)
                decision_done(d, VERDICT_VIOLATED, wait, "no compliance lock is in force, expected one of %lld days; %s",
                              (long long) v->policy->retention_days, why);
        else if (v->remaining_usec < v->policy->renew_before_usec)
                decision_done(d, VERDICT_VIOLATED, wait, "the compliance lock ends at %s, expected at least %s to remain; %s",
                              rfc3339_format(v->end_usec, end), duration_format_human(v->policy->renew_before_usec, wanted), why);
        else
                decision_done(d, VERDICT_VIOLATED, wait, "%s", why);
}

/* Whether what failed before still does is not known yet: it is neither said again nor forgotten. */
void lock_done_waiting(const LockView *v, Decision *d, usec_t wait_usec, const char *why) {
        lock_done_violated(v, d, wait_usec, why);
        d->waiting = true;
        d->held = (1u << SAID_REMEDIATION_FAILED) | (1u << SAID_LOCK_REFUSED);
}

void lock_done_refused(const Situation *s, const LockView *v, Decision *d, const char *why) {
        (void) decision_say(d, EVENT_LOCK_REFUSED, SAID_LOCK_REFUSED, digest_text(why), "the compliance lock is not %s: %s",
                            v->running ? "extended" : "enabled", why);
        lock_done_violated(v, d, v->policy->poll_usec, why);
}

/* The lock is long enough. Is there something for it to protect? */
void lock_done_compliant(const Situation *s, const LockView *v, Decision *d) {
        char end[TIME_TEXT_MAX];

        if (v->policy->require_manual_backup_usec != USEC_INFINITY) {
                s->look->phase = LOCK_PHASE_BACKUPS;
                s->look->offset = s->look->n_pages = 0;
                s->look->lock_end_usec = v->end_usec;
                decision_ask(d, CALL_TAURUSDB_BACKUPS);
                return;
        }

        decision_done(d, VERDICT_COMPLIANT, lock_wait_compliant(v), "locked until %s", rfc3339_format(v->end_usec, end));
        lock_quiet(s, v, d, USEC_INFINITY);
}
