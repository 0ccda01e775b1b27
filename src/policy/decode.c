/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decode.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "policy/nearest.h"
#include "policy/origin.h"
#include "policy/value.h"

/* The deepest section of ours is two below the top; recursion ends with the table, not with the input. */

char *decode_path(const char *path, const char *key, char buf[static PROBLEM_KEY_MAX]) {
        bool blank = key[strspn(key, " ")] == '\0';     /* else nothing would be seen of it */
        char shown[TREE_SHOW_MAX];

        (void) snprintf(buf, PROBLEM_KEY_MAX, "%s%s%s", path, *path ? "." : "", tree_show_text(key, blank, shown));
        return buf;
}

static void *field(void *target, const KeyInfo *key) {
        return (char *) target + key->offset;
}

/* --- Scalars ---------------------------------------------------------------------------------------------------- */

/* Each reads @node, which is a scalar with something in it, into *@p. Return: 0; -EINVAL, nothing was changed; -ENOMEM. */

static int scalar_text(const KeyInfo *key, const TreeNode *node, const char **p) {
        if (!key->check(node->text))
                return -EINVAL;

        *p = node->text;
        return 0;
}

static int scalar_word(const KeyInfo *key, const TreeNode *node, unsigned *p) {
        for (size_t i = 0; i < key->n_words; i++) {
                bool same = key->flags & KEY_ANY_CASE ? strcasecmp(key->words[i], node->text) == 0
                                                      : streq(key->words[i], node->text);

                if (!same)
                        continue;
                if (!(key->flags & KEY_UNSTORED))
                        *p = (unsigned) i;
                return 0;
        }

        return -EINVAL;
}

static int scalar_switch(const TreeNode *node, bool *p) {
        if (streq(node->text, "on"))
                *p = true;
        else if (streq(node->text, "off"))
                *p = false;
        else
                return -EINVAL;
        return 0;
}

/* Decimal digits up to @end. A leading zero is refused: YAML 1.1 took such a number for octal, and some of these are
 * irrevocable. */
static int digits_parse(const char *s, const char *end, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t n = 0;

        if (s == end || (*s == '0' && end - s > 1))
                return -EINVAL;
        for (; s < end; s++) {
                if (*s < '0' || *s > '9' || n > max)
                        return -EINVAL;
                n = n * 10 + (uint64_t) (*s - '0');
        }
        if (n < min || n > max)
                return -EINVAL;

        *ret = n;
        return 0;
}

static int scalar_number(const KeyInfo *key, const TreeNode *node, uint64_t *ret) {
        const char *end = node->text + strlen(node->text);

        if (key->type == KEY_RATE) {
                end = strchr(node->text, '/');
                if (!end || !streq(end, "/s"))
                        return -EINVAL;
        } else if (!node->plain) /* in quotes it is a text */
                return -EINVAL;

        return digits_parse(node->text, end, key->min, key->max, ret);
}

static int scalar_integer(const KeyInfo *key, const TreeNode *node, int64_t *p) {
        uint64_t n;
        int r;

        r = scalar_number(key, node, &n);
        if (r >= 0)
                *p = (int64_t) n; /* the table's max is far below */
        return r;
}

static int scalar_count(const KeyInfo *key, const TreeNode *node, unsigned *p) {
        uint64_t n;
        int r;

        r = scalar_number(key, node, &n);
        if (r >= 0)
                *p = (unsigned) n; /* likewise */
        return r;
}

static int scalar_duration(const KeyInfo *key, const TreeNode *node, usec_t *p) {
        usec_t usec, shortest, longest;
        int r;

        if (key->flags & KEY_NEVER && streq(node->text, "never")) {
                *p = USEC_INFINITY;
                return 0;
        }

        r = duration_parse(key->shortest, &shortest);
        assert(r >= 0); /* texts of our own table */
        r = duration_parse(key->longest, &longest);
        assert(r >= 0);
        if (duration_parse(node->text, &usec) < 0 || usec < shortest || usec > longest)
                return -EINVAL;

        *p = usec;
        return r;
}

static int scalar_time(const TreeNode *node, CivilTime *p) {
        char again[TIME_TEXT_MAX];
        CivilTime c;

        if (civil_parse(node->text, &c, NULL, NULL) < 0)
                return -EINVAL;
        if (!streq(civil_format(&c, again), node->text)) /* a fraction or a zone would be dropped without a word */
                return -EINVAL;
        if (c.second > 59 || c.year >= 2150) /* leap seconds do not come round again; zones are known until then */
                return -EINVAL;

        *p = c;
        return 0;
}

