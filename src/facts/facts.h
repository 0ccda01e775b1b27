/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The vocabulary that the rooms share: which services and controls there are, what can be asked of the cloud, what it can
 * answer, and how it can fail. Plain data; the only code here turns names into text and back, and frees.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time-util.h"

typedef enum Service {
        SERVICE_TAURUSDB,
        SERVICE_DBSS,
        SERVICE_GAUSSDB,
        SERVICE_IAM,
        SERVICE_METADATA,
        SERVICE__MAX,
} Service;

typedef enum Control {
        CONTROL_ENCRYPTION,
        CONTROL_SCHEDULE,
        CONTROL_LOCK,
        CONTROL_DOWNLOAD,
        CONTROL__MAX,
} Control;

typedef enum Verdict {
        VERDICT_UNKNOWN,        /* never acted on, never shown as compliant */
        VERDICT_COMPLIANT,
        VERDICT_VIOLATED,
        VERDICT__MAX,
} Verdict;

/* DBSS, Enabling/Disabling Backup (2025-09): cycle. */
typedef enum Cycle {
        CYCLE_FIVE_MIN,
        CYCLE_PER_HOUR,
        CYCLE_PER_DAY,
        CYCLE_PER_WEEK,
        CYCLE_PER_MONTH,
        CYCLE__MAX,
} Cycle;

/* From where an extension's period counts; the documentation does not say. A set is an OR of 1 << reading. */
typedef enum Reading {
        READING_FROM_START,     /* end = start of the lock + days */
        READING_FROM_NOW,       /* end = moment of the call + days */
        READING_ADDED,          /* end = end so far + days */
        READING__MAX,
} Reading;

#define READINGS_ALL 0x7u

typedef enum LockAction {
        LOCK_ENABLE,
        LOCK_EXTEND,
        LOCK_ACTION__MAX,
} LockAction;

/* Texts as files, journal and API write them ("taurusdb", "lock", "PER_DAY", "from-start", "extend"). */
const char *service_to_string(Service s);
int service_from_string(const char *s);         /* or -EINVAL; IAM and metadata too */
const char *control_to_string(Control c);
const char *verdict_to_string(Verdict v);
int verdict_from_string(const char *s);         /* or -EINVAL */
const char *cycle_to_string(Cycle c);
int cycle_from_string(const char *s);           /* any case; or -EINVAL */
const char *reading_to_string(Reading r);
const char *lock_action_to_string(LockAction a);
Service control_service(Control c);             /* the one service that has it */

/* --- What can be asked ------------------------------------------------------------------------------------------ */

typedef enum Call {
        CALL_ENCRYPTION_GET,    /* GET  /v3/{project}/instances/{instance}/backups/encryption */
        CALL_ENCRYPTION_SET,    /* POST ..., always "on": holdfast never lowers protection */
        CALL_LOCK_GET,          /* GET  /v3/{project}/instances/{instance}/backups/vault-lock */
        CALL_LOCK_SET,          /* PUT  ... */
        CALL_TAURUSDB_BACKUPS,  /* GET  /v3/{project}/backups?instance_id=&backup_type=manual */
        CALL_SCHEDULE_GET,      /* GET  /v1/{project}/audit/{instance}/backup/template */
        CALL_SCHEDULE_SET,      /* POST /v1/{domain}/audit/{instance}/backup/switch */
        CALL_GAUSSDB_BACKUPS,   /* GET  /v3.2/{project}/backups?instance_id= (or v3.1, v3) */
        CALL_DOWNLOAD_AUTHORIZE,/* POST /v3/{project}/backups/{backup}/download/authorization */
        CALL_PROJECTS,          /* GET  /v3/projects?name={region} on IAM */
        CALL_TOKEN,             /* POST /v3/auth/tokens?nocatalog=true on IAM */
        CALL_METADATA_TOKEN,    /* PUT  /meta-data/latest/api/token */
        CALL_METADATA_KEY,      /* GET  /openstack/latest/securitykey */
        CALL__MAX,
} Call;

const char *call_to_string(Call c);             /* "lock-get" */
bool call_is_write(Call c);                     /* changes something in the customer's account */
Service call_service(Call c);

#define BACKUP_ID_MAX 65        /* bytes with the NUL */
#define BACKUP_PAGE_LIMIT 100   /* TaurusDB and GaussDB, list of backups: limit 1 to 100 */

/* Texts in here are borrowed from the policy or from the control's state: valid until the answer has come. */
typedef struct Ask {
        Call call;
        union {
                struct {
                        const char *kms_key_id;
                } encryption_set;
                struct {
                        LockAction action;
                        int64_t days;           /* 1 to 36500 */
                } lock_set;
                struct {
                        bool on;
                        Cycle cycle;
                        const char *bucket_name, *bucket_root_path;
                        char trigger_time[TIME_TEXT_MAX];       /* "yyyy-MM-dd HH:mm:ss" */
                } schedule_set;
                struct {
                        int64_t offset;         /* limit is BACKUP_PAGE_LIMIT */
                } backups;
                struct {
                        char backup_id[BACKUP_ID_MAX];
                } authorize;
        };
} Ask;

/* --- What can be answered --------------------------------------------------------------------------------------- */

