/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/reader.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/strbuf.h"
#include "sim/yaml.h"

#define DURATION_MAX_USEC (INT64_C(200) * 366 * 86400 * 1000000) /* a lock can run a hundred years */

SimPlace sim_reader_enter(SimReader *r, const char *key, json_object *node) {
        SimPlace before = { .n_path = r->n_path, .at = r->at };
        int n;

        n = snprintf(r->path + r->n_path, sizeof(r->path) - r->n_path, "%s%s", r->n_path > 0 ? "." : "", key);
        if (n > 0)
                r->n_path = MIN(r->n_path + (size_t) n, sizeof(r->path) - 1);
        if (node)
                r->at = node;
        return before;
}

void sim_reader_leave(SimReader *r, SimPlace place) {
        r->n_path = place.n_path;
        r->path[r->n_path] = '\0';
        r->at = place.at;
}

void sim_reader_error(SimReader *r, const char *format, ...) {
        unsigned line, column;
        char message[256];
        va_list args;

        va_start(args, format);
        (void) vsnprintf(message, sizeof(message), format, args);
        va_end(args);

        sim_yaml_position(r->at, &line, &column);
        r->n_errors++;
        if (diagnostics_add(r->errors, r->file, line, column, r->n_path > 0 ? r->path : NULL, "%s", message) < 0)
                r->error = -ENOMEM;
}

/* What was found, for a message: never the value of a secret, since those are all text and text is not repeated. */
static const char *found(json_object *v) {
        switch (json_object_get_type(v)) {
        case json_type_null: return "null";
        case json_type_boolean: return "true or false";
        case json_type_double: return "a number with a fraction";
        case json_type_int: return "a whole number";
        case json_type_object: return "a mapping";
        case json_type_array: return "a list";
        case json_type_string: return "another text";
        }
        return "something else";
}

bool sim_reader_object(SimReader *r, json_object *v) {
        if (json_object_is_type(v, json_type_object))
                return true;
        sim_reader_error(r, "found %s, expected a mapping", found(v));
        return false;
}

bool sim_reader_text_or_empty(SimReader *r, json_object *v, size_t max, const char **ret) {
        const char *s;

        if (!json_object_is_type(v, json_type_string)) {
                sim_reader_error(r, "found %s, expected text%s", found(v),
                                 json_object_is_type(v, json_type_int) ? " (put it in quotes)" : "");
                return false;
        }
        s = json_object_get_string(v);
        if (strlen(s) != (size_t) json_object_get_string_len(v) || strlen(s) > max) {
                sim_reader_error(r, "expected text of at most %zu bytes without a NUL", max);
                return false;
        }
        for (const char *p = s; *p; p++)
                if (iscntrl((unsigned char) *p)) {
                        sim_reader_error(r, "found a control character");
                        return false;
                }
        *ret = s;
        return true;
}

bool sim_reader_text(SimReader *r, json_object *v, size_t max, const char **ret) {
        const char *s;

        if (!sim_reader_text_or_empty(r, v, max, &s))
                return false;
        if (*s == '\0') {
                sim_reader_error(r, "found an empty text");
                return false;
        }
        *ret = s;
        return true;
}

bool sim_reader_bool(SimReader *r, json_object *v, bool *ret) {
        if (json_object_is_type(v, json_type_boolean)) {
                *ret = json_object_get_boolean(v);
                return true;
        }
        if (json_object_is_type(v, json_type_string)) {
                static const char *const words[] = { "off", "on", "no", "yes", "false", "true" };
                const char *s = json_object_get_string(v);

                for (size_t i = 0; i < N_ELEMENTS(words); i++)
                        if (strcasecmp(s, words[i]) == 0) {
                                *ret = i % 2 == 1;
                                return true;
                        }
        }
        sim_reader_error(r, "found %s, expected on or off", found(v));
        return false;
}

bool sim_reader_int(SimReader *r, json_object *v, int64_t min, int64_t max, int64_t *ret) {
        int64_t n = json_object_get_int64(v);

        if (json_object_is_type(v, json_type_int) && n >= min && n <= max) {
                *ret = n;
                return true;
        }
        sim_reader_error(r, "found %s, expected a whole number from %" PRId64 " to %" PRId64, found(v), min, max);
        return false;
}

