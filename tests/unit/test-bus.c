/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bus/bus.h"
#include "bus/names.h"
#include "bus/status-message.h"

/*
 * The object over a direct connection, in one process and one loop: what it says of a fleet, what it does when it is told to, and what it makes
 * of nonsense. Names, policies and other users need a bus: tests/integration/test_bus.py.
 */

typedef struct BusWorld {
        Fleet fleet;
        sd_event *event;
        sd_bus *server, *client;
        Bus *bus;
        BusFacts facts;
        BusReload reload;
        int reload_result;      /* of asking for one */
        bool reload_held;       /* it does not end by itself */
        sd_event_source *reload_source;
        unsigned n_reloads, n_acted;
        unsigned n_control_changed, n_properties_changed, n_reloaded, n_other_signals;
        char log[512];
        sd_bus_message *reply;
} BusWorld;

static Engine *host_engine(void *userdata) {
        return ((BusWorld *) userdata)->fleet.engine;
}

static void host_facts(void *userdata, BusFacts *ret) {
        *ret = ((BusWorld *) userdata)->facts;
}

static int end_reload(sd_event_source *source, void *userdata) {
        BusWorld *w = userdata;

        bus_answer_reload(w->bus, w->n_reloads, &w->reload);
        return 0;
}

static int host_reload(void *userdata, uint64_t *ret_number) {
        BusWorld *w = userdata;

        if (w->reload_result < 0)
                return w->reload_result;

        *ret_number = ++w->n_reloads;
        if (w->reload_held)
                return 0;
        sd_event_source_unref(w->reload_source);
        w->reload_source = NULL;
        return sd_event_add_defer(w->event, &w->reload_source, end_reload, w);
}

static void host_acted(void *userdata) {
        ((BusWorld *) userdata)->n_acted++;
}

static void host_say(void *userdata, const Event *event) {
        BusWorld *w = userdata;

        (void) snprintf(w->log, sizeof(w->log), "%.*s", (int) sizeof(w->log) - 1, event->message);
}

static void on_shown(void *userdata, const char *name, const char *control, const char *verdict) {
        bus_note_shown(((BusWorld *) userdata)->bus, name, control, verdict);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        BusWorld *w = userdata;

        if (!sd_bus_message_is_signal(m, NULL, NULL))
                return 0;

        if (sd_bus_message_is_signal(m, BUS_INTERFACE, "ControlChanged") && sd_bus_message_has_signature(m, "sss"))
                w->n_control_changed++;
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                w->n_properties_changed++;
        else if (sd_bus_message_is_signal(m, BUS_INTERFACE, "Reloaded") && sd_bus_message_has_signature(m, "uu"))
                w->n_reloaded++;
        else
                w->n_other_signals++;
        return 0;
}

