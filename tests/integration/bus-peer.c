/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

/*
 * What a test needs on the other side of the bus, and busctl cannot do:
 *
 *      bus-peer polkit ANSWER          answers as polkit does: yes, no or challenge; says what it was asked, one line each
 *      bus-peer take                   holds the name org.holdfast1 until it is ended
 *      bus-peer flood SECONDS          calls as fast as replies come, of all kinds; says how many were answered
 *      bus-peer deaf CALLS             calls without ever reading a reply, and goes away
 *      bus-peer nonsense CALLS         calls that make no sense; says how many were refused
 *      bus-peer listen SECONDS         says what signals come
 *
 * Says "ready" when it is connected. The bus is $DBUS_SYSTEM_BUS_ADDRESS.
 */

#define NAME "org.holdfast1"
#define PATH "/org/holdfast1"
#define INTERFACE "org.holdfast1.Manager"
#define IN_FLIGHT 64

static int fail(const char *what, int r) {
        (void) fprintf(stderr, "bus-peer: %s: %s\n", what, strerror(-r));
        return EXIT_FAILURE;
}

static void say(const char *text) {
        (void) printf("%s\n", text);
        (void) fflush(stdout);
}

static double seconds(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* Turns until @until, or for ever. */
static int turn(sd_bus *bus, double until) {
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (until > 0 && seconds() >= until)
                        return 0;
                r = sd_bus_wait(bus, 50000);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

/* --- polkit ------------------------------------------------------------------------------------------------------- */

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *answer = userdata, *kind, *action;
        uint32_t flags;
        int r;

        r = sd_bus_message_enter_container(m, 'r', "sa{sv}");
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 's', &kind);
        if (r >= 0)
                r = sd_bus_message_skip(m, "a{sv}");
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 's', &action);
        if (r >= 0)
                r = sd_bus_message_skip(m, "a{ss}");
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'u', &flags);
        if (r < 0)
                return r;

        (void) printf("%s %s %u\n", kind, action, flags);
        (void) fflush(stdout);
        return sd_bus_reply_method_return(m, "(bba{ss})", strcmp(answer, "yes") == 0, strcmp(answer, "challenge") == 0, 0);
}

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int be_polkit(sd_bus *bus, char *answer) {
        int r;

        r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                                     polkit_vtable, answer);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0);
        if (r < 0)
                return r;

        say("ready");
        return turn(bus, 0);
}

static int take(sd_bus *bus) {
        int r;

        r = sd_bus_request_name(bus, NAME, 0);
        if (r < 0)
                return r;

        say("ready");
        return turn(bus, 0);
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

typedef struct Flood {
        sd_bus *bus;
        unsigned long n_sent, n_answered, n_refused;
        unsigned n_in_flight;
        double until;
        int (*fill)(sd_bus *bus, unsigned long n, sd_bus_message **ret);
} Flood;

static int send_next(Flood *f);

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Flood *f = userdata;

        f->n_in_flight--;
        if (sd_bus_message_is_method_error(m, NULL))
                f->n_refused++;
        else
                f->n_answered++;
        return seconds() < f->until ? send_next(f) : 0;
}

static int send_next(Flood *f) {
        sd_bus_message *m = NULL;
        int r;

        r = f->fill(f->bus, f->n_sent++, &m);
        if (r >= 0)
                r = sd_bus_call_async(f->bus, NULL, m, on_answer, f, 60 * 1000000ull);
        if (r >= 0)
                f->n_in_flight++;
        sd_bus_message_unref(m);
        return r;
}

static int call(sd_bus *bus, sd_bus_message **ret, const char *interface, const char *member) {
        return sd_bus_message_new_method_call(bus, ret, NAME, PATH, interface, member);
}

/* What tools ask for, and more of it than any tool does. */
static int fill_sense(sd_bus *bus, unsigned long n, sd_bus_message **ret) {
        int r;

        switch (n % 8) {
        case 0:
                r = call(bus, ret, "org.freedesktop.DBus.Properties", "GetAll");
                return r < 0 ? r : sd_bus_message_append(*ret, "s", INTERFACE);
        case 1:
                r = call(bus, ret, INTERFACE, "ListInstances");
                return r < 0 ? r : sd_bus_message_append(*ret, "uus", 0, 20, "not-compliant");
        case 2:
                return call(bus, ret, INTERFACE, "ListEndpoints");
        case 3:
                r = call(bus, ret, INTERFACE, "ListInstances");
                return r < 0 ? r : sd_bus_message_append(*ret, "uus", 0, 5, "renewals");
        default:
                r = call(bus, ret, INTERFACE, "GetInstance");
                return r < 0 ? r : sd_bus_message_append(*ret, "s", n % 16 == 15 ? "nobody" : "orders-0");
        }
}

