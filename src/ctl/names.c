/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "ctl/fleet.h"
#include "policy/nearest.h"

/*
 * What a name on the command line means.
 */

static size_t match_exact(const NameList *l, const char *name, void (*on_match)(void *userdata, size_t i), void *userdata) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                if (streq(l->name(l->list, i), name) || streq(l->instance_id(l->list, i), name)) {
                        on_match(userdata, i);
                        n++;
                }

        return n;
}

static size_t match_pattern(const NameList *l, const char *pattern, void (*on_match)(void *userdata, size_t i), void *userdata) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                if (fnmatch(pattern, l->name(l->list, i), 0) == 0) {
                        on_match(userdata, i);
                        n++;
                }

        return n;
}

/* How many names begin so, and two of them. Controls of one instance come one after the other. */
static size_t match_prefix(const NameList *l, const char *prefix, const char *ret_names[static 2]) {
        const char *last = NULL;
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++) {
                const char *name = l->name(l->list, i);

                if (strncmp(name, prefix, strlen(prefix)) != 0 || (last && streq(last, name)))
                        continue;
                if (n < 2)
                        ret_names[n] = name;
                last = name;
                n++;
        }

        return n;
}

static void complain_unknown(const NameList *l, const char *name) {
        const char *nearest = NULL;
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < l->n; i++) {
                size_t d = word_distance(name, l->name(l->list, i));

                if (d < best) {
                        best = d;
                        nearest = l->name(l->list, i);
                }
        }

        if (nearest && word_is_near(name, best))
                ctl_complain("%s: no such instance, did you mean %s?", name, nearest);
        else
                ctl_complain("%s: no such instance", name);
}

int names_match(const NameList *l, const char *name, void (*on_match)(void *userdata, size_t i), void *userdata) {
        const char *found[2] = {};
        size_t n;

        assert(l);
        assert(name);
        assert(on_match);

        if (match_exact(l, name, on_match, userdata) > 0)
                return 0;
        if (strpbrk(name, "*?[")) {
                if (match_pattern(l, name, on_match, userdata) > 0)
                        return 0;
                ctl_complain("%s: no instance has such a name", name);
                return -ENOENT;
        }

        n = *name ? match_prefix(l, name, found) : 0;
        if (n == 1) {
                (void) match_exact(l, found[0], on_match, userdata);
                return 0;
        }
        if (n > 1) {
                ctl_complain("%s: that is the beginning of %zu names, %s and %s among them", name, n, found[0], found[1]);
                return -ENOTUNIQ;
        }

        complain_unknown(l, name);
        return -ENOENT;
}
