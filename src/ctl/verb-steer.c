/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/names.h"
#include "cloud/endpoints.h"
#include "ctl/client.h"
#include "ctl/config.h"
#include "ctl/json.h"
#include "ctl/source.h"
#include "store/store.h"

/*
 * reload, reconcile, thaw: an administrator's word to the daemon.
 */

/* @one, @many: in words, not for JSON. */
static int print_number(const CtlOptions *o, const char *key, unsigned n, const char *one, const char *many) {
        _cleanup_(json_putp) json_object *document = NULL;

        if (!o->json) {
                (void) printf("%u %s\n", n, n == 1 ? one : many);
                return EXIT_SUCCESS;
        }

        document = json_object_new_object();
        return ctl_json_print(ctl_json_add_int(document, key, n) < 0 ? NULL : document);
}

/* "--": what follows are no options. */
static void skip_dashes(int *argc, char ***argv) {
        if (*argc > 0 && streq((*argv)[0], "--")) {
                (*argc)--;
                (*argv)++;
        }
}

/* Calls a method that answers with a number. */
static int call_for_number(sd_bus *bus, const char *method, const char *argument, unsigned *ret) {
        _cleanup_(message_unrefp) sd_bus_message *reply = NULL;
        uint32_t n;
        int r;

        r = client_call(bus, BUS_INTERFACE, method, true, &reply, "s", argument);
        if (r < 0)
                return r;

        r = sd_bus_message_read(reply, "u", &n);
        if (r < 0) {
                ctl_complain("%s: %s", method, strerror(-r));
                return r;
        }

        *ret = n;
        return 0;
}

int verb_reload(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(client_closep) sd_bus *bus = NULL;
        uint32_t n = 0;
        int r;

        if (argc > 0)
                return ctl_usage("reload: unexpected argument '%s'", argv[0]);

        r = client_open(&bus);
        if (r >= 0)
                r = client_call(bus, BUS_INTERFACE, "Reload", true, &reply, "");
        if (r == -ENODEV)
                r = client_complain_missing();
        if (r >= 0)
                r = sd_bus_message_read_basic(reply, 'u', &n);
        if (r < 0)
                return source_exit(r);

        if (o->json && print_number(o, "rejected", n, NULL, NULL) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        if (n > 0)
                ctl_complain("%" PRIu32 " polic%s rejected: holdfastctl check says why", n, n == 1 ? "y was" : "ies were");
        return n > 0 ? EXIT_SOMETHING : EXIT_SUCCESS;
}

/* Names as the daemon knows them, each once; none means all of them, however many. */
static int reconcile_message(sd_bus *bus, const Fleet *f, bool all, sd_bus_message **ret) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Reconcile");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < f->n_items && r >= 0 && !all; i++)
                if (i == 0 || !streq(f->items[i].name, f->items[i - 1].name))
                        r = sd_bus_message_append(m, "s", f->items[i].name);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;

        *ret = STEAL(m);
        return 0;
}

int verb_reconcile(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(client_closep) sd_bus *bus = NULL;
        _cleanup_(fleet_freep) Fleet *f = NULL;
        size_t n_all = 0;
        uint32_t n = 0;
        int r;

        if (argc > 0 && argv[0][0] == '-' && !streq(argv[0], "--"))
                return ctl_usage("reconcile: unknown option '%s'", argv[0]);
        skip_dashes(&argc, &argv);
        if (argc < 1)
                return ctl_usage("reconcile: which instances? '*' means all");

        r = fleet_new(&f);
        if (r >= 0)
                r = client_open(&bus);
        if (r >= 0)
                r = source_bus_read(o, NULL, 0, f);
        if (r == -ENODEV)
                r = client_complain_missing();
        if (r >= 0) {
                n_all = f->n_items;
                fleet_sort(f);
                r = fleet_select(f, argv, (size_t) argc);
        }
        if (r >= 0)
                r = reconcile_message(bus, f, f->n_items == n_all, &m);
        if (r >= 0)
                r = client_send(bus, m, true, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &n);
        if (r < 0)
                return source_exit(r);

        return print_number(o, "reconciled", n, "control is looked at now", "controls are looked at now");
}

/* --- thaw --------------------------------------------------------------------------------------------------------- */

/* Endpoints are compared as they are meant: scheme and host in any case, with a slash at the end or not. */
typedef struct Sought {
        char *origins[SERVICE__MAX];    /* normalised, as each service has it; NULL: it cannot be one of that service's */
        const char *given;
        const char *found;              /* as it is known */
        char *kept;                     /* what @found points to, where it must be kept */
} Sought;

typedef struct Thaw {
        Store *store;
        const char *origin;             /* NULL: all that are frozen */
} Thaw;

static int sought_init(const char *given, Sought *ret) {
        const char *error;
        int r;

        *ret = (Sought) { .given = given };
        for (Service s = 0; s < SERVICE__MAX; s++) {
                r = endpoint_check(s, given, &ret->origins[s], &error);
                if (r == -ENOMEM)
                        return r;
        }

        return 0;
}

static void sought_done(Sought *s) {
        for (size_t i = 0; i < SERVICE__MAX; i++)
                free(s->origins[i]);
        free(s->kept);
}

