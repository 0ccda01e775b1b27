/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/names.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/source.h"
#include "store/store.h"

/*
 * reload, reconcile, thaw: an administrator's word to the daemon.
 */

static int print_number(const CtlOptions *o, const char *key, unsigned n, const char *format_one, const char *format_many) {
        _cleanup_(json_putp) json_object *document = NULL;

        if (!o->json) {
                (void) printf("%u %s\n", n, n == 1 ? format_one : format_many);
                return EXIT_SUCCESS;
        }

        document = json_object_new_object();
        return ctl_json_print(ctl_json_add_int(document, key, n) < 0 ? NULL : document);
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

        if (argc < 1)
                return ctl_usage("reconcile: which instances? '*' means all");
        if (argv[0][0] == '-')
                return ctl_usage("reconcile: unknown option '%s'", argv[0]);

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

/* On the state of a daemon that is stopped. */
static int thaw_state(const CtlOptions *o, const char *origin, unsigned *ret) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(freep) char *set_aside = NULL;
        int r, thawed;

        if (access(o->state, F_OK) < 0) {
                r = -errno;
                ctl_complain("%s: %s", o->state, strerror(-r));
                return r;
        }

        r = store_open(o->state, &store, &set_aside);
        if (r == -EBUSY) {
                ctl_complain("%s: holdfastd is running, but not on the bus: systemctl stop holdfast, thaw, start it again", o->state);
                return r;
        }
        if (set_aside)
                ctl_complain("%s: the database was broken and was set aside as %s", o->state, set_aside);

        thawed = r < 0 ? r : store_thaw(store, origin);
        if (thawed >= 0)
                r = store_dirty(store) ? store_commit(store) : 0;
        if (thawed < 0 || r < 0) {
                r = thawed < 0 ? thawed : r;
                ctl_complain("%s: %s", o->state, strerror(-r));
                return r == -ENOENT ? -EIO : r;
        }

        *ret = (unsigned) thawed;
        return 0;
}

int verb_thaw(const CtlOptions *o, int argc, char *argv[]) {
        _cleanup_(client_closep) sd_bus *bus = NULL;
        unsigned n = 0;
        int r;

        if (argc > 1)
                return ctl_usage("thaw: unexpected argument '%s'", argv[1]);
        if (argc > 0 && argv[0][0] == '-')
                return ctl_usage("thaw: unknown option '%s'", argv[0]);

        r = o->state_given ? -ENODEV : client_open(&bus);
        if (r >= 0)
                r = call_for_number(bus, "Thaw", argc > 0 ? argv[0] : "", &n);
        if (r == -ENODEV)
                r = thaw_state(o, argc > 0 ? argv[0] : NULL, &n);
        if (r < 0)
                return r == -EBUSY ? EXIT_FAILURE : source_exit(r);

        return print_number(o, "thawed", n, "endpoint thawed", "endpoints thawed");
}
