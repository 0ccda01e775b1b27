/* SPDX-License-Identifier: Apache-2.0 */

/*
 * month FOLDER [INSTANCES [DAYS]]: what a month leaves in the database. The engine and the store that ship, against the simulated cloud in
 * virtual time, every poll lived; one line of JSON on standard output.
 *
 * The fleet is a sound one with a bad day now and then: every lock is extended when it is due, and each day somebody switches encrypted backup
 * off on one instance in a hundred.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "policy/load.h"
#include "store/store.h"
#include "virtual/machine.h"

#define START_USEC (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */
#define LATENCY_USEC (50 * USEC_PER_MSEC)       /* of an exchange; picked */
#define VERIFY_ONE_IN 4096                      /* remembered reads that go the whole way all the same */
#define DRIFT_ONE_IN 100                        /* instances a day; picked */
#define LOCK_DAYS 30
#define INSTANCES_MAX 3000                      /* what fits into one document of policies */

#define KMS_KEY "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"

static const char settings_text[] =
        "region: ap-southeast-1\n"
        "project_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n"
        "domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867\n"
        "credentials: {source: environment}\n"
        "http: {rate: 1000/s}\n";

static const char account_text[] =
        "account:\n"
        "  domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867\n"
        "  projects: {619d3e78f61b4be68bc5aa0b59edcf7b: ap-southeast-1}\n"
        "keys: {" MACHINE_ACCESS_KEY ": {secret_key: " MACHINE_SECRET_KEY "}}\n"
        "kms_keys: {" KMS_KEY ": enabled}\n";

typedef struct Month {
        const char *dir;
        size_t n_instances;
        Sim *sim;
        Machine *machine;
        Store *store;
        uint64_t n_puts, n_commits, n_evidence, n_events;
        uint64_t log_peak_bytes;        /* of the write-ahead log */
} Month;

static void month_done(Month *m) {
        machine_free(m->machine);
        sim_free(m->sim);
        store_free(m->store);
}

/* A file of the database; 0: there is none. */
static uint64_t file_bytes(const Month *m, const char *name) {
        char path[4096];
        struct stat st;

        (void) snprintf(path, sizeof(path), "%s/%s", m->dir, name);
        return stat(path, &st) < 0 ? 0 : (uint64_t) st.st_size;
}

static int on_put(void *userdata, const StateRecord *record) {
        Month *m = userdata;

        m->n_puts++;
        m->n_evidence += record->kind == STATE_EVIDENCE;
        return store_put(m->store, record);
}

static int on_commit(void *userdata) {
        Month *m = userdata;
        int r;

        if (!store_dirty(m->store))
                return 0;

        r = store_commit(m->store);
        m->n_commits++;
        m->log_peak_bytes = MAX(m->log_peak_bytes, file_bytes(m, "holdfast.db-wal"));
        return r;
}

static void on_say(void *userdata, const Event *event) {
        ((Month *) userdata)->n_events++;
}

static int complain(const char *what, int r, Diagnostics *d) {
        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *text = diagnostic_to_string(&d->items[i]);

                (void) fprintf(stderr, "month: %s: %s\n", what, text ? text : strerror(ENOMEM));
        }
        if (r < 0 && d->n_items == 0)
                (void) fprintf(stderr, "month: %s: %s\n", what, strerror(-r));
        return r >= 0 && d->n_items > 0 ? -EINVAL : r;
}

static int change(Month *m, const char *yaml) {
        _cleanup_(diagnostics_done) Diagnostics d = {};

        return complain("the simulated cloud", machine_change(m->machine, yaml, &d), &d);
}

/* A text that is written as one writes to a file; NULL: out of memory. */
static char *fleet_text(const Month *m, void (*write_one)(FILE *f, size_t i), const char *before, size_t first, size_t step) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        (void) fputs(before, f);
        for (size_t i = first; i < m->n_instances; i += step)
                write_one(f, i);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static void write_policy(FILE *f, size_t i) {
        (void) fprintf(f, "---\nname: db-%06zu\nservice: taurusdb\ninstance_id: %032zxin07\nencryption: {expect: on, kms_key_id: " KMS_KEY "}\n"
                          "lock: {retention_days: 30, renew_before: 7d, max_retention_days: 45, require_manual_backup: 30d}\n", i, i + 1);
}

