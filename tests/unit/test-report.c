/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "report/report.h"

#define AT (UINT64_C(1795211763) * USEC_PER_SEC + 123456)       /* 2026-11-20T21:56:03.123456Z */

/* --- The journal, caught at libsystemd's door --- */

static char journal_first[64 * 1024], journal_text[64 * 1024];     /* the first call since n_journal_calls was 0, and the last */
static int journal_result, n_journal_calls, socket_errno;
static bool socket_full;

int __wrap_sd_journal_sendv(const struct iovec *iov, int n);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_sd_journal_sendv(const struct iovec *iov, int n) {
        size_t at = 0;

        n_journal_calls++;
        for (int i = 0; i < n; i++) {
                assert_true(at + iov[i].iov_len + 2 < sizeof(journal_text));
                memcpy(journal_text + at, iov[i].iov_base, iov[i].iov_len);
                at += iov[i].iov_len;
                journal_text[at++] = '\n';
        }
        journal_text[at] = 0;
        if (n_journal_calls == 1)
                (void) strcpy(journal_first, journal_text);
        return journal_result;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size) {
        assert_int_equal(address->sa_family, AF_UNIX);
        assert_string_equal(((const struct sockaddr_un *) (const void *) address)->sun_path, "/run/systemd/journal/socket");
        if (socket_errno == 0)
                return 0;
        errno = socket_errno;
        return -1;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout) {
        return socket_full ? 0 : __real_poll(fds, n, timeout);
}

static Event full_event(void) {
        Event e = EVENT(EVENT_LOCK_EXTENDED);

        event_set_message(&e, "orders: locked until 2026-12-20T00:00:00Z");
        e.name = "orders";
        e.instance = "7033e7c3cf93438797d44ad7ae0a7d95in07";
        e.service = "taurusdb";
        e.region = "ap-southeast-1";
        e.control = "lock";
        e.http_status = 200;
        e.error_code = "DBS.0";
        e.request_id = "7ee2b0c4";
        e.lock_end_usec = UINT64_C(1797724800) * USEC_PER_SEC;
        e.file = "orders.yaml";
        e.line = 7;
        e.column = 19;
        return e;
}

static void test_report_event_journal(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        Event e = full_event();

        socket_errno = journal_result = 0;
        assert_int_equal(report_new(REPORT_JOURNAL, NULL, LOG_DEBUG, &report), 0);
        report_event(report, &e, AT);
        assert_string_equal(journal_text,
                            "MESSAGE=orders: locked until 2026-12-20T00:00:00Z\n"
                            "PRIORITY=5\n"
                            "SYSLOG_IDENTIFIER=holdfastd\n"
                            "MESSAGE_ID=3612b08835ac42499151db8df5aeac48\n"
                            "HOLDFAST_EVENT=lock-extended\n"
                            "HOLDFAST_NAME=orders\n"
                            "HOLDFAST_INSTANCE=7033e7c3cf93438797d44ad7ae0a7d95in07\n"
                            "HOLDFAST_SERVICE=taurusdb\n"
                            "HOLDFAST_REGION=ap-southeast-1\n"
                            "HOLDFAST_CONTROL=lock\n"
                            "HOLDFAST_HTTP_STATUS=200\n"
                            "HOLDFAST_ERROR_CODE=DBS.0\n"
                            "HOLDFAST_REQUEST_ID=7ee2b0c4\n"
                            "HOLDFAST_LOCK_END=2026-12-20T00:00:00Z\n"
                            "HOLDFAST_FILE=orders.yaml\n"
                            "HOLDFAST_LINE=7\n"
                            "HOLDFAST_COLUMN=19\n");

        /* Nothing is left over from the event before, and what does not apply is not there. */
        e = (Event) EVENT(EVENT_STARTED);
        event_set_message(&e, "2 policies in force");
        report_event(report, &e, AT);
        assert_string_equal(journal_text,
                            "MESSAGE=2 policies in force\n"
                            "PRIORITY=5\n"
                            "SYSLOG_IDENTIFIER=holdfastd\n"
                            "MESSAGE_ID=b8c3b24aa316459e9abcc1a178ae1ffe\n"
                            "HOLDFAST_EVENT=started\n");
        assert_int_equal(report_n_dropped(report), 0);
}

static void test_report_event_journal_is_away(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        Event e = full_event();

        assert_int_equal(report_new(REPORT_JOURNAL, NULL, LOG_DEBUG, &report), 0);

        socket_errno = ENOENT;
        n_journal_calls = 0;
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 1);
        assert_int_equal(n_journal_calls, 0);

        socket_errno = 0;
        journal_result = -ECONNREFUSED;
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 2);

        journal_result = 0;
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 2);
}

