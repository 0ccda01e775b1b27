/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "engine/engine-internal.h"

/*
 * One look at one control: hands the control what came, does what it decides, and at the end takes its verdict.
 */

#define RETRY_MIN_USEC (100 * USEC_PER_MSEC)
#define RETRY_BASE_USEC USEC_PER_SEC                    /* holdfastd(8): 1 s to 5 min, full jitter */
#define RETRY_MAX_USEC (5 * USEC_PER_MINUTE)
#define ONCE_RETRIES 3                                  /* --once: more would be waiting */
#define ONCE_WAIT_MAX_USEC (30 * USEC_PER_SEC)
#define TRIAL_USEC USEC_PER_MINUTE                      /* beyond settle: for the exchanges themselves; picked */
#define UNKNOWN_POLLS 3                                 /* holdfastd(8): unknown */
#define UNKNOWN_LONG_USEC (24 * USEC_PER_HOUR)
#define LOCK_DECISION_MAX_USEC USEC_PER_MINUTE          /* an older decision on a lock is not sent: the read under it is stale; picked */

static void (*const steps[CONTROL__MAX])(const Situation *s, Decision *ret) = {
        [CONTROL_ENCRYPTION] = encryption_step,
        [CONTROL_SCHEDULE] = schedule_step,
        [CONTROL_LOCK] = lock_step,
        [CONTROL_DOWNLOAD] = download_step,
};

/* --- A reading that is only stated ---------------------------------------------------------------------------------- */

static bool trial_of_another(const Run *r) {
        const Endpoint *n = r->endpoint;

        return n->trial_item && n->trial_item != r->item && engine_boottime(r->engine) < n->trial_until_usec;
}

static void trial_begin(const Run *r) {
        Endpoint *n = r->endpoint;

        n->trial_item = r->item;
        n->trial_until_usec = usec_add(engine_boottime(r->engine), usec_add(r->instance->terms->lock->settle_usec, TRIAL_USEC));
}

/* The look has ended: there is nothing to be awaited where nothing may have been changed. */
static void trial_end(const Run *r) {
        if (r->endpoint->trial_item == r->item && !r->look.wrote && !r->look.lost)
                r->endpoint->trial_item = NULL;
}

void run_free(Run *r) {
        Engine *e = r->engine;

        trial_end(r);
        heap_remove(&e->later, &r->later);
        load_unref(r->load);
        r->item->open->run = NULL;
        item_close(e, r->item);
        e->n_runs--;
        if (e->spare_run)
                free(r);
        else
                e->spare_run = r;       /* it is large, and a look follows upon the other */
}

void run_free_with_item(Run *r) {
        Engine *e = r->engine;
        Item *item = r->item;

        run_free(r);
        if (item->gone)
                engine_item_leave(e, item);
}

/* What it works on. */
static Kept *kept_of(Run *r) {
        return &r->item->open->kept;
}

/* --- What is said ------------------------------------------------------------------------------------------------- */

void look_event(Event *event, const Item *item, const Instance *i) {
        event->name = i->name;
        event->instance = i->instance_id;
        event->service = service_to_string(i->service);
        event->region = i->terms->region;
        event->control = control_to_string(item->control);
}

void look_say(Engine *e, const Item *item, Event *event) {
        engine_say(e, event);
        engine_put_evidence(e, item, event_type(event->id)->name, event->message, event->request_id);
}

/* Something was changed in the cloud, and read back. */
static bool is_change(EventId id) {
        return id == EVENT_REMEDIATED || id == EVENT_LOCK_ENABLED || id == EVENT_LOCK_EXTENDED || id == EVENT_DOWNLOAD_AUTHORIZED;
}

static void say(Run *r, const Saying *s) {
        Engine *e = r->engine;
        Item *item = r->item;
        Event event = EVENT(s->id);

        if (s->said >= 0) {
                r->said |= 1u << s->said;
                if (!said_news(&kept_of(r)->state.said[s->said], engine_realtime(e), s->digest))
                        return;
                r->state_changed = true;
        }

        if (is_change(s->id)) {
                item_note_change(e, item, s->id, s->request_id);
                r->state_changed = true;
        }

        r->said_drift = r->said_drift || s->id == EVENT_DRIFT;
        look_event(&event, item, r->instance);
        event.priority = s->priority;
        event.lock_end_usec = s->lock_end_usec;
        event.http_status = s->http_status;
        event.error_code = s->error_code[0] ? s->error_code : NULL;
        event.request_id = s->request_id[0] ? s->request_id : NULL;
        event_set_message(&event, "%s: %s", r->instance->name, s->message);
        look_say(e, item, &event);
}

