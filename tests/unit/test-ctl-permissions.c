/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "ctl/permissions.h"

/* A call of a service either names its actions in both systems, or says what to grant instead; never half of it. */
static void test_permission_of_every_call(void **state) {
        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);
                bool service = call_service(c) == SERVICE_TAURUSDB || call_service(c) == SERVICE_DBSS || call_service(c) == SERVICE_GAUSSDB;

                print_message("%s\n", call_to_string(c));
                if (!p) {
                        assert_false(service);
                        continue;
                }
                assert_non_null(p->source);
                assert_int_equal(p->actions[PERMISSION_POLICY][0] != NULL, p->actions[PERMISSION_IDENTITY][0] != NULL);
                assert_true((p->actions[PERMISSION_POLICY][0] == NULL) == (p->instead != NULL));
        }
}

/* holdfast has no use for rights to destroy, and asks for none. */
static void test_permission_of_nothing_destructive(void **state) {
        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);

                for (PermissionSystem s = 0; p && s < PERMISSION_SYSTEM__MAX; s++)
                        for (size_t i = 0; i < PERMISSION_ACTIONS_MAX && p->actions[s][i]; i++) {
                                const char *action = p->actions[s][i];

                                assert_null(strcasestr(action, "delete"));
                                assert_null(strcasestr(action, "stop"));
                                assert_null(strchr(action, '*'));
                                assert_non_null(strchr(action, ':'));
                        }
        }
}

/* What only looks needs nothing that the lock's write needs. */
static void test_permission_of_reads_and_writes_apart(void **state) {
        const Permission *write = permission_of(CALL_LOCK_SET);

        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);

                if (!p || c == CALL_LOCK_SET)
                        continue;
                for (PermissionSystem s = 0; s < PERMISSION_SYSTEM__MAX; s++)
                        if (p->actions[s][0])
                                assert_string_not_equal(p->actions[s][0], write->actions[s][0]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_permission_of_every_call),
                cmocka_unit_test(test_permission_of_nothing_destructive),
                cmocka_unit_test(test_permission_of_reads_and_writes_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
