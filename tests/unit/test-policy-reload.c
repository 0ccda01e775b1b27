/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: a reload does not read again what has not changed, and nobody can tell from what comes out. A folder is changed at random, many times
 * over, and each reload is held against one that reads every file.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/load.h"
#include "policy/set.h"

#define ROUNDS 300
#define N_FILES 7
#define N_NAMES 9               /* of policies, and of instances: few, so that files fight for them */

/* --- Time ----------------------------------------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

static time_t ahead_sec;        /* of the time that files are stamped with: as if they had lain there so long */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = __real_clock_gettime(clock, ret);

        ret->tv_sec += ahead_sec;
        return r;
}

/* Until what is written gets another stamp than what was. */
static void tick(void) {
        struct timespec before, now;

        (void) __real_clock_gettime(CLOCK_REALTIME_COARSE, &before);
        do
                (void) __real_clock_gettime(CLOCK_REALTIME_COARSE, &now);
        while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* --- A folder ------------------------------------------------------------------------------------------------------- */

typedef struct World {
        char path[64];
        Settings *settings[2];
        PolicySet *set;
        uint64_t random;
} World;

static Settings *settings_of(const char *text) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        Settings *s = NULL;

        assert_int_equal(settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s), 0);
        return s;
}

static int set_up(void **state) {
        World *w = calloc(1, sizeof(*w));

        if (!w)
                return -1;
        strcpy(w->path, "/tmp/holdfast-reload-XXXXXX");
        if (!mkdtemp(w->path))
                return -1;
        w->settings[0] = settings_of("region: ap-southeast-1\n");
        w->settings[1] = settings_of("region: cn-north-4\ndefaults: {encryption: {poll: 9m}}\n");
        w->random = 1;
        ahead_sec = 3600;
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        World *w = *state;
        char command[128];
        int r;

        (void) snprintf(command, sizeof(command), "rm -rf '%s'", w->path);
        r = system(command); /* NOLINT(cert-env33-c): the path is our own mkdtemp() */
        policy_set_free(w->set);
        settings_free(w->settings[0]);
        settings_free(w->settings[1]);
        free(w);
        return r;
}

static unsigned draw(World *w, unsigned n) {
        w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (w->random >> 33) % n;
}

static char *path_of(const World *w, unsigned file, char buf[static 128]) {
        (void) snprintf(buf, 128, "%s/%c.yaml", w->path, 'a' + (int) file);
        return buf;
}

static void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* --- Changes -------------------------------------------------------------------------------------------------------- */

static void add_policy(World *w, StrBuf *text, unsigned file) {
        if (draw(w, 3) > 0)
                (void) strbuf_addf(text, "name: n%u\n", draw(w, N_NAMES));
        (void) strbuf_addf(text, "service: taurusdb\ninstance_id: 0000000000000000000000000000000%uin07\n", draw(w, N_NAMES));
        if (draw(w, 2) == 0)
                (void) strbuf_addf(text, "encryption: {expect: on, poll: %um}\n", draw(w, 3) + 5);
        else
                (void) strbuf_addf(text, "lock: {retention_days: %u}\n", draw(w, 3) + 30);
        if (draw(w, 8) == 0)
                (void) strbuf_add(text, "lokc: {}\n");
}

static void write_something(World *w, unsigned file) {
        StrBuf text = STRBUF(4096);
        char path[128], temporary[160];

        for (unsigned n = draw(w, 4) == 0 ? 2 : 1; n > 0; n--) {
                add_policy(w, &text, file);
                if (n > 1)
                        (void) strbuf_add(&text, "---\n");
        }
        if (draw(w, 10) == 0)
                (void) strbuf_add(&text, "[\n");
        if (draw(w, 20) == 0)
                text.s[0] = '#';

        /* As editors do it: in place, or another file in its place. */
        if (draw(w, 2) == 0)
                write_file(path_of(w, file, path), text.s);
        else {
                (void) snprintf(temporary, sizeof(temporary), "%s/new", w->path);
                write_file(temporary, text.s);
                assert_int_equal(rename(temporary, path_of(w, file, path)), 0);
        }
        strbuf_done(&text);
}

