/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/packed.h"

#include "base/macro.h"

#define FURTHER_MAX UINT8_MAX

/* Whatever it is that lies there. */
static uint64_t word_at(const void *data, size_t i) {
        uint64_t word;

        memcpy(&word, (const uint8_t *) data + i * sizeof(word), sizeof(word));
        return word;
}

/* How many words from @i on are zero, as far as one count goes: the first and the further ones. */
static size_t n_zero(const void *data, size_t i, size_t n) {
        size_t zeros = 0;

        while (i + zeros < n && zeros <= FURTHER_MAX && word_at(data, i + zeros) == 0)
                zeros++;
        return zeros;
}

/* Return: behind it. */
static uint8_t *write_word(uint64_t word, uint8_t *to) {
        uint8_t *mask = to++;

        *mask = 0;
        for (unsigned byte = 0; word != 0; byte++, word >>= 8)
                if (word & UINT8_MAX) {
                        *mask |= (uint8_t) (1u << byte);
                        *to++ = (uint8_t) word;
                }
        return to;
}

size_t pack(const void *data, size_t n_words, uint8_t *ret) {
        uint8_t *to = ret;

        assert(data);
        assert(ret);

        for (size_t i = 0; i < n_words;) {
                size_t zeros = n_zero(data, i, n_words);

                if (zeros == 0) {
                        to = write_word(word_at(data, i++), to);
                        continue;
                }
                *to++ = 0;
                *to++ = (uint8_t) (zeros - 1);
                i += zeros;
        }

        return (size_t) (to - ret);
}

void unpack(const uint8_t *packed, void *ret, size_t n_words) {
        assert(ret);

        memset(ret, 0, n_words * sizeof(uint64_t));
        if (!packed)
                return;

        for (size_t i = 0; i < n_words; i++) {
                unsigned mask = *packed++;
                uint64_t word = 0;

                if (mask == 0) {
                        i += *packed++;
                        continue;
                }
                for (; mask != 0; mask &= mask - 1)
                        word |= (uint64_t) *packed++ << (8 * (unsigned) __builtin_ctz(mask));
                memcpy((uint8_t *) ret + i * sizeof(word), &word, sizeof(word));
        }
}
