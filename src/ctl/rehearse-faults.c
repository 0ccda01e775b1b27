/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/rehearse.h"

/*
 * --fault KIND=DURATION@WHEN: what goes wrong, for how long, and how long after the beginning.
 */

#define YEAR_USEC (365 * USEC_PER_DAY)
#define EXPECTED "expected KIND=DURATION@WHEN, such as outage=3d@40d"
#define KINDS "outage, down, throttled, error, no-permission or clock"

static const char *const kind_names[REHEARSE_FAULT__MAX] = {
        [REHEARSE_OUTAGE] = "outage",
        [REHEARSE_DOWN] = "down",
        [REHEARSE_THROTTLED] = "throttled",
        [REHEARSE_ERROR] = "error",
        [REHEARSE_NO_PERMISSION] = "no-permission",
        [REHEARSE_CLOCK] = "clock",
};

const char *rehearse_fault_to_string(RehearseFaultKind k) {
        assert(k < REHEARSE_FAULT__MAX);
        return kind_names[k];
}

int rehearse_duration_parse(const char *s, usec_t *ret) {
        size_t n = strspn(s, "0123456789");
        uint64_t years = 0;
        usec_t rest = 0;
        int r;

        assert(ret);

        /* Years stand first or nowhere; the rest is as in policies. */
        if (n > 0 && s[n] == 'y') {
                for (size_t i = 0; i < n; i++) {
                        years = years * 10 + (uint64_t) (s[i] - '0');
                        if (years > USEC_INFINITY / YEAR_USEC)
                                return -ERANGE;
                }
                s += n + 1;
                if (!*s) {
                        *ret = years * YEAR_USEC;
                        return 0;
                }
        }

        r = duration_parse(s, &rest);
        if (r < 0)
                return r;
        if (rest > USEC_INFINITY - 1 - years * YEAR_USEC)
                return -ERANGE;

        *ret = years * YEAR_USEC + rest;
        return 0;
}

static int wrong(char **reterr, const char *format, ...) _printf_(2, 3);
static int wrong(char **reterr, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(reterr, format, ap);
        va_end(ap);
        if (n < 0) {
                *reterr = NULL;
                return -ENOMEM;
        }
        return -EINVAL;
}

static int parse_kind(const char *s, size_t n, RehearseFaultKind *ret) {
        for (RehearseFaultKind k = 0; k < REHEARSE_FAULT__MAX; k++)
                if (strlen(kind_names[k]) == n && strncmp(kind_names[k], s, n) == 0) {
                        *ret = k;
                        return 0;
                }
        return -EINVAL;
}

static int parse_length(const char *s, size_t n, RehearseFault *f) {
        char text[64];
        bool sign = f->kind == REHEARSE_CLOCK && n > 0 && (*s == '+' || *s == '-');
        usec_t usec;
        int r;

        if (n >= sizeof(text))
                return -EINVAL;
        (void) snprintf(text, sizeof(text), "%.*s", (int) n, s);
        r = rehearse_duration_parse(text + sign, &usec);
        if (r < 0)
                return r;
        if (usec == 0 || usec > REHEARSE_FOR_MAX)
                return -ERANGE;

        if (f->kind == REHEARSE_CLOCK)
                f->step_usec = *text == '-' ? -(int64_t) usec : (int64_t) usec;
        else
                f->for_usec = usec;
        return 0;
}

int rehearse_fault_parse(const char *s, RehearseFault *ret, char **reterr) {
        RehearseFault f = {};
        const char *equals, *at;

        assert(s);
        assert(ret);
        assert(reterr);

        equals = strchr(s, '=');
        at = equals ? strchr(equals, '@') : NULL;
        if (!equals)
                return wrong(reterr, "found '%.100s', " EXPECTED, s);
        if (parse_kind(s, (size_t) (equals - s), &f.kind) < 0)
                return wrong(reterr, "found '%.*s' as the kind in '%.100s', expected " KINDS, (int) MIN(equals - s, (ptrdiff_t) 100), s, s);
        if (!at)
                return wrong(reterr, "found no @ in '%.100s', " EXPECTED, s);
        if (parse_length(equals + 1, (size_t) (at - equals - 1), &f) < 0)
                return wrong(reterr, "found '%.*s' as the duration in '%.100s', expected %s", (int) MIN(at - equals - 1, (ptrdiff_t) 100),
                             equals + 1, s,
                             f.kind == REHEARSE_CLOCK ? "a step such as +20m or -1d12h" : "a duration such as 3d or 1d12h, more than none");
        if (rehearse_duration_parse(at + 1, &f.begin_usec) < 0)
                return wrong(reterr, "found '%.100s' as the time in '%.100s', expected a duration since the beginning such as 40d", at + 1, s);

        *ret = f;
        return 0;
}

static int by_begin(const void *a, const void *b) {
        const RehearseFault *x = a, *y = b;

        if (x->begin_usec != y->begin_usec)
                return x->begin_usec < y->begin_usec ? -1 : 1;
        return (int) x->kind - (int) y->kind;
}

int rehearse_faults_check(RehearseFault *faults, size_t n, usec_t for_usec, char **reterr) {
        usec_t ends[REHEARSE_FAULT__MAX] = {};
        char begin[TIME_TEXT_MAX], end[TIME_TEXT_MAX];

        assert(reterr);

        if (n > 1)
                qsort(faults, n, sizeof(*faults), by_begin);

        for (size_t i = 0; i < n; i++) {
                const RehearseFault *f = &faults[i];

                if (f->begin_usec >= for_usec)
                        return wrong(reterr, "%s at %s: expected a time within the %s that are rehearsed", kind_names[f->kind],
                                     duration_format(f->begin_usec, begin), duration_format(for_usec, end));
                if (f->begin_usec < ends[f->kind])
                        return wrong(reterr, "%s at %s begins before the one before it ends", kind_names[f->kind],
                                     duration_format(f->begin_usec, begin));
                ends[f->kind] = usec_add(f->begin_usec, f->for_usec);
        }
        return 0;
}
