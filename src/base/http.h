/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One HTTP exchange as plain data: what the cloud room writes and the transport room sends, and back.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/time-util.h"

#define HTTP_HEADERS_MAX 12
#define HTTP_BODY_MAX (1024 * 1024)     /* bytes of a reply; holdfastd(8): a reply over 1 MiB is an error */

typedef enum HttpMethod {
        HTTP_GET,
        HTTP_POST,
        HTTP_PUT,
        HTTP_METHOD__MAX,
} HttpMethod;

const char *http_method_to_string(HttpMethod m);

typedef struct HttpHeader {
        const char *name;       /* static text */
        char *value;            /* owned; wiped when freed, since it may be a token */
} HttpHeader;

typedef struct HttpRequest {
        HttpMethod method;
        char *origin;           /* "https://host[:port]", no path */
        char *path;             /* percent-encoded, starts with a slash */
        char *query;            /* percent-encoded, without "?"; NULL or empty: none */
        HttpHeader headers[HTTP_HEADERS_MAX];
        size_t n_headers;
        char *body;             /* owned, wiped when freed; NULL: none */
        size_t n_body;
        usec_t timeout_usec;    /* of the whole exchange; 0: as configured */
        bool no_proxy;          /* the metadata service is never reached through a proxy */
} HttpRequest;

/* @name stays the caller's (static), @value is copied. Return: 0, -ENOMEM, -E2BIG past HTTP_HEADERS_MAX. */
int http_request_add_header(HttpRequest *q, const char *name, const char *value);
/* No control character but the tab: a line break in a value would forge a header. */
bool http_header_value_valid(const char *value);
/* Nothing but visible ASCII characters (0x21 to 0x7e); the empty text has none. */
bool http_text_visible(const char *s, size_t n);
const char *http_request_header(const HttpRequest *q, const char *name);        /* NULL if absent; any case */
void http_request_done(HttpRequest *q); /* wipes and frees what it owns, leaves it zeroed */

/* How far an exchange came that ended without a reply. */
typedef enum HttpOutcome {
        HTTP_REPLIED,           /* status and body are there */
        HTTP_NOT_SENT,          /* resolving, connecting or the TLS handshake failed: the server never saw the request */
        HTTP_LOST,              /* sent, at least in part, and no whole answer: it may or may not have been carried out */
        HTTP_OUTCOME__MAX,
} HttpOutcome;

typedef struct HttpReply {
        HttpOutcome outcome;
        int status;
        char *error;            /* outcome other than HTTP_REPLIED: what happened, for people */
        char *body;             /* NUL-terminated; NULL if empty */
        size_t n_body;
        bool body_cut;          /* more than HTTP_BODY_MAX came; the rest was not read */
        char *date, *request_id, *retry_after, *subject_token;  /* headers, NULL if absent; the token is wiped */
        usec_t taken_usec;      /* how long it took */
} HttpReply;

void http_reply_done(HttpReply *p);
