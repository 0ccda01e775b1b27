/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SDK-HMAC-SHA256, the signature of Huawei Cloud's API gateway (API Request Signing Guide, api-sign-algorithm-001 to
 * 003).
 */

#include "base/http.h"
#include "base/secret.h"

typedef struct Signer Signer;   /* one access key */

int signer_new(const char *access_key, const Secret *secret_key, const Secret *security_token, Signer **ret);
Signer *signer_free(Signer *s);
DEFINE_CLEANUP(Signer *, signer_free)

/**
 * sign_request() - add X-Sdk-Date, X-Security-Token (temporary keys) and Authorization
 * @q:          complete request; every header on it is signed (but names with an underscore), with Host from its
 *              origin
 * @now_usec:   wall clock; the gateway accepts 15 minutes either way of its own
 *
 * Path and query may be raw UTF-8 or percent-encoded; they are decoded once and encoded canonically for the
 * signature, and left as they are on the request. A Host or X-Sdk-Date that is on the request already is kept. Sign
 * each attempt anew.
 *
 * Return: 0; -ENOMEM; -E2BIG if the request has no room for the headers; -EINVAL for a malformed origin, a header
 * value with control characters, or a request that is signed already; -EIO if OpenSSL fails. On failure @q is as
 * before.
 */
int sign_request(Signer *s, HttpRequest *q, usec_t now_usec);

/* The pieces, for tests, the simulated cloud and debugging: new texts, free with free(); each may be NULL. */
int sign_explain(Signer *s, const HttpRequest *q, const char *sdk_date,
                 char **ret_canonical_request, char **ret_string_to_sign, char **ret_authorization);
