/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of policy files share. Failures end the test. */

#include "policy/load.h"

#define ORDERS "service: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\n"
#define AUDIT "service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\n"
#define LEDGER "service: gaussdb\ninstance_id: 1de27464abdf48519f8574c97a8f0625in14\n"

Settings *settings_of(const char *text);        /* good ones; new */
char *said(const Diagnostics *d);               /* all diagnostics, a line each; new */

/* A file of tests/unit/data/policy, NUL-terminated; new. */
char *read_data(const char *folder, const char *name, size_t *ret_n);
