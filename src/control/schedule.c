/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "control/control.h"
#include "control/cycle.h"

/*
 * Control "schedule": switch, cycle, bucket, path and phase of the automatic backup of a database audit instance
 * are kept as written, and a backup that is too old is reported.
 *
 * In which zone the cloud reads and shows times is not documented (DBSS API Reference, Enabling/Disabling Backup).
 * So the trigger is compared with what was shown right after our own write (the echo): a constant shift between the
 * two is a zone, not a drift.
 *
 * One look: read → as written? → write → read back → learn the echo
 */

enum {
        PHASE_START,
        PHASE_READ,
        PHASE_WRITE,
        PHASE_READ_BACK,
};

/* After automatic backup is set up, the first data is backed up about an hour later (DBSS FAQ, How Do I Back Up
 * the Database Audit Logs). */
#define FIRST_BACKUP_USEC USEC_PER_HOUR

/* A remembered time this far ahead of now is the cloud's clock against ours; further ahead, a clock was stepped.
 * Picked. */
#define AHEAD_MAX_USEC (15 * USEC_PER_MINUTE)

/* A backup cannot lie further ahead than its clock's zone can explain: then the time is none. */
#define LATEST_AHEAD_MAX_USEC (26 * USEC_PER_HOUR)

typedef struct View {
        const SchedulePolicy *policy;
        ScheduleMemory *memory;
        const ScheduleFacts *facts;
        usec_t now_usec; /* the cloud's clock where it said, else ours */
        bool on;         /* a template that was never set up is off */
} View;

typedef enum Trigger {
        TRIGGER_SAME,
        TRIGGER_UNSURE, /* could be the same in another zone's clock, or a schedule that was moved */
        TRIGGER_MOVED,
        TRIGGER_MISSING,
} Trigger;

/* What differs, in words; and a digest of it without times, which move on by themselves. */
typedef struct Differences {
        char text[768];
        size_t n;
        uint32_t digest;
} Differences;

static usec_t step_now(const Situation *s) {
        if (s->answer && s->answer->date_usec > 0)
                return s->answer->date_usec;
        if (s->failure && s->failure->date_usec > 0)
                return s->failure->date_usec;

        return s->now_usec;
}

static View view_read(const Situation *s) {
        const ScheduleFacts *f = &s->answer->schedule;

        return (View){
                .policy = s->instance->terms->schedule,
                .memory = &s->state->schedule,
                .facts = f,
                .now_usec = step_now(s),
                .on = f->configured && f->on,
        };
}

/* Time since, 0 for what lies slightly ahead; a clock that was stepped back makes it as long as can be. */
static usec_t age_usec(usec_t now_usec, usec_t at_usec) {
        return at_usec > usec_add(now_usec, AHEAD_MAX_USEC) ? USEC_INFINITY : usec_sub(now_usec, at_usec);
}

/* --- The phase ---------------------------------------------------------------------------------------------------- */

/* What an echo belongs to. */
static uint32_t phase_digest(const SchedulePolicy *p) {
        char time[TIME_TEXT_MAX], text[320];

        (void) snprintf(text, sizeof(text), "%s %s %s", cycle_to_string(p->cycle),
                        civil_format(&p->trigger_time, time),
                        timezone_name(p->timezone)); /* names of zones have at most 255 bytes */
        return digest_text(text);
}

/* What was learned for another phase is worth nothing for this one. */
static void forget_other_phase(const View *v, Decision *d) {
        uint32_t digest = phase_digest(v->policy);

        if (v->memory->phase_digest == digest)
                return;

        v->memory->phase_digest = digest;
        v->memory->has_echo = false;
        v->memory->applied_at_usec = 0;
        d->state_changed = true;
}

static bool same_as_echo(const View *v, int32_t shift_seconds) {
        const ScheduleMemory *m = v->memory;
        int32_t zone_shift;

        /* Months end on different days, and a 28th of February that stands for the 31st must come back as one.
         * That only shows in the policy's own clock. */
        if (v->policy->cycle == CYCLE_PER_MONTH &&
            cycle_zone_shift(v->policy->cycle, &m->sent, &m->echo, &zone_shift))
                return cycle_same_phase(v->policy->cycle, &v->policy->trigger_time, &v->facts->trigger,
                                        zone_shift + shift_seconds);

        return cycle_same_phase(v->policy->cycle, &m->echo, &v->facts->trigger, shift_seconds);
}

