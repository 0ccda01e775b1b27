/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ctl/json.h"
#include "ctl/rehearse.h"

/*
 * For how long may this host be down before a lock runs out? The worst moment for it is just before an extension is due. What the policy lets
 * expect is held against lives of that one lock: one outage just shorter, one just longer, a minute apart.
 */

#define STEP_USEC USEC_PER_MINUTE
#define RETRY_MAX_USEC (5 * USEC_PER_MINUTE)    /* holdfastd(8): back-off of what may be tried again */
#define POLICIES_MAX 64                         /* different ones that are played; picked, those with the least time first */
#define ASKS_PER_EXTENSION 3                    /* read, write, read back */
#define BEFORE_USEC USEC_PER_SEC                /* so long before the extension is due it begins */

const RehearseFaultKind rehearse_lapse_kinds[3] = { REHEARSE_DOWN, REHEARSE_OUTAGE, REHEARSE_NO_PERMISSION };

/* Of a lock that begins with the rehearsal. */
static usec_t worst_moment(const LockPolicy *l) {
        return usec_sub((usec_t) l->retention_days * USEC_PER_DAY - l->renew_before_usec, BEFORE_USEC);
}

/* After a restart locks are looked at first; what could not be reached is tried again within minutes; what was not permitted is looked at when the
 * next poll is due. */
static usec_t reckon(const LockPolicy *l, RehearseFaultKind kind) {
        switch (kind) {
        case REHEARSE_OUTAGE:
                return usec_sub(l->renew_before_usec, MIN(RETRY_MAX_USEC, l->poll_usec));
        case REHEARSE_NO_PERMISSION:
                return usec_sub(l->renew_before_usec, l->poll_usec);
        case REHEARSE_DOWN:
        case REHEARSE_THROTTLED:
        case REHEARSE_ERROR:
        case REHEARSE_CLOCK:
        case REHEARSE_FAULT__MAX:
                break;
        }
        return l->renew_before_usec;
}

/* A fleet of nothing but the one lock, which begins with the rehearsal. */
typedef struct Alone {
        RehearseFleet fleet;
        Instance policy;
        Terms policy_terms;
        RehearseMember member, *by_id;
        RehearseEndpoint endpoint;
        RehearseGroup group;
        size_t order;
} Alone;

static int alone_init(Alone *a, const RehearseFleet *f, size_t member, usec_t start_usec) {
        *a = (Alone) {
                .policy = *f->members[member].policy,
                .member = f->members[member],
                .endpoint = f->endpoints[f->members[member].endpoint],
                .group = { .n = 1, .n_played = 1 },
        };
        a->policy_terms = *a->policy.terms;
        a->policy_terms.encryption = NULL;
        a->policy.terms = &a->policy_terms;
        a->member.policy = &a->policy;
        a->member.terms.encryption = NULL;
        a->member.instance.terms = &a->member.terms;
        if (a->member.own_id[0])
                a->member.instance.instance_id = a->member.own_id;
        a->member.endpoint = a->member.group = 0;
        a->by_id = &a->member;
        a->fleet = (RehearseFleet) {
                .config = f->config,    /* borrowed */
                .members = &a->member,
                .by_id = &a->by_id,
                .n_members = 1,
                .endpoints = &a->endpoint,
                .n_endpoints = 1,
                .groups = &a->group,
                .n_groups = 1,
                .order = &a->order,
                .limit_divisor = 1,
                .state_read = f->state_read,
        };
        return rehearse_start_as_written(&a->policy, start_usec, &a->member.start);
}

static void alone_done(Alone *a) {
        json_object_put(a->member.start);
}

typedef struct Trial {
        const RehearseFleet *fleet;
        const RehearseOptions *options;
        Reading reading;
        RehearseFaultKind kind;
        usec_t worst_usec;
} Trial;

