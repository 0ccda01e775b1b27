/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include <microhttpd.h>
#include <utlist.h>

#include "sim/json.h"

#define LISTENERS_MAX    3            /* https, http, metadata */
#define HEADERS_READ_MAX 200          /* of one request; the rest is not looked at */
#define CONNECTION_BYTES (256 * 1024) /* request line and headers: tokens and security tokens run to 32 KB each */
#define IDLE_SECONDS     300          /* a connection that says nothing for so long is closed */
#define TLS_PRIORITIES   "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" /* the cloud's own floor */
#define STOP_TURNS       16 /* how often connections may still move when the front is closed */

typedef struct FrontListener {
        Front *front;
        SimListener kind;
        struct MHD_Daemon *daemon;
} FrontListener;

/* One request from its first line until the connection is done with it. */
typedef struct FrontCall {
        FrontListener *listener;
        struct MHD_Connection *connection;
        char *uri; /* raw, with the query */
        char *body;
        size_t n_body, n_allocated;
        bool begun, handled, suspended;
        int result;      /* of the rules */
        usec_t due_usec; /* CLOCK_MONOTONIC; while suspended */
        SimReply reply;
        struct FrontCall *next, *prev; /* while suspended */
} FrontCall;

struct Front {
        Sim *sim;
        FrontLog log;
        FrontListener listeners[LISTENERS_MAX];
        size_t n_listeners;
        FrontCall *waiting;
        bool stopping;
};

