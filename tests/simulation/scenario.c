/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/strbuf.h"

#define TEXT_MAX (256 * 1024)   /* bytes of one document; fifty policies are a fifth of it */
#define POLL_MIN_USEC (15 * USEC_PER_MINUTE)
#define POLL_MAX_USEC USEC_PER_DAY

static const char *const zones[] = {
        "Asia/Singapore", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
};

static char *finish(StrBuf *b) {
        char *s = NULL;

        if (strbuf_finish(b, &s) < 0)
                abort();
        return s;
}

static usec_t draw_poll(Rng *rng) {
        return rng_between(rng, POLL_MIN_USEC / USEC_PER_SEC, POLL_MAX_USEC / USEC_PER_SEC) * USEC_PER_SEC;
}

/* --- Subjects ------------------------------------------------------------------------------------------------------ */

/* Caps as owners write them: the default, none to spare, or generous. */
static int64_t draw_cap(const Scenario *s, Rng *rng, int64_t retention_days) {
        int64_t cap = retention_days + 1;

        if (s->rounds)
                cap = retention_days + 2 + (int64_t) rng_below(rng, 10);
        else if (rng_chance(rng, 0.15))
                cap = retention_days;
        else if (rng_chance(rng, 0.4))
                cap = retention_days + (int64_t) rng_between(rng, 2, (uint64_t) retention_days);

        return MIN(cap, s->limit_days);
}

static void draw_lock_policy(const Scenario *s, Subject *x, Rng *rng) {
        usec_t poll = draw_poll(rng), least, most;

        x->lock.poll_usec = poll;
        x->lock.settle_usec = rng_chance(rng, 0.15) ? rng_between(rng, 0, 10) * USEC_PER_MINUTE
                                                    : rng_span(rng, 10 * USEC_PER_MINUTE, 6 * USEC_PER_HOUR);
        x->lock.settle_usec -= x->lock.settle_usec % USEC_PER_SEC;
        /* A delay of reads that is longer than settle is a cloud that the owner was not told of: settle is the owner's word. */
        x->lock.settle_usec = MAX(x->lock.settle_usec, s->read_delay_usec + USEC_PER_MINUTE);

        /* Mostly with room for six polls and three settles, so that no excuse is left when a lock lapses. */
        least = rng_chance(rng, 0.8) ? 7 * poll + 4 * x->lock.settle_usec : 3 * poll;
        x->lock.renew_before_usec = rng_span(rng, least, least + 20 * USEC_PER_DAY);
        x->lock.renew_before_usec -= x->lock.renew_before_usec % USEC_PER_SEC;

        most = x->lock.renew_before_usec / USEC_PER_DAY + 2;
        x->lock.retention_days = (int64_t) (most + rng_below(rng, 45));
        if (s->rounds)
                x->lock.retention_days++;
        x->lock.retention_days = MIN(x->lock.retention_days, s->limit_days - (s->rounds ? 2 : 0));
        x->lock.renew_before_usec = MIN(x->lock.renew_before_usec, ((usec_t) x->lock.retention_days - 1) * USEC_PER_DAY);
        if (x->lock.renew_before_usec < 3 * poll)
                x->lock.poll_usec = x->lock.renew_before_usec / 3 - x->lock.renew_before_usec / 3 % USEC_PER_SEC;
        x->lock.max_retention_days = draw_cap(s, rng, x->lock.retention_days);
        x->lock.stated = rng_chance(rng, 0.15);
        x->lock.require_backup = rng_chance(rng, 0.05);
}

static void draw_encryption_policy(Subject *x, Rng *rng) {
        x->encryption.expect_on = rng_chance(rng, 0.9);
        x->encryption.has_key = x->encryption.expect_on && rng_chance(rng, 0.85);
        x->encryption.poll_usec = draw_poll(rng);
}

static void draw_schedule_policy(const Scenario *s, Subject *x, Rng *rng) {
        x->schedule.on = rng_chance(rng, 0.9);
        x->schedule.cycle = (Cycle) rng_below(rng, CYCLE__MAX);
        x->schedule.zone = zones[rng_below(rng, N_ELEMENTS(zones))];
        civil_from_seconds((int64_t) (s->start_usec / USEC_PER_SEC) + (int64_t) rng_below(rng, 400 * 86400) - 200 * 86400,
                           &x->schedule.trigger);
        x->schedule.poll_usec = draw_poll(rng);
        x->schedule.reapply_usec = rng_chance(rng, 0.2) ? USEC_INFINITY
                                                        : rng_between(rng, 6, 24 * 10) * USEC_PER_HOUR;
}

