/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/document.h"

#include <errno.h>

#include "policy/check.h"
#include "policy/value.h"

static int document_name(Decoder *d, TreeNode *root, const char *name, Document *document) {
        char shown[TREE_SHOW_MAX];

        if (tree_get(root, "name"))
                return 0;

        if (!name)
                problems_at(d->problems, root, "name",
                            "found nothing, expected a name (only the first document of a file is called as the "
                            "file)");
        else if (!value_is_name(name))
                problems_at(d->problems, root, "name",
                            "found nothing, and the name of the file (%s) will not do, expected a name of letters, "
                            "digits, dots, hyphens and underscores",
                            tree_show_text(name, false, shown));
        else {
                document->instance.name = arena_strdup(d->arena, name);
                if (!document->instance.name)
                        return -ENOMEM;
        }
        return 0;
}

/* The cap that a lock leaves out. */
static int complete_lock(Decoder *d, Terms *t) {
        LockPolicy *completed;

        if (!t->lock || t->lock->retention_days == 0 || t->lock->max_retention_days > 0)
                return 0;

        completed = arena_copy(d->arena, t->lock, sizeof(*completed));
        if (!completed)
                return -ENOMEM;

        completed->max_retention_days = MIN(completed->retention_days + 1, d->settings->limits.max_retention_days);
        t->lock = completed;
        return 0;
}

/* What holdfast.yaml says for every instance. The texts are borrowed: an instance that is kept gets its own. */
static void document_complete(const Settings *settings, const TreeNode *root, Terms *t) {
        if (!tree_get(root, "region"))
                t->region = settings->region;
        if (!tree_get(root, "project_id"))
                t->project_id = settings->project_id;
        if (!tree_get(root, "domain_id"))
                t->domain_id = settings->domain_id;
}

int document_decode(Decoder *d, TreeNode *root, const char *name, Document *ret) {
        int r;

        assert(d);
        assert(d->settings);
        assert(root);
        assert(ret);

        *ret = (Document) {
                .instance = { .terms = &ret->terms, .file = d->problems->file, .line = root->line },
                .terms = { .mode = MODE__MAX },
        };
        r = decode_section(d, root, &keys_instance, "", 0, ret);
        if (r < 0 || root->kind != TREE_MAPPING || root->flaw)
                return r;

        r = document_name(d, root, name, ret);
        if (r < 0)
                return r;
        document_complete(d->settings, root, &ret->terms);
        r = complete_lock(d, &ret->terms);
        if (r < 0)
                return r;
        instance_check(d->problems, root, d->settings, &ret->instance);
        return d->problems->error;
}
