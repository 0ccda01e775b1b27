/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/credential-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include <sys/stat.h>

int credential_error(int r, char **reterr, const char *format, ...) {
        va_list ap;

        assert(r < 0);

        if (!reterr)
                return r;

        va_start(ap, format);
        if (vasprintf(reterr, format, ap) < 0)
                *reterr = NULL; /* the number still says what is wrong */
        va_end(ap);
        return r;
}

static int check_file(int fd, const char *shown, mode_t forbidden, char **reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return credential_error(-errno, reterr, "%s: cannot be examined: %s", shown, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return credential_error(-EINVAL, reterr, "%s: not a regular file", shown);
        if (st.st_mode & forbidden)
                return credential_error(
                        -EPERM, reterr, "%s: mode is %04o, which lets group or others at it; expected %04o or tighter", shown,
                        (unsigned) (st.st_mode & 07777), (unsigned) (0666 & ~forbidden));
        return 0;
}

/* Up to @size bytes. Return: how many, or -errno. */
static ssize_t read_up_to(int fd, char *buf, size_t size) {
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

        return (ssize_t) n;
}

static int read_secret(int fd, const char *shown, Secret **ret, char **reterr) {
        const size_t size = CREDENTIAL_FILE_MAX + 1;
        char *buf;
        ssize_t n;
        int r;

        buf = malloc(size);
        if (!buf)
                return -ENOMEM;

        n = read_up_to(fd, buf, size);
        if (n < 0)
                r = credential_error((int) n, reterr, "%s: cannot be read: %s", shown, strerror((int) -n));
        else if (n == 0)
                r = credential_error(-EINVAL, reterr, "%s: empty", shown);
        else if ((size_t) n > CREDENTIAL_FILE_MAX)
                r = credential_error(-EFBIG, reterr, "%s: larger than %d bytes", shown, CREDENTIAL_FILE_MAX);
        else
                r = secret_new(buf, (size_t) n, ret);

        explicit_bzero(buf, size);
        free(buf);
        return r;
}

int credential_file_read(int dir_fd, const char *name, const char *shown, mode_t forbidden, Secret **ret,
                         char **reterr) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        assert(name);
        assert(shown);
        assert(ret);

        /* O_NONBLOCK: opening a FIFO must not wait for its writer; regular files do not care. */
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return credential_error(-errno, reterr, "%s: cannot be opened: %s", shown, strerror(errno));

        r = check_file(fd, shown, forbidden, reterr);
        if (r < 0)
                return r;
        return read_secret(fd, shown, ret, reterr);
}
