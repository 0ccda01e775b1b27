/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One document of a policy file. */

#include "policy/decode.h"

/**
 * document_decode() - read, complete and check one policy
 * @d:          with the settings that defaults and limits come from
 * @root:       the document; changed: its nodes are marked where they are bad
 * @name:       what a document without a name is called; NULL: it must have one
 * @ret:        set in any case; good only if no problem was added. Its texts belong to @d's arena and to the tree
 *
 * Return: 0, also with mistakes; -ENOMEM.
 */
int document_decode(Decoder *d, TreeNode *root, const char *name, Document *ret);
