/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The three ways to write an event's fields.
 */

#include "base/strbuf.h"
#include "base/time-util.h"
#include "report/fields.h"

/* journal.c: Never waits. Return: 0; -ENOENT if there is no journal; -EAGAIN if it is there and does not read; -errno. */
int journal_send(const Fields *f);

/* text.c: one line for people, with its newline. */
int text_format(const Fields *f, usec_t at_usec, bool colors, StrBuf *line);

/* json.c: one object on a line, with its newline. */
int json_format(const Fields *f, usec_t at_usec, StrBuf *line);

#define LINE_SIZE_MAX 65536     /* bytes; no event of ours comes near, even with each byte escaped */
