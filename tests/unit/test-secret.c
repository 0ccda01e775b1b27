/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/secret.h"

/* munmap() as the module calls it: what is given back must hold nothing any more. */
int __real_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset);

static unsigned n_unmapped;
static int mmap_fails;

int __wrap_munmap(void *p, size_t n) {
        const char *bytes = p;

        for (size_t i = 0; i < n; i++)
                assert_int_equal(bytes[i], 0);
        n_unmapped++;
        return __real_munmap(p, n);
}

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset) {
        if (mmap_fails) {
                errno = ENOMEM;
                return MAP_FAILED;
        }
        return __real_mmap(p, n, prot, flags, fd, offset);
}

static Secret *make(const char *text, size_t n) {
        Secret *s = NULL;

        assert_int_equal(secret_new(text, n, &s), 0);
        assert_non_null(s);
        return s;
}

static void test_new_copies(void **state) {
        char text[] = "s3cr\0et";
        Secret *s = make(text, 7);

        memset(text, 'x', sizeof(text));
        assert_int_equal(secret_size(s), 7);
        assert_memory_equal(secret_text(s), "s3cr\0et", 8);
        assert_null(secret_free(s));
}

static void test_new_sizes(void **state) {
        char *text = calloc(1, SECRET_MAX + 1);
        Secret *s = NULL;

        assert_non_null(text);
        memset(text, 'k', SECRET_MAX + 1);
        for (size_t n = 0; n <= SECRET_MAX; n += n < 8200 ? 1 : 1021) {
                s = make(text, n);
                assert_int_equal(secret_size(s), n);
                assert_int_equal(strlen(secret_text(s)), n);
                s = secret_free(s);
        }
        s = make(text, SECRET_MAX);
        s = secret_free(s);
        assert_int_equal(secret_new(text, SECRET_MAX + 1, &s), -E2BIG);
        assert_null(s);
        s = make(NULL, 0);
        assert_string_equal(secret_text(s), "");
        s = secret_free(s);
        free(text);
}

static void test_free_wipes_with_the_last_reference(void **state) {
        unsigned before = n_unmapped;
        Secret *s = make("secret", 6);

        assert_ptr_equal(secret_ref(s), s);
        assert_null(secret_free(s));
        assert_int_equal(n_unmapped, before);
        assert_string_equal(secret_text(s), "secret");
        assert_null(secret_free(s));
        assert_int_equal(n_unmapped, before + 1);

        assert_null(secret_ref(NULL));
        assert_null(secret_free(NULL));
}

static void test_new_without_memory(void **state) {
        Secret *s = NULL;

        mmap_fails = 1;
        assert_int_equal(secret_new("secret", 6, &s), -ENOMEM);
        mmap_fails = 0;
        assert_null(s);
}

/* "dd" among the flags of its mapping: the kernel leaves it out of core dumps. */
static void test_new_is_kept_out_of_core_dumps(void **state) {
        Secret *s = make("secret", 6);
        FILE *f = fopen("/proc/self/smaps", "re");
        char line[1024];
        int inside = 0, found = 0;

        if (!f) {
                (void) secret_free(s);
                skip();
        }
        while (fgets(line, sizeof(line), f)) {
                unsigned long from, to;

                if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
                        inside = (uintptr_t) s >= from && (uintptr_t) s < to;
                else if (inside && strncmp(line, "VmFlags:", 8) == 0)
                        found = strstr(line, " dd") ? 1 : -1;
        }
        (void) fclose(f);
        (void) secret_free(s);
        if (found == 0)
                skip(); /* a kernel that does not show them */
        assert_int_equal(found, 1);
}

static void test_equal(void **state) {
        Secret *a = make("secret", 6), *b = make("secret", 6), *c = make("secreT", 6), *d = make("secre", 5), *e = make("", 0);

        assert_true(secret_equal(a, a));
        assert_true(secret_equal(a, b));
        assert_false(secret_equal(a, c));
        assert_false(secret_equal(a, d));
        assert_false(secret_equal(d, a));
        assert_true(secret_equal(e, e));
        assert_false(secret_equal(a, NULL));
        assert_false(secret_equal(NULL, a));
        assert_false(secret_equal(NULL, e));
        assert_true(secret_equal(NULL, NULL));

        (void) secret_free(a);
        (void) secret_free(b);
        (void) secret_free(c);
        (void) secret_free(d);
        (void) secret_free(e);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new_copies),
                cmocka_unit_test(test_new_sizes),
                cmocka_unit_test(test_free_wipes_with_the_last_reference),
                cmocka_unit_test(test_new_without_memory),
                cmocka_unit_test(test_new_is_kept_out_of_core_dumps),
                cmocka_unit_test(test_equal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
