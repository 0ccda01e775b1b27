/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/sign.h"

#include <errno.h>
#include <stdint.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/strbuf.h"
#include "cloud/canonical.h"
#include "cloud/text.h"

#define ALGORITHM "SDK-HMAC-SHA256"
#define SIGN_TEXT_MAX (1024 * 1024)     /* bytes; the gateway takes 128 KB of headers and a URI of 32 KB */
#define SHA256_BYTES 32
#define SHA256_HEX_MAX (2 * SHA256_BYTES + 1)

/* The headers of a request, and at most Host, X-Sdk-Date, X-Security-Token and X-Sdk-Content-Sha256 that it lacks. */
#define SIGN_HEADERS_MAX (HTTP_HEADERS_MAX + 4)

struct Signer {
        char *access_key;
        Secret *secret_key;
        Secret *security_token; /* NULL: a permanent key */
        EVP_MAC_CTX *hmac;      /* holds the key while it signs: OpenSSL's copy lies in common memory, which a core dump would take */
        EVP_MD *sha256;
};

typedef struct SignedHeader {
        const char *name, *value;       /* borrowed */
} SignedHeader;

typedef struct SignedHeaders {
        SignedHeader items[SIGN_HEADERS_MAX];
        size_t n_items;
} SignedHeaders;

static void mac_freep(EVP_MAC **mac) {
        EVP_MAC_free(*mac);
}

Signer *signer_free(Signer *s) {
        if (!s)
                return NULL;

        EVP_MAC_CTX_free(s->hmac);
        EVP_MD_free(s->sha256);
        (void) secret_free(s->secret_key);
        (void) secret_free(s->security_token);
        free(s->access_key);
        free(s);
        return NULL;
}

static int hmac_take_key(EVP_MAC_CTX *hmac, const char *key, size_t n, const OSSL_PARAM *params) {
        return EVP_MAC_init(hmac, (const unsigned char *) key, n, params) == 1 ? 0 : -EIO;
}

static int signer_prepare(Signer *s) {
        _cleanup_(mac_freep) EVP_MAC *mac = NULL;
        char digest[] = "SHA256";
        const OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_end(),
        };

        mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (mac)
                s->hmac = EVP_MAC_CTX_new(mac);
        if (!s->sha256 || !s->hmac || hmac_take_key(s->hmac, "", 0, params) < 0) {
                ERR_clear_error();
                return -EIO;
        }

        return 0;
}

int signer_new(const char *access_key, const Secret *secret_key, const Secret *security_token, Signer **ret) {
        _cleanup_(signer_freep) Signer *s = NULL;
        int r;

        assert(access_key);
        assert(secret_key);
        assert(ret);

        if (!text_is_visible(access_key, strlen(access_key)) || strchr(access_key, ',') ||
            secret_size(secret_key) == 0)
                return -EINVAL;
        if (security_token && !text_is_visible(secret_text(security_token), secret_size(security_token)))
                return -EINVAL;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;

        s->access_key = strdup(access_key);
        if (!s->access_key)
                return -ENOMEM;
        s->secret_key = secret_ref((Secret *) secret_key); /* counts references, changes nothing */
        if (security_token)
                s->security_token = secret_ref((Secret *) security_token);

        r = signer_prepare(s);
        if (r < 0)
                return r;

        *ret = STEAL(s);
        return 0;
}

static void hex_format(const unsigned char *p, size_t n, char *buf) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                buf[2 * i] = digits[p[i] >> 4];
                buf[2 * i + 1] = digits[p[i] & 0xf];
        }
        buf[2 * n] = '\0';
}

static int sha256_hex(const Signer *s, const void *p, size_t n, char ret[static SHA256_HEX_MAX]) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;

        if (EVP_Digest(n > 0 ? p : "", n, digest, &length, s->sha256, NULL) != 1 || length != SHA256_BYTES) {
                ERR_clear_error();
                return -EIO;
        }

        hex_format(digest, length, ret);
        return 0;
}

static int hmac_hex(Signer *s, const void *p, size_t n, char ret[static SHA256_HEX_MAX]) {
        unsigned char mac[SHA256_BYTES];
        size_t length = 0;
        bool done;

        done = hmac_take_key(s->hmac, secret_text(s->secret_key), secret_size(s->secret_key), NULL) >= 0 &&
               EVP_MAC_update(s->hmac, p, n) == 1 && EVP_MAC_final(s->hmac, mac, &length, sizeof(mac)) == 1 && length == sizeof(mac);
        /* With the next key OpenSSL wipes its copy of the one before. */
        if (hmac_take_key(s->hmac, "", 0, NULL) < 0 || !done) {
                ERR_clear_error();
                return -EIO;
        }

        hex_format(mac, length, ret);
        return 0;
}

