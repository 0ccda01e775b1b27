/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption, audit backups, lists and download grants, as a client sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test-sim-common.h"

#define TEMPLATE_PATH "/v1/" PROJECT "/audit/" AUDIT "/backup/template"
#define SWITCH_PATH   "/v1/" DOMAIN "/audit/" AUDIT "/backup/switch"
#define GRANT_PATH    "/v3/" PROJECT "/backups/" GAUSS_BACKUP "/download/authorization"
#define KMS           "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"

/* --- Encryption ----------------------------------------------------------------------------------------------- */

static void test_encryption_switches(void **state) {
        static const struct {
                const char *body;
                int status;
                const char *says; /* status or error code */
        } cases[] = {
                { "{\"encryption_status\":\"on\",\"type\":\"kms\",\"kms_key_id\":\"" KMS "\"}", 200, "on" },
                { "{\"encryption_status\":\"OFF\"}", 200, "off" },
                { "{\"encryption_status\":\"On\",\"type\":\"KMS\",\"kms_key_id\":\"" KMS "\"}", 200, "on" },
                { "{\"encryption_status\":\"on\"}", 400, "DBS.280006" },
                { "{\"encryption_status\":\"on\",\"type\":\"kms\"}", 400, "DBS.280006" },
                { "{\"type\":\"kms\"}", 400, "DBS.280006" },
                { "{\"encryption_status\":\"on\",\"type\":\"aes\",\"kms_key_id\":\"" KMS "\"}", 400, "DBS.280001" },
                { "{\"encryption_status\":\"maybe\"}", 400, "DBS.280001" },
                { "{\"encryption_status\":1}", 400, "DBS.280001" },
                { "{\"encryption_status\":\"off\",\"type\":\"kms\"}", 400, "DBS.280001" },
                { "{\"encryption_status\":\"on\",\"type\":\"kms\",\"kms_key_id\":\"not a key\"}", 400, "DBS.200506" },
                { "{\"encryption_status\":\"off\",\"x\":0}", 400, "DBS.280001" },
        };
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 200);
        assert_string_equal(t->reply.body, "{\"encryption_status\":\"off\"}");
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].body);
                assert_int_equal(test_sim_ask(t, "POST", ENCRYPTION_PATH, NULL, cases[i].body), cases[i].status);
                assert_string_equal(test_sim_text(t, cases[i].status == 200 ? "encryption_status" : "error_code"),
                                    cases[i].says);
        }
        /* Nothing that was refused had an effect. */
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "encryption_status"), "on");
}

static void test_encryption_knows_keys(void **state) {
        static const char on[] = "{\"encryption_status\":\"on\",\"type\":\"kms\",\"kms_key_id\":\"" KMS "\"}";
        TestSim *t = *state;

        test_sim_change(t, "kms_keys: {other: enabled}");
        assert_int_equal(test_sim_ask(t, "POST", ENCRYPTION_PATH, NULL, on), 400);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.200507");
        test_sim_change(t, "kms_keys: {" KMS ": disabled}");
        assert_int_equal(test_sim_ask(t, "POST", ENCRYPTION_PATH, NULL, on), 400);
        test_sim_change(t, "kms_keys: {" KMS ": enabled}");
        assert_int_equal(test_sim_ask(t, "POST", ENCRYPTION_PATH, NULL, on), 200);
}

static void test_taurusdb_finds_instances(void **state) {
        static const struct {
                const char *path;
                int status;
                const char *code;
        } cases[] = {
                { "/v3/" PROJECT "/instances/8144f8d4d0a4549808e55be8bf1b8e06in07/backups/encryption", 404,
                  "DBS.200002" },
                { "/v3/" PROJECT "/instances/short/backups/encryption", 400, "DBS.280404" },
                { "/v3/" PROJECT "/instances/8144f8d4d0a4549808e55be8bf1b8e06in14/backups/encryption", 400,
                  "DBS.280404" },
                { "/v3/" PROJECT "/instances/8144f8d4-0a45-9808-e55b-8bf1b8e060in07/backups/encryption", 400,
                  "DBS.280404" },
                { "/v3/" DOMAIN "/instances/" TAURUS "/backups/encryption", 403, "DBS.200010" },
                { "/v3/short/instances/" TAURUS "/backups/encryption", 400, "DBS.280408" },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].path);
                assert_int_equal(test_sim_ask(t, "GET", cases[i].path, NULL, NULL), cases[i].status);
                assert_string_equal(test_sim_text(t, "error_code"), cases[i].code);
        }
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, "x=1", NULL), 400);
}

