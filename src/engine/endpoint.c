/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "engine/engine-internal.h"

/*
 * One origin: who waits for it, how fast it may be asked, and how it fares.
 */

#define DOWN_ITEMS 2                            /* changes of control among them before it is the endpoint; picked */
#define PAUSE_MIN_USEC (2 * USEC_PER_SEC)       /* of a whole endpoint, for one throttled call: the vendor's advice is 2 to 5 seconds */
#define PAUSE_MAX_USEC (5 * USEC_PER_MINUTE)    /* likewise; picked */
#define SKEW_SAID_USEC (5 * USEC_PER_MINUTE)    /* holdfastd(8): clock-skew */
#define WAITING_MAX 16                          /* looks begun that wait for an identity; more would only take memory */

Endpoint *endpoint_get(Engine *e, const char *origin, Service service, const char *region) {
        Endpoint *n = NULL, **numbered;

        assert(e);
        assert(origin);

        HASH_FIND_STR(e->endpoints, origin, n);
        if (n) {
                if (!n->region && region)
                        n->region = strdup(region);     /* only for events: without memory they say less */
                return n;
        }

        n = calloc(1, sizeof(*n));
        if (!n)
                return NULL;

        n->origin = strdup(origin);
        n->region = region ? strdup(region) : NULL;
        if (!n->origin || (region && !n->region)) {
                endpoint_free(n);
                return NULL;
        }

        numbered = reallocarray(e->numbered, e->n_numbered + 1, sizeof(Endpoint *));
        if (!numbered || e->n_numbered >= UINT16_MAX) {
                e->numbered = numbered ? numbered : e->numbered;
                endpoint_free(n);
                return NULL;
        }
        e->numbered = numbered;

        n->service = service;
        n->tokens = -1;
        HASH_ADD_KEYPTR(hh, e->endpoints, n->origin, strlen(n->origin), n);
        if (!hash_added(n)) {
                endpoint_free(n);
                return NULL;
        }
        e->numbered[e->n_numbered++] = n;
        n->number = (uint16_t) e->n_numbered;
        return n;
}

int endpoint_of(Engine *e, const Settings *settings, const Instance *i, Control c, Endpoint **ret) {
        const char *origin = settings->endpoints[control_service(c)];

        if (!origin && i->terms->region)
                origin = endpoint_lookup(control_service(c), i->terms->region);

        *ret = origin ? endpoint_get(e, origin, control_service(c), i->terms->region) : NULL;
        return origin && !*ret ? -ENOMEM : 0;
}

uint16_t endpoint_number_of(Engine *e, const Item *item) {
        Endpoint *n = NULL;
        int r;

        r = endpoint_of(e, engine_settings(e), item->instance, item->control, &n);
        assert(r >= 0);         /* it was made when the policies were put in force */
        return n ? n->number : 0;
}

void endpoint_free(Endpoint *n) {
        if (!n)
                return;

        free(n->origin);
        free(n->region);
        free(n);
}

/* --- Queue -------------------------------------------------------------------------------------------------------- */

void endpoint_queue_item(Endpoint *n, Item *item, bool first) {
        int lane = first ? 0 : 1;

        assert(!item->ready);
        assert(!item_run(item));

        item->ready = true;
        item->first = first;
        item->next = NULL;
        if (n->ready_tail[lane])
                n->ready_tail[lane]->next = item;
        else
                n->ready[lane] = item;
        n->ready_tail[lane] = item;
}

static Item *take_item(Endpoint *n) {
        int lane = n->ready[0] ? 0 : 1;
        Item *item = n->ready[lane];

        if (!item)
                return NULL;

        n->ready[lane] = item->next;
        if (!n->ready[lane])
                n->ready_tail[lane] = NULL;
        item->next = NULL;
        item->ready = false;
        return item;
}

