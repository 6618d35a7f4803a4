/* Ctrl-C and kill as a flag that the trainer looks at. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_SIGNALS_H
#define HONE_CLI_SIGNALS_H

#include <signal.h>

/* From now on the first SIGINT or SIGTERM sets *result to its number; a second one ends the program
 * as if nothing had been installed. */
const volatile sig_atomic_t *signals_install(void);

#endif