/*
 * A clock of another zone shows the phase moved by as much as the policy's zone has changed its offset in the
 * meantime. Whether the trigger that is shown is the last or the next one is not documented: the offset may be that
 * of a cycle before or after now, and at the echo that of then or of the trigger which was sent.
 */
static bool phase_as_learned(const View *v) {
        const ScheduleMemory *m = v->memory;
        const Timezone *zone = v->policy->timezone;
        usec_t length = cycle_length_usec(v->policy->cycle);
        int32_t before[] = { m->offset_at_echo, timezone_offset(zone, timezone_from_civil(zone, &m->sent)) };
        int32_t after[] = {
                timezone_offset(zone, v->now_usec),
                timezone_offset(zone, usec_sub(v->now_usec, length)),
                timezone_offset(zone, usec_add(v->now_usec, length)),
        };

        if (same_as_echo(v, 0))
                return true;

        for (size_t i = 0; i < N_ELEMENTS(before); i++)
                for (size_t k = 0; k < N_ELEMENTS(after); k++)
                        if (same_as_echo(v, before[i] - after[k]))
                                return true;

        return false;
}

/* The policy's own phase in its own zone's clock. Exact spans do not keep the clock reading: then it is the next
 * one that is right. */
static bool phase_as_written(const View *v) {
        const SchedulePolicy *p = v->policy;
        CivilTime next;

        cycle_next(p->cycle, &p->trigger_time, p->timezone, v->now_usec, &next);
        return cycle_same_phase(p->cycle, &p->trigger_time, &v->facts->trigger, 0) ||
               (cycle_length_usec(p->cycle) < USEC_PER_DAY &&
                cycle_same_phase(p->cycle, &next, &v->facts->trigger, 0));
}

static Trigger judge_trigger(const View *v) {
        if (!v->facts->has_trigger)
                return TRIGGER_MISSING;
        if (v->memory->has_echo)
                return phase_as_learned(v) ? TRIGGER_SAME : TRIGGER_MOVED;
        if (phase_as_written(v))
                return TRIGGER_SAME;

        return cycle_zone_shift_possible(v->policy->cycle, &v->policy->trigger_time, &v->facts->trigger)
                       ? TRIGGER_UNSURE
                       : TRIGGER_MOVED;
}

/* --- What differs ------------------------------------------------------------------------------------------------- */

static void _printf_(2, 3) differ(Differences *x, const char *format, ...) {
        va_list ap;
        int n;

        if (x->n > 0 && x->n < sizeof(x->text) - 2) {
                memcpy(x->text + x->n, ", ", 3);
                x->n += 2;
        }

        va_start(ap, format);
        n = vsnprintf(x->text + x->n, sizeof(x->text) - x->n, format, ap);
        va_end(ap);

        if (n > 0)
                x->n = MIN(x->n + (size_t) n, sizeof(x->text) - 1);
}

static void differ_text(Differences *x, const char *what, const char *found, const char *expected) {
        char f[QUOTED_MAX], e[QUOTED_MAX];

        if (!streq0(found, expected))
                differ(x, "%s %s, expected %s", what, quote(found, f), quote(expected, e));
}

/* All but the trigger. */
static void compare_settings(const View *v, Differences *x) {
        const SchedulePolicy *p = v->policy;
        const ScheduleFacts *f = v->facts;

        if (!f->configured && p->on) {
                differ(x, "automatic backup was never set up, expected on");
                x->digest = digest_text(x->text);
                return;
        }

        if (v->on != p->on)
                differ(x, "status %s, expected %s", v->on ? "on" : "off", p->on ? "on" : "off");

        /* Of a schedule that is off nothing takes effect: what else it holds is nobody's drift. */
        if (p->on) {
                if (f->cycle != (int) p->cycle)
                        differ(x, "cycle %s, expected %s",
                               f->cycle < 0 ? "missing" : cycle_to_string((Cycle) f->cycle),
                               cycle_to_string(p->cycle));
                differ_text(x, "bucket", f->bucket_name, p->bucket_name);
                differ_text(x, "path", f->bucket_root_path, p->bucket_root_path);
        }

        x->digest = digest_text(x->text);
}

