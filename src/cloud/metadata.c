/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instance metadata service of an ECS: a token for asking, and the temporary key of the server's agency. (ECS
 * User Guide, metadata)
 */
#include <errno.h>
#include <stdio.h>

#include "cloud/credential-file.h"
#include "cloud/failure.h"
#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/text.h"

#define METADATA_TIMEOUT (3 * USEC_PER_SEC)     /* as in the SDKs: the service is on this very host */
#define TOKEN_TTL_SECONDS "21600"
#define NO_AGENCY "Please configure Cloud Service Agency first"

static int metadata_request(HttpMethod method, const char *origin, const char *const *parts, const char *name,
                            const char *value, HttpRequest *ret) {
        HttpRequest q = {};
        int r;

        r = request_begin(method, origin, parts, NULL, &q);
        if (r >= 0 && name)
                r = http_request_add_header(&q, name, value);
        if (r < 0) {
                http_request_done(&q);
                return r;
        }

        q.timeout_usec = METADATA_TIMEOUT;
        q.no_proxy = true;
        *ret = q;
        return 0;
}

int metadata_token_encode(const char *origin, HttpRequest *ret) {
        static const char *const parts[] = { "meta-data", "latest", "api", "token", NULL };

        assert(ret);

        return metadata_request(HTTP_PUT, origin, parts, "X-Metadata-Token-Ttl-Seconds", TOKEN_TTL_SECONDS, ret);
}

int metadata_key_encode(const char *origin, const Secret *token, HttpRequest *ret) {
        static const char *const parts[] = { "openstack", "latest", "securitykey", NULL };

        assert(ret);

        if (token && !text_is_visible(secret_text(token), secret_size(token)))
                return -EINVAL;
        return metadata_request(HTTP_GET, origin, parts, token ? "X-Metadata-Token" : NULL,
                                token ? secret_text(token) : NULL, ret);
}

static void not_offered(Failure *f, const char *text) {
        (void) failure_set_unreadable(f, text); /* for the text; the class is another */
        f->class = FAILURE_NOT_OFFERED;
        f->token_expired = false;
}

int metadata_token_decode(const HttpReply *p, Secret **ret, Failure *reterr) {
        const char *s;
        size_t n;
        int r;

        assert(p);
        assert(ret);
        assert(reterr);

        if (p->outcome != HTTP_REPLIED || p->status != 200) {
                failure_classify(p, false, 0, reterr);
                if (p->outcome == HTTP_REPLIED && (p->status == 404 || p->status == 405 || p->status == 503))
                        not_offered(reterr,
                                    "the metadata service gives no tokens here, only version 1 of it answers");
                return 0;
        }

        s = p->body ? p->body : "";
        n = p->n_body;
        text_trim(&s, &n);
        r = p->body_cut || !text_is_visible(s, n) ? -EBADMSG : secret_new(s, n, ret);
        if (r == -EBADMSG || r == -E2BIG) {
                (void) failure_unreadable(
                        reterr, p, "the metadata service's token: found something else, expected a line of text");
                return 0;
        }
        return r < 0 ? r : 1;
}

/* The same member under the name of the API or that of the SDKs. */
static int read_either(const JsonAt *at, const char *name, const char *other, CredentialText *ret) {
        const char *s = NULL;
        int r;

        r = json_read_text(at, name, "text", &s);
        if (r == 0)
                r = json_read_text(at, other, "text", &s);
        if (r < 0)
                return r;
        if (r == 0 || !*s)
                return json_missing(at, name, "text");

        *ret = (CredentialText) { s, strlen(s) };
        return 1;
}

/* In UTC, also where no zone is given. */
static int read_expiry(const JsonAt *at, usec_t *ret) {
        CredentialText text = {};
        bool has_zone = false;
        usec_t at_usec = 0;
        CivilTime civil;
        int r;

        r = read_either(at, "expires_at", "expiration", &text);
        if (r < 0)
                return r;

        r = civil_parse(text.s, &civil, &has_zone, &at_usec);
        if (r >= 0 && !has_zone)
                at_usec = (usec_t) MAX(civil_to_seconds(&civil), INT64_C(0)) * USEC_PER_SEC;
        if (r < 0 || at_usec < TIME_MIN_USEC || at_usec > TIME_MAX_USEC)
                return json_complain(at, "expires_at", "another text", "a time such as 2020-01-04T09:05:22.701000Z");

        *ret = at_usec;
        return 1;
}

static int read_key(const HttpReply *p, Credentials **ret, Failure *failure) {
        _cleanup_(json_put_wipedp) json_object *o = NULL;
        CredentialTexts texts = {};
        usec_t expires_at_usec = 0;
        JsonAt root, credential;
        int r;

        failure_begin(failure, p);
        r = json_reply_root(p, true, failure, &o, &root);
        if (r >= 0)
                r = json_read_object(&root, "credential", &credential);
        if (r == 0)
                r = json_read_object(&root, "credentials", &credential);
        if (r == 0)
                return json_missing(&root, "credential", "an object");

        if (r >= 0)
                r = read_either(&credential, "access", "accessKeyId", &texts.access_key);
        if (r >= 0)
                r = read_either(&credential, "secret", "secretAccessKey", &texts.secret_key);
        if (r >= 0)
                r = read_either(&credential, "securitytoken", "securityToken", &texts.security_token);
        if (r >= 0)
                r = read_expiry(&credential, &expires_at_usec);
        if (r < 0)
                return r;

        r = credentials_build(&texts, "metadata", ret, NULL);
        if (r == -EINVAL || r == -ENOENT || r == -E2BIG)
                return json_complain(&root, "credential", "a key with odd characters", "visible ASCII");
        if (r < 0)
                return r;

        (*ret)->expires_at_usec = expires_at_usec;
        return 1;
}

int metadata_key_decode(const HttpReply *p, usec_t now_usec, Credentials **ret, Failure *reterr) {
        int r;

        assert(p);
        assert(ret);
        assert(reterr);

        if (p->outcome != HTTP_REPLIED || p->status != 200) {
                failure_classify(p, false, now_usec, reterr);
                if (p->outcome == HTTP_REPLIED && p->status == 401 && p->body &&
                    memmem(p->body, p->n_body, NO_AGENCY, strlen(NO_AGENCY)))
                        not_offered(reterr, "this server has no agency, so the metadata service has no key for it");
                return 0;
        }

        r = read_key(p, ret, reterr);
        return r == -EBADMSG ? 0 : r;
}
