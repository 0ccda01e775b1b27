/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/cycle.h"

#define POLL (15 * USEC_PER_MINUTE)
#define NOW  "2026-11-20T10:00:00Z" /* 18:00 in Singapore */
#define NEXT "2026-11-21 02:00:44"  /* the first trigger after that */
#define NONE ""                     /* in what is shown: left out; NULL is what the policy wants */

/* One control under test: what the engine would hold for it. */
typedef struct Bench {
        SchedulePolicy policy;
        Instance instance;
        Terms terms;
        ControlState state;
        EndpointState endpoint;
        Look look;
        Situation situation;
        Decision d;
} Bench;

/* A template as the cloud shows it. */
typedef struct Shown {
        const char *trigger, *latest;
        const char *cycle, *bucket, *path;
        bool unset, off;
} Shown;

static usec_t at(const char *s) {
        usec_t usec;

        assert_int_equal(timestamp_parse(s, &usec), 0);
        return usec;
}

static CivilTime civil(const char *s) {
        CivilTime c;

        assert_int_equal(civil_parse(s, &c, NULL, NULL), 0);
        return c;
}

static int forget_zones(void **state) {
        timezone_forget_all();
        return 0;
}

static void bench_begin(Bench *b) {
        *b = (Bench) {
                .policy = {
                        .poll_usec = POLL,
                        .on = true,
                        .cycle = CYCLE_PER_DAY,
                        .trigger_time = civil("2025-08-21 02:00:44"),
                        .bucket_name = (char *) "cbh-ynf",
                        .bucket_root_path = (char *) "",
                        .reapply_usec = USEC_PER_DAY,
                        .max_backup_age_usec = USEC_INFINITY,
                },
        };
        assert_int_equal(timezone_get("Asia/Singapore", &b->policy.timezone), 0);
        b->terms = (Terms) { .schedule = &b->policy };
        b->instance = (Instance) { .name = "audit", .terms = &b->terms };
        b->situation = (Situation){
                .instance = &b->instance,
                .state = &b->state,
                .look = &b->look,
                .endpoint = &b->endpoint,
                .enforce = true,
                .now_usec = at(NOW),
        };
}

static void set_phase(Bench *b, Cycle cycle, const char *trigger, const char *zone) {
        b->policy.cycle = cycle;
        b->policy.trigger_time = civil(trigger);
        assert_int_equal(timezone_get(zone, &b->policy.timezone), 0);
}

static void step(Bench *b, const Answer *answer, const Failure *failure) {
        b->situation.answer = answer;
        b->situation.failure = failure;
        b->d = (Decision){};
        schedule_step(&b->situation, &b->d);
        b->situation.answer = NULL;
        b->situation.failure = NULL;
}

static char *given(const char *s, const char *otherwise) {
        s = s ? s : otherwise;
        return *s ? (char *) s : NULL;
}

static void answer_shown(Bench *b, const Shown *shown) {
        const char *trigger = given(shown->trigger, NEXT), *latest = given(shown->latest, NONE);
        Answer a = { .call = CALL_SCHEDULE_GET };
        ScheduleFacts *f = &a.schedule;

        f->configured = !shown->unset;
        f->cycle = -1;
        if (f->configured) {
                f->on = !shown->off;
                f->cycle = shown->cycle ? cycle_from_string(shown->cycle) : (int) b->policy.cycle;
                f->cycle = shown->cycle && !*shown->cycle ? -1 : f->cycle;
                f->bucket_name = given(shown->bucket, b->policy.bucket_name);
                f->bucket_root_path = given(shown->path, b->policy.bucket_root_path);
                f->has_trigger = trigger != NULL;
                if (trigger) {
                        f->trigger = civil(trigger);
                        (void) snprintf(f->trigger_text, sizeof(f->trigger_text), "%s", trigger);
                }
        }
        if (latest) {
                f->has_latest = true;
                assert_int_equal(civil_parse(latest, &f->latest, &f->latest_has_zone, &f->latest_at_usec), 0);
        }

        step(b, &a, NULL);
}

static void answer_trigger(Bench *b, const char *trigger) {
        answer_shown(b, &(Shown){ .trigger = trigger });
}

static void answer_written(Bench *b) {
        Answer a = { .call = CALL_SCHEDULE_SET, .request_id = "req-1", .schedule_accepted = true };

        step(b, &a, NULL);
}

static void answer_failure(Bench *b, FailureClass class, bool maybe_done) {
        Failure f = {
                .class = class,
                .http_status = 400,
                .code = "DBSS.10000001",
                .message = "the cloud's words",
                .request_id = "req-2",
                .maybe_done = maybe_done,
        };

        step(b, NULL, &f);
}

static void assert_asks(const Bench *b, Next next, Call call) {
        assert_int_equal(b->d.next, next);
        assert_int_equal(b->d.ask.call, call);
}

static void assert_done(const Bench *b, Verdict verdict, usec_t wait_usec, bool waiting) {
        assert_int_equal(b->d.next, NEXT_DONE);
        assert_int_equal(b->d.verdict, verdict);
        assert_true(b->d.wait_usec == wait_usec);
        assert_int_equal(b->d.waiting, waiting);
        assert_true(b->d.why[0] != '\0');
}

static const Saying *says(const Bench *b, EventId id) {
        for (size_t i = 0; i < b->d.n_sayings; i++)
                if (b->d.sayings[i].id == id)
                        return &b->d.sayings[i];

        return NULL;
}

static const Saying *assert_says(const Bench *b, EventId id, int said, const char *text) {
        const Saying *say = says(b, id);

        assert_non_null(say);
        assert_int_equal(say->said, said);
        if (!strstr(say->message, text))
                fail_msg("\"%s\" is not in: %s", text, say->message);
        return say;
}

static void begin_look(Bench *b, const char *now) {
        b->look = (Look){};
        b->situation.now_usec = at(now);
        step(b, NULL, NULL);
        assert_asks(b, NEXT_ASK, CALL_SCHEDULE_GET);
        assert_int_equal(b->d.n_sayings, 0);
}

