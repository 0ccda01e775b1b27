/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/curl-loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time-util.h"

#define EVENTS_PER_DISPATCH 64  /* then the loop's other sources get their turn; picked, not measured */

/* What we know of a descriptor. */
typedef struct Watch {
        bool ours;              /* a connection that on_open() has made and on_close() will end */
        bool idle;              /* ours: no transfer is on it now */
        uint32_t events;        /* ours: what the set has it for; 0: it is not in the set */
} Watch;

/*
 * libcurl's sockets live in an epoll set of their own, of which sd-event sees but the one descriptor. libcurl lets go of a socket after
 * every transfer and takes it up again with the next. A connection stays in the set meanwhile, which saves three system calls a request; if
 * something comes while it is idle (mostly its end), it is taken out, and libcurl will see for itself when it takes it up.
 */
struct CurlLoop {
        CURLM *multi;
        int epoll_fd;
        sd_event_source *io;
        sd_event_source *soon;  /* what libcurl wants to do at once, after what has come in */
        sd_event_source *timer;
        usec_t wanted_at_usec;  /* CLOCK_MONOTONIC: when libcurl wants to be called; USEC_INFINITY: not at all */
        bool wanted_soon;       /* at once, and @soon will see to it */
        size_t n_handles;       /* in @multi */
        usec_t armed_at_usec;   /* when the timer wakes us, perhaps too early: setting it is a system call */
        Watch *watches;         /* by descriptor */
        size_t n_watches;
        CurlLoopDone done;
        CurlLoopAfter after;
        void *userdata;
};

static usec_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts); /* that clock exists everywhere */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* --- What has come ------------------------------------------------------------------------------------------------ */

/* Tells of all that has ended. A transfer may be added meanwhile; it does not run before the loop comes round. */
static void curl_loop_drain(CurlLoop *l) {
        CURLMsg *message;
        bool told = false;
        int n_left;

        while ((message = curl_multi_info_read(l->multi, &n_left))) {
                CURL *easy = message->easy_handle;
                CURLcode result = message->data.result; /* gone once the handle is removed */

                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_loop_remove(l, easy);
                l->done(l->userdata, easy, result);
                told = true;
        }

        if (told)
                l->after(l->userdata);
}

/* Errors of the multi handle itself (memory) are left at that: each exchange has its own deadline. Return: has anything ended? */
static bool curl_loop_act(CurlLoop *l, curl_socket_t fd, int what) {
        int n_running;

        return curl_multi_socket_action(l->multi, fd, what, &n_running) == CURLM_OK && (size_t) n_running < l->n_handles;
}

/* Something has come on a connection that nobody uses. Return: whether that was it. */
static bool put_aside(CurlLoop *l, int fd) {
        Watch *w = (size_t) fd < l->n_watches ? &l->watches[fd] : NULL;

        if (!w || !w->ours || !w->idle)
                return false;

        (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it is in there, or it would not have been reported */
        w->events = 0;
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct epoll_event events[EVENTS_PER_DISPATCH];
        CurlLoop *l = userdata;
        int n;

        n = epoll_wait(l->epoll_fd, events, N_ELEMENTS(events), 0);
        for (int i = 0; i < n; i++) {
                uint32_t e = events[i].events;
                int what = 0;

                if (put_aside(l, events[i].data.fd))
                        continue;

                /* On errors libcurl shall try and see. CURL_CSELECT_ERR would fail the transfer with no reason given, and
                 * perhaps the wrong one: a descriptor may have been closed and opened anew since epoll_wait(). */
                if (e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                        what |= CURL_CSELECT_IN;
                if (e & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                        what |= CURL_CSELECT_OUT;
                (void) curl_loop_act(l, events[i].data.fd, what);
        }

        /* What is left of more than EVENTS_PER_DISPATCH keeps the set readable. */
        curl_loop_drain(l);
        return 0;
}

/* --- When libcurl wants to be called ------------------------------------------------------------------------------ */

static bool call_back(CurlLoop *l) {
        l->wanted_at_usec = USEC_INFINITY;      /* it says so if it wants to be called again */
        l->wanted_soon = false;
        return curl_loop_act(l, CURL_SOCKET_TIMEOUT, 0);
}

static int on_soon(sd_event_source *source, void *userdata) {
        (void) call_back(userdata);
        curl_loop_drain(userdata);
        return 0;
}

static void arm_timer(CurlLoop *l) {
        if (l->armed_at_usec <= l->wanted_at_usec)
                return; /* it wakes us early enough, and is set anew then */

        /* Fails only for a loop that is over or in another process; deadlines see to the rest. */
        if (sd_event_source_set_time(l->timer, l->wanted_at_usec) >= 0 &&
            sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT) >= 0)
                l->armed_at_usec = l->wanted_at_usec;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        CurlLoop *l = userdata;

        l->armed_at_usec = USEC_INFINITY;
        if (l->wanted_at_usec <= now_monotonic())
                (void) on_soon(l->soon, l);
        arm_timer(l);
        return 0;
}

void curl_loop_start(CurlLoop *l) {
        assert(l);

        if (!l->wanted_soon)
                return;
        (void) sd_event_source_set_enabled(l->soon, SD_EVENT_OFF);
        if (call_back(l))
                (void) sd_event_source_set_enabled(l->soon, SD_EVENT_ONESHOT);
}

/* Called by libcurl: when it wants to be called again. It reckons with CLOCK_MONOTONIC too, and from now rather than from when the loop woke
 * up, which is what sd-event's relative times count from. */
static int on_timer_change(CURLM *multi, long timeout_ms, void *userdata) {
        CurlLoop *l = userdata;

        l->wanted_at_usec = timeout_ms < 0 ? USEC_INFINITY : now_monotonic() + (usec_t) timeout_ms * USEC_PER_MSEC;
        l->wanted_soon = timeout_ms == 0 && sd_event_source_set_enabled(l->soon, SD_EVENT_ONESHOT) >= 0;
        if (!l->wanted_soon)
                arm_timer(l);
        return 0;
}

/* --- Sockets ------------------------------------------------------------------------------------------------------ */

/* NULL: there is no memory to know anything of it. */
static Watch *watch_get(CurlLoop *l, int fd) {
        size_t n = l->n_watches > 0 ? l->n_watches : 64;
        Watch *larger;

        while ((size_t) fd >= n)
                n *= 2;
        if (n > l->n_watches) {
                larger = reallocarray(l->watches, n, sizeof(*larger));
                if (!larger)
                        return NULL;
                memset(larger + l->n_watches, 0, (n - l->n_watches) * sizeof(*larger));
                l->watches = larger;
                l->n_watches = n;
        }

        return &l->watches[fd];
}

/* Called by libcurl: a connection begins. */
static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address) {
        CurlLoop *l = userdata;
        Watch *w;
        int fd;

        fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd < 0)
                return CURL_SOCKET_BAD;

        w = watch_get(l, fd);
        if (w)
                *w = (Watch) { .ours = true };
        return fd;
}