/* There, but it does not read: writing would wait for it, and the loop with it. */
static void test_report_event_journal_is_full(void **state) {
        _cleanup_(report_freep) Report *report = NULL;
        Event e = full_event();

        assert_int_equal(report_new(REPORT_JOURNAL, NULL, LOG_DEBUG, &report), 0);

        socket_full = true;
        n_journal_calls = 0;
        report_event(report, &e, AT);
        report_event(report, &e, AT);
        assert_int_equal(report_n_dropped(report), 2);
        assert_int_equal(n_journal_calls, 0);

        /* It reads again, and hears that something is missing. */
        socket_full = false;
        report_event(report, &e, AT);
        assert_int_equal(n_journal_calls, 2);
        assert_int_equal(report_n_dropped(report), 2);
        assert_string_equal(journal_first, "MESSAGE=The journal did not take 2 messages before this one\nPRIORITY=4\nSYSLOG_IDENTIFIER=holdfastd\n"
                                           "MESSAGE_ID=ed65381f22484dc2b043e0d38d1268e3\nHOLDFAST_EVENT=messages-lost\n");
        assert_non_null(strstr(journal_text, "HOLDFAST_EVENT=lock-extended\n"));
        report_event(report, &e, AT);
        assert_int_equal(n_journal_calls, 3);
}

static void test_report_event_priority(void **state) {
        static const struct {
                int own, max;
                const char *expected;   /* NULL: dropped */
        } cases[] = {
                { -1,       LOG_DEBUG,  "PRIORITY=4" },
                { LOG_ERR,  LOG_DEBUG,  "PRIORITY=3" },
                { LOG_EMERG, LOG_DEBUG, "PRIORITY=0" },
                { 99,       LOG_DEBUG,  "PRIORITY=4" },
                { -1,       LOG_WARNING, "PRIORITY=4" },
                { -1,       LOG_ERR,    NULL         },
                { LOG_INFO, LOG_NOTICE, NULL         },
        };

        socket_errno = journal_result = 0;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(report_freep) Report *report = NULL;
                Event e = EVENT(EVENT_UNKNOWN);

                n_journal_calls = 0;
                e.priority = cases[i].own;
                event_set_message(&e, "orders: lock could not be determined");
                assert_int_equal(report_new(REPORT_JOURNAL, NULL, cases[i].max, &report), 0);
                report_event(report, &e, AT);
                assert_int_equal(n_journal_calls, cases[i].expected ? 1 : 0);
                if (cases[i].expected)
                        assert_non_null(strstr(journal_text, cases[i].expected));
                assert_int_equal(report_n_dropped(report), 0);
        }
}

/* --- Text and JSON --- */

/* One event as a text. New. */
static char *written(ReportFormat format, const Event *e) {
        _cleanup_(report_freep) Report *report = NULL;
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        assert_int_equal(report_new(format, f, LOG_DEBUG, &report), 0);
        report_event(report, e, AT);
        assert_int_equal(report_n_dropped(report), 0);
        assert_int_equal(fclose(f), 0);
        return text;
}

static void test_report_event_text(void **state) {
        _cleanup_(freep) char *full = NULL, *bare = NULL, *file = NULL, *named = NULL, *failed = NULL;
        Event e = full_event();

        e.file = NULL;
        e.http_status = 0;
        e.error_code = e.request_id = NULL;
        full = written(REPORT_TEXT, &e);
        assert_string_equal(full, "2026-11-20 21:56:03Z  NOTICE   lock-extended  orders/lock  locked until 2026-12-20T00:00:00Z\n");

        e = (Event) EVENT(EVENT_STARTED);
        event_set_message(&e, "2 policies in force");
        bare = written(REPORT_TEXT, &e);
        assert_string_equal(bare, "2026-11-20 21:56:03Z  NOTICE   started  2 policies in force\n");

        e = (Event) EVENT(EVENT_POLICY_REJECTED);
        event_set_message(&e, "orders.yaml:7:19: lock.renew_before: found 7x, expected a duration");
        e.file = "orders.yaml";
        e.line = 7;
        e.column = 19;
        file = written(REPORT_TEXT, &e);
        assert_string_equal(file, "2026-11-20 21:56:03Z  ERR      policy-rejected  "
                                  "orders.yaml:7:19: lock.renew_before: found 7x, expected a duration\n");

        e = (Event) EVENT(EVENT_POLICY_REMOVED);
        event_set_message(&e, "orders2: its policy is gone");      /* another one's name is no prefix */
        e.instance = "orders";
        e.file = "orders.yaml";
        named = written(REPORT_TEXT, &e);
        assert_string_equal(named, "2026-11-20 21:56:03Z  NOTICE   policy-removed  orders  orders.yaml  orders2: its policy is gone\n");

        e = (Event) EVENT(EVENT_API_FAILING);
        event_set_message(&e, "orders: not permitted to look (APIGW.0301)");
        e.name = "orders";
        e.control = "lock";
        e.http_status = 403;
        e.error_code = "APIGW.0301";
        e.request_id = "7ee2";
        failed = written(REPORT_TEXT, &e);
        assert_string_equal(failed, "2026-11-20 21:56:03Z  WARNING  api-failing  orders/lock  "
                                    "not permitted to look (APIGW.0301) [HTTP 403, request 7ee2]\n");
}

