/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "bus/names.h"
#include "bus/status-message.h"
#include "ctl/client.h"
#include "ctl/source.h"

/*
 * What the daemon says of itself, page by page.
 */

#define CONTROLS_MAX 10000000   /* more than any daemon has; a list that does not end would fill the memory */

static int complain(const char *what, int r) {
        ctl_complain("%s: %s", what, strerror(-r));
        return r;
}

/* --- The daemon ---------------------------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        char type;
        size_t offset;          /* in FleetInfo */
} properties[] = {
        { "Version",               's', offsetof(FleetInfo, version)                 },
        { "Mode",                  's', offsetof(FleetInfo, mode)                    },
        { "StartedUSec",           't', offsetof(FleetInfo, started_usec)            },
        { "ReloadedUSec",          't', offsetof(FleetInfo, reloaded_usec)           },
        { "NRejected",             'u', offsetof(FleetInfo, n_rejected)              },
        { "NInFlight",             'u', offsetof(FleetInfo, n_in_flight)             },
        { "NextLookUSec",          't', offsetof(FleetInfo, next_look_usec)          },
        { "ContactAtUSec",         't', offsetof(FleetInfo, contact_at_usec)         },
        { "CredentialsSource",     's', offsetof(FleetInfo, credentials_source)      },
        { "CredentialsState",      's', offsetof(FleetInfo, credentials_state)       },
        { "CredentialsExpireUSec", 't', offsetof(FleetInfo, credentials_expire_usec) },
        { "StateFailing",          'b', offsetof(FleetInfo, state_failing)           },
        { "SettingsRejected",      'b', offsetof(FleetInfo, settings_rejected)       },
        { "PoliciesRejected",      'b', offsetof(FleetInfo, policies_rejected)       },
};

/* A property that is not known, or of another type than it was: a daemon may be newer. */
static int read_property(Fleet *f, sd_bus_message *m, const char *name) {
        const char *contents;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;

        for (size_t i = 0; i < N_ELEMENTS(properties); i++) {
                char *member = (char *) &f->info + properties[i].offset;
                const char type[] = { properties[i].type, '\0' };
                const char *s;
                int b;

                if (!streq(properties[i].name, name) || !streq(contents, type))
                        continue;
                switch (properties[i].type) {
                case 's':
                        r = sd_bus_message_read(m, "v", "s", &s);
                        if (r >= 0 && *s)
                                *(const char **) (void *) member = fleet_text(f, s);
                        return r;
                case 'b':
                        r = sd_bus_message_read(m, "v", "b", &b);
                        if (r >= 0)
                                *(bool *) member = b;
                        return r;
                default:
                        return sd_bus_message_read(m, "v", type, member);
                }
        }

        return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus *bus, Fleet *f) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_call(bus, "org.freedesktop.DBus.Properties", "GetAll", false, &m, "s", BUS_INTERFACE);
        if (r < 0)
                return r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0)
                        r = read_property(f, m, name);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? complain("GetAll", r) : 0;
}

/* --- Controls ------------------------------------------------------------------------------------------------------ */

/* The dictionaries of an array. Return: how many, or -errno. */
static int read_controls(sd_bus_message *m, Fleet *f) {
        ControlStatus status;
        int r, n = 0;

        r = sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE);
        while (r >= 0 && (r = status_message_read(m, &status)) > 0) {
                r = fleet_add(f, &status);
                n++;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : n;
}

static int list_controls(sd_bus *bus, Fleet *f) {
        uint32_t total = 0, offset = 0;
        int n;

        do {
                _cleanup_(message_unrefp) sd_bus_message *m = NULL;
                int r;

                r = client_call(bus, BUS_INTERFACE, "ListInstances", false, &m, "uus", offset, (uint32_t) BUS_PAGE_MAX, "all");
                if (r < 0)
                        return r;

                r = sd_bus_message_read_basic(m, 'u', &total);
                n = r < 0 ? r : read_controls(m, f);
                if (n < 0)
                        return complain("ListInstances", n);
                offset += (uint32_t) n;
        } while (n > 0 && offset < total && offset < CONTROLS_MAX);

        return 0;
}

/* Whole names cost one question each; anything else is compared with the whole list. Return: 1 if all are there. */
static int get_instances(sd_bus *bus, char *const names[], size_t n_names, Fleet *f) {
        for (size_t i = 0; i < n_names; i++) {
                _cleanup_(message_unrefp) sd_bus_message *m = NULL;
                int r;

                r = client_try(bus, BUS_INTERFACE, "GetInstance", BUS_ERROR_NO_SUCH_INSTANCE, &m, names[i]);
                if (r <= 0)
                        return r;
                r = read_controls(m, f);
                if (r < 0)
                        return complain("GetInstance", r);
        }

        return 1;
}

int source_bus_endpoints(sd_bus *bus, Fleet *f) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL;
        EndpointStatus status;
        int r;

        r = client_call(bus, BUS_INTERFACE, "ListEndpoints", false, &m, "");
        if (r < 0)
                return r;

        r = sd_bus_message_enter_container(m, 'a', STATUS_MESSAGE_TYPE);
        while (r >= 0 && (r = status_message_read_endpoint(m, &status)) > 0)
                r = fleet_add_endpoint(f, &status);
        return r < 0 ? complain("ListEndpoints", r) : 0;
}

static int read_all(sd_bus *bus, char *const names[], size_t n_names, Fleet *f) {
        int r;

        r = read_properties(bus, f);
        if (r < 0)
                return r;
        r = source_bus_endpoints(bus, f);
        if (r < 0)
                return r;

        r = n_names > 0 ? get_instances(bus, names, n_names, f) : 0;
        if (r != 0)
                return MIN(r, 0);

        f->n_items = 0;         /* some names were whole ones */
        return list_controls(bus, f);
}

int source_bus_read(const CtlOptions *o, char *const names[], size_t n_names, Fleet *f) {
        _cleanup_(client_closep) sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        if (r >= 0)
                r = read_all(bus, names, n_names, f);
        if (r < 0)
                return r;

        f->info.live = f->info.running = true;
        return 0;
}
