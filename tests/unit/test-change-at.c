/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the controls say of the time to come: when their verdict can change by itself. A rehearsal leaves out the polls before that.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/control.h"

#define T0 (UINT64_C(1767225600) * USEC_PER_SEC)        /* 2026-01-01T00:00:00Z */

#define NO_REQUEST INTENT_OUTCOME__MAX

static void test_change_at_of_lock(void **state) {
        static const struct {
                const char *what;
                usec_t left_usec;       /* of the lock */
                usec_t ahead_usec;      /* of the host's clock */
                IntentOutcome outcome;  /* of a request an hour ago */
                usec_t change_usec;     /* from now; 0: at any time */
        } cases[] = {
                { "long enough",                     20 * USEC_PER_DAY, 0,                    NO_REQUEST,       13 * USEC_PER_DAY },
                { "the host's clock is ahead",       20 * USEC_PER_DAY, 10 * USEC_PER_MINUTE, NO_REQUEST,       13 * USEC_PER_DAY },
                { "the clocks do not agree",         20 * USEC_PER_DAY, USEC_PER_HOUR,        NO_REQUEST,       0 },
                { "a request may still show effect", 20 * USEC_PER_DAY, 0,                    INTENT_ACCEPTED,  0 },
                { "one that did is forgotten first", 20 * USEC_PER_DAY, 0,                    INTENT_CONFIRMED, 167 * USEC_PER_HOUR },
                { "due",                             6 * USEC_PER_DAY,  0,                    NO_REQUEST,       0 },
        };
        static const LockPolicy policy = {
                .retention_days = 30, .max_retention_days = 31, .renew_before_usec = 7 * USEC_PER_DAY, .settle_usec = 2 * USEC_PER_HOUR,
                .require_manual_backup_usec = USEC_INFINITY, .poll_usec = USEC_PER_HOUR,
        };
        const Terms terms = { .lock = &policy };
        Instance instance = { .name = "one", .service = SERVICE_TAURUSDB, .terms = &terms };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                Answer answer = { .call = CALL_LOCK_GET, .date_usec = T0 };
                EndpointState endpoint = {};
                ControlState memory = {};
                Look look = {};
                Situation s = {
                        .instance = &instance, .state = &memory, .look = &look, .endpoint = &endpoint, .limit_retention_days = 3660,
                        .now_usec = T0 + cases[i].ahead_usec,
                };
                Decision d;

                print_message("%s\n", cases[i].what);
                answer.lock = (LockFacts) { .presence = LOCK_HELD, .start_usec = T0 - USEC_PER_DAY, .end_usec = T0 + cases[i].left_usec };
                memory.lock = (LockMemory) { .seen = true, .start_usec = answer.lock.start_usec, .end_usec = answer.lock.end_usec };
                if (cases[i].outcome != NO_REQUEST) {
                        memory.lock.n_intents = 1;
                        memory.lock.intents[0] = (LockIntent) {
                                .action = LOCK_EXTEND, .days = 30, .outcome = cases[i].outcome, .sent_at_usec = T0 - USEC_PER_HOUR,
                                .start_before_usec = answer.lock.start_usec, .end_before_usec = answer.lock.end_usec,
                                .cap_at_usec = T0 + 31 * USEC_PER_DAY,
                        };
                }

                decision_init(&d);
                lock_step(&s, &d);
                assert_int_equal(d.next, NEXT_ASK);
                s.answer = &answer;
                decision_init(&d);
                lock_step(&s, &d);
                assert_int_equal(d.next, NEXT_DONE);
                assert_int_equal(d.verdict, cases[i].left_usec > policy.renew_before_usec ? VERDICT_COMPLIANT : VERDICT_VIOLATED);
                assert_int_equal(d.change_at_usec, cases[i].change_usec > 0 ? s.now_usec + cases[i].change_usec : 0);
        }
}

static void test_change_at_of_encryption(void **state) {
        static const EncryptionPolicy policy = { .expect_on = true, .poll_usec = USEC_PER_HOUR };
        const Terms terms = { .encryption = &policy };
        Instance instance = { .name = "one", .service = SERVICE_TAURUSDB, .terms = &terms };

        for (int on = 0; on <= 1; on++) {
                Answer answer = { .call = CALL_ENCRYPTION_GET, .date_usec = T0, .encryption_on = on };
                ControlState memory = {};
                Look look = {};
                Situation s = { .instance = &instance, .state = &memory, .look = &look, .now_usec = T0 };
                Decision d;

                decision_init(&d);
                encryption_step(&s, &d);
                s.answer = &answer;
                decision_init(&d);
                encryption_step(&s, &d);
                assert_int_equal(d.next, NEXT_DONE);
                assert_true(d.change_at_usec == (on ? USEC_INFINITY : 0));
        }
}

static void test_change_at_of_download(void **state) {
        static const struct {
                usec_t reauthorize_usec, granted_ago_usec, change_usec; /* from now; USEC_INFINITY: never */
        } cases[] = {
                { USEC_INFINITY,    USEC_PER_DAY, USEC_INFINITY    },
                { 7 * USEC_PER_DAY, USEC_PER_DAY, 6 * USEC_PER_DAY },
        };
        const char *const ids[] = { "g0000000000000000000000000000000in14" };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                DownloadPolicy policy = {
                        .poll_usec = USEC_PER_HOUR, .backup_ids = ids, .n_backup_ids = 1, .reauthorize_usec = cases[i].reauthorize_usec,
                };
                const Terms terms = { .download = &policy };
                Instance instance = { .name = "one", .service = SERVICE_GAUSSDB, .terms = &terms };
                Grant grant = { .granted_at_usec = T0 - cases[i].granted_ago_usec };
                ControlState memory = { .download = { .grants = &grant, .n_grants = 1 } };
                Look look = {};
                Situation s = { .instance = &instance, .state = &memory, .look = &look, .now_usec = T0, .enforce = true };
                Decision d;

                strcpy(grant.backup_id, ids[0]);
                decision_init(&d);
                download_step(&s, &d);
                assert_int_equal(d.next, NEXT_DONE);
                assert_int_equal(d.verdict, VERDICT_COMPLIANT);
                assert_true(d.change_at_usec == (cases[i].change_usec == USEC_INFINITY ? USEC_INFINITY : T0 + cases[i].change_usec));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_change_at_of_lock),
                cmocka_unit_test(test_change_at_of_encryption),
                cmocka_unit_test(test_change_at_of_download),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
