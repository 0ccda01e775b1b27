/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/bus.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "bus/bus-internal.h"
#include "bus/names.h"

/*
 * The connection and the name: there, gone, looked for again.
 */

#define OPEN_USEC (5 * USEC_PER_SEC)            /* a bus that is there answers at once; one that hangs does not hold up enforcement; picked */
#define RETRY_MIN_USEC USEC_PER_SEC
#define RETRY_MAX_USEC (5 * USEC_PER_MINUTE)    /* picked: each look wakes a host that has no bus */
#define REFUSED_USEC (5 * USEC_PER_MINUTE)      /* picked: a bus that said no writes a line for each asking */
#define REFUSED_SOON_TRIES 5                    /* sooner at first: a package manager starts us before the bus has read our policy */
#define ACCURACY_USEC (100 * USEC_PER_MSEC)

/* After replies of the cloud, timers and the engine itself: callers wait for locks, never locks for callers. One message a turn. */
#define BUS_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 20)

/* @priority: of EVENT_BUS_LOST, which may be as things are meant to be, or not. */
static void say_lost(Bus *b, int priority, const char *format, const char *detail) {
        Event event = EVENT(EVENT_BUS_LOST);

        event.priority = priority;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        event_set_message(&event, format, detail);      /* formats are literals of this file */
#pragma GCC diagnostic pop
        b->host.say(b->host.userdata, &event);
}

/* Trouble is said once, until it is another one. */
static void say_trouble(Bus *b, int priority, int error, const char *format) {
        if (b->said == error)
                return;

        b->said = error;
        say_lost(b, priority, format, strerror(-error));
}

#define TAKEN "another process has the name " BUS_NAME " on the system bus"

static void say_refused(Bus *b, int error, bool begun) {
        b->refused = error == -EACCES || error == -EPERM;
        if (error == -EEXIST)
                say_trouble(b, LOG_ERR, error, begun ? TAKEN ": holdfastctl does not reach this daemon; it goes on enforcing%.0s"
                                                     : TAKEN ": is another holdfastd running?%.0s");
        else if (b->refused)
                say_trouble(b, LOG_INFO, error, "the system bus does not give the name " BUS_NAME " to this user: holdfastctl does not "
                            "reach this daemon%.0s");
        else
                say_trouble(b, LOG_WARNING, error, "the system bus does not give the name " BUS_NAME ": %s; it is tried again");
}

static void disconnect(Bus *b) {
        authority_forget(b);
        reload_forget(b);
        b->name_slot = sd_bus_slot_unref(b->name_slot);
        b->lost_slot = sd_bus_slot_unref(b->lost_slot);
        b->object_slot = sd_bus_slot_unref(b->object_slot);
        if (b->borrowed)
                b->bus = NULL;
        else
                b->bus = sd_bus_close_unref(b->bus);
        b->lost = false;
}

static void retry_later(Bus *b) {
        usec_t wait = b->refused && b->n_tries >= REFUSED_SOON_TRIES ? REFUSED_USEC
                                                                     : MIN(RETRY_MIN_USEC << MIN(b->n_tries, 8u), RETRY_MAX_USEC);
        int r;

        b->n_tries++;
        r = sd_event_source_set_time_relative(b->retry_source, wait);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->retry_source, SD_EVENT_ONESHOT);
        if (r < 0)
                say_lost(b, LOG_WARNING, "the system bus is not looked for any more: %s", strerror(-r));
}

/* Not in here: sd-bus is still using what would be freed. */
static int on_lost(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Bus *b = userdata;

        b->lost = true;
        b->n_tries = 0;
        b->said = 0;
        say_lost(b, LOG_NOTICE, "the connection to the system bus has ended; it is looked for again%s", "");
        retry_later(b);
        return 0;
}

static int connect_to_bus(Bus *b) {
        int r;

        r = sd_bus_open_system_with_description(&b->bus, "holdfast");
        if (r < 0) {
                b->bus = NULL;
                return r;
        }

        r = sd_bus_set_method_call_timeout(b->bus, OPEN_USEC);
        if (r >= 0)
                r = sd_bus_match_signal(b->bus, &b->lost_slot, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_lost, b);
        return r < 0 ? r : object_add(b);
}

