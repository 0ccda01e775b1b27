/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "control/describe.h"
#include "ctl/cloud-world.h"
#include "ctl/config.h"
#include "ctl/fleet.h"
#include "ctl/json.h"
#include "ctl/pager.h"
#include "ctl/words.h"

/*
 * plan: what holdfast would send now, had it not been asked only.
 */

#define BODY_SHOWN_MAX 4096     /* bytes of a body; ours have some hundred */
#define KEY_MAX 192

/* One control, as far as something is to be told of it. */
typedef struct Step {
        char key[KEY_MAX];      /* name, control */
        UT_hash_handle hh;
        Fleet *texts;
        const char *name, *service, *instance_id, *control, *wanted;
        const char *found;      /* how it is: the last that was said of it as a drift or the like */
        const char *trouble;    /* why it could not be looked at, or mended */
        const char *method, *url, *body;        /* NULL: nothing would be sent */
        const char *reason;     /* nothing would be sent: why not */
        bool enables;           /* a new lock: counts for limits.new_locks_per_day */
} Step;

/* What the policies say of why nothing is sent: they are the engine's while it runs. */
typedef struct Known {
        const char *name;       /* the plan's; the key */
        UT_hash_handle hh;
        bool observe;
        bool encryption_reported;       /* but not switched on: no key, or expected off */
} Known;

typedef struct Plan {
        Fleet *texts;
        Step *steps;
        Known *known;
        bool observe;           /* every policy that is looked at */
        size_t n_requests, n_troubles, n_enables;
        size_t n_rejected;      /* policies, where all were asked for */
        unsigned new_locks_per_day;
        bool out_of_memory;
} Plan;

static void plan_done(Plan *p) {
        Known *k, *next_known;
        Step *s, *next;

        HASH_ITER(hh, p->known, k, next_known) {
                HASH_DEL(p->known, k);
                free(k);
        }

        HASH_ITER(hh, p->steps, s, next) {
                HASH_DEL(p->steps, s);
                free(s);
        }
        fleet_free(p->texts);
}

static Step *step_get(Plan *p, const char *name, const char *control) {
        char key[KEY_MAX];
        Step *s = NULL;

        (void) snprintf(key, sizeof(key), "%s/%s", name, control);
        HASH_FIND_STR(p->steps, key, s);
        if (s)
                return s;

        s = calloc(1, sizeof(*s));
        if (!s) {
                p->out_of_memory = true;
                return NULL;
        }
        memcpy(s->key, key, sizeof(key));
        s->name = fleet_text(p->texts, name);
        s->control = fleet_text(p->texts, control);
        HASH_ADD_STR(p->steps, key, s);
        if (!hash_added(s) || !s->name || !s->control) {
                p->out_of_memory = true;
                if (!hash_added(s))
                        free(s);
                return NULL;
        }
        return s;
}

static int note_policies(Plan *p, const Settings *settings, const PolicySet *set) {
        p->observe = set->n_instances > 0;
        for (size_t i = 0; i < set->n_instances; i++) {
                const Instance *n = set->instances[i];
                Known *k = calloc(1, sizeof(*k));

                if (!k)
                        return -ENOMEM;
                *k = (Known) {
                        .name = fleet_text(p->texts, n->name),
                        .observe = instance_mode(n, settings) == MODE_OBSERVE,
                        .encryption_reported = n->terms->encryption && (!n->terms->encryption->expect_on || !n->terms->encryption->kms_key_id),
                };
                if (k->name)
                        HASH_ADD_KEYPTR(hh, p->known, k->name, strlen(k->name), k);
                if (!k->name || !hash_added(k)) {
                        free(k);
                        return -ENOMEM;
                }
                p->observe = p->observe && k->observe;
        }

        return 0;
}

