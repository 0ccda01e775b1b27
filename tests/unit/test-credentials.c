/* SPDX-License-Identifier: Apache-2.0 */
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

#include "cloud/credential-file.h"
#include "cloud/profile.h"

#define PATH_BYTES 256

static char folder[] = "/tmp/holdfast-test-XXXXXX";

static const char *path_of(const char *name) {
        static char path[PATH_BYTES];

        (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static void remove_all(void) {
        static const char *const names[] = { "access_key", "secret_key", "security_token",
                                             "password",   "profile",    "target" };

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (unlink(path_of(names[i])) < 0 && errno == EISDIR)
                        assert_int_equal(rmdir(path_of(names[i])), 0);
}

static void write_file_n(const char *name, const void *p, size_t n, mode_t mode) {
        int fd;

        (void) unlink(path_of(name));
        fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, p, n), n);
        assert_int_equal(fchmod(fd, mode), 0);
        (void) close(fd);
}

static void write_file(const char *name, const char *s, mode_t mode) {
        if (s)
                write_file_n(name, s, strlen(s), mode);
        else
                (void) unlink(path_of(name));
}

static int setup(void **state) {
        return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
        remove_all();
        return rmdir(folder);
}

static void check_secret(const Secret *s, const char *expected) {
        if (expected)
                assert_string_equal(secret_text(s), expected);
        else
                assert_null(s);
}

