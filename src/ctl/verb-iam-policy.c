/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cloud/calls.h"
#include "ctl/config.h"
#include "ctl/json.h"
#include "ctl/permissions.h"

/*
 * iam-policy: the smallest permissions that the loaded configuration can do with, what looks and what changes apart.
 */

typedef enum Part { PART_OBSERVE, PART_ENFORCE, PART__MAX } Part;

static const char *const part_names[PART__MAX] = {
        [PART_OBSERVE] = "observe",
        [PART_ENFORCE] = "enforce",
};

/* Of custom policies: IAM User Guide, Custom Policies; of identity policies: IAM User Guide, Custom Identity Policies. */
static const char *const versions[PERMISSION_SYSTEM__MAX] = {
        [PERMISSION_POLICY] = "1.1",
        [PERMISSION_IDENTITY] = "5.0",
};

typedef struct Needs {
        bool calls[CALL__MAX];
} Needs;

/* --- What is called ------------------------------------------------------------------------------------------------ */

static void need_of(const Settings *settings, const Instance *i, Control c, Needs *n) {
        bool enforce = instance_mode(i, settings) == MODE_ENFORCE;

        switch (c) {
        case CONTROL_ENCRYPTION:
                n->calls[CALL_ENCRYPTION_GET] = true;
                n->calls[CALL_ENCRYPTION_SET] |= enforce && i->terms->encryption->expect_on && i->terms->encryption->kms_key_id;
                break;
        case CONTROL_SCHEDULE:
                n->calls[CALL_SCHEDULE_GET] = true;
                n->calls[CALL_SCHEDULE_SET] |= enforce;
                break;
        case CONTROL_LOCK:
                n->calls[CALL_LOCK_GET] = true;
                n->calls[CALL_LOCK_SET] |= enforce;
                n->calls[CALL_TAURUSDB_BACKUPS] |= i->terms->lock->require_manual_backup_usec != USEC_INFINITY;
                break;
        case CONTROL_DOWNLOAD:
                n->calls[CALL_GAUSSDB_BACKUPS] |= i->terms->download->latest;
                n->calls[CALL_DOWNLOAD_AUTHORIZE] |= enforce;
                break;
        case CONTROL__MAX:
                assert(false);
                break;
        }
}

static void find_needs(const Settings *settings, const PolicySet *set, Needs *ret) {
        for (size_t k = 0; k < set->n_instances; k++) {
                const Instance *i = set->instances[k];

                for (Control c = 0; c < CONTROL__MAX; c++)
                        if (instance_has(i, c))
                                need_of(settings, i, c, ret);
                /* Who we are is looked up where it is not written. */
                ret->calls[CALL_PROJECTS] |= !i->terms->project_id || (instance_has(i, CONTROL_SCHEDULE) && !i->terms->domain_id);
        }
}

static Part part_of(Call c) {
        return call_is_write(c) ? PART_ENFORCE : PART_OBSERVE;
}

/* --- Documents ----------------------------------------------------------------------------------------------------- */

static bool has_action(json_object *actions, const char *action) {
        for (size_t i = 0; i < json_object_array_length(actions); i++)
                if (streq(json_object_get_string(json_object_array_get_idx(actions, i)), action))
                        return true;

        return false;
}

/* Are there actions of this part that the observing part does not have already? */
static int add_actions(json_object *actions, const Needs *n, Part part, PermissionSystem system) {
        int r;

        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);

                if (!n->calls[c] || !p || part_of(c) != part)
                        continue;
                for (size_t i = 0; i < PERMISSION_ACTIONS_MAX && p->actions[system][i]; i++) {
                        if (has_action(actions, p->actions[system][i]))
                                continue;
                        r = ctl_json_add_text(actions, NULL, p->actions[system][i]);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

/* A policy as the console's JSON view takes it. */
static int add_document(json_object *to, const char *key, const Needs *n, Part part, PermissionSystem system) {
        json_object *document = ctl_json_add_object(to, key), *statements, *statement, *actions;
        int r;

        r = ctl_json_add_text(document, "Version", versions[system]);
        statements = ctl_json_add_array(document, "Statement");
        if (r < 0 || !statements)
                return -ENOMEM;

        statement = ctl_json_add_object(statements, NULL);
        r = ctl_json_add_text(statement, "Effect", "Allow");
        actions = ctl_json_add_array(statement, "Action");
        if (r < 0 || !actions)
                return -ENOMEM;

        r = add_actions(actions, n, part, system);
        if (r < 0 || json_object_array_length(actions) > 0)
                return r;
        return json_object_array_del_idx(statements, 0, 1) < 0 ? -ENOMEM : 0;   /* a statement without actions is refused */
}

static int add_unknown(json_object *list, const Needs *n, Part part) {
        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);
                json_object *o;

                if (!n->calls[c] || !p || !p->instead || part_of(c) != part)
                        continue;
                o = ctl_json_add_object(list, NULL);
                (void) ctl_json_add_text(o, "call", call_to_string(c));
                (void) ctl_json_add_text(o, "part", part_names[part]);
                (void) ctl_json_add_text(o, "service", service_to_string(call_service(c)));
                if (ctl_json_add_text(o, "grant_instead", p->instead) < 0)
                        return -ENOMEM;
        }

        return 0;
}