/* The host of "https://host[:port]", with the port as it is written there; NULL if that is not its form. */
static const char *origin_host(const char *origin) {
        const char *host = origin ? strstr(origin, "://") : NULL;

        if (!host)
                return NULL;
        host += strlen("://");
        return text_is_visible(host, strlen(host)) && !strpbrk(host, "/?#@\\") ? host : NULL;
}

/* A line break in a value would forge a header. */
static bool header_value_valid(const char *value) {
        for (const char *p = value; *p; p++)
                if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7f)
                        return false;

        return true;
}

static const char *headers_find(const SignedHeaders *h, const char *name) {
        for (size_t i = 0; i < h->n_items; i++)
                if (strcasecmp(h->items[i].name, name) == 0)
                        return h->items[i].value;

        return NULL;
}

/* Puts one more at its place: sorted by name, equal names in the order they came. */
static void headers_insert(SignedHeaders *h, const char *name, const char *value) {
        size_t i;

        assert(h->n_items < SIGN_HEADERS_MAX);

        for (i = h->n_items; i > 0 && strcasecmp(h->items[i - 1].name, name) > 0; i--)
                h->items[i] = h->items[i - 1];
        h->items[i] = (SignedHeader) { .name = name, .value = value };
        h->n_items++;
}

/* What is signed: all headers of the request that can be, and those that it lacks and every signature has. */
static int headers_collect(const Signer *s, const HttpRequest *q, const char *sdk_date, SignedHeaders *ret) {
        const char *host = origin_host(q->origin);

        if (!host)
                return -EINVAL;

        *ret = (SignedHeaders) {};
        for (size_t i = 0; i < q->n_headers; i++) {
                const HttpHeader *header = &q->headers[i];

                if (!header_value_valid(header->value))
                        return -EINVAL;
                /* Gateways lose headers with an underscore, and a signature cannot sign itself. */
                if (!strchr(header->name, '_') && strcasecmp(header->name, "Authorization") != 0)
                        headers_insert(ret, header->name, header->value);
        }

        if (!headers_find(ret, "Host"))
                headers_insert(ret, "Host", host);
        if (!headers_find(ret, "X-Sdk-Date"))
                headers_insert(ret, "X-Sdk-Date", sdk_date);
        if (s->security_token && !headers_find(ret, "X-Security-Token"))
                headers_insert(ret, "X-Security-Token", secret_text(s->security_token));
        return 0;
}

