/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "control/describe.h"
#include "ctl/rehearse.h"

/*
 * What happened in a life.
 */

/* A state that lasts is told again every 24 hours (holdfastd(8)): that is no news. */
#define TOLD_AGAIN_USEC (25 * USEC_PER_HOUR)
#define STEPS_USEC USEC_PER_HOUR        /* so close together two extensions are one */

static const struct {
        const char *name, *words;
} kinds[REHEARSE_KIND__MAX] = {
        [REHEARSE_LOCK_ENABLED] = { "lock-enabled", "lock enabled" },
        [REHEARSE_LOCK_EXTENDED] = { "lock-extended", "lock extended" },
        [REHEARSE_SCHEDULE_SET] = { "schedule-set", "schedule set" },
        [REHEARSE_SCHEDULE_REAPPLIED] = { "schedule-reapplied", "schedule re-applied" },
        [REHEARSE_ENCRYPTION_ON] = { "encryption-on", "encryption on" },
        [REHEARSE_AUTHORIZED] = { "download-authorized", "download granted" },
        [REHEARSE_DRIFT] = { "drift", "drift, not mended" },
        [REHEARSE_UNKNOWN] = { "unknown", "unknown" },
        [REHEARSE_BACKUP_STALE] = { "backup-stale", "backup stale" },
        [REHEARSE_LOCK_EMPTY] = { "lock-empty", "lock without backup" },
        [REHEARSE_API_FAILING] = { "api-failing", "API failing" },
        [REHEARSE_API_RECOVERED] = { "api-recovered", "API recovered" },
        [REHEARSE_CLOCK_SKEW] = { "clock-skew", "clock skew" },
        [REHEARSE_KEY_REFUSED] = { "credentials-rejected", "key refused" },
        [REHEARSE_LOCK_EXPIRING] = { "lock-expiring", "LOCK EXPIRING" },
        [REHEARSE_LOCK_LAPSED] = { "lock-lapsed", "LOCK LAPSED" },
        [REHEARSE_LOCK_REFUSED] = { "lock-refused", "LOCK REFUSED" },
        [REHEARSE_LOCK_FROZEN] = { "lock-frozen", "LOCK FROZEN" },
        [REHEARSE_WRITE_FAILED] = { "remediation-failed", "CHANGE FAILED" },
};

const char *rehearse_kind_to_string(RehearseKind k) {
        assert(k < REHEARSE_KIND__MAX);
        return kinds[k].name;
}

const char *rehearse_kind_to_words(RehearseKind k) {
        assert(k < REHEARSE_KIND__MAX);
        return kinds[k].words;
}

/* When the lock ends that a member has in the beginning. */
static usec_t end_at_start(const RehearseMember *m) {
        json_object *lock = NULL, *end = NULL;
        usec_t at = 0;

        if (json_object_object_get_ex(m->start, "lock", &lock) && json_object_object_get_ex(lock, "end", &end) &&
            timestamp_parse(json_object_get_string(end), &at) < 0)
                at = 0;
        return at;
}

int rehearse_collect_init(RehearseCollect *c, const RehearseFleet *f, RehearseLife *life, bool rates_only) {
        *c = (RehearseCollect) {
                .fleet = f,
                .life = life,
                .rates_only = rates_only,
                .n_writes = calloc(f->n_members * CONTROL__MAX, sizeof(*c->n_writes)),
                .end_usec = calloc(f->n_members, sizeof(*c->end_usec)),
                .told_usec = calloc((f->n_members + 1) * REHEARSE_KIND__MAX, sizeof(*c->told_usec)),
                .applied = calloc(f->n_members, sizeof(*c->applied)),
                .extended = calloc(f->n_members, sizeof(*c->extended)),
                .weight = calloc(f->n_members, sizeof(*c->weight)),
        };
        life->rates = calloc(f->n_endpoints, sizeof(*life->rates));
        if (!c->n_writes || !c->end_usec || !c->told_usec || !c->applied || !c->extended || !c->weight || !life->rates)
                return -ENOMEM;

        for (size_t i = 0; i < f->n_members; i++) {
                const RehearseGroup *g = &f->groups[f->members[i].group];

                c->weight[i] = rates_only || g->n_played == 0 ? 1 : (double) g->n / (double) g->n_played;
                c->end_usec[i] = end_at_start(&f->members[i]);
        }
        return 0;
}

void rehearse_collect_done(RehearseCollect *c) {
        free(c->n_writes);
        free(c->end_usec);
        free(c->told_usec);
        free(c->applied);
        free(c->extended);
        free(c->weight);
        *c = (RehearseCollect) {};
}

