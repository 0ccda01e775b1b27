/* SPDX-License-Identifier: Apache-2.0 */

/* A folder of policy files: which are read, who keeps a name, and what stays in force when a file breaks. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/load.h"

/* A policy for encryption; instances are told apart by a digit. */
#define POLICY(name, digit) \
        "name: " name "\nservice: taurusdb\ninstance_id: 0000000000000000000000000000000" digit "in07\nencryption: {expect: on}\n"
#define POLICY_POLL(name, digit, poll) \
        "name: " name "\nservice: taurusdb\ninstance_id: 0000000000000000000000000000000" digit "in07\n" \
        "encryption: {expect: on, poll: " poll "}\n"

typedef struct Folder {
        char path[64];
        Settings *settings;
        PolicySet *set;         /* of the last load */
        size_t n_rejected;
        Diagnostics diags;
} Folder;

static int folder_setup(void **state) {
        static const char settings[] = "region: ap-southeast-1\n";
        Diagnostics d = {};
        Folder *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        strcpy(f->path, "/tmp/holdfast-test-XXXXXX");
        if (!mkdtemp(f->path) ||
            settings_load_buffer("holdfast.yaml", settings, strlen(settings), &d, &f->settings) < 0)
                return -1;
        *state = f;
        return 0;
}

static int folder_teardown(void **state) {
        Folder *f = *state;
        char command[128];
        int r;

        (void) snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
        r = system(command); /* NOLINT(cert-env33-c): the path is our own mkdtemp() */
        policy_set_free(f->set);
        settings_free(f->settings);
        diagnostics_done(&f->diags);
        timezone_forget_all();
        free(f);
        return r;
}

static char *path_of(const Folder *f, const char *name, char buf[static 512]) {
        (void) snprintf(buf, 512, "%s/%s", f->path, name);
        return buf;
}

static void write_file(const Folder *f, const char *name, const char *text) {
        char path[512];
        FILE *file = fopen(path_of(f, name, path), "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void remove_file(const Folder *f, const char *name) {
        char path[512];

        assert_int_equal(unlink(path_of(f, name, path)), 0);
}

/* Loads with the last set as the one in force, and compares what came out: each instance as name@file:line (and its poll,
 * unless it is the default), and every error. */
static void load(Folder *f, const char *expected, size_t n_rejected, const char *errors) {
        StrBuf said = STRBUF(1024 * 1024), found = STRBUF(1024 * 1024);
        PolicySet *set = NULL;

        diagnostics_done(&f->diags);
        f->diags = (Diagnostics) {};
        assert_int_equal(policies_load(f->path, f->settings, f->set, &f->diags, &set, &f->n_rejected), 0);
        policy_set_free(f->set); /* the new set must not need it */
        f->set = set;

        assert_int_equal(strbuf_add(&said, "") | strbuf_add(&found, ""), 0);
        for (size_t i = 0; i < f->diags.n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&f->diags.items[i]);

                (void) strbuf_addf(&said, "%s\n", line);
        }
        for (size_t i = 0; i < set->n_instances; i++) {
                char poll[TIME_TEXT_MAX];

                (void) strbuf_addf(&found, "%s%s@%s:%u", i > 0 ? ", " : "", set->instances[i]->name,
                                   set->instances[i]->file, set->instances[i]->line);
                if (set->instances[i]->terms->encryption && set->instances[i]->terms->encryption->poll_usec != 5 * USEC_PER_MINUTE)
                        (void) strbuf_addf(&found, "(%s)",
                                           duration_format(set->instances[i]->terms->encryption->poll_usec, poll));
        }
        assert_int_equal(said.error | found.error, 0);
        assert_string_equal(said.s ? said.s : "", errors);
        assert_string_equal(found.s ? found.s : "", expected);
        assert_int_equal(f->n_rejected, n_rejected);
        strbuf_done(&said);
        strbuf_done(&found);
}

/* --- Which files ------------------------------------------------------------------------------------------------ */

static void test_ignored_names(void **state) {
        static const char *const names[] = { ".hidden.yaml", ".yaml",  "a.yml", "a.yaml.bak",
                                             "a.yaml~",      "a.YAML", "yaml",  "a.yaml.example" };
        Folder *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                write_file(f, names[i], "[nonsense");
        write_file(f, "a.yaml", POLICY("a", "1"));
        load(f, "a@a.yaml:1", 0, "");
}