static bool sought_is(const Sought *s, const char *origin) {
        if (streq(s->given, origin))
                return true;
        for (size_t i = 0; i < SERVICE__MAX; i++)
                if (s->origins[i] && streq(s->origins[i], origin))
                        return true;

        return false;
}

static int seek_record(void *userdata, const StateRecord *record) {
        Sought *s = userdata;

        if (record->kind != STATE_ENDPOINT || s->found || !sought_is(s, record->endpoint.origin))
                return 0;

        s->kept = strdup(record->endpoint.origin);
        s->found = s->kept;
        return s->kept ? 0 : -ENOMEM;
}

/* Does a policy ask there? Then there is nothing to thaw, but it is no mistake. */
static bool is_configured(const CtlOptions *o, const Sought *s) {
        _cleanup_(config_done) Config config = {};

        if (config_load(o, &config) < 0)
                return false;
        for (size_t i = 0; i < config.policies->n_instances; i++)
                for (Control c = 0; c < CONTROL__MAX; c++) {
                        const Instance *p = config.policies->instances[i];
                        const char *origin = instance_has(p, c) ? config_endpoint(config.settings, p, c) : NULL;

                        if (origin && sought_is(s, origin))
                                return true;
                }

        return false;
}

/* The history tells of it, as it would if the daemon had been told. */
static int note_thaw(void *userdata, const StateRecord *record) {
        const Thaw *t = userdata;
        char detail[THAWED_TEXT_MAX];
        StateRecord line = { .kind = STATE_EVIDENCE, .service = record->service };

        if (record->kind != STATE_ENDPOINT)
                return 0;
        if (t->origin ? !streq(t->origin, record->endpoint.origin) || !(record->endpoint.state->frozen || record->endpoint.state->readings)
                      : !record->endpoint.state->frozen)
                return 0;

        line.evidence.at_usec = source_realtime();
        line.evidence.what = event_type(EVENT_LOCK_THAWED)->name;
        line.evidence.detail = thawed_to_text(record->endpoint.origin, record->endpoint.state->frozen, detail);
        return store_put(t->store, &line);
}

/* On the state of a daemon that is stopped. @sought: NULL: all endpoints. */
static int thaw_state(const CtlOptions *o, Sought *sought, unsigned *ret) {
        _cleanup_(store_freep) Store *store = NULL;
        int r, thawed;
        Thaw thaw;

        r = store_open_existing(o->state, &store);
        if (r == -EBUSY) {
                ctl_complain("%s: holdfastd is running, but not on the bus: systemctl stop holdfast, thaw, start it again", o->state);
                return r;
        }
        if (r >= 0 && sought)
                r = store_load(store, seek_record, sought, NULL);
        if (r < 0)
                return state_complain(o, r);
        if (sought && !sought->found) {
                *ret = 0;
                if (is_configured(o, sought))
                        return 0;
                ctl_complain("%s: no such endpoint", sought->given);
                return -ENOENT;
        }

        thaw = (Thaw) { .store = store, .origin = sought ? sought->found : NULL };
        r = store_load(store, note_thaw, &thaw, NULL);
        thawed = r < 0 ? r : store_thaw(store, thaw.origin);
        r = thawed < 0 ? thawed : store_dirty(store) ? store_commit(store) : 0;
        if (r < 0)
                return state_complain(o, r);

        *ret = (unsigned) thawed;
        return 0;
}

static int thaw_over_bus(sd_bus *bus, Sought *sought, unsigned *ret) {
        _cleanup_(fleet_freep) Fleet *f = NULL;
        int r;

        if (!sought)
                return call_for_number(bus, "Thaw", "", ret);

        r = fleet_new(&f);
        if (r >= 0)
                r = source_bus_endpoints(bus, f);
        if (r < 0)
                return r;

        for (size_t i = 0; i < f->n_endpoints && !sought->found; i++)
                if (f->endpoints[i].origin && sought_is(sought, f->endpoints[i].origin))
                        sought->found = f->endpoints[i].origin;
        r = call_for_number(bus, "Thaw", sought->found ? sought->found : sought->given, ret);
        sought->found = NULL;   /* was the fleet's */
        return r;
}

int verb_thaw(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(client_closep) sd_bus *bus = NULL;
        _cleanup_(sought_done) Sought sought = {};
        bool named;
        unsigned n = 0;
        int r;

        if (argc > 0 && argv[0][0] == '-' && !streq(argv[0], "--"))
                return ctl_usage("thaw: unknown option '%s'", argv[0]);
        skip_dashes(&argc, &argv);
        if (argc > 1)
                return ctl_usage("thaw: unexpected argument '%s'", argv[1]);

        named = argc > 0 && *argv[0];
        r = named ? sought_init(argv[0], &sought) : 0;
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }

        r = o->state_given ? -ENODEV : client_open(&bus);
        if (r >= 0)
                r = thaw_over_bus(bus, named ? &sought : NULL, &n);
        if (r == -ENODEV)
                r = thaw_state(o, named ? &sought : NULL, &n);
        if (r < 0)
                return r == -EBUSY ? EXIT_FAILURE : source_exit(r);

        return print_number(o, "thawed", n, "endpoint thawed", "endpoints thawed");
}
