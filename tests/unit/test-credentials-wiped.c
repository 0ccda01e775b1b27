/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: after credentials have passed through, no copy of a secret is left anywhere in the memory of the process,
 * freed blocks and other libraries' buffers included. Every writable mapping is searched for a marker that is itself
 * nowhere spelt out.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "cloud/calls.h"
#include "cloud/credential-file.h"
#include "cloud/profile.h"
#include "cloud/sign.h"

#define MARKER_MAX 48
#define MASK 0x5a
#define MAPPING_MAX (UINT64_C(64) << 20)       /* bytes; larger ones are a sanitizer's own books */
#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)

static char marker_byte(size_t i) {
        return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[(i * 37 + 11) % 62];
}

/* Masked, so that it does not find itself. */
static unsigned char masked[MARKER_MAX];

static void write_marker(char *p) {
        for (size_t i = 0; i < MARKER_MAX; i++)
                p[i] = marker_byte(i);
}

/* Freed memory is what it is all about, so no sanitizer may object to it being read. */
__attribute__((no_sanitize("address"), no_sanitize("undefined"), noinline))
static size_t count_in(const volatile unsigned char *p, const volatile unsigned char *end) {
        const unsigned char first = masked[0] ^ MASK;
        size_t found = 0;

        for (; p + MARKER_MAX <= end; p++) {
                size_t i = 1;

                if (*p != first)
                        continue;
                while (i < MARKER_MAX && (p[i] ^ MASK) == masked[i])
                        i++;
                found += i == MARKER_MAX;
        }
        return found;
}

static size_t count_in_memory(void) {
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[512];
        size_t found = 0;

        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps)) {
                unsigned long begin, end;
                char mode[8];

                if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) == 3 && strncmp(mode, "rw", 2) == 0 &&
                    end - begin <= MAPPING_MAX)
                        found += count_in((const volatile unsigned char *) begin,
                                          (const volatile unsigned char *) end);
        }
        (void) fclose(maps);
        return found;
}

static int setup(void **state) {
        for (size_t i = 0; i < MARKER_MAX; i++)
                masked[i] = (unsigned char) (marker_byte(i) ^ MASK);
        return 0;
}

/* A heap text in which each "%" is replaced by the marker. */
static char *with_marker(const char *s, size_t *ret_n) {
        char *text = calloc(1, strlen(s) * MARKER_MAX + 1), *p = text;

        assert_non_null(text);
        for (; *s; s++)
                if (*s == '%') {
                        write_marker(p);
                        p += MARKER_MAX;
                } else
                        *p++ = *s;
        *ret_n = (size_t) (p - text);
        return text;
}

static void wipe(char *p, size_t n) {
        explicit_bzero(p, n);
        free(p);
}

static Secret *marker_secret(const char *pattern) {
        Secret *s = NULL;
        size_t n;
        char *text = with_marker(pattern, &n);

        assert_int_equal(secret_new(text, n, &s), 0);
        wipe(text, n);
        return s;
}

static void test_search_finds(void **state) {
        size_t n;
        char *text = with_marker("x%y", &n);

        assert_true(count_in_memory() >= 1);
        wipe(text, n);
        assert_int_equal(count_in_memory(), 0);
}

static void test_metadata_key(void **state) {
        static const char *const bodies[] = {
                "{\"credential\":{\"access\":\"AK\",\"secret\":\"%\",\"securitytoken\":\"a%\",\"expires_at\":\"2027-"
                "01-04T09:05:22Z\"}}",
                "{\"credential\":{\"access\":\"AK\",\"secret\":\"\\u0041%%%%%%%%\",\"securitytoken\":\"%%%%%%%%%%%%%%"
                "%%\",\"expires_at\":\"2027-01-04T09:05:22Z\"}}",
                "{\"credential\":{\"access\":\"AK\",\"secret\":\"%\",\"securitytoken\":\"%\"}}",
                "{\"credential\":{\"access\":\"AK\",\"secret\":\"b "
                "%\",\"securitytoken\":\"%\",\"expires_at\":\"2027-01-04T09:05:22Z\"}}",
                "[\"%\"]",
                "{\"error_code\":\"%\"}",
        };

        for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
                HttpReply p = { .outcome = HTTP_REPLIED, .status = 200 };
                Credentials *c = NULL;
                Failure f = {};

                print_message("%s\n", bodies[i]);
                p.body = with_marker(bodies[i], &p.n_body);
                assert_int_equal(metadata_key_decode(&p, T0, &c, &f), i < 2);
                assert_int_equal(!!c, i < 2);
                http_reply_done(&p);
                credentials_free(c);
                assert_int_equal(count_in_memory(), 0);
        }
}

