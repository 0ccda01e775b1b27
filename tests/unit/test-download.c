/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"

#define NOW  (UINT64_C(1795168800) * USEC_PER_SEC) /* 2026-11-20T10:00:00Z */
#define POLL (12 * USEC_PER_HOUR)

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabr14"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbr14"
#define ID_C "ccccccccccccccccccccccccccccccccbr14"

/* One control under test: what the engine would hold for it. */
typedef struct Bench {
        DownloadPolicy policy;
        Instance instance;
        Terms terms;
        ControlState state;
        Grant grants[8];
        EndpointState endpoint;
        Look look;
        Situation situation;
        Decision d;
} Bench;

static void bench_begin_look(Bench *b, Verdict before) {
        b->look = (Look){};
        b->state.verdict = before;
}

static void bench_begin(Bench *b, const char *const *ids, size_t n_ids) {
        *b = (Bench) {
                .policy = {
                        .poll_usec = POLL,
                        .latest = n_ids == 0,
                        .backup_ids = ids,
                        .n_backup_ids = n_ids,
                        .reauthorize_usec = USEC_INFINITY,
                },
        };
        b->terms = (Terms) { .download = &b->policy };
        b->instance = (Instance) { .name = "ledger", .terms = &b->terms };
        b->state.download.grants = b->grants;
        b->situation = (Situation){
                .instance = &b->instance,
                .state = &b->state,
                .look = &b->look,
                .endpoint = &b->endpoint,
                .enforce = true,
                .now_usec = NOW,
        };
}

static void grant(Bench *b, const char *id, usec_t at_usec) {
        DownloadMemory *m = &b->state.download;

        assert_true(m->n_grants < N_ELEMENTS(b->grants));
        m->grants[m->n_grants].granted_at_usec = at_usec;
        (void) snprintf(m->grants[m->n_grants++].backup_id, BACKUP_ID_MAX, "%s", id);
}

/* As the engine does: a grant enters memory after the step that handled it. */
static void step(Bench *b, const Answer *answer, const Failure *failure) {
        b->situation.answer = answer;
        b->situation.failure = failure;
        b->d = (Decision){};
        download_step(&b->situation, &b->d);
        b->situation.answer = NULL;
        b->situation.failure = NULL;
        if (b->d.grant.set)
                grant(b, b->d.grant.backup_id, b->situation.now_usec);
}

static void answer_grant(Bench *b, const char *const *paths, size_t n_paths) {
        Answer a = {
                .call = CALL_DOWNLOAD_AUTHORIZE,
                .request_id = "req-1",
                .grant = { .bucket = (char *) "bucket-1", .file_paths = (char **) paths, .n_file_paths = n_paths },
        };

        step(b, &a, NULL);
}

static void answer_granted(Bench *b) {
        static const char *const paths[] = { "dir/Db/1" };

        answer_grant(b, paths, N_ELEMENTS(paths));
}

static void answer_failure(Bench *b, FailureClass class) {
        Failure f = {
                .class = class,
                .http_status = 400,
                .code = "DBS.201203",
                .message = "the cloud's words",
                .request_id = "req-2",
        };

        step(b, NULL, &f);
}

static void answer_page(Bench *b, const BackupFacts *items, size_t n_items, int64_t total) {
        Answer a = { .call = CALL_GAUSSDB_BACKUPS,
                     .backups = { .items = (BackupFacts *) items, .n_items = n_items, .total = total } };

        step(b, &a, NULL);
}

static void assert_asks_page(const Bench *b, int64_t offset) {
        assert_int_equal(b->d.next, NEXT_ASK);
        assert_int_equal(b->d.ask.call, CALL_GAUSSDB_BACKUPS);
        assert_int_equal(b->d.ask.backups.offset, offset);
}

static void assert_asks_grant(const Bench *b, const char *id) {
        assert_int_equal(b->d.next, NEXT_ASK_STORED);
        assert_int_equal(b->d.ask.call, CALL_DOWNLOAD_AUTHORIZE);
        assert_string_equal(b->d.ask.authorize.backup_id, id);
}

