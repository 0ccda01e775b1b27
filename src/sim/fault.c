/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fault.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>
#include <utlist.h>

#define FAULT_TEXT_MAX 1024                       /* bytes of a text in a rule */
#define OVERSIZE_BYTES ((size_t) 2 * 1024 * 1024) /* twice what a client is known to accept */
#define GARBAGE_BYTES  64

typedef enum FaultClose { CLOSE_NO, CLOSE_BEFORE_EFFECT, CLOSE_AFTER_EFFECT } FaultClose;
typedef enum FaultBody { BODY_AS_IS, BODY_GARBAGE, BODY_OVERSIZE, BODY_EMPTY, BODY_WRONG_TYPE, BODY_HTML } FaultBody;

static const char *const close_names[] = { "no", "before-effect", "after-effect", NULL };
static const char *const body_names[] = { "as-is", "garbage", "oversize", "empty", "wrong-type", "html", NULL };

struct SimFault {
        uint64_t number;
        /* which requests; NULL: any */
        char *method, *path, *call, *service, *instance;
        int64_t nth, times; /* from the nth match on; so many times, 0: no end */
        int64_t percent;    /* chance of each */
        uint64_t n_matched, n_fired;
        /* what becomes of them */
        int64_t status; /* 0: as it is */
        char *code, *message;
        json_object *headers, *lie;
        bool effect; /* the rules are reached although a status is given */
        int close, body;
        usec_t delay_usec;
        int64_t truncate; /* bytes sent of the body; -1: all */
        struct SimFault *next, *prev;
};

static const struct {
        const char *key;
        size_t offset;
} texts[] = {
        { "method", offsetof(SimFault, method) },     { "path", offsetof(SimFault, path) },
        { "call", offsetof(SimFault, call) },         { "service", offsetof(SimFault, service) },
        { "instance", offsetof(SimFault, instance) }, { "code", offsetof(SimFault, code) },
        { "message", offsetof(SimFault, message) },
};

static char **text_of(SimFault *f, size_t i) {
        return (char **) ((char *) f + texts[i].offset);
}

static SimFault *fault_free(SimFault *f) {
        for (size_t i = 0; i < N_ELEMENTS(texts); i++)
                free(*text_of(f, i));
        json_object_put(f->headers);
        json_object_put(f->lie);
        free(f);
        return NULL;
}

/* --- Reading -------------------------------------------------------------------------------------------------- */

static void read_headers(SimReader *r, SimFault *f, json_object *v) {
        const char *text;

        if (!sim_reader_object(r, v))
                return;
        if (json_object_object_length(v) > SIM_REPLY_HEADERS_MAX / 2) {
                sim_reader_error(r, "found too many headers");
                return;
        }
        json_object_object_foreach(v, name, value) {
                SimPlace place = sim_reader_enter(r, name, value);

                /* What would break the framing of HTTP itself is no header of a rule. */
                if (name[0] == '\0' || strpbrk(name, " \t\r\n:") != NULL || strcasecmp(name, "Content-Length") == 0 ||
                    strcasecmp(name, "Transfer-Encoding") == 0 || strcasecmp(name, "Connection") == 0)
                        sim_reader_error(r, "this header cannot be set");
                else
                        (void) sim_reader_text_or_empty(r, value, FAULT_TEXT_MAX, &text);
                sim_reader_leave(r, place);
        }
        json_object_put(f->headers);
        f->headers = json_object_get(v);
}

/* Kept without the reader's marks: json-c does not copy nodes that carry some. */
static void read_lie(SimReader *r, SimFault *f, json_object *v) {
        _cleanup_(freep) char *text = NULL;
        size_t n;

        if (!sim_reader_object(r, v))
                return;
        json_object_put(f->lie);
        f->lie = NULL;
        if (sim_json_write(v, &text, &n) < 0 || sim_json_read(text, n, &f->lie) < 0)
                r->error = -ENOMEM;
}

static bool read_text(SimReader *r, SimFault *f, const char *key, json_object *v) {
        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                const char *text;

                if (!streq(texts[i].key, key))
                        continue;
                if (sim_reader_text(r, v, FAULT_TEXT_MAX, &text)) {
                        *text_of(f, i) = strdup(text);
                        if (!*text_of(f, i))
                                r->error = -ENOMEM;
                }
                return true;
        }
        return false;
}

