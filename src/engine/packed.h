/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Structs that are mostly zero, made small: of each word, a byte with a bit for each of its bytes that is not zero, and then those bytes. A
 * word of zeros is followed by the number of further ones, up to 255. (Cap'n Proto packs its messages in much the same way.) What is
 * unpacked is the same bytes again, so that what a struct points to goes with it. Gaps between members count as what is in them: harmless,
 * but room for nothing.
 */

#include <stddef.h>
#include <stdint.h>

#define N_WORDS(type) (sizeof(type) / sizeof(uint64_t))

#define PACKED_MAX(n_words) ((n_words) * (sizeof(uint64_t) + 1))       /* bytes */

/* @ret has room for PACKED_MAX(@n_words). Return: how many bytes were used. */
size_t pack(const void *data, size_t n_words, uint8_t *ret);

/* @packed: from pack() of at least so many words; NULL: all are zero. */
void unpack(const uint8_t *packed, void *ret, size_t n_words);