static void look_at(Bench *b, const char *now, const Shown *shown) {
        begin_look(b, now);
        answer_shown(b, shown);
}

static void look_at_trigger(Bench *b, const char *now, const char *trigger) {
        look_at(b, now, &(Shown){ .trigger = trigger });
}

/* Takes the control through a repair, after which the cloud shows @echo. */
static void write_and_learn(Bench *b, const char *now, const char *echo) {
        look_at(b, now, &(Shown){ .off = true });
        assert_asks(b, NEXT_ASK, CALL_SCHEDULE_SET);
        answer_written(b);
        assert_asks(b, NEXT_ASK, CALL_SCHEDULE_GET);
        answer_trigger(b, echo);
        assert_done(b, VERDICT_COMPLIANT, POLL, false);
        assert_says(b, EVENT_REMEDIATED, -1, "");
}

/* --- What is compared --------------------------------------------------------------------------------------------- */

static const struct {
        const char *what;
        bool want_off;
        Shown shown;
        const char *drift; /* NULL: as written */
} settings[] = {
        { "as written", false, {}, NULL },
        { "no path is the empty path", false, { .path = NONE }, NULL },
        { "moved on by a day", false, { .trigger = "2026-11-22 02:00:44" }, NULL },
        { "as the policy writes it", false, { .trigger = "2025-08-21 02:00:44" }, NULL },
        { "off", false, { .off = true }, "status off, expected on" },
        { "never set up", false, { .unset = true }, "automatic backup was never set up, expected on" },
        { "another cycle", false, { .cycle = "PER_HOUR" }, "cycle PER_HOUR, expected PER_DAY" },
        { "no cycle", false, { .cycle = NONE }, "cycle missing, expected PER_DAY" },
        { "another bucket", false, { .bucket = "cbh-YNF" }, "bucket \"cbh-YNF\", expected \"cbh-ynf\"" },
        { "no bucket", false, { .bucket = NONE }, "bucket \"\", expected \"cbh-ynf\"" },
        { "another path", false, { .path = "a\tb" }, "path \"a?b\", expected \"\"" },
        { "no trigger", false, { .trigger = NONE }, "trigger missing, expected the phase of 2025-08-21 02:00:44" },
        { "ten minutes later",
          false,
          { .trigger = "2026-11-21 02:10:44" },
          "trigger \"2026-11-21 02:10:44\", expected the phase of 2025" },
        { "several",
          false,
          { .off = true, .cycle = "PER_WEEK", .bucket = "x", .path = "y" },
          "status off, expected on, cycle PER_WEEK, expected PER_DAY, bucket \"x\", expected \"cbh-ynf\", path "
          "\"y\", expected \"\"" },
        { "wanted off, is off", true, { .off = true }, NULL },
        { "wanted off, never set up", true, { .unset = true }, NULL },
        { "wanted off: nothing else matters",
          true,
          { .off = true, .cycle = "PER_WEEK", .bucket = "x", .path = "y", .trigger = NONE },
          NULL },
        { "wanted off, is on", true, { .bucket = "x" }, "status on, expected off" },
};

static void test_schedule_step_compares(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(settings); i++)
                for (int enforce = 0; enforce <= 1; enforce++) {
                        Bench b;

                        print_message("%s, %s\n", settings[i].what, enforce ? "enforced" : "observed");
                        bench_begin(&b);
                        b.policy.on = !settings[i].want_off;
                        b.situation.enforce = enforce;
                        look_at(&b, NOW, &settings[i].shown);
                        assert_int_equal(b.d.n_sayings, settings[i].drift ? 1 : 0);
                        if (settings[i].drift)
                                assert_says(&b, EVENT_DRIFT, SAID_DRIFT, settings[i].drift);

                        if (!settings[i].drift) {
                                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                                assert_true(b.d.state_changed);
                        } else if (!enforce)
                                assert_done(&b, VERDICT_VIOLATED, POLL, false);
                        else {
                                assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
                                assert_int_equal(b.d.ask.schedule_set.on, !settings[i].want_off);
                                assert_int_equal(b.d.ask.schedule_set.cycle, CYCLE_PER_DAY);
                                assert_string_equal(b.d.ask.schedule_set.bucket_name, "cbh-ynf");
                                assert_string_equal(b.d.ask.schedule_set.bucket_root_path, "");
                                assert_string_equal(b.d.ask.schedule_set.trigger_time, NEXT);
                        }
                }
}

static void test_schedule_step_repairs(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
                Bench b;

                if (!settings[i].drift)
                        continue;

                print_message("%s\n", settings[i].what);
                bench_begin(&b);
                b.policy.on = !settings[i].want_off;
                look_at(&b, NOW, &settings[i].shown);
                answer_written(&b);
                assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_GET);
                answer_shown(&b, &(Shown){ .off = settings[i].want_off });
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_int_equal(b.d.n_sayings, 1);
                assert_string_equal(
                        assert_says(&b, EVENT_REMEDIATED, -1, settings[i].want_off ? "is off" : "is on")->request_id,
                        "req-1");
                assert_true(b.d.state_changed);
                assert_int_equal(b.state.schedule.has_echo, !settings[i].want_off);
                assert_true(b.state.schedule.applied_at_usec == at(NOW));
                assert_true(b.state.schedule.on_since_usec == (settings[i].want_off ? 0 : at(NOW)));
        }
}

/* The same drift is no news, although triggers move on by themselves; another one is. */
static void test_schedule_step_drift_digest(void **state) {
        uint32_t digest;
        Bench b;

        bench_begin(&b);
        b.situation.enforce = false;
        look_at(&b, NOW, &(Shown){ .bucket = "x", .trigger = "2026-11-21 02:10:44" });
        digest = says(&b, EVENT_DRIFT)->digest;
        look_at(&b, "2026-11-21T10:00:00Z", &(Shown){ .bucket = "x", .trigger = "2026-11-22 02:10:44" });
        assert_int_equal(says(&b, EVENT_DRIFT)->digest, digest);
        look_at(&b, NOW, &(Shown){ .bucket = "y", .trigger = "2026-11-21 02:10:44" });
        assert_int_not_equal(says(&b, EVENT_DRIFT)->digest, digest);
        look_at(&b, NOW, &(Shown){ .bucket = "x" });
        assert_int_not_equal(says(&b, EVENT_DRIFT)->digest, digest);
}

