/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/keys.h"

#include "policy/origin.h"
#include "policy/value.h"

const char *const key_words_mode[MODE__MAX] = {
        [MODE_ENFORCE] = "enforce",
        [MODE_OBSERVE] = "observe",
};

const char *const key_words_language[LANGUAGE__MAX] = {
        [LANGUAGE_EN_US] = "en-us",
        [LANGUAGE_ZH_CN] = "zh-cn",
};

const char *const key_words_credentials[CREDENTIALS_SOURCE__MAX] = {
        [CREDENTIALS_AUTO] = "auto",
        [CREDENTIALS_SYSTEMD] = "systemd",
        [CREDENTIALS_FILES] = "files",
        [CREDENTIALS_ENVIRONMENT] = "environment",
        [CREDENTIALS_PROFILE] = "profile",
        [CREDENTIALS_METADATA] = "metadata",
        [CREDENTIALS_PASSWORD] = "password",
};

const char *const key_words_extension[EXTENSION__MAX] = {
        [EXTENSION_AUTO] = "auto",
        [EXTENSION_FROM_START] = "from-start",
        [EXTENSION_FROM_NOW] = "from-now",
        [EXTENSION_ADDED] = "added",
};

/* Services that have instances: the first of the enum, a test holds the words to it. */
static const char *const words_service[] = {
        [SERVICE_TAURUSDB] = "taurusdb",
        [SERVICE_DBSS] = "dbss",
        [SERVICE_GAUSSDB] = "gaussdb",
};

/* DBSS API Reference, Enabling/Disabling Backup: cycle and mode. */
static const char *const words_cycle[CYCLE__MAX] = {
        [CYCLE_FIVE_MIN] = "FIVE_MIN",
        [CYCLE_PER_HOUR] = "PER_HOUR",
        [CYCLE_PER_DAY] = "PER_DAY",
        [CYCLE_PER_WEEK] = "PER_WEEK",
        [CYCLE_PER_MONTH] = "PER_MONTH",
};

static const char *const words_schedule_mode[] = { "AUTO" };

#define WORDS(table) .words = (table), .n_words = N_ELEMENTS(table)
#define SECTION(table) { .keys = (table), .n_keys = N_ELEMENTS(table) }

/* A hundred years: a longer wait is a mistake of unit, and all sums stay far inside usec_t. */
#define LONGEST "36500d"

#define POLL(of, value)                                 \
        {                                               \
                .key = "poll",                          \
                .type = KEY_DURATION,                   \
                .offset = offsetof(of, poll_usec),      \
                .shortest = "1s",                       \
                .longest = "30d",                       \
                .initial = (value),                     \
                .help = "how often to look",            \
        }

/* --- Controls --------------------------------------------------------------------------------------------------- */

static const KeyInfo encryption_keys[] = {
        {
                .key = "expect",
                .type = KEY_SWITCH,
                .offset = offsetof(EncryptionPolicy, expect_on),
                .initial = "on",
                .help = "whether encrypted backup should be on; holdfast never switches it off",
        },
        {
                .key = "kms_key_id",
                .type = KEY_TEXT,
                .offset = offsetof(EncryptionPolicy, kms_key_id),
                .check = value_is_kms_key_id,
                .form = "the id of a KMS key: 1 to 64 letters, digits and hyphens",
                .help = "the key to switch encryption on with; without it holdfast only reports",
        },
        POLL(EncryptionPolicy, "5m"),
};

