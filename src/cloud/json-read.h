/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reading replies: JSON with a bounded depth, and members by name with the types that the cloud is known to vary.
 * Whoever complains names the field.
 *
 * Results of the json_read functions: 1 it is there; 0 it is missing or null; -EBADMSG it makes no sense, and the
 * failure says why.
 */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/http.h"
#include "facts/facts.h"

#define REPLY_DEPTH_MAX 16      /* levels; the deepest documented answer has five (IAM, token) */

static inline void json_putp(json_object **o) {
        (void) json_object_put(*o);
}

/* An object of the reply, and where it stands. */
typedef struct JsonAt {
        json_object *object;    /* borrowed */
        char path[96];          /* what goes before a member's name: "", "backups[3]." */
        Failure *failure;       /* borrowed; set by whoever returns -EBADMSG */
} JsonAt;

/**
 * json_parse() - one JSON object and nothing after it
 * @ret_error:  static text when it is none
 *
 * Return: 0; -EBADMSG; -ENOMEM.
 */
int json_parse(const char *s, size_t n, json_object **ret, const char **ret_error);

/*
 * As json_parse(), leaving no text of the document in memory but in the object itself: release that with
 * json_put_wiped().
 */
int json_parse_secret(const char *s, size_t n, json_object **ret, const char **ret_error);
void json_put_wiped(json_object *o);
static inline void json_put_wipedp(json_object **o) {
        json_put_wiped(*o);
}

/**
 * json_reply_root() - the object that a 2xx reply consists of
 * @secret:     parse with json_parse_secret()
 * @ret_object: new (json_object_put(), or json_put_wiped() for a secret one)
 * @ret:        where to read from; borrows both
 *
 * @failure:    begun with failure_begin()
 *
 * An error document under a 2xx status is no answer. Return: 1; -EBADMSG with @failure set; -ENOMEM.
 */
int json_reply_root(const HttpReply *p, bool secret, Failure *failure, json_object **ret_object, JsonAt *ret);

/* Sets the failure: "<path><name>: found <found>, expected <expected>". Return: -EBADMSG. */
int json_complain(const JsonAt *at, const char *name, const char *found, const char *expected);
/* The same for a member that is missing. */
int json_missing(const JsonAt *at, const char *name, const char *expected);

/* Texts belong to the object; one that holds a NUL is refused; an empty one is a text. */
int json_read_text(const JsonAt *at, const char *name, const char *expected, const char **ret);
/* A number, or a text that holds one; "7.0" is 7, 7.5 is refused. */
int json_read_integer(const JsonAt *at, const char *name, const char *expected, int64_t min, int64_t max,
                      int64_t *ret);
/* Nothing in it, but for nulls? */
bool json_is_blank(const JsonAt *at);
int json_read_bool(const JsonAt *at, const char *name, bool *ret);
int json_read_object(const JsonAt *at, const char *name, JsonAt *ret);
int json_read_list(const JsonAt *at, const char *name, json_object **ret);      /* borrowed */
/* The @i-th object of a list that was read as @name. */
int json_read_item(const JsonAt *at, const char *name, json_object *list, size_t i, JsonAt *ret);
