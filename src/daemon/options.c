/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define DEFAULT_CONFIG "/etc/holdfast/holdfast.yaml"
#define DEFAULT_STATE "/var/lib/holdfast"

static void print_help(void) {
        (void) printf("holdfastd [OPTION…]\n"
                      "\n"
                      "Keeps the backup protection of cloud databases as the policies say.\n"
                      "\n"
                      "  --config FILE     the daemon's settings (default %s)\n"
                      "  --instances DIR   the policies (default: instances.d beside the settings)\n"
                      "  --state DIR       state and evidence (default $STATE_DIRECTORY or %s)\n"
                      "  --observe         look and report, change nothing, whatever the policies say\n"
                      "  --once            follow every control to its end, then exit: 0 all compliant, 3 not\n"
                      "  --check           check settings and policies, contact nobody\n"
                      "  --log FORMAT      auto (default), journal, text or json\n"
                      "  --version         print the version\n"
                      "  --help            print this\n"
                      "\n"
                      "See holdfastd(8) and holdfast.yaml(5).\n",
                      DEFAULT_CONFIG, DEFAULT_STATE);
}

/* instances.d in the folder of @config. */
static char *default_instances(const char *config) {
        const char *slash;
        char *s;

        assert(config);

        slash = strrchr(config, '/');
        if (asprintf(&s, "%.*sinstances.d", slash ? (int) (slash - config + 1) : 0, config) < 0)
                return NULL;
        return s;
}

static int usage(const char *format, const char *argument) {
        (void) fprintf(stderr, "holdfastd: ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) fprintf(stderr, format, argument);       /* formats are literals of this file */
#pragma GCC diagnostic pop
        (void) fprintf(stderr, "\nTry 'holdfastd --help'.\n");
        return -EINVAL;
}

/* systemd gives several state directories separated by colons; ours is the first. Return: 0; -EINVAL, said; -ENOMEM. */
static int default_state(char **ret) {
        const char *s = getenv("STATE_DIRECTORY");
        char *state;

        if (!s || s[0] == '\0')
                s = DEFAULT_STATE;
        if (s[0] != '/')
                return usage("$STATE_DIRECTORY: found '%s', expected an absolute path", s);

        state = strndup(s, strcspn(s, ":"));
        if (!state)
                return -ENOMEM;

        *ret = state;
        return 0;
}

/* What is not given. */
static int settle(const char *instances, const char *state, Options *o) {
        o->instances_given = instances;
        o->instances = instances ? strdup(instances) : default_instances(o->config);
        if (!o->instances)
                return -ENOMEM;

        if (!state)
                return default_state(&o->state);
        o->state = strdup(state);
        return o->state ? 0 : -ENOMEM;
}

int options_parse(int argc, char *argv[], Options *ret) {
        enum { OPT_CONFIG = 256, OPT_INSTANCES, OPT_STATE, OPT_OBSERVE, OPT_ONCE, OPT_CHECK, OPT_LOG, OPT_VERSION, OPT_HELP };
        static const struct option longs[] = {
                { "config", required_argument, NULL, OPT_CONFIG },
                { "instances", required_argument, NULL, OPT_INSTANCES },
                { "state", required_argument, NULL, OPT_STATE },
                { "observe", no_argument, NULL, OPT_OBSERVE },
                { "once", no_argument, NULL, OPT_ONCE },
                { "check", no_argument, NULL, OPT_CHECK },
                { "log", required_argument, NULL, OPT_LOG },
                { "version", no_argument, NULL, OPT_VERSION },
                { "help", no_argument, NULL, OPT_HELP },
                {},
        };
        _cleanup_(options_done) Options o = { .config = DEFAULT_CONFIG, .log = REPORT_AUTO };
        const char *instances = NULL, *state = NULL;
        int c, r, index = 0;

        assert(ret);

        while ((c = getopt_long(argc, argv, "h", longs, &index)) >= 0) {
                if (c >= OPT_CONFIG && optarg && *optarg == '\0')
                        return usage("--%s needs a value, and not an empty one", longs[index].name);
                switch (c) {
                case OPT_CONFIG:
                        o.config = optarg;
                        break;
                case OPT_INSTANCES:
                        instances = optarg;
                        break;
                case OPT_STATE:
                        state = optarg;
                        break;
                case OPT_OBSERVE:
                        o.observe = true;
                        break;
                case OPT_ONCE:
                        o.once = true;
                        break;
                case OPT_CHECK:
                        o.check = true;
                        break;
                case OPT_LOG:
                        r = report_format_from_string(optarg);
                        if (r < 0)
                                return usage("--log: found '%s', expected auto, journal, text or json", optarg);
                        o.log = (ReportFormat) r;
                        break;
                case OPT_VERSION:
                        (void) printf("holdfastd %s\n", HOLDFAST_VERSION);
                        return 1;
                case 'h':
                case OPT_HELP:
                        print_help();
                        return 1;
                default:
                        (void) fprintf(stderr, "Try 'holdfastd --help'.\n");    /* getopt has said what is wrong */
                        return -EINVAL;
                }
        }

        if (optind < argc)
                return usage("unexpected argument '%s'", argv[optind]);
        if (o.once && o.check)
                return usage("--once and --check exclude each other%s", "");

        r = settle(instances, state, &o);
        if (r < 0)
                return r;

        *ret = o;
        o = (Options) {};
        return 0;
}

void options_done(Options *o) {
        free(o->instances);
        free(o->state);
        *o = (Options) {};
}