static void test_api_not_offered(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "api: {vault_lock: off}");
        assert_int_equal(test_sim_ask(t, "GET", LOCK_PATH, NULL, NULL), 404);
        assert_string_equal(test_sim_text(t, "error_code"), "APIGW.0101");
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 200);
        test_sim_change(t, "api: {encryption: off, dbss_template: off, download: off}");
        assert_int_equal(test_sim_ask(t, "GET", ENCRYPTION_PATH, NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 404);
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 404);
}

/* --- Audit backups -------------------------------------------------------------------------------------------- */

static int switch_backup(TestSim *t, int status, const char *cycle, const char *trigger) {
        char body[512];

        (void) snprintf(body, sizeof(body),
                        "{\"mode\":\"AUTO\",\"trigger_time\":\"%s\",\"status\":%d,\"cycle\":\"%s\",\"bucket_name\":"
                        "\"cbh-ynf\","
                        "\"bucket_root_path\":\"a/b\"}",
                        trigger, status, cycle);
        return test_sim_ask(t, "POST", SWITCH_PATH, NULL, body);
}

static void test_dbss_switch_and_template(void **state) {
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(t->reply.body, "{}");

        assert_int_equal(switch_backup(t, 1, "PER_DAY", "2026-01-01 02:00:44"), 200);
        assert_string_equal(test_sim_text(t, "result"), "SUCCESS");
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(
                t->reply.body,
                "{\"bucket_name\":\"cbh-ynf\",\"bucket_root_path\":\"a/b\",\"cycle\":\"PER_DAY\",\"status\":1,"
                "\"trigger_time\":\"2026-01-01 02:00:44\",\"triggered\":false}");

        t->now_usec = T0 + 3 * USEC_PER_DAY;
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "trigger_time"), "2026-01-01 02:00:44");
        assert_string_equal(test_sim_text(t, "latest_backup_time"), "2026-01-03 02:00:44");
        assert_true(json_object_get_boolean(test_sim_member(t, "triggered")));

        /* Switched off, what was made stays and nothing is added. */
        assert_int_equal(switch_backup(t, 0, "PER_DAY", "2026-01-01 02:00:44"), 200);
        t->now_usec += 3 * USEC_PER_DAY;
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "latest_backup_time"), "2026-01-03 02:00:44");
        assert_int_equal(test_sim_int(t, "status"), 0);
}

static void test_dbss_times(void **state) {
        static const struct {
                const char *settings, *trigger, *latest;
        } cases[] = {
                { "{}", "2026-01-01 02:00:44", "2026-01-02 02:00:44" },
                { "{time_format: T}", "2026-01-01T02:00:44", "2026-01-02T02:00:44" },
                { "{time_format: zone}", "2026-01-01T02:00:44+00:00", "2026-01-02T02:00:44+00:00" },
                { "{zone: '+08:00'}", "2026-01-01 02:00:44", "2026-01-02 02:00:44" },
                { "{zone: '+08:00', time_format: zone}", "2026-01-01T02:00:44+08:00", "2026-01-02T02:00:44+08:00" },
                { "{shown_shift: 8h}", "2026-01-01 10:00:44", "2026-01-02 10:00:44" },
                { "{shown_shift: -5h30m}", "2025-12-31 20:30:44", "2026-01-01 20:30:44" },
                { "{moves_trigger: on}", "2026-01-03 02:00:44", "2026-01-02 02:00:44" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                TestSim *t;
                char yaml[256];

                print_message("%s\n", cases[i].settings);
                test_sim_setup((void **) &t);
                t->now_usec = T0 - 12 * USEC_PER_HOUR;
                (void) snprintf(yaml, sizeof(yaml), "dbss: %s", cases[i].settings);
                test_sim_change(t, yaml);
                assert_int_equal(switch_backup(t, 1, "PER_DAY", "2026-01-01 02:00:44"), 200);
                t->now_usec = T0 + USEC_PER_DAY + 12 * USEC_PER_HOUR;
                assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
                assert_string_equal(test_sim_text(t, "trigger_time"), cases[i].trigger);
                assert_string_equal(test_sim_text(t, "latest_backup_time"), cases[i].latest);
                test_sim_teardown((void **) &t);
        }
}

/* A run that would have been before the schedule was set did not happen. */
static void test_dbss_no_run_before_it_was_set(void **state) {
        TestSim *t = *state;

        t->now_usec = T0 + 12 * USEC_PER_HOUR;
        assert_int_equal(switch_backup(t, 1, "PER_DAY", "2025-12-01 02:00:00"), 200);
        t->now_usec += USEC_PER_HOUR;
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_null(test_sim_member(t, "latest_backup_time"));
        t->now_usec += 13 * USEC_PER_HOUR;
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "latest_backup_time"), "2026-01-02 02:00:00");

        /* Runs can be made to fail to happen. */
        test_sim_change(t, "instances: {dbss: {" AUDIT ": {runs: off}}}");
        t->now_usec += 3 * USEC_PER_DAY;
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "latest_backup_time"), "2026-01-02 02:00:00");
        test_sim_change(t, "instances: {dbss: {" AUDIT ": {latest_backup: -30h}}}");
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "latest_backup_time"), "2026-01-03 20:00:00");
}

