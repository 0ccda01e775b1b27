/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "bus/bus-internal.h"
#include "bus/names.h"
#include "bus/status-message.h"
#include "report/clean.h"

/*
 * The object: properties, methods, signals. What many ask for costs what it returns; only what is small is asked for whole.
 */

#define TELL_USEC USEC_PER_SEC          /* changed properties are told at most this often; org.holdfast1(5) */
#define NAMES_MAX 10000                 /* of one Reconcile() */
#define QUEUED_MAX 50000                /* messages, some 15 MB: every control of a large fleet changes at once; picked */
#define SHOWN_MAX 200                   /* bytes of a caller's text in an error */

/* A caller's text in a sentence of ours. Returns @buf. */
static const char *shown(const char *s, char buf[static SHOWN_MAX]) {
        (void) clean_text(s, buf, SHOWN_MAX);
        return buf;
}

static Engine *engine_of(Bus *b) {
        return b->host.engine(b->host.userdata);
}

/* --- Properties --------------------------------------------------------------------------------------------------- */

static uint32_t clip(size_t n) {
        return (uint32_t) MIN(n, (size_t) UINT32_MAX);
}

static void refresh(Bus *b) {
        Properties *p = &b->properties;
        Engine *e = engine_of(b);
        EngineStatus status;
        EngineCounts counts;
        BusFacts facts = {};

        engine_counts(e, &counts);
        engine_status(e, &status);
        b->host.facts(b->host.userdata, &facts);

        *p = (Properties) {
                .version = HOLDFAST_VERSION,
                .mode = status.mode,
                .config_file = facts.config,
                .state_directory = facts.state,
                .credentials_source = status.credentials_source,
                .credentials_origin = status.credentials_origin,
                .credentials_state = status.credentials_state,
                .n_policies = clip(facts.n_policies),
                .n_rejected = clip(facts.n_rejected),
                .n_controls = clip(counts.n_controls),
                .n_compliant = clip(counts.n_compliant),
                .n_violated = clip(counts.n_violated),
                .n_unknown = clip(counts.n_unknown),
                .n_in_flight = clip(counts.n_in_flight),
                .n_frozen = clip(status.n_frozen),
                .next_lock_usec = counts.next_lock_name ? counts.next_lock_usec : 0,
                .next_look_usec = status.next_look_usec,
                .contact_at_usec = status.contact_at_usec,
                .credentials_expire_usec = status.credentials_expire_at_usec,
                .started_usec = facts.started_usec,
                .reloaded_usec = facts.reloaded_usec,
                .state_failing = status.state_failing || facts.state_failing,
                .settings_rejected = facts.settings_rejected,
                .policies_rejected = facts.policies_rejected,
        };
        if (counts.next_lock_name)
                (void) clean_text(counts.next_lock_name, p->next_lock_name, sizeof(p->next_lock_name));
}

/* sd-bus asks for the object before it serves anything of it. */
static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *reterr) {
        Bus *b = userdata;

        if (!streq(path, BUS_PATH))
                return 0;

        refresh(b);
        *ret = b;
        return 1;
}

/* The text is in the object itself, not behind a pointer. */
static int get_next_lock_name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                              void *userdata, sd_bus_error *reterr) {
        Bus *b = userdata;

        return sd_bus_message_append_basic(reply, 's', b->properties.next_lock_name);
}

