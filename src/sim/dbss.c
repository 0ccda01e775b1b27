/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "sim/schedule.h"
#include "sim/services.h"

/* Database audit (DBSS API Reference, Enabling/Disabling Backup, 2025-09, and the pages around it). */

#define PAGE_SIZE_MAX   1000 /* picked: the range of "size" is not documented */
#define RUNS_LISTED_MAX 1000 /* backups that one schedule has made, in the list; picked */

static int refuse(Exchange *x, const char *code, const char *message) {
        if (x->instance && x->route->write)
                x->instance->n_refused++;
        return sim_exchange_error(x, ERROR_PDP, 400, code, "%s", message);
}

static int bad_request(Exchange *x, const char *what) {
        if (x->instance && x->route->write)
                x->instance->n_refused++;
        return sim_exchange_error(x, ERROR_PDP, 400, "DBSS.10000001", "Invalid request message: %s.", what);
}

/* Return: 1 found; 0 answered; -ENOMEM. */
static int find_instance(Exchange *x) {
        const char *id = x->ids.instance;
        size_t n = strlen(id);
        SimInstance *i;

        if (x->request->query && x->request->query[0] != '\0')
                return bad_request(x, "there are no query parameters here");
        i = n >= 32 && n <= 64 ? sim_instance_find(x->sim, id) : NULL;
        /* With the account in the path it is the scope that names the project. */
        if (!i || i->service != SIM_DBSS ||
            (x->ids.project[0] != '\0' && !streq(sim_instance_project(x->sim, i), x->ids.project)) ||
            (x->ids.project[0] == '\0' && x->scope && !streq(sim_instance_project(x->sim, i), x->scope)))
                return refuse(x, "DBSS.10020021", "The instance ID is invalid.");
        x->instance = i;
        return 1;
}

static usec_t seen_at(const Exchange *x) {
        return usec_sub(x->now_usec, x->sim->settings.consistency.read_delay_usec);
}

static int read_body(Exchange *x, const char *const *known, json_object **ret) {
        const char *type = sim_exchange_header(x, "Content-Type");
        json_object *o = NULL;
        int r;

        if (!type || strncasecmp(type, "application/json", strlen("application/json")) != 0)
                return bad_request(x, "Content-Type must be application/json");
        r = sim_json_read(x->request->body, x->request->n_body, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object)) {
                json_object_put(o);
                return bad_request(x, "the body is not a JSON object");
        }
        json_object_object_foreach(o, key, value) {
                bool found = false;

                (void) value;
                for (size_t i = 0; known[i] && !found; i++)
                        found = streq(known[i], key);
                if (!found) {
                        r = bad_request(x, "there is an unknown parameter");
                        json_object_put(o);
                        return r;
                }
        }
        *ret = o;
        return 1;
}

/* --- Switching ------------------------------------------------------------------------------------------------ */

static const char *member_text(json_object *o, const char *key) {
        json_object *v;

        if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string) ||
            strlen(json_object_get_string(v)) != (size_t) json_object_get_string_len(v))
                return NULL;
        return json_object_get_string(v);
}

/* Exactly "yyyy-MM-dd HH:mm:ss": the blank is the contract. */
static bool parse_trigger(const char *s, int64_t *ret_seconds) {
        CivilTime c;

        if (!s || strlen(s) != 19 || s[10] != ' ' || civil_parse(s, &c, NULL, NULL) < 0)
                return false;
        *ret_seconds = civil_to_seconds(&c);
        return true;
}

/* Lower-case letters, digits, hyphens and periods, 3 to 63 of them (OBS API Reference, Creating a Bucket). */
static bool is_bucket(const char *s) {
        size_t n = s ? strlen(s) : 0;

        for (size_t i = 0; i < n; i++)
                if (!islower((unsigned char) s[i]) && !isdigit((unsigned char) s[i]) && s[i] != '-' && s[i] != '.')
                        return false;
        return n >= 3 && n <= 63;
}

