/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this room share. Who calls whom, downwards only:
 *
 *      engine.c        made, run, told what happened, asked how things stand
 *      load.c          settings and policies in and out of force
 *      due.c           when each control is looked at
 *      state.c         what survives a restart, and the budget of new locks
 *      shelf.c         what is known of controls that are not in force
 *      kept.c          what a control knows, small while nobody looks at it
 *      grants.c        what has been authorized for download
 *      order.c         controls in the order of their names, and which of them stand how
 *      inspect.c       how each control and endpoint stands, for people
 *      look.c          one look at one control: steps, asks, verdicts, sayings
 *      outage.c        trouble of one control alone
 *      endpoint.c      one origin: queue, rate, slots, health, what was learned
 *      identity.c      who we are, and the rule against locking a key out
 *      scope.c         tokens and projects, from IAM
 *      metadata.c      temporary keys, from the metadata service
 *      flight.c        one exchange: encode, sign, send, decode
 *      scrub.c         secrets out of the cloud's words
 *      heap.c
 *      table.c         many small things, by what they are called
 *      packed.c        structs that are mostly zero, made small
 */

#include "base/hash.h"

#include "cloud/calls.h"
#include "cloud/sign.h"
#include "control/control.h"
#include "engine/engine.h"
#include "engine/heap.h"
#include "engine/table.h"

typedef struct Endpoint Endpoint;
typedef struct GrantNote GrantNote;
typedef struct Item Item;
typedef struct Run Run;

/* Settings outlive a load: at a reload with a broken holdfast.yaml they stay in force. */
typedef struct SharedSettings {
        Settings *settings;
        unsigned n_ref;
} SharedSettings;

/* Settings and policies of one load, kept while a look still runs under them. */
typedef struct Load {
        SharedSettings *shared;
        Settings *settings;     /* of @shared */
        PolicySet *policies;
        unsigned n_ref;
} Load;

Load *load_ref(Load *l);
Load *load_unref(Load *l);

/* A failure as it is kept for those who ask: without what only a look needs. The texts follow each other in one block. */
typedef struct ItemFailure {
        FailureClass class;
        int http_status;
        unsigned n_unwell;      /* looks in a row that found nobody well, with this one; while the endpoint was not said to fail */
        const char *code, *request_id;          /* "": none */
        char message[];
} ItemFailure;

/* All controls in force, sorted by name and then by control; and for each verdict the set of those that show it, a bit a place. */
typedef struct Order {
        Item **items;
        size_t n;
        size_t n_allocated;
        uint64_t *sets[VERDICT__MAX];
} Order;

/* What a control is told from all others by: "taurusdb/<instance id>/lock". */
typedef struct ItemKey {
        Service service;
        const char *instance_id;        /* borrowed */
        Control control;
} ItemKey;

/* What a control knows. Zeros where there is nothing to know: it is packed by leaving them out. */
typedef struct Kept {
        ControlState state;             /* its told.why is shared with others that say the same: kept_set_why() */
        ItemFailure *failure;           /* how the last look failed; NULL: it did not */
        GrantNote *notes, *spare_note;  /* download: grants that are not durable yet, and room for the next */
} Kept;

/* The same while a look works on it. */
typedef struct Open {
        Kept kept;
        Run *run;               /* the look that goes on, or NULL: there was no memory to pack it again */
} Open;

/* One control of one instance. There are many: what only a look needs is in Run, and what few have in Kept. */
struct Item {
        const Instance *instance;       /* of the load in force; one that is gone: of @load */
        union {
                uint8_t *packed;        /* Kept; NULL: nothing is known */
                Open *open;             /* if is_open */
        };
        Item *next;             /* in the endpoint's queue while ready; among those leaving while gone */
        union {
                usec_t poll_at_usec;    /* CLOCK_BOOTTIME of the next regular poll; retries come before it */
                Load *load;             /* while gone */
        };
        usec_t round_at_usec;   /* CLOCK_BOOTTIME of its first look: a round is a poll and what came out of turn around it */