static void say_compliant(Run *r, const char *why) {
        Event event = EVENT(EVENT_COMPLIANT);

        look_event(&event, r->item, r->instance);
        if (r->item->control == CONTROL_LOCK)
                event.lock_end_usec = kept_of(r)->state.lock.end_usec;
        event_set_message(&event, "%s: %s is as written: %s", r->instance->name, control_to_string(r->item->control), why);
        look_say(r->engine, r->item, &event);
}

static void say_unknown(Run *r, int priority, SaidId said, const char *why) {
        Item *item = r->item;
        Event event = EVENT(EVENT_UNKNOWN);
        char since[TIME_TEXT_MAX];

        if (!said_news(&kept_of(r)->state.said[said], engine_realtime(r->engine), 0))
                return;

        r->state_changed = true;
        look_event(&event, item, r->instance);
        event.priority = priority;
        event.http_status = r->failed ? r->failure.http_status : 0;
        event.error_code = r->failed && r->failure.code[0] ? r->failure.code : NULL;
        event.request_id = r->failed && r->failure.request_id[0] ? r->failure.request_id : NULL;
        event_set_message(&event, "%s: %s could not be determined since %s: %s", r->instance->name, control_to_string(item->control),
                          rfc3339_format(kept_of(r)->state.unknown_since_usec, since), why);
        look_say(r->engine, item, &event);
}

/* A change was not made, for a reason that may pass, and did not. That it is this reason and not another is no news. */
static void say_hampered(Run *r, const char *why) {
        const Failure *f = r->failed ? &r->failure : &r->look.write_failure;
        const Said *before = &kept_of(r)->state.said[SAID_REMEDIATION_FAILED];
        Saying s = { .id = EVENT_REMEDIATION_FAILED, .said = SAID_REMEDIATION_FAILED, .priority = -1 };
        char since[TIME_TEXT_MAX];

        s.digest = before->at_usec > 0 ? before->digest : digest_failure(f);
        (void) snprintf(s.message, sizeof(s.message), "%s could not be put back since %s: %s", control_to_string(r->item->control),
                        rfc3339_format(kept_of(r)->state.since_usec, since), why);
        saying_set_failure(&s, f);
        say(r, &s);
}

/* What an earlier look has changed and could not read back is seen now. Of locks and grants the controls themselves remember. */
static void say_confirmed(Run *r, const char *why) {
        Saying s = { .id = EVENT_REMEDIATED, .said = -1, .priority = -1 };

        (void) snprintf(s.message, sizeof(s.message), "%s was put back, which is read back only now: %s", control_to_string(r->item->control), why);
        say(r, &s);
}

static void note_unconfirmed(Run *r) {
        if (r->look.wrote && (r->item->control == CONTROL_ENCRYPTION || r->item->control == CONTROL_SCHEDULE))
                r->item->unconfirmed = true;
}

/* The control was not as written for so long. */
static bool is_hampered_for_long(Run *r) {
        const ControlState *state = &kept_of(r)->state;

        return state->verdict == VERDICT_VIOLATED &&
                usec_sub(engine_realtime(r->engine), state->since_usec) >= HAMPERED_POLLS * instance_poll_usec(r->instance, r->item->control);
}

/* --- The end of a look -------------------------------------------------------------------------------------------- */

static bool class_is_transient(FailureClass c) {
        return c == FAILURE_TRANSPORT || c == FAILURE_THROTTLED || c == FAILURE_BUSY || c == FAILURE_SERVER;
}

/* How long to wait before the same look is tried again. */
static usec_t retry_wait(Run *r) {
        usec_t most = RETRY_BASE_USEC << MIN((unsigned) r->item->n_retries, 16u);
        usec_t wait = MAX(engine_random(r->engine) % (MIN(most, RETRY_MAX_USEC) + 1), RETRY_MIN_USEC);

        return MAX(wait, r->failure.retry_after_usec);  /* the next poll comes at its time all the same (holdfastd(8)) */
}

