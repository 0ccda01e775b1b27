/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "policy/claims.h"
#include "policy/document.h"
#include "policy/file.h"
#include "policy/record.h"

#define SUFFIX ".yaml"

/* What a set's texts and structs live in. */
struct PolicyFiles {
        Arena *arena;
};

typedef struct Loader {
        const Settings *settings;
        const PolicySet *previous;
        const Instance **previous_by_file;      /* sorted; made when the first broken file needs it */
        Diagnostics *diags;
        PolicySet *set;         /* being made */
        size_t n_allocated;     /* of its instances */
        Arena *scratch;         /* tree and structs of the file that is being read */
        Claims *claims;
        size_t n_rejected;
} Loader;

/* A document of the file that is being read. */
typedef struct Candidate {
        Instance instance;
        TreeNode *root;
        bool good;
} Candidate;

PolicySet *policy_set_free(PolicySet *s) {
        if (!s)
                return NULL;

        if (s->files)
                arena_free(s->files->arena);
        free(s->files);
        free(s->instances);
        free(s);
        return NULL;
}

static int policy_set_new(PolicySet **ret) {
        _cleanup_(policy_set_freep) PolicySet *s = NULL;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->files = calloc(1, sizeof(*s->files));
        if (!s->files)
                return -ENOMEM;
        r = arena_new(&s->files->arena);
        if (r < 0)
                return r;

        *ret = STEAL(s);
        return 0;
}

/* --- Claims --------------------------------------------------------------------------------------------------------- */

static TreeNode *node_of(TreeNode *root, const char *key) {
        TreeNode *node = tree_get(root, key);

        return node ? node : root;
}

/* Says which of its claims is taken, and by whom. */
static void complain_taken(const Loader *l, Problems *p, Candidate *candidate) {
        const Instance *i = &candidate->instance;
        const Claim *claim = claims_find_name(l->claims, i);

        if (claim)
                problems_at(p, node_of(candidate->root, "name"), "name",
                            "found %s, which is the name of the policy at %s:%u already, expected another", i->name,
                            claim->file, claim->line);
        for (Control c = 0; c < CONTROL__MAX; c++) {
                claim = claims_find_control(l->claims, i, c);
                if (claim)
                        problems_at(p, node_of(candidate->root, control_to_string(c)), control_to_string(c),
                                    "found a second policy for this control of %s, expected only the one at %s:%u",
                                    i->instance_id, claim->file, claim->line);
        }
}

/* --- Taking policies into the set ------------------------------------------------------------------------------- */

