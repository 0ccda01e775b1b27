/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ctl/config.h"
#include "ctl/json.h"

/*
 * check: as holdfastd --check, by the same code.
 */

/* A region in which the service is not known to answer. Return: how many were added, or -ENOMEM. */
static int check_endpoints(Config *c) {
        int n = 0;

        for (size_t i = 0; i < c->policies->n_instances; i++) {
                const Instance *p = c->policies->instances[i];
                bool known = true;
                int r;

                for (Control k = 0; k < CONTROL__MAX; k++)
                        known = known && (!instance_has(p, k) || config_endpoint(c->settings, p, k));
                if (known)
                        continue;

                r = diagnostics_add(&c->diags, p->file, p->line, 1, "region",
                                    "found %s, expected a region in which service %s is known to answer, or endpoints.%s in holdfast.yaml",
                                    p->terms->region ? p->terms->region : "none", service_to_string(p->service), service_to_string(p->service));
                if (r < 0)
                        return r;
                n++;
        }

        return n;
}

static int print_json(const CtlOptions *o, const Config *c, int error) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *list;

        (void) ctl_json_add_bool(document, "good", error >= 0 && c->diags.n_items == 0);
        (void) ctl_json_add_int(document, "n_policies", c->policies ? (int64_t) c->policies->n_instances : 0);
        (void) ctl_json_add_int(document, "n_rejected", (int64_t) c->n_rejected);
        (void) ctl_json_add_text(document, "error", error < 0 && c->diags.n_items == 0 ? strerror(-error) : NULL);
        list = ctl_json_add_array(document, "mistakes");
        for (size_t i = 0; i < c->diags.n_items; i++) {
                const Diagnostic *d = &c->diags.items[i];
                json_object *m = ctl_json_add_object(list, NULL);

                (void) ctl_json_add_text(m, "file", d->file);
                (void) ctl_json_add_int(m, "line", d->line);
                (void) ctl_json_add_int(m, "column", d->column);
                (void) ctl_json_add_text(m, "key", d->key);
                if (ctl_json_add_text(m, "message", d->message) < 0)
                        return ctl_json_print(NULL);
        }

        return ctl_json_print(list ? document : NULL);
}

int verb_check(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(config_done) Config c = {};
        size_t n;
        int r;

        if (argc > 0)
                return ctl_usage("check: unexpected argument '%s'", argv[0]);

        r = config_load(o, &c);
        if (r >= 0)
                r = settings_check_files(o->config, c.settings, &c.diags);
        if (r >= 0)
                r = check_endpoints(&c);
        if (!c.settings)
                (void) policies_check_alone(o->instances, &c.diags);    /* what is wrong with the settings is enough to fail */

        if (o->json) {
                if (print_json(o, &c, r) != EXIT_SUCCESS)
                        return EXIT_FAILURE;
        } else
                config_complain(o, &c, r);
        if (r < 0 || c.diags.n_items > 0)
                return EXIT_CONFIG;

        n = c.policies->n_instances;
        if (!o->json)
                (void) printf("%zu %s, no mistakes\n", n, n == 1 ? "policy" : "policies");
        return EXIT_SUCCESS;
}