/* Ends the look: when is the control looked at again? */
static void end(Run *r, usec_t wait_usec, bool retry, const char *why) {
        Engine *e = r->engine;
        Item *item = r->item;
        usec_t now = engine_boottime(e), at_usec = usec_add(now, wait_usec);
        usec_t wait = 0;

        if (retry) {
                wait = retry_wait(r);
                at_usec = MIN(at_usec, usec_add(now, wait));
                item->n_retries += item->n_retries < UINT8_MAX;
        }

        if (e->options.once && !item->gone && !(retry && item->n_retries <= ONCE_RETRIES && wait <= ONCE_WAIT_MAX_USEC)) {
                if (kept_of(r)->state.unknown_since_usec > 0)
                        say_unknown(r, -1, SAID_UNKNOWN, why);
                else if (r->hampered)
                        say_hampered(r, why);
                item->finished = true;
                e->n_finished++;
                at_usec = USEC_INFINITY;
        }

        if (r->state_changed)
                engine_put_item(e, item);
        run_free(r);
        engine_item_done(e, item, at_usec);
}

usec_t unknown_long_usec(const Instance *i, Control c) {
        return c == CONTROL_LOCK ? MIN(UNKNOWN_LONG_USEC, i->terms->lock->renew_before_usec / 2) : UNKNOWN_LONG_USEC;
}

static void end_unknown(Run *r, const Decision *d) {
        Engine *e = r->engine;
        Item *item = r->item;
        ControlState *state = &kept_of(r)->state;
        usec_t long_usec = unknown_long_usec(r->instance, item->control);
        usec_t now = engine_realtime(e);
        unsigned n_unwell = outage_count(r);

        note_unconfirmed(r);
        if (state->unknown_since_usec == 0 || state->unknown_since_usec > now) {
                state->unknown_since_usec = now;
                r->state_changed = true;
        }
        if (!item->counted) {
                item->counted = true;
                state->n_unknown++;
                if (state->n_unknown <= UNKNOWN_POLLS)
                        r->state_changed = true;
        }

        if (r->failed)
                outage_say(r, n_unwell);

        if (usec_sub(now, state->unknown_since_usec) >= long_usec)
                say_unknown(r, LOG_ERR, SAID_UNKNOWN_LONG, d->why);
        else if (state->n_unknown >= UNKNOWN_POLLS)
                say_unknown(r, -1, SAID_UNKNOWN, d->why);

        item_note_end(e, item, d->why, r->failed ? &r->failure : NULL);
        if (kept_of(r)->failure)
                kept_of(r)->failure->n_unwell = n_unwell;
        engine_item_show(e, item, VERDICT_UNKNOWN);
        end(r, USEC_INFINITY, r->failed && (class_is_transient(r->failure.class) || r->failure.of_iam), d->why);
}

static void end_verdict(Run *r, const Decision *d) {
        Engine *e = r->engine;
        Item *item = r->item;
        ControlState *state = &kept_of(r)->state;
        bool was_unknown = state->said[SAID_UNKNOWN].at_usec > 0 || state->said[SAID_UNKNOWN_LONG].at_usec > 0;
        bool news = state->verdict != d->verdict;

        if (state->said[SAID_API_FAILING].at_usec > 0)
                outage_say_over(r);
        if (item->unconfirmed && d->verdict == VERDICT_COMPLIANT && !r->look.wrote)
                say_confirmed(r, d->why);
        item->unconfirmed = false;

        /* What no longer holds may be said anew when it comes back. */
        for (int i = 0; i < SAID__MAX; i++)
                if (state->said[i].at_usec > 0 && (d->verdict == VERDICT_COMPLIANT || !(r->said & (1u << i)))) {
                        state->said[i] = (Said) {};
                        r->state_changed = true;
                }

        if (state->n_unknown > 0 || state->unknown_since_usec > 0)
                r->state_changed = true;
        state->n_unknown = 0;
        state->unknown_since_usec = 0;
        item->counted = false;  /* what fails after this is counted anew, also before the next poll */

        if (news) {
                state->verdict = d->verdict;
                state->since_usec = engine_realtime(e);
                r->state_changed = true;
                engine_put_evidence(e, item, "verdict", verdict_to_string(d->verdict), NULL);
        }

        if (d->verdict == VERDICT_COMPLIANT && (news || was_unknown || r->said_drift))
                say_compliant(r, d->why);

        state->told.looked_at_usec = engine_realtime(e);
        state->told.change_at_usec = d->change_at_usec;
        item_note_end(e, item, d->why, r->failed ? &r->failure : d->verdict == VERDICT_VIOLATED && r->look.write_failure.message[0]
                                                ? &r->look.write_failure : NULL);
        item->looked = true;
        engine_item_show(e, item, d->verdict);
        end(r, engine_item_leave_out(e, item, d),
            d->retry || (d->waiting && r->failed && (class_is_transient(r->failure.class) || r->failure.class == FAILURE_WITHHELD)), d->why);
}