typedef enum LockPresence {
        LOCK_NONE,              /* lock_policy is false, or the object is missing, null or all empty: no lock in force */
        LOCK_HELD,              /* lock_policy is true; whether it still runs, the end says */
} LockPresence;

typedef enum LockUnit {
        LOCK_UNIT_UNKNOWN,
        LOCK_UNIT_SECONDS,
        LOCK_UNIT_MILLISECONDS,
} LockUnit;

typedef struct LockFacts {
        LockPresence presence;
        bool explicit_none;     /* NONE was said by lock_policy: false, not concluded from what is missing */
        int64_t retention_days; /* as answered; 0 with NONE */
        usec_t start_usec;      /* 0: not given */
        usec_t end_usec;        /* 0 with NONE */
        usec_t ended_usec;      /* NONE: when the last one ended; 0: not given */
        int64_t raw_start, raw_end;
        LockUnit unit;
} LockFacts;

typedef struct ScheduleFacts {
        bool configured;        /* false: an empty template, backup was never set up */
        bool on;
        int cycle;              /* Cycle, or -1 when not given */
        char *bucket_name, *bucket_root_path;           /* NULL: not given */
        bool has_trigger, has_latest;
        CivilTime trigger, latest;
        bool latest_has_zone;
        usec_t latest_at_usec;  /* only with latest_has_zone */
        char trigger_text[TIME_TEXT_MAX];       /* as answered, cut to size */
} ScheduleFacts;

typedef enum BackupStatus {
        BACKUP_COMPLETED,       /* COMPLETED, AVAILABLE */
        BACKUP_BUILDING,
        BACKUP_FAILED,
        BACKUP_DELETING,
        BACKUP_OTHER,           /* a status that is not documented: neither good nor bad */
        BACKUP_STATUS__MAX,
} BackupStatus;

typedef struct BackupFacts {
        char id[BACKUP_ID_MAX];
        BackupStatus status;
        bool manual;            /* type "manual" */
        bool of_instance;       /* instance_id matches the one asked for, or was not given */
        usec_t begin_usec, end_usec;    /* 0: not given (a running backup) */
} BackupFacts;

typedef struct BackupPage {
        BackupFacts *items;
        size_t n_items;         /* at most BACKUP_PAGE_MAX */
        int64_t total;          /* total_count; -1 when not given */
} BackupPage;

#define BACKUP_PAGE_MAX 1000    /* entries of one answer; ten times what was asked for */

typedef struct GrantFacts {
        char *bucket;
        char **file_paths;
        size_t n_file_paths;    /* as many as a reply holds: a grant that was made is not to be refused for what it opened */
} GrantFacts;

#define REQUEST_ID_MAX 128      /* bytes with the NUL; longer ones are cut */

typedef struct Answer {
        Call call;
        usec_t date_usec;       /* the Date of the reply; 0: none */
        char request_id[REQUEST_ID_MAX];
        union {
                bool encryption_on;     /* ENCRYPTION_GET, ENCRYPTION_SET */
                LockFacts lock;         /* LOCK_GET */
                bool lock_accepted;     /* LOCK_SET: 200 and "success"; any other 200 gives false: read back */
                ScheduleFacts schedule; /* SCHEDULE_GET */
                bool schedule_accepted; /* SCHEDULE_SET */
                BackupPage backups;     /* TAURUSDB_BACKUPS, GAUSSDB_BACKUPS */
                GrantFacts grant;       /* DOWNLOAD_AUTHORIZE */
        };
} Answer;

void answer_done(Answer *a);

/* --- How it can fail -------------------------------------------------------------------------------------------- */

typedef enum FailureClass {
        FAILURE_TRANSPORT,      /* no reply: see maybe_done */
        FAILURE_THROTTLED,      /* 429 */
        FAILURE_BUSY,           /* 409, or a state of the instance that passes */
        FAILURE_NOT_PERMITTED,  /* 403 */
        FAILURE_NOT_OFFERED,    /* the API does not exist here (gateway 0101) */
        FAILURE_NOT_FOUND,      /* the instance or backup does not exist */
        FAILURE_CREDENTIALS,    /* 401 and its kin: key, signature or token refused */
        FAILURE_BAD_REQUEST,    /* other 4xx: refused for good */
        FAILURE_SERVER,         /* 5xx, 408 */
        FAILURE_UNREADABLE,     /* a reply that makes no sense: the message names the field */
        FAILURE_WITHHELD,       /* never sent, by our own rules (no credentials, locked-out key, no project); see message */
        FAILURE_CLASS__MAX,
} FailureClass;

const char *failure_class_to_string(FailureClass c);    /* "not-permitted" */

typedef struct Failure {
        FailureClass class;
        int http_status;        /* 0: none */
        char code[64];          /* the cloud's error code, "APIGW.0301"; empty: none */
        char message[1024];     /* for people: the cloud's words, control characters replaced, cut */
        char request_id[REQUEST_ID_MAX];
        usec_t retry_after_usec;        /* a duration; 0: not given */
        usec_t date_usec;       /* Date of the reply; 0: none */
        bool maybe_done;        /* a write that may have been carried out: read before anything else */
        bool token_expired;     /* CREDENTIALS: renewing the token is worth one try */
        bool locked_out;        /* CREDENTIALS: the cloud says that the key is locked */
        bool of_iam;            /* WITHHELD: IAM gave no token or project for it, and is asked again; status and code are IAM's */
} Failure;
