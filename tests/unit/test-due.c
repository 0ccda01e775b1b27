/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

/*
 * Who is looked at when more is asked for than the rate allows, and that what is due in one second is done together.
 */

/* Five locks every two seconds, at one request a second: the locks alone would take it all. */
static void test_item_goes_first_starves_nobody(void **state) {
        EngineCounts counts;
        Fleet f;

        fleet_setup(&f, 5, "http: {rate: 1/s}\ndefaults: {lock: {poll: 2s}, encryption: {poll: 10s}}\n", NULL);
        fleet_run(&f, 2 * USEC_PER_MINUTE);
        engine_counts(f.engine, &counts);
        assert_int_equal(counts.n_compliant, 10);

        f.instances[3].encryption_off = true;
        fleet_run(&f, 2 * USEC_PER_MINUTE);
        engine_counts(f.engine, &counts);
        assert_int_equal(counts.n_violated, 1);
        fleet_teardown(&f);
}

/* A lock that is due for extension does not wait behind a hundred others. */
static void test_item_goes_first_for_a_lock_near_its_end(void **state) {
        EngineCounts counts;
        Fleet f;

        fleet_setup(&f, 50, "http: {rate: 1/s}\nmode: observe\ndefaults: {lock: {poll: 10s}, encryption: {poll: 10s}}\n", NULL);
        fleet_run(&f, 5 * USEC_PER_MINUTE);
        f.instances[7].lock_end_usec = f.wall_usec + USEC_PER_DAY;
        fleet_run(&f, 5 * USEC_PER_MINUTE);     /* seen once, in its turn */
        engine_counts(f.engine, &counts);
        assert_int_equal(counts.n_violated, 1);

        f.instances[7].lock_end_usec = FLEET_T0 + 30 * USEC_PER_DAY;
        fleet_run(&f, 25 * USEC_PER_SEC);
        engine_counts(f.engine, &counts);
        assert_int_equal(counts.n_violated, 0);
        fleet_teardown(&f);
}

static void test_polls_of_one_second_are_one_wake_up(void **state) {
        unsigned n = 0;
        Fleet f;

        fleet_setup(&f, 100, "defaults: {lock: {poll: 10s}, encryption: {poll: 10s}}\n", NULL);
        fleet_run(&f, USEC_PER_MINUTE);
        for (usec_t end = f.boot_usec + USEC_PER_MINUTE; f.boot_usec < end; n++) {
                usec_t wait = 0;

                assert_int_equal(engine_run(f.engine, &wait), 0);
                fleet_run(&f, wait);
        }
        assert_in_range(n, 1, 70);      /* for twelve hundred looks */
        fleet_teardown(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_item_goes_first_starves_nobody),
                cmocka_unit_test(test_item_goes_first_for_a_lock_near_its_end),
                cmocka_unit_test(test_polls_of_one_second_are_one_wake_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
