/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "sim/dbs.h"
#include "sim/services.h"

/* GaussDB (API Reference, Authorizing Users to Download Backups; Querying Backups). */

int sim_gaussdb_backups(Exchange *x) {
        return sim_dbs_list_backups(x, SIM_GAUSSDB);
}

static int refuse(Exchange *x, SimBackup *b, int status, const char *code, const char *message) {
        if (b)
                b->instance->n_refused++;
        return sim_exchange_error(x, ERROR_PLAIN, status, code, "%s", message);
}

static int check_backup(Exchange *x, SimBackup **ret) {
        const char *id = x->ids.backup;
        SimBackup *b;

        for (const char *p = id; *p; p++)
                if (!isalnum((unsigned char) *p))
                        return refuse(x, NULL, 400, "DBS.280001", "Parameter error: backup_id.");
        if (strlen(id) != 36)
                return refuse(x, NULL, 400, "DBS.280001", "Parameter error: backup_id.");

        b = sim_backup_find(x->sim, id);
        if (!b || b->instance->service != SIM_GAUSSDB ||
            !streq(sim_instance_project(x->sim, b->instance), x->ids.project))
                return refuse(x, NULL, 404, "DBS.201010", "The backup information does not exist.");
        x->instance = b->instance;
        if (b->instance->busy)
                return refuse(x, b, 409, "DBS.201202",
                              "Another operation is being performed on the instance or the instance is faulty.");
        if (!b->in_obs || b->begin_usec > x->now_usec || b->end_usec > x->now_usec ||
            (!streq(sim_backup_status_names[b->status], "COMPLETED") &&
             !streq(sim_backup_status_names[b->status], "AVAILABLE")))
                return refuse(x, b, 400, "DBS.201208", "The backup status does not allow this operation.");
        if (b->n_grants > 0 && x->sim->settings.gaussdb.repeat_grant == SIM_REFUSE)
                return refuse(x, b, 400, "DBS.200001", "The download of the backup has already been authorized.");
        *ret = b;
        return 1;
}

/* "<32 hex>_<instance>/Db/<13 digits>", relative to the bucket; the same every time. */
static void add_path(JsonBuild *b, json_object *list, const Exchange *x, const SimBackup *backup, int64_t i) {
        char path[256];

        (void) snprintf(path, sizeof(path), "%.32s_%s/Db/%013" PRIu64, x->ids.project, backup->instance->id,
                        (uint64_t) (backup->begin_usec / USEC_PER_MSEC) + (uint64_t) i);
        sim_json_build_push(b, list, json_object_new_string(path));
}

int sim_gaussdb_authorize(Exchange *x) {
        SimBackup *backup = NULL;
        json_object *o, *list;
        JsonBuild b = {};
        int r;

        r = sim_dbs_check_language(x);
        if (r > 0)
                r = sim_dbs_check_no_query(x);
        if (r > 0 && x->request->n_body > 0)
                r = sim_dbs_refuse(x, "DBS.280001", "Parameter error: there is no request body here.");
        if (r > 0)
                r = check_backup(x, &backup);
        if (r <= 0)
                return r;
        assert(backup);

        backup->n_grants++;
        backup->granted_at_usec = x->now_usec;
        x->instance->n_writes++;

        o = sim_json_build_object(&b);
        sim_json_build_text(&b, o, "bucket", x->sim->settings.gaussdb.bucket);
        list = sim_json_build_list(&b, o, "file_paths");
        for (int64_t i = 0; i < x->sim->settings.gaussdb.file_paths; i++)
                add_path(&b, list, x, backup, i);
        return sim_exchange_json(x, 200, &b, o);
}
