/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The state folder: who may use it (one process, by a lock on holdfast.lock), and where the database and its companions lie. Nothing in
 * here opens the database: closing a second descriptor of it would drop the locks that SQLite holds (fcntl(2)).
 */

#include "base/macro.h"

typedef struct Folder {
        int dir_fd, lock_fd;
        char *database_path;    /* absolute */
        char *draft_path;       /* where a fresh database is made before it gets its name */
} Folder;

#define FOLDER_NULL { .dir_fd = -1, .lock_fd = -1 }

typedef enum FolderContent {
        FOLDER_EMPTY,           /* no database yet */
        FOLDER_DATABASE,
        FOLDER_REMAINS,         /* an empty database, which we never make, or a write-ahead log that has lost its database */
} FolderContent;

/**
 * folder_open() - claim the state folder
 * @ret:        new (folder_done()); FOLDER_NULL before
 *
 * Return: 0; -EBUSY if another process has it; -errno.
 */
int folder_open(const char *dir, Folder *ret);

/* The same, of a folder that has a database: -ENOENT else, and then nothing is made. A lock file that root makes belongs to whom the
 * database belongs to. */
int folder_open_existing(const char *dir, Folder *ret);

/* Has a process claimed it? Return: 1, 0 or -errno. */
int folder_is_claimed(const char *dir);

void folder_done(Folder *f);

/* Return: 0; -EISDIR, -ELOOP, -EINVAL if the name is taken by something other than a file; -EACCES, -EROFS if it cannot be written. */
int folder_look(const Folder *f, FolderContent *ret);

/* Renames the database and its companions, the database first. @ret_name: new (free()), the name that it has now. Return: 0 or -errno. */
int folder_set_aside(const Folder *f, char **ret_name);

/* An empty file at draft_path, whatever lay there before. Return: 0 or -errno. */
int folder_begin_draft(const Folder *f);
/* Gives the draft the database's name, durably. Return: 0 or -errno. */
int folder_publish_draft(const Folder *f);
void folder_drop_draft(const Folder *f);