/* Set on 2026-01-01 at midnight; looked at on 2027-03-15 at noon. */
static void test_dbss_cycles(void **state) {
        static const struct {
                const char *cycle, *trigger, *latest;
        } cases[] = {
                { "FIVE_MIN", "2026-01-01 00:01:00", "2027-03-15 11:56:00" },
                { "PER_HOUR", "2020-05-05 03:30:00", "2027-03-15 11:30:00" },
                { "PER_DAY", "2026-02-01 13:00:00", "2027-03-14 13:00:00" },
                { "PER_WEEK", "2026-01-02 12:00:00", "2027-03-12 12:00:00" },
                { "PER_MONTH", "2026-01-31 05:00:00", "2027-02-28 05:00:00" },
                { "PER_MONTH", "1999-03-15 12:00:00", "2027-03-15 12:00:00" },
                { "PER_DAY", "2030-01-01 00:00:00", "" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                TestSim *t;

                print_message("%s from %s\n", cases[i].cycle, cases[i].trigger);
                test_sim_setup((void **) &t);
                assert_int_equal(switch_backup(t, 1, cases[i].cycle, cases[i].trigger), 200);
                t->now_usec = T0 + (365 + 31 + 28 + 14) * USEC_PER_DAY + 12 * USEC_PER_HOUR;
                assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
                assert_string_equal(test_sim_text(t, "latest_backup_time"), cases[i].latest);
                test_sim_teardown((void **) &t);
        }
}

static void test_dbss_refuses_bad_bodies(void **state) {
        static const char *const bodies[] = {
                "",
                "[]",
                "{}",
                "{\"mode\":\"MANUAL\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01T02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\","
                "\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-02-30 "
                "02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":2,\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":\"1\",\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":1,\"cycle\":\"per_day\",\"bucket_name\":\"cbh\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\",\"bucket_name\":\"\"}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\",\"bucket_root_path\":1}",
                "{\"mode\":\"AUTO\",\"trigger_time\":\"2026-01-01 "
                "02:00:44\",\"status\":1,\"cycle\":\"PER_DAY\",\"bucket_name\":\"cbh\",\"x\":1}",
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
                print_message("%s\n", bodies[i]);
                assert_int_equal(test_sim_ask(t, "POST", SWITCH_PATH, NULL, bodies[i]), 400);
                assert_string_equal(test_sim_text(t, "error_code"), "DBSS.10000001");
                assert_true(json_object_object_get_ex(t->json, "encoded_authorization_message", NULL));
        }
        assert_int_equal(test_sim_ask(t, "GET", TEMPLATE_PATH, NULL, NULL), 200);
        assert_string_equal(t->reply.body, "{}");

        test_sim_change(t, "dbss: {refuse_past_trigger: on, zone: '+08:00'}");
        assert_int_equal(switch_backup(t, 1, "PER_DAY", "2026-01-01 08:00:00"), 400);
        assert_int_equal(switch_backup(t, 1, "PER_DAY", "2026-01-01 08:00:01"), 200);
}

static void test_dbss_wants_the_right_ids(void **state) {
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "POST", "/v1/" PROJECT "/audit/" AUDIT "/backup/switch", NULL, "{}"), 403);
        assert_int_equal(test_sim_ask(t, "GET", "/v1/" DOMAIN "/audit/" AUDIT "/backup/template", NULL, NULL), 403);
        assert_int_equal(test_sim_ask(t, "GET",
                                      "/v1/" PROJECT "/audit/ffffffffffffffffffffffffffffffff/backup/template", NULL,
                                      NULL),
                         400);
        assert_string_equal(test_sim_text(t, "error_code"), "DBSS.10020021");
}