/* Why is a state that was found left as it is? */
static const char *reason_for(const Plan *p, const Event *event) {
        const Known *k = NULL;

        if (event->id == EVENT_BACKUP_STALE || event->id == EVENT_LOCK_EMPTY)
                return "holdfast makes no backups itself";
        HASH_FIND_STR(p->known, event->name, k);
        if (k && k->encryption_reported && streq(event->control, control_to_string(CONTROL_ENCRYPTION)))
                return "the policy wants it reported only";
        return k && k->observe ? "mode observe" : NULL;
}

/* --- What comes from the world ------------------------------------------------------------------------------------- */

static Control control_of(Call c) {
        switch (c) {
        case CALL_ENCRYPTION_GET:
        case CALL_ENCRYPTION_SET:
                return CONTROL_ENCRYPTION;
        case CALL_LOCK_GET:
        case CALL_LOCK_SET:
        case CALL_TAURUSDB_BACKUPS:
                return CONTROL_LOCK;
        case CALL_SCHEDULE_GET:
        case CALL_SCHEDULE_SET:
                return CONTROL_SCHEDULE;
        case CALL_GAUSSDB_BACKUPS:
        case CALL_DOWNLOAD_AUTHORIZE:
                return CONTROL_DOWNLOAD;
        case CALL_PROJECTS:
        case CALL_TOKEN:
        case CALL_METADATA_TOKEN:
        case CALL_METADATA_KEY:
        case CALL__MAX:
                break;
        }

        return CONTROL__MAX;
}

static const char *copy_url(Plan *p, const HttpRequest *q) {
        _cleanup_(freep) char *url = NULL;
        bool has_query = q->query && *q->query;

        if (asprintf(&url, "%s%s%s%s", q->origin, q->path, has_query ? "?" : "", has_query ? q->query : "") < 0)
                url = NULL;
        return fleet_text(p->texts, url);
}

static void on_withheld(void *userdata, const Instance *instance, const Ask *ask, const HttpRequest *request) {
        Control c = control_of(ask->call);
        char wanted[DESCRIBE_MAX];
        Plan *p = userdata;
        Step *s;

        if (c == CONTROL__MAX)
                return;
        s = step_get(p, instance->name, control_to_string(c));
        if (!s || s->method)
                return;         /* tried again: the engine waits for what it takes for a passing trouble */

        s->service = service_to_string(instance->service);
        s->instance_id = fleet_text(p->texts, instance->instance_id);
        s->wanted = fleet_text(p->texts, control_describe_wanted(instance, c, wanted));
        s->method = http_method_to_string(request->method);
        s->url = copy_url(p, request);
        if (request->body && request->n_body <= BODY_SHOWN_MAX)
                s->body = fleet_text(p->texts, request->body);
        s->enables = ask->call == CALL_LOCK_SET && ask->lock_set.action == LOCK_ENABLE;
        p->n_enables += s->enables;
        p->n_requests++;
}

/* The sentence begins with the instance's name. */
static const char *sentence_of(const Event *event) {
        size_t n = event->name ? strlen(event->name) : 0;

        if (n > 0 && strncmp(event->message, event->name, n) == 0 && event->message[n] == ':' && event->message[n + 1] == ' ')
                return event->message + n + 2;
        return event->message;
}

static void note_trouble(Plan *p, Step *s, const char *sentence) {
        if (!s->trouble)
                p->n_troubles++;
        s->trouble = fleet_text(p->texts, sentence);
}

