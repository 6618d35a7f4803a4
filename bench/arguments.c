/* Command lines of the benchmarks: see arguments.h. SPDX-License-Identifier: Apache-2.0 */
#include "bench/arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const Argument *arguments, const char *usage, FILE *out)
{
    fprintf(out, "usage: %s\n", usage);
    for (const Argument *a = arguments; a->name; a++)
        fprintf(out, "  %-12s %-4s %s\n", a->name, a->flag ? "" : a->text ? "TEXT" : "N", a->help);
}

static bool read_value(const Argument *a, const char *text)
{
    char *end;
    if (a->text) {
        *a->text = text;
        return true;
    }
    errno = 0;
    double v = strtod(text, &end);
    if (errno != 0 || end == text || *end || !(v >= 0) || v > INT_MAX)
        return false;
    if (a->number) {
        *a->number = (int)v;
        return *a->number == v;
    }
    *a->real = v;
    return v > 0;
}

static const Argument *find(const Argument *arguments, const char *name)
{
    for (const Argument *a = arguments; a->name; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

bool arguments_read(const Argument *arguments, const char *usage, int argc, char **argv,
                    Words *words, bool *help)
{
    *words = (Words){.list = argv};
    *help = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            *help = true;
            print_help(arguments, usage, stdout);
            return false;
        }
        if (argv[i][0] != '-') {
            words->list[words->count++] = argv[i]; /* never ahead of i */
            continue;
        }
        const Argument *a = find(arguments, argv[i]);
        if (a && a->flag) {
            *a->flag = true;
        } else if (!a || i + 1 >= argc || !read_value(a, argv[i + 1])) {
            fprintf(stderr, "%s: %s '%s'\n", argv[0],
                    !a              ? "no such flag"
                    : i + 1 >= argc ? "no value behind"
                                    : "no right value behind",
                    argv[i]);
            print_help(arguments, usage, stderr);
            return false;
        } else {
            i++;
        }
    }
    return true;
}
