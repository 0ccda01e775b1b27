/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whole lines to a stream, one write each. A reader that went away or does not keep up costs lines, never the process.
 */

#include <stdbool.h>
#include <stdio.h>

typedef struct Output {
        FILE *stream;           /* borrowed */
        bool stalled;           /* a pipe is full and nobody reads */
        bool cut;               /* the last line was written in part: the next one begins on a line of its own */
} Output;

/* @line ends in a newline. Return: 0; -EAGAIN if a pipe is full and stays so for half a second; -EPIPE, -ENOSPC …: the line is lost. */
int output_line(Output *o, const char *line, size_t n);
