/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Foreign text made fit for terminals, JSON and the journal.
 */

#include <stddef.h>

#define CLEAN_GROWTH_MAX 3      /* bytes out for a byte in: U+FFFD for each that is no UTF-8 */

/**
 * clean_text() - copy a text as valid UTF-8 on one line, without anything that a terminal would act on
 * @s:          NUL-terminated bytes of any kind
 * @buf, @size: where to; cut at a character's end if it does not fit; size at least 1
 *
 * Line breaks and tabs become blanks, other control and format characters (escape sequences, bidirectional overrides) "?".
 *
 * Return: length written, without the NUL.
 */
size_t clean_text(const char *s, char *buf, size_t size);
