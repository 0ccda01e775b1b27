/* SPDX-License-Identifier: Apache-2.0 */
#include "facts/state.h"

#include <stdio.h>
#include <errno.h>

static const char *const outcome_names[INTENT_OUTCOME__MAX] = {
        [INTENT_OPEN] = "open",
        [INTENT_ACCEPTED] = "accepted",
        [INTENT_LOST] = "lost",
        [INTENT_REFUSED] = "refused",
        [INTENT_CONFIRMED] = "confirmed",
        [INTENT_VOID] = "void",
};

const char *intent_outcome_to_string(IntentOutcome o) {
        assert(o < INTENT_OUTCOME__MAX);
        return outcome_names[o];
}

int intent_outcome_from_string(const char *s) {
        assert(s);

        for (int i = 0; i < INTENT_OUTCOME__MAX; i++)
                if (streq(outcome_names[i], s))
                        return i;

        return -EINVAL;
}

void control_state_done(Control c, ControlState *s) {
        if (!s)
                return;

        if (c == CONTROL_DOWNLOAD)
                free(s->download.grants);
        free(s->told.why);
        free(s->told.changed_request_id);
        *s = (ControlState) {};
}

int told_set(char **text, const char *s) {
        assert(text);

        if (streq0(*text, s))
                return 0;

        free(*text);
        *text = NULL;
        if (!s || !*s)
                return 0;

        *text = strdup(s);
        return *text ? 0 : -ENOMEM;
}

char *readings_to_text(unsigned readings, char buf[static READINGS_TEXT_MAX]) {
        char *p = buf;

        assert((readings & ~READINGS_ALL) == 0);

        *p = 0;
        for (Reading i = 0; i < READING__MAX; i++) {
                if (!(readings & (1u << i)))
                        continue;
                if (p > buf)
                        *p++ = ',';
                p = stpcpy(p, reading_to_string(i));
        }

        return buf;
}

char *thawed_to_text(const char *origin, bool was_frozen, char buf[static THAWED_TEXT_MAX]) {
        assert(origin);

        (void) snprintf(buf, THAWED_TEXT_MAX, "%s: %swhat was learned of it is forgotten", origin,
                        was_frozen ? "lock writes are allowed again, and " : "");
        return buf;
}
