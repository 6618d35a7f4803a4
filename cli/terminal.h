/* Where output goes: a terminal, with its width, characters and colors, or anything else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_TERMINAL_H
#define HONE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef struct Terminal {
    bool present; /* the stream is a terminal that can move its cursor */
    bool utf8;    /* and shows UTF-8 */
    bool color;   /* and colors, unless NO_COLOR is set */
} Terminal;

/* What stream leads to. setlocale(LC_CTYPE, "") was called before. */
Terminal terminal_open(FILE *stream);
/* Columns now: it may have been resized; 80 where it does not say. */
int terminal_width(FILE *stream);
/* Columns that UTF-8 text takes, a character each; escape sequences (\033[...m) take none. */
int terminal_text_width(const char *text);

#endif