static void assert_done(const Bench *b, Verdict verdict, usec_t wait_usec, bool waiting) {
        assert_int_equal(b->d.next, NEXT_DONE);
        assert_int_equal(b->d.verdict, verdict);
        assert_true(b->d.wait_usec == wait_usec);
        assert_int_equal(b->d.waiting, waiting);
        assert_true(b->d.why[0] != '\0');
}

static const Saying *says(const Bench *b, EventId id) {
        for (size_t i = 0; i < b->d.n_sayings; i++)
                if (b->d.sayings[i].id == id)
                        return &b->d.sayings[i];

        return NULL;
}

static const Saying *assert_says(const Bench *b, EventId id, int said, const char *text) {
        const Saying *say = says(b, id);

        assert_non_null(say);
        assert_int_equal(say->said, said);
        assert_int_equal(say->priority, -1);
        if (!strstr(say->message, text))
                fail_msg("\"%s\" is not in: %s", text, say->message);
        return say;
}

static BackupFacts backup(const char *id, BackupStatus status, usec_t begin_usec, usec_t end_usec) {
        BackupFacts b = { .status = status, .of_instance = true, .begin_usec = begin_usec, .end_usec = end_usec };

        (void) snprintf(b.id, sizeof(b.id), "%s", id);
        return b;
}

static void begin_and_list(Bench *b, const BackupFacts *items, size_t n_items) {
        step(b, NULL, NULL);
        assert_asks_page(b, 0);
        answer_page(b, items, n_items, (int64_t) n_items);
}

static BackupFacts backup_elsewhere(const char *id, usec_t begin_usec, usec_t end_usec) {
        BackupFacts b = backup(id, BACKUP_COMPLETED, begin_usec, end_usec);

        b.of_instance = false;
        return b;
}

static void test_download_step_chooses_latest(void **state) {
        BackupFacts foreign = backup_elsewhere(ID_C, NOW, NOW + 9);
        BackupFacts nameless = backup("", BACKUP_COMPLETED, NOW, NOW + 9);
        struct {
                const char *what;
                BackupFacts items[3];
                size_t n_items;
                const char *chosen; /* NULL: none */
        } cases[] = {
                { "the only one", { backup(ID_A, BACKUP_COMPLETED, 5, 6) }, 1, ID_A },
                { "later end, first",
                  { backup(ID_A, BACKUP_COMPLETED, 5, 9), backup(ID_B, BACKUP_COMPLETED, 6, 8) },
                  2,
                  ID_A },
                { "later end, last",
                  { backup(ID_A, BACKUP_COMPLETED, 6, 8), backup(ID_B, BACKUP_COMPLETED, 5, 9) },
                  2,
                  ID_B },
                { "same end, later begin",
                  { backup(ID_A, BACKUP_COMPLETED, 7, 9), backup(ID_B, BACKUP_COMPLETED, 5, 9) },
                  2,
                  ID_A },
                { "a tie goes by id",
                  { backup(ID_B, BACKUP_COMPLETED, 5, 9), backup(ID_A, BACKUP_COMPLETED, 5, 9) },
                  2,
                  ID_B },
                { "a tie goes by id, other order",
                  { backup(ID_A, BACKUP_COMPLETED, 5, 9), backup(ID_B, BACKUP_COMPLETED, 5, 9) },
                  2,
                  ID_B },
                { "no end: as of its begin",
                  { backup(ID_A, BACKUP_COMPLETED, 10, 0), backup(ID_B, BACKUP_COMPLETED, 5, 9) },
                  2,
                  ID_A },
                { "no times at all", { backup(ID_A, BACKUP_COMPLETED, 0, 0) }, 1, ID_A },
                { "completed alone counts",
                  { backup(ID_A, BACKUP_COMPLETED, 1, 2), backup(ID_B, BACKUP_FAILED, 5, 9),
                    backup(ID_C, BACKUP_BUILDING, 6, 0) },
                  3,
                  ID_A },
                { "nor deleting nor unheard of",
                  { backup(ID_A, BACKUP_COMPLETED, 1, 2), backup(ID_B, BACKUP_DELETING, 5, 9),
                    backup(ID_C, BACKUP_OTHER, 6, 9) },
                  3,
                  ID_A },
                { "same end, later begin, other order",
                  { backup(ID_C, BACKUP_COMPLETED, 5, 9), backup(ID_A, BACKUP_COMPLETED, 7, 9) },
                  2,
                  ID_A },
                { "without an id, last", { backup(ID_A, BACKUP_COMPLETED, 1, 2), nameless }, 2, ID_A },
                { "of another instance", { foreign, backup(ID_A, BACKUP_COMPLETED, 1, 2) }, 2, ID_A },
                { "without an id", { nameless, backup(ID_A, BACKUP_COMPLETED, 1, 2) }, 2, ID_A },
                { "none at all", { foreign }, 0, NULL },
                { "none of the instance", { foreign }, 1, NULL },
                { "none that counts", { backup(ID_A, BACKUP_FAILED, 1, 2) }, 1, NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b, NULL, 0);
                begin_and_list(&b, cases[i].items, cases[i].n_items);
                if (cases[i].chosen) {
                        assert_asks_grant(&b, cases[i].chosen);
                        assert_says(&b, EVENT_DRIFT, SAID_DRIFT, cases[i].chosen);
                } else {
                        assert_done(&b, VERDICT_VIOLATED, POLL, false);
                        assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "no completed backup");
                }
                assert_int_equal(b.d.n_sayings, 1);
        }
}

