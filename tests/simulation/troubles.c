/* SPDX-License-Identifier: Apache-2.0 */
#include "troubles.h"

#include <inttypes.h>
#include <stdio.h>

#include "life.h"
#include "oracle.h"
#include "sim/truth.h"

/* One row a kind. Rates are picked: high enough that a year has all of it, low enough that a daemon could be expected to cope. */
static const struct {
        const char *name;
        double per_exchange;            /* of reads; writes have WRITES_TIMES of it */
        double per_year;                /* of a life, however many subjects it has */
        usec_t shortest, longest;       /* of a spell, or until it is put right */
} kinds[TROUBLE__MAX] = {
        [TROUBLE_REFUSED]            = { .name = "connection refused",         .per_exchange = 0.002 },
        [TROUBLE_TIMED_OUT]          = { .name = "timed out",                  .per_exchange = 0.002 },
        [TROUBLE_RESET_BEFORE]       = { .name = "reset before the effect",    .per_exchange = 0.001 },
        [TROUBLE_RESET_AFTER]        = { .name = "reset after the effect",     .per_exchange = 0.002 },
        [TROUBLE_THROTTLED]          = { .name = "429",                        .per_exchange = 0.001 },
        [TROUBLE_THROTTLED_AFTER]    = { .name = "429 with Retry-After",       .per_exchange = 0.001 },
        [TROUBLE_BUSY]               = { .name = "409",                        .per_exchange = 0.001 },
        [TROUBLE_SERVER]             = { .name = "5xx",                        .per_exchange = 0.002 },
        [TROUBLE_EMPTY]              = { .name = "empty body",                 .per_exchange = 0.0005 },
        [TROUBLE_TRUNCATED]          = { .name = "truncated body",             .per_exchange = 0.0005 },
        [TROUBLE_WRONG_TYPE]         = { .name = "wrong-typed body",           .per_exchange = 0.0005 },
        [TROUBLE_LYING_END]          = { .name = "lying end of a lock",        .per_exchange = 0.0001 },
        [TROUBLE_LYING_SUCCESS]      = { .name = "success without effect",     .per_exchange = 0.0005 },

        [TROUBLE_OUTAGE]             = { "spell: connections refused", 0, 4,    10 * USEC_PER_MINUTE, 4 * USEC_PER_DAY },
        [TROUBLE_BLACK_HOLE]         = { "spell: time-outs", 0,           2,    10 * USEC_PER_MINUTE, 2 * USEC_PER_DAY },
        [TROUBLE_LOSSY]              = { "spell: replies lost", 0,        3,    10 * USEC_PER_MINUTE, 2 * USEC_PER_DAY },
        [TROUBLE_STORM]              = { "spell: 429", 0,                 3,    10 * USEC_PER_MINUTE, USEC_PER_DAY },
        [TROUBLE_BUSY_LONG]          = { "spell: 409", 0,                 6,    10 * USEC_PER_MINUTE, 2 * USEC_PER_DAY },
        [TROUBLE_SERVER_LONG]        = { "spell: 5xx", 0,                 3,    10 * USEC_PER_MINUTE, 2 * USEC_PER_DAY },
        [TROUBLE_GARBAGE]            = { "spell: broken bodies", 0,       2,    10 * USEC_PER_MINUTE, USEC_PER_DAY },
        [TROUBLE_DENIED]             = { "permission withdrawn", 0,       1,    USEC_PER_HOUR,        30 * USEC_PER_DAY },
        [TROUBLE_MISSING]            = { "API missing", 0,                0.5,  USEC_PER_DAY,         7 * USEC_PER_DAY },
        [TROUBLE_UNREAD]             = { "locks not readable", 0,         0.5,  USEC_PER_HOUR,        10 * USEC_PER_DAY },

        [TROUBLE_STALE]              = { "stale reads", 0,                4,    USEC_PER_HOUR,        2 * USEC_PER_DAY },
        [TROUBLE_FOREIGN_ENCRYPTION] = { "encryption switched off", 0,    6,    0, 0 },
        [TROUBLE_FOREIGN_SCHEDULE]   = { "schedule changed by hand", 0,   6,    0, 0 },
        [TROUBLE_FOREIGN_LOCK]       = { "lock extended by hand", 0,      2,    0, 0 },

        [TROUBLE_ROTATED]            = { "key rotated", 0,                4,    USEC_PER_SEC,         USEC_PER_HOUR },
        [TROUBLE_REVOKED]            = { "key revoked", 0,                1,    USEC_PER_HOUR,        2 * USEC_PER_DAY },
        [TROUBLE_LOCKED_OUT]         = { "key locked out by others", 0,   2,    0, 0 },
        [TROUBLE_TOKEN_REVOKED]      = { "tokens revoked", 0,             4,    0, 0 },

        [TROUBLE_CLOCK_STEP]         = { "clock stepped", 0,              12,   USEC_PER_MINUTE,      5 * USEC_PER_DAY },
        [TROUBLE_CLOCK_WRONG]        = { "clock far wrong", 0,            3,    10 * USEC_PER_MINUTE, 5 * USEC_PER_DAY },
        [TROUBLE_LEAP_SECOND]        = { "leap second", 0,                1,    0, 0 },
        [TROUBLE_SUSPENDED]          = { "suspended", 0,                  6,    USEC_PER_HOUR,        3 * USEC_PER_WEEK },
        [TROUBLE_KILLED]             = { "killed", 0,                     8,    USEC_PER_SEC,         5 * USEC_PER_DAY },
        [TROUBLE_POWER_CUT]          = { "power cut", 0,                  2,    USEC_PER_MINUTE,      3 * USEC_PER_DAY },
        [TROUBLE_EDITED]             = { "policy edited", 0,              8,    0, 0 },
        [TROUBLE_BROKEN_RELOAD]      = { "broken reload", 0,              4,    0, 0 },
        [TROUBLE_DISK_FULL]          = { "disk full", 0,                  2,    10 * USEC_PER_MINUTE, 2 * USEC_PER_DAY },
        [TROUBLE_DISK_ERROR]         = { "disk error", 0,                 2,    10 * USEC_PER_MINUTE, USEC_PER_DAY },
        [TROUBLE_COMMIT_ERROR]       = { "sync error", 0,                 2,    10 * USEC_PER_MINUTE, USEC_PER_DAY },

        [TROUBLE_DAYLIGHT_SAVING]    = { .name = "daylight saving" },
        [TROUBLE_2038]               = { .name = "2038" },
};

