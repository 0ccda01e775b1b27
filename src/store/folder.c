/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define DATABASE_NAME "holdfast.db"
#define DRAFT_NAME "holdfast.db.new"
#define LOCK_NAME "holdfast.lock"
#define FILE_MODE 0600          /* instance ids, bucket names and paths are nobody else's business */
#define LOCK_TRIES 5            /* 20 ms apart; picked */
#define NAME_SIZE 64            /* bytes; holds "holdfast.db.broken-4294967295-journal" */

/*
 * The database and what SQLite keeps beside it. The database comes first: were its log renamed before it and the power lost, the
 * next start would find a database that looks sound and is older than what was committed.
 */
static const char *const companions[] = { "", "-wal", "-shm", "-journal" };

/* Who only asks whether it is claimed holds it for a moment: that is waited for. */
static int lock_try(int fd) {
        static const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };

        for (unsigned n = 1; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
                if (errno == EINTR)
                        continue;
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (n++ >= LOCK_TRIES)
                        return -EBUSY;
                (void) nanosleep(&moment, NULL);
        }

        return 0;
}

static int lock_take(int dir_fd) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, FILE_MODE);
        if (fd < 0)
                return -errno;

        r = lock_try(fd);
        return r < 0 ? r : STEAL_FD(fd);
}

static char *path_join(const char *dir, const char *name) {
        char *s;

        return asprintf(&s, "%s/%s", dir, name) < 0 ? NULL : s;
}

