/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading small files that hold secrets, and the parts that credentials are put together from. */

#include <sys/types.h>

#include "cloud/credentials.h"

#define CREDENTIAL_FILE_MAX SECRET_MAX  /* bytes */

/**
 * credential_file_read() - a whole file, as it is
 * @dir_fd:     folder, or AT_FDCWD
 * @name:       file in it; a symlink to a regular file will do
 * @shown:      its name for messages
 * @forbidden:  mode bits that must not be set; 0: not checked
 *
 * Never waits for a FIFO or a device. Return: 0; -ENOENT; -EPERM for forbidden bits; -EINVAL if it is no regular file
 * or is empty; -EFBIG past CREDENTIAL_FILE_MAX; -errno. @reterr may be NULL.
 */
int credential_file_read(int dir_fd, const char *name, const char *shown, mode_t forbidden, Secret **ret,
                         char **reterr);

/* Sets *@reterr (where wanted) to new text. Return: @r, for "return credential_error(...)". */
int credential_error(int r, char **reterr, const char *format, ...) _printf_(3, 4);

/* What a source found; lengths count, nothing is terminated. NULL: not there. */
typedef struct CredentialText {
        const char *s;
        size_t n;
} CredentialText;

typedef struct CredentialTexts {
        CredentialText access_key, secret_key, security_token, project_id, domain_id;
} CredentialTexts;

/**
 * credentials_build() - checked credentials from texts, white space around each dropped
 * @origin:     for people; copied
 *
 * Keys and tokens must be visible ASCII, so that they can break no header. Empty texts count as absent. Return: 0;
 * -EINVAL if half of the pair is missing or one has odd characters; -ENOENT if both are missing; -ENOMEM.
 */
int credentials_build(const CredentialTexts *t, const char *origin, Credentials **ret, char **reterr);

/* The same for a password, which may hold any UTF-8 but control characters. */
int credentials_build_password(CredentialText password, const char *origin, Credentials **ret, char **reterr);
