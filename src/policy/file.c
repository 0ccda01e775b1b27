/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "policy/load.h"

/* Seconds. A file that was written to within them may be written to once more and bear the same time: the coarsest that a file system keeps is 2 s
 * (FAT). Such a file is not recognized the next time, but read again. */
#define FRESH_SEC 2

static const char *kind_of(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return "a folder";
        case S_IFIFO:
                return "a named pipe";
        case S_IFSOCK:
                return "a socket";
        default:
                return "a device";
        }
}

static uint64_t mix(uint64_t h, uint64_t n) {
        h = (h ^ n) * UINT64_C(0xff51afd7ed558ccd);
        h = (h ^ h >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
        return h ^ h >> 29;
}

/* Any change of a file's bytes changes its ctime, which nobody can set; device and inode tell another file that has taken its place. */
static uint64_t mark_of(const struct stat *st) {
        uint64_t h = 0;

        if (!S_ISREG(st->st_mode))
                return 0;

        h = mix(h, st->st_dev);
        h = mix(h, st->st_ino);
        h = mix(h, (uint64_t) st->st_size);
        h = mix(h, (uint64_t) st->st_mtim.tv_sec);
        h = mix(h, (uint64_t) st->st_mtim.tv_nsec);
        h = mix(h, (uint64_t) st->st_ctim.tv_sec);
        h = mix(h, (uint64_t) st->st_ctim.tv_nsec);
        return h != 0 ? h : 1;
}

uint64_t file_mark(int dir_fd, const char *name) {
        struct stat st;

        assert(name);
        return fstatat(dir_fd, name, &st, 0) < 0 ? 0 : mark_of(&st);
}

bool file_is_gone(int dir_fd, const char *name) {
        struct stat st;

        assert(name);
        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* @now: from before the file was looked at. In the future, too, it is fresh: a clock was set. */
static bool is_fresh(const struct stat *st, const struct timespec *now) {
        return st->st_ctim.tv_sec + FRESH_SEC >= now->tv_sec;
}

static int file_open(int dir_fd, const char *name, Problems *problems, size_t *ret_size, uint64_t *ret_mark) {
        _cleanup_(close_fdp) int fd = -1;
        struct timespec now;
        struct stat st;

        (void) clock_gettime(CLOCK_REALTIME_COARSE, &now);      /* the one that stamps files; cannot fail */

        /* Without O_NONBLOCK a named pipe would be waited for, and all the other files with it. */
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno != ENXIO) /* a socket: not to be opened, but neither a regular file */
                return -errno;
        if ((fd < 0 ? fstatat(dir_fd, name, &st, 0) : fstat(fd, &st)) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode)) {
                problems_add(problems, 0, 0, NULL, "found %s, expected a regular file", kind_of(st.st_mode));
                return -EINVAL;
        }
        if (fd < 0)
                return -ENXIO;

        *ret_mark = is_fresh(&st, &now) ? 0 : mark_of(&st);
        *ret_size = st.st_size < POLICY_FILE_MAX ? (size_t) st.st_size : POLICY_FILE_MAX;
        return STEAL_FD(fd);
}

/* Reads to the end, or until @size bytes are there. */
static int read_all(int fd, char *buf, size_t size, size_t *ret_n) {
        size_t n = 0;

        while (n < size) {
                ssize_t k = read(fd, buf + n, size - n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }

        *ret_n = n;
        return 0;
}

static int file_read_bytes(int dir_fd, const char *name, Problems *problems, char **ret, size_t *ret_n, uint64_t *ret_mark) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) char *buf = NULL;
        size_t size = 0, n = 0;
        uint64_t mark = 0;
        int r;

        fd = file_open(dir_fd, name, problems, &size, &mark);
        if (fd < 0)
                return fd;

        /* The file may grow while it is read, so its size is only where to start from; files of /proc even say 0. */
        for (size += 2;; size = MIN(size * 2, (size_t) POLICY_FILE_MAX + 2)) {
                char *larger = realloc(buf, size);
                size_t k = 0;

                if (!larger)
                        return -ENOMEM;
                buf = larger;
                r = read_all(fd, buf + n, size - 1 - n, &k);
                if (r < 0)
                        return r;
                n += k;
                if (n < size - 1 || n > POLICY_FILE_MAX)
                        break;
        }

        if (n > POLICY_FILE_MAX) {
                problems_add(problems, 1, 1, NULL, "found more than %d bytes, expected at most 16 MiB",
                             POLICY_FILE_MAX);
                return -EINVAL;
        }

        buf[n] = '\0';
        *ret = STEAL(buf);
        *ret_n = n;
        if (ret_mark)
                *ret_mark = mark;
        return 0;
}

int file_read(int dir_fd, const char *name, Problems *problems, char **ret, size_t *ret_n, uint64_t *ret_mark) {
        size_t n_before;
        int r;

        assert(name);
        assert(problems);
        assert(ret);
        assert(ret_n);

        n_before = problems->n;
        r = file_read_bytes(dir_fd, name, problems, ret, ret_n, ret_mark);
        if (r < 0 && problems->n == n_before)
                problems_add(problems, 0, 0, NULL, "found a file that cannot be read (%s), expected a readable one",
                             strerror(-r));
        return r;
}