static sd_bus *new_bus(int fd, bool server) {
        sd_bus *bus = NULL;
        sd_id128_t id = SD_ID128_MAKE(01, 02, 03, 04, 05, 06, 07, 08, 09, 0a, 0b, 0c, 0d, 0e, 0f, 10);

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fd, fd) >= 0);
        if (server)
                assert_true(sd_bus_set_server(bus, 1, id) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

static void setup_with(BusWorld *w, size_t n, const char *settings, FleetPolicy policy) {
        BusHost host = {
                .userdata = w,
                .engine = host_engine,
                .facts = host_facts,
                .reload = host_reload,
                .acted = host_acted,
                .say = host_say,
        };
        int fds[2];

        *w = (BusWorld) { .facts = { .config = "/etc/holdfast/holdfast.yaml", .state = "/var/lib/holdfast", .n_policies = n } };
        fleet_setup(&w->fleet, n, settings, policy);
        w->fleet.on_shown = on_shown;
        w->fleet.userdata = w;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_event_new(&w->event) >= 0);
        w->server = new_bus(fds[0], true);
        w->client = new_bus(fds[1], false);
        assert_int_equal(bus_new(w->event, &host, &w->bus), 0);
        assert_true(bus_serve(w->bus, w->server) >= 0);
        assert_true(sd_bus_attach_event(w->server, w->event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        assert_true(sd_bus_attach_event(w->client, w->event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        assert_true(sd_bus_add_filter(w->client, NULL, on_signal, w) >= 0);
}

static void teardown_world(BusWorld *w) {
        sd_bus_message_unref(w->reply);
        bus_free(w->bus);
        sd_event_source_unref(w->reload_source);
        sd_bus_close_unref(w->client);
        sd_bus_close_unref(w->server);
        sd_event_unref(w->event);
        fleet_teardown(&w->fleet);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        BusWorld *w = userdata;

        w->reply = sd_bus_message_ref(m);
        return 0;
}

/* Sends @m, and turns the loop until the reply is there. */
static sd_bus_message *exchange(BusWorld *w, sd_bus_message *m) {
        w->reply = sd_bus_message_unref(w->reply);
        assert_true(sd_bus_call_async(w->client, NULL, m, on_reply, w, 10 * USEC_PER_SEC) >= 0);
        while (!w->reply)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) >= 0);
        return w->reply;
}

static sd_bus_message *new_call(BusWorld *w, const char *interface, const char *member) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(w->client, &m, NULL, BUS_PATH, interface, member) >= 0);
        return m;
}

static sd_bus_message *call(BusWorld *w, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_call(w, BUS_INTERFACE, member);
        va_list ap;

        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        return exchange(w, m);
}

static void assert_error(sd_bus_message *reply, const char *name, const char *part) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        assert_non_null(e);
        assert_string_equal(e->name, name);
        assert_non_null(strstr(e->message, part));
}

static uint32_t read_number(sd_bus_message *reply) {
        uint32_t n = UINT32_MAX;

        if (sd_bus_message_is_method_error(reply, NULL))
                fail_msg("%s", sd_bus_message_get_error(reply)->message);
        assert_true(sd_bus_message_read_basic(reply, 'u', &n) > 0);
        return n;
}

static void assert_statuses_equal(const StatusField *fields, size_t n, const void *a, const void *b) {
        for (size_t i = 0; i < n; i++) {
                const void *x = (const char *) a + fields[i].offset, *y = (const char *) b + fields[i].offset;

                if (status_field_is_set(&fields[i], a) != status_field_is_set(&fields[i], b))
                        fail_msg("%s is set in one only", fields[i].key);
                if (!status_field_is_set(&fields[i], a))
                        continue;

                switch (fields[i].type) {
                case STATUS_TEXT:
                        assert_string_equal(*(const char *const *) x, *(const char *const *) y);
                        break;
                case STATUS_BOOL:
                        assert_int_equal(*(const bool *) x, *(const bool *) y);
                        break;
                case STATUS_UINT:
                        assert_int_equal(*(const unsigned *) x, *(const unsigned *) y);
                        break;
                case STATUS_UINT64:
                case STATUS_TIME:
                case STATUS_DURATION:
                        assert_int_equal(*(const uint64_t *) x, *(const uint64_t *) y);
                        break;
                }
        }
}

/* A status with every member set, each to something else. */
static void fill(const StatusField *fields, size_t n, void *s, char texts[][32]) {
        for (size_t i = 0; i < n; i++) {
                void *member = (char *) s + fields[i].offset;

                switch (fields[i].type) {
                case STATUS_TEXT:
                        (void) snprintf(texts[i], 32, "text %zu", i);
                        *(const char **) member = texts[i];
                        break;
                case STATUS_BOOL:
                        *(bool *) member = true;
                        break;
                case STATUS_UINT:
                        *(unsigned *) member = 1000 + (unsigned) i;
                        break;
                case STATUS_UINT64:
                case STATUS_TIME:
                case STATUS_DURATION:
                        *(uint64_t *) member = UINT64_MAX - i;
                        break;
                }
        }
}

