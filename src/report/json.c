/* SPDX-License-Identifier: Apache-2.0 */
#include "report/format.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

static void json_putp(struct json_object **object) {
        (void) json_object_put(*object);        /* NULL is fine, and says 0 */
}

static int add_string(struct json_object *object, const char *key, const char *value) {
        struct json_object *string;

        string = json_object_new_string(value);
        if (!string)
                return -ENOMEM;

        if (json_object_object_add_ex(object, key, string, JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0) {
                (void) json_object_put(string);
                return -ENOMEM;
        }

        return 0;
}

/* As journalctl -o json writes them: every value is a string, the time counts microseconds. */
int json_format(const Fields *f, usec_t at_usec, StrBuf *line) {
        _cleanup_(json_putp) struct json_object *object = NULL;
        char time[24];
        const char *text;
        int r;

        assert(f);
        assert(line);

        object = json_object_new_object();
        if (!object)
                return -ENOMEM;

        (void) snprintf(time, sizeof(time), "%" PRIu64, at_usec);
        r = add_string(object, "__REALTIME_TIMESTAMP", time);
        for (size_t i = 0; r >= 0 && i < f->n_items; i++)
                r = add_string(object, f->items[i].name, f->items[i].value);
        if (r < 0)
                return r;

        text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        if (!text)
                return -ENOMEM;

        r = strbuf_add(line, text);
        return r < 0 ? r : strbuf_add(line, "\n");
}
