/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the administrator wrote down, checked and completed with defaults. Never edited while in force: a reload
 * builds a new set and swaps it.
 */

#include "base/diag.h"
#include "base/timezone.h"
#include "facts/facts.h"

typedef enum Mode { MODE_ENFORCE, MODE_OBSERVE, MODE__MAX } Mode;

typedef enum Language { LANGUAGE_EN_US, LANGUAGE_ZH_CN, LANGUAGE__MAX } Language;

typedef enum CredentialsSource {
        CREDENTIALS_AUTO,
        CREDENTIALS_SYSTEMD,
        CREDENTIALS_FILES,
        CREDENTIALS_ENVIRONMENT,
        CREDENTIALS_PROFILE,
        CREDENTIALS_METADATA,
        CREDENTIALS_PASSWORD,
        CREDENTIALS_SOURCE__MAX,
} CredentialsSource;

typedef enum Extension {
        EXTENSION_AUTO,
        EXTENSION_FROM_START,
        EXTENSION_FROM_NOW,
        EXTENSION_ADDED,
        EXTENSION__MAX,
} Extension;

const char *mode_to_string(Mode m);
const char *language_to_string(Language l);
const char *credentials_source_to_string(CredentialsSource s);
const char *extension_to_string(Extension e);

typedef struct EncryptionPolicy {
        usec_t poll_usec;
        bool expect_on;
        const char *kms_key_id; /* NULL: report only */
} EncryptionPolicy;

typedef struct SchedulePolicy {
        usec_t poll_usec;
        bool on;
        Cycle cycle;
        CivilTime trigger_time;
        const Timezone *timezone;
        const char *bucket_name;
        const char *bucket_root_path;   /* "" when left out */
        usec_t reapply_usec;    /* USEC_INFINITY: never */
        usec_t max_backup_age_usec;     /* USEC_INFINITY: not asked for */
} SchedulePolicy;

typedef struct LockPolicy {
        usec_t poll_usec;
        int64_t retention_days;
        usec_t renew_before_usec;
        int64_t max_retention_days;
        Extension extension;
        usec_t settle_usec;
        usec_t require_manual_backup_usec;      /* USEC_INFINITY: not asked for */
} LockPolicy;

typedef struct DownloadPolicy {
        usec_t poll_usec;
        bool latest;
        const char *const *backup_ids;  /* without latest */
        size_t n_backup_ids;
        usec_t reauthorize_usec;        /* USEC_INFINITY: never */
} DownloadPolicy;

/* What is wanted, and where: the same for whole fleets. */
typedef struct Terms {
        const char *region, *project_id, *domain_id;    /* completed from holdfast.yaml; NULL: written nowhere */
        const EncryptionPolicy *encryption;     /* each NULL where the document does not have it */
        const SchedulePolicy *schedule;
        const LockPolicy *lock;
        const DownloadPolicy *download;
        Mode mode;                      /* MODE__MAX: not written; see instance_mode() */
        unsigned unused;                /* where the compiler would leave a gap: equal terms are equal bytes */
} Terms;

/* One document of instances.d. There may be a hundred thousand: what many have in common they point to together. */
typedef struct Instance {
        const char *name;
        const char *instance_id;
        const Terms *terms;
        const char *file;               /* name without folder */
        unsigned line;
        Service service;
} Instance;

usec_t instance_poll_usec(const Instance *i, Control c);
bool instance_has(const Instance *i, Control c);

typedef struct Settings {
        char *region, *project_id, *domain_id;  /* NULL: not written */
        Language language;
        Mode mode;
        struct {
                CredentialsSource source;
                char *directory;        /* files */
                char *user_name, *domain_name;  /* password */
        } credentials;
        char *endpoints[SERVICE__MAX];  /* origin without a trailing slash, or NULL: the built-in table */
        struct {
                char *ca_file, *proxy;  /* NULL: the system's; none */
                usec_t connect_timeout_usec, timeout_usec;
                unsigned max_connections;
                unsigned rate_per_sec;  /* per endpoint; the burst has the same size */
        } http;
        struct {
                int64_t max_retention_days;
                unsigned new_locks_per_day;
        } limits;
        struct {                        /* what an instance may leave out */
                EncryptionPolicy encryption;
                SchedulePolicy schedule;
                LockPolicy lock;
                DownloadPolicy download;
        } defaults;
        bool assumed;           /* built-in ones in place of a file that cannot be used: nothing is held against them */
} Settings;

/* As its document says, else as holdfast.yaml says now: that one counts for a document too that could not be read anew. */
Mode instance_mode(const Instance *i, const Settings *settings);

Settings *settings_free(Settings *s);
DEFINE_CLEANUP(Settings *, settings_free)

/* All policies in force, sorted by name. What an unchanged file gave is the same Instance in the set before and the one after a reload. */
typedef struct PolicySet {
        const Instance **instances;
        size_t n_instances;
        struct PolicyFiles *files;      /* what each file gave, for the next load; private to set.c. NULL: the instances are another's */
} PolicySet;

PolicySet *policy_set_free(PolicySet *s);
DEFINE_CLEANUP(PolicySet *, policy_set_free)
