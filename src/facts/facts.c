/* SPDX-License-Identifier: Apache-2.0 */
#include "facts/facts.h"

#include <errno.h>
#include <strings.h>

/* Index of @s in a table of names, any case or exact; -EINVAL if it is not there. */
static int name_index(const char *const *names, size_t n, const char *s, int (*compare)(const char *, const char *)) {
        for (size_t i = 0; i < n; i++)
                if (compare(names[i], s) == 0)
                        return (int) i;

        return -EINVAL;
}

static const char *const service_names[SERVICE__MAX] = {
        [SERVICE_TAURUSDB] = "taurusdb",
        [SERVICE_DBSS] = "dbss",
        [SERVICE_GAUSSDB] = "gaussdb",
        [SERVICE_IAM] = "iam",
        [SERVICE_METADATA] = "metadata",
};

const char *service_to_string(Service s) {
        assert(s < SERVICE__MAX);
        return service_names[s];
}

int service_from_string(const char *s) {
        assert(s);
        return name_index(service_names, SERVICE__MAX, s, strcmp);
}

const char *control_to_string(Control c) {
        static const char *const names[CONTROL__MAX] = {
                [CONTROL_ENCRYPTION] = "encryption",
                [CONTROL_SCHEDULE] = "schedule",
                [CONTROL_LOCK] = "lock",
                [CONTROL_DOWNLOAD] = "download",
        };

        assert(c < CONTROL__MAX);
        return names[c];
}

Service control_service(Control c) {
        static const Service services[CONTROL__MAX] = {
                [CONTROL_ENCRYPTION] = SERVICE_TAURUSDB,
                [CONTROL_SCHEDULE] = SERVICE_DBSS,
                [CONTROL_LOCK] = SERVICE_TAURUSDB,
                [CONTROL_DOWNLOAD] = SERVICE_GAUSSDB,
        };

        assert(c < CONTROL__MAX);
        return services[c];
}

static const char *const verdict_names[VERDICT__MAX] = {
        [VERDICT_UNKNOWN] = "unknown",
        [VERDICT_COMPLIANT] = "compliant",
        [VERDICT_VIOLATED] = "violated",
};

const char *verdict_to_string(Verdict v) {
        assert(v < VERDICT__MAX);
        return verdict_names[v];
}

int verdict_from_string(const char *s) {
        assert(s);
        return name_index(verdict_names, VERDICT__MAX, s, strcmp);
}

static const char *const cycle_names[CYCLE__MAX] = {
        [CYCLE_FIVE_MIN] = "FIVE_MIN",
        [CYCLE_PER_HOUR] = "PER_HOUR",
        [CYCLE_PER_DAY] = "PER_DAY",
        [CYCLE_PER_WEEK] = "PER_WEEK",
        [CYCLE_PER_MONTH] = "PER_MONTH",
};

const char *cycle_to_string(Cycle c) {
        assert(c < CYCLE__MAX);
        return cycle_names[c];
}

int cycle_from_string(const char *s) {
        assert(s);
        return name_index(cycle_names, CYCLE__MAX, s, strcasecmp);
}

const char *reading_to_string(Reading r) {
        static const char *const names[READING__MAX] = {
                [READING_FROM_START] = "from-start",
                [READING_FROM_NOW] = "from-now",
                [READING_ADDED] = "added",
        };

        assert(r < READING__MAX);
        return names[r];
}

const char *lock_action_to_string(LockAction a) {
        assert(a < LOCK_ACTION__MAX);
        return a == LOCK_ENABLE ? "enable" : "extend";
}

typedef struct CallInfo {
        const char *name;
        Service service;
        bool write;
} CallInfo;

static const CallInfo calls[CALL__MAX] = {
        [CALL_ENCRYPTION_GET] = { "encryption-get", SERVICE_TAURUSDB, false },
        [CALL_ENCRYPTION_SET] = { "encryption-set", SERVICE_TAURUSDB, true },
        [CALL_LOCK_GET] = { "lock-get", SERVICE_TAURUSDB, false },
        [CALL_LOCK_SET] = { "lock-set", SERVICE_TAURUSDB, true },
        [CALL_TAURUSDB_BACKUPS] = { "taurusdb-backups", SERVICE_TAURUSDB, false },
        [CALL_SCHEDULE_GET] = { "schedule-get", SERVICE_DBSS, false },
        [CALL_SCHEDULE_SET] = { "schedule-set", SERVICE_DBSS, true },
        [CALL_GAUSSDB_BACKUPS] = { "gaussdb-backups", SERVICE_GAUSSDB, false },
        [CALL_DOWNLOAD_AUTHORIZE] = { "download-authorize", SERVICE_GAUSSDB, true },
        [CALL_PROJECTS] = { "projects", SERVICE_IAM, false },
        [CALL_TOKEN] = { "token", SERVICE_IAM, false },
        [CALL_METADATA_TOKEN] = { "metadata-token", SERVICE_METADATA, false },
        [CALL_METADATA_KEY] = { "metadata-key", SERVICE_METADATA, false },
};

const char *call_to_string(Call c) {
        assert(c < CALL__MAX);
        return calls[c].name;
}

bool call_is_write(Call c) {
        assert(c < CALL__MAX);
        return calls[c].write;
}

Service call_service(Call c) {
        assert(c < CALL__MAX);
        return calls[c].service;
}

const char *failure_class_to_string(FailureClass c) {
        static const char *const names[FAILURE_CLASS__MAX] = {
                [FAILURE_TRANSPORT] = "transport",
                [FAILURE_THROTTLED] = "throttled",
                [FAILURE_BUSY] = "busy",
                [FAILURE_NOT_PERMITTED] = "not-permitted",
                [FAILURE_NOT_OFFERED] = "not-offered",
                [FAILURE_NOT_FOUND] = "not-found",
                [FAILURE_CREDENTIALS] = "credentials",
                [FAILURE_BAD_REQUEST] = "bad-request",
                [FAILURE_SERVER] = "server",
                [FAILURE_UNREADABLE] = "unreadable",
                [FAILURE_WITHHELD] = "withheld",
        };

        assert(c < FAILURE_CLASS__MAX);
        return names[c];
}

static void grant_facts_done(GrantFacts *g) {
        free(g->bucket);
        for (size_t i = 0; i < g->n_file_paths; i++)
                free(g->file_paths[i]);
        free(g->file_paths);
}

void answer_done(Answer *a) {
        if (!a)
                return;

        if (a->call == CALL_SCHEDULE_GET) {
                free(a->schedule.bucket_name);
                free(a->schedule.bucket_root_path);
        } else if (a->call == CALL_TAURUSDB_BACKUPS || a->call == CALL_GAUSSDB_BACKUPS)
                free(a->backups.items);
        else if (a->call == CALL_DOWNLOAD_AUTHORIZE)
                grant_facts_done(&a->grant);

        *a = (Answer) {};
}