/* --- Steps -------------------------------------------------------------------------------------------------------- */

/* What a decision changes, whatever comes next. */
static void apply(Run *r, const Decision *d, const Answer *answer) {
        Engine *e = r->engine;
        Item *item = r->item;

        if (d->state_changed)
                r->state_changed = true;

        if (d->learned_readings > 0 && d->learned_readings != r->endpoint->state.readings) {
                r->endpoint->state.readings = d->learned_readings;
                engine_put_endpoint(e, r->endpoint);
        }
        if (d->freeze.freeze)
                engine_put_frozen(e, r->endpoint, engine_realtime(e), d->freeze.why);
        if (d->grant.set && answer) {
                grants_record(e, kept_of(r), d->grant.backup_id, answer);
                engine_put_item(e, item);
                engine_flush(e);        /* a grant that was forgotten would be made again */
        }
        engine_note_item_enabled(e, item);

        for (size_t i = 0; i < d->n_sayings; i++)
                say(r, &d->sayings[i]);
        r->said |= d->held;
}

void look_withhold(Run *r, const char *why, int error) {
        Failure failure = { .class = FAILURE_WITHHELD };

        (void) snprintf(failure.message, sizeof(failure.message), "%s%s%s", why, error < 0 ? ": " : "", error < 0 ? strerror(-error) : "");
        look_continue(r, NULL, &failure);
}

/*
 * Stores the state, then sends: a request that was forgotten in a power cut could be made twice. This happens once the request may go out:
 * one that was stored and then waits for its turn would be taken for sent if this process were killed meanwhile.
 */
void look_store(Run *r) {
        Engine *e = r->engine;
        char detail[256];
        int q;

        if (r->ask.call == CALL_LOCK_SET)
                (void) snprintf(detail, sizeof(detail), "%s, %lld days", lock_action_to_string(r->ask.lock_set.action),
                                (long long) r->ask.lock_set.days);
        else
                (void) snprintf(detail, sizeof(detail), "%s", r->ask.call == CALL_DOWNLOAD_AUTHORIZE ? r->ask.authorize.backup_id : "");

        if (r->ask.call == CALL_DOWNLOAD_AUTHORIZE) {
                q = grants_reserve(kept_of(r));
                if (q < 0) {
                        look_withhold(r, "the grant could not be remembered", q);
                        return;
                }
        }

        engine_put_evidence(e, r->item, r->ask.call == CALL_LOCK_SET ? "lock-intent" : "intent", detail, NULL);
        q = engine_try_put_item(e, r->item);
        if (q < 0) {
                look_withhold(r, "the state could not be stored", q);
                return;
        }

        r->state = RUN_COMMITTING;
        r->next = e->committing;
        e->committing = r;
        e->n_committing++;
        r->endpoint->n_running++;
        engine_commit(e);
}

