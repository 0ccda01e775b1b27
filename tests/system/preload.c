/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Loaded into holdfastd by a drop-in (LD_PRELOAD).
 *
 * While the file of HOLDFAST_TEST_HANG is there, the two event sources by which the engine is run are never armed again, and everything else
 * of the loop goes on turning: what a lost wake-up would look like.
 *
 * Before libfaketime it lets timers through as they are. That library moves the absolute times of all timerfd clocks by what it adds to the
 * wall clock, to before the boot for instance, which the kernel refuses.
 */

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

typedef int (*AddDefer)(sd_event *, sd_event_source **, sd_event_handler_t, void *);
typedef int (*AddTime)(sd_event *, sd_event_source **, clockid_t, uint64_t, uint64_t, sd_event_time_handler_t, void *);
typedef int (*SetEnabled)(sd_event_source *, int);

static sd_event_source *run_source, *due_source;

static int hangs(void) {
        const char *file = getenv("HOLDFAST_TEST_HANG");

        return file && access(file, F_OK) == 0;
}

/* The daemon adds the two first, one of each kind (add_sources() of src/daemon/manager.c). */
int sd_event_add_defer(sd_event *e, sd_event_source **ret, sd_event_handler_t callback, void *userdata) {
        AddDefer real = (AddDefer) dlsym(RTLD_NEXT, "sd_event_add_defer");
        int r = real(e, ret, callback, userdata);

        if (r >= 0 && !run_source)
                run_source = *ret;
        return r;
}

int sd_event_add_time_relative(sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                               sd_event_time_handler_t callback, void *userdata) {
        AddTime real = (AddTime) dlsym(RTLD_NEXT, "sd_event_add_time_relative");
        int r = real(e, ret, clock, usec, accuracy, callback, userdata);

        if (r >= 0 && !due_source)
                due_source = *ret;
        return r;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled) {
        SetEnabled real = (SetEnabled) dlsym(RTLD_NEXT, "sd_event_source_set_enabled");

        /* The loop itself switches a source off that was to fire once, through here too. */
        if (enabled != SD_EVENT_OFF && source && (source == run_source || source == due_source) && hangs())
                return 0;
        return real(source, enabled);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
        return (int) syscall(SYS_timerfd_settime, fd, flags, new, old);
}
