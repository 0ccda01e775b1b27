/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/sign.h"

#include <errno.h>
#include <stdint.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/strbuf.h"
#include "cloud/canonical.h"
#include "cloud/text.h"

#define ALGORITHM "SDK-HMAC-SHA256"
#define SIGN_TEXT_MAX (1024 * 1024)     /* bytes; the gateway takes 128 KB of headers and a URI of 32 KB */
#define CANONICAL_USUAL ((size_t) 800)  /* bytes */
#define SHA256_BYTES 32
#define SHA256_BLOCK_BYTES 64
#define SHA256_HEX_MAX (2 * SHA256_BYTES + 1)

/* The headers of a request, and at most Host, X-Sdk-Date, X-Security-Token and X-Sdk-Content-Sha256 that it lacks. */
#define SIGN_HEADERS_MAX (HTTP_HEADERS_MAX + 4)

struct Signer {
        char *access_key;
        Secret *secret_key;
        Secret *security_token; /* NULL: a permanent key */
        EVP_MD *sha256;
        EVP_MD_CTX *digest;
        char hash_of_nothing[SHA256_HEX_MAX];
};

typedef struct SignedHeader {
        const char *name, *value;       /* borrowed */
} SignedHeader;

typedef struct SignedHeaders {
        SignedHeader items[SIGN_HEADERS_MAX];
        size_t n_items;
} SignedHeaders;

Signer *signer_free(Signer *s) {
        if (!s)
                return NULL;

        EVP_MD_CTX_free(s->digest);
        EVP_MD_free(s->sha256);
        (void) secret_free(s->secret_key);
        (void) secret_free(s->security_token);
        free(s->access_key);
        free(s);
        return NULL;
}

static void hex_format(const unsigned char *p, size_t n, char *buf) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                buf[2 * i] = digits[p[i] >> 4];
                buf[2 * i + 1] = digits[p[i] & 0xf];
        }
        buf[2 * n] = '\0';
}

/* Of @a and then @b. */
static int sha256(Signer *s, const void *a, size_t n_a, const void *b, size_t n_b, unsigned char ret[static SHA256_BYTES]) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;

        if (EVP_DigestInit_ex2(s->digest, s->sha256, NULL) != 1 || EVP_DigestUpdate(s->digest, a, n_a) != 1 ||
            EVP_DigestUpdate(s->digest, b, n_b) != 1 || EVP_DigestFinal_ex(s->digest, digest, &length) != 1 || length != SHA256_BYTES) {
                ERR_clear_error();
                return -EIO;
        }

        memcpy(ret, digest, SHA256_BYTES);
        return 0;
}

static int sha256_hex(Signer *s, const void *p, size_t n, char ret[static SHA256_HEX_MAX]) {
        unsigned char digest[SHA256_BYTES];
        int r;

        r = sha256(s, n > 0 ? p : "", n, "", 0, digest);
        if (r >= 0)
                hex_format(digest, sizeof(digest), ret);
        return r;
}

/*
 * HMAC-SHA256 (RFC 2104), put together here from OpenSSL's SHA-256: its HMAC keeps a copy of the key in common memory, which a core dump
 * would take, and wiping that after each signature costs as much as the signature. Here the key is on this stack alone.
 */
static int hmac_sha256(Signer *s, const void *text, size_t n, unsigned char ret[static SHA256_BYTES]) {
        unsigned char key[SHA256_BLOCK_BYTES] = {}, pad[SHA256_BLOCK_BYTES], inner[SHA256_BYTES];
        int r = 0;

        if (secret_size(s->secret_key) > sizeof(key))
                r = sha256(s, secret_text(s->secret_key), secret_size(s->secret_key), "", 0, key);
        else
                memcpy(key, secret_text(s->secret_key), secret_size(s->secret_key));

        if (r >= 0) {
                for (size_t i = 0; i < sizeof(pad); i++)
                        pad[i] = key[i] ^ 0x36;
                r = sha256(s, pad, sizeof(pad), text, n, inner);
        }
        if (r >= 0) {
                for (size_t i = 0; i < sizeof(pad); i++)
                        pad[i] = key[i] ^ 0x5c;
                r = sha256(s, pad, sizeof(pad), inner, sizeof(inner), ret);
        }

        explicit_bzero(key, sizeof(key));
        explicit_bzero(pad, sizeof(pad));
        return r;
}

