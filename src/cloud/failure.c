/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cloud/calls.h"
#include "cloud/error-codes.h"
#include "cloud/error-document.h"
#include "cloud/text.h"

#define RETRY_AFTER_MAX USEC_PER_DAY    /* picked: a longer wait than a day is a broken header */
#define THROTTLE_WAIT_MIN (2 * USEC_PER_SEC)    /* the vendor's advice is 2 to 5 seconds */

void failure_begin(Failure *f, const HttpReply *p) {
        assert(f);
        assert(p);

        *f = (Failure) { .class = FAILURE_UNREADABLE };
        f->http_status = p->outcome == HTTP_REPLIED ? p->status : 0;
        if (p->request_id)
                (void) text_copy(f->request_id, sizeof(f->request_id), p->request_id, strlen(p->request_id));
        /* No Date is as good as a broken one, or one of a clock that was never set: nothing is to be reckoned by it. */
        if (!p->date || http_date_parse(p->date, &f->date_usec) < 0 || f->date_usec < TIME_MIN_USEC || f->date_usec > TIME_MAX_USEC)
                f->date_usec = 0;
}

static void set_message(Failure *f, const char *s) {
        (void) text_copy(f->message, sizeof(f->message), s, strlen(s));         /* cutting is what it is for */
}

int failure_set_unreadable(Failure *f, const char *text) {
        assert(f);
        assert(text);

        f->class = FAILURE_UNREADABLE;
        set_message(f, text);
        return -EBADMSG;
}

int failure_unreadable(Failure *f, const HttpReply *p, const char *format, ...) {
        char text[sizeof(f->message)];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);

        failure_begin(f, p);
        return failure_set_unreadable(f, text);
}

/*
 * A 404 without a document of the service comes from something in front of it: nobody there has looked for the
 * instance. It counts as "not offered here"; neither class is ever taken for "off".
 */
static FailureClass status_class(int status, bool documented) {
        switch (status) {
        case 401:
                return FAILURE_CREDENTIALS;
        case 403:
                return FAILURE_NOT_PERMITTED;
        case 404:
                return documented ? FAILURE_NOT_FOUND : FAILURE_NOT_OFFERED;
        case 408:
                return FAILURE_SERVER;
        case 409:
                return FAILURE_BUSY;
        case 429:
                return FAILURE_THROTTLED;
        default:
                if (status >= 400 && status <= 499)
                        return FAILURE_BAD_REQUEST;
                if (status >= 500 && status <= 599)
                        return FAILURE_SERVER;
                return FAILURE_UNREADABLE; /* 1xx, a redirect, a 2xx that its decoder did not want, none at all */
        }
}

static FailureClass code_class(CodeClass class, int status, bool documented) {
        switch (class) {
        case CODE_BY_STATUS:
                break;
        case CODE_NOT_OFFERED:
                return FAILURE_NOT_OFFERED;
        case CODE_NOT_FOUND:
                return FAILURE_NOT_FOUND;
        case CODE_NOT_PERMITTED:
                return FAILURE_NOT_PERMITTED;
        case CODE_CREDENTIALS:
        case CODE_CREDENTIALS_TOKEN:
                return FAILURE_CREDENTIALS;
        case CODE_THROTTLED:
                return FAILURE_THROTTLED;
        case CODE_BUSY:
                return FAILURE_BUSY;
        case CODE_BAD_REQUEST:
                return FAILURE_BAD_REQUEST;
        case CODE_SERVER:
                return FAILURE_SERVER;
        }
        return status_class(status, documented);
}

/* Seconds, or a date that is reckoned from the reply's own. Return: 0 if it is neither. */
static usec_t retry_after(const char *s, usec_t now_usec) {
        usec_t at_usec, seconds = 0;
        size_t n = strspn(s, "0123456789");

        if (n > 0 && s[n + strspn(s + n, " \t")] == '\0') {
                for (size_t i = 0; i < n && seconds < RETRY_AFTER_MAX; i++)
                        seconds = seconds * 10 + (usec_t) (s[i] - '0');
                return MIN(seconds, RETRY_AFTER_MAX / USEC_PER_SEC) * USEC_PER_SEC;
        }
        if (http_date_parse(s, &at_usec) >= 0)
                return MIN(usec_sub(at_usec, now_usec), RETRY_AFTER_MAX);
        return 0;
}

/* "limit 5, time 1 minute": one more call fits in after 12 seconds. */
static usec_t throttle_wait(const ErrorDocument *d) {
        usec_t wait_usec;

        if (d->limit == 0)
                return 0;

        wait_usec = MAX(d->window_sec * USEC_PER_SEC / d->limit, THROTTLE_WAIT_MIN);
        return MIN(wait_usec, RETRY_AFTER_MAX);
}

static void describe(Failure *f, const ErrorDocument *d) {
        char text[128];

        if (*d->message) {
                set_message(f, d->message);
                return;
        }

        if (f->http_status >= 300 && f->http_status <= 399)
                (void) snprintf(text, sizeof(text), "a redirect (HTTP status %d), which no call of this API gives",
                                f->http_status);
        else
                (void) snprintf(text, sizeof(text), "HTTP status %d%s", f->http_status,
                                *d->code ? "" : " without an error document");
        set_message(f, text);
}

/*
 * Is renewing the token worth a try? Not where the answer speaks of the access key: each more failure brings its lock
 * nearer.
 */
static bool token_expired(const Failure *f, const ErrorDocument *d) {
        return f->class == FAILURE_CREDENTIALS && !d->bad_signature;
}

static void classify_reply(const HttpReply *p, bool is_write, usec_t now_usec, Failure *f) {
        ErrorDocument d;

        error_document_read(p, &d);

        f->class = code_class(error_code_class(d.code, p->status), p->status,
                              d.found && !error_code_is_gateway(d.code));
        (void) text_copy(f->code, sizeof(f->code), d.code, strlen(d.code));
        if (!*f->request_id)
                (void) text_copy(f->request_id, sizeof(f->request_id), d.request_id, strlen(d.request_id));
        describe(f, &d);

        if (p->retry_after)
                f->retry_after_usec = retry_after(p->retry_after, f->date_usec > 0 ? f->date_usec : now_usec);
        if (f->retry_after_usec == 0 && f->class == FAILURE_THROTTLED)
                f->retry_after_usec = throttle_wait(&d);

        f->locked_out = f->class == FAILURE_CREDENTIALS && d.locked_out;
        f->token_expired = token_expired(f, &d);
        f->maybe_done = is_write && (f->class == FAILURE_SERVER || f->class == FAILURE_UNREADABLE ||
                                     p->status >= 500 || p->status == 408);
}

void failure_classify(const HttpReply *p, bool is_write, usec_t now_usec, Failure *ret) {
        assert(p);
        assert(ret);

        failure_begin(ret, p);
        switch (p->outcome) {
        case HTTP_REPLIED:
                classify_reply(p, is_write, now_usec, ret);
                return;
        case HTTP_NOT_SENT:
                ret->class = FAILURE_TRANSPORT;
                set_message(ret, p->error ? p->error : "the request could not be sent");
                return;
        case HTTP_LOST:
        case HTTP_OUTCOME__MAX:
                ret->class = FAILURE_TRANSPORT;
                ret->maybe_done = is_write;
                set_message(ret, p->error ? p->error : "no answer came");
                return;
        }
}