static void test_missing_folder(void **state) {
        Folder *f = *state;
        char path[512];
        PolicySet *set = NULL;
        size_t n_rejected = 1;

        assert_int_equal(policies_load(path_of(f, "none", path), f->settings, NULL, &f->diags, &set, &n_rejected), 0);
        assert_int_equal(set->n_instances, 0);
        assert_int_equal(n_rejected, 0);
        set = policy_set_free(set);

        /* One that vanished takes nothing out of force. */
        write_file(f, "a.yaml", POLICY("a", "1"));
        load(f, "a@a.yaml:1", 0, "");
        assert_int_equal(policies_load(path_of(f, "none", path), f->settings, f->set, &f->diags, &set, NULL), -ENOENT);
        assert_null(set);

        assert_int_equal(policies_need_folder(f->path, &f->diags), 0);
        assert_int_equal(f->diags.n_items, 0);
        assert_int_equal(policies_need_folder(path, &f->diags), -ENOENT);
        assert_int_equal(f->diags.n_items, 1);

        write_file(f, "file", "");
        assert_int_equal(policies_load(path_of(f, "file", path), f->settings, NULL, &f->diags, &set, NULL), -ENOTDIR);
        assert_null(set);
}

static void make_socket(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_(close_fdp) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_true(strlen(path) < sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        assert_int_equal(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
}

/* A FIFO would be waited for, and nobody would ever write to it: the test would not end. */
static void test_no_regular_files(void **state) {
        Folder *f = *state;
        char path[512];

        assert_int_equal(mkdir(path_of(f, "dir.yaml", path), 0700), 0);
        assert_int_equal(mkfifo(path_of(f, "fifo.yaml", path), 0600), 0);
        make_socket(path_of(f, "socket.yaml", path));
        assert_int_equal(symlink("/dev/null", path_of(f, "device.yaml", path)), 0);
        assert_int_equal(symlink("nowhere", path_of(f, "dangling.yaml", path)), 0);
        assert_int_equal(symlink("self.yaml", path_of(f, "self.yaml", path)), 0);
        write_file(f, "z.yaml", POLICY("z", "1"));
        assert_int_equal(symlink("z.yaml", path_of(f, "linked.txt", path)), 0);
        load(f, "z@z.yaml:1", 6,
             "dangling.yaml: found a file that cannot be read (No such file or directory), expected a readable one\n"
             "device.yaml: found a device, expected a regular file\n"
             "dir.yaml: found a folder, expected a regular file\n"
             "fifo.yaml: found a named pipe, expected a regular file\n"
             "self.yaml: found a file that cannot be read (Too many levels of symbolic links), expected a readable one\n"
             "socket.yaml: found a socket, expected a regular file\n");
}

static void test_symlink_to_policy(void **state) {
        Folder *f = *state;
        char path[512];

        write_file(
                f, "orders.txt",
                "service: taurusdb\ninstance_id: 00000000000000000000000000000001in07\nencryption: {expect: on}\n");
        assert_int_equal(symlink("orders.txt", path_of(f, "linked.yaml", path)), 0);
        load(f, "linked@linked.yaml:1", 0, "");
}

static void test_large_file(void **state) {
        Folder *f = *state;
        char *text = malloc(POLICY_DOCUMENT_MAX + 2);

        assert_non_null(text);
        memset(text, '#', POLICY_DOCUMENT_MAX + 1);
        text[POLICY_DOCUMENT_MAX + 1] = '\0';
        write_file(f, "large.yaml", text);
        load(f, "", 1, "large.yaml:1:1: found more than 1048576 bytes, expected at most 1 MiB in one document\n");
        text[POLICY_DOCUMENT_MAX] = '\0';
        write_file(f, "large.yaml", text);
        load(f, "", 0, "");
        free(text);
}

/* Many small ones may be more than one is allowed to be, and where one is too large is told. */
static void test_file_of_many_documents(void **state) {
        enum { DOCUMENTS = 12000 };
        StrBuf b = STRBUF(POLICY_FILE_MAX);
        Folder *f = *state;
        PolicySet *set = NULL;
        size_t n_rejected = 1;

        for (int i = 0; i < DOCUMENTS; i++)
                (void) strbuf_addf(&b, "---\nname: db-%d\nservice: taurusdb\ninstance_id: %032din07\nencryption: {expect: on}\n", i, i);
        assert_int_equal(b.error, 0);
        assert_true(b.n > POLICY_DOCUMENT_MAX);
        assert_int_equal(policies_load_buffer("all.yaml", b.s, b.n, f->settings, NULL, &f->diags, &set, &n_rejected), 0);
        assert_int_equal(set->n_instances, DOCUMENTS);
        assert_int_equal(n_rejected, 0);
        policy_set_free(set);

        (void) strbuf_add(&b, "---\nname: large\n#");
        for (int i = 0; i < POLICY_DOCUMENT_MAX / 16; i++)
                (void) strbuf_add(&b, "0123456789abcdef");
        assert_int_equal(b.error, 0);
        write_file(f, "all.yaml", b.s);
        load(f, "", 1, "all.yaml:60001:1: found more than 1048576 bytes, expected at most 1 MiB in one document\n");
        strbuf_done(&b);
}

/* --- Who keeps what --------------------------------------------------------------------------------------------- */

static void test_first_file_keeps(void **state) {
        Folder *f = *state;

        /* bytewise: upper case before lower, whatever the locale */
        write_file(f, "b.yaml", POLICY("orders", "1"));
        write_file(f, "C.yaml", POLICY("orders", "2"));
        write_file(f, "d.yaml", POLICY("other", "2") "---\n" POLICY("third", "3"));
        load(f, "orders@C.yaml:1, third@d.yaml:6", 2,
             "b.yaml:1:7: name: found orders, which is the name of the policy at C.yaml:1 already, expected another\n"
             "d.yaml:4:13: encryption: found a second policy for this control of 00000000000000000000000000000002in07, "
             "expected only the one at C.yaml:1\n");
}

static void test_controls_of_one_instance_in_two_files(void **state) {
        Folder *f = *state;

        write_file(f, "a.yaml", POLICY("a", "1"));
        write_file(
                f, "b.yaml",
                "service: taurusdb\ninstance_id: 00000000000000000000000000000001in07\nlock: {retention_days: 30}\n");
        load(f, "a@a.yaml:1, b@b.yaml:1", 0, "");
}

/* --- Reload ----------------------------------------------------------------------------------------------------- */

#define BAD_NAME(line)                                                                                               \
        "b.yaml:" line                                                                                               \
        ":7: name: found x/y, expected a name: 1 to 128 letters, digits, dots, hyphens and underscores\n"

static void test_reload_keeps_last_good(void **state) {
        Folder *f = *state;

        write_file(f, "a.yaml", POLICY("a", "1"));
        write_file(f, "b.yaml", POLICY("b", "2") "---\n" POLICY_POLL("b2", "3", "6m"));
        load(f, "a@a.yaml:1, b@b.yaml:1, b2@b.yaml:6(6m)", 0, "");

        /* one document broken: the file as a whole stays as it was, its good document too */
        write_file(f, "b.yaml", POLICY("x/y", "2") "---\n" POLICY_POLL("b2", "3", "7m"));
        load(f, "a@a.yaml:1, b@b.yaml:1, b2@b.yaml:6(6m)", 1, BAD_NAME("1"));

        /* still broken, in another way: twice kept is kept */
        write_file(f, "b.yaml", "[");
        load(f, "a@a.yaml:1, b@b.yaml:1, b2@b.yaml:6(6m)", 1,
             "b.yaml:2:1: found broken YAML (did not find expected node content, while parsing a flow node that began in line 2), "
             "expected a YAML document\n");

        /* unreadable: likewise */
        remove_file(f, "b.yaml");
        {
                char path[512];

                assert_int_equal(mkdir(path_of(f, "b.yaml", path), 0700), 0);
                load(f, "a@a.yaml:1, b@b.yaml:1, b2@b.yaml:6(6m)", 1,
                     "b.yaml: found a folder, expected a regular file\n");
                assert_int_equal(rmdir(path), 0);
        }

        /* mended: what is written counts */
        write_file(f, "b.yaml", POLICY_POLL("b", "2", "8m"));
        load(f, "a@a.yaml:1, b@b.yaml:1(8m)", 0, "");

        /* removed: gone */
        remove_file(f, "b.yaml");
        load(f, "a@a.yaml:1", 0, "");

        /* new and broken: as at start, its good document counts */
        write_file(f, "b.yaml", POLICY("x/y", "2") "---\n" POLICY_POLL("b2", "3", "7m"));
        load(f, "a@a.yaml:1, b2@b.yaml:6(7m)", 1, BAD_NAME("1"));
}

static void test_start_takes_good_documents(void **state) {
        Folder *f = *state;

        write_file(f, "b.yaml", POLICY("x/y", "1") "---\n" POLICY("b2", "2") "---\n" POLICY("x/y", "3"));
        load(f, "b2@b.yaml:6", 2, BAD_NAME("1") BAD_NAME("11"));

        /* where the YAML itself is broken nothing of the file counts, but what was understood is checked */
        write_file(f, "c.yaml", POLICY("c", "4") "---\n- [\n");
        f->set = policy_set_free(f->set);
        load(f, "b2@b.yaml:6", 3, BAD_NAME("1") BAD_NAME("11")
             "c.yaml:7:1: found broken YAML (did not find expected node content, while parsing a flow node that began in line 7), "
             "expected a YAML document\n");
}

static void test_empty_file_is_not_broken(void **state) {
        Folder *f = *state;

        write_file(f, "a.yaml", POLICY("a", "1"));
        load(f, "a@a.yaml:1", 0, "");
        write_file(f, "a.yaml", "# name: a\n");
        load(f, "", 0, "");
}

/* A name that moves to another file, and one that another file takes. */
static void test_reload_with_conflicts(void **state) {
        Folder *f = *state;

        write_file(f, "b.yaml", POLICY("b", "1"));
        load(f, "b@b.yaml:1", 0, "");

        /* a new file takes nothing away from one that was there, wherever its name stands */
        write_file(f, "a.yaml", POLICY("b", "2"));
        load(f, "b@b.yaml:1", 1,
             "a.yaml:1:7: name: found b, which is the name of the policy at b.yaml:1 already, expected another\n");
        write_file(f, "a.yaml", POLICY("a", "1"));
        load(f, "b@b.yaml:1", 1,
             "a.yaml:4:13: encryption: found a second policy for this control of 00000000000000000000000000000001in07, expected only the one at b.yaml:1\n");

        /* nor from what a broken one said before */
        write_file(f, "a.yaml", POLICY("b", "2"));
        write_file(f, "b.yaml", POLICY("b", "1") "nonsense: 1\n");
        load(f, "b@b.yaml:1", 2,
             "b.yaml:5:1: nonsense: found an unknown key, expected one of name, service, instance_id, region, project_id, domain_id, mode, "
             "encryption, lock, schedule, download\n"
             "a.yaml:1:7: name: found b, which is the name of the policy at b.yaml:1 already, expected another\n");

        write_file(f, "b.yaml", POLICY("a", "3"));
        load(f, "a@b.yaml:1, b@a.yaml:1", 0, "");

        write_file(f, "a.yaml", POLICY("a", "2"));
        load(f, "a@a.yaml:1", 1,
             "b.yaml: found that another file has taken over what a protected, expected to keep its last good version\n"
             "b.yaml:1:7: name: found a, which is the name of the policy at a.yaml:1 already, expected another\n");

        /* moved to another file in one go */
        remove_file(f, "a.yaml");
        write_file(f, "b.yaml", POLICY("a", "2"));
        load(f, "a@b.yaml:1", 0, "");
}

/* Claims of a document that does not count after all are given back. */
static void test_reload_withdraws_claims(void **state) {
        Folder *f = *state;

        write_file(f, "a.yaml", POLICY("a", "1"));
        write_file(f, "b.yaml", POLICY("b", "2"));
        load(f, "a@a.yaml:1, b@b.yaml:1", 0, "");

        write_file(f, "a.yaml", POLICY("c", "3") "---\n" POLICY("x/y", "4"));
        write_file(f, "b.yaml", POLICY("c", "3"));
        load(f, "a@a.yaml:1, c@b.yaml:1", 1,
             "a.yaml:6:7: name: found x/y, expected a name: 1 to 128 letters, digits, dots, hyphens and underscores\n");
}

static void test_unchanged_reload_is_equal(void **state) {
        Folder *f = *state;
        _cleanup_(policy_set_freep) PolicySet *again = NULL;

        write_file(f, "a.yaml", POLICY("a", "1"));
        write_file(f, "b.yaml", POLICY_POLL("b", "2", "6m"));
        load(f, "a@a.yaml:1, b@b.yaml:1(6m)", 0, "");
        write_file(f, "b.yaml", POLICY_POLL("b", "2", "7m"));
        assert_int_equal(policies_load(f->path, f->settings, f->set, &f->diags, &again, NULL), 0);
        assert_true(instance_equal(f->set->instances[0], again->instances[0]));
        assert_false(instance_equal(f->set->instances[1], again->instances[1]));
}

/* --- Many ------------------------------------------------------------------------------------------------------- */

static void test_ten_thousand_files(void **state) {
        enum { N = 10000 };
        Folder *f = *state;
        PolicySet *again = NULL;
        size_t n_rejected = 1;

        for (int i = 0; i < N; i++) {
                char name[32], text[512];

                (void) snprintf(name, sizeof(name), "db-%05d.yaml", (i * 7919) % N);
                (void) snprintf(text, sizeof(text),
                                "service: taurusdb\ninstance_id: %032din07\nproject_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n"
                                "encryption: {expect: on}\nlock:\n  retention_days: 30\n", i);
                write_file(f, name, text);
        }
        assert_int_equal(policies_load(f->path, f->settings, NULL, &f->diags, &f->set, &n_rejected), 0);
        assert_int_equal(n_rejected, 0);
        assert_int_equal(f->set->n_instances, N);
        for (size_t i = 0; i < N; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "db-%05zu", i);
                assert_string_equal(f->set->instances[i]->name, name);
                assert_ptr_equal(f->set->instances[i]->terms->region, f->set->instances[0]->terms->region);
                assert_ptr_equal(f->set->instances[i]->terms->project_id, f->set->instances[0]->terms->project_id);
        }

        /* a broken one among them, at reload */
        write_file(f, "db-05000.yaml", "[");
        assert_int_equal(policies_load(f->path, f->settings, f->set, &f->diags, &again, &n_rejected), 0);
        assert_int_equal(n_rejected, 1);
        assert_int_equal(again->n_instances, N);
        for (size_t i = 0; i < N; i++)
                assert_true(instance_equal(f->set->instances[i], again->instances[i]));
        policy_set_free(again);
}

/* --- holdfast.yaml ---------------------------------------------------------------------------------------------- */

/* With other settings each of these could be good, or is wrong with any. */
static void test_policies_check_alone(void **state) {
        static const struct {
                const char *text, *key; /* key NULL: nothing is known to be wrong */
        } cases[] = {
                { "", NULL },
                { "lock: {retention_days: 4000}\n", NULL },
                { "lock: {retention_days: 4000, max_retention_days: 5000}\n", NULL },
                { "lock: {retention_days: 5}\n", NULL },
                { "lock: {retention_days: 30, renew_before: 1h}\n", NULL },
                { "lock: {retention_days: 30, poll: 20d}\n", NULL },
                { "lock: {retention_days: 5, renew_before: 6d}\n", "lock.renew_before" },
                { "lock: {retention_days: 30, renew_before: 1h, poll: 1h}\n", "lock.renew_before" },
                { "lock: {retention_days: 30, max_retention_days: 29}\n", "lock.max_retention_days" },
                { "lock: {retention_days: 0}\n", "lock.retention_days" },
                { "enc: {}\n", "enc" },
        };
        Folder *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(diagnostics_done) Diagnostics diags = {};
                char text[512];

                print_message("%s\n", cases[i].text);
                (void) snprintf(text, sizeof(text), "service: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n"
                                "encryption: {expect: on}\n%s", cases[i].text);
                write_file(f, "orders.yaml", text);
                assert_int_equal(policies_check_alone(f->path, &diags), 0);
                assert_int_equal(diags.n_items, cases[i].key != NULL);
                if (cases[i].key)
                        assert_string_equal(diags.items[0].key, cases[i].key);
        }
}