static const KeyInfo schedule_keys[] = {
        {
                .key = "status",
                .type = KEY_SWITCH,
                .offset = offsetof(SchedulePolicy, on),
                .initial = "on",
                .help = "whether automatic backup should be on",
        },
        {
                .key = "mode",
                .type = KEY_WORD,
                .flags = KEY_ANY_CASE | KEY_UNSTORED,
                WORDS(words_schedule_mode),
                .initial = "AUTO",
                .help = "the only mode that the service has",
        },
        {
                .key = "cycle",
                .type = KEY_WORD,
                .flags = KEY_REQUIRED | KEY_ANY_CASE,
                .offset = offsetof(SchedulePolicy, cycle),
                WORDS(words_cycle),
                .help = "how often a backup is made",
        },
        {
                .key = "trigger_time",
                .type = KEY_TIME,
                .flags = KEY_REQUIRED,
                .offset = offsetof(SchedulePolicy, trigger_time),
                .help = "a time at which a backup is due, on clocks of the zone; rolled forward by whole cycles when "
                        "it has passed",
        },
        {
                .key = "timezone",
                .type = KEY_ZONE,
                .flags = KEY_REQUIRED,
                .offset = offsetof(SchedulePolicy, timezone),
                .help = "the zone of the audit instance",
        },
        {
                .key = "bucket_name",
                .type = KEY_TEXT,
                .flags = KEY_REQUIRED,
                .offset = offsetof(SchedulePolicy, bucket_name),
                .check = value_is_bucket_name,
                .form = "the name of an OBS bucket: 3 to 63 lower-case letters, digits, hyphens and dots, no IP "
                        "address",
                .help = "where the backups go",
        },
        {
                .key = "bucket_root_path",
                .type = KEY_TEXT,
                .offset = offsetof(SchedulePolicy, bucket_root_path),
                .check = value_is_bucket_path,
                .form = "a path in the bucket: up to 1024 bytes without control characters",
                .initial = "",
                .help = "where in the bucket; empty: at its top",
        },
        POLL(SchedulePolicy, "15m"),
        {
                .key = "reapply",
                .type = KEY_DURATION,
                .flags = KEY_NEVER,
                .offset = offsetof(SchedulePolicy, reapply_usec),
                .shortest = "1s",
                .longest = LONGEST,
                .initial = "24h",
                .help = "how often to write the schedule even when no drift is seen; never: only on drift",
        },
        {
                .key = "max_backup_age",
                .type = KEY_DURATION,
                .flags = KEY_NEVER,
                .offset = offsetof(SchedulePolicy, max_backup_age_usec),
                .shortest = "1s",
                .longest = LONGEST,
                .initial = "never",
                .help = "report when the latest backup is older, even when the switch is on; never: do not",
        },
};

static const KeyInfo lock_keys[] = {
        {
                .key = "retention_days",
                .type = KEY_INTEGER,
                .flags = KEY_REQUIRED,
                .offset = offsetof(LockPolicy, retention_days),
                .min = 1,
                .max = 36500,   /* TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock */
                .unit = "days",
                .help = "what remains of the lock right after an extension",
        },
        {
                .key = "renew_before",
                .type = KEY_DURATION,
                .offset = offsetof(LockPolicy, renew_before_usec),
                .shortest = "3s",       /* three of the shortest polls */
                .longest = LONGEST,
                .initial = "7d",
                .help = "extend when less than this remains; shorter than retention_days, and at least three polls",
        },
        {
                .key = "max_retention_days",
                .type = KEY_INTEGER,
                .offset = offsetof(LockPolicy, max_retention_days),
                .min = 1,
                .max = 36500,
                .unit = "days",
                .help = "cap, counted from now: the lock never ends later; left out: retention_days + 1",
        },
        {
                .key = "extension",
                .type = KEY_WORD,
                .offset = offsetof(LockPolicy, extension),
                WORDS(key_words_extension),
                .initial = "auto",
                .help = "from where the period of an extension counts; auto: holdfast finds out within the cap",
        },
        {
                .key = "settle",
                .type = KEY_DURATION,
                .offset = offsetof(LockPolicy, settle_usec),
                .shortest = "0s",
                .longest = "30d",
                .initial = "1h",
                .help = "how long an accepted extension may take to show; 0s: an unchanged lock is believed at once",
        },
        {
                .key = "require_manual_backup",
                .type = KEY_DURATION,
                .flags = KEY_NEVER,
                .offset = offsetof(LockPolicy, require_manual_backup_usec),
                .shortest = "1s",
                .longest = LONGEST,
                .initial = "never",
                .help = "report when no completed manual full backup is younger than this; never: do not",
        },
        POLL(LockPolicy, "1h"),
};