static void test_dbss_backups_pages(void **state) {
        TestSim *t = *state;
        const char *path = "/v2/" PROJECT "/audit/" AUDIT "/backups";

        assert_int_equal(switch_backup(t, 1, "PER_DAY", "2026-01-01 02:00:00"), 200);
        t->now_usec = T0 + 5 * USEC_PER_DAY;
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":1,\"size\":2}"), 200);
        assert_int_equal(test_sim_int(t, "total_num"), 5);
        assert_string_equal(test_sim_text(t, "data_list.0.backup_time"), "2026-01-05 02:00:00");
        assert_string_equal(test_sim_text(t, "data_list.0.progress"), "AUTO_BACKUPED");
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":3,\"size\":2}"), 200);
        assert_string_equal(test_sim_text(t, "data_list.0.backup_time"), "2026-01-01 02:00:00");
        assert_null(test_sim_member(t, "data_list.1"));
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":0,\"size\":2}"), 200);
        assert_null(test_sim_member(t, "data_list.0"));
        test_sim_change(t, "dbss: {first_page: 0}");
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":0,\"size\":2}"), 200);
        assert_non_null(test_sim_member(t, "data_list.1"));
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":-1,\"size\":2}"), 400);
        assert_int_equal(test_sim_ask(t, "POST", path, NULL, "{\"page\":1,\"size\":0}"), 400);
        assert_int_equal(test_sim_ask(t, "GET", "/v2/" PROJECT "/audit/backup/obs-buckets", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "obs_list.0.bucket_name"), "cbh-ynf");
        assert_int_equal(test_sim_ask(t, "GET", "/v2/" PROJECT "/audit/instances", "limit=1000", NULL), 200);
        assert_string_equal(test_sim_text(t, "instances.0.id"), AUDIT);
        test_sim_change(t, "instances: {dbss: {" AUDIT ": {last_backup_ok: off}}}");
        assert_int_equal(test_sim_ask(t, "GET", "/v1/" PROJECT "/audit/" AUDIT "/backup/status", NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "status"), 0);
}

/* --- Lists of backups ----------------------------------------------------------------------------------------- */

static void add_backups(TestSim *t) {
        test_sim_change(t,
                        "instances:\n"
                        "  taurusdb:\n"
                        "    " TAURUS ":\n"
                        "      backups:\n"
                        "        00000000000000000000000000000001br07: {type: manual, begin: -3d}\n"
                        "        00000000000000000000000000000002br07: {type: auto, begin: -2d}\n"
                        "        00000000000000000000000000000003br07: {type: manual, begin: -1d, status: FAILED}\n"
                        "        00000000000000000000000000000004br07: {type: manual, begin: -1m}\n"
                        "        00000000000000000000000000000005br07: {type: manual, begin: +1d}\n");
}

static void test_backups_filters(void **state) {
        static const struct {
                const char *query;
                int64_t total;
                const char *first;
        } cases[] = {
                { NULL, 4, "00000000000000000000000000000004br07" },
                { "instance_id=" TAURUS, 4, "00000000000000000000000000000004br07" },
                { "instance_id=" TAURUS "&backup_type=manual", 3, "00000000000000000000000000000004br07" },
                { "backup_type=auto", 1, "00000000000000000000000000000002br07" },
                { "offset=1", 4, "00000000000000000000000000000003br07" },
                { "offset=4", 4, "" },
                { "offset=3&limit=1", 4, "00000000000000000000000000000001br07" },
                { "backup_id=00000000000000000000000000000002br07", 1, "00000000000000000000000000000002br07" },
                { "begin_time=2025-12-30T00%3A00%3A00%2B0000", 3, "00000000000000000000000000000004br07" },
                { "end_time=2025-12-30T08%3A00%3A00%2B0800", 2, "00000000000000000000000000000002br07" },
                { "instance_id=8144f8d4d0a4549808e55be8bf1b8e06in07", 0, "" },
        };
        TestSim *t = *state;

        add_backups(t);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].query ? cases[i].query : "");
                assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/backups", cases[i].query, NULL), 200);
                assert_int_equal(test_sim_int(t, "total_count"), cases[i].total);
                assert_string_equal(test_sim_text(t, "backups.0.id"), cases[i].first);
        }
        assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/backups", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "backups.0.status"), "BUILDING"); /* begun a minute ago, takes five */
        assert_null(test_sim_member(t, "backups.0.end_time"));
        assert_string_equal(test_sim_text(t, "backups.1.status"), "FAILED");
        assert_string_equal(test_sim_text(t, "backups.2.begin_time"), "2025-12-30T00:00:00+0000");
        test_sim_change(t, "api: {backup_zone: '+08:00'}");
        assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/backups", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "backups.2.begin_time"), "2025-12-30T08:00:00+0800");
}

