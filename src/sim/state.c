/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/state.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <utlist.h>

#define PRUNE_EVERY_USEC USEC_PER_MINUTE /* picked: temporary keys live for 15 minutes at least */

const char *const sim_cycle_names[] = { "FIVE_MIN", "PER_HOUR", "PER_DAY", "PER_WEEK", "PER_MONTH", NULL };
const char *const sim_backup_status_names[] = { "COMPLETED", "BUILDING", "FAILED", "AVAILABLE", "DELETING", NULL };

const char *sim_service_to_string(SimService s) {
        static const char *const names[SIM_SERVICE__MAX] = {
                [SIM_TAURUSDB] = "taurusdb", [SIM_DBSS] = "dbss",         [SIM_GAUSSDB] = "gaussdb",
                [SIM_IAM] = "iam",           [SIM_METADATA] = "metadata",
        };

        assert(s < SIM_SERVICE__MAX);
        return names[s];
}

/* splitmix64 (Steele, Lea, Flood 2014): good enough for ids and dice, and any seed will do. */
uint64_t sim_random(Sim *s) {
        uint64_t z = s->random += UINT64_C(0x9E3779B97F4A7C15);

        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        return z ^ (z >> 31);
}

void sim_random_hex(Sim *s, char *buf, size_t n) {
        uint64_t bits = 0;

        for (size_t i = 0; i < n; i++) {
                if (i % 16 == 0)
                        bits = sim_random(s);
                buf[i] = "0123456789abcdef"[bits & 15];
                bits >>= 4;
        }
        buf[n] = '\0';
}