static void be_there(Bus *b) {
        Event event = EVENT(EVENT_BUS_JOINED);

        b->n_tries = 0;
        b->said = 0;
        event_set_message(&event, "reachable as %s on the system bus", BUS_NAME);
        b->host.say(b->host.userdata, &event);
}

/* Takes what there is, or nothing. */
static void give_up_for_now(Bus *b) {
        disconnect(b);
        retry_later(b);
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        Bus *b = userdata;
        uint32_t result = 0;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL))
                r = -sd_bus_message_get_errno(reply);
        else
                r = sd_bus_message_read_basic(reply, 'u', &result);
        if (r >= 0 && result != 1)      /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER (D-Bus Specification, RequestName) */
                r = -EEXIST;

        if (r >= 0) {
                be_there(b);
                return 0;
        }

        say_refused(b, r, true);
        b->lost = true;         /* it is of no use; freed from the timer, not in here */
        retry_later(b);
        return 0;
}

/* From the loop: nothing waits. */
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *b = userdata;
        int r;

        disconnect(b);
        b->refused = false;
        r = connect_to_bus(b);
        if (r >= 0)
                r = sd_bus_attach_event(b->bus, b->event, BUS_PRIORITY);
        if (r >= 0)
                r = sd_bus_request_name_async(b->bus, &b->name_slot, BUS_NAME, 0, on_name, b);
        if (r < 0) {
                say_trouble(b, LOG_DEBUG, r, "there is no system bus: %s; it is looked for");
                give_up_for_now(b);
        }
        return 0;
}

int bus_new(sd_event *event, const BusHost *host, Bus **ret) {
        _cleanup_(bus_freep) Bus *b = NULL;
        int r;

        assert(event);
        assert(host);
        assert(ret);

        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->event = sd_event_ref(event);
        b->host = *host;

        r = sd_event_add_time_relative(event, &b->retry_source, CLOCK_BOOTTIME, 0, ACCURACY_USEC, on_retry, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->retry_source, SD_EVENT_OFF);
        if (r < 0)
                return r;

        (void) sd_event_source_set_description(b->retry_source, "bus-retry");
        *ret = STEAL(b);
        return 0;
}

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;

        disconnect(b);
        sd_event_source_disable_unref(b->retry_source);
        sd_event_source_disable_unref(b->tell_source);
        sd_event_unref(b->event);
        free(b);
        return NULL;
}

static usec_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);     /* cannot fail for this clock */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* A bus that takes the connection and says nothing would be waited for without end by the first call. */
static int wait_until_ready(sd_bus *bus) {
        usec_t until = now_monotonic() + OPEN_USEC, now;
        int r;

        while ((r = sd_bus_is_ready(bus)) == 0) {
                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;

                now = now_monotonic();
                if (now >= until)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, until - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }

        return r < 0 ? r : 0;
}

int bus_open(Bus *b) {
        int r;

        assert(b);
        assert(!b->bus);

        r = connect_to_bus(b);
        if (r >= 0)
                r = wait_until_ready(b->bus);
        if (r < 0) {
                say_trouble(b, LOG_INFO, r, "there is no system bus (%s): holdfastctl reads the state alone until there is one");
                give_up_for_now(b);
                return r == -ENOMEM ? r : 0;
        }

        r = sd_bus_request_name(b->bus, BUS_NAME, 0);
        if (r >= 0)
                r = sd_bus_attach_event(b->bus, b->event, BUS_PRIORITY);
        if (r < 0) {
                say_refused(b, r, false);
                give_up_for_now(b);
                return r == -EEXIST || r == -ENOMEM ? r : 0;
        }

        be_there(b);
        return 0;
}

int bus_serve(Bus *b, sd_bus *connection) {
        assert(b);
        assert(!b->bus);
        assert(connection);

        b->bus = connection;
        b->borrowed = true;
        return object_add(b);
}
