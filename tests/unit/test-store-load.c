/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <errno.h>

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

static int setup(void **state) {
        *state = folder_make();
        return 0;
}

static int teardown(void **state) {
        folder_remove(*state);
        return 0;
}

static Store *open_sound(const char *dir) {
        Store *store = NULL;
        char *aside = NULL;

        assert_int_equal(store_open(dir, &store, &aside), 0);
        assert_null(aside);
        return store;
}

static void put_all_kinds(Store *store, Random *random, Model *model) {
        for (unsigned i = 0; i < 5; i++) {
                Sample s;

                for (Control c = 0; c < CONTROL__MAX; c++) {
                        sample_control(random, c, i, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                        model_put(model, &s.record);
                }

                sample_endpoint(random, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
                model_put(model, &s.record);

                for (unsigned k = 0; k < 3; k++) {
                        sample_grant(random, i, k, &s);
                        assert_int_equal(store_put(store, &s.record), 0);
                        model_put(model, &s.record);
                }

                sample_evidence(random, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
        }
}

static int note_order(void *userdata, const StateRecord *record) {
        StateKind *last = userdata;

        assert_true(record->kind >= *last);
        assert_int_not_equal(record->kind, STATE_EVIDENCE);
        *last = record->kind;
        return 0;
}

static int note_grant_order(void *userdata, const StateRecord *record) {
        usec_t *last = userdata;

        if (record->kind != STATE_GRANT)
                return 0;
        assert_true(record->grant.granted_at_usec >= *last);
        *last = record->grant.granted_at_usec;
        return 0;
}

static int refuse(void *userdata, const StateRecord *record) {
        ++*(unsigned *) userdata;
        return -ECANCELED;
}

static void test_store_load_order(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        Random random = { 7 };
        StateKind last = STATE_CONTROL;
        usec_t last_grant = 0;
        Model model = {};
        unsigned n = 0;

        put_all_kinds(store, &random, &model);
        model_done(&model);
        assert_int_equal(store_load(store, note_order, &last, NULL), 0);
        assert_int_equal(last, STATE_GRANT);

        assert_int_equal(store_load(store, refuse, &n, NULL), -ECANCELED);
        assert_int_equal(n, 1);
        assert_int_equal(store_commit(store), 0);       /* a load that was broken off holds nothing */

        for (unsigned i = 0; i < 20; i++) {     /* newest last, whatever their ids */
                Sample s;

                sample_grant(&random, 99, (i * 7) % 20, &s);
                s.record.grant.granted_at_usec = T0 + i;
                assert_int_equal(store_put(store, &s.record), 0);
        }
        assert_int_equal(store_commit(store), 0);
        execute(*state, "DELETE FROM grant_record WHERE instance_id NOT LIKE '%in63'");
        assert_int_equal(store_load(store, note_grant_order, &last_grant, NULL), 0);
        assert_int_equal(last_grant, T0 + 19);
}

/* Each statement spoils rows that are fine before; so many rows are skipped, and so many controls and endpoints are left. */
static void test_store_load_skips_insane_rows(void **state) {
        static const struct {
                const char *sql;
                size_t skipped, left;
        } cases[] = {
                { "UPDATE control SET service = 'oracle' WHERE control = 'encryption'",         1, 4 },
                { "UPDATE control SET service = 'iam' WHERE control = 'encryption'",            1, 4 },
                { "UPDATE control SET service = 'dbss' WHERE control = 'encryption'",           1, 4 },
                { "UPDATE control SET control = 'encrypt' WHERE control = 'encryption'",        1, 4 },
                { "UPDATE control SET instance_id = '' WHERE control = 'encryption'",           1, 4 },
                { "UPDATE control SET instance_id = x'0042' WHERE control = 'encryption'",      1, 4 },
                { "UPDATE control SET instance_id = 'a' || char(0) WHERE control = 'encryption'", 1, 4 },
                { "UPDATE control SET name = 17.5, verdict = 'fine' WHERE control = 'schedule'", 1, 4 },
                { "UPDATE control SET since = -1 WHERE control = 'lock'",                       1, 4 },
                { "UPDATE control SET since = 'yesterday' WHERE control = 'lock'",              1, 4 },
                { "UPDATE control SET since = 1e300 WHERE control = 'lock'",                    1, 4 },
                { "UPDATE control SET n_unknown = 4294967296 WHERE control = 'lock'",           1, 4 },
                { "UPDATE control SET n_unknown = -1",                                          4, 1 },
                { "UPDATE control SET lock_seen = 2 WHERE control = 'lock'",                    1, 4 },
                { "UPDATE control SET lock_seen = NULL WHERE control = 'lock'",                 1, 4 },
                { "UPDATE control SET lock_struck = 'from-then' WHERE control = 'lock'",        1, 4 },
                { "UPDATE control SET lock_struck = 'added,from-now' WHERE control = 'lock'",   1, 4 },
                { "UPDATE control SET schedule_sent = '2026-02-29 00:00:00' WHERE control = 'schedule'", 1, 4 },
                { "UPDATE control SET schedule_echo = '2026-02-01 00:00:00Z' WHERE control = 'schedule'", 1, 4 },
                { "UPDATE control SET schedule_offset_at_echo = 2147483648 WHERE control = 'schedule'", 1, 4 },
                { "UPDATE control SET schedule_has_echo = NULL WHERE control = 'schedule'",     1, 4 },
                { "UPDATE control SET schedule_on_since = -5, lock_end = -5 WHERE control = 'download'", 0, 5 },
                { "UPDATE lock_intent SET days = 0 WHERE step = 1",                             1, 4 },
                { "UPDATE lock_intent SET action = 'shorten' WHERE step = 0",                   1, 4 },
                { "UPDATE lock_intent SET outcome = '' WHERE step = 0",                         1, 4 },
                { "UPDATE lock_intent SET cap_at = 'never' WHERE step = 0",                     1, 4 },
                { "DELETE FROM lock_intent WHERE step = 0",                                     1, 4 },
                { "UPDATE lock_intent SET step = 7 WHERE step = 1",                             1, 4 },
                { "INSERT INTO lock_intent SELECT service, instance_id, control, value, action, days, outcome, sent_at, start_before,"
                  " end_before, expected_end, cap_at, readings FROM lock_intent, (SELECT 2 AS value UNION SELECT 3 UNION SELECT 4)"
                  " WHERE step = 0",                                                            1, 4 },
                { "UPDATE said SET said = 'hello' WHERE control = 'lock'",                      1, 5 },
                { "UPDATE said SET digest = -1",                                                4, 5 },
                { "UPDATE endpoint SET readings = 'all', frozen = 0",                           1, 4 },
                { "UPDATE endpoint SET frozen = 2",                                             1, 5 },
                { "UPDATE endpoint SET frozen = 'no'",                                          1, 5 },
                { "UPDATE endpoint SET service = 'dns', frozen = 0",                            1, 4 },
                { "UPDATE endpoint SET origin = ''",                                            1, 4 },
                { "UPDATE grant_record SET granted_at = 'x'",                                   1, 5 },
                { "UPDATE grant_record SET backup_id = backup_id || 'x'",                       1, 5 },
                { "UPDATE grant_record SET service = ''",                                       1, 5 },
                { "UPDATE grant_record SET bucket = x'00ff'",                                   1, 5 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char *dir = folder_make();
                Store *store = open_sound(dir);
                Random random = { 13 };
                Model model = {};
                size_t n_grants = 0;
                Sample s;

                for (Control c = 0; c < CONTROL__MAX; c++) {
                        sample_control(&random, c, 1, &s);
                        memset(s.control.said, 0, sizeof(s.control.said));
                        s.control.said[SAID_DRIFT] = (Said) { T0, 1 };
                        if (c == CONTROL_LOCK) {
                                s.control.lock.n_intents = 2;
                                s.control.lock.intents[0] = (LockIntent) { .days = 1 };
                                s.control.lock.intents[1] = (LockIntent) { .days = 2 };
                        }
                        assert_int_equal(store_put(store, &s.record), 0);
                }
                sample_endpoint(&random, 1, &s);
                assert_int_equal(store_put(store, &s.record), 0);
                sample_grant(&random, 1, 1, &s);
                assert_int_equal(store_put(store, &s.record), 0);
                assert_int_equal(store_commit(store), 0);

                print_message("%s\n", cases[i].sql);
                execute(dir, cases[i].sql);
                model_load(&model, store, cases[i].skipped);
                for (size_t k = 0; k < model.n; k++)
                        n_grants += strncmp(model.texts[k], "grant ", 6) == 0;
                assert_int_equal(model.n - n_grants, cases[i].left);

                /* None of it makes the database a broken one. */
                store = store_free(store);
                store = open_sound(dir);
                model_done(&model);
                store = store_free(store);
                folder_remove(dir);
        }
}

static int note_endpoint(void *userdata, const StateRecord *record) {
        assert_int_equal(record->kind, STATE_ENDPOINT);
        *(EndpointState *) userdata = *record->endpoint.state;
        return 0;
}

/* Lock writes must not go on because somebody spoilt the row that forbids them. */
static void test_store_load_keeps_freeze_of_insane_row(void **state) {
        _cleanup_(store_freep) Store *store = open_sound(*state);
        EndpointState found = {};
        Random random = { 17 };
        size_t skipped = 0;
        Sample s;

        sample_endpoint(&random, 1, &s);
        s.endpoint.frozen = true;
        s.endpoint.readings = 1u << READING_ADDED;
        assert_int_equal(store_put(store, &s.record), 0);
        assert_int_equal(store_commit(store), 0);

        for (int i = 0; i < 2; i++) {
                execute(*state, i == 0 ? "UPDATE endpoint SET readings = 'nonsense', frozen_at = 'then', service = '?'"
                                       : "UPDATE endpoint SET readings = 'added', frozen_at = 0, service = 'taurusdb', frozen = x'00'");
                assert_int_equal(store_load(store, note_endpoint, &found, &skipped), 0);
                assert_int_equal(skipped, 1);
                assert_true(found.frozen);
                assert_int_equal(found.readings, 0);
        }

        assert_int_equal(store_thaw(store, NULL), 1);
        assert_int_equal(store_load(store, note_endpoint, &found, &skipped), 0);
        assert_int_equal(skipped, 0);
        assert_false(found.frozen);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_store_load_order, setup, teardown),
                cmocka_unit_test(test_store_load_skips_insane_rows),
                cmocka_unit_test_setup_teardown(test_store_load_keeps_freeze_of_insane_row, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
