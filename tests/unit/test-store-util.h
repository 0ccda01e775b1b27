/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the tests of the store share: a folder of their own, random records, and a model of what the store should hold.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

/* A fresh folder; removed with everything in it by folder_remove(). */
char *folder_make(void);
void folder_remove(char *dir);
char *folder_path(const char *dir, const char *name);   /* new */
bool folder_has(const char *dir, const char *name);
size_t folder_count_broken(const char *dir);

/* Always the same sequence for a seed. */
typedef struct Random {
        uint64_t state;
} Random;

uint64_t random_next(Random *random);
uint64_t random_below(Random *random, uint64_t n);

/* A record with all that it refers to. */
typedef struct Sample {
        StateRecord record;
        ControlState control;
        EndpointState endpoint;
        char instance_id[64], text[4][72];
} Sample;

/* Fills @s with something that a running daemon could store; @s is not copied afterwards, since it points into itself. */
void sample_control(Random *random, Control c, unsigned instance, Sample *s);
void sample_endpoint(Random *random, unsigned n, Sample *s);
void sample_grant(Random *random, unsigned instance, unsigned n, Sample *s);
void sample_evidence(Random *random, unsigned instance, Sample *s);
void sample_any(Random *random, Sample *s);

/* What is stored, each record as a text with every value in it. */
typedef struct Model {
        char **texts;
        size_t n;
} Model;

void model_put(Model *m, const StateRecord *record);    /* replaces the one with the same key; evidence is no part of it */
void model_load(Model *m, Store *store, size_t expected_skipped);
void model_copy(const Model *from, Model *to);
bool model_equal(const Model *a, const Model *b);
void assert_models_equal(const Model *found, const Model *expected);
void model_done(Model *m);

/* What one query gives over a connection of its own, as any other reader would see it. -1: the query failed. */
int64_t query_int(const char *dir, const char *sql);
void execute(const char *dir, const char *sql);