/* Fills @ret with completed backups, older than any other of a test. */
static void fill_page(BackupFacts *ret, size_t n) {
        for (size_t i = 0; i < n; i++)
                ret[i] = backup(ID_A, BACKUP_COMPLETED, 1, 2);
}

static void test_download_step_pages(void **state) {
        static const struct {
                const char *what;
                size_t n_first, n_second;
                int64_t total, second_offset; /* offset 0: there is no second page */
                bool third;
        } cases[] = {
                { "two full pages", BACKUP_PAGE_LIMIT, BACKUP_PAGE_LIMIT, 200, 100, false },
                { "one full page", BACKUP_PAGE_LIMIT, 0, 100, 0, false },
                { "a full page and a rest", BACKUP_PAGE_LIMIT, 1, 101, 100, false },
                { "three pages", BACKUP_PAGE_LIMIT, BACKUP_PAGE_LIMIT, 201, 100, true },
                { "pages shorter than asked for: nothing is skipped", 50, 50, 100, 50, false },
                { "pages longer than asked for: nothing is skipped", BACKUP_PAGE_LIMIT + 50, 10, 110, 100, false },
                { "an empty page ends it, whatever the total", BACKUP_PAGE_LIMIT, 0, 500, 100, false },
                { "no total: a page that is not full ends it", 99, 0, -1, 0, false },
                { "no total: a full page is followed", BACKUP_PAGE_LIMIT, 99, -1, 100, false },
                { "no total: an empty page ends it", BACKUP_PAGE_LIMIT, 0, -1, 100, false },
                { "the total shrinks to none", 10, 0, 0, 0, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                BackupFacts items[BACKUP_PAGE_LIMIT + 50];
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b, NULL, 0);
                step(&b, NULL, NULL);
                assert_asks_page(&b, 0);

                fill_page(items, cases[i].n_first);
                items[0] = backup(ID_B, BACKUP_COMPLETED, 5, 9); /* the latest is not forgotten on the way */
                answer_page(&b, items, cases[i].n_first, cases[i].total);
                if (cases[i].second_offset > 0) {
                        assert_asks_page(&b, cases[i].second_offset);
                        assert_int_equal(b.d.n_sayings, 0);
                        fill_page(items, cases[i].n_second);
                        answer_page(&b, items, cases[i].n_second, cases[i].total);
                }
                if (cases[i].third) {
                        assert_asks_page(&b, 200);
                        items[0] = backup(ID_C, BACKUP_COMPLETED, 5, 10);
                        answer_page(&b, items, 1, cases[i].total);
                }

                assert_asks_grant(&b, cases[i].third ? ID_C : ID_B);
        }
}

