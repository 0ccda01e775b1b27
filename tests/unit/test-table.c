/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "engine/table.h"

/* calloc() as the module calls it. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool memory_is_out;

void *__wrap_calloc(size_t n, size_t size) {
        return memory_is_out ? NULL : __real_calloc(n, size);
}

#define N 300

static TableNode nodes[N];

/* Three have each hash; the bits above those that choose a chain differ, too. */
static uint32_t hash_of(size_t i) {
        return (uint32_t) (i / 3 * 1000003);
}

static bool has(const Table *t, const TableNode *wanted, uint32_t hash) {
        for (TableNode *node = table_first(t, hash); node; node = table_next(node)) {
                assert_int_equal(node->hash, hash);
                if (node == wanted)
                        return true;
        }
        return false;
}

static size_t walk(const Table *t) {
        size_t n = 0;

        for (TableNode *node = table_after(t, NULL); node; node = table_after(t, node))
                n++;
        return n;
}

/* @n_first: how many are put in while there is memory. */
static void live(size_t n_first) {
        Table t = {};

        for (size_t i = 0; i < N; i++) {
                memory_is_out = i >= n_first;
                table_put(&t, &nodes[i], hash_of(i));
                assert_int_equal(walk(&t), i + 1);
        }
        memory_is_out = false;

        for (size_t i = 0; i < N; i++)
                assert_true(has(&t, &nodes[i], hash_of(i)));
        assert_null(table_first(&t, 1));

        for (size_t i = 0; i < N; i += 2) {
                table_remove(&t, &nodes[i]);
                assert_false(has(&t, &nodes[i], hash_of(i)));
        }
        assert_int_equal(walk(&t), N / 2);
        for (size_t i = 1; i < N; i += 2) {
                assert_true(has(&t, &nodes[i], hash_of(i)));
                table_remove(&t, &nodes[i]);
        }
        assert_null(table_after(&t, NULL));
        table_done(&t);
}

static void test_table_finds_all(void **state) {
        live(N);
}

static void test_table_without_memory(void **state) {
        live(0);
        live(20);       /* it has grown before */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table_finds_all),
                cmocka_unit_test(test_table_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
