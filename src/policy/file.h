/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading a configuration file whole: bounded, and never stuck on what is no file. */

#include <stdbool.h>
#include <stdint.h>

#include "policy/problems.h"

/**
 * file_read() - the bytes of a regular file
 * @dir_fd:     folder that @name is relative to, or AT_FDCWD
 * @problems:   told why it cannot be read
 * @ret:        new (free with free()); NUL-terminated beyond @ret_n
 * @ret_mark:   as long as file_mark() is the same, so are the bytes; 0: not known. May be NULL
 *
 * Return: 0; -EINVAL if it is no regular file or larger than POLICY_FILE_MAX; -errno if it cannot be read.
 */
int file_read(int dir_fd, const char *name, Problems *problems, char **ret, size_t *ret_n, uint64_t *ret_mark);

/* What tells the file of that name from any other, and from itself before it was last written to. 0: nothing is known of it. */
uint64_t file_mark(int dir_fd, const char *name);

/* Is there nothing of that name, not even a link that leads nowhere? */
bool file_is_gone(int dir_fd, const char *name);
