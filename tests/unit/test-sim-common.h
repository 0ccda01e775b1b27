/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the simulated cloud share: one cloud, one clock, short requests. Include after <cmocka.h>. */

#include <json-c/json.h>

#include "sim/rules.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01T00:00:00Z */

#define PROJECT      "619d3e78f61b4be68bc5aa0b59edcf7b"
#define DOMAIN       "8a6f5e0c1d2b4f739e0d1c2b3a495867"
#define TAURUS       "7033e7c3cf93438797d44ad7ae0a7d95in07"
#define AUDIT        "2f6b1d3c4e5f60718293a4b5c6d7e8f9"
#define GAUSS        "1de27464abdf48519f8574c97a8f0625in14"
#define GAUSS_BACKUP "e28d08754b1a490fb2b3540ed013a7fbbr14"

#define LOCK_PATH       "/v3/" PROJECT "/instances/" TAURUS "/backups/vault-lock"
#define ENCRYPTION_PATH "/v3/" PROJECT "/instances/" TAURUS "/backups/encryption"

typedef struct TestSim {
        Sim *sim;
        usec_t now_usec;
        SimReply reply;    /* of the last request */
        json_object *json; /* its body; NULL if that is not JSON */
} TestSim;

/* A cloud that asks for no authentication, with the instances named above in it. */
int test_sim_setup(void **state);
int test_sim_teardown(void **state);

/* Applies a change that must be right. */
void test_sim_change(TestSim *t, const char *yaml);
/* Applies a change that must be refused, and returns all that was said: new. */
char *test_sim_change_refused(TestSim *t, const char *yaml);

/* Sends a request and returns the status. @body NULL: none; a Content-Type goes along with one. */
int test_sim_ask(TestSim *t, const char *method, const char *path, const char *query, const char *body);
int test_sim_send(TestSim *t, const SimRequest *q);

/* A member of the last reply, "backup_vaultlock_info.lock_end_time"; NULL if it is not there. */
json_object *test_sim_member(TestSim *t, const char *path);
const char *test_sim_text(TestSim *t, const char *path); /* "" if it is not there */
int64_t test_sim_int(TestSim *t, const char *path);      /* -1 if it is not there */