void sim_copy_id(char *to, size_t size, const char *from) {
        size_t n = strnlen(from, size - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

usec_t sim_shift(usec_t at_usec, int64_t by_usec) {
        return by_usec < 0 ? usec_sub(at_usec, (usec_t) -by_usec) : usec_add(at_usec, (usec_t) by_usec);
}

/* --- Histories ------------------------------------------------------------------------------------------------ */

static usec_t *history_since(const SimHistory *h, size_t i) {
        return (usec_t *) ((char *) h->items + i * h->item_size);
}

int sim_history_set(SimHistory *h, size_t item_size, const void *item, usec_t oldest_usec) {
        size_t n_drop = 0;
        void *items;

        assert(h->n_items == 0 || h->item_size == item_size);
        h->item_size = item_size;

        while (n_drop + 1 < h->n_items && *history_since(h, n_drop + 1) <= oldest_usec)
                n_drop++;
        if (h->n_items - n_drop >= SIM_HISTORY_MAX)
                n_drop = h->n_items - SIM_HISTORY_MAX + 1;
        if (n_drop > 0) {
                memmove(h->items, history_since(h, n_drop), (h->n_items - n_drop) * item_size);
                h->n_items -= n_drop;
        }

        items = realloc(h->items, (h->n_items + 1) * item_size);
        if (!items)
                return -ENOMEM;
        h->items = items;
        memcpy((char *) h->items + h->n_items++ * item_size, item, item_size);
        return 0;
}

const void *sim_history_now(const SimHistory *h) {
        return h->n_items > 0 ? history_since(h, h->n_items - 1) : NULL;
}

const void *sim_history_at(const SimHistory *h, usec_t at_usec) {
        for (size_t i = h->n_items; i > 0; i--)
                if (i == 1 || *history_since(h, i - 1) <= at_usec)
                        return history_since(h, i - 1);
        return NULL;
}

usec_t sim_history_until(const SimHistory *h, usec_t at_usec) {
        usec_t until_usec = USEC_INFINITY;

        for (size_t i = h->n_items; i > 1 && *history_since(h, i - 1) > at_usec; i--)
                until_usec = *history_since(h, i - 1);
        return until_usec;
}

void sim_history_done(SimHistory *h) {
        free(h->items);
        *h = (SimHistory){};
}

/* --- Permissions ---------------------------------------------------------------------------------------------- */

bool sim_denies(const SimDeny *d, const char *action, const char *alias, const char *call) {
        for (size_t i = 0; i < d->n_actions; i++) {
                const char *denied = d->actions[i];

                if (streq(denied, "*") || streq(denied, call) || (action && strcasecmp(denied, action) == 0) ||
                    (alias && strcasecmp(denied, alias) == 0))
                        return true;
        }
        return false;
}

void sim_deny_done(SimDeny *d) {
        for (size_t i = 0; i < d->n_actions; i++)
                free(d->actions[i]);
        free(d->actions);
        *d = (SimDeny){};
}

/* --- What is found by a key ----------------------------------------------------------------------------------- */

#define DEFINE_FIND(name, Type, head)                                                                                \
        Type *name(const Sim *s, const char *key) {                                                                  \
                Type *found = NULL;                                                                                  \
                                                                                                                     \
                HASH_FIND_STR(s->head, key, found);                                                                  \
                return found;                                                                                        \
        }

DEFINE_FIND(sim_instance_find, SimInstance, instances)
DEFINE_FIND(sim_backup_find, SimBackup, backups)
DEFINE_FIND(sim_key_find, SimKey, keys)
DEFINE_FIND(sim_user_find, SimUser, users)
DEFINE_FIND(sim_project_find, SimProject, projects)

/* Tokens are random from the first digit on, and long: not all of it is hashed. */
static unsigned token_key_size(const char *text) {
        return (unsigned) strnlen(text, 64);
}

SimToken *sim_token_find(const Sim *s, const char *text) {
        SimToken *t = NULL;

        HASH_FIND(hh, s->tokens, text, token_key_size(text), t);
        return t && streq(t->text, text) ? t : NULL;
}

SimProject *sim_project_find_name(const Sim *s, const char *name) {
        for (SimProject *p = s->projects; p; p = p->hh.next)
                if (streq(p->name, name))
                        return p;
        return NULL;
}

static SimInstance *instance_free(SimInstance *i) {
        free(i->name);
        sim_history_done(&i->encryption);
        sim_history_done(&i->lock);
        sim_history_done(&i->schedule);
        free(i);
        return NULL;
}

SimInstance *sim_instance_get(Sim *s, SimService service, const char *id) {
        SimInstance *i = sim_instance_find(s, id);

        if (i)
                return i;
        i = calloc(1, sizeof(*i));
        if (!i)
                return NULL;

        sim_copy_id(i->id, sizeof(i->id), id);
        i->service = service;
        i->runs = true;
        i->last_backup_ok = true;
        HASH_ADD_STR(s->instances, id, i);
        return i->hh.tbl ? i : instance_free(i);
}

void sim_instance_remove(Sim *s, SimInstance *i) {
        while (i->backups)
                sim_backup_remove(s, i->backups);
        HASH_DEL(s->instances, i);
        instance_free(i);
}

SimBackup *sim_backup_get(Sim *s, SimInstance *i, const char *id) {
        SimBackup *b = sim_backup_find(s, id);

        if (b)
                return b;
        b = calloc(1, sizeof(*b));
        if (!b)
                return NULL;

        sim_copy_id(b->id, sizeof(b->id), id);
        b->instance = i;
        b->in_obs = true;
        b->size_mb = 1;
        HASH_ADD_STR(s->backups, id, b);
        if (!b->hh.tbl) {
                free(b);
                return NULL;
        }
        DL_APPEND(i->backups, b);
        i->n_backups++;
        return b;
}

void sim_backup_remove(Sim *s, SimBackup *b) {
        DL_DELETE(b->instance->backups, b);
        b->instance->n_backups--;
        assert(s->backups);
        HASH_DEL(s->backups, b);
        free(b->name);
        free(b);
}

static SimKey *key_free(SimKey *k) {
        free(k->access_key);
        free(k->secret_key);
        free(k->security_token);
        free(k->user);
        sim_deny_done(&k->deny);
        free(k);
        return NULL;
}

SimKey *sim_key_get(Sim *s, const char *access_key) {
        SimKey *k = sim_key_find(s, access_key);

        if (k)
                return k;
        k = calloc(1, sizeof(*k));
        if (!k)
                return NULL;
        k->enabled = true;
        k->access_key = strdup(access_key);
        if (!k->access_key)
                return key_free(k);
        HASH_ADD_KEYPTR(hh, s->keys, k->access_key, strlen(k->access_key), k);
        return k->hh.tbl ? k : key_free(k);
}

void sim_key_remove(Sim *s, SimKey *k) {
        HASH_DEL(s->keys, k);
        key_free(k);
}

static SimUser *user_free(SimUser *u) {
        free(u->name);
        free(u->password);
        sim_deny_done(&u->deny);
        free(u);
        return NULL;
}

SimUser *sim_user_get(Sim *s, const char *name) {
        SimUser *u = sim_user_find(s, name);

        if (u)
                return u;
        u = calloc(1, sizeof(*u));
        if (!u)
                return NULL;
        u->enabled = true;
        u->name = strdup(name);
        if (!u->name)
                return user_free(u);
        HASH_ADD_KEYPTR(hh, s->users, u->name, strlen(u->name), u);
        return u->hh.tbl ? u : user_free(u);
}

void sim_user_remove(Sim *s, SimUser *u) {
        sim_tokens_revoke(s, u->name);
        HASH_DEL(s->users, u);
        user_free(u);
}

static SimToken *token_free(SimToken *t) {
        free(t->text);
        free(t->user);
        free(t);
        return NULL;
}

SimToken *sim_token_new(Sim *s, const char *user, size_t n_hex, usec_t expires_usec) {
        SimToken *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->expires_usec = expires_usec;
        t->user = strdup(user);
        t->text = calloc(n_hex + 1, 1);
        if (!t->user || !t->text)
                return token_free(t);
        sim_random_hex(s, t->text, n_hex);
        HASH_ADD_KEYPTR(hh, s->tokens, t->text, token_key_size(t->text), t);
        return t->hh.tbl ? t : token_free(t);
}

void sim_tokens_revoke(Sim *s, const char *user) {
        SimToken *t, *next;

        HASH_ITER(hh, s->tokens, t, next)
        if (!user || streq(t->user, user)) {
                HASH_DEL(s->tokens, t);
                token_free(t);
        }
}

static SimProject *project_free(SimProject *p) {
        free(p->name);
        free(p);
        return NULL;
}

SimProject *sim_project_get(Sim *s, const char *id) {
        SimProject *p = sim_project_find(s, id);

        if (p)
                return p;
        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        sim_copy_id(p->id, sizeof(p->id), id);
        p->name = strdup("");
        if (!p->name)
                return project_free(p);
        HASH_ADD_STR(s->projects, id, p);
        return p->hh.tbl ? p : project_free(p);
}

void sim_project_remove(Sim *s, SimProject *p) {
        HASH_DEL(s->projects, p);
        project_free(p);
}

SimKmsKey *sim_kms_key_get(Sim *s, const char *id) {
        SimKmsKey *k;

        HASH_FIND_STR(s->kms_keys, id, k);
        if (k)
                return k;
        k = calloc(1, sizeof(*k));
        if (!k)
                return NULL;
        sim_copy_id(k->id, sizeof(k->id), id);
        HASH_ADD_STR(s->kms_keys, id, k);
        if (!k->hh.tbl) {
                free(k);
                return NULL;
        }
        return k;
}

void sim_kms_key_remove(Sim *s, SimKmsKey *k) {
        HASH_DEL(s->kms_keys, k);
        free(k);
}

const char *sim_instance_project(const Sim *s, const SimInstance *i) {
        if (i->project_id[0] != '\0')
                return i->project_id;
        return s->projects ? s->projects->id : "";
}

/* --- Time passing --------------------------------------------------------------------------------------------- */

void sim_prune_issued(Sim *s, usec_t now_usec) {
        SimToken *t, *next_token;
        SimKey *k, *next_key;

        if (usec_diff(now_usec, s->issued_pruned_usec) < PRUNE_EVERY_USEC)
                return;
        s->issued_pruned_usec = now_usec;

        /* A day later than need be: an expired token is told apart from one that never was. */
        HASH_ITER(hh, s->tokens, t, next_token)
        if (usec_add(t->expires_usec, USEC_PER_DAY) < now_usec) {
                HASH_DEL(s->tokens, t);
                token_free(t);
        }
        HASH_ITER(hh, s->keys, k, next_key)
        if (k->issued && usec_add(k->expires_usec, USEC_PER_DAY) < now_usec)
                sim_key_remove(s, k);
}

static void age(usec_t *at, usec_t usec) {
        if (*at > usec) /* 0 means "none" in some of them and stays */
                *at -= usec;
}

static void age_history(SimHistory *h, usec_t usec) {
        for (size_t i = 0; i < h->n_items; i++)
                age(history_since(h, i), usec);
}

void sim_age(Sim *s, usec_t usec) {
        for (SimInstance *i = s->instances; i; i = i->hh.next) {
                SimLock *locks = i->lock.items;

                age_history(&i->encryption, usec);
                age_history(&i->lock, usec);
                age_history(&i->schedule, usec);
                age(&i->latest_backup_usec, usec);
                for (size_t n = 0; n < i->lock.n_items; n++) {
                        age(&locks[n].start_usec, usec);
                        age(&locks[n].end_usec, usec);
                }
        }
        for (SimBackup *b = s->backups; b; b = b->hh.next) {
                age(&b->begin_usec, usec);
                age(&b->end_usec, usec);
                age(&b->granted_at_usec, usec);
        }
        for (SimKey *k = s->keys; k; k = k->hh.next) {
                age(&k->expires_usec, usec);
                age(&k->locked_until_usec, usec);
        }
        for (SimToken *t = s->tokens; t; t = t->hh.next)
                age(&t->expires_usec, usec);
        for (SimUser *u = s->users; u; u = u->hh.next)
                age(&u->locked_until_usec, usec);
}