static int fill_nonsense(sd_bus *bus, unsigned long n, sd_bus_message **ret) {
        static char large[65536];
        int r;

        switch (n % 6) {
        case 0:
                return call(bus, ret, INTERFACE, "Explode");
        case 1:
                r = call(bus, ret, INTERFACE, "GetInstance");
                return r < 0 ? r : sd_bus_message_append(*ret, "a(uv)", 1, 7, "as", 1, "x");
        case 2:
                r = call(bus, ret, INTERFACE, "ListInstances");
                return r < 0 ? r : sd_bus_message_append(*ret, "uus", UINT32_MAX, UINT32_MAX, "everything there is");
        case 3:
                r = sd_bus_message_new_method_call(bus, ret, NAME, PATH "/x/y/z", INTERFACE, "GetInstance");
                return r < 0 ? r : sd_bus_message_append(*ret, "s", "orders-0");
        case 4:
                memset(large, 'n', sizeof(large) - 1);
                r = call(bus, ret, INTERFACE, "GetInstance");
                return r < 0 ? r : sd_bus_message_append(*ret, "s", large);
        default:
                r = call(bus, ret, "org.freedesktop.DBus.Properties", "Set");
                return r < 0 ? r : sd_bus_message_append(*ret, "ssv", INTERFACE, "NControls", "u", 0);
        }
}

static int flood(sd_bus *bus, double for_seconds) {
        Flood f = { .bus = bus, .fill = fill_sense };
        double began;
        int r;

        say("ready");
        began = seconds();
        f.until = began + for_seconds;
        for (unsigned i = 0; i < IN_FLIGHT; i++) {
                r = send_next(&f);
                if (r < 0)
                        return r;
        }
        while (f.n_in_flight > 0) {
                r = turn(bus, seconds() + 0.05);
                if (r < 0)
                        return r;
        }

        (void) printf("answered %lu refused %lu seconds %.3f\n", f.n_answered, f.n_refused, seconds() - began);
        return 0;
}

static int nonsense(sd_bus *bus, unsigned long n) {
        Flood f = { .bus = bus, .fill = fill_nonsense };
        int r = 0;

        say("ready");
        for (unsigned long i = 0; i < n && r >= 0; i++)
                r = send_next(&f);
        while (r >= 0 && f.n_in_flight > 0)
                r = turn(bus, seconds() + 0.05);
        (void) printf("answered %lu refused %lu\n", f.n_answered, f.n_refused);
        return r;
}

static int be_deaf(sd_bus *bus, unsigned long n) {
        int r = 0;

        say("ready");
        for (unsigned long i = 0; i < n && r >= 0; i++) {
                sd_bus_message *m = NULL;

                r = call(bus, &m, INTERFACE, "ListInstances");
                if (r >= 0)
                        r = sd_bus_message_append(m, "uus", 0, 1000, "all");
                if (r >= 0)
                        r = sd_bus_send(bus, m, NULL);
                sd_bus_message_unref(m);
        }
        return r < 0 ? r : sd_bus_flush(bus);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *a = "", *b = "", *c = "";

        if (sd_bus_message_is_signal(m, INTERFACE, "ControlChanged") > 0)
                (void) sd_bus_message_read(m, "sss", &a, &b, &c);
        (void) printf("%s %s %s %s\n", sd_bus_message_get_member(m), a, b, c);
        return 0;
}

static int listen_to_it(sd_bus *bus, double for_seconds) {
        int r;

        r = sd_bus_match_signal(bus, NULL, NAME, PATH, NULL, NULL, on_signal, NULL);
        if (r < 0)
                return r;

        say("ready");
        return turn(bus, seconds() + for_seconds);
}

int main(int argc, char *argv[]) {
        sd_bus *bus = NULL;
        int r;

        if (argc < 2 || (strcmp(argv[1], "take") != 0 && argc < 3))
                return fail("usage", -EINVAL);

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return fail("connect", r);

        if (strcmp(argv[1], "polkit") == 0)
                r = be_polkit(bus, argv[2]);
        else if (strcmp(argv[1], "take") == 0)
                r = take(bus);
        else if (strcmp(argv[1], "flood") == 0)
                r = flood(bus, atof(argv[2]));
        else if (strcmp(argv[1], "deaf") == 0)
                r = be_deaf(bus, strtoul(argv[2], NULL, 10));
        else if (strcmp(argv[1], "nonsense") == 0)
                r = nonsense(bus, strtoul(argv[2], NULL, 10));
        else if (strcmp(argv[1], "listen") == 0)
                r = listen_to_it(bus, atof(argv[2]));
        else
                r = -EINVAL;

        sd_bus_close_unref(bus);
        return r < 0 ? fail(argv[1], r) : EXIT_SUCCESS;
}