static int print_json(const Needs *n, PermissionSystem system) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *unknown;
        int r = 0;

        for (Part p = 0; p < PART__MAX && r >= 0; p++)
                r = add_document(document, part_names[p], n, p, system);
        unknown = ctl_json_add_array(document, "unknown");
        for (Part p = 0; p < PART__MAX && r >= 0; p++)
                r = add_unknown(unknown, n, p);
        return ctl_json_print(r < 0 || !unknown ? NULL : document);
}

/* One policy and nothing else: it can be given to the console as it is. */
static int print_part(const Needs *n, Part part, PermissionSystem system) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *policy = NULL;

        if (add_document(document, "policy", n, part, system) >= 0)
                (void) json_object_object_get_ex(document, "policy", &policy);
        return ctl_json_print(policy);
}

static void print_notes(const Needs *n, Part part) {
        for (Call c = 0; c < CALL__MAX; c++) {
                const Permission *p = permission_of(c);

                if (!n->calls[c] || !p || part_of(c) != part)
                        continue;
                if (p->instead)
                        (void) printf("%s: the name of its action is not published. Grant the system policy %s until the refusal, which "
                                      "holdfast shows in "
                                      "full, has named it.\n",
                                      call_to_string(c), p->instead);
                if (p->note)
                        (void) printf("%s: %s.\n", call_to_string(c), p->note);
        }
}

static int print_text(const Needs *n, PermissionSystem system) {
        static const char *const heads[PART__MAX] = {
                [PART_OBSERVE] = "To look (holdfastctl iam-policy --part observe):",
                [PART_ENFORCE] = "To change, besides that (holdfastctl iam-policy --part enforce):",
        };
        int r;

        for (Part p = 0; p < PART__MAX; p++) {
                (void) printf("%s%s\n\n", p > 0 ? "\n" : "", heads[p]);
                r = print_part(n, p, system);
                if (r != EXIT_SUCCESS)
                        return r;
                (void) printf("\n");
                print_notes(n, p);
        }

        (void) printf("\nholdfast never needs the right to delete anything. A grant takes up to 30 minutes to be in force.\n");
        return EXIT_SUCCESS;
}

/* --- The verb ------------------------------------------------------------------------------------------------------ */

int verb_iam_policy(const CtlOptions *o, int argc, char *argv[]) {
        static const struct option longs[] = {
                { "identity", no_argument, NULL, 'i' },
                { "part", required_argument, NULL, 'p' },
                {},
        };
        _cleanup_(config_done) Config c = {};
        PermissionSystem system = PERMISSION_POLICY;
        Part part = PART__MAX;
        Needs needs = {};
        int opt, r;

        optind = 0;
        while ((opt = getopt_long(argc + 1, argv - 1, "", longs, NULL)) >= 0)
                switch (opt) {
                case 'i':
                        system = PERMISSION_IDENTITY;
                        break;
                case 'p':
                        for (part = 0; part < PART__MAX && !streq(optarg, part_names[part]); part++)
                                ;
                        if (part == PART__MAX)
                                return ctl_usage("--part: found '%s', expected observe or enforce", optarg);
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (optind <= argc)
                return ctl_usage("iam-policy: unexpected argument '%s'", argv[optind - 1]);

        r = config_need(o, &c);
        if (r != 0)
                return r;

        find_needs(c.settings, c.policies, &needs);
        if (part < PART__MAX)
                r = print_part(&needs, part, system);
        else
                r = o->json ? print_json(&needs, system) : print_text(&needs, system);
        return r == EXIT_SUCCESS && c.n_rejected > 0 ? EXIT_SOMETHING : r;      /* what was rejected may need more */
}
