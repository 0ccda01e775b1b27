/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What survives a kill: a model of the store (puts gather, a commit keeps them, a crash drops them), and next to it, where a life has one, the
 * real store on a disk that fails. The model always tells what was committed; that is what intents are held against.
 */

#include "engine/engine.h"
#include "rng.h"
#include "scenario.h"

typedef struct Keeper Keeper;

/* @real: with SQLite below a temporary folder, through the VFS of tests/unit. NULL: out of memory, or no folder. */
Keeper *keeper_new(bool real);
Keeper *keeper_free(Keeper *k);

int keeper_put(Keeper *k, const StateRecord *record);
int keeper_commit(Keeper *k);

/* The process is gone, and what it had not committed. @power: the host as well, with what its disk had not synced. */
void keeper_crash(Keeper *k, bool power, Rng *rng);
/* Opens what is there and hands it to a new engine. Return: 0 or -errno. */
int keeper_restore(Keeper *k, Engine *e);

/* From now on a real disk fails (or not); a model fails with @error at put and commit. */
typedef enum KeeperTrouble { KEEPER_FINE, KEEPER_FULL, KEEPER_ERROR, KEEPER_ERROR_COMMIT } KeeperTrouble;
void keeper_set_trouble(Keeper *k, KeeperTrouble trouble, Rng *rng);

/* As committed; NULL: nothing is. @subject: its number. */
const ControlState *keeper_committed(const Keeper *k, size_t subject, Control c);
unsigned keeper_readings(const Keeper *k);      /* learned of the lock endpoint, likewise */
bool keeper_frozen(const Keeper *k);    /* is the lock endpoint, as last put */
