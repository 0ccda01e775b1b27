/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <stdarg.h>
#include <stdio.h>

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