static int check_switch(Exchange *x, json_object *body, SimSchedule *c) {
        const char *cycle = member_text(body, "cycle"), *mode = member_text(body, "mode"),
                   *bucket = member_text(body, "bucket_name"), *path = member_text(body, "bucket_root_path");
        json_object *status;
        usec_t trigger_usec;
        int64_t at;

        if (!is_bucket(bucket))
                return bad_request(x, "bucket_name");
        if (!mode || !streq(mode, "AUTO"))
                return bad_request(x, "mode");
        for (c->cycle = 0; cycle && sim_cycle_names[c->cycle] && !streq(cycle, sim_cycle_names[c->cycle]);)
                c->cycle++;
        if (!cycle || !sim_cycle_names[c->cycle])
                return bad_request(x, "cycle");
        if (!json_object_object_get_ex(body, "status", &status) || !json_object_is_type(status, json_type_int) ||
            (json_object_get_int64(status) != 0 && json_object_get_int64(status) != 1))
                return bad_request(x, "status");
        if (!parse_trigger(member_text(body, "trigger_time"), &c->trigger_seconds))
                return bad_request(x, "trigger_time");
        if ((!path && json_object_object_get_ex(body, "bucket_root_path", NULL)) ||
            (path && strlen(path) >= sizeof(c->bucket_root_path)))
                return bad_request(x, "bucket_root_path");

        at = c->trigger_seconds - sim_schedule_zone(x->sim, x->instance);
        trigger_usec = at > 0 ? (usec_t) at * USEC_PER_SEC : 0;
        if (x->sim->settings.dbss.refuse_past_trigger && trigger_usec <= x->now_usec)
                return bad_request(x, "trigger_time is in the past");

        c->on = json_object_get_int64(status) == 1;
        sim_copy_id(c->bucket_name, sizeof(c->bucket_name), bucket);
        sim_copy_id(c->bucket_root_path, sizeof(c->bucket_root_path), path ? path : "");
        return 1;
}

static int check_writable(Exchange *x) {
        if (x->instance->busy)
                return sim_exchange_error(x, ERROR_PDP, 409, "DBSS.10020102",
                                          "Another operation is running on the instance.");
        if (x->instance->abnormal)
                return sim_exchange_error(x, ERROR_PDP, 500, "DBSS.11000000", "Internal error.");
        return 1;
}

int sim_dbss_switch(Exchange *x) {
        static const char *const known[] = { "bucket_name", "bucket_root_path", "cycle", "mode",
                                             "status",      "trigger_time",     NULL };
        _cleanup_(json_object_putp) json_object *body = NULL;
        SimSchedule c = { .since_usec = x->now_usec, .configured = true };
        JsonBuild b = {};
        json_object *o;
        int r;

        r = find_instance(x);
        if (r > 0)
                r = read_body(x, known, &body);
        if (r > 0)
                r = check_switch(x, body, &c);
        if (r > 0)
                r = check_writable(x);
        if (r <= 0)
                return r;

        sim_schedule_settle(x->sim, x->instance, x->now_usec);
        if (!sim_history_now(&x->instance->schedule)) {
                r = sim_history_set(&x->instance->schedule, sizeof(c), &(SimSchedule){}, 0);
                if (r < 0)
                        return r;
        }
        r = sim_history_set(&x->instance->schedule, sizeof(c), &c, seen_at(x));
        if (r < 0)
                return r;
        x->instance->n_writes++;
        o = sim_json_build_object(&b);
        sim_json_build_text(&b, o, "result", "SUCCESS");
        return sim_exchange_json(x, 200, &b, o);
}

/* --- Looking -------------------------------------------------------------------------------------------------- */

/* A reading of the instance's zone, shifted and written as the settings want it. */
static void add_civil(const Exchange *x, JsonBuild *b, json_object *o, const char *key, int64_t civil_seconds) {
        const SimSettings *s = &x->sim->settings;
        int64_t shown = civil_seconds + s->dbss.shown_shift_usec / (int64_t) USEC_PER_SEC;
        int64_t zone = sim_schedule_zone(x->sim, x->instance) + s->dbss.shown_shift_usec / (int64_t) USEC_PER_SEC;
        char text[TIME_TEXT_MAX], zoned[TIME_TEXT_MAX + 16];
        uint64_t minutes = (uint64_t) (zone < 0 ? -zone : zone) / 60;
        CivilTime c;

        civil_from_seconds(shown, &c);
        civil_format(&c, text);
        if (s->dbss.time_format != SIM_TIME_BLANK)
                text[10] = 'T';
        (void) snprintf(zoned, sizeof(zoned), s->dbss.time_format == SIM_TIME_ZONE ? "%s%c%02u:%02u" : "%s", text,
                        zone < 0 ? '-' : '+', (unsigned) (minutes / 60 % 100), (unsigned) (minutes % 60));
        sim_json_build_text(b, o, key, zoned);
}

static void add_latest(const Exchange *x, JsonBuild *b, json_object *o, const char *key, usec_t at_usec) {
        if (at_usec > 0)
                add_civil(x, b, o, key, (int64_t) (at_usec / USEC_PER_SEC) + sim_schedule_zone(x->sim, x->instance));
}