static void read_member(SimReader *r, SimFault *f, const char *key, json_object *v) {
        int64_t usec;

        if (read_text(r, f, key, v))
                return;
        if (streq(key, "nth")) {
                (void) sim_reader_int(r, v, 1, INT32_MAX, &f->nth);
        } else if (streq(key, "times")) {
                (void) sim_reader_int(r, v, 0, INT32_MAX, &f->times);
        } else if (streq(key, "percent")) {
                (void) sim_reader_int(r, v, 0, 100, &f->percent);
        } else if (streq(key, "status")) {
                (void) sim_reader_int(r, v, 200, 599, &f->status);
        } else if (streq(key, "effect")) {
                (void) sim_reader_bool(r, v, &f->effect);
        } else if (streq(key, "close")) {
                (void) sim_reader_enum(r, v, close_names, &f->close);
        } else if (streq(key, "body")) {
                (void) sim_reader_enum(r, v, body_names, &f->body);
        } else if (streq(key, "truncate")) {
                (void) sim_reader_int(r, v, 0, INT32_MAX, &f->truncate);
        } else if (streq(key, "delay")) {
                if (sim_reader_duration(r, v, false, &usec))
                        f->delay_usec = (usec_t) usec;
        } else if (streq(key, "headers")) {
                read_headers(r, f, v);
        } else if (streq(key, "lie")) {
                read_lie(r, f, v);
        } else {
                sim_reader_error(r, "there is no such key");
        }
}

/* A rule that can never hit is a mistake in writing. */
static void check_names(SimReader *r, const SimFault *f) {
        bool known = !f->call || streq(f->call, "unknown");

        for (size_t i = 0; !known && sim_route_at(i); i++)
                known = streq(sim_route_at(i)->call, f->call);
        if (!known)
                sim_reader_error(r, "there is no such call");

        known = !f->service;
        for (int i = 0; !known && i < SIM_SERVICE__MAX; i++)
                known = streq(sim_service_to_string((SimService) i), f->service);
        if (!known)
                sim_reader_error(r, "there is no such service");
        if (f->status == 0 && !f->headers && !f->lie && f->close == CLOSE_NO && f->body == BODY_AS_IS &&
            f->delay_usec == 0 && f->truncate < 0)
                sim_reader_error(
                        r, "the rule does nothing: give it a status, headers, lie, close, body, delay or truncate");
}

uint64_t sim_fault_read(SimReader *r, Sim *s, json_object *node) {
        size_t n_before = r->n_errors;
        SimFault *f;

        if (!sim_reader_object(r, node))
                return 0;
        f = calloc(1, sizeof(*f));
        if (!f) {
                r->error = -ENOMEM;
                return 0;
        }
        f->nth = 1;
        f->percent = 100;
        f->truncate = -1;

        json_object_object_foreach(node, key, value) {
                SimPlace place = sim_reader_enter(r, key, value);

                read_member(r, f, key, value);
                sim_reader_leave(r, place);
        }
        check_names(r, f);

        if (r->dry || r->n_errors > n_before || r->error < 0) {
                fault_free(f);
                return 0;
        }
        f->number = ++s->n_faults_ever;
        DL_APPEND(s->faults, f);
        return f->number;
}

size_t sim_fault_remove(Sim *s, uint64_t number) {
        SimFault *f, *next;
        size_t n = 0;

        DL_FOREACH_SAFE(s->faults, f, next)
        if (number == 0 || f->number == number) {
                DL_DELETE(s->faults, f);
                fault_free(f);
                n++;
        }
        return n;
}

/* --- Hitting -------------------------------------------------------------------------------------------------- */

static bool matches(const Exchange *x, const SimFault *f) {
        const char *call = x->route ? x->route->call : "unknown";
        const char *service = x->route ? sim_service_to_string(x->route->service) : "";
        const SimBackup *b;

        if ((f->method && strcasecmp(f->method, x->request->method) != 0) || (f->call && !streq(f->call, call)) ||
            (f->service && !streq(f->service, service)) || (f->path && fnmatch(f->path, x->request->path, 0) != 0))
                return false;
        if (!f->instance || streq(f->instance, x->ids.instance))
                return true;
        /* A call on a backup is one on its instance; a list may be narrowed to one. */
        b = sim_backup_find(x->sim, x->ids.backup);
        if (b && streq(b->instance->id, f->instance))
                return true;
        char id[SIM_ID_MAX] = "";
        return sim_exchange_query(x, "instance_id", id, sizeof(id)) > 0 && streq(id, f->instance);
}

