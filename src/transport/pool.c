/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <curl/curl.h>

#include "transport/curl-loop.h"
#include "transport/exchange.h"

#define MAX_CONNECTIONS_DEFAULT 16
#define CONNECT_TIMEOUT_DEFAULT_USEC (5 * USEC_PER_SEC)
#define TIMEOUT_DEFAULT_USEC (30 * USEC_PER_SEC)

#define IDLE_CONNECTIONS_MAX 256        /* of all endpoints together; picked: sixteen endpoints with sixteen each */
#define SPARE_MAX 64                    /* handles kept for the next request, a few KB each; picked, not measured */

/*
 * libcurl does not look at the time-out of a transfer that waits for a free connection, and none is served any more if
 * its multi handle fails. So that every request sent is answered, each has a deadline of ours, this much after the time at
 * which libcurl should have ended it.
 */
#define DEADLINE_GRACE_USEC (1 * USEC_PER_SEC)
#define DEADLINE_TICK_USEC (1 * USEC_PER_SEC)   /* how often they are looked at while anything runs; one timer, seldom set */

struct Pool {
        sd_event *event;
        ExchangeSettings settings;
        CurlLoop *loop;
        sd_event_source *ticks;
        bool ticking;
        PoolDone done;
        PoolAfter after;
        void *userdata;
        Exchange *running, *spare;      /* spare: singly linked by next */
        size_t n_running, n_spare;
};

static void pool_link(Pool *p, Exchange *x) {
        x->previous = NULL;
        x->next = p->running;
        if (p->running)
                p->running->previous = x;
        p->running = x;
        p->n_running++;
}

static void pool_unlink(Pool *p, Exchange *x) {
        if (x->previous)
                x->previous->next = x->next;
        else
                p->running = x->next;
        if (x->next)
                x->next->previous = x->previous;
        x->previous = x->next = NULL;
        p->n_running--;
}

static void pool_keep(Pool *p, Exchange *x) {
        if (p->n_spare >= SPARE_MAX) {
                exchange_free(x);
                return;
        }

        x->next = p->spare;
        p->spare = x;
        p->n_spare++;
}

static int pool_make(Pool *p, Exchange **ret) {
        _cleanup_(exchange_freep) Exchange *x = NULL;
        int r;

        r = exchange_new(&p->settings, &x);
        if (r >= 0)
                r = curl_loop_prepare(p->loop, x->easy);
        if (r < 0)
                return r;

        *ret = STEAL(x);
        return 0;
}

static int pool_take(Pool *p, Exchange **ret) {
        Exchange *x = p->spare;

        if (!x)
                return pool_make(p, ret);

        p->spare = x->next;
        x->next = NULL;
        p->n_spare--;
        *ret = x;
        return 0;
}

/* @x is out of the loop. Everything is in order again before the callback, which may send the next request. */
static void pool_finish(Pool *p, Exchange *x, CURLcode result) {
        uint64_t cookie = x->cookie;
        HttpReply reply = {};

        exchange_end(x, result, &reply);
        pool_unlink(p, x);
        pool_keep(p, x);

        p->done(p->userdata, cookie, &reply);
        http_reply_done(&reply);
}

static void on_loop_done(void *userdata, CURL *easy, CURLcode result) {
        char *x = NULL;

        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x) != CURLE_OK || !x)
                return;

        pool_finish(userdata, (Exchange *) (void *) x, result);
}

static void on_loop_after(void *userdata) {
        Pool *p = userdata;

        p->after(p->userdata);
}

static usec_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts); /* that clock exists everywhere */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static int pool_tick_later(Pool *p) {
        int r;

        r = sd_event_source_set_time(p->ticks, now_monotonic() + DEADLINE_TICK_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->ticks, SD_EVENT_ONESHOT);
        p->ticking = r >= 0;
        return r;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        usec_t now = now_monotonic();
        Pool *p = userdata;
        bool told = false;
        Exchange *next;

        /* The callback of one may send others, which go to the front, and ends none. */
        for (Exchange *x = p->running; x; x = next) {
                next = x->next;
                if (x->deadline_at_usec > now)
                        continue;
                curl_loop_remove(p->loop, x->easy);
                pool_finish(p, x, CURLE_OPERATION_TIMEDOUT);
                told = true;
        }
        if (told)
                p->after(p->userdata);

        p->ticking = false;
        if (p->running)
                (void) pool_tick_later(p);      /* fails only for a loop that is over; else with the next request */
        return 0;
}

