/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "cloud/calls.h"
#include "virtual/machine-internal.h"

/*
 * What the engine sees. After machine_kill() in a hook it sees nothing any more: what it still does until it is gone reaches nobody.
 */

static usec_t world_realtime(void *userdata) {
        return machine_wall_time(userdata);
}

static usec_t world_boottime(void *userdata) {
        return ((Machine *) userdata)->boot_usec;
}

static uint64_t world_random(void *userdata) {
        return machine_random(userdata);
}

static usec_t world_quiet_until(void *userdata, const Instance *instance, Control control) {
        Machine *m = userdata;
        usec_t now = sim_clock(m->sim, machine_cloud_time(m)), news_at;

        if (m->dead)
                return 0;

        news_at = memory_news_at(&m->memory, instance, control);
        return MIN(m->quiet_usec, news_at == USEC_INFINITY ? USEC_INFINITY : usec_add(m->boot_usec, usec_sub(news_at, now)));
}

/* --- Exchanges ---------------------------------------------------------------------------------------------------- */

static void draw_done(Draw *d) {
        remembered_unref(d->expected);
        *d = (Draw) {};
}

/* What is to become of an exchange? */
static Draw draw(Machine *m, const MachineExchange *x) {
        Draw d = {
                .valid = true,
                .cookie = x->cookie,
                .fate = MACHINE_DELIVER,
                .delay_usec = m->options.latency_usec,
                .instance = x->instance,
                .ask = x->ask,
        };

        if (m->hooks.fate)
                HOOK(m, d.fate = m->hooks.fate(m->hooks.userdata, x, &d.delay_usec));
        return d;
}

static int add_pending(Machine *m, uint64_t cookie, usec_t delay_usec, HttpReply *taken, Remembered *remembered) {
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;

        p->cookie = cookie;
        if (taken) {
                p->reply = *taken;
                *taken = (HttpReply) {};
        }
        if (remembered) {
                p->remembered = remembered_ref(remembered);
                p->date_usec = sim_clock(m->sim, machine_cloud_time(m)) / USEC_PER_SEC * USEC_PER_SEC;  /* as the header would say */
        }

        r = pending_add(&m->pending, usec_add(m->boot_usec, delay_usec), p);
        if (r >= 0)
                (void) STEAL(p);
        return r;
}

static bool goes_whole(Machine *m, const Instance *instance, const Ask *ask) {
        bool whole = false;

        if (m->hooks.whole)
                HOOK(m, whole = m->hooks.whole(m->hooks.userdata, instance, ask));
        return whole;
}

static bool world_recall(void *userdata, const Instance *instance, const Ask *ask, uint64_t cookie) {
        MachineExchange x = { .instance = instance, .ask = ask, .cookie = cookie };
        Machine *m = userdata;
        Remembered *known;

        if (m->dead)
                return true;

        m->counts.n_asked++;
        if (m->hooks.asked)
                HOOK(m, m->hooks.asked(m->hooks.userdata, instance, ask));

        draw_done(&m->draw);
        m->draw = draw(m, &x);
        if (m->dead)
                return true;
        if (m->draw.fate != MACHINE_DELIVER || m->options.verify == 0 || !memory_can_hold(ask) || goes_whole(m, instance, ask))
                return false;

        known = memory_find(&m->memory, instance, ask, sim_clock(m->sim, machine_cloud_time(m)));
        if (!known)
                return false;

        if (++m->n_recalled % m->options.verify == 0) {
                m->draw.expected = remembered_ref(known);
                return false;
        }
        if (add_pending(m, cookie, m->draw.delay_usec, NULL, known) < 0)
                return false;

        draw_done(&m->draw);    /* the next exchange may have the same cookie */
        m->counts.n_remembered++;
        return true;
}

/* What was remembered would have been wrong: the simulation is worth nothing. */
static void disagree(const Draw *d, const HttpReply *reply) {
        (void) fprintf(stderr, "virtual machine: what was remembered of %s of instance %s is not what the cloud answers: %d %s\n",
                       call_to_string(d->ask->call), d->instance->instance_id, reply->status, reply->body ? reply->body : "(nothing)");
        abort();
}