static const KeyInfo download_keys[] = {
        {
                .key = "backups",
                .type = KEY_BACKUPS,
                .flags = KEY_REQUIRED,
                .help = "which backups to authorize: the latest completed one, or these",
        },
        {
                .key = "reauthorize",
                .type = KEY_DURATION,
                .flags = KEY_NEVER,
                .offset = offsetof(DownloadPolicy, reauthorize_usec),
                .shortest = "1s",
                .longest = LONGEST,
                .initial = "never",
                .help = "authorize the same backup again after this; never: each once",
        },
        POLL(DownloadPolicy, "12h"),
};

static const KeySection encryption_section = SECTION(encryption_keys);
static const KeySection schedule_section = SECTION(schedule_keys);
static const KeySection lock_section = SECTION(lock_keys);
static const KeySection download_section = SECTION(download_keys);

/* --- What holdfast.yaml and a policy share ---------------------------------------------------------------------- */

#define REGION(at, text)                                                                \
        {                                                                               \
                .key = "region",                                                        \
                .type = KEY_TEXT,                                                       \
                .offset = (at),                                         \
                .check = value_is_region,                                               \
                .form = "a region: lower-case letters, digits and hyphens, such as ap-southeast-1",     \
                .help = (text),                                                         \
        }

#define PROJECT_ID(at, text)                                                            \
        {                                                                               \
                .key = "project_id",                                                    \
                .type = KEY_TEXT,                                                       \
                .offset = (at),                                     \
                .check = value_is_project_id,                                           \
                .form = "the id of a project: 32 to 64 letters and digits",             \
                .help = (text),                                                         \
        }

#define DOMAIN_ID(at, text)                                                             \
        {                                                                               \
                .key = "domain_id",                                                     \
                .type = KEY_TEXT,                                                       \
                .offset = (at),                                      \
                .check = value_is_domain_id,                                            \
                .form = "the id of an account: 1 to 64 letters and digits",             \
                .help = (text),                                                         \
        }

/* --- instances.d ------------------------------------------------------------------------------------------------ */

#define CONTROL_KEY(name, NAME, struct_name, text)                              \
        {                                                                       \
                .key = #name,                                                   \
                .type = KEY_CONTROL,                                            \
                .offset = offsetof(Document, terms.name),                       \
                .section = &name##_section,                                     \
                .size = sizeof(struct_name),                                    \
                .defaults_offset = offsetof(Settings, defaults.name),           \
                .control = CONTROL_##NAME,                                      \
                .help = (text),                                                 \
        }

static const KeyInfo instance_keys[] = {
        {
                .key = "name",
                .type = KEY_TEXT,
                .flags = KEY_OWN,
                .offset = offsetof(Document, instance.name),
                .check = value_is_name,
                .form = "a name: 1 to 128 letters, digits, dots, hyphens and underscores",
                .help = "what messages call the policy, unique; left out in the first document of a file: the file's "
                        "name without .yaml",
        },
        {
                .key = "service",
                .type = KEY_WORD,
                .flags = KEY_REQUIRED,
                .offset = offsetof(Document, instance.service),
                WORDS(words_service),
                .help = "the service that the instance belongs to",
        },
        {
                .key = "instance_id",
                .type = KEY_TEXT,
                .flags = KEY_REQUIRED | KEY_OWN,
                .offset = offsetof(Document, instance.instance_id),
                .check = value_is_instance_id,
                .form = "the id of an instance: letters and digits as the service writes them, 64 at most",
                .help = "the instance, as the cloud's console shows it",
        },
        REGION(offsetof(Document, terms.region), "where the instance is; left out: as in holdfast.yaml"),
        PROJECT_ID(offsetof(Document, terms.project_id), "the project of the instance; left out: as in holdfast.yaml, else looked up by region"),
        DOMAIN_ID(offsetof(Document, terms.domain_id),
                  "the account of the instance, which dbss needs; left out: as in holdfast.yaml, else looked up"),
        {
                .key = "mode",
                .type = KEY_WORD,
                .offset = offsetof(Document, terms.mode),
                WORDS(key_words_mode),
                .help = "observe: look and report, change nothing; left out: as in holdfast.yaml",
        },
        CONTROL_KEY(encryption, ENCRYPTION, EncryptionPolicy, "encrypted backup (taurusdb)"),
        CONTROL_KEY(lock, LOCK, LockPolicy, "the compliance lock of the backups (taurusdb)"),
        CONTROL_KEY(schedule, SCHEDULE, SchedulePolicy, "automatic backup (dbss)"),
        CONTROL_KEY(download, DOWNLOAD, DownloadPolicy, "authorization of backups for download (gaussdb)"),
};

