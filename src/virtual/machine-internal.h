/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this room share:
 *
 *      machine.c       lives: time, the engine's beginning and end
 *      world.c         what the engine sees of it: the callbacks of World
 *      memory.c        what reads have shown
 *      pending.c       exchanges under way
 *      wire.c          the engine's requests and replies as those of the simulated cloud
 */

#include "base/hash.h"
#include "virtual/machine.h"

/* How long what a read shows will last: see SimReply. */
typedef struct WireSteady {
        usec_t until_usec, news_at_usec;
} WireSteady;

/* What one read has shown, for as long as it would show the same again. */
typedef struct Remembered {
        unsigned n_ref;
        unsigned generation;
        int64_t offset;         /* of a page of backups */
        usec_t until_usec;      /* the simulated cloud's clock */
        usec_t news_at_usec;    /* likewise: no earlier will anything be seen that is not seen yet */
        Answer answer;
} Remembered;

#define MEMORY_READS 5          /* kinds of reads that can be remembered */

/* What is known of one instance. */
typedef struct Known {
        const Instance *instance;
        UT_hash_handle hh;
        /* Whose it is. Policies come and go, and a new one may lie where an old one lay. */
        char *instance_id, *region, *project_id, *domain_id;
        Remembered *reads[MEMORY_READS];
} Known;

typedef struct Memory {
        Known *known;
        unsigned generation;    /* of what may still be used */
} Memory;

Remembered *remembered_ref(Remembered *r);
Remembered *remembered_unref(Remembered *r);
DEFINE_CLEANUP(Remembered *, remembered_unref)

bool memory_can_hold(const Ask *ask);
/* What the ask would be answered at @now_usec of the simulated cloud's clock; belongs to memory. NULL: not known. */
Remembered *memory_find(const Memory *y, const Instance *i, const Ask *ask, usec_t now_usec);
/* Returns what is known now, which belongs to memory; NULL: out of memory. */
Remembered *memory_learn(Memory *y, const Instance *i, const Ask *ask, const WireSteady *steady, Answer *taken);
/* When the reads of a control can show something new, on the simulated cloud's clock, if nobody does anything; 0: not known. */
usec_t memory_news_at(const Memory *y, const Instance *i, Control control);
void memory_forget_call(Memory *y, const Instance *i, Call call);
void memory_forget_instance(Memory *y, const Instance *i);      /* something was written to it */
void memory_forget(Memory *y);
void memory_done(Memory *y);
bool memory_is_alike(const Answer *a, const Answer *b);         /* but for date and request id */

/* One exchange that the engine waits for. */
typedef struct Pending {
        uint64_t cookie;
        HttpReply reply;
        Remembered *remembered; /* NULL: the reply counts */
        usec_t date_usec;       /* of what is remembered */
} Pending;

typedef struct PendingSlot {
        usec_t at_usec;         /* CLOCK_BOOTTIME */
        uint64_t number;        /* what is due at the same moment comes in the order of sending */
        Pending *pending;
} PendingSlot;

typedef struct PendingQueue {
        PendingSlot *slots;     /* a heap */
        size_t n, n_allocated;
        uint64_t n_ever;
} PendingQueue;

int pending_add(PendingQueue *q, usec_t at_usec, Pending *taken);       /* taken on success; 0 or -ENOMEM */
Pending *pending_free(Pending *p);
DEFINE_CLEANUP(Pending *, pending_free)
static inline usec_t pending_next_usec(const PendingQueue *q) { return q->n > 0 ? q->slots[0].at_usec : USEC_INFINITY; }
Pending *pending_take(PendingQueue *q);                         /* the next; there must be one */
void pending_lose_all(PendingQueue *q, usec_t at_usec);         /* each ends without a reply, then */
void pending_drop_all(PendingQueue *q);
void pending_done(PendingQueue *q);

/* What is to become of an exchange. */
typedef struct Draw {
        bool valid;
        uint64_t cookie;
        MachineFate fate;
        usec_t delay_usec;
        const Instance *instance;
        const Ask *ask;
        Remembered *expected;   /* it goes the whole way to be compared with this; owned */
} Draw;

struct Machine {
        MachineOptions options;
        MachineHooks hooks;
        Sim *sim;
        Engine *engine;
        unsigned n_in_hook;
        bool dead;              /* killed in a hook: the engine is there still, and nobody listens */
        usec_t boot_usec;
        int64_t wall_ahead_usec;        /* of the cloud's time */
        uint64_t random;
        bool commit_asked;
        usec_t quiet_usec;
        PendingQueue pending;
        Memory memory;
        uint64_t n_recalled;    /* answered from memory, or could have been */
        Draw draw;              /* of the ask that is about to be sent */
        MachineCounts counts;
};

#define HOOK(m, call)                   \
        do {                            \
                (m)->n_in_hook++;       \
                call;                   \
                (m)->n_in_hook--;       \
        } while (0)

/* world.c */
World machine_world(Machine *m);
int machine_commit(Machine *m);

/* wire.c */
/* Asks the cloud. Return: 0 or -errno. */
int wire_exchange(Sim *sim, const HttpRequest *request, usec_t now_usec, HttpReply *ret, usec_t *ret_delay_usec,
                  WireSteady *ret_steady);
int wire_empty(usec_t now_usec, HttpReply *ret);        /* 200 with nothing but a Date */
int wire_fail(HttpOutcome outcome, const char *error, HttpReply *ret);
uint64_t wire_digest(const HttpReply *p);       /* of all that a hook can change */
