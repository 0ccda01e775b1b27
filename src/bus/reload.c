/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "bus/bus-internal.h"
#include "bus/names.h"
#include "report/clean.h"

/*
 * Those who wait for a reload to end. It takes its time, and others may ask for one meanwhile: each is answered by the first that began after it
 * asked.
 */

#define WAITING_MAX 1024        /* as many as may wait to be allowed */

struct Waiting {
        sd_bus_message *message;
        uint64_t number;        /* of the reload */
        Waiting *next;
};

static void waiting_free(Bus *b, Waiting *w) {
        b->n_waiting--;
        sd_bus_message_unref(w->message);
        free(w);
}

void reload_forget(Bus *b) {
        while (b->waiting) {
                Waiting *w = b->waiting;

                b->waiting = w->next;
                waiting_free(b, w);
        }
}

int reload_act(Bus *b, sd_bus_message *m, sd_bus_error *reterr) {
        uint64_t number;
        Waiting *w;
        int r;

        if (b->n_waiting >= WAITING_MAX)
                return sd_bus_error_set(reterr, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls wait for a reload, try again later");

        w = malloc(sizeof(*w));
        if (!w)
                return -ENOMEM;
        r = b->host.reload(b->host.userdata, &number);
        if (r < 0) {
                free(w);
                return sd_bus_error_set(reterr, BUS_ERROR_RELOAD_FAILED, strerror(-r));
        }

        *w = (Waiting) { .message = sd_bus_message_ref(m), .number = number, .next = b->waiting };
        b->waiting = w;
        b->n_waiting++;
        return 1;       /* it is replied to later */
}

/* Whether anybody is left to hear it is not our concern. */
static void reply(sd_bus_message *m, const BusReload *outcome) {
        char text[sizeof(outcome->problem)];

        if (outcome->result >= 0) {
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) MIN(outcome->n_rejected, (size_t) UINT32_MAX));
                return;
        }
        if (outcome->result == -ECANCELED) {
                (void) sd_bus_reply_method_errorf(m, BUS_ERROR_STOPPING, "holdfastd is stopping");
                return;
        }

        (void) clean_text(outcome->problem[0] ? outcome->problem : strerror(-outcome->result), text, sizeof(text));
        (void) sd_bus_reply_method_errorf(m, BUS_ERROR_RELOAD_FAILED, "%s", text);
}

void bus_answer_reload(Bus *b, uint64_t number, const BusReload *outcome) {
        assert(outcome);

        if (!b)         /* --once */
                return;

        for (Waiting **p = &b->waiting; *p;) {
                Waiting *w = *p;

                if (w->number > number) {
                        p = &w->next;
                        continue;
                }
                reply(w->message, outcome);
                *p = w->next;
                waiting_free(b, w);
        }
}
