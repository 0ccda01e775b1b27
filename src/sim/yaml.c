/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>

#include <yaml.h>

#include "sim/json.h"

#define YAML_DEPTH_MAX 32 /* levels; the state file has seven */
#define YAML_INT_DIGITS_MAX                                                                                          \
        18 /* more do not fit in 64 bits for sure: such a scalar is text, an id of digits for example */

typedef struct YamlReader {
        const char *file;
        yaml_parser_t parser;
        Diagnostics *errors;
} YamlReader;

/* One open collection. */
typedef struct YamlLevel {
        json_object *collection; /* owned until it is put into the one above */
        char *key;               /* a mapping's key that waits for its value */
} YamlLevel;

static int complain(YamlReader *y, const yaml_mark_t *mark, const char *message) {
        int r = diagnostics_add(y->errors, y->file, (unsigned) mark->line + 1, (unsigned) mark->column + 1, NULL,
                                "%s", message);

        return r < 0 ? r : -EINVAL;
}

static json_object *mark_node(json_object *o, const yaml_mark_t *mark) {
        uintptr_t column = MIN(mark->column + 1, (size_t) UINT16_MAX);

        if (o)
                json_object_set_userdata(o, (void *) ((uintptr_t) (mark->line + 1) << 16 | column), NULL);
        return o;
}

void sim_yaml_position(json_object *o, unsigned *ret_line, unsigned *ret_column) {
        uintptr_t mark = o ? (uintptr_t) json_object_get_userdata(o) : 0;

        *ret_line = (unsigned) (mark >> 16);
        *ret_column = (unsigned) (mark & UINT16_MAX);
}

static bool looks_like_number(const char *s, bool *ret_fraction) {
        size_t n_digits = 0, n_points = 0;

        if (*s == '-')
                s++;
        for (; *s; s++) {
                if (isdigit((unsigned char) *s))
                        n_digits++;
                else if (*s == '.')
                        n_points++;
                else
                        return false;
        }
        *ret_fraction = n_points > 0;
        return n_digits > 0 && n_digits <= YAML_INT_DIGITS_MAX && n_points <= 1;
}

/* Return: 0 or -ENOMEM; the value may be NULL: null. */
static int scalar(const yaml_event_t *event, json_object **ret) {
        const char *s = (const char *) event->data.scalar.value;
        json_object *o;
        bool fraction;

        if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
                if (streq(s, "") || streq(s, "~") || streq(s, "null")) {
                        *ret = NULL;
                        return 0;
                }
                if (streq(s, "true") || streq(s, "false")) {
                        o = json_object_new_boolean(*s == 't');
                        goto made;
                }
                if (looks_like_number(s, &fraction)) {
                        o = fraction ? json_object_new_double(strtod(s, NULL))
                                     : json_object_new_int64(strtoll(s, NULL, 10));
                        goto made;
                }
        }
        o = json_object_new_string_len(s, (int) event->data.scalar.length);
made:
        if (!mark_node(o, &event->start_mark))
                return -ENOMEM;
        *ret = o;
        return 0;
}