        HeapNode due;           /* CLOCK_BOOTTIME; in no heap while ready or running */
        HeapNode renewal;       /* locks: wall clock at which less than renew_before will remain */

        uint16_t endpoint_number;       /* 0: no endpoint is known for its region */
        uint8_t control;        /* Control */
        uint8_t shown;          /* Verdict, as counted: UNKNOWN until looked */
        uint8_t n_retries;      /* since the last regular poll; more are not counted */
        bool is_open : 1;
        bool ready : 1;
        bool first : 1;         /* while ready: among those that go before all others */
        bool counted : 1;       /* this round's failure to determine is counted */
        bool looked : 1;        /* a look of this process gave a verdict */
        bool finished : 1;      /* --once: came to its end */
        bool gone : 1;          /* its policy was removed while a look ran, or there was no memory to shelve it */
        bool changed : 1;       /* its policy was changed while a look ran: look again */
        bool stays : 1;         /* while policies are put in force: it is among the new ones too */
        bool moved : 1;         /* likewise: it differs from before */
        bool unconfirmed : 1;   /* a change of its was accepted, and could not be read back yet */
        bool told_changed : 1;  /* state.told differs from what is stored, and nothing else does */
        bool dirty : 1;         /* state differs from what is stored */
        bool missing : 1;       /* and the next commit will not change that: it could not be put */
};

typedef enum RunState {
        RUN_STEPPING,
        RUN_QUEUED,             /* waits for the endpoint or for an identity */
        RUN_IN_FLIGHT,
        RUN_COMMITTING,         /* the ask goes out once the state is stored */
        RUN_LATER,              /* waits to read back */
} RunState;

/* One look. */
struct Run {
        Engine *engine;
        Item *item;
        Load *load;
        const Instance *instance;       /* of @load */
        Endpoint *endpoint;     /* of the item: not changed while a look runs */
        Look look;
        Ask ask;
        RunState state;
        Run *next;              /* in the endpoint's queue, or among those committing */
        HeapNode later;         /* CLOCK_BOOTTIME */
        usec_t decided_at_usec; /* CLOCK_BOOTTIME of the step that asked */
        unsigned n_auth_tries;  /* of this ask */
        bool store;             /* the state must be stored before it goes out */
        bool paid;              /* rate and slot were granted before it was stored */
        unsigned api_version;   /* as sent */
        bool failed;            /* the last step was handed a failure */
        Failure failure;        /* the last that was */
        bool state_changed;     /* what the store has is out of date */
        unsigned said;          /* set of SaidId that this look has passed, said or not */
        bool said_drift;        /* this look has said it */
        bool hampered;          /* the last decision was */
};

/* A Date that was seen, and when. */
typedef struct CloudClock {
        usec_t date_usec;       /* 0: none yet */
        usec_t at_usec;         /* CLOCK_BOOTTIME */
} CloudClock;

/* One origin. */
struct Endpoint {
        char *origin;
        UT_hash_handle hh;
        Service service;        /* of the first use */
        char *region;           /* likewise, for events; may be NULL */
        uint16_t number;        /* from 1 */
        EndpointState state;

        Item *ready[2], *ready_tail[2];         /* [0] locks that cannot wait, [1] all others */
        Run *asks, *asks_tail;                  /* looks that go on: before new ones */
        unsigned n_running;     /* exchanges, and what is being stored to go out at once */
        double tokens;
        usec_t tokens_at_usec, started_at_usec, paused_until_usec;      /* CLOCK_BOOTTIME */
        usec_t wanted_at_usec;                  /* CLOCK_BOOTTIME: since then something has waited here, this or that; 0: nothing does */
        const Item *trial_item; /* the last lock to be extended by a reading that is only stated; to be compared only, it may be gone */
        usec_t trial_until_usec;                /* CLOCK_BOOTTIME: its effect may be awaited for so long */
        unsigned gaussdb_version;
        bool pumped;            /* in this turn */
        bool dirty, missing;    /* state differs from what is stored; and could not be put */

