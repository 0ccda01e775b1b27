/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Texts of the cloud may repeat what was sent to it. Before anybody reads or stores one, what proves who we are is
 * taken out of it.
 */

#include "base/secret.h"

/**
 * scrub_secret() - put SCRUBBED wherever @s stands in @text
 * @s:          NULL or shorter than 4 bytes: is not searched for, it would be found everywhere
 *
 * In place, without a copy. Its beginning counts as well, where 16 bytes of it stand or where the text ends with it: what
 * is too long for a field was cut.
 */
void scrub_secret(char *text, const Secret *s);

/* The same for each run of 40 or more hexadecimal digits: a signature has 64, and no id of the cloud more than 36. */
void scrub_signatures(char *text);

#define SCRUBBED "***"