static void test_from_directory(void **state) {
        static const struct {
                const char *what, *access_key, *secret_key, *security_token;
                int result;
                const char *error;      /* part of the message */
        } cases[] = {
                { "a pair", "AK", "SK", NULL, 0, NULL },
                { "new lines", "AK\n", "SK\r\n", "ST \t\n", 0, NULL },
                { "a secret with signs", "AK", "a/b+c=,;:\"'%", NULL, 0, NULL },
                { "nothing", NULL, NULL, NULL, -ENOENT, "access_key: cannot be opened" },
                { "a secret alone", NULL, "SK", NULL, -ENOENT, "access_key" },
                { "no secret", "AK", NULL, NULL, -EINVAL, "secret_key: cannot be opened" },
                { "empty key", "", "SK", NULL, -EINVAL, "access_key: empty" },
                { "blank key", " \n", "SK", NULL, -EINVAL, "without its access key" },
                { "blank pair", "\n", "\n", NULL, -EINVAL, "no access key" },
                { "blank secret", "AK", "\n", NULL, -EINVAL, "without its secret key" },
                { "empty secret", "AK", "", NULL, -EINVAL, "secret_key: empty" },
                { "empty token", "AK", "SK", "", -EINVAL, "security_token: empty" },
                { "blank in the key", "A K", "SK", NULL, -EINVAL, "access key" },
                { "line break in the key", "A\nK", "SK", NULL, -EINVAL, "access key" },
                { "comma in the key", "A,K", "SK", NULL, -EINVAL, "access key" },
                { "not ASCII in the key", "A\xc3\xa9K", "SK", NULL, -EINVAL, "access key" },
                { "blank in the secret", "AK", "SEEKRIT RIT", NULL, -EINVAL, "secret key" },
                { "two lines of secret", "AK", "SEEKRIT\nRIT", NULL, -EINVAL, "secret key" },
                { "line break in the token", "AK", "SK", "SEEKRIT\r\nX: y", -EINVAL, "security token" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *c = NULL;
                _cleanup_(freep) char *error = NULL;

                print_message("%s\n", cases[i].what);
                write_file("access_key", cases[i].access_key, 0600);
                write_file("secret_key", cases[i].secret_key, 0600);
                write_file("security_token", cases[i].security_token, 0600);
                assert_int_equal(credentials_from_directory(folder, 1, &c, &error), cases[i].result);
                if (cases[i].result < 0) {
                        assert_null(c);
                        assert_non_null(strstr(error, cases[i].error));
                        assert_non_null(strstr(error, folder));
                        assert_null(strstr(error, "SEEK"));
                        continue;
                }

                assert_null(error);
                assert_string_equal(c->access_key, "AK");
                check_secret(c->secret_key, i == 2 ? cases[i].secret_key : "SK");
                check_secret(c->security_token, cases[i].security_token ? "ST" : NULL);
                assert_string_equal(c->origin, folder);
                assert_int_equal(c->expires_at_usec, USEC_INFINITY);
                assert_null(c->password);
        }
        remove_all();
}

static void test_from_directory_modes(void **state) {
        static const struct {
                mode_t mode;
                int result;
        } cases[] = {
                { 0600, 0 }, { 0400, 0 }, { 0700, 0 },
                { 0640, -EPERM }, { 0604, -EPERM }, { 0644, -EPERM }, { 0620, -EPERM }, { 0601, -EPERM },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *strict = NULL, *lax = NULL;
                _cleanup_(freep) char *error = NULL;

                write_file("access_key", "AK", 0600);
                write_file("secret_key", "SK", cases[i].mode);
                assert_int_equal(credentials_from_directory(folder, 1, &strict, &error), cases[i].result);
                if (cases[i].result < 0)
                        assert_non_null(strstr(error, "expected 0600 or tighter"));
                assert_int_equal(credentials_from_directory(folder, 0, &lax, NULL), 0);
        }
        remove_all();
}

static void test_from_directory_kinds(void **state) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        _cleanup_(freep) char *error = NULL;
        char target[PATH_BYTES];

        /* Kubernetes and systemd hand out links. */
        write_file("target", "AK", 0600);
        write_file("secret_key", "SK", 0600);
        strcpy(target, path_of("target"));
        assert_int_equal(symlink(target, path_of("access_key")), 0);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), 0);
        c = credentials_free(c);

        /* The link's target counts, not the link. */
        assert_int_equal(chmod(target, 0644), 0);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -EPERM);

        /* Nobody writes to this FIFO: opening it must not wait. */
        (void) unlink(target);
        assert_int_equal(mkfifo(target, 0600), 0);
        assert_int_equal(credentials_from_directory(folder, 1, &c, &error), -EINVAL);
        assert_non_null(strstr(error, "not a regular file"));

        (void) unlink(target);
        assert_int_equal(mkdir(target, 0700), 0);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -EINVAL);
        assert_int_equal(rmdir(target), 0);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -ENOENT);
        (void) unlink(path_of("access_key"));

        assert_int_equal(credentials_from_directory("/nowhere/at/all", 1, &c, NULL), -ENOENT);
        assert_int_equal(credentials_from_directory(path_of("secret_key"), 1, &c, NULL), -ENOTDIR);
        remove_all();
}

static void test_from_directory_sizes(void **state) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        char *big = malloc(CREDENTIAL_FILE_MAX + 1);

        assert_non_null(big);
        memset(big, 'x', CREDENTIAL_FILE_MAX + 1);
        write_file("access_key", "AK", 0600);
        write_file("secret_key", "SK", 0600);
        write_file_n("security_token", big, CREDENTIAL_FILE_MAX, 0600);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), 0);
        assert_int_equal(secret_size(c->security_token), CREDENTIAL_FILE_MAX);
        c = credentials_free(c);

        write_file_n("security_token", big, CREDENTIAL_FILE_MAX + 1, 0600);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -EFBIG);
        (void) unlink(path_of("security_token"));

        write_file_n("access_key", big, 128, 0600);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), 0);
        c = credentials_free(c);
        write_file_n("access_key", big, 129, 0600);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -EINVAL);

        write_file_n("access_key", "A\0K", 3, 0600);
        assert_int_equal(credentials_from_directory(folder, 1, &c, NULL), -EINVAL);
        free(big);
        remove_all();
}

