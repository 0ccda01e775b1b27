/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/signature.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "sim/percent.h"

#define ALGORITHM     "SDK-HMAC-SHA256"
#define CANONICAL_MAX ((size_t) 1024 * 1024) /* bytes; the gateway takes 32 KB of address and 128 KB of headers */
#define PAIRS_MAX     256                    /* of a query; picked, the APIs have ten */

void sim_signature_done(Signature *s) {
        free(s->access_key);
        free(s->signed_headers);
        free(s->hex);
        *s = (Signature){};
}

/* Reads "<name>=<value>" up to a comma or the end. */
static int take_field(const char **at, const char *name, char **ret) {
        size_t n = strlen(name), n_value;

        if (strncmp(*at, name, n) != 0 || (*at)[n] != '=')
                return -EINVAL;
        *at += n + 1;
        n_value = strcspn(*at, ", ");
        if (n_value == 0)
                return -EINVAL;
        *ret = strndup(*at, n_value);
        if (!*ret)
                return -ENOMEM;
        *at += n_value;
        if (**at == ',')
                *at += 1 + strspn(*at + 1, " ");
        return 0;
}

int sim_signature_parse(const char *authorization, Signature *ret) {
        _cleanup_(sim_signature_done) Signature s = {};
        const char *at = authorization;
        int r;

        if (strncmp(at, ALGORITHM " ", strlen(ALGORITHM " ")) != 0)
                return -EINVAL;
        at += strlen(ALGORITHM " ");

        r = take_field(&at, "Access", &s.access_key);
        if (r >= 0)
                r = take_field(&at, "SignedHeaders", &s.signed_headers);
        if (r >= 0)
                r = take_field(&at, "Signature", &s.hex);
        if (r >= 0 && *at != '\0')
                r = -EINVAL;
        if (r < 0)
                return r;

        ret->access_key = STEAL(s.access_key);
        ret->signed_headers = STEAL(s.signed_headers);
        ret->hex = STEAL(s.hex);
        return 0;
}

int sim_signature_parse_date(const char *s, usec_t *ret) {
        static const char form[] = "ddddddddTddddddZ";
        char text[TIME_TEXT_MAX];

        for (size_t i = 0; i < sizeof(form); i++)
                if (form[i] == 'd' ? !isdigit((unsigned char) s[i]) : s[i] != form[i])
                        return -EINVAL;
        for (size_t i = 0, n = 0; i < sizeof(form); i++) { /* 20200608T023900Z is 2020-06-08T02:39:00Z */
                if (i == 4 || i == 6)
                        text[n++] = '-';
                else if (i == 11 || i == 13)
                        text[n++] = ':';
                text[n++] = s[i];
        }
        return timestamp_parse(text, ret);
}

/* --- The canonical request ------------------------------------------------------------------------------------ */

static int add_path(StrBuf *b, const char *path) {
        size_t n = strlen(path), n_decoded;
        _cleanup_(freep) char *decoded = malloc(n + 1);
        const char *at = decoded;

        if (!decoded)
                return -ENOMEM;
        if (!sim_percent_decode(path, n, false, decoded, n + 1, &n_decoded))
                return -EINVAL;
        for (;;) {
                const char *slash = memchr(at, '/', n_decoded - (size_t) (at - decoded));

                if (!slash)
                        break;
                (void) sim_percent_encode(b, at, (size_t) (slash - at)); /* sticky in @b */
                (void) strbuf_add(b, "/");
                at = slash + 1;
        }
        (void) sim_percent_encode(b, at, n_decoded - (size_t) (at - decoded));
        if (n_decoded == 0 || decoded[n_decoded - 1] != '/')
                (void) strbuf_add(b, "/");
        return strbuf_add(b, "\n");
}

typedef struct Pair {
        char *key, *value; /* decoded; may hold any byte */
        size_t n_key, n_value;
} Pair;

