/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: the table of events, the message catalog and holdfastd(8) tell the same story.
 */

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "facts/event.h"

#define CATALOG HOLDFAST_SOURCE_DIR "/systemd/holdfast.catalog"
#define MANUAL HOLDFAST_SOURCE_DIR "/man/holdfastd.8"
#define LINE_MAX_COLUMNS 80     /* of the explanation: journalctl indents it */
#define TEXT_MIN 60             /* characters; shorter than that explains nothing */

typedef struct Entry {
        char id[33], subject[256];
        bool defined_by, support, documentation, in_text;
        size_t n_text;
        char fields[512];       /* between @ signs, each with a blank before and after */
} Entry;

static Entry entries[2 * EVENT__MAX];
static size_t n_entries;

/* Every field of @line that journalctl would replace. */
static void note_fields(Entry *entry, const char *line) {
        const char *p = line, *end;

        while ((p = strchr(p, '@'))) {
                end = strchr(p + 1, '@');
                assert_non_null(end);   /* in pairs */
                assert_true(end > p + 1);
                assert_true(strlen(entry->fields) + (size_t) (end - p) + 2 < sizeof(entry->fields));
                (void) strcat(entry->fields, " ");
                (void) strncat(entry->fields, p + 1, (size_t) (end - p - 1));
                (void) strcat(entry->fields, " ");
                p = end + 1;
        }
}

static void note_header(Entry *entry, const char *line) {
        if (strncmp(line, "Subject: ", 9) == 0) {
                assert_string_equal(entry->subject, "");
                assert_true(strlen(line) > 12 && strlen(line) - 9 < sizeof(entry->subject));
                (void) strcpy(entry->subject, line + 9);
        } else if (streq(line, "Defined-By: holdfast"))
                entry->defined_by = true;
        else if (strncmp(line, "Support: ", 9) == 0)
                entry->support = strlen(line) > 12;
        else if (strncmp(line, "Documentation: man:", 19) == 0)
                entry->documentation = entry->documentation || streq(line + 19, "holdfastd(8)");
        else
                fail_msg("not a header: %s", line);
}

static Entry *begin_entry(const char *line) {
        Entry *entry;

        assert_true(n_entries < N_ELEMENTS(entries));
        entry = &entries[n_entries++];
        *entry = (Entry) {};
        assert_int_equal(strlen(line), 3 + 32);         /* no language: this is the catalog of all */
        (void) strcpy(entry->id, line + 3);
        return entry;
}

static int read_catalog(void **state) {
        FILE *f = fopen(CATALOG, "re");
        Entry *entry = NULL;
        char line[1024];

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                size_t n = strcspn(line, "\n");

                assert_int_equal(line[n], '\n');
                line[n] = 0;
                for (size_t i = 0; i < n; i++)
                        assert_true(isprint((unsigned char) line[i]));
                assert_false(n > 0 && line[n - 1] == ' ');

                if (strncmp(line, "-- ", 3) == 0)
                        entry = begin_entry(line);
                else if (line[0] == '#')
                        continue;
                else if (!entry)
                        assert_int_equal(n, 0);
                else if (n == 0)
                        entry->in_text = true;
                else {
                        note_fields(entry, line);
                        if (!entry->in_text)
                                note_header(entry, line);
                        else {
                                assert_true(n <= LINE_MAX_COLUMNS);
                                entry->n_text += n;
                        }
                }
        }
        assert_int_equal(fclose(f), 0);
        return 0;
}

static void test_catalog_has_each_event_once(void **state) {
        for (EventId i = 0; i < EVENT__MAX; i++) {
                size_t n = 0;

                for (size_t k = 0; k < n_entries; k++)
                        n += streq(entries[k].id, event_type(i)->message_id);
                if (n != 1)
                        fail_msg("%s has %zu entries", event_type(i)->name, n);
        }

        assert_int_equal(n_entries, EVENT__MAX);        /* none is left over */
}

static void test_catalog_entries_are_whole(void **state) {
        for (size_t i = 0; i < n_entries; i++) {
                print_message("%s\n", entries[i].subject);
                assert_string_not_equal(entries[i].subject, "");
                assert_true(entries[i].defined_by);
                assert_true(entries[i].support);
                assert_true(entries[i].documentation);
                assert_true(entries[i].n_text >= TEXT_MIN);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(entries[i].subject, entries[k].subject);
        }
}