/* Does it lapse if it is so long? Return: 1, 0 or -errno. */
static int lapses(const Trial *t, usec_t for_usec) {
        const LockPolicy *l = t->fleet->members[0].policy->terms->lock;
        const RehearseFault fault = { .kind = t->kind, .begin_usec = t->worst_usec, .for_usec = for_usec };
        _cleanup_(rehearse_life_done) RehearseLife life = {};
        const RehearseLifeOptions o = {
                .reading = t->reading,
                .start_usec = t->options->start_usec,
                .for_usec = usec_add(usec_add(t->worst_usec, for_usec), 2 * l->poll_usec + USEC_PER_DAY),
                .seed = t->options->seed,
                .faults = &fault,
                .n_faults = 1,
        };
        int r;

        r = rehearse_live(t->fleet, &o, &life);
        if (r < 0)
                return r;
        for (size_t i = 0; i < life.n_items; i++)
                if (life.items[i].kind == REHEARSE_LOCK_LAPSED)
                        return 1;
        return 0;
}

/*
 * The longest without and the shortest with a lapse, STEP_USEC apart; @ret_lapsed_usec 0: none lapses. @at_most_usec: for which one is sure to
 * lapse, or 0. What is reckoned is nearly always right, and a long outage takes many retries to play: so that is where it begins.
 */
static int search(const Trial *t, usec_t reckoned_usec, usec_t at_most_usec, usec_t *ret_survived_usec, usec_t *ret_lapsed_usec) {
        const LockPolicy *l = t->fleet->members[0].policy->terms->lock;
        uint64_t most = (at_most_usec > 0 ? at_most_usec : l->renew_before_usec + USEC_PER_DAY) / STEP_USEC;
        uint64_t low = 0, high = most + 1, n = MIN(reckoned_usec / STEP_USEC, most), step = 1;
        int r;

        /* Away from there in growing steps until it is between two … */
        while (low == 0 && n > 0 && n <= most) {
                r = lapses(t, n * STEP_USEC);
                if (r < 0)
                        return r;
                if (r > 0) {
                        high = n;
                        n = n > step ? n - step : 0;
                } else
                        low = n;
                step *= 4;
        }
        for (step = 1, n = low + 1; high > most && n <= most; step *= 4) {
                r = lapses(t, n * STEP_USEC);
                if (r < 0)
                        return r;
                if (r > 0)
                        high = n;
                else {
                        low = n;
                        if (n == most)
                                break;
                        n = MIN(n + step, most);
                }
        }

        /* … and then by halves. */
        while (high <= most && high - low > 1) {
                uint64_t middle = low + (high - low) / 2;

                r = lapses(t, middle * STEP_USEC);
                if (r < 0)
                        return r;
                if (r == 0)
                        low = middle;
                else
                        high = middle;
        }

        *ret_survived_usec = low * STEP_USEC;
        *ret_lapsed_usec = high <= most ? high * STEP_USEC : 0;
        return 0;
}

/* Under every reading that its endpoint can have: the shortest counts. */
static int try_kind(const RehearseFleet *alone, const RehearseOptions *o, RehearseFaultKind kind, unsigned readings, RehearseLapse *x) {
        usec_t at_most = kind == REHEARSE_DOWN ? 0 : x->of[REHEARSE_DOWN].lapsed_usec;  /* who is there cannot wait longer */
        usec_t shortest = USEC_INFINITY;

        x->of[kind].reckoned_usec = reckon(alone->members[0].policy->terms->lock, kind);
        for (Reading reading = 0; reading < READING__MAX; reading++) {
                const Trial t = { alone, o, reading, kind, x->worst_usec };
                usec_t survived = 0, lapsed = 0;
                int r;

                if (!(readings & (1u << reading)))
                        continue;
                r = search(&t, x->of[kind].reckoned_usec, at_most, &survived, &lapsed);
                if (r < 0)
                        return r;
                if (survived >= shortest)
                        continue;
                shortest = survived;
                x->of[kind].survived_usec = survived;
                x->of[kind].lapsed_usec = lapsed;
                x->of[kind].reading = reading;
        }
        return 0;
}

/* @others: outages that are not this host's too. They take many retries to play, so only the reading counts that was the worst. */
static int try_policy(const RehearseFleet *f, const RehearseOptions *o, bool others, RehearseLapse *x) {
        _cleanup_(alone_done) Alone a = {};
        int r;

        r = alone_init(&a, f, x->member, o->start_usec);
        if (r >= 0 && !others)
                r = try_kind(&a.fleet, o, REHEARSE_DOWN, a.endpoint.readings, x);
        if (r >= 0 && others)
                r = try_kind(&a.fleet, o, REHEARSE_OUTAGE, 1u << x->of[REHEARSE_DOWN].reading, x);
        if (r >= 0 && others)
                r = try_kind(&a.fleet, o, REHEARSE_NO_PERMISSION, 1u << x->of[REHEARSE_DOWN].reading, x);
        return r;
}

