/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Filling in Failures: the parts that decoding and classifying share. */

#include "base/http.h"
#include "facts/facts.h"

/* Zeroes @f and takes over what every reply has: status, request id, Date. */
void failure_begin(Failure *f, const HttpReply *p);

/* FAILURE_UNREADABLE with that sentence. Return: -EBADMSG, for "return failure_...(...)". */
int failure_set_unreadable(Failure *f, const char *text);
int failure_unreadable(Failure *f, const HttpReply *p, const char *format, ...) _printf_(3, 4);
