/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Database Security Service: the switch of automatic backup and its template. (DBSS API Reference, Enabling/Disabling
 * Backup, 2025-09)
 */
#include <errno.h>
#include <stdio.h>

#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/services.h"
#include "cloud/text.h"

#define EXPECTED_TIME "a time such as 2025-08-21 02:00:44"

static int encode_template(const CallTarget *t, HttpRequest *ret) {
        const char *const parts[] = { "v1", t->project_id, "audit", t->instance_id, "backup", "template", NULL };
        int r;

        r = request_begin(HTTP_GET, t->origin, parts, CONTENT_TYPE_JSON, ret);
        return r < 0 ? r : request_add_scope(ret, t, false);
}

/* Everything is sent each time, the path also when empty: the call sets the whole configuration. */
static int switch_body(const Ask *ask, json_object **ret) {
        _cleanup_(json_putp) json_object *body = NULL;
        const char *path = ask->schedule_set.bucket_root_path;
        int r;

        body = json_object_new_object();
        if (!body)
                return -ENOMEM;

        r = json_add_text(body, "mode", "AUTO");        /* the only word there is */
        if (r >= 0)
                r = json_add_text(body, "trigger_time", ask->schedule_set.trigger_time);
        if (r >= 0)
                r = json_add(body, "status", json_object_new_int(ask->schedule_set.on ? 1 : 0));
        if (r >= 0)
                r = json_add_text(body, "cycle", cycle_to_string(ask->schedule_set.cycle));
        if (r >= 0)
                r = json_add_text(body, "bucket_name", ask->schedule_set.bucket_name);
        if (r >= 0)
                r = json_add_text(body, "bucket_root_path", path ? path : "");
        if (r < 0)
                return r;

        *ret = STEAL(body);
        return 0;
}

static bool switch_complete(const Ask *ask) {
        CivilTime ignored;

        return ask->schedule_set.cycle < CYCLE__MAX && ask->schedule_set.bucket_name &&
               *ask->schedule_set.bucket_name &&
               memchr(ask->schedule_set.trigger_time, '\0', sizeof(ask->schedule_set.trigger_time)) &&
               civil_parse(ask->schedule_set.trigger_time, &ignored, NULL, NULL) >= 0;
}

/* The account is in the path here, not the project. */
static int encode_switch(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        const char *const parts[] = { "v1", t->domain_id, "audit", t->instance_id, "backup", "switch", NULL };
        _cleanup_(json_putp) json_object *body = NULL;
        int r;

        if (!switch_complete(ask))
                return -EINVAL;

        r = switch_body(ask, &body);
        if (r >= 0)
                r = request_begin(HTTP_POST, t->origin, parts, CONTENT_TYPE_JSON, ret);
        if (r >= 0)
                r = request_add_scope(ret, t, false);
        return r < 0 ? r : request_set_body(ret, body);
}

int dbss_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret) {
        return ask->call == CALL_SCHEDULE_SET ? encode_switch(ask, target, ret) : encode_template(target, ret);
}

/* Empty text is written where nothing was set. Return: 1 given, 0 not, -errno. */
static int read_given(const JsonAt *at, const char *name, const char *expected, const char **ret) {
        const char *s = NULL;
        int r;

        r = json_read_text(at, name, expected, &s);
        if (r <= 0 || !*s)
                return MIN(r, 0);

        *ret = s;
        return 1;
}

static int read_copy(const JsonAt *at, const char *name, const char *expected, char **ret) {
        const char *s = NULL;
        int r;

        r = read_given(at, name, expected, &s);
        if (r <= 0)
                return r;

        *ret = strdup(s);
        return *ret ? 1 : -ENOMEM;
}

static int read_cycle(const JsonAt *at, int *ret) {
        const char *s = NULL;
        int r;

        *ret = -1;
        r = read_given(at, "cycle", "a cycle such as PER_DAY", &s);
        if (r <= 0)
                return r;

        r = cycle_from_string(s);
        if (r < 0)
                return json_complain(at, "cycle", "another word",
                                     "FIVE_MIN, PER_HOUR, PER_DAY, PER_WEEK or PER_MONTH");
        *ret = r;
        return 1;
}

static int read_status(const JsonAt *at, bool *ret) {
        int64_t status = 0;
        int r;

        r = json_read_integer(at, "status", "0 or 1", 0, 1, &status);
        *ret = status == 1;
        return r;
}

static int read_trigger(const JsonAt *at, ScheduleFacts *ret) {
        const char *s = NULL;
        int r;

        r = read_given(at, "trigger_time", EXPECTED_TIME, &s);
        if (r <= 0)
                return r;
        if (civil_parse(s, &ret->trigger, NULL, NULL) < 0)
                return json_complain(at, "trigger_time", "text", EXPECTED_TIME);

        ret->has_trigger = true;
        (void) text_copy(ret->trigger_text, sizeof(ret->trigger_text), s, strlen(s));   /* a fraction may be cut */
        return 1;
}

static int read_latest(const JsonAt *at, ScheduleFacts *ret) {
        const char *s = NULL;
        int r;

        r = read_given(at, "latest_backup_time", EXPECTED_TIME, &s);
        if (r <= 0)
                return r;
        if (civil_parse(s, &ret->latest, &ret->latest_has_zone, &ret->latest_at_usec) < 0)
                return json_complain(at, "latest_backup_time", "text", EXPECTED_TIME);

        ret->has_latest = true;
        return 1;
}

/* Is it this answer, with nothing set? */
static bool names_a_template(const JsonAt *at) {
        static const char *const names[] = { "bucket_name", "bucket_root_path", "cycle", "latest_backup_time", "status", "trigger_time",
                                             "triggered" };

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (json_object_object_get_ex(at->object, names[i], NULL))
                        return true;

        return false;
}

static int decode_template(const HttpReply *p, ScheduleFacts *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        bool has_status, has_cycle;
        JsonAt root;
        int r;

        r = json_reply_root(p, false, failure, &o, &root);
        if (r < 0)
                return r;

        r = read_copy(&root, "bucket_name", "a bucket's name", &ret->bucket_name);
        if (r >= 0)
                r = read_copy(&root, "bucket_root_path", "a path in the bucket", &ret->bucket_root_path);
        if (r >= 0)
                r = read_trigger(&root, ret);
        if (r >= 0)
                r = read_latest(&root, ret);
        if (r >= 0)
                r = read_cycle(&root, &ret->cycle);
        has_cycle = r > 0;
        if (r >= 0)
                r = read_status(&root, &ret->on);
        has_status = r > 0;
        if (r < 0)
                return r;

        ret->configured = has_status || has_cycle || ret->bucket_name || ret->bucket_root_path || ret->has_trigger ||
                          ret->has_latest;
        if (ret->configured && !has_status)
                return json_missing(&root, "status", "0 or 1 beside the other members");
        /* All may be absent (API Reference, Querying the Automatic Backup Template); but what is made of other things is another answer. */
        if (!names_a_template(&root) && !json_is_blank(&root))
                return json_missing(&root, "status", "0 or 1 where there is anything at all");
        return 1;
}

int dbss_decode(Call call, const HttpReply *p, Answer *ret, Failure *failure) {
        if (call == CALL_SCHEDULE_SET) {
                ret->schedule_accepted = result_is_success(p);
                return 1;
        }
        return decode_template(p, &ret->schedule, failure);
}
