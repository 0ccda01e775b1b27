/* SPDX-License-Identifier: Apache-2.0 */
#include "report/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>

#include "base/macro.h"

#define STALL_MSEC 500                  /* a reader that is slow, not gone, is given this long; picked */
#define PART_MAX ((size_t) PIPE_BUF)    /* a pipe that is ready takes this much without blocking */

static void iov_advance(struct iovec iov[static 2], size_t n) {
        for (size_t i = 0; i < 2; i++) {
                size_t k = MIN(n, iov[i].iov_len);

                iov[i].iov_base = (char *) iov[i].iov_base + k;
                iov[i].iov_len -= k;
                n -= k;
        }
}

/* A pipe that nobody reads must not stop the daemon, and its flags are not ours to change: others share them. Once it has stalled,
 * lines are dropped without waiting until it moves again. */
static bool would_not_block(Output *o, int fd) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        int r;

        do
                r = poll(&p, 1, o->stalled ? 0 : STALL_MSEC);
        while (r < 0 && errno == EINTR);

        o->stalled = r == 0;
        return r != 0;
}

static int write_to_fd(Output *o, int fd, const char *line, size_t n) {
        struct iovec iov[2] = {
                { .iov_base = (char *) "\n", .iov_len = o->cut ? 1 : 0 },
                { .iov_base = (char *) line, .iov_len = n              },
        };
        bool begun = false;

        while (iov[1].iov_len > 0) {
                struct iovec part[2] = { iov[0], iov[1] };
                ssize_t k;

                if (!would_not_block(o, fd)) {
                        o->cut = o->cut || begun;
                        return -EAGAIN;
                }

                part[1].iov_len = MIN(part[1].iov_len, PART_MAX - part[0].iov_len);
                k = writev(fd, part, 2);
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
