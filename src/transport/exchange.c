/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/exchange.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "transport/origin.h"

#define HEADERS_USUAL ((size_t) 600)    /* bytes of a signed request; the rest is for temporary keys and tokens */
#define REQUEST_HEADERS_MAX (256 * 1024)        /* bytes; above all that a service takes, below what libcurl would (1 MB) */

/* A peer that sends not one byte a second for so long has gone; only timeouts above it are cut short. Picked, not measured. */
#define LOW_SPEED_BYTES 1L
#define LOW_SPEED_SECONDS 60L

/* Idle connections are probed, so that firewalls keep them and dead ones are noticed. Seconds; below the usual 5 min of a NAT. */
#define KEEPALIVE_IDLE_SECONDS 60L
#define KEEPALIVE_PROBE_SECONDS 30L

/* Of each handle, read into and handed on; replies have some hundred bytes, and libcurl's own choice is 16 KiB. Picked. */
#define BUFFER_BYTES 4096L

/* What a request is copied to before it is written: its headers must be in there whole with HTTP/2. libcurl's own choice is 64 KiB for each
 * request under way, which nothing but the largest tokens needs; its least is this. */
#define ROOM_STEP ((size_t) 16 * 1024)
#define ROOM_FOR_LIBCURL ((size_t) 1024)        /* the request line but for its target, Host, Content-Length */

#define SET(option, value)                                             \
        do {                                                           \
                if (rc == CURLE_OK)                                    \
                        rc = curl_easy_setopt(x->easy, option, value); \
        } while (0)

static int curl_errno(CURLcode rc) {
        switch ((int) rc) { /* setting options fails in few ways */
        case CURLE_OK:
                return 0;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_UNKNOWN_OPTION:
        case CURLE_NOT_BUILT_IN:
        case CURLE_UNSUPPORTED_PROTOCOL:
                return -EOPNOTSUPP;
        default:
                return -EINVAL;
        }
}

static bool changes_something(HttpMethod m) {
        return m != HTTP_GET;
}

static size_t on_header(char *line, size_t size, size_t n, void *userdata) {
        Exchange *x = userdata;

        return reply_take_header(&x->reply, line, size * n) ? size * n : 0;
}

static size_t on_body(char *piece, size_t size, size_t n, void *userdata) {
        Exchange *x = userdata;

        /* Anything but the size offered ends the transfer; 0 would not for an empty piece. */
        return reply_take_body(&x->reply, piece, size * n) ? size * n : size * n + 1;
}

/*
 * The connection stands and the request is about to be written. From here on it may have been carried out.
 *
 * libcurl writes a request again, on another connection, when a connection that was used before dies without a byte of a
 * reply (Curl_retry_request() in its transfer.c), and it does not tell. For reading that is welcome. A change must not be
 * made twice: it gets a connection of its own (see exchange_begin()), but with HTTP/2 others may join that later, which
 * makes it one that is used again. So the second time is refused here.
 */
static int on_start(void *userdata, char *address, char *local_address, int port, int local_port) {
        Exchange *x = userdata;

        if (x->n_starts > 0 && changes_something(x->request.method)) {
                x->resend_refused = true;
                return CURL_PREREQFUNC_ABORT;
        }

        x->n_starts++;
        return CURL_PREREQFUNC_OK;
}

static bool have_http2(void) {
        return curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2;
}

static long milliseconds(usec_t usec) {
        usec_t msec = usec / USEC_PER_MSEC + (usec % USEC_PER_MSEC > 0);

        /* 0 would mean "for ever" to libcurl, and so would what does not fit. */
        msec = MIN(msec, (usec_t) INT_MAX);
        return (long) MAX(msec, (usec_t) 1);
}

static CURLcode set_tls(Exchange *x, const ExchangeSettings *settings) {
        CURLcode rc = CURLE_OK;

        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 2L);
        SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_CAINFO, settings->ca_file);
        /* With a folder of certificates every connection would read them all: libcurl caches them from a file only. */
        SET(CURLOPT_CAPATH, NULL);

        /* The same for a proxy that is itself spoken to over TLS. */
        SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
        SET(CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_PROXY_CAINFO, settings->ca_file);
        SET(CURLOPT_PROXY_CAPATH, NULL);

        return rc;
}

