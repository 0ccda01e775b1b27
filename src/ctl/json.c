/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/json.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/ctl.h"

int ctl_json_add(json_object *to, const char *key, json_object *taken) {
        int r;

        if (!to) {
                (void) json_object_put(taken);
                return -ENOMEM;
        }

        r = key ? json_object_object_add(to, key, taken) : json_object_array_add(to, taken);
        if (r < 0) {
                (void) json_object_put(taken);
                return -ENOMEM;
        }

        return 0;
}

/* json-c's null is NULL, and so is its lack of memory. */
static int add_new(json_object *to, const char *key, json_object *taken) {
        return taken ? ctl_json_add(to, key, taken) : -ENOMEM;
}

int ctl_json_add_text(json_object *to, const char *key, const char *s) {
        return s ? add_new(to, key, json_object_new_string(s)) : ctl_json_add(to, key, NULL);
}

int ctl_json_add_int(json_object *to, const char *key, int64_t v) {
        return add_new(to, key, json_object_new_int64(v));
}

int ctl_json_add_bool(json_object *to, const char *key, bool v) {
        return add_new(to, key, json_object_new_boolean(v));
}

int ctl_json_add_time(json_object *to, const char *key, usec_t at_usec) {
        char text[TIME_TEXT_MAX];

        if (at_usec == 0)
                return ctl_json_add(to, key, NULL);
        return ctl_json_add_text(to, key, at_usec == USEC_INFINITY ? "never" : rfc3339_format(at_usec, text));
}

json_object *ctl_json_add_object(json_object *to, const char *key) {
        json_object *o = json_object_new_object();

        return o && ctl_json_add(to, key, o) >= 0 ? o : NULL;
}

json_object *ctl_json_add_array(json_object *to, const char *key) {
        json_object *o = json_object_new_array();

        return o && ctl_json_add(to, key, o) >= 0 ? o : NULL;
}

static int add_field(json_object *to, const StatusField *f, const void *s) {
        const void *member = (const char *) s + f->offset;
        uint64_t v;

        switch (f->type) {
        case STATUS_TEXT:
                return ctl_json_add_text(to, f->json_key, *(const char *const *) member);
        case STATUS_BOOL:
                return ctl_json_add_bool(to, f->json_key, *(const bool *) member);
        case STATUS_UINT:
                return ctl_json_add_int(to, f->json_key, *(const unsigned *) member);
        case STATUS_UINT64:
                v = *(const uint64_t *) member;
                return ctl_json_add_int(to, f->json_key, (int64_t) MIN(v, (uint64_t) INT64_MAX));
        case STATUS_TIME:
                return ctl_json_add_time(to, f->json_key, *(const usec_t *) member);
        case STATUS_DURATION:
                v = *(const usec_t *) member;
                return v == USEC_INFINITY ? ctl_json_add_text(to, f->json_key, "never")
                                          : ctl_json_add_int(to, f->json_key, (int64_t) (v / USEC_PER_SEC));
        }

        assert(false);
        return 0;
}

int ctl_json_add_fields(json_object *to, const StatusField *fields, size_t n_fields, const void *s) {
        int r;

        for (size_t i = 0; i < n_fields; i++) {
                r = add_field(to, &fields[i], s);
                if (r < 0)
                        return r;
        }

        return 0;
}

int ctl_json_add_info(json_object *to, const char *key, const FleetInfo *info) {
        json_object *o = ctl_json_add_object(to, key);
        int r;

        r = ctl_json_add_bool(o, "running", info->running);
        if (r >= 0)
                r = ctl_json_add_bool(o, "asked", info->live);
        if (r >= 0)
                r = ctl_json_add_time(o, "as_of", info->live ? info->now_usec : info->as_of_usec);
        if (r >= 0)
                r = ctl_json_add_text(o, "version", info->version);
        if (r >= 0)
                r = ctl_json_add_text(o, "mode", info->mode);
        if (r >= 0)
                r = ctl_json_add_time(o, "started", info->started_usec);
        if (r >= 0)
                r = ctl_json_add_time(o, "reloaded", info->reloaded_usec);
        if (r >= 0)
                r = ctl_json_add_time(o, "next_look", info->next_look_usec);
        if (r >= 0)
                r = ctl_json_add_time(o, "contact_at", info->contact_at_usec);
        if (r >= 0)
                r = ctl_json_add_int(o, "n_rejected", info->n_rejected);
        if (r >= 0)
                r = ctl_json_add_int(o, "n_in_flight", info->n_in_flight);
        if (r >= 0)
                r = ctl_json_add_text(o, "credentials_source", info->credentials_source);
        if (r >= 0)
                r = ctl_json_add_text(o, "credentials_state", info->credentials_state);
        if (r >= 0)
                r = ctl_json_add_time(o, "credentials_expire", info->credentials_expire_usec);
        if (r >= 0)
                r = ctl_json_add_bool(o, "state_failing", info->state_failing);
        if (r >= 0)
                r = ctl_json_add_bool(o, "settings_rejected", info->settings_rejected);
        if (r >= 0)
                r = ctl_json_add_bool(o, "policies_rejected", info->policies_rejected);
        return r;
}

int ctl_json_print(json_object *o) {
        const char *text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;

        if (!text) {
                ctl_complain("%s", strerror(ENOMEM));
                return EXIT_FAILURE;
        }

        (void) printf("%s\n", text);
        return EXIT_SUCCESS;
}
