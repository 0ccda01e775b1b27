/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <stdarg.h>
#include <stdio.h>

/* A list that is longer than these pages never ends, or is none that an instance can have. Picked. */
#define PAGES_MAX 1000

Saying *decision_say(Decision *d, EventId id, int said, uint32_t digest, const char *format, ...) {
        Saying *s;
        va_list ap;

        assert(d);
        assert(d->n_sayings < SAYINGS_MAX);

        s = &d->sayings[d->n_sayings++];
        *s = (Saying) { .id = id, .said = said, .digest = digest, .priority = -1 };

        va_start(ap, format);
        (void) vsnprintf(s->message, sizeof(s->message), format, ap);   /* a cut sentence is still one */
        va_end(ap);
        return s;
}

void decision_ask(Decision *d, Call call) {
        assert(d);

        d->next = NEXT_ASK;
        d->ask = (Ask) { .call = call };
}

void decision_done(Decision *d, Verdict verdict, usec_t wait_usec, const char *format, ...) {
        va_list ap;

        assert(d);
        assert(verdict != VERDICT_UNKNOWN);

        d->next = NEXT_DONE;
        d->verdict = verdict;
        d->wait_usec = wait_usec;

        va_start(ap, format);
        (void) vsnprintf(d->why, sizeof(d->why), format, ap);
        va_end(ap);
}

void decision_unknown(Decision *d, const char *format, ...) {
        va_list ap;

        assert(d);

        d->next = NEXT_UNKNOWN;
        d->verdict = VERDICT_UNKNOWN;

        va_start(ap, format);
        (void) vsnprintf(d->why, sizeof(d->why), format, ap);
        va_end(ap);
}

void decision_quiet(Decision *d, const Situation *s, usec_t quiet_usec) {
        assert(d);
        assert(s);

        if (d->verdict == VERDICT_COMPLIANT && quiet_usec > 0)
                d->change_at_usec = usec_add(s->now_usec, quiet_usec);
}

void saying_set_failure(Saying *s, const Failure *f) {
        assert(s);
        assert(f);

        s->http_status = f->http_status;
        memcpy(s->error_code, f->code, sizeof(s->error_code));
        memcpy(s->request_id, f->request_id, sizeof(s->request_id));
}

uint32_t digest_text(const char *s) {
        uint32_t h = 2166136261u;

        for (; s && *s; s++)
                h = (h ^ (unsigned char) *s) * 16777619u;

        return h;
}

usec_t read_back_wait_usec(int n_reads_back) {
        static const usec_t waits[READ_BACK_MAX] = { 0, 1 * USEC_PER_SEC, 5 * USEC_PER_SEC };

        assert(n_reads_back >= 0);
        return waits[MIN(n_reads_back, READ_BACK_MAX - 1)];
}

bool decision_read_back(Decision *d, Look *look, Call call) {
        assert(d);
        assert(look);

        if (look->n_reads_back >= READ_BACK_MAX)
                return false;

        decision_ask(d, call);
        if (look->n_reads_back > 0) {
                d->next = NEXT_ASK_LATER;
                d->wait_usec = read_back_wait_usec(look->n_reads_back);
        }

        look->n_reads_back++;
        return true;
}

/* Without a total the list ends with a page that is not full. */
static bool is_last_page(const BackupPage *page, int64_t next_offset) {
        if (page->n_items == 0)
                return true;

        return page->total < 0 ? page->n_items < BACKUP_PAGE_LIMIT : next_offset >= page->total;
}

bool decision_next_page(Decision *d, Look *look, Call call, const BackupPage *page) {
        assert(d);
        assert(look);
        assert(page);

        /* A page that is shorter than asked for is followed where it ends; what comes twice does no harm. */
        look->offset += (int64_t) MIN(page->n_items, (size_t) BACKUP_PAGE_LIMIT);
        if (is_last_page(page, look->offset))
                return false;

        if (++look->n_pages >= PAGES_MAX)
                decision_unknown(d, "the list of backups does not end after %d pages", PAGES_MAX);
        else {
                decision_ask(d, call);
                d->ask.backups.offset = look->offset;
        }
        return true;
}

bool failure_passes(FailureClass c) {
        switch (c) {
        case FAILURE_TRANSPORT:
        case FAILURE_THROTTLED:
        case FAILURE_BUSY:
        case FAILURE_SERVER:
        case FAILURE_CREDENTIALS:       /* said once for all controls, when the key is refused */
        case FAILURE_WITHHELD:
                return true;
        case FAILURE_NOT_PERMITTED:
        case FAILURE_NOT_OFFERED:
        case FAILURE_NOT_FOUND:
        case FAILURE_BAD_REQUEST:
        case FAILURE_UNREADABLE:
        case FAILURE_CLASS__MAX:
                break;
        }

        return false;
}

uint32_t digest_failure(const Failure *f) {
        assert(f);
        return digest_text(f->code) + (uint32_t) f->class;
}

void decision_say_failed(Decision *d, const Failure *f, const char *what) {
        Saying *say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, digest_failure(f), "%s: %s", what, f->message);

        saying_set_failure(say, f);
}

void decision_write_failed(Decision *d, const Failure *f, usec_t poll_usec, const char *what) {
        assert(d);
        assert(f);
        assert(what);

        if (!failure_passes(f->class))
                decision_say_failed(d, f, what);
        decision_done(d, VERDICT_VIOLATED, poll_usec, "%s: %s", what, f->message);
        d->waiting = d->hampered = failure_passes(f->class);
}

void decision_not_shown(Decision *d, const Look *look, usec_t poll_usec, const char *what, const char *shown) {
        Saying *say;

        assert(d);
        assert(look);
        assert(what);
        assert(shown);

        if (!look->wrote) {
                decision_write_failed(d, &look->write_failure, poll_usec, what);
                d->retry = d->waiting;  /* the engine sees the read that went well, not the write before it */
                return;
        }

        say = decision_say(d, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, digest_text(what),
                           "%s: the cloud accepted the change, but %s", what, shown);
        memcpy(say->request_id, look->request_id, sizeof(say->request_id));
        decision_done(d, VERDICT_VIOLATED, poll_usec, "%s: the cloud accepted the change, but %s", what, shown);
}

char *quote(const char *s, char buf[static QUOTED_MAX]) {
        static const char cut_mark[] = "...";
        size_t n = 0;

        buf[n++] = '"';
        for (; s && *s && n < QUOTED_MAX - sizeof(cut_mark) - 1; s++)
                buf[n++] = (unsigned char) *s < 0x20 || *s == 0x7f ? '?' : *s;

        if (s && *s) {
                /* Not in the middle of a character of UTF-8. */
                if (((unsigned char) *s & 0xc0) == 0x80) {
                        while (n > 1 && ((unsigned char) buf[n - 1] & 0xc0) == 0x80)
                                n--;
                        if (n > 1)
                                n--;
                }
                memcpy(buf + n, cut_mark, sizeof(cut_mark) - 1);
                n += sizeof(cut_mark) - 1;
        }

        buf[n++] = '"';
        buf[n] = '\0';
        return buf;
}
