/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

/* Each secret has pages of its own, so that advice about them concerns nothing else. There are a handful in a process. */
struct Secret {
        unsigned n_ref;
        size_t n_mapped;        /* bytes of the mapping that starts at this struct */
        size_t n;
        char text[];            /* @n bytes and a NUL */
};

int secret_new(const void *p, size_t n, Secret **ret) {
        size_t page_bytes = (size_t) sysconf(_SC_PAGESIZE), n_mapped;
        Secret *s;

        assert(p || n == 0);
        assert(ret);

        if (n > SECRET_MAX)
                return -E2BIG;

        n_mapped = (sizeof(*s) + n + 1 + page_bytes - 1) / page_bytes * page_bytes;
        s = mmap(NULL, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
                return -ENOMEM;

        /* Both make a leak less likely and nothing depends on them: locking may be over RLIMIT_MEMLOCK. */
        (void) madvise(s, n_mapped, MADV_DONTDUMP);
        (void) mlock(s, n_mapped);

        s->n_ref = 1;
        s->n_mapped = n_mapped;
        s->n = n;
        if (n > 0)
                memcpy(s->text, p, n);

        *ret = s;
        return 0;
}

Secret *secret_ref(Secret *s) {
        if (!s)
                return NULL;

        assert(s->n_ref > 0 && s->n_ref < UINT_MAX);
        s->n_ref++;
        return s;
}

Secret *secret_free(Secret *s) {
        size_t n_mapped;

        if (!s)
                return NULL;

        assert(s->n_ref > 0);
        if (--s->n_ref > 0)
                return NULL;

        n_mapped = s->n_mapped;
        explicit_bzero(s, n_mapped);
        (void) munmap(s, n_mapped); /* fails only for addresses that are not ours */
        return NULL;
}

const char *secret_text(const Secret *s) {
        assert(s);
        return s->text;
}

size_t secret_size(const Secret *s) {
        assert(s);
        return s->n;
}

int secret_equal(const Secret *a, const Secret *b) {
        volatile unsigned char difference = 0;

        if (!a || !b)
                return a == b;
        if (a->n != b->n)
                return 0;

        /* No early way out: how long it takes must not tell where they differ. */
        for (size_t i = 0; i < a->n; i++)
                difference |= (unsigned char) (a->text[i] ^ b->text[i]);

        return difference == 0;
}
