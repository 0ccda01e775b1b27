/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prose in lines of a width.
 */

#include "base/strbuf.h"

/* Columns of the first @n bytes on the terminal. What is no character of the locale counts one a byte. */
unsigned wrap_width(const char *s, size_t n);

/* Appends @text in lines of at most @columns, with a line break between each two; a word that is longer is broken. Return: 0 or the
 * buffer's error. */
int wrap_lines(const char *text, unsigned columns, StrBuf *b);

/* Writes @text in lines of at most @columns, each but the first after @indent blanks; the first begins at column @at. Widths are those
 * of the locale's characters; a word that is longer than a line stays whole. */
void wrap_print(const char *text, unsigned columns, unsigned indent, unsigned at);