/* One digit, and the time of before: all that tells is ctime. */
static void change_in_secret(const char *path) {
        _cleanup_(close_fdp) int fd = open(path, O_RDWR | O_CLOEXEC);
        struct stat st;
        char text[4096], *digit;
        ssize_t n;

        if (fd < 0)
                return;
        assert_int_equal(fstat(fd, &st), 0);
        n = pread(fd, text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
        digit = strpbrk(text, "3567");
        if (digit) {
                *digit = *digit == '3' ? '4' : '8';
                assert_int_equal(pwrite(fd, digit, 1, digit - text), 1);
                assert_int_equal(futimens(fd, (struct timespec[]) { st.st_atim, st.st_mtim }), 0);
        }
}

static void change(World *w) {
        unsigned file = draw(w, N_FILES), other = draw(w, N_FILES);
        char path[128], path_other[128], swap[160];

        (void) path_of(w, file, path);
        (void) path_of(w, other, path_other);
        switch (draw(w, 12)) {
        case 0:
                (void) unlink(path);
                break;
        case 1:
                (void) rename(path, path_other);
                break;
        case 2:
                (void) utimensat(AT_FDCWD, path, NULL, 0);
                break;
        case 3:
                change_in_secret(path);
                break;
        case 4:
                (void) snprintf(swap, sizeof(swap), "%s/swap", w->path);
                if (rename(path, swap) == 0) {
                        (void) rename(path_other, path);
                        (void) rename(swap, path_other);
                }
                break;
        case 5:
                if (file != other && unlink(path) == 0)
                        assert_int_equal(symlink(path_other, path), 0);
                break;
        default:
                write_something(w, file);
                break;
        }
}

/* --- Two ways of reading ---------------------------------------------------------------------------------------------- */

/* All that can be told of a load. */
static char *outcome_of(const PolicySet *set, size_t n_rejected, const Diagnostics *d) {
        StrBuf s = STRBUF(1024 * 1024);
        char *text = NULL;

        (void) strbuf_addf(&s, "%zu rejected\n", n_rejected);
        for (size_t i = 0; i < set->n_instances; i++) {
                const Instance *n = set->instances[i];

                (void) strbuf_addf(&s, "%s %s %s@%s:%u", n->name, n->instance_id, n->terms->region, n->file, n->line);
                if (n->terms->encryption)
                        (void) strbuf_addf(&s, " encryption %ju", (uintmax_t) n->terms->encryption->poll_usec);
                if (n->terms->lock)
                        (void) strbuf_addf(&s, " lock %ju", (uintmax_t) n->terms->lock->retention_days);
                (void) strbuf_add(&s, "\n");
        }
        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&d->items[i]);

                (void) strbuf_addf(&s, "%s\n", line);
        }
        assert_int_equal(strbuf_finish(&s, &text), 0);
        return text;
}

static char *load(const World *w, const Settings *settings, const PolicySet *previous, PolicySet **ret) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        size_t n_rejected = 0;

        assert_int_equal(policies_load(w->path, settings, previous, &d, ret, &n_rejected), 0);
        return outcome_of(*ret, n_rejected, &d);
}

/* The same with every file read, whatever is known of it. */
static char *load_all(const World *w, const Settings *settings, const PolicySet *previous) {
        _cleanup_(policy_set_freep) PolicySet *set = NULL;
        _cleanup_(freep) uint64_t *marks = NULL;
        char *outcome;

        if (previous) {
                marks = calloc(previous->files->n + 1, sizeof(*marks));
                assert_non_null(marks);
                for (size_t i = 0; i < previous->files->n; i++) {
                        marks[i] = previous->files->items[i]->mark;
                        previous->files->items[i]->mark = 0;
                }
        }
        outcome = load(w, settings, previous, &set);
        for (size_t i = 0; previous && i < previous->files->n; i++)
                previous->files->items[i]->mark = marks[i];
        return outcome;
}

static size_t n_shared(const PolicySet *a, const PolicySet *b) {
        size_t n = 0;

        for (size_t i = 0; a && i < a->files->n; i++)
                for (size_t k = 0; k < b->files->n; k++)
                        n += a->files->items[i] == b->files->items[k];
        return n;
}