void endpoint_unqueue_item(Endpoint *n, Item *item) {
        int lane = item->first ? 0 : 1;
        Item *before = NULL;

        if (!item->ready)
                return;

        for (Item *i = n->ready[lane]; i != item; i = i->next)
                before = i;

        if (before)
                before->next = item->next;
        else
                n->ready[lane] = item->next;
        if (n->ready_tail[lane] == item)
                n->ready_tail[lane] = before;
        item->next = NULL;
        item->ready = false;
}

void endpoint_unqueue_strangers(Endpoint *n) {
        for (size_t lane = 0; lane < N_ELEMENTS(n->ready); lane++) {
                Item **p = &n->ready[lane];

                n->ready_tail[lane] = NULL;
                while (*p) {
                        Item *item = *p;

                        if (item->stays && item->endpoint_number == n->number) {
                                n->ready_tail[lane] = item;
                                p = &item->next;
                                continue;
                        }
                        *p = item->next;
                        item->next = NULL;
                        item->ready = false;
                }
        }
}

void endpoint_queue_run(Endpoint *n, Run *r) {
        r->state = RUN_QUEUED;
        r->next = NULL;
        if (n->asks_tail)
                n->asks_tail->next = r;
        else
                n->asks = r;
        n->asks_tail = r;
}

void endpoint_queue_stored(Endpoint *n, Run *r) {
        r->state = RUN_QUEUED;
        r->paid = true;
        r->next = n->asks;
        n->asks = r;
        if (!n->asks_tail)
                n->asks_tail = r;
}

static void take_run(Endpoint *n, Run *before, Run *r) {
        if (before)
                before->next = r->next;
        else
                n->asks = r->next;
        if (n->asks_tail == r)
                n->asks_tail = before;
        r->next = NULL;
        r->state = RUN_STEPPING;
}

/* --- Rate and slots ----------------------------------------------------------------------------------------------- */

/* Has one control after the other got no answer? Then it is tried by one request at a time: else all would queue for its time-outs, locks
 * before all others, which could not even be said to be unknown. */
static bool is_dead(const Endpoint *n) {
        return n->n_unanswered_items >= DOWN_ITEMS;
}

/* A throttled endpoint answers: the others wait for their turn. But where it has refused everything for longer than a pause may be, their turn
 * may come in days, and that has to be said. */
static bool is_closed(const Engine *e, const Endpoint *n) {
        return n->throttled_since_usec > 0 && usec_sub(engine_boottime(e), n->throttled_since_usec) >= PAUSE_MAX_USEC;
}

static bool is_down(const Engine *e, const Endpoint *n) {
        return is_dead(n) || is_closed(e, n);
}

static unsigned max_running(const Engine *e, const Endpoint *n) {
        return is_dead(n) || n->throttled_since_usec > 0 ? 1 : engine_settings(e)->http.max_connections;
}

static void fail_unasked(const Engine *e, const Endpoint *n, Failure *ret) {
        bool dead = is_dead(n);
        char since[TIME_TEXT_MAX];

        *ret = (Failure) { .class = dead ? FAILURE_TRANSPORT : FAILURE_THROTTLED };
        (void) snprintf(ret->message, sizeof(ret->message), "%s has %s for %s: one request at a time tries it", n->origin,
                        dead ? "not answered as it should" : "refused every request as one too many",
                        duration_format_human(usec_sub(engine_boottime(e), dead ? n->failing_since_usec : n->throttled_since_usec), since));
}

bool endpoint_may_send(Engine *e, Endpoint *n, usec_t *ret_wait_usec) {
        usec_t now = engine_boottime(e);
        double rate = engine_settings(e)->http.rate_per_sec;

        if (n->tokens < 0)
                n->tokens = rate;       /* the burst has the size of the rate */
        else
                n->tokens = MIN(rate, n->tokens + rate * (double) usec_sub(now, n->tokens_at_usec) / (double) USEC_PER_SEC);
        n->tokens_at_usec = now;

        if (now < n->paused_until_usec) {
                *ret_wait_usec = MIN(*ret_wait_usec, n->paused_until_usec - now);
                return false;
        }

        if (n->n_running >= max_running(e, n))
                return false;           /* a reply will wake us */

        if (n->tokens < 1) {
                *ret_wait_usec = MIN(*ret_wait_usec, (usec_t) ((1 - n->tokens) / rate * (double) USEC_PER_SEC) + 1);
                return false;
        }

        n->tokens -= 1;
        n->started_at_usec = now;
        return true;
}