/* What the cloud shows is cut between characters, and no control character comes through. */
static void test_schedule_step_quotes(void **state) {
        for (size_t ahead = 0; ahead < 4; ahead++) {
                char path[2048] = "aaaa";
                size_t n = ahead;
                const char *cut;
                Bench b;

                while (n < 1800) {
                        memcpy(path + n, "\xe2\x82\xac", 4); /* the euro sign: three bytes */
                        n += 3;
                }
                bench_begin(&b);
                look_at(&b, NOW, &(Shown){ .path = path });
                cut = strstr(assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "...\", expected \"\"")->message, "...\"");
                assert_memory_equal(cut - 3, "\xe2\x82\xac", 3);
        }
}

static void test_schedule_step_read_fails(void **state) {
        for (FailureClass class = 0; class < FAILURE_CLASS__MAX; class ++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(class));
                bench_begin(&b);
                begin_look(&b, NOW);
                answer_failure(&b, class, false);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
                assert_int_equal(b.d.n_sayings, 0);

                look_at(&b, NOW, &(Shown){ .off = true });
                answer_written(&b);
                answer_failure(&b, class, false);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
                assert_int_equal(b.d.n_sayings, 0);
                assert_false(b.state.schedule.has_echo);
        }
}

/* --- The phase ---------------------------------------------------------------------------------------------------- */

/* Nothing was written yet: another zone's clock is the benefit of the doubt, unless one write can settle it. */
static void test_schedule_step_unsure(void **state) {
        Bench b;

        bench_begin(&b);
        b.situation.enforce = false;
        look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_int_equal(b.d.n_sayings, 0);
        assert_non_null(strstr(b.d.why, "another zone's clock"));

        bench_begin(&b);
        look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
        assert_says(&b, EVENT_DRIFT, SAID_DRIFT,
                    "trigger \"2026-11-20 18:00:44\" is not the phase of 2025-08-21 02:00:44, or shows another");
        answer_written(&b);
        answer_trigger(&b, NEXT);
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_says(&b, EVENT_REMEDIATED, -1, "PER_DAY to bucket \"cbh-ynf\", triggered at " NEXT);
}

/* It was right all along, in UTC: no read can tell that from a write without effect but the last. */
static void test_schedule_step_unsure_and_unchanged(void **state) {
        Bench b;

        bench_begin(&b);
        look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
        answer_written(&b);
        for (int i = 1; i < READ_BACK_MAX; i++) {
                answer_trigger(&b, "2026-11-20 18:00:44");
                assert_asks(&b, NEXT_ASK_LATER, CALL_SCHEDULE_GET);
                assert_true(b.d.wait_usec == read_back_wait_usec(i));
                assert_false(b.state.schedule.has_echo);
        }
        answer_trigger(&b, "2026-11-20 18:00:44");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);

        look_at_trigger(&b, "2026-11-20T19:00:00Z", "2026-11-21 18:00:44");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_int_equal(b.d.n_sayings, 0);
}

/* Once the clock's shift is known, a trigger that a write cannot move is a write without effect. */
static void test_schedule_step_known_and_unchanged(void **state) {
        Bench b;

        bench_begin(&b);
        write_and_learn(&b, NOW, NEXT);
        for (int look = 0; look < 2; look++) {
                look_at_trigger(&b, NOW, "2026-11-21 14:00:44");
                assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "trigger \"2026-11-21 14:00:44\", expected the phase of");
                answer_written(&b);
                for (int i = 0; i < READ_BACK_MAX; i++)
                        answer_trigger(&b, "2026-11-21 14:00:44");
                assert_done(&b, VERDICT_VIOLATED, POLL, false);
                assert_string_equal(assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED,
                                                "it reads back with trigger \"2026-11-21 14:00:44\"")
                                            ->request_id,
                                    "req-1");
        }

        /* One that moves, but by something else: the clock is another one now. */
        look_at_trigger(&b, NOW, "2026-11-21 14:00:44");
        answer_written(&b);
        answer_trigger(&b, "2026-11-20 18:00:44");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_says(&b, EVENT_REMEDIATED, -1, "");
}

typedef struct Course {
        const char *what;
        Cycle cycle;
        bool same;
        const char *trigger, *zone;
        const char *now, *sent, *echo;
        const char *later, *shown;
} Course;