static sd_bus_message *new_signal(BusWorld *w) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_signal(w->client, &m, "/a", "b.c", "D") >= 0);
        return m;
}

static void seal(sd_bus_message *m) {
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
}

static void test_status_message_there_and_back(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char texts[64][32], endpoint_texts[64][32];
        ControlStatus sent = {}, empty = {}, got;
        EndpointStatus endpoint = {}, got_endpoint;
        BusWorld w;

        setup_with(&w, 1, NULL, NULL);
        m = new_signal(&w);
        assert_true(n_status_fields <= N_ELEMENTS(texts));
        fill(status_fields, n_status_fields, &sent, texts);
        fill(endpoint_status_fields, n_endpoint_status_fields, &endpoint, endpoint_texts);

        assert_true(sd_bus_message_open_container(m, 'a', STATUS_MESSAGE_TYPE) >= 0);
        assert_true(status_message_append(m, &sent) >= 0);
        assert_true(status_message_append(m, &empty) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(status_message_append_endpoint(m, &endpoint) >= 0);
        seal(m);

        assert_true(sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE) > 0);
        assert_int_equal(status_message_read(m, &got), 1);
        assert_statuses_equal(status_fields, n_status_fields, &sent, &got);
        assert_int_equal(status_message_read(m, &got), 1);
        assert_statuses_equal(status_fields, n_status_fields, &empty, &got);
        assert_int_equal(status_message_read(m, &got), 0);
        assert_true(sd_bus_message_exit_container(m) >= 0);
        assert_int_equal(status_message_read_endpoint(m, &got_endpoint), 1);
        assert_statuses_equal(endpoint_status_fields, n_endpoint_status_fields, &endpoint, &got_endpoint);
        teardown_world(&w);
}

/* What is no UTF-8, or would do something to a terminal, does not reach the bus: it would cost the connection. */
static void test_status_message_cleans_texts(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain", "plain" },
                { "", "" },
                { "na\xc3\xafve", "na\xc3\xafve" },
                { "cut \xc3", "cut \xef\xbf\xbd" },
                { "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
                { "two\nlines\t\x1b[31m", "two lines ?[31m" },
                { "surrogate \xed\xa0\x80", "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        };
        BusWorld w;

        setup_with(&w, 1, NULL, NULL);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_signal(&w);
                ControlStatus s = { .why = cases[i].in }, got;

                assert_true(status_message_append(m, &s) >= 0);
                seal(m);
                assert_int_equal(status_message_read(m, &got), 1);
                assert_string_equal(got.why, cases[i].out);
        }
        teardown_world(&w);
}

static void test_status_message_of_another_version(void **state) {
        ControlStatus got = { .n_unknown = 77 };
        BusWorld w;

        setup_with(&w, 1, NULL, NULL);
        {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_signal(&w);

                assert_true(sd_bus_message_append(m, "a{sv}", 4, "Name", "s", "orders", "Invented", "a(ss)", 1, "x", "y", "Line", "u", 7,
                                                  "AlsoInvented", "d", 1.5) >= 0);
                seal(m);
                assert_int_equal(status_message_read(m, &got), 1);
                assert_string_equal(got.name, "orders");
                assert_int_equal(got.line, 7);
                assert_int_equal(got.n_unknown, 0);
        }

        static const char *const wrong[] = { "Name", "NUnknown", "LockEndUSec", "Frozen" };
        for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_signal(&w);

                assert_true(sd_bus_message_append(m, "a{sv}", 1, wrong[i], "d", 1.5) >= 0);
                seal(m);
                assert_int_equal(status_message_read(m, &got), -EBADMSG);
        }
        {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_signal(&w);

                assert_true(sd_bus_message_append(m, "s", "no dictionary") >= 0);
                seal(m);
                assert_int_equal(status_message_read(m, &got), -EBADMSG);
        }
        teardown_world(&w);
}

static int copy_statuses(void *userdata, const ControlStatus *s) {
        sd_bus_message *m = userdata;

        return status_message_append(m, s);
}

