/* The command lines of the programs in bench/: flags with and without a value, and words.
 *
 *     int threads = 1; bool json = false;
 *     const Argument arguments[] = {{"--threads", .number = &threads, .help = "of 0: all processors"},
 *                                   {"--json", .flag = &json, .help = "one JSON object"}, {0}};
 *     if (!arguments_read(arguments, "bench/roofline [FLAG...]", argc, argv, &words)) return 2;
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_BENCH_ARGUMENTS_H
#define HONE_BENCH_ARGUMENTS_H

#include <stdbool.h>

/* One of flag, number, real, text is set and says what the flag is. */
typedef struct Argument {
    const char *name, *help;
    bool *flag;
    int *number;  /* >= 0 */
    double *real; /* > 0 */
    const char **text;
} Argument;

typedef struct Words {
    char **list; /* points into argv */
    int count;
} Words;

/* arguments ends with an entry without a name. Words are what is left. Prints what is wrong, or with
 * --help what there is, and returns false then; *help says which. */
bool arguments_read(const Argument *arguments, const char *usage, int argc, char **argv,
                    Words *words, bool *help);

#endif