static int compare_bytes(const char *a, size_t n_a, const char *b, size_t n_b) {
        int c = memcmp(a, b, MIN(n_a, n_b));

        return c != 0 ? c : (n_a > n_b) - (n_a < n_b);
}

static int compare_pairs(const void *x, const void *y) {
        const Pair *a = x, *b = y;
        int c = compare_bytes(a->key, a->n_key, b->key, b->n_key);

        return c != 0 ? c : compare_bytes(a->value, a->n_value, b->value, b->n_value);
}

/* Both halves go into @room, which is as long as the query and its pairs' NULs. */
static bool read_pair(const char *s, size_t n, char **room, size_t n_room, Pair *ret) {
        const char *equals = memchr(s, '=', n);
        size_t n_key = equals ? (size_t) (equals - s) : n;

        ret->key = *room;
        if (!sim_percent_decode(s, n_key, true, *room, n_room, &ret->n_key))
                return false;
        *room += ret->n_key + 1;
        n_room -= ret->n_key + 1;
        ret->value = *room;
        if (!sim_percent_decode(equals ? equals + 1 : "", equals ? n - n_key - 1 : 0, true, *room, n_room,
                                &ret->n_value))
                return false;
        *room += ret->n_value + 1;
        return true;
}

static int add_query(StrBuf *b, const char *query) {
        size_t n_room = query ? 2 * strlen(query) + 2 : 0, n_pairs = 0;
        _cleanup_(freep) char *room = malloc(n_room + 1);
        _cleanup_(freep) Pair *pairs = malloc(PAIRS_MAX * sizeof(*pairs));
        char *at = room;

        if (!room || !pairs)
                return -ENOMEM;
        while (query && *query != '\0') {
                size_t n = strcspn(query, "&");

                if (n > 0) {
                        if (n_pairs == PAIRS_MAX ||
                            !read_pair(query, n, &at, n_room - (size_t) (at - room), &pairs[n_pairs]))
                                return -EINVAL;
                        n_pairs++;
                }
                query += n + (query[n] == '&');
        }
        qsort(pairs, n_pairs, sizeof(*pairs), compare_pairs);

        for (size_t i = 0; i < n_pairs; i++) {
                (void) strbuf_add(b, i > 0 ? "&" : "");
                (void) sim_percent_encode(b, pairs[i].key, pairs[i].n_key);
                (void) strbuf_add(b, "=");
                (void) sim_percent_encode(b, pairs[i].value, pairs[i].n_value);
        }
        return strbuf_add(b, "\n");
}

static const char *header(const SimRequest *q, const char *name, size_t n) {
        for (size_t i = 0; i < q->n_headers; i++)
                if (strlen(q->headers[i].name) == n && strncasecmp(q->headers[i].name, name, n) == 0)
                        return q->headers[i].value;
        return NULL;
}

static bool name_is(const char *name, size_t n, const char *text) {
        return strlen(text) == n && memcmp(name, text, n) == 0;
}

static int add_headers(StrBuf *b, const SimRequest *q, const char *names) {
        const char *before = NULL;
        size_t n_before = 0;
        bool dated = false;

        for (const char *at = names;;) {
                size_t n = strcspn(at, ";"), n_value;
                const char *value = header(q, at, n);

                for (size_t i = 0; i < n; i++)
                        if (isupper((unsigned char) at[i]))
                                return -EINVAL;
                if (n == 0 || !value || (before && compare_bytes(before, n_before, at, n) >= 0))
                        return -EINVAL;
                dated = dated || name_is(at, n, "x-sdk-date");

                value += strspn(value, " \t");
                n_value = strlen(value);
                while (n_value > 0 && (value[n_value - 1] == ' ' || value[n_value - 1] == '\t'))
                        n_value--;
                (void) strbuf_add_n(b, at, n);
                (void) strbuf_add(b, ":");
                (void) strbuf_add_n(b, value, n_value);
                (void) strbuf_add(b, "\n");

                before = at;
                n_before = n;
                if (at[n] == '\0')
                        break;
                at += n + 1;
        }
        return dated ? strbuf_addf(b, "\n%s\n", names) : -EINVAL;
}