static int scalar_zone(const TreeNode *node, const Timezone **p) {
        int r;

        r = timezone_get(node->text, p);
        return r == -ENOENT ? -EINVAL : r;
}

/* A decoder's say about one value: what was found, what would do. */
static void complain(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path) {
        char shown[TREE_SHOW_MAX], expected[KEY_EXPECTED_MAX];
        const char *found = tree_show(node, shown);
        bool number = key->type == KEY_INTEGER || key->type == KEY_COUNT;

        if (key->flags & KEY_PRIVATE && node->kind == TREE_SCALAR && !tree_is_nothing(node))
                found = "something else";
        problems_at(d->problems, node, path, "found %s, expected %s%s", found, key_expected(key, expected),
                    number && node->kind == TREE_SCALAR && !node->plain ? ", without quotes" : "");
}

static int decode_origin(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path, char **p) {
        const char *wrong;
        int r;

        r = origin_parse(d->arena, node->text, (OriginUse) key->max, p, &wrong);
        if (r != -EINVAL)
                return r;

        problems_at(d->problems, node, path, "%s, expected %s", wrong, key->form);
        return 0;
}

/* --- Backups ---------------------------------------------------------------------------------------------------- */

static bool list_has(const char *const *ids, size_t n, const char *id) {
        for (size_t i = 0; i < n; i++)
                if (streq(ids[i], id))
                        return true;

        return false;
}

/* One id of a list. Returns it, or NULL when it is no good and was complained of. */
static const char *decode_backup_id(Decoder *d, TreeNode *node, const char *path, size_t i, const char *const *ids,
                                    size_t n_ids) {
        char shown[TREE_SHOW_MAX], key[PROBLEM_KEY_MAX];

        (void) snprintf(key, sizeof(key), "%.128s[%zu]", path, i); /* a known key: within KEY_PATH_MAX */
        if (node->flaw)
                problems_at(d->problems, node, key, "%s", node->flaw);
        else if (node->kind != TREE_SCALAR || !value_is_backup_id(node->text))
                problems_at(d->problems, node, key, "found %s, expected the id of a backup: 36 letters and digits",
                            tree_show(node, shown));
        else if (list_has(ids, n_ids, node->text))
                problems_at(d->problems, node, key, "found %s a second time, expected each id once",
                            tree_show(node, shown));
        else
                return node->text;
        return NULL;
}

static int decode_backup_list(Decoder *d, TreeNode *list, const char *path, DownloadPolicy *p) {
        size_t n_items = 0, n_ids = 0;
        const char **ids;

        for (const TreeNode *item = list->first; item; item = item->next)
                n_items++;
        if (n_items == 0 || n_items > DECODE_BACKUPS_MAX) {
                problems_at(d->problems, list, path, "found a list of %zu, expected 1 to %d backup ids", n_items,
                            DECODE_BACKUPS_MAX);
                return 0;
        }

        ids = arena_alloc(d->arena, n_items * sizeof(*ids));
        if (!ids)
                return -ENOMEM;

        n_items = 0;
        for (TreeNode *item = list->first; item; item = item->next) {
                ids[n_ids] = decode_backup_id(d, item, path, n_items++, ids, n_ids);
                if (ids[n_ids])
                        n_ids++;
                else
                        list->bad = true;
        }

        p->latest = false;
        p->backup_ids = ids;
        p->n_backup_ids = n_ids;
        return 0;
}

static int decode_backups(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path, DownloadPolicy *p) {
        if (node->kind == TREE_LIST)
                return decode_backup_list(d, node, path, p);
        if (node->kind == TREE_SCALAR && streq(node->text, "latest"))
                p->latest = true;
        else
                complain(d, key, node, path);
        return 0;
}

/* --- Values ----------------------------------------------------------------------------------------------------- */

