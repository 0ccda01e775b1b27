/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lock-judge.h"
#include "control/lock-plan.h"

/* Ends are compared to the second: the unit that a cloud answers in may be that coarse. */
#define LOCK_SAME_USEC USEC_PER_SEC

/* An end this close to what a reading predicts is explained by it: the time between reading the clock and carrying the request out. */
#define LOCK_EXACT_USEC (15 * USEC_PER_MINUTE)

/* A cloud may round ends to whole days. Where no reading is met exactly, all that lie closer than this remain. Picked. */
#define LOCK_LOOSE_USEC USEC_PER_DAY

#define LOCK_ROUND_USEC (15 * USEC_PER_MINUTE)  /* zones lie whole quarters of an hour apart */

/* Time between deciding on a request and the cloud carrying it out, by which the end may lie past the cap reckoned at deciding.
 * Retries never reuse a decision, so it is a time-out and a queue. Picked. */
#define LOCK_TRANSIT_USEC (15 * USEC_PER_MINUTE)

/* For how long a request that seemed void may still take effect and be recognised as ours. Picked. */
#define LOCK_LATE_USEC (7 * USEC_PER_DAY)

/* Where no lock runs there is no quarter of what remains to wait for. Picked. */
#define LOCK_REST_USEC USEC_PER_HOUR

bool lock_intent_outstanding(const LockIntent *i) {
        assert(i);
        return i->outcome == INTENT_OPEN || i->outcome == INTENT_ACCEPTED || i->outcome == INTENT_LOST;
}

static LockTimes intent_times(const LockIntent *i) {
        return (LockTimes) {
                .start_usec = i->start_before_usec,
                .end_usec = i->end_before_usec,
                .now_usec = i->sent_at_usec,
        };
}

/* On a quarter of an hour, as midnight is anywhere. */
static bool is_round(usec_t end_usec) {
        return end_usec % LOCK_ROUND_USEC < LOCK_SAME_USEC;
}

/* Readings under which the intent explains the end that was read: those it meets exactly, else those it may have been rounded from. */
static unsigned intent_matches(const LockIntent *i, usec_t end_usec, bool *ret_exact) {
        LockTimes t = intent_times(i);
        /* What ends on a quarter of an hour may have been rounded up to it. If the end before was as well, adding whole days to that meets it
         * exactly, whatever the days were counted from: then exactness proves nothing. */
        bool round = is_round(end_usec);
        unsigned exact = 0, loose = 0, rounded = 0;

        if (i->action == LOCK_ENABLE) {
                usec_t expected = usec_add(i->sent_at_usec, (usec_t) i->days * USEC_PER_DAY);

                return usec_diff(end_usec, expected) <= LOCK_LOOSE_USEC ? READINGS_ALL : 0;
        }

        for (Reading r = 0; r < READING__MAX; r++) {
                usec_t expected = lock_predict(r, &t, i->days);

                if (!lock_predictable(r, &t) || expected <= i->end_before_usec)
                        continue;
                if (usec_diff(end_usec, expected) <= LOCK_EXACT_USEC)
                        exact |= 1u << r;
                if (usec_diff(end_usec, expected) < LOCK_LOOSE_USEC)
                        loose |= 1u << r;
                if (round && end_usec >= expected && end_usec - expected < LOCK_LOOSE_USEC)
                        rounded |= 1u << r;
        }

        *ret_exact = exact != 0;
        return exact ? exact | rounded : loose;
}

bool lock_strike(LockMemory *m, const LockIntent *i) {
        LockTimes t = intent_times(i);
        unsigned fair = i->action == LOCK_ENABLE ? READINGS_ALL : 0, struck;

        assert(m);
        assert(i);

        for (Reading r = 0; r < READING__MAX; r++)
                if (lock_predictable(r, &t) && lock_predict(r, &t, i->days) > i->end_before_usec + LOCK_SAME_USEC)
                        fair |= 1u << r;

        struck = m->struck;
        m->struck |= fair;
        return m->struck != struck;
}

/* How long after it was sent a request without effect keeps the next climb waiting. */
static usec_t intent_rest_usec(const LockIntent *i, usec_t settle_usec) {
        usec_t left = usec_sub(i->end_before_usec, i->sent_at_usec);

        return MAX(settle_usec, left > 0 ? left / 4 : LOCK_REST_USEC);
}

/* Has the lock been seen to end later than before the request? */
static bool changed_since(const LockMemory *m, const LockIntent *i) {
        return m->seen && m->end_usec > MAX(i->end_before_usec, i->sent_at_usec) + LOCK_SAME_USEC;
}

