/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The SDKs' profile file: an INI file whose section [basic] holds ak, sk, security_token, project_id and domain_id.
 */

#include "cloud/credentials.h"

/**
 * profile_parse() - credentials from the text of a profile file
 * @text, @n:   the whole file; read in place, nothing of it is left behind
 * @origin:     its name, for messages (which give line numbers and never a value)
 *
 * Sections and keys that it does not know are skipped. Values may stand in quotes. Return: 0; -ENOENT if [basic] has
 * no key; -EINVAL for a line that is no INI, a key given twice, or half a pair; -ENOMEM.
 */
int profile_parse(const char *text, size_t n, const char *origin, Credentials **ret, char **reterr);
