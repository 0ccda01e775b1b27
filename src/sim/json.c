/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 32 /* levels of a document from outside; picked, the deepest of the APIs has six */

static json_object *built(JsonBuild *b, json_object *o) {
        if (!o)
                b->error = -ENOMEM;
        return o;
}

json_object *sim_json_build_object(JsonBuild *b) {
        return built(b, json_object_new_object());
}

json_object *sim_json_build_array(JsonBuild *b) {
        return built(b, json_object_new_array());
}

void sim_json_build_put(JsonBuild *b, json_object *o, const char *key, json_object *taken) {
        if (o && taken && json_object_object_add(o, key, taken) == 0)
                return;

        json_object_put(taken);
        b->error = -ENOMEM;
}

void sim_json_build_push(JsonBuild *b, json_object *array, json_object *taken) {
        if (array && taken && json_object_array_add(array, taken) == 0)
                return;

        json_object_put(taken);
        b->error = -ENOMEM;
}

void sim_json_build_null(JsonBuild *b, json_object *o, const char *key) {
        if (!o || json_object_object_add(o, key, NULL) != 0)
                b->error = -ENOMEM;
}

void sim_json_build_text(JsonBuild *b, json_object *o, const char *key, const char *v) {
        if (v)
                sim_json_build_put(b, o, key, json_object_new_string(v));
        else
                sim_json_build_null(b, o, key);
}

void sim_json_build_int(JsonBuild *b, json_object *o, const char *key, int64_t v) {
        sim_json_build_put(b, o, key, json_object_new_int64(v));
}

void sim_json_build_bool(JsonBuild *b, json_object *o, const char *key, bool v) {
        sim_json_build_put(b, o, key, json_object_new_boolean(v));
}

void sim_json_build_time(JsonBuild *b, json_object *o, const char *key, usec_t at_usec) {
        char text[TIME_TEXT_MAX];

        sim_json_build_text(b, o, key, at_usec > 0 ? rfc3339_format(at_usec, text) : NULL);
}

/* Exact to the second, unlike duration_format(), whose two units are enough for people only. */
void sim_json_build_duration(JsonBuild *b, json_object *o, const char *key, int64_t usec) {
        uint64_t left = (uint64_t) (usec < 0 ? -usec : usec) / USEC_PER_SEC;
        static const struct {
                char unit;
                uint64_t seconds;
        } units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
        char text[128];
        size_t n = 0;

        if (usec < 0)
                text[n++] = '-';
        for (size_t i = 0; i < N_ELEMENTS(units); i++) {
                uint64_t count = left / units[i].seconds;

                left %= units[i].seconds;
                if (count > 0)
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%llu%c", (unsigned long long) count,
                                               units[i].unit);
        }
        if (n == (usec < 0))
                n += (size_t) snprintf(text + n, sizeof(text) - n, "0s");
        text[n] = '\0';
        sim_json_build_text(b, o, key, text);
}

json_object *sim_json_build_child(JsonBuild *b, json_object *o, const char *key) {
        json_object *child = sim_json_build_object(b);

        sim_json_build_put(b, o, key, child);
        return b->error < 0 ? NULL : child;
}

json_object *sim_json_build_list(JsonBuild *b, json_object *o, const char *key) {
        json_object *child = sim_json_build_array(b);

        sim_json_build_put(b, o, key, child);
        return b->error < 0 ? NULL : child;
}

int sim_json_read(const char *text, size_t n, json_object **ret) {
        struct json_tokener *tokener;
        json_object *o;
        int r = 0;

        if (n == 0 || n > INT_MAX)
                return -EINVAL;

        tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;

        /* STRICT refuses what follows the document as well as single quotes and the like. */
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        o = json_tokener_parse_ex(tokener, text, (int) n);
        if (json_tokener_get_error(tokener) == json_tokener_continue)
                o = json_tokener_parse_ex(tokener, "", -1); /* a bare number ends only with the text */
        if (json_tokener_get_error(tokener) != json_tokener_success) {
                json_object_put(o);
                o = NULL;
                r = -EINVAL;
        }
        json_tokener_free(tokener);

        if (r == 0)
                *ret = o;
        return r;
}

int sim_json_write(json_object *o, char **ret, size_t *ret_n) {
        size_t n;
        const char *text = json_object_to_json_string_length(
                o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
        char *copy;

        if (!text)
                return -ENOMEM;
        copy = malloc(n + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, text, n + 1);

        *ret = copy;
        *ret_n = n;
        return 0;
}
