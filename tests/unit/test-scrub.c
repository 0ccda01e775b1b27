/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cloud/scrub.h"

#define SIGNATURE "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static void test_scrub_secret(void **state) {
        static const struct {
                const char *secret, *text, *expected;
        } cases[] = {
                { "VerySecretSK123", "bad secret VerySecretSK123", "bad secret ***" },
                { "VerySecretSK123", "VerySecretSK123", "***" },
                { "VerySecretSK123", "a VerySecretSK123, b VerySecretSK123VerySecretSK123!", "a ***, b ******!" },
                { "VerySecretSK123", "VVerySecretSK123", "V***" },
                { "VerySecretSK123", "nothing of it", "nothing of it" },
                { "VerySecretSK123", "", "" },
                { "aab1", "aaab1aab1", "a******" },
                /* Cut at the end of its field, or by the cloud. */
                { "VerySecretSK123", "it was VerySecre", "it was ***" },
                { "VerySecretSK123", "it was Very", "it was ***" },
                { "VerySecretSK123", "it was Ver", "it was Ver" },
                { "VerySecretSK123", "VerySecre? what", "VerySecre? what" },
                { "a-token-of-many-bytes", "a-token-of-many... is no good", "a-token-of-many... is no good" },
                { "a-token-of-many-bytes", "a-token-of-many-... is no good", "***... is no good" },
                /* Too short to search for. */
                { "abc", "abc", "abc" },
                { "", "abc", "abc" },
                { NULL, "abc", "abc" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(secret_freep) Secret *s = NULL;
                char text[128];

                if (cases[i].secret)
                        assert_int_equal(secret_new(cases[i].secret, strlen(cases[i].secret), &s), 0);
                (void) snprintf(text, sizeof(text), "%s", cases[i].text);
                scrub_secret(text, s);
                assert_string_equal(text, cases[i].expected);
        }
}

static void test_scrub_signatures(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "you sent " SIGNATURE, "you sent ***" },
                { SIGNATURE, "***" },
                { SIGNATURE SIGNATURE "0.", "***." },
                { "a " SIGNATURE ", b " SIGNATURE " c", "a ***, b *** c" },
                { "cut 0123456789abcdef0123456789abcdef01234567", "cut ***" },
                { "of 39 0123456789abcdef0123456789abcdef0123456", "of 39 0123456789abcdef0123456789abcdef0123456" },
                { "7033e7c3cf93438797d44ad7ae0a7d95in07", "7033e7c3cf93438797d44ad7ae0a7d95in07" },
                { "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11", "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11" },
                { "", "" },
                { "no digits", "no digits" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[256];

                (void) snprintf(text, sizeof(text), "%s", cases[i].text);
                scrub_signatures(text);
                assert_string_equal(text, cases[i].expected);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scrub_secret),
                cmocka_unit_test(test_scrub_signatures),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
