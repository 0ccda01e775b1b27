/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * YAML as a tree with positions. Everything that makes YAML dangerous ends here: depth, aliases and nodes are bounded, an
 * anchor cannot contain itself, tags are marked for refusal, and the text is known to be UTF-8 without NUL.
 */

#include <stdbool.h>
#include <stddef.h>

#include "policy/arena.h"

#define TREE_NODES_MAX 200000   /* a document; a policy has a node per 15 bytes or so, and a document at most 1 MiB */
#define TREE_SHOW_MAX 128       /* bytes; holds what tree_show() writes */
#define TREE_SHOWN_BYTES 60     /* so much of a text from a file is quoted back */

typedef enum TreeKind {
        TREE_SCALAR,
        TREE_LIST,
        TREE_MAPPING,
        TREE_KIND__MAX,
} TreeKind;

typedef struct TreeNode TreeNode;

struct TreeNode {
        TreeKind kind;
        bool plain;             /* a scalar without quotes: only these can be numbers, or nothing */
        bool bad;               /* a problem was reported here: no other should follow from it */
        unsigned line, column;  /* from 1; for an alias: where the text that it stands for is written */
        const char *flaw;       /* static: why this node is refused whatever its key ("found …, expected …"); NULL: it is fine */
        char *text;             /* scalar */
        TreeNode *first;        /* list: the items; mapping: key, value, key, value … */
        TreeNode *next;
};

typedef struct TreeDocument TreeDocument;

struct TreeDocument {
        TreeNode *root;
        TreeDocument *next;
};

typedef struct Tree {
        TreeDocument *documents;        /* those with something in them, up to where the YAML is broken */
        bool broken;
        unsigned line, column;          /* where; 0: not known */
        char message[256];              /* "found …, expected …" */
} Tree;

/**
 * tree_read() - parse the bytes of a file
 * @arena:      the tree is kept there
 * @text, @n:   the file; need not end in NUL
 * @ret:        set on success: the documents, and whether and where the YAML is broken
 *
 * Return: 0, also for broken YAML; -ENOMEM.
 */
int tree_read(Arena *arena, const char *text, size_t n, Tree *ret);

/* The value of a key of a mapping (the first, should it be there twice); NULL if there is none, or @mapping is none or NULL. */
TreeNode *tree_get(const TreeNode *mapping, const char *key);

/* Is it a key without a value, or null? Such a node counts as left empty. */
bool tree_is_nothing(const TreeNode *node);

/* A node as an error names it: the text as written (quoted if it was, cut, control characters replaced), "a list", "a
 * mapping", "nothing". Returns @buf. */
char *tree_show(const TreeNode *node, char buf[static TREE_SHOW_MAX]);

/* The same for any UTF-8 text. */
char *tree_show_text(const char *s, bool quote, char buf[static TREE_SHOW_MAX]);
