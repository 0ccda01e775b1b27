/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine-internal.h"

/*
 * What has been authorized for download. A grant cannot be taken back, so one that was made is never forgotten: the memory for it is there
 * before it is asked for, and what only the store keeps of it (bucket and paths) is held until a commit has taken it.
 */

struct GrantNote {
        GrantNote *next;
        char backup_id[BACKUP_ID_MAX];
        usec_t granted_at_usec;
        char *bucket, *file_paths;      /* NULL: not given, or there was no memory for them */
        char request_id[REQUEST_ID_MAX];
};

static void note_free(GrantNote *note) {
        if (!note)
                return;

        free(note->bucket);
        free(note->file_paths);
        free(note);
}

int grants_reserve(Kept *k) {
        DownloadMemory *m = &k->state.download;
        Grant *grants;

        grants = reallocarray(m->grants, m->n_grants + 1, sizeof(*grants));
        if (!grants)
                return -ENOMEM;
        m->grants = grants;

        if (!k->spare_note)
                k->spare_note = calloc(1, sizeof(*k->spare_note));
        return k->spare_note ? 0 : -ENOMEM;
}

static void remember(DownloadMemory *m, const GrantNote *note) {
        /* A backup that is granted again moves to the end. */
        for (size_t i = 0; i < m->n_grants; i++)
                if (streq(m->grants[i].backup_id, note->backup_id)) {
                        memmove(m->grants + i, m->grants + i + 1, (m->n_grants - i - 1) * sizeof(*m->grants));
                        m->n_grants--;
                        break;
                }
        if (m->n_grants >= DOWNLOAD_GRANTS_MAX) {
                memmove(m->grants, m->grants + 1, (m->n_grants - 1) * sizeof(*m->grants));
                m->n_grants--;
        }

        m->grants[m->n_grants] = (Grant) { .granted_at_usec = note->granted_at_usec };
        memcpy(m->grants[m->n_grants].backup_id, note->backup_id, BACKUP_ID_MAX);
        m->n_grants++;
}

/* New; NULL: out of memory. */
static char *join_paths(const GrantFacts *facts) {
        size_t n = 1;
        char *text, *p;

        for (size_t i = 0; i < facts->n_file_paths; i++)
                n += strlen(facts->file_paths[i]) + 1;
        text = malloc(n);
        if (!text)
                return NULL;

        p = text;
        *p = '\0';
        for (size_t i = 0; i < facts->n_file_paths; i++)
                p = stpcpy(stpcpy(p, i > 0 ? "\n" : ""), facts->file_paths[i]);
        return text;
}

void grants_record(Engine *e, Kept *k, const char *backup_id, const Answer *answer) {
        GrantNote *note = STEAL(k->spare_note);

        assert(note);
        assert(strlen(backup_id) < BACKUP_ID_MAX);

        (void) snprintf(note->backup_id, sizeof(note->backup_id), "%s", backup_id);
        note->granted_at_usec = answer->date_usec > 0 ? answer->date_usec : engine_realtime(e);
        (void) snprintf(note->request_id, sizeof(note->request_id), "%s", answer->request_id);
        note->bucket = answer->grant.bucket ? strdup(answer->grant.bucket) : NULL;
        note->file_paths = join_paths(&answer->grant);

        remember(&k->state.download, note);
        note->next = k->notes;
        k->notes = note;
}

int grants_put(Engine *e, const Item *item, const Kept *k) {
        for (const GrantNote *note = k->notes; note; note = note->next) {
                StateRecord record = {
                        .kind = STATE_GRANT,
                        .service = item->instance->service,
                        .instance_id = item->instance->instance_id,
                        .control = item->control,
                        .grant = {
                                .backup_id = note->backup_id,
                                .bucket = note->bucket,
                                .request_id = note->request_id,
                                .file_paths = note->file_paths,
                                .granted_at_usec = note->granted_at_usec,
                        },
                };
                int r = e->world.put(e->world.userdata, &record);

                if (r < 0)
                        return r;
        }

        return 0;
}

void grants_stored(Kept *k) {
        while (k->notes) {
                GrantNote *note = k->notes;

                k->notes = note->next;
                note_free(note);
        }
}

void grants_done(Kept *k) {
        grants_stored(k);
        note_free(k->spare_note);
        k->spare_note = NULL;
}