const char *trouble_to_string(Trouble t) {
        return kinds[t].name;
}

double trouble_per_exchange(Trouble t) {
        return kinds[t].per_exchange;
}

void trouble_count(Life *l, int subject, Trouble t) {
        l->figures.n_troubles[t]++;
        life_trace(l, subject, TRACE_FAULT, kinds[t].name, 0, 0);
}

void troubles_init(Life *l) {
        Troubles *t = &l->troubles;

        for (Trouble k = 0; k < TROUBLE__MAX; k++) {
                t->next_usec[k] = USEC_INFINITY;
                t->per_year[k] = l->options.calm ? 0 : kinds[k].per_year * l->scenario.troubles;
                if (t->per_year[k] > 0)
                        t->next_usec[k] = life_now(l) + rng_wait(&l->rng, t->per_year[k]);
        }
        t->over = l->options.calm;
}

void troubles_key_names(unsigned number, char access_key[static 32], char secret_key[static 32]) {
        (void) snprintf(access_key, 32, "SIMULATEDKEY%08u", number);
        (void) snprintf(secret_key, 32, "secret-of-key-%08u", number);
}

/* --- What can go on for a while ------------------------------------------------------------------------------------ */

bool troubles_concern(const Life *l, int subject, Service service) {
        const Troubles *t = &l->troubles;

        if (t->key_bad || t->key_locked || t->disk_bad || t->clock_wrong_usec != 0)
                return true;
        for (size_t i = 0; i < t->n_spells; i++) {
                const Spell *s = &t->spells[i];

                if ((s->service < 0 || s->service == (int) service || s->service == SERVICE_IAM || s->service == SERVICE_METADATA) &&
                    (s->subject < 0 || s->subject == subject))
                        return true;
        }
        return false;
}

