/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request on its way and what came of it, on a libcurl easy handle that serves one exchange after the other.
 */

#include <curl/curl.h>

#include "base/http.h"
#include "transport/reply.h"

/* What all exchanges of a pool have in common; belongs to the pool. */
typedef struct ExchangeSettings {
        char *ca_file;
        char *proxy;                    /* NULL: none */
        usec_t connect_timeout_usec, timeout_usec;
} ExchangeSettings;

typedef struct Exchange Exchange;
struct Exchange {
        CURL *easy;
        Exchange *previous, *next;      /* in the list that the pool keeps it in */
        usec_t deadline_at_usec;        /* CLOCK_MONOTONIC: the pool's last resort */

        CURLU *origin;                  /* of the last request; NULL: there was none. libcurl reads it while it runs */
        char *origin_text;
        bool no_proxy;
        size_t room;                    /* bytes of libcurl's copy of a request; 0: not known */

        HttpRequest request;            /* owned while it runs: libcurl reads the body from here */
        uint64_t cookie;
        StrBuf header_text;             /* the lines that header_nodes point into */
        struct curl_slist header_nodes[HTTP_HEADERS_MAX + 3];   /* and three that keep libcurl from adding its own */

        Reply reply;
        unsigned n_starts;              /* how often libcurl was about to write the request */
        bool resend_refused;
        char error[CURL_ERROR_SIZE];
};

/* The handle, with all that does not change from one exchange to the next. Return: 0; -ENOMEM; -EOPNOTSUPP if libcurl is
 * too old. */
int exchange_new(const ExchangeSettings *settings, Exchange **ret);
Exchange *exchange_free(Exchange *x);
DEFINE_CLEANUP(Exchange *, exchange_free)

/**
 * exchange_begin() - make the handle ready to be given to libcurl
 * @request:    taken on success (left zeroed), untouched on failure
 *
 * Return: 0; -EPROTONOSUPPORT as origin_judge(); -EINVAL for a request that could not go on the wire as it is (control
 * characters, a body with GET); -E2BIG for headers over 256 KB; -ENOMEM.
 */
int exchange_begin(Exchange *x, const ExchangeSettings *settings, HttpRequest *request, uint64_t cookie);

/* The time the exchange may take, as begun. */
usec_t exchange_timeout_usec(const Exchange *x, const ExchangeSettings *settings);

/* After libcurl let go of the handle: how it ended (@ret is new, free with http_reply_done()); wipes the request. */
void exchange_end(Exchange *x, CURLcode result, HttpReply *ret);
