/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/set.h"

#include <errno.h>

#include "policy/keys.h"
#include "policy/record.h"

/* Bytes that changed policies may add to what is shared, beyond as many as there were, before all is read anew. Picked. */
#define COMMON_SLACK ((size_t) 64 * 1024)

struct Common {
        Arena *arena;
        Settings settings;      /* what it points to is the arena's */
        size_t n_first;         /* bytes, when the first set was made */
        unsigned n_ref;
};

/* --- What is shared ------------------------------------------------------------------------------------------------- */

int common_new(const Settings *settings, Common **ret) {
        _cleanup_(common_unrefp) Common *c = NULL;
        int r;

        assert(settings);
        assert(ret);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        c->n_ref = 1;
        r = arena_new(&c->arena);
        if (r < 0)
                return r;
        c->settings = *settings;
        r = record_take(&keys_settings, &c->settings, c->arena);
        if (r < 0)
                return r;

        *ret = STEAL(c);
        return 0;
}

Common *common_ref(Common *c) {
        assert(c);
        c->n_ref++;
        return c;
}

Common *common_unref(Common *c) {
        if (!c || --c->n_ref > 0)
                return NULL;

        arena_free(c->arena);
        free(c);
        return NULL;
}

bool common_fits(const Common *c, const Settings *settings) {
        assert(c);
        assert(settings);
        return record_equal(&keys_settings, &c->settings, settings) && arena_size(c->arena) <= c->n_first * 2 + COMMON_SLACK;
}

/* --- What one file gave --------------------------------------------------------------------------------------------- */

static const char *put_text(char **end, const char *s) {
        char *copy = *end;

        *end = stpcpy(copy, s) + 1;
        return copy;
}

int policy_file_new(Common *common, const char *name, const Instance *const *instances, size_t n, PolicyFile **ret) {
        _cleanup_(policy_file_unrefp) PolicyFile *f = NULL;
        size_t n_bytes = strlen(name) + 1;
        const char *file;
        char *end;

        assert(common);
        assert(n > 0 && n <= UINT32_MAX);
        assert(ret);

        for (size_t i = 0; i < n; i++)
                n_bytes += strlen(instances[i]->name) + 1 + strlen(instances[i]->instance_id) + 1;
        f = malloc(sizeof(*f) + n * sizeof(f->instances[0]) + n_bytes);
        if (!f)
                return -ENOMEM;
        *f = (PolicyFile) { .n_ref = 1, .n_instances = (unsigned) n };

        end = (char *) &f->instances[n];
        file = put_text(&end, name);
        for (size_t i = 0; i < n; i++) {
                Document d = { .instance = *instances[i], .terms = *instances[i]->terms };
                int r;

                r = record_take(&keys_instance, &d, common->arena);
                if (r < 0)
                        return r;
                d.instance.terms = arena_intern(common->arena, &d.terms, sizeof(d.terms));
                if (!d.instance.terms)
                        return -ENOMEM;
                d.instance.file = file;
                d.instance.name = put_text(&end, d.instance.name);
                d.instance.instance_id = put_text(&end, d.instance.instance_id);
                f->instances[i] = d.instance;
        }

        *ret = STEAL(f);
        return 0;
}

PolicyFile *policy_file_ref(PolicyFile *f) {
        assert(f);
        f->n_ref++;
        return f;
}

PolicyFile *policy_file_unref(PolicyFile *f) {
        if (f && --f->n_ref == 0)
                free(f);
        return NULL;
}

/* --- A set ---------------------------------------------------------------------------------------------------------- */

int policy_set_new(Common *common, PolicySet **ret) {
        _cleanup_(policy_set_freep) PolicySet *s = NULL;

        assert(common);
        assert(ret);

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->files = calloc(1, sizeof(*s->files));
        if (!s->files)
                return -ENOMEM;

        s->files->common = common_ref(common);
        *ret = STEAL(s);
        return 0;
}

PolicySet *policy_set_free(PolicySet *s) {
        if (!s)
                return NULL;

        if (s->files) {
                for (size_t i = 0; i < s->files->n; i++)
                        policy_file_unref(s->files->items[i]);
                free(s->files->items);
                common_unref(s->files->common);
        }
        free(s->files);
        free(s->instances);
        free(s);
        return NULL;
}

int policy_set_add(PolicySet *s, PolicyFile *taken) {
        _cleanup_(policy_file_unrefp) PolicyFile *file = taken;
        PolicyFiles *files = s->files;

        if (files->n >= files->n_allocated) {
                size_t n = MAX(files->n_allocated * 2, (size_t) 16);
                PolicyFile **larger = reallocarray(files->items, n, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                files->items = larger;
                files->n_allocated = n;
        }

        s->n_instances += file->n_instances;
        files->items[files->n++] = STEAL(file);
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp((*(const Instance *const *) a)->name, (*(const Instance *const *) b)->name);
}

static int by_file_name(const void *a, const void *b) {
        return strcmp(policy_file_name(*(PolicyFile *const *) a), policy_file_name(*(PolicyFile *const *) b));
}

/* To what is used. Without memory for that it stays as large as it is. */
static PolicyFile **shrink(PolicyFile **items, size_t n, size_t *n_allocated) {
        PolicyFile **smaller = n > 0 ? reallocarray(items, n, sizeof(*items)) : NULL;

        if (!smaller)
                return items;
        *n_allocated = n;
        return smaller;
}

int policy_set_finish(PolicySet *s) {
        const Instance **instances;
        bool in_order = true;
        size_t n = 0;

        assert(s);
        assert(!s->instances);

        for (size_t i = 1; i < s->files->n && in_order; i++)
                in_order = by_file_name(&s->files->items[i - 1], &s->files->items[i]) < 0;
        if (!in_order)
                qsort(s->files->items, s->files->n, sizeof(*s->files->items), by_file_name);

        in_order = true;
        instances = reallocarray(NULL, MAX(s->n_instances, (size_t) 1), sizeof(const Instance *));
        if (!instances)
                return -ENOMEM;

        for (size_t i = 0; i < s->files->n; i++)
                for (size_t k = 0; k < s->files->items[i]->n_instances; k++) {
                        instances[n] = &s->files->items[i]->instances[k];
                        in_order = in_order && (n == 0 || by_name(&instances[n - 1], &instances[n]) < 0);
                        n++;
                }

        s->files->items = shrink(s->files->items, s->files->n, &s->files->n_allocated);

        /* Mostly they are, since most files are called as what is in them. */
        if (!in_order)
                qsort(instances, n, sizeof(*instances), by_name);
        s->instances = instances;

        if (s->files->common->n_first == 0)
                s->files->common->n_first = arena_size(s->files->common->arena);
        return 0;
}
