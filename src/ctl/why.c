/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/why.h"

#include <inttypes.h>

#include "control/describe.h"
#include "ctl/words.h"

/* A look is expected about every poll: what is older than this says little about now. Picked. */
#define OLD_USEC USEC_PER_DAY

/* The cloud's sentences end as they like. */
static const char *stop(const char *s) {
        size_t n = s ? strlen(s) : 0;

        return n > 0 && s[n - 1] == '.' ? "" : ".";
}

/* --- Which rule ---------------------------------------------------------------------------------------------------- */

static void add_rule(StrBuf *b, const ControlStatus *s) {
        if (s->file)
                (void) strbuf_addf(b, "%s, line %u, wants for the %s of %s %s", s->file, s->line, s->control,
                                   s->service ? s->service : "instance", s->instance_id);
        else
                (void) strbuf_addf(b, "No policy could be read for the %s of %s %s", s->control, s->service ? s->service : "instance",
                                   s->instance_id);
        if (s->wanted)
                (void) strbuf_addf(b, ": %s", s->wanted);
        (void) strbuf_add(b, ".");
        if (s->mode && streq(s->mode, "observe"))
                (void) strbuf_add(b, " Its mode is observe: holdfast looks and reports, and changes nothing.");
}

/* --- Which facts --------------------------------------------------------------------------------------------------- */

static void add_age(StrBuf *b, const ControlStatus *s, usec_t now_usec) {
        char at[WORDS_MAX];

        if (s->looked_at_usec == 0) {
                (void) strbuf_add(b, " When that was read is not known.");
                return;
        }

        (void) strbuf_addf(b, " It was read at %s.", words_time_both(s->looked_at_usec, now_usec, at));
        if (usec_sub(now_usec, s->looked_at_usec) > OLD_USEC)
                (void) strbuf_add(b, " That is old: it may be different by now.");
}

static void add_lock_facts(StrBuf *b, const ControlStatus *s, usec_t now_usec) {
        char end[WORDS_MAX];

        if (s->lock_end_usec > 0)
                (void) strbuf_addf(b, " The lock %s at %s.", s->lock_end_usec > now_usec ? "ends" : "ended",
                                   words_time_both(s->lock_end_usec, now_usec, end));
        if (s->n_intents > 0 && status_verdict(s) != VERDICT_COMPLIANT)
                (void) strbuf_addf(b, " To enable or extend it, %u request%s been made.", s->n_intents,
                                   s->n_intents == 1 ? " has" : "s have");
}

static void add_change(StrBuf *b, const ControlStatus *s, usec_t now_usec) {
        char at[WORDS_MAX];

        if (s->changed_at_usec == 0)
                return;
        (void) strbuf_addf(b, " The last change that holdfast made and read back was at %s%s%s",
                           words_time_both(s->changed_at_usec, now_usec, at), s->changed_as ? ": " : "",
                           s->changed_as ? s->changed_as : "");
        if (s->changed_request_id)
                (void) strbuf_addf(b, ", request %s", s->changed_request_id);
        (void) strbuf_add(b, ".");
}

static void add_facts(StrBuf *b, const ControlStatus *s, usec_t now_usec) {
        Verdict v = status_verdict(s);
        char since[WORDS_MAX];

        if (v == VERDICT_UNKNOWN) {
                if (s->unknown_since_usec > 0)
                        (void) strbuf_addf(b, "It could not be determined since %s",
                                           words_time_both(s->unknown_since_usec, now_usec, since));
                else
                        (void) strbuf_add(b, "It was not determined yet");
                if (s->n_unknown > 1)
                        (void) strbuf_addf(b, ", in %u polls", s->n_unknown);
                if (s->why)
                        (void) strbuf_addf(b, ": %s", s->why);
                (void) strbuf_add(b, stop(s->why));
                if (s->last_verdict && !streq(s->last_verdict, "unknown"))
                        (void) strbuf_addf(b, " Before that it was %s, which proves nothing about now.", s->last_verdict);
        } else {
                (void) strbuf_addf(b, "It is %s", verdict_to_string(v));
                if (s->since_usec > 0)
                        (void) strbuf_addf(b, " since %s", words_time_both(s->since_usec, now_usec, since));
                if (s->why)
                        (void) strbuf_addf(b, ": %s", s->why);
                (void) strbuf_add(b, stop(s->why));
                add_age(b, s, now_usec);
        }

        add_lock_facts(b, s, now_usec);
        add_change(b, s, now_usec);
}

