/* SPDX-License-Identifier: Apache-2.0 */
#include "report/format.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* Where in our source an event was written says nothing to the people who read it. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/*
 * Does the journal take a message now? sd_journal_sendv(3) drops silently when there is no journal, but what is dropped is to be counted. And
 * it waits where the journal is there and does not read (stopped, or on a disk that hangs), which would stop the whole daemon: its socket
 * is filled by everybody on the host. A socket of ours tells both beforehand; the kernel says of a connected one whether the other
 * end has room.
 */
static int journal_takes(void) {
        static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        _cleanup_(close_fdp) int fd = -1;
        struct pollfd pollfd;
        int n;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;

        pollfd = (struct pollfd) { .fd = fd, .events = POLLOUT };
        n = poll(&pollfd, 1, 0);
        if (n < 0)
                return -errno;
        return n > 0 && (pollfd.revents & POLLOUT) ? 0 : -EAGAIN;
}

int journal_send(const Fields *f) {
        struct iovec iov[FIELDS_MAX];
        int r;

        assert(f);

        r = journal_takes();
        if (r < 0)
                return r;

        for (size_t i = 0; i < f->n_items; i++)
                iov[i] = (struct iovec) { .iov_base = (char *) f->items[i].text, .iov_len = f->items[i].n_text };

        return sd_journal_sendv(iov, (int) f->n_items);
}
