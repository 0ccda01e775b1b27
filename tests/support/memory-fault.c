/* SPDX-License-Identifier: Apache-2.0 */
#include "memory-fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum Mode {
        MODE_NEVER,
        MODE_ONCE,
        MODE_ON,
} Mode;

static Mode mode;
static size_t n_left;
static unsigned n_pauses;
static bool failed;

/* Where the library that is spared lies. */
static uintptr_t spared_from, spared_to;

/* The address sanitizer's own, where it is linked: with a compiler that links it into the program, nothing else leads to it. */
extern void *__interceptor_malloc(size_t n) __attribute__((weak));
extern void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));

/* glibc's, for what the dynamic linker itself allocates while the next ones are looked up. */
extern void *__libc_calloc(size_t n, size_t size);

static void *(*next_malloc)(size_t n);
static void *(*next_calloc)(size_t n, size_t size);
static void *(*next_realloc)(void *p, size_t n);
static bool looking;

/* ISO C knows no way from an object's pointer to a function's; POSIX has this one (dlsym(3)). */
static void look_up(void *function, const char *name) {
        void *p = dlsym(RTLD_NEXT, name);

        memcpy(function, &p, sizeof(p));
}

static void find_next(void) {
        looking = true;
        if (__interceptor_malloc) {
                next_calloc = __interceptor_calloc;
                next_realloc = __interceptor_realloc;
                next_malloc = __interceptor_malloc;
        } else {
                look_up(&next_calloc, "calloc");
                look_up(&next_realloc, "realloc");
                look_up(&next_malloc, "malloc");
        }
        looking = false;
}

static bool fails(const void *caller) {
        if (mode == MODE_NEVER || n_pauses > 0 || ((uintptr_t) caller >= spared_from && (uintptr_t) caller < spared_to))
                return false;

        if (!failed && n_left-- > 0)
                return false;
        if (failed && mode == MODE_ONCE)
                return false;

        failed = true;
        errno = ENOMEM;
        return true;
}

static void *allocate(size_t n, const void *caller) {
        if (!next_malloc && !looking)
                find_next();
        if (looking)
                return __libc_calloc(1, n);
        return fails(caller) ? NULL : next_malloc(n);
}

static void *reallocate(void *p, size_t n, const void *caller) {
        if (!next_malloc)
                find_next();
        return fails(caller) ? NULL : next_realloc(p, n);
}

static char *copy_text(const char *s, size_t n, const void *caller) {
        char *copy = allocate(n + 1, caller);

        if (!copy)
                return NULL;
        memcpy(copy, s, n);
        copy[n] = '\0';
        return copy;
}

/* --- In place of the C library's ---------------------------------------------------------------------------------- */

#define CALLER __builtin_return_address(0)

void *malloc(size_t n) {
        return allocate(n, CALLER);
}

void *calloc(size_t n, size_t size) {
        if (!next_malloc && !looking)
                find_next();
        if (looking)
                return __libc_calloc(n, size);
        return fails(CALLER) ? NULL : next_calloc(n, size);
}

void *realloc(void *p, size_t n) {
        return reallocate(p, n, CALLER);
}

void *reallocarray(void *p, size_t n, size_t size) {
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return reallocate(p, bytes, CALLER);
}

char *strndup(const char *s, size_t n) {
        return copy_text(s, strnlen(s, n), CALLER);
}

char *strdup(const char *s) {
        return copy_text(s, strlen(s), CALLER);
}

/* --- For tests ---------------------------------------------------------------------------------------------------- */

static void arm(Mode m, size_t n) {
        failed = false;
        n_left = n;
        mode = m;
}

void memory_fail_at(size_t n) {
        arm(MODE_ONCE, n);
}

void memory_fail_from(size_t n) {
        arm(MODE_ON, n);
}

bool memory_fail_never(void) {
        mode = MODE_NEVER;
        return failed;
}

void memory_pause(void) {
        n_pauses++;
}

void memory_resume(void) {
        n_pauses--;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *userdata) {
        if (!strstr(info->dlpi_name, userdata))
                return 0;

        for (size_t i = 0; i < info->dlpi_phnum; i++)
                if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
                        spared_from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
                        spared_to = spared_from + info->dlpi_phdr[i].p_memsz;
                }
        return 1;
}

bool memory_spare(const char *library) {
        return dl_iterate_phdr(find_library, (void *) library) != 0;
}

bool memory_can_fail(void) {
        return !getenv("HOLDFAST_UNDER_VALGRIND");
}
