/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/calls.h"

#include <errno.h>
#include <strings.h>

#include "cloud/json-read.h"
#include "cloud/failure.h"
#include "cloud/services.h"
#include "cloud/text.h"

bool call_needs_project(Call c) {
        switch (call_service(c)) {
        case SERVICE_TAURUSDB:
        case SERVICE_GAUSSDB:
        case SERVICE_DBSS:      /* the switch too: its path has the account, but the SDKs sign it for the project */
                return true;
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                break;
        }
        return false;
}

bool call_needs_domain(Call c) {
        return c == CALL_SCHEDULE_SET;
}

static bool given(const char *s) {
        return s && *s;
}

static bool target_complete(Call c, const CallTarget *t) {
        return given(t->origin) && (!call_needs_project(c) || given(t->project_id)) &&
               (!call_needs_domain(c) || given(t->domain_id)) &&
               (c == CALL_DOWNLOAD_AUTHORIZE || given(t->instance_id));
}

static int encode(const Ask *ask, const CallTarget *target, HttpRequest *ret) {
        switch (call_service(ask->call)) {
        case SERVICE_TAURUSDB:
                return taurusdb_encode(ask, target, ret);
        case SERVICE_DBSS:
                return dbss_encode(ask, target, ret);
        case SERVICE_GAUSSDB:
                return gaussdb_encode(ask, target, ret);
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                break;
        }
        return -EINVAL; /* those carry secrets and have functions of their own */
}

int call_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret) {
        HttpRequest q = {};
        int r;

        assert(ask);
        assert(target);
        assert(ret);

        r = target_complete(ask->call, target) ? encode(ask, target, &q) : -EINVAL;
        if (r < 0) {
                http_request_done(&q);
                return r;
        }

        *ret = q;
        return 0;
}

int call_add_token(HttpRequest *q, const Secret *token) {
        assert(q);
        assert(token);

        if (!text_is_visible(secret_text(token), secret_size(token)))
                return -EINVAL;
        return http_request_add_header(q, "X-Auth-Token", secret_text(token));
}

bool result_is_success(const HttpReply *p) {
        _cleanup_(json_putp) json_object *o = NULL;
        const char *result = NULL;
        Failure ignored = {};
        JsonAt root;

        return json_reply_root(p, false, &ignored, &o, &root) > 0 &&
               json_read_text(&root, "result", "a word", &result) > 0 && strcasecmp(result, "success") == 0;
}

static int decode(const Ask *ask, const CallTarget *target, const HttpReply *p, usec_t now_usec, Answer *ret,
                  Failure *failure) {
        switch (call_service(ask->call)) {
        case SERVICE_TAURUSDB:
                return taurusdb_decode(ask->call, target, p, now_usec, ret, failure);
        case SERVICE_DBSS:
                return dbss_decode(ask->call, p, ret, failure);
        case SERVICE_GAUSSDB:
                return gaussdb_decode(ask->call, target, p, ret, failure);
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                break;
        }
        return failure_unreadable(failure, p, "%s: no answer of this call is read here", call_to_string(ask->call));
}

int call_decode(const Ask *ask, const CallTarget *target, const HttpReply *p, usec_t now_usec, Answer *ret,
                Failure *reterr) {
        Failure failure = {};
        Answer answer = {};
        int r;

        assert(ask);
        assert(target);
        assert(p);
        assert(ret);
        assert(reterr);

        if (p->outcome != HTTP_REPLIED || p->status < 200 || p->status > 299) {
                failure_classify(p, call_is_write(ask->call), now_usec, reterr);
                return 0;
        }

        failure_begin(&failure, p);
        answer.call = ask->call;
        answer.date_usec = failure.date_usec;
        (void) text_copy(answer.request_id, sizeof(answer.request_id), failure.request_id,
                         strlen(failure.request_id));

        r = decode(ask, target, p, failure.date_usec > 0 ? failure.date_usec : now_usec, &answer, &failure);
        if (r > 0) {
                *ret = answer;
                return 1;
        }

        answer_done(&answer);
        if (r != -EBADMSG)
                return r;
        failure.maybe_done = call_is_write(ask->call);
        *reterr = failure;
        return 0;
}
