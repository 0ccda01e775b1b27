/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/route.h"

#include <strings.h>

#include "sim/exchange.h"
#include "sim/services.h"

/*
 * Actions: "IAM permissions" of each API reference. DBSS and the download authorization publish none; those
 * names are made up in the manner of the others, so that a refusal names something.
 */
/* clang-format off: a table reads by its columns */
static const SimRoute routes[] = {
        { "encryption-get", "GET", "/v3/{project}/instances/{instance}/backups/encryption", SIM_TAURUSDB,
          "gaussdbformysql:backup:encrypt", "gaussdb:backup:encrypt", .handler = sim_taurusdb_encryption_get },
        { "encryption-set", "POST", "/v3/{project}/instances/{instance}/backups/encryption", SIM_TAURUSDB,
          "gaussdbformysql:backup:encrypt", "gaussdb:backup:encrypt", .write = true,
          .handler = sim_taurusdb_encryption_set },
        { "lock-get", "GET", "/v3/{project}/instances/{instance}/backups/vault-lock", SIM_TAURUSDB,
          "gaussdbformysql:backup:listVaultLock", "gaussdb:backup:listVaultLock", .handler = sim_taurusdb_lock_get },
        { "lock-set", "PUT", "/v3/{project}/instances/{instance}/backups/vault-lock", SIM_TAURUSDB,
          "gaussdbformysql:backup:modifyVaultLock", "gaussdb:backup:modifyVaultLock", .write = true,
          .handler = sim_taurusdb_lock_set },
        { "taurusdb-backups", "GET", "/v3/{project}/backups", SIM_TAURUSDB, "gaussdbformysql:backup:list",
          "gaussdb:backup:list", .handler = sim_taurusdb_backups },
        { "taurusdb-instance-backups", "GET", "/v3/{project}/instances/{instance}/backups", SIM_TAURUSDB,
          "gaussdbformysql:instance:listBackup", "gaussdb:backup:list", .handler = sim_taurusdb_instance_backups },
        { "taurusdb-policy", "GET", "/v3/{project}/instances/{instance}/backups/policy", SIM_TAURUSDB,
          "gaussdbformysql:backup:listPolicy", "gaussdb:instance:list", .handler = sim_taurusdb_policy },
        { "taurusdb-instances", "GET", "/v3/{project}/instances", SIM_TAURUSDB, "gaussdbformysql:instance:list",
          "gaussdb:instance:list", .handler = sim_taurusdb_instances },

        { "schedule-set", "POST", "/v1/{domain}/audit/{instance}/backup/switch", SIM_DBSS, "dbss:auditBackup:switch",
          NULL, .write = true, .handler = sim_dbss_switch },
        { "schedule-get", "GET", "/v1/{project}/audit/{instance}/backup/template", SIM_DBSS, "dbss:auditBackup:get",
          NULL, .handler = sim_dbss_template },
        { "dbss-status", "GET", "/v1/{project}/audit/{instance}/backup/status", SIM_DBSS, "dbss:auditBackup:get",
          NULL, .handler = sim_dbss_status },
        { "dbss-backups", "POST", "/v2/{project}/audit/{instance}/backups", SIM_DBSS, "dbss:auditBackup:list", NULL,
          .handler = sim_dbss_backups },
        { "dbss-instances", "GET", "/v2/{project}/audit/instances", SIM_DBSS, "dbss:auditInstance:list", NULL,
          .handler = sim_dbss_instances },
        { "dbss-buckets", "GET", "/v2/{project}/audit/backup/obs-buckets", SIM_DBSS, "dbss:auditBackup:list", NULL,
          .handler = sim_dbss_buckets },

        { "gaussdb-backups", "GET", "/v3.2/{project}/backups", SIM_GAUSSDB, "gaussdb:backup:listAll",
          "gaussdb:backup:list", .handler = sim_gaussdb_backups },
        { "gaussdb-backups", "GET", "/v3.1/{project}/backups", SIM_GAUSSDB, "gaussdb:backup:listAll",
          "gaussdb:backup:list", .handler = sim_gaussdb_backups },
        { "gaussdb-backups", "GET", "/v3/{project}/backups", SIM_GAUSSDB, "gaussdb:backup:listAll",
          "gaussdb:backup:list", .handler = sim_gaussdb_backups },
        { "download-authorize", "POST", "/v3/{project}/backups/{backup}/download/authorization", SIM_GAUSSDB,
          "gaussdb:backup:authorizeDownload", NULL, .write = true, .handler = sim_gaussdb_authorize },

        { "token", "POST", "/v3/auth/tokens", SIM_IAM, NULL, NULL, .public = true, .handler = sim_iam_token },
        { "projects", "GET", "/v3/projects", SIM_IAM, "iam:projects:list", "iam:projects:listProjects",
          .handler = sim_iam_projects },
        { "auth-projects", "GET", "/v3/auth/projects", SIM_IAM, NULL, NULL, .handler = sim_iam_projects },
        { "auth-domains", "GET", "/v3/auth/domains", SIM_IAM, NULL, NULL, .handler = sim_iam_domains },
        { "security-token", "POST", "/v3.0/OS-CREDENTIAL/securitytokens", SIM_IAM, NULL, NULL,
          .handler = sim_iam_security_token },
        { "caller-identity", "GET", "/v5/caller-identity", SIM_IAM, NULL, NULL, .handler = sim_iam_caller_identity },

        { "metadata-token", "PUT", "/meta-data/latest/api/token", SIM_METADATA, NULL, NULL, .public = true,
          .handler = sim_metadata_token },
        { "metadata-key", "GET", "/openstack/latest/securitykey", SIM_METADATA, NULL, NULL, .public = true,
          .handler = sim_metadata_key },
};
/* clang-format on */

