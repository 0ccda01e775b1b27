/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <arpa/inet.h>

#include "cloud/endpoint-table.h"

#define IAM_GLOBAL "https://iam.myhuaweicloud.com"      /* for regions without a host of their own, as the SDKs do */
#define METADATA "http://" METADATA_ADDRESS
#define METADATA_ADDRESS "169.254.169.254"

#define HOST_MAX 254    /* bytes with the NUL; RFC 1035: 253 characters */
#define LABEL_MAX 63    /* characters; RFC 1035 */

static int compare_rows(const void *x, const void *y) {
        const EndpointRow *a = x, *b = y;

        return a->service != b->service ? (a->service > b->service) - (a->service < b->service)
                                        : strcmp(a->region, b->region);
}

const char *endpoint_lookup(Service s, const char *region) {
        const EndpointRow *row = NULL;

        assert(s < SERVICE__MAX);

        if (region) {
                const EndpointRow key = { .service = s, .region = region };

                row = bsearch(&key, endpoint_table, endpoint_table_size, sizeof(key), compare_rows);
        }
        if (row)
                return row->origin;
        if (s == SERVICE_METADATA)
                return METADATA;
        return s == SERVICE_IAM ? IAM_GLOBAL : NULL;
}

bool endpoint_region_known(const char *region) {
        assert(region);

        for (size_t i = 0; i < endpoint_table_size; i++)
                if (streq(endpoint_table[i].region, region))
                        return true;

        return false;
}

const char *endpoint_row(size_t i, Service *ret_service, const char **ret_region) {
        if (i >= endpoint_table_size)
                return NULL;

        if (ret_service)
                *ret_service = endpoint_table[i].service;
        if (ret_region)
                *ret_region = endpoint_table[i].region;
        return endpoint_table[i].origin;
}

/* --- Origins that people write ----------------------------------------------------------------------------- */

typedef enum HostKind { HOST_INVALID, HOST_NAME, HOST_IPV4, HOST_IPV6 } HostKind;

typedef struct Origin {
        bool https;
        HostKind kind;
        char host[HOST_MAX];    /* lower case; an address in its usual form, without brackets */
        unsigned port;          /* 0: the scheme's */
} Origin;

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool label_valid(const char *s, size_t n) {
        if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
                return false;

        for (size_t i = 0; i < n; i++)
                if (!is_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'z') && s[i] != '-')
                        return false;

        return true;
}

/*
 * Some resolvers take "127.1" or "0x7f000001" for an address: a name whose last label starts with a digit is none of
 * ours.
 */
static bool name_valid(const char *s) {
        const char *label = s;

        for (;;) {
                size_t n = strcspn(label, ".");

                if (!label_valid(label, n))
                        return false;
                if (label[n] == '\0')
                        return !is_digit(label[0]);
                label += n + 1;
        }
}

/* Copies and judges a host of @n bytes; @bracketed: it stood in brackets, as IPv6 addresses do. */
static HostKind host_parse(const char *s, size_t n, bool bracketed, char ret[static HOST_MAX]) {
        unsigned char address[sizeof(struct in6_addr)];

        if (n == 0 || n >= HOST_MAX)
                return HOST_INVALID;

        for (size_t i = 0; i < n; i++)
                ret[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char) (s[i] - 'A' + 'a') : s[i];
        ret[n] = '\0';

        if (bracketed) {
                if (inet_pton(AF_INET6, ret, address) != 1 || !inet_ntop(AF_INET6, address, ret, HOST_MAX))
                        return HOST_INVALID;
                return HOST_IPV6;
        }
        if (inet_pton(AF_INET, ret, address) == 1)
                return HOST_IPV4;
        return name_valid(ret) ? HOST_NAME : HOST_INVALID;
}

/* ":8443", ":8443/", "/" or nothing. */
static bool rest_parse(const char *s, unsigned *ret_port) {
        unsigned port = 0;

        if (*s == ':') {
                s++;
                if (!is_digit(*s))
                        return false;
                for (; is_digit(*s); s++) {
                        port = port * 10 + (unsigned) (*s - '0');
                        if (port > 65535)
                                return false;
                }
                if (port == 0)
                        return false;
        }

        *ret_port = port;
        return streq(s, "") || streq(s, "/");
}

static bool scheme_parse(const char **s, bool *ret_https) {
        static const struct {
                const char *prefix;
                bool https;
        } schemes[] = {
                { "https://", true },
                { "http://", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
                size_t n = strlen(schemes[i].prefix);

                if (strncasecmp(*s, schemes[i].prefix, n) == 0) {
                        *s += n;
                        *ret_https = schemes[i].https;
                        return true;
                }
        }

        *ret_https = true;
        return !strstr(*s, "://");
}

static int origin_parse(const char *s, Origin *ret, const char **reterr) {
        const char *end;
        bool bracketed;

        if (!scheme_parse(&s, &ret->https)) {
                *reterr = "expected https://, or a host alone";
                return -EINVAL;
        }

        bracketed = *s == '[';
        if (bracketed)
                s++;
        end = s + strcspn(s, bracketed ? "]" : ":/");
        ret->kind = bracketed && *end != ']' ? HOST_INVALID : host_parse(s, (size_t) (end - s), bracketed, ret->host);
        if (ret->kind == HOST_INVALID) {
                *reterr = "expected a host name or address";
                return -EINVAL;
        }

        if (!rest_parse(bracketed ? end + 1 : end, &ret->port)) {
                *reterr = "expected at most a port (1 to 65535) after the host, no path, query or user";
                return -EINVAL;
        }
        return 0;
}

static bool is_loopback(const Origin *o) {
        switch (o->kind) {
        case HOST_IPV4:
                return strncmp(o->host, "127.", strlen("127.")) == 0;
        case HOST_IPV6:
                return streq(o->host, "::1");
        case HOST_NAME:
                return streq(o->host, "localhost");
        case HOST_INVALID:
                break;
        }
        return false;
}

static int origin_format(const Origin *o, char **ret) {
        const char *scheme = o->https ? "https" : "http";
        const char *open = o->kind == HOST_IPV6 ? "[" : "", *close = o->kind == HOST_IPV6 ? "]" : "";
        unsigned standard = o->https ? 443 : 80;
        char *s = NULL;
        int r;

        /* The port that goes without saying is dropped on the wire, and so must be in the signed Host. */
        if (o->port == 0 || o->port == standard)
                r = asprintf(&s, "%s://%s%s%s", scheme, open, o->host, close);
        else
                r = asprintf(&s, "%s://%s%s%s:%u", scheme, open, o->host, close, o->port);
        if (r < 0)
                return -ENOMEM;

        *ret = s;
        return 0;
}

int endpoint_check(Service service, const char *s, char **ret, const char **reterr) {
        const char *ignored;
        Origin o = {};
        int r;

        assert(service < SERVICE__MAX);
        assert(s);
        assert(ret);

        r = origin_parse(s, &o, reterr ? reterr : &ignored);
        if (r < 0)
                return r;

        if (!o.https && !is_loopback(&o) && !(service == SERVICE_METADATA && streq(o.host, METADATA_ADDRESS))) {
                *(reterr ? reterr : &ignored) = service == SERVICE_METADATA ?
                        "expected https; plain http is for " METADATA_ADDRESS " and loopback addresses" :
                        "expected https; plain http is for loopback addresses";
                return -EINVAL;
        }

        return origin_format(&o, ret);
}
