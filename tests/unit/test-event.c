/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include <cmocka.h>

#include "facts/event.h"

/*
 * The promise, once more and by hand: a name, a priority or a MESSAGE_ID that changes breaks the scripts and the catalogs of those who
 * run holdfast. A change here needs a deprecation.
 */
static const struct {
        const char *name;
        int priority;
        const char *message_id;
        bool lasting;
} expected[] = {
        { "started",               LOG_NOTICE,  "b8c3b24aa316459e9abcc1a178ae1ffe", false },
        { "stopping",              LOG_NOTICE,  "cde796be7b28481b96d16b1dc2551487", false },
        { "reloaded",              LOG_NOTICE,  "7d16e5ee353c4c08ab3ffe0b6c5d00ea", false },
        { "policy-rejected",       LOG_ERR,     "02b17cceb2d74952bbc4e0a5301bb294", false },
        { "policy-removed",        LOG_NOTICE,  "5da004354ef245539649afc11908928e", false },
        { "compliant",             LOG_INFO,    "dc276adeec1041a882b9937ff35a39d3", false },
        { "drift",                 LOG_WARNING, "7b96d8e129224098a1df18c2a02eabac", true  },
        { "remediated",            LOG_NOTICE,  "48fe2a9fb1cb4c978ed13a2c78fee856", false },
        { "remediation-failed",    LOG_ERR,     "5be83f0a93ed4715841d30669fef72d1", true  },
        { "lock-enabled",          LOG_NOTICE,  "6159f61435ac4be087a8f6df2068df91", false },
        { "lock-extended",         LOG_NOTICE,  "3612b08835ac42499151db8df5aeac48", false },
        { "lock-expiring",         LOG_CRIT,    "a9c53df754fa4695bccbde4284899b3c", true  },
        { "lock-lapsed",           LOG_ALERT,   "aa8abc498cf145969f34ef374557079c", true  },
        { "lock-refused",          LOG_CRIT,    "116bcf0d5eb54c4ca2831d4a6de28e4c", true  },
        { "lock-frozen",           LOG_CRIT,    "21933ceaf1134f86b823702275900b36", true  },
        { "lock-thawed",           LOG_NOTICE,  "9c90f907519c4e118e936be4d03b19dc", false },
        { "unknown",               LOG_WARNING, "8b9c29d48e5e4c31a9e9e1c0ed7c1e68", true  },
        { "lock-empty",            LOG_WARNING, "526772a34c6a44ea8ac8ecf91a03d972", true  },
        { "backup-stale",          LOG_ERR,     "29eb1b491f6a4d6485d59676c530c5e6", true  },
        { "download-authorized",   LOG_NOTICE,  "8f35ec40252a4215b300fff7d92c9c0c", false },
        { "api-failing",           LOG_WARNING, "810e1c3d68a54e74a31b4c75b875c5b2", true  },
        { "api-recovered",         LOG_NOTICE,  "38ec76da6e314ddf8933049158c062a8", false },
        { "credentials-rejected",  LOG_ERR,     "48550b748089415689ab2566e0757e14", true  },
        { "credentials-refreshed", LOG_INFO,    "7c460bacf8e74f918d64652e9ed1012f", false },
        { "clock-skew",            LOG_ERR,     "5f436f6f4a3f4df9973172073285d467", true  },
        { "state-reset",           LOG_ERR,     "624bfe771c9d43e5902dc7b3bc2bcd10", false },
        { "state-failing",         LOG_ERR,     "7f5eda1622a64777aa8095b633c90dd5", true  },
        { "state-recovered",       LOG_NOTICE,  "5549c3b81b1c40e3bc977feee387ae32", false },
        { "bus-joined",            LOG_INFO,    "00713f5451214b8bac21b6d799b74e63", false },
        { "bus-lost",              LOG_INFO,    "c66ebd7eff474f47a9d05bdea7dc802a", false },
        { "internal-error",        LOG_ERR,     "6ffa21077be640d2af17fd4db259bf23", false },
        { "messages-lost",         LOG_WARNING, "ed65381f22484dc2b043e0d38d1268e3", false },
};

static void test_event_type_is_as_promised(void **state) {
        assert_int_equal(N_ELEMENTS(expected), EVENT__MAX);

        for (EventId i = 0; i < EVENT__MAX; i++) {
                const EventType *type = event_type(i);

                assert_string_equal(type->name, expected[i].name);
                assert_int_equal(type->priority, expected[i].priority);
                assert_string_equal(type->message_id, expected[i].message_id);
                assert_int_equal(type->lasting, expected[i].lasting);
        }
}

static void test_event_type_is_unique(void **state) {
        for (EventId i = 0; i < EVENT__MAX; i++) {
                assert_int_equal(strlen(event_type(i)->message_id), 32);
                assert_int_equal(strspn(event_type(i)->message_id, "0123456789abcdef"), 32);

                for (EventId k = 0; k < i; k++) {
                        assert_string_not_equal(event_type(i)->name, event_type(k)->name);
                        assert_string_not_equal(event_type(i)->message_id, event_type(k)->message_id);
                }
        }
}

static void test_event_set_message_cuts(void **state) {
        Event e = EVENT(EVENT_DRIFT);

        assert_int_equal(e.priority, -1);
        event_set_message(&e, "%s: %d", "orders", 7);
        assert_string_equal(e.message, "orders: 7");
        event_set_message(&e, "%*d", 2 * EVENT_MESSAGE_MAX, 1);
        assert_int_equal(strlen(e.message), EVENT_MESSAGE_MAX - 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_event_type_is_as_promised),
                cmocka_unit_test(test_event_type_is_unique),
                cmocka_unit_test(test_event_set_message_cuts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
