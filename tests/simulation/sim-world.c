/* SPDX-License-Identifier: Apache-2.0 */
#include "sim-world.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "policy/load.h"

#define FAIL(...)                                       \
        do {                                            \
                (void) fprintf(stderr, __VA_ARGS__);    \
                abort();                                \
        } while (0)

static const char cloud_default[] =
        "account:\n"
        "  domain_id: " DOMAIN "\n"
        "  projects: {" PROJECT ": ap-southeast-1}\n"
        "keys: {" ACCESS_KEY ": {secret_key: " SECRET_KEY "}}\n";

/* --- The World ---------------------------------------------------------------------------------------------------- */

static usec_t world_realtime(void *userdata) {
        return ((SimWorld *) userdata)->wall_usec;
}

static usec_t world_boottime(void *userdata) {
        return ((SimWorld *) userdata)->boot_usec;
}

static uint64_t world_random(void *userdata) {
        SimWorld *w = userdata;

        w->seed ^= w->seed << 13;
        w->seed ^= w->seed >> 7;
        w->seed ^= w->seed << 17;
        return w->seed;
}

static char *copy_header(const SimReply *p, const char *name) {
        const char *value = sim_reply_header(p, name);

        return value ? strdup(value) : NULL;
}

static HttpReply reply_of(SimReply *p) {
        HttpReply reply = { .status = p->status };

        if (p->drop || p->cut) {
                reply.outcome = HTTP_LOST;
                reply.status = 0;
                reply.error = strdup("the connection was closed");
                return reply;
        }

        reply.n_body = MIN(p->n_body, (size_t) HTTP_BODY_MAX);
        reply.body_cut = p->n_body > HTTP_BODY_MAX;
        if (reply.n_body > 0) {
                reply.body = malloc(reply.n_body + 1);
                memcpy(reply.body, p->body, reply.n_body);
                reply.body[reply.n_body] = '\0';
        }
        reply.date = copy_header(p, "Date");
        reply.request_id = copy_header(p, "X-Request-Id");
        reply.retry_after = copy_header(p, "Retry-After");
        reply.subject_token = copy_header(p, "X-Subject-Token");
        return reply;
}

HttpReply world_reply(const SimWorld *w, int status, const char *body) {
        time_t now = (time_t) (w->wall_usec / USEC_PER_SEC);
        HttpReply reply = { .status = status, .n_body = body ? strlen(body) : 0, .body = body ? strdup(body) : NULL };
        char date[64];
        struct tm tm;

        (void) strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        reply.date = strdup(date);
        return reply;
}

/* What the simulated cloud answers. */
static HttpReply ask_cloud(SimWorld *w, const HttpRequest *request, usec_t *delay_usec) {
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
        HttpReply reply;

        for (size_t i = 0; i < request->n_headers; i++)
                headers[i] = (SimHeader) { request->headers[i].name, request->headers[i].value };
        if (!http_request_header(request, "Host"))
                headers[q.n_headers++] = (SimHeader) { "Host", strstr(request->origin, "://") + 3 };

        if (sim_handle(w->sim, &q, w->wall_usec, &answer) < 0)
                FAIL("the simulated cloud ran out of memory\n");
        *delay_usec = answer.delay_usec;
        reply = reply_of(&answer);
        sim_reply_done(&answer);
        return reply;
}

static int world_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        SimWorld *w = userdata;
        usec_t delay_usec = 0;
        Pending *p, **end;

        p = calloc(1, sizeof(*p));
        if (!w->hook || !w->hook(w, request, &p->reply, &delay_usec))
                p->reply = ask_cloud(w, request, &delay_usec);
        p->cookie = cookie;
        p->at_usec = w->boot_usec + w->latency_usec + delay_usec;

        if ((w->n_requests & (w->n_requests + 1)) == 0)        /* grows when it is one short of a power of two */
                w->requests = reallocarray(w->requests, 2 * w->n_requests + 2, sizeof(*w->requests));
        w->requests[w->n_requests] =
                (WorldRequest) { .at_usec = w->wall_usec, .method = request->method, .status = p->reply.status };
        (void) snprintf(w->requests[w->n_requests].path, sizeof(w->requests[0].path), "%s%s", request->origin, request->path);
        w->n_requests++;

        for (end = &w->pending; *end && (*end)->at_usec <= p->at_usec; end = &(*end)->next)
                ;
        p->next = *end;
        *end = p;

        http_request_done(request);
        return 0;
}