static CURLcode set_connection(Exchange *x, const ExchangeSettings *settings) {
        CURLcode rc = CURLE_OK;

        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
        SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
        SET(CURLOPT_NOPROXY, ""); /* set, so that the environment is not asked */
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        SET(CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE); /* tokens are not for the proxy */
        SET(CURLOPT_HTTP_VERSION, have_http2() ? (long) CURL_HTTP_VERSION_2TLS : (long) CURL_HTTP_VERSION_1_1);
        /* Wait for a connection that is being made, which may turn out to be shareable. libcurl waits only until the
         * first one to that server is up: one round trip where it speaks HTTP/1.1. */
        SET(CURLOPT_PIPEWAIT, 1L);
        SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings->connect_timeout_usec));
        SET(CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
        SET(CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SECONDS);
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
        SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_PROBE_SECONDS);
#if LIBCURL_VERSION_NUM >= 0x075700
        /* A time-out while a name is being resolved would otherwise wait, and the whole loop with it, for the resolver's
         * thread to come to its end. */
        SET(CURLOPT_QUICK_EXIT, 1L);
#endif

        return rc;
}

static CURLcode set_callbacks(Exchange *x) {
        CURLcode rc = CURLE_OK;

        SET(CURLOPT_PRIVATE, x);
        SET(CURLOPT_ERRORBUFFER, x->error);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, x);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, x);
        SET(CURLOPT_PREREQFUNCTION, on_start);
        SET(CURLOPT_PREREQDATA, x);

        return rc;
}

int exchange_new(const ExchangeSettings *settings, Exchange **ret) {
        _cleanup_(exchange_freep) Exchange *x = NULL;
        CURLcode rc;

        assert(settings);
        assert(ret);

        x = calloc(1, sizeof(*x));
        if (!x)
                return -ENOMEM;
        reply_init(&x->reply);

        x->easy = curl_easy_init();
        if (!x->easy)
                return -ENOMEM;

        rc = set_tls(x, settings);
        if (rc == CURLE_OK)
                rc = set_connection(x, settings);
        if (rc == CURLE_OK)
                rc = set_callbacks(x);
        if (rc != CURLE_OK)
                return curl_errno(rc);

        *ret = STEAL(x);
        return 0;
}

/* Nothing of the last request stays behind, neither in our memory nor as a pointer in libcurl's. */
static void exchange_clear(Exchange *x) {
        if (x->easy) {
                /* Setting to NULL does not fail. */
                (void) curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, NULL);
                (void) curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, NULL);
        }
        strbuf_done(&x->header_text);
        http_request_done(&x->request);
        reply_done(&x->reply);
        reply_init(&x->reply);
        x->cookie = 0;
        x->n_starts = 0;
        x->resend_refused = false;
        x->error[0] = '\0';
}

Exchange *exchange_free(Exchange *x) {
        if (!x)
                return NULL;

        exchange_clear(x);
        curl_easy_cleanup(x->easy);
        curl_url_cleanup(x->origin);
        free(x->origin_text);
        free(x);
        return NULL;
}

/* Visible ASCII: what a percent-encoded path or query is made of. Anything else could end the request line early. */
static bool is_target_text(const char *s, const char *forbidden) {
        size_t n = strcspn(s, forbidden);

        return s[n] == '\0' && http_text_visible(s, n);
}

static int request_check(const HttpRequest *q) {
        if (!q->origin || !q->path || q->path[0] != '/' || !is_target_text(q->path, "?#"))
                return -EINVAL;
        if (q->query && !is_target_text(q->query, "#"))
                return -EINVAL;
        if (q->n_body > 0 && (!q->body || !changes_something(q->method) || q->n_body > LONG_MAX))
                return -EINVAL;
        for (size_t i = 0; i < q->n_headers; i++)
                if (!http_header_value_valid(q->headers[i].value))
                        return -EINVAL;

        return 0;
}

/* libcurl reckons the one itself and waits for an answer to the other. */
static bool is_ours_to_send(const char *name) {
        return strcasecmp(name, "Content-Length") != 0 && strcasecmp(name, "Expect") != 0;
}

/*
 * The request's headers in libcurl's form: "Name: value", "Name;" for an empty one, "Name:" for none at all, which also
 * takes out what libcurl would add. One block holds the lines; the list's nodes are ours, so that nothing is left unwiped.
 */
