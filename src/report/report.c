/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <syslog.h>

#include "report/format.h"
#include "report/output.h"

struct Report {
        ReportFormat format;    /* never REPORT_AUTO */
        int max_priority;
        bool colors;
        Output output;
        size_t n_dropped;
        size_t n_missing;       /* dropped since the journal took something last */
        Fields fields, apology;
};

int report_format_from_string(const char *s) {
        static const char *const names[REPORT_FORMAT__MAX] = {
                [REPORT_AUTO] = "auto",
                [REPORT_JOURNAL] = "journal",
                [REPORT_TEXT] = "text",
                [REPORT_JSON] = "json",
        };

        assert(s);

        for (int i = 0; i < REPORT_FORMAT__MAX; i++)
                if (streq(names[i], s))
                        return i;

        return -EINVAL;
}

/* $JOURNAL_STREAM names the device and inode of the stream that the service manager connected to the journal (systemd.exec(5)). */
static bool is_journal(FILE *stream) {
        const char *text = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;
        int n = 0;

        if (!text || sscanf(text, "%ju:%ju%n", &device, &inode, &n) != 2 || text[n] != 0)
                return false;

        return fileno(stream) >= 0 && fstat(fileno(stream), &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

static bool wants_colors(FILE *stream) {
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

        return term && *term && !streq(term, "dumb") &&
               (!no_color || !*no_color) &&     /* https://no-color.org: present and not empty */
               fileno(stream) >= 0 && isatty(fileno(stream));
}

int report_new(ReportFormat format, FILE *stream, int max_priority, Report **ret) {
        Report *r;

        assert(format < REPORT_FORMAT__MAX);
        assert(stream || format == REPORT_JOURNAL);
        assert(ret);

        r = malloc(sizeof(*r));
        if (!r)
                return -ENOMEM;

        if (format == REPORT_AUTO)
                format = is_journal(stream) ? REPORT_JOURNAL : REPORT_TEXT;

        *r = (Report) {
                .format = format,
                .max_priority = max_priority,
                .colors = format == REPORT_TEXT && wants_colors(stream),
                .output = { .stream = stream },
        };
        *ret = r;
        return 0;
}

Report *report_free(Report *r) {
        free(r);
        return NULL;
}

static int write_fields(Report *r, usec_t at_usec) {
        _cleanup_(strbuf_done) StrBuf line = STRBUF(LINE_SIZE_MAX);
        int k;

        if (r->format == REPORT_JSON)
                k = json_format(&r->fields, at_usec, &line);
        else
                k = text_format(&r->fields, at_usec, r->colors, &line);

        return k < 0 ? k : output_line(&r->output, line.s, line.n);
}

/* The journal takes messages again: who reads it must know that it is not complete. */
static void say_missing(Report *r) {
        Event event = EVENT(EVENT_MESSAGES_LOST);

        event_set_message(&event, "The journal did not take %zu %s before this one", r->n_missing, r->n_missing == 1 ? "message" : "messages");
        fields_from_event(&r->apology, &event, event_type(event.id)->priority);
        if (journal_send(&r->apology) >= 0)
                r->n_missing = 0;
}

static void send_fields(Report *r, usec_t at_usec) {
        int k;

        if (r->format == REPORT_JOURNAL && r->n_missing > 0)
                say_missing(r);

        k = r->format == REPORT_JOURNAL ? journal_send(&r->fields) : write_fields(r, at_usec);
        if (k < 0) {
                r->n_dropped++;
                r->n_missing++;
        }
}

void report_event(Report *r, const Event *e, usec_t at_usec) {
        int priority;

        assert(r);
        assert(e);

        priority = e->priority >= LOG_EMERG && e->priority <= LOG_DEBUG ? e->priority : event_type(e->id)->priority;
        if (priority > r->max_priority)
                return;

        fields_from_event(&r->fields, e, priority);
        send_fields(r, at_usec);
}

size_t report_n_dropped(const Report *r) {
        assert(r);
        return r->n_dropped;
}