        unsigned n_failed;      /* exchanges in a row that found the endpoint itself unwell */
        unsigned n_failed_items;        /* changes from one control to another among them: 0 while it may be the control that is unwell */
        const Item *failed_item;        /* the last of these; to be compared only, it may be gone */
        unsigned n_unanswered_items;    /* likewise, among those in a row that nobody has answered */
        const Item *unanswered_item;
        usec_t failing_since_usec;              /* CLOCK_BOOTTIME */
        usec_t well_at_usec;                    /* CLOCK_BOOTTIME of the last reply that showed it well */
        usec_t throttled_since_usec;            /* CLOCK_BOOTTIME: every reply since then was a 429; 0: the last was none */
        usec_t contact_at_usec;                 /* wall clock of the last reply of any kind; 0: none */
        CloudClock clock;                       /* its own, as last shown */
        Said said_failing, said_skew;
};

typedef enum IdentityState {
        IDENTITY_NONE,          /* nothing read yet, or nothing there */
        IDENTITY_FETCHING,      /* the metadata service was asked */
        IDENTITY_UNPROVEN,      /* the next request goes alone */
        IDENTITY_PROVEN,
        IDENTITY_REFUSED,       /* all calls stop */
} IdentityState;

/* A token or a project that was, or is being, looked up. */
typedef struct Scope {
        char *key;              /* IAM origin, then project id or region */
        UT_hash_handle hh;
        Endpoint *iam;
        char *region, *project_id;              /* as asked for; project NULL: by region */
        bool is_token;
        bool fetching;
        Token token;            /* tokens; its ids also for projects */
        Secret *former;         /* the token of before: answers to it may still come, and repeat it */
        bool known;             /* the answer is there */
        usec_t refresh_at_usec; /* wall clock; tokens */
        usec_t retry_at_usec;   /* CLOCK_BOOTTIME after a failure */
        usec_t wait_until_usec; /* CLOCK_BOOTTIME: IAM's rate allows the request then; 0: nothing waits */
        unsigned n_failed;
        usec_t renewed_at_usec; /* CLOCK_BOOTTIME: renewed on a refusal, and no call went through since; 0: not */
        Failure failure;        /* the last, while not known */
        bool failed;
        unsigned n_refused;     /* answers in a row without what was asked for, though IAM itself was well */
        usec_t refused_since_usec;              /* CLOCK_BOOTTIME */
        Said said_failing;
} Scope;

typedef struct Identity {
        IdentityState state;
        Credentials *credentials;
        Signer *signer;
        unsigned n_probing;     /* requests on their way while unproven */
        usec_t proven_at_usec, refused_until_usec, retry_at_usec;       /* CLOCK_BOOTTIME */
        usec_t quick_usec;      /* what an exchange takes from here, if nothing holds it up; 0: not known yet */
        usec_t judged_at_usec;  /* CLOCK_BOOTTIME: the oldest signature that others wait for is no longer in doubt; 0: none */
        usec_t refresh_at_usec; /* wall clock: temporary keys */
        uint32_t who;           /* digest of user and account, with a password */
        unsigned generation;    /* counts changes of the credentials */
        unsigned n_failed;
        Endpoint *metadata;
        Secret *metadata_token;
        usec_t metadata_token_until_usec, no_token_until_usec;          /* CLOCK_BOOTTIME */
        bool metadata_retried;
        bool refreshing;        /* metadata: while the old key is in use */
        bool renewed;           /* metadata: on a refusal, and nothing was accepted since: the next refusal is not the key's fault */
        unsigned n_renewals;    /* on a refusal, of late */
        usec_t renewals_since_usec;     /* CLOCK_BOOTTIME */
        bool said_ready;
        Scope *scopes;
        Failure failure;        /* why there is none, or why it was refused */
        Said said_rejected;
} Identity;

