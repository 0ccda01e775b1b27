/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes that must not be seen: keys, passwords, tokens. They are wiped when freed, kept out of core dumps where the
 * kernel allows it, and there is no function that formats one.
 */

#include <stddef.h>

#include "base/macro.h"

#define SECRET_MAX 65536        /* bytes; security tokens run to several KB (IAM: up to 32768) */

typedef struct Secret Secret;

/* Copies @n bytes; @p stays the caller's to wipe. Return: 0; -E2BIG past SECRET_MAX; -ENOMEM. */
int secret_new(const void *p, size_t n, Secret **ret);
Secret *secret_ref(Secret *s);
Secret *secret_free(Secret *s);         /* drops one reference; wipes with the last; returns NULL */
DEFINE_CLEANUP(Secret *, secret_free)

const char *secret_text(const Secret *s);       /* NUL-terminated; belongs to @s */
size_t secret_size(const Secret *s);
int secret_equal(const Secret *a, const Secret *b);     /* constant time for equal sizes; NULL equals NULL */