/* --- What next ----------------------------------------------------------------------------------------------------- */

/* When holdfast acts upon what is compliant; 0: not known. The next look is not it: many find nothing to do. */
static usec_t acts_at(const ControlStatus *s) {
        if (s->renew_at_usec > 0)
                return s->renew_at_usec;
        return s->reapply_at_usec > 0 ? s->reapply_at_usec : s->change_at_usec;
}

static void add_action(StrBuf *b, const ControlStatus *s, usec_t now_usec) {
        usec_t at_usec = acts_at(s);
        char at[WORDS_MAX];

        if (status_verdict(s) != VERDICT_COMPLIANT || (at_usec > 0 && at_usec <= now_usec))
                (void) strbuf_addf(b, " It will then %s.", s->next_action);
        else if (streq(s->next_action, NEXT_LOOK))
                return;         /* that was said */
        else if (at_usec > 0 && at_usec != USEC_INFINITY)
                (void) strbuf_addf(b, " At %s it will %s.", words_time_both(at_usec, now_usec, at), s->next_action);
        else
                (void) strbuf_addf(b, " When that is due, it will %s.", s->next_action);
}

static void add_next(StrBuf *b, const ControlStatus *s, const FleetInfo *info) {
        usec_t now_usec = info->now_usec;
        char at[WORDS_MAX];

        if (!info->live) {
                (void) strbuf_add(b, info->running ? "The files were asked, and not holdfastd, which runs: it alone knows when it looks next."
                                                   : "Nothing, as long as holdfastd does not run: nobody looks, and no lock is extended.");
                return;
        }

        if (s->next_look_usec > 0)
                (void) strbuf_addf(b, "holdfast looks again at %s.", words_time_both(s->next_look_usec, now_usec, at));
        else
                (void) strbuf_add(b, "holdfast looks again soon.");

        if (status_verdict(s) == VERDICT_UNKNOWN)
                (void) strbuf_add(b, " Nothing is changed as long as nothing is known.");
        else if (s->next_action)
                add_action(b, s, now_usec);
}

/* --- What would change it ------------------------------------------------------------------------------------------ */

static void add_changes(StrBuf *b, const ControlStatus *s, const FleetInfo *info) {
        usec_t now_usec = info->now_usec;
        char at[WORDS_MAX], before[TIME_TEXT_MAX];

        switch (status_verdict(s)) {
        case VERDICT_UNKNOWN:
                (void) strbuf_add(b, "A look that is answered. Until then it is neither taken for compliant nor acted upon.");
                return;
        case VERDICT_VIOLATED:
                if (s->frozen)
                        (void) strbuf_addf(b, "holdfastctl thaw %s, said by an administrator who has looked at what happened: then lock writes go "
                                           "on. Else: ", s->endpoint ? s->endpoint : "");
                (void) strbuf_add(b, "A look that finds what the policy wants, whoever has put it there; or another policy.");
                return;
        case VERDICT_COMPLIANT:
        case VERDICT__MAX:
                break;
        }

        if (s->renew_at_usec > 0)
                (void) strbuf_addf(b, "Time: at %s less than %s of the lock will remain. ", words_time_both(s->renew_at_usec, now_usec, at),
                                   duration_format_human(s->renew_before_usec, before));
        else if (s->change_at_usec > 0 && s->change_at_usec != USEC_INFINITY)
                (void) strbuf_addf(b, "Time: it can change by itself at %s. ", words_time_both(s->change_at_usec, now_usec, at));
        (void) strbuf_addf(b, "What somebody changes in the cloud %s.",
                           info->live || info->running ? "shows at the next look" : "shows when holdfastd looks again");
}

/* --- Who must act -------------------------------------------------------------------------------------------------- */

