/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "life.h"
#include "oracle.h"

/*
 * What befalls single exchanges: some now and then, and all, or a share, of those that a spell hits.
 */

#define WRITES_TIMES 6          /* writes are one in a hundred: or nothing would ever happen to them */
#define TIMEOUT_USEC (30 * USEC_PER_SEC)

static Service exchange_service(const MachineExchange *x) {
        if (x->instance)
                return x->instance->service;
        return x->request->no_proxy ? SERVICE_METADATA : SERVICE_IAM;
}

static bool spell_hits(const Spell *s, Service service, int subject, const Ask *ask) {
        if (s->service >= 0 && s->service != (int) service)
                return false;
        if (s->subject >= 0 && s->subject != subject)
                return false;
        if (s->kind == TROUBLE_UNREAD)
                return ask && ask->call == CALL_LOCK_GET;
        if (s->kind == TROUBLE_BUSY_LONG)
                return ask && call_is_write(ask->call);
        return true;
}

/* Which kind of exchange a spell is made of. */
static Trouble spell_exchange(Life *l, Trouble spell) {
        static const Trouble bodies[] = { TROUBLE_EMPTY, TROUBLE_TRUNCATED, TROUBLE_WRONG_TYPE };

        switch ((int) spell) {
        case TROUBLE_OUTAGE: return TROUBLE_REFUSED;
        case TROUBLE_BLACK_HOLE: return TROUBLE_TIMED_OUT;
        case TROUBLE_LOSSY: return TROUBLE_RESET_AFTER;
        case TROUBLE_STORM: return rng_chance(&l->rng, 0.5) ? TROUBLE_THROTTLED : TROUBLE_THROTTLED_AFTER;
        case TROUBLE_BUSY_LONG: return TROUBLE_BUSY;
        case TROUBLE_SERVER_LONG: return TROUBLE_SERVER;
        case TROUBLE_GARBAGE: return bodies[rng_below(&l->rng, N_ELEMENTS(bodies))];
        default: return spell;
        }
}

/* What befalls this exchange; TROUBLE__MAX: nothing. */
static Trouble draw(Life *l, Service service, int subject, const Ask *ask) {
        Troubles *t = &l->troubles;
        double u, sum = 0, times = (ask && call_is_write(ask->call) ? WRITES_TIMES : 1) * l->scenario.troubles;

        for (size_t i = 0; i < t->n_spells; i++)
                if (spell_hits(&t->spells[i], service, subject, ask) && rng_chance(&l->rng, t->spells[i].share))
                        return spell_exchange(l, t->spells[i].kind);

        u = rng_unit(&l->rng);
        for (Trouble k = 0; k <= TROUBLE_LYING_SUCCESS; k++) {
                sum += trouble_per_exchange(k) * times;
                if (u < sum)
                        return k;
        }
        return TROUBLE__MAX;
}

static bool fits(Trouble k, Service service, const Ask *ask) {
        switch ((int) k) {
        case TROUBLE_LYING_END: return ask && ask->call == CALL_LOCK_GET;
        case TROUBLE_LYING_SUCCESS: return ask && call_is_write(ask->call) && ask->call != CALL_DOWNLOAD_AUTHORIZE;
        case TROUBLE_BUSY: return ask && call_is_write(ask->call);
        case TROUBLE_DENIED:
        case TROUBLE_MISSING: return ask != NULL;
        default: return service != SERVICE_METADATA || k <= TROUBLE_RESET_AFTER;
        }
}

static MachineFate twist(Life *l, const MachineExchange *x, Trouble k, MachineFate fate) {
        Troubles *t = &l->troubles;

        if (t->n_twists == TWISTS_MAX)
                return MACHINE_DELIVER;
        t->twists[t->n_twists++] = (Twist) { .cookie = x->cookie, .kind = k };
        return fate;
}

MachineFate troubles_fate(Life *l, const MachineExchange *x, usec_t *delay_usec) {
        int subject = x->instance ? life_subject(x->instance->name) : TRACE_ALL;
        Service service = exchange_service(x);
        Trouble k;

        *delay_usec = l->scenario.latency_usec / 2 + rng_below(&l->rng, l->scenario.latency_usec + 1);
        if (l->troubles.over)
                return MACHINE_DELIVER;

        k = draw(l, service, subject, x->ask);
        if (k == TROUBLE__MAX || !fits(k, service, x->ask))
                return MACHINE_DELIVER;

        trouble_count(l, subject, k);
        oracle_on_trouble(l->oracle, subject, service, k, x->ask);
        if (k == TROUBLE_LYING_END)
                oracle_on_lie(l->oracle, x->cookie);
        switch ((int) k) {
        case TROUBLE_REFUSED:
                return MACHINE_REFUSE;
        case TROUBLE_TIMED_OUT:
                *delay_usec = TIMEOUT_USEC;
                return MACHINE_LOSE_REQUEST;
        case TROUBLE_RESET_BEFORE:
                return MACHINE_LOSE_REQUEST;
        case TROUBLE_RESET_AFTER:
                return MACHINE_LOSE_REPLY;
        case TROUBLE_EMPTY:
        case TROUBLE_TRUNCATED:
        case TROUBLE_WRONG_TYPE:
        case TROUBLE_LYING_END:
                return twist(l, x, k, MACHINE_ALTER);
        default:
                return twist(l, x, k, MACHINE_INVENT);
        }
}

