/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfastctl rehearse: its command line, who is like whom, lives in virtual time and what becomes of them for people. The whole program is
 * tried in tests/integration/test_rehearse.py.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ctl/rehearse.h"
#include "store/store.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */
#define DAYS(n) ((n) * USEC_PER_DAY)

/* --- Durations and faults ----------------------------------------------------------------------------------------- */

static void test_rehearse_duration_parse_takes_years(void **state) {
        static const struct {
                const char *text;
                int r;
                usec_t usec;
        } cases[] = {
                { "2y",                    0,       DAYS(730)                    },
                { "1y6d",                  0,       DAYS(371)                    },
                { "0y1h",                  0,       USEC_PER_HOUR                },
                { "90d",                   0,       DAYS(90)                     },
                { "1d12h",                 0,       DAYS(1) + 12 * USEC_PER_HOUR },
                { "",                      -EINVAL, 0                            },
                { "y",                     -EINVAL, 0                            },
                { "2",                     -EINVAL, 0                            },
                { "6d1y",                  -EINVAL, 0                            },
                { "1y1y",                  -EINVAL, 0                            },
                { "-1y",                   -EINVAL, 0                            },
                { "1 y",                   -EINVAL, 0                            },
                { "99999999999999999999y", -ERANGE, 0                            },
                { "584942y400d",           -ERANGE, 0                            },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                usec_t usec = 7;

                print_message("%s\n", cases[i].text);
                assert_int_equal(rehearse_duration_parse(cases[i].text, &usec), cases[i].r);
                assert_int_equal(usec, cases[i].r < 0 ? 7 : cases[i].usec);
        }
}

static void test_rehearse_fault_parse_reads_every_kind(void **state) {
        static const struct {
                const char *text;
                RehearseFault fault;
        } cases[] = {
                { "outage=3d@40d",      { REHEARSE_OUTAGE,        DAYS(40),  DAYS(3),           0                                   } },
                { "down=5d@1y",         { REHEARSE_DOWN,          DAYS(365), DAYS(5),           0                                   } },
                { "throttled=1h@0s",    { REHEARSE_THROTTLED,     0,         USEC_PER_HOUR,     0                                   } },
                { "error=1m@1d",        { REHEARSE_ERROR,         DAYS(1),   USEC_PER_MINUTE,   0                                   } },
                { "no-permission=2w@1d",{ REHEARSE_NO_PERMISSION, DAYS(1),   DAYS(14),          0                                   } },
                { "clock=+20m@5d",      { REHEARSE_CLOCK,         DAYS(5),   0,                 20 * (int64_t) USEC_PER_MINUTE      } },
                { "clock=-1y@5d",       { REHEARSE_CLOCK,         DAYS(5),   0,                 -365 * (int64_t) USEC_PER_DAY       } },
                { "clock=1h@5d",        { REHEARSE_CLOCK,         DAYS(5),   0,                 (int64_t) USEC_PER_HOUR             } },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *error = NULL;
                RehearseFault f = {};

                print_message("%s\n", cases[i].text);
                assert_int_equal(rehearse_fault_parse(cases[i].text, &f, &error), 0);
                assert_int_equal(f.kind, cases[i].fault.kind);
                assert_int_equal(f.begin_usec, cases[i].fault.begin_usec);
                assert_int_equal(f.for_usec, cases[i].fault.for_usec);
                assert_true(f.step_usec == cases[i].fault.step_usec);
                assert_null(error);
        }
}

