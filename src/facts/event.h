/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Events: what the journal is told. One table holds name, priority and MESSAGE_ID of each; the message catalog and
 * holdfastd(8) are held against it by a test. Rooms fill records; report/ alone writes them.
 */

#include "facts/facts.h"

typedef enum EventId {
        EVENT_STARTED,
        EVENT_STOPPING,
        EVENT_RELOADED,
        EVENT_POLICY_REJECTED,
        EVENT_POLICY_REMOVED,
        EVENT_COMPLIANT,
        EVENT_DRIFT,
        EVENT_REMEDIATED,
        EVENT_REMEDIATION_FAILED,
        EVENT_LOCK_ENABLED,
        EVENT_LOCK_EXTENDED,
        EVENT_LOCK_EXPIRING,
        EVENT_LOCK_LAPSED,
        EVENT_LOCK_REFUSED,
        EVENT_LOCK_FROZEN,
        EVENT_LOCK_THAWED,
        EVENT_UNKNOWN,
        EVENT_LOCK_EMPTY,
        EVENT_BACKUP_STALE,
        EVENT_DOWNLOAD_AUTHORIZED,
        EVENT_API_FAILING,
        EVENT_API_RECOVERED,
        EVENT_CREDENTIALS_REJECTED,
        EVENT_CREDENTIALS_REFRESHED,
        EVENT_CLOCK_SKEW,
        EVENT_STATE_RESET,      /* the state database was broken and set aside */
        EVENT_STATE_FAILING,    /* the state cannot be written: lock writes wait */
        EVENT_STATE_RECOVERED,
        EVENT_BUS_JOINED,
        EVENT_BUS_LOST,         /* there is no system bus, or it does not take us */
        EVENT_INTERNAL_ERROR,   /* something of this host failed us: memory, descriptors */
        EVENT_MESSAGES_LOST,    /* the log did not take some */
        EVENT__MAX,
} EventId;

typedef struct EventType {
        const char *name;       /* "lock-extended" */
        int priority;           /* as syslog(3): 1 alert … 7 debug */
        const char *message_id; /* 32 hex digits */
        bool lasting;           /* describes a state: said once, and again every 24 h while it lasts */
} EventType;

const EventType *event_type(EventId id);

#define EVENT_MESSAGE_MAX 2048

typedef struct Event {
        EventId id;
        int priority;           /* -1: the table's */
        char message[EVENT_MESSAGE_MAX];        /* a sentence; starts with the instance's name where there is one */
        const char *name;       /* HOLDFAST_NAME … all borrowed, NULL or 0 where they do not apply */
        const char *instance;
        const char *service;
        const char *region;
        const char *control;
        int http_status;
        const char *error_code;
        const char *request_id;
        usec_t lock_end_usec;
        const char *file;
        unsigned line, column;
} Event;

#define EVENT(i) { .id = (i), .priority = -1 }

void event_set_message(Event *e, const char *format, ...) _printf_(2, 3);