static void test_get_instance(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *expected = NULL;
        ControlStatus a, b;
        sd_bus_message *m;
        BusWorld w;

        setup_with(&w, 3, NULL, NULL);
        fleet_run(&w.fleet, 10 * USEC_PER_SEC);

        m = call(&w, "GetInstance", "s", "i00001");
        assert_string_equal(sd_bus_message_get_signature(m, true), "aa{sv}");
        expected = new_signal(&w);
        assert_true(sd_bus_message_open_container(expected, 'a', STATUS_MESSAGE_TYPE) >= 0);
        assert_int_equal(engine_inspect_instance(w.fleet.engine, "i00001", copy_statuses, expected), 2);
        assert_true(sd_bus_message_close_container(expected) >= 0);
        seal(expected);

        assert_true(sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE) > 0);
        assert_true(sd_bus_message_enter_container(expected, 'a', STATUS_MESSAGE_TYPE) > 0);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(status_message_read(m, &a), 1);
                assert_int_equal(status_message_read(expected, &b), 1);
                assert_string_equal(a.name, "i00001");
                assert_string_equal(a.control, i == 0 ? "encryption" : "lock");
                assert_statuses_equal(status_fields, n_status_fields, &a, &b);
        }
        assert_int_equal(status_message_read(m, &a), 0);

        assert_error(call(&w, "GetInstance", "s", "orders"), BUS_ERROR_NO_SUCH_INSTANCE, "has the name \"orders\"");
        assert_error(call(&w, "GetInstance", "s", "\x1b[31m"), BUS_ERROR_NO_SUCH_INSTANCE, "\"?[31m\"");
        teardown_world(&w);
}

static uint32_t list(BusWorld *w, uint32_t offset, uint32_t limit, const char *filter, size_t *ret_n, char first[static 64]) {
        sd_bus_message *m = call(w, "ListInstances", "uus", offset, limit, filter);
        uint32_t total = read_number(m);
        ControlStatus s;

        *ret_n = 0;
        first[0] = '\0';
        assert_true(sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE) > 0);
        while (status_message_read(m, &s) > 0)
                if ((*ret_n)++ == 0)
                        (void) snprintf(first, 64, "%.30s/%.30s", s.name, s.control);
        return total;
}

static void test_list_instances(void **state) {
        char first[64];
        BusWorld w;
        size_t n;

        setup_with(&w, 1200, "mode: observe\n", NULL);
        w.fleet.instances[1000].encryption_off = true;
        fleet_run(&w.fleet, 30 * USEC_PER_SEC);

        assert_int_equal(list(&w, 0, 10, "all", &n, first), 2400);
        assert_int_equal(n, 10);
        assert_string_equal(first, "i00000/encryption");
        assert_int_equal(list(&w, 2399, 10, "all", &n, first), 2400);
        assert_int_equal(n, 1);
        assert_string_equal(first, "i01199/lock");
        assert_int_equal(list(&w, 0, UINT32_MAX, "all", &n, first), 2400);
        assert_int_equal(n, BUS_PAGE_MAX);
        assert_int_equal(list(&w, UINT32_MAX, UINT32_MAX, "all", &n, first), 2400);
        assert_int_equal(n, 0);
        assert_int_equal(list(&w, 0, 0, "all", &n, first), 2400);
        assert_int_equal(n, 0);
        assert_int_equal(list(&w, 0, 10, "violated", &n, first), 1);
        assert_string_equal(first, "i01000/encryption");
        assert_int_equal(list(&w, 0, 10, "not-compliant", &n, first), 1);
        assert_int_equal(list(&w, 0, 10, "compliant", &n, first), 2399);
        assert_int_equal(list(&w, 0, 10, "unknown", &n, first), 0);
        assert_int_equal(list(&w, 700, 10, "renewals", &n, first), 1200);
        assert_string_equal(first, "i00700/lock");

        assert_error(call(&w, "ListInstances", "uus", 0, 10, "some"), BUS_ERROR_BAD_FILTER, "expected all, compliant");
        assert_error(call(&w, "ListInstances", "uus", 0, 10, ""), BUS_ERROR_BAD_FILTER, "Found filter \"\"");
        teardown_world(&w);
}

