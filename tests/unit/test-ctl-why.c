/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/describe.h"
#include "ctl/why.h"
#include "facts/facts.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

/* A lock that is well. */
#define HELD                                                                            \
        {                                                                               \
                .name = "orders", .service = "taurusdb", .instance_id = "7033in07",     \
                .control = "lock", .mode = "enforce", .file = "orders.yaml", .line = 3, \
                .endpoint = "https://gaussdb.example", .verdict = "compliant",          \
                .last_verdict = "compliant", .since_usec = T0 - USEC_PER_DAY,           \
                .why = "locked until then", .wanted = "a lock of 30 days",              \
                .looked_at_usec = T0 - USEC_PER_MINUTE,                                 \
                .next_look_usec = T0 + USEC_PER_HOUR,                                   \
                .next_action = "extend the lock", .lock_end_usec = T0 + 20 * USEC_PER_DAY, \
                .renew_at_usec = T0 + 13 * USEC_PER_DAY,                                \
                .renew_before_usec = 7 * USEC_PER_DAY,                                  \
        }

static int explain(const ControlStatus *s, bool live, usec_t now_usec, Why *ret) {
        const FleetInfo info = { .live = live, .running = live, .mode = "enforce", .now_usec = now_usec };

        return why_explain(s, &info, ret);
}

static void has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("no \"%s\" in: %s", part, text);
}

static void lacks(const char *text, const char *part) {
        if (strstr(text, part))
                fail_msg("\"%s\" in: %s", part, text);
}

static void test_why_explain_compliant(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why w = {};

        assert_int_equal(explain(&s, true, T0, &w), 0);
        has(w.rule, "orders.yaml, line 3");
        has(w.rule, "a lock of 30 days");
        has(w.facts, "compliant since 2025-12-31 00:00:00Z (1 d ago): locked until then.");
        has(w.facts, "The lock ends at 2026-01-21 00:00:00Z (in 20 d).");
        has(w.next, "looks again at 2026-01-01 01:00:00Z (in 1 h). At 2026-01-14 00:00:00Z (in 13 d) it will extend the lock.");
        has(w.changes, "less than 7 d of the lock will remain");
        assert_string_equal(w.blocked, "");
}

static void test_why_explain_old_facts(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why w = {};

        s.looked_at_usec = T0 - 3 * USEC_PER_DAY;
        assert_int_equal(explain(&s, true, T0, &w), 0);
        has(w.facts, "(3 d ago). That is old: it may be different by now.");
}

static void test_why_explain_without_daemon(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why well = {}, due = {};

        assert_int_equal(explain(&s, false, T0, &well), 0);
        has(well.next, "Nothing, as long as holdfastd does not run");
        has(well.blocked, "systemctl start holdfast");

        assert_int_equal(explain(&s, false, s.renew_at_usec, &due), 0);
        has(due.blocked, "systemctl start holdfast");
}

static void test_why_explain_unknown_is_not_the_last_verdict(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why w = {};

        s.verdict = "unknown";
        s.unknown_since_usec = T0 - 2 * USEC_PER_HOUR;
        s.n_unknown = 3;
        s.why = "it could not be read";
        assert_int_equal(explain(&s, true, T0, &w), 0);
        has(w.facts, "could not be determined since 2025-12-31 22:00:00Z (2 h ago), in 3 polls: it could not be read.");
        has(w.facts, "Before that it was compliant, which proves nothing about now.");
        has(w.changes, "neither taken for compliant nor acted upon");
        lacks(w.facts, "It is compliant");
}

