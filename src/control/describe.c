/* SPDX-License-Identifier: Apache-2.0 */
#include "control/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/control.h"

static void describe_schedule(const SchedulePolicy *p, char buf[static DESCRIBE_MAX]) {
        char trigger[TIME_TEXT_MAX], reapply[TIME_TEXT_MAX], age[TIME_TEXT_MAX], bucket[QUOTED_MAX], path[QUOTED_MAX];
        bool writes_again = p->reapply_usec != USEC_INFINITY, has_age = p->max_backup_age_usec != USEC_INFINITY;
        bool has_path = p->bucket_root_path && p->bucket_root_path[0];

        if (!p->on) {
                (void) snprintf(buf, DESCRIBE_MAX, "automatic backup off");
                return;
        }

        (void) snprintf(buf, DESCRIBE_MAX, "automatic backup on, %s to bucket %s%s%s, triggered in phase with %s %s%s%s%s%s",
                        cycle_to_string(p->cycle), quote(p->bucket_name, bucket), has_path ? ", path " : "",
                        has_path ? quote(p->bucket_root_path, path) : "", civil_format(&p->trigger_time, trigger),
                        timezone_name(p->timezone), writes_again ? ", written again every " : "",
                        writes_again ? duration_format_human(p->reapply_usec, reapply) : "", has_age ? ", the latest backup no older than " : "",
                        has_age ? duration_format_human(p->max_backup_age_usec, age) : "");
}

static void describe_lock(const LockPolicy *p, char buf[static DESCRIBE_MAX]) {
        char before[TIME_TEXT_MAX], backup[TIME_TEXT_MAX];
        bool has_backup = p->require_manual_backup_usec != USEC_INFINITY;

        (void) snprintf(buf, DESCRIBE_MAX, "a lock of %" PRId64 " days, extended when less than %s of it remains, never to end later than %" PRId64
                        " days from then%s%s", p->retention_days, duration_format_human(p->renew_before_usec, before), p->max_retention_days,
                        has_backup ? ", with a manual full backup no older than " : "",
                        has_backup ? duration_format_human(p->require_manual_backup_usec, backup) : "");
}

static void describe_download(const DownloadPolicy *p, char buf[static DESCRIBE_MAX]) {
        bool again = p->reauthorize_usec != USEC_INFINITY;
        char every[TIME_TEXT_MAX], count[64];

        (void) snprintf(count, sizeof(count), "%zu backup%s authorized for download", p->n_backup_ids, p->n_backup_ids == 1 ? "" : "s");
        (void) snprintf(buf, DESCRIBE_MAX, "%s%s%s", p->latest ? "the latest completed backup authorized for download" : count,
                        again ? ", again every " : ", once", again ? duration_format_human(p->reauthorize_usec, every) : "");
}

char *control_describe_new_locks(unsigned per_day, char buf[static DESCRIBE_MAX]) {
        (void) snprintf(buf, DESCRIBE_MAX, "limits.new_locks_per_day: %u %s enabled within 24 hours", per_day,
                        per_day == 1 ? "lock was" : "locks were");
        return buf;
}

char *control_describe_wanted(const Instance *instance, Control c, char buf[static DESCRIBE_MAX]) {
        const EncryptionPolicy *e;

        assert(instance);
        assert(instance_has(instance, c));

        switch (c) {
        case CONTROL_ENCRYPTION:
                e = instance->terms->encryption;
                (void) snprintf(buf, DESCRIBE_MAX, "encrypted backup %s%s%s", e->expect_on ? "on" : "off",
                                !e->expect_on ? "" : e->kms_key_id ? ", switched on with key " : ", reported where it is off",
                                e->expect_on && e->kms_key_id ? e->kms_key_id : "");
                break;
        case CONTROL_SCHEDULE:
                describe_schedule(instance->terms->schedule, buf);
                break;
        case CONTROL_LOCK:
                describe_lock(instance->terms->lock, buf);
                break;
        case CONTROL_DOWNLOAD:
                describe_download(instance->terms->download, buf);
                break;
        case CONTROL__MAX:
                assert(false);
                break;
        }

        return buf;
}

