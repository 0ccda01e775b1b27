/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

/*
 * Control "encryption": notices that encrypted backup is off, and switches it on where the policy gives a key.
 * Switching on cannot be wholly undone, which makes the key in the policy the consent (TaurusDB User Guide,
 * Enabling or Disabling Encrypted Backup).
 */

enum {
        PHASE_START,
        PHASE_READ,
        PHASE_WRITE,
        PHASE_READ_BACK,
};

static void say_drift(Decision *d, const char *found, const char *expected, const char *note) {
        (void) decision_say(d, EVENT_DRIFT, SAID_DRIFT, digest_text(found), "encrypted backup is %s, expected %s%s",
                            found, expected, note);
}

static void done_violated(const Situation *s, Decision *d, const char *found, const char *expected,
                          const char *note) {
        say_drift(d, found, expected, note);
        decision_done(d, VERDICT_VIOLATED, s->instance->terms->encryption->poll_usec,
                      "encrypted backup is %s, expected %s%s", found, expected, note);
}

static void done_compliant(const Situation *s, Decision *d, bool on) {
        decision_done(d, VERDICT_COMPLIANT, s->instance->terms->encryption->poll_usec, "encrypted backup is %s",
                      on ? "on" : "off");
        decision_quiet(d, s, USEC_INFINITY);
}

static void on_read(const Situation *s, Decision *d) {
        const EncryptionPolicy *p = s->instance->terms->encryption;
        bool on;

        if (s->failure) {
                decision_unknown(d, "whether encrypted backup is on could not be read: %s", s->failure->message);
                return;
        }

        on = s->answer->encryption_on;
        if (on == p->expect_on) {
                done_compliant(s, d, on);
                return;
        }

        /* Off would lower the protection of the backups to come and decrypt none of those that exist: that is for
         * people to do. */
        if (on) {
                done_violated(s, d, "on", "off", "; it is never switched off from here");
                return;
        }

        if (!p->kms_key_id) {
                done_violated(s, d, "off", "on", "; the policy gives no key to switch it on with");
                return;
        }

        if (!s->enforce) {
                done_violated(s, d, "off", "on", "");
                return;
        }

        say_drift(d, "off", "on", "");
        s->look->phase = PHASE_WRITE;
        decision_ask(d, CALL_ENCRYPTION_SET);
        d->ask.encryption_set.kms_key_id = p->kms_key_id;
}

static void on_written(const Situation *s, Decision *d) {
        const Failure *f = s->failure;

        /* A reply that makes no sense, or none at all, says nothing about what was done: the next read does. */
        if (f && !f->maybe_done && f->class != FAILURE_UNREADABLE) {
                decision_write_failed(d, f, s->instance->terms->encryption->poll_usec,
                                      "encrypted backup could not be switched on");
                return;
        }

        s->look->wrote = !f;
        if (f)
                s->look->write_failure = *f;
        memcpy(s->look->request_id, f ? f->request_id : s->answer->request_id, sizeof(s->look->request_id));
        s->look->phase = PHASE_READ_BACK;
        (void) decision_read_back(d, s->look, CALL_ENCRYPTION_GET); /* the first is always to be had */
}

static void on_read_back(const Situation *s, Decision *d) {
        const EncryptionPolicy *p = s->instance->terms->encryption;
        Saying *say;

        if (s->failure) {
                decision_unknown(d, "encrypted backup was switched on, but could not be read back: %s",
                                 s->failure->message);
                return;
        }

        if (!s->answer->encryption_on) {
                if (!decision_read_back(d, s->look, CALL_ENCRYPTION_GET))
                        decision_not_shown(d, s->look, p->poll_usec, "encrypted backup could not be switched on",
                                           "it reads back as off");
                return;
        }

        say = decision_say(d, EVENT_REMEDIATED, -1, 0, "encrypted backup is on again (key %s)", p->kms_key_id);
        memcpy(say->request_id, s->look->request_id, sizeof(say->request_id));
        done_compliant(s, d, true);
}

void encryption_step(const Situation *s, Decision *ret) {
        assert(s);
        assert(s->instance->terms->encryption);
        assert(ret);

        switch (s->look->phase) {
        case PHASE_START:
                s->look->phase = PHASE_READ;
                decision_ask(ret, CALL_ENCRYPTION_GET);
                return;
        case PHASE_READ: on_read(s, ret); return;
        case PHASE_WRITE: on_written(s, ret); return;
        case PHASE_READ_BACK: on_read_back(s, ret); return;
        default: assert(false);
        }
}
