/* SPDX-License-Identifier: Apache-2.0 */

/* What a policy file or a holdfast.yaml becomes: values, defaults, and whether two policies are the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test-policy-help.h"

/* --- What is understood ----------------------------------------------------------------------------------------- */

static PolicySet *good_set(const char *name, const char *settings_text) {
        _cleanup_(settings_freep) Settings *settings = settings_of(settings_text);
        _cleanup_(freep) char *text = NULL, *found = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        PolicySet *set = NULL;
        size_t n, n_rejected = 1;

        text = read_data("instances-good", name, &n);
        assert_int_equal(policies_load_buffer(name, text, n, settings, NULL, &d, &set, &n_rejected), 0);
        found = said(&d);
        assert_string_equal(found, "");
        assert_int_equal(n_rejected, 0);
        return set;
}

static void test_instance_contract(void **state) {
        _cleanup_(policy_set_freep)
                PolicySet *set = good_set("contract.yaml", "region: ap-southeast-1\ndomain_id: top\n");
        const Instance *audit, *latest, *list, *orders;
        char text[TIME_TEXT_MAX];

        assert_int_equal(set->n_instances, 4);
        audit = set->instances[0];
        latest = set->instances[1];
        list = set->instances[2];
        orders = set->instances[3];

        assert_string_equal(orders->name, "orders");
        assert_int_equal(orders->service, SERVICE_TAURUSDB);
        assert_string_equal(orders->instance_id, "7033e7c3cf93438797d44ad7ae0a7d95in07");
        assert_string_equal(orders->terms->region, "ap-southeast-1");
        assert_null(orders->terms->project_id);
        assert_string_equal(orders->terms->domain_id, "top");
        assert_int_equal(orders->terms->mode, MODE__MAX);        /* not written */
        assert_string_equal(orders->file, "contract.yaml");
        assert_int_equal(orders->line, 1);
        assert_true(orders->terms->encryption->expect_on);
        assert_string_equal(orders->terms->encryption->kms_key_id, "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11");
        assert_int_equal(orders->terms->encryption->poll_usec, 5 * USEC_PER_MINUTE);
        assert_int_equal(orders->terms->lock->retention_days, 30);
        assert_int_equal(orders->terms->lock->renew_before_usec, 7 * USEC_PER_DAY);
        assert_int_equal(orders->terms->lock->max_retention_days, 45);
        assert_int_equal(orders->terms->lock->extension, EXTENSION_FROM_NOW);
        assert_int_equal(orders->terms->lock->settle_usec, USEC_PER_HOUR);
        assert_int_equal(orders->terms->lock->require_manual_backup_usec, 30 * USEC_PER_DAY);
        assert_int_equal(instance_poll_usec(orders, CONTROL_LOCK), USEC_PER_HOUR);
        assert_true(instance_has(orders, CONTROL_LOCK));
        assert_false(instance_has(orders, CONTROL_SCHEDULE));

        assert_string_equal(audit->name, "audit");
        assert_int_equal(audit->service, SERVICE_DBSS);
        assert_string_equal(audit->terms->region, "cn-north-4");
        assert_string_equal(audit->terms->project_id, "00000000000000000000000000000001");
        assert_string_equal(audit->terms->domain_id, "d");
        assert_int_equal(audit->terms->mode, MODE_OBSERVE);
        assert_int_equal(audit->line, 17);
        assert_false(audit->terms->schedule->on);
        assert_int_equal(audit->terms->schedule->cycle, CYCLE_PER_DAY);
        assert_string_equal(civil_format(&audit->terms->schedule->trigger_time, text), "2025-08-21 02:00:44");
        assert_string_equal(timezone_name(audit->terms->schedule->timezone), "Asia/Singapore");
        assert_string_equal(audit->terms->schedule->bucket_name, "cbh-ynf");
        assert_string_equal(audit->terms->schedule->bucket_root_path, "a/b c");
        assert_int_equal(audit->terms->schedule->reapply_usec, USEC_PER_DAY);
        assert_int_equal(audit->terms->schedule->max_backup_age_usec, 26 * USEC_PER_HOUR);
        assert_int_equal(instance_poll_usec(audit, CONTROL_SCHEDULE), 15 * USEC_PER_MINUTE);

        assert_true(latest->terms->download->latest);
        assert_int_equal(latest->terms->download->n_backup_ids, 0);
        assert_true(latest->terms->download->reauthorize_usec == USEC_INFINITY);
        assert_int_equal(instance_poll_usec(latest, CONTROL_DOWNLOAD), 12 * USEC_PER_HOUR);
        assert_false(list->terms->download->latest);
        assert_int_equal(list->terms->download->n_backup_ids, 2);
        assert_string_equal(list->terms->download->backup_ids[1], "1de27464abdf48519f8574c97a8f0626br14");
        assert_int_equal(list->terms->download->reauthorize_usec, 90 * USEC_PER_DAY);

        /* what is the same in many policies is there once */
        assert_ptr_equal(orders->terms->region, latest->terms->region);
        assert_ptr_equal(orders->terms->domain_id, latest->terms->domain_id);
}