/* By class of failure; the sentences begin with who it is. */
static const char *const actions[FAILURE_CLASS__MAX] = {
        [FAILURE_TRANSPORT] =
                "Nobody yet: the connection failed, and holdfast tries again by itself. If it lasts, whoever runs this host's"
                " network, proxy or name service must look.",
        [FAILURE_THROTTLED] =
                "Nobody yet: the cloud asks for fewer requests, and holdfast waits. If it lasts, whoever administers holdfast"
                " can lower http.rate or lengthen the polls.",
        [FAILURE_BUSY] =
                "Nobody yet: the instance is busy with something else, and holdfast tries again by itself. If it lasts, "
                "whoever runs the instance must see what it is busy with.",
        [FAILURE_NOT_PERMITTED] =
                "Whoever administers the account's permissions must grant holdfast's identity what it was refused; the "
                "refusal usually names it, and 'holdfastctl iam-policy' lists what is needed. Grants take up to 30 minutes.",
        [FAILURE_NOT_OFFERED] =
                "Whoever owns the policy must act: the interface does not exist in this region. The region or the endpoint is"
                " wrong, or the control must go from the policy.",
        [FAILURE_NOT_FOUND] =
                "Whoever owns the policy must act: the instance does not exist there. The instance_id, the region or the "
                "project is wrong, or the policy has outlived the instance and must be removed.",
        [FAILURE_CREDENTIALS] =
                "Whoever administers the access key must act: the cloud refuses it, and all calls with it stop until it "
                "changes or six minutes have passed, so that it is not locked. See CREDENTIALS in holdfastd(8).",
        [FAILURE_BAD_REQUEST] =
                "Whoever owns the policy must read the cloud's words above: it refuses the request itself, and will do so "
                "again.",
        [FAILURE_SERVER] =
                "Nobody yet: the cloud has trouble of its own, and holdfast tries again by itself. If it lasts, the cloud's "
                "support must; the request id is what they will ask for.",
        [FAILURE_UNREADABLE] =
                "Whoever maintains holdfast should hear of it: the cloud's answer is not what its documentation says, and "
                "holdfast does not guess.",
        [FAILURE_WITHHELD] =
                "holdfast itself holds the request back, for the reason above; it goes on when that no longer holds.",
};

static void add_failure(StrBuf *b, const ControlStatus *s) {
        if (!s->failure)
                return;

        (void) strbuf_addf(b, "%s%s%s%s", s->failure, s->failure_message ? ": " : "", s->failure_message ? s->failure_message : "",
                           stop(s->failure_message));
        if (s->failure_http_status > 0 || s->failure_code || s->failure_request_id) {
                (void) strbuf_add(b, " (");
                if (s->failure_http_status > 0)
                        (void) strbuf_addf(b, "HTTP %u", s->failure_http_status);
                if (s->failure_code)
                        (void) strbuf_addf(b, "%s%s", s->failure_http_status > 0 ? ", " : "", s->failure_code);
                if (s->failure_request_id)
                        (void) strbuf_addf(b, "%srequest %s", s->failure_http_status > 0 || s->failure_code ? ", " : "",
                                           s->failure_request_id);
                (void) strbuf_add(b, ")");
        }

        for (FailureClass c = 0; c < FAILURE_CLASS__MAX; c++)
                if (streq(s->failure, failure_class_to_string(c)))
                        (void) strbuf_addf(b, " %s", actions[c]);
}

/* Where holdfast can do no more than report, whatever its mode. */
static const struct {
        const char *next_action, *who;
} left_to_others[] = {
        { NEXT_YOUNGER_BACKUP,
                "Whoever runs the instance must find out in DBSS why no younger backup was made: the schedule is as written, but "
                "holdfast makes no backups itself. Its bucket, what DBSS may do with it, and a task that failed are where to look." },
        { NEXT_MANUAL_BACKUP,
                "Whoever runs the instance must make a manual full backup, or whoever owns the policy must change "
                "lock.require_manual_backup: holdfast makes no backups itself." },
        { NEXT_OTHER_LIMITS,
                "Whoever owns the policy must act: the request that it needs is not sent, for the reason above. The policy or "
                "the limits in holdfast.yaml must change." },
        { NEXT_NEVER_OFF,
                "Whoever owns the policy must act: holdfast switches no encryption off. Somebody must do that in the cloud's console, "
                "or the policy must expect it on." },
        { NEXT_NO_KEY,
                "Somebody must switch encryption on in the cloud's console, or whoever owns the policy must name a key "
                "(encryption.kms_key_id)." },
};

