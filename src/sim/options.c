/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/macro.h"

#define DEFAULT_LISTEN   "127.0.0.1:8443"
#define DEFAULT_METADATA "127.0.0.1:0"

static void help(void) {
        puts("holdfast-sim [OPTIONS...]\n\n"
             "A simulated cloud for trying holdfast's policies.\n\n"
             "  --listen ADDR:PORT     Serve the APIs over HTTPS here (default " DEFAULT_LISTEN "; port 0: any)\n"
             "  --http ADDR:PORT       Serve them over plain HTTP as well\n"
             "  --metadata ADDR:PORT   Serve the instance metadata over HTTP (default: any port; off: do not)\n"
             "  --allow-remote         Let --listen, --http and --metadata be other than loopback addresses\n"
             "  --state FILE           What there is in the cloud, as YAML (default: a built-in example)\n"
             "  --ca-file FILE         Write the certificate to trust here (default: a temporary file)\n"
             "  --ready-file FILE      Write the addresses here when all of them answer\n"
             "  --log text|json|off    One line a request on standard error (default: text)\n"
             "  --seed NUMBER          Make ids, tokens and chance repeatable\n"
             "  --help                 Show this\n"
             "  --version              Show the version\n\n"
             "See holdfast-sim(1).");
}

static bool is_loopback(const struct sockaddr_storage *a) {
        if (a->ss_family == AF_INET)
                return ntohl(((const struct sockaddr_in *) a)->sin_addr.s_addr) >> 24 == 127;
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) a)->sin6_addr);
}

/* "127.0.0.1:8443", "[::1]:0", "localhost:0". Nothing is resolved: names can lie about where they lead. */
static bool parse_address(const char *s, OptionAddress *ret) {
        OptionAddress a = { .given = true };
        const char *colon = strrchr(s, ':');
        struct sockaddr_in *v4 = (struct sockaddr_in *) &a.address;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &a.address;
        bool bracket = *s == '[';
        unsigned long port;
        size_t n;
        char *end;

        if (!colon || colon[1] < '0' || colon[1] > '9')
                return false;
        port = strtoul(colon + 1, &end, 10);
        if (*end != '\0' || port > 65535)
                return false;
        n = (size_t) (colon - s) - (bracket ? 2 : 0);
        if ((bracket && (colon - s < 2 || colon[-1] != ']')) || n >= sizeof(a.host))
                return false;
        memcpy(a.host, s + bracket, n);
        a.host[n] = '\0';
        if (streq(a.host, "localhost"))
                (void) snprintf(a.host, sizeof(a.host), "127.0.0.1");

        if (bracket && inet_pton(AF_INET6, a.host, &v6->sin6_addr) == 1) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons((uint16_t) port);
                a.size = sizeof(*v6);
        } else if (!bracket && inet_pton(AF_INET, a.host, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons((uint16_t) port);
                a.size = sizeof(*v4);
        } else {
                return false;
        }
        a.loopback = is_loopback(&a.address);
        *ret = a;
        return true;
}

static int wrong(const char *option, const char *expected) {
        fprintf(stderr, "holdfast-sim: --%s: expected %s\n", option, expected);
        return -EINVAL;
}

static int parse_address_option(const char *option, const char *s, OptionAddress *ret) {
        return parse_address(s, ret)
                       ? 0
                       : wrong(option, "ADDRESS:PORT with a numeric address, such as 127.0.0.1:8443 or [::1]:0");
}

static int parse_log(const char *s, FrontLog *ret) {
        static const char *const names[] = {
                [FRONT_LOG_OFF] = "off", [FRONT_LOG_TEXT] = "text", [FRONT_LOG_JSON] = "json"
        };

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (streq(names[i], s)) {
                        *ret = (FrontLog) i;
                        return 0;
                }
        return wrong("log", "text, json or off");
}

static int parse_seed(const char *s, Options *o) {
        char *end;

        errno = 0;
        o->seed = strtoull(s, &end, 10);
        if (*s < '0' || *s > '9' || *end != '\0' || errno != 0)
                return wrong("seed", "a whole number");
        o->has_seed = true;
        return 0;
}

/* Anyone who can reach the front can read the state and change it in part: other hosts only on purpose. */
static int check_remote(const Options *o, bool allowed) {
        const OptionAddress *addresses[] = { &o->listen, &o->http, &o->metadata };

        for (size_t i = 0; i < N_ELEMENTS(addresses); i++)
                if (addresses[i]->given && !addresses[i]->loopback && !allowed) {
                        fprintf(stderr, "holdfast-sim: %s is not a loopback address: needs --allow-remote\n",
                                addresses[i]->host);
                        return -EINVAL;
                }
        return 1;
}

int options_parse(int argc, char **argv, Options *ret) {
        enum { LISTEN = 256, HTTP, METADATA, ALLOW_REMOTE, STATE, CA_FILE, READY_FILE, LOG, SEED, HELP, VERSION };
        static const struct option table[] = {
                { "listen", required_argument, NULL, LISTEN },
                { "http", required_argument, NULL, HTTP },
                { "metadata", required_argument, NULL, METADATA },
                { "allow-remote", no_argument, NULL, ALLOW_REMOTE },
                { "state", required_argument, NULL, STATE },
                { "ca-file", required_argument, NULL, CA_FILE },
                { "ready-file", required_argument, NULL, READY_FILE },
                { "log", required_argument, NULL, LOG },
                { "seed", required_argument, NULL, SEED },
                { "help", no_argument, NULL, HELP },
                { "version", no_argument, NULL, VERSION },
                {},
        };
        Options o = { .log = FRONT_LOG_TEXT };
        bool allow_remote = false;
        int c, r = 0;

        (void) parse_address(DEFAULT_LISTEN, &o.listen); /* both are fine as they stand */
        (void) parse_address(DEFAULT_METADATA, &o.metadata);

        while (r >= 0 && (c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
                switch (c) {
                case LISTEN: r = parse_address_option("listen", optarg, &o.listen); break;
                case HTTP: r = parse_address_option("http", optarg, &o.http); break;
                case METADATA:
                        if (streq(optarg, "off"))
                                o.metadata = (OptionAddress){};
                        else
                                r = parse_address_option("metadata", optarg, &o.metadata);
                        break;
                case ALLOW_REMOTE: allow_remote = true; break;
                case STATE: o.state_file = optarg; break;
                case CA_FILE: o.ca_file = optarg; break;
                case READY_FILE: o.ready_file = optarg; break;
                case LOG: r = parse_log(optarg, &o.log); break;
                case SEED: r = parse_seed(optarg, &o); break;
                case HELP: help(); return 0;
                case VERSION: puts("holdfast-sim " HOLDFAST_VERSION); return 0;
                default: return -EINVAL; /* getopt has said why */
                }
        }
        if (r < 0)
                return r;
        if (optind < argc) {
                fprintf(stderr, "holdfast-sim: %s: there are no arguments besides options\n", argv[optind]);
                return -EINVAL;
        }
        r = check_remote(&o, allow_remote);
        if (r > 0)
                *ret = o;
        return r;
}
