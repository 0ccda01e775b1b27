/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/admin.h"

#include <errno.h>

#include "sim/change.h"
#include "sim/fault.h"
#include "sim/record.h"

#define PREFIX         "/sim/v1/"
#define REQUESTS_LIMIT 1000 /* requests in one answer, unless asked otherwise */

bool sim_admin_is_path(const char *path) {
        return strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

static int refuse(Exchange *x, int status, const char *why) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *errors = sim_json_build_list(&b, o, "errors");

        sim_json_build_push(&b, errors, json_object_new_string(why));
        return sim_exchange_json(x, status, &b, o);
}

static int refuse_diagnostics(Exchange *x, const Diagnostics *d) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *errors = sim_json_build_list(&b, o, "errors");

        for (size_t i = 0; i < d->n_items; i++) {
                char *text = diagnostic_to_string(&d->items[i]);

                sim_json_build_push(&b, errors, text ? json_object_new_string(text) : NULL);
                free(text);
        }
        return sim_exchange_json(x, 400, &b, o);
}

static int show_state(Exchange *x) {
        char id[SIM_ID_MAX];
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b);
        int r = sim_exchange_query(x, "instance", id, sizeof(id));

        sim_admin_show_state(x, r > 0 ? id : NULL, &b, o);
        return sim_exchange_json(x, 200, &b, o);
}

static int show_now(Exchange *x, usec_t real_usec) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b);

        sim_json_build_time(&b, o, "now", sim_clock(x->sim, real_usec));
        return sim_exchange_json(x, 200, &b, o);
}

static uint64_t query_number(const Exchange *x, const char *key, uint64_t fallback) {
        char text[24];

        if (sim_exchange_query(x, key, text, sizeof(text)) <= 0 || text[0] == '\0' ||
            strspn(text, "0123456789") != strlen(text))
                return fallback;
        return strtoull(text, NULL, 10);
}

static int show_requests(Exchange *x) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *list;
        uint64_t limit = query_number(x, "limit", REQUESTS_LIMIT);

        sim_json_build_int(&b, o, "total", (int64_t) x->sim->n_requests);
        list = sim_json_build_list(&b, o, "requests");
        sim_record_show(x->sim, MIN(query_number(x, "since", 0), (uint64_t) INT64_MAX),
                        (size_t) MIN(limit, (uint64_t) SIM_RECORDS_MAX), &b, list);
        return sim_exchange_json(x, 200, &b, o);
}

static int show_faults(Exchange *x) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b);

        sim_fault_show(x->sim, &b, sim_json_build_list(&b, o, "faults"));
        return sim_exchange_json(x, 200, &b, o);
}

/* A body that is YAML or JSON. Return: 1 and a tree; 0 answered; -ENOMEM. */
static int read_body(Exchange *x, json_object **ret) {
        _cleanup_(diagnostics_done) Diagnostics errors = {};
        int r;

        r = sim_change_parse("change", x->request->body ? x->request->body : "", x->request->n_body, ret, &errors);
        if (r == -EINVAL) {
                r = refuse_diagnostics(x, &errors);
                return r < 0 ? r : 0;
        }
        return r < 0 ? r : 1;
}

static int post_change(Exchange *x, usec_t real_usec) {
        _cleanup_(json_object_putp) json_object *root = NULL;
        _cleanup_(diagnostics_done) Diagnostics errors = {};
        int r;

        r = read_body(x, &root);
        if (r <= 0)
                return r;
        r = sim_change_apply(x->sim, "change", root, x->now_usec, &errors);
        if (r == -EINVAL)
                return refuse_diagnostics(x, &errors);
        return r < 0 ? r : show_now(x, real_usec);
}

static int post_fault(Exchange *x) {
        _cleanup_(json_object_putp) json_object *root = NULL;
        _cleanup_(diagnostics_done) Diagnostics errors = {};
        SimReader reader = { .file = "fault", .now_usec = x->now_usec, .errors = &errors };
        JsonBuild b = {};
        json_object *o;
        uint64_t number;
        int r;

        r = read_body(x, &root);
        if (r <= 0)
                return r;
        reader.at = root;
        number = sim_fault_read(&reader, x->sim, root);
        if (reader.error < 0)
                return reader.error;
        if (number == 0)
                return refuse_diagnostics(x, &errors);
        o = sim_json_build_object(&b);
        sim_json_build_int(&b, o, "number", (int64_t) number);
        return sim_exchange_json(x, 201, &b, o);
}