/* Finds the first look that may go on now, or that cannot. @ret_n_waiting: how many wait for an identity. */
static Run *pick_run(Engine *e, Endpoint *n, Run **ret_before, Pass *ret_pass, IdentityAnswer *ret_answer,
                     Failure *ret_failure, unsigned *ret_n_waiting) {
        IdentityAnswer answer = IDENTITY_WAIT;
        Run *before = NULL;
        unsigned n_waiting = 0;

        for (Run *r = n->asks; r && n_waiting < WAITING_MAX; before = r, r = r->next) {
                if (answer != IDENTITY_WAIT_ALL)
                        answer = identity_pass(e, r->instance, r->ask.call, ret_pass, ret_failure);

                if (answer == IDENTITY_WAIT || answer == IDENTITY_WAIT_ALL) {
                        r->paid = false;        /* what was granted before may not hold when it can go */
                        n_waiting++;
                        continue;
                }

                *ret_before = before;
                *ret_answer = answer;
                return r;
        }

        *ret_n_waiting = n_waiting;
        return NULL;
}

static bool begin_next(Engine *e, Endpoint *n) {
        Item *item = take_item(n);

        if (!item)
                return false;

        look_begin(e, item);
        return true;
}

/* Where nobody answers, one waits for the next try. All others are told at once: their looks end, are counted and said, and come again. */
static bool fail_second(Engine *e, Endpoint *n) {
        Run *r = n->asks ? n->asks->next : NULL;
        Failure failure;

        if (!r || !is_down(e, n))
                return false;

        take_run(n, n->asks, r);
        fail_unasked(e, n, &failure);
        look_continue(r, NULL, &failure);
        return true;
}

static bool is_wanted(const Endpoint *n) {
        return n->asks || n->ready[0] || n->ready[1];
}

static void pump(Engine *e, Endpoint *n, usec_t *wait_usec) {
        while (!e->stopping && is_wanted(n)) {
                IdentityAnswer answer = IDENTITY_WAIT;
                unsigned n_waiting = 0;
                Run *r, *before = NULL;
                Failure failure;        /* set with IDENTITY_NO */
                Pass pass = {};
                int q;

                if (fail_second(e, n))
                        continue;

                r = pick_run(e, n, &before, &pass, &answer, &failure, &n_waiting);
                if (!r) {
                        if (!is_down(e, n) && (n_waiting >= WAITING_MAX || n->n_running >= max_running(e, n)))
                                return;
                        if (!begin_next(e, n))
                                return;
                        continue;
                }

                if (answer == IDENTITY_NO) {
                        take_run(n, before, r);
                        look_continue(r, NULL, &failure);
                        continue;
                }

                if (!r->paid && !endpoint_may_send(e, n, wait_usec)) {
                        if (is_down(e, n) && begin_next(e, n))
                                continue;
                        return;
                }

                take_run(n, before, r);
                r->paid = false;
                if (!look_may_send(r))
                        continue;
                if (r->store) {
                        r->store = false;
                        look_store(r);
                        continue;
                }

                q = flight_send_run(e, r, &pass);
                if (q < 0) {
                        failure = (Failure) { .class = FAILURE_TRANSPORT };
                        (void) snprintf(failure.message, sizeof(failure.message), "the request could not be made: %s", strerror(-q));
                        look_continue(r, NULL, &failure);
                }
        }
}

void endpoint_pump(Engine *e, Endpoint *n, usec_t *wait_usec) {
        if (is_wanted(n) && n->wanted_at_usec == 0)
                n->wanted_at_usec = engine_boottime(e);
        pump(e, n, wait_usec);
        if (!is_wanted(n))
                n->wanted_at_usec = 0;
}

