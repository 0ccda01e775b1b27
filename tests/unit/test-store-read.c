/* SPDX-License-Identifier: Apache-2.0 */
#include "test-store-util.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/read.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

static int setup(void **state) {
        *state = folder_make();
        return 0;
}

static int teardown(void **state) {
        folder_remove(*state);
        return 0;
}

static Store *open_store(const char *dir) {
        Store *store = NULL;

        assert_int_equal(store_open(dir, &store, NULL), 0);
        return store;
}

static void put_evidence(Store *store, usec_t at_usec, const char *instance_id, Control control, const char *what, const char *detail) {
        StateRecord record = {
                .kind = STATE_EVIDENCE,
                .service = instance_id ? SERVICE_TAURUSDB : SERVICE__MAX,
                .instance_id = instance_id,
                .control = control,
                .evidence = { .at_usec = at_usec, .what = what, .detail = detail, .request_id = "req" },
        };

        assert_int_equal(store_put(store, &record), 0);
}

static int count(void *userdata, const StateRecord *record) {
        ++*(size_t *) userdata;
        return 0;
}

/* What was put comes out, to those who only look as to the daemon. */
static void test_store_view_load(void **state) {
        Random random = { .state = 42 };
        Store *store = open_store(*state);
        size_t n_view = 0, n_store = 0, n_skipped = 1;
        StoreView *view = NULL;

        for (unsigned i = 0; i < 20; i++) {
                Sample s;

                sample_control(&random, (Control) (i % CONTROL__MAX), i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
                sample_endpoint(&random, i, &s);
                assert_int_equal(store_put(store, &s.record), 0);
        }
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_load(store, count, &n_store, NULL), 0);

        /* While a daemon has it … */
        assert_int_equal(store_view_open(*state, &view), 0);
        assert_int_equal(store_view_load(view, count, &n_view, &n_skipped), 0);
        assert_int_equal(n_view, n_store);
        assert_int_equal(n_skipped, 0);
        assert_true(store_view_written_usec(view) > 0);
        view = store_view_free(view);

        /* … and afterwards. */
        store = store_free(store);
        n_view = 0;
        assert_int_equal(store_view_open(*state, &view), 0);
        assert_int_equal(store_view_load(view, count, &n_view, NULL), 0);
        assert_int_equal(n_view, n_store);
        store_view_free(view);
}

/* One moment is seen, whatever is written meanwhile; and nobody who looks holds up a commit. */
static void test_store_view_is_one_moment(void **state) {
        EvidenceQuery all = { .control = -1 };
        Store *store = open_store(*state);
        StoreView *view = NULL;
        size_t n = 0;

        put_evidence(store, T0, "a", CONTROL_LOCK, "verdict", "compliant");
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_view_open(*state, &view), 0);

        for (unsigned i = 0; i < 100; i++) {
                put_evidence(store, T0 + i, "a", CONTROL_LOCK, "verdict", "violated");
                assert_int_equal(store_commit(store), 0);
        }
        assert_int_equal(store_view_history(view, &all, count, &n), 0);
        assert_int_equal(n, 1);
        view = store_view_free(view);

        n = 0;
        assert_int_equal(store_view_open(*state, &view), 0);
        assert_int_equal(store_view_history(view, &all, count, &n), 0);
        assert_int_equal(n, 101);
        store_view_free(view);
        store_free(store);
}

/* Whoever looks at a daemon that is stopped leaves nothing behind. */
static void test_store_view_leaves_no_trace(void **state) {
        StoreView *view = NULL;

        store_free(open_store(*state));
        assert_false(folder_has(*state, "holdfast.db-wal"));
        assert_int_equal(store_view_open(*state, &view), 0);
        store_view_free(view);
        assert_false(folder_has(*state, "holdfast.db-wal"));
        assert_false(folder_has(*state, "holdfast.db-shm"));
}

typedef struct Seen {
        size_t n;
        char text[1024];
} Seen;

static int see(void *userdata, const StateRecord *record) {
        Seen *s = userdata;
        size_t used = strlen(s->text);

        assert_int_equal(record->kind, STATE_EVIDENCE);
        (void) snprintf(s->text + used, sizeof(s->text) - used, "%s%s:%s", used > 0 ? " " : "", record->instance_id ? record->instance_id : "-",
                        record->evidence.what);
        s->n++;
        return 0;
}