static void test_download_step_endless_list(void **state) {
        BackupFacts item = backup(ID_A, BACKUP_COMPLETED, 1, 2);
        int n_pages = 0;
        Bench b;

        bench_begin(&b, NULL, 0);
        step(&b, NULL, NULL);
        while (b.d.next == NEXT_ASK && n_pages < 5000) {
                answer_page(&b, &item, 1, INT64_MAX);
                n_pages++;
        }

        assert_int_equal(b.d.next, NEXT_UNKNOWN);
        assert_int_equal(n_pages, 1000);
        assert_non_null(strstr(b.d.why, "does not end"));
}

static void test_download_step_list_fails(void **state) {
        BackupFacts items[BACKUP_PAGE_LIMIT];

        fill_page(items, N_ELEMENTS(items));
        for (FailureClass class = 0; class < FAILURE_CLASS__MAX; class ++) {
                Bench b;

                print_message("%s\n", failure_class_to_string(class));
                bench_begin(&b, NULL, 0);
                step(&b, NULL, NULL);
                answer_failure(&b, class);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
                assert_int_equal(b.d.n_sayings, 0);

                /* Half a list is none. */
                bench_begin(&b, NULL, 0);
                step(&b, NULL, NULL);
                answer_page(&b, items, N_ELEMENTS(items), 200);
                answer_failure(&b, class);
                assert_int_equal(b.d.next, NEXT_UNKNOWN);
        }
}

static void test_download_step_authorizes_latest_once(void **state) {
        BackupFacts item = backup(ID_A, BACKUP_COMPLETED, 5, 6);
        Bench b;

        bench_begin(&b, NULL, 0);
        begin_and_list(&b, &item, 1);
        assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "backup " ID_A " is not authorized for download");
        assert_asks_grant(&b, ID_A);

        answer_granted(&b);
        assert_true(b.d.grant.set);
        assert_string_equal(b.d.grant.backup_id, ID_A);
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_int_equal(b.d.n_sayings, 1);
        assert_string_equal(assert_says(&b, EVENT_DOWNLOAD_AUTHORIZED, -1,
                                        "backup " ID_A
                                        " is authorized for download from bucket \"bucket-1\": \"dir/Db/1\"")
                                    ->request_id,
                            "req-1");

        bench_begin_look(&b, VERDICT_COMPLIANT);
        begin_and_list(&b, &item, 1);
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_false(b.d.grant.set);
        assert_int_equal(b.d.n_sayings, 0);
}

/* A newer backup is the course of things, but only where all was well before. */
static void test_download_step_newer_backup(void **state) {
        static const struct {
                Verdict before;
                bool enforce, drift;
        } cases[] = {
                { VERDICT_COMPLIANT, true, false },
                { VERDICT_COMPLIANT, false, true },
                { VERDICT_VIOLATED, true, true },
                { VERDICT_UNKNOWN, true, true },
        };
        BackupFacts items[] = { backup(ID_A, BACKUP_COMPLETED, 5, 6), backup(ID_B, BACKUP_COMPLETED, 7, 8) };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                bench_begin(&b, NULL, 0);
                grant(&b, ID_A, NOW - USEC_PER_DAY);
                bench_begin_look(&b, cases[i].before);
                b.situation.enforce = cases[i].enforce;
                begin_and_list(&b, items, N_ELEMENTS(items));
                assert_int_equal(b.d.n_sayings, cases[i].drift ? 1 : 0);
                if (!cases[i].enforce) {
                        assert_done(&b, VERDICT_VIOLATED, POLL, false);
                        continue;
                }

                assert_asks_grant(&b, ID_B);
                answer_granted(&b);
                assert_done(&b, VERDICT_COMPLIANT, POLL, false);
                assert_says(&b, EVENT_DOWNLOAD_AUTHORIZED, -1, ID_B);
        }
}

