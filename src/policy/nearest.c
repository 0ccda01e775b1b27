/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/nearest.h"

#include <ctype.h>
#include <stdint.h>

#include "base/macro.h"

static int fold(char c) {
        return c == '-' ? '_' : tolower((unsigned char) c);
}

size_t word_distance(const char *a, const char *b) {
        size_t rows[3][NEAREST_WORD_MAX + 1];
        size_t n_a, n_b;

        assert(a);
        assert(b);

        n_a = strlen(a);
        n_b = strlen(b);
        if (n_a > NEAREST_WORD_MAX || n_b > NEAREST_WORD_MAX)
                return SIZE_MAX;

        for (size_t j = 0; j <= n_b; j++)
                rows[0][j] = j;

        for (size_t i = 1; i <= n_a; i++) {
                size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];

                now[0] = i;
                for (size_t j = 1; j <= n_b; j++) {
                        size_t d = before[j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));

                        d = MIN(d, before[j] + 1);
                        d = MIN(d, now[j - 1] + 1);
                        if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                                d = MIN(d, two_before[j - 2] + 1);
                        now[j] = d;
                }
        }

        return rows[n_a % 3][n_b];
}

bool word_begins(const char *word, const char *whole) {
        size_t n = 0;

        assert(word);
        assert(whole);

        while (word[n] && whole[n] && fold(word[n]) == fold(whole[n]))
                n++;
        return !word[n] && n >= 3;      /* picked: fewer letters begin anything */
}

bool word_is_near(const char *word, size_t distance) {
        assert(word);

        /* A third of the letters may be wrong; picked: short words are near everything otherwise. */
        return distance <= MAX(strlen(word), (size_t) 3) / 3;
}
