/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world for the engine in which time is a number: two clocks that are advanced, the simulated cloud in process, and whatever its user
 * makes go wrong. tests/simulation lives years in it, and `holdfastctl rehearse` plays an owner's configuration. The same seed and the
 * same calls give the same life.
 *
 * There are three times: the cloud's, which is the true one; CLOCK_BOOTTIME of the host, which runs with it; and the host's wall clock, which
 * can be wrong.
 */

#include "engine/engine.h"
#include "sim/rules.h"

typedef struct Machine Machine;

/* What becomes of one exchange. */
typedef enum MachineFate {
        MACHINE_DELIVER,        /* the cloud is asked, its reply arrives */
        MACHINE_REFUSE,         /* no connection: the cloud never sees the request */
        MACHINE_LOSE_REQUEST,   /* times out on the way there: no effect */
        MACHINE_LOSE_REPLY,     /* takes effect, the reply is lost */
        MACHINE_ALTER,          /* as DELIVER, but replied() will change the reply: never answered from memory */
        MACHINE_INVENT,         /* the cloud never sees it; replied() makes up the reply, which comes to it as a 200 with nothing but the cloud's
                                 * Date */
        MACHINE_FATE__MAX,
} MachineFate;

typedef struct MachineExchange {
        const HttpRequest *request;     /* in fate(): NULL for asks of a look, which are not encoded yet */
        const Instance *instance;       /* NULL: IAM or metadata */
        const Ask *ask;                 /* likewise */
        uint64_t cookie;
} MachineExchange;

/* What the machine's user takes part in; NULL: the machine's own way. None may call the machine back, except for the times, chance, counts and
 * machine_kill(), and where said. */
typedef struct MachineHooks {
        void *userdata;

        /* Every ask of a look, before it is encoded, also if it is answered from memory. */
        void (*asked)(void *userdata, const Instance *instance, const Ask *ask);
        /* Must this read go the whole way, through fate() and replied(), although memory could answer it? NULL: none must. */
        bool (*whole)(void *userdata, const Instance *instance, const Ask *ask);
        /* Before the cloud or memory is asked, once for each exchange: what becomes of it, and after which delay (default: the machine's
         * latency). */
        MachineFate (*fate)(void *userdata, const MachineExchange *x, usec_t *delay_usec);
        /* The reply on its way back (DELIVER, if memory did not answer, ALTER and INVENT): may be changed (its members are heap texts). */
        void (*replied)(void *userdata, const MachineExchange *x, HttpReply *reply);
        /* The engine is about to be handed a reply, or the answer of memory (then @reply is NULL and @answer is set). */
        void (*delivered)(void *userdata, uint64_t cookie, const HttpReply *reply, const Answer *answer);

        int (*put)(void *userdata, const StateRecord *record);  /* default: 0, forgotten */
        int (*commit)(void *userdata);                          /* default: 0 */
        void (*say)(void *userdata, const Event *event);
        /* Default: the key below, from whatever source is asked for it. The cloud must know it, or ask for none. */
        int (*credentials)(void *userdata, const Settings *settings, CredentialsSource source, Credentials **ret, char **reterr);
        /* All that was due at this moment is done. May change the cloud with machine_change() and machine_forget(), but not the engine. */
        void (*rested)(void *userdata);
} MachineHooks;

#define MACHINE_ACCESS_KEY "SIMULATEDKEY00000001"
#define MACHINE_SECRET_KEY "simulated-secret-key-for-trying-only"
#define MACHINE_PASSWORD "simulated-password"    /* for source password: nothing is signed then, and whole exchanges take half the time */

typedef struct MachineOptions {
        uint64_t seed;
        usec_t start_usec;              /* the cloud's time, and the host's, at the beginning */
        usec_t latency_usec;            /* of an exchange */
        EngineOptions engine;
        /* An unchanged read is answered from memory, without encoding, signing and decoding; one in @verify of these goes the whole way all
         * the same, and must come out alike. 0: every read goes the whole way. */
        unsigned verify;
        /* Polls that can show nothing new are left out: those before the verdict can change by itself, before quiet_until, and while the
         * cloud does not change. For rehearsals. */
        bool skip;
} MachineOptions;

/* @sim: borrowed; its state is its user's to change, with machine_change(). */
int machine_new(const MachineOptions *options, const MachineHooks *hooks, Sim *sim, Machine **ret);
Machine *machine_free(Machine *m);
DEFINE_CLEANUP(Machine *, machine_free)

/* The engine's life. boot: a new process (restore with engine_restore() on machine_engine(), then engine_configure()); kill: gone between two
 * instructions, with everything in flight. In a hook too: nothing that the engine does after that instruction reaches the world any more, and
 * it is gone when machine_run() returns, at once and with 0. */
int machine_boot(Machine *m);
void machine_kill(Machine *m);
Engine *machine_engine(Machine *m);     /* NULL: not running */

usec_t machine_cloud_time(const Machine *m);
usec_t machine_boottime(const Machine *m);
usec_t machine_wall_time(const Machine *m);
uint64_t machine_random(Machine *m);    /* of the machine's own stream */

/**
 * machine_run() - live until @until_usec of CLOCK_BOOTTIME
 *
 * Without an engine time passes all the same. Return: 0; -ELOOP if the engine does not come to rest at one moment; -errno of the engine.
 */
int machine_run(Machine *m, usec_t until_usec);
void machine_suspend(Machine *m, usec_t for_usec);      /* the host sleeps: exchanges in flight are lost, then due is due */
void machine_step_clock(Machine *m, int64_t by_usec);   /* the host's wall clock alone, never to before 1970; tells the engine */

/* Changes the cloud (a document as of holdfast-sim(1)), and forgets what reads have shown. -EINVAL: with diagnostics. */
int machine_change(Machine *m, const char *yaml, Diagnostics *reterr);
void machine_forget(Machine *m);        /* what reads have shown: somebody changed the cloud behind the machine's back */
/* With skip: until when (CLOCK_BOOTTIME) the user will change nothing. */
void machine_set_quiet(Machine *m, usec_t until_usec);

typedef struct MachineCounts {
        uint64_t n_asked, n_sent, n_remembered, n_verified;
} MachineCounts;

void machine_counts(const Machine *m, MachineCounts *ret);