static int get_origin(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                      sd_bus_error *reterr) {
        Bus *b = userdata;
        char text[1024];

        (void) clean_text(b->properties.credentials_origin ? b->properties.credentials_origin : "", text, sizeof(text));
        return sd_bus_message_append_basic(reply, 's', text);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

static int append_status(void *userdata, const ControlStatus *status) {
        return status_message_append(userdata, status);
}

static int append_endpoint(void *userdata, const EndpointStatus *status) {
        return status_message_append_endpoint(userdata, status);
}

static int on_get_instance(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Bus *b = userdata;
        char buf[SHOWN_MAX];
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;

        if (!engine_has_instance(engine_of(b), name))
                return sd_bus_error_setf(reterr, BUS_ERROR_NO_SUCH_INSTANCE, "No policy in force has the name \"%s\"", shown(name, buf));

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', STATUS_MESSAGE_TYPE);
        if (r >= 0)
                r = engine_inspect_instance(engine_of(b), name, append_status, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(b->bus, reply, NULL);
}

static int on_list_instances(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t offset, limit;
        const char *filter;
        Bus *b = userdata;
        char buf[SHOWN_MAX];
        size_t total;
        int f, r;

        r = sd_bus_message_read(m, "uus", &offset, &limit, &filter);
        if (r < 0)
                return r;

        f = inspect_filter_from_string(filter);
        if (f < 0)
                return sd_bus_error_setf(reterr, BUS_ERROR_BAD_FILTER, "Found filter \"%s\", expected all, compliant, violated, unknown, "
                                         "not-compliant or renewals", shown(filter, buf));

        r = engine_inspect(engine_of(b), (InspectFilter) f, 0, 0, append_status, NULL, &total);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "u", clip(total));
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', STATUS_MESSAGE_TYPE);
        if (r >= 0)
                r = engine_inspect(engine_of(b), (InspectFilter) f, offset, MIN(limit, (uint32_t) BUS_PAGE_MAX), append_status, reply, &total);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(b->bus, reply, NULL);
}

static int on_list_endpoints(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Bus *b = userdata;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', STATUS_MESSAGE_TYPE);
        if (r >= 0)
                r = engine_inspect_endpoints(engine_of(b), append_endpoint, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(b->bus, reply, NULL);
}

/* --- Acting ------------------------------------------------------------------------------------------------------- */

/* Nothing is begun any more. */
static bool is_stopping(Bus *b, sd_bus_error *reterr) {
        BusFacts facts = {};

        b->host.facts(b->host.userdata, &facts);
        if (facts.stopping)
                (void) sd_bus_error_set(reterr, BUS_ERROR_STOPPING, "holdfastd is stopping");
        return facts.stopping;
}

static int act_reload(Bus *b, sd_bus_message *m, sd_bus_error *reterr) {
        return is_stopping(b, reterr) ? 0 : reload_act(b, m, reterr);
}

static void free_names(char ***names) {
        for (char **p = *names; p && *p; p++)
                free(*p);
        free(*names);
}

static int act_reconcile(Bus *b, sd_bus_message *m, sd_bus_error *reterr) {
        _cleanup_(free_names) char **names = NULL;
        size_t n_names = 0;
        uint32_t n = 0;
        char buf[SHOWN_MAX];
        int r;

        if (is_stopping(b, reterr))
                return 0;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &names);
        if (r < 0)
                return r;

        /* All or none: who mistypes one of three names finds out before anything is done. */
        for (; names && names[n_names]; n_names++) {
                if (n_names >= NAMES_MAX)
                        return sd_bus_error_setf(reterr, SD_BUS_ERROR_LIMITS_EXCEEDED, "More than %d names", NAMES_MAX);
                if (!engine_has_instance(engine_of(b), names[n_names]))
                        return sd_bus_error_setf(reterr, BUS_ERROR_NO_SUCH_INSTANCE, "No policy in force has the name \"%s\"",
                                                 shown(names[n_names], buf));
        }

        if (n_names == 0)
                n = (uint32_t) engine_reconcile(engine_of(b), NULL);
        for (size_t i = 0; i < n_names; i++)
                n += (uint32_t) engine_reconcile(engine_of(b), names[i]);
        b->host.acted(b->host.userdata);
        return sd_bus_reply_method_return(m, "u", n);
}

typedef struct Sought {
        const char *origin;
        bool found;
} Sought;

static int seek_endpoint(void *userdata, const EndpointStatus *status) {
        Sought *s = userdata;

        s->found = s->found || streq(status->origin, s->origin);
        return 0;
}

static int act_thaw(Bus *b, sd_bus_message *m, sd_bus_error *reterr) {
        Sought sought = {};
        char buf[SHOWN_MAX];
        int r;

        if (is_stopping(b, reterr))
                return 0;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 's', &sought.origin);
        if (r >= 0 && sought.origin[0])
                r = engine_inspect_endpoints(engine_of(b), seek_endpoint, &sought);
        if (r < 0)
                return r;
        if (sought.origin[0] && !sought.found)
                return sd_bus_error_setf(reterr, BUS_ERROR_NO_SUCH_ENDPOINT, "No endpoint has the origin \"%s\"", shown(sought.origin, buf));

        r = engine_thaw(engine_of(b), sought.origin[0] ? sought.origin : NULL);
        if (r < 0)
                return r;

        b->host.acted(b->host.userdata);
        object_tell_soon(b);
        return sd_bus_reply_method_return(m, "u", (uint32_t) r);
}