const KeySection keys_instance = SECTION(instance_keys);

/* --- holdfast.yaml ---------------------------------------------------------------------------------------------- */

static const KeyInfo credentials_keys[] = {
        {
                .key = "source",
                .type = KEY_WORD,
                .flags = KEY_PRIVATE,
                .offset = offsetof(Settings, credentials.source),
                WORDS(key_words_credentials),
                .initial = "auto",
                .help = "where the key comes from",
        },
        {
                .key = "directory",
                .type = KEY_TEXT,
                .flags = KEY_PRIVATE,
                .offset = offsetof(Settings, credentials.directory),
                .check = value_is_absolute_path,
                .form = "an absolute path",
                .help = "source files, and only there: the folder that holds access_key, secret_key and "
                        "security_token",
        },
        {
                .key = "user_name",
                .type = KEY_TEXT,
                .flags = KEY_PRIVATE,
                .offset = offsetof(Settings, credentials.user_name),
                .check = value_is_label,
                .form = "the name of an IAM user: 1 to 255 bytes without control characters",
                .help = "source password, and only there: the user",
        },
        {
                .key = "domain_name",
                .type = KEY_TEXT,
                .flags = KEY_PRIVATE,
                .offset = offsetof(Settings, credentials.domain_name),
                .check = value_is_label,
                .form = "the name of an account: 1 to 255 bytes without control characters",
                .help = "source password, and only there: the account that the user belongs to",
        },
};

