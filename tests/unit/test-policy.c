/* SPDX-License-Identifier: Apache-2.0 */

/* What is wrong with a policy file or a holdfast.yaml, and what is said about it; bounds of hostile files. */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "test-policy-help.h"

/* Calls @run with each .yaml file of a folder. */
static void each_data(const char *folder, size_t n_expected, void (*run)(const char *folder, const char *name)) {
        _cleanup_(freep) char *path = NULL;
        const struct dirent *entry;
        size_t n = 0;
        DIR *dir;

        assert_non_null(getenv("HOLDFAST_TEST_DATA"));
        assert_true(asprintf(&path, "%s/policy/%s", getenv("HOLDFAST_TEST_DATA"), folder) > 0);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                const char *dot = strrchr(entry->d_name, '.');

                if (!dot || !streq(dot, ".yaml"))
                        continue;
                print_message("%s/%s\n", folder, entry->d_name);
                run(folder, entry->d_name);
                n++;
        }
        (void) closedir(dir);
        assert_int_equal(n, n_expected);
}

static char *expected_errors(const char *folder, const char *name) {
        char errors[256];
        size_t n;

        (void) snprintf(errors, sizeof(errors), "%.*s.errors", (int) (strlen(name) - strlen(".yaml")), name);
        return read_data(folder, errors, &n);
}

/* --- Mistakes, whole files -------------------------------------------------------------------------------------- */

static void bad_instances(const char *folder, const char *name) {
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");
        _cleanup_(freep) char *text = NULL, *expected = NULL, *found = NULL;
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        size_t n, n_rejected = 0;

        text = read_data(folder, name, &n);
        assert_int_equal(policies_load_buffer(name, text, n, settings, NULL, &d, &set, &n_rejected), 0);
        assert_true(n_rejected > 0);
        found = said(&d);
        expected = expected_errors(folder, name);
        assert_string_equal(found, expected);
}

static void bad_settings(const char *folder, const char *name) {
        _cleanup_(freep) char *text = NULL, *expected = NULL, *found = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        Settings *s = NULL;
        size_t n;

        text = read_data(folder, name, &n);
        assert_int_equal(settings_load_buffer(name, text, n, &d, &s), -EINVAL);
        assert_null(s);
        found = said(&d);
        expected = expected_errors(folder, name);
        assert_string_equal(found, expected);
}

static void test_bad_instances(void **state) {
        each_data("instances-bad", 7, bad_instances);
}

static void test_bad_settings(void **state) {
        each_data("settings-bad", 6, bad_settings);
}

/* --- Mistakes, one by one --------------------------------------------------------------------------------------- */

