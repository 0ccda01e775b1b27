/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A disk that fails when it is told to: an SQLite VFS over the system's own. Files are real ones, but what was not synced may be lost in a
 * power cut.
 */

#include <stdbool.h>
#include <stddef.h>

typedef enum Fault {
        FAULT_NONE,
        FAULT_ERROR_ONCE,       /* one call fails with an I/O error, the disk works again */
        FAULT_ERROR_ON,         /* that call, and all that follow */
        FAULT_FULL_ON,          /* writes only: no space left, from that call on */
        FAULT_POWER_CUT,        /* as FAULT_ERROR_ON, and what was not synced is lost in part (vfs_after_power_cut()) */
        FAULT__MAX,
} Fault;

/* Becomes the default VFS for all that opens a database later. */
void vfs_install(void);

/* From now on, let the call number @n fail, counted from 0. Reads count only if asked for. */
void vfs_arm(Fault fault, size_t n, bool reads);
/* Works again. Return: did the fault happen? */
bool vfs_disarm(void);

/* Gives the files the content that they may have after the power came back. Every connection must be closed. */
void vfs_after_power_cut(unsigned long seed);
/* Forgets what is remembered about files; between tests. */
void vfs_forget(void);