_Static_assert(N_ELEMENTS(routes) <= SIM_CALLS_MAX, "a counter for each route");

size_t sim_route_index(const SimRoute *r) {
        return (size_t) (r - routes);
}

const SimRoute *sim_route_at(size_t i) {
        return i < N_ELEMENTS(routes) ? &routes[i] : NULL;
}

static char *id_of(SimRouteIds *ids, const char *name, size_t n) {
        if (strncmp(name, "{project}", n) == 0)
                return ids->project;
        if (strncmp(name, "{domain}", n) == 0)
                return ids->domain;
        return strncmp(name, "{backup}", n) == 0 ? ids->backup : ids->instance;
}

/* Part by part; an id is any part that is not empty. */
static bool match(const char *pattern, const char *path, SimRouteIds *ids) {
        while (*pattern == '/' && *path == '/') {
                size_t n_pattern, n_path;

                pattern++;
                path++;
                n_pattern = (size_t) (strchrnul(pattern, '/') - pattern);
                n_path = (size_t) (strchrnul(path, '/') - path);
                if (*pattern == '{') {
                        char *id = id_of(ids, pattern, n_pattern);
                        size_t n = MIN(n_path, (size_t) SIM_ID_MAX);

                        if (n_path == 0)
                                return false;
                        memcpy(id, path, n);
                        id[n] = '\0';
                } else if (n_pattern != n_path || memcmp(pattern, path, n_path) != 0) {
                        return false;
                }
                pattern += n_pattern;
                path += n_path;
        }
        return *pattern == '\0' && *path == '\0';
}

/* The service that the first label of Host names, in the manner of the real hosts; -1: none in particular. */
static int service_of_host(const SimRequest *q) {
        static const struct {
                const char *label;
                SimService service;
        } labels[] = {
                { "taurusdb", SIM_TAURUSDB },
                { "gaussdbformysql", SIM_TAURUSDB },
                { "gaussdb-mysql", SIM_TAURUSDB },
                { "gaussdb", SIM_GAUSSDB },
                { "gaussdb-opengauss", SIM_GAUSSDB },
                { "dbss", SIM_DBSS },
                { "iam", SIM_IAM },
                { "sts", SIM_IAM },
        };
        const char *host = "";
        size_t n;

        for (size_t i = 0; i < q->n_headers; i++)
                if (strcasecmp(q->headers[i].name, "Host") == 0)
                        host = q->headers[i].value;
        n = strcspn(host, ".");
        /*
         * Real hosts such as gaussdb.cn-north-4.… are of either product: only .localhost names are taken by
         * their word.
         */
        if (strncasecmp(host + n, ".localhost", strlen(".localhost")) != 0)
                return -1;
        for (size_t i = 0; i < N_ELEMENTS(labels); i++)
                if (strlen(labels[i].label) == n && strncasecmp(labels[i].label, host, n) == 0)
                        return labels[i].service;
        return -1;
}

/* Whose path is it, where two services share one? By the instance in the path or in the query. */
static SimService owner(const Sim *s, const SimRequest *q, const SimRouteIds *ids) {
        Exchange x = { .request = q };
        char id[SIM_ID_MAX] = "";
        const SimInstance *i;
        size_t n;

        if (ids->instance[0] != '\0')
                sim_copy_id(id, sizeof(id), ids->instance);
        else
                (void) sim_exchange_query(&x, "instance_id", id,
                                          sizeof(id)); /* unreadable: the service will say so */

        i = sim_instance_find(s, id);
        if (i)
                return i->service;
        n = strlen(id);
        return n > 4 && streq(id + n - 4, "in14") ? SIM_GAUSSDB : SIM_TAURUSDB;
}

static bool offered(const Sim *s, const SimRoute *r) {
        const SimSettings *settings = &s->settings;

        if (streq(r->call, "encryption-get") || streq(r->call, "encryption-set"))
                return settings->api.encryption;
        if (streq(r->call, "lock-get") || streq(r->call, "lock-set"))
                return settings->api.vault_lock;
        if (streq(r->call, "taurusdb-backups"))
                return settings->api.taurusdb_backups;
        if (streq(r->call, "download-authorize"))
                return settings->api.download;
        if (streq(r->call, "schedule-set"))
                return settings->api.dbss_switch;
        if (streq(r->call, "schedule-get"))
                return settings->api.dbss_template;
        if (streq(r->call, "gaussdb-backups"))
                return settings->api.gaussdb_backups & (strncmp(r->pattern, "/v3.2/", 6) == 0   ? 1u
                                                        : strncmp(r->pattern, "/v3.1/", 6) == 0 ? 2u
                                                                                                : 4u);
        return true;
}

const SimRoute *sim_route_find(const Sim *s, const SimRequest *q, SimRouteIds *ret_ids) {
        int host = service_of_host(q);
        const SimRoute *found = NULL;
        SimRouteIds found_ids;

        for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
                const SimRoute *r = &routes[i];
                SimRouteIds ids;

                if ((r->service == SIM_METADATA) != (q->listener == SIM_LISTENER_METADATA))
                        continue;
                if (host >= 0 && host != (int) r->service && r->service != SIM_METADATA)
                        continue;
                if (!streq(r->method, q->method))
                        continue;
                ids.project[0] = ids.domain[0] = ids.instance[0] = ids.backup[0] = '\0';
                if (!match(r->pattern, q->path, &ids))
                        continue;
                if (found && owner(s, q, &ids) != r->service)
                        continue;
                found = r;
                found_ids = ids;
        }
        if (!found || !offered(s, found))
                return NULL;
        *ret_ids = found_ids;
        return found;
}
