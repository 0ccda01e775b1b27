/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "cloud/credentials.h"
#include "daemon/manager-internal.h"

/*
 * The real world, as the engine sees it.
 */

#define COMMIT_EVERY_USEC (120 * USEC_PER_MSEC) /* with those of checkpoints at most one sync in 100 ms, however much changes; picked */

static usec_t now(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);       /* cannot fail for these clocks */
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

usec_t now_boottime(void) {
        return now(CLOCK_BOOTTIME);
}

usec_t now_realtime(void) {
        return now(CLOCK_REALTIME);
}

static usec_t world_realtime(void *userdata) {
        return now_realtime();
}

static usec_t world_boottime(void *userdata) {
        return now_boottime();
}

static uint64_t world_random(void *userdata) {
        uint64_t n = 0;

        /* Only spreads retries: if the kernel has no randomness yet, none is better than waiting. */
        if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
                n = now_boottime();
        return n;
}

static int world_send(void *userdata, HttpRequest *request, uint64_t cookie) {
        Manager *m = userdata;

        return transport_send(m->transport, request, cookie);
}

void manager_on_reply(void *userdata, uint64_t cookie, HttpReply *reply) {
        Manager *m = userdata;

        engine_on_reply(m->engine, cookie, reply);
}

static int world_put(void *userdata, const StateRecord *record) {
        Manager *m = userdata;
        int r;

        if (!m->store)
                return m->put_error < 0 ? m->put_error : -EIO;

        r = store_put(m->store, record);
        if (r < 0)
                m->put_error = r;
        return r;
}

static void world_commit(void *userdata) {
        Manager *m = userdata;
        usec_t since = now_boottime() - m->committed_at_usec;
        int r;

        r = sd_event_source_set_time_relative(m->commit_source, since >= COMMIT_EVERY_USEC ? 0 : COMMIT_EVERY_USEC - since);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->commit_source, SD_EVENT_ONESHOT);
        /* -ESTALE: the loop is over, and what is put now is committed at the end of everything. */
        if (r < 0 && r != -ESTALE)
                manager_say(m, EVENT_STATE_FAILING, "the commit of the state could not be planned: %s", strerror(-r));
}

int manager_commit_now(Manager *m) {
        int r = 0, put_error = m->put_error;

        if (!m->store)
                return put_error < 0 ? put_error : -EIO;

        m->put_error = 0;
        if (store_dirty(m->store))
                r = store_commit(m->store);
        m->committed_at_usec = now_boottime();
        return put_error < 0 ? put_error : r;   /* a record that was lost makes the whole batch be put again */
}

static int world_flush(void *userdata) {
        return manager_commit_now(userdata);
}

static void world_say(void *userdata, const Event *event) {
        Manager *m = userdata;

        report_event(m->report, event, now_realtime());
}

static void world_shown(void *userdata, const Instance *instance, Control control, Verdict verdict) {
        Manager *m = userdata;

        bus_note_shown(m->bus, instance->name, control_to_string(control), verdict_to_string(verdict));
}

static int world_credentials(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        Manager *m = userdata;

        switch (source) {
        case CREDENTIALS_SYSTEMD:
                return directory ? credentials_from_directory(directory, 0, ret, reterr) : -ENOENT;
        case CREDENTIALS_FILES:
                watch_credentials(m, settings);
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

const World manager_world = {
        .realtime = world_realtime,
        .boottime = world_boottime,
        .random = world_random,
        .send = world_send,
        .put = world_put,
        .commit = world_commit,
        .flush = world_flush,
        .say = world_say,
        .credentials = world_credentials,
        .shown = world_shown,
};

static int restore(void *userdata, const StateRecord *record) {
        return engine_restore(userdata, record);
}

int manager_open_store(Manager *m) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(freep) char *set_aside = NULL;
        size_t n_skipped = 0;
        int r;

        (void) mkdir(m->options->state, 0750);  /* systemd makes it; by hand it may be missing; opening says what is wrong */

        r = store_open(m->options->state, &store, &set_aside);
        if (r < 0)
                return r;

        if (set_aside)
                manager_say(m, EVENT_STATE_RESET, "%s: the database was broken and was set aside as %s; a new one is begun from what the cloud "
                            "reports", m->options->state, set_aside);

        r = store_load(store, restore, m->engine, &n_skipped);
        if (r < 0)
                return r;
        if (n_skipped > 0)
                manager_say(m, EVENT_STATE_RESET, "%s: %zu records of the state make no sense and were passed over", m->options->state,
                            n_skipped);

        m->store = STEAL(store);
        m->put_error = 0;
        return 0;
}