/* The ends of the locks lie between 8 and 30 days ahead. */
static void write_instance(FILE *f, size_t i) {
        size_t remain = 8 + i % (LOCK_DAYS - 8);

        (void) fprintf(f, "    %032zxin07: {encryption: on, lock: {start: -%zud, end: +%zud}, backups: {%032zxbr07: {type: manual, begin: now}}}\n",
                       i + 1, LOCK_DAYS - remain, remain, i + 1);
}

static void write_drift(FILE *f, size_t i) {
        (void) fprintf(f, "    %032zxin07: {encryption: off}\n", i + 1);
}

static int configure(Month *m) {
        _cleanup_(policy_set_freep) PolicySet *policies = NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(freep) char *text = NULL;
        int r;

        text = fleet_text(m, write_policy, "", 0, 1);
        if (!text)
                return -ENOMEM;

        r = complain("settings", settings_load_buffer("holdfast.yaml", settings_text, strlen(settings_text), &d, &settings), &d);
        if (r >= 0)
                r = complain("policies", policies_load_buffer("fleet.yaml", text, strlen(text), settings, NULL, &d, &policies, NULL), &d);
        if (r >= 0)
                r = engine_configure(machine_engine(m->machine), settings, policies);
        if (r < 0)
                return r;

        (void) STEAL(settings);
        (void) STEAL(policies);
        return 0;
}

static int begin(Month *m) {
        const MachineOptions options = { .seed = 1, .start_usec = START_USEC, .latency_usec = LATENCY_USEC, .verify = VERIFY_ONE_IN };
        const MachineHooks hooks = { .userdata = m, .put = on_put, .commit = on_commit, .say = on_say };
        _cleanup_(freep) char *cloud = NULL;
        int r;

        r = sim_new(1, &m->sim);
        if (r >= 0)
                r = machine_new(&options, &hooks, m->sim, &m->machine);
        if (r >= 0)
                r = store_open(m->dir, &m->store, NULL);
        if (r < 0)
                return r;

        cloud = fleet_text(m, write_instance, "instances:\n  taurusdb:\n", 0, 1);
        if (!cloud)
                return -ENOMEM;
        r = change(m, account_text);
        if (r >= 0)
                r = change(m, cloud);
        if (r >= 0)
                r = machine_boot(m->machine);
        if (r >= 0)
                r = configure(m);
        return r;
}

static int live(Month *m, size_t days) {
        usec_t began = machine_boottime(m->machine);
        int r = 0;

        for (size_t day = 0; day < days && r >= 0; day++) {
                _cleanup_(freep) char *drift = fleet_text(m, write_drift, "instances:\n  taurusdb:\n", day % DRIFT_ONE_IN, DRIFT_ONE_IN);

                if (!drift)
                        return -ENOMEM;
                r = machine_run(m->machine, began + day * USEC_PER_DAY + USEC_PER_DAY / 2);
                if (r >= 0)
                        r = change(m, drift);
                if (r >= 0)
                        r = machine_run(m->machine, began + (day + 1) * USEC_PER_DAY);
        }
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_(month_done) Month m = { .n_instances = 1000 };
        MachineCounts counts;
        size_t days = 30;
        int r;

        if (argc < 2 || argc > 4) {
                (void) fputs("month FOLDER [INSTANCES [DAYS]]\n", stderr);
                return 2;
        }
        m.dir = argv[1];
        if (argc > 2)
                m.n_instances = strtoul(argv[2], NULL, 10);
        if (argc > 3)
                days = strtoul(argv[3], NULL, 10);
        if (m.n_instances < DRIFT_ONE_IN || m.n_instances > INSTANCES_MAX || days == 0) {
                (void) fprintf(stderr, "month: expected %d to %d instances and at least a day\n", DRIFT_ONE_IN, INSTANCES_MAX);
                return 2;
        }

        r = begin(&m);
        if (r >= 0)
                r = live(&m, days);
        if (r < 0) {
                (void) fprintf(stderr, "month: %s\n", strerror(-r));
                return 1;
        }

        machine_counts(m.machine, &counts);
        m.store = store_free(m.store);  /* the log is written back when the last one closes */
        (void) printf("{\"instances\": %zu, \"days\": %zu, \"calls\": %" PRIu64 ", \"records\": %" PRIu64 ", \"evidence\": %" PRIu64
                      ", \"commits\": %" PRIu64 ", \"events\": %" PRIu64 ", \"log_peak_bytes\": %" PRIu64 ", \"database_bytes\": %" PRIu64 "}\n",
                      m.n_instances, days, counts.n_asked, m.n_puts, m.n_evidence, m.n_commits, m.n_events, m.log_peak_bytes,
                      file_bytes(&m, "holdfast.db"));
        return 0;
}
