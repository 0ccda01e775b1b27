/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reply of every call. First byte: the call; next two: the status, little endian; rest: the body. Under 429 the
 * body is the Retry-After header as well, and under 201 the token's header.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/calls.h"

#define HEADER_BYTES 3
#define T0 (UINT64_C(1785551940) * USEC_PER_SEC)        /* 2026-08-01T02:39:00Z */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *what) {
        if (condition)
                return;
        (void) fprintf(stderr, "broken promise: %s\n", what);
        abort();
}

static bool terminated(const char *s, size_t size) {
        return memchr(s, '\0', size) != NULL;
}

static void check_failure(const Failure *f, bool is_write) {
        require(f->class < FAILURE_CLASS__MAX, "a class");
        require(terminated(f->code, sizeof(f->code)) && terminated(f->request_id, sizeof(f->request_id)),
                "texts end");
        require(terminated(f->message, sizeof(f->message)) && *f->message, "a sentence");
        require(!strpbrk(f->message, "\n\r\x1b"), "one line");
        require(!f->maybe_done || is_write, "only writes may be done");
        require(f->class != FAILURE_UNREADABLE || f->maybe_done == is_write, "an unreadable write may be done");
        require(f->retry_after_usec <= USEC_PER_DAY, "no wait over a day");
}

static void check_lock(const LockFacts *l) {
        if (l->presence == LOCK_NONE) {
                require(l->end_usec == 0 && l->retention_days == 0, "no lock has no end");
                return;
        }
        require(l->end_usec >= TIME_MIN_USEC && l->end_usec <= TIME_MAX_USEC, "an end that is a date");
        require(l->start_usec == 0 || (l->start_usec >= TIME_MIN_USEC && l->start_usec < l->end_usec),
                "a start before it");
        require(l->retention_days >= 1 && l->retention_days <= 36500, "a term");
        require(l->unit != LOCK_UNIT_UNKNOWN, "a unit");
}

static void check_answer(const Answer *a) {
        if (a->call == CALL_LOCK_GET)
                check_lock(&a->lock);
        else if (a->call == CALL_SCHEDULE_GET)
                require(a->schedule.cycle >= -1 && a->schedule.cycle < CYCLE__MAX, "a cycle");
        else if (a->call == CALL_DOWNLOAD_AUTHORIZE)
                require(a->grant.bucket && a->grant.n_file_paths > 0, "a grant of something");
        else if (a->call == CALL_TAURUSDB_BACKUPS || a->call == CALL_GAUSSDB_BACKUPS)
                for (size_t i = 0; i < a->backups.n_items; i++)
                        require(*a->backups.items[i].id && terminated(a->backups.items[i].id, BACKUP_ID_MAX),
                                "an id");
}

static void decode_own(Call call, const HttpReply *p) {
        static const CallTarget target = {
                .origin = "https://h.example.com", .project_id = "p", .domain_id = "d", .instance_id = "i"
        };
        Ask ask = { .call = call };
        Failure f = {};
        Answer a = {};

        if (call_decode(&ask, &target, p, T0, &a, &f) > 0)
                check_answer(&a);
        else
                check_failure(&f, call_is_write(call));
        answer_done(&a);
}

/* Calls whose answers hold secrets. */
static void decode_secret(Call call, const HttpReply *p) {
        _cleanup_(credentials_freep) Credentials *credentials = NULL;
        _cleanup_(secret_freep) Secret *secret = NULL;
        Project project = {};
        Token token = {};
        Failure f = {};
        int r;

        if (call == CALL_TOKEN)
                r = iam_token_decode(p, T0, &token, &f);
        else if (call == CALL_PROJECTS)
                r = iam_projects_decode(p, "r", T0, &project, &f);
        else if (call == CALL_METADATA_TOKEN)
                r = metadata_token_decode(p, &secret, &f);
        else
                r = metadata_key_decode(p, T0, &credentials, &f);

        if (r <= 0)
                check_failure(&f, false);
        require(r <= 0 || secret || project.project_id || token.token || (credentials && credentials->secret_key),
                "what was asked for");
        token_done(&token);
        project_done(&project);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        HttpReply p = { .outcome = HTTP_REPLIED };
        Call call;

        if (size < HEADER_BYTES)
                return 0;

        call = data[0] % CALL__MAX;
        p.status = data[1] | data[2] << 8;
        p.n_body = size - HEADER_BYTES;
        p.body = malloc(p.n_body + 1);
        if (!p.body)
                return 0;
        memcpy(p.body, data + HEADER_BYTES, p.n_body);
        p.body[p.n_body] = '\0';
        if (p.status == 429)
                p.retry_after = strdup(p.body);
        if (p.status == 201)
                p.subject_token = strdup("token");

        if (call_needs_project(call))
                decode_own(call, &p);
        else
                decode_secret(call, &p);
        http_reply_done(&p);
        return 0;
}
