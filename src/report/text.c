/* SPDX-License-Identifier: Apache-2.0 */
#include "report/format.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

static const struct {
        const char *word;
        const char *color;      /* of word and event; SGR parameters */
} levels[] = {
        [LOG_EMERG] = { "EMERG",   "1;31" },
        [LOG_ALERT] = { "ALERT",   "1;31" },
        [LOG_CRIT] = { "CRIT",    "1;31" },
        [LOG_ERR] = { "ERR",     "31"   },
        [LOG_WARNING] = { "WARNING", "33"   },
        [LOG_NOTICE] = { "NOTICE",  "1"    },
        [LOG_INFO] = { "INFO",    NULL   },
        [LOG_DEBUG] = { "DEBUG",   "2"    },
};

/* "2026-11-20 21:56:03Z" */
static int add_time(StrBuf *line, usec_t at_usec) {
        char text[TIME_TEXT_MAX], *t;

        t = strchr(rfc3339_format(at_usec, text), 'T');
        if (t)
                *t = ' ';
        return strbuf_add(line, text);
}

static int add_level(StrBuf *line, int priority, const char *event, bool colors) {
        const char *color = colors ? levels[priority].color : NULL;

        return strbuf_addf(line, "  %s%s%s%-7s  %s%s",
                           color ? "\x1b[" : "", color ? color : "", color ? "m" : "",
                           levels[priority].word, event, color ? "\x1b[0m" : "");
}

/* "orders/lock", "orders"; empty where an event is about neither an instance nor a control. */
static int add_subject(StrBuf *line, const char *name, const char *control) {
        if (!name)
                return 0;

        return strbuf_addf(line, "  %s%s%s", name, control ? "/" : "", control ? control : "");
}

/* "orders.yaml:7:19", unless the sentence begins with it. */
static int add_place(StrBuf *line, const Fields *f, const char *sentence) {
        const char *file = fields_get(f, "HOLDFAST_FILE");
        const char *l = fields_get(f, "HOLDFAST_LINE"), *column = fields_get(f, "HOLDFAST_COLUMN");

        if (!file || strncmp(sentence, file, strlen(file)) == 0)
                return 0;

        return strbuf_addf(line, "  %s%s%s%s%s", file, l ? ":" : "", l ? l : "",
                           l && column ? ":" : "", l && column ? column : "");
}

/* A sentence begins with the instance's name, which stands before it here. */
static const char *skip_name(const char *sentence, const char *name) {
        size_t n = name ? strlen(name) : 0;

        if (n > 0 && strncmp(sentence, name, n) == 0 && sentence[n] == ':' && sentence[n + 1] == ' ')
                return sentence + n + 2;

        return sentence;
}

/* What support will ask for, where the sentence does not have it: " [HTTP 403, APIGW.0301, request 7ee2…]" */
static int add_details(StrBuf *line, const Fields *f, const char *sentence) {
        static const struct {
                const char *field, *label;
        } details[] = {
                { "HOLDFAST_HTTP_STATUS", "HTTP "    },
                { "HOLDFAST_ERROR_CODE",  ""         },
                { "HOLDFAST_REQUEST_ID",  "request " },
        };
        bool any = false;
        int r;

        for (size_t i = 0; i < N_ELEMENTS(details); i++) {
                const char *value = fields_get(f, details[i].field);

                if (!value || strstr(sentence, value))
                        continue;

                r = strbuf_addf(line, "%s%s%s", any ? ", " : " [", details[i].label, value);
                if (r < 0)
                        return r;
                any = true;
        }

        return any ? strbuf_add(line, "]") : 0;
}

/* A failed append makes every later one fail (strbuf.h): the last one tells of all. */
int text_format(const Fields *f, usec_t at_usec, bool colors, StrBuf *line) {
        const char *name = fields_get(f, "HOLDFAST_NAME"), *event = fields_get(f, "HOLDFAST_EVENT");
        const char *message = fields_get(f, "MESSAGE"), *sentence;
        int priority = fields_get(f, "PRIORITY")[0] - '0';

        assert(line);

        if (!name)
                name = fields_get(f, "HOLDFAST_INSTANCE");
        sentence = skip_name(message ? message : "", name);

        (void) add_time(line, at_usec);
        (void) add_level(line, priority, event, colors);
        (void) add_subject(line, name, fields_get(f, "HOLDFAST_CONTROL"));
        (void) add_place(line, f, sentence);
        (void) strbuf_addf(line, "  %s", sentence);
        (void) add_details(line, f, sentence);
        return strbuf_add(line, "\n");
}
