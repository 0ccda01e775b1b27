/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: policies change while most of their controls wait for their turn at the endpoint. Nobody is forgotten, nobody is looked at who is not in
 * force any more, and all are asked for where they are now.
 */

#include "fleet.h"

#define N 1100                  /* locks: a hundred more than the rate lets go at once */

static void policy_changed(FILE *f, size_t i) {
        char id[64];

        fleet_instance_id(i, id);
        (void) fprintf(f, "name: i%05zu\nservice: taurusdb\ninstance_id: \"%s\"\nencryption: {expect: on, poll: 6m}\n"
                       "lock: {retention_days: 29, renew_before: 6d}\n", i, id);
}

/* Sorted in another order than their instances, and than before. */
static void policy_renamed(FILE *f, size_t i) {
        char id[64];

        fleet_instance_id(i, id);
        (void) fprintf(f, "name: j%05zu\nservice: taurusdb\ninstance_id: \"%s\"\nencryption: {expect: on}\n"
                       "lock: {retention_days: 30, renew_before: 7d}\n", N - i, id);
}

typedef struct Seen {
        const char *endpoint;
        size_t n, n_locks, n_elsewhere, n_unknown;
        char last[128];
        bool in_order;
} Seen;

static int see(void *userdata, const ControlStatus *status) {
        Seen *s = userdata;

        s->n++;
        s->n_locks += strcmp(status->control, "lock") == 0;
        s->n_unknown += strcmp(status->verdict, "compliant") != 0;
        s->n_elsewhere += strcmp(status->endpoint, s->endpoint) != 0;
        s->in_order = s->in_order && strcmp(s->last, status->name) <= 0;
        (void) snprintf(s->last, sizeof(s->last), "%s", status->name);
        return 0;
}

static void assert_all_well(Fleet *f, size_t n, const char *endpoint) {
        Seen s = { .endpoint = endpoint, .in_order = true };
        size_t total;

        assert_int_equal(engine_inspect(f->engine, INSPECT_ALL, 0, SIZE_MAX, see, &s, &total), 0);
        assert_int_equal(s.n, n * 2);
        assert_int_equal(s.n_locks, n);
        assert_int_equal(total, n * 2);
        assert_int_equal(s.n_unknown, 0);
        assert_int_equal(s.n_elsewhere, 0);
        assert_true(s.in_order);
}

static void test_change_while_queued(void **state) {
        static const char here[] = "https://gaussdbformysql.ap-southeast-1.myhuaweicloud.com", elsewhere[] = "https://127.0.0.1:1";
        static const struct {
                const char *what, *settings;
                FleetPolicy policy;
                size_t n;
                const char *endpoint;
        } cases[] = {
                { "unchanged",      NULL,                                               NULL,           N,     here      },
                { "other policies", NULL,                                               policy_changed, N,     here      },
                { "other names",    NULL,                                               policy_renamed, N,     here      },
                { "fewer",          NULL,                                               NULL,           N / 9, here      },
                { "none",           NULL,                                               NULL,           0,     here      },
                { "elsewhere",      "endpoints: {taurusdb: \"https://127.0.0.1:1\"}\n", NULL,           N,     elsewhere },
                { "all of that",    "endpoints: {taurusdb: \"https://127.0.0.1:1\"}\n", policy_renamed, N / 2, elsewhere },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                EngineCounts counts;
                Fleet f;

                print_message("%s\n", cases[i].what);
                fleet_setup(&f, N, "", NULL);
                fleet_step(&f);
                engine_counts(f.engine, &counts);
                assert_in_range(counts.n_compliant, 1, N - 1);  /* the others wait */

                fleet_reload(&f, cases[i].n, cases[i].settings, cases[i].policy);
                fleet_reload(&f, 0, NULL, NULL);        /* and all gone and back, with nothing asked meanwhile */
                fleet_reload(&f, cases[i].n, NULL, cases[i].policy);
                fleet_run(&f, 8 * USEC_PER_SEC);
                assert_all_well(&f, cases[i].n, cases[i].endpoint);

                fleet_reload(&f, N, "", NULL);
                fleet_run(&f, 8 * USEC_PER_SEC);
                assert_all_well(&f, N, here);
                fleet_teardown(&f);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_change_while_queued),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
