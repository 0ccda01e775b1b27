/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/load.h"

#include <errno.h>

#include "policy/claims.h"
#include "policy/document.h"
#include "policy/file.h"
#include "policy/listing.h"
#include "policy/set.h"

struct PolicyLoader {
        const Settings *settings;
        const PolicyFiles *previous;    /* NULL: none */
        size_t i_previous;      /* the first of these whose file may still come */
        Diagnostics *diags;
        Common *common;         /* that of @previous, if it fits */
        PolicySet *set;         /* being made */
        Listing *listing;       /* NULL: one file, in memory */
        bool listed;            /* all names of the folder are there */
        size_t i_file;          /* the next of them to be read */
        bool newcomers;         /* the second time through: what gave nothing to @previous */
        Arena *scratch;         /* tree and structs of the file that is being read */
        Claims *claims;
        size_t n_rejected;
};

/* A document of the file that is being read. */
typedef struct Candidate {
        Document document;
        TreeNode *root;
        bool good;
} Candidate;

/* --- Claims --------------------------------------------------------------------------------------------------------- */

static TreeNode *node_of(TreeNode *root, const char *key) {
        TreeNode *node = tree_get(root, key);

        return node ? node : root;
}

/* Says which of its claims is taken, and by whom. */
static void complain_taken(const PolicyLoader *l, Problems *p, Candidate *candidate) {
        const Instance *i = &candidate->document.instance, *other = claims_find_name(l->claims, i);

        if (other)
                problems_at(p, node_of(candidate->root, "name"), "name",
                            "found %s, which is the name of the policy at %s:%u already, expected another", i->name,
                            other->file, other->line);
        for (Control c = 0; c < CONTROL__MAX; c++) {
                other = claims_find_control(l->claims, i, c);
                if (other)
                        problems_at(p, node_of(candidate->root, control_to_string(c)), control_to_string(c),
                                    "found a second policy for this control of %s, expected only the one at %s:%u",
                                    i->instance_id, other->file, other->line);
        }
}

/* --- What counts of a file -------------------------------------------------------------------------------------- */

/* What the file gave in the set in force; NULL: nothing. Files come in the order of their names, here and there. */
static PolicyFile *previous_of_file(PolicyLoader *l, const char *name) {
        const PolicyFiles *p = l->previous;

        for (; p && l->i_previous < p->n; l->i_previous++) {
                int c = strcmp(policy_file_name(p->items[l->i_previous]), name);

                if (c >= 0)
                        return c == 0 ? p->items[l->i_previous] : NULL;
        }

        return NULL;
}

/* Room for as many instances of a file. */
static const Instance **list_new(PolicyLoader *l, size_t n) {
        return arena_alloc(l->scratch, n * sizeof(const Instance *));
}

/* Takes what a file gave before, or what is left of it. */
static int take_again(PolicyLoader *l, PolicyFile *previous, const Instance *const *instances, size_t n) {
        PolicyFile *file = NULL;
        int r = 0;

        if (n == 0)
                return 0;

        /* The same memory, unless it was made under other settings: it points to what was shared under those. */
        if (n == previous->n_instances && l->common == l->previous->common)
                file = policy_file_ref(previous);
        else
                r = policy_file_new(l->common, policy_file_name(previous), instances, n, &file);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = claims_add(l->claims, &file->instances[i]);
        if (r < 0) {
                policy_file_unref(file);
                return r;
        }
        return policy_set_add(l->set, file);
}

/* A broken file keeps what it gave before, except what an earlier file has taken over meanwhile. */
static int keep_previous(PolicyLoader *l, Problems *problems, PolicyFile *previous) {
        const Instance **kept = list_new(l, previous->n_instances);
        size_t n = 0;

        if (!kept)
                return -ENOMEM;

        for (size_t i = 0; i < previous->n_instances; i++) {
                const Instance *instance = &previous->instances[i];

                if (claims_are_free(l->claims, instance))
                        kept[n++] = instance;
                else
                        problems_add(problems, 0, 0, NULL,
                                     "found that another file has taken over what %s protected, expected to keep its "
                                     "last good version",
                                     instance->name);
        }

        return take_again(l, previous, kept, n);
}

/* A file that has not changed since it was read under these settings, and gave what is still free. Return: 1; 0: it must be read; -ENOMEM. */
static int take_unchanged(PolicyLoader *l, const char *name) {
        PolicyFile *previous = previous_of_file(l, name);
        const Instance **all;
        int r;

        if (!previous || previous->mark == 0 || l->common != l->previous->common ||
            previous->mark != file_mark(listing_fd(l->listing), name))
                return 0;

        all = list_new(l, previous->n_instances);
        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < previous->n_instances; i++) {
                all[i] = &previous->instances[i];
                if (!claims_are_free(l->claims, all[i]))
                        return 0; /* and where in the file that is, reading it tells */
        }

        r = take_again(l, previous, all, previous->n_instances);
        return r < 0 ? r : 1;
}

