/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The state as it is at one moment, for those who only look: while a daemon runs as well as without one. Nothing is claimed,
 * repaired, brought up to date or written.
 */

#include "facts/state.h"

typedef struct StoreView StoreView;

/**
 * store_view_open() - look at the database of a state folder
 *
 * What the view shows is one moment's state, however long it is held; a daemon that writes meanwhile is not held up, but its log
 * grows: do not hold it for long.
 *
 * Return: 0; -ENOENT if there is no database yet; -EACCES if it may not be read; -EBADMSG if it is damaged or not holdfast's;
 * -EPROTONOSUPPORT if it is of a newer version than this program knows; -EBUSY; -errno.
 */
int store_view_open(const char *dir, StoreView **ret);
StoreView *store_view_free(StoreView *v);
DEFINE_CLEANUP(StoreView *, store_view_free)

/* As store_load(). */
int store_view_load(StoreView *v, int (*on_record)(void *userdata, const StateRecord *record), void *userdata, size_t *ret_skipped);

typedef enum EvidenceKind {
        EVIDENCE_ALL,
        EVIDENCE_VERDICTS,      /* "verdict", and "unknown": that there was none for long */
        EVIDENCE_CHANGES,       /* changes that holdfast made and read back */
        EVIDENCE_SAID,          /* events: what the journal was told */
        EVIDENCE_KIND__MAX,
} EvidenceKind;

typedef struct EvidenceQuery {
        EvidenceKind kind;
        Service service;
        const char *instance_id;        /* NULL: of every instance, and what belongs to none; @service does not count then */
        int control;                    /* Control; -1: any */
        usec_t since_usec;              /* 0: from the beginning */
        int64_t limit;                  /* the newest so many; 0: no limit */
} EvidenceQuery;

/**
 * store_view_history() - what happened, the newest first
 * @on_evidence: gets records of STATE_EVIDENCE: service is SERVICE__MAX, instance_id NULL and control CONTROL__MAX where a row has
 *              none; a negative return ends it. A row that makes no sense is left out.
 *
 * Return: 0 or -errno.
 */
int store_view_history(StoreView *v, const EvidenceQuery *query, int (*on_evidence)(void *userdata, const StateRecord *record),
                       void *userdata);

/* Does a process hold the folder, such as holdfastd? False also where that cannot be told. */
bool store_is_held(const char *dir);

/* What -EPROTONOSUPPORT means, for people: which version was found, which is known, and what to do. Returns @buf. */
#define STORE_TEXT_MAX 512
char *store_explain_newer(const char *dir, char buf[static STORE_TEXT_MAX]);

/* When something was last written to the database, by the file's times; 0: not known. */
usec_t store_view_written_usec(const StoreView *v);
