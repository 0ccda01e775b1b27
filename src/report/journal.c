/* SPDX-License-Identifier: Apache-2.0 */
#include "report/format.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where in our source an event was written says nothing to the people who read it. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

int journal_send(const Fields *f) {
        struct iovec iov[FIELDS_MAX];

        assert(f);

        /* sd_journal_sendv(3) drops silently when there is no journal, but what is dropped is to be counted. */
        if (access(JOURNAL_SOCKET, F_OK) < 0)
                return -errno;

        for (size_t i = 0; i < f->n_items; i++)
                iov[i] = (struct iovec) { .iov_base = (char *) f->items[i].text, .iov_len = f->items[i].n_text };

        return sd_journal_sendv(iov, (int) f->n_items);
}
