/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "engine/engine-internal.h"
#include "engine/packed.h"

/*
 * What a control knows, small while nobody looks at it: most of it is room for what few controls have, such as the requests of a lock that is
 * being extended. A look works on the open form. Where there is no memory to pack that at the end, it stays open: nothing is forgotten.
 */

_Static_assert(sizeof(Kept) % sizeof(uint64_t) == 0, "it is packed by words");

#define WORD_OF(member) (offsetof(Kept, member) / sizeof(uint64_t))

/* --- Texts of which many are the same ------------------------------------------------------------------------------- */

typedef struct Text {
        TableNode node;
        unsigned n_ref;
        char s[];
} Text;

static char *text_get(Engine *e, const char *s) {
        uint32_t hash = digest_text(s);
        size_t size = strlen(s) + 1;
        Text *text;

        for (TableNode *node = table_first(&e->texts, hash); node; node = table_next(node)) {
                text = CONTAINER_OF(node, Text, node);
                if (streq(text->s, s)) {
                        text->n_ref++;
                        return text->s;
                }
        }

        text = malloc(offsetof(Text, s) + size);
        if (!text)
                return NULL;

        text->n_ref = 1;
        memcpy(text->s, s, size);
        table_put(&e->texts, &text->node, hash);
        return text->s;
}

static void text_put(Engine *e, char *s) {
        Text *text;

        if (!s)
                return;

        text = CONTAINER_OF(s, Text, s);
        if (--text->n_ref > 0)
                return;
        table_remove(&e->texts, &text->node);
        free(text);
}

int kept_set_why(Engine *e, Kept *k, const char *why) {
        if (streq0(k->state.told.why, why))
                return 0;

        text_put(e, STEAL(k->state.told.why));
        if (!why || !*why)
                return 0;

        k->state.told.why = text_get(e, why);
        return k->state.told.why ? 0 : -ENOMEM;
}

/* --- Packed ----------------------------------------------------------------------------------------------------------- */

/* Requests that the climb is done with stay in the array. */
static void tidy(Kept *k, Control c) {
        LockMemory *m = &k->state.lock;

        if (c == CONTROL_LOCK)
                memset(m->intents + m->n_intents, 0, (LOCK_INTENTS_MAX - m->n_intents) * sizeof(*m->intents));
}

int kept_pack(Kept *k, Control c, uint8_t **ret) {
        uint8_t room[PACKED_MAX(N_WORDS(Kept))], *packed;
        size_t n;

        tidy(k, c);
        n = pack(k, N_WORDS(Kept), room);
        packed = malloc(n);
        if (!packed)
                return -ENOMEM;

        memcpy(packed, room, n);
        *ret = packed;
        return 0;
}

/* Of less than @packed was made from: that cannot fail. */
static void pack_again(const Kept *k, uint8_t *packed) {
        (void) pack(k, N_WORDS(Kept), packed);
}

void kept_unpack(const uint8_t *packed, Kept *ret) {
        unpack(packed, ret, N_WORDS(Kept));
}

void kept_done(Engine *e, Kept *k, Control c) {
        text_put(e, STEAL(k->state.told.why));
        control_state_done(c, &k->state);
        grants_done(k);
        free(k->failure);
        *k = (Kept) {};
}

/* --- Of an item ------------------------------------------------------------------------------------------------------- */

const Kept *item_kept(const Item *item, Kept *scratch) {
        if (item->is_open)
                return &item->open->kept;

        kept_unpack(item->packed, scratch);
        return scratch;
}

usec_t item_unknown_since(const Item *item) {
        uint64_t words[WORD_OF(state.unknown_since_usec) + 1];

        if (item->is_open)
                return item->open->kept.state.unknown_since_usec;

        unpack(item->packed, words, N_ELEMENTS(words));
        return words[WORD_OF(state.unknown_since_usec)];
}

int item_open(Engine *e, Item *item) {
        Open *open;

        if (item->is_open)
                return 0;

        open = STEAL(e->spare_open);
        if (!open)
                open = malloc(sizeof(*open));
        if (!open)
                return -ENOMEM;

        open->run = NULL;
        kept_unpack(item->packed, &open->kept);
        free(item->packed);
        item->open = open;
        item->is_open = true;
        return 0;
}

void item_close(Engine *e, Item *item) {
        uint8_t *packed;
        Open *open;

        if (!item->is_open)
                return;

        open = item->open;
        assert(!open->run);
        if (kept_pack(&open->kept, item->control, &packed) < 0)
                return;         /* the next look finds it open */

        item->is_open = false;
        item->packed = packed;
        if (e->spare_open)
                free(open);
        else
                e->spare_open = open;
}

void item_grants_stored(Item *item) {
        Kept k;

        if (item->control != CONTROL_DOWNLOAD)
                return;
        if (item->is_open) {
                grants_stored(&item->open->kept);
                return;
        }

        kept_unpack(item->packed, &k);
        if (!k.notes)
                return;
        grants_stored(&k);
        pack_again(&k, item->packed);
}

void item_forget(Engine *e, Item *item) {
        Kept k;

        if (item->is_open) {
                kept_done(e, &item->open->kept, item->control);
                free(item->open);
        } else {
                kept_unpack(item->packed, &k);
                kept_done(e, &k, item->control);
                free(item->packed);
        }

        item->is_open = false;
        item->packed = NULL;
}

int item_take_packed(Engine *e, Item *item, uint8_t **ret) {
        Kept k;

        item_close(e, item);
        if (item->is_open)
                return -ENOMEM;

        if (item->packed) {
                kept_unpack(item->packed, &k);
                grants_done(&k);
                free(STEAL(k.failure));
                pack_again(&k, item->packed);
        }
        *ret = STEAL(item->packed);
        return 0;
}