typedef enum FlightKind {
        FLIGHT_RUN,
        FLIGHT_TOKEN,
        FLIGHT_PROJECT,
        FLIGHT_METADATA_TOKEN,
        FLIGHT_METADATA_KEY,
} FlightKind;

/* One exchange under way; its address is the cookie. */
typedef struct Flight {
        FlightKind kind;
        Endpoint *endpoint;
        Run *run;
        Scope *scope;
        bool signed_with_key;   /* counts for the lock-out rule */
        bool probing;
        usec_t sent_at_usec;    /* CLOCK_BOOTTIME */
        unsigned generation;    /* of the identity it went out with */
        struct Flight *prev, *next;
} Flight;

/* What became of a budgeted "enable". */
typedef struct Enabled {
        UT_hash_handle hh;
        usec_t at_usec;
        char instance_id[];
} Enabled;

/* What is known of a control that is not in force. */
typedef struct Shelved {
        TableNode node;
        uint8_t *packed;        /* Kept; NULL: nothing */
        uint8_t service, control;
        char instance_id[];
} Shelved;

struct Engine {
        World world;
        EngineOptions options;
        Load *load;
        size_t n_items;
        Item *leaving;          /* those that are gone */
        Table shelf;            /* of Shelved */
        Table texts;            /* of what controls say, each once */
        Enabled *enabled[SERVICE__MAX];
        bool enabled_lost;      /* one could not be counted */
        Endpoint *endpoints;
        CloudClock clock;       /* of the endpoint that has shown its own last */
        Endpoint **numbered;    /* the same by their numbers, from 1 */
        size_t n_numbered;
        Identity identity;
        Heap due, renewals, later;
        Order order;
        Run *spare_run;         /* room for the next look; NULL: none is kept */
        Open *spare_open;       /* likewise */
        Run *committing;
        unsigned n_committing;
        bool commit_asked;
        Item **dirty;           /* with room for those that are being looked at */
        size_t n_dirty, n_dirty_allocated;
        usec_t rewrite_at_usec; /* CLOCK_BOOTTIME: state that could not be stored is put again; 0: none */
        Said said_state;
        Flight *flights;
        size_t n_flights;
        size_t n_runs;
        size_t n_shown[VERDICT__MAX], n_finished;
        usec_t started_at_usec; /* CLOCK_BOOTTIME */
        bool stopping;
};

#define BATCH_USEC (10 * USEC_PER_MSEC) /* what is due within this of the first is done together: polls of one second are; picked */
#define FAILED_SAID 3                   /* exchanges in a row before an outage is called one; picked */
#define SAID_AGAIN_USEC USEC_PER_DAY    /* a state that goes on is said again after this (holdfastd(8)) */

static inline usec_t engine_boottime(const Engine *e) { return e->world.boottime(e->world.userdata); }
static inline usec_t engine_realtime(const Engine *e) { return e->world.realtime(e->world.userdata); }
static inline uint64_t engine_random(const Engine *e) { return e->world.random(e->world.userdata); }
static inline const Settings *engine_settings(const Engine *e) { return e->load->settings; }

static inline Run *item_run(const Item *i) { return i->is_open ? i->open->run : NULL; }         /* the look that goes on, or NULL */

static inline Endpoint *item_endpoint(const Engine *e, const Item *i) {
        return i->endpoint_number > 0 ? e->numbered[i->endpoint_number - 1] : NULL;
}

static inline ItemKey item_key(const Item *i) {
        return (ItemKey) { .service = i->instance->service, .instance_id = i->instance->instance_id, .control = i->control };
}

/* Is this news: not said since it last ended, otherwise than before, or 24 h ago? Marks it as said. */
bool said_news(Said *s, usec_t now_usec, uint32_t digest);

/* Is it whoever answers, or does not, that is unwell, rather than what was asked for? */
static inline bool failure_is_unwell(FailureClass c) {
        return c == FAILURE_TRANSPORT || c == FAILURE_SERVER || c == FAILURE_THROTTLED;
}

/* engine.c */
void engine_say(Engine *e, const Event *event);

