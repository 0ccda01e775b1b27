/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "ctl/rehearse.h"
#include "virtual/machine.h"

/*
 * One life of the fleet in virtual time: the engine that ships against the simulated cloud, under one reading of its API.
 */

#define LATENCY_USEC (50 * USEC_PER_MSEC)       /* of an exchange; picked */
#define VERIFY_ONE_IN 4096                      /* reads that go the whole way although memory knows them */

#define SKEW_USEC ((int64_t) (15 * USEC_PER_MINUTE))    /* holdfastd(8): beyond it signatures are refused */

typedef struct Life {
        const RehearseFleet *fleet;
        const RehearseLifeOptions *options;
        RehearseCollect collect;
        RehearseMemory *memory;
        Sim *sim;
        Machine *machine;
        usec_t begin_usec;              /* CLOCK_BOOTTIME */
        bool *played;
        bool active[REHEARSE_FAULT__MAX];
        RehearseFaultKind invented;     /* what the reply is to say that the cloud does not give … */
        uint64_t invented_cookie;       /* … to this exchange; 0: none */
} Life;

/* --- What the machine asks ---------------------------------------------------------------------------------------- */

/* The engine has the members' own. */
static size_t member_of(const Life *l, const Instance *i) {
        return (size_t) ((const RehearseMember *) ((const char *) i - offsetof(RehearseMember, instance)) - l->fleet->members);
}

static void on_asked(void *userdata, const Instance *instance, const Ask *ask) {
        Life *l = userdata;

        rehearse_collect_ask(&l->collect, member_of(l, instance), ask, machine_cloud_time(l->machine));
}

static MachineFate on_fate(void *userdata, const MachineExchange *x, usec_t *delay_usec) {
        static const RehearseFaultKind invents[] = { REHEARSE_THROTTLED, REHEARSE_ERROR, REHEARSE_NO_PERMISSION };
        Life *l = userdata;

        if (l->active[REHEARSE_OUTAGE])
                return MACHINE_REFUSE;

        for (size_t i = 0; i < N_ELEMENTS(invents); i++)
                if (l->active[invents[i]]) {
                        l->invented = invents[i];
                        l->invented_cookie = x->cookie;
                        return MACHINE_INVENT;
                }
        return MACHINE_DELIVER;
}

static void invent(RehearseFaultKind kind, HttpReply *reply) {
        const char *body = NULL;

        /* API Gateway, Error Codes; TaurusDB API Reference, Error Codes. */
        switch (kind) {
        case REHEARSE_THROTTLED:
                reply->status = 429;
                body = "{\"error_code\":\"APIGW.0308\",\"error_msg\":\"The throttling threshold has been reached.\"}";
                break;
        case REHEARSE_ERROR:
                reply->status = 500;
                body = "{\"error_code\":\"DBS.200412\",\"error_msg\":\"Internal server error.\"}";
                break;
        case REHEARSE_NO_PERMISSION:
                reply->status = 403;
                body = "{\"error_code\":\"APIGW.0802\",\"error_msg\":\"The user is not permitted to do this.\"}";
                break;
        case REHEARSE_OUTAGE:
        case REHEARSE_DOWN:
        case REHEARSE_CLOCK:
        case REHEARSE_FAULT__MAX:
                assert(false);
        }

        reply->outcome = HTTP_REPLIED;
        free(reply->body);
        reply->body = strdup(body);     /* without one it is a reply all the same */
        reply->n_body = reply->body ? strlen(reply->body) : 0;
}

static void on_replied(void *userdata, const MachineExchange *x, HttpReply *reply) {
        Life *l = userdata;

        if (l->invented_cookie > 0 && x->cookie == l->invented_cookie) {
                l->invented_cookie = 0;
                invent(l->invented, reply);
        } else if (x->ask && x->instance)
                rehearse_collect_reply(&l->collect, member_of(l, x->instance), x->ask, reply->status, machine_cloud_time(l->machine));
}

static int on_put(void *userdata, const StateRecord *record) {
        Life *l = userdata;
        const RehearseMember *m = NULL;

        if (record->kind == STATE_EVIDENCE)
                return 0;
        if (record->kind != STATE_ENDPOINT) {
                m = rehearse_fleet_find_id(l->fleet, record->instance_id);
                if (!m)
                        return 0;
        }
        return rehearse_memory_put(l->memory, m ? (size_t) (m - l->fleet->members) : 0, record);
}

static void on_say(void *userdata, const Event *event) {
        Life *l = userdata;

        rehearse_collect_event(&l->collect, event, machine_cloud_time(l->machine));
}

/* --- Setting up --------------------------------------------------------------------------------------------------- */

/* Whoever is asked for, and whose lock's endpoint can still have this reading. */
static int choose_played(Life *l) {
        const RehearseLifeOptions *o = l->options;

        l->played = calloc(l->fleet->n_members, sizeof(*l->played));
        if (!l->played)
                return -ENOMEM;

        for (size_t i = 0; i < l->fleet->n_members; i++) {
                const RehearseMember *m = &l->fleet->members[i];
                bool possible = l->fleet->endpoints[m->endpoint].readings & (1u << o->reading);

                if ((o->played && !o->played[i]) || (m->policy->terms->lock && !possible && !o->every_poll))
                        continue;
                l->played[i] = true;
                l->collect.life->n_locks += m->policy->terms->lock != NULL;
        }
        return 0;
}

