/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/macro.h"

#define METADATA_HOST "169.254.169.254" /* link-local, answered by the hypervisor */

DEFINE_CLEANUP(CURLU *, curl_url_cleanup)
DEFINE_CLEANUP(char *, curl_free)

/* @host as libcurl will see it, which has put odd spellings of an IPv4 address ("127.1") in order. */
static bool host_is_direct(const char *host) {
        struct in_addr v4;
        struct in6_addr v6;
        char address[INET6_ADDRSTRLEN];
        size_t n = strlen(host);

        /* libcurl answers this name itself and asks no resolver (since 7.78.0). */
        if (strcasecmp(host, "localhost") == 0 || streq(host, METADATA_HOST))
                return true;
        if (inet_pton(AF_INET, host, &v4) == 1)
                return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;

        if (n < 2 || n - 2 >= sizeof(address) || host[0] != '[' || host[n - 1] != ']')
                return false;
        memcpy(address, host + 1, n - 2);
        address[n - 2] = '\0';
        return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int origin_judge(const char *origin, Origin *ret) {
        _cleanup_(curl_url_cleanupp) CURLU *url = NULL;
        _cleanup_(curl_freep) char *host = NULL;
        const char *scheme_end;
        bool is_https, is_direct;
        CURLUcode rc;

        assert(origin);
        assert(ret);

        scheme_end = strstr(origin, "://");
        if (!scheme_end || strpbrk(scheme_end + 3, "/?#@\\"))
                return -EINVAL;
        is_https = strncasecmp(origin, "https://", 8) == 0;
        if (!is_https && strncasecmp(origin, "http://", 7) != 0)
                return -EPROTONOSUPPORT;

        url = curl_url();
        if (!url)
                return -ENOMEM;
        rc = curl_url_set(url, CURLUPART_URL, origin, CURLU_DISALLOW_USER);
        if (rc == CURLUE_OK)
                rc = curl_url_get(url, CURLUPART_HOST, &host, 0);
        if (rc != CURLUE_OK)
                return rc == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;

        is_direct = host_is_direct(host);
        if (!is_https && !is_direct)
                return -EPROTONOSUPPORT;

        *ret = (Origin) { .url = STEAL(url), .is_https = is_https, .is_direct = is_direct };
        return 0;
}