static void test_instance_defaults(void **state) {
        _cleanup_(policy_set_freep) PolicySet *set = good_set("shortest.yaml", "region: r\nmode: observe\n");
        _cleanup_(settings_freep) Settings *settings = settings_of("region: r\nmode: observe\n");
        const Instance *again = set->instances[0], *shortest = set->instances[1];

        assert_int_equal(set->n_instances, 2);
        assert_string_equal(again->name, "again");
        assert_false(again->terms->encryption->expect_on);
        assert_string_equal(shortest->name, "shortest");
        assert_int_equal(instance_mode(shortest, settings), MODE_OBSERVE);
        settings->mode = MODE_ENFORCE;          /* of a later holdfast.yaml, under which the document could not be read */
        assert_int_equal(instance_mode(shortest, settings), MODE_ENFORCE);
        assert_true(shortest->terms->encryption->expect_on);
        assert_null(shortest->terms->encryption->kms_key_id);
        assert_int_equal(shortest->terms->encryption->poll_usec, 5 * USEC_PER_MINUTE);
        assert_int_equal(shortest->terms->lock->poll_usec, USEC_PER_HOUR);
        assert_int_equal(shortest->terms->lock->renew_before_usec, 7 * USEC_PER_DAY);
        assert_int_equal(shortest->terms->lock->max_retention_days, 31);
        assert_int_equal(shortest->terms->lock->extension, EXTENSION_AUTO);
        assert_int_equal(shortest->terms->lock->settle_usec, USEC_PER_HOUR);
        assert_true(shortest->terms->lock->require_manual_backup_usec == USEC_INFINITY);
}

static void test_default_cap(void **state) {
        static const struct {
                const char *settings;
                int64_t cap;
        } cases[] = {
                { "region: r", 31 },
                { "region: r\nlimits: {max_retention_days: 31}", 31 },
                { "region: r\nlimits: {max_retention_days: 30}", 30 },  /* the limit stands above */
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(policy_set_freep) PolicySet *set = good_set("shortest.yaml", cases[i].settings);

                assert_int_equal(set->instances[1]->terms->lock->max_retention_days, cases[i].cap);
        }
}