static int decode_scalar(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path, void *p) {
        int r = -EINVAL;

        if (node->kind != TREE_SCALAR || tree_is_nothing(node)) {
                complain(d, key, node, path);
                return 0;
        }

        switch (key->type) {
        case KEY_TEXT:
                r = scalar_text(key, node, p);
                break;
        case KEY_WORD:
                r = scalar_word(key, node, p);
                break;
        case KEY_SWITCH:
                r = scalar_switch(node, p);
                break;
        case KEY_INTEGER:
                r = scalar_integer(key, node, p);
                break;
        case KEY_COUNT:
        case KEY_RATE:
                r = scalar_count(key, node, p);
                break;
        case KEY_DURATION:
                r = scalar_duration(key, node, p);
                break;
        case KEY_TIME:
                r = scalar_time(node, p);
                break;
        case KEY_ZONE:
                r = scalar_zone(node, p);
                break;
        case KEY_ORIGIN:
                return decode_origin(d, key, node, path, p);
        case KEY_BACKUPS:
        case KEY_SECTION:
        case KEY_CONTROL:
        case KEY_TYPE__MAX:
                assert(false); /* not scalars */
                break;
        }
        if (r != -EINVAL)
                return r;

        complain(d, key, node, path);
        return 0;
}

/* The section of a control is allocated, and starts from what holdfast.yaml gives as defaults. */
static int decode_control(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path, const void **p) {
        void *control;

        assert(d->settings);

        control = arena_copy(d->arena, (const char *) d->settings + key->defaults_offset, key->size);
        if (!control)
                return -ENOMEM;

        *p = control;
        return decode_section(d, node, key->section, path, key->flags, control);
}

static int decode_value(Decoder *d, const KeyInfo *key, TreeNode *node, const char *path, void *target) {
        void *p = field(target, key);

        if (node->flaw) {
                problems_at(d->problems, node, path, "%s", node->flaw);
                return 0;
        }

        if (key->type == KEY_SECTION)
                return decode_section(d, node, key->section, path, key->flags, p);
        if (key->type == KEY_CONTROL)
                return decode_control(d, key, node, path, p);
        if (key->type == KEY_BACKUPS)
                return decode_backups(d, key, node, path, p);
        return decode_scalar(d, key, node, path, p);
}

/* --- Sections --------------------------------------------------------------------------------------------------- */

/* "a, b or c" of the keys that may stand in the section */
static void keys_expected(const KeySection *section, unsigned flags, char *buf, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < section->n_keys && n < size; i++)
                if (key_allowed(&section->keys[i], flags))
                        n += (size_t) snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "", section->keys[i].key);
}

/* The only one that begins so. */
static const KeyInfo *begun_key(const KeySection *section, unsigned flags, const char *word) {
        const KeyInfo *begun = NULL;

        for (size_t i = 0; i < section->n_keys; i++) {
                if (!key_allowed(&section->keys[i], flags) || !word_begins(word, section->keys[i].key))
                        continue;
                if (begun)
                        return NULL;
                begun = &section->keys[i];
        }

        return begun;
}

static const KeyInfo *nearest_key(const KeySection *section, unsigned flags, const char *word) {
        const KeyInfo *nearest = begun_key(section, flags, word);
        size_t least = SIZE_MAX;

        if (nearest)
                return nearest;

        for (size_t i = 0; i < section->n_keys; i++) {
                size_t distance = word_distance(word, section->keys[i].key);

                if (!key_allowed(&section->keys[i], flags) || distance >= least)
                        continue;
                least = distance;
                nearest = &section->keys[i];
        }

        return nearest && word_is_near(word, least) ? nearest : NULL;
}

static void complain_unknown(Decoder *d, TreeNode *node, const KeySection *section, const char *path,
                             unsigned flags) {
        char key[PROBLEM_KEY_MAX], expected[KEY_EXPECTED_MAX];
        const KeyInfo *known = keys_find(section, node->text), *nearest = nearest_key(section, flags, node->text);

        /* Where secrets might be written by mistake, one may even stand in the place of a key. */
        decode_path(path, node->text, key);
        if (flags & KEY_PRIVATE && !nearest)
                (void) snprintf(key, sizeof(key), "%s", path);

        keys_expected(section, flags, expected, sizeof(expected));
        if (known)
                problems_at(d->problems, node, key, "found a key that has no default, expected one of %s", expected);
        else if (nearest)
                problems_at(d->problems, node, key, "found an unknown key, expected %s (the nearest known one)",
                            nearest->key);
        else
                problems_at(d->problems, node, key, "found an unknown key, expected one of %s", expected);
}

