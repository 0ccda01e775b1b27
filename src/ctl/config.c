/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/config.h"

#include <errno.h>
#include <stdio.h>

#include "cloud/endpoints.h"
#include "ctl/fleet.h"

int config_load(const CtlOptions *o, Config *ret) {
        int r;

        assert(o);
        assert(ret);

        *ret = (Config) {};
        r = settings_load(o->config, &ret->diags, &ret->settings);
        if (r >= 0 && o->instances_given)
                r = policies_need_folder(o->instances, &ret->diags);
        if (r < 0)
                return r;

        return policies_load(o->instances, ret->settings, NULL, &ret->diags, &ret->policies, &ret->n_rejected);
}

void config_done(Config *c) {
        c->policies = policy_set_free(c->policies);
        c->settings = settings_free(c->settings);
        diagnostics_done(&c->diags);
}

void config_complain(const CtlOptions *o, const Config *c, int error) {
        for (size_t i = 0; i < c->diags.n_items; i++) {
                _cleanup_(freep) char *s = diagnostic_to_string(&c->diags.items[i]);

                (void) fprintf(stderr, "%s\n", s ? s : strerror(ENOMEM));
        }
        if (c->diags.n_dropped > 0)
                (void) fprintf(stderr, "and %zu more\n", c->diags.n_dropped);
        if (error < 0 && c->diags.n_items == 0)
                ctl_complain("%s: %s", c->settings ? o->instances : o->config, strerror(-error));
}

int config_need(const CtlOptions *o, Config *ret) {
        int r;

        r = config_load(o, ret);
        if (r < 0 || ret->n_rejected > 0)
                config_complain(o, ret, r);
        if (r >= 0)
                return 0;
        return r == -EACCES || r == -EPERM ? EXIT_NOT_ALLOWED : EXIT_CONFIG;
}

static const char *instance_name(const void *list, size_t i) {
        return ((const PolicySet *) list)->instances[i]->name;
}

static const char *instance_id(const void *list, size_t i) {
        return ((const PolicySet *) list)->instances[i]->instance_id;
}

static void mark(void *userdata, size_t i) {
        bool *marks = userdata;

        marks[i] = true;
}

int config_select(Config *c, char *const names[], size_t n_names) {
        PolicySet *set = c->policies;
        NameList list = { .n = set->n_instances, .name = instance_name, .instance_id = instance_id, .list = set };
        _cleanup_(freep) bool *marks = NULL;
        size_t n = 0;
        int r;

        if (n_names == 0)
                return 0;

        marks = calloc(MAX(set->n_instances, (size_t) 1), sizeof(*marks));
        if (!marks)
                return -ENOMEM;

        for (size_t i = 0; i < n_names; i++) {
                r = names_match(&list, names[i], mark, marks);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < set->n_instances; i++)   /* what they point to is the set's files' */
                if (marks[i])
                        set->instances[n++] = set->instances[i];
        set->n_instances = n;
        return 0;
}

const char *config_endpoint(const Settings *s, const Instance *i, Control c) {
        const char *origin = s->endpoints[control_service(c)];

        if (origin)
                return origin;
        return i->terms->region ? endpoint_lookup(control_service(c), i->terms->region) : NULL;
}
