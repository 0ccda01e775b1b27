/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "policy/load.h"

#define ARRIVALS_MAX 100000

/* --- The world ---------------------------------------------------------------------------------------------------- */

static usec_t world_realtime(void *userdata) {
        return ((Fleet *) userdata)->wall_usec;
}

static usec_t world_boottime(void *userdata) {
        return ((Fleet *) userdata)->boot_usec;
}

static uint64_t world_random(void *userdata) {
        return 7;
}

static int world_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        fail_msg("every ask is answered from memory");
        return -EIO;
}

static int world_put(void *userdata, const StateRecord *record) {
        Fleet *f = userdata;

        f->n_puts++;
        if (record->kind == STATE_CONTROL) {
                f->last_put = *record->control_state.state;
                f->last_put.told.why = f->last_put.told.changed_request_id = NULL;
        }
        return 0;
}

static void world_commit(void *userdata) {
        ((Fleet *) userdata)->commit_asked = true;
}

static int world_flush(void *userdata) {
        return 0;
}

static void world_say(void *userdata, const Event *event) {
}

static int world_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        Credentials *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        c->access_key = strdup("AAAAAAAAAAAAAAAAAAAA");
        assert_int_equal(secret_new("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 40, &c->secret_key), 0);
        c->expires_at_usec = USEC_INFINITY;
        c->origin = strdup("a test");
        *ret = c;
        return 0;
}

static bool world_recall(void *userdata, const Instance *instance, const Ask *ask, uint64_t cookie) {
        Fleet *f = userdata;

        assert_true(f->n_arrivals < ARRIVALS_MAX);
        f->arrivals[f->n_arrivals++] = (FleetArrival) {
                .cookie = cookie,
                .ask = *ask,
                .instance = strtoul(instance->instance_id, NULL, 16),
        };
        return true;
}

static void world_shown(void *userdata, const Instance *instance, Control control, Verdict verdict) {
        Fleet *f = userdata;

        f->n_shown++;
        f->last_shown = verdict;
        if (f->on_shown)
                f->on_shown(f->userdata, instance->name, control_to_string(control), verdict_to_string(verdict));
}

/* --- The cloud ---------------------------------------------------------------------------------------------------- */

static void answer(Fleet *f, const FleetArrival *a) {
        FleetInstance *i = &f->instances[a->instance];
        Answer answer = { .call = a->ask.call, .date_usec = f->wall_usec / USEC_PER_SEC * USEC_PER_SEC };

        assert_true(a->instance < f->n_instances);
        (void) snprintf(answer.request_id, sizeof(answer.request_id), "request-%zu", a->instance);
        if (i->refused) {
                engine_on_answer(f->engine, a->cookie, NULL);
                return;
        }

        if (a->ask.call == CALL_ENCRYPTION_SET)
                i->encryption_off = false;
        if (a->ask.call == CALL_LOCK_SET)
                fail_msg("these locks are long enough");
        if (a->ask.call == CALL_ENCRYPTION_GET || a->ask.call == CALL_ENCRYPTION_SET)
                answer.encryption_on = !i->encryption_off;
        else if (a->ask.call == CALL_LOCK_GET) {
                answer.lock.presence = i->lock_end_usec > 0 ? LOCK_HELD : LOCK_NONE;
                answer.lock.explicit_none = i->lock_end_usec == 0;
                if (i->lock_end_usec > 0)
                        answer.lock = (LockFacts) {
                                .presence = LOCK_HELD,
                                .retention_days = 30,
                                .start_usec = i->lock_start_usec,
                                .end_usec = i->lock_end_usec,
                                .raw_start = (int64_t) (i->lock_start_usec / 1000),
                                .raw_end = (int64_t) (i->lock_end_usec / 1000),
                                .unit = LOCK_UNIT_MILLISECONDS,
                        };
        }
        engine_on_answer(f->engine, a->cookie, &answer);
}

void fleet_step(Fleet *f) {
        usec_t wait;

        do {
                size_t n = f->n_arrivals;
                FleetArrival *arrivals = calloc(n + 1, sizeof(FleetArrival));

                assert_non_null(arrivals);
                memcpy(arrivals, f->arrivals, n * sizeof(FleetArrival));
                f->n_arrivals = 0;
                for (size_t k = 0; k < n; k++)
                        answer(f, &arrivals[k]);
                free(arrivals);

                if (f->commit_asked) {
                        f->commit_asked = false;
                        engine_on_committed(f->engine, 0);
                }
                assert_int_equal(engine_run(f->engine, &wait), 0);
        } while (f->n_arrivals > 0 || f->commit_asked);
}

void fleet_run(Fleet *f, usec_t for_usec) {
        usec_t until = f->boot_usec + for_usec;

        for (;;) {
                usec_t wait;

                fleet_step(f);
                assert_int_equal(engine_run(f->engine, &wait), 0);
                if (f->n_arrivals > 0 || f->commit_asked)
                        continue;

                wait = MAX(MIN(wait, until - f->boot_usec), (usec_t) 1);
                if (f->boot_usec >= until)
                        return;
                f->boot_usec += wait;
                f->wall_usec += wait;
        }
}

/* --- Policies ----------------------------------------------------------------------------------------------------- */

void fleet_instance_id(size_t i, char buf[static 64]) {
        (void) snprintf(buf, 64, "%032zxin07", i);
}

static void policy_of_two(FILE *f, size_t i) {
        char id[64];

        fleet_instance_id(i, id);
        (void) fprintf(f, "name: i%05zu\nservice: taurusdb\ninstance_id: \"%s\"\nencryption: {expect: on}\n"
                       "lock: {retention_days: 30, renew_before: 7d}\n", i, id);
}

static void load(Fleet *f, size_t n, const char *settings_text, FleetPolicy policy, Settings **ret_settings, PolicySet **ret) {
        _cleanup_(diagnostics_done) Diagnostics diags = {};
        Settings *settings = NULL, *parsed;
        char path[128], folder[128];
        size_t n_rejected;
        FILE *file;
        int r;

        (void) snprintf(path, sizeof(path), "%s/holdfast.yaml", f->dir);
        (void) snprintf(folder, sizeof(folder), "%s/instances.d", f->dir);
        (void) mkdir(folder, 0700);

        if (settings_text) {
                file = fopen(path, "we");
                assert_non_null(file);
                (void) fprintf(file, "region: ap-southeast-1\nproject_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n"
                               "domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867\ncredentials: {source: environment}\n"
                               "%s%s", strstr(settings_text, "http:") ? "" : "http: {rate: 1000/s}\n", settings_text);
                assert_int_equal(fclose(file), 0);
        }

        /* A file of a hundred each. */
        for (size_t i = 0; i < MAX(n, f->n_instances); i += 100) {
                (void) snprintf(path, sizeof(path), "%s/instances.d/%05zu.yaml", f->dir, i);
                (void) unlink(path);
                if (i >= n)
                        continue;
                file = fopen(path, "we");
                assert_non_null(file);
                for (size_t k = i; k < MIN(i + 100, n); k++) {
                        (void) fprintf(file, "---\n");
                        (policy ? policy : policy_of_two)(file, k);
                }
                assert_int_equal(fclose(file), 0);
        }

        (void) snprintf(path, sizeof(path), "%s/holdfast.yaml", f->dir);
        assert_int_equal(settings_load(path, &diags, &settings), 0);
        parsed = settings;
        r = policies_load(folder, parsed, NULL, &diags, ret, &n_rejected);
        for (size_t i = 0; i < diags.n_items; i++) {
                _cleanup_(freep) char *s = diagnostic_to_string(&diags.items[i]);

                print_message("%s\n", s);
        }
        assert_int_equal(r, 0);
        assert_int_equal(n_rejected, 0);
        *ret_settings = settings;
}

void fleet_reload(Fleet *f, size_t n, const char *settings_text, FleetPolicy policy) {
        PolicySet *policies = NULL;
        Settings *settings = NULL;

        assert_true(n <= f->n_instances);
        load(f, n, settings_text, policy, &settings, &policies);
        assert_int_equal(engine_configure(f->engine, settings, policies), 0);
}

void fleet_setup(Fleet *f, size_t n, const char *settings_text, FleetPolicy policy) {
        World world = {
                .userdata = f,
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
                .shown = world_shown,
        };

        *f = (Fleet) { .boot_usec = 1000 * USEC_PER_SEC, .wall_usec = FLEET_T0, .n_instances = n };
        (void) snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/holdfast-fleet-XXXXXX");
        assert_non_null(mkdtemp(f->dir));

        f->instances = calloc(MAX(n, (size_t) 1), sizeof(FleetInstance));
        f->arrivals = calloc(ARRIVALS_MAX, sizeof(FleetArrival));
        assert_non_null(f->instances);
        assert_non_null(f->arrivals);
        for (size_t i = 0; i < n; i++) {
                f->instances[i].lock_start_usec = FLEET_T0;
                f->instances[i].lock_end_usec = FLEET_T0 + 30 * USEC_PER_DAY + i * USEC_PER_SEC;
        }

        assert_int_equal(engine_new(&world, &(EngineOptions) {}, &f->engine), 0);
        fleet_reload(f, n, settings_text ? settings_text : "", policy);
}

void fleet_teardown(Fleet *f) {
        char command[128];

        engine_free(f->engine);
        free(f->instances);
        free(f->arrivals);
        (void) snprintf(command, sizeof(command), "rm -rf -- '%s'", f->dir);
        assert_int_equal(system(command), 0);
        timezone_forget_all();
}
