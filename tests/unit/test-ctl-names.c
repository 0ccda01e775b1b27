/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/fleet.h"

/* Name and instance id; controls of one instance come twice. */
static const char *const instances[][2] = {
        { "audit", "2f6b" },    { "ledger", "1de2" },  { "orders", "7033" }, { "orders", "7033" },
        { "orders-old", "8144" }, { "payroll", "5b0e" }, { "z[1]", "9999" },
};

static const char *list_name(const void *list, size_t i) {
        return instances[i][0];
}

static const char *list_id(const void *list, size_t i) {
        return instances[i][1];
}

static const NameList list = { .n = N_ELEMENTS(instances), .name = list_name, .instance_id = list_id };

static void mark(void *userdata, size_t i) {
        *(unsigned *) userdata |= 1u << i;
}

static void test_names_match(void **state) {
        static const struct {
                const char *name;
                int result;
                unsigned marks;
        } cases[] = {
                { "orders",     0,          1u << 2 | 1u << 3              },    /* exact, though another begins so */
                { "orders-",    0,          1u << 4                        },
                { "7033",       0,          1u << 2 | 1u << 3              },    /* an instance's id */
                { "70",         -ENOENT,    0                              },    /* ids are written in full */
                { "or",         -ENOTUNIQ,  0                              },
                { "l",          0,          1u << 1                        },
                { "*r*",        0,          1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 },
                { "?udit",      0,          1u << 0                        },
                { "[ap]*",      0,          1u << 0 | 1u << 5              },
                { "z[1]",       0,          1u << 6                        },    /* a name before it is a pattern */
                { "*x*",        -ENOENT,    0                              },
                { "legder",     -ENOENT,    0                              },
                { "",           -ENOENT,    0                              },
                { "orders/../", -ENOENT,    0                              },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                unsigned marks = 0;

                print_message("%s\n", cases[i].name);
                assert_int_equal(names_match(&list, cases[i].name, mark, &marks), cases[i].result);
                assert_int_equal(marks, cases[i].marks);
        }
}

static Fleet *fleet_of(void) {
        Fleet *f = NULL;

        assert_int_equal(fleet_new(&f), 0);
        for (size_t i = N_ELEMENTS(instances); i-- > 0;) {
                ControlStatus s = {
                        .name = instances[i][0],
                        .instance_id = instances[i][1],
                        .control = i % 2 == 0 ? "lock" : "encryption",
                        .verdict = i == 0 ? "violated" : i == 1 ? "of tomorrow" : "compliant",
                };

                assert_int_equal(fleet_add(f, &s), 0);
        }
        return f;
}

static void test_fleet_sort_and_select(void **state) {
        _cleanup_(fleet_freep) Fleet *f = fleet_of();
        char *names[] = { (char *) (uintptr_t) "orders", (char *) (uintptr_t) "led", (char *) (uintptr_t) "orders" };
        char *wrong[] = { (char *) (uintptr_t) "audit", (char *) (uintptr_t) "nobody" };

        fleet_sort(f);
        assert_string_equal(f->items[2].control, "encryption");
        assert_int_equal(fleet_select(f, wrong, 2), -ENOENT);
        assert_int_equal(f->n_items, N_ELEMENTS(instances));    /* all or nothing */
        assert_int_equal(fleet_select(f, names, 3), 0);
        assert_int_equal(f->n_items, 3);                        /* each once, in order */
        assert_string_equal(f->items[0].name, "ledger");
        assert_string_equal(f->items[2].name, "orders");
}

static void test_fleet_count(void **state) {
        _cleanup_(fleet_freep) Fleet *f = fleet_of();
        FleetCounts c;

        fleet_sort(f);
        fleet_count(f, &c);
        assert_int_equal(c.n_instances, 6);
        assert_int_equal(c.n_controls, 7);
        assert_int_equal(c.n_compliant, 5);
        assert_int_equal(c.n_violated, 1);
        assert_int_equal(c.n_unknown, 1);       /* a verdict that is not known is no good one */
        assert_false(fleet_is_well(f, false));
}

static void test_fleet_is_well(void **state) {
        _cleanup_(fleet_freep) Fleet *f = NULL;
        ControlStatus s = { .name = "a", .control = "lock", .verdict = "compliant" };
        EndpointStatus n = { .origin = "https://x", .frozen = true };

        assert_int_equal(fleet_new(&f), 0);
        assert_int_equal(fleet_add(f, &s), 0);
        assert_true(fleet_is_well(f, true));
        f->info.n_rejected = 1;
        assert_true(fleet_is_well(f, false));
        assert_false(fleet_is_well(f, true));
        f->info.n_rejected = 0;
        f->info.state_failing = true;
        assert_false(fleet_is_well(f, true));
        f->info.state_failing = false;
        assert_int_equal(fleet_add_endpoint(f, &n), 0);
        assert_false(fleet_is_well(f, true));
}

/* What others wrote reaches no terminal as it is. */
static void test_fleet_text(void **state) {
        _cleanup_(fleet_freep) Fleet *f = NULL;

        assert_int_equal(fleet_new(&f), 0);
        assert_null(fleet_text(f, NULL));
        assert_string_equal(fleet_text(f, "plain"), "plain");
        assert_string_equal(fleet_text(f, "a\x1b[31mb\nc"), "a?[31mb c");
        assert_string_equal(fleet_text(f, "\xff"), "\xef\xbf\xbd");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_match),  cmocka_unit_test(test_fleet_sort_and_select), cmocka_unit_test(test_fleet_count),
                cmocka_unit_test(test_fleet_is_well), cmocka_unit_test(test_fleet_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
