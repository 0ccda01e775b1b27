/* SPDX-License-Identifier: Apache-2.0 */

/* What is shipped for people to read says what the code does: holdfast.yaml(5) and the examples of etc/. */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/keys.h"
#include "policy/load.h"
#include "policy/record.h"

#define FILE_MAX ((size_t) 256 * 1024)

/* --- Help ------------------------------------------------------------------------------------------------------- */

/* A path in the source tree, which lies around the folder of test data. New. */
static char *source_path(const char *name) {
        static const char folder[] = "/tests/unit/data";
        const char *data = getenv("HOLDFAST_TEST_DATA");
        char *path;

        assert_non_null(data);
        assert_true(strlen(data) > strlen(folder));
        assert_string_equal(data + strlen(data) - strlen(folder), folder);
        assert_true(asprintf(&path, "%.*s/%s", (int) (strlen(data) - strlen(folder)), data, name) > 0);
        return path;
}

/* A file of the source tree. New. */
static char *read_source(const char *name) {
        _cleanup_(freep) char *path = source_path(name);
        char *text = calloc(1, FILE_MAX);
        FILE *f;

        assert_non_null(text);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_true(fread(text, 1, FILE_MAX - 1, f) > 0);
        (void) fclose(f);
        return text;
}

static void assert_nothing_said(const Diagnostics *d) {
        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&d->items[i]);

                print_error("%s\n", line);
        }
        assert_int_equal(d->n_items, 0);
}

static Settings *settings_of(const char *text) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        Settings *s = NULL;

        (void) settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s);
        assert_nothing_said(&d);
        assert_non_null(s);
        return s;
}

static PolicySet *policies_of(const char *text, const Settings *settings) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        PolicySet *set = NULL;

        assert_int_equal(policies_load_buffer("example.yaml", text, strlen(text), settings, NULL, &d, &set, NULL), 0);
        assert_nothing_said(&d);
        return set;
}

/* --- The manual page -------------------------------------------------------------------------------------------- */

/* The page with hyphens and quotes as a reader sees them. New. */
static char *read_page(void) {
        char *page = read_source("man/holdfast.yaml.5"), *to = page;

        for (const char *from = page; *from;)
                if (strncmp(from, "\\-", 2) == 0) {
                        *to++ = '-';
                        from += 2;
                } else
                        *to++ = *from++;
        *to = '\0';
        return page;
}

/* Where an entry ends: at the next one, or the next heading. Entries within it (.RS to .RE) belong to it. */
static const char *entry_end(const char *entry, const char *end) {
        unsigned depth = 0;

        for (const char *line = strchr(entry, '\n'); line && line < end; line = strchr(line + 1, '\n')) {
                if (strncmp(line, "\n.RS\n", 5) == 0)
                        depth++;
                else if (strncmp(line, "\n.RE\n", 5) == 0)
                        depth--;
                else if (depth == 0 && (strncmp(line, "\n.TP\n", 5) == 0 || strncmp(line, "\n.SS ", 5) == 0))
                        return line;
        }

        return end;
}

/* One entry, from its heading to the next. New, NULL if there is none. */
static char *entry_of(const char *page, const char *section, const char *path) {
        _cleanup_(freep) char *plain = NULL, *required = NULL, *heading = NULL;
        const char *from, *end, *entry;

        assert_true(asprintf(&heading, "\n.SH %s\n", section) > 0);
        assert_true(asprintf(&plain, "\n.TP\n.B %s\n", path) > 0);
        assert_true(asprintf(&required, "\n.TP\n.BR %s \" (required)\"\n", path) > 0);

        from = strstr(page, heading);
        assert_non_null(from);
        end = strstr(from + 1, "\n.SH ");
        assert_non_null(end);
        entry = strstr(from, plain);
        if (!entry || entry > end)
                entry = strstr(from, required);
        if (!entry || entry > end)
                return NULL;

        entry += strlen("\n.TP\n");
        return strndup(entry, (size_t) (entry_end(entry, end) - entry));
}

typedef struct Visit {
        const char *page, *section;
        size_t n;
} Visit;

static void assert_says(const char *entry, const char *word) {
        if (!strstr(entry, word))
                fail_msg("%s is not said in:\n%s", word, entry);
}

