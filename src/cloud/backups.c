/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of backups: GET /v3/{project}/backups of TaurusDB, GET /v3.2/{project}/backups of GaussDB and its elder
 * versions.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/services.h"
#include "cloud/text.h"

int backups_add_query(HttpRequest *q, const CallTarget *target, int64_t offset) {
        char text[24];
        int r;

        if (offset < 0)
                return -EINVAL;

        (void) snprintf(text, sizeof(text), "%lld", (long long) offset);
        r = request_add_query(q, "instance_id", target->instance_id);
        if (r >= 0)
                r = request_add_query(q, "offset", text);
        if (r >= 0)
                r = request_add_query(q, "limit", TEXT_OF(BACKUP_PAGE_LIMIT));
        return r;
}

static BackupStatus status_from_text(const char *s) {
        static const struct {
                const char *word;
                BackupStatus status;
        } words[] = {
                { "COMPLETED", BACKUP_COMPLETED },
                { "AVAILABLE", BACKUP_COMPLETED },
                { "BUILDING", BACKUP_BUILDING },
                { "FAILED", BACKUP_FAILED },
                { "DELETING", BACKUP_DELETING },
        };

        for (size_t i = 0; i < N_ELEMENTS(words); i++)
                if (strcasecmp(s, words[i].word) == 0)
                        return words[i].status;

        return BACKUP_OTHER;
}

/* A running backup has no end yet, which is written as nothing, null, "" or a moment of 1970. */
static int read_time(const JsonAt *at, const char *name, BackupStatus status, usec_t *ret) {
        const char *s = NULL;
        usec_t at_usec = 0;
        int r;

        r = json_read_text(at, name, "a time", &s);
        if (r < 0)
                return r;
        if (r == 0 || !*s)
                return 0;

        if (timestamp_parse(s, &at_usec) < 0)
                return json_complain(at, name, "text", "a time such as 2022-05-09T16:01:10+0800");
        if (at_usec < TIME_MIN_USEC || at_usec > TIME_MAX_USEC) {
                if (status == BACKUP_COMPLETED)
                        return json_complain(at, name, s, "a time between 2015 and 2150");
                return 0;
        }

        *ret = at_usec;
        return 1;
}

/* The id becomes part of a path: documented as letters and digits, examples elsewhere have hyphens. */
static bool is_id(const char *s) {
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && *s != '-' && *s != '_')
                        return false;

        return true;
}

static int read_id(const JsonAt *at, char ret[static BACKUP_ID_MAX]) {
        const char *s = NULL;
        int r;

        r = json_read_text(at, "id", "a backup id", &s);
        if (r < 0)
                return r;
        if (r == 0 || !*s)
                return json_missing(at, "id", "a backup id");
        if (strlen(s) >= BACKUP_ID_MAX || !is_id(s))
                return json_complain(at, "id", "text", "a backup id of at most 64 letters, digits and hyphens");

        (void) text_copy(ret, BACKUP_ID_MAX, s, strlen(s));     /* fits */
        return 1;
}

static int read_status(const JsonAt *at, BackupStatus *ret) {
        const char *s = NULL;
        int r;

        r = json_read_text(at, "status", "a status", &s);
        if (r < 0)
                return r;
        if (r == 0 || !*s)
                return json_missing(at, "status", "a status");

        *ret = status_from_text(s);
        return 1;
}

static int decode_entry(const JsonAt *at, const CallTarget *target, BackupFacts *ret) {
        const char *type = "", *instance = NULL;
        int r;

        r = read_id(at, ret->id);
        if (r >= 0)
                r = read_status(at, &ret->status);
        if (r >= 0)
                r = json_read_text(at, "type", "auto or manual", &type);
        if (r >= 0)
                r = json_read_text(at, "instance_id", "an instance id", &instance);
        if (r >= 0)
                r = read_time(at, "begin_time", ret->status, &ret->begin_usec);
        if (r >= 0)
                r = read_time(at, "end_time", ret->status, &ret->end_usec);
        if (r < 0)
                return r;

        ret->manual = strcasecmp(type, "manual") == 0;
        ret->of_instance = !instance || streq0(instance, target->instance_id);
        if (ret->status == BACKUP_COMPLETED && ret->end_usec == 0)
                ret->end_usec = ret->begin_usec;        /* younger it cannot be */
        return 1;
}

int backups_decode(const CallTarget *target, const HttpReply *p, BackupPage *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        json_object *list = NULL;
        JsonAt root, entry;
        size_t n;
        int r;

        r = json_reply_root(p, false, failure, &o, &root);
        if (r < 0)
                return r;

        ret->total = -1;
        r = json_read_integer(&root, "total_count", "a count", 0, INT64_MAX, &ret->total);
        if (r >= 0)
                r = json_read_list(&root, "backups", &list);
        if (r < 0)
                return r;
        if (r == 0)
                return json_missing(&root, "backups", "a list");

        n = json_object_array_length(list);
        if (n > BACKUP_PAGE_MAX)
                return json_complain(&root, "backups", "too many entries", "at most " TEXT_OF(BACKUP_PAGE_MAX));
        if (n == 0)
                return 1;

        ret->items = calloc(n, sizeof(*ret->items));
        if (!ret->items)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                r = json_read_item(&root, "backups", list, i, &entry);
                if (r >= 0)
                        r = decode_entry(&entry, target, &ret->items[i]);
                if (r < 0)
                        return r;
        }

        ret->n_items = n;
        return 1;
}