/* The row of a key node, or NULL when it is no good and was complained of. */
static const KeyInfo *decode_key(Decoder *d, TreeNode *node, const KeySection *section, const char *path,
                                 unsigned flags) {
        const char *here = *path ? path : NULL;
        const KeyInfo *key;
        char shown[TREE_SHOW_MAX];

        if (node->flaw) {
                problems_at(d->problems, node, here, "%s", node->flaw);
                return NULL;
        }
        if (node->kind != TREE_SCALAR) {
                problems_at(d->problems, node, here, "found %s as a key, expected a word", tree_show(node, shown));
                return NULL;
        }
        if (node->plain && streq(node->text, "<<")) {
                problems_at(d->problems, node, here,
                            "found the merge key <<, which is not supported, expected every key written out");
                return NULL;
        }

        key = keys_find(section, node->text);
        if (key && key_allowed(key, flags))
                return key;

        complain_unknown(d, node, section, path, flags);
        return NULL;
}

static void complain_missing(Decoder *d, TreeNode *mapping, const KeySection *section, const char *path,
                             TreeNode *const seen[static KEYS_MAX]) {
        for (size_t i = 0; i < section->n_keys; i++) {
                const KeyInfo *key = &section->keys[i];
                char name[PROBLEM_KEY_MAX], expected[KEY_EXPECTED_MAX];

                if (!seen[i] && key->flags & KEY_REQUIRED)
                        problems_at(d->problems, mapping, decode_path(path, key->key, name),
                                    "found nothing, expected %s", key_expected(key, expected));
        }
}

static void complain_no_mapping(Decoder *d, TreeNode *node, const char *path, unsigned flags) {
        char shown[TREE_SHOW_MAX];
        const char *found = tree_show(node, shown);

        if (flags & KEY_PRIVATE && node->kind == TREE_SCALAR)
                found = "a text";
        problems_at(d->problems, node, *path ? path : NULL, "found %s, expected a mapping of keys to values", found);
}

int decode_section(Decoder *d, TreeNode *mapping, const KeySection *section, const char *path, unsigned flags,
                   void *target) {
        TreeNode *seen[KEYS_MAX] = {};
        int r;

        assert(d);
        assert(mapping);
        assert(section);
        assert(section->n_keys <= KEYS_MAX);
        assert(path);

        if (mapping->flaw) {
                problems_at(d->problems, mapping, *path ? path : NULL, "%s", mapping->flaw);
                return 0;
        }
        /* A section all of whose keys are commented out is an empty one. */
        if (mapping->kind != TREE_MAPPING && !(tree_is_nothing(mapping) && *path)) {
                complain_no_mapping(d, mapping, path, flags);
                return 0;
        }

        for (TreeNode *k = mapping->first; k && k->next; k = k->next->next) {
                const KeyInfo *key = decode_key(d, k, section, path, flags);
                char name[PROBLEM_KEY_MAX];
                TreeNode **slot;

                if (!key)
                        continue;

                decode_path(path, key->key, name);
                slot = &seen[key - section->keys];
                if (*slot) {
                        problems_at(d->problems, k, name,
                                    "found the key a second time, expected it once (it is in line %u already)",
                                    (*slot)->line);
                        continue;
                }
                *slot = k;
                r = decode_value(d, key, k->next, name, target);
                if (r < 0)
                        return r;
        }

        if (!(flags & KEY_DEFAULTS))
                complain_missing(d, mapping, section, path, seen);
        return d->problems->error;
}

int decode_initial(Arena *arena, const KeySection *section, void *target) {
        Diagnostics none = {};
        Problems problems;
        Decoder d = { .problems = &problems, .arena = arena };
        int r;

        assert(arena);
        assert(section);
        assert(target);

        problems_init(&problems, "", &none);
        for (size_t i = 0; i < section->n_keys; i++) {
                const KeyInfo *key = &section->keys[i];

                if (key->type == KEY_SECTION)
                        r = decode_initial(arena, key->section, field(target, key));
                else if (key->initial) {
                        TreeNode node = { .kind = TREE_SCALAR, .plain = *key->initial != '\0' };

                        node.text = arena_strdup(arena, key->initial);
                        r = node.text ? decode_scalar(&d, key, &node, "", field(target, key)) : -ENOMEM;
                } else
                        r = 0;
                if (r < 0)
                        return r;
        }

        assert(problems.n == 0); /* the table's own texts */
        return 0;
}
