/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bytes as a policy file, at start and at a reload that has a last good version, and as holdfast.yaml. Beyond not crashing: what is
 * accepted keeps the promises that the rest of holdfast builds on, and reading it again gives the same.
 */

#include <stddef.h>
#include <stdint.h>

#include "policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() may be compiled out, and then this would find nothing. */
static void must(bool fact) {
        if (!fact)
                abort();
}

static Settings *base_settings(void) {
        static const char text[] = "region: ap-southeast-1\n";
        _cleanup_(diagnostics_done) Diagnostics d = {};
        Settings *s = NULL;

        must(settings_load_buffer("holdfast.yaml", text, sizeof(text) - 1, &d, &s) == 0);
        return s;
}

static PolicySet *base_set(const Settings *settings) {
        static const char text[] =
                "name: before\nservice: taurusdb\ninstance_id: 00000000000000000000000000000001in07\n"
                "lock: {retention_days: 30}\n";
        _cleanup_(diagnostics_done) Diagnostics d = {};
        PolicySet *set = NULL;

        must(policies_load_buffer("fuzz.yaml", text, sizeof(text) - 1, settings, NULL, &d, &set, NULL) == 0);
        must(set->n_instances == 1);
        return set;
}

static void check_lock(const LockPolicy *l, const Settings *settings) {
        must(l->retention_days >= 1 && l->retention_days <= l->max_retention_days);
        must(l->max_retention_days <= settings->limits.max_retention_days);
        must(l->renew_before_usec < (usec_t) l->retention_days * USEC_PER_DAY);
        must(l->renew_before_usec >= 3 * l->poll_usec);
}

static void check_instance(const Instance *i, const Settings *settings) {
        unsigned n_controls = 0;

        must(i->name && i->name[0] && i->instance_id && i->terms->region && i->file && i->line > 0);
        must(strpbrk(i->instance_id, "/?#%&. \r\n") == NULL);
        must(!i->terms->project_id || strpbrk(i->terms->project_id, "/?#%&. \r\n") == NULL);
        must(!i->terms->domain_id || strpbrk(i->terms->domain_id, "/?#%&. \r\n") == NULL);
        for (Control c = 0; c < CONTROL__MAX; c++) {
                if (!instance_has(i, c))
                        continue;
                n_controls++;
                must(control_service(c) == i->service);
                must(instance_poll_usec(i, c) >= USEC_PER_SEC && instance_poll_usec(i, c) <= 30 * USEC_PER_DAY);
        }
        must(n_controls > 0);
        if (i->terms->lock)
                check_lock(i->terms->lock, settings);
        if (i->terms->schedule)
                must(i->terms->schedule->timezone && i->terms->schedule->bucket_name && i->terms->schedule->bucket_root_path);
        if (i->terms->download)
                must(i->terms->download->latest == (i->terms->download->n_backup_ids == 0));
}

/* Every line that a person would read is one line, and says where. */
static void check_diagnostics(const Diagnostics *d) {
        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&d->items[i]);

                must(line && !strchr(line, '\n') && !strchr(line, '\x1b'));
                must(strstr(line, "found ") && strstr(line, "expected "));
        }
}

static void fuzz_policies(const char *text, size_t size, const Settings *settings, const PolicySet *before) {
        _cleanup_(diagnostics_done) Diagnostics d = {}, d_again = {};
        _cleanup_(policy_set_freep) PolicySet *set = NULL, *again = NULL;
        size_t n_rejected = 0, n_again = 0;

        must(policies_load_buffer("fuzz.yaml", text, size, settings, before, &d, &set, &n_rejected) == 0);
        must((n_rejected > 0) == (d.n_items > 0));
        must(!before || n_rejected == 0 ||
             (set->n_instances == 1 && instance_equal(set->instances[0], before->instances[0])));
        check_diagnostics(&d);
        for (size_t i = 0; i < set->n_instances; i++) {
                check_instance(set->instances[i], settings);
                must(i == 0 || strcmp(set->instances[i - 1]->name, set->instances[i]->name) < 0);
        }

        must(policies_load_buffer("fuzz.yaml", text, size, settings, set, &d_again, &again, &n_again) == 0);
        must(n_again == n_rejected && again->n_instances == set->n_instances);
        for (size_t i = 0; i < set->n_instances; i++)
                must(instance_equal(set->instances[i], again->instances[i]));
}

static void fuzz_settings(const char *text, size_t size) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(settings_freep) Settings *s = NULL;
        int r;

        r = settings_load_buffer("holdfast.yaml", text, size, &d, &s);
        must((r == 0) == (d.n_items == 0));
        must((r == 0) == (s != NULL));
        check_diagnostics(&d);
        if (!s)
                return;

        must(s->http.max_connections >= 1 && s->http.rate_per_sec >= 1 && s->limits.max_retention_days >= 1);
        must((s->credentials.source == CREDENTIALS_FILES) == (s->credentials.directory != NULL));
        for (Service i = 0; i < SERVICE__MAX; i++)
                must(!s->endpoints[i] || strncmp(s->endpoints[i], "http", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(settings_freep) Settings *settings = base_settings();
        _cleanup_(policy_set_freep) PolicySet *before = base_set(settings);

        fuzz_policies((const char *) data, size, settings, NULL);
        fuzz_policies((const char *) data, size, settings, before);
        fuzz_settings((const char *) data, size);
        return 0;
}
