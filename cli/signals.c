/* Signals: see signals.h. A handler gets no context, so this flag is the one variable of the program
 * that is not somebody's; it lives here alone. SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <stddef.h>

static volatile sig_atomic_t received;

static void handle(int number)
{
    received = number;
}

const volatile sig_atomic_t *signals_install(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &received;
}
