/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/origin.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#define HOST_MAX 253            /* characters; RFC 1035 */
#define ORIGIN_MAX 320          /* bytes: scheme, host, port */
#define METADATA_ADDRESS "169.254.169.254"

typedef struct Origin {
        bool tls, has_scheme;
        char host[HOST_MAX + 3];        /* brackets of an IPv6 address included */
        uint16_t port;                  /* 0: not written */
} Origin;

static const char *origin_scheme(const char *s, Origin *o) {
        const char *end = strstr(s, "://");

        o->tls = true;
        if (!end)
                return s;

        o->has_scheme = true;
        if (end - s == 5 && strncasecmp(s, "https", 5) == 0)
                return end + 3;
        o->tls = false;
        if (end - s == 4 && strncasecmp(s, "http", 4) == 0)
                return end + 3;
        return NULL;
}

static bool host_is_ipv6(const char *host) {
        char bare[INET6_ADDRSTRLEN];
        struct in6_addr address;
        size_t n = strlen(host);

        if (n < 4 || n - 2 >= sizeof(bare) || host[0] != '[' || host[n - 1] != ']')
                return false;

        memcpy(bare, host + 1, n - 2);
        bare[n - 2] = '\0';
        return inet_pton(AF_INET6, bare, &address) == 1;
}

/* Labels of letters, digits and hyphens (RFC 1123), underscores for what people run inside; or an IPv4 address. */
static bool host_is_name(const char *host) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
        size_t n = strlen(host);
        struct in_addr address;

        if (n == 0 || n > HOST_MAX || strspn(host, allowed) != n)
                return false;
        if (strspn(host, "0123456789.") == n) /* digits alone are an address, and 127.1 or 2130706433 no good one */
                return inet_pton(AF_INET, host, &address) == 1;
        return host[0] != '.' && host[0] != '-' && !strstr(host, "..");
}

static bool host_is_loopback(const char *host) {
        struct in_addr address;

        if (streq(host, "localhost") || streq(host, "[::1]"))
                return true;
        return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool origin_port(const char *s, uint16_t *ret) {
        unsigned port = 0;

        if (*s == '\0' || strlen(s) > 5 || strspn(s, "0123456789") != strlen(s))
                return false;
        for (; *s; s++)
                port = port * 10 + (unsigned) (*s - '0');
        if (port == 0 || port > 65535)
                return false;

        *ret = (uint16_t) port;
        return true;
}

/* The part after the scheme, without a trailing slash. Returns what is wrong with it, or NULL. */
static const char *origin_authority(const char *s, Origin *o) {
        char text[ORIGIN_MAX];
        char *colon, *bracket;
        size_t n = strlen(s);

        if (n > 0 && s[n - 1] == '/')
                n--;
        if (n == 0)
                return "found an address without a host";
        if (n >= sizeof(text))
                return "found an address that is too long";

        for (size_t i = 0; i < n; i++)
                text[i] = (char) tolower((unsigned char) s[i]);
        text[n] = '\0';
        if (strpbrk(text, "/?#\\"))
                return "found an address with a path or query";

        bracket = strrchr(text, ']');
        colon = strchr(bracket ? bracket : text, ':');
        if (colon) {
                *colon = '\0';
                if (!origin_port(colon + 1, &o->port))
                        return "found an address with a port that is none";
        }
        if (strlen(text) >= sizeof(o->host) || (!host_is_name(text) && !host_is_ipv6(text)))
                return "found an address with a host that is none";

        strcpy(o->host, text);
        return NULL;
}

static const char *origin_allowed(const Origin *o, OriginUse use) {
        if (use == ORIGIN_PROXY)
                return o->has_scheme ? NULL : "found an address without http:// or https://";
        if (o->tls || host_is_loopback(o->host))
                return NULL;
        if (use == ORIGIN_METADATA && streq(o->host, METADATA_ADDRESS))
                return NULL;
        return "found plain http to another host";
}

int origin_parse(Arena *arena, const char *s, OriginUse use, char **ret, const char **reterr) {
        char text[ORIGIN_MAX + 16], port[8] = "";
        Origin o = {};
        const char *rest, *wrong = NULL;
        char *origin;

        assert(arena);
        assert(s);
        assert(ret);
        assert(reterr);

        rest = origin_scheme(s, &o);
        if (strchr(s, '@'))
                wrong = "found an address with a user name or password in it";
        else if (!rest)
                wrong = "found an address that is neither http nor https";
        else
                wrong = origin_authority(rest, &o);
        if (!wrong)
                wrong = origin_allowed(&o, use);
        if (wrong) {
                *reterr = wrong;
                return -EINVAL;
        }

        if (o.port > 0)
                (void) snprintf(port, sizeof(port), ":%u", o.port); /* five digits at most */
        (void) snprintf(text, sizeof(text), "%s://%s%s", o.tls ? "https" : "http", o.host, port); /* fits: see ORIGIN_MAX */
        origin = arena_strdup(arena, text);
        if (!origin)
                return -ENOMEM;

        *ret = origin;
        return 0;
}