static void test_why_explain_says_who_must_act(void **state) {
        static const struct {
                FailureClass class;
                const char *who;
        } cases[] = {
                { FAILURE_TRANSPORT,     "Nobody yet"                                         },
                { FAILURE_THROTTLED,     "Nobody yet"                                         },
                { FAILURE_BUSY,          "Nobody yet"                                         },
                { FAILURE_NOT_PERMITTED, "Whoever administers the account's permissions"      },
                { FAILURE_NOT_OFFERED,   "Whoever owns the policy"                            },
                { FAILURE_NOT_FOUND,     "Whoever owns the policy"                            },
                { FAILURE_CREDENTIALS,   "Whoever administers the access key"                 },
                { FAILURE_BAD_REQUEST,   "Whoever owns the policy"                            },
                { FAILURE_SERVER,        "Nobody yet"                                         },
                { FAILURE_UNREADABLE,    "Whoever maintains holdfast"                         },
                { FAILURE_WITHHELD,      "holdfast itself holds the request back"             },
        };

        assert_int_equal(N_ELEMENTS(cases), FAILURE_CLASS__MAX);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                ControlStatus s = HELD;
                _cleanup_(why_done) Why w = {}, well = {};

                assert_int_equal(cases[i].class, i);
                s.verdict = "violated";
                s.failure = failure_class_to_string(cases[i].class);
                s.failure_message = "the cloud's words";
                s.failure_code = "DBS.1";
                s.failure_request_id = "req-1";
                s.failure_http_status = 403;
                assert_int_equal(explain(&s, true, T0, &w), 0);
                has(w.blocked, "the cloud's words. (HTTP 403, DBS.1, request req-1) ");
                has(w.blocked, cases[i].who);

                s.verdict = "compliant";        /* what failed before is over */
                assert_int_equal(explain(&s, true, T0, &well), 0);
                assert_string_equal(well.blocked, "");
        }
}

static void test_why_explain_other_blocks(void **state) {
        ControlStatus frozen = HELD, observed = HELD, homeless = HELD;
        _cleanup_(why_done) Why f = {}, o = {}, h = {};

        frozen.frozen = true;
        frozen.frozen_at_usec = T0 - USEC_PER_HOUR;
        frozen.frozen_why = "it read otherwise";
        assert_int_equal(explain(&frozen, true, T0, &f), 0);
        has(f.blocked, "frozen since 2025-12-31 23:00:00Z (1 h ago): it read otherwise.");
        has(f.blocked, "holdfastctl thaw https://gaussdb.example");

        observed.verdict = "violated";
        observed.mode = "observe";
        assert_int_equal(explain(&observed, true, T0, &o), 0);
        has(o.blocked, "mode is observe");

        homeless.verdict = "unknown";
        homeless.endpoint = NULL;
        homeless.region = "mars-1";
        assert_int_equal(explain(&homeless, true, T0, &h), 0);
        has(h.blocked, "No endpoint is known for service taurusdb in region mars-1.");
}

/* Where the daemon runs all the same nobody has to start it. */
static void test_why_explain_files_beside_a_daemon(void **state) {
        const FleetInfo info = { .running = true, .files = true, .now_usec = T0 };
        ControlStatus s = HELD;
        _cleanup_(why_done) Why w = {};

        assert_int_equal(why_explain(&s, &info, &w), 0);
        has(w.next, "The files were asked");
        has(w.changes, "shows at the next look");
        assert_string_equal(w.blocked, "");
}

/* Another file is wrong where it is not the policy that says observe. */
static void test_why_explain_whose_mode(void **state) {
        const FleetInfo info = { .live = true, .running = true, .mode = "observe", .now_usec = T0 };
        ControlStatus s = HELD;
        _cleanup_(why_done) Why own = {}, whole = {};

        s.verdict = "violated";
        s.mode = "observe";
        assert_int_equal(explain(&s, true, T0, &own), 0);
        has(own.blocked, "The policy's mode is observe. Whoever owns the policy must let holdfast act");
        assert_int_equal(why_explain(&s, &info, &whole), 0);
        has(whole.blocked, "by holdfast.yaml, by --observe of holdfastd or by the policy itself");
        lacks(whole.blocked, "The policy's mode");
}