static void test_reload_is_a_full_read(void **state) {
        size_t n_files = 0, n_kept = 0;
        World *w = *state;

        for (unsigned round = 0; round < ROUNDS; round++) {
                const Settings *settings = w->settings[round / 20 % 2];
                _cleanup_(freep) char *expected = NULL, *found = NULL;
                PolicySet *set = NULL;

                for (unsigned n = draw(w, 4); n > 0; n--)
                        change(w);
                expected = load_all(w, settings, w->set);
                found = load(w, settings, w->set, &set);
                assert_string_equal(found, expected);
                tick();

                n_files += set->files->n;
                n_kept += n_shared(w->set, set);
                policy_set_free(w->set); /* the new set must not need it */
                w->set = set;
        }

        print_message("of %zu files in force %zu were not read again\n", n_files, n_kept);
        assert_true(n_kept > n_files / 3 && n_kept < n_files); /* else nothing was shown */
}

/* --- One at a time ------------------------------------------------------------------------------------------------------ */

#define POLICY(poll) \
        "service: taurusdb\ninstance_id: 00000000000000000000000000000001in07\nencryption: {expect: on, poll: " poll "}\n"

static void reload(World *w, const Settings *settings) {
        PolicySet *set = NULL;

        free(load(w, settings, w->set, &set));
        policy_set_free(w->set);
        w->set = set;
}

/* Written twice within a tick of the clock, and as long: nothing tells that, but that it was written a moment ago. */
static void test_fresh_file_is_read_again(void **state) {
        World *w = *state;
        char path[128];

        ahead_sec = 0;
        for (unsigned i = 0; i < 50; i++) {
                write_file(path_of(w, 0, path), POLICY("5m"));
                reload(w, w->settings[0]);
                assert_true(w->set->instances[0]->terms->encryption->poll_usec == 5 * USEC_PER_MINUTE);
                write_file(path, POLICY("6m"));
                reload(w, w->settings[0]);
                assert_true(w->set->instances[0]->terms->encryption->poll_usec == 6 * USEC_PER_MINUTE);
        }

        ahead_sec = 2; /* no more than the coarsest of stamps */
        reload(w, w->settings[0]);
        assert_int_equal(w->set->files->items[0]->mark, 0);
        ahead_sec = 4;
        reload(w, w->settings[0]);
        assert_int_not_equal(w->set->files->items[0]->mark, 0);
        ahead_sec = -3600; /* the clock was set back: the file is of the future */
        w->set = policy_set_free(w->set);
        reload(w, w->settings[0]);
        assert_int_equal(w->set->files->items[0]->mark, 0);
}

static void test_other_settings_read_all(void **state) {
        World *w = *state;
        const PolicyFile *before;
        char path[128];

        write_file(path_of(w, 0, path), "service: taurusdb\ninstance_id: 00000000000000000000000000000001in07\nencryption: {}\n");
        reload(w, w->settings[0]);
        before = w->set->files->items[0];
        reload(w, w->settings[0]);
        assert_ptr_equal(w->set->files->items[0], before);

        reload(w, w->settings[1]);
        assert_string_equal(w->set->instances[0]->terms->region, "cn-north-4");
        assert_true(w->set->instances[0]->terms->encryption->poll_usec == 9 * USEC_PER_MINUTE);
}

/* What is shared only grows while a set is made from the one before: it must not do so for ever. */
static void test_shared_memory_has_an_end(void **state) {
        const Common *last;
        World *w = *state;
        char path[128], text[512];
        unsigned n_new = 0;

        ahead_sec = 0; /* so that it is read each time */
        write_file(path_of(w, 0, path), POLICY("5m"));
        reload(w, w->settings[0]);
        last = w->set->files->common;
        for (unsigned i = 0; i < 3000; i++) {
                (void) snprintf(text, sizeof(text), "service: taurusdb\ninstance_id: 00000000000000000000000000000002in07\n"
                                "encryption: {expect: on, kms_key_id: key-%u}\n", i);
                write_file(path_of(w, 1, path), text);
                reload(w, w->settings[0]);
                n_new += w->set->files->common != last;
                last = w->set->files->common;
        }
        assert_true(n_new >= 1 && n_new < 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_reload_is_a_full_read),
                TEST(test_fresh_file_is_read_again),
                TEST(test_other_settings_read_all),
                TEST(test_shared_memory_has_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
