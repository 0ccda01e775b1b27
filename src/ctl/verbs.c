/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verbs.h"

const Verb verbs[] = {
        { "status", "[NAME...]", "Look", verb_status, "the fleet at a glance, or each control of an instance" },
        { "why", "NAME...", NULL, verb_why, "why an instance is as it is, what happens next, and who must act" },
        { "history", "[NAME...]", NULL, verb_history, "verdicts and changes over time" },
        { "log", "NAME [ARGUMENT...]", NULL, verb_log, "the instance's journal; arguments go to journalctl" },
        { "plan", "[NAME...]", "Try", verb_plan, "read the cloud, change nothing, show what would be sent" },
        { "rehearse", "[NAME...]", NULL, verb_rehearse, "play the configuration against a simulated cloud" },
        { "check", "", NULL, verb_check, "check settings and policies, contact nobody" },
        { "reconcile", "NAME...", "Steer", verb_reconcile, "look at these instances now" },
        { "reload", "", NULL, verb_reload, "read settings and policies again" },
        { "thaw", "[ENDPOINT]", NULL, verb_thaw, "allow lock writes again to frozen endpoints, or to one" },
        { "schema", "[settings|instance]", "Write", verb_schema, "JSON Schema of the files, for editors" },
        { "iam-policy", "", NULL, verb_iam_policy, "the permissions that this configuration needs" },
        { "help", "", NULL, NULL, "print the usage" },
        {},
};