/* Of a field that a message does not have, journalctl shows the name: only those may be used that are always there. */
static const char *fields_of(EventId id) {
        static const char of_control[] = " HOLDFAST_NAME HOLDFAST_INSTANCE HOLDFAST_SERVICE HOLDFAST_CONTROL ";
        static const char of_lock[] = " HOLDFAST_NAME HOLDFAST_INSTANCE HOLDFAST_SERVICE HOLDFAST_CONTROL HOLDFAST_LOCK_END ";

        switch (id) {
        case EVENT_LOCK_ENABLED:
        case EVENT_LOCK_EXTENDED:
        case EVENT_LOCK_EXPIRING:
                return of_lock;
        case EVENT_COMPLIANT:
        case EVENT_DRIFT:
        case EVENT_REMEDIATED:
        case EVENT_REMEDIATION_FAILED:
        case EVENT_LOCK_LAPSED:
        case EVENT_LOCK_REFUSED:
        case EVENT_LOCK_FROZEN:
        case EVENT_LOCK_EMPTY:
        case EVENT_UNKNOWN:
        case EVENT_BACKUP_STALE:
        case EVENT_DOWNLOAD_AUTHORIZED:
                return of_control;
        case EVENT_POLICY_REMOVED:
                return " HOLDFAST_NAME HOLDFAST_INSTANCE HOLDFAST_FILE ";
        case EVENT_STARTED:
        case EVENT_STOPPING:
        case EVENT_RELOADED:
        case EVENT_POLICY_REJECTED:
        case EVENT_LOCK_THAWED:
        case EVENT_API_FAILING:
        case EVENT_API_RECOVERED:
        case EVENT_CREDENTIALS_REJECTED:
        case EVENT_CREDENTIALS_REFRESHED:
        case EVENT_CLOCK_SKEW:
        case EVENT_STATE_RESET:
        case EVENT_STATE_FAILING:
        case EVENT_STATE_RECOVERED:
        case EVENT_BUS_JOINED:
        case EVENT_BUS_LOST:
        case EVENT_INTERNAL_ERROR:
        case EVENT_MESSAGES_LOST:
        case EVENT__MAX:
                break;
        }

        return "";
}

static const Entry *entry_of(EventId id) {
        for (size_t i = 0; i < n_entries; i++)
                if (streq(entries[i].id, event_type(id)->message_id))
                        return &entries[i];

        fail_msg("%s has no entry", event_type(id)->name);
        return NULL;
}

static void test_catalog_uses_fields_that_are_there(void **state) {
        size_t n_used = 0;

        for (EventId i = 0; i < EVENT__MAX; i++) {
                char *fields = strdup(entry_of(i)->fields), *rest = fields, *field;

                assert_non_null(fields);
                while ((field = strsep(&rest, " "))) {
                        char padded[128];

                        if (!*field)
                                continue;
                        (void) snprintf(padded, sizeof(padded), " %s ", field);
                        if (!strstr(fields_of(i), padded))
                                fail_msg("%s: not every message has the field %s", event_type(i)->name, field);
                        n_used++;
                }
                free(fields);
        }

        assert_true(n_used > 0);
}

static int run(const char *command) {
        int status = system(command);

        assert_true(status >= 0 && WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* Does a line of what @command prints equal @expected? */
static bool prints(const char *command, const char *expected) {
        FILE *f = popen(command, "re");
        char line[1024];
        bool found = false;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = 0;
                found = found || streq(line, expected);
        }
        (void) pclose(f);
        return found;
}

/* The tool that will read it has the last word. */
static void test_catalog_is_accepted_by_journalctl(void **state) {
        char root[] = "/tmp/holdfast-catalog-XXXXXX", command[1024];
        bool ok = true;
        int r;

        if (run("command -v journalctl >/dev/null") != 0)
                skip();

        assert_non_null(mkdtemp(root));
        (void) snprintf(command, sizeof(command),
                        "mkdir -p %s/usr/lib/systemd/catalog %s/var/lib/systemd/catalog && cp '%s' %s/usr/lib/systemd/catalog/ && "
                        "journalctl --root=%s --update-catalog 2>%s/errors && test ! -s %s/errors",
                        root, root, CATALOG, root, root, root, root);
        r = run(command);

        for (EventId i = 0; r == 0 && ok && i < EVENT__MAX; i++) {
                char expected[300];

                (void) snprintf(command, sizeof(command), "journalctl --root=%s --dump-catalog %s 2>&1", root,
                                event_type(i)->message_id);
                (void) snprintf(expected, sizeof(expected), "Subject: %s", entry_of(i)->subject);
                ok = prints(command, expected);
        }

        (void) snprintf(command, sizeof(command), "rm -r %s", root);
        assert_int_equal(run(command), 0);
        assert_int_equal(r, 0);
        assert_true(ok);
}

static const char *priority_name(int priority) {
        static const char *const names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

        return names[priority];
}

/* holdfastd(8) has a row "name<tab>priority<tab>..." for each event. */
static void test_catalog_and_manual_agree(void **state) {
        for (EventId i = 0; i < EVENT__MAX; i++) {
                FILE *f = fopen(MANUAL, "re");
                char row[128], line[1024];
                size_t n = 0;

                assert_non_null(f);
                (void) snprintf(row, sizeof(row), "%s\t%s", event_type(i)->name, priority_name(event_type(i)->priority));
                while (fgets(line, sizeof(line), f))
                        n += strncmp(line, row, strlen(row)) == 0 && strchr("\t,", line[strlen(row)]) != NULL;
                assert_int_equal(fclose(f), 0);
                if (n != 1)
                        fail_msg("holdfastd(8) has %zu rows of %s with its priority, expected one", n, event_type(i)->name);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_catalog_has_each_event_once),
                cmocka_unit_test(test_catalog_entries_are_whole),
                cmocka_unit_test(test_catalog_uses_fields_that_are_there),
                cmocka_unit_test(test_catalog_is_accepted_by_journalctl),
                cmocka_unit_test(test_catalog_and_manual_agree),
        };

        return cmocka_run_group_tests(tests, read_catalog, NULL);
}