static int signer_prepare(Signer *s) {
        s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        s->digest = EVP_MD_CTX_new();
        if (!s->sha256 || !s->digest) {
                ERR_clear_error();
                return -EIO;
        }

        return sha256_hex(s, NULL, 0, s->hash_of_nothing);
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

/* The host of "https://host[:port]", with the port as it is written there; NULL if that is not its form. */
static const char *origin_host(const char *origin) {
        const char *host = origin ? strstr(origin, "://") : NULL;

        if (!host)
                return NULL;
        host += strlen("://");
        return text_is_visible(host, strlen(host)) && !strpbrk(host, "/?#@\\") ? host : NULL;
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

                if (!http_header_value_valid(header->value))
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

static int add_payload_hash(StrBuf *b, Signer *s, const HttpRequest *q, const SignedHeaders *h) {
        const char *given = headers_find(h, "X-Sdk-Content-Sha256");
        char hex[SHA256_HEX_MAX];
        int r;

        /* An empty body counts as itself, whatever the header says: the SDK does it so. */
        if (q->n_body == 0)
                return strbuf_add(b, s->hash_of_nothing);
        if (given) {
                add_trimmed(b, given);
                return b->error;
        }

        r = sha256_hex(s, q->body, q->n_body, hex);
        if (r < 0)
                return r;
        return strbuf_add(b, hex);
}

/* @ret_names: where the names of the signed headers stand in it; the authorization has them again. */
static int add_canonical_request(StrBuf *b, Signer *s, const HttpRequest *q, const SignedHeaders *h, size_t *ret_names, size_t *ret_n_names) {
        int r;

        (void) strbuf_add(b, http_method_to_string(q->method)); /* sticky */
        (void) strbuf_add(b, "\n");
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
        *ret_names = b->n;
        add_names(b, h);
        *ret_n_names = b->n - *ret_names;
        (void) strbuf_add(b, "\n");

        return add_payload_hash(b, s, q, h);
}

/* The three texts; the buffers come empty. */
static int sign_compute(Signer *s, const HttpRequest *q, const SignedHeaders *h, StrBuf *canonical, StrBuf *to_sign,
                        StrBuf *authorization) {
        unsigned char mac[SHA256_BYTES];
        char hex[SHA256_HEX_MAX];
        size_t names, n_names;
        int r;

        (void) strbuf_reserve(canonical, CANONICAL_USUAL);      /* sticky */
        r = add_canonical_request(canonical, s, q, h, &names, &n_names);
        if (r < 0)
                return r;

        r = sha256_hex(s, canonical->s, canonical->n, hex);
        if (r < 0)
                return r;
        (void) strbuf_add(to_sign, ALGORITHM "\n");     /* sticky */
        add_trimmed(to_sign, headers_find(h, "X-Sdk-Date"));
        (void) strbuf_add(to_sign, "\n");
        r = strbuf_add(to_sign, hex);
        if (r < 0)
                return r;

        r = hmac_sha256(s, to_sign->s, to_sign->n, mac);
        if (r < 0)
                return r;
        hex_format(mac, sizeof(mac), hex);
        (void) strbuf_add(authorization, ALGORITHM " Access=");
        (void) strbuf_add(authorization, s->access_key);
        (void) strbuf_add(authorization, ", SignedHeaders=");
        (void) strbuf_add_n(authorization, canonical->s + names, n_names);
        (void) strbuf_add(authorization, ", Signature=");
        return strbuf_add(authorization, hex);
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