/* For how long has something waited here that could have been sent? */
usec_t endpoint_stalled_usec(const Engine *e, const Endpoint *n) {
        usec_t now = engine_boottime(e);

        if (!is_wanted(n) || n->wanted_at_usec == 0 || n->n_running > 0 || now < n->paused_until_usec)
                return 0;
        if (e->identity.state == IDENTITY_FETCHING || e->identity.state == IDENTITY_UNPROVEN)
                return 0;
        return usec_sub(now, MAX(MAX(n->started_at_usec, n->paused_until_usec), n->wanted_at_usec));
}

/* --- Health ------------------------------------------------------------------------------------------------------- */

static void say_failing(Engine *e, Endpoint *n, const Failure *f) {
        Event event = EVENT(EVENT_API_FAILING);
        char since[TIME_TEXT_MAX];

        event.service = service_to_string(n->service);
        event.region = n->region;
        event.http_status = f->http_status;
        event.error_code = f->code[0] ? f->code : NULL;
        event.request_id = f->request_id[0] ? f->request_id : NULL;
        event_set_message(&event, "%s: failing for %s, %u requests in a row (%s): %s", n->origin,
                          duration_format_human(usec_sub(engine_boottime(e), n->failing_since_usec), since), n->n_failed,
                          failure_class_to_string(f->class), f->message);
        engine_say(e, &event);
}

static void say_recovered(Engine *e, Endpoint *n) {
        Event event = EVENT(EVENT_API_RECOVERED);
        char lasted[TIME_TEXT_MAX];

        event.service = service_to_string(n->service);
        event.region = n->region;
        event_set_message(&event, "%s: answers again after %s and %u failed requests", n->origin,
                          duration_format_human(usec_sub(engine_boottime(e), n->failing_since_usec), lasted), n->n_failed);
        engine_say(e, &event);
}

/* Nobody there has answered, or only what stands before it. A 500 is an answer, to this request, and costs no time-out. */
static bool is_unanswered(const Failure *f) {
        return f->class == FAILURE_TRANSPORT || (f->class == FAILURE_SERVER && f->http_status >= 502 && f->http_status <= 504);
}

static void note_unanswered(Endpoint *n, const Item *item, const Failure *f) {
        if (!f || !is_unanswered(f)) {
                n->n_unanswered_items = 0;
                n->unanswered_item = NULL;
        } else if (item) {
                n->n_unanswered_items += n->unanswered_item && n->unanswered_item != item;
                n->unanswered_item = item;
        }
}

static void note_throttled(Engine *e, Endpoint *n, const Failure *f) {
        if (!f || f->class != FAILURE_THROTTLED)
                n->throttled_since_usec = 0;
        else if (n->throttled_since_usec == 0)
                n->throttled_since_usec = engine_boottime(e);
}

Item *endpoint_other(Engine *e, const Endpoint *n, const Item *item) {
        for (size_t i = 0; i < e->order.n; i++)
                if (e->order.items[i]->endpoint_number == n->number && e->order.items[i] != item)
                        return e->order.items[i];
        return NULL;
}

/* One control has failed again and again, and nothing else was asked meanwhile: is it the control or the endpoint? Another one tells. */
static void ask_another(Engine *e, const Endpoint *n, const Item *item) {
        Item *other = endpoint_other(e, n, item);

        if (other && other->due.index > 0)
                heap_put(&e->due, &other->due, engine_boottime(e));
}

/* A control that fails alone is said by itself (look.c), and tells nothing of its endpoint. */
static bool may_be_the_endpoint(const Endpoint *n, const Item *item) {
        Kept scratch;

        return !item || (n->n_failed_items > 0 && item_kept(item, &scratch)->state.said[SAID_API_FAILING].at_usec == 0);
}