static void test_download_step_reauthorize(void **state) {
        static const struct {
                const char *what;
                usec_t reauthorize_usec, at_usec;
                bool ask;
                usec_t wait_usec;
        } cases[] = {
                { "never: long ago", USEC_INFINITY, 1, false, POLL },
                { "never: in the future", USEC_INFINITY, NOW + USEC_PER_DAY, false, POLL },
                { "fresh", 7 * USEC_PER_DAY, NOW, false, POLL },
                { "due after the poll", 7 * USEC_PER_DAY, NOW - 6 * USEC_PER_DAY, false, POLL },
                { "due before the poll", 7 * USEC_PER_DAY, NOW - 7 * USEC_PER_DAY + USEC_PER_HOUR, false,
                  USEC_PER_HOUR },
                { "due in a moment", 7 * USEC_PER_DAY, NOW - 7 * USEC_PER_DAY + 1, false, 1 },
                { "due", 7 * USEC_PER_DAY, NOW - 7 * USEC_PER_DAY, true, POLL },
                { "overdue", 7 * USEC_PER_DAY, 1, true, POLL },
                { "the cloud's clock is a little ahead", 7 * USEC_PER_DAY, NOW + USEC_PER_MINUTE, false, POLL },
                { "a clock was stepped back", 7 * USEC_PER_DAY, NOW + USEC_PER_DAY, true, POLL },
                { "shorter than the poll", USEC_PER_HOUR, NOW - USEC_PER_DAY, true, USEC_PER_HOUR },
        };
        static const char *const ids[] = { ID_A };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Bench b;

                print_message("%s\n", cases[i].what);
                bench_begin(&b, ids, N_ELEMENTS(ids));
                b.policy.reauthorize_usec = cases[i].reauthorize_usec;
                grant(&b, ID_A, cases[i].at_usec);
                bench_begin_look(&b, VERDICT_COMPLIANT);
                step(&b, NULL, NULL);
                assert_int_equal(b.d.n_sayings, 0); /* in time is no drift */
                if (cases[i].ask) {
                        assert_asks_grant(&b, ID_A);
                        answer_granted(&b);
                        assert_true(b.d.grant.set);
                }
                assert_done(&b, VERDICT_COMPLIANT, cases[i].wait_usec, false);
        }
}

/* Of several grants of a backup the newest counts; and the cloud's clock counts where it says. */
static void test_download_step_newest_grant(void **state) {
        BackupFacts item = backup(ID_A, BACKUP_COMPLETED, 5, 6);
        Answer page = { .call = CALL_GAUSSDB_BACKUPS,
                        .date_usec = NOW + 2 * USEC_PER_HOUR,
                        .backups = { .items = &item, .n_items = 1, .total = 1 } };
        Bench b;

        bench_begin(&b, NULL, 0);
        b.policy.reauthorize_usec = 3 * USEC_PER_HOUR;
        grant(&b, ID_A, NOW - USEC_PER_DAY);
        grant(&b, ID_B, NOW - USEC_PER_DAY);
        grant(&b, ID_A, NOW);
        step(&b, NULL, NULL);
        step(&b, &page, NULL);
        assert_done(&b, VERDICT_COMPLIANT, USEC_PER_HOUR, false);
}

static void test_download_step_observes(void **state) {
        static const char *const ids[] = { ID_A, ID_B, ID_C };
        uint32_t digest;
        Bench b;

        bench_begin(&b, ids, N_ELEMENTS(ids));
        b.situation.enforce = false;
        grant(&b, ID_B, NOW);
        step(&b, NULL, NULL);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_int_equal(b.d.n_sayings, 1);
        digest = assert_says(&b, EVENT_DRIFT, SAID_DRIFT,
                             "2 of 3 backups are not authorized for download, the first is " ID_A)
                         ->digest;

        bench_begin_look(&b, VERDICT_VIOLATED);
        step(&b, NULL, NULL);
        assert_int_equal(b.d.sayings[0].digest, digest);

        grant(&b, ID_A, NOW);
        bench_begin_look(&b, VERDICT_VIOLATED);
        step(&b, NULL, NULL);
        assert_done(&b, VERDICT_VIOLATED, POLL, false);
        assert_int_not_equal(assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "backup " ID_C " is not authorized")->digest,
                             digest);

        grant(&b, ID_C, NOW);
        bench_begin_look(&b, VERDICT_VIOLATED);
        step(&b, NULL, NULL);
        assert_done(&b, VERDICT_COMPLIANT, POLL, false);
        assert_int_equal(b.d.n_sayings, 0);
}

