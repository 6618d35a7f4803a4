/* The line that is redrawn in place, as text. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_BAR_H
#define HONE_CLI_BAR_H

#include "cli/terminal.h"
#include "core/text.h"
#include "trainer/events.h"

/* Appends the state of training in at most width columns; what matters least goes first when it is
 * narrow:  epoch 3/12  =======------  412/1500  loss 1.234  56.7 %  lr 0.098  8,140/s  1:23 left */
void bar_step(const StepReport *r, const Terminal *t, int width, Text *out);
/* The same of anything else that takes time:  proof  =======------  700/2000 */
void bar_progress(const char *what, int64_t done, int64_t all, const Terminal *t, int width,
                  Text *out);

#endif