/* The next look and the next write are two things. */
static void test_why_explain_schedule(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why later = {}, unknown = {}, due = {}, look = {};

        s.control = "schedule";
        s.renew_at_usec = s.lock_end_usec = s.change_at_usec = 0;
        s.next_action = "write the backup's schedule again";
        s.reapply_at_usec = T0 + 23 * USEC_PER_HOUR;
        assert_int_equal(explain(&s, true, T0, &later), 0);
        has(later.next, "looks again at 2026-01-01 01:00:00Z (in 1 h). At 2026-01-01 23:00:00Z (in 23 h) it will write");

        s.reapply_at_usec = T0 - 1;
        assert_int_equal(explain(&s, true, T0, &due), 0);
        has(due.next, "(in 1 h). It will then write");

        s.reapply_at_usec = 0;
        assert_int_equal(explain(&s, true, T0, &unknown), 0);
        lacks(unknown.next, "then");
        has(unknown.next, "When that is due, it will write");

        s.next_action = NEXT_LOOK;
        assert_int_equal(explain(&s, true, T0, &look), 0);
        assert_string_equal(look.next, "holdfast looks again at 2026-01-01 01:00:00Z (in 1 h).");
}

/* What holdfast can only report is always somebody's; a mode is not what it lacks. */
static void test_why_explain_left_to_others(void **state) {
        static const struct {
                const char *next_action, *who;
        } cases[] = {
                { NEXT_YOUNGER_BACKUP, "must find out in DBSS why no younger backup was made" },
                { NEXT_MANUAL_BACKUP,  "must make a manual full backup"                       },
                { NEXT_OTHER_LIMITS,   "the limits in holdfast.yaml must change"              },
                { NEXT_NEVER_OFF,      "switches no encryption off"                           },
                { NEXT_NO_KEY,         "encryption.kms_key_id"                                },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                ControlStatus s = HELD;
                _cleanup_(why_done) Why enforced = {}, observed = {};

                s.verdict = "violated";
                s.next_action = cases[i].next_action;
                assert_int_equal(explain(&s, true, T0, &enforced), 0);
                has(enforced.blocked, cases[i].who);
                s.mode = "observe";
                assert_int_equal(explain(&s, true, T0, &observed), 0);
                has(observed.blocked, cases[i].who);
                lacks(observed.blocked, "mode");
        }
}

/* Of a frozen lock nothing else helps. */
static void test_why_explain_frozen_names_thaw(void **state) {
        ControlStatus s = HELD;
        _cleanup_(why_done) Why w = {};

        s.verdict = "violated";
        s.frozen = true;
        assert_int_equal(explain(&s, true, T0, &w), 0);
        has(w.changes, "holdfastctl thaw https://gaussdb.example");
}

/* What is missing is not made up, and nothing crashes on it. */
static void test_why_explain_bare(void **state) {
        ControlStatus s = { .name = "x", .control = "lock", .instance_id = "" };
        _cleanup_(why_done) Why w = {};

        assert_int_equal(explain(&s, true, T0, &w), 0);
        has(w.rule, "No policy could be read");
        has(w.facts, "It was not determined yet.");
        has(w.next, "looks again soon");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_why_explain_compliant),
                cmocka_unit_test(test_why_explain_old_facts),
                cmocka_unit_test(test_why_explain_without_daemon),
                cmocka_unit_test(test_why_explain_unknown_is_not_the_last_verdict),
                cmocka_unit_test(test_why_explain_says_who_must_act),
                cmocka_unit_test(test_why_explain_other_blocks),
                cmocka_unit_test(test_why_explain_files_beside_a_daemon),
                cmocka_unit_test(test_why_explain_whose_mode),
                cmocka_unit_test(test_why_explain_schedule),
                cmocka_unit_test(test_why_explain_left_to_others),
                cmocka_unit_test(test_why_explain_frozen_names_thaw),
                cmocka_unit_test(test_why_explain_bare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
