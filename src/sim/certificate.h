/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A certification authority that lives as long as the process, and the one certificate it signs. Its key is
 * never written anywhere.
 */

#include "base/macro.h"
#include "base/time-util.h"

typedef struct Certificate {
        char *ca_pem;    /* what clients must trust */
        char *chain_pem; /* what the server shows */
        char *key_pem;   /* secret; wiped by certificate_done() */
} Certificate;

/**
 * certificate_make() - keys and certificates for localhost, the names <service>.localhost, 127.0.0.1 and ::1
 * @address:    one more IP address to be valid for, or NULL
 * @now_usec:   valid from a day before until a year after
 *
 * Return: 0; -EIO if OpenSSL fails.
 */
int certificate_make(const char *address, usec_t now_usec, Certificate *ret);
void certificate_done(Certificate *c);
