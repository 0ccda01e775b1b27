/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory that runs out when a test says so. Every allocation of the process passes here, those of the libraries too: a test that links this
 * has its malloc() and kin replaced. One thread only.
 *
 *      for (size_t n = 0; !done; n++) {
 *              memory_fail_at(n);
 *              ... what is to survive it ...
 *              done = !memory_fail_never();
 *      }
 */

#include <stdbool.h>
#include <stddef.h>

void memory_fail_at(size_t n);          /* the allocation after @n good ones fails, and it alone */
void memory_fail_from(size_t n);        /* and all that come after it, until memory_fail_never() */
bool memory_fail_never(void);           /* Return: did one fail since the last call? */

/* What the test itself needs in between is neither counted nor refused. Nests. */
void memory_pause(void);
void memory_resume(void);

/* What @library allocates by itself does not fail from here on: for one that does not bear it. Return: is it there? */
bool memory_spare(const char *library);

/* Under valgrind, which has a malloc() of its own, nothing can be made to fail: such a test is skipped. */
bool memory_can_fail(void);
