/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/claims.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"

#define WHAT_MAX 256            /* bytes; names have at most 128, ids 64 */

typedef struct Entry {
        Claim claim;
        UT_hash_handle hh;
        struct Entry *next;     /* of the same file */
        char what[];
} Entry;

struct Claims {
        Entry *entries;         /* hash */
        Entry *of_file;         /* made since claims_begin_file() */
};

int claims_new(Claims **ret) {
        Claims *c;

        assert(ret);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        *ret = c;
        return 0;
}

Claims *claims_free(Claims *c) {
        Entry *entry, *next;

        if (!c)
                return NULL;

        HASH_ITER(hh, c->entries, entry, next) {
                HASH_DEL(c->entries, entry);
                free(entry);
        }
        free(c);
        return NULL;
}

void claims_begin_file(Claims *c) {
        assert(c);
        c->of_file = NULL; /* the hash still has them */
}

void claims_withdraw(Claims *c) {
        assert(c);

        while (c->of_file) {
                Entry *entry = c->of_file;

                assert(c->entries); /* what is of the file is in the hash too */
                c->of_file = entry->next;
                HASH_DEL(c->entries, entry);
                free(entry);
        }
}

/* A blank is in no name, and a slash in no id, so that the two kinds never meet. */
static char *what_name(const Instance *i, char buf[static WHAT_MAX]) {
        (void) snprintf(buf, WHAT_MAX, "name %s", i->name);
        return buf;
}

static char *what_control(const Instance *i, Control control, char buf[static WHAT_MAX]) {
        (void) snprintf(buf, WHAT_MAX, "%s of %s/%s", control_to_string(control), service_to_string(i->service),
                        i->instance_id);
        return buf;
}

static const Claim *claims_find(const Claims *c, const char *what) {
        const Entry *entry;

        HASH_FIND_STR(c->entries, what, entry);
        return entry ? &entry->claim : NULL;
}

static int claims_put(Claims *c, const Instance *i, const char *what) {
        size_t n = strlen(what);
        Entry *entry;

        entry = malloc(sizeof(*entry) + n + 1);
        if (!entry)
                return -ENOMEM;

        *entry = (Entry) { .claim = { .file = i->file, .line = i->line }, .next = c->of_file };
        memcpy(entry->what, what, n + 1);
        HASH_ADD_KEYPTR(hh, c->entries, entry->what, n, entry);
        if (!hash_added(entry)) {
                free(entry);
                return -ENOMEM;
        }

        c->of_file = entry;
        return 0;
}

int claims_add(Claims *c, const Instance *i) {
        char what[WHAT_MAX];
        int r;

        assert(c);
        assert(i);
        assert(claims_are_free(c, i));

        r = claims_put(c, i, what_name(i, what));
        for (Control control = 0; control < CONTROL__MAX && r >= 0; control++)
                if (instance_has(i, control))
                        r = claims_put(c, i, what_control(i, control, what));

        return r;
}

const Claim *claims_find_name(const Claims *c, const Instance *i) {
        char what[WHAT_MAX];

        assert(c);
        assert(i);
        return claims_find(c, what_name(i, what));
}

const Claim *claims_find_control(const Claims *c, const Instance *i, Control control) {
        char what[WHAT_MAX];

        assert(c);
        assert(i);
        return instance_has(i, control) ? claims_find(c, what_control(i, control, what)) : NULL;
}

bool claims_are_free(const Claims *c, const Instance *i) {
        if (claims_find_name(c, i))
                return false;
        for (Control control = 0; control < CONTROL__MAX; control++)
                if (claims_find_control(c, i, control))
                        return false;

        return true;
}
