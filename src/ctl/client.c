/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/time-util.h"
#include "bus/names.h"

#define READ_TIMEOUT_USEC (10 * USEC_PER_SEC)   /* the daemon answers at once, or hangs */
#define ACT_TIMEOUT_USEC (2 * USEC_PER_MINUTE)  /* a reload of ten thousand policies; a person who types a password */

int client_open(sd_bus **ret) {
        sd_bus *bus = NULL;

        assert(ret);

        if (sd_bus_open_system(&bus) < 0)
                return -ENODEV;

        *ret = bus;
        return 0;
}

int client_complain_missing(void) {
        ctl_complain("holdfastd is not running, or not on the system bus: systemctl status holdfast");
        return -ENODEV;
}

/* Errors for which there is a better sentence than the bus has. */
static int complain(const char *method, const sd_bus_error *e, int r) {
        static const char *const missing[] = { SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_SERVER };

        for (size_t i = 0; i < N_ELEMENTS(missing); i++)
                if (sd_bus_error_has_name(e, missing[i]))
                        return -ENODEV;
        if (r == -ENOTCONN || r == -ECONNRESET)
                return -ENODEV;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED)) {
                ctl_complain("%s: not allowed: root and members of group holdfast may look, root alone may act", method);
                return -EACCES;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)) {
                ctl_complain("%s: not allowed without authorization, and nobody is there to be asked for it", method);
                return -EACCES;
        }
        if (sd_bus_error_has_name(e, BUS_ERROR_NO_SUCH_INSTANCE) || sd_bus_error_has_name(e, BUS_ERROR_NO_SUCH_ENDPOINT))
                r = -ENOENT;

        ctl_complain("%s: %s", method, e->message ? e->message : strerror(-r));
        return r;
}

/* @expected: name of an error that is an answer; NULL: none is. Return: 1; 0 for that error; -errno. */
static int call(sd_bus *bus, sd_bus_message *m, bool acts, const char *expected, sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char method[128];       /* the message's own moves when it is sent */
        int r;

        (void) snprintf(method, sizeof(method), "%s", sd_bus_message_get_member(m));
        r = sd_bus_message_set_allow_interactive_authorization(m, acts);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, 0);        /* who only looks starts nothing */
        if (r < 0) {
                ctl_complain("%s: %s", method, strerror(-r));
                return r;
        }

        r = sd_bus_call(bus, m, acts ? ACT_TIMEOUT_USEC : READ_TIMEOUT_USEC, &error, ret);
        if (r >= 0)
                return 1;
        return expected && sd_bus_error_has_name(&error, expected) ? 0 : complain(method, &error, r);
}

int client_send(sd_bus *bus, sd_bus_message *m, bool acts, sd_bus_message **ret) {
        int r = call(bus, m, acts, NULL, ret);

        return MIN(r, 0);
}

int client_try(sd_bus *bus, const char *interface, const char *method, const char *expected, sd_bus_message **ret, const char *text) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, interface, method);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", text);
        if (r < 0) {
                ctl_complain("%s: %s", method, strerror(-r));
                return r;
        }

        return call(bus, m, false, expected, ret);
}

int client_call(sd_bus *bus, const char *interface, const char *method, bool acts, sd_bus_message **ret, const char *types, ...) {
        _cleanup_(message_unrefp) sd_bus_message *m = NULL;
        va_list ap;
        int r;

        assert(bus);
        assert(method);

        r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, interface, method);
        if (r >= 0 && *types) {
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
        }
        if (r < 0) {
                ctl_complain("%s: %s", method, strerror(-r));
                return r;
        }

        return client_send(bus, m, acts, ret);
}
