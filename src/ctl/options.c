/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 20          /* narrower than this nothing can be read; longer lines are left to the terminal */
#define COLUMNS_MAX 10000

typedef enum OptionId {
        OPTION_CONFIG,
        OPTION_INSTANCES,
        OPTION_STATE,
        OPTION_JSON,
        OPTION_NO_LEGEND,
        OPTION_NO_PAGER,
        OPTION_COLOR,
        OPTION_HELP,
        OPTION_VERSION,
} OptionId;

static const struct {
        const char *name;
        OptionId id;
        bool has_value;
} shared[] = {
        { "--config",     OPTION_CONFIG,     true  },
        { "--instances",  OPTION_INSTANCES,  true  },
        { "--state",      OPTION_STATE,      true  },
        { "--json",       OPTION_JSON,       false },
        { "--no-legend",  OPTION_NO_LEGEND,  false },
        { "--no-pager",   OPTION_NO_PAGER,   false },
        { "--color",      OPTION_COLOR,      true  },
        { "--help",       OPTION_HELP,       false },
        { "-h",           OPTION_HELP,       false },
        { "--version",    OPTION_VERSION,    false },
};

/* What --color says; stays AUTO where it is not given. */
typedef enum ColorWhen { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorWhen;
static ColorWhen color_when = COLOR_AUTO;

static int find(const char *argument, const char **ret_value) {
        for (size_t i = 0; i < N_ELEMENTS(shared); i++) {
                size_t n = strlen(shared[i].name);

                if (strncmp(argument, shared[i].name, n) != 0 || (argument[n] != '\0' && argument[n] != '='))
                        continue;
                *ret_value = argument[n] == '=' ? argument + n + 1 : NULL;
                return (int) i;
        }

        return -1;
}

static bool set_color(const char *when) {
        if (streq(when, "auto"))
                color_when = COLOR_AUTO;
        else if (streq(when, "always"))
                color_when = COLOR_ALWAYS;
        else if (streq(when, "never"))
                color_when = COLOR_NEVER;
        else
                return false;
        return true;
}

static OptionsResult take(OptionId id, const char *value, CtlOptions *o) {
        switch (id) {
        case OPTION_CONFIG:
                o->config = value;
                o->config_given = true;
                break;
        case OPTION_INSTANCES:
                o->instances = value;
                o->instances_given = true;
                break;
        case OPTION_STATE:
                o->state = value;
                o->state_given = true;
                break;
        case OPTION_JSON:
                o->json = true;
                break;
        case OPTION_NO_LEGEND:
                o->legend = false;
                break;
        case OPTION_NO_PAGER:
                o->pager = false;
                break;
        case OPTION_COLOR:
                assert(value);  /* the table says that it has one */
                if (!set_color(value)) {
                        (void) ctl_usage("--color: found '%s', expected auto, always or never", value);
                        return OPTIONS_WRONG;
                }
                break;
        case OPTION_HELP:
                return OPTIONS_HELP;
        case OPTION_VERSION:
                return OPTIONS_VERSION;
        }

        return OPTIONS_GO;
}

OptionsResult options_take(int *argc, char *argv[], CtlOptions *ret) {
        CtlOptions o = { .config = DEFAULT_CONFIG, .state = DEFAULT_STATE, .legend = true, .pager = true, .columns = COLUMNS_DEFAULT };
        const char *verb = NULL, *value;
        int n = 0, i;

        assert(argc);
        assert(ret);

        for (i = 0; i < *argc; i++) {
                OptionsResult result;
                int found;

                if (streq(argv[i], "--") && !verb) {    /* what follows is the verb */
                        i++;
                        break;
                }
                if (streq(argv[i], "--") || (verb && streq(verb, "log")))
                        break;

                found = find(argv[i], &value);
                if (found < 0) {
                        if (!verb && argv[i][0] != '-')
                                verb = argv[i];
                        else if (!verb) {
                                (void) ctl_usage("unknown option '%s'", argv[i]);
                                return OPTIONS_WRONG;
                        }
                        argv[n++] = argv[i];
                        continue;
                }

                if (shared[found].has_value && !value) {
                        if (i + 1 >= *argc) {
                                (void) ctl_usage("%s needs a value", argv[i]);
                                return OPTIONS_WRONG;
                        }
                        value = argv[++i];
                }
                if (shared[found].has_value && *value == '\0') {
                        (void) ctl_usage("%s needs a value, and not an empty one", shared[found].name);
                        return OPTIONS_WRONG;
                }
                if (!shared[found].has_value && value) {
                        (void) ctl_usage("%s takes no value", shared[found].name);
                        return OPTIONS_WRONG;
                }

                result = take(shared[found].id, value, &o);
                if (result != OPTIONS_GO)
                        return result;
        }

        for (; i < *argc; i++)
                argv[n++] = argv[i];
        *argc = n;
        argv[n] = NULL;
        *ret = o;
        return OPTIONS_GO;
}

/* As systemd's programs: SYSTEMD_COLORS, NO_COLOR, TERM. */
static bool wants_color(bool terminal) {
        const char *colors = getenv("SYSTEMD_COLORS"), *none = getenv("NO_COLOR"), *term = getenv("TERM");

        if (color_when != COLOR_AUTO)
                return color_when == COLOR_ALWAYS;
        if (colors && *colors)
                return !streq(colors, "0") && !streq(colors, "no") && !streq(colors, "false") && !streq(colors, "off");
        if (none && *none)
                return false;
        return terminal && !(term && streq(term, "dumb"));
}

static unsigned find_columns(void) {
        const char *s = getenv("COLUMNS");
        struct winsize size = {};
        unsigned long n;
        char *end;

        if (s && *s >= '0' && *s <= '9') {
                n = strtoul(s, &end, 10);
                if (*end == '\0' && n >= COLUMNS_MIN && n <= COLUMNS_MAX)
                        return (unsigned) n;
        }
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN)
                return size.ws_col;
        return COLUMNS_DEFAULT;
}

int options_settle(CtlOptions *o) {
        const char *slash;
        char *instances;

        assert(o);

        /* Characters only: numbers and sorting stay the same everywhere. */
        (void) setlocale(LC_CTYPE, "");
        o->utf8 = streq(nl_langinfo(CODESET), "UTF-8");
        o->terminal = isatty(STDOUT_FILENO);
        o->color = wants_color(o->terminal);
        o->columns = find_columns();
        o->pager = o->pager && o->terminal && !o->json;

        slash = strrchr(o->config, '/');
        if (o->instances_given)
                instances = strdup(o->instances);
        else if (asprintf(&instances, "%.*sinstances.d", slash ? (int) (slash - o->config + 1) : 0, o->config) < 0)
                instances = NULL;
        if (!instances)
                return -ENOMEM;

        o->instances = instances;
        return 0;
}

void options_done(CtlOptions *o) {
        free((char *) (uintptr_t) o->instances);        /* made by options_settle() */
        o->instances = NULL;
}
