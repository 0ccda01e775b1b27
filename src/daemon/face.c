/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "daemon/manager-internal.h"

/*
 * What is seen and done over D-Bus.
 */

static Engine *face_engine(void *userdata) {
        Manager *m = userdata;

        return m->engine;
}

static void face_facts(void *userdata, BusFacts *ret) {
        Manager *m = userdata;

        *ret = (BusFacts) {
                .config = m->options->config,
                .state = m->options->state,
                .n_policies = m->policies ? m->policies->n_instances : 0,
                .n_rejected = m->n_rejected,
                .started_usec = m->started_usec,
                .reloaded_usec = m->reloaded_usec,
                .state_failing = !m->store,
                .settings_rejected = m->settings_rejected,
                .policies_rejected = m->policies_rejected,
                .stopping = m->stopping,
        };
}

static int face_reload(void *userdata, uint64_t *ret_number) {
        return manager_reload(userdata, ret_number);
}

static void face_acted(void *userdata) {
        manager_wake(userdata);
}

static void face_say(void *userdata, const Event *event) {
        Manager *m = userdata;

        report_event(m->report, event, now_realtime());
}

int face_open(Manager *m) {
        BusHost host = {
                .userdata = m,
                .engine = face_engine,
                .facts = face_facts,
                .reload = face_reload,
                .acted = face_acted,
                .say = face_say,
        };
        int r;

        r = bus_new(m->event, &host, &m->bus);
        if (r < 0) {
                manager_say(m, EVENT_INTERNAL_ERROR, "D-Bus cannot be set up: %s", strerror(-r));
                return r;
        }

        r = bus_open(m->bus);   /* says what is wrong */
        return r;
}