static int set_add(Loader *l, const char *file, const Instance *i) {
        PolicySet *s = l->set;
        Instance *copy;
        int r;

        if (s->n_instances >= l->n_allocated) {
                size_t n = l->n_allocated > 0 ? l->n_allocated * 2 : 16;
                Instance *larger = reallocarray(s->instances, n, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                s->instances = larger;
                l->n_allocated = n;
        }

        copy = &s->instances[s->n_instances];
        *copy = *i;
        copy->file = file;
        r = record_take(&keys_instance, copy, s->files->arena);
        if (r < 0)
                return r;

        s->n_instances++;
        return 0;
}

static int by_file(const void *a, const void *b) {
        const Instance *x = *(const Instance *const *) a, *y = *(const Instance *const *) b;
        int r = strcmp(x->file, y->file);

        if (r == 0 && x->line != y->line)
                r = x->line < y->line ? -1 : 1;
        return r != 0 ? r : strcmp(x->name, y->name);
}

/* Instances that a file gave in the set in force. Return: how many, from @ret on; 0: none; -ENOMEM. */
static int previous_of_file(Loader *l, const char *file, const Instance *const **ret) {
        size_t n = l->previous ? l->previous->n_instances : 0;
        size_t from = 0, to = n, count = 0;

        if (n == 0)
                return 0;

        if (!l->previous_by_file) {
                l->previous_by_file = malloc(n * sizeof(*l->previous_by_file));
                if (!l->previous_by_file)
                        return -ENOMEM;
                for (size_t i = 0; i < n; i++)
                        l->previous_by_file[i] = &l->previous->instances[i];
                qsort(l->previous_by_file, n, sizeof(*l->previous_by_file), by_file);
        }

        while (from < to) { /* the first whose file is not smaller */
                size_t middle = from + (to - from) / 2;

                if (strcmp(l->previous_by_file[middle]->file, file) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        while (from + count < n && streq(l->previous_by_file[from + count]->file, file))
                count++;

        *ret = (const Instance *const *) l->previous_by_file + from;
        return (int) count; /* a file has at most 1 MiB */
}

/* A broken file keeps what it gave before, except what an earlier file has taken over meanwhile. */
static int keep_previous(Loader *l, Problems *problems, const Instance *const *instances, int n) {
        int r = 0;

        claims_withdraw(l->claims);
        for (int i = 0; i < n && r >= 0; i++) {
                if (!claims_are_free(l->claims, instances[i])) {
                        problems_add(problems, 0, 0, NULL,
                                     "found that another file has taken over what %s protected, expected to keep its "
                                     "last good version",
                                     instances[i]->name);
                        continue;
                }
                r = claims_add(l->claims, instances[i]);
                if (r >= 0)
                        r = set_add(l, problems->file, instances[i]);
        }

        return r;
}

static int take_candidates(Loader *l, const char *file, const Candidate *candidates, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r;

                if (!candidates[i].good)
                        continue;
                r = set_add(l, file, &candidates[i].instance);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Decides what counts of a file: what is in it now, or what it said before it was broken. */
static int settle_file(Loader *l, Problems *problems, bool broken, const Candidate *candidates, size_t n) {
        const Instance *const *previous = NULL;
        int n_previous = 0, r;

        if (broken) {
                n_previous = previous_of_file(l, problems->file, &previous);
                if (n_previous < 0)
                        return n_previous;
        }
        r = n_previous > 0 ? keep_previous(l, problems, previous, n_previous)
                           : take_candidates(l, problems->file, candidates, n);
        if (r < 0)
                return r;

        problems_sort(problems);
        return problems->error;
}

/* --- Reading a file --------------------------------------------------------------------------------------------- */

static int read_document(Loader *l, Problems *problems, TreeNode *root, const char *name, Candidate *ret) {
        Decoder d = { .problems = problems, .arena = l->scratch, .settings = l->settings };
        size_t n_before = problems->n;
        int r;

        ret->root = root;
        r = document_decode(&d, root, name, &ret->instance);
        if (r < 0)
                return r;

        ret->good = problems->n == n_before;
        return 0;
}

/* Claims in the order of the documents: within a file too, the first keeps. */
static int claim_candidates(Loader *l, Problems *problems, Candidate *candidates, size_t n) {
        for (size_t i = 0; i < n; i++) {
                Candidate *c = &candidates[i];
                int r;

                if (!c->good)
                        continue;
                if (!claims_are_free(l->claims, &c->instance)) {
                        complain_taken(l, problems, c);
                        c->good = false;
                        continue;
                }
                r = claims_add(l->claims, &c->instance);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* "orders" of "orders.yaml" */
static char *name_of_file(Arena *arena, const char *file) {
        size_t n = strlen(file), n_suffix = strlen(SUFFIX);

        if (n > n_suffix && streq(file + n - n_suffix, SUFFIX))
                n -= n_suffix;
        return arena_strndup(arena, file, n);
}

static int read_documents(Loader *l, Problems *problems, const Tree *tree, Candidate **ret, size_t *ret_n) {
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

static int load_text(Loader *l, Problems *problems, const char *text, size_t n_text) {
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
        return settle_file(l, problems, n_bad > 0, candidates, n);
}

static int load_unreadable(Loader *l, Problems *problems) {
        l->n_rejected++;
        return settle_file(l, problems, true, NULL, 0);
}

/* The name is kept by what comes of the file, so it goes to the set. */
static int loader_begin_file(Loader *l, const char *file, Problems *problems) {
        const char *name = arena_strdup(l->set->files->arena, file);

        if (!name)
                return -ENOMEM;

        arena_reset(l->scratch);
        claims_begin_file(l->claims);
        problems_init(problems, name, l->diags);
        return 0;
}

static int load_file(Loader *l, int dir_fd, const char *entry) {
        _cleanup_(freep) char *text = NULL;
        Problems problems;
        struct stat st;
        size_t n;
        int r;

        if (fstatat(dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0; /* removed since the folder was listed */

        r = loader_begin_file(l, entry, &problems);
        if (r < 0)
                return r;
        r = file_read(dir_fd, entry, &problems, &text, &n);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return load_unreadable(l, &problems);
        return load_text(l, &problems, text, n);
}

/* --- The whole folder ------------------------------------------------------------------------------------------- */

static int is_policy_file(const struct dirent *d) {
        size_t n = strlen(d->d_name), n_suffix = strlen(SUFFIX);

        return d->d_name[0] != '.' && n >= n_suffix && streq(d->d_name + n - n_suffix, SUFFIX);
}

/* Bytewise, whatever the locale: which file comes first decides who keeps a name. */
static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int instance_by_name(const void *a, const void *b) {
        return strcmp(((const Instance *) a)->name, ((const Instance *) b)->name);
}

static int loader_init(Loader *l, const Settings *settings, const PolicySet *previous, Diagnostics *diags) {
        int r;

        *l = (Loader) { .settings = settings, .previous = previous, .diags = diags };
        r = policy_set_new(&l->set);
        if (r >= 0)
                r = arena_new(&l->scratch);
        if (r >= 0)
                r = claims_new(&l->claims);
        return r;
}

static void loader_done(Loader *l) {
        claims_free(l->claims);
        free(l->previous_by_file);
        arena_free(l->scratch);
        policy_set_free(l->set);
}

static void loader_finish(Loader *l, PolicySet **ret, size_t *ret_rejected) {
        if (l->set->n_instances > 1)
                qsort(l->set->instances, l->set->n_instances, sizeof(*l->set->instances), instance_by_name);
        *ret = STEAL(l->set);
        if (ret_rejected)
                *ret_rejected = l->n_rejected;
}

static int load_folder(Loader *l, const char *dir) {
        _cleanup_(close_fdp) int dir_fd = -1;
        struct dirent **entries = NULL;
        int n, r = 0;

        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return errno == ENOENT ? 0 : -errno;
        n = scandirat(dir_fd, ".", &entries, is_policy_file, by_name);
        if (n < 0)
                return -errno;

        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = load_file(l, dir_fd, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int policies_load(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags,
                  PolicySet **ret, size_t *ret_rejected) {
        _cleanup_(loader_done) Loader l;
        int r;

        assert(dir);
        assert(settings);
        assert(diags);
        assert(ret);

        r = loader_init(&l, settings, previous, diags);
        if (r >= 0)
                r = load_folder(&l, dir);
        if (r < 0)
                return r;

        loader_finish(&l, ret, ret_rejected);
        return 0;
}

int policies_load_buffer(const char *file, const char *text, size_t n, const Settings *settings,
                         const PolicySet *previous, Diagnostics *diags, PolicySet **ret, size_t *ret_rejected) {
        _cleanup_(loader_done) Loader l;
        Problems problems;
        int r;

        assert(file);
        assert(text || n == 0);
        assert(settings);
        assert(diags);
        assert(ret);

        r = loader_init(&l, settings, previous, diags);
        if (r < 0)
                return r;
        r = loader_begin_file(&l, file, &problems);
        if (r < 0)
                return r;

        if (n > POLICY_DOCUMENT_MAX) {
                problems_add(&problems, 0, 0, NULL, "found %zu bytes, expected at most 1 MiB", n);
                r = load_unreadable(&l, &problems);
        } else
                r = load_text(&l, &problems, text, n);
        if (r < 0)
                return r;

        loader_finish(&l, ret, ret_rejected);
        return 0;
}
