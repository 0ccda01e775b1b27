/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Texts from outside (replies, key files) on their way into fixed fields and headers. Nothing here depends on the
 * locale.
 */

#include <stdbool.h>
#include <stddef.h>

/* The digits of a constant, inside a literal. */
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

/**
 * text_copy() - bring a text from outside into a field that people will read
 * @dst, @size: gets at most @size - 1 bytes and a NUL; @size is not 0
 * @s, @n:      bytes as they came; may hold NULs
 *
 * White space other than the blank becomes a blank; control characters, characters that reorder or break a line, and
 * bytes that are no UTF-8 become "?". A text that is too long is cut between characters. Return: bytes written,
 * without the NUL.
 */
size_t text_copy(char *dst, size_t size, const char *s, size_t n);

/* Appends to what stands in @dst, whole or not at all. Return: did it fit? */
bool text_append_whole(char *dst, size_t size, const char *s);

/* Takes ASCII white space off both ends. */
void text_trim(const char **s, size_t *n);

bool text_is_utf8(const char *s, size_t n);

/* Not empty, and nothing but the visible ASCII characters (0x21 to 0x7e): can stand in a header. */
bool text_is_visible(const char *s, size_t n);

/* Not empty, no control character: can stand in a path, a query or a person's terminal. */
bool text_is_printable(const char *s, size_t n);
