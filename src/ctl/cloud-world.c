/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/cloud-world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "base/hash.h"
#include "cloud/calls.h"
#include "ctl/source.h"
#include "store/read.h"
#include "transport/transport.h"

#define WAIT_MAX_USEC USEC_PER_MINUTE   /* the engine is run at least so often */

/* The unit's credentials, where root may read them while it runs. */
#define UNIT_CREDENTIALS "/run/credentials/holdfast.service"

/* An ask that is on its way, by the engine's cookie. */
typedef struct Pending {
        uint64_t cookie;
        UT_hash_handle hh;
        const Instance *instance;
        Ask ask;                /* texts are the policy's or the control's: valid until the answer has come */
        bool withheld;
} Pending;

typedef struct CloudWorld {
        const CloudWorldHooks *hooks;
        const Settings *settings;       /* the engine's */
        sd_event *event;
        sd_event_source *run_source, *due_source;
        Transport *transport;
        Engine *engine;
        Pending *pending;
        bool commit_asked;
        bool failed;            /* an exchange has: from then on retries are spread */
} CloudWorld;

static usec_t now(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);       /* cannot fail for these clocks */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static usec_t world_realtime(void *userdata) {
        return now(CLOCK_REALTIME);
}

static usec_t world_boottime(void *userdata) {
        return now(CLOCK_BOOTTIME);
}

/*
 * It only spreads retries. Of a write that is held back the engine tries again, as of anything that may pass: as long as nothing else has
 * failed, nobody need wait for that.
 */
static uint64_t world_random(void *userdata) {
        CloudWorld *w = userdata;
        uint64_t n = 0;

        if (w->failed && getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
                n = now(CLOCK_BOOTTIME);
        return n;
}

static void wake(CloudWorld *w) {
        (void) sd_event_source_set_enabled(w->run_source, SD_EVENT_ONESHOT);    /* else the due timer does */
}

/* --- Exchanges ---------------------------------------------------------------------------------------------------- */

static Pending *find(CloudWorld *w, uint64_t cookie) {
        Pending *p = NULL;

        HASH_FIND(hh, w->pending, &cookie, sizeof(cookie), p);
        return p;
}

static void forget(CloudWorld *w, Pending *p) {
        HASH_DEL(w->pending, p);
        free(p);
}

/* Only notes what goes out: send() gets it encoded and complete, and refuses what could not be noted. */
static bool world_recall(void *userdata, const Instance *instance, const Ask *ask, uint64_t cookie) {
        CloudWorld *w = userdata;
        Pending *p = find(w, cookie);

        if (p)          /* an ask that was never sent: its address is used again */
                forget(w, p);

        p = calloc(1, sizeof(*p));
        if (!p)
                return false;
        p->cookie = cookie;
        p->instance = instance;
        p->ask = *ask;
        HASH_ADD(hh, w->pending, cookie, sizeof(p->cookie), p);
        if (!hash_added(p))
                free(p);
        return false;
}

/* The engine finding out who we are, from IAM and the metadata service: no look's ask, and nothing that changes anything. No path of a
 * look's begins so. */
static bool is_identity(const HttpRequest *request) {
        static const char *const paths[] = { "/v3/auth/tokens", "/v3/projects", "/meta-data/latest/api/token",
                                             "/openstack/latest/securitykey" };

        for (size_t i = 0; i < N_ELEMENTS(paths); i++)
                if (streq(request->path, paths[i]))
                        return true;

        return false;
}

static int world_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        CloudWorld *w = userdata;
        Pending *p = find(w, cookie);

        if (is_identity(request)) {
                if (p)
                        forget(w, p);   /* as above */
                return transport_send(w->transport, request, cookie);
        }
        if (!p)
                return -ENOMEM;         /* what it is could not be noted: it might be a write */
        if (!call_is_write(p->ask.call))
                return transport_send(w->transport, request, cookie);

        if (w->hooks->withheld)
                w->hooks->withheld(w->hooks->userdata, p->instance, &p->ask, request);
        http_request_done(request);
        p->withheld = true;
        wake(w);
        return 0;
}

