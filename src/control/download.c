/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/control.h"

/*
 * Control "download": the named backups, or the latest completed one, are authorized for download, each once, or
 * again every reauthorize. Neither a lifetime of the grant nor a way to take it back is documented (GaussDB API
 * Reference, Authorizing Users to Download Backups), so none is asked for that memory already holds, and each is
 * recorded.
 *
 * One look: (latest: list, page by page →) next backup that needs it → store → authorize → …
 */

enum {
        PHASE_START,
        PHASE_LIST,
        PHASE_AUTHORIZE,
};

/* A grant this far ahead of now is the cloud's clock against ours; further ahead, a clock was stepped. Picked. */
#define AHEAD_MAX_USEC (15 * USEC_PER_MINUTE)

typedef enum Standing {
        STANDING_NEVER, /* never authorized from here */
        STANDING_DUE,   /* to be authorized again */
        STANDING_GRANTED,
} Standing;

static const DownloadPolicy *policy(const Situation *s) {
        return s->instance->terms->download;
}

static usec_t step_now(const Situation *s) {
        if (s->answer && s->answer->date_usec > 0)
                return s->answer->date_usec;
        if (s->failure && s->failure->date_usec > 0)
                return s->failure->date_usec;

        return s->now_usec;
}

/* The grant that this very step was told of: memory has it only in the next one. */
static bool granted_just_now(const Situation *s, const char *backup_id) {
        return s->look->phase == PHASE_AUTHORIZE && s->answer && streq(s->look->backup_id, backup_id);
}

/* @ret_left_usec: until it is to be authorized again. */
static Standing standing(const Situation *s, const char *backup_id, usec_t *ret_left_usec) {
        const DownloadMemory *m = &s->state->download;
        usec_t now = step_now(s), at = 0;

        *ret_left_usec = 0;
        if (granted_just_now(s, backup_id)) {
                *ret_left_usec = policy(s)->reauthorize_usec;
                return STANDING_GRANTED;
        }

        for (size_t i = m->n_grants; i > 0 && at == 0; i--)
                if (streq(m->grants[i - 1].backup_id, backup_id))
                        at = m->grants[i - 1].granted_at_usec;

        if (at == 0)
                return STANDING_NEVER;

        /* By a clock that was stepped back it would be due at who knows when. */
        if (at <= usec_add(now, AHEAD_MAX_USEC))
                *ret_left_usec = usec_sub(policy(s)->reauthorize_usec, usec_sub(now, at));
        else if (policy(s)->reauthorize_usec == USEC_INFINITY)
                *ret_left_usec = USEC_INFINITY;

        return *ret_left_usec > 0 ? STANDING_GRANTED : STANDING_DUE;
}

/* Latest has a list of one: what the pages have shown. */
static size_t n_wanted(const Situation *s) {
        return policy(s)->latest ? 1 : policy(s)->n_backup_ids;
}

static const char *wanted(const Situation *s, size_t i) {
        return policy(s)->latest ? s->look->backup_id : policy(s)->backup_ids[i];
}

/* --- What is said ------------------------------------------------------------------------------------------------- */

/* All that are missing in one sentence, whose digest changes with any of them. Returns true if any are. */
static bool say_missing(const Situation *s, Decision *d) {
        size_t n_missing = 0, n_surprising = 0;
        const char *first = NULL;
        uint32_t digest = 0;
        usec_t left;

        for (size_t i = 0; i < n_wanted(s); i++) {
                const char *id = wanted(s, i);
                Standing st = standing(s, id, &left);

                if (st == STANDING_GRANTED)
                        continue;

                if (n_missing++ == 0)
                        first = id;
                digest = digest * 31 + digest_text(id);

                /* That a newer backup appears, or that a grant is to be renewed, is the course of things. */
                if (s->state->verdict != VERDICT_COMPLIANT || (st == STANDING_NEVER && !policy(s)->latest))
                        n_surprising++;
        }

        if (n_missing == 0)
                return false;

        s->look->routine = n_surprising == 0 && s->enforce;
        if (s->look->routine)
                return true;

        if (n_missing == 1)
                (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, digest, "backup %s is not authorized for download",
                                    first);
        else
                (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, digest,
                                    "%zu of %zu backups are not authorized for download, the first is %s", n_missing,
                                    n_wanted(s), first);
        return true;
}

