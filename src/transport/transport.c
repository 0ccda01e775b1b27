/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include <errno.h>
#include <signal.h>

#include <curl/curl.h>

#include "transport/pool.h"

typedef struct RetiredPool RetiredPool;
struct RetiredPool {
        RetiredPool *next;
        Pool *pool;
};

struct Transport {
        sd_event *event;
        Pool *pool;
        RetiredPool *retired;           /* still at work under options of the past */
        sd_event_source *reaper;        /* frees them, from the loop: a pool may not be freed by its own callback */
        TransportDone done;
        TransportAfter after;           /* may be NULL */
        void *userdata;
        bool libcurl_is_up;
        bool calling;                   /* within the callback */
};

static void transport_reap(Transport *t, bool all) {
        RetiredPool **at = &t->retired;

        while (*at) {
                RetiredPool *retired = *at;

                if (!all && pool_n_running(retired->pool) > 0) {
                        at = &retired->next;
                        continue;
                }
                *at = retired->next;
                pool_free(retired->pool);
                free(retired);
        }
}

static int on_reap(sd_event_source *source, void *userdata) {
        transport_reap(userdata, false);
        return 0;
}

static void transport_call_reaper(Transport *t) {
        if (t->retired) /* not being called now means being called later */
                (void) sd_event_source_set_enabled(t->reaper, SD_EVENT_ONESHOT);
}

static void on_pool_done(void *userdata, uint64_t cookie, HttpReply *reply) {
        Transport *t = userdata;

        transport_call_reaper(t);
        t->calling = true;
        t->done(t->userdata, cookie, reply);
        t->calling = false;
}

static void on_pool_after(void *userdata) {
        Transport *t = userdata;

        if (t->after)
                t->after(t->userdata);
}

int transport_new(sd_event *event, const TransportOptions *options, TransportDone done, TransportAfter after, void *userdata,
                  Transport **ret) {
        _cleanup_(transport_freep) Transport *t = NULL;
        int r;

        assert(event);
        assert(options);
        assert(done);
        assert(ret);

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->event = sd_event_ref(event);
        t->done = done;
        t->after = after;
        t->userdata = userdata;

        /* libcurl leaves it alone with CURLOPT_NOSIGNAL, and not every TLS library writes with MSG_NOSIGNAL. */
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        t->libcurl_is_up = true;

        r = sd_event_add_defer(event, &t->reaper, on_reap, t);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(t->reaper, "transport-reaper");
        r = sd_event_source_set_enabled(t->reaper, SD_EVENT_OFF);
        if (r < 0)
                return r;

        r = pool_new(event, options, on_pool_done, on_pool_after, t, &t->pool);
        if (r < 0)
                return r;

        *ret = STEAL(t);
        return 0;
}

Transport *transport_free(Transport *t) {
        if (!t)
                return NULL;

        assert(!t->calling);
        transport_reap(t, true);
        pool_free(t->pool);
        (void) sd_event_source_disable_unref(t->reaper);
        sd_event_unref(t->event);
        if (t->libcurl_is_up)
                curl_global_cleanup();
        free(t);
        return NULL;
}

int transport_reconfigure(Transport *t, const TransportOptions *options) {
        RetiredPool *retired;
        int r;

        assert(t);
        assert(options);

        retired = malloc(sizeof(*retired));
        if (!retired)
                return -ENOMEM;
        *retired = (RetiredPool) { .pool = t->pool, .next = t->retired };

        r = pool_new(t->event, options, on_pool_done, on_pool_after, t, &t->pool);
        if (r < 0) {
                free(retired);
                return r;
        }

        t->retired = retired;
        transport_call_reaper(t);
        return 0;
}

int transport_send(Transport *t, HttpRequest *request, uint64_t cookie) {
        assert(t);
        assert(request);

        return pool_send(t->pool, request, cookie);
}

void transport_start(Transport *t) {
        assert(t);
        assert(!t->calling);

        pool_start(t->pool);
}

size_t transport_n_running(const Transport *t) {
        size_t n;

        assert(t);

        n = pool_n_running(t->pool);
        for (const RetiredPool *retired = t->retired; retired; retired = retired->next)
                n += pool_n_running(retired->pool);
        return n;
}