static void show_answer(CloudWorld *w, const Pending *p, const HttpReply *reply) {
        CallTarget target = {
                .region = p->instance->terms->region,
                .project_id = p->instance->terms->project_id,
                .domain_id = p->instance->terms->domain_id,
                .instance_id = p->instance->instance_id,
                .language = language_to_string(w->settings->language),
        };
        Failure failure = {};
        Answer answer = {};
        int r;

        r = call_decode(&p->ask, &target, reply, now(CLOCK_REALTIME), &answer, &failure);
        if (r > 0 && w->hooks->answered)
                w->hooks->answered(w->hooks->userdata, p->instance, &p->ask, &answer);
        else if (r == 0 && w->hooks->failed)
                w->hooks->failed(w->hooks->userdata, p->instance, &p->ask, &failure);
        w->failed = w->failed || r <= 0;
        answer_done(&answer);
}

static void on_reply(void *userdata, uint64_t cookie, HttpReply *reply) {
        CloudWorld *w = userdata;
        Pending *p = find(w, cookie);

        if (p) {
                show_answer(w, p, reply);
                forget(w, p);
        }
        engine_on_reply(w->engine, cookie, reply);
        wake(w);
}

/* Tells the engine which writes did not go out: not from within send(). */
static void answer_withheld(CloudWorld *w) {
        Pending *p, *next;

        HASH_ITER(hh, w->pending, p, next)
                if (p->withheld) {
                        uint64_t cookie = p->cookie;

                        forget(w, p);
                        engine_on_answer(w->engine, cookie, NULL);
                }
}

/* --- State -------------------------------------------------------------------------------------------------------- */

static int world_put(void *userdata, const StateRecord *record) {
        return 0;       /* what is remembered of a look that changes nothing is not kept */
}

static void world_commit(void *userdata) {
        CloudWorld *w = userdata;

        w->commit_asked = true;
        wake(w);
}

static int world_flush(void *userdata) {
        return 0;
}

/* What was said before is said again: to whoever asks now it is news. */
static int restore(void *userdata, const StateRecord *record) {
        CloudWorld *w = userdata;
        StateRecord fresh = *record;
        ControlState state;

        if (record->kind != STATE_CONTROL)
                return engine_restore(w->engine, record);

        state = *record->control_state.state;
        memset(state.said, 0, sizeof(state.said));
        fresh.control_state.state = &state;
        return engine_restore(w->engine, &fresh);
}

static int restore_state(const CtlOptions *o, CloudWorld *w) {
        _cleanup_(store_view_freep) StoreView *view = NULL;
        int r;

        r = store_view_open(o->state, &view);
        if (r == -ENOENT) {
                ctl_complain("%s: there is no state yet: nothing is remembered of earlier changes", o->state);
                return 0;
        }
        if (r == -EACCES || r == -EPERM) {
                ctl_complain("%s: %s: what the daemon remembers is not known here, so it may do otherwise", o->state, strerror(-r));
                return 0;
        }
        if (r >= 0)
                r = store_view_load(view, restore, w, NULL);
        return r < 0 ? state_complain(o, r) : 0;
}

/* --- Who we are --------------------------------------------------------------------------------------------------- */

static const char *credentials_directory(void) {
        const char *s = getenv("CREDENTIALS_DIRECTORY");

        if (s)
                return s;
        return access(UNIT_CREDENTIALS, R_OK | X_OK) == 0 ? UNIT_CREDENTIALS : NULL;
}

static int world_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        const char *directory = credentials_directory();

        switch (source) {
        case CREDENTIALS_SYSTEMD:
                return directory ? credentials_from_directory(directory, 0, ret, reterr) : -ENOENT;
        case CREDENTIALS_FILES:
                return credentials_from_directory(settings->credentials.directory, 1, ret, reterr);
        case CREDENTIALS_ENVIRONMENT:
                return credentials_from_environment(ret, reterr);
        case CREDENTIALS_PROFILE:
                return credentials_from_profile(NULL, ret, reterr);
        case CREDENTIALS_PASSWORD:
                return directory ? credentials_password_from_directory(directory, ret, reterr) : -ENOENT;
        case CREDENTIALS_AUTO:
        case CREDENTIALS_METADATA:
        case CREDENTIALS_SOURCE__MAX:
                break;
        }

        return -ENOENT;
}