static void test_one_mistake(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                /* what YAML is and what it is not */
                { "a: [1\n", "2:1: found broken YAML (did not find expected ',' or ']', while parsing a flow sequence that began in "
                             "line 1), expected a YAML document" },
                { "a:\n\t- b\n", "2:1: found broken YAML (found character that cannot start any token, while scanning for the next "
                                 "token that began in line 2), expected a YAML document" },
                { "a: \xff\n", "1:4: found a byte that cannot be in a text (invalid leading UTF-8 octet), expected UTF-8" },
                { "# \xc3\xa9\n\xc3\xa9 \x01", "2:3: found a byte that cannot be in a text (control characters are not allowed), "
                                               "expected UTF-8" },
                { "\xff\xfe" "a:", "1:1: found a byte that cannot be in a text (invalid leading UTF-8 octet), expected UTF-8" },
                { "a: &a [*a]", "1:8: found the alias *a within what it stands for, expected no loop" },
                { "a: &a {b: {c: *a}}", "1:15: found the alias *a within what it stands for, expected no loop" },
                { "a: *a", "1:4: found the alias *a, expected an anchor of that name before it" },
                { "%TAG ! tag:x,2000:\n---\n!a {}", "3:1: found a YAML tag, expected a value without one" },
                { "!!map {}", "1:1: found a YAML tag, expected a value without one" },
                { "null", "1:1: found nothing, expected a mapping of keys to values" },
                { "\"\"", "1:1: found \"\", expected a mapping of keys to values" },
                { "42", "1:1: found 42, expected a mapping of keys to values" },
                { "[[[[[[[[[[[[[[[[[", "1:17: found more than 16 levels of lists and mappings, expected fewer" },
                /* keys */
                { ORDERS "lock: {retention_days: 30, 5: 6}", "3:28: lock.5: found an unknown key, expected one of retention_days, "
                  "renew_before, max_retention_days, extension, settle, require_manual_backup, poll" },
                { ORDERS "lock: {retention_days: 30, retention-day: 6}",
                  "3:28: lock.retention-day: found an unknown key, expected retention_days (the nearest known one)" },
                { ORDERS "lock: {retention_days: 30, POLL: 6}",
                  "3:28: lock.POLL: found an unknown key, expected poll (the nearest known one)" },
                { ORDERS "lock: {retention_days: 30, retention: 6}",
                  "3:28: lock.retention: found an unknown key, expected retention_days (the nearest known one)" },
                { ORDERS "lock: {retention_days: 30, re: 6}", "3:28: lock.re: found an unknown key, expected one of "
                  "retention_days, renew_before, max_retention_days, extension, settle, require_manual_backup, poll" },
                { ORDERS "encryption: {expect: on, kms_key: 6}",
                  "3:26: encryption.kms_key: found an unknown key, expected kms_key_id (the nearest known one)" },
                { ORDERS "encryption: {expect: on, \"\": 6}", "3:26: encryption.\"\": found an unknown key, expected one of "
                  "expect, kms_key_id, poll" },
                { ORDERS "encryption: {expect: on}\n\" \": 6", "4:1: \" \": found an unknown key, expected one of "
                  "name, service, instance_id, region, project_id, domain_id, mode, encryption, lock, schedule, download" },
                { ORDERS "lock: {retention_days: 30, !!str poll: 1h}",
                  "3:28: lock: found a YAML tag, expected a value without one" },
                { ORDERS "lock: {retention_days: 30}\nlock: {retention_days: 31}",
                  "4:1: lock: found the key a second time, expected it once (it is in line 3 already)" },
                { ORDERS "\"lock\": {retention_days: 30}\nlock: {}",
                  "4:1: lock: found the key a second time, expected it once (it is in line 3 already)" },
                { ORDERS "lock: {retention_days: 30, \"<<\": 6}", "3:28: lock.<<: found an unknown key, expected one of "
                  "retention_days, renew_before, max_retention_days, extension, settle, require_manual_backup, poll" },
                /* numbers */
                { ORDERS "lock: {retention_days: 1e1}",
                  "3:24: lock.retention_days: found 1e1, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: 0x1e}",
                  "3:24: lock.retention_days: found 0x1e, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: 30.0}",
                  "3:24: lock.retention_days: found 30.0, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: +30}",
                  "3:24: lock.retention_days: found +30, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: 18446744073709551646}",
                  "3:24: lock.retention_days: found 18446744073709551646, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: }",
                  "3:24: lock.retention_days: found nothing, expected a whole number of days from 1 to 36500" },
                { ORDERS "lock: {retention_days: ~}",
                  "3:24: lock.retention_days: found nothing, expected a whole number of days from 1 to 36500" },
                /* durations and words */
                { ORDERS "encryption: {expect: on, poll: 300}",
                  "3:32: encryption.poll: found 300, expected a duration from 1s to 30d, such as 5m" },
                { ORDERS "encryption: {expect: on, poll: 30d1s}",
                  "3:32: encryption.poll: found 30d1s, expected a duration from 1s to 30d, such as 5m" },
                { ORDERS "encryption: {expect: on, poll: never}",
                  "3:32: encryption.poll: found never, expected a duration from 1s to 30d, such as 5m" },
                { ORDERS "encryption: {expect: true}", "3:22: encryption.expect: found true, expected on or off" },
                { ORDERS "encryption: {expect: 1}", "3:22: encryption.expect: found 1, expected on or off" },
                { ORDERS "lock: {retention_days: 30, settle: never}",
                  "3:36: lock.settle: found never, expected a duration from 0s to 30d, such as 1h" },
                /* identifiers: they become part of URLs */
                { "service: taurusdb\ninstance_id: ../../7033e7c3cf93438797d44ad7aein07\nencryption: {expect: on}",
                  "2:14: instance_id: found ../../7033e7c3cf93438797d44ad7aein07, expected the id of an instance: letters and digits "
                  "as the service writes them, 64 at most" },
                { "service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f\nname: a", NULL },
                /* times */
                { AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: UTC, trigger_time: 2025-08-21T02:00:44}",
                  "3:87: schedule.trigger_time: found 2025-08-21T02:00:44, expected a time that exists, written as yyyy-MM-dd "
                  "HH:mm:ss" },
                { AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: UTC, trigger_time: '2025-08-21 02:00:60'}",
                  "3:87: schedule.trigger_time: found \"2025-08-21 02:00:60\", expected a time that exists, written as yyyy-MM-dd "
                  "HH:mm:ss" },
                { AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: UTC, trigger_time: 2025-08-21 02:00:44Z}",
                  "3:87: schedule.trigger_time: found 2025-08-21 02:00:44Z, expected a time that exists, written as yyyy-MM-dd "
                  "HH:mm:ss" },
                /* backups */
                { LEDGER "download: {backups: newest}",
                  "3:21: download.backups: found newest, expected latest, or a list of backup ids" },
                { LEDGER "download: {backups: }", "3:21: download.backups: found nothing, expected latest, or a list of backup ids" },
                { LEDGER "download: {reauthorize: 1d}",
                  "3:11: download.backups: found nothing, expected latest, or a list of backup ids" },
                { LEDGER "lock: {retention_days: 30}", "3:1: lock: found a control that gaussdb does not have, expected download" },
        };
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(policy_set_freep) PolicySet *set = NULL;
                _cleanup_(diagnostics_done) Diagnostics d = {};
                _cleanup_(freep) char *found = NULL, *expected = NULL;
                size_t n_rejected = 0;

                print_message("%s\n", cases[i].text);
                assert_int_equal(policies_load_buffer("a.yaml", cases[i].text, strlen(cases[i].text), settings, NULL,
                                                      &d, &set, &n_rejected),
                                 0);
                assert_int_equal(set->n_instances, 0);
                assert_int_equal(n_rejected, 1);
                found = said(&d);
                if (!cases[i].error) /* more than one line: looked at elsewhere */
                        continue;
                assert_true(asprintf(&expected, "a.yaml:%s\n", cases[i].error) > 0);
                assert_string_equal(found, expected);
        }
}