static void test_store_view_history(void **state) {
        static const struct {
                EvidenceQuery query;
                const char *seen;       /* the newest first */
        } cases[] = {
                { { .control = -1 }, "-:credentials-rejected b:drift a:lock-extended a:lock-intent a:drift a:verdict" },
                { { .control = -1, .limit = 2 }, "-:credentials-rejected b:drift" },
                { { .control = -1, .since_usec = T0 + 4 }, "-:credentials-rejected b:drift" },
                { { .control = -1, .instance_id = "a", .service = SERVICE_TAURUSDB }, "a:lock-extended a:lock-intent a:drift a:verdict" },
                { { .control = -1, .instance_id = "a", .service = SERVICE_GAUSSDB }, "" },
                { { .control = CONTROL_ENCRYPTION }, "b:drift" },
                { { .control = -1, .kind = EVIDENCE_CHANGES }, "a:lock-extended" },
                { { .control = -1, .kind = EVIDENCE_VERDICTS }, "a:verdict" },
                { { .control = -1, .kind = EVIDENCE_SAID }, "-:credentials-rejected b:drift a:lock-extended a:drift" },
                { { .control = -1, .instance_id = "' OR 1=1 --", .service = SERVICE_TAURUSDB }, "" },
        };
        Store *store = open_store(*state);
        StoreView *view = NULL;

        put_evidence(store, T0, "a", CONTROL_LOCK, "verdict", "violated");
        put_evidence(store, T0 + 1, "a", CONTROL_LOCK, "drift", "…");
        put_evidence(store, T0 + 2, "a", CONTROL_LOCK, "lock-intent", "extend, 30 days");
        put_evidence(store, T0 + 3, "a", CONTROL_LOCK, "lock-extended", "…");
        put_evidence(store, T0 + 4, "b", CONTROL_ENCRYPTION, "drift", "…");
        put_evidence(store, T0 + 5, NULL, CONTROL__MAX, "credentials-rejected", "…");
        assert_int_equal(store_commit(store), 0);

        assert_int_equal(store_view_open(*state, &view), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Seen seen = {};

                assert_int_equal(store_view_history(view, &cases[i].query, see, &seen), 0);
                assert_string_equal(seen.text, cases[i].seen);
        }
        store_view_free(view);
        store_free(store);
}

/* That there was none for long is part of how verdicts changed. */
static void test_store_view_history_of_verdicts(void **state) {
        const EvidenceQuery query = { .control = -1, .kind = EVIDENCE_VERDICTS };
        Store *store = open_store(*state);
        StoreView *view = NULL;
        Seen seen = {};

        put_evidence(store, T0, "a", CONTROL_LOCK, "verdict", "compliant");
        put_evidence(store, T0 + 1, "a", CONTROL_LOCK, "unknown", "…");
        put_evidence(store, T0 + 2, "a", CONTROL_LOCK, "api-recovered", "…");
        assert_int_equal(store_commit(store), 0);

        assert_int_equal(store_view_open(*state, &view), 0);
        assert_int_equal(store_view_history(view, &query, see, &seen), 0);
        assert_string_equal(seen.text, "a:unknown a:verdict");
        store_view_free(view);
        store_free(store);
}

static int refuse(void *userdata, const StateRecord *record) {
        return -ECANCELED;
}

static void test_store_view_callback_ends_it(void **state) {
        EvidenceQuery all = { .control = -1 };
        Store *store = open_store(*state);
        StoreView *view = NULL;

        put_evidence(store, T0, "a", CONTROL_LOCK, "verdict", "compliant");
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(store_view_open(*state, &view), 0);
        assert_int_equal(store_view_history(view, &all, refuse, NULL), -ECANCELED);
        store_view_free(view);
        store_free(store);
}

static void write_file(const char *dir, const char *name, const char *text) {
        _cleanup_(freep) char *path = folder_path(dir, name);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void test_store_view_open_refuses(void **state) {
        _cleanup_(freep) char *path = folder_path(*state, "holdfast.db");
        StoreView *view = NULL;

        assert_int_equal(store_view_open("/nonexistent", &view), -ENOENT);
        assert_int_equal(store_view_open(*state, &view), -ENOENT);

        write_file(*state, "holdfast.db", "no database, whatever its name says; long enough to be taken for one by its size, perhaps");
        assert_int_equal(store_view_open(*state, &view), -EBADMSG);
        assert_true(folder_has(*state, "holdfast.db")); /* who looks sets nothing aside */
        assert_int_equal(folder_count_broken(*state), 0);

        write_file(*state, "holdfast.db", "");
        assert_int_equal(store_view_open(*state, &view), -EBADMSG);

        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(store_view_open(*state, &view), -EBADMSG);
        assert_null(view);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_store_view_load, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_is_one_moment, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_leaves_no_trace, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_history_of_verdicts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_callback_ends_it, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_view_open_refuses, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
