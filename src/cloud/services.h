/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The services' sides of call_encode() and call_decode(). Encoders get a target that has what the call needs.
 * Decoders get a 2xx reply and return 1; -EBADMSG with the failure set; -ENOMEM. What they leave in @ret belongs to
 * the caller also on failure.
 */

#include "cloud/calls.h"

int taurusdb_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret);
int taurusdb_decode(Call call, const CallTarget *target, const HttpReply *p, usec_t now_usec, Answer *ret,
                    Failure *failure);

int dbss_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret);
int dbss_decode(Call call, const HttpReply *p, Answer *ret, Failure *failure);

int gaussdb_encode(const Ask *ask, const CallTarget *target, HttpRequest *ret);
int gaussdb_decode(Call call, const CallTarget *target, const HttpReply *p, Answer *ret, Failure *failure);

/* Lists of backups, which TaurusDB and GaussDB write alike. @ret->items is new. */
int backups_decode(const CallTarget *target, const HttpReply *p, BackupPage *ret, Failure *failure);
/* Their common query: the instance, and a page of BACKUP_PAGE_LIMIT from @offset. */
int backups_add_query(HttpRequest *q, const CallTarget *target, int64_t offset);

/*
 * Does a write's 2xx reply say {"result":"success"}, in any case? Whatever else it says is no "yes", and no failure:
 * it is read back.
 */
bool result_is_success(const HttpReply *p);
