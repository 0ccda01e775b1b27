/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <errno.h>
#include <stdio.h>

/*
 * What the engine tells of its controls, page by page, and what a look leaves behind for those who ask.
 */

/* Names and controls of a page, "i00001/lock i00002/encryption", and the last status with its texts copied. */
typedef struct Page {
        char names[4096];
        size_t n;
        ControlStatus last;
        char why[256], next[512], wanted[512], failure[64], message[256], changed_as[64], request_id[128], readings[64];
} Page;

static void copy_text(char *buf, size_t size, const char **text) {
        (void) snprintf(buf, size, "%s", *text ? *text : "");
        *text = *text ? buf : NULL;
}

static int on_status(void *userdata, const ControlStatus *s) {
        Page *p = userdata;
        size_t n = strlen(p->names);

        (void) snprintf(p->names + n, sizeof(p->names) - n, "%s%s/%s", n > 0 ? " " : "", s->name, s->control);
        p->n++;
        p->last = *s;
        copy_text(p->why, sizeof(p->why), &p->last.why);
        copy_text(p->next, sizeof(p->next), &p->last.next_action);
        copy_text(p->wanted, sizeof(p->wanted), &p->last.wanted);
        copy_text(p->failure, sizeof(p->failure), &p->last.failure);
        copy_text(p->message, sizeof(p->message), &p->last.failure_message);
        copy_text(p->changed_as, sizeof(p->changed_as), &p->last.changed_as);
        copy_text(p->request_id, sizeof(p->request_id), &p->last.changed_request_id);
        copy_text(p->readings, sizeof(p->readings), &p->last.readings);
        return 0;
}

static size_t inspect(const Fleet *f, InspectFilter filter, size_t offset, size_t limit, Page *ret) {
        size_t total = 12345;

        *ret = (Page) {};
        assert_int_equal(engine_inspect(f->engine, filter, offset, limit, on_status, ret, &total), 0);
        return total;
}

static ControlStatus *status_of(const Fleet *f, const char *name, Page *page) {
        *page = (Page) {};
        assert_true(engine_inspect_instance(f->engine, name, on_status, page) > 0);
        return &page->last;
}

static void policy_of_encryption(FILE *f, size_t i) {
        char id[64];

        fleet_instance_id(i, id);
        (void) fprintf(f, "name: i%05zu\nservice: taurusdb\ninstance_id: \"%s\"\nencryption: {expect: on, kms_key_id: " FLEET_KEY "}\n", i, id);
}