/* The same mistake at the top must not be a mistake below, and the other way round. */
static void test_region_is_needed(void **state) {
        static const struct {
                const char *settings, *policy, *error;
        } cases[] = {
                { "", "", "1:1: region: found nothing, expected a region here or in holdfast.yaml (or endpoints.taurusdb there and a "
                          "project_id)" },
                { "endpoints: {taurusdb: db.example}", "", "1:1: region: found nothing, expected a region here or in holdfast.yaml (or "
                                                           "endpoints.taurusdb there and a project_id)" },
                { "endpoints: {dbss: db.example}", "project_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n",
                  "1:1: region: found nothing, expected a region here or in holdfast.yaml (or endpoints.taurusdb there and a project_id)" },
                { "endpoints: {taurusdb: db.example}", "project_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n", NULL },
                { "endpoints: {taurusdb: db.example}\nproject_id: 619d3e78f61b4be68bc5aa0b59edcf7b", "", NULL },
                { "", "region: xx-nowhere-9\n", NULL },
                { "region: ap-southeast-1", "", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(settings_freep) Settings *settings = settings_of(cases[i].settings);
                _cleanup_(policy_set_freep) PolicySet *set = NULL;
                _cleanup_(diagnostics_done) Diagnostics d = {};
                _cleanup_(freep) char *found = NULL, *text = NULL, *expected = NULL;

                print_message("%s / %s\n", cases[i].settings, cases[i].policy);
                assert_true(asprintf(&text, ORDERS "encryption: {expect: on}\n%s", cases[i].policy) > 0);
                assert_int_equal(policies_load_buffer("a.yaml", text, strlen(text), settings, NULL, &d, &set, NULL),
                                 0);
                found = said(&d);
                if (cases[i].error)
                        assert_true(asprintf(&expected, "a.yaml:%s\n", cases[i].error) > 0);
                assert_string_equal(found, expected ? expected : "");
                assert_int_equal(set->n_instances, cases[i].error ? 0 : 1);
        }
}

static void test_name_of_file(void **state) {
        static const struct {
                const char *file, *name;        /* NULL: refused */
        } cases[] = {
                { "orders.yaml", "orders" },
                { "orders.eu.yaml", "orders.eu" },
                { "orders eu.yaml", NULL },
                { "b\xc3\xa4r.yaml", NULL },
                { "orders\n.yaml", NULL },
        };
        static const char text[] = ORDERS "encryption: {expect: on}\n";
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(policy_set_freep) PolicySet *set = NULL;
                _cleanup_(diagnostics_done) Diagnostics d = {};

                assert_int_equal(
                        policies_load_buffer(cases[i].file, text, strlen(text), settings, NULL, &d, &set, NULL), 0);
                assert_int_equal(set->n_instances, cases[i].name ? 1 : 0);
                assert_int_equal(d.n_items, cases[i].name ? 0 : 1);
                if (cases[i].name)
                        assert_string_equal(set->instances[0]->name, cases[i].name);
                else
                        assert_string_equal(d.items[0].key, "name");
        }
}

/* --- Bounds ----------------------------------------------------------------------------------------------------- */

/* One diagnostic whose text begins so, and nothing accepted. */
static void assert_refused(const char *text, size_t n, const char *message) {
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        size_t n_rejected = 0;

        assert_int_equal(policies_load_buffer("a.yaml", text, n, settings, NULL, &d, &set, &n_rejected), 0);
        assert_int_equal(set->n_instances, 0);
        assert_int_equal(n_rejected, 1);
        assert_true(d.n_items >= 1);
        print_message("%s\n", d.items[d.n_items - 1].message);
        assert_int_equal(strncmp(d.items[d.n_items - 1].message, message, strlen(message)), 0);
}

