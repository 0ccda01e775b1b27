/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <yaml.h>

#include "policy/load.h"

typedef struct Anchor {
        const char *name;
        TreeNode *node;
        bool open;              /* its list or mapping has not ended yet */
} Anchor;

typedef struct Level {
        TreeNode *node;
        TreeNode **tail;        /* where the next child goes */
        size_t anchor;          /* index + 1 of the anchor that ends with it; 0: none */
} Level;

typedef struct Builder {
        Arena *arena;
        Tree *tree;
        TreeDocument **tail;    /* where the next document goes */
        TreeNode *root;         /* of the document that is being read */
        Level levels[POLICY_DEPTH_MAX];
        size_t n_levels;
        Anchor *anchors;        /* of this document: POLICY_ALIASES_MAX of them, allocated with the first */
        size_t n_anchors, n_nodes;      /* of this document */
        size_t n_names;         /* anchors and aliases of the whole file */
        yaml_mark_t began;      /* where this document did: at the end of the one before it, comments and all */
} Builder;

static void parser_deletep(yaml_parser_t *p) {
        yaml_parser_delete(p);
}

static void event_deletep(yaml_event_t *e) {
        yaml_event_delete(e);
}

static unsigned place(size_t n) {
        return n < UINT32_MAX ? (unsigned) n + 1 : UINT32_MAX;
}

/* The YAML cannot be read any further. Returns 1: what ends the reading without being a failure of ours. */
static int _printf_(3, 4) tree_break(Tree *t, const yaml_mark_t *mark, const char *format, ...) {
        va_list args;

        t->broken = true;
        if (mark) {
                t->line = place(mark->line);
                t->column = place(mark->column);
        }
        va_start(args, format);
        (void) vsnprintf(t->message, sizeof(t->message), format, args); /* cut if need be: it is for people */
        va_end(args);
        return 1;
}

/* --- What libyaml says about broken input ----------------------------------------------------------------------- */

/* The reader knows only how many bytes it is into the text. */
static yaml_mark_t mark_of_offset(const char *text, size_t n, size_t offset) {
        yaml_mark_t mark = { .index = offset };

        for (size_t i = 0; i < MIN(offset, n); i++)
                if (text[i] == '\n') {
                        mark.line++;
                        mark.column = 0;
                } else if (((unsigned char) text[i] & 0xc0) != 0x80) /* continuation bytes are no columns */
                        mark.column++;

        return mark;
}

static int tree_break_parser(Tree *t, const yaml_parser_t *p, const char *text, size_t n) {
        const char *problem = p->problem ? p->problem : "unknown problem";

        switch (p->error) {
        case YAML_MEMORY_ERROR:
                return -ENOMEM;
        case YAML_READER_ERROR: {
                yaml_mark_t mark = mark_of_offset(text, n, p->problem_offset);

                return tree_break(t, &mark, "found a byte that cannot be in a text (%s), expected UTF-8", problem);
        }
        case YAML_SCANNER_ERROR:
        case YAML_PARSER_ERROR:
                if (p->context)
                        return tree_break(
                                t, &p->problem_mark,
                                "found broken YAML (%s, %s that began in line %u), expected a YAML document", problem,
                                p->context, place(p->context_mark.line));
                return tree_break(t, &p->problem_mark, "found broken YAML (%s), expected a YAML document", problem);
        case YAML_NO_ERROR:
        case YAML_COMPOSER_ERROR:
        case YAML_WRITER_ERROR:
        case YAML_EMITTER_ERROR:
                break; /* not of this kind of parser */
        }
        return tree_break(t, &p->mark, "found broken YAML (%s), expected a YAML document", problem);
}

/* --- Building --------------------------------------------------------------------------------------------------- */

static int builder_node(Builder *b, const yaml_event_t *e, TreeKind kind, const yaml_char_t *tag, TreeNode **ret) {
        TreeNode *node;

        if (++b->n_nodes > TREE_NODES_MAX)
                return tree_break(b->tree, &e->start_mark, "found more than %d values, expected fewer in one document",
                                  TREE_NODES_MAX);

        node = arena_alloc(b->arena, sizeof(*node));
        if (!node)
                return -ENOMEM;

        *node = (TreeNode) {
                .kind = kind,
                .line = place(e->start_mark.line),
                .column = place(e->start_mark.column),
                .flaw = tag ? "found a YAML tag, expected a value without one" : NULL,
        };
        *ret = node;
        return 0;
}

/* Hangs a node where the event stream stands: into the innermost open list or mapping, or at the top. */
static void builder_attach(Builder *b, TreeNode *node) {
        if (b->n_levels == 0) {
                b->root = node;
                return;
        }
        *b->levels[b->n_levels - 1].tail = node;
        b->levels[b->n_levels - 1].tail = &node->next;
}

