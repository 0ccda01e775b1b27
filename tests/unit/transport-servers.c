/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/macro.h"
#include "transport-servers.h"

/* The plain server: one thread, one connection after the other. */

static bool raw_wait(Raw *raw, int fd) {
        struct pollfd fds[] = { { .fd = raw->stop_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

        while (poll(fds, N_ELEMENTS(fds), -1) < 0)
                if (errno != EINTR)
                        return false;
        return !fds[0].revents;
}

/* Reads one request with its body. */
static bool raw_read(Raw *raw, int fd, char *buf, size_t size, size_t *ret_n) {
        size_t n = 0, n_wanted = SIZE_MAX;

        while (n < n_wanted) {
                ssize_t k;
                char *end, *length;

                if (!raw_wait(raw, fd))
                        return false;
                k = read(fd, buf + n, size - 1 - n);
                if (k <= 0)
                        return false;
                n += (size_t) k;
                buf[n] = '\0';
                end = strstr(buf, "\r\n\r\n");
                if (!end)
                        continue;
                length = strcasestr(buf, "\r\nContent-Length:");
                n_wanted = (size_t) (end + 4 - buf) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }

        *ret_n = n;
        return true;
}

static void raw_flood(int fd) {
        static const char more[] = "X-More: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";

        if (send(fd, "HTTP/1.1 200 OK\r\n", 17, MSG_NOSIGNAL) != 17)
                return;
        while (send(fd, more, sizeof(more) - 1, MSG_NOSIGNAL) == (ssize_t) sizeof(more) - 1)
                ;
}

static void raw_serve(Raw *raw, int fd) {
        static __thread char buf[sizeof(((Raw *) NULL)->seen)];

        for (unsigned i = 0;; i++) {
                size_t n;

                if (!raw_read(raw, fd, buf, sizeof(buf), &n))
                        return;
                (void) pthread_mutex_lock(&raw->lock);
                memcpy(raw->seen, buf, n + 1);
                raw->n_seen = n;
                raw->n_requests++;
                (void) pthread_mutex_unlock(&raw->lock);

                if (raw->mode == RAW_CLOSE || (raw->mode == RAW_ANSWER_THEN_CLOSE && i > 0))
                        return;
                if (raw->mode == RAW_HANG) {
                        (void) raw_wait(raw, fd);
                        return;
                }
                if (raw->mode == RAW_FLOOD) {
                        raw_flood(fd);
                        return;
                }
                if (send(fd, raw->answer, strlen(raw->answer), MSG_NOSIGNAL) < 0 || raw->mode == RAW_ANSWER_AND_CLOSE)
                        return;
        }
}

static void *raw_thread(void *userdata) {
        Raw *raw = userdata;

        while (raw_wait(raw, raw->listen_fd)) {
                _cleanup_(close_fdp) int fd = accept4(raw->listen_fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        continue;
                (void) pthread_mutex_lock(&raw->lock);
                raw->n_connections++;
                (void) pthread_mutex_unlock(&raw->lock);
                raw_serve(raw, fd);
        }

        return NULL;
}

int bind_on_loopback(uint16_t *ret_port) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, n), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &n), 0);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

Raw *raw_new(RawMode mode, const char *answer) {
        Raw *raw = calloc(1, sizeof(*raw));

        assert_non_null(raw);
        raw->mode = mode;
        raw->answer = answer;
        raw->listen_fd = bind_on_loopback(&raw->port);
        assert_int_equal(listen(raw->listen_fd, 64), 0);
        raw->stop_fd = eventfd(0, EFD_CLOEXEC);
        assert_true(raw->stop_fd >= 0);
        assert_int_equal(pthread_mutex_init(&raw->lock, NULL), 0);
        assert_int_equal(pthread_create(&raw->thread, NULL, raw_thread, raw), 0);
        return raw;
}

void raw_stop(Raw *raw) {
        assert_int_equal(eventfd_write(raw->stop_fd, 1), 0);
        assert_int_equal(pthread_join(raw->thread, NULL), 0);
        assert_int_equal(close(raw->listen_fd), 0);
        assert_int_equal(close(raw->stop_fd), 0);
        raw->listen_fd = -1;
}

unsigned raw_n_requests(Raw *raw) {
        unsigned n;

        (void) pthread_mutex_lock(&raw->lock);
        n = raw->n_requests;
        (void) pthread_mutex_unlock(&raw->lock);
        return n;
}

void raw_free(Raw *raw) {
        (void) pthread_mutex_destroy(&raw->lock);
        free(raw);
}

/* The TLS server. */

typedef struct Upload {
        char *uri;
        char body[4096];
        size_t n_body;
        bool started;
} Upload;

static X509 *certificate_new(EVP_PKEY *key, const char *names) {
        X509 *c = X509_new();
        X509_EXTENSION *e;

        assert_non_null(c);
        assert_int_equal(X509_set_version(c, 2), 1);
        assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c), 1), 1);
        assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c), -3600));
        assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c), 86400));
        assert_int_equal(X509_set_pubkey(c, key), 1);
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                                                    (const unsigned char *) "holdfast test", -1, -1, 0), 1);
        assert_int_equal(X509_set_issuer_name(c, X509_get_subject_name(c)), 1);
        e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        assert_non_null(e);
        assert_int_equal(X509_add_ext(c, e, -1), 1);
        X509_EXTENSION_free(e);
        assert_true(X509_sign(c, key, EVP_sha256()) > 0);
        return c;
}

