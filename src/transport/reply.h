/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A reply as it comes in: headers line by line, the body piece by piece, both under a cap.
 */

#include "base/http.h"
#include "base/strbuf.h"

#define REPLY_HEADERS_MAX (256 * 1024)  /* bytes of all headers; a token alone runs to 32 KB (IAM) */

typedef struct Reply {
        StrBuf body;
        bool body_cut;          /* more came than HTTP_BODY_MAX */
        bool headers_whole;     /* the blank line after the headers of the latest status line has come */
        bool headers_over;      /* more came than REPLY_HEADERS_MAX */
        bool out_of_memory;
        size_t n_header_bytes;
        char *date, *request_id, *trace_id, *retry_after, *subject_token;
} Reply;

void reply_init(Reply *p);
void reply_done(Reply *p);      /* wipes and frees; to be initialised again before further use */

/* Take @n bytes: one header line, one piece of the body. Return: true to go on, false to end the transfer here. */
bool reply_take_header(Reply *p, const char *line, size_t n);
bool reply_take_body(Reply *p, const char *piece, size_t n);

/* Hands body and headers over to @ret, whose other fields stay as they are. */
void reply_hand_over(Reply *p, HttpReply *ret);