static void test_list_endpoints(void **state) {
        EndpointStatus s;
        sd_bus_message *m;
        BusWorld w;

        setup_with(&w, 2, NULL, NULL);
        fleet_run(&w.fleet, 10 * USEC_PER_SEC);
        m = call(&w, "ListEndpoints", "");
        assert_true(sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE) > 0);
        assert_int_equal(status_message_read_endpoint(m, &s), 1);
        assert_string_equal(s.service, "taurusdb");
        assert_non_null(strstr(s.origin, "https://"));
        assert_true(s.contact_at_usec >= FLEET_T0);
        assert_int_equal(status_message_read_endpoint(m, &s), 0);
        teardown_world(&w);
}

static void test_acting(void **state) {
        EngineCounts counts;
        BusWorld w;

        setup_with(&w, 3, NULL, NULL);
        fleet_run(&w.fleet, 10 * USEC_PER_SEC);

        w.reload.n_rejected = 4;
        assert_int_equal(read_number(call(&w, "Reload", "")), 4);
        assert_int_equal(w.n_reloads, 1);

        w.reload.result = -EBADMSG;
        (void) snprintf(w.reload.problem, sizeof(w.reload.problem), "holdfast.yaml:1:1: regoin: found an unknown key");
        assert_error(call(&w, "Reload", ""), BUS_ERROR_RELOAD_FAILED, "regoin");
        w.reload.problem[0] = '\0';
        w.reload.result = -EACCES;
        assert_error(call(&w, "Reload", ""), BUS_ERROR_RELOAD_FAILED, "Permission denied");
        w.reload_result = -ENOMEM;
        assert_error(call(&w, "Reload", ""), BUS_ERROR_RELOAD_FAILED, strerror(ENOMEM));

        assert_int_equal(read_number(call(&w, "Reconcile", "as", 2, "i00000", "i00002")), 4);
        assert_int_equal(w.n_acted, 1);
        fleet_step(&w.fleet);
        engine_counts(w.fleet.engine, &counts);
        assert_int_equal(read_number(call(&w, "Reconcile", "as", 0)), 6);
        assert_int_equal(w.n_acted, 2);
        assert_error(call(&w, "Reconcile", "as", 2, "i00000", "nobody"), BUS_ERROR_NO_SUCH_INSTANCE, "nobody");
        assert_int_equal(w.n_acted, 2);

        assert_int_equal(read_number(call(&w, "Thaw", "s", "")), 0);
        assert_error(call(&w, "Thaw", "s", "https://elsewhere.example.com"), BUS_ERROR_NO_SUCH_ENDPOINT, "elsewhere");

        w.facts.stopping = true;
        assert_error(call(&w, "Reload", ""), BUS_ERROR_STOPPING, "stopping");
        assert_error(call(&w, "Reconcile", "as", 0), BUS_ERROR_STOPPING, "stopping");
        assert_error(call(&w, "Thaw", "s", ""), BUS_ERROR_STOPPING, "stopping");
        assert_int_equal(w.n_reloads, 3);
        teardown_world(&w);
}

typedef struct Asker {
        unsigned n_answers;
        uint32_t rejected;
        char error[128];
} Asker;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        Asker *a = userdata;

        a->n_answers++;
        if (e)
                (void) snprintf(a->error, sizeof(a->error), "%s", e->name);
        else
                assert_true(sd_bus_message_read_basic(m, 'u', &a->rejected) > 0);
        return 0;
}

static void ask_for_reload(BusWorld *w, Asker *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_call(w, BUS_INTERFACE, "Reload");
        unsigned n = w->n_reloads;

        assert_true(sd_bus_call_async(w->client, NULL, m, on_answer, a, 10 * USEC_PER_SEC) >= 0);
        while (w->n_reloads == n)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) >= 0);
}

