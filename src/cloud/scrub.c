/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/scrub.h"

#include <stdbool.h>

#define SECRET_MIN 4            /* bytes; at least as long as what stands for it */
#define BEGINNING_MIN 16        /* bytes that no other text has by chance; picked */
#define SIGNATURE_MIN 40        /* digits; what is left of one that is cut shorter is worth nothing */

static const char HEX_DIGITS[] = "0123456789abcdefABCDEF";

static size_t common_length(const char *text, const char *s, size_t n) {
        size_t k = 0;

        while (k < n && text[k] != '\0' && text[k] == s[k])
                k++;
        return k;
}

/* @p: n characters of a text from there on are replaced. Returns what comes after. */
static char *replace(char *p, size_t n) {
        const size_t n_put = sizeof(SCRUBBED) - 1;

        assert(n >= n_put);

        memcpy(p, SCRUBBED, n_put);
        memmove(p + n_put, p + n, strlen(p + n) + 1);
        return p + n_put;
}

void scrub_secret(char *text, const Secret *s) {
        size_t n = s ? secret_size(s) : 0;

        assert(text);

        if (n < SECRET_MIN)
                return;

        for (char *p = strchr(text, *secret_text(s)); p; p = strchr(p, *secret_text(s))) {
                size_t k = common_length(p, secret_text(s), n);
                bool cut = k >= SECRET_MIN && p[k] == '\0';

                p = k == n || k >= BEGINNING_MIN || cut ? replace(p, k) : p + 1;
        }
}

void scrub_signatures(char *text) {
        assert(text);

        for (char *p = text; *p; p += strcspn(p, HEX_DIGITS)) {
                size_t n = strspn(p, HEX_DIGITS);

                p = n >= SIGNATURE_MIN ? replace(p, n) : p + n;
        }
}
