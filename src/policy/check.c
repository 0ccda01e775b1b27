/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/keys.h"
#include "policy/value.h"

#define POLLS_IN_LEAD 3         /* holdfast.yaml(5): renew_before holds at least three polls */

/* Is there something to check, or was the value (or the one that a default stands in for) no good already? */
static bool sound(const TreeNode *section, const char *key) {
        const TreeNode *node = tree_get(section, key);

        return !node || !node->bad;
}

/* Is it in the policy, or a default that was read? */
static bool certain(const TreeNode *section, const char *key, const Settings *settings) {
        return !settings->assumed || tree_get(section, key);
}

/* Where to point at: the value, or the section where the default is in force. */
static TreeNode *spot(TreeNode *section, const char *key) {
        TreeNode *node = tree_get(section, key);

        return node ? node : section;
}

/* A value as written, or what the default amounts to. */
static const char *as_found(const TreeNode *section, const char *key, usec_t usec, char buf[static TREE_SHOW_MAX]) {
        const TreeNode *node = tree_get(section, key);
        char text[TIME_TEXT_MAX];

        if (node)
                return tree_show(node, buf);

        (void) snprintf(buf, TREE_SHOW_MAX, "%s (the default)", duration_format(usec, text));
        return buf;
}

/* --- Lock ------------------------------------------------------------------------------------------------------- */

static const char *unit_of(int64_t days) {
        return days == 1 ? "day" : "days";
}

static void check_lock_lead(Problems *p, TreeNode *section, const Settings *settings, const LockPolicy *l) {
        char found[TREE_SHOW_MAX], poll[TREE_SHOW_MAX], least[TIME_TEXT_MAX];

        if (!sound(section, "renew_before") || !certain(section, "renew_before", settings))
                return;

        if (l->retention_days > 0 && l->renew_before_usec >= (usec_t) l->retention_days * USEC_PER_DAY)
                problems_at(p, spot(section, "renew_before"), "lock.renew_before",
                            "found %s, expected less than retention_days, which is %" PRId64 " %s",
                            as_found(section, "renew_before", l->renew_before_usec, found), l->retention_days, unit_of(l->retention_days));
        if (sound(section, "poll") && certain(section, "poll", settings) && l->renew_before_usec < POLLS_IN_LEAD * l->poll_usec)
                problems_at(p, spot(section, "renew_before"), "lock.renew_before",
                            "found %s, expected at least three times the poll of %s, which is %s",
                            as_found(section, "renew_before", l->renew_before_usec, found),
                            as_found(section, "poll", l->poll_usec, poll),
                            duration_format(POLLS_IN_LEAD * l->poll_usec, least));
}

static void check_lock_limit(Problems *p, TreeNode *section, const char *key, int64_t days, int64_t limit) {
        char path[PROBLEM_KEY_MAX];

        if (!sound(section, key) || days <= limit)
                return;

        (void) snprintf(path, sizeof(path), "lock.%s", key);
        problems_at(p, spot(section, key), path,
                    "found %" PRId64 ", expected at most %" PRId64
                    " %s, which is limits.max_retention_days of holdfast.yaml",
                    days, limit, unit_of(limit));
}

static void check_lock(Problems *p, TreeNode *section, const Settings *settings, const LockPolicy *l) {
        int64_t limit = settings->limits.max_retention_days;

        if (l->retention_days == 0) /* not read, or missing, and complained of */
                return;

        if (!settings->assumed) {
                check_lock_limit(p, section, "retention_days", l->retention_days, limit);
                check_lock_limit(p, section, "max_retention_days", l->max_retention_days, limit);
        }
        if (tree_get(section, "max_retention_days") && sound(section, "max_retention_days") &&
            l->max_retention_days < l->retention_days)
                problems_at(p, spot(section, "max_retention_days"), "lock.max_retention_days",
                            "found %" PRId64 ", expected at least retention_days, which is %" PRId64 " %s",
                            l->max_retention_days, l->retention_days, unit_of(l->retention_days));
}

/* --- The document ----------------------------------------------------------------------------------------------- */

static void check_instance_id(Problems *p, TreeNode *root, const Instance *i) {
        char shown[TREE_SHOW_MAX];
        const char *expected;
        TreeNode *node = tree_get(root, "instance_id");

        if (node && !node->bad && i->instance_id && !value_fits_service(i->instance_id, i->service, &expected))
                problems_at(p, node, "instance_id", "found %s, expected %s", tree_show(node, shown), expected);
}

/* A region says where to go and which project is meant; nobody needs it where both are written. */
static void check_region(Problems *p, TreeNode *root, const Settings *settings, const Instance *i) {
        if (i->terms->region || settings->assumed || !sound(root, "region"))
                return;
        if (settings->endpoints[i->service] && (i->terms->project_id || !sound(root, "project_id")))
                return;

        problems_at(p, root, "region",
                    "found nothing, expected a region here or in holdfast.yaml (or endpoints.%s there and a "
                    "project_id)",
                    service_to_string(i->service));
}

/* "encryption or lock" */
static const char *controls_of(Service service, char *buf, size_t size) {
        size_t n = 0;

        *buf = '\0';
        for (Control c = 0; c < CONTROL__MAX && n < size; c++)
                if (control_service(c) == service)
                        n += (size_t) snprintf(buf + n, size - n, "%s%s", n > 0 ? " or " : "", control_to_string(c));
        return buf;
}

/* The key itself, where a mistake is not in the value. */
static TreeNode *key_node(TreeNode *mapping, const char *key) {
        for (TreeNode *k = mapping->first; k && k->next; k = k->next->next)
                if (k->kind == TREE_SCALAR && streq(k->text, key))
                        return k;

        return mapping;
}

static void check_service(Problems *p, TreeNode *root, const Settings *settings, const Instance *i) {
        char expected[128];

        controls_of(i->service, expected, sizeof(expected));
        for (Control c = 0; c < CONTROL__MAX; c++)
                if (instance_has(i, c) && control_service(c) != i->service)
                        problems_at(p, key_node(root, control_to_string(c)), control_to_string(c),
                                    "found a control that %s does not have, expected %s",
                                    service_to_string(i->service), expected);

        check_instance_id(p, root, i);
        check_region(p, root, settings, i);
}

static void check_has_control(Problems *p, TreeNode *root) {
        for (Control c = 0; c < CONTROL__MAX; c++)
                if (tree_get(root, control_to_string(c)))
                        return;

        problems_at(p, root, NULL, "found no control, expected encryption, lock, schedule or download");
}

void instance_check(Problems *problems, TreeNode *root, const Settings *settings, const Instance *i) {
        const TreeNode *service;

        assert(problems);
        assert(root);
        assert(settings);
        assert(i);

        check_has_control(problems, root);
        service = tree_get(root, "service");
        if (service && !service->bad)
                check_service(problems, root, settings, i);
        if (i->terms->lock) {
                check_lock(problems, tree_get(root, "lock"), settings, i->terms->lock);
                check_lock_lead(problems, tree_get(root, "lock"), settings, i->terms->lock);
        }
}
