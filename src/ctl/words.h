/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Times, colours and bars as people see them.
 */

#include "base/time-util.h"
#include "ctl/ctl.h"
#include "facts/facts.h"

#define WORDS_MAX 128           /* bytes; holds every text that the functions below write */

/* "2026-11-20 21:56:03Z", as in the text log; "never" for USEC_INFINITY. Returns @buf. */
char *words_time(usec_t at_usec, char buf[static TIME_TEXT_MAX]);

/* "3 h 2 min ago", "in 23 d 4 h", "now"; "" for 0. Returns @buf. */
char *words_relative(usec_t at_usec, usec_t now_usec, char buf[static WORDS_MAX]);

/* "2026-11-20 21:56:03Z (3 h ago)"; "never", "not known" for USEC_INFINITY and 0. Returns @buf. */
char *words_time_both(usec_t at_usec, usec_t now_usec, char buf[static WORDS_MAX]);

/* SGR parameters: of a verdict, and of what should stand out or not. */
#define COLOR_BAD "1;31"
#define COLOR_WARN "33"
#define COLOR_GOOD "32"
#define COLOR_DIM "90"
#define COLOR_HEAD "1"
const char *words_verdict_color(Verdict v);

/* The parameters as an escape sequence where colours are wanted, else "". */
#define COLOR_TEXT_MAX 16
const char *words_color(const CtlOptions *o, const char *color, char buf[static COLOR_TEXT_MAX]);
static inline const char *words_color_off(const CtlOptions *o) { return o->color ? "\x1b[0m" : ""; }

/* A bar of @width characters, as much of it full as @part is of @whole. Returns @buf. */
#define BAR_WIDTH_MAX 32
char *words_bar(const CtlOptions *o, usec_t part_usec, usec_t whole_usec, unsigned width, char buf[static WORDS_MAX]);
