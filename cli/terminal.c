/* Terminals: see terminal.h. SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* TIOCGWINSZ and struct winsize are not in POSIX 2008 */
#include "cli/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

Terminal terminal_open(FILE *stream)
{
    const char *kind = getenv("TERM"), *no_color = getenv("NO_COLOR");
    Terminal t = {0};
    t.present = isatty(fileno(stream)) && kind && strcmp(kind, "dumb") != 0;
    t.utf8 = t.present && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t.color = t.present && !(no_color && *no_color);
    return t;
}

int terminal_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

int terminal_text_width(const char *text)
{
    int width = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '\033') {
            c += strcspn(c, "m");
            if (!*c)
                break;
        } else {
            width += ((unsigned char)*c & 0xC0) != 0x80; /* not a continuation byte */
        }
    }
    return width;
}
