/* SPDX-License-Identifier: Apache-2.0 */
#include "facts/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

/* A MESSAGE_ID is given once and never changed or used again: scripts and the catalog know events by it. */
static const EventType types[EVENT__MAX] = {
        [EVENT_STARTED] = { "started", LOG_NOTICE,
                "b8c3b24aa316459e9abcc1a178ae1ffe", false },
        [EVENT_STOPPING] = { "stopping", LOG_NOTICE,
                "cde796be7b28481b96d16b1dc2551487", false },
        [EVENT_RELOADED] = { "reloaded", LOG_NOTICE,
                "7d16e5ee353c4c08ab3ffe0b6c5d00ea", false },
        [EVENT_POLICY_REJECTED] = { "policy-rejected", LOG_ERR,
                "02b17cceb2d74952bbc4e0a5301bb294", false },
        [EVENT_POLICY_REMOVED] = { "policy-removed", LOG_NOTICE,
                "5da004354ef245539649afc11908928e", false },
        [EVENT_COMPLIANT] = { "compliant", LOG_INFO,
                "dc276adeec1041a882b9937ff35a39d3", false },
        [EVENT_DRIFT] = { "drift", LOG_WARNING,
                "7b96d8e129224098a1df18c2a02eabac", true },
        [EVENT_REMEDIATED] = { "remediated", LOG_NOTICE,
                "48fe2a9fb1cb4c978ed13a2c78fee856", false },
        [EVENT_REMEDIATION_FAILED] = { "remediation-failed", LOG_ERR,
                "5be83f0a93ed4715841d30669fef72d1", true },
        [EVENT_LOCK_ENABLED] = { "lock-enabled", LOG_NOTICE,
                "6159f61435ac4be087a8f6df2068df91", false },
        [EVENT_LOCK_EXTENDED] = { "lock-extended", LOG_NOTICE,
                "3612b08835ac42499151db8df5aeac48", false },
        [EVENT_LOCK_EXPIRING] = { "lock-expiring", LOG_CRIT,
                "a9c53df754fa4695bccbde4284899b3c", true },
        [EVENT_LOCK_LAPSED] = { "lock-lapsed", LOG_ALERT,
                "aa8abc498cf145969f34ef374557079c", true },
        [EVENT_LOCK_REFUSED] = { "lock-refused", LOG_CRIT,
                "116bcf0d5eb54c4ca2831d4a6de28e4c", true },
        [EVENT_LOCK_FROZEN] = { "lock-frozen", LOG_CRIT,
                "21933ceaf1134f86b823702275900b36", true },
        [EVENT_LOCK_THAWED] = { "lock-thawed", LOG_NOTICE,
                "9c90f907519c4e118e936be4d03b19dc", false },
        [EVENT_UNKNOWN] = { "unknown", LOG_WARNING,
                "8b9c29d48e5e4c31a9e9e1c0ed7c1e68", true },
        [EVENT_LOCK_EMPTY] = { "lock-empty", LOG_WARNING,
                "526772a34c6a44ea8ac8ecf91a03d972", true },
        [EVENT_BACKUP_STALE] = { "backup-stale", LOG_ERR,
                "29eb1b491f6a4d6485d59676c530c5e6", true },
        [EVENT_DOWNLOAD_AUTHORIZED] = { "download-authorized", LOG_NOTICE,
                "8f35ec40252a4215b300fff7d92c9c0c", false },
        [EVENT_API_FAILING] = { "api-failing", LOG_WARNING,
                "810e1c3d68a54e74a31b4c75b875c5b2", true },
        [EVENT_API_RECOVERED] = { "api-recovered", LOG_NOTICE,
                "38ec76da6e314ddf8933049158c062a8", false },
        [EVENT_CREDENTIALS_REJECTED] = { "credentials-rejected", LOG_ERR,
                "48550b748089415689ab2566e0757e14", true },
        [EVENT_CREDENTIALS_REFRESHED] = { "credentials-refreshed", LOG_INFO,
                "7c460bacf8e74f918d64652e9ed1012f", false },
        [EVENT_CLOCK_SKEW] = { "clock-skew", LOG_ERR,
                "5f436f6f4a3f4df9973172073285d467", true },
        [EVENT_STATE_RESET] = { "state-reset", LOG_ERR,
                "624bfe771c9d43e5902dc7b3bc2bcd10", false },
        [EVENT_STATE_FAILING] = { "state-failing", LOG_ERR,
                "7f5eda1622a64777aa8095b633c90dd5", true },
        [EVENT_STATE_RECOVERED] = { "state-recovered", LOG_NOTICE,
                "5549c3b81b1c40e3bc977feee387ae32", false },
        [EVENT_BUS_JOINED] = { "bus-joined", LOG_INFO,
                "00713f5451214b8bac21b6d799b74e63", false },
        [EVENT_BUS_LOST] = { "bus-lost", LOG_INFO,
                "c66ebd7eff474f47a9d05bdea7dc802a", false },
        [EVENT_INTERNAL_ERROR] = { "internal-error", LOG_ERR,
                "6ffa21077be640d2af17fd4db259bf23", false },
        [EVENT_MESSAGES_LOST] = { "messages-lost", LOG_WARNING,
                "ed65381f22484dc2b043e0d38d1268e3", false },
};

const EventType *event_type(EventId id) {
        assert(id < EVENT__MAX);
        return &types[id];
}

void event_set_message(Event *e, const char *format, ...) {
        va_list ap;

        assert(e);

        va_start(ap, format);
        (void) vsnprintf(e->message, sizeof(e->message), format, ap);   /* a cut sentence is still one */
        va_end(ap);
}