static void answer_reload(BusWorld *w, uint64_t number, const BusReload *outcome, const unsigned *n_answers) {
        unsigned n = *n_answers;

        bus_answer_reload(w->bus, number, outcome);
        while (*n_answers == n)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) >= 0);
}

/* Each is answered by the reload that has read what there was when it asked, and no earlier; and all else is answered meanwhile. */
static void test_several_wait_for_reloads(void **state) {
        Asker askers[4] = {};
        BusWorld w;

        setup_with(&w, 3, NULL, NULL);
        w.reload_held = true;
        for (size_t i = 0; i < N_ELEMENTS(askers); i++)
                ask_for_reload(&w, &askers[i]);
        assert_int_equal(read_number(call(&w, "Reconcile", "as", 1, "i00000")), 2);
        for (size_t i = 0; i < N_ELEMENTS(askers); i++)
                assert_int_equal(askers[i].n_answers, 0);

        answer_reload(&w, 2, &(BusReload) { .n_rejected = 7 }, &askers[0].n_answers);
        assert_int_equal(read_number(call(&w, "Reconcile", "as", 1, "i00000")), 2);
        assert_int_equal(askers[0].n_answers + askers[1].n_answers, 2);
        assert_int_equal(askers[0].rejected + askers[1].rejected, 14);
        assert_int_equal(askers[2].n_answers + askers[3].n_answers, 0);

        answer_reload(&w, 3, &(BusReload) { .result = -EBADMSG }, &askers[2].n_answers);
        assert_string_equal(askers[2].error, BUS_ERROR_RELOAD_FAILED);
        assert_int_equal(askers[3].n_answers, 0);
        answer_reload(&w, 5, &(BusReload) { .result = -ECANCELED }, &askers[3].n_answers);
        assert_string_equal(askers[3].error, BUS_ERROR_STOPPING);

        ask_for_reload(&w, &askers[0]); /* and never answered: the daemon ends */
        teardown_world(&w);
}

static uint64_t get_number(BusWorld *w, const char *property, char type) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_call(w, "org.freedesktop.DBus.Properties", "Get");
        sd_bus_message *reply;
        uint32_t u = 0;
        uint64_t t = 0;

        assert_true(sd_bus_message_append(m, "ss", BUS_INTERFACE, property) >= 0);
        reply = exchange(w, m);
        assert_false(sd_bus_message_is_method_error(reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'v', (char[]) { type, '\0' }) > 0);
        assert_true(sd_bus_message_read_basic(reply, type, type == 't' ? (void *) &t : (void *) &u) > 0);
        return type == 't' ? t : u;
}

static void test_properties(void **state) {
        BusWorld w;

        setup_with(&w, 4, "mode: observe\n", NULL);
        w.facts.n_rejected = 3;
        w.facts.started_usec = FLEET_T0;
        w.fleet.instances[1].encryption_off = true;
        w.fleet.instances[2].refused = true;
        fleet_run(&w.fleet, 10 * USEC_PER_SEC);

        assert_int_equal(get_number(&w, "NPolicies", 'u'), 4);
        assert_int_equal(get_number(&w, "NRejected", 'u'), 3);
        assert_int_equal(get_number(&w, "NControls", 'u'), 8);
        assert_int_equal(get_number(&w, "NCompliant", 'u'), 5);
        assert_int_equal(get_number(&w, "NViolated", 'u'), 1);
        assert_int_equal(get_number(&w, "NUnknown", 'u'), 2);
        assert_int_equal(get_number(&w, "NFrozen", 'u'), 0);
        assert_int_equal(get_number(&w, "NextLockUSec", 't'), FLEET_T0 + 23 * USEC_PER_DAY);
        assert_int_equal(get_number(&w, "StartedUSec", 't'), FLEET_T0);
        assert_int_equal(get_number(&w, "CredentialsExpireUSec", 't'), USEC_INFINITY);
        assert_int_equal(get_number(&w, "StateFailing", 'b'), 0);
        w.facts.state_failing = true;
        assert_int_equal(get_number(&w, "StateFailing", 'b'), 1);
        assert_int_equal(get_number(&w, "SettingsRejected", 'b'), 0);
        w.facts.settings_rejected = true;
        assert_int_equal(get_number(&w, "SettingsRejected", 'b'), 1);
        assert_int_equal(get_number(&w, "PoliciesRejected", 'b'), 0);
        w.facts.policies_rejected = true;
        assert_int_equal(get_number(&w, "PoliciesRejected", 'b'), 1);
        teardown_world(&w);
}

