/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the simulated cloud behaves where the documentation leaves a choice, and how strict its gateway is. One
 * table of keys drives reading, defaults and showing; holdfast-sim(1) describes each.
 */

#include <json-c/json.h>

#include "base/time-util.h"
#include "sim/json.h"

typedef enum SimRatePolicy { SIM_RATE_USER, SIM_RATE_IP, SIM_RATE_API } SimRatePolicy;
typedef enum SimExpiredToken { SIM_EXPIRED_RENEW, SIM_EXPIRED_UNDECODABLE, SIM_EXPIRED_DBS } SimExpiredToken;
typedef enum SimReading { SIM_FROM_START, SIM_FROM_NOW, SIM_ADDED } SimReading;
typedef enum SimUnit { SIM_MILLISECONDS, SIM_SECONDS } SimUnit;
typedef enum SimShorten { SIM_SHORTEN_REFUSE, SIM_SHORTEN_IGNORE, SIM_SHORTEN_OBEY } SimShorten;
typedef enum SimDaysReported { SIM_DAYS_TOTAL, SIM_DAYS_LAST } SimDaysReported;
typedef enum SimOnEnabled { SIM_ON_ENABLED_REFUSE, SIM_ON_ENABLED_IGNORE, SIM_ON_ENABLED_EXTEND } SimOnEnabled;
typedef enum SimNever { SIM_NEVER_EXPLICIT, SIM_NEVER_ZEROS, SIM_NEVER_NULLS, SIM_NEVER_MISSING } SimNever;
typedef enum SimRound { SIM_ROUND_NONE, SIM_ROUND_DAY } SimRound;
typedef enum SimRefuse { SIM_REFUSE, SIM_ALLOW } SimRefuse;
typedef enum SimTimeFormat { SIM_TIME_BLANK, SIM_TIME_T, SIM_TIME_ZONE } SimTimeFormat;
typedef enum SimMetadata {
        SIM_METADATA_V2,
        SIM_METADATA_V2_ONLY,
        SIM_METADATA_V1,
        SIM_METADATA_NONE
} SimMetadataService;

typedef struct SimSettings {
        struct {
                char *domain_id, *domain_name;
        } account;
        struct {
                bool auth;
                int64_t clock_offset_usec;
                usec_t tolerance_usec;    /* of X-Sdk-Date */
                int64_t lockout_failures; /* in a row; 0: never */
                usec_t lockout_usec;
                usec_t token_life_usec;
                int expired_token;
                int64_t rate_limit; /* requests a window; 0: none */
                usec_t rate_per_usec;
                int rate_policy;
                usec_t rate_retry_after_usec; /* 0: not said */
        } gateway;
        struct {
                unsigned gaussdb_backups; /* set of versions: bits v3.2, v3.1, v3 */
                bool encryption, vault_lock, taurusdb_backups, download, dbss_switch, dbss_template;
                int64_t backup_zone_seconds; /* in which lists of backups show times */
        } api;
        struct {
                int reading, unit, shorten, no_op;
                bool start_moves;
                int days_reported;
                bool after_expiry; /* what lock_policy says then */
                int enable_on_enabled, enable_after_expiry, never_enabled, round_end;
                int extend_without_lock, extend_after_expiry;
                int64_t overshoot_days;
                char *refusal_code;
        } lock;
        struct {
                usec_t read_delay_usec;
        } consistency;
        struct {
                int64_t shown_shift_usec;
                bool moves_trigger;
                int time_format;
                bool refuse_past_trigger;
                int64_t zone_seconds;
                int64_t first_page;
        } dbss;
        struct {
                char *bucket;
                int repeat_grant;
                int64_t file_paths;
        } gaussdb;
        struct {
                int service;
                bool agency;
                usec_t key_life_usec;
        } metadata;
} SimSettings;

typedef struct SimReader SimReader; /* reader.h */

/* Sets every default. Return: 0 or -ENOMEM. */
int sim_settings_init(SimSettings *s);
void sim_settings_done(SimSettings *s);

/*
 * Reads the members of @section out of @node. Mistakes go to the reader.
 * Return: 1; 0 if there is no section of that name.
 */
int sim_settings_read(SimReader *r, SimSettings *s, const char *section, json_object *node);

/* All sections as an object. */
void sim_settings_show(const SimSettings *s, JsonBuild *b, json_object *to);
