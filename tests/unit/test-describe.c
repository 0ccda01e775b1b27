/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/describe.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

static char name[] = "orders", id[] = "7033e7c3cf93438797d44ad7ae0a7d95in07", key[] = "4f1b0c7e", bucket[] = "cbh-ynf", path[] = "a/b";
static char none[] = "";

static EncryptionPolicy encryption_with_key = { .expect_on = true, .kms_key_id = key };
static EncryptionPolicy encryption_without = { .expect_on = true };
static EncryptionPolicy encryption_off = { .expect_on = false };
static LockPolicy lock = {
        .retention_days = 30,
        .renew_before_usec = 7 * USEC_PER_DAY,
        .max_retention_days = 45,
        .require_manual_backup_usec = USEC_INFINITY,
};
static LockPolicy lock_with_backup = {
        .retention_days = 30,
        .renew_before_usec = 7 * USEC_PER_DAY,
        .max_retention_days = 31,
        .require_manual_backup_usec = 30 * USEC_PER_DAY,
};
static SchedulePolicy schedule = {
        .on = true,
        .cycle = CYCLE_PER_DAY,
        .trigger_time = { 2025, 8, 21, 2, 0, 44 },
        .bucket_name = bucket,
        .bucket_root_path = none,
        .reapply_usec = USEC_PER_DAY,
        .max_backup_age_usec = 26 * USEC_PER_HOUR,
};
static SchedulePolicy schedule_on_drift = {
        .on = true,
        .cycle = CYCLE_PER_HOUR,
        .trigger_time = { 2025, 8, 21, 2, 0, 44 },
        .bucket_name = bucket,
        .bucket_root_path = path,
        .reapply_usec = USEC_INFINITY,
        .max_backup_age_usec = USEC_INFINITY,
};
static SchedulePolicy schedule_off = { .on = false, .reapply_usec = USEC_INFINITY, .max_backup_age_usec = USEC_INFINITY };
static DownloadPolicy latest = { .latest = true, .reauthorize_usec = USEC_INFINITY };
static DownloadPolicy two = { .n_backup_ids = 2, .reauthorize_usec = USEC_PER_WEEK };
static DownloadPolicy one = { .n_backup_ids = 1, .reauthorize_usec = USEC_INFINITY };

static Instance instance_of(Control c, const void *policy, Terms *ret) {
        *ret = (Terms) {};

        if (c == CONTROL_ENCRYPTION)
                ret->encryption = policy;
        else if (c == CONTROL_SCHEDULE)
                ret->schedule = policy;
        else if (c == CONTROL_LOCK)
                ret->lock = policy;
        else
                ret->download = policy;
        return (Instance) { .name = name, .instance_id = id, .service = control_service(c), .terms = ret };
}

static int setup(void **state) {
        const Timezone *z = NULL;

        assert_int_equal(timezone_get("Asia/Singapore", &z), 0);
        schedule.timezone = schedule_on_drift.timezone = schedule_off.timezone = z;
        return 0;
}

static int teardown(void **state) {
        timezone_forget_all();
        return 0;
}