static usec_t clock_usec(clockid_t id) {
        struct timespec t;

        (void) clock_gettime(id, &t); /* cannot fail for these clocks */
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* --- The log -------------------------------------------------------------------------------------------------- */

static void log_json(const FrontCall *call, const char *method, const char *path) {
        _cleanup_(json_object_putp) json_object *o = NULL;
        JsonBuild b = {};

        o = sim_json_build_object(&b);
        sim_json_build_time(&b, o, "time", clock_usec(CLOCK_REALTIME));
        sim_json_build_text(&b, o, "method", method);
        sim_json_build_text(&b, o, "path", path);
        sim_json_build_int(&b, o, "status", call->reply.drop ? 0 : call->reply.status);
        sim_json_build_text(&b, o, "call", call->reply.call);
        sim_json_build_text(&b, o, "who", call->reply.who);
        if (b.error >= 0)
                fprintf(stderr, "%s\n",
                        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* What came from outside, without what a terminal would take for a command. */
static void copy_printable(char *to, size_t size, const char *from, size_t n) {
        size_t i;

        for (i = 0; i < n && i < size - 1; i++)
                to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
        to[i] = '\0';
}

/* Path without query: neither holds a secret in these APIs, but a careless client could put one in a query. */
static void log_call(const FrontCall *call, const char *method) {
        char path[512], verb[17], time[TIME_TEXT_MAX];

        if (call->listener->front->log == FRONT_LOG_OFF)
                return;
        copy_printable(path, sizeof(path), call->uri, strcspn(call->uri, "?"));
        copy_printable(verb, sizeof(verb), method, strlen(method));

        if (call->listener->front->log == FRONT_LOG_JSON)
                log_json(call, verb, path);
        else
                fprintf(stderr, "%s %s %s %d %s %s\n", rfc3339_format(clock_usec(CLOCK_REALTIME), time), verb, path,
                        call->reply.drop ? 0 : call->reply.status, call->reply.call, call->reply.who);
}

/* --- From the wire to the rules ------------------------------------------------------------------------------- */

typedef struct HeaderList {
        SimHeader items[HEADERS_READ_MAX];
        size_t n_items;
} HeaderList;

static enum MHD_Result add_header(void *userdata, enum MHD_ValueKind kind, const char *name, const char *value) {
        HeaderList *list = userdata;

        if (list->n_items < HEADERS_READ_MAX)
                list->items[list->n_items++] = (SimHeader){ .name = name, .value = value ? value : "" };
        return MHD_YES;
}

static void describe_peer(struct MHD_Connection *connection, char *buf, size_t size, bool *ret_local) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *address = info ? info->client_addr : NULL;
        socklen_t n = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                : sizeof(struct sockaddr_in);

        *ret_local = false;
        if (!address || getnameinfo(address, n, buf, (socklen_t) size, NULL, 0, NI_NUMERICHOST) != 0) {
                (void) snprintf(buf, size, "unknown");
                return;
        }
        if (address->sa_family == AF_INET) {
                const struct sockaddr_in *v4 = (const void *) address;

                *ret_local = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        } else if (address->sa_family == AF_INET6) {
                const struct sockaddr_in6 *v6 = (const void *) address;

                *ret_local = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        }
}

static void ask_rules(FrontCall *call, const char *method) {
        Front *f = call->listener->front;
        HeaderList headers = {};
        char peer[NI_MAXHOST];
        char *query = strchr(call->uri, '?');
        SimRequest q = { .listener = call->listener->kind,
                         .method = method,
                         .path = call->uri,
                         .headers = headers.items,
                         .peer = peer,
                         .body = call->body,
                         .n_body = call->n_body };

        (void) MHD_get_connection_values(call->connection, MHD_HEADER_KIND, add_header, &headers);
        describe_peer(call->connection, peer, sizeof(peer), &q.peer_is_local);
        q.n_headers = headers.n_items;
        if (query) {
                *query = '\0';
                q.query = query + 1;
        }
        call->handled = true;
        call->result = sim_handle(f->sim, &q, clock_usec(CLOCK_REALTIME), &call->reply);
        if (call->result >= 0)
                log_call(call, method);
}

/* --- From the rules to the wire ------------------------------------------------------------------------------- */

static ssize_t read_cut(void *userdata, uint64_t position, char *buf, size_t max) {
        const FrontCall *call = userdata;
        size_t n;

        if (position >= call->reply.n_sent)
                return MHD_CONTENT_READER_END_WITH_ERROR; /* closes the connection in the middle of the body */
        n = MIN(max, call->reply.n_sent - (size_t) position);
        memcpy(buf, call->reply.body + position, n);
        return (ssize_t) n;
}

static enum MHD_Result send_reply(FrontCall *call) {
        static char empty[] = "";
        SimReply *p = &call->reply;
        struct MHD_Response *response;
        enum MHD_Result result;

        if (p->drop)
                return MHD_NO;
        if (p->cut)
                response = MHD_create_response_from_callback(p->n_body, 4096, read_cut, call, NULL);
        else
                response = MHD_create_response_from_buffer(p->n_body, p->body ? p->body : empty,
                                                           MHD_RESPMEM_MUST_COPY);
        if (!response)
                return MHD_NO;
        for (size_t i = 0; i < p->n_headers; i++)
                if (MHD_add_response_header(response, p->headers[i].name, p->headers[i].value) != MHD_YES) {
                        MHD_destroy_response(response);
                        return MHD_NO;
                }
        result = MHD_queue_response(call->connection, (unsigned) p->status, response);
        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result finish(FrontCall *call) {
        Front *f = call->listener->front;

        if (call->result < 0 || f->stopping)
                return MHD_NO;
        if (call->reply.delay_usec == 0)
                return send_reply(call);

        call->due_usec = usec_add(clock_usec(CLOCK_MONOTONIC), call->reply.delay_usec);
        call->reply.delay_usec = 0;
        call->suspended = true;
        DL_APPEND(f->waiting, call);
        MHD_suspend_connection(call->connection);
        return MHD_YES;
}

/* --- libmicrohttpd's callbacks -------------------------------------------------------------------------------- */

/*
 * The only place where the request line is seen as it was sent. Its result is the request's own pointer from
 * then on.
 */
static void *on_uri(void *userdata, const char *uri, struct MHD_Connection *connection) {
        FrontCall *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        call->listener = userdata;
        call->connection = connection;
        call->uri = strdup(uri);
        if (!call->uri) {
                free(call);
                return NULL;
        }
        return call;
}

static bool keep_body(FrontCall *call, const char *data, size_t n) {
        size_t want = call->n_body + n;

        /* One byte too many is enough for the rules to say so. */
        if (want > SIM_BODY_MAX + 1) {
                n = SIM_BODY_MAX + 1 - call->n_body;
                want = SIM_BODY_MAX + 1;
        }
        if (want > call->n_allocated) {
                size_t n_new = MAX(want, MIN(2 * call->n_allocated, SIM_BODY_MAX + 1));
                char *body = malloc(n_new);

                if (!body)
                        return false;
                if (call->body) {
                        memcpy(body, call->body, call->n_body);
                        explicit_bzero(call->body, call->n_body); /* may be a password */
                        free(call->body);
                }
                call->body = body;
                call->n_allocated = n_new;
        }
        if (n > 0)
                memcpy(call->body + call->n_body, data, n);
        call->n_body += n;
        return true;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *n_data,
                                  void **state) {
        FrontCall *call = *state;

        if (!call)
                return MHD_NO;
        if (!call->begun) {
                call->begun = true;
                return MHD_YES;
        }
        if (*n_data > 0) {
                if (!keep_body(call, data, *n_data))
                        return MHD_NO;
                *n_data = 0;
                return MHD_YES;
        }
        if (!call->handled)
                ask_rules(call, method);
        return finish(call);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why) {
        FrontCall *call = *state;

        if (!call)
                return;
        if (call->suspended)
                DL_DELETE(call->listener->front->waiting, call);
        if (call->body)
                explicit_bzero(call->body, call->n_body);
        free(call->body);
        free(call->uri);
        sim_reply_done(&call->reply);
        free(call);
        *state = NULL;
}

/* --- Listening and running ------------------------------------------------------------------------------------ */

int front_new(Sim *sim, FrontLog log, Front **ret) {
        Front *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->sim = sim;
        f->log = log;
        *ret = f;
        return 0;
}

static int open_socket(const struct sockaddr *address, socklen_t size, uint16_t *ret_port) {
        _cleanup_(close_fdp) int fd = -1;
        union {
                struct sockaddr_storage storage;
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } bound = {};
        socklen_t n = sizeof(bound);
        int on = 1;

        fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, address, size) < 0 ||
            listen(fd, SOMAXCONN) < 0 || getsockname(fd, &bound.any, &n) < 0)
                return -errno;

        *ret_port = ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
        return STEAL_FD(fd);
}

int front_listen(Front *f, SimListener kind, const struct sockaddr *address, socklen_t size,
                 const Certificate *certificate, uint16_t *ret_port) {
        unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
        struct MHD_OptionItem tls[] = {
                { MHD_OPTION_HTTPS_MEM_CERT, 0, certificate ? certificate->chain_pem : NULL },
                { MHD_OPTION_HTTPS_MEM_KEY, 0, certificate ? certificate->key_pem : NULL },
                { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) TLS_PRIORITIES },
                { MHD_OPTION_END, 0, NULL },
        };
        static struct MHD_OptionItem no_tls[] = { { MHD_OPTION_END, 0, NULL } };
        FrontListener *l = &f->listeners[f->n_listeners];
        int fd;

        assert(f->n_listeners < LISTENERS_MAX);

        fd = open_socket(address, size, ret_port);
        if (fd < 0)
                return fd;
        l->front = f;
        l->kind = kind;
        l->daemon = MHD_start_daemon(
                certificate ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
                MHD_OPTION_URI_LOG_CALLBACK, on_uri, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t) CONNECTION_BYTES, MHD_OPTION_ARRAY, certificate ? tls : no_tls, MHD_OPTION_END);
        if (!l->daemon) {
                (void) close(fd); /* libmicrohttpd takes it only when it starts */
                return -EIO;
        }
        f->n_listeners++;
        return 0;
}