static void test_password_from_directory(void **state) {
        static const struct {
                const char *content, *password;
                int result;
        } cases[] = {
                { "pass word\n", "pass word", 0 },
                { " leading", " leading", 0 },
                { "\xc3\xa9\xe5\xae\x9e", "\xc3\xa9\xe5\xae\x9e", 0 },
                { "\n", NULL, -EINVAL },
                { "", NULL, -EINVAL },
                { "a\xff", NULL, -EINVAL },
                { "a\x01", NULL, -EINVAL },
                { "a\nb", NULL, -EINVAL },
                { NULL, NULL, -ENOENT },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *c = NULL;
                _cleanup_(freep) char *error = NULL;

                write_file("password", cases[i].content, 0644);
                assert_int_equal(credentials_password_from_directory(folder, &c, &error), cases[i].result);
                if (cases[i].result < 0) {
                        assert_non_null(strstr(error, "/password"));
                        continue;
                }
                check_secret(c->password, cases[i].password);
                assert_null(c->access_key);
                assert_non_null(strstr(c->origin, "/password"));
        }
        remove_all();
}

static void set_environment(const char *ak, const char *sk, const char *token) {
        static const char *const names[] = { "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK",
                                             "HUAWEICLOUD_SDK_SECURITY_TOKEN" };
        const char *values[] = { ak, sk, token };

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                assert_int_equal(values[i] ? setenv(names[i], values[i], 1) : unsetenv(names[i]), 0);
}

