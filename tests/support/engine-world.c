/* SPDX-License-Identifier: Apache-2.0 */
#include "engine-world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "memory-fault.h"
#include "policy/load.h"
#include "sim/lock.h"
#include "sim/state.h"

#define ACCESS_KEY "SIMULATEDKEY00000001"
#define SECRET_KEY "simulated-secret-key-for-trying-only"
#define TURNS_MAX 10000 /* at one moment */

#define FAIL(...)                                       \
        do {                                            \
                (void) fprintf(stderr, __VA_ARGS__);    \
                abort();                                \
        } while (0)

static const char account[] = "account: {domain_id: " WORLD_DOMAIN ", projects: {" WORLD_PROJECT ": ap-southeast-1}}\n"
                              "keys: {" ACCESS_KEY ": {secret_key: " SECRET_KEY "}}\n";

/* --- What is true ------------------------------------------------------------------------------------------------- */

static bool is_encrypted(const SimInstance *i) {
        const SimEncryption *e = sim_history_now(&i->encryption);

        return e && e->on;
}

static usec_t lock_end(const SimInstance *i) {
        const SimLock *l = sim_history_now(&i->lock);

        return l && l->enabled ? l->end_usec : 0;
}

static bool is_scheduled(const SimInstance *i) {
        const SimSchedule *c = sim_history_now(&i->schedule);

        return c && c->configured && c->on && streq(c->bucket_name, "as-written");
}

static bool is_granted(const SimInstance *i) {
        for (const SimBackup *b = i->backups; b; b = b->next)
                if (b->n_grants > 0)
                        return true;

        return false;
}

usec_t engine_world_lock_end(const EngineWorld *w, const char *instance_id) {
        const SimInstance *i = sim_instance_find(w->sim, instance_id);

        return i ? lock_end(i) : 0;
}

/* Of an instance that the cloud does not have, a hook may say what it likes. */
static bool is_true(const EngineWorld *w, const Event *e) {
        const SimInstance *i = sim_instance_find(w->sim, e->instance);

        if (!i)
                return true;
        if (streq(e->control, "encryption"))
                return is_encrypted(i);
        if (streq(e->control, "schedule"))
                return is_scheduled(i);
        if (streq(e->control, "lock"))
                return lock_end(i) > w->wall_usec;
        return is_granted(i);
}

/* Time is a number here, and a test that lives a thousand lives does not wait for a disk: in place of the C library's. */
int fsync(int fd) {
        return 0;
}

int fdatasync(int fd) {
        return 0;
}

/* --- The World ---------------------------------------------------------------------------------------------------- */

static usec_t on_realtime(void *userdata) {
        return ((EngineWorld *) userdata)->wall_usec;
}

static usec_t on_boottime(void *userdata) {
        return ((EngineWorld *) userdata)->boot_usec;
}

static uint64_t on_random(void *userdata) {
        EngineWorld *w = userdata;

        w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return w->seed >> 33;
}

static char *copy_header(const SimReply *p, const char *name) {
        const char *value = sim_reply_header(p, name);

        return value ? strdup(value) : NULL;
}

HttpReply engine_world_reply(const EngineWorld *w, int status, const char *body) {
        time_t now = (time_t) (w->wall_usec / USEC_PER_SEC);
        HttpReply reply = { .status = status, .n_body = body ? strlen(body) : 0, .body = body ? strdup(body) : NULL };
        char date[64];
        struct tm tm;

        (void) strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        reply.date = strdup(date);
        return reply;
}

static HttpReply ask_cloud(EngineWorld *w, const HttpRequest *request) {
        SimHeader headers[HTTP_HEADERS_MAX + 1];
        SimRequest q = {
                .method = http_method_to_string(request->method),
                .path = request->path,
                .query = request->query,
                .headers = headers,
                .n_headers = request->n_headers,
                .body = request->body,
                .n_body = request->n_body,
                .peer = "127.0.0.1",
        };
        SimReply answer = {};
        HttpReply reply = {};

        for (size_t i = 0; i < request->n_headers; i++)
                headers[i] = (SimHeader) { request->headers[i].name, request->headers[i].value };
        if (!http_request_header(request, "Host"))
                headers[q.n_headers++] = (SimHeader) { "Host", strstr(request->origin, "://") + 3 };
        if (sim_handle(w->sim, &q, w->wall_usec, &answer) < 0)
                FAIL("the simulated cloud failed\n");

        reply.status = answer.status;
        reply.n_body = answer.n_body;
        reply.body = answer.n_body > 0 ? strndup(answer.body, answer.n_body) : NULL;
        reply.date = copy_header(&answer, "Date");
        reply.request_id = copy_header(&answer, "X-Request-Id");
        reply.retry_after = copy_header(&answer, "Retry-After");
        sim_reply_done(&answer);
        return reply;
}

