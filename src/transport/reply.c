/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/reply.h"

#include <strings.h>

static void forget(char **s) {
        if (*s)
                explicit_bzero(*s, strlen(*s));
        free(*s);
        *s = NULL;
}

static void forget_headers(Reply *p) {
        forget(&p->date);
        forget(&p->request_id);
        forget(&p->trace_id);
        forget(&p->retry_after);
        forget(&p->subject_token);
}

void reply_init(Reply *p) {
        assert(p);

        *p = (Reply) { .body = STRBUF(HTTP_BODY_MAX) };
        p->body.wipe = true; /* a token, or the temporary key that the metadata service hands out */
}

void reply_done(Reply *p) {
        if (!p)
                return;

        forget_headers(p);
        strbuf_done(&p->body);
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_blank_line(const char *line, size_t n) {
        return (n == 1 && line[0] == '\n') || (n == 2 && memcmp(line, "\r\n", 2) == 0);
}

static char **header_slot(Reply *p, const char *name, size_t n) {
        const struct {
                const char *name;
                char **slot;
        } wanted[] = {
                { "Date", &p->date },
                { "X-Request-Id", &p->request_id },
                { "X-IAM-Trace-Id", &p->trace_id },
                { "Retry-After", &p->retry_after },
                { "X-Subject-Token", &p->subject_token },
        };

        for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
                if (strlen(wanted[i].name) == n && strncasecmp(wanted[i].name, name, n) == 0)
                        return wanted[i].slot;

        return NULL;
}

bool reply_take_header(Reply *p, const char *line, size_t n) {
        const char *colon, *end = line + n;
        char **slot;

        assert(p);
        assert(line);

        if (n > REPLY_HEADERS_MAX - p->n_header_bytes) {
                p->headers_over = true;
                return false;
        }
        p->n_header_bytes += n;

        /* A status line begins a reply anew: what came with "103 Early Hints" says nothing about the one that counts. */
        if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
                forget_headers(p);
                p->headers_whole = false;
                return true;
        }
        if (is_blank_line(line, n)) {
                p->headers_whole = true;
                return true;
        }

        colon = memchr(line, ':', n);
        if (!colon)
                return true;
        slot = header_slot(p, line, (size_t) (colon - line));
        if (!slot || *slot) /* the first one counts; a trailer must not replace it */
                return true;

        for (colon++; colon < end && is_blank(*colon); colon++)
                ;
        while (end > colon && is_blank(end[-1]))
                end--;
        if (end == colon)
                return true;

        *slot = strndup(colon, (size_t) (end - colon));
        if (!*slot)
                p->out_of_memory = true;
        return *slot;
}

bool reply_take_body(Reply *p, const char *piece, size_t n) {
        size_t n_room;

        assert(p);
        assert(piece || n == 0);

        n_room = p->body.max - p->body.n;
        if (strbuf_add_n(&p->body, piece, MIN(n, n_room)) < 0) {
                p->out_of_memory = true;
                return false;
        }
        if (n > n_room)
                p->body_cut = true;

        return !p->body_cut;
}

void reply_hand_over(Reply *p, HttpReply *ret) {
        assert(p);
        assert(ret);

        ret->body_cut = p->body_cut;
        ret->n_body = p->body.n;
        if (p->body.n > 0)
                (void) strbuf_finish(&p->body, &ret->body); /* fails only where an append has failed before */

        ret->date = STEAL(p->date);
        ret->request_id = p->request_id ? STEAL(p->request_id) : STEAL(p->trace_id);
        ret->retry_after = STEAL(p->retry_after);
        ret->subject_token = STEAL(p->subject_token);
}