/* Puts a finished value where it belongs. @value is taken. */
static int place(YamlLevel *level, json_object *value) {
        int r;

        if (json_object_is_type(level->collection, json_type_array)) {
                r = json_object_array_add(level->collection, value);
        } else {
                r = json_object_object_add(level->collection, level->key, value);
                free(level->key);
                level->key = NULL;
        }
        if (r != 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int take_key(YamlReader *y, YamlLevel *level, const yaml_event_t *event) {
        const char *s = (const char *) event->data.scalar.value;

        if (strlen(s) != event->data.scalar.length)
                return complain(y, &event->start_mark, "found a key with a NUL in it");
        if (json_object_object_get_ex(level->collection, s, NULL))
                return complain(y, &event->start_mark, "found the same key twice in one mapping");
        level->key = strdup(s);
        return level->key ? 0 : -ENOMEM;
}

static int check_event(YamlReader *y, const yaml_event_t *event) {
        const yaml_char_t *anchor = NULL, *tag = NULL;

        switch (event->type) {
        case YAML_ALIAS_EVENT: return complain(y, &event->start_mark, "found an alias: write the value out");
        case YAML_SCALAR_EVENT:
                anchor = event->data.scalar.anchor;
                tag = event->data.scalar.tag;
                break;
        case YAML_SEQUENCE_START_EVENT:
                anchor = event->data.sequence_start.anchor;
                tag = event->data.sequence_start.tag;
                break;
        case YAML_MAPPING_START_EVENT:
                anchor = event->data.mapping_start.anchor;
                tag = event->data.mapping_start.tag;
                break;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT: break;
        }
        return anchor || tag ? complain(y, &event->start_mark, "found an anchor or a tag, expected plain YAML") : 0;
}

/* Handles one event of a document. Return: 1 when the root is complete, 0 to go on, or an error. */
static int step(YamlReader *y, const yaml_event_t *event, YamlLevel *levels, size_t *n_levels, json_object **root) {
        YamlLevel *top = *n_levels > 0 ? &levels[*n_levels - 1] : NULL;
        bool wants_key = top && !top->key && json_object_is_type(top->collection, json_type_object);
        json_object *value = NULL;
        int r;

        r = check_event(y, event);
        if (r < 0)
                return r;

        if (event->type == YAML_SCALAR_EVENT) {
                if (wants_key)
                        return take_key(y, top, event);
                r = scalar(event, &value);
                if (r < 0)
                        return r;
        } else if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT) {
                if (wants_key)
                        return complain(y, &event->start_mark, "found a collection, expected a key");
                if (*n_levels == YAML_DEPTH_MAX)
                        return complain(y, &event->start_mark, "found too many levels");
                value = event->type == YAML_MAPPING_START_EVENT ? json_object_new_object() : json_object_new_array();
                if (!mark_node(value, &event->start_mark))
                        return -ENOMEM;
                levels[(*n_levels)++] = (YamlLevel){ .collection = value };
                return 0;
        } else if (event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT) {
                assert(top);
                value = STEAL(top->collection);
                (*n_levels)--;
        } else {
                return 0;
        }

        if (*n_levels > 0)
                return place(&levels[*n_levels - 1], value);
        *root = value;
        return 1;
}

static int next_event(YamlReader *y, yaml_event_t *event) {
        if (yaml_parser_parse(&y->parser, event))
                return 0;
        if (y->parser.error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        return complain(y, y->parser.problem_mark.line > 0 ? &y->parser.problem_mark : &y->parser.mark,
                        y->parser.problem ? y->parser.problem : "found something that is not YAML");
}

static int read_document(YamlReader *y, YamlLevel *levels, size_t *n_levels, json_object **root) {
        unsigned n_documents = 0;
        int r;

        for (;;) {
                yaml_event_t event = {};
                bool end;

                r = next_event(y, &event);
                if (r < 0)
                        return r;
                if (event.type == YAML_DOCUMENT_START_EVENT && ++n_documents > 1)
                        r = complain(y, &event.start_mark, "found a second document, expected one");
                else
                        r = step(y, &event, levels, n_levels, root);
                end = event.type == YAML_STREAM_END_EVENT;
                yaml_event_delete(&event);
                if (r < 0)
                        return r;
                if (end)
                        return 0;
        }
}

int sim_yaml_read(const char *file, const char *text, size_t n, json_object **ret, Diagnostics *reterr) {
        YamlReader y = { .file = file, .errors = reterr };
        YamlLevel levels[YAML_DEPTH_MAX] = {};
        _cleanup_(json_object_putp) json_object *root = NULL;
        size_t n_levels = 0;
        int r;

        if (n > SIM_YAML_BYTES_MAX)
                return complain(&y, &(yaml_mark_t){}, "found a document that is too large");
        if (!yaml_parser_initialize(&y.parser))
                return -ENOMEM;
        yaml_parser_set_input_string(&y.parser, (const unsigned char *) text, n);
        r = read_document(&y, levels, &n_levels, &root);
        yaml_parser_delete(&y.parser);

        for (size_t i = 0; i < n_levels; i++) {
                json_object_put(levels[i].collection);
                free(levels[i].key);
        }
        if (r < 0)
                return r;

        *ret = STEAL(root);
        return 0;
}