static int restore(void *userdata, const StateRecord *record) {
        return engine_restore(userdata, record);
}

static int boot(Life *l) {
        Settings *settings = NULL;
        PolicySet *policies = NULL;
        int r;

        r = machine_boot(l->machine);
        if (r >= 0)
                r = rehearse_memory_load(l->memory, restore, machine_engine(l->machine));
        if (r >= 0)
                r = rehearse_fleet_configuration(l->fleet, l->played, &settings, &policies);
        if (r < 0)
                return r;

        r = engine_configure(machine_engine(l->machine), settings, policies);
        if (r < 0) {
                settings_free(settings);
                policy_set_free(policies);
        }
        return r;
}

static int life_init(Life *l) {
        const RehearseLifeOptions *o = l->options;
        const MachineOptions options = {
                .seed = o->seed,
                .start_usec = o->start_usec,
                .latency_usec = LATENCY_USEC,
                .verify = VERIFY_ONE_IN,
                .skip = !o->every_poll,
        };
        const MachineHooks hooks = {
                .userdata = l,
                .asked = on_asked,
                .fate = on_fate,
                .replied = on_replied,
                .put = on_put,
                .say = on_say,
        };
        int r;

        r = choose_played(l);
        if (r >= 0)
                r = rehearse_memory_new(l->fleet, &l->memory);
        if (r >= 0)
                r = rehearse_cloud_new(l->fleet, l->played, o, &l->sim);
        if (r >= 0)
                r = machine_new(&options, &hooks, l->sim, &l->machine);
        if (r < 0)
                return r;

        l->begin_usec = machine_boottime(l->machine);
        return boot(l);
}

static void life_done(Life *l) {
        rehearse_collect_done(&l->collect);
        machine_free(l->machine);
        sim_free(l->sim);
        rehearse_memory_free(l->memory);
        free(l->played);
}

/* --- Living ------------------------------------------------------------------------------------------------------- */

/* The next moment at which a fault begins or ends, after @now_usec since the beginning. */
static usec_t next_turn(const RehearseLifeOptions *o, usec_t now_usec) {
        usec_t next = o->for_usec;

        for (size_t i = 0; i < o->n_faults; i++) {
                usec_t begin = o->faults[i].begin_usec, end = usec_add(begin, o->faults[i].for_usec);

                if (begin > now_usec)
                        next = MIN(next, begin);
                if (end > now_usec)
                        next = MIN(next, end);
        }
        return next;
}

/* What is wrong from this moment on. */
static int turn_faults(Life *l, usec_t now_usec, usec_t *ret_quiet_usec) {
        const RehearseLifeOptions *o = l->options;
        bool was_down = l->active[REHEARSE_DOWN], any = false;
        int64_t ahead_usec = 0;

        memset(l->active, 0, sizeof(l->active));
        for (size_t i = 0; i < o->n_faults; i++) {
                const RehearseFault *f = &o->faults[i];

                if (f->begin_usec <= now_usec && now_usec < usec_add(f->begin_usec, f->for_usec))
                        l->active[f->kind] = any = true;
                if (f->kind == REHEARSE_CLOCK && f->begin_usec <= now_usec)
                        ahead_usec += f->step_usec;
                if (f->kind == REHEARSE_CLOCK && f->begin_usec == now_usec)
                        machine_step_clock(l->machine, f->step_usec);
        }
        any |= ahead_usec > SKEW_USEC || ahead_usec < -SKEW_USEC;

        /* While something is wrong every poll may show it. */
        *ret_quiet_usec = any ? 0 : l->begin_usec + next_turn(o, now_usec);
        if (l->active[REHEARSE_DOWN] && !was_down)
                machine_kill(l->machine);
        if (!l->active[REHEARSE_DOWN] && was_down)
                return boot(l);
        return 0;
}

static int live(Life *l) {
        const RehearseLifeOptions *o = l->options;
        usec_t now = 0, quiet;
        int r;

        while (now < o->for_usec && l->collect.error >= 0) {
                r = turn_faults(l, now, &quiet);
                if (r < 0)
                        return r;

                machine_set_quiet(l->machine, quiet);
                now = next_turn(o, now);
                r = machine_run(l->machine, l->begin_usec + now);
                if (r < 0)
                        return r;
        }
        return rehearse_collect_end(&l->collect, l->played, machine_cloud_time(l->machine));
}

int rehearse_live(const RehearseFleet *f, const RehearseLifeOptions *o, RehearseLife *ret) {
        _cleanup_(life_done) Life l = { .fleet = f, .options = o };
        _cleanup_(rehearse_life_done) RehearseLife life = { .reading = o->reading, .for_usec = o->for_usec };
        int r;

        assert(ret);

        r = rehearse_collect_init(&l.collect, f, &life, o->every_poll);
        if (r >= 0)
                r = life_init(&l);
        if (r >= 0)
                r = live(&l);
        if (r < 0)
                return r;

        *ret = life;
        life = (RehearseLife) {};
        return 0;
}

void rehearse_life_done(RehearseLife *l) {
        free(l->items);
        free(l->rates);
        for (size_t i = 0; i < N_ELEMENTS(l->why); i++)
                free(l->why[i]);
        *l = (RehearseLife) {};
}