static int on_reload(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return authority_act(userdata, m, "org.holdfast1.reload", act_reload, reterr);
}

static int on_reconcile(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return authority_act(userdata, m, "org.holdfast1.reconcile", act_reconcile, reterr);
}

static int on_thaw(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return authority_act(userdata, m, "org.holdfast1.thaw", act_thaw, reterr);
}

/* --- The object --------------------------------------------------------------------------------------------------- */

/* Of the properties that are told when they change. */
static const struct {
        const char *name;
        size_t offset, size;
} told[] = {
#define TOLD(name, member) { (name), offsetof(Properties, member), sizeof(((Properties *) NULL)->member) }
        TOLD("Mode", mode),
        TOLD("NPolicies", n_policies),
        TOLD("NRejected", n_rejected),
        TOLD("NControls", n_controls),
        TOLD("NCompliant", n_compliant),
        TOLD("NViolated", n_violated),
        TOLD("NUnknown", n_unknown),
        TOLD("NFrozen", n_frozen),
        TOLD("NextLockName", next_lock_name),
        TOLD("NextLockUSec", next_lock_usec),
        TOLD("CredentialsSource", credentials_source),
        TOLD("CredentialsState", credentials_state),
        TOLD("CredentialsExpireUSec", credentials_expire_usec),
        TOLD("ReloadedUSec", reloaded_usec),
        TOLD("SettingsRejected", settings_rejected),
        TOLD("PoliciesRejected", policies_rejected),
        TOLD("StateFailing", state_failing),
#undef TOLD
};

#define PROPERTY(name, type, member, flags) SD_BUS_PROPERTY(name, type, NULL, offsetof(Bus, properties.member), (flags))
#define TOLD_PROPERTY(name, type, member) PROPERTY(name, type, member, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define CONST_PROPERTY(name, type, member) PROPERTY(name, type, member, SD_BUS_VTABLE_PROPERTY_CONST)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),

        CONST_PROPERTY("Version", "s", version),
        CONST_PROPERTY("ConfigFile", "s", config_file),
        CONST_PROPERTY("StateDirectory", "s", state_directory),
        CONST_PROPERTY("StartedUSec", "t", started_usec),
        TOLD_PROPERTY("ReloadedUSec", "t", reloaded_usec),
        TOLD_PROPERTY("Mode", "s", mode),
        TOLD_PROPERTY("NPolicies", "u", n_policies),
        TOLD_PROPERTY("NRejected", "u", n_rejected),
        TOLD_PROPERTY("NControls", "u", n_controls),
        TOLD_PROPERTY("NCompliant", "u", n_compliant),
        TOLD_PROPERTY("NViolated", "u", n_violated),
        TOLD_PROPERTY("NUnknown", "u", n_unknown),
        TOLD_PROPERTY("NFrozen", "u", n_frozen),
        PROPERTY("NInFlight", "u", n_in_flight, 0),
        SD_BUS_PROPERTY("NextLockName", "s", get_next_lock_name, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        TOLD_PROPERTY("NextLockUSec", "t", next_lock_usec),
        PROPERTY("NextLookUSec", "t", next_look_usec, 0),
        PROPERTY("ContactAtUSec", "t", contact_at_usec, 0),
        TOLD_PROPERTY("CredentialsSource", "s", credentials_source),
        SD_BUS_PROPERTY("CredentialsOrigin", "s", get_origin, 0, 0),
        TOLD_PROPERTY("CredentialsState", "s", credentials_state),
        TOLD_PROPERTY("CredentialsExpireUSec", "t", credentials_expire_usec),
        TOLD_PROPERTY("SettingsRejected", "b", settings_rejected),
        TOLD_PROPERTY("PoliciesRejected", "b", policies_rejected),
        TOLD_PROPERTY("StateFailing", "b", state_failing),

        /* UNPRIVILEGED: sd-bus does not ask who it is, and block while it does; authority.c does, and does not. */
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", rejected), on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reconcile", SD_BUS_ARGS("as", names), SD_BUS_RESULT("u", controls), on_reconcile,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Thaw", SD_BUS_ARGS("s", origin), SD_BUS_RESULT("u", endpoints), on_thaw, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetInstance", SD_BUS_ARGS("s", name), SD_BUS_RESULT("aa{sv}", controls), on_get_instance,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListInstances", SD_BUS_ARGS("u", offset, "u", limit, "s", filter),
                                SD_BUS_RESULT("u", total, "aa{sv}", controls), on_list_instances, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListEndpoints", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", endpoints), on_list_endpoints,
                                SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_SIGNAL_WITH_ARGS("ControlChanged", SD_BUS_ARGS("s", name, "s", control, "s", verdict), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Reloaded", SD_BUS_ARGS("u", policies, "u", rejected), 0),
        SD_BUS_VTABLE_END,
};