static void world_say(void *userdata, const Event *event) {
        CloudWorld *w = userdata;

        if (w->hooks->said)
                w->hooks->said(w->hooks->userdata, event);
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

static int run(CloudWorld *w) {
        usec_t wait = WAIT_MAX_USEC;
        EngineCounts counts;
        int r;

        answer_withheld(w);
        if (w->commit_asked) {
                w->commit_asked = false;
                engine_on_committed(w->engine, 0);
        }

        r = engine_run(w->engine, &wait);
        if (r < 0)
                return sd_event_exit(w->event, r);

        engine_counts(w->engine, &counts);
        if (counts.finished)
                return sd_event_exit(w->event, 0);

        r = sd_event_source_set_time_relative(w->due_source, MIN(wait, WAIT_MAX_USEC));
        return r < 0 ? r : sd_event_source_set_enabled(w->due_source, SD_EVENT_ONESHOT);
}

static int on_run(sd_event_source *source, void *userdata) {
        return run(userdata);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        return run(userdata);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        CloudWorld *w = userdata;

        return sd_event_exit(w->event, -ECANCELED);
}

static int add_signals(CloudWorld *w) {
        static const int signals[] = { SIGINT, SIGTERM };
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        for (size_t i = 0; i < N_ELEMENTS(signals); i++)
                (void) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;

        for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
                r = sd_event_add_signal(w->event, NULL, signals[i], on_signal, w);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int set_up_loop(CloudWorld *w) {
        TransportOptions options = {
                .ca_file = w->settings->http.ca_file,
                .proxy = w->settings->http.proxy,
                .connect_timeout_usec = w->settings->http.connect_timeout_usec,
                .timeout_usec = w->settings->http.timeout_usec,
                .max_connections = w->settings->http.max_connections,
        };
        int r;

        r = sd_event_new(&w->event);
        if (r >= 0)
                r = add_signals(w);
        if (r >= 0)
                r = sd_event_add_defer(w->event, &w->run_source, on_run, w);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(w->run_source, 1);
        if (r >= 0)
                r = sd_event_add_time_relative(w->event, &w->due_source, CLOCK_BOOTTIME, WAIT_MAX_USEC, 1, on_due, w);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(w->due_source, 1);
        if (r < 0) {
                ctl_complain("event loop: %s", strerror(-r));
                return r;
        }

        r = transport_new(w->event, &options, on_reply, NULL, w, &w->transport);
        if (r < 0)
                ctl_complain("http.ca_file: %s cannot be used: %s", options.ca_file ? options.ca_file : "the system's", strerror(-r));
        return r;
}

static void cloud_world_done(CloudWorld *w) {
        Pending *p, *next;

        transport_free(w->transport);
        engine_free(w->engine);
        HASH_ITER(hh, w->pending, p, next)
                forget(w, p);
        (void) sd_event_source_unref(w->run_source);
        (void) sd_event_source_unref(w->due_source);
        (void) sd_event_unref(w->event);
}

static int new_engine(CloudWorld *w, const CloudWorldOptions *options) {
        EngineOptions engine_options = { .observe = options->observe, .once = true };
        World world = {
                .userdata = w,
                .realtime = world_realtime,
                .boottime = world_boottime,
                .random = world_random,
                .send = world_send,
                .put = world_put,
                .commit = world_commit,
                .flush = world_flush,
                .say = world_say,
                .credentials = world_credentials,
                .recall = world_recall,
        };
        int r;

        r = engine_new(&world, &engine_options, &w->engine);
        if (r < 0)
                ctl_complain("%s", strerror(-r));
        return r;
}

int cloud_world_run(const CloudWorldOptions *options, Settings *settings_taken, PolicySet *policies_taken, const CloudWorldHooks *hooks,
                    EngineCounts *ret) {
        _cleanup_(settings_freep) Settings *settings = settings_taken;
        _cleanup_(policy_set_freep) PolicySet *policies = policies_taken;
        _cleanup_(cloud_world_done) CloudWorld w = { .hooks = hooks, .settings = settings };
        int r;

        assert(options);
        assert(settings);
        assert(policies);
        assert(hooks);

        r = set_up_loop(&w);
        if (r >= 0)
                r = new_engine(&w, options);
        if (r >= 0)
                r = restore_state(options->ctl, &w);
        if (r < 0)
                return r;

        r = engine_configure(w.engine, settings, policies);
        if (r >= 0) {
                (void) STEAL(settings);         /* the engine's now */
                (void) STEAL(policies);
                r = sd_event_loop(w.event);
        }
        if (r < 0) {
                ctl_complain("%s", r == -ECANCELED ? "interrupted, nothing was changed" : strerror(-r));
                return r;
        }

        if (ret)
                engine_counts(w.engine, ret);
        return 0;
}