static void test_settings_contract(void **state) {
        _cleanup_(freep) char *text = NULL;
        _cleanup_(settings_freep) Settings *s = NULL;
        size_t n;

        text = read_data("settings-good", "contract.yaml", &n);
        s = settings_of(text);
        assert_string_equal(s->region, "ap-southeast-1");
        assert_string_equal(s->project_id, "619d3e78f61b4be68bc5aa0b59edcf7b");
        assert_string_equal(s->domain_id, "8a6f5e0c1d2b4f739e0d1c2b3a495867");
        assert_int_equal(s->language, LANGUAGE_ZH_CN);
        assert_int_equal(s->mode, MODE_OBSERVE);
        assert_int_equal(s->credentials.source, CREDENTIALS_PASSWORD);
        assert_null(s->credentials.directory);
        assert_string_equal(s->credentials.user_name, "holdfast operator");
        assert_string_equal(s->credentials.domain_name, "Gr\xc3\xb6\xc3\x9f" "e");
        assert_string_equal(s->endpoints[SERVICE_TAURUSDB], "https://gaussdb.example.internal");
        assert_string_equal(s->endpoints[SERVICE_DBSS], "https://dbss.example.internal:8443");
        assert_string_equal(s->endpoints[SERVICE_GAUSSDB], "http://127.0.0.1:8080");
        assert_string_equal(s->endpoints[SERVICE_IAM], "https://[::1]:443");
        assert_string_equal(s->endpoints[SERVICE_METADATA], "http://169.254.169.254");
        assert_string_equal(s->http.ca_file, "/etc/holdfast/ca.pem");
        assert_string_equal(s->http.proxy, "http://proxy.example.internal:3128");
        assert_int_equal(s->http.connect_timeout_usec, 6 * USEC_PER_SEC);
        assert_int_equal(s->http.timeout_usec, 31 * USEC_PER_SEC);
        assert_int_equal(s->http.max_connections, 17);
        assert_int_equal(s->http.rate_per_sec, 21);
        assert_int_equal(s->limits.max_retention_days, 400);
        assert_int_equal(s->limits.new_locks_per_day, 0);
        assert_int_equal(s->defaults.encryption.poll_usec, 6 * USEC_PER_MINUTE);
        assert_int_equal(s->defaults.schedule.poll_usec, 16 * USEC_PER_MINUTE);
        assert_true(s->defaults.schedule.reapply_usec == USEC_INFINITY);
        assert_int_equal(s->defaults.schedule.max_backup_age_usec, 2 * USEC_PER_DAY);
        assert_string_equal(s->defaults.schedule.bucket_root_path, "backups");
        assert_int_equal(s->defaults.lock.poll_usec, 2 * USEC_PER_HOUR);
        assert_int_equal(s->defaults.lock.renew_before_usec, 8 * USEC_PER_DAY);
        assert_int_equal(s->defaults.lock.settle_usec, 0);
        assert_int_equal(s->defaults.lock.extension, EXTENSION_ADDED);
        assert_int_equal(s->defaults.lock.require_manual_backup_usec, 30 * USEC_PER_DAY);
        assert_int_equal(s->defaults.download.poll_usec, 13 * USEC_PER_HOUR);
        assert_int_equal(s->defaults.download.reauthorize_usec, USEC_PER_WEEK);
}

static void assert_built_in(const Settings *s) {
        assert_null(s->region);
        assert_int_equal(s->language, LANGUAGE_EN_US);
        assert_int_equal(s->mode, MODE_ENFORCE);
        assert_int_equal(s->credentials.source, CREDENTIALS_AUTO);
        for (Service i = 0; i < SERVICE__MAX; i++)
                assert_null(s->endpoints[i]);
        assert_null(s->http.ca_file);
        assert_null(s->http.proxy);
        assert_int_equal(s->http.connect_timeout_usec, 5 * USEC_PER_SEC);
        assert_int_equal(s->http.timeout_usec, 30 * USEC_PER_SEC);
        assert_int_equal(s->http.max_connections, 16);
        assert_int_equal(s->http.rate_per_sec, 20);
        assert_int_equal(s->limits.max_retention_days, 3660);
        assert_int_equal(s->limits.new_locks_per_day, 20);
        assert_int_equal(s->defaults.schedule.poll_usec, 15 * USEC_PER_MINUTE);
        assert_int_equal(s->defaults.schedule.reapply_usec, USEC_PER_DAY);
        assert_true(s->defaults.schedule.max_backup_age_usec == USEC_INFINITY);
        assert_string_equal(s->defaults.schedule.bucket_root_path, "");
        assert_int_equal(s->defaults.download.poll_usec, 12 * USEC_PER_HOUR);
        assert_true(s->defaults.download.reauthorize_usec == USEC_INFINITY);
}

static void test_settings_of_nothing(void **state) {
        static const char *const texts[] = { "", "# nothing\n", "---\n...\n", "\xef\xbb\xbf", "{}" };
        _cleanup_(freep) char *text = NULL;
        _cleanup_(settings_freep) Settings *s = NULL;
        size_t n;

        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                _cleanup_(settings_freep) Settings *nothing = settings_of(texts[i]);

                assert_built_in(nothing);
        }
        text = read_data("settings-good", "sections-of-nothing.yaml", &n);
        s = settings_of(text);
        assert_built_in(s);
}