static void test_settings_file(void **state) {
        Folder *f = *state;
        Settings *s = NULL;
        char path[512];

        assert_int_equal(settings_load(path_of(f, "holdfast.yaml", path), &f->diags, &s), -ENOENT);
        assert_int_equal(f->diags.n_items, 1);
        assert_string_equal(f->diags.items[0].file, "holdfast.yaml");
        assert_string_equal(f->diags.items[0].message,
                            "found a file that cannot be read (No such file or directory), expected a readable one");

        assert_int_equal(settings_load(f->path, &f->diags, &s), -EINVAL);
        assert_int_equal(f->diags.n_items, 2);

        write_file(f, "holdfast.yaml", "mode: obsrve\n");
        assert_int_equal(settings_load(path, &f->diags, &s), -EINVAL);
        assert_int_equal(f->diags.n_items, 3);
        assert_int_equal(f->diags.items[2].line, 1);
        assert_int_equal(f->diags.items[2].column, 7);
        assert_null(s);

        write_file(f, "holdfast.yaml", "mode: observe\n");
        assert_int_equal(settings_load(path, &f->diags, &s), 0);
        assert_int_equal(f->diags.n_items, 3);
        assert_int_equal(s->mode, MODE_OBSERVE);
        settings_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_ignored_names),
                TEST(test_missing_folder),
                TEST(test_no_regular_files),
                TEST(test_symlink_to_policy),
                TEST(test_large_file),
                TEST(test_file_of_many_documents),
                TEST(test_first_file_keeps),
                TEST(test_controls_of_one_instance_in_two_files),
                TEST(test_reload_keeps_last_good),
                TEST(test_start_takes_good_documents),
                TEST(test_empty_file_is_not_broken),
                TEST(test_reload_with_conflicts),
                TEST(test_reload_withdraws_claims),
                TEST(test_unchanged_reload_is_equal),
                TEST(test_ten_thousand_files),
                TEST(test_policies_check_alone),
                TEST(test_settings_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
