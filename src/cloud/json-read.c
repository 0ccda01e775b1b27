/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/json-read.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "cloud/failure.h"
#include "cloud/text.h"

static void tokener_freep(json_tokener **t) {
        if (*t)
                json_tokener_free(*t);
}

static json_tokener *tokener_new(void) {
        json_tokener *t = json_tokener_new_ex(REPLY_DEPTH_MAX);

        if (t)
                json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        return t;
}

/* json-c reads what JSON does not have, also when it is told to be strict. The depth is limited by the tokener. */
static bool has_no_number(json_object *o) {
        if (json_object_is_type(o, json_type_double))
                return !isfinite(json_object_get_double(o));

        if (json_object_is_type(o, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        if (has_no_number(json_object_array_get_idx(o, i)))
                                return true;
        } else if (json_object_is_type(o, json_type_object)) {
                struct json_object_iterator i = json_object_iter_begin(o), end = json_object_iter_end(o);

                for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
                        if (has_no_number(json_object_iter_peek_value(&i)))
                                return true;
        }

        return false;
}

static bool may_have_no_number(const char *s, size_t n) {
        return memmem(s, n, "NaN", strlen("NaN")) || memmem(s, n, "Infinity", strlen("Infinity"));
}

static int tokener_parse(json_tokener *t, const char *s, size_t n, json_object **ret, const char **ret_error) {
        json_object *o = NULL;
        enum json_tokener_error error;

        if (n > INT_MAX || memchr(s, '\0', n)) {        /* json-c takes a NUL for the end */
                *ret_error = "a NUL byte in it";
                return -EBADMSG;
        }

        /* Where it has no memory for a locale it returns nothing and calls that a success, as it does for "null". */
        errno = 0;
        o = json_tokener_parse_ex(t, s, (int) n);
        error = json_tokener_get_error(t);
        if (!o && errno == ENOMEM)
                return -ENOMEM;
        if (error != json_tokener_success) {
                json_put_wiped(o);
                *ret_error = error == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(error);
                return -EBADMSG;
        }
        if (!json_object_is_type(o, json_type_object)) {
                json_put_wiped(o);
                *ret_error = "not an object";
                return -EBADMSG;
        }
        if (may_have_no_number(s, n) && has_no_number(o)) {
                json_put_wiped(o);
                *ret_error = "NaN or Infinity in it";
                return -EBADMSG;
        }

        *ret = o;
        return 0;
}

int json_parse(const char *s, size_t n, json_object **ret, const char **ret_error) {
        _cleanup_(tokener_freep) json_tokener *t = NULL;

        assert(s || n == 0);
        assert(ret);
        assert(ret_error);

        t = tokener_new();
        if (!t)
                return -ENOMEM;
        return tokener_parse(t, s ? s : "", n, ret, ret_error);
}

/*
 * The tokener gathers each text in a buffer of its own, which it neither wipes nor lets anyone see. A text of @n
 * harmless bytes makes that buffer as large as it will ever need to be, so that it never moves; or overwrites what it
 * held.
 */
static int tokener_fill(json_tokener *t, size_t n) {
        _cleanup_(freep) char *filler = NULL;
        json_object *o;

        filler = malloc(n + 3);
        if (!filler)
                return -ENOMEM;
        memset(filler, 'x', n + 2);
        filler[0] = '"';
        filler[n + 1] = '"';
        filler[n + 2] = '\0';

        json_tokener_reset(t);
        o = json_tokener_parse_ex(t, filler, (int) n + 2);
        if (!o)
                return -ENOMEM;         /* nothing else can be wrong with it */
        (void) json_object_put(o);
        json_tokener_reset(t);
        return 0;
}

int json_parse_secret(const char *s, size_t n, json_object **ret, const char **ret_error) {
        _cleanup_(tokener_freep) json_tokener *t = NULL;
        _cleanup_(json_put_wipedp) json_object *o = NULL;
        int r, q;

        assert(s || n == 0);
        assert(ret);
        assert(ret_error);

        if (n > HTTP_BODY_MAX) {
                *ret_error = "too long";
                return -EBADMSG;
        }

        t = tokener_new();
        if (!t)
                return -ENOMEM;
        r = tokener_fill(t, n);
        if (r < 0)
                return r;

        r = tokener_parse(t, s ? s : "", n, &o, ret_error);
        q = tokener_fill(t, n);
        if (r < 0)
                return r;
        if (q < 0)
                return q;

        *ret = STEAL(o);
        return 0;
}

void json_put_wiped(json_object *o) {
        switch (json_object_get_type(o)) {
        case json_type_string:
                /* The text lies inside the object and is nobody else's; json-c has no call to wipe it. */
                explicit_bzero((char *) json_object_get_string(o), (size_t) json_object_get_string_len(o));
                break;
        case json_type_array:
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        json_put_wiped(json_object_get(json_object_array_get_idx(o, i)));
                break;
        case json_type_object: {
                json_object_object_foreach(o, key, value) {
                        (void) key;
                        json_put_wiped(json_object_get(value));
                }
                break;
        }
        case json_type_null:
        case json_type_boolean:
        case json_type_double:
        case json_type_int:
                break;
        }

        (void) json_object_put(o);
}

/* Some services send the members of an error in every answer, empty. */
static bool says_error(json_object *o) {
        switch (json_object_get_type(o)) {
        case json_type_null:
        case json_type_boolean:
                return false;
        case json_type_string:
                return json_object_get_string_len(o) > 0;
        case json_type_double:
        case json_type_int:
                return json_object_get_double(o) != 0;
        case json_type_object:
        case json_type_array:
                break;
        }
        return true;
}

int json_reply_root(const HttpReply *p, bool secret, Failure *failure, json_object **ret_object, JsonAt *ret) {
        static const char *const error_members[] = { "error_code", "errorCode", "errCode", "error" };
        json_object *o = NULL;
        const char *error = NULL;
        int r;

        assert(p);
        assert(failure);
        assert(ret_object);
        assert(ret);

        if (p->body_cut)
                return failure_unreadable(failure, p, "the reply is over %d bytes long", HTTP_BODY_MAX);
        if (p->n_body == 0)
                return failure_unreadable(failure, p, "the reply is empty, expected a JSON object");

        r = secret ? json_parse_secret(p->body, p->n_body, &o, &error) : json_parse(p->body, p->n_body, &o, &error);
        if (r == -EBADMSG)
                return failure_unreadable(failure, p, "the reply is no JSON object: %s", error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < N_ELEMENTS(error_members); i++)
                if (says_error(json_object_object_get(o, error_members[i]))) {
                        json_put_wiped(o);
                        return failure_unreadable(failure, p, "%s: an error under status %d", error_members[i],
                                                  p->status);
                }

        *ret_object = o;
        *ret = (JsonAt) { .object = o, .failure = failure };
        return 1;
}

int json_complain(const JsonAt *at, const char *name, const char *found, const char *expected) {
        char text[sizeof(at->failure->message)];

        assert(at);

        (void) snprintf(text, sizeof(text), "%s%s: found %s, expected %s", at->path, name, found, expected);
        return failure_set_unreadable(at->failure, text);
}

int json_missing(const JsonAt *at, const char *name, const char *expected) {
        char text[sizeof(at->failure->message)];

        assert(at);

        (void) snprintf(text, sizeof(text), "%s%s: missing, expected %s", at->path, name, expected);
        return failure_set_unreadable(at->failure, text);
}

static const char *found_type(json_object *o) {
        switch (json_object_get_type(o)) {
        case json_type_null:
                return "null";
        case json_type_boolean:
                return json_object_get_boolean(o) ? "true" : "false";
        case json_type_double:
        case json_type_int:
                return "a number";
        case json_type_object:
                return "an object";
        case json_type_array:
                return "a list";
        case json_type_string:
                return "text";
        }
        return "something else";
}

/* NULL: missing or null, which mean the same to the cloud. */
static json_object *member(const JsonAt *at, const char *name) {
        assert(at);
        return json_object_object_get(at->object, name);
}

bool json_is_blank(const JsonAt *at) {
        assert(at);

        json_object_object_foreach(at->object, name, value)
                if (name && value)
                        return false;

        return true;
}

int json_read_text(const JsonAt *at, const char *name, const char *expected, const char **ret) {
        json_object *o = member(at, name);
        const char *s;

        if (!o)
                return 0;
        if (!json_object_is_type(o, json_type_string))
                return json_complain(at, name, found_type(o), expected);

        s = json_object_get_string(o);
        if (strlen(s) != (size_t) json_object_get_string_len(o))
                return json_complain(at, name, "text with a NUL in it", expected);

        *ret = s;
        return 1;
}

typedef enum Numeral { NUMERAL_NONE, NUMERAL_INTEGER, NUMERAL_OUT_OF_RANGE } Numeral;

/*
 * "-12", "7.0": digits, and after a point nothing but zeros. strtoll() alone would take blanks and a plus sign too.
 */
static Numeral text_to_integer(const char *s, int64_t *ret) {
        const char *digits = *s == '-' ? s + 1 : s;
        size_t n = strspn(digits, "0123456789");
        const char *rest = digits + n;
        long long value;

        if (n == 0)
                return NUMERAL_NONE;
        if (*rest == '.' && rest[1] == '0')
                rest += 1 + strspn(rest + 1, "0");
        if (*rest)
                return NUMERAL_NONE;

        errno = 0;
        value = strtoll(s, NULL, 10);
        if (errno == ERANGE)
                return NUMERAL_OUT_OF_RANGE;
        *ret = value;
        return NUMERAL_INTEGER;
}

static Numeral double_to_integer(double d, int64_t *ret) {
        const double limit = 9007199254740992.0;        /* 2^53: from there on neighbours are missing */

        if (d > limit || d < -limit)
                return NUMERAL_OUT_OF_RANGE;
        if (isnan(d) || (double) (int64_t) d != d)
                return NUMERAL_NONE;

        *ret = (int64_t) d;
        return NUMERAL_INTEGER;
}

static Numeral to_integer(json_object *o, int64_t *ret) {
        uint64_t magnitude;

        switch (json_object_get_type(o)) {
        case json_type_int:
                /*
                 * One stops at the ends of int64_t, the other at 0 and UINT64_MAX: together they tell what was cut.
                 */
                *ret = json_object_get_int64(o);
                magnitude = json_object_get_uint64(o);
                return magnitude > INT64_MAX || *ret == INT64_MIN ? NUMERAL_OUT_OF_RANGE : NUMERAL_INTEGER;
        case json_type_double:
                return double_to_integer(json_object_get_double(o), ret);
        case json_type_string:
                return text_to_integer(json_object_get_string(o), ret);
        case json_type_null:
        case json_type_boolean:
        case json_type_object:
        case json_type_array:
                break;
        }
        return NUMERAL_NONE;
}

int json_read_integer(const JsonAt *at, const char *name, const char *expected, int64_t min, int64_t max,
                      int64_t *ret) {
        json_object *o = member(at, name);
        char found[32];
        int64_t value;

        if (!o)
                return 0;

        switch (to_integer(o, &value)) {
        case NUMERAL_NONE:
                return json_complain(
                        at, name, json_object_is_type(o, json_type_double) ? "a fraction" : found_type(o), expected);
        case NUMERAL_OUT_OF_RANGE:
                return json_complain(at, name, "a number beyond 64 bits", expected);
        case NUMERAL_INTEGER:
                break;
        }

        if (value < min || value > max) {
                (void) snprintf(found, sizeof(found), "%lld", (long long) value);
                return json_complain(at, name, found, expected);
        }

        *ret = value;
        return 1;
}

int json_read_bool(const JsonAt *at, const char *name, bool *ret) {
        json_object *o = member(at, name);

        if (!o)
                return 0;
        if (!json_object_is_type(o, json_type_boolean))
                return json_complain(at, name, found_type(o), "true or false");

        *ret = json_object_get_boolean(o);
        return 1;
}

static void set_path(JsonAt *at, const char *prefix, const char *name) {
        /* All names are our own and fit; if one did not, the message would still be worth reading. */
        if (snprintf(at->path, sizeof(at->path), "%s%s.", prefix, name) >= (int) sizeof(at->path))
                at->path[sizeof(at->path) - 2] = '.';
}

int json_read_object(const JsonAt *at, const char *name, JsonAt *ret) {
        json_object *o = member(at, name);

        if (!o)
                return 0;
        if (!json_object_is_type(o, json_type_object))
                return json_complain(at, name, found_type(o), "an object");

        *ret = (JsonAt) { .object = o, .failure = at->failure };
        set_path(ret, at->path, name);
        return 1;
}

int json_read_list(const JsonAt *at, const char *name, json_object **ret) {
        json_object *o = member(at, name);

        if (!o)
                return 0;
        if (!json_object_is_type(o, json_type_array))
                return json_complain(at, name, found_type(o), "a list");

        *ret = o;
        return 1;
}

int json_read_item(const JsonAt *at, const char *name, json_object *list, size_t i, JsonAt *ret) {
        json_object *o = json_object_array_get_idx(list, i);
        char indexed[48];

        (void) snprintf(indexed, sizeof(indexed), "%s[%zu]", name, i);
        if (!json_object_is_type(o, json_type_object))
                return json_complain(at, indexed, found_type(o), "an object");

        *ret = (JsonAt) { .object = o, .failure = at->failure };
        set_path(ret, at->path, indexed);
        return 1;
}