/* Called by libcurl: it ends. */
static int on_close(void *userdata, curl_socket_t fd) {
        CurlLoop *l = userdata;

        if ((size_t) fd < l->n_watches)
                l->watches[fd] = (Watch) {};
        return close(fd);       /* leaves the set by itself */
}

static void let_go(CurlLoop *l, Watch *w, int fd) {
        if (w)
                w->idle = true;
        else
                (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Called by libcurl: what it wants to hear of a socket. Failing would make it drop every transfer; one that is not heard of
 * ends by its own time-out instead. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
        struct epoll_event event = { .data.fd = fd };
        CurlLoop *l = userdata;
        Watch *w = (size_t) fd < l->n_watches && l->watches[fd].ours ? &l->watches[fd] : NULL;

        if (what == CURL_POLL_REMOVE) {
                let_go(l, w, fd);
                return 0;
        }

        if (what != CURL_POLL_OUT)
                event.events |= EPOLLIN;
        if (what != CURL_POLL_IN)
                event.events |= EPOLLOUT;
        if (w) {
                w->idle = false;
                if (w->events == event.events)
                        return 0;
                w->events = event.events;
        }

        /* One that was closed behind our back has left the set by itself, and its number may be in use again. */
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
                (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        return 0;
}

int curl_loop_prepare(CurlLoop *l, CURL *easy) {
        assert(l);
        assert(easy);

        if (curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, l) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, l) != CURLE_OK)
                return -EOPNOTSUPP;
        return 0;
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

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

static int set_up_sources(CurlLoop *l, sd_event *event) {
        int r;

        r = sd_event_add_io(event, &l->io, l->epoll_fd, EPOLLIN, on_io, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->io, "transport-io");

        r = sd_event_add_defer(event, &l->soon, on_soon, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->soon, SD_EVENT_OFF);
        /* What has come in first: its answers make room for what is to go out. */
        if (r >= 0)
                r = sd_event_source_set_priority(l->soon, SD_EVENT_PRIORITY_NORMAL + 5);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->soon, "transport-soon");

        r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->timer, "transport-timer");
        return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
}

int curl_loop_new(sd_event *event, unsigned max_host_connections, unsigned max_connections, CurlLoopDone done, CurlLoopAfter after,
                  void *userdata, CurlLoop **ret) {
        _cleanup_(curl_loop_freep) CurlLoop *l = NULL;
        int r;

        assert(event);
        assert(done);
        assert(after);
        assert(ret);

        l = malloc(sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = (CurlLoop) {
                .epoll_fd = -1,
                .done = done,
                .after = after,
                .userdata = userdata,
                .wanted_at_usec = USEC_INFINITY,
                .armed_at_usec = USEC_INFINITY,
        };

        l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (l->epoll_fd < 0)
                return -errno;
        r = set_up_sources(l, event);
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

        /* First, since closing connections calls on_close(), on_socket() and on_timer_change(). */
        (void) curl_multi_cleanup(l->multi);
        (void) sd_event_source_disable_unref(l->timer);
        (void) sd_event_source_disable_unref(l->soon);
        (void) sd_event_source_disable_unref(l->io);
        close_fdp(&l->epoll_fd);
        free(l->watches);
        free(l);
        return NULL;
}

int curl_loop_add(CurlLoop *l, CURL *easy) {
        int r;

        assert(l);
        assert(easy);

        r = multi_errno(curl_multi_add_handle(l->multi, easy));
        l->n_handles += r >= 0;
        return r;
}

void curl_loop_remove(CurlLoop *l, CURL *easy) {
        assert(l);
        assert(easy);

        (void) curl_multi_remove_handle(l->multi, easy); /* fails only for handles that are not in it */
        l->n_handles--;
}
