/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/schema.h"

/*
 * schema: for editors. Without an argument both, as members of one document.
 */

static const char *const names[SCHEMA_FILE__MAX] = {
        [SCHEMA_SETTINGS] = "settings",
        [SCHEMA_INSTANCE] = "instance",
};

int verb_schema(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(json_putp) json_object *document = NULL;

        if (argc > 1)
                return ctl_usage("schema: unexpected argument '%s'", argv[1]);

        for (SchemaFile f = 0; argc == 1 && f < SCHEMA_FILE__MAX; f++)
                if (streq(argv[0], names[f])) {
                        document = schema_new(f);
                        return ctl_json_print(document);
                }
        if (argc == 1)
                return ctl_usage("schema: found '%s', expected settings or instance", argv[0]);

        document = json_object_new_object();
        for (SchemaFile f = 0; f < SCHEMA_FILE__MAX; f++) {
                json_object *s = schema_new(f);

                if (!s || ctl_json_add(document, names[f], s) < 0)
                        return ctl_json_print(NULL);
        }
        return ctl_json_print(document);
}
