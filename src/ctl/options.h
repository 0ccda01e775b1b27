/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The options that all verbs share. They may stand before the verb and behind it.
 */

#include "ctl/ctl.h"

typedef enum OptionsResult {
        OPTIONS_GO,
        OPTIONS_HELP,           /* --help was given */
        OPTIONS_VERSION,
        OPTIONS_WRONG,          /* said on stderr */
} OptionsResult;

/**
 * options_take() - take the shared options out of the arguments
 * @argc, @argv: what follows the program's name; shared options are taken out, all else keeps its order. Nothing is taken from behind the
 *              verb "log", which hands its arguments on, nor from behind "--",
 *              which is taken out itself where no verb precedes it
 * @ret:        set but for what depends on the terminal, see options_settle()
 */
OptionsResult options_take(int *argc, char *argv[], CtlOptions *ret);

/* Colours, width and characters, from the environment and what stdout is. Sets the program's LC_CTYPE. Return: 0; -ENOMEM. */
int options_settle(CtlOptions *o);
void options_done(CtlOptions *o);