static void test_pages(void **state) {
        Fleet f;
        Page p;

        fleet_setup(&f, 5, NULL, NULL);

        /* Before the first look: all unknown, and said to be. */
        assert_int_equal(inspect(&f, INSPECT_UNKNOWN, 0, 100, &p), 10);
        assert_int_equal(p.n, 10);
        assert_string_equal(p.last.verdict, "unknown");
        assert_int_equal(p.last.looked_at_usec, 0);
        assert_int_equal(inspect(&f, INSPECT_RENEWALS, 0, 100, &p), 0);

        f.instances[1].encryption_off = true;
        f.instances[3].lock_end_usec = 0;
        f.instances[4].refused = true;
        fleet_teardown(&f);

        fleet_setup(&f, 5, "mode: observe\n", NULL);
        f.instances[1].encryption_off = true;
        f.instances[3].lock_end_usec = 0;
        f.instances[4].refused = true;
        fleet_run(&f, 10 * USEC_PER_SEC);

        static const struct {
                InspectFilter filter;
                size_t offset, limit, total;
                const char *names;
        } cases[] = {
                { INSPECT_ALL, 0, 0, 10, "" },
                { INSPECT_ALL, 0, 3, 10, "i00000/encryption i00000/lock i00001/encryption" },
                { INSPECT_ALL, 3, 2, 10, "i00001/lock i00002/encryption" },
                { INSPECT_ALL, 9, 100, 10, "i00004/lock" },
                { INSPECT_ALL, 10, 100, 10, "" },
                { INSPECT_ALL, SIZE_MAX, SIZE_MAX, 10, "" },
                { INSPECT_VIOLATED, 0, 100, 2, "i00001/encryption i00003/lock" },
                { INSPECT_VIOLATED, 1, 100, 2, "i00003/lock" },
                { INSPECT_UNKNOWN, 0, 100, 2, "i00004/encryption i00004/lock" },
                { INSPECT_NOT_COMPLIANT, 1, 2, 4, "i00003/lock i00004/encryption" },
                { INSPECT_COMPLIANT, 0, 2, 6, "i00000/encryption i00000/lock" },
                { INSPECT_RENEWALS, 0, 100, 3, "i00000/lock i00001/lock i00002/lock" },
                { INSPECT_RENEWALS, 1, 1, 3, "i00001/lock" },
                { INSPECT_RENEWALS, 3, 1, 3, "" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s %zu %zu\n", inspect_filter_to_string(cases[i].filter), cases[i].offset, cases[i].limit);
                assert_int_equal(inspect(&f, cases[i].filter, cases[i].offset, cases[i].limit, &p), cases[i].total);
                assert_string_equal(p.names, cases[i].names);
        }
        fleet_teardown(&f);
}

/* Every page of every size of a larger fleet gives together what there is, in order; also what comes out of the heap. */
static void test_pages_are_whole(void **state) {
        static const size_t sizes[] = { 1, 63, 64, 65, 1000 };
        Fleet f;

        fleet_setup(&f, 150, "mode: observe\n", NULL);
        for (size_t i = 0; i < 150; i += 3)
                f.instances[i].encryption_off = true;
        for (size_t i = 0; i < 150; i++)        /* in another order than by name */
                f.instances[i].lock_end_usec = FLEET_T0 + (10 + i * 37 % 150) * USEC_PER_DAY;
        fleet_run(&f, 10 * USEC_PER_SEC);

        for (InspectFilter filter = 0; filter < INSPECT_FILTER__MAX; filter++)
                for (size_t k = 0; k < N_ELEMENTS(sizes); k++) {
                        char before[64] = "";
                        size_t total, seen = 0;
                        usec_t renew_at = 0;
                        Page p;

                        for (size_t offset = 0; (total = inspect(&f, filter, offset, 1, &p)) > 0 && p.n > 0; offset += sizes[k]) {
                                char first[64];

                                (void) snprintf(first, sizeof(first), "%.60s", p.names);
                                if (filter == INSPECT_RENEWALS) {
                                        assert_true(p.last.renew_at_usec > renew_at);
                                        renew_at = p.last.renew_at_usec;
                                } else
                                        assert_true(strcmp(before, first) < 0);
                                memcpy(before, first, sizeof(before));

                                assert_int_equal(inspect(&f, filter, offset, sizes[k], &p), total);
                                assert_memory_equal(p.names, first, strlen(first));
                                assert_int_equal(p.n, MIN(sizes[k], total - offset));
                                seen += p.n;
                        }
                        assert_int_equal(seen, total);
                        print_message("%s by %zu: %zu\n", inspect_filter_to_string(filter), sizes[k], total);
                        assert_true(filter == INSPECT_UNKNOWN || total >= 50);
                }
        fleet_teardown(&f);
}

static void test_order_survives_reloads(void **state) {
        EngineCounts counts;
        Fleet f;
        Page p;

        fleet_setup(&f, 300, "mode: observe\n", NULL);
        f.instances[7].encryption_off = f.instances[250].encryption_off = true;
        fleet_run(&f, 10 * USEC_PER_SEC);
        assert_int_equal(inspect(&f, INSPECT_VIOLATED, 0, 9, &p), 2);

        fleet_reload(&f, 200, NULL, NULL);
        assert_int_equal(inspect(&f, INSPECT_ALL, 0, 0, &p), 400);
        assert_int_equal(inspect(&f, INSPECT_VIOLATED, 0, 9, &p), 1);
        assert_string_equal(p.names, "i00007/encryption");
        assert_false(engine_has_instance(f.engine, "i00250"));
        assert_int_equal(engine_inspect_instance(f.engine, "i00250", on_status, &p), 0);

        fleet_reload(&f, 300, NULL, policy_of_encryption);
        assert_int_equal(inspect(&f, INSPECT_ALL, 0, 0, &p), 300);
        fleet_run(&f, 10 * USEC_PER_SEC);
        engine_counts(f.engine, &counts);
        for (size_t i = 0; i < 3; i++) {
                static const InspectFilter filters[] = { INSPECT_COMPLIANT, INSPECT_VIOLATED, INSPECT_UNKNOWN };
                size_t n[] = { counts.n_compliant, counts.n_violated, counts.n_unknown };

                assert_int_equal(inspect(&f, filters[i], 0, 0, &p), n[i]);
        }

        fleet_reload(&f, 0, NULL, NULL);
        assert_int_equal(inspect(&f, INSPECT_ALL, 0, 9, &p), 0);
        assert_int_equal(inspect(&f, INSPECT_RENEWALS, 0, 9, &p), 0);
        assert_false(engine_has_instance(f.engine, "i00000"));
        fleet_teardown(&f);
}

static void test_what_is_told(void **state) {
        const ControlStatus *s;
        Fleet f;
        Page p;

        fleet_setup(&f, 3, NULL, NULL);
        f.instances[1].encryption_off = true;
        f.instances[2].refused = true;
        fleet_run(&f, 10 * USEC_PER_SEC);

        /* A lock as written. */
        s = status_of(&f, "i00000", &p);
        assert_string_equal(p.names, "i00000/encryption i00000/lock");
        assert_string_equal(s->service, "taurusdb");
        assert_string_equal(s->region, "ap-southeast-1");
        assert_string_equal(s->mode, "enforce");
        assert_string_equal(s->verdict, "compliant");
        assert_string_equal(s->last_verdict, "compliant");
        assert_true(s->since_usec >= FLEET_T0 && s->since_usec <= f.wall_usec);
        assert_int_equal(s->unknown_since_usec, 0);
        assert_int_equal(s->n_unknown, 0);
        assert_non_null(strstr(s->why, "locked until 2026-01-31"));
        assert_string_equal(s->wanted, "a lock of 30 days, extended when less than 7 d of it remains, never to end later than 31 days from then");
        assert_string_equal(s->next_action, "extend the lock to 30 days from then, once less than 7 d of it remains");
        assert_true(s->looked_at_usec >= FLEET_T0);
        assert_true(s->next_look_usec > f.wall_usec && s->next_look_usec <= f.wall_usec + 2 * USEC_PER_HOUR);
        assert_int_equal(s->lock_start_usec, FLEET_T0);
        assert_int_equal(s->lock_end_usec, FLEET_T0 + 30 * USEC_PER_DAY);
        assert_int_equal(s->renew_at_usec, FLEET_T0 + 23 * USEC_PER_DAY);
        assert_int_equal(s->retention_days, 30);
        assert_int_equal(s->max_retention_days, 31);
        assert_int_equal(s->renew_before_usec, 7 * USEC_PER_DAY);
        assert_string_equal(s->readings, "from-start,from-now,added");
        assert_false(s->frozen);
        assert_null(s->failure);
        assert_int_equal(s->changed_at_usec, 0);
        assert_null(s->changed_as);

        /* Drift that nobody may mend. */
        assert_int_equal(inspect(&f, INSPECT_VIOLATED, 0, 1, &p), 1);
        assert_string_equal(p.names, "i00001/encryption");
        assert_string_equal(p.last.verdict, "violated");
        assert_string_equal(p.last.wanted, "encrypted backup on, reported where it is off");
        assert_non_null(strstr(p.last.next_action, "the policy gives no key"));

        /* Nobody could look. */
        assert_int_equal(inspect(&f, INSPECT_UNKNOWN, 0, 1, &p), 2);
        assert_string_equal(p.last.verdict, "unknown");
        assert_string_equal(p.last.last_verdict, "unknown");
        assert_true(p.last.unknown_since_usec >= FLEET_T0);
        assert_string_equal(p.last.failure, "withheld");
        assert_non_null(p.last.failure_message);
        assert_non_null(p.last.why);

        /* And could again: what failed is forgotten. */
        f.instances[2].refused = false;
        fleet_run(&f, USEC_PER_DAY);
        s = status_of(&f, "i00002", &p);
        assert_string_equal(s->verdict, "compliant");
        assert_null(s->failure);
        fleet_teardown(&f);
}

static void test_last_change_is_told(void **state) {
        const ControlStatus *s;
        usec_t changed_at;
        Fleet f;
        Page p;

        fleet_setup(&f, 2, NULL, policy_of_encryption);
        f.instances[1].encryption_off = true;
        fleet_run(&f, 10 * USEC_PER_SEC);

        s = status_of(&f, "i00001", &p);
        assert_string_equal(s->verdict, "compliant");
        assert_string_equal(s->changed_as, "remediated");
        assert_string_equal(s->changed_request_id, "request-1");
        assert_true(s->changed_at_usec >= FLEET_T0);
        changed_at = s->changed_at_usec;

        /* It stays the last one, whatever is looked at since. */
        fleet_run(&f, USEC_PER_DAY);
        s = status_of(&f, "i00001", &p);
        assert_int_equal(s->changed_at_usec, changed_at);
        assert_string_equal(s->wanted, "encrypted backup on, switched on with key " FLEET_KEY);
        assert_true(s->looked_at_usec > changed_at + 23 * USEC_PER_HOUR);
        fleet_teardown(&f);
}

static void test_mode_is_what_it_works_out_to(void **state) {
        EngineStatus status;
        Fleet f;
        Page p;

        fleet_setup(&f, 1, "mode: observe\n", policy_of_encryption);
        f.instances[0].encryption_off = true;
        fleet_run(&f, 10 * USEC_PER_SEC);

        assert_string_equal(status_of(&f, "i00000", &p)->mode, "observe");
        assert_string_equal(p.last.next_action, "report it; nothing is changed in mode observe");
        engine_status(f.engine, &status);
        assert_string_equal(status.mode, "observe");
        assert_string_equal(status.credentials_source, "environment");
        assert_string_equal(status.credentials_origin, "a test");
        assert_string_equal(status.credentials_state, "accepted");
        assert_int_equal(status.credentials_expire_at_usec, USEC_INFINITY);
        assert_true(status.contact_at_usec >= FLEET_T0);
        assert_true(status.next_look_usec > f.wall_usec);
        assert_false(status.state_failing);
        fleet_teardown(&f);
}

/* Looks without news leave something to tell, but nothing to store; what they left is stored when the daemon ends. */
static void test_unchanged_looks_store_nothing(void **state) {
        size_t n;
        Fleet f;

        fleet_setup(&f, 3, NULL, NULL);
        fleet_run(&f, USEC_PER_HOUR * 3);
        n = f.n_puts;
        assert_true(n >= 6);

        fleet_run(&f, USEC_PER_DAY);
        assert_int_equal(f.n_puts, n);

        engine_keep_told(f.engine);
        assert_int_equal(f.n_puts, n + 6);
        assert_true(f.last_put.told.looked_at_usec > FLEET_T0 + 20 * USEC_PER_HOUR);
        engine_keep_told(f.engine);
        assert_int_equal(f.n_puts, n + 6);
        fleet_teardown(&f);
}

static void test_told_survives_a_restart(void **state) {
        char id[64], why[] = "encrypted backup is off", request[] = "request-9";
        ControlState control = {
                .verdict = VERDICT_VIOLATED,
                .since_usec = FLEET_T0 - 5,
                .told = { why, FLEET_T0 - 4, FLEET_T0 - 3, FLEET_T0 - 2, event_type(EVENT_REMEDIATED)->name, request },
        };
        StateRecord record = {
                .kind = STATE_CONTROL,
                .service = SERVICE_TAURUSDB,
                .control = CONTROL_ENCRYPTION,
                .control_state = { .name = "i00000", .state = &control },
        };
        const ControlStatus *s;
        Fleet f;
        Page p;

        fleet_setup(&f, 1, NULL, policy_of_encryption);
        fleet_reload(&f, 0, NULL, NULL);
        fleet_instance_id(0, id);
        record.instance_id = id;
        assert_int_equal(engine_restore(f.engine, &record), 0);
        assert_int_equal(engine_restore(f.engine, &record), 0);         /* twice costs nothing */
        memset(why, '?', sizeof(why) - 1);                              /* the record's texts are its own */
        memset(request, '?', sizeof(request) - 1);
        fleet_reload(&f, 1, NULL, policy_of_encryption);

        s = status_of(&f, "i00000", &p);
        assert_string_equal(s->verdict, "unknown");
        assert_string_equal(s->last_verdict, "violated");
        assert_string_equal(s->why, "encrypted backup is off");
        assert_int_equal(s->looked_at_usec, FLEET_T0 - 4);
        assert_int_equal(s->change_at_usec, FLEET_T0 - 3);
        assert_int_equal(s->changed_at_usec, FLEET_T0 - 2);
        assert_string_equal(s->changed_as, "remediated");
        assert_string_equal(s->changed_request_id, "request-9");
        fleet_teardown(&f);
}

static void test_reconcile(void **state) {
        usec_t looked_at;
        Fleet f;
        Page p;

        fleet_setup(&f, 2, NULL, NULL);
        fleet_run(&f, USEC_PER_MINUTE);
        looked_at = status_of(&f, "i00000", &p)->looked_at_usec;

        assert_int_equal(engine_reconcile(f.engine, "orders"), 0);
        assert_int_equal(engine_reconcile(f.engine, "i00001"), 2);
        fleet_step(&f);
        assert_int_equal(status_of(&f, "i00000", &p)->looked_at_usec, looked_at);
        assert_int_equal(status_of(&f, "i00001", &p)->looked_at_usec, f.wall_usec);

        assert_int_equal(engine_reconcile(f.engine, NULL), 4);
        fleet_run(&f, 10 * USEC_PER_SEC);
        assert_true(status_of(&f, "i00000", &p)->looked_at_usec > looked_at);
        fleet_teardown(&f);
}

/* A control that is to be looked at again while its look runs keeps its endpoint: it did not, and was unknown until the next reload. */
static void test_reconcile_during_a_look(void **state) {
        EngineCounts counts;
        usec_t wait;
        Fleet f;
        Page p;

        fleet_setup(&f, 1, NULL, policy_of_encryption);
        f.boot_usec += 10 * USEC_PER_SEC;
        f.wall_usec += 10 * USEC_PER_SEC;
        assert_int_equal(engine_run(f.engine, &wait), 0);
        assert_int_equal(f.n_arrivals, 1);

        assert_int_equal(engine_reconcile(f.engine, "i00000"), 1);
        engine_on_clock_step(f.engine);
        fleet_run(&f, 10 * USEC_PER_SEC);
        engine_counts(f.engine, &counts);
        assert_int_equal(counts.n_compliant, 1);
        assert_non_null(status_of(&f, "i00000", &p)->endpoint);
        fleet_teardown(&f);
}

static int on_endpoint(void *userdata, const EndpointStatus *s) {
        unsigned *n = userdata;

        ++*n;
        assert_string_equal(s->service, "taurusdb");
        assert_int_equal(s->n_failed, 0);
        assert_int_equal(s->failing_since_usec, 0);
        assert_true(s->contact_at_usec >= FLEET_T0);
        assert_false(s->frozen);
        assert_null(s->readings);
        return 0;
}

static int on_endpoint_refuse(void *userdata, const EndpointStatus *s) {
        return -ECANCELED;
}

static int on_status_refuse(void *userdata, const ControlStatus *s) {
        ++*(unsigned *) userdata;
        return -ECANCELED;
}

static void test_endpoints_and_early_ends(void **state) {
        unsigned n = 0;
        size_t total;
        Fleet f;

        fleet_setup(&f, 2, NULL, NULL);
        fleet_run(&f, USEC_PER_MINUTE);
        assert_int_equal(engine_inspect_endpoints(f.engine, on_endpoint, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(engine_inspect_endpoints(f.engine, on_endpoint_refuse, NULL), -ECANCELED);

        n = 0;
        assert_int_equal(engine_inspect(f.engine, INSPECT_ALL, 0, 9, on_status_refuse, &n, &total), -ECANCELED);
        assert_int_equal(engine_inspect(f.engine, INSPECT_RENEWALS, 0, 9, on_status_refuse, &n, &total), -ECANCELED);
        assert_int_equal(engine_inspect_instance(f.engine, "i00000", on_status_refuse, &n), -ECANCELED);
        assert_int_equal(n, 3);
        fleet_teardown(&f);
}

static void test_shown_is_told(void **state) {
        Fleet f;

        fleet_setup(&f, 1, NULL, policy_of_encryption);
        fleet_run(&f, USEC_PER_MINUTE);
        assert_int_equal(f.n_shown, 1);
        assert_int_equal(f.last_shown, VERDICT_COMPLIANT);

        fleet_run(&f, USEC_PER_HOUR);
        assert_int_equal(f.n_shown, 1);

        f.instances[0].refused = true;
        fleet_run(&f, USEC_PER_HOUR);
        assert_int_equal(f.n_shown, 2);
        assert_int_equal(f.last_shown, VERDICT_UNKNOWN);
        fleet_teardown(&f);
}

static void test_filter_names(void **state) {
        for (InspectFilter i = 0; i < INSPECT_FILTER__MAX; i++)
                assert_int_equal(inspect_filter_from_string(inspect_filter_to_string(i)), i);
        assert_int_equal(inspect_filter_from_string("some"), -EINVAL);
        assert_int_equal(inspect_filter_from_string(""), -EINVAL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pages),
                cmocka_unit_test(test_pages_are_whole),
                cmocka_unit_test(test_order_survives_reloads),
                cmocka_unit_test(test_what_is_told),
                cmocka_unit_test(test_last_change_is_told),
                cmocka_unit_test(test_mode_is_what_it_works_out_to),
                cmocka_unit_test(test_unchanged_looks_store_nothing),
                cmocka_unit_test(test_told_survives_a_restart),
                cmocka_unit_test(test_reconcile),
                cmocka_unit_test(test_reconcile_during_a_look),
                cmocka_unit_test(test_endpoints_and_early_ends),
                cmocka_unit_test(test_shown_is_told),
                cmocka_unit_test(test_filter_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
