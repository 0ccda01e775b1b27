/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Long output through a pager, as systemd's programs do it: $SYSTEMD_PAGER, else $PAGER, else less; options from $SYSTEMD_LESS. With
 * SYSTEMD_PAGERSECURE=1, and where somebody acts with other rights than those of their session (sudo), only less, in its secure mode:
 * a pager that can run commands would hand these rights on.
 */

#include <sys/types.h>

#include "ctl/ctl.h"

typedef struct Pager {
        pid_t pid;              /* 0: none runs */
} Pager;

/* Starts one where it is wanted; from then on stdout goes to it. Without one, or if it fails, the output goes where it went. */
void pager_start(const CtlOptions *o, Pager *ret);
/* Waits until the reader is done. */
void pager_done(Pager *p);
