/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "bus/bus-internal.h"

/*
 * Who may act: root, the daemon's own user (who could send it signals anyway), and whom polkit lets. The bus policy keeps others away before
 * that, but is not relied upon. Neither bus nor polkit is waited for: the call waits, the loop turns.
 */

/* Calls that wait at a time; picked: far more than people type, far less than a flood. Those that polkit is asked about are limited by themselves:
 * root does not have to wait for people who do not type their passwords. */
#define PENDING_MAX 1024
#define ASKED_MAX 64
#define ASK_USEC (10 * USEC_PER_SEC)
#define POLKIT_USEC (2 * USEC_PER_MINUTE)       /* a person types a password; picked */

#define POLKIT_INTERACTIVE 1u   /* AllowUserInteraction of CheckAuthorization() */

struct Pending {
        Bus *bus;
        sd_bus_message *message;
        const char *action;
        AuthorityAct act;
        sd_bus_slot *slot;
        bool asked;             /* polkit is */
        Pending *prev, *next;
};

static Pending *pending_free(Pending *p) {
        Bus *b;

        if (!p)
                return NULL;

        b = p->bus;
        if (p->prev)
                p->prev->next = p->next;
        else if (b->pending == p)
                b->pending = p->next;
        if (p->next)
                p->next->prev = p->prev;

        b->n_pending--;
        b->n_asked -= p->asked;
        sd_bus_slot_unref(p->slot);
        sd_bus_message_unref(p->message);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(Pending *, pending_free)

static Pending *pending_new(Bus *b, sd_bus_message *m, const char *action, AuthorityAct act) {
        Pending *p;

        p = malloc(sizeof(*p));
        if (!p)
                return NULL;

        *p = (Pending) { .bus = b, .message = sd_bus_message_ref(m), .action = action, .act = act, .next = b->pending };
        if (p->next)
                p->next->prev = p;
        b->pending = p;
        b->n_pending++;
        return p;
}

void authority_forget(Bus *b) {
        while (b->pending)
                pending_free(b->pending);
}

static int refuse_for_now(sd_bus_error *reterr) {
        return sd_bus_error_set(reterr, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls wait to be allowed, try again later");
}

static bool is_privileged(uid_t uid) {
        return uid == 0 || uid == geteuid();
}

static int deny(sd_bus_error *reterr) {
        return sd_bus_error_set(reterr, SD_BUS_ERROR_ACCESS_DENIED, "Only root may do this, or whom polkit lets");
}

/* Ends a call that has waited. */
static int answer(Pending *taken, int r, sd_bus_error *error) {
        _cleanup_(pending_freep) Pending *p = taken;

        if (r >= 0 && !sd_bus_error_is_set(error))
                r = p->act(p->bus, p->message, error);
        if (r < 0 || sd_bus_error_is_set(error))
                (void) sd_bus_reply_method_errno(p->message, r, error);         /* nobody may be left to hear it */
        return 0;
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r, authorized = 0, challenge = 0;

        if (sd_bus_message_is_method_error(reply, NULL))
                return answer(userdata, deny(&error), &error);  /* no polkit, or it does not know: no */

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r < 0)
                return answer(userdata, r, &error);

        if (!authorized)
                r = challenge ? sd_bus_error_set(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                                 "Interactive authorization is required")
                              : deny(&error);
        return answer(userdata, r, &error);
}

static int ask_polkit(Pending *p) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t flags = sd_bus_message_get_allow_interactive_authorization(p->message) > 0 ? POLKIT_INTERACTIVE : 0;
        int r;

        r = sd_bus_message_new_method_call(p->bus->bus, &m, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                           "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", sd_bus_message_get_sender(p->message),
                                          p->action, 0, flags, "");
        if (r < 0)
                return r;

        p->slot = sd_bus_slot_unref(p->slot);
        return sd_bus_call_async(p->bus->bus, &p->slot, m, on_polkit, p, flags ? POLKIT_USEC : ASK_USEC);
}

static int on_user(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Pending *p = userdata;
        uint32_t uid;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL))
                return answer(p, deny(&error), &error);         /* gone already */

        r = sd_bus_message_read_basic(reply, 'u', &uid);
        if (r < 0)
                return answer(p, r, &error);
        if (is_privileged(uid))
                return answer(p, 0, &error);

        if (p->bus->n_asked >= ASKED_MAX)
                return answer(p, refuse_for_now(&error), &error);

        p->asked = true;
        p->bus->n_asked++;
        r = ask_polkit(p);
        return r < 0 ? answer(p, r, &error) : 0;
}

/* A direct connection has no bus to ask, but a socket that knows. */
static int act_for_peer(Bus *b, sd_bus_message *m, AuthorityAct act, sd_bus_error *reterr) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        int r;

        r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;

        return is_privileged(uid) ? act(b, m, reterr) : deny(reterr);
}

int authority_act(Bus *b, sd_bus_message *m, const char *action, AuthorityAct act, sd_bus_error *reterr) {
        Pending *p;
        int r;

        assert(b);
        assert(m);
        assert(act);

        if (!sd_bus_message_get_sender(m))
                return act_for_peer(b, m, act, reterr);
        if (b->n_pending >= PENDING_MAX)
                return refuse_for_now(reterr);

        p = pending_new(b, m, action, act);
        if (!p)
                return -ENOMEM;

        r = sd_bus_call_method_async(b->bus, &p->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_user, p, "s", sd_bus_message_get_sender(m));
        if (r < 0) {
                pending_free(p);
                return r;
        }

        return 1;       /* it is replied to later */
}
