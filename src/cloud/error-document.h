/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The six shapes in which the cloud writes errors: error_code with error_msg (flat, with details, nested under
 * "error"), a numeric code with message, the gateway's own, and errorCode with errorMsg.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"

typedef struct ErrorDocument {
        bool found;             /* one of the shapes was there */
        char code[64];          /* "DBS.200019"; empty: none */
        char message[1024];     /* control characters replaced, cut to size; empty: none */
        char request_id[128];   /* the gateway's; empty: none */
        bool locked_out;        /* the message says that the access key is locked */
        bool bad_signature;     /* it speaks of the access key or its signature, not of a token */
        uint64_t window_sec, limit;     /* "200 times per 300 seconds"; 0: not said */
} ErrorDocument;

/* Survives everything: an empty body, HTML, JSON that is none of these. */
void error_document_read(const HttpReply *p, ErrorDocument *ret);