static int claim(const char *dir, bool existing, Folder *ret) {
        _cleanup_(close_fdp) int dir_fd = -1, lock_fd = -1;
        _cleanup_(freep) char *path = NULL, *database_path = NULL, *draft_path = NULL;
        struct stat st;

        assert(dir);
        assert(ret);

        /* Absolute, so that no folder's name can look like one of SQLite's special file names. */
        path = realpath(dir, NULL);
        if (!path)
                return -errno;

        dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return -errno;

        if (existing && fstatat(dir_fd, DATABASE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;

        lock_fd = lock_take(dir_fd);
        if (lock_fd < 0) {
                int r = lock_fd;

                lock_fd = -1;
                return r;
        }
        if (existing && geteuid() == 0 && fchown(lock_fd, st.st_uid, st.st_gid) < 0)
                return -errno;

        database_path = path_join(path, DATABASE_NAME);
        draft_path = path_join(path, DRAFT_NAME);
        if (!database_path || !draft_path)
                return -ENOMEM;

        *ret = (Folder) {
                .dir_fd = STEAL_FD(dir_fd),
                .lock_fd = STEAL_FD(lock_fd),
                .database_path = STEAL(database_path),
                .draft_path = STEAL(draft_path),
        };
        return 0;
}

int folder_open(const char *dir, Folder *ret) {
        return claim(dir, false, ret);
}

int folder_open_existing(const char *dir, Folder *ret) {
        return claim(dir, true, ret);
}

int folder_is_claimed(const char *dir) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) char *path = NULL;

        assert(dir);

        path = path_join(dir, LOCK_NAME);
        if (!path)
                return -ENOMEM;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;

        /* Shared, so that two that ask do not take each other for a daemon; let go of as it is closed. */
        if (flock(fd, LOCK_SH | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? 1 : -errno;
        return 0;
}

void folder_done(Folder *f) {
        assert(f);

        close_fdp(&f->lock_fd);
        close_fdp(&f->dir_fd);
        free(f->database_path);
        free(f->draft_path);
        *f = (Folder) FOLDER_NULL;
}

/* Return: 1 if the name is taken by anything at all, 0 if it is free, -errno. */
static int name_exists(const Folder *f, const char *name, struct stat *ret) {
        if (fstatat(f->dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) >= 0)
                return 1;

        return errno == ENOENT ? 0 : -errno;
}

static int look_for_log(const Folder *f, FolderContent *ret) {
        struct stat st;
        int r;

        r = name_exists(f, DATABASE_NAME "-wal", &st);
        if (r < 0)
                return r;

        *ret = r > 0 && st.st_size > 0 ? FOLDER_REMAINS : FOLDER_EMPTY;
        return 0;
}

int folder_look(const Folder *f, FolderContent *ret) {
        struct stat st;
        int r;

        assert(f);
        assert(ret);

        r = name_exists(f, DATABASE_NAME, &st);
        if (r < 0)
                return r;
        if (r == 0)
                return look_for_log(f, ret);

        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (S_ISLNK(st.st_mode))
                return -ELOOP;  /* its companions would lie elsewhere, and could not be set aside together */
        if (!S_ISREG(st.st_mode))
                return -EINVAL;

        /* SQLite would fall back to reading alone, and fail at the first write with less to say. It makes its log in the folder. */
        if (faccessat(f->dir_fd, DATABASE_NAME, R_OK | W_OK, AT_EACCESS) < 0 ||
            faccessat(f->dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
                return -errno;

        *ret = st.st_size == 0 ? FOLDER_REMAINS : FOLDER_DATABASE;
        return 0;
}

/* Is "holdfast.db.broken-<n>" free, with all its companions? Return: 1, 0 or -errno. */
static int number_is_free(const Folder *f, unsigned n) {
        for (size_t i = 0; i < N_ELEMENTS(companions); i++) {
                char name[NAME_SIZE];
                struct stat st;
                int r;

                (void) snprintf(name, sizeof(name), DATABASE_NAME ".broken-%u%s", n, companions[i]);
                r = name_exists(f, name, &st);
                if (r != 0)
                        return r < 0 ? r : 0;
        }

        return 1;
}

static int rename_all(const Folder *f, unsigned n) {
        for (size_t i = 0; i < N_ELEMENTS(companions); i++) {
                char from[NAME_SIZE], to[NAME_SIZE];

                (void) snprintf(from, sizeof(from), DATABASE_NAME "%s", companions[i]);
                (void) snprintf(to, sizeof(to), DATABASE_NAME ".broken-%u%s", n, companions[i]);
                if (renameat(f->dir_fd, from, f->dir_fd, to) < 0 && errno != ENOENT)
                        return -errno;
        }

        return fsync(f->dir_fd) < 0 ? -errno : 0;
}

int folder_set_aside(const Folder *f, char **ret_name) {
        _cleanup_(freep) char *name = NULL;
        int r;

        assert(f);
        assert(ret_name);

        /* The lock is ours: nobody takes the number between looking and renaming. */
        for (unsigned n = 1; n > 0; n++) {
                r = number_is_free(f, n);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;

                if (asprintf(&name, DATABASE_NAME ".broken-%u", n) < 0) {
                        name = NULL;    /* undefined after a failure */
                        return -ENOMEM;
                }

                r = rename_all(f, n);
                if (r < 0)
                        return r;

                *ret_name = STEAL(name);
                return 0;
        }

        return -EEXIST;
}

void folder_drop_draft(const Folder *f) {
        assert(f);

        /* What cannot be removed is in the way of the next draft, and is reported by it. */
        (void) unlinkat(f->dir_fd, DRAFT_NAME, 0);
        (void) unlinkat(f->dir_fd, DRAFT_NAME "-journal", 0);
}

int folder_begin_draft(const Folder *f) {
        _cleanup_(close_fdp) int fd = -1;

        assert(f);

        folder_drop_draft(f);

        fd = openat(f->dir_fd, DRAFT_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        return fd < 0 ? -errno : 0;
}

int folder_publish_draft(const Folder *f) {
        assert(f);

        if (renameat(f->dir_fd, DRAFT_NAME, f->dir_fd, DATABASE_NAME) < 0)
                return -errno;

        return fsync(f->dir_fd) < 0 ? -errno : 0;
}