static void compare_trigger(const View *v, Trigger trigger, Differences *x) {
        char written[TIME_TEXT_MAX], shown[QUOTED_MAX];

        (void) civil_format(&v->policy->trigger_time, written);
        (void) quote(v->facts->trigger_text, shown);

        switch (trigger) {
        case TRIGGER_SAME: return;
        case TRIGGER_UNSURE:
                differ(x, "trigger %s is not the phase of %s, or shows another zone's clock", shown, written);
                break;
        case TRIGGER_MOVED: differ(x, "trigger %s, expected the phase of %s", shown, written); break;
        case TRIGGER_MISSING: differ(x, "trigger missing, expected the phase of %s", written); break;
        }

        x->digest = x->digest * 31 + (uint32_t) trigger;
}

/* --- The latest backup -------------------------------------------------------------------------------------------- */

/* By how much the cloud's clock is ahead of the policy's zone, in seconds: as the echo showed, or as the trigger
 * does that is taken for the phase as written. */
static int32_t clock_shift(const View *v) {
        const ScheduleMemory *m = v->memory;
        const SchedulePolicy *p = v->policy;
        int32_t shift;
        bool known;

        if (m->has_echo)
                known = cycle_zone_shift(p->cycle, &m->sent, &m->echo, &shift);
        else
                known = v->facts->has_trigger &&
                        cycle_zone_shift(p->cycle, &p->trigger_time, &v->facts->trigger, &shift);

        return known ? shift : 0;
}

/* 0: not known. */
static usec_t latest_backup_usec(const View *v) {
        const ScheduleFacts *f = v->facts;
        CivilTime local;
        usec_t at;

        if (!f->configured || !f->has_latest)
                return 0;

        if (f->latest_has_zone)
                at = f->latest_at_usec;
        else {
                civil_from_seconds(civil_to_seconds(&f->latest) - clock_shift(v), &local);
                at = timezone_from_civil(v->policy->timezone, &local);
        }

        return at > usec_add(v->now_usec, LATEST_AHEAD_MAX_USEC) ? 0 : at;
}

static void note_switch(const View *v, Decision *d) {
        ScheduleMemory *m = v->memory;
        usec_t since = v->on ? v->now_usec : 0;

        /* A clock that was stepped back must not keep a backup young for as long as the step was. */
        if (v->on && m->on_since_usec > 0 && age_usec(v->now_usec, m->on_since_usec) < USEC_INFINITY)
                return;

        if (m->on_since_usec != since) {
                m->on_since_usec = since;
                d->state_changed = true;
        }
}

/* Says it, at every look while it lasts, and then nothing is compliant. */
static bool say_stale(const Situation *s, Decision *d) {
        const SchedulePolicy *p = s->instance->terms->schedule;
        usec_t max = p->max_backup_age_usec, now = step_now(s), latest = s->look->backup_at_usec;
        usec_t since = s->state->schedule.on_since_usec;
        char at[TIME_TEXT_MAX], age[TIME_TEXT_MAX], wanted[TIME_TEXT_MAX];

        if (!p->on || max == USEC_INFINITY)
                return false;

        if (latest > 0) {
                if (usec_sub(now, latest) <= max)
                        return false;

                (void) rfc3339_format(latest, at);
                (void) decision_say(d, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, digest_text(at),
                                    "the latest backup is of %s, %s ago, expected one at most %s old", at,
                                    duration_format_human(usec_sub(now, latest), age),
                                    duration_format_human(max, wanted));
                return true;
        }

        /* None is no news before the first one can be there. */
        if (since == 0 || usec_sub(now, since) <= MAX(max, FIRST_BACKUP_USEC))
                return false;

        (void) decision_say(
                d, EVENT_BACKUP_STALE, SAID_BACKUP_STALE, 1,
                "there is no backup yet, although automatic backup was on %s ago; expected one at most %s old",
                duration_format_human(usec_sub(now, since), age), duration_format_human(max, wanted));
        return true;
}