static void assert_says_number(const char *entry, uint64_t n, const char *suffix) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRIu64 "%s", n, suffix);
        assert_says(entry, text);
}

static int visit_key(void *userdata, const char *path, const KeyInfo *key) {
        Visit *v = userdata;
        _cleanup_(freep) char *entry = entry_of(v->page, v->section, path);
        bool in_defaults = strncmp(path, "defaults.", strlen("defaults.")) == 0;

        v->n++;
        if (!entry)
                fail_msg("%s has no entry under %s", path, v->section);
        if (key->initial)
                assert_says(entry, *key->initial ? key->initial : "empty");
        if (in_defaults) /* the ranges are the policy's */
                return 0;

        assert_int_equal(strstr(entry, "(required)") != NULL, (key->flags & KEY_REQUIRED) != 0);
        for (size_t i = 0; i < key->n_words; i++)
                assert_says(entry, key->words[i]);
        if (key->shortest) {
                assert_says(entry, key->shortest);
                assert_says(entry, key->longest);
        }
        if (key->type == KEY_INTEGER || key->type == KEY_COUNT || key->type == KEY_RATE) {
                assert_says_number(entry, key->min, key->type == KEY_RATE ? "/s" : "");
                assert_says_number(entry, key->max, key->type == KEY_RATE ? "/s" : "");
        }
        assert_int_equal(strstr(entry, "never") != NULL && key->type == KEY_DURATION, (key->flags & KEY_NEVER) != 0);
        return 0;
}

static void test_page_has_every_key(void **state) {
        _cleanup_(freep) char *page = read_page();
        Visit settings = { .page = page, .section = "SETTINGS" }, policies = { .page = page, .section = "POLICIES" };

        assert_int_equal(keys_each(&keys_settings, visit_key, &settings), 0);
        assert_int_equal(keys_each(&keys_instance, visit_key, &policies), 0);
        assert_true(settings.n > 0 && policies.n > 0);
        assert_null(entry_of(page, "SETTINGS", "lock.retention_days")); /* the search is no rubber stamp */
        assert_null(entry_of(page, "POLICIES", "nonsense"));
}

/* Every example between .EX and .EE, but the error messages. */
static void test_page_examples(void **state) {
        _cleanup_(freep) char *page = read_page();
        size_t n_settings = 0, n_policies = 0;

        for (char *from = strstr(page, "\n.EX\n"); from; from = strstr(from, "\n.EX\n")) {
                char *end = strstr(from, "\n.EE\n");

                assert_non_null(end);
                from += strlen("\n.EX\n");
                end[1] = '\0';
                if (strstr(from, "instance_id:")) {
                        _cleanup_(settings_freep) Settings *s = settings_of("region: ap-southeast-1\n");
                        _cleanup_(policy_set_freep) PolicySet *set = policies_of(from, s);

                        n_policies += set->n_instances;
                } else if (!strstr(from, ": found ")) {
                        settings_free(settings_of(from));
                        n_settings++;
                }
                from = end + 2;
        }
        assert_int_equal(n_settings, 1);
        assert_int_equal(n_policies, 3);
}

/* The errors that the page shows are the ones that are told. */
static void test_page_errors(void **state) {
        static const char text[] =
                "name: orders\nservice: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n\nlock:\n"
                "  retention_days: 30\n  renew_before: 40d\n  extensoin: auto\n";
        _cleanup_(settings_freep) Settings *settings = settings_of("region: ap-southeast-1\n");
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(freep) char *page = read_page();

        assert_int_equal(policies_load_buffer("orders.yaml", text, strlen(text), settings, NULL, &d, &set, NULL), 0);
        assert_int_equal(d.n_items, 2);
        for (size_t i = 0; i < d.n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&d.items[i]);

                assert_says(page, line);
        }
}

/* --- etc/ ------------------------------------------------------------------------------------------------------- */

