/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the cloud's error codes mean for us, where the HTTP status alone does not say it. */

#include "facts/facts.h"

typedef enum CodeClass {
        CODE_BY_STATUS,         /* the status says it all, or the code is not known */
        CODE_NOT_OFFERED,
        CODE_NOT_FOUND,
        CODE_NOT_PERMITTED,
        CODE_CREDENTIALS,
        CODE_CREDENTIALS_TOKEN, /* the token ran out: renewing it is worth one try */
        CODE_THROTTLED,
        CODE_BUSY,
        CODE_BAD_REQUEST,
        CODE_SERVER,
} CodeClass;

/* @status decides where one code stands for several things. */
CodeClass error_code_class(const char *code, int status);

/* The gateway's own code, whatever its prefix: says nothing about the service behind it. */
bool error_code_is_gateway(const char *code);