/* --- Verdicts ----------------------------------------------------------------------------------------------------- */

static usec_t until_reapply_usec(const Situation *s, const View *v) {
        /* To switch off what was never set up would set it up. */
        if (!s->enforce || !v->facts->configured)
                return USEC_INFINITY;

        return usec_sub(v->policy->reapply_usec, age_usec(v->now_usec, v->memory->applied_at_usec));
}

/* For how long the latest backup is young enough, if none comes after it. */
static usec_t fresh_usec(const Situation *s) {
        const SchedulePolicy *p = s->instance->terms->schedule;
        usec_t now = step_now(s), latest = s->look->backup_at_usec, since = s->state->schedule.on_since_usec;

        if (!p->on || p->max_backup_age_usec == USEC_INFINITY)
                return USEC_INFINITY;
        if (latest > 0)
                return usec_sub(usec_add(usec_add(latest, p->max_backup_age_usec), 1), now);
        if (since == 0 || s->answer->schedule.has_latest)       /* one that lies ahead: a clock is wrong */
                return 0;
        return usec_sub(usec_add(usec_add(since, MAX(p->max_backup_age_usec, FIRST_BACKUP_USEC)), 1), now);
}

/* For how long no change of the zone's offset takes part in judging the trigger: see phase_as_learned(). */
static usec_t same_offsets_usec(const View *v) {
        const Timezone *zone = v->policy->timezone;
        usec_t length = cycle_length_usec(v->policy->cycle), now = v->now_usec;
        usec_t before = usec_add(timezone_next_change(zone, usec_sub(now, length)), length);
        usec_t after = usec_sub(timezone_next_change(zone, usec_add(now, length)), length);

        return v->policy->on ? usec_sub(MIN(MIN(before, after), timezone_next_change(zone, now)), now) : USEC_INFINITY;
}

static void quiet(const Situation *s, const View *v, Decision *d, usec_t reapply_usec) {
        decision_quiet(d, s, MIN(MIN(reapply_usec, fresh_usec(s)), same_offsets_usec(v)));
}

static void done_stale(const Situation *s, Decision *d, usec_t wait_usec, const char *note) {
        usec_t max = s->instance->terms->schedule->max_backup_age_usec, latest = s->look->backup_at_usec;
        char at[TIME_TEXT_MAX], wanted[TIME_TEXT_MAX];

        (void) rfc3339_format(latest > 0 ? latest : s->state->schedule.on_since_usec, at);
        decision_done(d, VERDICT_VIOLATED, wait_usec, "the schedule is as written, but %s %s, expected one at most %s old%s",
                      latest > 0 ? "the latest backup is of" : "there is no backup yet, although automatic backup is on since", at,
                      duration_format_human(max, wanted), note);
}

/* The schedule is as written. */
static void done_as_written(const Situation *s, Decision *d, usec_t wait_usec, const char *note) {
        bool on = s->instance->terms->schedule->on;

        wait_usec = MIN(wait_usec, s->instance->terms->schedule->poll_usec);
        if (say_stale(s, d))
                done_stale(s, d, wait_usec, note);
        else
                decision_done(d, VERDICT_COMPLIANT, wait_usec, "automatic backup is %s as written%s",
                              on ? "on" : "off", note);
}

static void ask_write(const Situation *s, const View *v, Decision *d) {
        const SchedulePolicy *p = v->policy;

        s->look->phase = PHASE_WRITE;
        cycle_next(p->cycle, &p->trigger_time, p->timezone, v->now_usec, &s->look->sent);

        decision_ask(d, CALL_SCHEDULE_SET);
        d->ask.schedule_set.on = p->on;
        d->ask.schedule_set.cycle = p->cycle;
        d->ask.schedule_set.bucket_name = p->bucket_name;
        d->ask.schedule_set.bucket_root_path = p->bucket_root_path;
        (void) civil_format(&s->look->sent, d->ask.schedule_set.trigger_time);
}