const SimFault *sim_fault_hit(Exchange *x) {
        SimFault *f;

        DL_FOREACH(x->sim->faults, f) {
                if (!matches(x, f))
                        continue;
                x->near_fault = true;
                f->n_matched++;
                if (f->n_matched < (uint64_t) f->nth || (f->times > 0 && f->n_fired >= (uint64_t) f->times))
                        continue;
                if (f->percent < 100 && sim_random(x->sim) % 100 >= (uint64_t) f->percent)
                        continue;
                f->n_fired++;
                return f;
        }
        return NULL;
}

bool sim_fault_has_effect(const SimFault *f) {
        if (f->close != CLOSE_NO)
                return f->close == CLOSE_AFTER_EFFECT;
        return f->status == 0 || f->effect;
}

/* --- What becomes of the reply -------------------------------------------------------------------------------- */

/* JSON merge patch (RFC 7396): null removes, objects merge, the rest replaces. */
static int merge(json_object *target, json_object *patch) {
        json_object_object_foreach(patch, key, value) {
                json_object *there = NULL;

                if (!value) {
                        json_object_object_del(target, key);
                        continue;
                }
                if (json_object_is_type(value, json_type_object) && json_object_object_get_ex(target, key, &there) &&
                    json_object_is_type(there, json_type_object)) {
                        if (merge(there, value) < 0)
                                return -ENOMEM;
                        continue;
                }
                there = NULL;
                /* A copy: what is in the patch may be changed by a later rule on this reply's tree. */
                if (json_object_deep_copy(value, &there, NULL) != 0 ||
                    json_object_object_add(target, key, there) != 0) {
                        json_object_put(there);
                        return -ENOMEM;
                }
        }
        return 0;
}

/* Every value becomes one of another type; objects keep their names. */
static json_object *twist(JsonBuild *b, json_object *v) {
        json_object *o;

        switch (json_object_get_type(v)) {
        case json_type_object:
                o = sim_json_build_object(b);
                { json_object_object_foreach(v, key, value) sim_json_build_put(b, o, key, twist(b, value)); }
                return o;
        case json_type_string: return json_object_new_int(7);
        case json_type_array: return json_object_new_string("wrong");
        case json_type_null:
        case json_type_boolean:
        case json_type_double:
        case json_type_int: break;
        }
        return sim_json_build_array(b);
}

static int rewrite(Exchange *x, json_object *o) {
        char *text;
        size_t n;
        int r = sim_json_write(o, &text, &n);

        if (r < 0)
                return r;
        sim_reply_take_body(x->reply, text, n);
        return 0;
}

/* Rules that change JSON leave a body alone that is none. */
static int change_json(Exchange *x, const SimFault *f) {
        _cleanup_(json_object_putp) json_object *o = NULL, *twisted = NULL;
        JsonBuild b = {};
        int r;

        r = sim_json_read(x->reply->body ? x->reply->body : "", x->reply->n_body, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object))
                return 0;

        if (f->lie) {
                r = merge(o, f->lie);
                if (r >= 0)
                        r = rewrite(x, o);
        }
        if (r >= 0 && f->body == BODY_WRONG_TYPE) {
                twisted = twist(&b, o);
                r = b.error < 0 ? b.error : rewrite(x, twisted);
        }
        return r;
}

static int fill(Exchange *x, size_t n, bool random) {
        char *text = malloc(n + 1);

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                text[i] = random ? (char) (sim_random(x->sim) | 0x80) : 'x';
        text[n] = '\0';
        sim_reply_take_body(x->reply, text, n);
        return 0;
}

/* The reply as it was, with a member that makes it too long: whoever reads it all finds nothing wrong. */
static int oversize(Exchange *x) {
        _cleanup_(json_object_putp) json_object *o = NULL;
        json_object *padding;
        char *text;
        int r;

        r = sim_json_read(x->reply->body ? x->reply->body : "", x->reply->n_body, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_object))
                return fill(x, OVERSIZE_BYTES, false);

        text = malloc(OVERSIZE_BYTES + 1);
        if (!text)
                return -ENOMEM;
        memset(text, 'x', OVERSIZE_BYTES);
        text[OVERSIZE_BYTES] = '\0';
        padding = json_object_new_string_len(text, (int) OVERSIZE_BYTES);
        free(text);
        if (!padding || json_object_object_add(o, "padding", padding) != 0) {
                json_object_put(padding);
                return -ENOMEM;
        }
        return rewrite(x, o);
}