/* Compares with memory what has gone the whole way, or remembers it: @ret then, a reference, so that nobody has to decode it again. */
static int consider(Machine *m, const Draw *d, const HttpRequest *request, const HttpReply *reply, const WireSteady *steady,
                    Remembered **ret) {
        const CallTarget target = {
                .origin = request->origin,
                .region = d->instance->terms->region,
                .project_id = d->instance->terms->project_id,
                .domain_id = d->instance->terms->domain_id,
                .instance_id = d->instance->instance_id,
                .language = "en-us",
        };
        usec_t now = sim_clock(m->sim, machine_cloud_time(m));
        Remembered *learned = NULL;
        Failure failure = {};
        Answer answer = {};
        int r;

        r = call_decode(d->ask, &target, reply, now, &answer, &failure);
        if (r < 0)
                return r;

        if (d->expected) {
                if (r == 0 || answer.date_usec != now / USEC_PER_SEC * USEC_PER_SEC || !memory_is_alike(&answer, &d->expected->answer))
                        disagree(d, reply);
                m->counts.n_verified++;
        } else if (r > 0) {
                learned = memory_learn(&m->memory, d->instance, d->ask, steady, &answer);
                if (!learned)
                        r = -ENOMEM;
                else if (m->options.verify > 0)
                        *ret = remembered_ref(learned);
        }

        answer_done(&answer);
        return r < 0 ? r : 0;
}

/* The cloud is asked, and its reply is on its way back: as it is, or as what it means where that is remembered from now on. */
static int ask_cloud(Machine *m, const Draw *d, const HttpRequest *request, HttpReply *ret, Remembered **ret_remembered,
                     usec_t *delay_usec) {
        MachineExchange x = { .request = request, .instance = d->instance, .ask = d->ask, .cookie = d->cookie };
        bool remembers = d->ask && (m->options.verify > 0 || m->options.skip) && memory_can_hold(d->ask);
        WireSteady steady = {};
        usec_t more_usec = 0;
        uint64_t before;
        int r;

        if (d->ask && call_is_write(d->ask->call))
                memory_forget_instance(&m->memory, d->instance);

        r = wire_exchange(m->sim, request, machine_cloud_time(m), ret, &more_usec, &steady);
        if (r < 0)
                return r;
        *delay_usec = usec_add(*delay_usec, more_usec);

        before = remembers && m->hooks.replied ? wire_digest(ret) : 0;
        if (m->hooks.replied && (d->fate == MACHINE_DELIVER || d->fate == MACHINE_ALTER))
                HOOK(m, m->hooks.replied(m->hooks.userdata, &x, ret));

        if (!remembers || d->fate == MACHINE_LOSE_REPLY)
                return 0;
        if (d->fate == MACHINE_DELIVER && MAX(steady.until_usec, steady.news_at_usec) > sim_clock(m->sim, machine_cloud_time(m)) &&
            (!m->hooks.replied || wire_digest(ret) == before))
                return consider(m, d, request, ret, &steady, ret_remembered);

        memory_forget_call(&m->memory, d->instance, d->ask->call);      /* what the engine is told is not what there is */
        return 0;
}

/* The cloud never sees it: a box on the way answers, or whoever the hook plays. */
static int invent(Machine *m, const Draw *d, const HttpRequest *request, HttpReply *ret) {
        MachineExchange x = { .request = request, .instance = d->instance, .ask = d->ask, .cookie = d->cookie };
        int r;

        r = wire_empty(sim_clock(m->sim, machine_cloud_time(m)), ret);
        if (r >= 0 && m->hooks.replied)
                HOOK(m, m->hooks.replied(m->hooks.userdata, &x, ret));
        return r;
}