static void todo(Life *l, usec_t in_usec, Deed deed) {
        Troubles *t = &l->troubles;

        if (t->n_todos < TODOS_MAX)
                t->todos[t->n_todos++] = (Todo) { .at_usec = life_now(l) + in_usec, .deed = deed };
}

static bool awaits(const Troubles *t, Deed deed) {
        for (size_t i = 0; i < t->n_todos; i++)
                if (t->todos[i].deed == deed)
                        return true;
        return false;
}

static Subject *any_subject(Life *l, Service service) {
        Subject *found = NULL;
        size_t n = 0;

        for (size_t i = 0; i < l->scenario.n_subjects; i++)
                if (l->scenario.subjects[i].service == service && rng_below(&l->rng, ++n) == 0)
                        found = &l->scenario.subjects[i];
        return found;
}

static void begin_spell(Life *l, Trouble k, usec_t for_usec) {
        Troubles *t = &l->troubles;
        Spell s = { .kind = k, .until_usec = life_now(l) + for_usec, .service = -1, .subject = -1, .share = 1 };

        if (t->n_spells == SPELLS_MAX)
                return;

        /* Of one service, of one instance, of all: a month without permission hits an instance more often than everything. */
        if (k == TROUBLE_BUSY_LONG || rng_chance(&l->rng, 0.4))
                s.subject = (int) rng_below(&l->rng, l->scenario.n_subjects);
        else if (rng_chance(&l->rng, 0.7))
                s.service = (int) rng_below(&l->rng, SERVICE__MAX);
        if (k == TROUBLE_UNREAD || k == TROUBLE_MISSING)
                s.service = SERVICE_TAURUSDB;
        if (k != TROUBLE_DENIED && k != TROUBLE_MISSING && k != TROUBLE_UNREAD && rng_chance(&l->rng, 0.4))
                s.share = 0.2 + 0.6 * rng_unit(&l->rng);
        t->spells[t->n_spells++] = s;
        oracle_on_spell(l->oracle, s.subject, s.service, k);
}

static void end_spells(Life *l, bool all) {
        Troubles *t = &l->troubles;

        for (size_t i = 0; i < t->n_spells;)
                if (all || t->spells[i].until_usec <= life_now(l)) {
                        oracle_on_spell(l->oracle, t->spells[i].subject, t->spells[i].service, t->spells[i].kind);
                        t->spells[i] = t->spells[--t->n_spells];
                } else
                        i++;
}

/* --- Others in the cloud ------------------------------------------------------------------------------------------- */

static void set_stale(Life *l, bool stale) {
        usec_t most = USEC_INFINITY, delay = l->scenario.read_delay_usec;

        for (size_t i = 0; i < l->scenario.n_subjects; i++)
                if (l->scenario.subjects[i].has_lock)
                        most = MIN(most, l->scenario.subjects[i].lock.settle_usec);

        /* Reads that lag by more than settle break the owner's word, not a promise. */
        if (stale)
                delay = MAX(delay, MIN(usec_sub(most, USEC_PER_MINUTE), rng_span(&l->rng, USEC_PER_MINUTE, 30 * USEC_PER_MINUTE)));
        l->troubles.stale = stale;
        life_change(l, "consistency: {read_delay: %" PRIu64 "s}", delay / USEC_PER_SEC);
        oracle_on_read_delay(l->oracle, delay);
}

static void switch_encryption_off(Life *l) {
        Subject *x = any_subject(l, SERVICE_TAURUSDB);

        if (x)
                life_change(l, "instances: {taurusdb: {\"%s\": {encryption: off}}}", x->id);
}