static int write_headers(Exchange *x, const HttpRequest *q) {
        static const char *const unwanted[] = { "Accept", "Expect", "Content-Type" };
        size_t n_unwanted = changes_something(q->method) ? N_ELEMENTS(unwanted) : 1;    /* the others come with a body only */
        size_t at[N_ELEMENTS(x->header_nodes)], n = 0;
        StrBuf *b = &x->header_text;

        *b = (StrBuf) STRBUF(REQUEST_HEADERS_MAX);
        b->wipe = true;
        (void) strbuf_reserve(b, HEADERS_USUAL);        /* sticky */

        for (size_t i = 0; i < q->n_headers; i++) {
                const HttpHeader *h = &q->headers[i];

                if (!is_ours_to_send(h->name))
                        continue;
                at[n++] = b->n;
                (void) strbuf_add(b, h->name);  /* sticky */
                (void) strbuf_add(b, *h->value ? ": " : ";");
                (void) strbuf_add_n(b, h->value, strlen(h->value) + 1);
        }
        for (size_t i = 0; i < n_unwanted; i++) {
                if (is_ours_to_send(unwanted[i]) && http_request_header(q, unwanted[i]))
                        continue;
                at[n++] = b->n;
                (void) strbuf_add(b, unwanted[i]);
                (void) strbuf_add_n(b, ":", sizeof(":"));
        }
        if (b->error < 0)
                return b->error;

        for (size_t i = 0; i < n; i++)
                x->header_nodes[i] = (struct curl_slist) {
                        .data = b->s + at[i],
                        .next = i + 1 < n ? &x->header_nodes[i + 1] : NULL,
                };
        return 0;
}

/* Whom to connect to, and how: the same for one exchange after the other, mostly. */
static int set_origin(Exchange *x, const ExchangeSettings *settings, const HttpRequest *q) {
        bool no_proxy = !settings->proxy || q->no_proxy;
        CURLcode rc = CURLE_OK;
        Origin origin = {};
        char *text;
        int r;

        if (x->origin_text && x->no_proxy == no_proxy && streq(x->origin_text, q->origin))
                return 0;

        text = strdup(q->origin);
        if (!text)
                return -ENOMEM;
        r = origin_judge(text, &origin);
        if (r < 0) {
                free(text);
                return r;
        }

        /* A parsed URL spares libcurl the parsing. It is borrowed, so the old one goes after it has the new one. */
        SET(CURLOPT_CURLU, origin.url);
        SET(CURLOPT_PROTOCOLS_STR, origin.is_https ? "https" : "http");
        SET(CURLOPT_PROXY, no_proxy || origin.is_direct ? "" : settings->proxy);
        curl_url_cleanup(x->origin);
        free(x->origin_text);
        x->origin = origin.url;
        x->origin_text = rc == CURLE_OK ? text : NULL;
        x->no_proxy = no_proxy;
        if (rc != CURLE_OK)
                free(text);
        return rc == CURLE_OK ? 0 : curl_errno(rc);
}

static CURLcode set_target(Exchange *x, const HttpRequest *q) {
        size_t n_path = strlen(q->path), n_query = q->query ? strlen(q->query) : 0;
        _cleanup_(freep) char *target = malloc(n_path + n_query + 2);
        CURLcode rc = CURLE_OK;
        char *end;

        if (!target)
                return CURLE_OUT_OF_MEMORY;
        end = mempcpy(target, q->path, n_path);
        if (n_query > 0) {
                *end++ = '?';
                end = mempcpy(end, q->query, n_query);
        }
        *end = '\0';

        /* The URL names only whom to connect to; the target goes out byte by byte as it was signed, and is in no message
         * of libcurl's. */
        SET(CURLOPT_REQUEST_TARGET, target);
        return rc;
}