static void test_backups_refuses_queries(void **state) {
        static const struct {
                const char *query, *code;
        } cases[] = {
                { "limit=0", "DBS.280001" },
                { "limit=101", "DBS.280001" },
                { "limit=x", "DBS.280001" },
                { "offset=-1", "DBS.280001" },
                { "offset=", "DBS.280001" },
                { "backup_type=Manual", "DBS.290001" },
                { "backup_type=x", "DBS.280001" },
                { "instance_id=x", "DBS.280404" },
                { "begin_time=2025-12-30", "DBS.280001" },
                { "offset=1&offset=2", "DBS.280001" },
                { "unknown=1", "DBS.280001" },
                { "begin_time=2025-12-30T00%3A00%3A00+0000", "DBS.280001" },
                { "begin_time=2030-12-30T00%3A00%3A00%2B0000", "DBS.280001" },
                { "instance_id=%00", "DBS.280001" },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].query);
                assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/backups", cases[i].query, NULL), 400);
                assert_string_equal(test_sim_text(t, "error_code"), cases[i].code);
        }
}

static void test_taurusdb_other_lists(void **state) {
        TestSim *t = *state;

        add_backups(t);
        assert_int_equal(
                test_sim_ask(t, "GET", "/v3/" PROJECT "/instances/" TAURUS "/backups", "limit=2&offset=1", NULL),
                200);
        assert_string_equal(test_sim_text(t, "total_count"), "5");
        assert_string_equal(test_sim_text(t, "backups.0.id"), "00000000000000000000000000000002br07");
        assert_null(test_sim_member(t, "backups.2"));
        assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/instances", NULL, NULL), 200);
        assert_int_equal(test_sim_int(t, "total_count"), 1);
        assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/instances", "limit=0", NULL), 400);
        assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/instances/" TAURUS "/backups/policy", NULL, NULL),
                         200);
        assert_int_equal(test_sim_int(t, "backup_policy.keep_days"), 7);
}

/* Both products list backups at /v3/{project}/backups. */
static void test_backups_of_which_product(void **state) {
        static const struct {
                const char *host, *path, *query;
                int status;
                const char *type;
        } cases[] = {
                { "127.0.0.1", "/v3/" PROJECT "/backups", "instance_id=" TAURUS, 200, "gaussdb-mysql" },
                { "127.0.0.1", "/v3/" PROJECT "/backups", "instance_id=" GAUSS, 200, "GaussDB" },
                { "127.0.0.1", "/v3/" PROJECT "/backups", NULL, 200, "gaussdb-mysql" },
                { "gaussdb.localhost:8443", "/v3/" PROJECT "/backups", NULL, 200, "GaussDB" },
                { "taurusdb.localhost", "/v3/" PROJECT "/backups", "instance_id=" GAUSS, 200, "" },
                { "taurusdb.localhost", "/v3.2/" PROJECT "/backups", NULL, 404, "" },
                { "dbss.localhost", "/v3/" PROJECT "/backups", NULL, 404, "" },
                { "127.0.0.1", "/v3.1/" PROJECT "/backups", NULL, 200, "GaussDB" },
        };
        TestSim *t = *state;

        add_backups(t);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const SimHeader header = { "Host", cases[i].host };
                const SimRequest q = { .method = "GET",
                                       .path = cases[i].path,
                                       .query = cases[i].query,
                                       .headers = &header,
                                       .n_headers = 1 };

                print_message("%s %s\n", cases[i].host, cases[i].path);
                assert_int_equal(test_sim_send(t, &q), cases[i].status);
                assert_string_equal(test_sim_text(t, "backups.0.datastore.type"), cases[i].type);
        }
}