/* Takes the good ones. @mark: of the file, if all of them are. */
static int take_candidates(PolicyLoader *l, const char *name, const Candidate *candidates, size_t n, uint64_t mark) {
        const Instance **good = list_new(l, n);
        PolicyFile *file = NULL;
        size_t n_good = 0;
        int r;

        if (!good)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (candidates[i].good)
                        good[n_good++] = &candidates[i].document.instance;
        if (n_good == 0)
                return 0;

        r = policy_file_new(l->common, name, good, n_good, &file);
        if (r < 0)
                return r;

        file->mark = n_good == n ? mark : 0;
        for (size_t i = 0; i < n_good; i++)
                claims_move(l->claims, good[i], &file->instances[i]);
        return policy_set_add(l->set, file);
}

/* Decides what counts of a file: what is in it now, or what it said before it was broken. */
static int settle_file(PolicyLoader *l, Problems *problems, bool broken, const Candidate *candidates, size_t n, uint64_t mark) {
        PolicyFile *previous = broken ? previous_of_file(l, problems->file) : NULL;
        int r;

        if (previous) {
                for (size_t i = 0; i < n; i++)
                        if (candidates[i].good)
                                claims_remove(l->claims, &candidates[i].document.instance);
                r = keep_previous(l, problems, previous);
        } else
                r = take_candidates(l, problems->file, candidates, n, broken ? 0 : mark);
        if (r < 0)
                return r;

        problems_sort(problems);
        return problems->error;
}

/* --- Reading a file --------------------------------------------------------------------------------------------- */

static int read_document(PolicyLoader *l, Problems *problems, TreeNode *root, const char *name, Candidate *ret) {
        Decoder d = { .problems = problems, .arena = l->scratch, .settings = l->settings };
        size_t n_before = problems->n;
        int r;

        ret->root = root;
        r = document_decode(&d, root, name, &ret->document);
        if (r < 0)
                return r;

        ret->good = problems->n == n_before;
        return 0;
}

