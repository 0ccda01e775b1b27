/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/options.h"

#define WORDS_MAX_ 8

typedef struct Taken {
        OptionsResult result;
        CtlOptions options;
        int argc;
        char *argv[WORDS_MAX_ + 1];
} Taken;

static Taken take(const char *const *words) {
        Taken t = {};

        for (; words[t.argc]; t.argc++)
                t.argv[t.argc] = (char *) (uintptr_t) words[t.argc];
        t.result = options_take(&t.argc, t.argv, &t.options);
        return t;
}

#define TAKE(...) take((const char *const[]) { __VA_ARGS__, NULL })

static void assert_left(const Taken *t, const char *const *words) {
        int n = 0;

        for (; words[n]; n++) {
                assert_true(n < t->argc);
                assert_string_equal(t->argv[n], words[n]);
        }
        assert_int_equal(t->argc, n);
        assert_null(t->argv[n]);
}

#define LEFT(t, ...) assert_left(&(t), (const char *const[]) { __VA_ARGS__, NULL })

static void test_options_take_defaults(void **state) {
        Taken t = TAKE("status");

        assert_int_equal(t.result, OPTIONS_GO);
        assert_string_equal(t.options.config, DEFAULT_CONFIG);
        assert_string_equal(t.options.state, DEFAULT_STATE);
        assert_true(t.options.legend && t.options.pager);
        assert_false(t.options.json || t.options.config_given || t.options.state_given || t.options.instances_given);
        LEFT(t, "status");
}

static void test_options_take_before_and_behind(void **state) {
        Taken t = TAKE("--json", "--state", "/s", "why", "--no-legend", "orders", "--config=/c");

        assert_int_equal(t.result, OPTIONS_GO);
        assert_true(t.options.json && t.options.state_given && t.options.config_given);
        assert_false(t.options.legend);
        assert_string_equal(t.options.state, "/s");
        assert_string_equal(t.options.config, "/c");
        LEFT(t, "why", "orders");
}

static void test_options_take_leaves_the_verbs_own(void **state) {
        Taken t = TAKE("status", "--verdict", "unknown", "--json", "--jsonish");

        assert_int_equal(t.result, OPTIONS_GO);
        assert_true(t.options.json);
        LEFT(t, "status", "--verdict", "unknown", "--jsonish");
}

static void test_options_take_nothing_behind_log_and_dashes(void **state) {
        Taken log = TAKE("--no-pager", "log", "orders", "--json", "-h"), dashes = TAKE("why", "--", "--json");

        assert_int_equal(log.result, OPTIONS_GO);
        assert_false(log.options.json || log.options.pager);
        LEFT(log, "log", "orders", "--json", "-h");
        assert_int_equal(dashes.result, OPTIONS_GO);
        assert_false(dashes.options.json);
        LEFT(dashes, "why", "--", "--json");

        dashes = TAKE("--json", "--", "status", "--no-pager");
        assert_int_equal(dashes.result, OPTIONS_GO);
        assert_true(dashes.options.json && dashes.options.pager);
        LEFT(dashes, "status", "--no-pager");
}

static void test_options_take_wrong(void **state) {
        static const char *const cases[][3] = {
                { "--config" }, { "status", "--state" }, { "--json=1" }, { "--color", "blue" }, { "-x" }, { "--config=" }, { "--state", "" }, { "--", NULL },
        };

        for (size_t i = 0; i + 1 < N_ELEMENTS(cases); i++)
                assert_int_equal(take((const char *const[]) { cases[i][0], cases[i][1], NULL }).result, OPTIONS_WRONG);
        assert_int_equal(TAKE("--help").result, OPTIONS_HELP);
        assert_int_equal(TAKE("status", "-h").result, OPTIONS_HELP);
        assert_int_equal(TAKE("--version").result, OPTIONS_VERSION);
}

static void test_options_settle_instances(void **state) {
        static const struct {
                const char *config, *instances;
        } cases[] = {
                { "/etc/holdfast/holdfast.yaml", "/etc/holdfast/instances.d" },
                { "holdfast.yaml",               "instances.d"               },
                { "/h.yaml",                     "/instances.d"              },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Taken t = TAKE("--config", cases[i].config);

                assert_int_equal(options_settle(&t.options), 0);
                assert_string_equal(t.options.instances, cases[i].instances);
                options_done(&t.options);
        }
}

static void test_options_settle_environment(void **state) {
        Taken t = TAKE("status");

        assert_int_equal(setenv("COLUMNS", "123", 1), 0);
        assert_int_equal(setenv("SYSTEMD_COLORS", "1", 1), 0);
        assert_int_equal(options_settle(&t.options), 0);
        assert_int_equal(t.options.columns, 123);
        assert_true(t.options.color);
        options_done(&t.options);

        t = TAKE("status");
        assert_int_equal(setenv("COLUMNS", "12x", 1), 0);
        assert_int_equal(setenv("SYSTEMD_COLORS", "0", 1), 0);
        assert_int_equal(options_settle(&t.options), 0);
        assert_true(t.options.columns >= 20);
        assert_false(t.options.color);
        options_done(&t.options);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options_take_defaults),
                cmocka_unit_test(test_options_take_before_and_behind),
                cmocka_unit_test(test_options_take_leaves_the_verbs_own),
                cmocka_unit_test(test_options_take_nothing_behind_log_and_dashes),
                cmocka_unit_test(test_options_take_wrong),
                cmocka_unit_test(test_options_settle_instances),
                cmocka_unit_test(test_options_settle_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