static const Course courses[] = {
        { "5 min, as sent", CYCLE_FIVE_MIN, true, "2025-08-21 02:00:44", "Asia/Singapore", NOW, "2026-11-20 18:00:44",
          "2026-11-20 18:00:44", "2026-11-20T19:01:00Z", "2026-11-21 03:05:44" },
        { "5 min, moved", CYCLE_FIVE_MIN, false, "2025-08-21 02:00:44", "Asia/Singapore", NOW, "2026-11-20 18:00:44",
          "2026-11-20 18:05:44", "2026-11-20T19:01:00Z", "2026-11-21 03:06:44" },
        { "hour, UTC", CYCLE_PER_HOUR, true, "2025-08-21 02:00:44", "Asia/Kolkata", NOW, "2026-11-20 16:00:44",
          "2026-11-20 10:30:44", "2026-11-20T19:01:00Z", "2026-11-20 19:30:44" },
        { "hour, moved to the policy's minute in UTC", CYCLE_PER_HOUR, false, "2025-08-21 02:00:44", "Asia/Kolkata",
          NOW, "2026-11-20 16:00:44", "2026-11-20 10:30:44", "2026-11-20T19:01:00Z", "2026-11-20 20:00:44" },
        { "hour, a zone that moves by half an hour", CYCLE_PER_HOUR, true, "2026-07-10 01:10:00",
          "Australia/Lord_Howe", "2026-09-20T00:00:00Z", "2026-09-20 11:10:00", "2026-09-20 11:10:00",
          "2026-10-10T00:00:00Z", "2026-10-10 11:40:00" },
        { "day, UTC, moved on", CYCLE_PER_DAY, true, "2025-08-21 02:00:44", "Asia/Singapore", NOW, NEXT,
          "2026-11-20 18:00:44", "2026-12-20T19:01:00Z", "2026-12-21 18:00:44" },
        { "day, UTC, moved to the policy's hour in UTC", CYCLE_PER_DAY, false, "2025-08-21 02:00:44",
          "Asia/Singapore", NOW, NEXT, "2026-11-20 18:00:44", "2026-12-20T19:01:00Z", "2026-12-21 02:00:44" },
        { "day, UTC, a quarter hour off", CYCLE_PER_DAY, false, "2025-08-21 02:00:44", "Asia/Singapore", NOW, NEXT,
          "2026-11-20 18:00:44", "2026-12-20T19:01:00Z", "2026-12-21 18:15:44" },
        { "week", CYCLE_PER_WEEK, true, "2025-08-21 02:00:44", "Asia/Singapore", NOW, "2026-11-26 02:00:44",
          "2026-11-25 18:00:44", "2026-12-20T19:01:00Z", "2026-12-23 18:00:44" },
        { "week, another day", CYCLE_PER_WEEK, false, "2025-08-21 02:00:44", "Asia/Singapore", NOW,
          "2026-11-26 02:00:44", "2026-11-25 18:00:44", "2026-12-20T19:01:00Z", "2026-12-24 18:00:44" },
        { "month", CYCLE_PER_MONTH, true, "2025-08-21 02:00:44", "Asia/Singapore", NOW, NEXT, "2026-11-20 18:00:44",
          "2026-12-20T19:01:00Z", "2027-01-20 18:00:44" },
        { "month, another day", CYCLE_PER_MONTH, false, "2025-08-21 02:00:44", "Asia/Singapore", NOW, NEXT,
          "2026-11-20 18:00:44", "2026-12-20T19:01:00Z", "2027-01-21 18:00:44" },
        { "31st: 28 February", CYCLE_PER_MONTH, true, "2025-12-31 02:00:44", "UTC", "2026-01-20T00:00:00Z",
          "2026-01-31 02:00:44", "2026-01-31 02:00:44", "2026-02-20T00:00:00Z", "2026-02-28 02:00:44" },
        { "31st: comes back after February", CYCLE_PER_MONTH, true, "2025-12-31 02:00:44", "UTC",
          "2026-02-20T00:00:00Z", "2026-02-28 02:00:44", "2026-02-28 02:00:44", "2026-03-20T00:00:00Z",
          "2026-03-31 02:00:44" },
        { "31st: does not come back after February", CYCLE_PER_MONTH, false, "2025-12-31 02:00:44", "UTC",
          "2026-02-20T00:00:00Z", "2026-02-28 02:00:44", "2026-02-28 02:00:44", "2026-03-20T00:00:00Z",
          "2026-03-28 02:00:44" },
        { "30th, whose UTC day is the first", CYCLE_PER_MONTH, true, "2025-12-30 22:00:00", "America/Bogota",
          "2026-04-20T00:00:00Z", "2026-04-30 22:00:00", "2026-05-01 03:00:00", "2026-05-20T00:00:00Z",
          "2026-05-31 03:00:00" },
        { "month, echo that no zone explains", CYCLE_PER_MONTH, false, "2025-08-21 02:00:44", "UTC", NOW, NEXT, NEXT,
          "2026-12-20T19:01:00Z", "2026-12-21 02:00:45" },
        { "zone's own clock, over daylight saving", CYCLE_PER_DAY, true, "2026-01-10 04:00:00", "Europe/Berlin",
          "2026-03-20T12:00:00Z", "2026-03-21 04:00:00", "2026-03-21 04:00:00", "2026-04-20T12:00:00Z",
          "2026-04-21 04:00:00" },
        { "UTC, forward", CYCLE_PER_DAY, true, "2026-01-10 04:00:00", "Europe/Berlin", "2026-03-20T12:00:00Z",
          "2026-03-21 04:00:00", "2026-03-21 03:00:00", "2026-04-20T12:00:00Z", "2026-04-21 02:00:00" },
        { "UTC, forward, a server that did not go along", CYCLE_PER_DAY, true, "2026-01-10 04:00:00", "Europe/Berlin",
          "2026-03-20T12:00:00Z", "2026-03-21 04:00:00", "2026-03-21 03:00:00", "2026-04-20T12:00:00Z",
          "2026-04-21 03:00:00" },
        { "UTC, forward, in the wrong direction", CYCLE_PER_DAY, false, "2026-01-10 04:00:00", "Europe/Berlin",
          "2026-03-20T12:00:00Z", "2026-03-21 04:00:00", "2026-03-21 03:00:00", "2026-04-20T12:00:00Z",
          "2026-04-21 04:00:00" },
        { "UTC, back", CYCLE_PER_DAY, true, "2026-01-10 04:00:00", "Europe/Berlin", "2026-10-20T12:00:00Z",
          "2026-10-21 04:00:00", "2026-10-21 02:00:00", "2026-11-20T12:00:00Z", "2026-11-21 03:00:00" },
        { "UTC, the next one is after the change, now is before", CYCLE_PER_DAY, true, "2026-01-10 04:00:00",
          "Europe/Berlin", "2026-03-20T12:00:00Z", "2026-03-21 04:00:00", "2026-03-21 03:00:00",
          "2026-03-28T20:00:00Z", "2026-03-29 02:00:00" },
        { "UTC, the last one is before the change, now is after", CYCLE_PER_DAY, true, "2026-01-10 01:00:00",
          "Europe/Berlin", "2026-04-20T12:00:00Z", "2026-04-21 01:00:00", "2026-04-20 23:00:00",
          "2026-10-25T12:00:00Z", "2026-10-25 00:00:00" },
        { "UTC, echo after the change, of a write before it", CYCLE_PER_WEEK, true, "2026-01-05 04:00:00",
          "Europe/Berlin", "2026-03-25T12:00:00Z", "2026-03-30 04:00:00", "2026-03-30 02:00:00",
          "2026-04-20T12:00:00Z", "2026-04-27 02:00:00" },
        { "UTC, the same, and back in winter", CYCLE_PER_WEEK, true, "2026-01-05 04:00:00", "Europe/Berlin",
          "2026-03-25T12:00:00Z", "2026-03-30 04:00:00", "2026-03-30 02:00:00", "2026-11-20T12:00:00Z",
          "2026-11-23 03:00:00" },
        { "month in UTC, forward", CYCLE_PER_MONTH, true, "2026-01-10 04:00:00", "Europe/Berlin",
          "2026-03-05T12:00:00Z", "2026-03-10 04:00:00", "2026-03-10 03:00:00", "2026-04-20T12:00:00Z",
          "2026-05-10 02:00:00" },
};