/* As many paths as the message takes; the record has them all. */
static void append_paths(char *message, size_t size, const GrantFacts *g) {
        size_t n = strlen(message), room = size - sizeof(" and 1000000 more"), i;
        char quoted[QUOTED_MAX];

        for (i = 0; i < g->n_file_paths; i++) {
                const char *path = quote(g->file_paths[i], quoted);

                if (n + strlen(", ") + strlen(path) > room)
                        break;
                n += (size_t) snprintf(message + n, size - n, "%s%s", i > 0 ? ", " : "", path);
        }
        if (i < g->n_file_paths)
                (void) snprintf(message + n, size - n, " and %zu more", g->n_file_paths - i);
}

static void say_authorized(const Situation *s, Decision *d) {
        const GrantFacts *g = &s->answer->grant;
        char quoted[QUOTED_MAX];
        Saying *say;

        say = decision_say(d, EVENT_DOWNLOAD_AUTHORIZED, -1, 0,
                           "backup %s is authorized for download from bucket %s: %s", s->look->backup_id,
                           quote(g->bucket, quoted), g->n_file_paths > 0 ? "" : "no files");
        append_paths(say->message, sizeof(say->message), g);
        memcpy(say->request_id, s->answer->request_id, sizeof(say->request_id));
}

/* Refusals of this look, in one sentence. */
static void say_refused(const Situation *s, Decision *d) {
        const Look *look = s->look;
        Saying *say;

        if (look->n_refused == 0)
                return;

        if (look->n_refused == 1)
                say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, look->refused_digest,
                                   "backup %s could not be authorized for download: %s", look->found,
                                   look->write_failure.message);
        else
                say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, look->refused_digest,
                                   "%zu backups could not be authorized for download, the first is %s: %s",
                                   look->n_refused, look->found, look->write_failure.message);
        saying_set_failure(say, &look->write_failure);
}

/* --- Authorizing -------------------------------------------------------------------------------------------------- */

/* Until one of them is to be authorized again. */
static usec_t left_usec(const Situation *s) {
        usec_t first = USEC_INFINITY, left;

        for (size_t i = 0; i < n_wanted(s); i++)
                if (standing(s, wanted(s, i), &left) == STANDING_GRANTED)
                        first = MIN(first, left);

        return first;
}

static usec_t wait_usec(const Situation *s) {
        return MIN(policy(s)->poll_usec, left_usec(s));
}

static void done(const Situation *s, Decision *d) {
        const Look *look = s->look;

        say_refused(s, d);
        if (look->n_refused > 0)
                decision_done(d, VERDICT_VIOLATED, wait_usec(s), "backup %s could not be authorized for download: %s",
                              look->found, look->write_failure.message);
        else if (n_wanted(s) == 1)
                decision_done(d, VERDICT_COMPLIANT, wait_usec(s), "backup %s is authorized for download",
                              wanted(s, 0));
        else
                decision_done(d, VERDICT_COMPLIANT, wait_usec(s), "%zu backups are authorized for download",
                              n_wanted(s));

        decision_quiet(d, s, left_usec(s));
}

/* The next backup from look->index on that needs it, or the end of the look. */
static void authorize_next(const Situation *s, Decision *d) {
        Look *look = s->look;
        usec_t left;

        for (; look->index < n_wanted(s); look->index++) {
                const char *id = wanted(s, look->index);

                if (standing(s, id, &left) == STANDING_GRANTED)
                        continue;

                decision_ask(d, CALL_DOWNLOAD_AUTHORIZE);
                d->next = NEXT_ASK_STORED;
                (void) snprintf(d->ask.authorize.backup_id, sizeof(d->ask.authorize.backup_id), "%s", id);
                look->phase = PHASE_AUTHORIZE;
                if (id != look->backup_id)
                        (void) snprintf(look->backup_id, sizeof(look->backup_id), "%s", id);
                return;
        }

        done(s, d);
}