void lock_rest(const LockMemory *m, usec_t now_usec, usec_t settle_usec, LockRest *ret) {
        LockRest rest = {};

        assert(m);
        assert(ret);

        for (size_t k = 0; k < m->n_intents; k++) {
                const LockIntent *i = &m->intents[k];
                usec_t rest_usec = intent_rest_usec(i, settle_usec);

                if (i->outcome != INTENT_VOID || changed_since(m, i) || usec_diff(now_usec, i->sent_at_usec) >= rest_usec)
                        continue;
                rest.until_usec = MAX(rest.until_usec, usec_add(i->sent_at_usec, rest_usec));
                rest.n_unshown[i->action]++;
        }

        *ret = rest;
}

static size_t least_needed(const LockMemory *m) {
        for (size_t k = 0; k < m->n_intents; k++)
                if (m->intents[k].outcome == INTENT_REFUSED || m->intents[k].outcome == INTENT_CONFIRMED)
                        return k;
        for (size_t k = 0; k < m->n_intents; k++)
                if (!lock_intent_outstanding(&m->intents[k]))
                        return k;

        return 0;
}

LockIntent *lock_remember(LockMemory *m, const LockIntent *i) {
        assert(m);
        assert(i);

        if (m->n_intents >= LOCK_INTENTS_MAX) {
                size_t drop = least_needed(m);

                memmove(m->intents + drop, m->intents + drop + 1, (m->n_intents - drop - 1) * sizeof(*m->intents));
                m->n_intents--;
        }

        m->intents[m->n_intents] = *i;
        return &m->intents[m->n_intents++];
}

void lock_take_back(LockMemory *m) {
        assert(m);
        assert(m->n_intents > 0);

        m->n_intents--;
}

static usec_t intent_kept_usec(const LockIntent *i, usec_t settle_usec) {
        return MAX(LOCK_LATE_USEC, intent_rest_usec(i, settle_usec));
}

void lock_forget_old(LockMemory *m, usec_t now_usec, usec_t settle_usec) {
        size_t kept = 0;

        assert(m);

        for (size_t k = 0; k < m->n_intents; k++)
                if (lock_intent_outstanding(&m->intents[k]) ||
                    usec_diff(now_usec, m->intents[k].sent_at_usec) < intent_kept_usec(&m->intents[k], settle_usec))
                        m->intents[kept++] = m->intents[k];

        m->n_intents = kept;
}

usec_t lock_memory_left_usec(const LockMemory *m, usec_t now_usec, usec_t settle_usec) {
        usec_t left = USEC_INFINITY;

        assert(m);

        for (size_t k = 0; k < m->n_intents; k++) {
                if (lock_intent_outstanding(&m->intents[k]))
                        return 0;
                left = MIN(left, usec_sub(intent_kept_usec(&m->intents[k], settle_usec), usec_diff(now_usec, m->intents[k].sent_at_usec)));
        }

        return left;
}

/* Newest intent that waits for its effect; NULL if none does. */
static LockIntent *newest_outstanding(LockMemory *m) {
        for (size_t k = m->n_intents; k > 0; k--)
                if (lock_intent_outstanding(&m->intents[k - 1]))
                        return &m->intents[k - 1];

        return NULL;
}

static usec_t latest_cap(const LockMemory *m) {
        usec_t cap = 0;

        for (size_t k = 0; k < m->n_intents; k++)
                if (m->intents[k].outcome != INTENT_REFUSED)
                        cap = MAX(cap, m->intents[k].cap_at_usec);

        return cap;
}

static void conclude_all(LockMemory *m, IntentOutcome outcome) {
        for (size_t k = 0; k < m->n_intents; k++)
                if (lock_intent_outstanding(&m->intents[k]))
                        m->intents[k].outcome = outcome;
}

/* Looks for requests that explain the end: among those outstanding, or those that seemed void. */
static bool match_any(const LockMemory *m, usec_t end_usec, bool outstanding, LockRuling *ret, bool *ret_exact) {
        *ret_exact = false;
        for (size_t k = m->n_intents; k > 0; k--) {
                const LockIntent *i = &m->intents[k - 1];
                unsigned matched;
                bool exact = false;

                if (outstanding ? !lock_intent_outstanding(i) : i->outcome != INTENT_VOID)
                        continue;

                matched = intent_matches(i, end_usec, &exact);
                /* What was given up as void explains what it meets, and not whatever lies within a day of it: that may be anybody's. */
                if (matched == 0 || (!outstanding && i->action == LOCK_EXTEND && !exact && !is_round(end_usec)))
                        continue;
                *ret_exact = *ret_exact || exact;

                if (!ret->intent) {
                        ret->intent = i;
                        ret->action = i->action;
                        ret->short_of_target = exact && end_usec + LOCK_EXACT_USEC < i->expected_end_usec;
                }
                ret->judgement = LOCK_JUDGED_CONFIRMED;
                if (i->action == LOCK_EXTEND)
                        ret->matched |= matched;
        }

        return ret->judgement == LOCK_JUDGED_CONFIRMED;
}