/* Until when the template shows the same: the schedule that is seen moves its trigger on, the one in force makes backups. */
static usec_t template_until(const Exchange *x, const SimSchedule *seen) {
        const SimHistory *h = &x->instance->schedule;
        const SimSchedule *shown[] = { seen, sim_history_now(h) };
        int64_t zone = sim_schedule_zone(x->sim, x->instance), at;
        usec_t until_usec = x->reply->news_at_usec;

        for (size_t i = 0; i < N_ELEMENTS(shown); i++) {
                if (!shown[i] || !shown[i]->configured)
                        continue;
                at = sim_schedule_trigger(shown[i],
                                          sim_schedule_next(shown[i], (int64_t) (x->now_usec / USEC_PER_SEC) + zone)) - zone;
                until_usec = MIN(until_usec, at > 0 ? (usec_t) at * USEC_PER_SEC : 0);
        }
        return until_usec;
}

int sim_dbss_template(Exchange *x) {
        const SimSchedule *c;
        JsonBuild b = {};
        json_object *o;
        int64_t trigger;
        int r;

        r = find_instance(x);
        if (r <= 0)
                return r;

        o = sim_json_build_object(&b);
        c = sim_history_at(&x->instance->schedule, seen_at(x));
        x->reply->news_at_usec = usec_add(sim_history_until(&x->instance->schedule, seen_at(x)),
                                          x->sim->settings.consistency.read_delay_usec);
        x->reply->steady_until_usec = template_until(x, c);
        /* Days of months that not every month has are another phase from one month to the next. */
        if (x->sim->settings.dbss.moves_trigger && c && c->cycle == SIM_CYCLE_PER_MONTH)
                x->reply->news_at_usec = x->reply->steady_until_usec;
        if (c && c->configured) {
                int64_t now = (int64_t) (x->now_usec / USEC_PER_SEC) + sim_schedule_zone(x->sim, x->instance);

                trigger = x->sim->settings.dbss.moves_trigger ? sim_schedule_trigger(c, sim_schedule_next(c, now))
                                                              : c->trigger_seconds;
                sim_json_build_text(&b, o, "bucket_name", c->bucket_name);
                sim_json_build_text(&b, o, "bucket_root_path", c->bucket_root_path);
                sim_json_build_text(&b, o, "cycle", sim_cycle_names[c->cycle]);
                sim_json_build_int(&b, o, "status", c->on);
                add_civil(x, &b, o, "trigger_time", trigger);
                sim_json_build_bool(&b, o, "triggered", sim_schedule_triggered(x->sim, x->instance, x->now_usec));
        }
        add_latest(x, &b, o, "latest_backup_time", sim_schedule_latest(x->sim, x->instance, x->now_usec));
        return sim_exchange_json(x, 200, &b, o);
}

int sim_dbss_status(Exchange *x) {
        JsonBuild b = {};
        json_object *o;
        int r;

        r = find_instance(x);
        if (r <= 0)
                return r;
        o = sim_json_build_object(&b);
        sim_json_build_int(&b, o, "status", x->instance->last_backup_ok ? 1 : 0);
        return sim_exchange_json(x, 200, &b, o);
}

/* The times of the backups there are, newest first; returns how many. */
static size_t backup_times(const Exchange *x, usec_t *times) {
        const SimInstance *i = x->instance;
        const SimSchedule *c = sim_history_now(&i->schedule);
        int64_t zone = sim_schedule_zone(x->sim, i), k;
        size_t n = 0;

        if (c && c->configured && sim_schedule_triggered(x->sim, i, x->now_usec))
                for (k = sim_schedule_next(c, (int64_t) (x->now_usec / USEC_PER_SEC) + zone) - 1;
                     k >= 0 && n < RUNS_LISTED_MAX - 1; k--) {
                        int64_t at = sim_schedule_trigger(c, k) - zone;

                        if (at <= 0 || (usec_t) at * USEC_PER_SEC <= c->since_usec)
                                break;
                        times[n++] = (usec_t) at * USEC_PER_SEC;
                }
        if (i->latest_backup_usec > 0 && (n == 0 || i->latest_backup_usec < times[n - 1]))
                times[n++] = i->latest_backup_usec;
        return n;
}

static json_object *show_backup(const Exchange *x, JsonBuild *b, usec_t at_usec, bool newest) {
        bool ok = !newest || x->instance->last_backup_ok;
        json_object *o = sim_json_build_object(b);
        char id[40];

        (void) snprintf(id, sizeof(id), "%032llx", (unsigned long long) (at_usec / USEC_PER_SEC));
        sim_json_build_text(b, o, "id", id);
        sim_json_build_text(b, o, "name", id + 16);
        sim_json_build_text(b, o, "mode", "AUTO");
        add_latest(x, b, o, "backup_time", at_usec);
        add_latest(x, b, o, "start_time", at_usec);
        add_latest(x, b, o, "end_time", at_usec + USEC_PER_MINUTE);
        sim_json_build_int(b, o, "file_size", 1);
        sim_json_build_text(b, o, "file_size_unit", "MB");
        sim_json_build_int(b, o, "percentage", ok ? 100 : 0);
        sim_json_build_text(b, o, "progress", ok ? "AUTO_BACKUPED" : "AUTO_BACKUP_FAIL");
        sim_json_build_bool(b, o, "deleted", false);
        return o;
}