/* Anchors and aliases are counted together over the file: that ends an alias bomb long before it hurts. */
static int builder_count_name(Builder *b, const yaml_event_t *e) {
        if (++b->n_names > POLICY_ALIASES_MAX)
                return tree_break(b->tree, &e->start_mark,
                                  "found more than %d anchors and aliases, expected fewer in one file",
                                  POLICY_ALIASES_MAX);
        return 0;
}

static int builder_anchor(Builder *b, const yaml_event_t *e, const yaml_char_t *name, TreeNode *node) {
        Anchor *a;
        int r;

        if (!name)
                return 0;

        r = builder_count_name(b, e);
        if (r != 0)
                return r;
        if (!b->anchors)
                b->anchors = arena_alloc(b->arena, POLICY_ALIASES_MAX * sizeof(*b->anchors));
        if (!b->anchors)
                return -ENOMEM;

        a = &b->anchors[b->n_anchors];
        *a = (Anchor) {
                .name = arena_strdup(b->arena, (const char *) name),
                .node = node,
                .open = node->kind != TREE_SCALAR,
        };
        if (!a->name)
                return -ENOMEM;

        b->n_anchors++;
        if (a->open)
                b->levels[b->n_levels - 1].anchor = b->n_anchors;
        return 0;
}

static int builder_alias(Builder *b, const yaml_event_t *e) {
        const char *name = (const char *) e->data.alias.anchor;
        const Anchor *a = NULL;
        char shown[TREE_SHOW_MAX];
        TreeNode *copy;
        int r;

        r = builder_count_name(b, e);
        if (r != 0)
                return r;

        for (size_t i = b->n_anchors; i > 0 && !a; i--) /* an anchor may be set anew: the latest counts */
                if (streq(b->anchors[i - 1].name, name))
                        a = &b->anchors[i - 1];
        if (!a)
                return tree_break(b->tree, &e->start_mark,
                                  "found the alias *%s, expected an anchor of that name before it",
                                  tree_show_text(name, false, shown));
        if (a->open)
                return tree_break(b->tree, &e->start_mark,
                                  "found the alias *%s within what it stands for, expected no loop",
                                  tree_show_text(name, false, shown));

        /* Children are shared, which is safe: a finished node is never changed, and nothing here walks a tree without a table of keys. */
        r = builder_node(b, e, a->node->kind, NULL, &copy);
        if (r != 0)
                return r;
        *copy = *a->node;
        copy->next = NULL;
        builder_attach(b, copy);
        return 0;
}

static int builder_scalar(Builder *b, const yaml_event_t *e) {
        const char *value = (const char *) e->data.scalar.value;
        size_t n = e->data.scalar.length;
        TreeNode *node;
        int r;

        r = builder_node(b, e, TREE_SCALAR, e->data.scalar.tag, &node);
        if (r != 0)
                return r;

        node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text = arena_strndup(b->arena, value, n);
        if (!node->text)
                return -ENOMEM;
        if (!node->flaw && memchr(value, '\0', n))
                node->flaw = "found a text with a NUL character in it, expected one without";

        builder_attach(b, node);
        return builder_anchor(b, e, e->data.scalar.anchor, node);
}

static int builder_open(Builder *b, const yaml_event_t *e, TreeKind kind, const yaml_char_t *tag,
                        const yaml_char_t *anchor) {
        TreeNode *node;
        int r;

        if (b->n_levels >= POLICY_DEPTH_MAX)
                return tree_break(b->tree, &e->start_mark,
                                  "found more than %d levels of lists and mappings, expected fewer",
                                  POLICY_DEPTH_MAX);

        r = builder_node(b, e, kind, tag, &node);
        if (r != 0)
                return r;

        builder_attach(b, node);
        b->levels[b->n_levels++] = (Level) { .node = node, .tail = &node->first };
        return builder_anchor(b, e, anchor, node);
}

static int builder_close(Builder *b) {
        const Level *level;

        assert(b->n_levels > 0); /* libyaml's events are balanced */

        level = &b->levels[--b->n_levels];
        if (level->anchor > 0)
                b->anchors[level->anchor - 1].open = false;
        return 0;
}

/* libyaml counts characters, of which a text that is refused for its bytes has as many or fewer. */
static int builder_check_size(Builder *b, const yaml_event_t *e) {
        size_t n = e->end_mark.index - b->began.index;

        if (n > POLICY_DOCUMENT_MAX)
                return tree_break(b->tree, &b->began, "found more than %d bytes, expected at most 1 MiB in one document", POLICY_DOCUMENT_MAX);
        b->began = e->end_mark;
        return 0;
}

static int builder_end_document(Builder *b, const yaml_event_t *e) {
        TreeDocument *d;
        int r;

        assert(b->root); /* libyaml makes an empty scalar of an empty document */

        r = builder_check_size(b, e);
        if (r != 0)
                return r;
        b->n_anchors = b->n_nodes = 0; /* they end with their document */
        if (b->root->kind == TREE_SCALAR && b->root->plain && !b->root->flaw && b->root->text[0] == '\0')
                return 0; /* "---" and nothing, or comments */

        d = arena_alloc(b->arena, sizeof(*d));
        if (!d)
                return -ENOMEM;

        d->root = b->root;
        *b->tail = d;
        b->tail = &d->next;
        return 0;
}

