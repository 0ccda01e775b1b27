/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a single text of a policy file may look like. Identifiers become part of URLs, so each of these lets only a few
 * characters through; slashes, dots-only and control characters never.
 */

#include <stdbool.h>

#include "facts/facts.h"

bool value_is_name(const char *s);
bool value_is_region(const char *s);
bool value_is_project_id(const char *s);
bool value_is_domain_id(const char *s);
bool value_is_instance_id(const char *s);       /* the characters of one, see value_fits_service() */
bool value_is_backup_id(const char *s);
bool value_is_kms_key_id(const char *s);
bool value_is_bucket_name(const char *s);
bool value_is_bucket_path(const char *s);       /* may be empty */
bool value_is_absolute_path(const char *s);
bool value_is_label(const char *s);             /* a name that the cloud's people chose: any characters but control characters */

/**
 * value_fits_service() - is this an instance of that service?
 * @reterr: static text, what was expected, when it is not
 *
 * Sources: TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock (36 characters, suffix in07); GaussDB API Reference,
 * Querying the Backup List (36 characters); DBSS API Reference, Enabling/Disabling Backup (32 to 64 characters).
 */
bool value_fits_service(const char *instance_id, Service service, const char **reterr);