static void test_no_policies(void **state) {
        static const char *const texts[] = { "", "# nothing\n", "---\n---\n# nothing\n---\n", "\xef\xbb\xbf---",
                                             "%YAML 1.2\n---\n" };
        _cleanup_(settings_freep) Settings *settings = settings_of("");

        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                _cleanup_(policy_set_freep) PolicySet *set = NULL;
                _cleanup_(diagnostics_done) Diagnostics d = {};
                size_t n_rejected = 1;

                assert_int_equal(policies_load_buffer("a.yaml", texts[i], strlen(texts[i]), settings, NULL, &d, &set,
                                                      &n_rejected),
                                 0);
                assert_int_equal(set->n_instances, 0);
                assert_int_equal(n_rejected, 0);
                assert_int_equal(d.n_items, 0);
        }
}

/* --- Comparing -------------------------------------------------------------------------------------------------- */

static const Instance *first(const char *text, PolicySet **ret) {
        _cleanup_(settings_freep) Settings *settings = settings_of("region: r");
        _cleanup_(diagnostics_done) Diagnostics d = {};

        assert_int_equal(policies_load_buffer("a.yaml", text, strlen(text), settings, NULL, &d, ret, NULL), 0);
        assert_int_equal(d.n_items, 0);
        assert_int_equal((*ret)->n_instances, 1);
        return (*ret)->instances[0];
}

static void test_instance_equal(void **state) {
#define TAURUS ORDERS "lock: {retention_days: 30}\n"
#define DBSS                                                                                                         \
        AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: UTC, trigger_time: 2025-08-21 "    \
              "02:00:44"
#define GAUSS LEDGER "download: {backups: "
#define ONE "1de27464abdf48519f8574c97a8f0625br14"
#define TWO "1de27464abdf48519f8574c97a8f0626br14"
        static const struct {
                const char *a, *b;
                bool equal;
        } cases[] = {
                { TAURUS, TAURUS, true },
                { TAURUS, "# lines do not matter\n\n" TAURUS, true },
                { TAURUS, ORDERS "lock: {retention_days: 30, renew_before: 168h, max_retention_days: 31}\n", true },
                { TAURUS, ORDERS "lock: {retention_days: 31}\n", false },
                { TAURUS, ORDERS "lock: {retention_days: 30, poll: 2h}\n", false },
                { TAURUS, ORDERS "lock: {retention_days: 30, extension: added}\n", false },
                { TAURUS, TAURUS "name: b\n", false },
                { TAURUS, TAURUS "region: b\n", false },
                { TAURUS, TAURUS "domain_id: b\n", false },
                { TAURUS, TAURUS "mode: observe\n", false },
                { TAURUS, TAURUS "encryption: {expect: on}\n", false },
                { TAURUS "encryption: {expect: off}\n", TAURUS "encryption: {expect: on}\n", false },
                { TAURUS "encryption: {expect: on}\n", TAURUS "encryption: {expect: on, kms_key_id: a}\n", false },
                { DBSS "}", DBSS ", mode: auto}", true },
                { DBSS "}", DBSS ", bucket_root_path: a}", false },
                { DBSS "}", AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: Asia/Singapore, "
                                  "trigger_time: 2025-08-21 02:00:44}", false },
                { DBSS "}", AUDIT "schedule: {status: on, cycle: PER_DAY, bucket_name: abc, timezone: UTC, "
                                  "trigger_time: 2025-08-21 02:00:45}", false },
                { GAUSS "latest}", GAUSS "latest, reauthorize: never}", true },
                { GAUSS "latest}", GAUSS "[" ONE "]}", false },
                { GAUSS "[" ONE "]}", GAUSS "[" ONE "]}", true },
                { GAUSS "[" ONE "]}", GAUSS "[" TWO "]}", false },
                { GAUSS "[" ONE "]}", GAUSS "[" ONE ", " TWO "]}", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(policy_set_freep) PolicySet *a = NULL, *b = NULL;

                print_message("%s / %s\n", cases[i].a, cases[i].b);
                assert_int_equal(instance_equal(first(cases[i].a, &a), first(cases[i].b, &b)), cases[i].equal);
        }
}

static int forget_zones(void **state) {
        timezone_forget_all();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_instance_contract),
                cmocka_unit_test(test_instance_defaults),
                cmocka_unit_test(test_default_cap),
                cmocka_unit_test(test_settings_contract),
                cmocka_unit_test(test_settings_of_nothing),
                cmocka_unit_test(test_no_policies),
                cmocka_unit_test(test_instance_equal),
        };

        return cmocka_run_group_tests(tests, NULL, forget_zones);
}
