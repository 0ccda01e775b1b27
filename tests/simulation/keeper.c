/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../unit/test-store-vfs.h"
#include "store/store.h"

#define GRANTS_MAX 8            /* of one subject: it has fewer backups */
#define ORIGINS_MAX 8

typedef struct Slot {
        char instance_id[40], name[8];
        Service service;
        Control control;
        ControlState now, kept;         /* as put, and as committed */
        bool has_now, has_kept, dirty;
} Slot;

typedef struct OriginSlot {
        char origin[64];
        Service service;
        EndpointState now, kept;
        bool has_kept, dirty;
} OriginSlot;

typedef struct GrantSlot {
        Slot *slot;
        char backup_id[BACKUP_ID_MAX];
        usec_t at_usec;
} GrantSlot;

struct Keeper {
        KeeperTrouble trouble;
        Slot slots[SUBJECTS_MAX][CONTROL__MAX];
        Slot *dirty[SUBJECTS_MAX * CONTROL__MAX];
        size_t n_dirty;
        OriginSlot origins[ORIGINS_MAX];
        GrantSlot grants[SUBJECTS_MAX * GRANTS_MAX];
        size_t n_grants, n_kept_grants;
        bool real;
        char dir[64];
        Store *store;
};

Keeper *keeper_new(bool real) {
        static bool installed;
        Keeper *k = calloc(1, sizeof(*k));

        if (!k || !real)
                return k;

        k->real = true;
        (void) snprintf(k->dir, sizeof(k->dir), "%s/holdfast-life-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(k->dir)) {
                free(k);
                return NULL;
        }
        if (!installed)
                vfs_install();
        installed = true;
        return k;
}

Keeper *keeper_free(Keeper *k) {
        char command[128];

        if (!k)
                return NULL;

        k->store = store_free(k->store);
        if (k->real) {
                (void) vfs_disarm();
                vfs_forget();
                (void) snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
                if (system(command) != 0)
                        (void) fprintf(stderr, "%s is left behind\n", k->dir);
        }
        free(k);
        return NULL;
}

/* Policies are named after the subject's number. */
static Slot *slot_of(Keeper *k, const char *instance_id, Control c) {
        size_t number = strtoul((char [33]) { instance_id[24], instance_id[25], instance_id[26], instance_id[27], instance_id[28],
                                              instance_id[29], instance_id[30], instance_id[31] }, NULL, 16);

        assert(number > 0 && number <= SUBJECTS_MAX);
        return &k->slots[number - 1][c];
}

static OriginSlot *origin_of(Keeper *k, const char *origin) {
        for (size_t i = 0; i < ORIGINS_MAX; i++) {
                if (streq(k->origins[i].origin, origin))
                        return &k->origins[i];
                if (!k->origins[i].origin[0]) {
                        (void) snprintf(k->origins[i].origin, sizeof(k->origins[i].origin), "%s", origin);
                        return &k->origins[i];
                }
        }
        abort();
}

static void put_grant(Keeper *k, Slot *slot, const StateRecord *record) {
        for (size_t i = k->n_kept_grants; i < k->n_grants; i++)
                if (k->grants[i].slot == slot && streq(k->grants[i].backup_id, record->grant.backup_id)) {
                        k->grants[i].at_usec = record->grant.granted_at_usec;
                        return;
                }

        if (k->n_grants == N_ELEMENTS(k->grants)) {     /* the oldest were renewed since */
                memmove(k->grants, k->grants + 1, (k->n_grants - 1) * sizeof(k->grants[0]));
                k->n_grants--;
                k->n_kept_grants -= k->n_kept_grants > 0;
        }
        k->grants[k->n_grants] = (GrantSlot) { .slot = slot, .at_usec = record->grant.granted_at_usec };
        (void) snprintf(k->grants[k->n_grants].backup_id, BACKUP_ID_MAX, "%s", record->grant.backup_id);
        k->n_grants++;
}

static void model_put(Keeper *k, const StateRecord *record) {
        OriginSlot *o;
        Slot *slot;

        switch (record->kind) {
        case STATE_CONTROL:
                slot = slot_of(k, record->instance_id, record->control);
                if (!slot->dirty)
                        k->dirty[k->n_dirty++] = slot;
                slot->dirty = slot->has_now = true;
                slot->service = record->service;
                slot->control = record->control;
                (void) snprintf(slot->instance_id, sizeof(slot->instance_id), "%s", record->instance_id);
                (void) snprintf(slot->name, sizeof(slot->name), "%s", record->control_state.name);
                slot->now = *record->control_state.state;
                slot->now.told = (ControlTold) {};      /* nothing decides by it */
                if (record->control == CONTROL_DOWNLOAD)
                        slot->now.download = (DownloadMemory) {};
                return;
        case STATE_ENDPOINT:
                o = origin_of(k, record->endpoint.origin);
                o->service = record->service;
                o->now = *record->endpoint.state;
                o->dirty = true;
                return;
        case STATE_GRANT:
                slot = slot_of(k, record->instance_id, record->control);
                slot->service = record->service;
                slot->control = record->control;
                (void) snprintf(slot->instance_id, sizeof(slot->instance_id), "%s", record->instance_id);
                put_grant(k, slot, record);
                return;
        case STATE_EVIDENCE:
                return;
        case STATE_KIND__MAX:
                break;
        }
        abort();
}