static int world_put(void *userdata, const StateRecord *record) {
        SimWorld *w = userdata;
        int r;

        if (w->put_error < 0)
                return w->put_error;
        w->n_puts_since_commit++;
        if (!w->store)
                return 0;
        r = store_put(w->store, record);
        if (r < 0)
                FAIL("store_put: %s\n", strerror(-r));
        return 0;
}

static int commit(SimWorld *w) {
        w->n_puts_since_commit = 0;
        if (w->commit_error < 0)
                return w->commit_error;
        return w->store && store_dirty(w->store) ? store_commit(w->store) : 0;
}

static void world_commit(void *userdata) {
        ((SimWorld *) userdata)->commit_asked = true;
}

static int world_flush(void *userdata) {
        return commit(userdata);
}

static void world_say(void *userdata, const Event *e) {
        SimWorld *w = userdata;
        WorldEvent *x;

        if ((w->n_events & (w->n_events + 1)) == 0)
                w->events = reallocarray(w->events, 2 * w->n_events + 2, sizeof(*w->events));
        x = &w->events[w->n_events++];
        *x = (WorldEvent) {
                .id = e->id,
                .priority = e->priority >= 0 ? e->priority : event_type(e->id)->priority,
                .at_usec = w->wall_usec,
                .lock_end_usec = e->lock_end_usec,
        };
        (void) snprintf(x->name, sizeof(x->name), "%s", e->name ? e->name : "");
        (void) snprintf(x->control, sizeof(x->control), "%s", e->control ? e->control : "");
        (void) snprintf(x->code, sizeof(x->code), "%s", e->error_code ? e->error_code : "");
        (void) snprintf(x->message, sizeof(x->message), "%.*s", (int) sizeof(x->message) - 1, e->message);
}

static int world_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        SimWorld *w = userdata;
        Credentials *c;

        const char *secret = source == CREDENTIALS_PASSWORD ? w->password :
                source == CREDENTIALS_ENVIRONMENT && w->access_key ? w->secret_key : NULL;

        if (!secret)
                return -ENOENT;

        c = calloc(1, sizeof(*c));
        c->origin = strdup("test");
        c->expires_at_usec = USEC_INFINITY;
        if (source == CREDENTIALS_ENVIRONMENT)
                c->access_key = strdup(w->access_key);
        if (secret_new(secret, strlen(secret), source == CREDENTIALS_PASSWORD ? &c->password : &c->secret_key) < 0)
                FAIL("secret_new\n");
        *ret = c;
        return 0;
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

static void must(int r, const Diagnostics *d, const char *what) {
        for (size_t i = 0; i < d->n_items; i++) {
                char *s = diagnostic_to_string(&d->items[i]);

                (void) fprintf(stderr, "%s\n", s);
                free(s);
        }
        if (r < 0 || d->n_items > 0)
                FAIL("%s: %s\n", what, strerror(-r));
}

void world_change(SimWorld *w, const char *yaml) {
        Diagnostics d = {};

        must(sim_change(w->sim, "change", yaml, strlen(yaml), w->wall_usec, &d), &d, "sim_change");
        diagnostics_done(&d);
}

void world_faults(SimWorld *w, const char *rules) {
        SimRequest q = { .method = "DELETE", .path = "/sim/v1/faults", .peer = "127.0.0.1", .peer_is_local = true };
        SimReply reply = {};
        char *change;

        if (sim_handle(w->sim, &q, w->wall_usec, &reply) < 0 || reply.status / 100 != 2)
                FAIL("the simulated cloud does not drop its faults: %d\n", reply.status);
        sim_reply_done(&reply);
        if (!rules)
                return;

        if (asprintf(&change, "faults: %s", rules) < 0)
                FAIL("memory\n");
        world_change(w, change);
        free(change);
}