static bool same_lock(const RehearseFleet *f, const RehearseMember *a, const RehearseMember *b) {
        const LockPolicy *x = a->policy->terms->lock, *y = b->policy->terms->lock;

        return x->poll_usec == y->poll_usec && x->retention_days == y->retention_days && x->renew_before_usec == y->renew_before_usec &&
                x->max_retention_days == y->max_retention_days && x->extension == y->extension && x->settle_usec == y->settle_usec &&
                f->endpoints[a->endpoint].readings == f->endpoints[b->endpoint].readings;
}

/* Every different lock policy that holdfast keeps. */
static int gather(const RehearseFleet *f, RehearseLapses *l) {
        l->items = calloc(f->n_groups, sizeof(*l->items));
        if (!l->items)
                return -ENOMEM;

        for (size_t g = 0; g < f->n_groups; g++) {
                const RehearseMember *m = &f->members[f->order[f->groups[g].first]];
                size_t i = 0;

                if (!m->policy->terms->lock || instance_mode(m->policy, f->config.settings) == MODE_OBSERVE || f->endpoints[m->endpoint].state.frozen)
                        continue;
                while (i < l->n_items && !same_lock(f, m, &f->members[l->items[i].member]))
                        i++;
                if (i == l->n_items)
                        l->items[l->n_items++] = (RehearseLapse) {
                                .member = (size_t) (m - f->members),
                                .worst_usec = worst_moment(m->policy->terms->lock),
                        };
                l->items[i].n_alike += f->groups[g].n;
        }
        return 0;
}

static int by_survived(const void *a, const void *b) {
        const RehearseLapse *x = a, *y = b;
        usec_t u = x->of[REHEARSE_DOWN].survived_usec, v = y->of[REHEARSE_DOWN].survived_usec;

        if (u != v)
                return u < v ? -1 : 1;
        return x->member < y->member ? -1 : x->member > y->member;
}

/* Before they are played: by what is reckoned. */
static int by_reckoned(const void *a, const void *b) {
        const RehearseLapse *x = a, *y = b;
        usec_t u = x->of[REHEARSE_DOWN].reckoned_usec, v = y->of[REHEARSE_DOWN].reckoned_usec;

        if (u != v)
                return u < v ? -1 : 1;
        return x->member < y->member ? -1 : x->member > y->member;
}

int rehearse_lapses(const RehearseFleet *f, const RehearseOptions *o, RehearseLapses *ret) {
        _cleanup_(rehearse_lapses_done) RehearseLapses l = {};
        int r;

        assert(ret);

        r = gather(f, &l);
        if (r < 0)
                return r;

        for (size_t i = 0; i < l.n_items; i++)
                l.items[i].of[REHEARSE_DOWN].reckoned_usec = reckon(f->members[l.items[i].member].policy->terms->lock, REHEARSE_DOWN);
        if (l.n_items > 1)
                qsort(l.items, l.n_items, sizeof(*l.items), by_reckoned);
        l.n_items = MIN(l.n_items, (size_t) POLICIES_MAX);

        for (size_t i = 0; i < l.n_items; i++) {
                r = try_policy(f, o, false, &l.items[i]);
                if (r < 0)
                        return r;
        }
        if (l.n_items > 1)
                qsort(l.items, l.n_items, sizeof(*l.items), by_survived);
        if (l.n_items > 0) {
                r = try_policy(f, o, true, &l.items[0]);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < f->n_endpoints; i++)
                l.queue_usec = MAX(l.queue_usec, f->endpoints[i].n_locks * ASKS_PER_EXTENSION * USEC_PER_SEC /
                                                         f->config.settings->http.rate_per_sec);
        *ret = l;
        l = (RehearseLapses) {};
        return 0;
}

void rehearse_lapses_done(RehearseLapses *l) {
        free(l->items);
        *l = (RehearseLapses) {};
}