static void test_schedule_step_learns_the_echo(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(courses); i++) {
                const Course *c = &courses[i];
                char text[TIME_TEXT_MAX];
                Bench b;

                print_message("%s\n", c->what);
                bench_begin(&b);
                set_phase(&b, c->cycle, c->trigger, c->zone);
                b.policy.reapply_usec = USEC_INFINITY;
                write_and_learn(&b, c->now, c->echo);
                assert_true(b.state.schedule.has_echo);
                assert_string_equal(civil_format(&b.state.schedule.sent, text), c->sent);
                assert_string_equal(civil_format(&b.state.schedule.echo, text), c->echo);

                look_at_trigger(&b, c->now, c->echo);
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);

                look_at_trigger(&b, c->later, c->shown);
                assert_int_equal(b.d.n_sayings, c->same ? 0 : 1);
                if (c->same)
                        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                else
                        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);

                /* Who may only look knows as much. */
                b.situation.enforce = false;
                look_at_trigger(&b, c->later, c->shown);
                assert_done(&b, c->same ? VERDICT_COMPLIANT : VERDICT_VIOLATED, POLL, false);
        }
}

/* Exact spans: the zone's clock shows another minute in the other half of the year, and that is as written. */
static void test_schedule_step_as_written_over_half_an_hour(void **state) {
        Bench b;

        bench_begin(&b);
        b.situation.enforce = false;
        set_phase(&b, CYCLE_PER_HOUR, "2026-07-10 01:10:00", "Australia/Lord_Howe");
        look_at_trigger(&b, "2026-11-20T00:00:00Z", "2026-11-20 11:40:00");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_null(strstr(b.d.why, "another zone's clock"));
}

static void test_schedule_step_forgets_another_phase(void **state) {
        Bench b;

        bench_begin(&b);
        write_and_learn(&b, NOW, "2026-11-20 18:00:44");

        b.policy.bucket_name = (char *) "other"; /* no part of the phase */
        look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_true(b.state.schedule.has_echo);

        b.policy.trigger_time = civil("2025-08-21 03:00:44");
        look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
        assert_false(b.state.schedule.has_echo);
        assert_true(b.d.state_changed);
}

/* --- Applying again ----------------------------------------------------------------------------------------------- */

static void test_schedule_step_reapply(void **state) {
        static const struct {
                const char *what;
                usec_t reapply_usec;
                const char *now;
                bool write;
                usec_t wait_usec;
        } cases[] = {
                { "just written", USEC_PER_DAY, NOW, false, POLL },
                { "an hour before", USEC_PER_DAY, "2026-11-21T09:00:00Z", false, POLL },
                { "a minute before", USEC_PER_DAY, "2026-11-21T09:59:00Z", false, USEC_PER_MINUTE },
                { "due", USEC_PER_DAY, "2026-11-21T10:00:00Z", true, POLL },
                { "long due", USEC_PER_DAY, "2027-11-21T10:00:00Z", true, POLL },
                { "never", USEC_INFINITY, "2027-11-21T10:00:00Z", false, POLL },
                { "shorter than the poll", USEC_PER_MINUTE, "2026-11-20T10:01:00Z", true, USEC_PER_MINUTE },
                { "the cloud's clock a little behind", USEC_PER_DAY, "2026-11-20T09:50:00Z", false, POLL },
                { "a clock was stepped back", USEC_PER_DAY, "2026-11-20T09:40:00Z", true, POLL },
                { "a clock was stepped back, never", USEC_INFINITY, "2026-11-20T09:40:00Z", false, POLL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b);
                write_and_learn(&b, NOW, NEXT);
                b.policy.reapply_usec = cases[i].reapply_usec;
                look_at(&b, cases[i].now, &(Shown){});
                assert_int_equal(b.d.n_sayings, 0);
                if (cases[i].write) {
                        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
                        answer_written(&b);
                        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_GET);
                        answer_shown(&b, &(Shown){});
                        assert_int_equal(b.d.n_sayings, 0);
                        assert_true(b.state.schedule.applied_at_usec == at(cases[i].now));
                }
                assert_done(&b, VERDICT_COMPLIANT, cases[i].wait_usec, false);

                b.situation.enforce = false;
                look_at(&b, cases[i].now, &(Shown){});
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        }
}

/* Found as it should be: the time runs from there. What was never set up is not set up to be off. */
static void test_schedule_step_reapply_of_what_was_found(void **state) {
        for (int unset = 0; unset <= 1; unset++) {
                Bench b;

                bench_begin(&b);
                b.policy.on = !unset;
                look_at(&b, NOW, &(Shown){ .unset = unset });
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_true(b.state.schedule.applied_at_usec == at(NOW));
                look_at(&b, "2026-11-21T09:50:00Z", &(Shown){ .unset = unset });
                assert_done(&b, VERDICT_COMPLIANT, unset ? POLL : 10 * USEC_PER_MINUTE, false);
                assert_false(b.d.state_changed);
                look_at(&b, "2026-11-21T10:00:00Z", &(Shown){ .unset = unset });
                assert_int_equal(b.d.next, unset ? NEXT_DONE : NEXT_ASK);
        }
}