static void step(Run *r, const Answer *answer, const Failure *failure) {
        Engine *e = r->engine;
        Item *item = r->item;
        Decision d;
        Situation s = {
                .instance = r->instance,
                .state = &kept_of(r)->state,
                .look = &r->look,
                .endpoint = &r->endpoint->state,
                .enforce = instance_mode(r->instance, r->load->settings) == MODE_ENFORCE && !e->options.observe,
                .first_look = !item->looked,
                .now_usec = engine_realtime(e),
                .cloud_now_usec = endpoint_cloud_time(e, r->endpoint),
                .limit_retention_days = r->load->settings->limits.max_retention_days,
                .reading_on_trial = trial_of_another(r),
                .new_locks_left = item->control == CONTROL_LOCK ? engine_new_locks_left(e, item) : 0,
                .new_locks_per_day = r->load->settings->limits.new_locks_per_day,
                .answer = answer,
                .failure = failure,
        };

        r->failed = failure != NULL;
        if (failure)
                r->failure = *failure;

        decision_init(&d);
        steps[item->control](&s, &d);
        scrub_decision(e, &d);
        apply(r, &d, answer);
        if (d.reading_on_trial)
                trial_begin(r);
        r->ask = d.ask;
        r->n_auth_tries = 0;
        r->store = r->paid = false;
        r->decided_at_usec = engine_boottime(e);

        switch (d.next) {
        case NEXT_ASK:
        case NEXT_ASK_STORED:
                r->store = d.next == NEXT_ASK_STORED;
                endpoint_queue_run(r->endpoint, r);
                break;
        case NEXT_ASK_LATER:
                r->state = RUN_LATER;
                heap_put(&e->later, &r->later, usec_add(engine_boottime(e), d.wait_usec));
                break;
        case NEXT_DONE:
                r->hampered = d.hampered && d.verdict == VERDICT_VIOLATED;
                if (r->hampered && is_hampered_for_long(r))
                        say_hampered(r, d.why);
                end_verdict(r, &d);
                break;
        case NEXT_UNKNOWN:
                end_unknown(r, &d);
                break;
        }
}

void look_continue(Run *r, const Answer *answer, const Failure *failure) {
        assert(r);
        assert(!answer || !failure);

        r->state = RUN_STEPPING;
        step(r, answer, failure);
}

bool look_may_send(Run *r) {
        Engine *e = r->engine;

        if (!call_is_write(r->ask.call))
                return true;

        /* It may be in observe mode now, or gone: nothing is changed any more on the word of what was read before. */
        if (r->load != e->load) {
                look_withhold(r, "the policies were read anew, it is judged anew", 0);
                return false;
        }
        if (r->ask.call != CALL_LOCK_SET)
                return true;

        if (r->endpoint->state.frozen) {
                look_withhold(r, "lock writes to this endpoint were frozen", 0);
                return false;
        }
        if (usec_sub(engine_boottime(e), r->decided_at_usec) > LOCK_DECISION_MAX_USEC) {
                look_withhold(r, "the request could not be sent in time, the lock is read anew", 0);
                return false;
        }

        return true;
}

void look_begin(Engine *e, Item *item) {
        usec_t now = engine_boottime(e), poll = instance_poll_usec(item->instance, item->control);
        Run *r;

        assert(!item_run(item));

        if (now >= item->poll_at_usec) {
                usec_t due = item->poll_at_usec > 0 ? item->poll_at_usec : now; /* it may have waited for the endpoint since */

                engine_item_plan_poll(e, item);
                if (!e->options.once)
                        item->n_retries = 0;
                /* A look out of turn and the poll soon after it are one, where three polls are promised. */
                if (item->round_at_usec == 0 || usec_sub(due, item->round_at_usec) >= poll - poll / 8) {
                        item->round_at_usec = due;
                        item->counted = false;
                }
        }

        r = STEAL(e->spare_run);
        if (r)
                memset(r, 0, sizeof(*r));
        else
                r = calloc(1, sizeof(*r));
        if (!r || heap_reserve(&e->later, e->n_runs + 1) < 0 || engine_reserve_dirty(e, e->n_runs + 1) < 0 ||
            item_open(e, item) < 0) {
                free(r);
                engine_item_done(e, item, usec_add(now, USEC_PER_SEC));
                return;
        }

        r->engine = e;
        r->item = item;
        r->load = load_ref(e->load);
        r->instance = item->instance;
        r->endpoint = item_endpoint(e, item);
        item->open->run = r;
        e->n_runs++;

        step(r, NULL, NULL);
}