/* One request, one intent, and that is on the disk. */
static void check_intent(const EngineWorld *w, const HttpRequest *request) {
        const LockMemory *m = NULL;
        char days[32];

        if (request->method != HTTP_PUT || !strstr(request->path, "vault-lock"))
                return;
        for (const WorldLock *l = w->locks; l < w->locks + WORLD_LOCKS_MAX; l++)
                if (l->instance_id[0] && strstr(request->path, l->instance_id))
                        m = &l->committed;
        if (!m || m->n_intents == 0 || m->intents[m->n_intents - 1].outcome != INTENT_OPEN)
                FAIL("a lock request without a stored intent\n");
        (void) snprintf(days, sizeof(days), ":%lld", (long long) m->intents[m->n_intents - 1].days);
        if (!strstr(request->body, days))
                FAIL("a lock request that is not the stored intent: %s, not %s days\n", request->body, days);
}

static int on_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        EngineWorld *w = userdata;
        WorldArrival *a = w->arrivals;
        WorldRequest *seen = &w->requests[w->n_requests];

        memory_pause();
        check_intent(w, request);
        while (a->used)
                if (++a == w->arrivals + WORLD_ARRIVALS_MAX)
                        FAIL("too many requests at once\n");
        if (w->n_requests + 1 < WORLD_SEEN_MAX)
                w->n_requests++;

        *a = (WorldArrival) { .used = true, .cookie = cookie, .number = w->n_sent++ };
        if (!w->answer || !w->answer(w, request, &a->reply))
                a->reply = ask_cloud(w, request);
        a->at_usec = w->boot_usec + w->latency_usec;
        *seen = (WorldRequest) { .method = request->method, .status = a->reply.status, .boot_usec = w->boot_usec };
        (void) snprintf(seen->path, sizeof(seen->path), "%s%s", request->origin, request->path);
        http_request_done(request);
        memory_resume();
        return 0;
}

static WorldLock *lock_of(EngineWorld *w, const char *instance_id) {
        for (WorldLock *l = w->locks; l < w->locks + WORLD_LOCKS_MAX; l++) {
                if (!l->instance_id[0])
                        (void) snprintf(l->instance_id, sizeof(l->instance_id), "%s", instance_id);
                if (streq(l->instance_id, instance_id))
                        return l;
        }

        FAIL("too many locks\n");
}

/* Does the disk fail now? */
static bool io_fails(EngineWorld *w, size_t *n_left) {
        if (*n_left == 0 || --*n_left > 0)
                return false;

        w->io_failed = true;
        return true;
}

static int on_put(void *userdata, const StateRecord *record) {
        EngineWorld *w = userdata;
        int r;

        r = io_fails(w, &w->n_puts_left) ? -EIO : w->put_error < 0 ? w->put_error : store_put(w->store, record);
        if (r >= 0 && record->kind == STATE_CONTROL && record->control == CONTROL_LOCK)
                lock_of(w, record->instance_id)->gathered = record->control_state.state->lock;
        return r;
}

/* What was gathered goes where a failing disk leaves it: nowhere. */
static int fail_commit(EngineWorld *w, int error) {
        _cleanup_(freep) char *aside = NULL;
        int r;

        memory_pause();
        w->store = store_free(w->store);
        r = store_open(w->dir, &w->store, &aside);
        memory_resume();
        if (r < 0 || aside)
                FAIL("the store does not come back: %s\n", strerror(-r));
        return error;
}

static int commit(EngineWorld *w) {
        int r;

        if (io_fails(w, &w->n_commits_left))
                r = fail_commit(w, -EIO);
        else
                r = w->commit_error < 0 ? fail_commit(w, w->commit_error) : store_commit(w->store);

        for (WorldLock *l = w->locks; l < w->locks + WORLD_LOCKS_MAX; l++)
                if (r >= 0)
                        l->committed = l->gathered;
                else
                        l->gathered = l->committed;
        return r;
}