static const struct {
        FailureClass class;
        bool passes;
} classes[] = {
        { FAILURE_TRANSPORT, true },      { FAILURE_THROTTLED, true },    { FAILURE_BUSY, true },
        { FAILURE_SERVER, true },         { FAILURE_CREDENTIALS, true },  { FAILURE_WITHHELD, true },
        { FAILURE_NOT_PERMITTED, false }, { FAILURE_NOT_OFFERED, false }, { FAILURE_NOT_FOUND, false },
        { FAILURE_BAD_REQUEST, false },   { FAILURE_UNREADABLE, false },
};

/* @read: the last step was handed a read, so that the engine must be told to try again. */
static void assert_failed(const Bench *b, Verdict verdict, bool passes, bool read) {
        assert_done(b, verdict, POLL, passes);
        assert_int_equal(b->d.retry, passes && read);
        assert_int_equal(b->d.n_sayings, passes ? 0 : 1);
        if (passes)
                return;

        assert_string_equal(
                assert_says(b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "the cloud's words")->request_id,
                "req-2");
        assert_string_equal(b->d.sayings[0].error_code, "DBSS.10000001");
        assert_int_equal(b->d.sayings[0].http_status, 400);
}

/* Nothing was wrong; but it is still due, and what does not pass by itself is not kept as promised. */
static void test_schedule_step_reapply_fails(void **state) {
        assert_int_equal(N_ELEMENTS(classes), FAILURE_CLASS__MAX);

        for (size_t i = 0; i < N_ELEMENTS(classes); i++)
                for (int maybe_done = 0; maybe_done <= 1; maybe_done++) {
                        Bench b;

                        print_message("%s\n", failure_class_to_string(classes[i].class));
                        bench_begin(&b);
                        write_and_learn(&b, NOW, NEXT);
                        look_at(&b, "2026-11-21T10:00:00Z", &(Shown){});
                        answer_failure(&b, classes[i].class, maybe_done);
                        assert_failed(&b, classes[i].passes ? VERDICT_COMPLIANT : VERDICT_VIOLATED, classes[i].passes,
                                      false);
                        look_at(&b, "2026-11-21T10:15:00Z", &(Shown){});
                        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
                }
}

/* --- Writes that fail --------------------------------------------------------------------------------------------- */

static void test_schedule_step_write_fails(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
                Bench b;

                if (classes[i].class == FAILURE_UNREADABLE)
                        continue;

                print_message("%s\n", failure_class_to_string(classes[i].class));
                bench_begin(&b);
                look_at(&b, NOW, &(Shown){ .off = true });
                answer_failure(&b, classes[i].class, false);
                assert_failed(&b, VERDICT_VIOLATED, classes[i].passes, false);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
        }
}

static void test_schedule_step_write_lost(void **state) {
        static const struct {
                FailureClass class;
                bool maybe_done, passes;
        } cases[] = {
                { FAILURE_TRANSPORT, true, true },
                { FAILURE_SERVER, true, true },
                { FAILURE_UNREADABLE, false, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(cases[i].class));
                bench_begin(&b);
                look_at(&b, NOW, &(Shown){ .off = true });
                answer_failure(&b, cases[i].class, cases[i].maybe_done);
                assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_GET);
                answer_shown(&b, &(Shown){});
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_string_equal(assert_says(&b, EVENT_REMEDIATED, -1, "")->request_id, "req-2");

                /* A zone cannot be told from a write that was not made: here the last read is none. */
                bench_begin(&b);
                look_at_trigger(&b, NOW, "2026-11-20 18:00:44");
                answer_failure(&b, cases[i].class, cases[i].maybe_done);
                for (int k = 0; k < READ_BACK_MAX; k++)
                        answer_trigger(&b, "2026-11-20 18:00:44");
                assert_failed(&b, VERDICT_VIOLATED, cases[i].passes, true);
                assert_false(b.state.schedule.has_echo);
        }
}

static void test_schedule_step_not_accepted(void **state) {
        Answer refused = { .call = CALL_SCHEDULE_SET, .request_id = "req-3" };
        Bench b;

        bench_begin(&b);
        look_at(&b, NOW, &(Shown){ .off = true });
        step(&b, &refused, NULL);
        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_GET);
        answer_shown(&b, &(Shown){});
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_string_equal(assert_says(&b, EVENT_REMEDIATED, -1, "")->request_id, "req-3");

        bench_begin(&b);
        look_at(&b, NOW, &(Shown){ .off = true });
        step(&b, &refused, NULL);
        for (int i = 0; i < READ_BACK_MAX; i++)
                answer_shown(&b, &(Shown){ .off = true });
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "does not report success");

        bench_begin(&b);
        write_and_learn(&b, NOW, NEXT);
        look_at(&b, "2026-11-21T10:00:00Z", &(Shown){});
        step(&b, &refused, NULL);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "does not report success");
}