static void test_from_environment(void **state) {
        static const struct {
                const char *ak, *sk, *token;
                int result;
        } cases[] = {
                { "AK", "SK", NULL, 0 },
                { " AK\n", "SK", "ST", 0 },
                { "AK", "SK", "", 0 },
                { NULL, NULL, NULL, -ENOENT },
                { "", "", NULL, -ENOENT },
                { NULL, NULL, "ST", -ENOENT },
                { "AK", NULL, NULL, -EINVAL },
                { NULL, "SEEKRIT", NULL, -EINVAL },
                { "AK", "", NULL, -EINVAL },
                { "AK", "SEEK RIT", NULL, -EINVAL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *c = NULL;
                _cleanup_(freep) char *error = NULL;

                print_message("case %zu\n", i);
                set_environment(cases[i].ak, cases[i].sk, cases[i].token);
                assert_int_equal(credentials_from_environment(&c, &error), cases[i].result);
                if (cases[i].result < 0) {
                        assert_null(strstr(error, "SEEK"));
                        continue;
                }
                assert_string_equal(c->access_key, "AK");
                check_secret(c->secret_key, "SK");
                check_secret(c->security_token, cases[i].token && *cases[i].token ? "ST" : NULL);
                assert_string_equal(c->origin, "environment");
        }
        set_environment(NULL, NULL, NULL);
}

static void test_from_environment_hints(void **state) {
        _cleanup_(credentials_freep) Credentials *c = NULL;

        set_environment("AK", "SK", NULL);
        assert_int_equal(setenv("HUAWEICLOUD_SDK_PROJECT_ID", "619d3e78f61b4be68bc5aa0b59edcf7b", 1), 0);
        assert_int_equal(setenv("HUAWEICLOUD_SDK_DOMAIN_ID", "odd domain", 1), 0);
        assert_int_equal(credentials_from_environment(&c, NULL), 0);
        assert_string_equal(c->project_id, "619d3e78f61b4be68bc5aa0b59edcf7b");
        assert_null(c->domain_id);
        assert_int_equal(unsetenv("HUAWEICLOUD_SDK_PROJECT_ID"), 0);
        assert_int_equal(unsetenv("HUAWEICLOUD_SDK_DOMAIN_ID"), 0);
        set_environment(NULL, NULL, NULL);
}

static void test_profile_parse(void **state) {
        static const struct {
                const char *what, *text;
                int result;
                const char *token, *project, *error;
        } cases[] = {
                { "plain", "[basic]\nak = AK\nsk = SK\n", 0, NULL, NULL, NULL },
                { "all",
                  "[basic]\nak=AK\nsk=SK\nsecurity_token=ST\nproject_id=p1\ndomain_id=d1\niam_endpoint=https://x\n",
                  0, "ST", "p1", NULL },
                { "CRLF, BOM, comments, no end",
                  "\xef\xbb\xbf; c\r\n\r\n# c\r\n[ Basic ]\r\n  AK : AK \r\n\tsk\t=\tSK", 0, NULL, NULL, NULL },
                { "other sections",
                  "[global]\nak = X\nsk = Y\n[basic]\nak = AK\nsk = SK\n[more]\nak = Z\nsomething else\n", 0, NULL,
                  NULL, NULL },
                { "section in two parts", "[basic]\nak = AK\n[global]\nak = X\n[basic]\nsk = SK\n", 0, NULL, NULL,
                  NULL },
                { "quotes", "[basic]\nak = \"AK\"\nsk = 'SK'\n", 0, NULL, NULL, NULL },
                { "junk before", "hello\n[basic]\nak = AK\nsk = SK\n", 0, NULL, NULL, NULL },
                { "empty token", "[basic]\nak = AK\nsk = SK\nsecurity_token =\n", 0, NULL, NULL, NULL },
                { "odd project", "[basic]\nak = AK\nsk = SK\nproject_id = a b\n", 0, NULL, NULL, NULL },
                { "nothing", "", -ENOENT, NULL, NULL, "no access key" },
                { "no section", "ak = AK\nsk = SK\n", -ENOENT, NULL, NULL, "no access key" },
                { "only global", "[global]\nak = AK\nsk = SK\n", -ENOENT, NULL, NULL, "no access key" },
                { "half", "[basic]\nak = AK\n", -EINVAL, NULL, NULL, "without its secret key" },
                { "twice", "[basic]\nak = AK\nsk = SEEKRIT\nsk = SK\n", -EINVAL, NULL, NULL, "file:4: a key" },
                { "no value", "[basic]\nak = AK\nSEEKRIT\n", -EINVAL, NULL, NULL, "file:3: expected key = value" },
                { "no key", "[basic]\n= SEEKRIT\n", -EINVAL, NULL, NULL, "file:2: expected key = value" },
                { "open section", "[basic\nak = AK\n", -EINVAL, NULL, NULL, "file:1: expected ]" },
                { "blank inside", "[basic]\nak = AK\nsk = SEEK RIT\n", -EINVAL, NULL, NULL, "secret key" },
                { "lone quote", "[basic]\nak = \"\nsk = SK\n", 0, NULL, NULL, NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(credentials_freep) Credentials *c = NULL;
                _cleanup_(freep) char *error = NULL;

                print_message("%s\n", cases[i].what);
                assert_int_equal(profile_parse(cases[i].text, strlen(cases[i].text), "file", &c, &error),
                                 cases[i].result);
                if (cases[i].result < 0) {
                        assert_non_null(strstr(error, cases[i].error));
                        assert_null(strstr(error, "SEEK"));
                        continue;
                }
                assert_string_equal(c->access_key, strcmp(cases[i].what, "lone quote") == 0 ? "\"" : "AK");
                check_secret(c->secret_key, "SK");
                check_secret(c->security_token, cases[i].token);
                assert_true(streq0(c->project_id, cases[i].project));
                assert_string_equal(c->origin, "file");
        }
}

static void test_profile_parse_nul(void **state) {
        static const char text[] = "[basic]\nak = A\0K\nsk = SK\n";
        Credentials *c = NULL;

        assert_int_equal(profile_parse(text, sizeof(text) - 1, "file", &c, NULL), -EINVAL);
}

static void test_from_profile(void **state) {
        static const mode_t modes[] = { 0600, 0640, 0644 };     /* as the SDKs take it */
        char home[PATH_BYTES], path[PATH_BYTES + 64];
        Credentials *c = NULL;

        for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
                write_file("profile", "[basic]\nak=AK\nsk=SK\n", modes[i]);
                assert_int_equal(credentials_from_profile(path_of("profile"), &c, NULL), 0);
                c = credentials_free(c);
        }

        write_file("profile", "[basic]\nak=AK\nsk=SK\n", 0600);
        assert_int_equal(setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path_of("profile"), 1), 0);
        assert_int_equal(credentials_from_profile(NULL, &c, NULL), 0);
        assert_string_equal(c->origin, path_of("profile"));
        c = credentials_free(c);
        assert_int_equal(unsetenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE"), 0);

        strcpy(home, folder);
        assert_int_equal(setenv("HOME", home, 1), 0);
        assert_int_equal(credentials_from_profile(NULL, &c, NULL), -ENOENT);
        (void) snprintf(path, sizeof(path), "%s/.huaweicloud", home);
        assert_int_equal(mkdir(path, 0700), 0);
        (void) snprintf(path, sizeof(path), "%s/.huaweicloud/credentials", home);
        assert_int_equal(rename(path_of("profile"), path), 0);
        assert_int_equal(credentials_from_profile(NULL, &c, NULL), 0);
        c = credentials_free(c);
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "%s/.huaweicloud", home);
        assert_int_equal(rmdir(path), 0);

        assert_int_equal(unsetenv("HOME"), 0);
        assert_int_equal(credentials_from_profile(NULL, &c, NULL), -ENOENT);
        remove_all();
}

