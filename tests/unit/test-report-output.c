/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goal: a reader that goes away, sleeps or reads slowly costs lines, never the process, and never a line that looks whole and is not.
 */

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <syslog.h>

#include <cmocka.h>

#include "report/report.h"

#define AT (UINT64_C(1795211763) * USEC_PER_SEC + 123456)       /* 2026-11-20T21:56:03.123456Z */

static Event some_event(void) {
        Event e = EVENT(EVENT_LOCK_EXTENDED);

        event_set_message(&e, "orders: locked until 2026-12-20T00:00:00Z");
        e.name = "orders";
        e.control = "lock";
        return e;
}

static void open_pipe(int flags, int *ret_reader, FILE **ret_writer) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | flags), 0);
        *ret_reader = fds[0];
        *ret_writer = fdopen(fds[1], "w");
        assert_non_null(*ret_writer);
}

static void test_report_event_broken_pipe(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        Event e = some_event();
        sigset_t pending;
        FILE *writer;
        int reader;

        assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);       /* it would end us */
        open_pipe(0, &reader, &writer);
        assert_int_equal(report_new(REPORT_TEXT, writer, LOG_DEBUG, &report), 0);
        assert_int_equal(close(reader), 0);

        report_event(report, &e, AT);
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 2);
        assert_int_equal(sigpending(&pending), 0);
        assert_int_equal(sigismember(&pending, SIGPIPE), 0);
        (void) fclose(writer);
}

/* A reader that does not read: lines are dropped and counted, and those that come through are whole. */
static void test_report_event_full_pipe(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        char buf[65536];
        size_t n_written = 0, n_read = 0, n_lines = 0, at = 0;
        Event e = some_event();
        ssize_t k;
        FILE *writer;
        int reader;

        memset(e.message, 'x', sizeof(e.message) - 1);
        open_pipe(O_NONBLOCK, &reader, &writer);
        assert_int_equal(report_new(REPORT_JSON, writer, LOG_DEBUG, &report), 0);
        while (report_n_dropped(report) < 10 && n_written < 1000) {
                report_event(report, &e, AT);
                n_written++;
        }
        assert_int_equal(report_n_dropped(report), 10);
        assert_true(n_written > 12);

        while ((k = read(reader, buf + at, sizeof(buf) - 1 - at)) > 0) {
                at += (size_t) k;
                n_read += (size_t) k;
        }
        assert_true(n_read > 4096);

        report_event(report, &e, AT);   /* there is room again */
        assert_int_equal(report_n_dropped(report), 10);
        k = read(reader, buf + at, sizeof(buf) - 1 - at);
        assert_true(k > 0);
        at += (size_t) k;
        buf[at] = 0;
        for (char *p = buf, *end; (end = strchr(p, '\n')); p = end + 1) {
                *end = 0;
                if (*p == '{' && end[-1] == '}')
                        n_lines++;
        }
        assert_int_equal(n_lines, n_written - 10 + 1);
        assert_int_equal(close(reader), 0);
        assert_int_equal(fclose(writer), 0);
}

/* A line that is longer than the room in a pipe is cut; the next one still begins on a line of its own. */
static void test_report_event_cut_line(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        static char filler[65536], buf[3 * 65536];
        size_t at = 0, room = 0;
        Event e = some_event();
        ssize_t k;
        FILE *writer;
        char *last;
        int reader;

        memset(e.message, 0xff, sizeof(e.message) - 1);         /* over 6 KB: more than PIPE_BUF, so that it may be cut */
        open_pipe(O_NONBLOCK, &reader, &writer);
        while ((k = write(fileno(writer), filler, 4096)) > 0)
                room += (size_t) k;
        assert_int_equal(read(reader, buf, 4096), 4096);        /* room for one page */

        assert_int_equal(report_new(REPORT_JSON, writer, LOG_DEBUG, &report), 0);
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 1);
        while ((k = read(reader, buf, sizeof(buf))) > 0)
                at += (size_t) k;
        assert_int_equal(at, room);     /* the page was used, so a part was written */

        event_set_message(&e, "whole");
        report_event(report, &e, AT);
        report_event(report, &e, AT);
        k = read(reader, buf, sizeof(buf) - 1);
        assert_true(k > 0);
        buf[k] = 0;
        assert_memory_equal(buf, "\n{", 2);
        last = strstr(buf, "}\n{");     /* and no further blank line */
        assert_non_null(last);
        assert_int_equal(report_n_dropped(report), 1);
        assert_int_equal(close(reader), 0);
        assert_int_equal(fclose(writer), 0);
}

static void test_report_event_one_write(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        Event e = some_event();
        char buf[4096];
        FILE *writer;
        int reader;
        ssize_t k;

        open_pipe(O_DIRECT, &reader, &writer);  /* packets: each write is read by itself */
        assert_int_equal(report_new(REPORT_JSON, writer, LOG_DEBUG, &report), 0);
        (void) fprintf(writer, "before ");
        report_event(report, &e, AT);
        report_event(report, &e, AT);
        assert_int_equal(read(reader, buf, sizeof(buf)), 7);
        for (int i = 0; i < 2; i++) {
                k = read(reader, buf, sizeof(buf));
                assert_true(k > 2);
                assert_memory_equal(buf + k - 2, "}\n", 2);
                assert_int_equal(buf[0], '{');
        }
        assert_int_equal(close(reader), 0);
        assert_int_equal(fclose(writer), 0);
}

static void test_report_text_colors(void **state) {
        static const struct {
                const char *term, *no_color;
                bool terminal, colors;
        } cases[] = {
                { "xterm-256color", NULL, true,  true  },
                { "xterm-256color", "",   true,  true  },
                { "xterm-256color", "1",  true,  false },
                { "dumb",           NULL, true,  false },
                { NULL,             NULL, true,  false },
                { "xterm-256color", NULL, false, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(report_freep) Report *report = NULL;
                Event e = some_event();
                char buf[4096];
                int reader, fd;
                FILE *writer;
                ssize_t k;

                if (cases[i].term)
                        assert_int_equal(setenv("TERM", cases[i].term, 1), 0);
                else
                        assert_int_equal(unsetenv("TERM"), 0);
                if (cases[i].no_color)
                        assert_int_equal(setenv("NO_COLOR", cases[i].no_color, 1), 0);
                else
                        assert_int_equal(unsetenv("NO_COLOR"), 0);

                if (cases[i].terminal) {
                        assert_int_equal(openpty(&reader, &fd, NULL, NULL, NULL), 0);
                        writer = fdopen(fd, "w");
                } else
                        open_pipe(0, &reader, &writer);

                assert_int_equal(report_new(REPORT_TEXT, writer, LOG_DEBUG, &report), 0);
                e.id = EVENT_LOCK_LAPSED;
                report_event(report, &e, AT);
                k = read(reader, buf, sizeof(buf) - 1);
                assert_true(k > 0);
                buf[k] = 0;
                if (cases[i].colors)
                        assert_non_null(strstr(buf, "Z  \x1b[1;31mALERT    lock-lapsed\x1b[0m  orders/lock"));
                else
                        assert_null(strchr(buf, '\x1b'));
                assert_int_equal(close(reader), 0);
                (void) fclose(writer);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_report_event_broken_pipe),
                cmocka_unit_test(test_report_event_full_pipe),
                cmocka_unit_test(test_report_event_cut_line),
                cmocka_unit_test(test_report_event_one_write),
                cmocka_unit_test(test_report_text_colors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