static void draw_download_policy(Subject *x, Rng *rng) {
        x->download.latest = rng_chance(rng, 0.5);
        x->download.poll_usec = draw_poll(rng);
        x->download.reauthorize_usec = rng_chance(rng, 0.5) ? USEC_INFINITY : rng_between(rng, 2, 60) * USEC_PER_DAY;
}

char *subject_backup(const Subject *x, int k, char buf[static 40]) {
        (void) snprintf(buf, 40, "%.8s%022d%02dbr%s", x->id + 24, 0, k, x->service == SERVICE_GAUSSDB ? "14" : "07");
        return buf;
}

static void add_backups(StrBuf *b, const Subject *x) {
        char id[40];

        (void) strbuf_add(b, ", backups: {");
        for (int k = 0; k < SCENARIO_BACKUPS; k++)
                (void) strbuf_addf(b, "%s%s: {type: manual, begin: -%dd}", k > 0 ? ", " : "", subject_backup(x, k, id), 3 + k);
        (void) strbuf_add(b, "}");
}

static char *draw_taurusdb(const Scenario *s, const Subject *x, Rng *rng) {
        StrBuf b = STRBUF(TEXT_MAX);
        uint64_t days = (uint64_t) x->lock.retention_days;

        (void) strbuf_addf(&b, "{encryption: %s", rng_chance(rng, 0.5) ? "on" : "off");
        if (rng_chance(rng, 0.4))
                (void) strbuf_add(&b, ", lock: none");
        else if (rng_chance(rng, 0.1))
                (void) strbuf_addf(&b, ", lock: {start: -%" PRIu64 "d, end: -%" PRIu64 "d}", days + 5, rng_between(rng, 1, 4));
        else if (rng_chance(rng, 0.1))  /* long, by its owner's own hand */
                (void) strbuf_addf(&b, ", lock: {start: -1d, end: +%" PRIu64 "d}", days + rng_between(rng, 1, 60));
        else
                (void) strbuf_addf(&b, ", lock: {start: -%" PRIu64 "h, end: +%" PRIu64 "h}", rng_between(rng, 24, 24 * days + 24),
                                   rng_between(rng, 1, 24 * days));
        if (x->lock.require_backup)
                add_backups(&b, x);
        (void) strbuf_add(&b, "}");
        return finish(&b);
}

static char *draw_dbss(const Subject *x, Rng *rng) {
        StrBuf b = STRBUF(TEXT_MAX);
        char trigger[TIME_TEXT_MAX];

        (void) civil_format(&x->schedule.trigger, trigger);
        if (rng_chance(rng, 0.3))
                (void) strbuf_add(&b, "{schedule: none}");
        else
                (void) strbuf_addf(&b, "{schedule: {status: %s, cycle: %s, trigger_time: \"%s\", bucket_name: bucket-%s}}",
                                   rng_chance(rng, 0.7) ? "on" : "off",
                                   rng_chance(rng, 0.8) ? cycle_to_string(x->schedule.cycle) : "PER_WEEK", trigger, x->name);
        return finish(&b);
}

static char *draw_gaussdb(const Subject *x) {
        StrBuf b = STRBUF(TEXT_MAX);

        (void) strbuf_addf(&b, "{name: %s-gauss", x->name);
        add_backups(&b, x);
        (void) strbuf_add(&b, "}");
        return finish(&b);
}

static void draw_subject(const Scenario *s, Subject *x, size_t number, Rng *rng) {
        double u = rng_unit(rng);

        x->service = u < 0.8 ? SERVICE_TAURUSDB : u < 0.92 ? SERVICE_DBSS : SERVICE_GAUSSDB;
        (void) snprintf(x->name, sizeof(x->name), "s%02zu", number % 100);
        (void) snprintf(x->id, sizeof(x->id), "%032zx%s", number + 1,
                        x->service == SERVICE_TAURUSDB ? "in07" : x->service == SERVICE_GAUSSDB ? "in14" : "");
        x->in_force = true;
        x->observe = rng_chance(rng, 0.04);

        switch (x->service) {
        case SERVICE_TAURUSDB:
                x->has_lock = rng_chance(rng, 0.95);
                x->has_encryption = !x->has_lock || rng_chance(rng, 0.15);
                draw_lock_policy(s, x, rng);
                draw_encryption_policy(x, rng);
                x->cloud = draw_taurusdb(s, x, rng);
                break;
        case SERVICE_DBSS:
                draw_schedule_policy(s, x, rng);
                x->cloud = draw_dbss(x, rng);
                break;
        case SERVICE_GAUSSDB:
                draw_download_policy(x, rng);
                x->cloud = draw_gaussdb(x);
                break;
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                abort();
        }
}

