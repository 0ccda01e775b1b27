/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <stdio.h>

#include "sim/truth.h"

#define ASKS_AN_HOUR 300        /* of one control: a climb has twenty, and retries come at least a second apart on the mean, then minutes */
#define SIGNATURES_MAX 5        /* holdfastd(8): more than five failed ones in a row lock a key … */
#define LOCK_OUT_USEC (5 * USEC_PER_MINUTE + 30 * USEC_PER_SEC)        /* … for five minutes. A try every six is what holdfastd promises */

Oracle *oracle_new(Life *l) {
        Oracle *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        o->life = l;
        o->touched = o->step_subject = -1;
        o->read_delay_usec = l->scenario.read_delay_usec;
        o->next_end_usec = USEC_INFINITY;
        return o;
}

Oracle *oracle_free(Oracle *o) {
        free(o);
        return NULL;
}

/* --- What was carried out ------------------------------------------------------------------------------------------ */

static void take_effect(Oracle *o) {
        int subject = o->touched;

        if (subject < 0)
                return;
        o->touched = -1;
        if (o->life->scenario.subjects[subject].has_lock)
                oracle_lock_effect(o, subject);
        oracle_drift_reckon(o);
}

/* --- Requests ------------------------------------------------------------------------------------------------------ */

void oracle_on_asked(Oracle *o, const Instance *i, const Ask *ask) {
        int subject = life_subject(i->name);
        Control c = ask->call == CALL_LOCK_GET || ask->call == CALL_LOCK_SET || ask->call == CALL_TAURUSDB_BACKUPS ? CONTROL_LOCK
                    : ask->call == CALL_ENCRYPTION_GET || ask->call == CALL_ENCRYPTION_SET                       ? CONTROL_ENCRYPTION
                    : i->service == SERVICE_DBSS                                                                 ? CONTROL_SCHEDULE
                                                                                                                 : CONTROL_DOWNLOAD;
        Watch *w = &o->watches[subject][c];

        take_effect(o);
        if (life_now(o->life) - w->hour_usec >= USEC_PER_HOUR) {
                w->hour_usec = life_now(o->life);
                w->n_asked = 0;
        }
        if (++w->n_asked > ASKS_AN_HOUR)
                life_fail(o->life, subject, "g", "%u requests within an hour for %s alone", w->n_asked, control_to_string(c));
}

static void check_rate(Oracle *o, Service service) {
        usec_t now = life_now(o->life);
        double rate = o->life->scenario.rate;

        o->tokens[service] = MIN(rate, o->tokens[service] + rate * (double) (now - o->tokens_usec[service]) / (double) USEC_PER_SEC);
        o->tokens_usec[service] = now;
        if (service == SERVICE_METADATA)
                return;         /* on this host, and bounded by the hour */
        o->tokens[service] -= 1;
        if (o->tokens[service] < -0.01)
                life_fail(o->life, TRACE_ALL, "g", "more requests to %s than http.rate of %u a second allows", service_to_string(service),
                          o->life->scenario.rate);
}

/* Who we are is not found out again and again, however wrong the clock or the key is. */
static void check_identity_rate(Oracle *o) {
        if (life_now(o->life) - o->identity_hour_usec >= USEC_PER_HOUR) {
                o->identity_hour_usec = life_now(o->life);
                o->n_identity = 0;
        }
        if (++o->n_identity > ASKS_AN_HOUR)
                life_fail(o->life, TRACE_ALL, "g", "%u requests to IAM and the metadata service within an hour", o->n_identity);
}

void oracle_on_sent(Oracle *o, const MachineExchange *x) {
        Life *l = o->life;
        int subject;

        take_effect(o);
        check_rate(o, x->instance ? x->instance->service : x->request->no_proxy ? SERVICE_METADATA : SERVICE_IAM);
        if (!x->instance) {
                check_identity_rate(o);
                return;
        }

        subject = life_subject(x->instance->name);
        life_trace(l, subject, TRACE_SENT, call_to_string(x->ask->call), x->ask->call == CALL_LOCK_SET ? x->ask->lock_set.days : 0, 0);
        if (x->ask->call == CALL_LOCK_GET)
                oracle_lock_read(o, subject);
        if (!call_is_write(x->ask->call))
                return;

        if (x->instance->terms->mode == MODE_OBSERVE)
                life_fail(l, subject, "d", "%s was sent in observe mode", call_to_string(x->ask->call));
        o->touched = subject;
        if (x->ask->call == CALL_LOCK_SET)
                oracle_lock_sent(o, subject, x->instance, x->ask);
        if (x->ask->call == CALL_SCHEDULE_SET)
                o->watches[subject][CONTROL_SCHEDULE].applied_usec = life_now(l);
}