static void on_said(void *userdata, const Event *event) {
        Plan *p = userdata;
        Step *s;

        switch (event->id) {
        case EVENT_DRIFT:
        case EVENT_LOCK_LAPSED:
        case EVENT_LOCK_EMPTY:
        case EVENT_BACKUP_STALE:
                s = event->name && event->control ? step_get(p, event->name, event->control) : NULL;
                if (s && (!s->found || event->id != EVENT_LOCK_LAPSED)) {
                        s->found = fleet_text(p->texts, sentence_of(event));
                        s->reason = reason_for(p, event);
                }
                return;
        case EVENT_REMEDIATION_FAILED:
        case EVENT_LOCK_REFUSED:
        case EVENT_LOCK_FROZEN:
        case EVENT_UNKNOWN:
        case EVENT_API_FAILING:
                s = event->name && event->control ? step_get(p, event->name, event->control) : NULL;
                if (s)
                        note_trouble(p, s, sentence_of(event));
                else if (!event->name)
                        ctl_complain("%s", event->message);
                return;
        case EVENT_CREDENTIALS_REJECTED:
        case EVENT_CLOCK_SKEW:
                ctl_complain("%s", event->message);
                return;
        case EVENT_STARTED:
        case EVENT_STOPPING:
        case EVENT_RELOADED:
        case EVENT_POLICY_REJECTED:
        case EVENT_POLICY_REMOVED:
        case EVENT_COMPLIANT:
        case EVENT_REMEDIATED:
        case EVENT_LOCK_ENABLED:
        case EVENT_LOCK_EXTENDED:
        case EVENT_LOCK_EXPIRING:
        case EVENT_LOCK_THAWED:
        case EVENT_DOWNLOAD_AUTHORIZED:
        case EVENT_API_RECOVERED:
        case EVENT_CREDENTIALS_REFRESHED:
        case EVENT_STATE_RESET:
        case EVENT_STATE_FAILING:
        case EVENT_STATE_RECOVERED:
        case EVENT_BUS_JOINED:
        case EVENT_BUS_LOST:
        case EVENT_INTERNAL_ERROR:
        case EVENT_MESSAGES_LOST:
        case EVENT__MAX:
                return;
        }
}

/* --- Output ------------------------------------------------------------------------------------------------------- */

static int by_key(const Step *a, const Step *b) {
        return strcmp(a->key, b->key);
}

static void field(const char *label, const char *value) {
        if (value)
                (void) printf("  %-9s %s\n", label, value);
}

static void print_step(const CtlOptions *o, const Step *s) {
        char on[COLOR_TEXT_MAX];

        (void) printf("%s%s%s: %s\n", words_color(o, COLOR_HEAD, on), s->name, words_color_off(o), s->control);
        field("Is:", s->found);
        field("Wanted:", s->wanted);
        if (s->method) {
                (void) printf("  %sWould send:%s\n    %s %s\n", words_color(o, COLOR_WARN, on), words_color_off(o), s->method,
                              s->url ? s->url : "");
                if (s->body)
                        (void) printf("    %s\n", s->body);
        } else if (s->trouble)
                (void) printf("  %sNothing would be sent:%s %s\n", words_color(o, COLOR_BAD, on), words_color_off(o), s->trouble);
        else
                (void) printf("  Nothing would be sent%s%s.\n", s->reason ? ": " : "", s->reason ? s->reason : "");
        (void) printf("\n");
}

static const char *plural(size_t n) {
        return n == 1 ? "" : "s";
}

static void print_text(const CtlOptions *o, const Plan *p, const EngineCounts *counts) {
        for (const Step *s = p->steps; s; s = s->hh.next)
                print_step(o, s);
        if (!o->legend)
                return;

        if (p->n_requests == 0)
                (void) printf("%s%s: %zu control%s looked at, %zu compliant, %zu violated, %zu unknown.\n",
                              counts->n_compliant == counts->n_controls && p->n_rejected == 0 ? "Nothing to do" : "Nothing would be sent",
                              p->observe ? " (mode observe)" : "", counts->n_controls,
                              plural(counts->n_controls), counts->n_compliant, counts->n_violated, counts->n_unknown);
        else
                (void) printf("%zu request%s would be sent; nothing was. What follows upon each is decided by what is read back.\n",
                              p->n_requests, plural(p->n_requests));
        if (p->n_rejected > 0)
                (void) printf("%zu polic%s rejected, of which nothing is known.\n", p->n_rejected, p->n_rejected == 1 ? "y was" : "ies were");
        if (p->n_enables > p->new_locks_per_day)
                (void) printf("Of %zu new locks only %u would be enabled within 24 hours: limits.new_locks_per_day.\n", p->n_enables,
                              p->new_locks_per_day);
}