static void add(RehearseCollect *c, RehearseKind kind, size_t member, unsigned n_requests, usec_t end_usec, usec_t at_usec) {
        RehearseLife *l = c->life;

        l->bad |= rehearse_kind_is_bad(kind);
        if (c->rates_only || c->error < 0)
                return;

        if (l->n_items >= c->n_allocated) {
                size_t n = MAX(2 * c->n_allocated, (size_t) 256);
                Happening *larger = reallocarray(l->items, n, sizeof(*larger));

                if (!larger) {
                        c->error = -ENOMEM;
                        return;
                }
                l->items = larger;
                c->n_allocated = n;
        }
        l->items[l->n_items++] = (Happening) {
                .at_usec = at_usec,
                .end_usec = end_usec,
                .member = (uint32_t) member,
                .n_requests = (uint16_t) MIN(n_requests, (unsigned) UINT16_MAX),
                .kind = (uint8_t) kind,
        };
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

static void count_call(RehearseRate *rate, double weight, usec_t now_usec) {
        usec_t minute = now_usec / USEC_PER_MINUTE;

        if (minute != rate->minute_usec) {
                rate->minute_usec = minute;
                rate->minute_calls = 0;
        }
        rate->n_calls += weight;
        rate->minute_calls += weight;
        if (rate->minute_calls > rate->peak_per_minute) {
                rate->peak_per_minute = rate->minute_calls;
                rate->peak_at_usec = minute * USEC_PER_MINUTE;
        }
}

static uint32_t *writes_of(RehearseCollect *c, size_t member, Control control) {
        return &c->n_writes[member * CONTROL__MAX + control];
}

void rehearse_collect_ask(RehearseCollect *c, size_t member, const Ask *ask, usec_t now_usec) {
        count_call(&c->life->rates[c->fleet->members[member].endpoint], c->weight[member], now_usec);

        if (ask->call == CALL_LOCK_SET)
                ++*writes_of(c, member, CONTROL_LOCK);
        else if (ask->call == CALL_SCHEDULE_SET)
                ++*writes_of(c, member, CONTROL_SCHEDULE);
        else if (ask->call == CALL_ENCRYPTION_SET)
                ++*writes_of(c, member, CONTROL_ENCRYPTION);
        else if (ask->call == CALL_DOWNLOAD_AUTHORIZE)
                ++*writes_of(c, member, CONTROL_DOWNLOAD);
}

static unsigned take_writes(RehearseCollect *c, size_t member, Control control) {
        uint32_t *n = writes_of(c, member, control);
        unsigned taken = *n;

        *n = 0;
        return taken;
}

void rehearse_collect_reply(RehearseCollect *c, size_t member, const Ask *ask, int status, usec_t now_usec) {
        /* A schedule that is applied again in time is nothing the journal is told; one that drifted is told once it reads back. */
        if (ask->call != CALL_SCHEDULE_SET || status / 100 != 2)
                return;

        add(c, REHEARSE_SCHEDULE_REAPPLIED, member, take_writes(c, member, CONTROL_SCHEDULE), 0, now_usec);
        c->applied[member] = c->life->n_items;
}

/* --- Events ------------------------------------------------------------------------------------------------------- */

static bool is_news(RehearseCollect *c, size_t member, RehearseKind kind, usec_t now_usec) {
        usec_t *told = &c->told_usec[(member == REHEARSE_NOBODY ? c->fleet->n_members : member) * REHEARSE_KIND__MAX + kind];
        bool news = *told == 0 || now_usec - *told > TOLD_AGAIN_USEC;

        *told = now_usec;
        return news;
}

static void lapse(RehearseCollect *c, size_t member, usec_t end_usec, usec_t now_usec) {
        if (end_usec > 0 && end_usec <= now_usec && is_news(c, member, REHEARSE_LOCK_LAPSED, now_usec))
                add(c, REHEARSE_LOCK_LAPSED, member, 0, end_usec, end_usec);
}

/* One extension may take several steps while its reading is found out. */
static bool goes_on(RehearseCollect *c, size_t member, usec_t end_usec, usec_t now_usec) {
        Happening *last = c->extended[member] > 0 ? &c->life->items[c->extended[member] - 1] : NULL;

        if (!last || now_usec - last->at_usec > STEPS_USEC)
                return false;

        last->end_usec = end_usec;
        last->n_requests = (uint16_t) (last->n_requests + take_writes(c, member, CONTROL_LOCK));
        return true;
}

static void on_lock(RehearseCollect *c, RehearseKind kind, size_t member, const Event *e, usec_t now_usec) {
        if (kind == REHEARSE_LOCK_ENABLED)
                lapse(c, member, c->end_usec[member], now_usec);        /* there was one before */
        c->end_usec[member] = e->lock_end_usec;
        c->told_usec[member * REHEARSE_KIND__MAX + REHEARSE_LOCK_LAPSED] = 0;
        if (kind == REHEARSE_LOCK_EXTENDED && goes_on(c, member, e->lock_end_usec, now_usec))
                return;

        add(c, kind, member, take_writes(c, member, CONTROL_LOCK), e->lock_end_usec, now_usec);
        if (kind == REHEARSE_LOCK_EXTENDED)
                c->extended[member] = c->life->n_items;
}

static void on_remediated(RehearseCollect *c, size_t member, const Event *e, usec_t now_usec) {
        if (streq0(e->control, control_to_string(CONTROL_ENCRYPTION)))
                add(c, REHEARSE_ENCRYPTION_ON, member, take_writes(c, member, CONTROL_ENCRYPTION), 0, now_usec);
        else if (streq0(e->control, control_to_string(CONTROL_SCHEDULE)) && c->applied[member] > 0 && !c->rates_only)
                c->life->items[c->applied[member] - 1].kind = REHEARSE_SCHEDULE_SET;
}

/* Drift that holdfast mends itself is not told: that it mended it is. */
static bool stays(const RehearseCollect *c, const RehearseMember *m, const Event *e) {
        const Instance *i = m->policy;

        if (instance_mode(i, c->fleet->config.settings) == MODE_OBSERVE)
                return true;
        return i->terms->encryption && streq0(e->control, control_to_string(CONTROL_ENCRYPTION)) &&
                (!i->terms->encryption->kms_key_id || !i->terms->encryption->expect_on);
}

/* Events of states that last, and what they are here. */
static const struct {
        EventId id;
        RehearseKind kind;
} lasting[] = {
        { EVENT_DRIFT, REHEARSE_DRIFT },
        { EVENT_LOCK_EXPIRING, REHEARSE_LOCK_EXPIRING },
        { EVENT_LOCK_REFUSED, REHEARSE_LOCK_REFUSED },
        { EVENT_LOCK_FROZEN, REHEARSE_LOCK_FROZEN },
        { EVENT_REMEDIATION_FAILED, REHEARSE_WRITE_FAILED },
        { EVENT_UNKNOWN, REHEARSE_UNKNOWN },
        { EVENT_BACKUP_STALE, REHEARSE_BACKUP_STALE },
        { EVENT_LOCK_EMPTY, REHEARSE_LOCK_EMPTY },
        { EVENT_API_FAILING, REHEARSE_API_FAILING },
        { EVENT_API_RECOVERED, REHEARSE_API_RECOVERED },
        { EVENT_CLOCK_SKEW, REHEARSE_CLOCK_SKEW },
        { EVENT_CREDENTIALS_REJECTED, REHEARSE_KEY_REFUSED },
};

/* Where some are played for all, the limit was divided as they are: what it says is told as the owner wrote it. NULL: out of memory. */
static char *in_whole(const RehearseCollect *c, const char *message) {
        unsigned limit = c->fleet->config.settings->limits.new_locks_per_day;
        char played[DESCRIBE_MAX], written[DESCRIBE_MAX], *text = NULL;
        const char *at;

        control_describe_new_locks(rehearse_fleet_new_locks(c->fleet), played);
        at = strstr(message, played);
        if (!at)
                return strdup(message);
        if (asprintf(&text, "%.*s%s%s", (int) (at - message), message, control_describe_new_locks(limit, written), at + strlen(played)) < 0)
                return NULL;
        return text;
}

static void on_lasting(RehearseCollect *c, size_t member, const Event *e, usec_t now_usec) {
        for (size_t i = 0; i < N_ELEMENTS(lasting); i++) {
                RehearseKind kind = lasting[i].kind;

                if (lasting[i].id != e->id || (e->id == EVENT_DRIFT && (member == REHEARSE_NOBODY || !stays(c, &c->fleet->members[member], e))))
                        continue;
                if (!is_news(c, member, kind, now_usec))
                        continue;
                add(c, kind, member, 0, e->lock_end_usec, now_usec);
                if (!c->life->why[kind])
                        c->life->why[kind] = in_whole(c, e->message);   /* without it less is told */
        }
}

void rehearse_collect_event(RehearseCollect *c, const Event *e, usec_t now_usec) {
        const RehearseMember *m = rehearse_fleet_find(c->fleet, e->name);
        size_t member = m ? (size_t) (m - c->fleet->members) : REHEARSE_NOBODY;

        if (m && e->id == EVENT_LOCK_ENABLED)
                on_lock(c, REHEARSE_LOCK_ENABLED, member, e, now_usec);
        else if (m && e->id == EVENT_LOCK_EXTENDED)
                on_lock(c, REHEARSE_LOCK_EXTENDED, member, e, now_usec);
        else if (m && e->id == EVENT_REMEDIATED)
                on_remediated(c, member, e, now_usec);
        else if (m && e->id == EVENT_DOWNLOAD_AUTHORIZED)
                add(c, REHEARSE_AUTHORIZED, member, take_writes(c, member, CONTROL_DOWNLOAD), 0, now_usec);
        else if (m && e->id == EVENT_LOCK_LAPSED)
                lapse(c, member, e->lock_end_usec, now_usec);
        else
                on_lasting(c, member, e, now_usec);
}

static int by_time(const void *a, const void *b) {
        const Happening *x = a, *y = b;

        if (x->at_usec != y->at_usec)
                return x->at_usec < y->at_usec ? -1 : 1;
        if (x->member != y->member)
                return x->member < y->member ? -1 : 1;
        return (int) x->kind - (int) y->kind;
}

int rehearse_collect_end(RehearseCollect *c, const bool *played, usec_t now_usec) {
        for (size_t i = 0; i < c->fleet->n_members && !c->rates_only; i++)
                if (played[i] && c->fleet->members[i].policy->terms->lock)
                        lapse(c, i, c->end_usec[i], now_usec);

        if (c->life->n_items > 1)
                qsort(c->life->items, c->life->n_items, sizeof(*c->life->items), by_time);
        return c->error;
}
