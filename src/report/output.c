/* SPDX-License-Identifier: Apache-2.0 */
#include "report/output.h"

#include <errno.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>

#include "base/macro.h"

static void iov_advance(struct iovec iov[static 2], size_t n) {
        for (size_t i = 0; i < 2; i++) {
                size_t k = MIN(n, iov[i].iov_len);

                iov[i].iov_base = (char *) iov[i].iov_base + k;
                iov[i].iov_len -= k;
                n -= k;
        }
}

static int write_to_fd(Output *o, int fd, const char *line, size_t n) {
        struct iovec iov[2] = {
                { .iov_base = (char *) "\n", .iov_len = o->cut ? 1 : 0 },
                { .iov_base = (char *) line, .iov_len = n              },
        };
        bool begun = false;

        while (iov[1].iov_len > 0) {
                ssize_t k = writev(fd, iov, 2);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0) {
                        int r = k < 0 ? -errno : -EIO;

                        o->cut = o->cut || begun;
                        return r;
                }

                iov_advance(iov, (size_t) k);
                begun = true;
        }

        o->cut = false;
        return 0;
}

/* Memory streams have no descriptor. */
static int write_to_stream(Output *o, const char *line, size_t n) {
        if (fwrite(line, 1, n, o->stream) == n && fflush(o->stream) == 0)
                return 0;

        clearerr(o->stream);
        return -EIO;
}

static int write_line(Output *o, const char *line, size_t n) {
        int fd = fileno(o->stream);

        if (fd < 0)
                return write_to_stream(o, line, n);

        (void) fflush(o->stream);       /* what others wrote before stays before; its failures are theirs */
        return write_to_fd(o, fd, line, n);
}

/* SIGPIPE is held back around the write and taken off again, whatever the process does with it otherwise. */
int output_line(Output *o, const char *line, size_t n) {
        static const struct timespec at_once = {};
        sigset_t broken_pipe, pending, before;
        bool was_pending;
        int r;

        assert(o);
        assert(line);
        assert(n > 0 && line[n - 1] == '\n');

        (void) sigemptyset(&broken_pipe);
        (void) sigaddset(&broken_pipe, SIGPIPE);
        (void) sigpending(&pending);
        was_pending = sigismember(&pending, SIGPIPE) > 0;

        r = pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
        if (r != 0)
                return -r;

        r = write_line(o, line, n);

        if (!was_pending)
                while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
                        ;
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);     /* cannot fail: it was given to us a moment ago */
        return r;
}