static void test_iam_token(void **state) {
        /* Escaping makes it longer, and it is longer than any buffer is from the start. */
        Secret *password = marker_secret("\"%\x01%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%");
        HttpRequest q = {};

        assert_int_equal(
                iam_token_encode("https://iam.example.com", "cn-north-4", NULL, "user", "account", password, &q), 0);
        secret_free(password);
        http_request_done(&q);
        assert_int_equal(count_in_memory(), 0);
}

static void test_signature(void **state) {
        Secret *key = marker_secret("%"), *token = marker_secret("%");
        HttpRequest q = { .origin = strdup("https://h.example.com"), .path = strdup("/") };
        Signer *s = NULL;

        assert_int_equal(signer_new("AK", key, token, &s), 0);
        assert_int_equal(sign_request(s, &q, T0), 0);
        http_request_done(&q);
        secret_free(key);
        secret_free(token);
        signer_free(s);
        assert_int_equal(count_in_memory(), 0);
}

static void write_file(const char *path, const char *s) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        size_t n;
        char *text = with_marker(s, &n);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        (void) close(fd);
        wipe(text, n);
}

static void test_files(void **state) {
        char dir[] = "/tmp/holdfast-test-XXXXXX", path[4][64];
        static const char *const names[] = { "access_key", "secret_key", "security_token", "password" };
        Credentials *c = NULL;

        assert_non_null(mkdtemp(dir));
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                (void) snprintf(path[i], sizeof(path[i]), "%s/%s", dir, names[i]);
                write_file(path[i], i == 0 ? "AK\n" : "%\n");
        }

        assert_int_equal(credentials_from_directory(dir, 1, &c, NULL), 0);
        assert_true(count_in_memory() <= 2);    /* 0 where the kernel hides secrets even from us */
        c = credentials_free(c);
        assert_int_equal(count_in_memory(), 0);

        assert_int_equal(credentials_password_from_directory(dir, &c, NULL), 0);
        c = credentials_free(c);
        assert_int_equal(count_in_memory(), 0);

        write_file(path[0], "[basic]\nak = AK\nsk = %\nsecurity_token = '%'\n");
        assert_int_equal(credentials_from_profile(path[0], &c, NULL), 0);
        c = credentials_free(c);
        assert_int_equal(count_in_memory(), 0);

        /* Neither does a mistake leave it in the message. */
        write_file(path[0], "[basic]\nsk = %\n%\n");
        for (int i = 0; i < 2; i++) {
                char *error = NULL;

                assert_int_equal(i == 0 ? credentials_from_profile(path[0], &c, &error)
                                        : credentials_from_directory(dir, 1, &c, &error),
                                 -EINVAL);
                assert_non_null(error);
                assert_int_equal(count_in_memory(), 0);
                free(error);
        }

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                (void) unlink(path[i]);
        (void) rmdir(dir);
}

/*
 * While it binds a function on its first call, the dynamic linker saves the vector registers on the stack, with what
 * the last memcpy() left in them. Released binaries are linked with "-z now"; here the environment stands in for it.
 */
static void bind_now(char **argv) {
        if (getenv("LD_BIND_NOW"))
                return;
        (void) setenv("LD_BIND_NOW", "1", 1);
        (void) execv("/proc/self/exe", argv);
        abort();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_search_finds),
                cmocka_unit_test(test_metadata_key),
                cmocka_unit_test(test_iam_token),
                cmocka_unit_test(test_signature),
                cmocka_unit_test(test_files),
        };

        /* It reads freed memory on purpose, and valgrind's own mappings hold copies of what it watches. */
        if (getenv("HOLDFAST_UNDER_VALGRIND")) {
                print_message("left out under valgrind\n");
                return 0;
        }

        bind_now(argv);
        return cmocka_run_group_tests(tests, setup, NULL);
}
