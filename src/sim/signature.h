/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SDK-HMAC-SHA256 as the gateway checks it, built from what arrived (API Request Signing Guide, algorithm).
 * Written apart from holdfast's own signer on purpose: two programs that share a mistake agree with each other.
 */

#include "sim/rules.h"

typedef struct Signature {
        char *access_key, *signed_headers, *hex;
} Signature;

void sim_signature_done(Signature *s);

/* Takes an Authorization header apart. Return: 0; -EINVAL if it is not of this algorithm and form; -ENOMEM. */
int sim_signature_parse(const char *authorization, Signature *ret);

/**
 * sim_signature_canonical_request() - what must have been signed
 * @signed_headers:     names from the request, "host;x-sdk-date"
 * @ret:                new text
 *
 * Return: 0; -EINVAL if the names are not in lower case, sorted, without repeats, all on the request, with
 * x-sdk-date among them; -ENOMEM.
 */
int sim_signature_canonical_request(const SimRequest *q, const char *signed_headers, char **ret);

/* The signature of a canonical request, as 64 hex digits. Return: 0; -EIO if OpenSSL fails. */
int sim_signature_compute(const char *canonical_request, const char *sdk_date, const char *secret_key,
                          char ret[static 65]);

/* "YYYYMMDDTHHMMSSZ". Return: 0 or -EINVAL. */
int sim_signature_parse_date(const char *s, usec_t *ret);