static void add_lower(StrBuf *b, const char *s) {
        size_t before = b->n;

        if (strbuf_add(b, s) < 0)
                return;         /* sticky */
        for (char *p = b->s + before; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
}

static void add_trimmed(StrBuf *b, const char *s) {
        size_t n = strlen(s);

        text_trim(&s, &n);
        (void) strbuf_add_n(b, s, n);   /* sticky */
}

static void add_names(StrBuf *b, const SignedHeaders *h) {
        for (size_t i = 0; i < h->n_items; i++) {
                if (i > 0)
                        (void) strbuf_add_n(b, ";", 1); /* sticky */
                add_lower(b, h->items[i].name);
        }
}

static int add_payload_hash(StrBuf *b, const Signer *s, const HttpRequest *q, const SignedHeaders *h) {
        const char *given = headers_find(h, "X-Sdk-Content-Sha256");
        char hex[SHA256_HEX_MAX];
        int r;

        /* An empty body counts as itself, whatever the header says: the SDK does it so. */
        if (given && q->n_body > 0) {
                add_trimmed(b, given);
                return b->error;
        }

        r = sha256_hex(s, q->body, q->n_body, hex);
        if (r < 0)
                return r;
        return strbuf_add(b, hex);
}

static int add_canonical_request(StrBuf *b, const Signer *s, const HttpRequest *q, const SignedHeaders *h) {
        int r;

        (void) strbuf_addf(b, "%s\n", http_method_to_string(q->method));        /* sticky */
        r = canonical_path(b, q->path);
        if (r < 0)
                return r;
        (void) strbuf_add(b, "\n");
        r = canonical_query(b, q->query);
        if (r < 0)
                return r;
        (void) strbuf_add(b, "\n");

        for (size_t i = 0; i < h->n_items; i++) {
                add_lower(b, h->items[i].name);
                (void) strbuf_add(b, ":");
                add_trimmed(b, h->items[i].value);
                (void) strbuf_add(b, "\n");
        }
        (void) strbuf_add(b, "\n");
        add_names(b, h);
        (void) strbuf_add(b, "\n");

        return add_payload_hash(b, s, q, h);
}

/* The three texts; the buffers come empty. */
static int sign_compute(Signer *s, const HttpRequest *q, const SignedHeaders *h, StrBuf *canonical, StrBuf *to_sign,
                        StrBuf *authorization) {
        char hex[SHA256_HEX_MAX];
        int r;

        r = add_canonical_request(canonical, s, q, h);
        if (r < 0)
                return r;

        r = sha256_hex(s, canonical->s, canonical->n, hex);
        if (r < 0)
                return r;
        (void) strbuf_add(to_sign, ALGORITHM "\n");     /* sticky */
        add_trimmed(to_sign, headers_find(h, "X-Sdk-Date"));
        r = strbuf_addf(to_sign, "\n%s", hex);
        if (r < 0)
                return r;

        r = hmac_hex(s, to_sign->s, to_sign->n, hex);
        if (r < 0)
                return r;
        (void) strbuf_addf(authorization, ALGORITHM " Access=%s, SignedHeaders=", s->access_key);
        add_names(authorization, h);
        return strbuf_addf(authorization, ", Signature=%s", hex);
}

int sign_explain(Signer *s, const HttpRequest *q, const char *sdk_date, char **ret_canonical_request,
                 char **ret_string_to_sign, char **ret_authorization) {
        _cleanup_(strbuf_done) StrBuf canonical = STRBUF(SIGN_TEXT_MAX), to_sign = STRBUF(SIGN_TEXT_MAX),
                                      authorization = STRBUF(SIGN_TEXT_MAX);
        _cleanup_(freep) char *canonical_text = NULL, *to_sign_text = NULL, *authorization_text = NULL;
        SignedHeaders headers;
        int r;

        assert(s);
        assert(q);
        assert(sdk_date);

        canonical.wipe = true;
        r = headers_collect(s, q, sdk_date, &headers);
        if (r < 0)
                return r;
        r = sign_compute(s, q, &headers, &canonical, &to_sign, &authorization);
        if (r < 0)
                return r;

        /* Each is handed over only when all are there; what nobody wants is wiped by its buffer. */
        if (ret_canonical_request)
                r = strbuf_finish(&canonical, &canonical_text);
        if (r >= 0 && ret_string_to_sign)
                r = strbuf_finish(&to_sign, &to_sign_text);
        if (r >= 0 && ret_authorization)
                r = strbuf_finish(&authorization, &authorization_text);
        if (r < 0)
                return r;

        if (ret_canonical_request)
                *ret_canonical_request = STEAL(canonical_text);
        if (ret_string_to_sign)
                *ret_string_to_sign = STEAL(to_sign_text);
        if (ret_authorization)
                *ret_authorization = STEAL(authorization_text);
        return 0;
}

/* As the SDK does: other bodies than JSON are not hashed (gateway and signer would have to agree on their bytes). */
static bool wants_unsigned_payload(const HttpRequest *q) {
        const char *type = http_request_header(q, "Content-Type");

        return type && strncmp(type, "application/json", strlen("application/json")) != 0 &&
               strncmp(type, "application/bson", strlen("application/bson")) != 0;
}

static void drop_headers(HttpRequest *q, size_t n) {
        while (q->n_headers > n) {
                HttpHeader *header = &q->headers[--q->n_headers];

                explicit_bzero(header->value, strlen(header->value));
                free(header->value);
                *header = (HttpHeader) {};
        }
}

static int add_missing(HttpRequest *q, const char *name, const char *value) {
        return http_request_header(q, name) ? 0 : http_request_add_header(q, name, value);
}

static int sign_in_place(Signer *s, HttpRequest *q, const char *sdk_date) {
        _cleanup_(strbuf_done) StrBuf canonical = STRBUF(SIGN_TEXT_MAX), to_sign = STRBUF(SIGN_TEXT_MAX),
                                      authorization = STRBUF(SIGN_TEXT_MAX);
        SignedHeaders headers;
        int r;

        canonical.wipe = true;
        r = wants_unsigned_payload(q) ? add_missing(q, "X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD") : 0;
        if (r >= 0)
                r = add_missing(q, "X-Sdk-Date", sdk_date);
        if (r >= 0 && s->security_token)
                r = add_missing(q, "X-Security-Token", secret_text(s->security_token));
        if (r >= 0)
                r = headers_collect(s, q, sdk_date, &headers);
        if (r >= 0)
                r = sign_compute(s, q, &headers, &canonical, &to_sign, &authorization);
        if (r >= 0)
                r = http_request_add_header(q, "Authorization", authorization.s);
        return r;
}

int sign_request(Signer *s, HttpRequest *q, usec_t now_usec) {
        char sdk_date[TIME_TEXT_MAX];
        size_t n_before;
        int r;

        assert(s);
        assert(q);

        if (http_request_header(q, "Authorization"))
                return -EINVAL; /* signed already: a second signature would be sent beside the first */

        n_before = q->n_headers;
        r = sign_in_place(s, q, sdk_date_format(now_usec, sdk_date));
        if (r < 0)
                drop_headers(q, n_before);
        return r;
}