static void check_signatures(Oracle *o, const MachineExchange *x, const HttpReply *reply) {
        const char *authorization = http_request_header(x->request, "Authorization"), *at;
        char access_key[32];

        at = authorization ? strstr(authorization, "Access=") : NULL;
        if (!at)
                return;
        (void) snprintf(access_key, sizeof(access_key), "%.*s", (int) strcspn(at + 7, ","), at + 7);
        if (!streq(access_key, o->access_key)) {
                (void) snprintf(o->access_key, sizeof(o->access_key), "%s", access_key);
                o->n_refused = 0;
        }

        if (reply->outcome != HTTP_REPLIED || reply->status != 401) {
                o->n_refused = 0;
                return;
        }
        if (life_now(o->life) - o->refused_usec > LOCK_OUT_USEC)
                o->n_refused = 0;
        o->refused_usec = life_now(o->life);
        if (++o->n_refused > SIGNATURES_MAX)
                life_fail(o->life, x->instance ? life_subject(x->instance->name) : TRACE_ALL, "g",
                          "%u signatures in a row were refused", o->n_refused);
}

void oracle_on_replied(Oracle *o, const MachineExchange *x, const HttpReply *reply) {
        check_signatures(o, x, reply);
        if (x->instance)
                life_trace(o->life, life_subject(x->instance->name), TRACE_REPLY, call_to_string(x->ask->call), reply->status, reply->outcome);
}

void oracle_on_lie(Oracle *o, uint64_t cookie) {
        if (o->n_lies < TWISTS_MAX)
                o->lies[o->n_lies++] = cookie;
}

void oracle_on_delivered(Oracle *o, uint64_t cookie) {
        take_effect(o);
        o->delivering_lie = false;
        for (size_t i = 0; i < o->n_lies; i++)
                if (o->lies[i] == cookie) {
                        o->delivering_lie = true;
                        o->lies[i] = o->lies[--o->n_lies];
                        return;
                }
}

/* --- Steps --------------------------------------------------------------------------------------------------------- */

/* A write is asked for on an answer that was understood, not on a failure, and not on nothing. */
static void check_known(Oracle *o, int subject, const Situation *s, const Decision *d) {
        if ((d->next != NEXT_ASK && d->next != NEXT_ASK_STORED) || !call_is_write(d->ask.call))
                return;
        if (s->answer && !s->failure)
                return;
        /* The list of backups is the policy's own: nothing has to be read for it. */
        if (d->ask.call == CALL_DOWNLOAD_AUTHORIZE)
                return;
        /* What cannot be read at all is extended where the owner states the reading. */
        if (d->ask.call == CALL_LOCK_SET && s->failure && s->instance->terms->lock->extension != EXTENSION_AUTO &&
            (s->failure->class == FAILURE_NOT_PERMITTED || s->failure->class == FAILURE_NOT_OFFERED))
                return;
        life_fail(o->life, subject, "e", "%s follows from no answer", call_to_string(d->ask.call));
}

void oracle_on_step(Oracle *o, Control c, const Situation *s, const Decision *d) {
        int subject = life_subject(s->instance->name);
        Watch *w = &o->watches[subject][c];

        if (!s->answer && !s->failure) {
                w->lied = false;
                w->passed = 0;
        }
        w->lied |= o->delivering_lie;

        if (d->next == NEXT_DONE || d->next == NEXT_UNKNOWN)
                life_trace(o->life, subject, TRACE_STEP, verdict_to_string(d->verdict),
                           c == CONTROL_LOCK && s->answer && s->answer->call == CALL_LOCK_GET ? (int64_t) s->answer->lock.end_usec : 0, 0);

        check_known(o, subject, s, d);
        if (d->next == NEXT_DONE && d->verdict == VERDICT_COMPLIANT && !w->lied) {
                o->life->figures.n_checked++;
                oracle_check_compliant(o, subject, c, s);
        }
        oracle_events_step(o, subject, c, s, d);
        oracle_drift_step(o, subject, c, d);
        if (d->next == NEXT_DONE)
                w->verdict = d->verdict;
        o->delivering_lie = false;
}

/* A reading counts as certain once an effect has shown it, and is not given up again for want of one: the next larger request could pass the
 * cap. So an end that the cloud once lied about, or that somebody set by hand just then, may teach what is not so. Then locks are refused
 * until an administrator states the reading; without such a lie nothing of the kind may be learned. */
static void note_learned(Oracle *o, unsigned readings) {
        const uint64_t *n = o->life->figures.n_troubles;

        o->misled = readings != 0 && !(readings & (1u << o->life->scenario.reading));
        if (!o->misled)
                return;
        life_trace(o->life, TRACE_ALL, TRACE_LIFE, "a reading was learned that is not so", (int64_t) readings, 0);
        if (n[TROUBLE_LYING_END] == 0 && n[TROUBLE_FOREIGN_LOCK] == 0 && n[TROUBLE_LYING_SUCCESS] == 0)
                life_fail(o->life, o->step_subject, "a", "a reading was learned that is not so, and nobody has lied");
}

