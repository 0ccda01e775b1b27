/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "daemon/manager-internal.h"

/*
 * What the service manager is told. The watchdog is fed only while the loop turns and the engine keeps up: a daemon that looks alive
 * and does nothing is the worst kind.
 */

#define STATUS_EVERY_USEC (2 * USEC_PER_SEC)    /* while something happens */
#define STATUS_SOON_USEC USEC_PER_MINUTE        /* the line counts down to the next lock: often enough within its last day */
#define STATUS_ACCURACY_USEC USEC_PER_SEC
#define OVERDUE_MAX_USEC (10 * USEC_PER_MINUTE) /* beyond reason: nothing that could be done waits so long; picked */

/* 4812 → "4,812". */
static const char *grouped(size_t n, char buf[static 32]) {
        char digits[24];
        size_t length = (size_t) snprintf(digits, sizeof(digits), "%zu", n), k = 0;

        for (size_t i = 0; i < length; i++) {
                if (i > 0 && (length - i) % 3 == 0)
                        buf[k++] = ',';
                buf[k++] = digits[i];
        }
        buf[k] = '\0';
        return buf;
}

void service_format_status(const Manager *m, char *buf, size_t size) {
        char n[4][32], left[TIME_TEXT_MAX], next[128] = "";
        EngineCounts c;

        engine_counts(m->engine, &c);
        if (c.next_lock_name)
                (void) snprintf(next, sizeof(next), "; next lock to extend: %.40s in %s", c.next_lock_name,
                                duration_format_human(usec_sub(c.next_lock_usec, now_realtime()), left));

        (void) snprintf(buf, size, "%s control%s: %s compliant, %s violated, %s unknown%s", grouped(c.n_controls, n[0]),
                        c.n_controls == 1 ? "" : "s", grouped(c.n_compliant, n[1]), grouped(c.n_violated, n[2]), grouped(c.n_unknown, n[3]),
                        next);
}

static void tell_status(Manager *m) {
        char status[sizeof(m->status)];

        service_format_status(m, status, sizeof(status));
        if (streq(status, m->status))
                return;

        memcpy(m->status, status, sizeof(status));
        (void) sd_notifyf(false, "STATUS=%s", status);  /* nobody listening is fine */
}

/* Return: is it? If not, the status line goes stale until the next try, and nothing else. */
static bool arm_status(Manager *m, usec_t in_usec) {
        return sd_event_source_set_time_relative(m->status_source, in_usec) >= 0 &&
               sd_event_source_set_enabled(m->status_source, SD_EVENT_ONESHOT) >= 0;
}

static int on_status(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        EngineCounts c;
        usec_t left;

        m->status_is_due = false;
        tell_status(m);
        engine_counts(m->engine, &c);
        left = c.next_lock_name ? usec_sub(c.next_lock_usec, now_realtime()) : 0;
        if (left > 0 && left < USEC_PER_DAY)
                (void) arm_status(m, STATUS_SOON_USEC);
        return 0;
}

void service_note_change(Manager *m) {
        if (!m->status_source || m->status_is_due)
                return;

        m->status_is_due = arm_status(m, STATUS_EVERY_USEC);
}

/* Nothing of the engine's was done that should have been, although the loop turns. */
static bool engine_is_stuck(const Manager *m) {
        EngineCounts c;

        engine_counts(m->engine, &c);
        return usec_sub(now_boottime(), m->engine_due_at_usec) > m->watchdog_usec / 3 || c.overdue_usec > OVERDUE_MAX_USEC;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        bool stuck = engine_is_stuck(m);
        int r;

        /* Right after the host resumed all is late: only who is so twice, with a turn of the loop between, is beyond help. Said at once, so
         * that the restart comes within the time that the unit allows, as for a loop that stands still. */
        if (!stuck)
                (void) sd_notify(false, "WATCHDOG=1");
        else if (m->stuck)
                (void) sd_notify(false, "WATCHDOG=trigger");
        m->stuck = stuck;

        r = sd_event_source_set_time_relative(source, m->watchdog_usec / 3);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return r;
}

int service_start(Manager *m) {
        int r;

        r = sd_event_add_time_relative(m->event, &m->status_source, CLOCK_BOOTTIME, STATUS_EVERY_USEC, STATUS_ACCURACY_USEC, on_status, m);
        if (r < 0)
                return r;

        r = sd_watchdog_enabled(false, &m->watchdog_usec);
        if (r <= 0)
                return r;

        r = sd_event_add_time_relative(m->event, &m->watchdog_source, CLOCK_BOOTTIME, 0, 0, on_watchdog, m);
        if (r < 0)
                return r;

        return sd_event_source_set_exit_on_failure(m->watchdog_source, true);
}

void service_ready(Manager *m) {
        service_format_status(m, m->status, sizeof(m->status));
        (void) sd_notifyf(false, "READY=1\nSTATUS=%s", m->status);
}

void service_reloading(Manager *m) {
        struct timespec ts;

        /* MONOTONIC_USEC is for Type=notify-reload (systemd 253), others ignore it. */
        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading policies",
                          (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000);
}

void service_stopping(Manager *m) {
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Waiting for requests in flight");
}
