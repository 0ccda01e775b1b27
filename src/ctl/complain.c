/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "report/clean.h"

#define LINE_BYTES 4096         /* of a complaint; longer ones are cut */

static void line(const char *format, va_list ap) _printf_(1, 0);

static void line(const char *format, va_list ap) {
        char raw[LINE_BYTES], clean[LINE_BYTES];

        (void) vsnprintf(raw, sizeof(raw), format, ap);
        (void) clean_text(raw, clean, sizeof(clean));
        (void) fprintf(stderr, "holdfastctl: %s\n", clean);
}

void ctl_complain(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        line(format, ap);
        va_end(ap);
}

void ctl_hint(void) {
        static bool hinted = false;

        if (!hinted)
                (void) fprintf(stderr, "Try 'holdfastctl --help'.\n");
        hinted = true;
}

int ctl_usage(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        line(format, ap);
        va_end(ap);
        ctl_hint();
        return EXIT_USAGE;
}