void endpoint_note(Engine *e, Endpoint *n, const Item *item, const Failure *f) {
        bool unwell = f && failure_is_unwell(f->class);

        if (!f || f->class != FAILURE_TRANSPORT)
                n->contact_at_usec = engine_realtime(e);
        note_throttled(e, n, f);
        note_unanswered(n, item, f);
        if (!unwell) {
                if (n->said_failing.at_usec > 0)
                        say_recovered(e, n);
                n->said_failing = (Said) {};
                n->n_failed = n->n_failed_items = 0;
                n->failed_item = NULL;
                n->well_at_usec = engine_boottime(e);
                return;
        }

        if (n->n_failed++ == 0)
                n->failing_since_usec = engine_boottime(e);

        if (item) {
                n->n_failed_items += n->failed_item && n->failed_item != item;
                n->failed_item = item;
        }

        if (n->n_failed >= FAILED_SAID && may_be_the_endpoint(n, item) && said_news(&n->said_failing, engine_realtime(e), 0))
                say_failing(e, n, f);
        if (n->n_failed == FAILED_SAID && item && n->n_failed_items == 0)
                ask_another(e, n, item);
}

void endpoint_note_run(Engine *e, const Flight *f, const Failure *failure) {
        /* Others were answered since it went out: what hangs is the instance, however many of them end together. */
        if (failure && is_unanswered(failure) && f->sent_at_usec < f->endpoint->well_at_usec)
                return;

        endpoint_note(e, f->endpoint, f->run->item, failure);
}

/* A throttle counts for all calls of the user or address: the next ones would only add to it. But no poll is put off for long by it. */
void endpoint_pause(Engine *e, Endpoint *n, usec_t wait_usec, usec_t poll_usec) {
        usec_t pause = MIN(MIN(MAX(wait_usec, PAUSE_MIN_USEC), poll_usec), PAUSE_MAX_USEC);

        n->paused_until_usec = MAX(n->paused_until_usec, engine_boottime(e) + pause);
}

static void say_skew(Engine *e, const Endpoint *n, usec_t date_usec, usec_t now) {
        char differs[TIME_TEXT_MAX], theirs[TIME_TEXT_MAX], ours[TIME_TEXT_MAX];
        Event event = EVENT(EVENT_CLOCK_SKEW);

        event.service = service_to_string(n->service);
        event.region = n->region;
        event_set_message(&event, "%s: its clock shows %s, this host's %s, they differ by %s: signatures are refused and no lock is "
                          "written beyond 15 minutes", n->origin, rfc3339_format(date_usec, theirs), rfc3339_format(now, ours),
                          duration_format_human(usec_diff(now, date_usec), differs));
        engine_say(e, &event);
}

void endpoint_note_date(Engine *e, Endpoint *n, usec_t date_usec) {
        usec_t now = engine_realtime(e);

        if (date_usec >= TIME_MIN_USEC && date_usec <= TIME_MAX_USEC)
                n->clock = e->clock = (CloudClock) { .date_usec = date_usec, .at_usec = engine_boottime(e) };

        if (usec_diff(now, date_usec) <= SKEW_SAID_USEC)
                n->said_skew = (Said) {};
        else if (said_news(&n->said_skew, now, 0))
                say_skew(e, n, date_usec, now);
}

/*
 * This host's wall clock may be stepped by a year while the cloud cannot be reached, or be wrong from the beginning; CLOCK_BOOTTIME only goes
 * on. Where this endpoint has not shown its clock yet, another one's is as good: with a wrong clock the first refusal may come from there, and
 * nobody else is asked then.
 */
usec_t endpoint_cloud_time(const Engine *e, const Endpoint *n) {
        const CloudClock *c = n->clock.date_usec > 0 ? &n->clock : &e->clock;

        return c->date_usec > 0 ? usec_add(c->date_usec, usec_sub(engine_boottime(e), c->at_usec)) : engine_realtime(e);
}

/* As it came: what is too far away to be reckoned with is all the more to be said. */
void endpoint_note_reply(Engine *e, Endpoint *n, const HttpReply *reply) {
        usec_t date_usec;

        if (reply->date && http_date_parse(reply->date, &date_usec) >= 0)
                endpoint_note_date(e, n, date_usec);
}
