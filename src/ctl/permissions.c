/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/permissions.h"

#include "base/macro.h"

/*
 * Sources, as read in 2026: TaurusDB API Reference, section Authorization Information of the page of each call; Organizations User Guide,
 * the actions of TaurusDB and of GaussDB; Database Security Service, permissions. What no page confirms, the note says.
 */
static const Permission permissions[CALL__MAX] = {
        [CALL_ENCRYPTION_GET] = {
                .actions = { { "gaussdb:backup:encrypt" }, { "gaussdbformysql:backup:encrypt" } },
                .note = "of access level Write, though it only reads: with it encryption can also be switched. The condition key "
                        "gaussdbformysql:BackupEncryptionSwitch of identity policies can restrict that",
                .source = "TaurusDB API Reference, Checking Whether Encrypted Backup Is Enabled",
        },
        [CALL_ENCRYPTION_SET] = {
                .actions = { { "gaussdb:backup:encrypt" }, { "gaussdbformysql:backup:encrypt" } },
                .source = "TaurusDB API Reference, Enabling or Disabling Encrypted Backup",
        },
        [CALL_LOCK_GET] = {
                .actions = { { "gaussdb:backup:listVaultLock" }, { "gaussdbformysql:backup:listVaultLock" } },
                .source = "TaurusDB API Reference, Querying the Backup Compliance Lock",
        },
        [CALL_LOCK_SET] = {
                .actions = { { "gaussdb:backup:modifyVaultLock" }, { "gaussdbformysql:backup:modifyVaultLock" } },
                .note = "of access level Permission_management: what it does cannot be undone",
                .source = "TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock",
        },
        [CALL_TAURUSDB_BACKUPS] = {
                .actions = { { "gaussdb:backup:list", "gaussdb:instance:list" }, { "gaussdbformysql:backup:list" } },
                .source = "TaurusDB API Reference, Backup Management",
        },
        [CALL_SCHEDULE_GET] = {
                .instead = "DBSS ReadOnlyAccess",
                .source = "Database Security Service, permissions",
        },
        [CALL_SCHEDULE_SET] = {
                .instead = "DBSS FullAccess",
                .source = "Database Security Service, permissions",
        },
        [CALL_GAUSSDB_BACKUPS] = {
                .actions = { { "gaussdb:backup:list" }, { "gaussdb:backup:listAll" } },
                .note = "that the action of the older system is gaussdb:backup:list here as well is likely, but no page says so",
                .source = "Organizations User Guide, actions of GaussDB",
        },
        [CALL_DOWNLOAD_AUTHORIZE] = {
                .instead = "GaussDB FullAccess",
                .note = "opens the data of backups, for a time that is not documented: best given to an identity of its own",
                .source = "Organizations User Guide, actions of GaussDB",
        },
        [CALL_PROJECTS] = {
                .actions = { { "iam:projects:listProjects" }, { "iam:projects:list" } },
                .note = "the names of its actions are likely, but no page says so; it is not needed where project_id and, for dbss, "
                        "domain_id are written in the settings or the policy",
                .source = "IAM API Reference, Project Management",
        },
};

const Permission *permission_of(Call c) {
        assert(c < CALL__MAX);
        return permissions[c].source ? &permissions[c] : NULL;
}