static void model_commit(Keeper *k) {
        for (size_t i = 0; i < k->n_dirty; i++) {
                k->dirty[i]->kept = k->dirty[i]->now;
                k->dirty[i]->has_kept = true;
                k->dirty[i]->dirty = false;
        }
        k->n_dirty = 0;
        for (size_t i = 0; i < ORIGINS_MAX; i++)
                if (k->origins[i].dirty) {
                        k->origins[i].kept = k->origins[i].now;
                        k->origins[i].has_kept = true;
                        k->origins[i].dirty = false;
                }
        k->n_kept_grants = k->n_grants;
}

static void model_roll_back(Keeper *k) {
        for (size_t i = 0; i < k->n_dirty; i++) {
                k->dirty[i]->now = k->dirty[i]->kept;
                k->dirty[i]->has_now = k->dirty[i]->has_kept;
                k->dirty[i]->dirty = false;
        }
        k->n_dirty = 0;
        for (size_t i = 0; i < ORIGINS_MAX; i++) {
                k->origins[i].now = k->origins[i].kept;
                k->origins[i].dirty = false;
        }
        k->n_grants = k->n_kept_grants;
}

int keeper_put(Keeper *k, const StateRecord *record) {
        int r = 0;

        if (k->real)
                r = k->store ? store_put(k->store, record) : -EIO;
        else if (k->trouble == KEEPER_FULL || k->trouble == KEEPER_ERROR)
                r = k->trouble == KEEPER_FULL ? -ENOSPC : -EIO;
        if (r >= 0)
                model_put(k, record);
        return r;
}

int keeper_commit(Keeper *k) {
        int r = 0;

        if (k->real)
                r = !k->store ? -EIO : store_dirty(k->store) ? store_commit(k->store) : 0;
        else if (k->trouble != KEEPER_FINE)
                r = k->trouble == KEEPER_FULL ? -ENOSPC : -EIO;

        if (r >= 0)
                model_commit(k);
        else
                model_roll_back(k);
        return r;
}

void keeper_set_trouble(Keeper *k, KeeperTrouble trouble, Rng *rng) {
        k->trouble = trouble;
        if (!k->real)
                return;
        if (trouble == KEEPER_FINE)
                (void) vfs_disarm();
        else
                vfs_arm(trouble == KEEPER_FULL ? FAULT_FULL_ON : FAULT_ERROR_ON, rng_below(rng, 40), false);
}

void keeper_crash(Keeper *k, bool power, Rng *rng) {
        model_roll_back(k);
        if (!k->real)
                return;

        k->store = store_free(k->store);
        (void) vfs_disarm();
        if (power)
                vfs_after_power_cut((unsigned long) rng_next(rng));
        vfs_forget();
}

typedef struct Restoring {
        Keeper *keeper;
        Engine *engine;
} Restoring;

static int on_record(void *userdata, const StateRecord *record) {
        Restoring *r = userdata;

        model_put(r->keeper, record);
        return engine_restore(r->engine, record);
}

static int restore_real(Keeper *k, Engine *e) {
        Restoring restoring = { k, e };
        int r;

        r = store_open(k->dir, &k->store, NULL);
        if (r < 0)
                return r;

        /* What a failing disk took in nevertheless may turn up now: the disk is the truth, not the model. */
        memset(k->slots, 0, sizeof(k->slots));
        memset(k->origins, 0, sizeof(k->origins));
        k->n_dirty = k->n_grants = k->n_kept_grants = 0;
        r = store_load(k->store, on_record, &restoring, NULL);
        model_commit(k);
        return r;
}

int keeper_restore(Keeper *k, Engine *e) {
        int r = 0;

        if (k->real)
                return restore_real(k, e);

        for (size_t i = 0; i < SUBJECTS_MAX && r >= 0; i++)
                for (Control c = 0; c < CONTROL__MAX && r >= 0; c++) {
                        const Slot *s = &k->slots[i][c];

                        if (s->has_kept)
                                r = engine_restore(e, &(StateRecord) {
                                        .kind = STATE_CONTROL, .service = s->service, .instance_id = s->instance_id,
                                        .control = c, .control_state = { .name = s->name, .state = &s->kept },
                                });
                }
        for (size_t i = 0; i < ORIGINS_MAX && r >= 0; i++)
                if (k->origins[i].has_kept)
                        r = engine_restore(e, &(StateRecord) {
                                .kind = STATE_ENDPOINT, .service = k->origins[i].service,
                                .endpoint = { .origin = k->origins[i].origin, .state = &k->origins[i].kept },
                        });
        for (size_t i = 0; i < k->n_kept_grants && r >= 0; i++)
                r = engine_restore(e, &(StateRecord) {
                        .kind = STATE_GRANT, .service = k->grants[i].slot->service, .instance_id = k->grants[i].slot->instance_id,
                        .control = CONTROL_DOWNLOAD,
                        .grant = { .backup_id = k->grants[i].backup_id, .granted_at_usec = k->grants[i].at_usec },
                });
        return r;
}

const ControlState *keeper_committed(const Keeper *k, size_t subject, Control c) {
        return k->slots[subject][c].has_kept ? &k->slots[subject][c].kept : NULL;
}

bool keeper_frozen(const Keeper *k) {
        for (size_t i = 0; i < ORIGINS_MAX; i++)
                if (k->origins[i].now.frozen)
                        return true;
        return false;
}

unsigned keeper_readings(const Keeper *k) {
        for (size_t i = 0; i < ORIGINS_MAX; i++)
                if (k->origins[i].service == SERVICE_TAURUSDB && k->origins[i].origin[0])
                        return k->origins[i].now.readings;
        return 0;
}