static void test_rehearse_fault_parse_says_what_is_wrong(void **state) {
        static const struct {
                const char *text, *said;
        } cases[] = {
                { "",                 "found ''"                        },
                { "outage",           "expected KIND=DURATION@WHEN"     },
                { "outage=3d",        "found no @"                      },
                { "=3d@1d",           "as the kind"                     },
                { "Outage=3d@1d",     "found 'Outage' as the kind"      },
                { "outages=3d@1d",    "found 'outages' as the kind"     },
                { "outage=@1d",       "found '' as the duration"        },
                { "outage=+3d@1d",    "found '+3d' as the duration"     },
                { "outage=0s@1d",     "more than none"                  },
                { "outage=101y@1d",   "found '101y' as the duration"    },
                { "outage=3d@",       "found '' as the time"            },
                { "outage=3d@1d@2d",  "found '1d@2d' as the time"       },
                { "clock=+@1d",       "expected a step"                 },
                { "clock=+-20m@1d",   "expected a step"                 },
                { "down=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@1d", "as the duration" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *error = NULL;
                RehearseFault f = { .begin_usec = 7 };

                print_message("%s\n", cases[i].text);
                assert_int_equal(rehearse_fault_parse(cases[i].text, &f, &error), -EINVAL);
                assert_non_null(error);
                assert_non_null(strstr(error, cases[i].said));
                assert_int_equal(f.begin_usec, 7);
        }
}

static void test_rehearse_faults_check_sorts_and_refuses(void **state) {
        RehearseFault faults[] = {
                { REHEARSE_OUTAGE, DAYS(40), DAYS(3), 0 },
                { REHEARSE_DOWN, DAYS(41), DAYS(3), 0 },        /* of another kind: at the same time is fine */
                { REHEARSE_OUTAGE, DAYS(10), DAYS(30), 0 },     /* up to the first */
        };
        _cleanup_(freep) char *late = NULL, *twice = NULL;

        assert_int_equal(rehearse_faults_check(faults, N_ELEMENTS(faults), DAYS(42), &late), 0);
        assert_int_equal(faults[0].begin_usec, DAYS(10));
        assert_int_equal(faults[2].kind, REHEARSE_DOWN);

        assert_int_equal(rehearse_faults_check(faults, N_ELEMENTS(faults), DAYS(41), &late), -EINVAL);
        assert_non_null(strstr(late, "down at 41d"));

        faults[0].for_usec++;
        assert_int_equal(rehearse_faults_check(faults, N_ELEMENTS(faults), DAYS(42), &twice), -EINVAL);
        assert_non_null(strstr(twice, "outage at 40d"));
}

/* --- Lives -------------------------------------------------------------------------------------------------------- */

#define ORDERS "name: orders\nservice: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n" \
        "lock: {retention_days: 30, renew_before: 7d}\n"
#define TWIN "name: twin\nservice: taurusdb\ninstance_id: 8033e7c3cf93438797d44ad7ae0a7d95in07\n" \
        "lock: {retention_days: 30, renew_before: 7d}\n"
#define BILLING "name: billing\nservice: taurusdb\ninstance_id: 9033e7c3cf93438797d44ad7ae0a7d95in07\n" \
        "lock: {retention_days: 90, renew_before: 14d, poll: 24h}\n"
#define AUDIT "name: audit\nservice: dbss\ninstance_id: 2f6b1d3c-e5f60718293a4b5c6d7e8f9-aa\n" \
        "schedule: {cycle: PER_DAY, trigger_time: '2025-08-21 02:00:44', timezone: Asia/Singapore, bucket_name: cbh-ynf}\n"

typedef struct Setup {
        char dir[64], config[96], instances[96], file[128];
        CtlOptions ctl;
        RehearseOptions options;
        RehearseFleet fleet;
} Setup;

static void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void set_up(Setup *s, const char *settings, const char *policies, usec_t for_usec, bool as_written) {
        char text[1024], command[256];

        *s = (Setup) { .options = { .for_usec = for_usec, .start_usec = T0, .seed = 1, .as_written = as_written } };
        (void) snprintf(s->dir, sizeof(s->dir), "/tmp/test-rehearse-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        (void) snprintf(s->config, sizeof(s->config), "%s/holdfast.yaml", s->dir);
        (void) snprintf(s->instances, sizeof(s->instances), "%s/instances.d", s->dir);
        (void) snprintf(s->file, sizeof(s->file), "%s/all.yaml", s->instances);
        (void) snprintf(command, sizeof(command), "mkdir '%s'", s->instances);
        assert_int_equal(system(command), 0);
        (void) snprintf(text, sizeof(text), "region: ap-southeast-1\n%s", settings);
        write_file(s->config, text);
        write_file(s->file, policies);
        s->ctl = (CtlOptions) { .config = s->config, .instances = s->instances, .state = s->dir, .columns = 80, .utf8 = true, .legend = true };

        assert_int_equal(rehearse_fleet_load(&s->ctl, &s->options, &s->fleet), 0);
        assert_int_equal(rehearse_fleet_learn(&s->fleet, &s->ctl, false), 0);
        assert_false(s->fleet.state_read);
        assert_int_equal(rehearse_start_set(&s->fleet, &s->options), 0);
        assert_int_equal(rehearse_fleet_group(&s->fleet, &s->options), 0);
}

static void tear_down(Setup *s) {
        char command[128];

        rehearse_fleet_done(&s->fleet);
        (void) snprintf(command, sizeof(command), "rm -r '%s'", s->dir);
        assert_int_equal(system(command), 0);
}

static RehearseLife live(const Setup *s, Reading reading, const RehearseFault *faults, size_t n_faults) {
        const RehearseLifeOptions o = {
                .reading = reading,
                .start_usec = s->options.start_usec,
                .for_usec = s->options.for_usec,
                .seed = s->options.seed,
                .faults = faults,
                .n_faults = n_faults,
        };
        RehearseLife life;

        assert_int_equal(rehearse_live(&s->fleet, &o, &life), 0);
        return life;
}

static void assert_happened(const RehearseLife *l, size_t i, RehearseKind kind, usec_t at_usec, usec_t end_usec, unsigned n_requests) {
        assert_true(i < l->n_items);
        print_message("%zu: %s\n", i, rehearse_kind_to_string(l->items[i].kind));
        assert_int_equal(l->items[i].kind, kind);
        assert_true(usec_diff(l->items[i].at_usec, at_usec) < 10 * USEC_PER_SEC);
        assert_true(usec_diff(l->items[i].end_usec, end_usec) < USEC_PER_MINUTE);
        assert_int_equal(l->items[i].n_requests, n_requests);
}

static void test_rehearse_live_extends_in_time_under_every_reading(void **state) {
        static const unsigned first[READING__MAX] = { [READING_FROM_START] = 2, [READING_FROM_NOW] = 2, [READING_ADDED] = 1 };
        Setup s;

        set_up(&s, "", ORDERS, DAYS(60), false);
        for (Reading reading = 0; reading < READING__MAX; reading++) {
                RehearseLife l = live(&s, reading, NULL, 0);

                print_message("%s\n", reading_to_string(reading));
                assert_int_equal(l.n_items, 3);
                assert_happened(&l, 0, REHEARSE_LOCK_ENABLED, T0, T0 + DAYS(30), 1);
                assert_happened(&l, 1, REHEARSE_LOCK_EXTENDED, T0 + DAYS(23), T0 + DAYS(53), first[reading]);
                assert_happened(&l, 2, REHEARSE_LOCK_EXTENDED, T0 + DAYS(46), T0 + DAYS(76), 1);
                assert_false(l.bad);
                assert_int_equal(l.n_locks, 1);
                rehearse_life_done(&l);
        }
        tear_down(&s);
}

static void test_rehearse_live_lapses_while_down(void **state) {
        static const RehearseFault down = { REHEARSE_DOWN, DAYS(20), DAYS(15), 0 };
        RehearseLife l;
        Setup s;

        set_up(&s, "", ORDERS, DAYS(50), false);
        l = live(&s, READING_FROM_NOW, &down, 1);
        assert_int_equal(l.n_items, 3);
        assert_happened(&l, 0, REHEARSE_LOCK_ENABLED, T0, T0 + DAYS(30), 1);
        assert_happened(&l, 1, REHEARSE_LOCK_LAPSED, T0 + DAYS(30), T0 + DAYS(30), 0);
        assert_happened(&l, 2, REHEARSE_LOCK_ENABLED, T0 + DAYS(35), T0 + DAYS(65), 1);
        assert_true(l.bad);
        rehearse_life_done(&l);
        tear_down(&s);
}

/* Nobody was there to see it, not even at the end. */
static void test_rehearse_live_lapses_while_down_to_the_end(void **state) {
        static const RehearseFault down = { REHEARSE_DOWN, DAYS(20), DAYS(100), 0 };
        RehearseLife l;
        Setup s;

        set_up(&s, "", ORDERS, DAYS(50), true);
        l = live(&s, READING_ADDED, &down, 1);
        assert_int_equal(l.n_items, 1);
        assert_happened(&l, 0, REHEARSE_LOCK_LAPSED, T0 + DAYS(30), T0 + DAYS(30), 0);
        rehearse_life_done(&l);
        tear_down(&s);
}

/* What it remembers over a restart is the reading: it is not found out again. */
static void test_rehearse_live_remembers_over_a_restart(void **state) {
        static const RehearseFault down = { REHEARSE_DOWN, DAYS(30), DAYS(1), 0 };
        RehearseLife l;
        Setup s;

        set_up(&s, "", ORDERS, DAYS(60), true);
        l = live(&s, READING_FROM_START, &down, 1);
        assert_int_equal(l.n_items, 2);
        assert_happened(&l, 0, REHEARSE_LOCK_EXTENDED, T0 + DAYS(23), T0 + DAYS(53), 2);
        assert_happened(&l, 1, REHEARSE_LOCK_EXTENDED, T0 + DAYS(46), T0 + DAYS(76), 1);
        rehearse_life_done(&l);
        tear_down(&s);
}

/* --- Groups and the calendar -------------------------------------------------------------------------------------- */

static const RehearseStrand *strand_of(const Setup *s, const RehearseCalendar *c, const char *name) {
        for (size_t i = 0; i < c->n_strands; i++)
                if (streq(s->fleet.members[c->strands[i].member].policy->name, name))
                        return &c->strands[i];
        fail_msg("no strand of %s", name);
        return NULL;
}

static void test_rehearse_calendar_groups_twins_and_folds(void **state) {
        RehearseCalendar folded, full;
        char name[REHEARSE_NAME_MAX];
        const RehearseStrand *orders, *audit;
        RehearseLife l;
        Setup s;

        set_up(&s, "", ORDERS "---\n" TWIN "---\n" BILLING "---\n" AUDIT, DAYS(365), true);
        assert_int_equal(s.fleet.n_groups, 3);
        l = live(&s, READING_ADDED, NULL, 0);
        assert_int_equal(rehearse_calendar_make(&s.fleet, &l, true, &folded), 0);
        assert_int_equal(rehearse_calendar_make(&s.fleet, &l, false, &full), 0);
        assert_int_equal(folded.n_strands, 3);

        orders = strand_of(&s, &full, "orders");
        assert_int_equal(orders->n, 2);
        assert_int_equal(orders->n_rows, 15);           /* every 23 days */
        assert_string_equal(rehearse_strand_name(&s.fleet, orders, name), "orders +1");

        orders = strand_of(&s, &folded, "orders");
        assert_int_equal(orders->n_rows, 2);
        assert_int_equal(folded.rows[orders->first_row + 1].n_times, 14);
        assert_true(usec_diff(folded.rows[orders->first_row + 1].every_usec, DAYS(23)) < USEC_PER_MINUTE);

        audit = strand_of(&s, &full, "audit");
        assert_int_equal(audit->n_rows, 364);           /* every day but the last, which has not come */
        assert_int_equal(full.rows[audit->first_row].kind, REHEARSE_SCHEDULE_REAPPLIED);

        rehearse_calendar_done(&folded);
        rehearse_calendar_done(&full);
        rehearse_life_done(&l);
        tear_down(&s);
}

static void test_rehearse_lives_alike_but_for_requests(void **state) {
        static const RehearseFault down = { REHEARSE_DOWN, DAYS(20), DAYS(15), 0 };
        RehearseLife a, b, c;
        bool alike;
        Setup s;

        set_up(&s, "", ORDERS, DAYS(50), false);
        a = live(&s, READING_FROM_START, NULL, 0);
        b = live(&s, READING_ADDED, NULL, 0);
        c = live(&s, READING_ADDED, &down, 1);
        assert_int_equal(rehearse_lives_alike(&s.fleet, &a, &b, &alike), 0);
        assert_true(alike);
        assert_int_equal(rehearse_lives_alike(&s.fleet, &a, &c, &alike), 0);
        assert_false(alike);
        rehearse_life_done(&a);
        rehearse_life_done(&b);
        rehearse_life_done(&c);
        tear_down(&s);
}

static void test_rehearse_lapses_finds_the_shortest(void **state) {
        RehearseLapses l;
        Setup s;

        set_up(&s, "", ORDERS "---\n" TWIN "---\n" BILLING "---\n" AUDIT, DAYS(1), false);
        assert_int_equal(rehearse_lapses(&s.fleet, &s.options, &l), 0);
        assert_int_equal(l.n_items, 2);
        assert_string_equal(s.fleet.members[l.items[0].member].policy->name, "orders");
        assert_int_equal(l.items[0].n_alike, 2);
        assert_int_equal(l.items[0].of[REHEARSE_DOWN].reckoned_usec, DAYS(7));
        assert_int_equal(l.items[0].of[REHEARSE_DOWN].survived_usec, DAYS(7));
        assert_int_equal(l.items[0].of[REHEARSE_DOWN].lapsed_usec, DAYS(7) + USEC_PER_MINUTE);
        assert_true(l.items[0].of[REHEARSE_NO_PERMISSION].survived_usec >= DAYS(7) - USEC_PER_HOUR - USEC_PER_MINUTE);
        assert_true(l.items[0].of[REHEARSE_OUTAGE].survived_usec >= DAYS(7) - 6 * USEC_PER_MINUTE);
        assert_int_equal(l.items[1].of[REHEARSE_DOWN].survived_usec, DAYS(14));
        rehearse_lapses_done(&l);
        tear_down(&s);
}

/* What the daemon has learned of an endpoint leaves one reading, and the first extension takes one request. */
static void test_rehearse_fleet_learn_takes_what_is_known(void **state) {
        EndpointState known = { .readings = 1u << READING_FROM_START };
        _cleanup_(store_freep) Store *store = NULL;
        StateRecord record = { .kind = STATE_ENDPOINT, .service = SERVICE_TAURUSDB, .endpoint = { .state = &known } };
        RehearseLife l;
        Setup s;

        set_up(&s, "", ORDERS "---\n" AUDIT, DAYS(30), true);
        assert_int_equal(s.fleet.n_endpoints, 2);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(s.fleet.endpoints[i].readings, READINGS_ALL);

        record.endpoint.origin = s.fleet.endpoints[s.fleet.members[1].endpoint].origin;
        assert_string_equal(s.fleet.members[1].policy->name, "orders");
        assert_int_equal(store_open(s.dir, &store, NULL), 0);
        assert_int_equal(store_put(store, &record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(rehearse_fleet_learn(&s.fleet, &s.ctl, false), 0);
        assert_true(s.fleet.state_read);
        assert_int_equal(s.fleet.endpoints[s.fleet.members[1].endpoint].readings, 1u << READING_FROM_START);
        assert_int_equal(s.fleet.endpoints[s.fleet.members[0].endpoint].readings, READINGS_ALL);

        l = live(&s, READING_FROM_START, NULL, 0);
        for (size_t i = 0; i < l.n_items; i++)
                if (l.items[i].kind == REHEARSE_LOCK_EXTENDED)
                        assert_int_equal(l.items[i].n_requests, 1);
        assert_int_equal(l.n_locks, 1);
        rehearse_life_done(&l);

        /* Under a reading that is disproved the lock is not played. */
        l = live(&s, READING_ADDED, NULL, 0);
        assert_int_equal(l.n_locks, 0);
        rehearse_life_done(&l);
        tear_down(&s);
}

static int check_known(void *userdata, const StateRecord *record) {
        const Setup *s = userdata;

        if (record->kind != STATE_CONTROL)
                return 0;
        assert_string_equal(record->instance_id, s->fleet.members[0].instance.instance_id);
        assert_string_not_equal(record->instance_id, s->fleet.members[0].policy->instance_id);
        assert_int_equal(record->control, CONTROL_SCHEDULE);
        assert_int_equal(record->control_state.state->schedule.applied_at_usec, T0 - USEC_PER_HOUR);
        return 1;       /* found */
}

/* What is known of the controls is there from the beginning on, under the ids that are played. */
static void test_rehearse_fleet_learn_remembers_controls(void **state) {
        ControlState memory = { .verdict = VERDICT_COMPLIANT, .since_usec = T0 - DAYS(9), .schedule = { .applied_at_usec = T0 - USEC_PER_HOUR } };
        const StateRecord record = {
                .kind = STATE_CONTROL,
                .service = SERVICE_DBSS,
                .instance_id = "2f6b1d3c-e5f60718293a4b5c6d7e8f9-aa",
                .control = CONTROL_SCHEDULE,
                .control_state = { .name = "audit", .state = &memory },
        };
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(rehearse_memory_freep) RehearseMemory *memory_of_a_life = NULL;
        Setup s;

        set_up(&s, "", AUDIT, DAYS(2), true);
        assert_int_equal(store_open(s.dir, &store, NULL), 0);
        assert_int_equal(store_put(store, &record), 0);
        assert_int_equal(store_commit(store), 0);
        assert_int_equal(rehearse_fleet_learn(&s.fleet, &s.ctl, true), 0);

        assert_int_equal(rehearse_memory_new(&s.fleet, &memory_of_a_life), 0);
        assert_int_equal(rehearse_memory_load(s.fleet.known, check_known, &s), 1);
        assert_int_equal(rehearse_memory_load(memory_of_a_life, check_known, &s), 1);
        tear_down(&s);
}

/* Where a fifth of the locks is played the limit shrinks with them, and no secrets are read. */
static void test_rehearse_fleet_configuration_divides_the_limit(void **state) {
        _cleanup_(policy_set_freep) PolicySet *policies = NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;
        Setup s;

        set_up(&s, "limits: {new_locks_per_day: 20}\ncredentials: {source: files, directory: /nonexistent}\n", ORDERS, DAYS(1), false);
        s.fleet.limit_divisor = 5;
        assert_int_equal(rehearse_fleet_configuration(&s.fleet, NULL, &settings, &policies), 0);
        assert_int_equal(settings->limits.new_locks_per_day, 4);
        assert_int_equal(settings->credentials.source, CREDENTIALS_ENVIRONMENT);
        assert_int_equal(policies->n_instances, 1);
        assert_int_equal(s.fleet.config.settings->limits.new_locks_per_day, 20);
        tear_down(&s);
}

/* … but what is told of it is as the owner wrote it. */
static void test_rehearse_live_tells_the_limit_as_written(void **state) {
        static const char policies[] =
                "name: a\nservice: taurusdb\ninstance_id: 0000000000000000000000000000000ain07\nlock: {retention_days: 30}\n---\n"
                "name: b\nservice: taurusdb\ninstance_id: 0000000000000000000000000000000bin07\nlock: {retention_days: 30}\n";
        _cleanup_(rehearse_life_done) RehearseLife life = {};
        Setup s;

        set_up(&s, "limits: {new_locks_per_day: 4}\n", policies, DAYS(1) / 2, false);
        s.fleet.limit_divisor = 4;
        life = live(&s, READING_FROM_START, NULL, 0);
        assert_non_null(life.why[REHEARSE_LOCK_REFUSED]);
        print_message("%s\n", life.why[REHEARSE_LOCK_REFUSED]);
        assert_non_null(strstr(life.why[REHEARSE_LOCK_REFUSED], "limits.new_locks_per_day: 4 locks were enabled within 24 hours"));
        tear_down(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rehearse_duration_parse_takes_years),
                cmocka_unit_test(test_rehearse_fault_parse_reads_every_kind),
                cmocka_unit_test(test_rehearse_fault_parse_says_what_is_wrong),
                cmocka_unit_test(test_rehearse_faults_check_sorts_and_refuses),
                cmocka_unit_test(test_rehearse_live_extends_in_time_under_every_reading),
                cmocka_unit_test(test_rehearse_live_lapses_while_down),
                cmocka_unit_test(test_rehearse_live_lapses_while_down_to_the_end),
                cmocka_unit_test(test_rehearse_live_remembers_over_a_restart),
                cmocka_unit_test(test_rehearse_calendar_groups_twins_and_folds),
                cmocka_unit_test(test_rehearse_lives_alike_but_for_requests),
                cmocka_unit_test(test_rehearse_lapses_finds_the_shortest),
                cmocka_unit_test(test_rehearse_fleet_learn_takes_what_is_known),
                cmocka_unit_test(test_rehearse_fleet_learn_remembers_controls),
                cmocka_unit_test(test_rehearse_fleet_configuration_divides_the_limit),
                cmocka_unit_test(test_rehearse_live_tells_the_limit_as_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