static void test_schedule_step_read_back_differs(void **state) {
        static const struct {
                const char *what;
                Shown shown;
                const char *text;
        } cases[] = {
                { "still off", { .off = true }, "it reads back with status off, expected on" },
                { "another bucket", { .bucket = "x" }, "it reads back with bucket \"x\", expected \"cbh-ynf\"" },
                { "no trigger", { .trigger = NONE }, "it reads back with trigger missing" },
                { "a trigger that no zone explains",
                  { .trigger = "2026-11-21 02:10:44" },
                  "it reads back with trigger \"2026-11-21 02:10:44\"" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (int slow = 0; slow <= 1; slow++) {
                        Bench b;

                        print_message("%s%s\n", cases[i].what, slow ? ", at first" : "");
                        bench_begin(&b);
                        look_at(&b, NOW, &(Shown){ .off = true });
                        answer_written(&b);
                        for (int k = 1; k < READ_BACK_MAX; k++) {
                                answer_shown(&b, &cases[i].shown);
                                assert_asks(&b, NEXT_ASK_LATER, CALL_SCHEDULE_GET);
                                assert_int_equal(b.d.n_sayings, 0);
                        }
                        answer_shown(&b, slow ? &(Shown){} : &cases[i].shown);
                        assert_done(&b, slow ? VERDICT_COMPLIANT : VERDICT_VIOLATED, POLL, false);
                        assert_int_equal(b.d.n_sayings, 1);
                        if (slow)
                                assert_says(&b, EVENT_REMEDIATED, -1, "");
                        else
                                assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, cases[i].text);
                }
}

/* --- The latest backup -------------------------------------------------------------------------------------------- */

static void test_schedule_step_stale(void **state) {
        static const struct {
                const char *what, *echo, *latest;
                bool stale;
        } cases[] = {
                { "fresh", NEXT, "2026-11-20 02:00:44", false },
                { "26 hours", NEXT, "2026-11-19 16:00:00", false },
                { "a second more", NEXT, "2026-11-19 15:59:59", true },
                { "in the future, as a clock might show it", NEXT, "2026-11-21 18:00:00", false },
                { "in the future, as none might: no time at all", NEXT, "2026-11-21 20:00:01", false },
                { "clock of UTC: 26 hours", "2026-11-20 18:00:44", "2026-11-19 08:00:00", false },
                { "clock of UTC: a second more", "2026-11-20 18:00:44", "2026-11-19 07:59:59", true },
                { "names its zone: 26 hours", "2026-11-20 18:00:44", "2026-11-19 17:00:00+09:00", false },
                { "names its zone: a second more", "2026-11-20 18:00:44", "2026-11-19T07:59:59Z", true },
                { "long ago", NEXT, "1999-12-31 00:00:00", true },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const Saying *say;
                uint32_t digest;
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b);
                write_and_learn(&b, NOW, cases[i].echo);
                b.policy.max_backup_age_usec = 26 * USEC_PER_HOUR;
                look_at(&b, NOW, &(Shown){ .trigger = cases[i].echo, .latest = cases[i].latest });
                assert_done(&b, cases[i].stale ? VERDICT_VIOLATED : VERDICT_COMPLIANT, POLL, false);
                assert_int_equal(b.d.n_sayings, cases[i].stale ? 1 : 0);
                if (!cases[i].stale)
                        continue;

                say = assert_says(&b, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, "expected one at most 1 d 2 h old");
                digest = say->digest;
                look_at(&b, "2026-11-20T12:00:00Z", &(Shown){ .trigger = cases[i].echo, .latest = cases[i].latest });
                assert_int_equal(says(&b, EVENT_BACKUP_STALE)->digest, digest);
        }
}

/* Stale by the policy's zone, fresh by the zone that the trigger shows: who may only look believes the trigger in
 * both. */
static void test_schedule_step_stale_in_doubt(void **state) {
        Bench b;

        bench_begin(&b);
        b.situation.enforce = false;
        b.policy.max_backup_age_usec = 10 * USEC_PER_HOUR;
        look_at(&b, NOW, &(Shown){ .trigger = "2026-11-20 18:00:44", .latest = "2026-11-20 01:00:00" });
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        look_at(&b, NOW, &(Shown){ .trigger = NEXT, .latest = "2026-11-20 01:00:00" });
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
}

/* A repair can show that the clock is another one than was known: the age goes by that one. */
static void test_schedule_step_stale_by_another_clock(void **state) {
        Bench b;

        bench_begin(&b);
        write_and_learn(&b, NOW, NEXT);
        b.policy.max_backup_age_usec = 10 * USEC_PER_HOUR;
        look_at(&b, NOW, &(Shown){ .trigger = "2026-11-21 14:00:44", .latest = "2026-11-20 01:00:00" });
        answer_written(&b);
        answer_shown(&b, &(Shown){ .trigger = "2026-11-20 18:00:44", .latest = "2026-11-20 01:00:00" });
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
}

/* What no clock can show is no backup, and who wants none gets no alarm. */
static void test_schedule_step_stale_or_not_at_all(void **state) {
        Bench b;

        bench_begin(&b);
        b.policy.reapply_usec = USEC_INFINITY;
        write_and_learn(&b, NOW, NEXT);
        b.policy.max_backup_age_usec = 26 * USEC_PER_HOUR;
        look_at(&b, "2026-11-22T10:00:00Z", &(Shown){ .latest = "2099-01-01 00:00:00" });
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_says(&b, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, "there is no backup yet");

        b.policy.on = false;
        look_at(&b, "2026-11-22T10:00:00Z", &(Shown){ .off = true, .latest = "2026-11-01 02:00:44" });
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_int_equal(b.d.n_sayings, 0);
}

/* Cycles shorter than a day cannot tell a zone: the policy's holds. */
static void test_schedule_step_stale_of_short_cycles(void **state) {
        Bench b;

        bench_begin(&b);
        set_phase(&b, CYCLE_PER_HOUR, "2025-08-21 02:00:44", "Asia/Singapore");
        write_and_learn(&b, NOW, "2026-11-20 11:00:44");
        b.policy.max_backup_age_usec = 2 * USEC_PER_HOUR;
        look_at(&b, NOW, &(Shown){ .trigger = "2026-11-20 11:00:44", .latest = "2026-11-20 16:00:00" });
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        look_at(&b, NOW, &(Shown){ .trigger = "2026-11-20 11:00:44", .latest = "2026-11-20 15:59:59" });
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
}

static void test_schedule_step_no_backup_yet(void **state) {
        static const struct {
                const char *what;
                usec_t max_usec;
                const char *now;
                bool stale;
        } cases[] = {
                { "switched on", 2 * USEC_PER_HOUR, NOW, false },
                { "at the age", 2 * USEC_PER_HOUR, "2026-11-20T12:00:00Z", false },
                { "past the age", 2 * USEC_PER_HOUR, "2026-11-20T12:00:01Z", true },
                { "the first takes an hour", USEC_PER_MINUTE, "2026-11-20T11:00:00Z", false },
                { "past the hour", USEC_PER_MINUTE, "2026-11-20T11:00:01Z", true },
                { "nobody asked", USEC_INFINITY, "2027-11-20T11:00:01Z", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b);
                b.policy.reapply_usec = USEC_INFINITY;
                write_and_learn(&b, NOW, NEXT);
                b.policy.max_backup_age_usec = cases[i].max_usec;
                look_at(&b, cases[i].now, &(Shown){});
                assert_done(&b, cases[i].stale ? VERDICT_VIOLATED : VERDICT_COMPLIANT, POLL, false);
                assert_int_equal(b.d.n_sayings, cases[i].stale ? 1 : 0);
                if (cases[i].stale)
                        assert_says(&b, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, "there is no backup yet");

                b.policy.on = false;
                look_at(&b, cases[i].now, &(Shown){ .off = true });
                assert_null(says(&b, EVENT_BACKUP_STALE));
        }
}