/* What waits for its effect explains a change before what was given up as void does, unless that meets it exactly, and the other does not. Then
 * what came after it is still to be seen, and nothing follows upon it at once. */
static void explain(const LockMemory *m, usec_t end_usec, LockRuling *ret) {
        LockRuling late = *ret;
        bool exact, late_exact;
        bool found = match_any(m, end_usec, true, ret, &exact);

        if (exact || !match_any(m, end_usec, false, &late, &late_exact))
                return;
        if (!found || (late_exact && !is_round(end_usec))) {
                *ret = late;
                ret->short_of_target = false;
        }
}

/* The lock ends later than when it was last read, or there is one now. */
static void judge_longer(LockMemory *m, const LockFacts *f, bool fresh, LockRuling *ret) {
        LockIntent *newest = newest_outstanding(m);
        usec_t cap = latest_cap(m);

        /* Also long after the request seemed void: this is what a late effect of it looks like. */
        if (cap > 0 && f->end_usec > usec_add(cap, LOCK_TRANSIT_USEC)) {
                ret->intent = newest ? newest : &m->intents[m->n_intents - 1];
                ret->judgement = LOCK_JUDGED_PAST_CAP;
                conclude_all(m, INTENT_CONFIRMED);
                return;
        }

        explain(m, f->end_usec, ret);

        if (ret->judgement == LOCK_JUDGED_CONFIRMED) {
                conclude_all(m, INTENT_CONFIRMED);
                m->struck = 0;
        } else if (newest && fresh) {
                ret->intent = newest;
                ret->judgement = LOCK_JUDGED_ODD;
                conclude_all(m, INTENT_CONFIRMED);
        } else {
                ret->judgement = LOCK_JUDGED_FOREIGN;
                conclude_all(m, INTENT_VOID);
                m->struck = 0;
        }
}

/* The lock reads as before, and a request is outstanding. */
static void judge_unchanged(LockMemory *m, LockIntent *i, const LockFacts *f, usec_t now_usec, usec_t settle_usec,
                            LockRuling *ret) {
        usec_t wait = settle_usec;

        ret->intent = i;
        ret->action = i->action;

        if (f->presence == LOCK_HELD && f->end_usec > now_usec)
                wait = MIN(wait, (f->end_usec - now_usec) / 4); /* waiting must not cost the lock */

        if (i->sent_at_usec > now_usec + LOCK_TRANSIT_USEC)
                i->sent_at_usec = now_usec;     /* stamped by a clock that was wrong: wait from here */

        if (usec_sub(now_usec, i->sent_at_usec) < wait) {
                ret->judgement = LOCK_JUDGED_PENDING;
                ret->settled_at_usec = usec_add(i->sent_at_usec, wait);
                return;
        }

        /* Only an accepted request without effect says something about the reading; a lost one may never have arrived. */
        if (i->outcome == INTENT_ACCEPTED)
                (void) lock_strike(m, i);

        ret->judgement = LOCK_JUDGED_VOID;
        conclude_all(m, INTENT_VOID);
}

void lock_judge(LockMemory *m, const LockFacts *f, usec_t now_usec, usec_t settle_usec, bool fresh, LockRuling *ret) {
        usec_t known_end, read_end;
        LockIntent *newest;

        assert(m);
        assert(f);
        assert(ret);

        *ret = (LockRuling) { .judgement = LOCK_JUDGED_QUIET };

        known_end = m->seen ? m->end_usec : 0;
        read_end = f->presence == LOCK_HELD ? f->end_usec : 0;
        newest = newest_outstanding(m);

        /* A lock that has run out may go; one that runs can't end earlier than it did. */
        if (known_end > now_usec && read_end + LOCK_SAME_USEC < known_end) {
                ret->judgement = LOCK_JUDGED_SHORTER;
                return;
        }

        if (read_end > known_end + LOCK_SAME_USEC && m->n_intents > 0)
                judge_longer(m, f, fresh, ret);
        else if (newest)
                judge_unchanged(m, newest, f, now_usec, settle_usec, ret);
}