/* --- Steps -------------------------------------------------------------------------------------------------------- */

static void on_drift(const Situation *s, const View *v, const Differences *x, Decision *d) {
        (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, x->digest, "%s", x->text);

        if (s->enforce) {
                ask_write(s, v, d);
                return;
        }

        (void) say_stale(s, d);
        decision_done(d, VERDICT_VIOLATED, v->policy->poll_usec, "%s", x->text);
}

static void on_read(const Situation *s, Decision *d) {
        Trigger trigger = TRIGGER_SAME;
        Differences x = {};
        View v;

        if (s->failure) {
                decision_unknown(d, "the backup schedule could not be read: %s", s->failure->message);
                return;
        }

        v = view_read(s);
        note_switch(&v, d);
        forget_other_phase(&v, d);
        s->look->backup_at_usec = latest_backup_usec(&v);

        compare_settings(&v, &x);
        if (v.policy->on && v.facts->configured) {
                trigger = judge_trigger(&v);
                if (trigger == TRIGGER_UNSURE || trigger == TRIGGER_MOVED)
                        s->look->doubted = v.facts->trigger;
                /* A zone is the benefit of the doubt, unless one write can settle it. While the switch is off no
                 * trigger matters. */
                if (v.on && (trigger != TRIGGER_UNSURE || s->enforce))
                        compare_trigger(&v, trigger, &x);
        }

        if (x.n > 0) {
                on_drift(s, &v, &x, d);
                return;
        }

        /* The time until it is applied again starts when it was first seen as it should be. */
        if (v.memory->applied_at_usec == 0) {
                v.memory->applied_at_usec = v.now_usec;
                d->state_changed = true;
        }

        if (until_reapply_usec(s, &v) == 0) {
                s->look->routine = true;
                ask_write(s, &v, d);
                return;
        }

        done_as_written(s, d, until_reapply_usec(s, &v),
                        trigger == TRIGGER_UNSURE ? ", its trigger perhaps in another zone's clock" : "");
        quiet(s, &v, d, until_reapply_usec(s, &v));
}

static void on_write_failed(const Situation *s, const Failure *f, Decision *d) {
        static const char not_applied[] = "the backup schedule is as written, but could not be applied again";
        const SchedulePolicy *p = s->instance->terms->schedule;

        if (!s->look->routine) {
                decision_write_failed(d, f, p->poll_usec, "the backup schedule could not be put back");
                (void) say_stale(s, d);
                return;
        }

        /* What was read still holds, and what passes may pass before one of the next polls. But a schedule that cannot be applied
         * again is not kept as promised, however it reads. */
        if (failure_passes(f->class)) {
                if (age_usec(step_now(s), s->state->schedule.applied_at_usec) < usec_add(p->reapply_usec, HAMPERED_POLLS * p->poll_usec)) {
                        done_as_written(s, d, p->poll_usec, ", but could not be applied again");
                        d->waiting = true;
                        return;
                }
                decision_say_failed(d, f, not_applied);
        }

        decision_write_failed(d, f, p->poll_usec, not_applied);
        (void) say_stale(s, d);
}

static void on_written(const Situation *s, Decision *d) {
        Look *look = s->look;

        assert(s->answer || s->failure);

        look->wrote = s->answer && s->answer->schedule_accepted;
        if (s->failure)
                look->write_failure = *s->failure;
        else if (!look->wrote)
                look->write_failure = (Failure){
                        .class = FAILURE_UNREADABLE,
                        .maybe_done = true,
                        .message = "the reply does not report success",
                };
        memcpy(look->request_id, s->failure ? s->failure->request_id : s->answer->request_id,
               sizeof(look->request_id));

        /* A reply that makes no sense, or none at all, says nothing about what was done: the next read does. But
         * of a write that changes nothing it can show nothing. */
        if (!look->wrote &&
            (look->routine || (!look->write_failure.maybe_done && look->write_failure.class != FAILURE_UNREADABLE))) {
                on_write_failed(s, &look->write_failure, d);
                return;
        }

        look->phase = PHASE_READ_BACK;
        (void) decision_read_back(d, look, CALL_SCHEDULE_GET); /* the first is always to be had */
}

