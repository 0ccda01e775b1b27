/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The few files of holdfast-sim. */

#include <stddef.h>

/* All of a file. @ret: new (free()). Return: 0; -EFBIG past @max; -errno. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_n);

/* Replaces a file in one step, so that nobody sees half of it. Return: 0 or -errno. */
int file_write(const char *path, const char *text);

/* A name in a new folder of its own below the folder for temporary files. @ret: new. Return: 0 or -errno. */
int file_temporary(const char *name, char **ret);

/* Removes such a file and its folder; what is gone already is fine. */
void file_temporary_remove(const char *path);
