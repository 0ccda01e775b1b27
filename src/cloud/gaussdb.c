/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GaussDB: the list of backups, and leave to download one. (GaussDB API Reference, Authorizing Users to Download
 * Backups)
 */
#include <errno.h>
#include <stdio.h>

#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/services.h"
#include "cloud/text.h"

static int encode_backups(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        static const char *const versions[GAUSSDB_API_VERSIONS] = { "v3.2", "v3.1", "v3" };
        const char *parts[] = { NULL, t->project_id, "backups", NULL };
        int r;

        if (t->api_version >= GAUSSDB_API_VERSIONS)
                return -EINVAL;

        parts[0] = versions[t->api_version];
        r = request_begin(HTTP_GET, t->origin, parts, CONTENT_TYPE_JSON, ret);
        if (r >= 0)
                r = request_add_scope(ret, t, true);
        return r < 0 ? r : backups_add_query(ret, t, ask->backups.offset);
}

static int encode_authorize(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        const char *id = ask->authorize.backup_id;
        const char *const parts[] = { "v3", t->project_id, "backups", id, "download", "authorization", NULL };
        int r;

        if (!memchr(id, '\0', sizeof(ask->authorize.backup_id)) || !text_is_visible(id, strlen(id)))
                return -EINVAL;

        r = request_begin(HTTP_POST, t->origin, parts, CONTENT_TYPE_JSON, ret);
        return r < 0 ? r : request_add_scope(ret, t, true);
}

int gaussdb_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret) {
        return ask->call == CALL_DOWNLOAD_AUTHORIZE ? encode_authorize(ask, target, ret)
                                                    : encode_backups(ask, target, ret);
}

static int read_path(const JsonAt *root, json_object *list, size_t i, char **ret) {
        json_object *item = json_object_array_get_idx(list, i);
        const char *s = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : NULL;
        char name[sizeof("file_paths[18446744073709551615]")];

        /* The length shows a NUL inside, which would cut the path. */
        if (!s || !*s || strlen(s) != (size_t) json_object_get_string_len(item)) {
                (void) snprintf(name, sizeof(name), "file_paths[%zu]", i);
                return json_complain(root, name, s ? "an odd text" : "no text", "a path");
        }

        *ret = strdup(s);
        return *ret ? 1 : -ENOMEM;
}

static int read_paths(const JsonAt *root, GrantFacts *ret) {
        json_object *list = NULL;
        size_t n;
        int r;

        r = json_read_list(root, "file_paths", &list);
        if (r < 0)
                return r;
        if (r == 0)
                return json_missing(root, "file_paths", "a list of paths");

        n = json_object_array_length(list);
        if (n == 0)
                return json_complain(root, "file_paths", "an empty list", "at least one path");

        ret->file_paths = calloc(n, sizeof(*ret->file_paths));
        if (!ret->file_paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = read_path(root, list, i, &ret->file_paths[i]);
                if (r < 0)
                        return r;
                ret->n_file_paths++;
        }
        return 1;
}

static int decode_grant(const HttpReply *p, GrantFacts *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        const char *bucket = NULL;
        JsonAt root;
        int r;

        r = json_reply_root(p, false, failure, &o, &root);
        if (r < 0)
                return r;

        r = json_read_text(&root, "bucket", "a bucket's name", &bucket);
        if (r < 0)
                return r;
        if (r == 0 || !*bucket)
                return json_missing(&root, "bucket", "a bucket's name");

        ret->bucket = strdup(bucket);
        if (!ret->bucket)
                return -ENOMEM;
        return read_paths(&root, ret);
}

int gaussdb_decode(Call call, const CallTarget *target, const HttpReply *p, Answer *ret, Failure *failure) {
        return call == CALL_DOWNLOAD_AUTHORIZE ? decode_grant(p, &ret->grant, failure) :
                                                 backups_decode(target, p, &ret->backups, failure);
}
