/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#define AT_A_TIME 256           /* names; picked: some 100 us */

/* Names follow each other in one block: a hundred thousand of them are no hundred thousand allocations. */
struct Listing {
        DIR *dir;               /* NULL: the folder does not exist */
        char *texts;
        size_t n_bytes, n_bytes_allocated;
        const char **names;     /* into @texts, once all are there */
        size_t n;
};

int listing_open(const char *path, bool may_be_missing, Listing **ret) {
        _cleanup_(listing_freep) Listing *l = NULL;

        assert(path);
        assert(ret);

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->dir = opendir(path);
        if (!l->dir && (errno != ENOENT || !may_be_missing))
                return -errno;

        *ret = STEAL(l);
        return 0;
}

Listing *listing_free(Listing *l) {
        if (!l)
                return NULL;

        if (l->dir)
                (void) closedir(l->dir);        /* it was only read */
        free(l->names);
        free(l->texts);
        free(l);
        return NULL;
}

static bool is_policy_file(const char *name, size_t n) {
        size_t n_suffix = strlen(LISTING_SUFFIX);

        return name[0] != '.' && n >= n_suffix && streq(name + n - n_suffix, LISTING_SUFFIX);
}

static int add_name(Listing *l, const char *name, size_t n) {
        if (l->n_bytes_allocated - l->n_bytes < n + 1) {
                size_t size = MAX(l->n_bytes_allocated * 2, l->n_bytes + n + 1);
                char *larger = realloc(l->texts, size);

                if (!larger)
                        return -ENOMEM;
                l->texts = larger;
                l->n_bytes_allocated = size;
        }

        memcpy(l->texts + l->n_bytes, name, n + 1);
        l->n_bytes += n + 1;
        l->n++;
        return 0;
}

static int by_bytes(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int put_in_order(Listing *l) {
        const char *name = l->texts;

        if (l->n == 0)
                return 0;

        l->names = malloc(l->n * sizeof(*l->names));
        if (!l->names)
                return -ENOMEM;
        for (size_t i = 0; i < l->n; i++) {
                l->names[i] = name;
                name += strlen(name) + 1;
        }

        qsort(l->names, l->n, sizeof(*l->names), by_bytes);
        return 0;
}

int listing_read(Listing *l) {
        assert(l);
        assert(!l->names);

        for (size_t i = 0; l->dir && i < AT_A_TIME; i++) {
                const struct dirent *d;
                size_t n;
                int r;

                errno = 0;
                d = readdir(l->dir);
                if (!d && errno != 0)
                        return -errno;
                if (!d)
                        return put_in_order(l);

                n = strlen(d->d_name);
                if (!is_policy_file(d->d_name, n))
                        continue;
                r = add_name(l, d->d_name, n);
                if (r < 0)
                        return r;
        }

        return l->dir ? 1 : 0;
}

int listing_fd(const Listing *l) {
        assert(l);
        assert(l->dir);
        return dirfd(l->dir);
}

size_t listing_n(const Listing *l) {
        assert(l);
        return l->names ? l->n : 0;
}

const char *listing_name(const Listing *l, size_t i) {
        assert(l);
        assert(i < l->n);
        return l->names[i];
}
