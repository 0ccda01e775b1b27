/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The two servers on the loopback that the transport is tested against: libmicrohttpd for TLS, and one that reads and answers
 * byte by byte what a test tells it to, for what goes over the wire and for every way of going wrong. They assert rather
 * than return errors.
 */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* The plain one: a single thread, one connection after the other. */

typedef enum RawMode {
        RAW_ANSWER,             /* every request, connections kept */
        RAW_ANSWER_THEN_CLOSE,  /* the first request of a connection; reads the second and closes */
        RAW_CLOSE,              /* reads a request and closes */
        RAW_ANSWER_AND_CLOSE,   /* answers and closes */
        RAW_HANG,               /* reads and never answers */
        RAW_FLOOD,              /* answers with headers without end */
} RawMode;

typedef struct Raw {
        RawMode mode;
        const char *answer;
        int listen_fd, stop_fd;
        uint16_t port;
        pthread_t thread;
        pthread_mutex_t lock;           /* of what follows */
        unsigned n_connections, n_requests;
        char seen[65536];               /* the last request */
        size_t n_seen;
} Raw;

Raw *raw_new(RawMode mode, const char *answer);        /* @answer: what is sent, static text */
unsigned raw_n_requests(Raw *raw);
void raw_stop(Raw *raw);        /* after this all counters are final and can be read without the lock */
void raw_free(Raw *raw);        /* stopped before */

/* A socket that is bound but not listening: connections to its port are refused. */
int bind_on_loopback(uint16_t *ret_port);

/*
 * The TLS one. GET, POST and PUT are answered with "METHOD URI BODY" and an X-Request-ID; /big/N with N bytes, /redirect with 302,
 * /token with an X-Subject-Token of 40000 bytes.
 */
typedef struct Https {
        struct MHD_Daemon *daemon;
        uint16_t port;
        char dir[32], ca_file[64];
        unsigned n_connections; /* counted in the server's thread */
} Https;

/* A server whose certificate is good for @names ("DNS:localhost,IP:127.0.0.1"); ca_file makes it trusted. */
Https *https_new(const char *names);
unsigned https_n_connections(Https *s);
void https_free(Https *s);

void write_file(const char *path, const char *text);