static void test_download_step_list_of_ids(void **state) {
        static const char *const ids[] = { ID_A, ID_B, ID_C, ID_C };
        Bench b;

        bench_begin(&b, ids, N_ELEMENTS(ids));
        b.policy.reauthorize_usec = 6 * USEC_PER_HOUR;
        grant(&b, ID_B, NOW - 2 * USEC_PER_HOUR);
        step(&b, NULL, NULL);
        assert_asks_grant(&b, ID_A);
        assert_int_equal(b.d.n_sayings, 1);
        answer_granted(&b);
        assert_string_equal(b.d.grant.backup_id, ID_A);
        assert_asks_grant(&b, ID_C);
        assert_int_equal(b.d.n_sayings, 1);
        answer_granted(&b);
        assert_string_equal(b.d.grant.backup_id, ID_C);
        assert_done(&b, VERDICT_COMPLIANT, 4 * USEC_PER_HOUR, false); /* named twice is granted once */
}

/* An id that is new in the policy was not there before: that is said, unlike a renewal. */
static void test_download_step_new_id(void **state) {
        static const char *const ids[] = { ID_A, ID_B };
        Bench b;

        bench_begin(&b, ids, N_ELEMENTS(ids));
        grant(&b, ID_A, NOW);
        bench_begin_look(&b, VERDICT_COMPLIANT);
        step(&b, NULL, NULL);
        assert_asks_grant(&b, ID_B);
        assert_says(&b, EVENT_DRIFT, SAID_DRIFT, "backup " ID_B " is not authorized");
}

static const struct {
        FailureClass class;
        bool passes;
} classes[] = {
        { FAILURE_TRANSPORT, true },      { FAILURE_THROTTLED, true },    { FAILURE_BUSY, true },
        { FAILURE_SERVER, true },         { FAILURE_CREDENTIALS, true },  { FAILURE_WITHHELD, true },
        { FAILURE_NOT_PERMITTED, false }, { FAILURE_NOT_OFFERED, false }, { FAILURE_NOT_FOUND, false },
        { FAILURE_BAD_REQUEST, false },   { FAILURE_UNREADABLE, false },
};

static void test_download_step_refused(void **state) {
        BackupFacts item = backup(ID_A, BACKUP_COMPLETED, 5, 6);

        assert_int_equal(N_ELEMENTS(classes), FAILURE_CLASS__MAX);

        for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
                const Saying *say;
                Bench b;

                print_message("%s\n", failure_class_to_string(classes[i].class));
                bench_begin(&b, NULL, 0);
                begin_and_list(&b, &item, 1);
                answer_failure(&b, classes[i].class);
                assert_false(b.d.grant.set);
                assert_done(&b, VERDICT_VIOLATED, POLL, classes[i].passes);
                assert_non_null(strstr(b.d.why, "the cloud's words"));
                assert_int_equal(b.d.n_sayings, classes[i].passes ? 0 : 1);
                if (classes[i].passes)
                        continue;

                say = assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, ID_A);
                assert_non_null(strstr(say->message, "the cloud's words"));
                assert_int_equal(say->http_status, 400);
                assert_string_equal(say->error_code, "DBS.201203");
                assert_string_equal(say->request_id, "req-2");
        }
}

/* One that is refused does not keep the others from being authorized; and all that are refused are one thing to
 * say. */
static void test_download_step_refused_of_a_list(void **state) {
        static const char *const ids[] = { ID_A, ID_B, ID_C };
        uint32_t digest = 0;
        Bench b;

        bench_begin(&b, ids, N_ELEMENTS(ids));
        for (int look = 0; look < 2; look++) {
                bench_begin_look(&b, look == 0 ? VERDICT_UNKNOWN : VERDICT_VIOLATED);
                step(&b, NULL, NULL);
                assert_asks_grant(&b, ID_A);
                answer_failure(&b, FAILURE_NOT_FOUND);
                assert_int_equal(b.d.n_sayings, 0);
                if (look == 0) {
                        assert_asks_grant(&b, ID_B);
                        answer_granted(&b);
                }
                assert_asks_grant(&b, ID_C);
                answer_failure(&b, FAILURE_BAD_REQUEST);
                assert_done(&b, VERDICT_VIOLATED, POLL, false);
                assert_int_equal(b.d.n_sayings, 1);
                assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED,
                            "2 backups could not be authorized for download, the first is " ID_A);
                if (look > 0)
                        assert_int_equal(b.d.sayings[0].digest, digest);
                digest = b.d.sayings[0].digest;
        }
}

