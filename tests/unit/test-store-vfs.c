/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-vfs.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 512
#define IMAGES_MAX 8

/* A write that was not synced yet; without data: a truncation to @at. */
typedef struct Pending {
        sqlite3_int64 at;
        void *data;
        size_t n;
} Pending;

/* What a file is known to hold on the medium, and what it may hold on top of that. */
typedef struct Image {
        char path[PATH_SIZE];
        char *synced;           /* NULL: nothing is known of it yet */
        size_t n_synced, n_allocated;
        Pending *pending;
        size_t n_pending;
} Image;

typedef struct File {
        sqlite3_file base;      /* first: SQLite knows no more of it */
        Image *image;           /* NULL: not kept (the shared memory is no file to us) */
        sqlite3_file *real;     /* follows this struct in memory */
} File;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;
static Image images[IMAGES_MAX];
static Fault armed;
static size_t calls_left;
static bool count_reads, happened;

/* Return: must this call fail? */
static bool fails(bool is_read, bool is_write) {
        if (armed == FAULT_NONE || (is_read && !count_reads))
                return false;

        if (happened)
                return armed == FAULT_FULL_ON ? is_write : armed != FAULT_ERROR_ONCE;
        if (armed == FAULT_FULL_ON && !is_write)
                return false;
        if (calls_left-- > 0)
                return false;

        happened = true;
        return true;
}

static void image_forget_pending(Image *i) {
        for (size_t k = 0; k < i->n_pending; k++)
                free(i->pending[k].data);
        free(i->pending);
        i->pending = NULL;
        i->n_pending = 0;
}

static void image_forget(Image *i) {
        image_forget_pending(i);
        free(i->synced);
        *i = (Image) {};
}

static Image *image_get(const char *path) {
        for (size_t i = 0; i < IMAGES_MAX; i++)
                if (strcmp(images[i].path, path) == 0)
                        return &images[i];

        for (size_t i = 0; i < IMAGES_MAX; i++)
                if (!images[i].path[0]) {
                        (void) snprintf(images[i].path, PATH_SIZE, "%s", path);
                        return &images[i];
                }

        abort();
}

static void image_add(Image *i, sqlite3_int64 at, const void *data, size_t n) {
        Pending *p;

        if (!i)
                return;

        i->pending = realloc(i->pending, (i->n_pending + 1) * sizeof(*i->pending));
        assert(i->pending);
        p = &i->pending[i->n_pending++];
        *p = (Pending) { .at = at, .n = n };
        if (data) {
                p->data = malloc(n);
                assert(p->data);
                memcpy(p->data, data, n);
        }
}

/* Makes it @n bytes long; new ones are zero. */
static void image_resize(Image *i, size_t n) {
        if (n >= i->n_allocated) {
                i->n_allocated = 2 * n + 1;
                i->synced = realloc(i->synced, i->n_allocated);
                assert(i->synced);
        }
        if (n > i->n_synced)
                memset(i->synced + i->n_synced, 0, n - i->n_synced);
        i->n_synced = n;
}

/* As it was found, so it is on the medium. */
static void image_begin(Image *i, sqlite3_file *real) {
        sqlite3_int64 size = 0;

        if (real->pMethods->xFileSize(real, &size) != SQLITE_OK)
                return;

        image_resize(i, (size_t) size);
        if (size > 0)
                (void) real->pMethods->xRead(real, i->synced, (int) size, 0);
}

/* What was written is on the medium. */
static void image_sync(Image *i) {
        if (!i)
                return;

        for (size_t k = 0; k < i->n_pending; k++) {
                const Pending *p = &i->pending[k];
                size_t at = (size_t) p->at;

                if (!p->data) {
                        image_resize(i, at);
                        continue;
                }
                if (at + p->n > i->n_synced)
                        image_resize(i, at + p->n);
                memcpy(i->synced + at, p->data, p->n);
        }
        image_forget_pending(i);
}

static File *of(sqlite3_file *f) {
        return (File *) f;
}

static int file_close(sqlite3_file *f) {
        return of(f)->real->pMethods->xClose(of(f)->real);
}