/* --- Replies ------------------------------------------------------------------------------------------------------- */

static void set_body(HttpReply *reply, const char *body) {
        free(reply->body);
        reply->body = strdup(body);
        reply->n_body = strlen(body);
}

static void answer_error(HttpReply *reply, int status, const char *code, const char *message) {
        char body[512];

        reply->status = status;
        (void) snprintf(body, sizeof(body), "{\"error_code\":\"%s\",\"error_msg\":\"%s\"}", code, message);
        set_body(reply, body);
}

static void truncate_body(Life *l, HttpReply *reply) {
        if (reply->n_body == 0)
                return;
        reply->n_body = rng_below(&l->rng, reply->n_body);
        reply->body[reply->n_body] = '\0';
}

/* Numbers become texts, and texts lists: whatever the documentation says, it is of another type. */
static void mistype_body(HttpReply *reply) {
        char *s = reply->body;

        for (size_t i = 0; s && i < reply->n_body; i++)
                if (s[i] == ':') {
                        s[i + 1] = '{';
                        return;
                }
}

/* The end of the lock is another: days, weeks or years later or earlier, or no number at all. */
static void lie_about_end(Life *l, HttpReply *reply) {
        char *at = reply->body ? strstr(reply->body, "\"lock_end_time\"") : NULL, *digits, *after, text[64];
        _cleanup_(freep) char *body = NULL;
        int64_t end, by;

        digits = at ? strchr(at, ':') : NULL;
        if (!digits)
                return;
        digits++;
        end = strtoll(digits, &after, 10);
        if (after == digits || end == 0)
                return;

        by = (int64_t) (rng_span(&l->rng, USEC_PER_HOUR, 400 * USEC_PER_DAY) / USEC_PER_SEC) * (rng_chance(&l->rng, 0.5) ? 1 : -1);
        if (end > INT64_C(100000000000))
                by *= 1000;
        (void) snprintf(text, sizeof(text), "%" PRId64, end + by);
        if (asprintf(&body, "%.*s%s%s", (int) (digits - reply->body), reply->body, text, after) >= 0)
                set_body(reply, body);
}

static void lie_about_success(const Ask *ask, HttpReply *reply) {
        if (ask->call == CALL_ENCRYPTION_SET)
                set_body(reply, "{\"encryption_status\":\"on\"}");
        else
                set_body(reply, ask->call == CALL_SCHEDULE_SET ? "{\"result\":\"SUCCESS\"}" : "{\"result\":\"success\"}");
}

static void throttle(Life *l, HttpReply *reply, bool after) {
        char seconds[16];

        answer_error(reply, 429, "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit,limit:60,time:1 minute");
        if (!after)
                return;
        (void) snprintf(seconds, sizeof(seconds), "%" PRIu64, rng_between(&l->rng, 1, 600));
        free(reply->retry_after);
        reply->retry_after = strdup(seconds);
}

void troubles_replied(Life *l, const MachineExchange *x, HttpReply *reply) {
        Troubles *t = &l->troubles;
        Trouble k = TROUBLE__MAX;

        for (size_t i = 0; i < t->n_twists && k == TROUBLE__MAX; i++)
                if (t->twists[i].cookie == x->cookie) {
                        k = t->twists[i].kind;
                        t->twists[i] = t->twists[--t->n_twists];
                }

        switch ((int) k) {
        case TROUBLE_THROTTLED: throttle(l, reply, false); break;
        case TROUBLE_THROTTLED_AFTER: throttle(l, reply, true); break;
        case TROUBLE_BUSY: answer_error(reply, 409, "DBS.200011", "Another operation is being performed on the instance."); break;
        case TROUBLE_SERVER: answer_error(reply, rng_chance(&l->rng, 0.5) ? 500 : 503, "DBS.200412", "Internal server error."); break;
        case TROUBLE_DENIED: answer_error(reply, 403, "DBS.200010", "You do not have the permission."); break;
        case TROUBLE_UNREAD: answer_error(reply, 403, "DBS.200010", "You do not have the permission."); break;
        case TROUBLE_MISSING:
                answer_error(reply, 404, "APIGW.0101", "The API does not exist or has not been published in the environment");
                break;
        case TROUBLE_EMPTY: set_body(reply, ""); break;
        case TROUBLE_TRUNCATED: truncate_body(l, reply); break;
        case TROUBLE_WRONG_TYPE: mistype_body(reply); break;
        case TROUBLE_LYING_END: lie_about_end(l, reply); break;
        case TROUBLE_LYING_SUCCESS: lie_about_success(x->ask, reply); break;
        default: break;
        }
}
