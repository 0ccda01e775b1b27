/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * What is known of controls that are not in force: the store's, until the policies come, and of policies that were removed.
 */

static uint32_t key_hash(const ItemKey *key) {
        return digest_text(key->instance_id) * 31 + key->service * CONTROL__MAX + key->control;
}

static Shelved *shelf_find(const Engine *e, const ItemKey *key) {
        for (TableNode *node = table_first(&e->shelf, key_hash(key)); node; node = table_next(node)) {
                Shelved *s = CONTAINER_OF(node, Shelved, node);

                if (s->service == key->service && s->control == key->control && streq(s->instance_id, key->instance_id))
                        return s;
        }

        return NULL;
}

static void shelved_free(Engine *e, Shelved *s) {
        Kept k;

        table_remove(&e->shelf, &s->node);
        kept_unpack(s->packed, &k);
        kept_done(e, &k, s->control);
        free(s->packed);
        free(s);
}

/* Made if it is not there; NULL: out of memory. */
static Shelved *shelf_get(Engine *e, const ItemKey *key) {
        size_t n_id = strlen(key->instance_id) + 1;
        Shelved *s = shelf_find(e, key);

        if (s)
                return s;

        s = malloc(offsetof(Shelved, instance_id) + n_id);
        if (!s)
                return NULL;

        s->service = (uint8_t) key->service;
        s->control = (uint8_t) key->control;
        s->packed = NULL;
        memcpy(s->instance_id, key->instance_id, n_id);
        table_put(&e->shelf, &s->node, key_hash(key));
        return s;
}

int shelf_put_item(Engine *e, Item *item) {
        ItemKey key = item_key(item);
        Shelved *s = shelf_get(e, &key);
        uint8_t *packed;
        Kept k;

        if (!s)
                return -ENOMEM;
        if (item_take_packed(e, item, &packed) < 0) {
                if (!s->packed)
                        shelved_free(e, s);
                return -ENOMEM;
        }

        kept_unpack(s->packed, &k);
        kept_done(e, &k, s->control);
        free(s->packed);
        s->packed = packed;
        return 0;
}

void shelf_take_item(Engine *e, Item *item) {
        ItemKey key = item_key(item);
        Shelved *s = shelf_find(e, &key);

        if (!s)
                return;

        assert(!item->is_open && !item->packed);
        item->packed = STEAL(s->packed);
        shelved_free(e, s);
}

Shelved *shelf_after(const Engine *e, const Shelved *s) {
        TableNode *node = table_after(&e->shelf, s ? &s->node : NULL);

        return node ? CONTAINER_OF(node, Shelved, node) : NULL;
}

/* --- From the store --------------------------------------------------------------------------------------------------- */

/* Replaces what is packed. Return: 0; or -ENOMEM, and @k is as little taken as before. */
static int repack(Shelved *s, Kept *k) {
        uint8_t *packed;

        if (kept_pack(k, s->control, &packed) < 0)
                return -ENOMEM;

        free(s->packed);
        s->packed = packed;
        return 0;
}

static int restore_control(Engine *e, Shelved *s, const ControlState *state) {
        Kept before, k = { .state = *state };

        k.state.told.why = k.state.told.changed_request_id = NULL;      /* the record's own */
        if (s->control == CONTROL_DOWNLOAD)
                k.state.download = (DownloadMemory) {};                 /* its grants come as records of their own */

        kept_unpack(s->packed, &before);
        if (kept_set_why(e, &k, state->told.why) < 0 || told_set(&k.state.told.changed_request_id, state->told.changed_request_id) < 0 ||
            repack(s, &k) < 0) {
                kept_done(e, &k, s->control);
                return -ENOMEM;
        }

        kept_done(e, &before, s->control);
        return 0;
}

static int restore_grant(Shelved *s, const StateRecord *record) {
        Grant *grants, *before;
        DownloadMemory *m;
        Kept k;
        size_t n;

        kept_unpack(s->packed, &k);
        m = &k.state.download;
        before = m->grants;
        n = MIN(m->n_grants, (size_t) DOWNLOAD_GRANTS_MAX - 1);
        grants = calloc(n + 1, sizeof(*grants));
        if (!grants)
                return -ENOMEM;

        if (n > 0)
                memcpy(grants, before + m->n_grants - n, n * sizeof(*grants));
        grants[n].granted_at_usec = record->grant.granted_at_usec;
        (void) snprintf(grants[n].backup_id, BACKUP_ID_MAX, "%s", record->grant.backup_id);
        *m = (DownloadMemory) { .grants = grants, .n_grants = n + 1 };

        if (repack(s, &k) < 0) {
                free(grants);
                return -ENOMEM;
        }
        free(before);
        return 0;
}

int shelf_restore(Engine *e, const StateRecord *record) {
        ItemKey key = { .service = record->service, .instance_id = record->instance_id, .control = record->control };
        Shelved *s = shelf_get(e, &key);

        if (!s)
                return -ENOMEM;
        return record->kind == STATE_GRANT ? restore_grant(s, record) : restore_control(e, s, record->control_state.state);
}

void shelf_done(Engine *e) {
        Shelved *s, *next;

        for (s = shelf_after(e, NULL); s; s = next) {
                next = shelf_after(e, s);
                shelved_free(e, s);
        }
        table_done(&e->shelf);
}
