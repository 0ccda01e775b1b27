/* SPDX-License-Identifier: Apache-2.0 */
#include "facts/state.h"

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
        *s = (ControlState) {};
}
