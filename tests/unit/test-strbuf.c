/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"

/* free() and the allocators as the module calls them. */
void __real_free(void *p);
void __wrap_free(void *p);
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

static bool check_wiped, memory_is_out;
static unsigned n_freed;

void __wrap_free(void *p) {
        if (p && check_wiped) {
                assert_null(memmem(p, malloc_usable_size(p), "SSSS", 4));
                n_freed++;
        }
        __real_free(p);
}

void *__wrap_malloc(size_t n) {
        return memory_is_out ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n) {
        return memory_is_out ? NULL : __real_realloc(p, n);
}

static void assert_finish(StrBuf *b, const char *expected) {
        char *s = NULL;

        assert_int_equal(strbuf_finish(b, &s), 0);
        assert_non_null(s);
        assert_string_equal(s, expected);
        free(s);
}

static void test_appends(void **state) {
        StrBuf b = STRBUF(1000);

        assert_finish(&b, "");
        assert_int_equal(strbuf_add(&b, ""), 0);
        assert_int_equal(strbuf_add(&b, "GET "), 0);
        assert_int_equal(strbuf_add_n(&b, "/path---", 5), 0);
        assert_int_equal(strbuf_add_n(&b, NULL, 0), 0);
        assert_int_equal(strbuf_addf(&b, "?a=%d&b=%s", 5, "x"), 0);
        assert_string_equal(b.s, "GET /path?a=5&b=x");
        assert_int_equal(b.n, 17);
        assert_finish(&b, "GET /path?a=5&b=x");

        /* Empty again, and of use again. */
        assert_null(b.s);
        assert_int_equal(strbuf_add(&b, "more"), 0);
        assert_finish(&b, "more");
        strbuf_done(&b);
        strbuf_done(NULL);
}

static void test_grows_over_many_blocks(void **state) {
        StrBuf b = STRBUF(100000);

        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(strbuf_addf(&b, "%u", i % 10), 0);
        assert_int_equal(b.n, 100000);
        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(b.s[i], '0' + (char) (i % 10));
        assert_true(b.n_allocated <= 100001);
        strbuf_done(&b);
}

static void test_cap_is_exact_and_sticks(void **state) {
        volatile size_t huge = SIZE_MAX;        /* nothing that a compiler could see */
        StrBuf b = STRBUF(5);
        char *s = NULL;

        assert_int_equal(strbuf_add(&b, "12345"), 0);
        assert_int_equal(strbuf_add(&b, ""), 0);
        assert_int_equal(strbuf_add(&b, "6"), -E2BIG);
        assert_int_equal(b.n, 5);
        assert_int_equal(strbuf_add(&b, ""), -E2BIG);
        assert_int_equal(strbuf_addf(&b, "%s", ""), -E2BIG);
        assert_int_equal(strbuf_add_percent(&b, "", 0), -E2BIG);
        assert_int_equal(strbuf_finish(&b, &s), -E2BIG);
        assert_null(s);
        strbuf_done(&b);
        assert_int_equal(strbuf_add(&b, "1234"), 0);
        assert_int_equal(strbuf_addf(&b, "%d", 56), -E2BIG);
        assert_string_equal(b.s, "1234");
        strbuf_done(&b);
        assert_int_equal(strbuf_add_n(&b, "1", huge), -E2BIG);
        strbuf_done(&b);

        StrBuf nothing = STRBUF(0);
        assert_int_equal(strbuf_add(&nothing, "1"), -E2BIG);
        strbuf_done(&nothing);
        assert_finish(&nothing, "");

        StrBuf all = STRBUF(SIZE_MAX);
        assert_int_equal(strbuf_add(&all, "1"), 0);
        assert_int_equal(strbuf_add_n(&all, "1", huge - 1), -E2BIG);
        strbuf_done(&all);
}

static void test_add_percent(void **state) {
        static const struct {
                const char *s;
                size_t n;
                const char *text;
        } cases[] = {
                { "AZaz09-_.~", 10, "AZaz09-_.~" },
                { "a b+c/d?e=f&g", 13, "a%20b%2Bc%2Fd%3Fe%3Df%26g" },
                { "\xe4\xb8\x8a", 3, "%E4%B8%8A" },
                { "*'()!@%", 7, "%2A%27%28%29%21%40%25" },
                { "\0\n\x7f", 3, "%00%0A%7F" },
                { "abc", 2, "ab" },
                { "", 0, "" },
                { NULL, 0, "" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                StrBuf b = STRBUF(100);

                assert_int_equal(strbuf_add_percent(&b, cases[i].s, cases[i].n), 0);
                assert_finish(&b, cases[i].text);
        }

        StrBuf b = STRBUF(4);
        assert_int_equal(strbuf_add_percent(&b, "a//", 3), -E2BIG);
        strbuf_done(&b);
}

static void test_wipe_leaves_nothing_behind(void **state) {
        StrBuf b = STRBUF(10000);

        b.wipe = true;
        check_wiped = true;
        n_freed = 0;
        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(strbuf_addf(&b, "%s", "SSSSS"), 0);
        strbuf_done(&b);
        check_wiped = false;
        assert_true(n_freed >= 5);      /* every block on the way, and the last */
}

static void test_memory_runs_out(void **state) {
        char *s = NULL;

        for (unsigned wipe = 0; wipe < 2; wipe++) {
                StrBuf b = STRBUF(10000);

                b.wipe = wipe;
                memory_is_out = true;
                assert_int_equal(strbuf_add(&b, "x"), -ENOMEM);
                memory_is_out = false;
                assert_int_equal(strbuf_add(&b, "x"), -ENOMEM);
                assert_int_equal(strbuf_finish(&b, &s), -ENOMEM);
                strbuf_done(&b);

                assert_int_equal(strbuf_add(&b, "kept"), 0);
                memory_is_out = true;
                for (unsigned i = 0; i < 100; i++)
                        (void) strbuf_add(&b, "kept");
                memory_is_out = false;
                assert_int_equal(b.error, -ENOMEM);
                assert_int_equal(strncmp(b.s, "keptkept", 8), 0);
                strbuf_done(&b);
        }
        assert_null(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appends),
                cmocka_unit_test(test_grows_over_many_blocks),
                cmocka_unit_test(test_cap_is_exact_and_sticks),
                cmocka_unit_test(test_add_percent),
                cmocka_unit_test(test_wipe_leaves_nothing_behind),
                cmocka_unit_test(test_memory_runs_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