static CURLcode set_room(Exchange *x, const HttpRequest *q) {
        size_t n = x->header_text.n + strlen(q->origin) + strlen(q->path) + (q->query ? strlen(q->query) : 0) + q->n_body + ROOM_FOR_LIBCURL;
        size_t room = (n + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
        CURLcode rc = CURLE_OK;

        if (room == x->room)
                return CURLE_OK;

        SET(CURLOPT_UPLOAD_BUFFERSIZE, (long) room);
        x->room = rc == CURLE_OK ? room : 0;
        return rc;
}

static CURLcode set_method(Exchange *x, const HttpRequest *q) {
        CURLcode rc = CURLE_OK;

        if (!changes_something(q->method)) {
                SET(CURLOPT_HTTPGET, 1L);
                SET(CURLOPT_CUSTOMREQUEST, NULL);
        } else {
                SET(CURLOPT_POST, 1L);
                SET(CURLOPT_POSTFIELDSIZE, (long) q->n_body);
                SET(CURLOPT_POSTFIELDS, q->n_body > 0 ? q->body : ""); /* not copied */
                SET(CURLOPT_CUSTOMREQUEST, http_method_to_string(q->method));
        }

        /* A kept connection may have been closed by the server just now. A read is then sent again; of a change nobody
         * could say whether it arrived. A handshake is a small price: changes are rare. */
        SET(CURLOPT_FRESH_CONNECT, changes_something(q->method) ? 1L : 0L);
        return rc;
}

int exchange_begin(Exchange *x, const ExchangeSettings *settings, HttpRequest *request, uint64_t cookie) {
        usec_t timeout_usec;
        CURLcode rc;
        int r;

        assert(x);
        assert(settings);
        assert(request);

        r = request_check(request);
        if (r < 0)
                return r;
        r = set_origin(x, settings, request);
        if (r < 0)
                return r;
        r = write_headers(x, request);
        if (r < 0) {
                strbuf_done(&x->header_text);
                return r;
        }

        rc = set_target(x, request);
        if (rc == CURLE_OK)
                rc = set_room(x, request);
        if (rc == CURLE_OK)
                rc = set_method(x, request);
        SET(CURLOPT_HTTPHEADER, x->header_nodes);
        timeout_usec = request->timeout_usec > 0 ? request->timeout_usec : settings->timeout_usec;
        SET(CURLOPT_TIMEOUT_MS, milliseconds(timeout_usec));
        if (rc != CURLE_OK) {
                exchange_clear(x);
                return curl_errno(rc);
        }

        x->request = *request;
        *request = (HttpRequest) {};
        x->cookie = cookie;
        return 0;
}

usec_t exchange_timeout_usec(const Exchange *x, const ExchangeSettings *settings) {
        assert(x);
        assert(settings);

        return x->request.timeout_usec > 0 ? x->request.timeout_usec : settings->timeout_usec;
}

static const char *what_happened(const Exchange *x, CURLcode result) {
        if (x->resend_refused)
                return "The connection ended before an answer came; not sent a second time";
        if (x->reply.headers_over)
                return "The headers of the answer are over 256 KB";
        if (x->reply.out_of_memory)
                return "No memory for the answer";
        if (result == CURLE_OK)
                return "The connection ended within the headers of the answer";
        if (x->error[0])
                return x->error;

        return curl_easy_strerror(result);
}

/* "https://host: what happened". Peers have a say in the text (names in certificates), so only plain characters are left. */
static char *error_text(const Exchange *x, CURLcode result) {
        char *s;

        if (asprintf(&s, "%s: %s", x->request.origin, what_happened(x, result)) < 0)
                return NULL;
        for (char *p = s; *p; p++)
                if (*p < 0x20 || *p >= 0x7f)
                        *p = '?';

        return s;
}

/*
 * libcurl is content with a connection that ends among the headers or after "100 Continue"; nobody could tell what the
 * answer would have been. A body that we cut off ourselves is an answer, though libcurl calls the transfer failed.
 */
static bool is_answered(const Exchange *x, CURLcode result, long status) {
        return status >= 200 && x->reply.headers_whole && (result == CURLE_OK || x->reply.body_cut);
}

void exchange_end(Exchange *x, CURLcode result, HttpReply *ret) {
        curl_off_t taken_usec = 0;
        long status = 0;
        HttpReply reply = {};

        assert(x);
        assert(ret);

        if (curl_easy_getinfo(x->easy, CURLINFO_TOTAL_TIME_T, &taken_usec) == CURLE_OK && taken_usec > 0)
                reply.taken_usec = (usec_t) taken_usec;
        if (curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
                status = 0;

        if (is_answered(x, result, status)) {
                reply.outcome = HTTP_REPLIED;
                reply.status = (int) status;
                reply_hand_over(&x->reply, &reply);
        } else {
                reply.outcome = x->n_starts > 0 ? HTTP_LOST : HTTP_NOT_SENT;
                reply.error = error_text(x, result);
        }

        exchange_clear(x);
        *ret = reply;
}