static void test_bound_of_size(void **state) {
        static const char policy[] = ORDERS "encryption: {expect: on}\n#";
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        char *text = malloc(POLICY_DOCUMENT_MAX + 1);

        assert_non_null(text);
        memset(text, 'x', POLICY_DOCUMENT_MAX + 1);
        memcpy(text, policy, strlen(policy));
        assert_int_equal(policies_load_buffer("a.yaml", text, POLICY_DOCUMENT_MAX, settings, NULL, &d, &set, NULL),
                         0);
        assert_int_equal(set->n_instances, 1);
        assert_refused(text, POLICY_DOCUMENT_MAX + 1, "found more than 1048576 bytes, expected at most 1 MiB in one document");
        free(text);
}

static void test_bound_of_aliases(void **state) {
        StrBuf bomb = STRBUF(POLICY_DOCUMENT_MAX), many = STRBUF(POLICY_DOCUMENT_MAX);

        (void) strbuf_add(&bomb, "k0: &k0 [x,x,x,x,x,x,x,x,x,x]\n");
        for (int i = 1; i < 200; i++) {
                (void) strbuf_addf(&bomb, "k%d: &k%d [", i, i);
                for (int j = 0; j < 10; j++)
                        (void) strbuf_addf(&bomb, "*k%d,", i - 1);
                (void) strbuf_add(&bomb, "]\n");
        }
        (void) strbuf_add(&many, "[");
        for (int i = 0; i <= POLICY_ALIASES_MAX; i++)
                (void) strbuf_addf(&many, "&k%d x,", i);
        (void) strbuf_add(&many, "]");
        assert_int_equal(bomb.error, 0);
        assert_int_equal(many.error, 0);
        assert_refused(bomb.s, bomb.n, "found more than 1000 anchors and aliases, expected fewer");
        assert_refused(many.s, many.n, "found more than 1000 anchors and aliases, expected fewer");
        strbuf_done(&bomb);
        strbuf_done(&many);
}

static void test_bound_of_nodes(void **state) {
        size_t n = POLICY_DOCUMENT_MAX;
        char *text = malloc(n);

        assert_non_null(text);
        text[0] = '[';
        for (size_t i = 1; i < n; i++)
                text[i] = i % 2 ? 'x' : ',';
        assert_refused(text, n, "found more than 200000 values, expected fewer");
        free(text);
}

static void test_bound_of_backups(void **state) {
        StrBuf b = STRBUF(POLICY_DOCUMENT_MAX);

        (void) strbuf_add(&b, LEDGER "download:\n  backups:\n");
        for (int i = 0; i < 1001; i++)
                (void) strbuf_addf(&b, "    - %032dbr14\n", i);
        assert_int_equal(b.error, 0);
        assert_refused(b.s, b.n, "found a list of 1001, expected 1 to 1000 backup ids");
        strbuf_done(&b);
}

/* A huge text is quoted cut, and a thousand mistakes do not end the counting. */
static void test_bound_of_messages(void **state) {
        StrBuf b = STRBUF(POLICY_DOCUMENT_MAX);

        (void) strbuf_add(&b, ORDERS "lock:\n");
        for (int i = 0; i < 3000; i++)
                (void) strbuf_addf(&b, "  ? %0100d%d\n  : x\n", 0, i);
        assert_int_equal(b.error, 0);
        assert_refused(b.s, b.n, "found an unknown key");
        strbuf_done(&b);

        (void) strbuf_add(&b, ORDERS "encryption: {expect: ");
        for (int i = 0; i < 100000; i++)
                (void) strbuf_add(&b, "\xc3\xa9");
        (void) strbuf_add(&b, "}");
        assert_refused(b.s, b.n, "found \xc3\xa9\xc3\xa9");
        strbuf_done(&b);
}

static int forget_zones(void **state) {
        timezone_forget_all();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad_instances),
                cmocka_unit_test(test_bad_settings),
                cmocka_unit_test(test_one_mistake),
                cmocka_unit_test(test_region_is_needed),
                cmocka_unit_test(test_name_of_file),
                cmocka_unit_test(test_bound_of_size),
                cmocka_unit_test(test_bound_of_aliases),
                cmocka_unit_test(test_bound_of_nodes),
                cmocka_unit_test(test_bound_of_backups),
                cmocka_unit_test(test_bound_of_messages),
        };

        return cmocka_run_group_tests(tests, NULL, forget_zones);
}