void world_setup(SimWorld *w, const char *cloud) {
        *w = (SimWorld) {
                .boot_usec = 1000 * USEC_PER_SEC,
                .wall_usec = T0,
                .latency_usec = 20 * USEC_PER_MSEC,
                .seed = 88172645463325252u,
                .access_key = ACCESS_KEY,
                .secret_key = SECRET_KEY,
        };
        (void) snprintf(w->dir, sizeof(w->dir), "/tmp/holdfast-sim-XXXXXX");
        if (!mkdtemp(w->dir) || sim_new(1, &w->sim) < 0)
                FAIL("cannot set the world up\n");
        world_change(w, cloud_default);
        world_change(w, cloud);
}

static int restore(void *userdata, const StateRecord *record) {
        return engine_restore(userdata, record);
}

static void load(SimWorld *w, const char *settings, const char *policies) {
        Settings *s = NULL;
        PolicySet *set = NULL;
        Diagnostics d = {};
        char *text;

        if (settings) {
                if (asprintf(&text, "region: ap-southeast-1\nproject_id: " PROJECT "\ndomain_id: " DOMAIN "\n"
                             "credentials: {%s}\n"
                             "endpoints: {%sdbss: \"https://127.0.0.1:2\", gaussdb: \"https://127.0.0.1:3\", "
                             "iam: \"https://127.0.0.1:4\", metadata: \"http://127.0.0.1:5\"}\n%s",
                             w->credentials ? w->credentials : "source: environment",
                             w->no_taurusdb ? "" : "taurusdb: \"https://127.0.0.1:1\", ", settings) < 0)
                        FAIL("memory\n");
                must(settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s), &d, "settings");
                free(w->settings_yaml);
                w->settings_yaml = text;
        } else
                must(settings_load_buffer("holdfast.yaml", w->settings_yaml, strlen(w->settings_yaml), &d, &s), &d, "settings");

        must(policies_load_buffer("test.yaml", policies, strlen(policies), s, NULL, &d, &set, NULL), &d, "policies");
        must(engine_configure(w->engine, s, set), &d, "engine_configure");
        diagnostics_done(&d);
}

static Engine *new_engine(SimWorld *w) {
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
        };
        EngineOptions options = { .once = w->once, .observe = w->observe };
        Engine *e;

        if (engine_new(&world, &options, &e) < 0)
                FAIL("engine_new\n");
        if (w->store && store_load(w->store, restore, e, NULL) < 0)
                FAIL("store_load\n");
        return e;
}

static void open_store(SimWorld *w) {
        char *aside = NULL;

        if (store_open(w->dir, &w->store, &aside) < 0 || aside)
                FAIL("store_open\n");
}

void world_start(SimWorld *w, const char *settings, const char *policies) {
        if (w->put_error >= 0)
                open_store(w);
        w->engine = new_engine(w);
        load(w, settings, policies);
}

void world_reload(SimWorld *w, const char *policies) {
        load(w, NULL, policies);
}

void world_reload_settings(SimWorld *w, const char *settings, const char *policies) {
        load(w, settings, policies);
}

static void drop_pending(SimWorld *w) {
        while (w->pending) {
                Pending *p = w->pending;

                w->pending = p->next;
                http_reply_done(&p->reply);
                free(p);
        }
}

void world_reopen(SimWorld *w, const char *policies) {
        Engine *before = w->engine;

        w->put_error = w->commit_error = 0;
        open_store(w);
        w->engine = new_engine(w);
        load(w, NULL, policies);
        engine_take_frozen(w->engine, before);
        drop_pending(w);
        engine_free(before);
}

void world_kill(SimWorld *w) {
        drop_pending(w);
        w->engine = engine_free(w->engine);
        w->store = store_free(w->store);
        w->commit_asked = false;
}

