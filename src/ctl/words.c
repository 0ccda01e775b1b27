/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/words.h"

#include <stdio.h>

char *words_time(usec_t at_usec, char buf[static TIME_TEXT_MAX]) {
        char *t;

        if (at_usec == USEC_INFINITY) {
                (void) snprintf(buf, TIME_TEXT_MAX, "never");
                return buf;
        }

        t = strchr(rfc3339_format(at_usec, buf), 'T');
        if (t)
                *t = ' ';
        return buf;
}

char *words_relative(usec_t at_usec, usec_t now_usec, char buf[static WORDS_MAX]) {
        usec_t apart = usec_diff(at_usec, now_usec);
        char lasted[TIME_TEXT_MAX];

        if (at_usec == 0)
                buf[0] = '\0';
        else if (at_usec == USEC_INFINITY)
                (void) snprintf(buf, WORDS_MAX, "never");
        else if (apart < USEC_PER_SEC)
                (void) snprintf(buf, WORDS_MAX, "now");
        else if (at_usec > now_usec)
                (void) snprintf(buf, WORDS_MAX, "in %s", duration_format_human(apart, lasted));
        else
                (void) snprintf(buf, WORDS_MAX, "%s ago", duration_format_human(apart, lasted));

        return buf;
}

char *words_time_both(usec_t at_usec, usec_t now_usec, char buf[static WORDS_MAX]) {
        char at[TIME_TEXT_MAX], apart[WORDS_MAX];

        if (at_usec == 0)
                (void) snprintf(buf, WORDS_MAX, "not known");
        else if (at_usec == USEC_INFINITY)
                (void) snprintf(buf, WORDS_MAX, "never");
        else {
                words_time(at_usec, at);
                words_relative(at_usec, now_usec, apart);
                (void) snprintf(buf, WORDS_MAX, "%.40s (%.60s)", at, apart);
        }

        return buf;
}

const char *words_verdict_color(Verdict v) {
        switch (v) {
        case VERDICT_COMPLIANT:
                return COLOR_GOOD;
        case VERDICT_VIOLATED:
                return COLOR_BAD;
        case VERDICT_UNKNOWN:
        case VERDICT__MAX:
                break;
        }

        return COLOR_WARN;
}

const char *words_color(const CtlOptions *o, const char *color, char buf[static COLOR_TEXT_MAX]) {
        if (!o->color)
                return "";

        (void) snprintf(buf, COLOR_TEXT_MAX, "\x1b[%sm", color);
        return buf;
}

char *words_bar(const CtlOptions *o, usec_t part_usec, usec_t whole_usec, unsigned width, char buf[static WORDS_MAX]) {
        const char *full = o->utf8 ? "█" : "#", *empty = o->utf8 ? "░" : ".";
        unsigned n;
        char *p = buf;

        assert(width <= BAR_WIDTH_MAX);

        n = whole_usec == 0 ? 0 : (unsigned) ((double) MIN(part_usec, whole_usec) / (double) whole_usec * width + 0.5);
        if (n == 0 && part_usec > 0)
                n = 1;          /* something is left */

        for (unsigned i = 0; i < width; i++)
                p = stpcpy(p, i < n ? full : empty);
        *p = '\0';
        return buf;
}