static void test_wanted(void **state) {
        static const struct {
                Control control;
                void *policy;
                const char *text;
        } cases[] = {
                { CONTROL_ENCRYPTION, &encryption_with_key, "encrypted backup on, switched on with key 4f1b0c7e" },
                { CONTROL_ENCRYPTION, &encryption_without, "encrypted backup on, reported where it is off" },
                { CONTROL_ENCRYPTION, &encryption_off, "encrypted backup off" },
                { CONTROL_LOCK, &lock, "a lock of 30 days, extended when less than 7 d of it remains, never to end later than 45 days from then" },
                { CONTROL_LOCK, &lock_with_backup, "a lock of 30 days, extended when less than 7 d of it remains, never to end later than 31 days "
                  "from then, with a manual full backup no older than 30 d" },
                { CONTROL_SCHEDULE, &schedule, "automatic backup on, PER_DAY to bucket \"cbh-ynf\", triggered in phase with 2025-08-21 02:00:44 "
                  "Asia/Singapore, written again every 1 d, the latest backup no older than 1 d 2 h" },
                { CONTROL_SCHEDULE, &schedule_on_drift, "automatic backup on, PER_HOUR to bucket \"cbh-ynf\", path \"a/b\", triggered in phase with "
                  "2025-08-21 02:00:44 Asia/Singapore" },
                { CONTROL_SCHEDULE, &schedule_off, "automatic backup off" },
                { CONTROL_DOWNLOAD, &latest, "the latest completed backup authorized for download, once" },
                { CONTROL_DOWNLOAD, &two, "2 backups authorized for download, again every 7 d" },
                { CONTROL_DOWNLOAD, &one, "1 backup authorized for download, once" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Terms terms;
                Instance instance = instance_of(cases[i].control, cases[i].policy, &terms);
                char buf[DESCRIBE_MAX];

                assert_string_equal(control_describe_wanted(&instance, cases[i].control, buf), cases[i].text);
        }
}

/* However long the owner's texts are, the sentence stays one, and is cut. */
static void test_wanted_is_bounded(void **state) {
        char long_name[2000], buf[DESCRIBE_MAX];
        SchedulePolicy p = schedule_on_drift;
        Terms terms;
        Instance instance = instance_of(CONTROL_SCHEDULE, &p, &terms);

        memset(long_name, 'x', sizeof(long_name) - 1);
        long_name[sizeof(long_name) - 1] = '\0';
        p.bucket_name = p.bucket_root_path = long_name;
        assert_true(strlen(control_describe_wanted(&instance, CONTROL_SCHEDULE, buf)) < DESCRIBE_MAX);
        assert_non_null(strstr(buf, "automatic backup on"));
}

static void test_next(void **state) {
        static const struct {
                Control control;
                void *policy;
                Verdict verdict;
                bool enforce, frozen;
                usec_t lock_end_usec;
                int said;               /* SaidId, -1: nothing */
                const char *text;
        } cases[] = {
                { CONTROL_ENCRYPTION, &encryption_with_key, VERDICT_UNKNOWN, true, false, 0, -1, "nothing is changed as long as nothing is known" },
                { CONTROL_ENCRYPTION, &encryption_with_key, VERDICT_COMPLIANT, true, false, 0, -1, "look whether it is still so" },
                { CONTROL_ENCRYPTION, &encryption_with_key, VERDICT_VIOLATED, true, false, 0, -1, "switch encrypted backup on" },
                { CONTROL_ENCRYPTION, &encryption_with_key, VERDICT_VIOLATED, false, false, 0, -1, "nothing is changed in mode observe" },
                { CONTROL_ENCRYPTION, &encryption_without, VERDICT_VIOLATED, true, false, 0, -1, "the policy gives no key" },
                { CONTROL_ENCRYPTION, &encryption_off, VERDICT_VIOLATED, true, false, 0, -1, "never switched off" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_COMPLIANT, true, false, 0, -1, "write the backup's schedule again, drift or not" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_COMPLIANT, false, false, 0, -1, "look whether it is still so" },
                { CONTROL_SCHEDULE, &schedule_on_drift, VERDICT_COMPLIANT, true, false, 0, -1, "look whether it is still so" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_VIOLATED, true, false, 0, SAID_DRIFT, "write the backup's schedule again" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_VIOLATED, true, false, 0, SAID_BACKUP_STALE, "a younger backup" },
                { CONTROL_LOCK, &lock, VERDICT_COMPLIANT, true, false, T0 + 20 * USEC_PER_DAY, -1, "extend the lock to 30 days from then" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, false, T0 + 2 * USEC_PER_DAY, -1, "extend the lock to 30 days from then" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, false, 0, -1, "enable a lock of 30 days from then" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, false, T0, -1, "enable a lock of 30 days from then" },
                { CONTROL_LOCK, &lock, VERDICT_COMPLIANT, false, false, T0 + 20 * USEC_PER_DAY, -1, "must be extended; nothing is changed" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, false, false, 0, -1, "must be enabled; nothing is changed" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, true, T0 + USEC_PER_DAY, -1, "wait for holdfastctl thaw" },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, true, T0 + 400 * USEC_PER_DAY, SAID_LOCK_REFUSED, "wait for holdfastctl thaw" },
                { CONTROL_LOCK, &lock, VERDICT_COMPLIANT, true, false, T0 + 20 * USEC_PER_DAY, -1, "once less than 7 d of it remains" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_COMPLIANT, true, false, 0, -1, "1 d after the last time" },
                { CONTROL_SCHEDULE, &schedule, VERDICT_VIOLATED, false, false, 0, SAID_BACKUP_STALE, NEXT_YOUNGER_BACKUP },
                { CONTROL_ENCRYPTION, &encryption_without, VERDICT_VIOLATED, false, false, 0, -1, NEXT_NO_KEY },
                { CONTROL_LOCK, &lock, VERDICT_VIOLATED, true, false, T0 + USEC_PER_DAY, SAID_LOCK_REFUSED, "until the policy or the limits are" },
                { CONTROL_LOCK, &lock_with_backup, VERDICT_VIOLATED, true, false, T0 + 20 * USEC_PER_DAY, SAID_LOCK_EMPTY, "nothing to protect" },
                { CONTROL_DOWNLOAD, &latest, VERDICT_COMPLIANT, true, false, 0, -1, "look whether it is still so" },
                { CONTROL_DOWNLOAD, &two, VERDICT_COMPLIANT, true, false, 0, -1, "authorize the download again" },
                { CONTROL_DOWNLOAD, &two, VERDICT_VIOLATED, true, false, 0, -1, "authorize what is missing" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Terms terms;
                Instance instance = instance_of(cases[i].control, cases[i].policy, &terms);
                ControlState s = {};
                DescribeNext next = {
                        .state = &s,
                        .verdict = cases[i].verdict,
                        .enforce = cases[i].enforce,
                        .frozen = cases[i].frozen,
                        .now_usec = T0,
                };
                char buf[DESCRIBE_MAX];

                if (cases[i].control == CONTROL_LOCK)
                        s.lock.end_usec = cases[i].lock_end_usec;
                if (cases[i].said >= 0)
                        s.said[cases[i].said].at_usec = T0 - 1;
                control_describe_next(&instance, cases[i].control, &next, buf);
                print_message("%zu: %s\n", i, buf);
                assert_non_null(strstr(buf, cases[i].text));
        }
}

static void test_new_locks(void **state) {
        char buf[DESCRIBE_MAX];

        assert_string_equal(control_describe_new_locks(1, buf), "limits.new_locks_per_day: 1 lock was enabled within 24 hours");
        assert_string_equal(control_describe_new_locks(0, buf), "limits.new_locks_per_day: 0 locks were enabled within 24 hours");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wanted),
                cmocka_unit_test(test_wanted_is_bounded),
                cmocka_unit_test(test_next),
                cmocka_unit_test(test_new_locks),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
