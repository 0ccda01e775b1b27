/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/dbs.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

int sim_dbs_refuse(Exchange *x, const char *code, const char *message) {
        return sim_exchange_error(x, ERROR_PLAIN, 400, code, "%s", message);
}

static bool is_id(const char *s, size_t n) {
        for (const char *p = s; *p; p++)
                if (!isalnum((unsigned char) *p))
                        return false;
        return strlen(s) == n;
}

int sim_dbs_check_language(Exchange *x) {
        const char *language = sim_exchange_header(x, "X-Language");

        if (!language || strcasecmp(language, "en-us") == 0 || strcasecmp(language, "zh-cn") == 0)
                return 1;
        return sim_dbs_refuse(x, "DBS.280001", "Parameter error: X-Language.");
}

int sim_dbs_check_no_query(Exchange *x) {
        if (!x->request->query || x->request->query[0] == '\0')
                return 1;
        return sim_dbs_refuse(x, "DBS.280001", "Parameter error: there are no query parameters here.");
}

int sim_dbs_check_instance(Exchange *x, SimService service) {
        const char *id = x->ids.instance;
        SimInstance *i;

        if (!is_id(id, 36) || (service == SIM_TAURUSDB && !streq(id + 32, "in07")))
                return sim_dbs_refuse(x, "DBS.280404", "The instance ID or node ID is malformed.");
        i = sim_instance_find(x->sim, id);
        if (!i || i->service != service || !streq(sim_instance_project(x->sim, i), x->ids.project))
                return sim_exchange_error(x, ERROR_PLAIN, 404, "DBS.200002", "The DB instance does not exist.");
        x->instance = i;
        return 1;
}

int sim_dbs_check_writable(Exchange *x) {
        if (x->instance->busy)
                return sim_exchange_error(
                        x, ERROR_PLAIN, 409, "DBS.200019",
                        "Another operation is being performed on the instance or the instance is faulty.");
        if (x->instance->abnormal)
                return sim_dbs_refuse(x, "DBS.200086", "The instance status does not allow this operation.");
        return 1;
}

int sim_dbs_read_body(Exchange *x, json_object **ret) {
        const char *type = sim_exchange_header(x, "Content-Type");
        json_object *o = NULL;
        int r;

        if (!type)
                return sim_dbs_refuse(x, "DBS.280006", "The parameter is missing: Content-Type.");
        if (strncasecmp(type, "application/json", strlen("application/json")) != 0 ||
            isalnum((unsigned char) type[strlen("application/json")]))
                return sim_exchange_error(x, ERROR_PLAIN, 415, "DBS.280001", "Parameter error: Content-Type.");
        if (x->request->n_body == 0)
                return sim_dbs_refuse(x, "DBS.200006", "The request is empty.");

        r = sim_json_read(x->request->body, x->request->n_body, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object)) {
                json_object_put(o);
                return sim_dbs_refuse(x, "DBS.280001", "Parameter error: the request body is not a JSON object.");
        }
        *ret = o;
        return 1;
}

int sim_dbs_check_members(Exchange *x, json_object *o, const char *const *known) {
        json_object_object_foreach(o, key, value) {
                bool found = false;

                (void) value;
                for (size_t i = 0; known[i] && !found; i++)
                        found = streq(known[i], key);
                if (!found)
                        return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001",
                                                  "Parameter error: unknown parameter %.64s.", key);
        }
        return 1;
}

/* --- Backups -------------------------------------------------------------------------------------------------- */

#define LIMIT_MAX  100 /* entries a page (both API references) */
#define OFFSET_MAX INT64_C(9999999999)

typedef struct Filter {
        char instance_id[SIM_ID_MAX], backup_id[SIM_ID_MAX], type[16], name[128], instance_name[128];
        usec_t begin_usec, end_usec; /* 0, USEC_INFINITY: open */
        int64_t offset, limit;
} Filter;

/* A query value as a number. Return: 1 fine or absent; 0 answered; -ENOMEM. */
static int query_number(Exchange *x, const char *key, int64_t min, int64_t max, int64_t *ret) {
        char text[32], *end;
        int64_t n;
        int r;

        r = sim_exchange_query(x, key, text, sizeof(text));
        if (r == 0)
                return 1;
        if (r > 0 && isdigit((unsigned char) text[0])) {
                errno = 0;
                n = strtoll(text, &end, 10);
                if (errno == 0 && *end == '\0' && n >= min && n <= max) {
                        *ret = n;
                        return 1;
                }
        }
        return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001",
                                  "Parameter error: %s must be an integer from %" PRId64 " to %" PRId64 ".", key, min,
                                  max);
}

static int query_text(Exchange *x, const char *key, char *buf, size_t size) {
        int r = sim_exchange_query(x, key, buf, size);

        if (r >= 0)
                return 1;
        return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001", "Parameter error: %s.", key);
}