static int builder_event(Builder *b, const yaml_event_t *e) {
        switch (e->type) {
        case YAML_SCALAR_EVENT:
                return builder_scalar(b, e);
        case YAML_SEQUENCE_START_EVENT:
                return builder_open(b, e, TREE_LIST, e->data.sequence_start.tag, e->data.sequence_start.anchor);
        case YAML_MAPPING_START_EVENT:
                return builder_open(b, e, TREE_MAPPING, e->data.mapping_start.tag, e->data.mapping_start.anchor);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return builder_close(b);
        case YAML_ALIAS_EVENT:
                return builder_alias(b, e);
        case YAML_DOCUMENT_END_EVENT:
                return builder_end_document(b, e);
        case YAML_STREAM_END_EVENT:
                return builder_check_size(b, e);
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
                return 0;
        }
        return 0;
}

int tree_read(Arena *arena, const char *text, size_t n, Tree *ret) {
        _cleanup_(parser_deletep) yaml_parser_t parser = {};
        Tree tree = {};
        Builder b = { .arena = arena, .tree = &tree, .tail = &tree.documents };
        bool ended = false;
        int r = 0;

        assert(arena);
        assert(text || n == 0);
        assert(ret);

        if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark says nothing in UTF-8 */
                text += 3;
                n -= 3;
        }

        if (!yaml_parser_initialize(&parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING); /* or it would take UTF-16 as well */
        yaml_parser_set_input_string(&parser, (const unsigned char *) (text ? text : ""), n);

        while (r == 0 && !ended) {
                _cleanup_(event_deletep) yaml_event_t event = {};

                if (!yaml_parser_parse(&parser, &event)) {
                        r = tree_break_parser(&tree, &parser, text, n);
                        break;
                }
                ended = event.type == YAML_STREAM_END_EVENT;
                r = builder_event(&b, &event);
        }
        if (r < 0)
                return r;

        *ret = tree;
        return 0;
}

/* --- Looking ---------------------------------------------------------------------------------------------------- */

TreeNode *tree_get(const TreeNode *mapping, const char *key) {
        assert(key);

        if (!mapping || mapping->kind != TREE_MAPPING)
                return NULL;

        for (TreeNode *k = mapping->first; k && k->next; k = k->next->next)
                if (k->kind == TREE_SCALAR && streq(k->text, key))
                        return k->next;

        return NULL;
}

bool tree_is_nothing(const TreeNode *node) {
        static const char *const words[] = { "", "~", "null", "Null", "NULL" }; /* YAML 1.2 core schema */

        assert(node);

        if (node->kind != TREE_SCALAR || !node->plain)
                return false;

        for (size_t i = 0; i < N_ELEMENTS(words); i++)
                if (streq(node->text, words[i]))
                        return true;

        return false;
}

/* Bytes of the UTF-8 character at @s, and whether it would do something to a terminal: controls, line separators, and
 * what turns the direction of writing around. The text is valid UTF-8: libyaml has seen to it. */
static size_t utf8_next(const char *s, bool *ret_harmful) {
        unsigned char c = (unsigned char) *s;
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t u = n == 1 ? c : c & (0x7fu >> n);

        for (size_t i = 1; i < n; i++)
                u = u << 6 | ((unsigned char) s[i] & 0x3f);

        *ret_harmful = u < 0x20 || (u >= 0x7f && u < 0xa0) || (u >= 0x200b && u <= 0x200f) ||
                       (u >= 0x2028 && u <= 0x202e) || (u >= 0x2060 && u <= 0x206f) || u == 0xfeff || u >= 0xe0000;
        return n;
}

char *tree_show_text(const char *s, bool quote, char buf[static TREE_SHOW_MAX]) {
        char *p = buf;
        const char *end;

        assert(s);

        if (quote)
                *p++ = '"';
        end = p + TREE_SHOWN_BYTES;
        while (*s) {
                bool harmful;
                size_t n = utf8_next(s, &harmful);

                if (p + n > end) {
                        p = stpcpy(p, "…");
                        break;
                }
                if (harmful)
                        *p++ = '?';
                else
                        p = mempcpy(p, s, n);
                s += n;
        }
        if (quote)
                *p++ = '"';
        *p = '\0';
        return buf;
}

char *tree_show(const TreeNode *node, char buf[static TREE_SHOW_MAX]) {
        assert(node);

        if (node->kind == TREE_LIST)
                return strcpy(buf, "a list");
        if (node->kind == TREE_MAPPING)
                return strcpy(buf, "a mapping");
        if (tree_is_nothing(node))
                return strcpy(buf, "nothing");
        return tree_show_text(node->text, !node->plain, buf);
}