static int file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
        if (fails(true, false))
                return SQLITE_IOERR_READ;
        return of(f)->real->pMethods->xRead(of(f)->real, p, n, at);
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
        if (fails(false, true))
                return armed == FAULT_FULL_ON ? SQLITE_FULL : SQLITE_IOERR_WRITE;

        image_add(of(f)->image, at, p, (size_t) n);
        return of(f)->real->pMethods->xWrite(of(f)->real, p, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
        if (fails(false, false))
                return SQLITE_IOERR_TRUNCATE;

        image_add(of(f)->image, size, NULL, 0);
        return of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int file_sync(sqlite3_file *f, int flags) {
        if (fails(false, false))
                return SQLITE_IOERR_FSYNC;

        image_sync(of(f)->image);       /* nothing else makes it durable here */
        return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret) {
        return of(f)->real->pMethods->xFileSize(of(f)->real, ret);
}

static int file_lock(sqlite3_file *f, int level) {
        return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int file_unlock(sqlite3_file *f, int level) {
        return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int file_check_lock(sqlite3_file *f, int *ret) {
        return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, ret);
}

static int file_control(sqlite3_file *f, int op, void *arg) {
        return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int file_sector_size(sqlite3_file *f) {
        return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

/* The real one may promise more than this disk keeps. */
static int file_characteristics(sqlite3_file *f) {
        return 0;
}

static int file_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **ret) {
        return of(f)->real->pMethods->xShmMap(of(f)->real, page, n, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
        return of(f)->real->pMethods->xShmLock(of(f)->real, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f) {
        of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int file_shm_unmap(sqlite3_file *f, int delete_it) {
        return of(f)->real->pMethods->xShmUnmap(of(f)->real, delete_it);
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_characteristics,
        .xShmMap = file_shm_map,
        .xShmLock = file_shm_lock,
        .xShmBarrier = file_shm_barrier,
        .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *ret_flags) {
        File *file = of(f);
        int rc;

        file->base.pMethods = NULL;
        file->real = (sqlite3_file *) (file + 1);
        if (fails(false, false))
                return SQLITE_CANTOPEN;
        if (path && access(path, F_OK) < 0)
                image_forget(image_get(path));  /* of a file that was removed or renamed behind our back */

        rc = real_vfs->xOpen(real_vfs, path, file->real, flags, ret_flags);
        if (rc != SQLITE_OK)
                return rc;

        file->image = path ? image_get(path) : NULL;
        if (file->image && !file->image->synced)
                image_begin(file->image, file->real);
        file->base.pMethods = &methods;
        return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync_folder) {
        if (fails(false, false))
                return SQLITE_IOERR_DELETE;

        image_forget(image_get(path));
        return real_vfs->xDelete(real_vfs, path, sync_folder);
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *ret) {
        return real_vfs->xAccess(real_vfs, path, flags, ret);
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *ret) {
        return real_vfs->xFullPathname(real_vfs, path, n, ret);
}

void vfs_install(void) {
        real_vfs = sqlite3_vfs_find(NULL);
        assert(real_vfs);

        vfs = *real_vfs;
        vfs.pNext = NULL;
        vfs.zName = "failing";
        vfs.szOsFile = (int) sizeof(File) + real_vfs->szOsFile;
        vfs.xOpen = vfs_open;
        vfs.xDelete = vfs_delete;
        vfs.xAccess = vfs_access;
        vfs.xFullPathname = vfs_full_path;
        if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
                abort();
}

void vfs_arm(Fault fault, size_t n, bool reads) {
        armed = fault;
        calls_left = n;
        count_reads = reads;
        happened = false;
}

bool vfs_disarm(void) {
        armed = FAULT_NONE;
        return happened;
}

void vfs_forget(void) {
        for (size_t i = 0; i < IMAGES_MAX; i++)
                image_forget(&images[i]);
}

/* Of what was not synced, each write may have reached the medium, or not, or in part; in any order. */
static void image_restore(const Image *i) {
        int fd = open(i->path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return;         /* was removed or renamed */

        if (ftruncate(fd, 0) < 0 || pwrite(fd, i->synced, i->n_synced, 0) != (ssize_t) i->n_synced)
                abort();

        for (size_t k = 0; k < i->n_pending; k++) {
                const Pending *p = &i->pending[k];
                long kind = random() % 3;

                if (kind == 0)
                        continue;
                if (!p->data && ftruncate(fd, p->at) < 0)
                        abort();
                if (p->data && pwrite(fd, p->data, kind == 1 ? p->n : p->n / 2, p->at) < 0)
                        abort();
        }

        if (close(fd) < 0)
                abort();
}

void vfs_after_power_cut(unsigned long seed) {
        srandom((unsigned) seed);
        for (size_t i = 0; i < IMAGES_MAX; i++) {
                char *p = images[i].path;

                if (!p[0])
                        continue;
                image_restore(&images[i]);
                if (strlen(p) > 3 && strcmp(p + strlen(p) - 3, ".db") == 0) {   /* memory does not survive */
                        char shm[PATH_SIZE + 8];

                        (void) snprintf(shm, sizeof(shm), "%s-shm", p);
                        (void) unlink(shm);
                }
        }
        vfs_forget();
}