static char *bio_text(BIO *b) {
        char *data, *text;
        long n = BIO_get_mem_data(b, &data);

        text = strndup(data, (size_t) n);
        assert_non_null(text);
        (void) BIO_free(b);
        return text;
}

/* A throw-away certificate that signs itself. */
static void make_certificate(const char *names, char **ret_key, char **ret_certificate) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        BIO *k = BIO_new(BIO_s_mem()), *c = BIO_new(BIO_s_mem());
        X509 *certificate;

        assert_non_null(key);
        certificate = certificate_new(key, names);
        assert_int_equal(PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL), 1);
        assert_int_equal(PEM_write_bio_X509(c, certificate), 1);
        *ret_key = bio_text(k);
        *ret_certificate = bio_text(c);
        X509_free(certificate);
        EVP_PKEY_free(key);
}

static enum MHD_Result https_reply(struct MHD_Connection *connection, unsigned status, const char *body, size_t n,
                                   const char *header, const char *value) {
        struct MHD_Response *response = MHD_create_response_from_buffer(n, (void *) (uintptr_t) body, MHD_RESPMEM_MUST_COPY);
        enum MHD_Result r;

        if (!response)
                return MHD_NO;
        if (header)
                (void) MHD_add_response_header(response, header, value);
        r = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return r;
}

static enum MHD_Result https_big(struct MHD_Connection *connection, size_t n) {
        char *body = malloc(n + 1);
        enum MHD_Result r;

        if (!body)
                return MHD_NO;
        memset(body, 'b', n);
        r = https_reply(connection, 200, body, n, NULL, NULL);
        free(body);
        return r;
}

static void *https_on_uri(void *userdata, const char *uri, struct MHD_Connection *connection) {
        Upload *u = calloc(1, sizeof(*u));

        if (u)
                u->uri = strdup(uri);
        return u;
}

static enum MHD_Result https_on_request(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                                        const char *version, const char *data, size_t *n_data, void **request) {
        char text[8192], token[40001];
        Upload *u = *request;

        if (!u || !u->uri)
                return MHD_NO;
        if (!u->started) {
                u->started = true;
                return MHD_YES;
        }
        if (*n_data > 0) {
                if (*n_data > sizeof(u->body) - 1 - u->n_body)
                        return MHD_NO;
                memcpy(u->body + u->n_body, data, *n_data);
                u->n_body += *n_data;
                *n_data = 0;
                return MHD_YES;
        }

        if (strncmp(path, "/big/", 5) == 0)
                return https_big(connection, strtoul(path + 5, NULL, 10));
        if (streq(path, "/redirect"))
                return https_reply(connection, 302, "", 0, "Location", "/elsewhere");
        if (streq(path, "/token")) {
                memset(token, 't', sizeof(token) - 1);
                token[sizeof(token) - 1] = '\0';
                return https_reply(connection, 201, "{}", 2, "x-subject-token", token);
        }

        (void) snprintf(text, sizeof(text), "%s %s %s", method, u->uri, u->body);
        return https_reply(connection, 200, text, strlen(text), "X-Request-ID", "req-1");
}

static void https_on_completed(void *userdata, struct MHD_Connection *connection, void **request,
                               enum MHD_RequestTerminationCode why) {
        Upload *u = *request;

        if (u)
                free(u->uri);
        free(u);
        *request = NULL;
}

static void https_on_connection(void *userdata, struct MHD_Connection *connection, void **socket_data,
                                enum MHD_ConnectionNotificationCode what) {
        Https *s = userdata;

        if (what == MHD_CONNECTION_NOTIFY_STARTED)
                __atomic_add_fetch(&s->n_connections, 1, __ATOMIC_SEQ_CST);
}

void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

Https *https_new(const char *names) {
        _cleanup_(freep) char *key = NULL, *certificate = NULL;
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        Https *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        make_certificate(names, &key, &certificate);
        s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, https_on_request, NULL,
                                     MHD_OPTION_SOCK_ADDR, &a,
                                     MHD_OPTION_HTTPS_MEM_KEY, key,
                                     MHD_OPTION_HTTPS_MEM_CERT, certificate,
                                     MHD_OPTION_URI_LOG_CALLBACK, https_on_uri, NULL,
                                     MHD_OPTION_NOTIFY_COMPLETED, https_on_completed, NULL,
                                     MHD_OPTION_NOTIFY_CONNECTION, https_on_connection, s,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 512 * 1024, MHD_OPTION_END);
        assert_non_null(s->daemon);
        s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;

        (void) snprintf(s->dir, sizeof(s->dir), "/tmp/test-transport-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        (void) snprintf(s->ca_file, sizeof(s->ca_file), "%s/ca.pem", s->dir);
        write_file(s->ca_file, certificate);
        return s;
}

unsigned https_n_connections(Https *s) {
        return __atomic_load_n(&s->n_connections, __ATOMIC_SEQ_CST);
}

void https_free(Https *s) {
        MHD_stop_daemon(s->daemon);
        assert_int_equal(unlink(s->ca_file), 0);
        assert_int_equal(rmdir(s->dir), 0);
        free(s);
}
