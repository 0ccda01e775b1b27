/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How far two words are apart, to guess what a misspelt key was meant to be. */

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_WORD_MAX 64     /* bytes; longer words are near nothing */

/* Letters to insert, drop, change or swap with their neighbour to make one word the other (optimal string alignment), where upper and
 * lower case count as the same, hyphens and underscores too. SIZE_MAX if a word is too long. */
size_t word_distance(const char *a, const char *b);

/* Is it the beginning of the other, or all of it, in the same sense, and long enough to be meant so? */
bool word_begins(const char *word, const char *whole);

/* Is that near enough for the word that was meant? */
bool word_is_near(const char *word, size_t distance);