/* load.c */
void engine_item_free(Engine *e, Item *item);
void engine_item_leave(Engine *e, Item *item);  /* the look of one that is gone has ended, or what it knows is stored */

/* due.c */
bool engine_item_goes_first(const Engine *e, const Item *item);
void engine_item_plan_poll(Engine *e, Item *item);              /* sets the time of the next regular poll */
void engine_item_done(Engine *e, Item *item, usec_t at_usec);   /* a look has ended: due again then, or at the next poll */
/* In a world that knows what is to come: leaves out the polls that can show nothing new after this verdict. Returns after which time the
 * control is to be looked at even so. */
usec_t engine_item_leave_out(Engine *e, Item *item, const Decision *d);
void engine_item_due_soon(Engine *e, Item *item);               /* a lock now, others spread; again if its look runs */
void engine_item_lost_endpoint(Engine *e, Item *item);          /* nobody to ask is known: unknown, and said */
void engine_item_show(Engine *e, Item *item, Verdict v);
void engine_wake_unknown(Engine *e);            /* who we are has changed: look again at what could not be determined */

/* state.c */
int engine_reserve_dirty(Engine *e, size_t n);  /* room for so many more to be put; a look has it. Return: 0 or -ENOMEM */
void engine_put_item(Engine *e, Item *item);    /* stores its state with the next commit */
int engine_try_put_item(Engine *e, Item *item);
void engine_put_endpoint(Engine *e, Endpoint *n);
void engine_put_frozen(Engine *e, Endpoint *n, usec_t at_usec, const char *why);        /* wall clock */
void engine_put_thawed(Engine *e, const Endpoint *n, const char *detail);
void engine_put_evidence(Engine *e, const Item *item, const char *what, const char *detail, const char *request_id);
void engine_commit(Engine *e);
void engine_flush(Engine *e);
void engine_rewrite(Engine *e);                 /* puts again what a failed commit has lost */
void engine_forget_dirty(Engine *e, Item *item);
void engine_say_state_failing(Engine *e, int error);
unsigned engine_new_locks_left(Engine *e, const Item *item);
void engine_note_enabled(Engine *e, Service service, const char *instance_id, usec_t at_usec);
void engine_note_item_enabled(Engine *e, const Item *item);     /* nothing if it is no lock */
void engine_enabled_done(Engine *e);

/* shelf.c */
int shelf_put_item(Engine *e, Item *item);      /* takes what it knows. Return: 0; or -ENOMEM, and it still knows it */
void shelf_take_item(Engine *e, Item *item);    /* gives a new one what is known of it, if anything is */
int shelf_restore(Engine *e, const StateRecord *record);        /* CONTROL, GRANT. Return: 0 or -ENOMEM */
Shelved *shelf_after(const Engine *e, const Shelved *s);        /* all, in no order; NULL: the first, and after the last */
void shelf_done(Engine *e);

/* kept.c */
int item_open(Engine *e, Item *item);           /* for a look, or a change: item->open. Return: 0 or -ENOMEM */
void item_close(Engine *e, Item *item);         /* stays open where memory is short */
const Kept *item_kept(const Item *item, Kept *scratch);         /* to read, open or not */
usec_t item_unknown_since(const Item *item);    /* state.unknown_since_usec */
void item_grants_stored(Item *item);
int item_take_packed(Engine *e, Item *item, uint8_t **ret);     /* what outlives its policy. Return: 0; or -ENOMEM, and it keeps it */
void item_forget(Engine *e, Item *item);
int kept_pack(Kept *k, Control c, uint8_t **ret);       /* what it points to belongs to @ret then. Return: 0 or -ENOMEM */
void kept_unpack(const uint8_t *packed, Kept *ret);     /* NULL: nothing is known */
int kept_set_why(Engine *e, Kept *k, const char *why);  /* as told_set() */
void kept_done(Engine *e, Kept *k, Control c);

