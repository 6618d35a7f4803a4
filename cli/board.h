/* Shows a run while it goes on: lines that stay, on standard output, and below them on a terminal
 * one line that is redrawn in place, on standard error.
 *
 *     Board board;
 *     board_open(&board, false);
 *     board_line(&board, "%s: %d parameters", name, n);
 *     TrainEvents events = board_events(&board);
 *     ...
 *     board_close(&board);                         // the line in place is gone, the others stay
 *
 * Where standard error is no terminal there is no line in place; where standard output is none the
 * lines are the same without colors. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_BOARD_H
#define HONE_CLI_BOARD_H

#include "cli/terminal.h"
#include "core/text.h"
#include "trainer/events.h"

typedef struct Board {
    bool quiet;      /* shows nothing */
    Terminal lines;  /* standard output */
    Terminal bar;    /* standard error */
    Text drawn;      /* the line in place, as it stands on the screen; empty: none */
    double drawn_at; /* seconds; it is redrawn ten times a second at most */
    bool headed;     /* the heading of the epochs' lines was shown */
} Board;

/* quiet: nothing is shown but what fails. */
void board_open(Board *b, bool quiet);
void board_close(Board *b);
/* A line that stays, without its newline. */
void board_line(Board *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reports of the trainer, to be shown here; b must outlive them. */
TrainEvents board_events(Board *b);

#endif
