/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reading a change: where in the document we are, what was wrong so far, and the simple kinds of values. Each
 * change is read twice, first to find all mistakes and then, when there are none, to apply it.
 */

#include "base/diag.h"
#include "sim/json.h"

#define SIM_READER_PATH_MAX 512

typedef struct SimReader {
        const char *file;
        usec_t now_usec; /* the cloud's clock */
        bool dry;        /* the first reading: change nothing */
        size_t n_errors;
        int error; /* -ENOMEM: sticky */
        Diagnostics *errors;
        char path[SIM_READER_PATH_MAX]; /* "instances.taurusdb.<id>" */
        size_t n_path;
        json_object *at; /* nearest node with a position */
} SimReader;

/* Goes into a member and back; what enter returns is for leave. */
typedef struct SimPlace {
        size_t n_path;
        json_object *at;
} SimPlace;

SimPlace sim_reader_enter(SimReader *r, const char *key, json_object *node);
void sim_reader_leave(SimReader *r, SimPlace place);

/* A mistake at the current place. */
void sim_reader_error(SimReader *r, const char *format, ...) _printf_(2, 3);

/* Each reads the value of the current place; a mistake is said and gives false, and @ret stays. */
bool sim_reader_object(SimReader *r, json_object *v);                             /* checks only */
bool sim_reader_text(SimReader *r, json_object *v, size_t max, const char **ret); /* borrowed; 1 to @max bytes */
bool sim_reader_text_or_empty(SimReader *r, json_object *v, size_t max, const char **ret);
bool sim_reader_bool(SimReader *r, json_object *v, bool *ret); /* true, false, on, off, yes, no */
bool sim_reader_int(SimReader *r, json_object *v, int64_t min, int64_t max, int64_t *ret);
bool sim_reader_enum(SimReader *r, json_object *v, const char *const *names, int *ret);
bool sim_reader_duration(SimReader *r, json_object *v, bool negative, int64_t *ret); /* "1h30m", "-8h" */
bool sim_reader_zone(SimReader *r, json_object *v, int64_t *ret_seconds);            /* "+08:00", "UTC" */
bool sim_reader_moment(SimReader *r, json_object *v, usec_t *ret);        /* "now", "+3d", "-27d", RFC 3339 */
bool sim_reader_id(SimReader *r, const char *id, size_t min, size_t max); /* letters and digits */

/* Replaces *to by a copy, but not in a dry reading. */
void sim_reader_store(SimReader *r, char **to, const char *v);