static void change_schedule(Life *l) {
        Subject *x = any_subject(l, SERVICE_DBSS);
        char trigger[TIME_TEXT_MAX];
        CivilTime c;

        if (!x)
                return;
        civil_from_seconds((int64_t) (life_cloud_now(l) / USEC_PER_SEC) + (int64_t) rng_below(&l->rng, 1000000), &c);
        (void) civil_format(&c, trigger);
        life_change(l, "instances: {dbss: {\"%s\": {schedule: {status: %s, cycle: PER_WEEK, trigger_time: \"%s\", bucket_name: other}}}}",
                    x->id, rng_chance(&l->rng, 0.5) ? "off" : "on", trigger);
}

static void extend_by_hand(Life *l) {
        Subject *x = any_subject(l, SERVICE_TAURUSDB);
        SimTruth truth;

        if (!x || !sim_truth(l->sim, x->id, &truth) || truth.lock_end_usec <= life_cloud_now(l))
                return;
        life_change(l, "instances: {taurusdb: {\"%s\": {lock: {end: +%" PRIu64 "h}}}}", x->id,
                    (truth.lock_end_usec - life_cloud_now(l)) / USEC_PER_HOUR + rng_between(&l->rng, 2, 24 * 30));
}

/* --- Who we are ---------------------------------------------------------------------------------------------------- */

static void give_new_key(Life *l) {
        Troubles *t = &l->troubles;

        t->key_number = t->cloud_key_number;
        t->key_bad = false;
        t->identity_bad_until_usec = life_now(l) + 10 * USEC_PER_MINUTE;
        oracle_on_identity(l->oracle);
        if (machine_engine(l->machine))
                engine_on_credentials_changed(machine_engine(l->machine));
}

/* A new key is made. The old one goes at once, or once the new one is on the host. */
static void rotate(Life *l, bool revoke, usec_t wait_usec) {
        Troubles *t = &l->troubles;
        char access_key[32], secret_key[32], old[32], ignored[32];

        if (l->scenario.keys != KEYS_LASTING || t->key_bad)
                return;

        troubles_key_names(++t->cloud_key_number, access_key, secret_key);
        troubles_key_names(t->key_number, old, ignored);
        life_change(l, "keys: {%s: {secret_key: %s}}", access_key, secret_key);
        if (revoke) {
                life_change(l, "keys: {%s: {enabled: off}}", old);
                t->key_bad = true;
        }
        oracle_on_identity(l->oracle);
        todo(l, wait_usec, DEED_KEY);
}

/* Somebody else uses the same key, wrongly, six times. */
static void lock_out(Life *l) {
        char access_key[32], secret_key[32], authorization[256];
        const SimHeader headers[] = {
                { "Host", "127.0.0.1:1" }, { "X-Sdk-Date", "20260101T000000Z" }, { "Authorization", authorization },
        };
        SimRequest q = {
                .method = "GET", .path = "/v3/" SCENARIO_PROJECT "/instances/00000000000000000000000000000001in07/backups/encryption",
                .headers = headers, .n_headers = N_ELEMENTS(headers), .peer = "127.0.0.1",
        };

        if (l->scenario.keys != KEYS_LASTING)
                return;
        troubles_key_names(l->troubles.key_number, access_key, secret_key);
        (void) snprintf(authorization, sizeof(authorization), "SDK-HMAC-SHA256 Access=%s, SignedHeaders=host;x-sdk-date, Signature=%064d",
                        access_key, 0);
        for (int i = 0; i < 6; i++) {
                _cleanup_(sim_reply_done) SimReply reply = {};

                if (sim_handle(l->sim, &q, life_cloud_now(l), &reply) < 0)
                        abort();
        }
        machine_forget(l->machine);
        l->troubles.identity_bad_until_usec = life_now(l) + 20 * USEC_PER_MINUTE;
        oracle_on_identity(l->oracle);
}

static void revoke_tokens(Life *l) {
        SimRequest q = { .method = "DELETE", .path = "/sim/v1/tokens", .peer = "127.0.0.1", .peer_is_local = true };
        _cleanup_(sim_reply_done) SimReply reply = {};

        if (sim_handle(l->sim, &q, life_cloud_now(l), &reply) < 0)
                abort();
        machine_forget(l->machine);
        oracle_on_identity(l->oracle);
}