void scenario_edit(Scenario *s, Subject *x, Rng *rng) {
        if (!x->in_force || rng_chance(rng, 0.1)) {
                x->in_force = !x->in_force;
                return;
        }
        if (rng_chance(rng, 0.15)) {
                x->observe = !x->observe;
                return;
        }

        switch (x->service) {
        case SERVICE_TAURUSDB:
                draw_lock_policy(s, x, rng);
                draw_encryption_policy(x, rng);
                break;
        case SERVICE_DBSS:
                draw_schedule_policy(s, x, rng);
                break;
        case SERVICE_GAUSSDB:
                draw_download_policy(x, rng);
                break;
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                abort();
        }
}

/* --- The cloud ----------------------------------------------------------------------------------------------------- */

static const char *pick(Rng *rng, const char *const *words, size_t n) {
        return words[rng_below(rng, n)];
}

#define PICK_WORD(rng, ...) pick((rng), (const char *const[]) { __VA_ARGS__ }, N_ELEMENTS(((const char *const[]) { __VA_ARGS__ })))

static char *draw_behaviour(Scenario *s, Rng *rng) {
        StrBuf b = STRBUF(TEXT_MAX);

        (void) strbuf_addf(&b, "lock: {reading: %s, unit: %s, shorten: %s, no_op: %s, days_reported: %s, after_expiry: %s, ",
                           reading_to_string(s->reading), PICK_WORD(rng, "seconds", "milliseconds"),
                           PICK_WORD(rng, "refuse", "ignore"), PICK_WORD(rng, "refuse", "ignore"), PICK_WORD(rng, "total", "last"),
                           PICK_WORD(rng, "on", "off"));
        (void) strbuf_addf(&b, "enable_on_enabled: %s, never_enabled: %s, round_end: %s, start_moves: %s}\n",
                           PICK_WORD(rng, "refuse", "ignore"), PICK_WORD(rng, "explicit", "zeros", "nulls", "missing"),
                           s->rounds ? "day" : "none", s->reading != READING_FROM_START && rng_chance(rng, 0.2) ? "on" : "off");
        (void) strbuf_addf(&b, "dbss: {moves_trigger: %s, time_format: %s, shown_shift: %s}\n", PICK_WORD(rng, "on", "off"),
                           PICK_WORD(rng, "blank", "T", "zone"), PICK_WORD(rng, "0s", "8h", "-5h"));
        (void) strbuf_addf(&b, "consistency: {read_delay: %" PRIu64 "s}\n", s->read_delay_usec / USEC_PER_SEC);
        (void) strbuf_addf(&b, "gateway: {expired_token: %s, token_life: %s, lockout_failures: 6}\n",
                           PICK_WORD(rng, "renew", "undecodable"), PICK_WORD(rng, "1d", "12h", "7d"));
        (void) strbuf_addf(&b, "metadata: {service: %s, key_life: %s}\n", PICK_WORD(rng, "v2", "v2-only", "v1"),
                           PICK_WORD(rng, "1d", "6h"));
        return finish(&b);
}

static usec_t draw_start(Rng *rng) {
        /* 2026-01-01, somewhere in that year; or the middle of 2037, from where the signed 32 bits run out. */
        usec_t base = rng_chance(rng, 0.1) ? UINT64_C(2130000000) : UINT64_C(1767225600);

        return (base + rng_below(rng, 365 * 86400)) * USEC_PER_SEC;
}