#define ENDPOINT(name, NAME, use, expected, text)                               \
        {                                                                       \
                .key = #name,                                                   \
                .type = KEY_ORIGIN,                                             \
                .offset = offsetof(Settings, endpoints[SERVICE_##NAME]),        \
                .form = (expected),                                             \
                .max = (use),                                                   \
                .help = (text),                                                 \
        }
#define ENDPOINT_FORM "https://host or https://host:port, with nothing behind it (http only to loopback)"

static const KeyInfo endpoints_keys[] = {
        ENDPOINT(taurusdb, TAURUSDB, ORIGIN_SERVICE, ENDPOINT_FORM, "instead of the built-in address of TaurusDB"),
        ENDPOINT(dbss, DBSS, ORIGIN_SERVICE, ENDPOINT_FORM, "instead of the built-in address of DBSS"),
        ENDPOINT(gaussdb, GAUSSDB, ORIGIN_SERVICE, ENDPOINT_FORM, "instead of the built-in address of GaussDB"),
        ENDPOINT(iam, IAM, ORIGIN_SERVICE, ENDPOINT_FORM, "instead of the built-in address of IAM"),
        ENDPOINT(metadata, METADATA, ORIGIN_METADATA,
                 "https://host or https://host:port, with nothing behind it (http only to 169.254.169.254 or "
                 "loopback)",
                 "instead of http://169.254.169.254, the metadata service of the server"),
};

static const KeyInfo http_keys[] = {
        {
                .key = "ca_file",
                .type = KEY_TEXT,
                .offset = offsetof(Settings, http.ca_file),
                .check = value_is_absolute_path,
                .form = "an absolute path",
                .help = "certificates to trust, PEM; left out: the system's",
        },
        {
                .key = "proxy",
                .type = KEY_ORIGIN,
                .offset = offsetof(Settings, http.proxy),
                .max = ORIGIN_PROXY,
                .form = "http://host:port or https://host:port without a user and password",
                .help = "proxy for everything but the metadata service; left out: none, the environment is not asked",
        },
        {
                .key = "connect_timeout",
                .type = KEY_DURATION,
                .offset = offsetof(Settings, http.connect_timeout_usec),
                .shortest = "1s",
                .longest = "5m",        /* picked, not measured */
                .initial = "5s",
                .help = "how long connecting may take",
        },
        {
                .key = "timeout",
                .type = KEY_DURATION,
                .offset = offsetof(Settings, http.timeout_usec),
                .shortest = "1s",
                .longest = "1h",        /* picked, not measured */
                .initial = "30s",
                .help = "how long a whole request may take",
        },
        {
                .key = "max_connections",
                .type = KEY_COUNT,
                .offset = offsetof(Settings, http.max_connections),
                .min = 1,
                .max = 1024,
                .unit = "connections",
                .initial = "16",
                .help = "connections at a time, per endpoint",
        },
        {
                .key = "rate",
                .type = KEY_RATE,
                .offset = offsetof(Settings, http.rate_per_sec),
                .min = 1,
                .max = 1000000,
                .initial = "20/s",
                .help = "requests a second, per endpoint; a burst may be as large",
        },
};

static const KeyInfo limits_keys[] = {
        {
                .key = "max_retention_days",
                .type = KEY_INTEGER,
                .offset = offsetof(Settings, limits.max_retention_days),
                .min = 1,
                .max = 36500,
                .unit = "days",
                .initial = "3660",
                .help = "no policy may hold a lock longer than this",
        },
        {
                .key = "new_locks_per_day",
                .type = KEY_COUNT,
                .offset = offsetof(Settings, limits.new_locks_per_day),
                .min = 0,
                .max = 1000000,         /* picked, not measured: no limit in practice */
                .unit = "locks",
                .initial = "20",
                .help = "no more locks are enabled in 24 hours; 0: none",
        },
};

#define DEFAULTS_KEY(name, text)                                        \
        {                                                               \
                .key = #name,                                           \
                .type = KEY_SECTION,                                    \
                .flags = KEY_DEFAULTS,                                  \
                .offset = offsetof(Settings, defaults.name),            \
                .section = &name##_section,                             \
                .help = (text),                                         \
        }

static const KeyInfo defaults_keys[] = {
        DEFAULTS_KEY(encryption, "for policies with encryption"),
        DEFAULTS_KEY(schedule, "for policies with schedule"),
        DEFAULTS_KEY(lock, "for policies with lock"),
        DEFAULTS_KEY(download, "for policies with download"),
};

static const KeySection credentials_section = SECTION(credentials_keys);
static const KeySection endpoints_section = SECTION(endpoints_keys);
static const KeySection http_section = SECTION(http_keys);
static const KeySection limits_section = SECTION(limits_keys);
static const KeySection defaults_section = SECTION(defaults_keys);

static const KeyInfo settings_keys[] = {
        REGION(offsetof(Settings, region), "the region of every instance that names none"),
        PROJECT_ID(offsetof(Settings, project_id), "the project of every instance that names none; left out: looked up by region"),
        DOMAIN_ID(offsetof(Settings, domain_id), "the account of every instance that names none; dbss needs it; left out: looked up"),
        {
                .key = "language",
                .type = KEY_WORD,
                .offset = offsetof(Settings, language),
                WORDS(key_words_language),
                .initial = "en-us",
                .help = "in which the cloud writes its error messages",
        },
        {
                .key = "mode",
                .type = KEY_WORD,
                .offset = offsetof(Settings, mode),
                WORDS(key_words_mode),
                .initial = "enforce",
                .help = "observe: look and report, change nothing",
        },
        {
                .key = "credentials",
                .type = KEY_SECTION,
                .flags = KEY_PRIVATE,
                .section = &credentials_section,
                .help = "who holdfast is to the cloud",
        },
        {
                .key = "endpoints",
                .type = KEY_SECTION,
                .section = &endpoints_section,
                .help = "addresses, only where the built-in table of regions does not fit",
        },
        {
                .key = "http",
                .type = KEY_SECTION,
                .section = &http_section,
                .help = "how the cloud is reached",
        },
        {
                .key = "limits",
                .type = KEY_SECTION,
                .section = &limits_section,
                .help = "what no policy may exceed",
        },
        {
                .key = "defaults",
                .type = KEY_SECTION,
                .section = &defaults_section,
                .help = "what policies may leave out",
        },
};

const KeySection keys_settings = SECTION(settings_keys);