static void test_report_event_json(void **state) {
        static const struct {
                const char *key, *value;
        } expected[] = {
                { "__REALTIME_TIMESTAMP", "1795211763123456"                          },
                { "MESSAGE",              "orders: locked until 2026-12-20T00:00:00Z" },
                { "PRIORITY",             "5"                                         },
                { "SYSLOG_IDENTIFIER",    "holdfastd"                                 },
                { "MESSAGE_ID",           "3612b08835ac42499151db8df5aeac48"          },
                { "HOLDFAST_EVENT",       "lock-extended"                             },
                { "HOLDFAST_NAME",        "orders"                                    },
                { "HOLDFAST_INSTANCE",    "7033e7c3cf93438797d44ad7ae0a7d95in07"      },
                { "HOLDFAST_SERVICE",     "taurusdb"                                  },
                { "HOLDFAST_REGION",      "ap-southeast-1"                            },
                { "HOLDFAST_CONTROL",     "lock"                                      },
                { "HOLDFAST_HTTP_STATUS", "200"                                       },
                { "HOLDFAST_ERROR_CODE",  "DBS.0"                                     },
                { "HOLDFAST_REQUEST_ID",  "7ee2b0c4"                                  },
                { "HOLDFAST_LOCK_END",    "2026-12-20T00:00:00Z"                      },
                { "HOLDFAST_FILE",        "orders.yaml"                               },
                { "HOLDFAST_LINE",        "7"                                         },
                { "HOLDFAST_COLUMN",      "19"                                        },
        };
        _cleanup_(freep) char *line = NULL;
        struct json_object *object;
        Event e = full_event();

        line = written(REPORT_JSON, &e);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        object = json_tokener_parse(line);
        assert_non_null(object);
        assert_int_equal(json_object_object_length(object), N_ELEMENTS(expected));
        for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
                struct json_object *value = NULL;

                assert_true(json_object_object_get_ex(object, expected[i].key, &value));
                assert_true(json_object_is_type(value, json_type_string));
                assert_string_equal(json_object_get_string(value), expected[i].value);
        }
        (void) json_object_put(object);
}

/* What comes from outside is shown, but does nothing. */
static void test_report_event_cleans_foreign_text(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain",                                "plain"                        },
                { "two\nlines\r\n\tand a tab",            "two lines   and a tab"        },
                { "\x1b[31mred\x1b[0m\x07",               "?[31mred?[0m?"                },
                { "csi \xc2\x9b" "31m",                   "csi ?31m"                     },
                { "del \x7f",                             "del ?"                        },
                { "na\xc3\xafve \xe4\xb8\xad \xf0\x9f\x94\x92", "na\xc3\xafve \xe4\xb8\xad \xf0\x9f\x94\x92" },
                { "rtl \xe2\x80\xae" "gnp.exe",           "rtl ?gnp.exe"                 },
                { "isolate \xe2\x81\xa6x",                "isolate ?x"                   },
                { "separator\xe2\x80\xa8x",               "separator x"                  },
                { "\xff\xfe",                             "\xef\xbf\xbd\xef\xbf\xbd"     },
                { "overlong \xc0\xaf",                    "overlong \xef\xbf\xbd\xef\xbf\xbd" },
                { "surrogate \xed\xa0\x80",               "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
                { "too big \xf4\x90\x80\x80",             "too big \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
                { "cut short \xe4\xb8",                   "cut short \xef\xbf\xbd\xef\xbf\xbd" },
                { "lonely \x80.",                         "lonely \xef\xbf\xbd."         },
                { "\"quoted\" \\ and %s%n",               "\"quoted\" \\ and %s%n"       },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *text = NULL, *line = NULL;
                struct json_object *object, *value = NULL;
                Event e = EVENT(EVENT_DRIFT);

                event_set_message(&e, "%s", cases[i].in);
                text = written(REPORT_TEXT, &e);
                assert_non_null(strstr(text, cases[i].out));
                assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);

                line = written(REPORT_JSON, &e);
                object = json_tokener_parse(line);
                assert_true(json_object_object_get_ex(object, "MESSAGE", &value));
                assert_string_equal(json_object_get_string(value), cases[i].out);
                (void) json_object_put(object);

                /* In any field, not only in the sentence. */
                event_set_message(&e, "-");
                e.error_code = cases[i].in;
                freep(&text);
                text = written(REPORT_TEXT, &e);
                assert_non_null(strstr(text, cases[i].out));
        }
}