/* Is the trigger that reads back the one that was sent, as far as can be told? */
static bool trigger_taken(const Situation *s, const View *v) {
        const Look *look = s->look;
        Cycle cycle = v->policy->cycle;

        if (!v->facts->has_trigger)
                return false;
        if (v->memory->has_echo && phase_as_learned(v))
                return true;
        if (!cycle_zone_shift_possible(cycle, &look->sent, &v->facts->trigger))
                return false;
        if (look->doubted.year == 0 || !cycle_same_phase(cycle, &look->doubted, &v->facts->trigger, 0))
                return true;

        /* The write has changed nothing. It may be slow to show; or the phase was right all along, in another
         * zone's clock, which is for the last read to tell. But where the clock's shift is known already, and is
         * not this one, it had no effect. */
        return !v->memory->has_echo && look->wrote && look->n_reads_back >= READ_BACK_MAX;
}

static void learn(const Situation *s, const View *v, Decision *d) {
        ScheduleMemory *m = v->memory;

        m->applied_at_usec = v->now_usec;
        if (v->policy->on) {
                m->has_echo = true;
                m->sent = s->look->sent;
                m->echo = v->facts->trigger;
                m->offset_at_echo = timezone_offset(v->policy->timezone, v->now_usec);
        }

        d->state_changed = true;
}

static void on_not_shown(const Situation *s, const View *v, Differences *x, Decision *d) {
        char shown[QUOTED_MAX], text[sizeof(x->text) + 32];

        if (decision_read_back(d, s->look, CALL_SCHEDULE_GET))
                return;

        if (x->n == 0)
                differ(x, "trigger %s", v->facts->has_trigger ? quote(v->facts->trigger_text, shown) : "missing");
        (void) snprintf(text, sizeof(text), "it reads back with %s", x->text);
        decision_not_shown(d, s->look, v->policy->poll_usec, "the backup schedule could not be put back", text);
        (void) say_stale(s, d);
}

static void say_remediated(const Situation *s, Decision *d) {
        const SchedulePolicy *p = s->instance->terms->schedule;
        char sent[TIME_TEXT_MAX], bucket[QUOTED_MAX];
        Saying *say;

        if (p->on)
                say = decision_say(d, EVENT_REMEDIATED, -1, 0,
                                   "automatic backup is on as written again, %s to bucket %s, triggered at %s",
                                   cycle_to_string(p->cycle), quote(p->bucket_name, bucket),
                                   civil_format(&s->look->sent, sent));
        else
                say = decision_say(d, EVENT_REMEDIATED, -1, 0, "automatic backup is off as written again");

        memcpy(say->request_id, s->look->request_id, sizeof(say->request_id));
}

static void on_read_back(const Situation *s, Decision *d) {
        Differences x = {};
        View v;

        if (s->failure) {
                decision_unknown(d, "the backup schedule was written, but could not be read back: %s",
                                 s->failure->message);
                return;
        }

        v = view_read(s);
        note_switch(&v, d);
        s->look->backup_at_usec = latest_backup_usec(&v);

        compare_settings(&v, &x);
        if (x.n > 0 || (v.policy->on && !trigger_taken(s, &v))) {
                on_not_shown(s, &v, &x, d);
                return;
        }

        learn(s, &v, d);
        s->look->backup_at_usec = latest_backup_usec(&v); /* the clock that it is shown in is known now */
        if (!s->look->routine)
                say_remediated(s, d);
        done_as_written(s, d, v.policy->reapply_usec, "");
        quiet(s, &v, d, v.policy->reapply_usec);
}

void schedule_step(const Situation *s, Decision *ret) {
        assert(s);
        assert(s->instance->terms->schedule);
        assert(ret);

        switch (s->look->phase) {
        case PHASE_START:
                s->look->phase = PHASE_READ;
                decision_ask(ret, CALL_SCHEDULE_GET);
                return;
        case PHASE_READ: on_read(s, ret); return;
        case PHASE_WRITE: on_written(s, ret); return;
        case PHASE_READ_BACK: on_read_back(s, ret); return;
        default: assert(false);
        }
}
