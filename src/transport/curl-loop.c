/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/curl-loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/time-util.h"

#define EVENTS_PER_DISPATCH 64  /* then the loop's other sources get their turn; picked, not measured */

/*
 * libcurl's sockets come and go with every transfer. They live in an epoll set of their own, of which sd-event sees but
 * the one descriptor: adding and removing a socket is then one system call and no allocation.
 */
struct CurlLoop {
        CURLM *multi;
        int epoll_fd;
        sd_event_source *io, *timer;
        CurlLoopDone done;
        void *userdata;
};

/* Tells of all that has ended. A transfer may be added meanwhile; it does not run before the loop comes round. */
static void curl_loop_drain(CurlLoop *l) {
        CURLMsg *message;
        int n_left;

        while ((message = curl_multi_info_read(l->multi, &n_left))) {
                CURL *easy = message->easy_handle;
                CURLcode result = message->data.result; /* gone once the handle is removed */

                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_loop_remove(l, easy);
                l->done(l->userdata, easy, result);
        }
}

/* Errors of the multi handle itself (memory) are left at that: each exchange has its own deadline. */
static void curl_loop_act(CurlLoop *l, curl_socket_t fd, int what) {
        int n_running;

        (void) curl_multi_socket_action(l->multi, fd, what, &n_running);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct epoll_event events[EVENTS_PER_DISPATCH];
        CurlLoop *l = userdata;
        int n;

        n = epoll_wait(l->epoll_fd, events, N_ELEMENTS(events), 0);
        for (int i = 0; i < n; i++) {
                uint32_t e = events[i].events;
                int what = 0;

                /* On errors libcurl shall try and see. CURL_CSELECT_ERR would fail the transfer with no reason given, and
                 * perhaps the wrong one: a descriptor may have been closed and opened anew since epoll_wait(). */
                if (e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                        what |= CURL_CSELECT_IN;
                if (e & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                        what |= CURL_CSELECT_OUT;
                curl_loop_act(l, events[i].data.fd, what);
        }

        /* What is left of more than EVENTS_PER_DISPATCH keeps the set readable. */
        curl_loop_drain(l);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        CurlLoop *l = userdata;

        curl_loop_act(l, CURL_SOCKET_TIMEOUT, 0);
        curl_loop_drain(l);
        return 0;
}

/* Called by libcurl: what it wants to hear of a socket. Failing would make it drop every transfer; one that is not heard of
 * ends by its own time-out instead. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
        struct epoll_event event = { .data.fd = fd };
        CurlLoop *l = userdata;

        if (what == CURL_POLL_REMOVE) {
                (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
                return 0;
        }

        if (what != CURL_POLL_OUT)
                event.events |= EPOLLIN;
        if (what != CURL_POLL_IN)
                event.events |= EPOLLOUT;
        /* One that was closed behind our back has left the set by itself, and its number may be in use again. */
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
                (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        return 0;
}

static usec_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts); /* that clock exists everywhere */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* Called by libcurl: when it wants to be called again. It reckons with CLOCK_MONOTONIC too, and from now rather than from
 * when the loop woke up, which is what sd-event's relative times count from. */
static int on_timer_change(CURLM *multi, long timeout_ms, void *userdata) {
        CurlLoop *l = userdata;
        int r;

        if (timeout_ms < 0)
                r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        else {
                r = sd_event_source_set_time(l->timer, now_monotonic() + (usec_t) timeout_ms * USEC_PER_MSEC);
                if (r >= 0)
                        r = sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
        }

        (void) r; /* fails only for a loop that is over or in another process; deadlines see to the rest */
        return 0;
}

static int multi_errno(CURLMcode rc) {
        return rc == CURLM_OK ? 0 : rc == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

static int set_up_multi(CurlLoop *l, unsigned max_host_connections, unsigned max_connections) {
        CURLMcode rc;

        rc = curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) max_host_connections);
        if (rc == CURLM_OK)
                rc = curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long) max_connections);

        return multi_errno(rc);
}

int curl_loop_new(sd_event *event, unsigned max_host_connections, unsigned max_connections, CurlLoopDone done, void *userdata,
                  CurlLoop **ret) {
        _cleanup_(curl_loop_freep) CurlLoop *l = NULL;
        int r;

        assert(event);
        assert(done);
        assert(ret);

        l = malloc(sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = (CurlLoop) { .epoll_fd = -1, .done = done, .userdata = userdata };

        l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (l->epoll_fd < 0)
                return -errno;
        r = sd_event_add_io(event, &l->io, l->epoll_fd, EPOLLIN, on_io, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->io, "transport-io");

        r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->timer, "transport-timer");
        r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;

        l->multi = curl_multi_init();
        if (!l->multi)
                return -ENOMEM;
        r = set_up_multi(l, max_host_connections, max_connections);
        if (r < 0)
                return r;

        *ret = STEAL(l);
        return 0;
}

CurlLoop *curl_loop_free(CurlLoop *l) {
        if (!l)
                return NULL;

        /* First, since closing connections calls on_socket() and on_timer_change(). */
        (void) curl_multi_cleanup(l->multi);
        (void) sd_event_source_disable_unref(l->timer);
        (void) sd_event_source_disable_unref(l->io);
        close_fdp(&l->epoll_fd);
        free(l);
        return NULL;
}

int curl_loop_add(CurlLoop *l, CURL *easy) {
        assert(l);
        assert(easy);

        return multi_errno(curl_multi_add_handle(l->multi, easy));
}

void curl_loop_remove(CurlLoop *l, CURL *easy) {
        assert(l);
        assert(easy);

        (void) curl_multi_remove_handle(l->multi, easy); /* fails only for handles that are not in it */
}
