/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/files.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/macro.h"

int file_read(const char *path, size_t max, char **ret, size_t *ret_n) {
        _cleanup_(freep) char *text = NULL;
        size_t n = 0, size = 0;
        FILE *f;
        int r = 0;

        f = fopen(path, "re");
        if (!f)
                return -errno;
        do {
                if (n == size) {
                        size_t n_new = size > 0 ? 2 * size : 65536;
                        char *larger = n > max ? NULL : realloc(text, n_new + 1);

                        if (!larger) {
                                r = n > max ? -EFBIG : -ENOMEM;
                                break;
                        }
                        text = larger;
                        size = n_new;
                }
                n += fread(text + n, 1, size - n, f);
                if (ferror(f))
                        r = errno > 0 ? -errno : -EIO;
        } while (r == 0 && !feof(f));
        (void) fclose(f); /* nothing was written */
        if (r < 0)
                return r;

        text[n] = '\0';
        *ret = STEAL(text);
        *ret_n = n;
        return 0;
}

int file_write(const char *path, const char *text) {
        _cleanup_(freep) char *fresh = NULL;
        FILE *f;
        int r;

        if (asprintf(&fresh, "%s.new", path) < 0) {
                fresh = NULL;
                return -ENOMEM;
        }
        f = fopen(fresh, "we");
        if (!f)
                return -errno;
        r = fputs(text, f) < 0 ? -errno : 0;
        if (fclose(f) != 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(fresh, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(fresh); /* may never have been there */
        return r;
}

int file_temporary(const char *name, char **ret) {
        _cleanup_(freep) char *folder = NULL;
        const char *base = getenv("TMPDIR");

        if (asprintf(&folder, "%s/holdfast-sim-XXXXXX", base && *base == '/' ? base : "/tmp") < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        if (!mkdtemp(folder))
                return -errno;
        /* The certificate is for others to read: the daemon runs as another user. */
        if (chmod(folder, 0755) < 0 || asprintf(ret, "%s/%s", folder, name) < 0) {
                (void) rmdir(folder);
                return -ENOMEM;
        }
        return 0;
}

void file_temporary_remove(const char *path) {
        _cleanup_(freep) char *folder = strdup(path);
        char *slash = folder ? strrchr(folder, '/') : NULL;

        (void) unlink(path);
        if (!slash)
                return;
        *slash = '\0';
        (void) rmdir(folder);
}
