/* SPDX-License-Identifier: Apache-2.0 */

/* Runs a fuzz target once over every file of a folder: the corpus stays a regression test where there is no libFuzzer. */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name) {
        char path[4096];
        uint8_t *data = NULL;
        size_t n = 0;
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "re");
        if (!f)
                return -errno;

        for (;;) {
                uint8_t *more = realloc(data, n + 65536);

                if (!more)
                        abort();
                data = more;
                size_t k = fread(data + n, 1, 65536, f);
                if (k == 0)
                        break;
                n += k;
        }
        (void) fclose(f);

        (void) LLVMFuzzerTestOneInput(data, n);
        free(data);
        return 0;
}

int main(int argc, char *argv[]) {
        size_t n = 0;
        DIR *d;

        if (argc != 2 || !(d = opendir(argv[1]))) {
                (void) fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
                return 2;
        }

        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                if (run_file(argv[1], e->d_name) < 0) {
                        (void) fprintf(stderr, "%s cannot be read\n", e->d_name);
                        return 1;
                }
                n++;
        }
        (void) closedir(d);

        (void) printf("%zu inputs\n", n);
        return n > 0 ? 0 : 1;
}