static void add_others(StrBuf *b, const ControlStatus *s) {
        for (size_t i = 0; i < N_ELEMENTS(left_to_others); i++)
                if (s->next_action && streq(s->next_action, left_to_others[i].next_action))
                        (void) strbuf_add(b, left_to_others[i].who);
}

static void add_observe(StrBuf *b, const FleetInfo *info) {
        if (info->mode && streq(info->mode, "enforce"))
                (void) strbuf_add(b, "The policy's mode is observe. Whoever owns the policy must");
        else
                (void) strbuf_add(b, "The mode is observe, by holdfast.yaml, by --observe of holdfastd or by the policy itself. Whoever administers "
                                     "holdfast must");
        (void) strbuf_add(b, " let holdfast act (mode: enforce), or somebody must put it right in the cloud's console.");
}

static void add_blocked(StrBuf *b, const ControlStatus *s, const FleetInfo *info) {
        usec_t now_usec = info->now_usec;
        Verdict v = status_verdict(s);
        char at[WORDS_MAX];

        if (s->frozen)
                (void) strbuf_addf(b,
                                   "Lock writes to %s are frozen since %s: %s%s An administrator must find out what happened (journalctl "
                                   "HOLDFAST_EVENT=lock-frozen), "
                                   "and then say: holdfastctl thaw %s",
                                   s->endpoint ? s->endpoint : "its endpoint", words_time_both(s->frozen_at_usec, now_usec, at),
                                   s->frozen_why ? s->frozen_why : "no reason is known", stop(s->frozen_why),
                                   s->endpoint ? s->endpoint : "");
        else if (v != VERDICT_COMPLIANT)
                add_failure(b, s);

        if (b->n == 0 && v == VERDICT_VIOLATED)
                add_others(b, s);
        if (b->n == 0 && v == VERDICT_VIOLATED && s->mode && streq(s->mode, "observe"))
                add_observe(b, info);
        if (b->n == 0 && v != VERDICT_COMPLIANT && !s->endpoint && s->file)
                (void) strbuf_addf(b,
                                   "No endpoint is known for service %s in region %s. Whoever owns the policy must correct the region, or "
                                   "endpoints.%s must be set in "
                                   "holdfast.yaml.",
                                   s->service ? s->service : "?", s->region ? s->region : "(none)", s->service ? s->service : "?");
        if (!info->live && !info->running)
                (void) strbuf_addf(b, "%sholdfastd does not run. Whoever runs this host must start it: systemctl start holdfast.",
                                   b->n > 0 ? " " : "");
}

/* --- Together ------------------------------------------------------------------------------------------------------ */

void why_done(Why *w) {
        free(w->rule);
        free(w->facts);
        free(w->next);
        free(w->changes);
        free(w->blocked);
        *w = (Why) {};
}

int why_explain(const ControlStatus *s, const FleetInfo *info, Why *ret) {
        StrBuf parts[5] = { STRBUF(WHY_BYTES_MAX), STRBUF(WHY_BYTES_MAX), STRBUF(WHY_BYTES_MAX), STRBUF(WHY_BYTES_MAX),
                            STRBUF(WHY_BYTES_MAX) };
        Why w = {};
        char **texts[] = { &w.rule, &w.facts, &w.next, &w.changes, &w.blocked };
        int r = 0;

        assert(s);
        assert(info);
        assert(ret);

        add_rule(&parts[0], s);
        add_facts(&parts[1], s, info->now_usec);
        add_next(&parts[2], s, info);
        add_changes(&parts[3], s, info);
        add_blocked(&parts[4], s, info);

        for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
                if (r >= 0)
                        r = strbuf_finish(&parts[i], texts[i]);
                strbuf_done(&parts[i]);
        }
        if (r < 0) {
                why_done(&w);
                return r;
        }

        *ret = w;
        return 0;
}
