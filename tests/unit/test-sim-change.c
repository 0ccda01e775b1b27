/* SPDX-License-Identifier: Apache-2.0 */
/* The state file: what it takes, what it refuses and where it says the mistake is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "test-sim-common.h"

static void test_change_refuses(void **state) {
        static const struct {
                const char *yaml, *says;
        } cases[] = {
                { "lock: {reading: sideways}",
                  "test:1:17: lock.reading: found another text, expected one of: from-start, from-now, added" },
                { "lock: {readin: added}", "test:1:16: lock.readin: there is no such key" },
                { "locks: {}", "test:1:8: locks: there is no such section" },
                { "lock: []", "test:1:7: lock: found a list, expected a mapping" },
                { "lock: {overshoot_days: 1.5}", "found a number with a fraction, expected a whole number" },
                { "lock: {overshoot_days: 40000}", "expected a whole number from -36500 to 36500" },
                { "gateway: {token_life: 5}", "gateway.token_life: found a whole number, expected a duration" },
                { "gateway: {token_life: -5m}", "gateway.token_life" },
                { "gateway: {auth: perhaps}", "expected on or off" },
                { "dbss: {zone: '+15:00'}", "dbss.zone" },
                { "dbss: {zone: '+0800'}", "dbss.zone" },
                { "api: {gaussdb_backups: v3}", "expected a list" },
                { "api: {gaussdb_backups: [v4]}", "expected one of: v3.2, v3.1, v3" },
                { "keys: {AK: {}}", "a new access key needs a secret_key" },
                { "keys: {AK: {secret_key: 12345678}}", "found a whole number, expected text (put it in quotes)" },
                { "keys: {'A,K': {secret_key: x}}", "expected an access key" },
                { "users: {u: {}}", "a new user needs a password" },
                { "account: {domain_id: short}", "expected an id of 32 letters and digits" },
                { "account: {projects: {short: cn-north-4}}", "expected an id of 32 letters and digits" },
                { "kms_keys: {a: maybe}", "expected one of: disabled, enabled" },
                { "deny: x", "expected a list of actions" },
                { "instances: {mysql: {}}", "expected taurusdb, dbss or gaussdb" },
                { "instances: {taurusdb: {x: {}}}", "expected an id of 36 letters and digits" },
                { "instances: {taurusdb: {" GAUSS ": {}}}", "expected an id that ends in in07" },
                { "instances: {gaussdb: {" TAURUS ": {}}}", "another service has an instance of this id" },
                { "instances: {taurusdb: {" TAURUS ": {schedule: {}}}}", "there is no such key for taurusdb" },
                { "instances: {taurusdb: {" TAURUS ": {lock: {}}}}", "a lock needs an end or days" },
                { "instances: {taurusdb: {" TAURUS ": {lock: {start: +1d, end: now}}}}",
                  "the lock ends before it starts" },
                { "instances: {taurusdb: {" TAURUS ": {lock: {end: tomorrow}}}}", "expected a time: now, +3d, -27d" },
                { "instances: {taurusdb: {" TAURUS ": {lock: {days: 0}}}}",
                  "expected a whole number from 1 to 36500" },
                { "instances: {taurusdb: {" TAURUS ": {backups: {x: {begin: now}}}}}",
                  "expected an id of 36 letters and digits" },
                { "instances: {taurusdb: {" TAURUS ": {backups: {" GAUSS_BACKUP ": {begin: now}}}}}",
                  "another instance has a backup of this id" },
                { "instances: {taurusdb: {" TAURUS ": {backups: {00000000000000000000000000000001br07: {}}}}}",
                  "a new backup needs a begin" },
                { "instances: {dbss: {" AUDIT ": {schedule: {trigger_time: '2026-02-30 00:00:00'}}}}",
                  "expected a time as yyyy-MM-dd HH:mm:ss" },
                { "instances: {dbss: {" AUDIT ": {schedule: {cycle: DAILY}}}}",
                  "expected one of: FIVE_MIN, PER_HOUR" },
                { "faults: [{status: 5}]", "expected a whole number from 200 to 599" },
                { "a: &x 1\nb: *x", "found an anchor or a tag" },
                { "a: !!str 1", "found an anchor or a tag" },
                { "lock: {}\nlock: {}", "test:2:1: found the same key twice" },
                { "lock: {}\n---\nlock: {}", "found a second document" },
                { "{", "test:" },
                { "[lock]", "found a list, expected a mapping" },
                { "? [a]\n: b", "found a collection, expected a key" },
                { "\"a\\0b\": 1", "found a key with a NUL in it" },
                { "account: {domain_name: \"a\\0b\"}", "without a NUL" },
                { "account: {domain_name: \"a\\nb\"}", "control character" },
                { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "too many levels" },
                { "\xff\xfe\xfd", "test:1:1" },
        };
        TestSim *t = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *said = NULL;

                print_message("%s\n", cases[i].yaml);
                said = test_sim_change_refused(t, cases[i].yaml);
                if (!strstr(said, cases[i].says))
                        print_error("%s", said);
                assert_non_null(strstr(said, cases[i].says));
        }
}

static void test_change_says_all_and_changes_nothing(void **state) {
        TestSim *t = *state;
        _cleanup_(freep) char *said = NULL;

        said = test_sim_change_refused(
                t, "lock: {unit: seconds}\ninstances: {taurusdb: {" TAURUS
                   ": {encryption: on, lock: {days: 5}, busy: 7}}}\n"
                   "keys: {AK: {secret_key: do-not-show-me, deny: 5, expires: do-not-show-me}}\n");
        assert_non_null(strstr(said, "busy: found a whole number"));
        assert_non_null(strstr(said, "keys.AK.deny"));
        assert_non_null(strstr(said, "keys.AK.expires"));
        assert_null(strstr(said, "do-not-show-me"));

        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "settings.lock.unit"), "milliseconds");
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".encryption.status"), "off");
        assert_null(test_sim_member(t, "instances.taurusdb." TAURUS ".lock"));
        assert_null(test_sim_member(t, "identity.keys.AK"));
}

static void test_change_merges_and_removes(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "instances: {taurusdb: {" TAURUS
                           ": {lock: {start: -27d, end: +3d}, encryption: {status: on, kms_key_id: abc}}}}\n"
                           "keys: {AK: {secret_key: x, user: alice, expires: +1h}}\nusers: {u: {password: "
                           "y}}\nkms_keys: {k: enabled}");
        test_sim_change(t, "instances: {taurusdb: {" TAURUS ": {lock: {end: +5d}, encryption: off}}}");
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".lock.start"), "2025-12-05T00:00:00Z");
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".lock.end"), "2026-01-06T00:00:00Z");
        assert_int_equal(test_sim_int(t, "instances.taurusdb." TAURUS ".lock.days"), 32);
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".encryption.status"), "off");
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".encryption.kms_key_id"), "abc");
        assert_string_equal(test_sim_text(t, "instances.taurusdb." TAURUS ".name"), "orders");
        assert_string_equal(test_sim_text(t, "identity.keys.AK.user"), "alice");
        assert_string_equal(test_sim_text(t, "identity.keys.AK.expires"), "2026-01-01T01:00:00Z");
        assert_null(strstr(t->reply.body, "secret_key"));

        test_sim_change(t, "instances: {taurusdb: {" TAURUS ": {lock: none}}, gaussdb: {" GAUSS
                           ": {backups: {" GAUSS_BACKUP ": null}}}, dbss: {" AUDIT
                           ": null}}\nkeys: {AK: ~}\nusers: {u: null}\nkms_keys: {k: null}");
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_null(test_sim_member(t, "instances.taurusdb." TAURUS ".lock"));
        assert_null(test_sim_member(t, "instances.dbss." AUDIT));
        assert_non_null(test_sim_member(t, "instances.gaussdb." GAUSS ".backups"));
        assert_null(test_sim_member(t, "instances.gaussdb." GAUSS ".backups." GAUSS_BACKUP));
        assert_null(test_sim_member(t, "identity.keys.AK"));
        assert_null(test_sim_member(t, "identity.users.u"));
}

static void test_change_takes_json_and_nothing(void **state) {
        TestSim *t = *state;

        test_sim_change(t, "");
        test_sim_change(t, "# only a comment\n");
        test_sim_change(
                t,
                "{\"lock\":{\"unit\":\"seconds\"},\n\t\"gateway\":{\"auth\":false,\"clock_offset\":\"-1d1h1m1s\"}}");
        test_sim_change(t, "account: {domain_name: \"\\u00fc\\u00df\"}");
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_string_equal(test_sim_text(t, "settings.lock.unit"), "seconds");
        assert_string_equal(test_sim_text(t, "settings.gateway.clock_offset"), "-1d1h1m1s");
        assert_string_equal(test_sim_text(t, "settings.account.domain_name"), "\xc3\xbc\xc3\x9f");
}

/* What the state shows as settings can be given back as a change. */
static void test_change_settings_round_trip(void **state) {
        _cleanup_(freep) char *before = NULL;
        json_object *settings;
        TestSim *t = *state;

        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        settings = test_sim_member(t, "settings");
        before = strdup(json_object_to_json_string(settings));
        test_sim_change(t, before);
        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        assert_string_equal(json_object_to_json_string(test_sim_member(t, "settings")), before);
}