static void test_schedule_step_on_since(void **state) {
        Bench b;

        bench_begin(&b);
        b.situation.enforce = false;
        look_at(&b, NOW, &(Shown){});
        look_at(&b, "2026-11-20T11:00:00Z", &(Shown){});
        assert_true(b.state.schedule.on_since_usec == at(NOW));
        assert_false(b.d.state_changed);
        look_at(&b, "2026-11-20T12:00:00Z", &(Shown){ .off = true });
        assert_true(b.state.schedule.on_since_usec == 0);
        assert_true(b.d.state_changed);
        look_at(&b, "2026-11-20T13:00:00Z", &(Shown){ .off = true });
        assert_false(b.d.state_changed);
        look_at(&b, "2026-11-20T14:00:00Z", &(Shown){});
        assert_true(b.state.schedule.on_since_usec == at("2026-11-20T14:00:00Z"));
        look_at(&b, "2026-11-20T13:00:00Z", &(Shown){}); /* a clock was stepped back */
        assert_true(b.state.schedule.on_since_usec == at("2026-11-20T13:00:00Z"));
        look_at(&b, "2026-11-20T13:30:00Z", &(Shown){ .unset = true });
        assert_true(b.state.schedule.on_since_usec == 0);
}

/* It lasts: it is said whatever becomes of the rest, and a repair does not make an old backup young. */
static void test_schedule_step_stale_with_drift(void **state) {
        static const Shown off = { .off = true, .latest = "2026-11-01 02:00:44" },
                           on = { .latest = "2026-11-01 02:00:44" };
        Bench b;

        bench_begin(&b);
        b.policy.max_backup_age_usec = 26 * USEC_PER_HOUR;
        look_at(&b, NOW, &off);
        answer_written(&b);
        answer_shown(&b, &on);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_says(&b, EVENT_REMEDIATED, -1, "");
        assert_says(&b, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, "the latest backup is of 2026-10-31T18:00:44Z, 19 d");
        assert_string_equal(b.d.why, "the schedule is as written, but the latest backup is of 2026-10-31T18:00:44Z, expected one at most 1 d 2 h old");

        look_at(&b, NOW, &off);
        answer_failure(&b, FAILURE_NOT_PERMITTED, false);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_non_null(says(&b, EVENT_REMEDIATION_FAILED));
        assert_non_null(says(&b, EVENT_BACKUP_STALE));

        look_at(&b, NOW, &off);
        answer_written(&b);
        for (int i = 0; i < READ_BACK_MAX; i++)
                answer_shown(&b, &off);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_non_null(says(&b, EVENT_REMEDIATION_FAILED));
        assert_non_null(says(&b, EVENT_BACKUP_STALE));

        b.situation.enforce = false;
        look_at(&b, NOW, &off);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_non_null(says(&b, EVENT_DRIFT));
        assert_non_null(says(&b, EVENT_BACKUP_STALE));
}

/* The cloud's clock counts where an answer or a failure brings it. */
static void test_schedule_step_clock_of_the_cloud(void **state) {
        Answer a = { .call = CALL_SCHEDULE_GET,
                     .date_usec = at("2026-11-25T00:00:00Z"),
                     .schedule = { .configured = true, .cycle = -1 } };
        Failure f = { .class = FAILURE_BUSY, .date_usec = at("2026-11-25T00:00:00Z") };
        Bench b;

        bench_begin(&b);
        begin_look(&b, NOW);
        step(&b, &a, NULL);
        assert_asks(&b, NEXT_ASK, CALL_SCHEDULE_SET);
        assert_string_equal(b.d.ask.schedule_set.trigger_time, "2026-11-26 02:00:44");

        b.policy.max_backup_age_usec = 26 * USEC_PER_HOUR;
        look_at(&b, NOW, &(Shown){ .off = true, .latest = "2026-11-20 02:00:44" });
        step(&b, NULL, &f);
        assert_says(&b, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_schedule_step_compares),
                cmocka_unit_test(test_schedule_step_repairs),
                cmocka_unit_test(test_schedule_step_drift_digest),
                cmocka_unit_test(test_schedule_step_quotes),
                cmocka_unit_test(test_schedule_step_read_fails),
                cmocka_unit_test(test_schedule_step_unsure),
                cmocka_unit_test(test_schedule_step_unsure_and_unchanged),
                cmocka_unit_test(test_schedule_step_known_and_unchanged),
                cmocka_unit_test(test_schedule_step_learns_the_echo),
                cmocka_unit_test(test_schedule_step_as_written_over_half_an_hour),
                cmocka_unit_test(test_schedule_step_forgets_another_phase),
                cmocka_unit_test(test_schedule_step_reapply),
                cmocka_unit_test(test_schedule_step_reapply_of_what_was_found),
                cmocka_unit_test(test_schedule_step_reapply_fails),
                cmocka_unit_test(test_schedule_step_write_fails),
                cmocka_unit_test(test_schedule_step_write_lost),
                cmocka_unit_test(test_schedule_step_not_accepted),
                cmocka_unit_test(test_schedule_step_read_back_differs),
                cmocka_unit_test(test_schedule_step_stale),
                cmocka_unit_test(test_schedule_step_stale_in_doubt),
                cmocka_unit_test(test_schedule_step_stale_by_another_clock),
                cmocka_unit_test(test_schedule_step_stale_or_not_at_all),
                cmocka_unit_test(test_schedule_step_stale_of_short_cycles),
                cmocka_unit_test(test_schedule_step_no_backup_yet),
                cmocka_unit_test(test_schedule_step_on_since),
                cmocka_unit_test(test_schedule_step_stale_with_drift),
                cmocka_unit_test(test_schedule_step_clock_of_the_cloud),
        };

        return cmocka_run_group_tests(tests, NULL, forget_zones);
}
