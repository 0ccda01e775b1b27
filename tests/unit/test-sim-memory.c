/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the simulated cloud fails once: nothing crashes, nothing leaks, and what failed says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test-sim-common.h"

static size_t n_until_failure; /* 0: none fails */
static bool failed;

static bool fails(void) {
        if (n_until_failure == 0 || --n_until_failure > 0)
                return false;
        failed = true;
        return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n) {
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
        return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s) {
        return fails() ? NULL : __real_strdup(s);
}

static const char state_text[] =
        "account: {projects: {" PROJECT ": ap-southeast-1}}\n"
        "gateway: {auth: off, rate_limit: 1000}\n"
        "deny: [nothing]\n"
        "keys: {AK: {secret_key: x, user: u, security_token: t, deny: [a, b]}}\n"
        "users: {u: {password: p}}\n"
        "kms_keys: {k-1: enabled}\n"
        "instances:\n"
        "  taurusdb: {" TAURUS ": {name: orders, encryption: on, lock: {end: +3d}}}\n"
        "  dbss: {" AUDIT ": {schedule: {status: on, bucket_name: abc}}}\n"
        "  gaussdb: {" GAUSS ": {backups: {" GAUSS_BACKUP ": {begin: -8h, name: b}}}}\n"
        "faults: [{call: schedule-get, body: wrong-type, lie: {a: {b: 1}}, headers: {X-A: b}}]\n";

static const struct {
        SimListener listener;
        const char *method, *path, *query, *body;
} requests[] = {
        { SIM_LISTENER_CLOUD, "GET", LOCK_PATH, NULL, NULL },
        { SIM_LISTENER_CLOUD, "PUT", LOCK_PATH, NULL,
          "{\"backup_vaultlock_info\":{\"lock_retention_days\":7,\"lock_policy\":true},\"action\":\"extend\"}" },
        { SIM_LISTENER_CLOUD, "POST", ENCRYPTION_PATH, NULL,
          "{\"encryption_status\":\"on\",\"type\":\"kms\",\"kms_key_id\":\"k-1\"}" },
        { SIM_LISTENER_CLOUD, "GET", "/v3.2/" PROJECT "/backups", "instance_id=" GAUSS, NULL },
        { SIM_LISTENER_CLOUD, "POST", "/v3/" PROJECT "/backups/" GAUSS_BACKUP "/download/authorization", NULL, NULL },
        { SIM_LISTENER_CLOUD, "GET", "/v1/" PROJECT "/audit/" AUDIT "/backup/template", NULL, NULL },
        { SIM_LISTENER_CLOUD, "POST", "/v3/auth/tokens", NULL,
          "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"domain\":{\"name\":"
          "\"example\"},"
          "\"name\":\"u\",\"password\":\"p\"}}}}}" },
        { SIM_LISTENER_METADATA, "GET", "/openstack/latest/securitykey", NULL, NULL },
        { SIM_LISTENER_CLOUD, "POST", "/sim/v1/faults", NULL, "{status: 500, times: 1}" },
        { SIM_LISTENER_CLOUD, "POST", "/sim/v1/change", NULL, "{lock: {reading: x}}" },
        { SIM_LISTENER_CLOUD, "GET", "/sim/v1/state", NULL, NULL },
        { SIM_LISTENER_CLOUD, "GET", "/sim/v1/requests", NULL, NULL },
};

/* Everything once. Return: 0, or what the first failure gave. */
static int run_all(void) {
        const SimHeader header = { "Content-Type", "application/json" };
        Diagnostics errors = {};
        Sim *sim = NULL;
        int r, first = 0;

        r = sim_new(7, &sim);
        if (r < 0)
                return r;
        r = sim_change(sim, "test", state_text, sizeof(state_text) - 1, T0, &errors);
        diagnostics_done(&errors);
        for (size_t i = 0; r >= 0 && i < N_ELEMENTS(requests); i++) {
                const SimRequest q = { .listener = requests[i].listener,
                                       .method = requests[i].method,
                                       .path = requests[i].path,
                                       .query = requests[i].query,
                                       .body = requests[i].body,
                                       .n_body = requests[i].body ? strlen(requests[i].body) : 0,
                                       .headers = &header,
                                       .n_headers = 1,
                                       .peer_is_local = true };
                SimReply reply = {};

                r = sim_handle(sim, &q, T0, &reply);
                if (r < 0 && first == 0)
                        first = r;
                else if (r >= 0 && !failed)
                        assert_true(reply.status == 200 || reply.status == 201 || reply.status == 400);
                sim_reply_done(&reply);
                r = 0; /* one request without an answer is no reason for the next to have none */
        }
        sim_free(sim);
        return r < 0 ? r : first;
}

static void test_memory_fails_anywhere(void **state) {
        size_t n = 0;

        assert_int_equal(run_all(), 0);
        do {
                int r;

                failed = false;
                n_until_failure = ++n;
                r = run_all();
                n_until_failure = 0;
                assert_int_equal(r, failed ? -ENOMEM : 0);
        } while (failed);
        print_message("%zu allocations\n", n - 1);
        assert_true(n > 100);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memory_fails_anywhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