/* grants.c */
int grants_reserve(Kept *k);                    /* before one is asked for, so that it cannot be forgotten. Return: 0 or -ENOMEM */
void grants_record(Engine *e, Kept *k, const char *backup_id, const Answer *answer);    /* what was reserved for; put the item then */
int grants_put(Engine *e, const Item *item, const Kept *k);     /* with the item's state. Return: 0 or -errno */
void grants_stored(Kept *k);                    /* a commit has taken them */
void grants_done(Kept *k);

/* order.c */
int order_reserve(Order *o, size_t n);          /* room for @n controls, after which order_append() cannot fail. Return: 0 or -ENOMEM */
void order_clear(Order *o);
void order_append(Order *o, Item *item);        /* behind the others: in the order of their names, as sets of policies have them */
void order_show(Order *o, const Item *item, Verdict before);    /* item->shown was @before */
size_t order_find(const Order *o, const char *name);            /* place of the first control of that name, from 0; o->n: none */
void order_done(Order *o);

/* inspect.c */
/* Of one that is open. */
void item_note_end(Engine *e, Item *item, const char *why, const Failure *failure);     /* a look has ended; NULL: it did not fail */
void item_note_change(Engine *e, Item *item, EventId id, const char *request_id);      /* a change was made and read back */

/* look.c */
usec_t unknown_long_usec(const Instance *i, Control c);         /* after which what is unknown is an error */
void look_begin(Engine *e, Item *item);
void look_continue(Run *r, const Answer *answer, const Failure *failure);
bool look_may_send(Run *r);     /* may its ask still go out? If not, the look has gone on, and the run may be gone */
void look_store(Run *r);        /* stores the state before the ask goes out; on failure the look has gone on, and the run may be gone */
void look_withhold(Run *r, const char *why, int error);         /* its ask is not sent; the look goes on with a failure */
void run_free(Run *r);
void run_free_with_item(Run *r);        /* and its item, if that is gone */
void look_event(Event *event, const Item *item, const Instance *i);     /* begins one of a control */
void look_say(Engine *e, const Item *item, Event *event);               /* and keeps it as evidence */

/* outage.c */
unsigned outage_count(const Run *r);    /* ItemFailure.n_unwell, with this look */
void outage_say(Run *r, unsigned n_unwell);
void outage_say_over(Run *r);

/* endpoint.c */
Endpoint *endpoint_get(Engine *e, const char *origin, Service service, const char *region);     /* NULL: out of memory */
/* Whom to ask about a control; @ret: NULL where none is known. Return: 0 or -ENOMEM; it does not fail for settings in force. */
int endpoint_of(Engine *e, const Settings *settings, const Instance *i, Control c, Endpoint **ret);
uint16_t endpoint_number_of(Engine *e, const Item *item);       /* under the policies in force */
void endpoint_free(Endpoint *n);
void endpoint_queue_item(Endpoint *n, Item *item, bool first);
void endpoint_unqueue_item(Endpoint *n, Item *item);
void endpoint_unqueue_strangers(Endpoint *n);   /* while policies are put in force, all at once: who is asked elsewhere now, or leaves */
void endpoint_queue_run(Endpoint *n, Run *r);
void endpoint_queue_stored(Endpoint *n, Run *r);        /* first, with the slot that it had */
void endpoint_pump(Engine *e, Endpoint *n, usec_t *wait_usec);
bool endpoint_may_send(Engine *e, Endpoint *n, usec_t *ret_wait_usec);  /* takes a token when true */
/* Whose exchange it was; @item NULL: the engine's own. @failure NULL: an answer. */
void endpoint_note(Engine *e, Endpoint *n, const Item *item, const Failure *failure);
void endpoint_note_run(Engine *e, const Flight *f, const Failure *failure);     /* the same, of a look's exchange */
Item *endpoint_other(Engine *e, const Endpoint *n, const Item *item);   /* another control on it; NULL: there is none */
void endpoint_pause(Engine *e, Endpoint *n, usec_t wait_usec, usec_t poll_usec);
void endpoint_note_date(Engine *e, Endpoint *n, usec_t date_usec);
void endpoint_note_reply(Engine *e, Endpoint *n, const HttpReply *reply);       /* its Date */
usec_t endpoint_cloud_time(const Engine *e, const Endpoint *n);         /* what the cloud's clock shows by now, as far as is known */
usec_t endpoint_stalled_usec(const Engine *e, const Endpoint *n);

