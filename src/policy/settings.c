/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "policy/decode.h"
#include "policy/file.h"
#include "policy/load.h"
#include "policy/record.h"

/* Which keys of credentials belong to which source: a key that would have no effect is a mistake, like one that is missing. */
static const struct {
        const char *key;
        CredentialsSource source;
} credentials_needs[] = {
        { "directory",   CREDENTIALS_FILES    },
        { "user_name",   CREDENTIALS_PASSWORD },
        { "domain_name", CREDENTIALS_PASSWORD },
};

static void check_credentials(Problems *p, TreeNode *credentials, CredentialsSource source) {
        const TreeNode *written;

        if (!credentials || credentials->bad || credentials->kind != TREE_MAPPING)
                return;
        written = tree_get(credentials, "source");
        if (written && written->bad)
                return;

        for (size_t i = 0; i < N_ELEMENTS(credentials_needs); i++) {
                bool needed = credentials_needs[i].source == source;
                TreeNode *node = tree_get(credentials, credentials_needs[i].key);
                char path[PROBLEM_KEY_MAX];

                decode_path("credentials", credentials_needs[i].key, path);
                if (needed && !node)
                        problems_at(p, credentials, path, "found nothing, expected it with source: %s",
                                    credentials_source_to_string(source));
                else if (!needed && node && !node->bad)
                        problems_at(p, node, path, "found a key for source: %s, expected none with source: %s",
                                    credentials_source_to_string(credentials_needs[i].source),
                                    credentials_source_to_string(source));
        }
}

static int settings_decode(Arena *arena, Problems *problems, const char *text, size_t n, Settings *s) {
        Decoder d = { .problems = problems, .arena = arena };
        Tree tree;
        int r;

        r = decode_initial(arena, &keys_settings, s);
        if (r < 0)
                return r;
        r = tree_read(arena, text, n, &tree);
        if (r < 0)
                return r;

        if (tree.documents) {
                r = decode_section(&d, tree.documents->root, &keys_settings, "", 0, s);
                if (r < 0)
                        return r;
                check_credentials(problems, tree_get(tree.documents->root, "credentials"), s->credentials.source);
                if (tree.documents->next)
                        problems_at(problems, tree.documents->next->root, NULL,
                                    "found a second document, expected one");
        }
        if (tree.broken)
                problems_add(problems, tree.line, tree.column, NULL, "%s", tree.message);
        return problems->error;
}

static int settings_load_text(Problems *problems, const char *text, size_t n, Settings **ret) {
        _cleanup_(arena_freep) Arena *arena = NULL;
        _cleanup_(settings_freep) Settings *s = NULL;
        Settings borrowed = {};         /* its texts are the arena's */
        int r;

        r = arena_new(&arena);
        if (r < 0)
                return r;
        r = settings_decode(arena, problems, text, n, &borrowed);
        problems_sort(problems);
        if (r < 0)
                return r;
        if (problems->n > 0)
                return -EINVAL;

        s = malloc(sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = borrowed;
        r = record_take(&keys_settings, s, NULL);
        if (r < 0)
                return r;

        *ret = STEAL(s);
        return 0;
}

int settings_load_buffer(const char *file, const char *text, size_t n, Diagnostics *diags, Settings **ret) {
        Problems problems;

        assert(file);
        assert(text || n == 0);
        assert(diags);
        assert(ret);

        problems_init(&problems, file, diags);
        if (n > POLICY_DOCUMENT_MAX) {
                problems_add(&problems, 1, 1, NULL, "found %zu bytes, expected at most 1 MiB", n);
                return problems.error < 0 ? problems.error : -EINVAL;
        }
        return settings_load_text(&problems, text, n, ret);
}

int settings_load(const char *path, Diagnostics *diags, Settings **ret) {
        _cleanup_(freep) char *text = NULL;
        const char *slash;
        Problems problems;
        size_t n;
        int r;

        assert(path);
        assert(diags);
        assert(ret);

        slash = strrchr(path, '/');
        problems_init(&problems, slash ? slash + 1 : path, diags);
        r = file_read(AT_FDCWD, path, &problems, &text, &n, NULL);
        if (r < 0)
                return r;
        return settings_load_text(&problems, text, n, ret);
}

/* Return: 0; -EISDIR; -errno. */
static int check_readable(const char *path) {
        _cleanup_(close_fdp) int fd = -1;
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

int settings_check_files(const char *path, const Settings *settings, Diagnostics *diags) {
        const char *slash, *ca_file;
        int error, r;

        assert(path);
        assert(settings);
        assert(diags);

        ca_file = settings->http.ca_file;
        error = ca_file ? check_readable(ca_file) : 0;
        if (error == 0)
                return 0;

        slash = strrchr(path, '/');
        r = diagnostics_add(diags, slash ? slash + 1 : path, 0, 0, "http.ca_file",
                            "found %s, which cannot be read (%s), expected a readable file", ca_file, strerror(-error));
        return r < 0 ? r : 1;
}

int policies_check_alone(const char *dir, Diagnostics *diags) {
        _cleanup_(policy_set_freep) PolicySet *policies = NULL;
        _cleanup_(settings_freep) Settings *assumed = NULL;
        int r;

        assert(dir);
        assert(diags);

        r = settings_load_buffer("holdfast.yaml", "", 0, diags, &assumed);
        if (r < 0)
                return r;

        assumed->assumed = true;
        return policies_load(dir, assumed, NULL, diags, &policies, NULL);
}