static void test_download_step_refused_then_passing(void **state) {
        static const char *const ids[] = { ID_A, ID_B, ID_C };
        Bench b;

        bench_begin(&b, ids, N_ELEMENTS(ids));
        step(&b, NULL, NULL);
        answer_failure(&b, FAILURE_NOT_FOUND);
        assert_asks_grant(&b, ID_B);
        answer_failure(&b, FAILURE_BUSY);
        assert_done(&b, VERDICT_VIOLATED, POLL, true);
        assert_int_equal(b.d.n_sayings, 1); /* lasts: said at every look */
        assert_says(&b, EVENT_REMEDIATION_FAILED, SAID_REMEDIATION_FAILED, "backup " ID_A);
}

static void test_download_step_shows_paths(void **state) {
        static char longest[400];
        const char *const all[] = { "one", "two\nlines", longest, "four", "five" };
        const char *many[1000];
        size_t n_shown = 0, n_more;
        BackupFacts item = backup(ID_A, BACKUP_COMPLETED, 5, 6);
        const Saying *say;
        Bench b;

        memset(longest, 'x', sizeof(longest) - 1);

        bench_begin(&b, NULL, 0);
        begin_and_list(&b, &item, 1);
        answer_grant(&b, all, N_ELEMENTS(all));
        say = assert_says(&b, EVENT_DOWNLOAD_AUTHORIZED, -1, "\"one\", \"two?lines\", \"xxx");
        assert_non_null(strstr(say->message, "xxx...\", \"four\", \"five\""));
        assert_null(strstr(say->message, "more"));

        /* Past what a message takes, they are counted. */
        for (size_t i = 0; i < N_ELEMENTS(many); i++)
                many[i] = "p1/Db/backup";
        bench_begin(&b, NULL, 0);
        begin_and_list(&b, &item, 1);
        answer_grant(&b, many, N_ELEMENTS(many));
        say = assert_says(&b, EVENT_DOWNLOAD_AUTHORIZED, -1, "\"p1/Db/backup\" and ");
        for (const char *p = say->message; (p = strstr(p, "\"p1/Db/backup\"")); p++)
                n_shown++;
        assert_true(n_shown > 40);
        assert_int_equal(sscanf(strstr(say->message, " and "), " and %zu more", &n_more), 1);
        assert_int_equal(n_shown + n_more, N_ELEMENTS(many));
        assert_string_equal(say->message + strlen(say->message) - 5, " more");

        bench_begin(&b, NULL, 0);
        begin_and_list(&b, &item, 1);
        answer_grant(&b, NULL, 0);
        assert_says(&b, EVENT_DOWNLOAD_AUTHORIZED, -1, "from bucket \"bucket-1\": no files");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_download_step_chooses_latest),
                cmocka_unit_test(test_download_step_pages),
                cmocka_unit_test(test_download_step_endless_list),
                cmocka_unit_test(test_download_step_list_fails),
                cmocka_unit_test(test_download_step_authorizes_latest_once),
                cmocka_unit_test(test_download_step_newer_backup),
                cmocka_unit_test(test_download_step_reauthorize),
                cmocka_unit_test(test_download_step_newest_grant),
                cmocka_unit_test(test_download_step_observes),
                cmocka_unit_test(test_download_step_list_of_ids),
                cmocka_unit_test(test_download_step_new_id),
                cmocka_unit_test(test_download_step_refused),
                cmocka_unit_test(test_download_step_refused_of_a_list),
                cmocka_unit_test(test_download_step_refused_then_passing),
                cmocka_unit_test(test_download_step_shows_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
