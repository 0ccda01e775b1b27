/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/rules.h"

#include <errno.h>
#include <stdio.h>

#include "sim/admin.h"
#include "sim/exchange.h"
#include "sim/fault.h"
#include "sim/gateway.h"
#include "sim/record.h"
#include "sim/state.h"

int sim_new(uint64_t seed, Sim **ret) {
        _cleanup_(sim_freep) Sim *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->random = seed;
        r = sim_settings_init(&s->settings);
        if (r < 0)
                return r;

        *ret = STEAL(s);
        return 0;
}

Sim *sim_free(Sim *s) {
        if (!s)
                return NULL;

        while (s->instances)
                sim_instance_remove(s, s->instances);
        sim_tokens_revoke(s, NULL);
        while (s->keys)
                sim_key_remove(s, s->keys);
        while (s->users)
                sim_user_remove(s, s->users);
        while (s->projects)
                sim_project_remove(s, s->projects);
        while (s->kms_keys)
                sim_kms_key_remove(s, s->kms_keys);
        sim_gateway_forget(s);
        (void) sim_fault_remove(s, 0);
        sim_record_clear(s);
        sim_deny_done(&s->deny);
        sim_settings_done(&s->settings);
        free(s);
        return NULL;
}

usec_t sim_clock(const Sim *s, usec_t now_usec) {
        return sim_shift(sim_shift(now_usec, s->settings.gateway.clock_offset_usec), s->advance_usec);
}

void sim_describe(const Sim *s, const char **ret_region, const char **ret_project_id, const char **ret_domain_id,
                  const char **ret_access_key) {
        *ret_region = s->projects ? s->projects->name : NULL;
        *ret_project_id = s->projects ? s->projects->id : NULL;
        *ret_domain_id = s->settings.account.domain_id;
        *ret_access_key = s->keys ? s->keys->access_key : NULL;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), whatever the locale is. */
static int set_date(Exchange *x) {
        static const char days[][4] = {
                "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"
        }; /* 1970 began on a Thursday */
        static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        int64_t seconds = (int64_t) (x->now_usec / USEC_PER_SEC);
        char text[64];
        CivilTime c;

        civil_from_seconds(seconds, &c);
        (void) snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[seconds / 86400 % 7], c.day,
                        months[c.month - 1], c.year, c.hour, c.minute, c.second);
        return sim_reply_set_header(x->reply, "Date", text);
}

static int begin_reply(Exchange *x) {
        char id[33];
        int r;

        sim_random_hex(x->sim, id, sizeof(id) - 1);
        r = set_date(x);
        if (r >= 0)
                r = sim_reply_set_header(x->reply, "X-Request-Id", id);
        if (r >= 0 && x->route && x->route->service == SIM_IAM)
                r = sim_reply_set_header(x->reply, "X-IAM-Trace-Id", id);
        return r;
}

/* Past the gateway and on to the service. */
static int answer(Exchange *x) {
        int r;

        if (!x->route)
                return sim_gateway_unknown(x);
        r = sim_gateway_pass(x);
        if (r <= 0)
                return r;
        x->reply->effect = true;
        return x->route->handler(x);
}

/* The handlers have said how long what they show stays as it is. */
static void settle_steadiness(Exchange *x) {
        SimReply *p = x->reply;

        if (x->near_fault || x->sim->settings.gateway.rate_limit != 0 || !p->effect || p->status != 200)
                p->steady_until_usec = 0;
        else
                p->steady_until_usec = MIN(p->steady_until_usec, x->known_until_usec);
        if (x->near_fault || x->sim->settings.gateway.rate_limit != 0 || !p->effect || p->status != 200)
                p->news_at_usec = 0;
}

static int handle_call(Exchange *x) {
        const SimFault *fault;
        SimCounter *counter;
        int r = 0;

        x->sim->n_requests++;
        x->route = sim_route_find(x->sim, x->request, &x->ids);
        if (x->route)
                x->reply->call = x->route->call;

        r = begin_reply(x);
        if (r < 0)
                return r;
        fault = sim_fault_hit(x);
        if (!fault || sim_fault_has_effect(fault)) {
                r = answer(x);
                if (r < 0)
                        return r;
        } else {
                x->reply->status = 200;
        }
        if (x->route) {
                counter = &x->sim->counters[sim_route_index(x->route)];
                counter->n_requests++;
                counter->n_succeeded += x->reply->effect && x->reply->status < 300;
        }
        if (fault) {
                r = sim_fault_apply(x, fault);
                if (r < 0)
                        return r;
        }
        settle_steadiness(x);
        return x->request->unrecorded ? 0 : sim_record_add(x);
}

int sim_handle(Sim *s, const SimRequest *q, usec_t now_usec, SimReply *ret) {
        _cleanup_(sim_reply_done) SimReply reply = { .call = "unknown", .who = "-" };
        Exchange x = {
                .sim = s,
                .request = q,
                .now_usec = sim_clock(s, now_usec),
                .known_until_usec = USEC_INFINITY,
                .reply = &reply,
        };
        int r;

        if (q->listener == SIM_LISTENER_CLOUD && sim_admin_is_path(q->path)) {
                r = begin_reply(&x);
                if (r >= 0)
                        r = sim_admin_handle(&x, now_usec);
        } else {
                r = handle_call(&x);
        }
        if (r < 0)
                return r;

        *ret = reply;
        reply = (SimReply){};
        return 0;
}
