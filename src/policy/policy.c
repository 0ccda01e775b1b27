/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

const char *mode_to_string(Mode m) {
        assert(m < MODE__MAX);
        return m == MODE_ENFORCE ? "enforce" : "observe";
}