/* Takes the "#" away from every line that has no blank after it. */
static void uncomment(char *text) {
        char *to = text;

        for (const char *from = text; *from;) {
                if ((from == text || from[-1] == '\n') && from[0] == '#' && ((from[1] >= 'a' && from[1] <= 'z') ||
                                                                            strncmp(from, "#  ", 3) == 0)) {
                        /* "#   auto …" below "# source:" is prose: keys are followed by a colon */
                        size_t n = strspn(from + 1, " abcdefghijklmnopqrstuvwxyz_");

                        if (from[1 + n] == ':')
                                from++;
                }
                *to++ = *from++;
        }
        *to = '\0';
}

static bool section_equal(const char *key, const Settings *a, const Settings *b) {
        const KeyInfo *section = keys_find(&keys_settings, key);

        assert_non_null(section);
        return record_equal(section->section, (const char *) a + section->offset, (const char *) b + section->offset);
}

static void test_shipped_settings(void **state) {
        _cleanup_(freep) char *text = read_source("etc/holdfast.yaml");
        _cleanup_(settings_freep) Settings *built_in = settings_of(""), *shipped = settings_of(text), *written = NULL;

        assert_true(record_equal(&keys_settings, shipped, built_in));

        uncomment(text);
        written = settings_of(text);
        assert_non_null(written->region);
        assert_non_null(written->http.proxy);
        for (Service s = 0; s < SERVICE__MAX; s++)
                assert_non_null(written->endpoints[s]);
        /* what is shown as default is the default */
        assert_int_equal(written->mode, built_in->mode);
        assert_int_equal(written->language, built_in->language);
        assert_true(section_equal("credentials", written, built_in));
        assert_true(section_equal("limits", written, built_in));
        assert_true(section_equal("defaults", written, built_in));
        free(written->http.ca_file);
        free(written->http.proxy);
        written->http.ca_file = written->http.proxy = NULL;
        assert_true(section_equal("http", written, built_in));
}

static int in_shipped(void *userdata, const char *path, const KeyInfo *key) {
        char text[KEY_PATH_MAX];

        (void) snprintf(text, sizeof(text), "%s:", key->key);
        if (strncmp(path, "credentials.", 12) == 0 && !streq(key->key, "source"))
                text[strlen(text) - 1] = '\0'; /* told in prose: they belong to other sources than the default */
        assert_says(userdata, text);
        return 0;
}

static void test_shipped_settings_show_every_key(void **state) {
        _cleanup_(freep) char *text = read_source("etc/holdfast.yaml");

        assert_int_equal(keys_each(&keys_settings, in_shipped, text), 0);
}

static void test_shipped_examples(void **state) {
        static const struct {
                const char *name;
                Service service;
        } cases[] = {
                { "etc/instances.d/taurusdb.yaml.example", SERVICE_TAURUSDB },
                { "etc/instances.d/dbss.yaml.example",     SERVICE_DBSS     },
                { "etc/instances.d/gaussdb.yaml.example",  SERVICE_GAUSSDB  },
        };
        _cleanup_(settings_freep) Settings *settings = settings_of("");

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *text = read_source(cases[i].name);
                _cleanup_(policy_set_freep) PolicySet *set = policies_of(text, settings);

                assert_int_equal(set->n_instances, 1);
                assert_int_equal(set->instances[0]->service, cases[i].service);
                assert_int_equal(instance_mode(set->instances[0], settings), MODE_OBSERVE); /* copied as it is, it changes nothing */
        }
}

static void test_shipped_folder_has_no_policy(void **state) {
        _cleanup_(settings_freep) Settings *settings = settings_of("");
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(diagnostics_done) Diagnostics d = {};
        _cleanup_(freep) char *path = source_path("etc/instances.d");

        assert_int_equal(policies_load(path, settings, NULL, &d, &set, NULL), 0);
        assert_nothing_said(&d);
        assert_int_equal(set->n_instances, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_page_has_every_key),
                cmocka_unit_test(test_page_examples),
                cmocka_unit_test(test_page_errors),
                cmocka_unit_test(test_shipped_settings),
                cmocka_unit_test(test_shipped_settings_show_every_key),
                cmocka_unit_test(test_shipped_examples),
                cmocka_unit_test(test_shipped_folder_has_no_policy),
        };
        int r = cmocka_run_group_tests(tests, NULL, NULL);

        timezone_forget_all();
        return r;
}