void scenario_draw(Scenario *s, uint64_t seed, usec_t for_usec) {
        Rng rng = { .state = seed * 2 };

        *s = (Scenario) {
                .seed = seed,
                .reading = (Reading) rng_below(&rng, READING__MAX),
                .for_usec = for_usec,
        };
        s->rounds = rng_chance(&rng, 0.1);
        s->read_delay_usec = rng_chance(&rng, 0.6) ? 0 : rng_span(&rng, USEC_PER_SEC, 20 * USEC_PER_MINUTE);
        s->read_delay_usec -= s->read_delay_usec % USEC_PER_SEC;
        s->start_usec = draw_start(&rng);
        s->latency_usec = rng_span(&rng, 5 * USEC_PER_MSEC, 2 * USEC_PER_SEC);
        s->keys = rng_chance(&rng, 0.6) ? KEYS_LASTING : rng_chance(&rng, 0.5) ? KEYS_PASSWORD : KEYS_METADATA;
        s->knows_project = rng_chance(&rng, 0.8);
        s->real_store = rng_chance(&rng, 1. / 48);
        s->limit_days = rng_chance(&rng, 0.1) ? 90 : 3660;
        s->new_locks_per_day = (unsigned) (rng_chance(&rng, 0.3) ? rng_between(&rng, 1, 5) : 20);
        s->rate = (unsigned) rng_between(&rng, 2, 20);
        s->max_connections = (unsigned) rng_between(&rng, 1, 16);
        s->troubles = rng_chance(&rng, 0.1) ? 0 : rng_span(&rng, 300, 3000) / 1000.;
        s->behaviour = draw_behaviour(s, &rng);

        s->n_subjects = rng_chance(&rng, 0.1) ? 1 : rng_between(&rng, 2, SUBJECTS_MAX);
        for (size_t i = 0; i < s->n_subjects; i++)
                draw_subject(s, &s->subjects[i], i, &rng);
}

void scenario_done(Scenario *s) {
        for (size_t i = 0; i < s->n_subjects; i++)
                free(s->subjects[i].cloud);
        free(s->behaviour);
        *s = (Scenario) {};
}

char *scenario_cloud(const Scenario *s) {
        static const Service order[] = { SERVICE_TAURUSDB, SERVICE_DBSS, SERVICE_GAUSSDB };
        StrBuf b = STRBUF(TEXT_MAX);

        (void) strbuf_addf(&b, "account:\n  domain_id: " SCENARIO_DOMAIN "\n  projects: {" SCENARIO_PROJECT ": ap-southeast-1}\n"
                           "users: {" SCENARIO_USER ": {password: " SCENARIO_PASSWORD "}}\n%sinstances:\n", s->behaviour);
        for (size_t k = 0; k < N_ELEMENTS(order); k++) {
                bool any = false;

                for (size_t i = 0; i < s->n_subjects; i++) {
                        if (s->subjects[i].service != order[k])
                                continue;
                        if (!any)
                                (void) strbuf_addf(&b, "  %s:\n", service_to_string(order[k]));
                        any = true;
                        (void) strbuf_addf(&b, "    \"%s\": %s\n", s->subjects[i].id, s->subjects[i].cloud);
                }
        }
        if (s->n_subjects == 0)
                (void) strbuf_add(&b, "  {}\n");
        return finish(&b);
}

/* --- The owner ----------------------------------------------------------------------------------------------------- */

char *scenario_settings(const Scenario *s) {
        static const char *const sources[] = {
                [KEYS_LASTING] = "source: environment",
                [KEYS_PASSWORD] = "source: password, user_name: " SCENARIO_USER ", domain_name: example",
                [KEYS_METADATA] = "source: metadata",
        };
        StrBuf b = STRBUF(TEXT_MAX);

        (void) strbuf_add(&b, "region: ap-southeast-1\n");
        if (s->knows_project)
                (void) strbuf_add(&b, "project_id: " SCENARIO_PROJECT "\ndomain_id: " SCENARIO_DOMAIN "\n");
        (void) strbuf_addf(&b, "credentials: {%s}\n", sources[s->keys]);
        (void) strbuf_add(&b, "endpoints: {taurusdb: \"https://127.0.0.1:1\", dbss: \"https://127.0.0.1:2\", "
                          "gaussdb: \"https://127.0.0.1:3\", iam: \"https://127.0.0.1:4\", metadata: \"http://127.0.0.1:5\"}\n");
        (void) strbuf_addf(&b, "http: {rate: %u/s, max_connections: %u}\nlimits: {max_retention_days: %" PRId64
                           ", new_locks_per_day: %u}\n", s->rate, s->max_connections, s->limit_days, s->new_locks_per_day);
        return finish(&b);
}

static void add_span(StrBuf *b, const char *key, usec_t usec) {
        if (usec == USEC_INFINITY)
                (void) strbuf_addf(b, ", %s: never", key);
        else
                (void) strbuf_addf(b, ", %s: %" PRIu64 "s", key, usec / USEC_PER_SEC);
}