/* Claims in the order of the documents: within a file too, the first keeps. */
static int claim_candidates(PolicyLoader *l, Problems *problems, Candidate *candidates, size_t n) {
        for (size_t i = 0; i < n; i++) {
                Candidate *c = &candidates[i];
                int r;

                if (!c->good)
                        continue;
                if (!claims_are_free(l->claims, &c->document.instance)) {
                        complain_taken(l, problems, c);
                        c->good = false;
                        continue;
                }
                r = claims_add(l->claims, &c->document.instance);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* "orders" of "orders.yaml" */
static char *name_of_file(Arena *arena, const char *file) {
        size_t n = strlen(file), n_suffix = strlen(LISTING_SUFFIX);

        if (n > n_suffix && streq(file + n - n_suffix, LISTING_SUFFIX))
                n -= n_suffix;
        return arena_strndup(arena, file, n);
}

static int read_documents(PolicyLoader *l, Problems *problems, const Tree *tree, Candidate **ret, size_t *ret_n) {
        const char *name = name_of_file(l->scratch, problems->file);
        Candidate *candidates;
        size_t n = 0;

        if (!name)
                return -ENOMEM;

        for (const TreeDocument *d = tree->documents; d; d = d->next)
                n++;
        candidates = arena_alloc(l->scratch, n * sizeof(*candidates));
        if (!candidates)
                return -ENOMEM;

        n = 0;
        for (const TreeDocument *d = tree->documents; d; d = d->next) {
                int r = read_document(l, problems, d->root, n == 0 ? name : NULL, &candidates[n]);

                if (r < 0)
                        return r;
                n++;
        }

        *ret = candidates;
        *ret_n = n;
        return 0;
}

static int load_text(PolicyLoader *l, Problems *problems, const char *text, size_t n_text, uint64_t mark) {
        Candidate *candidates = NULL;
        size_t n = 0, n_bad = 0;
        Tree tree;
        int r;

        r = tree_read(l->scratch, text, n_text, &tree);
        if (r < 0)
                return r;
        r = read_documents(l, problems, &tree, &candidates, &n);
        if (r < 0)
                return r;

        if (tree.broken) { /* where a document ends is not known any more, so none of them counts */
                problems_add(problems, tree.line, tree.column, NULL, "%s", tree.message);
                n = 0;
                n_bad = 1;
        }
        r = claim_candidates(l, problems, candidates, n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                n_bad += !candidates[i].good;

        l->n_rejected += n_bad;
        return settle_file(l, problems, n_bad > 0, candidates, n, mark);
}

static int load_unreadable(PolicyLoader *l, Problems *problems) {
        l->n_rejected++;
        return settle_file(l, problems, true, NULL, 0, 0);
}

static int load_file(PolicyLoader *l, const char *name) {
        _cleanup_(freep) char *text = NULL;
        uint64_t mark = 0;
        Problems problems;
        size_t n;
        int r;

        arena_reset(l->scratch);
        r = take_unchanged(l, name);
        if (r != 0)
                return r;
        if (file_is_gone(listing_fd(l->listing), name))
                return 0; /* since the folder was listed */

        problems_init(&problems, name, l->diags);
        r = file_read(listing_fd(l->listing), name, &problems, &text, &n, &mark);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return load_unreadable(l, &problems);
        return load_text(l, &problems, text, n, mark);
}

/* --- The whole folder ------------------------------------------------------------------------------------------- */

/* @dir: NULL: none, for one file in memory. */
static int loader_new(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags, PolicyLoader **ret) {
        _cleanup_(policy_loader_freep) PolicyLoader *l = NULL;
        int r = 0;

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;

        l->settings = settings;
        l->previous = previous ? previous->files : NULL;
        l->diags = diags;
        if (dir)
                r = listing_open(dir, !previous || previous->n_instances == 0, &l->listing);
        if (r < 0)
                return r;

        if (l->previous && common_fits(l->previous->common, settings))
                l->common = common_ref(l->previous->common);
        else
                r = common_new(settings, &l->common);
        if (r >= 0)
                r = policy_set_new(l->common, &l->set);
        if (r >= 0)
                r = arena_new(&l->scratch);
        if (r >= 0)
                r = claims_new(&l->claims);
        if (r < 0)
                return r;

        *ret = STEAL(l);
        return 0;
}

int policy_loader_new(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags, PolicyLoader **ret) {
        assert(dir);
        assert(settings);
        assert(diags);
        assert(ret);
        return loader_new(dir, settings, previous, diags, ret);
}

int policies_need_folder(const char *dir, Diagnostics *diags) {
        int r;

        assert(dir);
        assert(diags);

        if (access(dir, F_OK) >= 0 || errno != ENOENT)
                return 0; /* what else is wrong with it, opening it tells */

        r = diagnostics_add(diags, dir, 0, 0, NULL, "found no such folder, expected one with policies");
        return r < 0 ? r : -ENOENT;
}

PolicyLoader *policy_loader_free(PolicyLoader *l) {
        if (!l)
                return NULL;

        claims_free(l->claims); /* they point into the set */
        arena_free(l->scratch);
        policy_set_free(l->set);
        common_unref(l->common);
        listing_free(l->listing);
        free(l);
        return NULL;
}

int policy_loader_step(PolicyLoader *l) {
        const char *name;
        int r;

        assert(l);
        assert(l->listing);

        if (!l->listed) {
                r = listing_read(l->listing);
                l->listed = r == 0;
                return r < 0 ? r : 1;
        }
        if (l->i_file >= listing_n(l->listing)) {
                if (l->newcomers || !l->previous)
                        return 0;
                l->newcomers = true;
                l->i_file = l->i_previous = 0;
                return 1;
        }

        /* What is in force first: a new file must not take a name or a control away from one that has it. */
        name = listing_name(l->listing, l->i_file++);
        if (l->previous && (previous_of_file(l, name) != NULL) == l->newcomers)
                return 1;

        r = load_file(l, name);
        return r < 0 ? r : 1;
}

int policy_loader_finish(PolicyLoader *l, PolicySet **ret, size_t *ret_rejected) {
        int r;

        assert(l);
        assert(ret);

        r = policy_set_finish(l->set);
        if (r < 0)
                return r;

        *ret = STEAL(l->set);
        if (ret_rejected)
                *ret_rejected = l->n_rejected;
        return 0;
}

int policies_load(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags,
                  PolicySet **ret, size_t *ret_rejected) {
        _cleanup_(policy_loader_freep) PolicyLoader *l = NULL;
        int r;

        r = policy_loader_new(dir, settings, previous, diags, &l);
        if (r < 0)
                return r;

        do
                r = policy_loader_step(l);
        while (r > 0);
        return r < 0 ? r : policy_loader_finish(l, ret, ret_rejected);
}

int policies_load_buffer(const char *file, const char *text, size_t n, const Settings *settings,
                         const PolicySet *previous, Diagnostics *diags, PolicySet **ret, size_t *ret_rejected) {
        _cleanup_(policy_loader_freep) PolicyLoader *l = NULL;
        Problems problems;
        int r;

        assert(file);
        assert(text || n == 0);
        assert(settings);
        assert(diags);
        assert(ret);

        r = loader_new(NULL, settings, previous, diags, &l);
        if (r < 0)
                return r;

        problems_init(&problems, file, diags);
        if (n > POLICY_FILE_MAX) {
                problems_add(&problems, 1, 1, NULL, "found %zu bytes, expected at most 16 MiB", n);
                r = load_unreadable(l, &problems);
        } else
                r = load_text(l, &problems, text, n, 0);
        return r < 0 ? r : policy_loader_finish(l, ret, ret_rejected);
}