static void on_commit(void *userdata) {
        ((EngineWorld *) userdata)->commit_asked = true;
}

static int on_flush(void *userdata) {
        return commit(userdata);
}

static void on_say(void *userdata, const Event *e) {
        EngineWorld *w = userdata;
        WorldEvent *x = &w->events[w->n_events];

        if (w->n_events + 1 < WORLD_SEEN_MAX)
                w->n_events++;
        *x = (WorldEvent) { .id = e->id, .at_usec = w->wall_usec };
        (void) snprintf(x->name, sizeof(x->name), "%s", e->name ? e->name : "");
        (void) snprintf(x->control, sizeof(x->control), "%s", e->control ? e->control : "");
        (void) snprintf(x->message, sizeof(x->message), "%.*s", (int) sizeof(x->message) - 1, e->message);
        if (e->id == EVENT_COMPLIANT && !is_true(w, e))
                FAIL("said to be compliant, and is not: %s\n", e->message);
}

static int on_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        EngineWorld *w = userdata;
        Credentials *c;

        if (source != CREDENTIALS_ENVIRONMENT)
                return -ENOENT;

        memory_pause();
        c = calloc(1, sizeof(*c));
        if (!c || secret_new(w->secret_key, strlen(w->secret_key), &c->secret_key) < 0)
                FAIL("memory\n");
        c->access_key = strdup(ACCESS_KEY);
        c->origin = strdup("environment");
        c->expires_at_usec = USEC_INFINITY;
        memory_resume();
        *ret = c;
        return 0;
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

void engine_world_change(EngineWorld *w, const char *yaml) {
        _cleanup_(diagnostics_done) Diagnostics d = {};

        if (sim_change(w->sim, "change", yaml, strlen(yaml), w->wall_usec, &d) < 0)
                FAIL("the simulated cloud does not take: %s\n", yaml);
}

void engine_world_setup(EngineWorld *w, const char *cloud) {
        *w = (EngineWorld) {
                .boot_usec = 1000 * USEC_PER_SEC,
                .wall_usec = WORLD_T0,
                .latency_usec = 20 * USEC_PER_MSEC,
                .seed = 42,
                .secret_key = SECRET_KEY,
        };
        (void) snprintf(w->dir, sizeof(w->dir), "/tmp/holdfast-world-XXXXXX");
        if (!mkdtemp(w->dir) || sim_new(1, &w->sim) < 0)
                FAIL("cannot set the world up\n");
        engine_world_change(w, account);
        engine_world_change(w, cloud);
}

static int restore(void *userdata, const StateRecord *record) {
        EngineWorld *w = userdata;

        if (record->kind == STATE_CONTROL && record->control == CONTROL_LOCK) {
                WorldLock *l = lock_of(w, record->instance_id);

                l->gathered = l->committed = record->control_state.state->lock;
        }
        return engine_restore(w->engine, record);
}

static int load(EngineWorld *w, const char *settings, const char *policies) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(settings_freep) Settings *s = NULL;
        char text[2048];
        int r;

        (void) snprintf(text, sizeof(text), "region: ap-southeast-1\nproject_id: " WORLD_PROJECT "\ndomain_id: " WORLD_DOMAIN "\n"
                        "credentials: {source: environment}\n"
                        "endpoints: {taurusdb: \"https://127.0.0.1:1\", dbss: \"https://127.0.0.1:2\", gaussdb: \"https://127.0.0.1:3\"}\n%s",
                        settings ? settings : "");
        memory_pause();
        r = settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s);
        if (r >= 0)
                r = policies_load_buffer("test.yaml", policies, strlen(policies), s, NULL, &d, &set, NULL);
        if (r < 0 || d.n_items > 0)
                FAIL("line %u: %s: %s\n", d.items[0].line, d.items[0].key ? d.items[0].key : "", d.items[0].message);
        memory_resume();

        r = engine_configure(w->engine, settings ? s : NULL, set);
        if (r < 0)
                return r;

        if (settings)
                (void) STEAL(s);
        (void) STEAL(set);
        return 0;
}