static int query_time(Exchange *x, const char *key, usec_t *ret) {
        char text[TIME_TEXT_MAX];
        usec_t at_usec;
        int r;

        r = sim_exchange_query(x, key, text, sizeof(text));
        if (r == 0)
                return 1;
        /* yyyy-mm-ddThh:mm:ss+hhmm, and not in the future. */
        if (r > 0 && strlen(text) == 24 && text[10] == 'T' && timestamp_parse(text, &at_usec) >= 0 &&
            at_usec <= x->now_usec) {
                *ret = at_usec;
                return 1;
        }
        return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001",
                                  "Parameter error: %s must be a past time as yyyy-mm-ddThh:mm:ss+hhmm.", key);
}

int sim_dbs_read_page(Exchange *x, int64_t *ret_offset, int64_t *ret_limit) {
        static const char *const known[] = { "offset", "limit", NULL };
        char unknown[64];
        int r;

        *ret_offset = 0;
        *ret_limit = LIMIT_MAX;
        if (!sim_exchange_query_known(x, known, unknown, sizeof(unknown)))
                return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001",
                                          "Parameter error: unknown or repeated parameter %s.", unknown);
        r = query_number(x, "offset", 0, OFFSET_MAX, ret_offset);
        return r > 0 ? query_number(x, "limit", 1, LIMIT_MAX, ret_limit) : r;
}

static int read_filter(Exchange *x, SimService service, Filter *f) {
        static const char *const known[] = { "instance_id", "backup_id", "backup_type", "offset",        "limit",
                                             "begin_time",  "end_time",  "name",        "instance_name", NULL };
        char unknown[64];
        int r;

        if (!sim_exchange_query_known(x, known, unknown, sizeof(unknown)))
                return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280001",
                                          "Parameter error: unknown or repeated parameter %s.", unknown);

        if ((r = query_text(x, "instance_id", f->instance_id, sizeof(f->instance_id))) <= 0 ||
            (r = query_text(x, "backup_id", f->backup_id, sizeof(f->backup_id))) <= 0 ||
            (r = query_text(x, "backup_type", f->type, sizeof(f->type))) <= 0 ||
            (r = query_text(x, "name", f->name, sizeof(f->name))) <= 0 ||
            (r = query_text(x, "instance_name", f->instance_name, sizeof(f->instance_name))) <= 0 ||
            (r = query_number(x, "offset", 0, OFFSET_MAX, &f->offset)) <= 0 ||
            (r = query_number(x, "limit", service == SIM_GAUSSDB ? 0 : 1, LIMIT_MAX, &f->limit)) <= 0 ||
            (r = query_time(x, "begin_time", &f->begin_usec)) <= 0 ||
            (r = query_time(x, "end_time", &f->end_usec)) <= 0)
                return r;

        if (f->instance_id[0] != '\0' && !is_id(f->instance_id, 36))
                return sim_dbs_refuse(x, "DBS.280404", "The instance ID or node ID is malformed.");
        if (f->type[0] != '\0' && !streq(f->type, "auto") && !streq(f->type, "manual"))
                return strcasecmp(f->type, "auto") == 0 || strcasecmp(f->type, "manual") == 0
                               ? sim_dbs_refuse(x, "DBS.290001",
                                                "The letter case of the parameter backup_type is incorrect.")
                               : sim_dbs_refuse(x, "DBS.280001", "Parameter error: backup_type.");
        if (f->end_usec <= f->begin_usec)
                return sim_dbs_refuse(x, "DBS.280001", "Parameter error: end_time must be later than begin_time.");
        return 1;
}

static bool wanted(const Exchange *x, SimService service, const Filter *f, const SimBackup *b) {
        const SimInstance *i = b->instance;

        return i->service == service && streq(sim_instance_project(x->sim, i), x->ids.project) &&
               (f->backup_id[0] == '\0' || streq(f->backup_id, b->id)) &&
               (f->type[0] == '\0' || b->manual == streq(f->type, "manual")) &&
               (f->name[0] == '\0' || streq0(b->name, f->name)) &&
               (f->instance_name[0] == '\0' || streq0(i->name, f->instance_name)) && b->begin_usec >= f->begin_usec &&
               b->begin_usec <= f->end_usec && b->begin_usec <= x->now_usec;
}

static int compare_newest_first(const void *a, const void *b) {
        const SimBackup *x = *(const SimBackup *const *) a, *y = *(const SimBackup *const *) b;

        if (x->begin_usec != y->begin_usec)
                return x->begin_usec < y->begin_usec ? 1 : -1;
        return strcmp(x->id, y->id);
}