static int change_body(Exchange *x, const SimFault *f) {
        switch ((FaultBody) f->body) {
        case BODY_GARBAGE: return fill(x, GARBAGE_BYTES, true);
        case BODY_OVERSIZE: return oversize(x);
        case BODY_EMPTY: sim_reply_take_body(x->reply, NULL, 0); return 0;
        case BODY_HTML:
                return sim_exchange_text(x, x->reply->status, "text/html",
                                         "<html>\r\n<head><title>Gateway</title></"
                                         "head>\r\n<body>\r\n<center><h1>Something went wrong</h1>"
                                         "</center>\r\n</body>\r\n</html>\r\n");
        case BODY_AS_IS:
        case BODY_WRONG_TYPE: break;
        }
        return 0;
}

static int set_status(Exchange *x, const SimFault *f) {
        ErrorShape shape = ERROR_GATEWAY;

        /* A success keeps the body of the call; an error brings its own. */
        if (f->status < 300 && !f->code && !f->message) {
                x->reply->status = (int) f->status;
                return 0;
        }
        if (x->route && f->code && strncmp(f->code, "APIG", 4) != 0)
                shape = x->route->service == SIM_DBSS  ? ERROR_PDP
                        : x->route->service == SIM_IAM ? ERROR_KEYSTONE
                                                       : ERROR_PLAIN;
        return sim_exchange_error(x, shape, (int) f->status, f->code ? f->code : "APIGW.0201", "%s",
                                  f->message ? f->message : "Injected fault");
}

int sim_fault_apply(Exchange *x, const SimFault *f) {
        int r = 0;

        if (f->status != 0)
                r = set_status(x, f);
        if (r >= 0 && (f->lie || f->body == BODY_WRONG_TYPE))
                r = change_json(x, f);
        if (r >= 0)
                r = change_body(x, f);
        if (r >= 0 && f->headers) {
                json_object_object_foreach(f->headers, name, value) {
                        r = sim_reply_set_header(x->reply, name, json_object_get_string(value));
                        if (r < 0)
                                break;
                }
        }
        if (r < 0)
                return r;

        x->reply->delay_usec = usec_add(x->reply->delay_usec, f->delay_usec);
        x->reply->drop = f->close != CLOSE_NO;
        if (f->truncate >= 0 && (size_t) f->truncate < x->reply->n_body) {
                x->reply->cut = true;
                x->reply->n_sent = (size_t) f->truncate;
        }
        return 0;
}

void sim_fault_show(const Sim *s, JsonBuild *b, json_object *list) {
        SimFault *f;

        DL_FOREACH(s->faults, f) {
                json_object *o = sim_json_build_object(b);

                sim_json_build_int(b, o, "number", (int64_t) f->number);
                for (size_t i = 0; i < N_ELEMENTS(texts); i++)
                        if (*text_of(f, i))
                                sim_json_build_text(b, o, texts[i].key, *text_of(f, i));
                sim_json_build_int(b, o, "nth", f->nth);
                sim_json_build_int(b, o, "times", f->times);
                sim_json_build_int(b, o, "percent", f->percent);
                if (f->status != 0)
                        sim_json_build_int(b, o, "status", f->status);
                sim_json_build_bool(b, o, "effect", sim_fault_has_effect(f));
                sim_json_build_text(b, o, "close", close_names[f->close]);
                sim_json_build_text(b, o, "body", body_names[f->body]);
                sim_json_build_duration(b, o, "delay", (int64_t) f->delay_usec);
                if (f->truncate >= 0)
                        sim_json_build_int(b, o, "truncate", f->truncate);
                if (f->headers)
                        sim_json_build_put(b, o, "headers", json_object_get(f->headers));
                if (f->lie)
                        sim_json_build_put(b, o, "lie", json_object_get(f->lie));
                sim_json_build_int(b, o, "matched", (int64_t) f->n_matched);
                sim_json_build_int(b, o, "fired", (int64_t) f->n_fired);
                sim_json_build_push(b, list, o);
        }
}