/* Longer than anything: cut, at a character's end, and still a line. */
static void test_report_event_cuts(void **state) {
        _cleanup_(freep) char *text = NULL, *line = NULL, *longest = malloc(100001);
        struct json_object *object, *value = NULL;
        Event e = full_event();

        assert_non_null(longest);
        for (size_t i = 0; i < 100000; i += 2)
                memcpy(longest + i, "\xc3\xa4", 2);
        longest[100000] = 0;
        memset(e.message, 0xff, sizeof(e.message) - 1);         /* each byte grows to three */
        e.message[sizeof(e.message) - 1] = 0;
        e.name = e.instance = e.service = e.region = e.control = e.error_code = e.request_id = e.file = longest;

        text = written(REPORT_TEXT, &e);
        assert_true(strlen(text) > 3 * (EVENT_MESSAGE_MAX - 1));
        line = written(REPORT_JSON, &e);
        object = json_tokener_parse(line);
        assert_true(json_object_object_get_ex(object, "MESSAGE", &value));
        assert_int_equal(json_object_get_string_len(value), 3 * (EVENT_MESSAGE_MAX - 1));
        assert_true(json_object_object_get_ex(object, "HOLDFAST_NAME", &value));
        assert_int_equal(json_object_get_string_len(value), 1022);      /* whole characters of two bytes */
        (void) json_object_put(object);
}

static void test_report_event_empty_message(void **state) {
        _cleanup_(freep) char *text = NULL, *line = NULL;
        Event e = EVENT(EVENT_STOPPING);

        text = written(REPORT_TEXT, &e);
        assert_string_equal(text, "2026-11-20 21:56:03Z  NOTICE   stopping  \n");
        line = written(REPORT_JSON, &e);
        assert_null(strstr(line, "\"MESSAGE\""));
}

static void test_report_format_from_string(void **state) {
        assert_int_equal(report_format_from_string("auto"), REPORT_AUTO);
        assert_int_equal(report_format_from_string("journal"), REPORT_JOURNAL);
        assert_int_equal(report_format_from_string("text"), REPORT_TEXT);
        assert_int_equal(report_format_from_string("json"), REPORT_JSON);
        assert_int_equal(report_format_from_string("JSON"), -EINVAL);
        assert_int_equal(report_format_from_string(""), -EINVAL);
}

static void open_pipe(int flags, int *ret_reader, FILE **ret_writer) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | flags), 0);
        *ret_reader = fds[0];
        *ret_writer = fdopen(fds[1], "w");
        assert_non_null(*ret_writer);
}

/* $JOURNAL_STREAM decides, and only if it names this very stream. */
static void test_report_new_auto(void **state) {
        struct stat st;
        FILE *writer;
        int reader;

        open_pipe(0, &reader, &writer);
        assert_int_equal(fstat(fileno(writer), &st), 0);

        for (int i = 0; i < 6; i++) {
                _cleanup_(report_freep) Report *report = NULL;
                Event e = full_event();
                char value[80], buf[4096];

                (void) snprintf(value, sizeof(value), i == 0 ? "%ju:%ju" : i == 1 ? "%ju:1%ju" : i == 2 ? "1%ju:%ju" : "%ju:%jux",
                                (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
                assert_int_equal(i < 4 ? setenv("JOURNAL_STREAM", value, 1)
                                       : i == 4 ? setenv("JOURNAL_STREAM", "nonsense", 1) : unsetenv("JOURNAL_STREAM"), 0);

                socket_errno = journal_result = n_journal_calls = 0;
                assert_int_equal(report_new(REPORT_AUTO, writer, LOG_DEBUG, &report), 0);
                report_event(report, &e, AT);
                assert_int_equal(n_journal_calls, i == 0 ? 1 : 0);
                if (i > 0)
                        assert_true(read(reader, buf, sizeof(buf)) > 0);
        }

        assert_int_equal(close(reader), 0);
        assert_int_equal(fclose(writer), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_report_event_journal),
                cmocka_unit_test(test_report_event_journal_is_away),
                cmocka_unit_test(test_report_event_journal_is_full),
                cmocka_unit_test(test_report_event_priority),
                cmocka_unit_test(test_report_event_text),
                cmocka_unit_test(test_report_event_json),
                cmocka_unit_test(test_report_event_cleans_foreign_text),
                cmocka_unit_test(test_report_event_cuts),
                cmocka_unit_test(test_report_event_empty_message),
                cmocka_unit_test(test_report_format_from_string),
                cmocka_unit_test(test_report_new_auto),
        };

        (void) setenv("TERM", "dumb", 1);
        (void) unsetenv("JOURNAL_STREAM");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