int object_add(Bus *b) {
        b->told = (Properties) {};      /* listeners of before may have missed anything */
        return sd_bus_add_fallback_vtable(b->bus, &b->object_slot, BUS_PATH, BUS_INTERFACE, vtable, find_object, b);
}

/* --- News --------------------------------------------------------------------------------------------------------- */

static int on_tell(sd_event_source *source, uint64_t usec, void *userdata) {
        const char *names[N_ELEMENTS(told) + 1];
        Bus *b = userdata;
        size_t n = 0;

        if (!b->bus || b->lost)
                return 0;

        refresh(b);
        for (size_t i = 0; i < N_ELEMENTS(told); i++)
                if (memcmp((const char *) &b->properties + told[i].offset, (const char *) &b->told + told[i].offset, told[i].size) != 0)
                        names[n++] = told[i].name;
        names[n] = NULL;
        b->told = b->properties;

        if (n > 0)
                (void) sd_bus_emit_properties_changed_strv(b->bus, BUS_PATH, BUS_INTERFACE, (char **) names);  /* who cannot be told, asks */
        return 0;
}

void object_tell_soon(Bus *b) {
        int enabled = SD_EVENT_OFF, r = 0;

        if (!b->bus || b->lost)
                return;
        if (b->tell_source && sd_event_source_get_enabled(b->tell_source, &enabled) > 0)
                return; /* it comes anyway */

        if (!b->tell_source)
                r = sd_event_add_time_relative(b->event, &b->tell_source, CLOCK_BOOTTIME, TELL_USEC, 0, on_tell, b);
        else {
                r = sd_event_source_set_time_relative(b->tell_source, TELL_USEC);
                if (r >= 0)
                        r = sd_event_source_set_enabled(b->tell_source, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                b->tell_source = sd_event_source_disable_unref(b->tell_source); /* made anew at the next change */
}

/* Is there a bus that takes what it is sent? One that hangs is not written to for ever: its listeners ask when it is back. */
static bool listens(const Bus *b) {
        uint64_t n_queued = 0;

        return b && b->bus && !b->lost && sd_bus_get_n_queued_write(b->bus, &n_queued) >= 0 && n_queued < QUEUED_MAX;
}

void bus_note_shown(Bus *b, const char *name, const char *control, const char *verdict) {
        char text[256];

        if (!listens(b))
                return;

        (void) clean_text(name, text, sizeof(text));
        (void) sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, "ControlChanged", "sss", text, control, verdict);    /* as above */
        object_tell_soon(b);
}

void bus_note_reloaded(Bus *b) {
        BusFacts facts = {};

        if (!listens(b))
                return;

        b->host.facts(b->host.userdata, &facts);
        (void) sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, "Reloaded", "uu", clip(facts.n_policies), clip(facts.n_rejected));
        object_tell_soon(b);
}