/* Turns the loop until nothing comes any more for a moment. */
static void settle(BusWorld *w, usec_t for_usec) {
        while (sd_event_run(w->event, for_usec) > 0)
                ;
}

/* Turns the loop until @counter is @n, however slow this machine is; the runner ends a test that hangs. */
static void await(BusWorld *w, const unsigned *counter, unsigned n) {
        while (*counter < n)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) >= 0);
        assert_int_equal(*counter, n);
}

static void test_signals(void **state) {
        BusWorld w;

        setup_with(&w, 50, NULL, NULL);
        fleet_run(&w.fleet, 10 * USEC_PER_SEC);
        await(&w, &w.n_control_changed, 100);   /* every control, once */

        /* A hundred changes, and the counts are told once. */
        await(&w, &w.n_properties_changed, 1);
        settle(&w, 1500 * USEC_PER_MSEC);

        bus_note_reloaded(w.bus);
        await(&w, &w.n_reloaded, 1);
        settle(&w, 1500 * USEC_PER_MSEC);       /* nothing else has changed */
        assert_int_equal(w.n_control_changed, 100);
        assert_int_equal(w.n_properties_changed, 1);
        assert_int_equal(w.n_reloaded, 1);
        assert_int_equal(w.n_other_signals, 0);
        teardown_world(&w);
}

static void test_nonsense(void **state) {
        static const struct {
                const char *path, *interface, *member, *types;
        } cases[] = {
                { BUS_PATH, BUS_INTERFACE, "GetInstance", "" },
                { BUS_PATH, BUS_INTERFACE, "GetInstance", "u" },
                { BUS_PATH, BUS_INTERFACE, "ListInstances", "u" },
                { BUS_PATH, BUS_INTERFACE, "ListInstances", "uu" },
                { BUS_PATH, BUS_INTERFACE, "Reload", "u" },
                { BUS_PATH, BUS_INTERFACE, "Reconcile", "u" },
                { BUS_PATH, BUS_INTERFACE, "Explode", "" },
                { BUS_PATH, "org.holdfast1.Other", "Reload", "" },
                { BUS_PATH "/sub", BUS_INTERFACE, "Reload", "" },
                { "/", BUS_INTERFACE, "Reload", "" },
        };
        BusWorld w;

        setup_with(&w, 1, NULL, NULL);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                print_message("%s %s %s(%s)\n", cases[i].path, cases[i].interface, cases[i].member, cases[i].types);
                assert_true(sd_bus_message_new_method_call(w.client, &m, NULL, cases[i].path, cases[i].interface, cases[i].member) >= 0);
                for (const char *t = cases[i].types; *t; t++)
                        assert_true(sd_bus_message_append(m, "u", 1) >= 0);
                assert_true(sd_bus_message_is_method_error(exchange(&w, m), NULL));
        }
        assert_int_equal(w.n_reloads, 0);

        /* It is none the worse for it. */
        assert_int_equal(get_number(&w, "NPolicies", 'u'), 1);

        /* Nor when the caller goes away in the middle. */
        for (size_t i = 0; i < 100; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_call(&w, BUS_INTERFACE, "ListInstances");

                assert_true(sd_bus_message_append(m, "uus", 0, 1000, "all") >= 0);
                assert_true(sd_bus_send(w.client, m, NULL) >= 0);
        }
        sd_bus_close(w.client);
        settle(&w, 100 * USEC_PER_MSEC);
        fleet_run(&w.fleet, USEC_PER_MINUTE);
        teardown_world(&w);
}

