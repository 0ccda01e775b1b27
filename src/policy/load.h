/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From YAML files to settings and policies. --check, start and reload run this same code.
 */

#include "policy/policy.h"

#define POLICY_DOCUMENT_MAX (1024 * 1024)       /* bytes; holdfast.yaml(5): documents over 1 MiB are errors */
#define POLICY_FILE_MAX (16 * 1024 * 1024)      /* bytes of a file of policies: a hundred thousand documents; picked */
#define POLICY_DEPTH_MAX 16                     /* nesting; the deepest key of ours lies at 3 */
#define POLICY_ALIASES_MAX 1000                 /* a file; picked: stops an alias bomb long before it hurts */

/**
 * settings_load() - read holdfast.yaml
 * @path:       file to read
 * @diags:      gets every mistake; may be non-empty before
 * @ret:        new (free with settings_free()); untouched on failure
 *
 * Return: 0; -EINVAL if the file is broken (see @diags); another -errno if it cannot be read (also said in @diags).
 */
int settings_load(const char *path, Diagnostics *diags, Settings **ret);

/* The same of bytes that are in memory already; @file is what messages call them. */
int settings_load_buffer(const char *file, const char *text, size_t n, Diagnostics *diags, Settings **ret);

/**
 * settings_check_files() - do the files that the settings name stand for what they should?
 * @path:       of the settings, for messages
 * @diags:      gets those that cannot be read
 *
 * Apart, since who reads settings need not be who may read these.
 *
 * Return: how many mistakes were added; -ENOMEM.
 */
int settings_check_files(const char *path, const Settings *settings, Diagnostics *diags);

/**
 * policies_load() - read every policy of a folder
 * @dir:        folder; names that start with a dot or do not end in ".yaml" are ignored
 * @settings:   defaults and limits; borrowed
 * @previous:   the set in force, or NULL at start: the last good version of a broken file is taken from it
 * @diags:      gets every mistake of every file
 * @ret:        new set (free with policy_set_free()); independent of @previous
 * @ret_rejected: how many documents (or whole files) were rejected; may be NULL
 *
 * A file that is broken, or unreadable, takes no other down. Within a file each document stands for itself at start as long
 * as the YAML can be read; names and controls must be unique over the whole folder: files that gave something to @previous keep
 * theirs, and then the file that comes first in byte order.
 *
 * With @previous a file that is broken in any way keeps all that it gave then, and nothing of what is in it now; one that gave nothing
 * is treated as at start. A missing file is a removed one. A good file that has not changed since is not read again if the settings have not
 * changed either: what comes out is the same.
 *
 * Return: 0, also with broken files; -errno if the folder cannot be read; -ENOMEM. A missing folder is an empty one, unless @previous has a
 * policy: one that vanished takes nothing out of force.
 */
int policies_load(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags,
                  PolicySet **ret, size_t *ret_rejected);

/* Of a folder that somebody has named, which must be there also where nothing is in force yet. Return: 0; -ENOENT, said in @diags; -ENOMEM. */
int policies_need_folder(const char *dir, Diagnostics *diags);

/*
 * The same, a little at a time: for who must not be held up by ten thousand files. All that policies_load() borrows is borrowed as long as the
 * loader lives; @diags may be in any state of being filled when it ends early.
 */
typedef struct PolicyLoader PolicyLoader;

int policy_loader_new(const char *dir, const Settings *settings, const PolicySet *previous, Diagnostics *diags, PolicyLoader **ret);
PolicyLoader *policy_loader_free(PolicyLoader *l);
DEFINE_CLEANUP(PolicyLoader *, policy_loader_free)

/* Reads one file, or some names of the folder. Return: 1: there is more; 0: all is read; -errno: as policies_load(), and the loader is of no
 * further use. */
int policy_loader_step(PolicyLoader *l);

/* After the last step: hands the set over. Return: 0; -ENOMEM. */
int policy_loader_finish(PolicyLoader *l, PolicySet **ret, size_t *ret_rejected);

/* The same of a single file that is in memory already; @file is its name, "orders.yaml". */
int policies_load_buffer(const char *file, const char *text, size_t n, const Settings *settings,
                         const PolicySet *previous, Diagnostics *diags, PolicySet **ret, size_t *ret_rejected);

/**
 * policies_check_alone() - mistakes of policies whose holdfast.yaml cannot be used
 * @diags:      gets those that no holdfast.yaml could make good
 *
 * Return: as policies_load().
 */
int policies_check_alone(const char *dir, Diagnostics *diags);

/* Are the two the same policy, apart from file and line? Unchanged policies keep their place in the queue at reload. */
bool instance_equal(const Instance *a, const Instance *b);
