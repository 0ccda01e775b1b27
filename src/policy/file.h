/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading a configuration file whole: bounded, and never stuck on what is no file. */

#include "policy/problems.h"

/**
 * file_read() - the bytes of a regular file
 * @dir_fd:     folder that @name is relative to, or AT_FDCWD
 * @problems:   told why it cannot be read
 * @ret:        new (free with free()); NUL-terminated beyond @ret_n
 *
 * Return: 0; -EINVAL if it is no regular file or larger than POLICY_DOCUMENT_MAX; -errno if it cannot be read.
 */
int file_read(int dir_fd, const char *name, Problems *problems, char **ret, size_t *ret_n);