static Credentials *build(const char *ak, const char *sk, const char *token) {
        CredentialTexts texts = { .access_key = { ak, strlen(ak) }, .secret_key = { sk, strlen(sk) } };
        Credentials *c = NULL;

        if (token)
                texts.security_token = (CredentialText) { token, strlen(token) };
        assert_int_equal(credentials_build(&texts, "test", &c, NULL), 0);
        return c;
}

static void test_credentials_equal(void **state) {
        _cleanup_(credentials_freep) Credentials *a = build("AK", "SK", "ST"), *same = build("AK", "SK", "ST"),
                                                 *ak = build("AX", "SK", "ST"), *sk = build("AK", "SX", "ST"),
                                                 *token = build("AK", "SK", "SX"), *none = build("AK", "SK", NULL);
        _cleanup_(credentials_freep) Credentials *password = NULL, *other = NULL;

        assert_int_equal(credentials_build_password((CredentialText) { "p", 1 }, "test", &password, NULL), 0);
        assert_int_equal(credentials_build_password((CredentialText) { "q", 1 }, "test", &other, NULL), 0);

        assert_true(credentials_equal(a, a));
        assert_true(credentials_equal(a, same));
        assert_true(credentials_equal(password, password));
        assert_true(credentials_equal(NULL, NULL));
        assert_false(credentials_equal(a, ak));
        assert_false(credentials_equal(a, sk));
        assert_false(credentials_equal(a, token));
        assert_false(credentials_equal(a, none));
        assert_false(credentials_equal(a, NULL));
        assert_false(credentials_equal(NULL, a));
        assert_false(credentials_equal(a, password));
        assert_false(credentials_equal(password, other));
        assert_null(credentials_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_from_directory),
                cmocka_unit_test(test_from_directory_modes),
                cmocka_unit_test(test_from_directory_kinds),
                cmocka_unit_test(test_from_directory_sizes),
                cmocka_unit_test(test_password_from_directory),
                cmocka_unit_test(test_from_environment),
                cmocka_unit_test(test_from_environment_hints),
                cmocka_unit_test(test_profile_parse),
                cmocka_unit_test(test_profile_parse_nul),
                cmocka_unit_test(test_from_profile),
                cmocka_unit_test(test_credentials_equal),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
