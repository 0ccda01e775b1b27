/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "test-sim-common.h"

static const char start[] = "account:\n"
                            "  domain_id: " DOMAIN "\n"
                            "  projects: {" PROJECT ": ap-southeast-1}\n"
                            "gateway: {auth: off}\n"
                            "instances:\n"
                            "  taurusdb: {" TAURUS ": {name: orders}}\n"
                            "  dbss: {" AUDIT ": {name: audit}}\n"
                            "  gaussdb:\n"
                            "    " GAUSS ":\n"
                            "      backups: {" GAUSS_BACKUP ": {begin: -8h}}\n";

int test_sim_setup(void **state) {
        TestSim *t = calloc(1, sizeof(*t));

        assert_non_null(t);
        t->now_usec = T0;
        assert_int_equal(sim_new(7, &t->sim), 0);
        test_sim_change(t, start);
        *state = t;
        return 0;
}

static void forget_reply(TestSim *t) {
        sim_reply_done(&t->reply);
        json_object_put(t->json);
        t->json = NULL;
}

int test_sim_teardown(void **state) {
        TestSim *t = *state;

        forget_reply(t);
        sim_free(t->sim);
        free(t);
        return 0;
}

void test_sim_change(TestSim *t, const char *yaml) {
        Diagnostics errors = {};
        int r = sim_change(t->sim, "test", yaml, strlen(yaml), t->now_usec, &errors);

        for (size_t i = 0; i < errors.n_items; i++)
                print_error("%u:%u: %s: %s\n", errors.items[i].line, errors.items[i].column, errors.items[i].key,
                            errors.items[i].message);
        diagnostics_done(&errors);
        assert_int_equal(r, 0);
}

char *test_sim_change_refused(TestSim *t, const char *yaml) {
        _cleanup_(strbuf_done) StrBuf all = STRBUF(65536);
        Diagnostics errors = {};
        char *text;

        assert_int_equal(sim_change(t->sim, "test", yaml, strlen(yaml), t->now_usec, &errors), -EINVAL);
        for (size_t i = 0; i < errors.n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&errors.items[i]);

                assert_non_null(line);
                assert_int_equal(strbuf_addf(&all, "%s\n", line), 0);
        }
        diagnostics_done(&errors);
        assert_int_equal(strbuf_finish(&all, &text), 0);
        return text;
}

int test_sim_send(TestSim *t, const SimRequest *q) {
        forget_reply(t);
        assert_int_equal(sim_handle(t->sim, q, t->now_usec, &t->reply), 0);
        if (t->reply.body)
                t->json = json_tokener_parse(t->reply.body);
        return t->reply.status;
}

int test_sim_ask(TestSim *t, const char *method, const char *path, const char *query, const char *body) {
        const SimHeader headers[] = { { "Host", "127.0.0.1:8443" }, { "Content-Type", "application/json" } };
        const SimRequest q = { .method = method,
                               .path = path,
                               .query = query,
                               .headers = headers,
                               .n_headers = body ? 2 : 1,
                               .body = body,
                               .n_body = body ? strlen(body) : 0,
                               .peer = "127.0.0.1",
                               .peer_is_local = true };

        return test_sim_send(t, &q);
}

json_object *test_sim_member(TestSim *t, const char *path) {
        json_object *o = t->json;

        while (o && *path != '\0') {
                size_t n = strcspn(path, ".");
                char key[64];

                assert_true(n < sizeof(key));
                memcpy(key, path, n);
                key[n] = '\0';
                if (json_object_is_type(o, json_type_array))
                        o = json_object_array_get_idx(o, (size_t) atoi(key));
                else if (!json_object_object_get_ex(o, key, &o))
                        return NULL;
                path += n + (path[n] == '.');
        }
        return o;
}

const char *test_sim_text(TestSim *t, const char *path) {
        json_object *o = test_sim_member(t, path);

        return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
}

int64_t test_sim_int(TestSim *t, const char *path) {
        json_object *o = test_sim_member(t, path);

        return json_object_is_type(o, json_type_int) ? json_object_get_int64(o) : -1;
}
