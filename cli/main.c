/* The program `hone`, also under the name `train`: finds the verb, reads its arguments, runs it, and
 * makes an exit status and one sentence of what it returns. SPDX-License-Identifier: Apache-2.0 */
#include "api/hone.h"
#include "cli/help.h"
#include "cli/output.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static int exit_status(int status)
{
    switch (status) {
    case HONE_OK:
        return EXIT_DONE;
    case HONE_ERR_USAGE:
        return EXIT_USAGE;
    case HONE_ERR_INTERRUPTED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

/* "hone train" or, under that name, "train". */
static int run_verb(const Verb *verb, const char *program, int count, char **words, Error *e)
{
    Arena arena = {0};
    const void *arguments;
    int status = verb_parse(verb, count, words, &arena, &arguments, e);
    if (status == HONE_OK && arguments) {
        status = verb->run(arguments, e);
    } else if (status == HONE_OK) {
        Text text = {0};
        help_verb(verb, program, &text);
        status = output_text(&text, e);
    }
    arena_release(&arena);
    return status;
}

/* No command: the help where it was asked for, on standard error where not. */
static int run_help(bool asked, Error *e)
{
    Text text = {0};
    help_program(&text);
    if (asked)
        return output_text(&text, e);
    fputs(text_string(&text), stderr);
    text_release(&text);
    return HONE_ERR_USAGE;
}

/* `hone bench --help`: appends the help of each verb of a group, if that is one. */
static bool show_group(const char *group, Text *out)
{
    bool found = false;
    const Verb *v;
    for (size_t i = 0; (v = verb_at(i)); i++) {
        char program[VERB_TITLE_BYTES + 8], title[VERB_TITLE_BYTES];
        if (!v->group || strcmp(v->group, group) != 0)
            continue;
        snprintf(program, sizeof program, "hone %s", verb_title(v, title));
        text_add(out, found ? "\n\n" : "");
        help_verb(v, program, out);
        found = true;
    }
    return found;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* words: what stands behind the program's name, at least one. */
static int run_words(int count, char **words, Error *e)
{
    const Verb *verb;
    Text text = {0};
    char program[VERB_TITLE_BYTES + 8], title[VERB_TITLE_BYTES];
    int used;
    if (count == 2 && is_help(words[1]) && show_group(words[0], &text))
        return output_text(&text, e);
    int status = verb_find(&verb, count, words, &used, e);
    if (status != HONE_OK)
        return status;
    snprintf(program, sizeof program, "hone %s", verb_title(verb, title));
    return run_verb(verb, program, count - used, words + used, e);
}

static int run(int argc, char **argv, Error *e)
{
    const char *called = argc > 0 ? argv[0] : "hone";
    const char *slash = strrchr(called, '/');
    if (strcmp(slash ? slash + 1 : called, "train") == 0)
        return run_verb(&verb_train, called, argc - 1, argv + 1, e);
    if (argc < 2)
        return run_help(false, e);
    if (argc == 2 && (is_help(argv[1]) || strcmp(argv[1], "help") == 0))
        return run_help(true, e);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        Text text = {0};
        text_add(&text, "hone " HONE_VERSION "\n");
        return output_text(&text, e);
    }
    if (strcmp(argv[1], "help") != 0)
        return run_words(argc - 1, argv + 1, e);
    /* "help bench step" is "bench step --help" */
    char *words[4], help[] = "--help";
    int count = 0;
    for (int i = 2; i < argc && count < 3; i++)
        words[count++] = argv[i];
    words[count++] = help;
    return run_words(count, words, e);
}

int main(int argc, char **argv)
{
    Error e = {0};
    setlocale(LC_CTYPE, "");
    int status = run(argc, argv, &e);
    if (e.text[0])
        fprintf(stderr, "hone: %s\n", e.text);
    return exit_status(status);
}