static int print_json(const Plan *p, const EngineCounts *counts) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *list, *o, *request;

        (void) ctl_json_add_int(document, "n_controls", (int64_t) counts->n_controls);
        (void) ctl_json_add_int(document, "n_compliant", (int64_t) counts->n_compliant);
        (void) ctl_json_add_int(document, "n_violated", (int64_t) counts->n_violated);
        (void) ctl_json_add_int(document, "n_unknown", (int64_t) counts->n_unknown);
        (void) ctl_json_add_int(document, "n_requests", (int64_t) p->n_requests);
        (void) ctl_json_add_int(document, "n_rejected", (int64_t) p->n_rejected);
        list = ctl_json_add_array(document, "steps");
        for (const Step *s = p->steps; s; s = s->hh.next) {
                o = ctl_json_add_object(list, NULL);
                (void) ctl_json_add_text(o, "name", s->name);
                (void) ctl_json_add_text(o, "control", s->control);
                (void) ctl_json_add_text(o, "service", s->service);
                (void) ctl_json_add_text(o, "instance_id", s->instance_id);
                (void) ctl_json_add_text(o, "found", s->found);
                (void) ctl_json_add_text(o, "wanted", s->wanted);
                (void) ctl_json_add_text(o, "reason", s->method || s->trouble ? NULL : s->reason);
                if (ctl_json_add_text(o, "trouble", s->method ? NULL : s->trouble) < 0)
                        return ctl_json_print(NULL);
                if (!s->method) {
                        (void) ctl_json_add(o, "request", NULL);
                        continue;
                }

                request = ctl_json_add_object(o, "request");
                (void) ctl_json_add_text(request, "method", s->method);
                (void) ctl_json_add_text(request, "url", s->url);
                if (ctl_json_add(request, "body", s->body ? json_tokener_parse(s->body) : NULL) < 0)
                        return ctl_json_print(NULL);
        }

        return ctl_json_print(list ? document : NULL);
}

int verb_plan(const CtlOptions *o, int argc, char *argv[]) {
        static const struct option longs[] = { {} };
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_(config_done) Config c = {};
        _cleanup_(pager_done) Pager pager = {};
        CloudWorldHooks hooks = { .userdata = &plan, .withheld = on_withheld, .said = on_said };
        CloudWorldOptions world = { .ctl = o };
        EngineCounts counts = {};
        int r;

        optind = 0;
        if (getopt_long(argc + 1, argv - 1, "", longs, NULL) >= 0)
                return EXIT_USAGE;

        r = config_need(o, &c);
        if (r != 0)
                return r;
        r = config_select(&c, argv - 1 + optind, optind <= argc ? (size_t) (argc + 1 - optind) : 0);
        if (r < 0)
                return r == -ENOMEM ? EXIT_FAILURE : EXIT_NO_SUCH;

        r = fleet_new(&plan.texts);
        if (r >= 0)
                r = note_policies(&plan, c.settings, c.policies);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }

        plan.n_rejected = optind <= argc ? 0 : c.n_rejected;
        plan.new_locks_per_day = c.settings->limits.new_locks_per_day;
        r = cloud_world_run(&world, STEAL(c.settings), STEAL(c.policies), &hooks, &counts);
        if (r < 0)
                return EXIT_FAILURE;
        if (plan.out_of_memory) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }

        HASH_SORT(plan.steps, by_key);
        if (o->json) {
                if (print_json(&plan, &counts) != EXIT_SUCCESS)
                        return EXIT_FAILURE;
        } else {
                pager_start(o, &pager);
                print_text(o, &plan, &counts);
        }

        if (plan.n_requests > 0)
                return EXIT_SOMETHING;
        return counts.n_unknown > 0 || plan.n_rejected > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