static int world_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        MachineExchange x = { .request = request, .cookie = cookie };
        _cleanup_(remembered_unrefp) Remembered *remembered = NULL;
        _cleanup_(http_reply_done) HttpReply reply = {};
        _cleanup_(draw_done) Draw d = {};
        Machine *m = userdata;
        int r = 0;

        if (m->dead) {
                http_request_done(request);
                return 0;
        }

        if (m->draw.valid && m->draw.cookie == cookie) {
                d = m->draw;
                m->draw = (Draw) {};
        } else
                d = draw(m, &x);
        if (m->dead) {
                http_request_done(request);
                return 0;
        }

        m->counts.n_sent++;
        switch (d.fate) {
        case MACHINE_DELIVER:
        case MACHINE_ALTER:
                r = ask_cloud(m, &d, request, &reply, &remembered, &d.delay_usec);
                break;
        case MACHINE_INVENT:
                r = invent(m, &d, request, &reply);
                break;
        case MACHINE_REFUSE:
                r = wire_fail(HTTP_NOT_SENT, "connection refused", &reply);
                break;
        case MACHINE_LOSE_REQUEST:
                r = wire_fail(HTTP_LOST, "timed out", &reply);
                break;
        case MACHINE_LOSE_REPLY:
                r = ask_cloud(m, &d, request, &reply, &remembered, &d.delay_usec);
                http_reply_done(&reply);
                if (r >= 0)
                        r = wire_fail(HTTP_LOST, "timed out", &reply);
                break;
        case MACHINE_FATE__MAX:
                assert(false);
        }
        if (r >= 0)
                r = add_pending(m, cookie, d.delay_usec, remembered ? NULL : &reply, remembered);
        if (r >= 0)
                http_request_done(request);
        return r;
}

/* --- State, events, credentials ----------------------------------------------------------------------------------- */

static int world_put(void *userdata, const StateRecord *record) {
        Machine *m = userdata;
        int r = 0;

        if (!m->dead && m->hooks.put)
                HOOK(m, r = m->hooks.put(m->hooks.userdata, record));
        return r;
}

int machine_commit(Machine *m) {
        int r = 0;

        if (!m->dead && m->hooks.commit)
                HOOK(m, r = m->hooks.commit(m->hooks.userdata));
        return r;
}

static void world_commit(void *userdata) {
        ((Machine *) userdata)->commit_asked = true;
}

static int world_flush(void *userdata) {
        return machine_commit(userdata);
}

static void world_say(void *userdata, const Event *event) {
        Machine *m = userdata;

        if (!m->dead && m->hooks.say)
                HOOK(m, m->hooks.say(m->hooks.userdata, event));
}

static int own_credentials(CredentialsSource source, Credentials **ret) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        bool password = source == CREDENTIALS_PASSWORD;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->expires_at_usec = USEC_INFINITY;
        c->origin = strdup("simulated");
        if (!password)
                c->access_key = strdup(MACHINE_ACCESS_KEY);
        if (!c->origin || (!password && !c->access_key))
                return -ENOMEM;
        r = password ? secret_new(MACHINE_PASSWORD, strlen(MACHINE_PASSWORD), &c->password) :
                       secret_new(MACHINE_SECRET_KEY, strlen(MACHINE_SECRET_KEY), &c->secret_key);
        if (r < 0)
                return r;

        *ret = STEAL(c);
        return 0;
}

static int world_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        Machine *m = userdata;
        int r;

        /* Somebody else may ask from here on, and settings and policies may be others. */
        memory_done(&m->memory);
        if (m->dead)
                return -ENOENT;
        if (!m->hooks.credentials)
                return own_credentials(source, ret);

        HOOK(m, r = m->hooks.credentials(m->hooks.userdata, settings, source, ret, reterr));
        return r;
}

World machine_world(Machine *m) {
        return (World) {
                .userdata = m,
                .realtime = world_realtime,
                .boottime = world_boottime,
                .random = world_random,
                .send = world_send,
                .put = world_put,
                .commit = world_commit,
                .flush = world_flush,
                .say = world_say,
                .credentials = world_credentials,
                .recall = world_recall,
                .quiet_until = m->options.skip ? world_quiet_until : NULL,
        };
}