int pool_send(Pool *p, HttpRequest *request, uint64_t cookie) {
        Exchange *x;
        int r;

        assert(p);
        assert(request);

        r = pool_take(p, &x);
        if (r < 0)
                return r;
        r = exchange_begin(x, &p->settings, request, cookie);
        if (r < 0) {
                pool_keep(p, x);
                return r;
        }

        x->deadline_at_usec = usec_add(now_monotonic(), usec_add(exchange_timeout_usec(x, &p->settings), DEADLINE_GRACE_USEC));
        r = p->ticking ? 0 : pool_tick_later(p);
        if (r >= 0)
                r = curl_loop_add(p->loop, x->easy);
        if (r < 0) {
                *request = x->request;
                x->request = (HttpRequest) {};
                exchange_free(x);
                return r;
        }

        pool_link(p, x);
        return 0;
}

void pool_start(Pool *p) {
        assert(p);
        curl_loop_start(p->loop);
}

size_t pool_n_running(const Pool *p) {
        assert(p);
        return p->n_running;
}

static int check_readable(const char *path) {
        _cleanup_(close_fdp) int fd = -1;
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;

        return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

/* The system's certificates in one file: where libcurl was told at its build, or where the distributions keep it. */
static const char *system_ca_file(void) {
        const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
        const char *const candidates[] = {
                info->age >= CURLVERSION_SEVENTH ? info->cainfo : NULL,
                "/etc/ssl/certs/ca-certificates.crt",   /* Debian, Arch */
                "/etc/pki/tls/certs/ca-bundle.crt",     /* Fedora, openEuler */
                "/etc/ssl/ca-bundle.pem",               /* SUSE */
        };

        for (size_t i = 0; i < N_ELEMENTS(candidates); i++)
                if (candidates[i] && check_readable(candidates[i]) >= 0)
                        return candidates[i];

        /* Without one, https fails and says so. */
        return candidates[0] ? candidates[0] : candidates[1];
}

static int copy_settings(const TransportOptions *options, ExchangeSettings *settings) {
        int r;

        settings->connect_timeout_usec = options->connect_timeout_usec;
        if (settings->connect_timeout_usec == 0)
                settings->connect_timeout_usec = CONNECT_TIMEOUT_DEFAULT_USEC;
        settings->timeout_usec = options->timeout_usec;
        if (settings->timeout_usec == 0)
                settings->timeout_usec = TIMEOUT_DEFAULT_USEC;

        if (options->ca_file) {
                r = check_readable(options->ca_file);
                if (r < 0)
                        return r;
        }
        settings->ca_file = strdup(options->ca_file ? options->ca_file : system_ca_file());
        if (!settings->ca_file)
                return -ENOMEM;

        if (options->proxy && *options->proxy) {
                settings->proxy = strdup(options->proxy);
                if (!settings->proxy)
                        return -ENOMEM;
        }

        return 0;
}

static void settings_done(ExchangeSettings *settings) {
        free(settings->ca_file);
        if (settings->proxy)
                explicit_bzero(settings->proxy, strlen(settings->proxy)); /* may hold a password */
        free(settings->proxy);
}

int pool_new(sd_event *event, const TransportOptions *options, PoolDone done, PoolAfter after, void *userdata, Pool **ret) {
        _cleanup_(pool_freep) Pool *p = NULL;
        Exchange *x;
        unsigned n;
        int r;

        assert(event);
        assert(options);
        assert(done);
        assert(after);
        assert(ret);

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->event = sd_event_ref(event);
        p->done = done;
        p->after = after;
        p->userdata = userdata;

        r = copy_settings(options, &p->settings);
        if (r < 0)
                return r;
        n = options->max_connections > 0 ? options->max_connections : MAX_CONNECTIONS_DEFAULT;
        r = curl_loop_new(event, n, MAX(n, (unsigned) IDLE_CONNECTIONS_MAX), on_loop_done, on_loop_after, p, &p->loop);
        if (r < 0)
                return r;

        r = sd_event_add_time(event, &p->ticks, CLOCK_MONOTONIC, 0, 100 * USEC_PER_MSEC, on_tick, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->ticks, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(p->ticks, "transport-deadlines");

        /* Options that libcurl refuses come to light here and not with the first request. */
        r = pool_make(p, &x);
        if (r < 0)
                return r;
        pool_keep(p, x);

        *ret = STEAL(p);
        return 0;
}

Pool *pool_free(Pool *p) {
        if (!p)
                return NULL;

        while (p->running) {
                Exchange *x = p->running;

                curl_loop_remove(p->loop, x->easy);
                pool_unlink(p, x);
                exchange_free(x);
        }
        while (p->spare) {
                Exchange *x = p->spare;

                p->spare = x->next;
                exchange_free(x);
        }
        (void) sd_event_source_disable_unref(p->ticks);
        curl_loop_free(p->loop);
        settings_done(&p->settings);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}