void world_teardown(SimWorld *w) {
        char command[128];

        world_kill(w);
        sim_free(w->sim);
        free(w->events);
        free(w->requests);
        free(w->settings_yaml);
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
        if (system(command) != 0)
                FAIL("cannot remove %s\n", w->dir);
        *w = (SimWorld) {};
}

/* --- Time --------------------------------------------------------------------------------------------------------- */

/* Does what is due now and returns how long nothing is. */
static usec_t turn(SimWorld *w) {
        usec_t wait = 0;

        for (int i = 0; i < 10000; i++) {
                if (engine_run(w->engine, &wait) < 0)
                        FAIL("engine_run\n");

                if (w->commit_asked) {
                        w->commit_asked = false;
                        engine_on_committed(w->engine, commit(w));
                        continue;
                }

                if (w->pending && w->pending->at_usec <= w->boot_usec) {
                        Pending *p = w->pending;

                        w->pending = p->next;
                        engine_on_reply(w->engine, p->cookie, &p->reply);
                        http_reply_done(&p->reply);
                        free(p);
                        continue;
                }

                if (w->pending)
                        wait = MIN(wait, w->pending->at_usec - w->boot_usec);
                if (wait > 0)
                        return wait;
        }

        FAIL("the engine does not come to rest\n");
}

void world_run(SimWorld *w, usec_t for_usec) {
        usec_t until = w->boot_usec + for_usec;

        for (;;) {
                usec_t wait = turn(w);

                if (w->boot_usec + MIN(wait, for_usec) >= until) {
                        w->wall_usec += until - w->boot_usec;
                        w->boot_usec = until;
                        turn(w);
                        return;
                }
                w->boot_usec += wait;
                w->wall_usec += wait;
        }
}

void world_run_after_kill(SimWorld *w, usec_t for_usec) {
        w->boot_usec += for_usec;
        w->wall_usec += for_usec;
}

bool world_run_once(SimWorld *w) {
        for (int i = 0; i < 36000; i++) {
                EngineCounts c;

                engine_counts(w->engine, &c);
                if (c.finished)
                        return true;
                world_run(w, 100 * USEC_PER_MSEC);
        }

        return false;
}

void world_step_clock(SimWorld *w, int64_t by_usec) {
        w->wall_usec = (usec_t) ((int64_t) w->wall_usec + by_usec);
        engine_on_clock_step(w->engine);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

size_t world_said(const SimWorld *w, EventId id, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_events; i++)
                n += w->events[i].id == id && (!name || streq(w->events[i].name, name));
        return n;
}

const WorldEvent *world_last(const SimWorld *w, EventId id) {
        for (size_t i = w->n_events; i > 0; i--)
                if (w->events[i - 1].id == id)
                        return &w->events[i - 1];
        return NULL;
}

void world_forget(SimWorld *w) {
        free(w->events);
        free(w->requests);
        w->events = NULL;
        w->requests = NULL;
        w->n_events = w->n_requests = 0;
}

size_t world_writes(const SimWorld *w, const char *part) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_requests; i++)
                n += w->requests[i].method != HTTP_GET && strstr(w->requests[i].path, part);
        return n;
}

void world_print(const SimWorld *w) {
        char at[TIME_TEXT_MAX];

        for (size_t i = 0; i < w->n_events; i++)
                (void) fprintf(stderr, "%s %s %s\n", rfc3339_format(w->events[i].at_usec, at), event_type(w->events[i].id)->name,
                               w->events[i].message);
}

json_object *world_state(SimWorld *w, const char *const *path) {
        SimRequest q = { .method = "GET", .path = "/sim/v1/state", .peer = "127.0.0.1", .peer_is_local = true };
        json_object *root, *o;
        SimReply reply = {};

        if (sim_handle(w->sim, &q, w->wall_usec, &reply) < 0 || reply.status != 200)
                FAIL("the simulated cloud does not show its state: %d\n", reply.status);
        root = o = json_tokener_parse(reply.body);
        sim_reply_done(&reply);

        for (; *path && o; path++)
                if (!json_object_object_get_ex(o, *path, &o))
                        o = NULL;

        o = o ? json_object_get(o) : NULL;
        json_object_put(root);
        return o;
}
