/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The command line of holdfast-sim. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sim/front.h"

typedef struct OptionAddress {
        bool given;
        bool loopback;
        char host[INET6_ADDRSTRLEN]; /* numeric */
        struct sockaddr_storage address;
        socklen_t size;
} OptionAddress;

typedef struct Options {
        OptionAddress listen, http, metadata;
        const char *state_file, *ca_file, *ready_file; /* NULL: none; belong to argv */
        FrontLog log;
        bool has_seed;
        uint64_t seed;
} Options;

/* Return: 1 go on; 0 done (--help, --version); -EINVAL wrong usage, said on stderr. */
int options_parse(int argc, char **argv, Options *ret);