static void judge(const Situation *s, Decision *d) {
        if (!say_missing(s, d)) {
                done(s, d);
                return;
        }

        if (s->enforce)
                authorize_next(s, d);
        else
                decision_done(d, VERDICT_VIOLATED, wait_usec(s), "%s", d->sayings[0].message);
}

/* Returns true if the look may go on with the next backup. */
static bool on_refused(const Situation *s, Decision *d) {
        const Failure *f = s->failure;
        Look *look = s->look;

        if (failure_passes(f->class)) {
                say_refused(s, d);
                decision_done(d, VERDICT_VIOLATED, policy(s)->poll_usec,
                              "backup %s could not be authorized for download: %s", look->backup_id, f->message);
                d->waiting = d->hampered = true;
                return false;
        }

        if (look->n_refused++ == 0) {
                look->write_failure = *f;
                (void) snprintf(look->found, sizeof(look->found), "%s", look->backup_id);
        }
        look->refused_digest = look->refused_digest * 31 + digest_text(look->backup_id) + digest_text(f->code) +
                               (uint32_t) f->class;
        return true;
}

static void on_authorized(const Situation *s, Decision *d) {
        if (s->failure) {
                if (!on_refused(s, d))
                        return;
        } else {
                d->grant.set = true;
                memcpy(d->grant.backup_id, s->look->backup_id, sizeof(d->grant.backup_id));
                say_authorized(s, d);
        }

        s->look->index++;
        authorize_next(s, d);
}

/* --- The latest one ----------------------------------------------------------------------------------------------- */

/* Is @b later than what the look has found so far? By end, then begin, then id, so that any order of pages gives
 * the same. */
static bool is_later(const Look *look, const BackupFacts *b) {
        usec_t end = b->end_usec > 0 ? b->end_usec : b->begin_usec;

        if (look->backup_id[0] == '\0')
                return true;
        if (end != look->backup_at_usec)
                return end > look->backup_at_usec;
        if (b->begin_usec != look->backup_begin_usec)
                return b->begin_usec > look->backup_begin_usec;

        return strcmp(b->id, look->backup_id) > 0;
}

static void take_page(const BackupPage *page, Look *look) {
        for (size_t i = 0; i < page->n_items; i++) {
                const BackupFacts *b = &page->items[i];

                if (b->status != BACKUP_COMPLETED || !b->of_instance || b->id[0] == '\0' || !is_later(look, b))
                        continue;

                memcpy(look->backup_id, b->id, sizeof(look->backup_id));
                look->backup_at_usec = b->end_usec > 0 ? b->end_usec : b->begin_usec;
                look->backup_begin_usec = b->begin_usec;
        }
}

static void ask_page(const Situation *s, Decision *d) {
        s->look->phase = PHASE_LIST;
        decision_ask(d, CALL_GAUSSDB_BACKUPS);
        d->ask.backups.offset = s->look->offset;
}

static void on_page(const Situation *s, Decision *d) {
        Look *look = s->look;
        const BackupPage *page;

        if (s->failure) {
                decision_unknown(d, "the backups could not be listed: %s", s->failure->message);
                return;
        }

        page = &s->answer->backups;
        take_page(page, look);

        if (decision_next_page(d, look, CALL_GAUSSDB_BACKUPS, page))
                return;

        if (look->backup_id[0] == '\0') {
                (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, 1,
                                    "there is no completed backup, expected one to authorize for download");
                decision_done(d, VERDICT_VIOLATED, policy(s)->poll_usec,
                              "there is no completed backup to authorize for download");
                return;
        }

        judge(s, d);
}

void download_step(const Situation *s, Decision *ret) {
        assert(s);
        assert(s->instance->terms->download);
        assert(ret);

        switch (s->look->phase) {
        case PHASE_START:
                if (policy(s)->latest)
                        ask_page(s, ret);
                else
                        judge(s, ret);
                return;
        case PHASE_LIST: on_page(s, ret); return;
        case PHASE_AUTHORIZE: on_authorized(s, ret); return;
        default: assert(false);
        }
}