/* identity.c */
typedef enum IdentityAnswer {
        IDENTITY_GO,
        IDENTITY_WAIT,          /* being found out; ask again when something has changed */
        IDENTITY_WAIT_ALL,      /* likewise, and nobody else may go before */
        IDENTITY_NO,            /* with a failure */
} IdentityAnswer;

typedef struct Pass {           /* what a call may go out with */
        Signer *signer;         /* sign with this … */
        const Secret *token;    /* … or send this */
        const char *project_id, *domain_id;
        bool probing;
} Pass;

IdentityAnswer identity_pass(Engine *e, const Instance *i, Call call, Pass *ret, Failure *reterr);
void identity_run(Engine *e, usec_t *wait_usec);
void identity_wait(Engine *e, usec_t *wait_usec);       /* after the pumps: what of theirs waits for IAM's rate, or for signatures in doubt */
void identity_reload(Engine *e);                /* settings changed, or files did */
/* A call was refused or went through. Returns true if it is worth sending again with what there is now. */
bool identity_on_refused(Engine *e, const Flight *f, const Instance *i, const Failure *failure);
void identity_on_accepted(Engine *e, const Flight *f);
void identity_on_flight(Engine *e, Flight *f, const HttpReply *reply);
void identity_done(Engine *e);
int identity_adopt(Engine *e, Credentials *taken);      /* 1: new, and in use; 0: those in use already; -ENOMEM */
void identity_refuse(Engine *e, const Failure *f);      /* all calls stop */
void identity_say_none(Engine *e, const Failure *f);    /* the source has none, or none that can be used as it is */
bool identity_uses_password(const Engine *e);
usec_t identity_backoff(Engine *e, unsigned n_failed);
void identity_fail_withheld(Failure *f, const char *format, const char *detail);        /* @format: a literal with one %s */

#define IDENTITY_ONCE_TRIES 3           /* --once: more would be waiting */
#define IDENTITY_NONE_TRIES 3           /* of the metadata service, before it counts as having no key; picked */
#define IDENTITY_RETRY_USEC USEC_PER_SEC
#define IDENTITY_RETRY_MAX_USEC (5 * USEC_PER_MINUTE)
#define IDENTITY_NONE_RETRY_USEC USEC_PER_MINUTE        /* is there a key now? picked */

/* scope.c */
Scope *identity_scope_get(Engine *e, const Instance *i, bool is_token, Failure *reterr);
IdentityAnswer identity_scope_pass(Engine *e, Scope *s, bool probing, Failure *reterr);
void identity_scope_forget_answer(Scope *s);
void identity_scope_free(Scope *s);
void identity_forget_scopes(Engine *e);
void identity_on_token(Engine *e, Flight *f, const HttpReply *reply);
void identity_on_project(Engine *e, Flight *f, const HttpReply *reply);

/* metadata.c */
void identity_metadata_fetch(Engine *e);
void identity_metadata_forget_token(Identity *id);
void identity_on_metadata_token(Engine *e, const HttpReply *reply);
void identity_on_metadata_key(Engine *e, const HttpReply *reply);

/* scrub.c */
void scrub_text(const Engine *e, char *text);   /* of what proves who we are */
void scrub_failure(const Engine *e, unsigned generation, Failure *f);   /* @generation: of the credentials that it answers to */
void scrub_answer(const Engine *e, Answer *answer);
void scrub_decision(const Engine *e, Decision *d);

/* flight.c */
int flight_send(Engine *e, Flight *template, HttpRequest *request);     /* request is taken or done with */
int flight_send_run(Engine *e, Run *r, const Pass *pass);
void flight_free(Engine *e, Flight *f);