int sim_dbss_backups(Exchange *x) {
        static const char *const known[] = { "page", "size", "start_time", "end_time", NULL };
        _cleanup_(json_object_putp) json_object *body = NULL;
        _cleanup_(freep) usec_t *times = NULL;
        json_object *page, *size, *o, *list;
        int64_t first, ignored;
        JsonBuild b = {};
        size_t n;
        int r;

        r = find_instance(x);
        if (r > 0)
                r = read_body(x, known, &body);
        if (r <= 0)
                return r;
        if (!json_object_object_get_ex(body, "page", &page) || !json_object_is_type(page, json_type_int) ||
            json_object_get_int64(page) < 0 || json_object_get_int64(page) > INT32_MAX)
                return bad_request(x, "page");
        if (!json_object_object_get_ex(body, "size", &size) || !json_object_is_type(size, json_type_int) ||
            json_object_get_int64(size) < 1 || json_object_get_int64(size) > PAGE_SIZE_MAX)
                return bad_request(x, "size");
        if ((json_object_object_get_ex(body, "start_time", NULL) &&
             !parse_trigger(member_text(body, "start_time"), &ignored)) ||
            (json_object_object_get_ex(body, "end_time", NULL) &&
             !parse_trigger(member_text(body, "end_time"), &ignored)))
                return bad_request(x, "start_time or end_time");

        times = malloc(RUNS_LISTED_MAX * sizeof(*times));
        if (!times)
                return -ENOMEM;
        n = backup_times(x, times);
        first = (json_object_get_int64(page) - x->sim->settings.dbss.first_page) * json_object_get_int64(size);

        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "data_list");
        for (int64_t i = MAX(first, INT64_C(0));
             first >= 0 && i < (int64_t) n && i < first + json_object_get_int64(size); i++)
                sim_json_build_push(&b, list, show_backup(x, &b, times[i], i == 0));
        sim_json_build_int(&b, o, "total_num", (int64_t) n);
        return sim_exchange_json(x, 200, &b, o);
}

/* A query number for the list of instances; absent leaves @ret. */
static bool query_number(const Exchange *x, const char *key, int64_t max, int64_t *ret) {
        char text[16];
        int r = sim_exchange_query(x, key, text, sizeof(text));

        if (r == 0)
                return true;
        if (r < 0 || text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
                return false;
        *ret = strtoll(text, NULL, 10);
        return *ret <= max;
}

int sim_dbss_instances(Exchange *x) {
        int64_t offset = 0, limit = 100, n = 0;
        JsonBuild b = {};
        json_object *o, *list;

        if (!query_number(x, "offset", INT32_MAX, &offset) || !query_number(x, "limit", 1000, &limit))
                return bad_request(x, "offset or limit");
        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "instances");
        for (const SimInstance *i = x->sim->instances; i; i = i->hh.next) {
                json_object *entry;

                if (i->service != SIM_DBSS || !streq(sim_instance_project(x->sim, i), x->ids.project))
                        continue;
                if (n >= offset && n - offset < limit) {
                        entry = sim_json_build_object(&b);
                        sim_json_build_text(&b, entry, "id", i->id);
                        sim_json_build_text(&b, entry, "name", i->name ? i->name : i->id);
                        sim_json_build_text(&b, entry, "status", i->abnormal ? "ERROR" : "ACTIVE");
                        sim_json_build_push(&b, list, entry);
                }
                n++;
        }
        sim_json_build_int(&b, o, "total", n);
        return sim_exchange_json(x, 200, &b, o);
}

/* The buckets that some schedule of the project writes to. */
int sim_dbss_buckets(Exchange *x) {
        const SimProject *p = sim_project_find(x->sim, x->ids.project);
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *list = sim_json_build_list(&b, o, "obs_list"),
                    *seen = sim_json_build_object(&b);

        for (const SimInstance *i = x->sim->instances; i; i = i->hh.next) {
                const SimSchedule *c = sim_history_now(&i->schedule);
                json_object *entry;

                if (i->service != SIM_DBSS || !c || !c->configured ||
                    !streq(sim_instance_project(x->sim, i), x->ids.project) ||
                    (seen && json_object_object_get_ex(seen, c->bucket_name, NULL)))
                        continue;
                sim_json_build_bool(&b, seen, c->bucket_name, true);
                entry = sim_json_build_object(&b);
                sim_json_build_text(&b, entry, "bucket_name", c->bucket_name);
                sim_json_build_text(&b, entry, "location", p ? p->name : "");
                sim_json_build_push(&b, list, entry);
        }
        json_object_put(seen);
        return sim_exchange_json(x, 200, &b, o);
}