static void test_gaussdb_versions(void **state) {
        static const struct {
                const char *offered;
                int v32, v31, v3;
        } cases[] = {
                { "[v3.2, v3.1, v3]", 200, 200, 200 },
                { "[v3.1]", 404, 200, 404 },
                { "[v3]", 404, 404, 200 },
                { "[]", 404, 404, 404 },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char yaml[64];

                print_message("%s\n", cases[i].offered);
                (void) snprintf(yaml, sizeof(yaml), "api: {gaussdb_backups: %s}", cases[i].offered);
                test_sim_change(t, yaml);
                assert_int_equal(test_sim_ask(t, "GET", "/v3.2/" PROJECT "/backups", "instance_id=" GAUSS, NULL),
                                 cases[i].v32);
                assert_int_equal(test_sim_ask(t, "GET", "/v3.1/" PROJECT "/backups", "instance_id=" GAUSS, NULL),
                                 cases[i].v31);
                assert_int_equal(test_sim_ask(t, "GET", "/v3/" PROJECT "/backups", "instance_id=" GAUSS, NULL),
                                 cases[i].v3);
        }
}

static void test_gaussdb_authorize(void **state) {
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "bucket"), "gaussdb-backups-simulated");
        assert_string_equal(test_sim_text(t, "file_paths.0"), PROJECT "_" GAUSS "/Db/1767196800000");
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 200);
        test_sim_change(t, "gaussdb: {repeat_grant: refuse, file_paths: 0}");
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 400);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", "instance=" GAUSS, NULL), 200);
        assert_int_equal(test_sim_int(t, "instances.gaussdb." GAUSS ".backups." GAUSS_BACKUP ".grants"), 2);

        test_sim_change(t, "gaussdb: {repeat_grant: ok}");
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 200);
        assert_int_equal(json_object_array_length(test_sim_member(t, "file_paths")), 0);
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, "{}"), 400);
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, "a=b", NULL), 400);
        assert_int_equal(test_sim_ask(t, "POST", "/v3/" PROJECT "/backups/x/download/authorization", NULL, NULL),
                         400);
        assert_int_equal(test_sim_ask(t, "POST",
                                      "/v3/" PROJECT
                                      "/backups/f28d08754b1a490fb2b3540ed013a7fbbr14/download/authorization",
                                      NULL, NULL),
                         404);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.201010");
        test_sim_change(t, "instances: {gaussdb: {" GAUSS ": {backups: {" GAUSS_BACKUP ": {in_obs: off}}}}}");
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 400);
        assert_string_equal(test_sim_text(t, "error_code"), "DBS.201208");
        test_sim_change(t, "instances: {gaussdb: {" GAUSS ": {busy: on}}}");
        assert_int_equal(test_sim_ask(t, "POST", GRANT_PATH, NULL, NULL), 409);
}

static void test_iam_lists(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "account: {projects: {00000000000000000000000000000001: cn-north-4}}");
        assert_int_equal(test_sim_ask(t, "GET", "/v3/projects", "name=cn-north-4", NULL), 200);
        assert_string_equal(test_sim_text(t, "projects.0.id"), "00000000000000000000000000000001");
        assert_null(test_sim_member(t, "projects.1"));
        assert_int_equal(test_sim_ask(t, "GET", "/v3/auth/projects", NULL, NULL), 200);
        assert_non_null(test_sim_member(t, "projects.1"));
        assert_int_equal(test_sim_ask(t, "GET", "/v3/projects", "name=nowhere", NULL), 200);
        assert_null(test_sim_member(t, "projects.0"));
        assert_int_equal(test_sim_ask(t, "GET", "/v3/auth/domains", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "domains.0.id"), DOMAIN);
        assert_int_equal(test_sim_ask(t, "GET", "/v5/caller-identity", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "account_id"), DOMAIN);
        /* An instance of the first project is not found in the second. */
        assert_int_equal(test_sim_ask(t, "GET",
                                      "/v3/00000000000000000000000000000001/instances/" TAURUS "/backups/encryption",
                                      NULL, NULL),
                         404);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_encryption_switches, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_encryption_knows_keys, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_taurusdb_finds_instances, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_api_not_offered, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_dbss_switch_and_template, test_sim_setup, test_sim_teardown),
                cmocka_unit_test(test_dbss_times),
                cmocka_unit_test_setup_teardown(test_dbss_no_run_before_it_was_set, test_sim_setup,
                                                test_sim_teardown),
                cmocka_unit_test(test_dbss_cycles),
                cmocka_unit_test_setup_teardown(test_dbss_refuses_bad_bodies, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_dbss_wants_the_right_ids, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_dbss_backups_pages, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_backups_filters, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_backups_refuses_queries, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_taurusdb_other_lists, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_backups_of_which_product, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gaussdb_versions, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_gaussdb_authorize, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_iam_lists, test_sim_setup, test_sim_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
