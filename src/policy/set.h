/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a set of policies is made of. What one file gave is one block of memory that never changes, and belongs to all sets that have it: an
 * unchanged file costs a reload a pointer. What policies have in common lies in a place of its own, which such sets share too.
 */

#include <stdint.h>

#include "policy/arena.h"
#include "policy/policy.h"

typedef struct Common Common;

/* For policies that are read under these settings, of which it keeps a copy. Return: 0; -ENOMEM. */
int common_new(const Settings *settings, Common **ret);
Common *common_ref(Common *c);
Common *common_unref(Common *c);
DEFINE_CLEANUP(Common *, common_unref)

/* May a set that is to be made under these settings share it? No longer, too, when much was added to it since, for policies that may be gone. */
bool common_fits(const Common *c, const Settings *settings);

typedef struct PolicyFile {
        uint64_t mark;          /* of the file that says this (see file_read()); 0: not known, it is read anew */
        unsigned n_ref;
        unsigned n_instances;   /* at least 1 */
        Instance instances[];
} PolicyFile;

/* A file's name and what it gives, with all texts; new. Return: 0; -ENOMEM. */
int policy_file_new(Common *common, const char *name, const Instance *const *instances, size_t n, PolicyFile **ret);
PolicyFile *policy_file_ref(PolicyFile *f);
PolicyFile *policy_file_unref(PolicyFile *f);
DEFINE_CLEANUP(PolicyFile *, policy_file_unref)

static inline const char *policy_file_name(const PolicyFile *f) { return f->instances[0].file; }

/* What policy.h has of it is empty until policy_set_finish(). */
typedef struct PolicyFiles {
        Common *common;
        PolicyFile **items;     /* in the order of their names */
        size_t n, n_allocated;
} PolicyFiles;

int policy_set_new(Common *common, PolicySet **ret);
int policy_set_add(PolicySet *s, PolicyFile *taken);    /* takes it even where it fails. Return: 0; -ENOMEM */
int policy_set_finish(PolicySet *s);                    /* Return: 0; -ENOMEM */