static void hex_format(const unsigned char *p, char ret[static 65]) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < 32; i++) {
                ret[2 * i] = digits[p[i] >> 4];
                ret[2 * i + 1] = digits[p[i] & 15];
        }
        ret[64] = '\0';
}

/* OpenSSL's SHA-256 and HMAC, looked up once. The simulated cloud has one thread. */
static struct {
        EVP_MD *sha256;
        EVP_MD_CTX *digest;
        EVP_MAC_CTX *mac;
} crypto;

static int crypto_get(void) {
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
                OSSL_PARAM_construct_end(),
        };
        EVP_MAC *hmac;

        if (crypto.mac)
                return 0;
        if (!crypto.sha256)
                crypto.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (!crypto.digest)
                crypto.digest = EVP_MD_CTX_new();
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        crypto.mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
        EVP_MAC_free(hmac); /* the context has a reference */
        if (!crypto.sha256 || !crypto.digest || !crypto.mac || EVP_MAC_CTX_set_params(crypto.mac, params) != 1) {
                EVP_MAC_CTX_free(crypto.mac);
                crypto.mac = NULL;
                ERR_clear_error();
                return -EIO;
        }
        return 0;
}

static int sha256_hex(const void *p, size_t n, char ret[static 65]) {
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned n_hash = 0;

        if (crypto_get() < 0)
                return -EIO;
        if (EVP_DigestInit_ex2(crypto.digest, crypto.sha256, NULL) != 1 ||
            EVP_DigestUpdate(crypto.digest, p, n) != 1 || EVP_DigestFinal_ex(crypto.digest, hash, &n_hash) != 1 ||
            n_hash != 32) {
                ERR_clear_error();
                return -EIO;
        }
        hex_format(hash, ret);
        return 0;
}

static int add_payload(StrBuf *b, const SimRequest *q) {
        const char *said = header(q, "X-Sdk-Content-Sha256", strlen("X-Sdk-Content-Sha256"));
        char hex[65];
        int r;

        if (q->n_body > 0 && said)
                return strbuf_add(b, said);
        r = sha256_hex(q->n_body > 0 ? q->body : "", q->n_body, hex);
        return r < 0 ? r : strbuf_add(b, hex);
}

int sim_signature_canonical_request(const SimRequest *q, const char *signed_headers, char **ret) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF(CANONICAL_MAX);
        int r;

        (void) strbuf_addf(&b, "%s\n", q->method);
        r = add_path(&b, q->path);
        if (r >= 0)
                r = add_query(&b, q->query);
        if (r >= 0)
                r = add_headers(&b, q, signed_headers);
        if (r >= 0)
                r = add_payload(&b, q);
        if (r == -E2BIG)
                return -EINVAL;
        return r < 0 ? r : strbuf_finish(&b, ret);
}

int sim_signature_compute(const char *canonical_request, const char *sdk_date, const char *secret_key,
                          char ret[static 65]) {
        char hash[65], text[256];
        unsigned char mac[EVP_MAX_MD_SIZE];
        size_t n_mac = 0;
        int n, r;

        r = sha256_hex(canonical_request, strlen(canonical_request), hash);
        if (r < 0)
                return r;
        n = snprintf(text, sizeof(text), ALGORITHM "\n%.64s\n%s", sdk_date, hash);
        if (EVP_MAC_init(crypto.mac, (const unsigned char *) secret_key, strlen(secret_key), NULL) != 1 ||
            EVP_MAC_update(crypto.mac, (const unsigned char *) text, (size_t) n) != 1 ||
            EVP_MAC_final(crypto.mac, mac, &n_mac, sizeof(mac)) != 1 || n_mac != 32) {
                ERR_clear_error();
                return -EIO;
        }
        hex_format(mac, ret);
        return 0;
}
