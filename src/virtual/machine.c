/* SPDX-License-Identifier: Apache-2.0 */
#include "virtual/machine.h"

#include <errno.h>

#include "virtual/machine-internal.h"

#define BOOT_USEC (1000 * USEC_PER_SEC)         /* a host that was started a while ago; picked */

/* Turns at one moment before the engine is said not to come to rest; a fleet that starts takes some thousand. Picked. */
#define TURNS_MAX 1000000

int machine_new(const MachineOptions *options, const MachineHooks *hooks, Sim *sim, Machine **ret) {
        Machine *m;

        assert(options);
        assert(sim);
        assert(ret);

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;

        m->options = *options;
        m->hooks = hooks ? *hooks : (MachineHooks) {};
        m->sim = sim;
        m->random = options->seed;
        m->boot_usec = BOOT_USEC;
        *ret = m;
        return 0;
}

/* The engine and all that it waits for. */
static void bury(Machine *m) {
        m->engine = engine_free(m->engine);
        m->dead = false;
        m->commit_asked = false;
        pending_drop_all(&m->pending);
        memory_done(&m->memory);
        remembered_unref(m->draw.expected);
        m->draw = (Draw) {};
}

Machine *machine_free(Machine *m) {
        if (!m)
                return NULL;

        bury(m);
        pending_done(&m->pending);
        free(m);
        return NULL;
}

int machine_boot(Machine *m) {
        World world;

        assert(m);
        assert(!m->n_in_hook);

        if (m->dead)
                bury(m);
        assert(!m->engine);

        world = machine_world(m);
        return engine_new(&world, &m->options.engine, &m->engine);
}

void machine_kill(Machine *m) {
        assert(m);

        if (m->n_in_hook > 0)
                m->dead = true; /* the engine is at work further up the stack */
        else
                bury(m);
}

Engine *machine_engine(Machine *m) {
        assert(m);
        return m->dead ? NULL : m->engine;
}

/* --- Time and chance ---------------------------------------------------------------------------------------------- */

usec_t machine_cloud_time(const Machine *m) {
        return m->options.start_usec + (m->boot_usec - BOOT_USEC);
}

usec_t machine_boottime(const Machine *m) {
        return m->boot_usec;
}

usec_t machine_wall_time(const Machine *m) {
        usec_t cloud = machine_cloud_time(m);

        return m->wall_ahead_usec < 0 ? usec_sub(cloud, (usec_t) -m->wall_ahead_usec) : usec_add(cloud, (usec_t) m->wall_ahead_usec);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
uint64_t machine_random(Machine *m) {
        uint64_t z = m->random += UINT64_C(0x9E3779B97F4A7C15);

        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        return z ^ (z >> 31);
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

static void deliver(Machine *m) {
        _cleanup_(pending_freep) Pending *p = pending_take(&m->pending);
        Answer answer;

        if (!p->remembered) {
                if (m->hooks.delivered)
                        HOOK(m, m->hooks.delivered(m->hooks.userdata, p->cookie, &p->reply, NULL));
                if (!m->dead)
                        engine_on_reply(m->engine, p->cookie, &p->reply);
                return;
        }

        answer = p->remembered->answer;
        answer.date_usec = p->date_usec;
        if (m->hooks.delivered)
                HOOK(m, m->hooks.delivered(m->hooks.userdata, p->cookie, NULL, &answer));
        if (!m->dead)
                engine_on_answer(m->engine, p->cookie, &answer);
}

/* Does what is due now. @ret_wait_usec: for how long nothing is. Return: 1; 0 the engine is gone; -ELOOP; -errno of the engine. */
static int turn(Machine *m, usec_t *ret_wait_usec) {
        usec_t wait = 0;
        int r;

        for (unsigned n = 0; n < TURNS_MAX; n++) {
                while (!m->dead && pending_next_usec(&m->pending) <= m->boot_usec)
                        deliver(m);
                if (m->dead)
                        return 0;

                r = engine_run(m->engine, &wait);
                if (m->dead)
                        return 0;
                if (r < 0)
                        return r;

                if (m->commit_asked) {
                        m->commit_asked = false;
                        r = machine_commit(m);
                        if (m->dead)
                                return 0;
                        engine_on_committed(m->engine, r);
                        continue;
                }

                wait = MIN(wait, usec_sub(pending_next_usec(&m->pending), m->boot_usec));
                if (wait > 0) {
                        *ret_wait_usec = wait;
                        return 1;
                }
        }

        return -ELOOP;
}

int machine_run(Machine *m, usec_t until_usec) {
        assert(m);
        assert(!m->n_in_hook);

        while (m->engine) {
                usec_t wait = 0;
                int r;

                r = m->dead ? 0 : turn(m, &wait);
                if (r > 0 && m->hooks.rested)
                        HOOK(m, m->hooks.rested(m->hooks.userdata));
                if (m->dead) {
                        bury(m);
                        return 0;
                }
                if (r < 0)
                        return r;
                if (m->boot_usec >= until_usec)
                        return 0;

                m->boot_usec = MIN(usec_add(m->boot_usec, wait), until_usec);
        }

        m->boot_usec = MAX(m->boot_usec, until_usec);
        return 0;
}

void machine_suspend(Machine *m, usec_t for_usec) {
        assert(m);
        assert(!m->n_in_hook);

        m->boot_usec = usec_add(m->boot_usec, for_usec);
        pending_lose_all(&m->pending, m->boot_usec);
        if (m->engine && !m->dead)
                engine_on_clock_step(m->engine);
}

void machine_step_clock(Machine *m, int64_t by_usec) {
        int64_t cloud, ahead;

        assert(m);
        assert(!m->n_in_hook);

        cloud = (int64_t) machine_cloud_time(m);
        if (__builtin_add_overflow(m->wall_ahead_usec, by_usec, &ahead))
                ahead = by_usec < 0 ? -cloud : INT64_MAX;
        m->wall_ahead_usec = MAX(ahead, -cloud);

        memory_forget(&m->memory);      /* signatures may be refused now */
        if (m->engine && !m->dead)
                engine_on_clock_step(m->engine);
}

/* --- The cloud ---------------------------------------------------------------------------------------------------- */

int machine_change(Machine *m, const char *yaml, Diagnostics *reterr) {
        assert(m);
        assert(yaml);

        memory_forget(&m->memory);
        return sim_change(m->sim, "change", yaml, strlen(yaml), machine_cloud_time(m), reterr);
}

void machine_forget(Machine *m) {
        assert(m);

        memory_forget(&m->memory);
}

void machine_set_quiet(Machine *m, usec_t until_usec) {
        assert(m);

        m->quiet_usec = until_usec;
}

void machine_counts(const Machine *m, MachineCounts *ret) {
        assert(m);
        assert(ret);

        *ret = m->counts;
}