/* Lets those go on whose time has come. */
static void wake(Front *f, bool all) {
        usec_t now = clock_usec(CLOCK_MONOTONIC);
        FrontCall *call, *tmp;

        DL_FOREACH_SAFE(f->waiting, call, tmp) {
                if (!all && call->due_usec > now)
                        continue;
                DL_DELETE(f->waiting, call);
                call->suspended = false;
                MHD_resume_connection(call->connection);
        }
}

/* How long the next one has to wait; -1: nobody waits. */
static int64_t next_msec(const Front *f) {
        usec_t now = clock_usec(CLOCK_MONOTONIC), next = USEC_INFINITY;
        FrontCall *call;

        DL_FOREACH(f->waiting, call)
        next = MIN(next, call->due_usec);
        return next == USEC_INFINITY ? -1 : (int64_t) ((usec_sub(next, now) + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

static int wait_msec(const Front *f) {
        int64_t most = next_msec(f);

        for (size_t i = 0; i < f->n_listeners; i++) {
                MHD_UNSIGNED_LONG_LONG msec;

                if (MHD_get_timeout(f->listeners[i].daemon, &msec) == MHD_YES &&
                    (most < 0 || msec < (MHD_UNSIGNED_LONG_LONG) most))
                        most = (int64_t) MIN(msec, (MHD_UNSIGNED_LONG_LONG) 60000);
        }
        return most < 0 ? -1 : (int) MIN(most, INT64_C(60000));
}

static void turn(Front *f) {
        for (size_t i = 0; i < f->n_listeners; i++)
                (void) MHD_run(f->listeners[i].daemon); /* fails for a wrong kind of daemon only */
}

int front_run(Front *f, int stop_fd) {
        struct pollfd fds[LISTENERS_MAX + 1] = { { .fd = stop_fd, .events = POLLIN } };

        for (size_t i = 0; i < f->n_listeners; i++) {
                const union MHD_DaemonInfo *info = MHD_get_daemon_info(f->listeners[i].daemon,
                                                                       MHD_DAEMON_INFO_EPOLL_FD);

                if (!info)
                        return -EIO;
                fds[i + 1] = (struct pollfd){ .fd = info->epoll_fd, .events = POLLIN };
        }
        for (;;) {
                wake(f, false);
                turn(f);
                if (poll(fds, (nfds_t) f->n_listeners + 1, wait_msec(f)) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents != 0)
                        return 0;
        }
}

Front *front_free(Front *f) {
        if (!f)
                return NULL;

        f->stopping = true;
        wake(f, true);
        for (int i = 0; i < STOP_TURNS; i++)
                turn(f); /* libmicrohttpd must not be stopped while a connection is suspended */
        for (size_t i = 0; i < f->n_listeners; i++)
                MHD_stop_daemon(f->listeners[i].daemon);
        free(f);
        return NULL;
}
