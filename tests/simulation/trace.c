/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <inttypes.h>
#include <stdlib.h>

#define RECORDS 65536           /* a power of two; some days of fifty subjects */

typedef struct Record {
        usec_t cloud_usec;
        int64_t skew_usec, a, b;
        const char *text;
        int16_t subject;
        uint8_t kind;
} Record;

struct Trace {
        uint64_t n;
        Record records[RECORDS];
};

Trace *trace_new(void) {
        return calloc(1, sizeof(Trace));
}

Trace *trace_free(Trace *t) {
        free(t);
        return NULL;
}

void trace_add(Trace *t, usec_t cloud_usec, int64_t skew_usec, int subject, TraceKind kind, const char *text, int64_t a, int64_t b) {
        t->records[t->n++ % RECORDS] = (Record) {
                .cloud_usec = cloud_usec, .skew_usec = skew_usec, .subject = (int16_t) subject,
                .kind = (uint8_t) kind, .text = text, .a = a, .b = b,
        };
}

static void print(const Record *r, FILE *to) {
        static const char *const kinds[] = {
                [TRACE_FAULT] = "fault", [TRACE_LIFE] = "life",   [TRACE_SENT] = "sent",   [TRACE_REPLY] = "reply",
                [TRACE_STEP] = "step",   [TRACE_TRUTH] = "truth", [TRACE_EVENT] = "event", [TRACE_STORE] = "store",
        };
        char at[TIME_TEXT_MAX], end[TIME_TEXT_MAX];

        (void) fprintf(to, "  %s.%06u", rfc3339_format(r->cloud_usec, at), (unsigned) (r->cloud_usec % USEC_PER_SEC));
        if (r->skew_usec != 0)
                (void) fprintf(to, " (host %+" PRId64 "s)", r->skew_usec / (int64_t) USEC_PER_SEC);
        if (r->subject == TRACE_ALL)
                (void) fprintf(to, " all %-5s %s", kinds[r->kind], r->text);
        else
                (void) fprintf(to, " s%02d %-5s %s", r->subject, kinds[r->kind], r->text);

        if (r->a > (int64_t) TIME_MIN_USEC)
                (void) fprintf(to, " end %s", rfc3339_format((usec_t) r->a, end));
        else if (r->a != 0)
                (void) fprintf(to, " %" PRId64, r->a);
        if (r->b != 0)
                (void) fprintf(to, " %" PRId64, r->b);
        (void) fputc('\n', to);
}

void trace_print(const Trace *t, FILE *to, int subject, size_t n) {
        uint64_t oldest = t->n > RECORDS ? t->n - RECORDS : 0, from = t->n;

        for (; from > oldest && n > 0; from--) {
                const Record *r = &t->records[(from - 1) % RECORDS];

                n -= r->subject == subject || r->subject == TRACE_ALL;
        }
        for (uint64_t i = from; i < t->n; i++) {
                const Record *r = &t->records[i % RECORDS];

                if (r->subject == subject || r->subject == TRACE_ALL)
                        print(r, to);
        }
}