int engine_world_start(EngineWorld *w, const char *settings, const char *policies) {
        const World world = {
                .userdata = w,
                .realtime = on_realtime,
                .boottime = on_boottime,
                .random = on_random,
                .send = on_send,
                .put = on_put,
                .commit = on_commit,
                .flush = on_flush,
                .say = on_say,
                .credentials = on_credentials,
        };
        _cleanup_(freep) char *aside = NULL;
        int r;

        memory_pause();
        if (store_open(w->dir, &w->store, &aside) < 0 || aside)
                FAIL("the database does not open\n");
        memory_resume();

        r = engine_new(&world, &w->options, &w->engine);
        if (r >= 0)
                r = store_load(w->store, restore, w, NULL);
        if (r >= 0)
                r = load(w, settings, policies);
        if (r < 0)
                engine_world_kill(w);
        return r;
}

int engine_world_reload(EngineWorld *w, const char *settings, const char *policies) {
        return load(w, settings, policies);
}

void engine_world_kill(EngineWorld *w) {
        for (size_t i = 0; i < WORLD_ARRIVALS_MAX; i++) {
                http_reply_done(&w->arrivals[i].reply);
                w->arrivals[i] = (WorldArrival) {};
        }
        w->engine = engine_free(w->engine);
        w->store = store_free(w->store);
        w->commit_asked = false;
        for (WorldLock *l = w->locks; l < w->locks + WORLD_LOCKS_MAX; l++)
                l->gathered = l->committed;
}

void engine_world_teardown(EngineWorld *w) {
        static const char *const names[] = { "holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.lock" };

        engine_world_kill(w);
        w->sim = sim_free(w->sim);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                char path[128];

                (void) snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
                (void) unlink(path);
        }
        if (rmdir(w->dir) < 0)
                FAIL("%s is not empty\n", w->dir);
}

/* --- Time --------------------------------------------------------------------------------------------------------- */

static WorldArrival *next_arrival(EngineWorld *w) {
        WorldArrival *next = NULL;

        for (WorldArrival *a = w->arrivals; a < w->arrivals + WORLD_ARRIVALS_MAX; a++)
                if (a->used && (!next || a->at_usec < next->at_usec || (a->at_usec == next->at_usec && a->number < next->number)))
                        next = a;
        return next;
}

/* Does one thing that is due now. Return: false if nothing is; then @ret_wait_usec is set. */
static bool turn(EngineWorld *w, usec_t *ret_wait_usec) {
        WorldArrival *a;
        usec_t wait = 0;

        if (engine_run(w->engine, &wait) < 0)
                wait = USEC_PER_SEC;    /* as the daemon does */

        if (w->commit_asked) {
                w->commit_asked = false;
                engine_on_committed(w->engine, commit(w));
                return true;
        }

        a = next_arrival(w);
        if (a && a->at_usec <= w->boot_usec) {
                HttpReply reply = a->reply;

                a->used = false;
                a->reply = (HttpReply) {};
                engine_on_reply(w->engine, a->cookie, &reply);
                http_reply_done(&reply);
                return true;
        }

        if (a)
                wait = MIN(wait, a->at_usec - w->boot_usec);
        *ret_wait_usec = wait;
        return wait == 0;
}

void engine_world_run(EngineWorld *w, usec_t for_usec) {
        usec_t until = w->boot_usec + for_usec;

        for (;;) {
                usec_t wait = USEC_INFINITY;
                int n = 0;

                while (turn(w, &wait))
                        if (++n > TURNS_MAX)
                                FAIL("the engine does not come to rest\n");

                wait = MIN(wait, until - w->boot_usec);
                if (wait == 0)
                        return;
                w->boot_usec += wait;
                w->wall_usec += wait;
        }
}

void engine_world_step_clock(EngineWorld *w, int64_t by_usec) {
        w->wall_usec = (usec_t) ((int64_t) w->wall_usec + by_usec);
        engine_on_clock_step(w->engine);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

EngineCounts engine_world_counts(const EngineWorld *w) {
        EngineCounts c;

        engine_counts(w->engine, &c);
        return c;
}

void engine_world_forget(EngineWorld *w) {
        w->n_events = w->n_requests = 0;
}

size_t engine_world_said(const EngineWorld *w, EventId id, const char *control) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_events; i++)
                n += w->events[i].id == id && (!control || streq(w->events[i].control, control));
        return n;
}

size_t engine_world_asked(const EngineWorld *w, const char *part, bool writes) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_requests; i++)
                n += (!writes || w->requests[i].method != HTTP_GET) && strstr(w->requests[i].path, part);
        return n;
}