/* --- The host ------------------------------------------------------------------------------------------------------ */

static void step_clock(Life *l, int64_t by_usec) {
        machine_step_clock(l->machine, by_usec);
        life_trace(l, TRACE_ALL, TRACE_LIFE, "clock stepped, seconds:", by_usec / (int64_t) USEC_PER_SEC, 0);
        oracle_on_clock(l->oracle);
}

static void set_clock_wrong(Life *l, usec_t most_usec, usec_t until_usec) {
        Troubles *t = &l->troubles;
        int64_t by = (int64_t) rng_span(&l->rng, USEC_PER_SEC, most_usec) * (rng_chance(&l->rng, 0.5) ? 1 : -1);

        if (t->clock_wrong_usec != 0)
                return;
        t->clock_wrong_usec = by;
        step_clock(l, by);
        todo(l, until_usec, DEED_CLOCK);
}

static void die(Life *l, bool power, usec_t down_usec) {
        if (machine_engine(l->machine))
                machine_kill(l->machine);
        keeper_crash(l->keeper, power, &l->rng);
        l->n_until_kill = 0;
        l->troubles.n_twists = 0;
        l->troubles.disk_bad = false;
        keeper_set_trouble(l->keeper, KEEPER_FINE, &l->rng);
        oracle_on_death(l->oracle);
        if (!awaits(&l->troubles, DEED_BOOT))
                todo(l, down_usec, DEED_BOOT);
}

static void spoil_disk(Life *l, KeeperTrouble kind, usec_t for_usec) {
        if (l->troubles.disk_bad)
                return;
        l->troubles.disk_bad = true;
        keeper_set_trouble(l->keeper, kind, &l->rng);
        todo(l, for_usec, DEED_DISK);
}

static void befall(Life *l, Trouble k) {
        usec_t span = kinds[k].longest > 0 ? rng_span(&l->rng, kinds[k].shortest, kinds[k].longest) : 0;

        trouble_count(l, TRACE_ALL, k);
        switch ((int) k) {
        case TROUBLE_STALE:
                set_stale(l, true);
                todo(l, span, DEED_FRESH);
                return;
        case TROUBLE_FOREIGN_ENCRYPTION: switch_encryption_off(l); return;
        case TROUBLE_FOREIGN_SCHEDULE: change_schedule(l); return;
        case TROUBLE_FOREIGN_LOCK: extend_by_hand(l); return;
        case TROUBLE_ROTATED: rotate(l, false, span); return;
        case TROUBLE_REVOKED: rotate(l, true, span); return;
        case TROUBLE_LOCKED_OUT: lock_out(l); return;
        case TROUBLE_TOKEN_REVOKED: revoke_tokens(l); return;
        case TROUBLE_CLOCK_STEP: set_clock_wrong(l, 10 * USEC_PER_MINUTE, span); return;
        case TROUBLE_CLOCK_WRONG: set_clock_wrong(l, 3650 * USEC_PER_DAY, span); return;
        case TROUBLE_LEAP_SECOND:
                /* The wall clock shows 23:59:59 twice; it is slewed back over the day, as the cloud's is. */
                if (l->troubles.clock_wrong_usec != 0)
                        return;
                step_clock(l, -(int64_t) USEC_PER_SEC);
                l->troubles.clock_wrong_usec = -(int64_t) USEC_PER_SEC;
                todo(l, USEC_PER_DAY, DEED_CLOCK);
                return;
        case TROUBLE_SUSPENDED:
                machine_suspend(l->machine, span);
                oracle_on_sleep(l->oracle);
                return;
        case TROUBLE_KILLED:
                if (machine_engine(l->machine))
                        l->n_until_kill = 1 + rng_below(&l->rng, 200);  /* between any two things that it does */
                return;
        case TROUBLE_POWER_CUT: die(l, true, span); return;
        case TROUBLE_EDITED:
                if (l->troubles.stale)
                        set_stale(l, false);    /* the settle that is written now may be shorter */
                scenario_edit(&l->scenario, &l->scenario.subjects[rng_below(&l->rng, l->scenario.n_subjects)], &l->rng);
                life_reload(l, false, rng_chance(&l->rng, 0.3));
                return;
        case TROUBLE_BROKEN_RELOAD:
                life_reload(l, true, false);
                return;
        case TROUBLE_DISK_FULL: spoil_disk(l, KEEPER_FULL, span); return;
        case TROUBLE_DISK_ERROR: spoil_disk(l, KEEPER_ERROR, span); return;
        case TROUBLE_COMMIT_ERROR: spoil_disk(l, KEEPER_ERROR_COMMIT, span); return;
        default: begin_spell(l, k, span); return;
        }
}