/* Every setting has its place in the manual page. */
static void test_change_settings_are_documented(void **state) {
        TestSim *t = *state;
        char text[131072];
        size_t n;
        FILE *f;

        f = fopen(HOLDFAST_SOURCE_DIR "/man/holdfast-sim.1", "re");
        assert_non_null(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        assert_int_equal(fclose(f), 0);
        text[n] = '\0';

        assert_int_equal(test_sim_ask(t, "GET", "/sim/v1/state", NULL, NULL), 200);
        json_object_object_foreach(test_sim_member(t, "settings"), section, keys) {
                char heading[64];
                char *at, *end;

                (void) snprintf(heading, sizeof(heading), "\n.SS %s\n", section);
                at = strstr(text, heading);
                assert_non_null(at);
                end = strstr(at + strlen(heading), "\n.SS ");
                if (end)
                        *end = '\0';
                json_object_object_foreach(keys, key, value) {
                        (void) value;
                        print_message("%s.%s\n", section, key);
                        assert_non_null(strstr(at, key));
                }
                if (end)
                        *end = '\n';
        }
}

/* Ten thousand instances: reading them in and finding them again must not grow with their square. */
static void test_change_many_instances(void **state) {
        StrBuf b = STRBUF(64 * 1024 * 1024);
        TestSim *t = *state;
        char *text;

        assert_int_equal(strbuf_add(&b, "instances:\n  taurusdb:\n"), 0);
        for (int i = 0; i < 10000; i++)
                assert_int_equal(strbuf_addf(&b, "    %032din07: {lock: {start: -1d, days: %d}}\n", i, i % 1000 + 2),
                                 0);
        assert_int_equal(strbuf_finish(&b, &text), 0);
        test_sim_change(t, text);
        free(text);
        strbuf_done(&b);
        for (int i = 0; i < 10000; i += 97) {
                char path[128];

                (void) snprintf(path, sizeof(path), "/v3/" PROJECT "/instances/%032din07/backups/vault-lock", i);
                assert_int_equal(test_sim_ask(t, "GET", path, NULL, NULL), 200);
                assert_int_equal(test_sim_int(t, "backup_vaultlock_info.lock_retention_days"), i % 1000 + 2);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_change_refuses, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_says_all_and_changes_nothing, test_sim_setup,
                                                test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_merges_and_removes, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_takes_json_and_nothing, test_sim_setup,
                                                test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_settings_round_trip, test_sim_setup, test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_settings_are_documented, test_sim_setup,
                                                test_sim_teardown),
                cmocka_unit_test_setup_teardown(test_change_many_instances, test_sim_setup, test_sim_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
