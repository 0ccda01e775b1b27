/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define NAMES                                                                                                        \
        "DNS:localhost,DNS:taurusdb.localhost,DNS:gaussdb.localhost,DNS:dbss.localhost,DNS:iam.localhost,"           \
        "IP:127.0.0.1,IP:::1"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(BIO *, BIO_free)

void certificate_done(Certificate *c) {
        free(c->ca_pem);
        free(c->chain_pem);
        if (c->key_pem)
                OPENSSL_cleanse(c->key_pem, strlen(c->key_pem));
        free(c->key_pem);
        *c = (Certificate){};
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
        X509_EXTENSION *extension;
        X509V3_CTX context;
        int ok;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        if (!extension)
                return 0;
        ok = X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
        return ok;
}

static int set_serial(X509 *cert) {
        unsigned char bytes[8];
        uint64_t serial = 0;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return 0;
        for (size_t i = 0; i < sizeof(bytes); i++)
                serial = serial << 8 | bytes[i];
        return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
}

/* An unsigned certificate with what both kinds have. @issuer NULL: it signs itself. */
static X509 *begin_certificate(EVP_PKEY *key, X509 *issuer, const char *name, usec_t now_usec) {
        _cleanup_(X509_freep) X509 *cert = X509_new();
        time_t now = (time_t) (now_usec / USEC_PER_SEC);
        X509_NAME *subject;

        if (!cert)
                return NULL;
        subject = X509_get_subject_name(cert);
        if (!X509_set_version(cert, 2) || !set_serial(cert) || !X509_set_pubkey(cert, key) ||
            !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *) name, -1, -1, 0) ||
            !X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) ||
            !X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &now) ||
            !X509_time_adj_ex(X509_getm_notAfter(cert), 365, 0, &now) ||
            !add_extension(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash"))
                return NULL;
        return STEAL(cert);
}

static X509 *make_ca(EVP_PKEY *key, usec_t now_usec) {
        _cleanup_(X509_freep) X509 *cert = begin_certificate(key, NULL, "holdfast-sim throw-away CA", now_usec);

        if (!cert || !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
            !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
            !X509_sign(cert, key, EVP_sha256()))
                return NULL;
        return STEAL(cert);
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *address, usec_t now_usec) {
        _cleanup_(X509_freep) X509 *cert = begin_certificate(key, ca, "localhost", now_usec);
        char names[512];

        (void) snprintf(names, sizeof(names), "%s%s%s", NAMES, address ? ",IP:" : "", address ? address : "");
        if (!cert || !add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") ||
            !add_extension(cert, ca, NID_key_usage, "critical,digitalSignature") ||
            !add_extension(cert, ca, NID_ext_key_usage, "serverAuth") ||
            !add_extension(cert, ca, NID_authority_key_identifier, "keyid") ||
            !add_extension(cert, ca, NID_subject_alt_name, names) || !X509_sign(cert, ca_key, EVP_sha256()))
                return NULL;
        return STEAL(cert);
}

static char *bio_text(BIO *bio) {
        char *data;
        long n = BIO_get_mem_data(bio, &data);

        return n > 0 ? strndup(data, (size_t) n) : NULL;
}

static char *certificate_text(X509 *cert) {
        _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_X509(bio, cert) ? bio_text(bio) : NULL;
}

static char *key_text(EVP_PKEY *key) {
        _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_secmem());

        return bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ? bio_text(bio) : NULL;
}

int certificate_make(const char *address, usec_t now_usec, Certificate *ret) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
        _cleanup_(X509_freep) X509 *ca = NULL, *server = NULL;
        _cleanup_(certificate_done) Certificate c = {};

        if (ca_key && key)
                ca = make_ca(ca_key, now_usec);
        if (ca)
                server = make_server(key, ca, ca_key, address, now_usec);
        if (server) {
                c.ca_pem = certificate_text(ca);
                c.chain_pem = certificate_text(server);
                c.key_pem = key_text(key);
        }
        if (!c.ca_pem || !c.chain_pem || !c.key_pem) {
                ERR_clear_error();
                return -EIO;
        }
        ret->ca_pem = STEAL(c.ca_pem);
        ret->chain_pem = STEAL(c.chain_pem);
        ret->key_pem = STEAL(c.key_pem);
        return 0;
}