static void put_right(Life *l, Deed deed) {
        Troubles *t = &l->troubles;

        switch (deed) {
        case DEED_BOOT:
                if (!machine_engine(l->machine))
                        life_boot(l);
                return;
        case DEED_CLOCK:
                step_clock(l, -t->clock_wrong_usec);
                t->clock_wrong_usec = 0;
                return;
        case DEED_KEY: give_new_key(l); return;
        case DEED_THAW:
                if (machine_engine(l->machine)) {
                        life_trace(l, TRACE_ALL, TRACE_LIFE, "thaw", 0, 0);
                        (void) engine_thaw(machine_engine(l->machine), NULL);
                }
                return;
        case DEED_FRESH: set_stale(l, false); return;
        case DEED_DISK:
                t->disk_bad = false;
                keeper_set_trouble(l->keeper, KEEPER_FINE, &l->rng);
                oracle_on_death(l->oracle);
                return;
        }
}

usec_t troubles_next(const Life *l) {
        const Troubles *t = &l->troubles;
        usec_t next = USEC_INFINITY;

        for (Trouble k = 0; k < TROUBLE__MAX && !t->over; k++)
                next = MIN(next, t->next_usec[k]);
        for (size_t i = 0; i < t->n_todos; i++)
                next = MIN(next, t->todos[i].at_usec);
        for (size_t i = 0; i < t->n_spells; i++)
                next = MIN(next, t->spells[i].until_usec);
        return next;
}

static void do_todos(Life *l, bool all) {
        Troubles *t = &l->troubles;

        for (size_t i = 0; i < t->n_todos;)
                if (all || t->todos[i].at_usec <= life_now(l)) {
                        Deed deed = t->todos[i].deed;

                        t->todos[i] = t->todos[--t->n_todos];
                        put_right(l, deed);
                } else
                        i++;
}

void troubles_happen(Life *l) {
        Troubles *t = &l->troubles;

        if (!machine_engine(l->machine) && !awaits(t, DEED_BOOT))       /* it was killed at its work */
                die(l, rng_chance(&l->rng, 0.3), rng_span(&l->rng, kinds[TROUBLE_KILLED].shortest, kinds[TROUBLE_KILLED].longest));

        end_spells(l, false);
        do_todos(l, false);
        for (Trouble k = 0; k < TROUBLE__MAX && !t->over; k++)
                if (t->next_usec[k] <= life_now(l)) {
                        befall(l, k);
                        t->next_usec[k] = life_now(l) + rng_wait(&l->rng, t->per_year[k]);
                }

        if (keeper_frozen(l->keeper) && !awaits(t, DEED_THAW))
                todo(l, rng_span(&l->rng, USEC_PER_HOUR, 2 * USEC_PER_DAY), DEED_THAW);
}

void troubles_end(Life *l) {
        Troubles *t = &l->troubles;

        t->over = true;
        l->n_until_kill = 0;
        if (!machine_engine(l->machine) && !awaits(t, DEED_BOOT))
                die(l, false, 0);
        end_spells(l, true);
        do_todos(l, true);
        if (t->stale)
                set_stale(l, false);
        life_reload(l, false, false);
        if (keeper_frozen(l->keeper))
                put_right(l, DEED_THAW);
}