static void test_caller_of_reload_goes_away(void **state) {
        Asker asker = {};
        BusWorld w;

        setup_with(&w, 1, NULL, NULL);
        w.reload_held = true;
        ask_for_reload(&w, &asker);
        sd_bus_close(w.client);
        bus_answer_reload(w.bus, 1, &(BusReload) {});
        settle(&w, 100 * USEC_PER_MSEC);
        teardown_world(&w);
}

static char *read_file(const char *path) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = fopen(path, "re");

        assert_non_null(f);
        assert_true(getdelim(&text, &n, '\0', f) > 0);
        assert_int_equal(fclose(f), 0);
        return text;
}

/* The page names every key with its type, and everything that can be introspected. */
static void test_manual_has_it_all(void **state) {
        static const struct {
                const char *begin, *attribute;
        } kinds[] = { { "<method name=\"", "(" }, { "<property name=\"", "" }, { "<signal name=\"", "(" } };
        _cleanup_(freep) char *page = read_file(HOLDFAST_SOURCE_DIR "/man/org.holdfast1.5");
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char expected[128];
        const char *xml, *p;
        BusWorld w;

        for (size_t i = 0; i < n_status_fields + n_endpoint_status_fields; i++) {
                const StatusField *f = i < n_status_fields ? &status_fields[i] : &endpoint_status_fields[i - n_status_fields];
                static const char types[] = { [STATUS_TEXT] = 's', [STATUS_BOOL] = 'b', [STATUS_UINT] = 'u', [STATUS_UINT64] = 't',
                                              [STATUS_TIME] = 't', [STATUS_DURATION] = 't' };

                (void) snprintf(expected, sizeof(expected), "\n.TP\n.BR %s \" (\" %c )\n", f->key, types[f->type]);
                if (!strstr(page, expected))
                        fail_msg("org.holdfast1(5) does not have %s (%c)", f->key, types[f->type]);
        }

        setup_with(&w, 1, NULL, NULL);
        m = new_call(&w, "org.freedesktop.DBus.Introspectable", "Introspect");
        assert_true(sd_bus_message_read_basic(exchange(&w, m), 's', &xml) > 0);
        xml = strstr(xml, "<interface name=\"" BUS_INTERFACE "\"");
        assert_non_null(xml);
        for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
                size_t n = 0;

                for (p = xml; (p = strstr(p, kinds[i].begin)); n++) {
                        p += strlen(kinds[i].begin);
                        (void) snprintf(expected, sizeof(expected), "%.*s", (int) strcspn(p, "\""), p);
                        if (!strstr(page, expected))
                                fail_msg("org.holdfast1(5) does not have %s", expected);
                }
                assert_true(n >= 2);
        }
        teardown_world(&w);
}

static void test_keys_are_unique(void **state) {
        for (size_t i = 0; i < n_status_fields; i++)
                for (size_t k = 0; k < i; k++) {
                        assert_string_not_equal(status_fields[i].key, status_fields[k].key);
                        assert_string_not_equal(status_fields[i].json_key, status_fields[k].json_key);
                        assert_int_not_equal(status_fields[i].offset, status_fields[k].offset);
                }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_status_message_there_and_back),
                cmocka_unit_test(test_status_message_cleans_texts),
                cmocka_unit_test(test_status_message_of_another_version),
                cmocka_unit_test(test_get_instance),
                cmocka_unit_test(test_list_instances),
                cmocka_unit_test(test_list_endpoints),
                cmocka_unit_test(test_acting),
                cmocka_unit_test(test_several_wait_for_reloads),
                cmocka_unit_test(test_caller_of_reload_goes_away),
                cmocka_unit_test(test_properties),
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_manual_has_it_all),
                cmocka_unit_test(test_keys_are_unique),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