bool sim_reader_enum(SimReader *r, json_object *v, const char *const *names, int *ret) {
        _cleanup_(strbuf_done) StrBuf known = STRBUF(256);

        if (json_object_is_type(v, json_type_string))
                for (int i = 0; names[i]; i++)
                        if (streq(json_object_get_string(v), names[i])) {
                                *ret = i;
                                return true;
                        }

        for (int i = 0; names[i]; i++)
                (void) strbuf_addf(&known, "%s%s", i == 0 ? "" : ", ",
                                   names[i]); /* too long: the list ends earlier */
        if (known.error == -ENOMEM)
                r->error = -ENOMEM;
        sim_reader_error(r, "found %s, expected one of: %s", found(v), known.s ? known.s : "");
        return false;
}

static bool duration(const char *s, int64_t *ret) {
        bool negative = *s == '-';
        usec_t usec;

        if (*s == '-' || *s == '+')
                s++;
        if (duration_parse(s, &usec) < 0 || usec > DURATION_MAX_USEC)
                return false;
        *ret = negative ? -(int64_t) usec : (int64_t) usec;
        return true;
}

bool sim_reader_duration(SimReader *r, json_object *v, bool negative, int64_t *ret) {
        int64_t usec;

        if (json_object_is_type(v, json_type_string) && duration(json_object_get_string(v), &usec) &&
            (usec >= 0 || negative)) {
                *ret = usec;
                return true;
        }
        sim_reader_error(r, "found %s, expected a duration such as 1h30m%s", found(v), negative ? " or -8h" : "");
        return false;
}

bool sim_reader_zone(SimReader *r, json_object *v, int64_t *ret_seconds) {
        const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
        unsigned hours, minutes;
        int n = 0;

        if (streq(s, "UTC") || streq(s, "Z")) {
                *ret_seconds = 0;
                return true;
        }
        if ((*s == '+' || *s == '-') && sscanf(s + 1, "%2u:%2u%n", &hours, &minutes, &n) == 2 && n == 5 &&
            s[6] == '\0' && hours <= 14 && minutes <= 59) {
                *ret_seconds = (int64_t) (hours * 3600 + minutes * 60) * (*s == '-' ? -1 : 1);
                return true;
        }
        sim_reader_error(r, "found %s, expected an offset such as \"+08:00\" or UTC", found(v));
        return false;
}

bool sim_reader_moment(SimReader *r, json_object *v, usec_t *ret) {
        const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
        int64_t by_usec;
        usec_t at_usec;

        if (streq(s, "now")) {
                *ret = r->now_usec;
                return true;
        }
        if ((*s == '+' || *s == '-') && duration(s, &by_usec)) {
                *ret = by_usec < 0 ? usec_sub(r->now_usec, (usec_t) -by_usec)
                                   : usec_add(r->now_usec, (usec_t) by_usec);
                return true;
        }
        if (timestamp_parse(s, &at_usec) >= 0) {
                *ret = at_usec;
                return true;
        }
        sim_reader_error(r, "found %s, expected a time: now, +3d, -27d or 2026-01-01T00:00:00Z", found(v));
        return false;
}

bool sim_reader_id(SimReader *r, const char *id, size_t min, size_t max) {
        size_t n = strlen(id);
        bool good = n >= min && n <= max;

        for (const char *p = id; *p && good; p++)
                good = isalnum((unsigned char) *p);
        if (!good && min == max)
                sim_reader_error(r, "expected an id of %zu letters and digits", min);
        else if (!good)
                sim_reader_error(r, "expected an id of %zu to %zu letters and digits", min, max);
        return good;
}

void sim_reader_store(SimReader *r, char **to, const char *v) {
        char *copy;

        if (r->dry)
                return;
        copy = strdup(v);
        if (!copy) {
                r->error = -ENOMEM;
                return;
        }
        if (*to)
                explicit_bzero(*to, strlen(*to));
        free(*to);
        *to = copy;
}
