/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The few language helpers that every room uses: scope-bound cleanup, ownership hand-over, sizes.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _printf_(a, b) __attribute__((__format__(__printf__, a, b)))
#define _unused_ __attribute__((__unused__))

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Each argument is evaluated once; the numbered names let them be nested. */
#define MIN(a, b) PICK_(a, b, <, __COUNTER__)
#define MAX(a, b) PICK_(a, b, >, __COUNTER__)
#define PICK_(a, b, op, n) PICK__(a, b, op, n)
#define PICK__(a, b, op, n) ({ __typeof__(a) _a##n = (a); __typeof__(b) _b##n = (b); _a##n op _b##n ? _a##n : _b##n; })

/* Hands over what the variable owns and leaves it empty: *ret = STEAL(x). */
#define STEAL(p) ({ __typeof__(p) *_pp = &(p); __typeof__(p) _v = *_pp; *_pp = NULL; _v; })
#define STEAL_FD(fd) ({ int *_fdp = &(fd); int _fd = *_fdp; *_fdp = -1; _fd; })

/* Defines f##p() for _cleanup_(f##p): calls @func on what the variable points to, unless it is NULL. */
#define DEFINE_CLEANUP(type, func)                      \
        static inline _unused_ void func##p(type *p) {  \
                if (*p)                                 \
                        (void) func(*p);                \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void close_fdp(int *fd) {
        if (*fd >= 0)
                (void) close(*fd); /* nothing was written through it that close() could still report */
}

static inline int streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* NULL is the empty string here: the cloud leaves out what it has nothing to say about. */
static inline int streq0(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") == 0;
}