static int delete_faults(Exchange *x, const char *number) {
        JsonBuild b = {};
        json_object *o;
        size_t n;

        if (*number != '\0' && strspn(number, "0123456789") != strlen(number))
                return refuse(x, 404, "no such rule");
        n = sim_fault_remove(x->sim, strtoull(number, NULL, 10));
        if (*number != '\0' && n == 0)
                return refuse(x, 404, "no such rule");
        o = sim_json_build_object(&b);
        sim_json_build_int(&b, o, "removed", (int64_t) n);
        return sim_exchange_json(x, 200, &b, o);
}

static int delete_tokens(Exchange *x, usec_t real_usec) {
        sim_tokens_revoke(x->sim, NULL);
        return show_now(x, real_usec);
}

static int delete_requests(Exchange *x, usec_t real_usec) {
        sim_record_clear(x->sim);
        return show_now(x, real_usec);
}

/* {advance: 3d}: the clock goes on. {age: 3d}: the clock stays, and all that is known becomes that much older. */
static int post_clock(Exchange *x, usec_t real_usec) {
        _cleanup_(json_object_putp) json_object *root = NULL;
        _cleanup_(diagnostics_done) Diagnostics errors = {};
        SimReader reader = { .file = "clock", .now_usec = x->now_usec, .errors = &errors };
        int64_t advance = 0, age = 0;
        int r;

        r = read_body(x, &root);
        if (r <= 0)
                return r;
        reader.at = root;
        if (sim_reader_object(&reader, root)) {
                json_object_object_foreach(root, key, value) {
                        SimPlace place = sim_reader_enter(&reader, key, value);

                        if (streq(key, "advance"))
                                (void) sim_reader_duration(&reader, value, true, &advance);
                        else if (streq(key, "age"))
                                (void) sim_reader_duration(&reader, value, false, &age);
                        else
                                sim_reader_error(&reader, "there is no such key");
                        sim_reader_leave(&reader, place);
                }
        }
        if (reader.error < 0)
                return reader.error;
        if (reader.n_errors > 0)
                return refuse_diagnostics(x, &errors);

        /* Beyond a thousand years either way nothing is worth simulating, and sums stay far from their limits. */
        if (__builtin_add_overflow(x->sim->advance_usec, advance, &advance) ||
            advance > INT64_C(31556952000) * 1000000 || advance < INT64_C(-31556952000) * 1000000)
                return refuse(x, 400, "the clock would be too far away");
        x->sim->advance_usec = advance;
        sim_age(x->sim, (usec_t) age);
        return show_now(x, real_usec);
}

int sim_admin_handle(Exchange *x, usec_t real_usec) {
        const char *what = x->request->path + strlen(PREFIX), *method = x->request->method;
        size_t n_faults = strlen("faults");

        x->reply->call = "admin";
        if (!x->request->peer_is_local)
                return refuse(x, 403, "the administration is for this host only");
        /* A page in somebody's browser has no business here. */
        if (sim_exchange_header(x, "Origin"))
                return refuse(x, 403, "the administration is not for browsers");

        if (streq(method, "GET") && streq(what, "state"))
                return show_state(x);
        if (streq(method, "GET") && streq(what, "requests"))
                return show_requests(x);
        if (streq(method, "DELETE") && streq(what, "requests"))
                return delete_requests(x, real_usec);
        if (streq(method, "GET") && streq(what, "faults"))
                return show_faults(x);
        if (streq(method, "POST") && streq(what, "faults"))
                return post_fault(x);
        if (streq(method, "DELETE") && strncmp(what, "faults", n_faults) == 0 &&
            (what[n_faults] == '\0' || what[n_faults] == '/'))
                return delete_faults(x, what + n_faults + (what[n_faults] == '/'));
        if (streq(method, "DELETE") && streq(what, "tokens"))
                return delete_tokens(x, real_usec);
        if (streq(method, "POST") && streq(what, "change"))
                return post_change(x, real_usec);
        if (streq(method, "POST") && streq(what, "clock"))
                return post_clock(x, real_usec);
        return refuse(x, 404,
                      "expected GET state, GET or DELETE requests, GET, POST or DELETE faults, DELETE tokens, "
                      "POST change, or POST clock");
}