static void consider(const Exchange *x, SimService service, const Filter *f, SimBackup *b, SimBackup **list, size_t *n) {
        usec_t *until = &x->reply->steady_until_usec;

        if (b->begin_usec > x->now_usec)
                *until = MIN(*until, b->begin_usec);
        else if (b->end_usec > x->now_usec)
                *until = MIN(*until, b->end_usec);
        if (wanted(x, service, f, b))
                list[(*n)++] = b;
}

/* Fills @list, which holds all that could be wanted; returns how many are. */
static size_t collect(const Exchange *x, SimService service, const Filter *f, SimBackup **list) {
        size_t n = 0;

        x->reply->steady_until_usec = USEC_INFINITY;
        if (f->instance_id[0] != '\0') {
                const SimInstance *i = sim_instance_find(x->sim, f->instance_id);

                for (SimBackup *b = i ? i->backups : NULL; b; b = b->next)
                        consider(x, service, f, b, list, &n);
        } else {
                for (SimBackup *b = x->sim->backups; b; b = b->hh.next)
                        consider(x, service, f, b, list, &n);
        }
        x->reply->news_at_usec = x->reply->steady_until_usec;
        qsort(list, n, sizeof(*list), compare_newest_first);
        return n;
}

static void add_time(const Exchange *x, JsonBuild *b, json_object *o, const char *key, usec_t at_usec) {
        int64_t zone = x->sim->settings.api.backup_zone_seconds;
        uint64_t minutes = (uint64_t) (zone < 0 ? -zone : zone) / 60;
        CivilTime c;
        char text[64];

        if (at_usec == 0) {
                sim_json_build_null(b, o, key);
                return;
        }
        civil_from_seconds((int64_t) (at_usec / USEC_PER_SEC) + zone, &c);
        (void) snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%c%02u%02u", c.year, c.month, c.day, c.hour,
                        c.minute, c.second, zone < 0 ? '-' : '+', (unsigned) (minutes / 60 % 100),
                        (unsigned) (minutes % 60));
        sim_json_build_text(b, o, key, text);
}

static const char *status_now(const Exchange *x, const SimBackup *backup) {
        return backup->end_usec > x->now_usec ? "BUILDING" : sim_backup_status_names[backup->status];
}

static json_object *show_backup(Exchange *x, SimService service, JsonBuild *b, const SimBackup *backup) {
        const SimInstance *i = backup->instance;
        json_object *o = sim_json_build_object(b), *datastore;

        sim_json_build_text(b, o, "id", backup->id);
        sim_json_build_text(b, o, "name", backup->name ? backup->name : backup->id);
        sim_json_build_null(b, o, "description");
        sim_json_build_text(b, o, "instance_id", i->id);
        add_time(x, b, o, "begin_time", backup->begin_usec);
        add_time(x, b, o, "end_time", backup->end_usec <= x->now_usec ? backup->end_usec : 0);
        sim_json_build_text(b, o, "status", status_now(x, backup));
        sim_json_build_text(b, o, "type", backup->manual ? "manual" : "auto");
        datastore = sim_json_build_child(b, o, "datastore");
        if (service == SIM_GAUSSDB) {
                sim_json_build_text(b, datastore, "type", "GaussDB");
                sim_json_build_text(b, datastore, "version", "8.210");
                sim_json_build_put(b, o, "size", json_object_new_double((double) backup->size_mb));
                return o;
        }
        sim_json_build_text(b, datastore, "type", "gaussdb-mysql");
        sim_json_build_text(b, datastore, "version", "8.0");
        sim_json_build_int(b, o, "size", backup->size_mb);
        sim_json_build_int(b, o, "take_up_time",
                           (int64_t) (usec_sub(backup->end_usec, backup->begin_usec) / USEC_PER_MINUTE));
        sim_json_build_text(b, o, "instance_name", i->name ? i->name : i->id);
        return o;
}

int sim_dbs_list_backups(Exchange *x, SimService service) {
        Filter f = { .limit = LIMIT_MAX, .end_usec = USEC_INFINITY };
        _cleanup_(freep) SimBackup **list = NULL;
        json_object *o, *backups;
        JsonBuild b = {};
        size_t n;
        int r;

        r = sim_dbs_check_language(x);
        if (r > 0)
                r = read_filter(x, service, &f);
        if (r <= 0)
                return r;

        list = malloc((HASH_COUNT(x->sim->backups) + 1) * sizeof(*list));
        if (!list)
                return -ENOMEM;
        n = collect(x, service, &f, list);

        o = sim_json_build_object(&b);
        backups = sim_json_build_list(&b, o, "backups");
        for (int64_t i = f.offset; i < (int64_t) n && i < f.offset + f.limit; i++)
                sim_json_build_push(&b, backups, show_backup(x, service, &b, list[i]));
        sim_json_build_int(&b, o, "total_count", (int64_t) n);
        return sim_exchange_json(x, 200, &b, o);
}
