/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TaurusDB: encrypted backup (API Reference, Checking Whether Encrypted Backup Is Enabled; Enabling or Disabling
 * Encrypted Backup), the compliance lock (Enabling or Extending the Backup Compliance Lock), and the list of backups.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/services.h"
#include "cloud/vault-lock.h"

#define LOCK_DAYS_MIN 1
#define LOCK_DAYS_MAX 36500     /* days; TaurusDB API Reference, Enabling or Extending the Backup Compliance Lock */

static int instance_request(HttpMethod method, const CallTarget *t, const char *leaf, HttpRequest *ret) {
        const char *const parts[] = { "v3", t->project_id, "instances", t->instance_id, "backups", leaf, NULL };
        int r;

        r = request_begin(method, t->origin, parts, CONTENT_TYPE_JSON, ret);
        return r < 0 ? r : request_add_scope(ret, t, true);
}

static int encode_encryption(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        _cleanup_(json_putp) json_object *body = NULL;
        int r;

        if (!ask->encryption_set.kms_key_id || !*ask->encryption_set.kms_key_id)
                return -EINVAL;

        body = json_object_new_object();
        if (!body)
                return -ENOMEM;
        r = json_add_text(body, "encryption_status", "on");
        if (r >= 0)
                r = json_add_text(body, "type", "kms");
        if (r >= 0)
                r = json_add_text(body, "kms_key_id", ask->encryption_set.kms_key_id);
        if (r >= 0)
                r = instance_request(HTTP_POST, t, "encryption", ret);
        return r < 0 ? r : request_set_body(ret, body);
}

/* All three members always: the page calls them mandatory and gives them defaults too. */
static int encode_lock(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        _cleanup_(json_putp) json_object *body = NULL;
        json_object *info = NULL;
        int r;

        if (ask->lock_set.days < LOCK_DAYS_MIN || ask->lock_set.days > LOCK_DAYS_MAX ||
            (ask->lock_set.action != LOCK_ENABLE && ask->lock_set.action != LOCK_EXTEND))
                return -EINVAL;

        body = json_object_new_object();
        if (!body)
                return -ENOMEM;
        r = json_add_object(body, "backup_vaultlock_info", &info);
        if (r >= 0)
                r = json_add(info, "lock_retention_days", json_object_new_int64(ask->lock_set.days));
        if (r >= 0)
                r = json_add(info, "lock_policy", json_object_new_boolean(true));
        if (r >= 0)
                r = json_add_text(body, "action", lock_action_to_string(ask->lock_set.action));
        if (r >= 0)
                r = instance_request(HTTP_PUT, t, "vault-lock", ret);
        return r < 0 ? r : request_set_body(ret, body);
}

static int encode_backups(const Ask *ask, const CallTarget *t, HttpRequest *ret) {
        const char *const parts[] = { "v3", t->project_id, "backups", NULL };
        int r;

        r = request_begin(HTTP_GET, t->origin, parts, CONTENT_TYPE_JSON, ret);
        if (r >= 0)
                r = request_add_scope(ret, t, true);
        if (r >= 0)
                r = backups_add_query(ret, t, ask->backups.offset);
        return r < 0 ? r : request_add_query(ret, "backup_type", "manual");
}

int taurusdb_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret) {
        if (ask->call == CALL_ENCRYPTION_GET)
                return instance_request(HTTP_GET, target, "encryption", ret);
        if (ask->call == CALL_ENCRYPTION_SET)
                return encode_encryption(ask, target, ret);
        if (ask->call == CALL_LOCK_GET)
                return instance_request(HTTP_GET, target, "vault-lock", ret);
        if (ask->call == CALL_LOCK_SET)
                return encode_lock(ask, target, ret);
        return encode_backups(ask, target, ret);
}

static int decode_encryption(const HttpReply *p, bool *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        const char *status = NULL;
        JsonAt root;
        int r;

        r = json_reply_root(p, false, failure, &o, &root);
        if (r < 0)
                return r;

        r = json_read_text(&root, "encryption_status", "on or off", &status);
        if (r < 0)
                return r;
        if (r == 0)
                return json_missing(&root, "encryption_status", "on or off");
        if (strcasecmp(status, "on") != 0 && strcasecmp(status, "off") != 0)
                return json_complain(&root, "encryption_status", *status ? "another word" : "empty text",
                                     "on or off");

        *ret = strcasecmp(status, "on") == 0;
        return 1;
}

int taurusdb_decode(Call call, const CallTarget *target, const HttpReply *p, usec_t now_usec, Answer *ret,
                    Failure *failure) {
        if (call == CALL_ENCRYPTION_GET)
                return decode_encryption(p, &ret->encryption_on, failure);
        if (call == CALL_ENCRYPTION_SET) {
                /* What the reply to a write says proves nothing: it is read back, and until then it is not on. */
                Failure ignored;
                int r = decode_encryption(p, &ret->encryption_on, &ignored);

                return r == -EBADMSG ? 1 : r;
        }
        if (call == CALL_LOCK_GET)
                return vault_lock_decode(p, now_usec, &ret->lock, failure);
        if (call == CALL_LOCK_SET) {
                ret->lock_accepted = result_is_success(p);
                return 1;
        }
        return backups_decode(target, p, &ret->backups, failure);
}
