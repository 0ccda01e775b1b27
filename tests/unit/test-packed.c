/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macro.h"
#include "engine/packed.h"
#include "facts/state.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

/* Exactly as large as was said: the sanitizer sees a byte too many, written or read. Return: the size. */
static size_t assert_round_trip(const void *data, size_t n_words) {
        _cleanup_(freep) uint8_t *packed = malloc(PACKED_MAX(n_words));
        _cleanup_(freep) uint64_t *back = malloc(n_words * sizeof(*back));
        size_t size;

        assert_non_null(packed);
        assert_non_null(back);
        memset(back, 0xa5, n_words * sizeof(*back));

        size = pack(data, n_words, packed);
        assert_in_range(size, 1, PACKED_MAX(n_words));
        packed = realloc(packed, size);
        assert_non_null(packed);
        unpack(packed, back, n_words);
        assert_memory_equal(data, back, n_words * sizeof(*back));

        /* A part of it can be had without the rest. */
        for (size_t n = 1; n <= n_words; n++) {
                memset(back, 0xa5, n_words * sizeof(*back));
                unpack(packed, back, n);
                assert_memory_equal(data, back, n * sizeof(*back));
        }
        return size;
}

static void test_pack_each_word_and_byte(void **state) {
        uint64_t words[N_WORDS(ControlState)] = {};

        assert_int_equal(assert_round_trip(words, N_ELEMENTS(words)), 2);
        for (size_t i = 0; i < N_ELEMENTS(words); i++) {
                for (unsigned byte = 0; byte < sizeof(uint64_t); byte++) {
                        words[i] = UINT64_C(0x80) << (8 * byte);
                        assert_in_range(assert_round_trip(words, N_ELEMENTS(words)), 4, 6);
                }
                words[i] = UINT64_MAX;
                assert_in_range(assert_round_trip(words, N_ELEMENTS(words)), 11, 13);
                words[i] = 0;
        }
}

static void test_pack_many_zeros(void **state) {
        static uint64_t words[1000];

        for (size_t n = 1; n <= N_ELEMENTS(words); n += n < 250 ? 50 : n < 260 ? 1 : 100) {
                memset(words, 0, sizeof(words));
                (void) assert_round_trip(words, n);
                words[n - 1] = 7;
                (void) assert_round_trip(words, n);
        }
}

static void test_pack_full(void **state) {
        uint64_t words[N_WORDS(ControlState)];

        memset(words, 0xff, sizeof(words));
        assert_int_equal(assert_round_trip(words, N_ELEMENTS(words)), sizeof(words) + N_ELEMENTS(words));
}

static void test_unpack_nothing(void **state) {
        uint64_t words[3] = { 1, 2, 3 }, zeros[3] = {};

        unpack(NULL, words, N_ELEMENTS(words));
        assert_memory_equal(words, zeros, sizeof(zeros));
}

/* What a fleet is made of: a lock that was found long enough ever since fits into a block of 64 bytes with malloc()'s own. */
static void test_pack_lock_is_small(void **state) {
        _cleanup_(freep) char *why = strdup("locked");
        ControlState s = {};

        s.verdict = VERDICT_COMPLIANT;
        s.since_usec = T0 + 1;
        s.told.why = why;
        s.told.looked_at_usec = T0 + USEC_PER_DAY + 12345;
        s.told.change_at_usec = T0 + 20 * USEC_PER_DAY + 1;
        s.lock.seen = true;
        s.lock.start_usec = T0 - USEC_PER_DAY;
        s.lock.end_usec = T0 + 27 * USEC_PER_DAY;
        assert_in_range(assert_round_trip(&s, N_WORDS(s)), 1, 56);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pack_each_word_and_byte),
                cmocka_unit_test(test_pack_many_zeros),
                cmocka_unit_test(test_pack_full),
                cmocka_unit_test(test_unpack_nothing),
                cmocka_unit_test(test_pack_lock_is_small),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