static void next_of_lock(const Instance *i, const DescribeNext *d, char buf[static DESCRIBE_MAX]) {
        const ControlState *state = d->state;
        bool held = state->lock.end_usec > d->now_usec;
        bool due = !held || state->lock.end_usec - d->now_usec < i->terms->lock->renew_before_usec;
        bool refused = state->said[SAID_LOCK_REFUSED].at_usec > 0;
        char before[TIME_TEXT_MAX];

        if (!d->enforce && (due || d->verdict == VERDICT_COMPLIANT))
                (void) snprintf(buf, DESCRIBE_MAX, "report that the lock must be %s; nothing is changed in mode observe",
                                held ? "extended" : "enabled");
        else if (d->frozen && (due || refused || d->verdict == VERDICT_COMPLIANT))
                (void) snprintf(buf, DESCRIBE_MAX, "wait for holdfastctl thaw: lock writes to the endpoint are frozen");
        else if (refused)
                (void) snprintf(buf, DESCRIBE_MAX, "%s", NEXT_OTHER_LIMITS);
        else if (!due && d->verdict == VERDICT_VIOLATED && state->said[SAID_LOCK_EMPTY].at_usec > 0)
                (void) snprintf(buf, DESCRIBE_MAX, "%s", NEXT_MANUAL_BACKUP);
        else if (!due)
                (void) snprintf(buf, DESCRIBE_MAX, "extend the lock to %" PRId64 " days from then, once less than %s of it remains",
                                i->terms->lock->retention_days, duration_format_human(i->terms->lock->renew_before_usec, before));
        else
                (void) snprintf(buf, DESCRIBE_MAX, "%s %" PRId64 " days from then", held ? "extend the lock to" : "enable a lock of",
                                i->terms->lock->retention_days);
}

static void next_of_violated(const Instance *i, Control c, const DescribeNext *d, char buf[static DESCRIBE_MAX]) {
        bool others = false;            /* in mode enforce too it would be left to others */
        const char *text = NULL;

        switch (c) {
        case CONTROL_ENCRYPTION:
                others = !i->terms->encryption->expect_on || !i->terms->encryption->kms_key_id;
                if (others)
                        text = i->terms->encryption->expect_on ? NEXT_NO_KEY : NEXT_NEVER_OFF;
                else
                        text = "switch encrypted backup on";
                break;
        case CONTROL_SCHEDULE:
                others = d->state->said[SAID_BACKUP_STALE].at_usec > 0 && d->state->said[SAID_DRIFT].at_usec == 0;
                text = others ? NEXT_YOUNGER_BACKUP : "write the backup's schedule again";
                break;
        case CONTROL_DOWNLOAD:
                text = "authorize what is missing";
                break;
        case CONTROL_LOCK:
                next_of_lock(i, d, buf);
                return;
        case CONTROL__MAX:
                assert(false);
                return;
        }

        if (d->enforce || others)
                (void) snprintf(buf, DESCRIBE_MAX, "%s", text);
        else
                (void) snprintf(buf, DESCRIBE_MAX, "report it; nothing is changed in mode observe");
}

static void next_of_compliant(const Instance *i, Control c, const DescribeNext *d, char buf[static DESCRIBE_MAX]) {
        char every[TIME_TEXT_MAX];

        if (c == CONTROL_LOCK) {
                next_of_lock(i, d, buf);
                return;
        }

        if (d->enforce && c == CONTROL_SCHEDULE && i->terms->schedule->reapply_usec != USEC_INFINITY)
                (void) snprintf(buf, DESCRIBE_MAX, "write the backup's schedule again, drift or not, %s after the last time",
                                duration_format_human(i->terms->schedule->reapply_usec, every));
        else if (d->enforce && c == CONTROL_DOWNLOAD && i->terms->download->reauthorize_usec != USEC_INFINITY)
                (void) snprintf(buf, DESCRIBE_MAX, "authorize the download again, %s after the last time",
                                duration_format_human(i->terms->download->reauthorize_usec, every));
        else
                (void) snprintf(buf, DESCRIBE_MAX, "%s", NEXT_LOOK);
}

char *control_describe_next(const Instance *instance, Control c, const DescribeNext *d, char buf[static DESCRIBE_MAX]) {
        assert(instance);
        assert(instance_has(instance, c));
        assert(d);

        switch (d->verdict) {
        case VERDICT_UNKNOWN:
                (void) snprintf(buf, DESCRIBE_MAX, "look at it; nothing is changed as long as nothing is known");
                break;
        case VERDICT_COMPLIANT:
                next_of_compliant(instance, c, d, buf);
                break;
        case VERDICT_VIOLATED:
                next_of_violated(instance, c, d, buf);
                break;
        case VERDICT__MAX:
                assert(false);
                break;
        }

        return buf;
}
