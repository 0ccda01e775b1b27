/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "daemon/manager-internal.h"

/*
 * What changes outside while the daemon runs: the clock is stepped, the host resumes, credential files are replaced.
 */

/* Key and secret are two files: read both once they have stopped changing. Picked. */
#define SETTLE_USEC (500 * USEC_PER_MSEC)

/* That a watch is gone (IN_IGNORED, IN_UNMOUNT), and that some were lost, is told without being asked for. */
#define FILES_EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define ABOVE_EVENTS (IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static int arm_clock(int fd) {
        static const struct itimerspec never = { .it_value.tv_sec = INT64_MAX / 2 };

        if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0)
                return -errno;
        return 0;
}

static int on_clock_step(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;
        uint64_t n;

        if (read(fd, &n, sizeof(n)) >= 0 || errno != ECANCELED)
                return 0;

        engine_on_clock_step(m->engine);
        manager_wake(m);
        return arm_clock(fd);
}

int watch_clock(Manager *m) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (fd < 0)
                return -errno;

        r = arm_clock(fd);
        if (r < 0)
                return r;

        r = sd_event_add_io(m->event, &m->clock_source, fd, EPOLLIN, on_clock_step, m);
        if (r < 0)
                return r;

        (void) sd_event_source_set_description(m->clock_source, "clock-step");
        r = sd_event_source_set_io_fd_own(m->clock_source, true);
        if (r < 0)
                return r;

        (void) STEAL_FD(fd);
        return 0;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        engine_on_credentials_changed(m->engine);
        manager_wake(m);
        return 0;
}

static void settle(Manager *m) {
        (void) sd_event_source_set_time_relative(m->settle_source, SETTLE_USEC);
        (void) sd_event_source_set_enabled(m->settle_source, SD_EVENT_ONESHOT); /* else the next reload or refusal reads them */
}

static int on_files(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        settle(userdata);
        return 0;
}

/* Of a folder above: what bears the next name of the path, or the folder itself. */
static int on_above(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Manager *m = userdata;

        if (event->len == 0 || streq(event->name, m->name_above))
                settle(m);
        return 0;
}

/* Cuts the last name off @path and keeps it. Returns false if there is none. */
static bool cut_name(Manager *m, char *path) {
        size_t n = strlen(path);
        char *slash;

        while (n > 1 && path[n - 1] == '/')
                path[--n] = '\0';
        slash = strrchr(path, '/');
        if (!slash || slash[1] == '\0')
                return false;

        (void) snprintf(m->name_above, sizeof(m->name_above), "%.*s", (int) sizeof(m->name_above) - 1, slash + 1);
        slash[slash == path] = '\0';    /* "/a" lies in "/" */
        return true;
}

/* The nearest folder above that there is: in it appears what is missing, and is swapped what the path goes through. */
static int watch_above(Manager *m, const char *directory) {
        _cleanup_(freep) char *path = strdup(directory);
        int r = -ENOENT;

        if (!path)
                return -ENOMEM;

        while (r == -ENOENT && cut_name(m, path))
                r = sd_event_add_inotify(m->event, &m->above_source, path, ABOVE_EVENTS | IN_ONLYDIR, on_above, m);
        return r;
}

static int watch_files(Manager *m, const char *directory) {
        int r, above;

        if (!m->settle_source) {
                r = sd_event_add_time_relative(m->event, &m->settle_source, CLOCK_BOOTTIME, SETTLE_USEC, 0, on_settled, m);
                if (r >= 0)
                        r = sd_event_source_set_enabled(m->settle_source, SD_EVENT_OFF);
                if (r < 0)
                        return r;
        }

        above = watch_above(m, directory);
        r = sd_event_add_inotify(m->event, &m->files_source, directory, FILES_EVENTS | IN_ONLYDIR, on_files, m);
        if (r == -ENOENT)
                return above;   /* it is seen when it appears */
        return r;               /* that the folder above may not be looked at matters to those who swap folders alone */
}

void watch_credentials(Manager *m, const Settings *settings) {
        const char *directory = settings->credentials.directory;
        int r;

        m->files_source = sd_event_source_disable_unref(m->files_source);
        m->above_source = sd_event_source_disable_unref(m->above_source);
        if (settings->credentials.source != CREDENTIALS_FILES || !directory)
                return;

        r = watch_files(m, directory);
        if (r < 0 && !m->said_unwatched)
                manager_say(m, EVENT_CREDENTIALS_REJECTED, "%s cannot be watched (%s): a rotated key is seen at the next reload or refusal",
                            directory, strerror(-r));
        m->said_unwatched = r < 0;
}