void oracle_on_put(Oracle *o, const StateRecord *record) {
        if (record->kind == STATE_ENDPOINT && record->service == SERVICE_TAURUSDB) {
                if (record->endpoint.state->frozen && !o->frozen) {
                        o->life->figures.n_frozen++;
                        life_trace(o->life, TRACE_ALL, TRACE_LIFE, "frozen", 0, 0);
                }
                o->frozen = record->endpoint.state->frozen;
                note_learned(o, record->endpoint.state->readings);
                oracle_lock_trouble(o, TRACE_ALL);
        }
}

void oracle_on_rested(Oracle *o) {
        take_effect(o);
        oracle_lock_ends(o);
        if (life_now(o->life) < o->next_check_usec)
                return;
        o->next_check_usec = life_now(o->life) + 10 * USEC_PER_MINUTE;
        oracle_drift_check(o);
        oracle_events_check(o);
}

/* --- What befalls everybody ---------------------------------------------------------------------------------------- */

static void disturb(Oracle *o, int subject, int service) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                if ((subject < 0 || subject == (int) i) && (service < 0 || service == (int) o->life->scenario.subjects[i].service))
                        for (Control c = 0; c < CONTROL__MAX; c++)
                                o->watches[i][c].calm_usec = life_now(o->life);
}

static bool is_host_service(int service) {
        return service == SERVICE_IAM || service == SERVICE_METADATA;
}

void oracle_on_trouble(Oracle *o, int subject, Service service, Trouble kind, const Ask *ask) {
        bool all = kind == TROUBLE_THROTTLED || kind == TROUBLE_THROTTLED_AFTER;        /* the endpoint pauses */

        disturb(o, all ? -1 : subject, is_host_service((int) service) ? -1 : (int) service);
        if (kind == TROUBLE_LYING_SUCCESS && ask->call == CALL_LOCK_SET) {
                o->locks[subject].deceived = true;
                oracle_lock_trouble(o, subject);
        }
        if (kind == TROUBLE_LYING_END)
                oracle_lock_trouble(o, subject);
}

void oracle_on_spell(Oracle *o, int subject, int service, Trouble kind) {
        disturb(o, subject, is_host_service(service) ? -1 : service);
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                if ((subject < 0 || subject == (int) i) &&
                    (service < 0 || is_host_service(service) || service == (int) o->life->scenario.subjects[i].service))
                        oracle_lock_trouble(o, (int) i);
}

static void disturb_all(Oracle *o) {
        disturb(o, -1, -1);
        oracle_lock_trouble(o, TRACE_ALL);
}

void oracle_on_read_delay(Oracle *o, usec_t delay_usec) {
        o->read_delay_usec = MAX(o->read_delay_usec, delay_usec);
        disturb_all(o);
        o->read_delay_usec = delay_usec;
}

void oracle_on_identity(Oracle *o) {
        o->identity_usec = life_now(o->life) + 7 * USEC_PER_MINUTE;     /* holdfastd(8): six minutes after a refusal */
        disturb_all(o);
}

static void forget_said(Oracle *o) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        for (int k = 0; k < SAID__MAX; k++)
                                o->watches[i][c].said[k].wall_usec = 0;
}

/* Polls are counted anew. */
static void forget_unknown(Oracle *o) {
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        o->watches[i][c].unknown_usec = 0;
}

void oracle_on_clock(Oracle *o) {
        oracle_on_identity(o);
        forget_said(o);         /* by a clock that was stepped, 24 h are anything */
        forget_unknown(o);
}

void oracle_on_sleep(Oracle *o) {
        disturb_all(o);
        forget_unknown(o);
}

void oracle_on_death(Oracle *o) {
        disturb_all(o);
        forget_said(o);         /* what was said and not stored may be said again */
        forget_unknown(o);
        for (size_t i = 0; i < o->life->scenario.n_subjects; i++)
                for (Control c = 0; c < CONTROL__MAX; c++)
                        o->watches[i][c].verdict = VERDICT_UNKNOWN;
        o->n_lies = 0;
        take_effect(o);
}

void oracle_on_boot(Oracle *o) {
        o->dated = false;
        for (Service s = 0; s < SERVICE__MAX; s++) {
                o->tokens[s] = o->life->scenario.rate;
                o->tokens_usec[s] = life_now(o->life);
        }
        o->frozen = keeper_frozen(o->life->keeper);
        o->misled = keeper_readings(o->life->keeper) != 0 && !(keeper_readings(o->life->keeper) & (1u << o->life->scenario.reading));
        o->n_refused = 0;       /* one more process may try the key: how often it is started is not its own doing */
        oracle_on_identity(o);
        oracle_lock_reckon(o, false);
        oracle_drift_reckon(o);
}

void oracle_on_reload(Oracle *o) {
        disturb_all(o);
        forget_unknown(o);
        oracle_lock_reckon(o, false);
        oracle_drift_reckon(o);
}

void oracle_on_foreign(Oracle *o) {
        take_effect(o);
        o->foreign_usec = life_now(o->life);
        oracle_lock_reckon(o, true);
        oracle_drift_reckon(o);
}
