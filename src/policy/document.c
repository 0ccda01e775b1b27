/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/document.h"

#include <errno.h>

#include "policy/check.h"
#include "policy/value.h"

static int document_name(Decoder *d, TreeNode *root, const char *name, Instance *i) {
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
                i->name = arena_strdup(d->arena, name);
                if (!i->name)
                        return -ENOMEM;
        }
        return 0;
}

/* The cap that a lock leaves out. */
static int complete_lock(Decoder *d, Instance *i) {
        LockPolicy *completed;

        if (!i->lock || i->lock->retention_days == 0 || i->lock->max_retention_days > 0)
                return 0;

        completed = arena_copy(d->arena, i->lock, sizeof(*completed));
        if (!completed)
                return -ENOMEM;

        completed->max_retention_days = MIN(completed->retention_days + 1, d->settings->limits.max_retention_days);
        i->lock = completed;
        return 0;
}

/* What holdfast.yaml says for every instance. The texts are borrowed: an instance that is kept gets its own. */
static void document_complete(const Settings *settings, const TreeNode *root, Instance *i) {
        if (!tree_get(root, "region"))
                i->region = settings->region;
        if (!tree_get(root, "project_id"))
                i->project_id = settings->project_id;
        if (!tree_get(root, "domain_id"))
                i->domain_id = settings->domain_id;
}

int document_decode(Decoder *d, TreeNode *root, const char *name, Instance *ret) {
        int r;

        assert(d);
        assert(d->settings);
        assert(root);
        assert(ret);

        *ret = (Instance) { .mode = d->settings->mode, .file = d->problems->file, .line = root->line };
        r = decode_section(d, root, &keys_instance, "", 0, ret);
        if (r < 0 || root->kind != TREE_MAPPING || root->flaw)
                return r;

        r = document_name(d, root, name, ret);
        if (r < 0)
                return r;
        document_complete(d->settings, root, ret);
        r = complete_lock(d, ret);
        if (r < 0)
                return r;
        instance_check(d->problems, root, d->settings, ret);
        return d->problems->error;
}