static void add_lock(StrBuf *b, const Scenario *s, const Subject *x) {
        (void) strbuf_addf(b, "lock: {retention_days: %" PRId64 ", max_retention_days: %" PRId64, x->lock.retention_days,
                           x->lock.max_retention_days);
        add_span(b, "renew_before", x->lock.renew_before_usec);
        add_span(b, "poll", x->lock.poll_usec);
        add_span(b, "settle", x->lock.settle_usec);
        if (x->lock.stated)
                (void) strbuf_addf(b, ", extension: %s", reading_to_string(s->reading));
        if (x->lock.require_backup)
                (void) strbuf_add(b, ", require_manual_backup: 36500d");
        (void) strbuf_add(b, "}\n");
}

static void add_schedule(StrBuf *b, const Subject *x) {
        char trigger[TIME_TEXT_MAX];

        (void) strbuf_addf(b, "schedule: {status: %s, mode: AUTO, cycle: %s, trigger_time: \"%s\", timezone: %s, bucket_name: bucket-%s",
                           x->schedule.on ? "on" : "off", cycle_to_string(x->schedule.cycle),
                           civil_format(&x->schedule.trigger, trigger), x->schedule.zone, x->name);
        add_span(b, "poll", x->schedule.poll_usec);
        add_span(b, "reapply", x->schedule.reapply_usec);
        (void) strbuf_add(b, "}\n");
}

static void add_download(StrBuf *b, const Subject *x) {
        char first[40], second[40];

        (void) strbuf_add(b, "download: {backups: ");
        if (x->download.latest)
                (void) strbuf_add(b, "latest");
        else
                (void) strbuf_addf(b, "[%s, %s]", subject_backup(x, 0, first), subject_backup(x, 1, second));
        add_span(b, "poll", x->download.poll_usec);
        add_span(b, "reauthorize", x->download.reauthorize_usec);
        (void) strbuf_add(b, "}\n");
}

static void add_subject(StrBuf *b, const Scenario *s, const Subject *x) {
        (void) strbuf_addf(b, "---\nname: %s\nservice: %s\ninstance_id: \"%s\"\n", x->name, service_to_string(x->service), x->id);
        if (x->observe)
                (void) strbuf_add(b, "mode: observe\n");
        if (x->service == SERVICE_DBSS)
                add_schedule(b, x);
        else if (x->service == SERVICE_GAUSSDB)
                add_download(b, x);
        if (x->has_lock)
                add_lock(b, s, x);
        if (x->has_encryption) {
                (void) strbuf_addf(b, "encryption: {expect: %s", x->encryption.expect_on ? "on" : "off");
                if (x->encryption.has_key)
                        (void) strbuf_add(b, ", kms_key_id: 4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11");
                add_span(b, "poll", x->encryption.poll_usec);
                (void) strbuf_add(b, "}\n");
        }
}

char *scenario_policies(const Scenario *s, bool broken) {
        StrBuf b = STRBUF(TEXT_MAX);

        for (size_t i = 0; i < s->n_subjects; i++)
                if (s->subjects[i].in_force)
                        add_subject(&b, s, &s->subjects[i]);
        if (broken)
                (void) strbuf_add(&b, "---\nname: [\n");
        return finish(&b);
}

/* --- Looking ------------------------------------------------------------------------------------------------------- */

size_t scenario_n_locks(const Scenario *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->n_subjects; i++)
                n += s->subjects[i].has_lock;
        return n;
}

bool subject_has(const Subject *x, Control c) {
        if (!x->in_force)
                return false;
        switch (c) {
        case CONTROL_ENCRYPTION: return x->has_encryption;
        case CONTROL_LOCK: return x->has_lock;
        case CONTROL_SCHEDULE: return x->service == SERVICE_DBSS;
        case CONTROL_DOWNLOAD: return x->service == SERVICE_GAUSSDB;
        case CONTROL__MAX: break;
        }
        return false;
}

usec_t subject_poll_usec(const Subject *x, Control c) {
        switch (c) {
        case CONTROL_ENCRYPTION: return x->encryption.poll_usec;
        case CONTROL_LOCK: return x->lock.poll_usec;
        case CONTROL_SCHEDULE: return x->schedule.poll_usec;
        case CONTROL_DOWNLOAD: return x->download.poll_usec;
        case CONTROL__MAX: break;
        }
        return USEC_INFINITY;
}
