/* Commands as data: each verb is one file with one table of its operands and flags, from which
 * parsing, help and suggestions are made.
 *
 *     typedef struct EvalArguments { const char *file; int64_t threads; bool json; } EvalArguments;
 *
 *     const Verb verb_eval = {
 *         .name = "eval", .summary = "accuracy or error of a checkpoint or an artifact",
 *         .example = "hone eval runs/a/best.h5",
 *         .flags = (const Flag[]){
 *             OPERAND("FILE", EvalArguments, file, "checkpoint (.h5) or artifact (.hone)"),
 *             FLAG_COUNT("--threads", "N", EvalArguments, threads, 1, 256, "threads to use"),
 *             FLAG_SWITCH("--json", EvalArguments, json, "print one JSON object"),
 *             FLAG_END},
 *         .size = sizeof(EvalArguments), .run = run};
 *
 * A new verb is one file and one line in verbs.def. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_VERB_H
#define HONE_CLI_VERB_H

#include "core/arena.h"
#include "core/error.h"
#include "core/option.h"
#include "core/threads.h"

typedef enum FlagType {
    FLAG_TYPE_END,
    FLAG_TYPE_OPERAND,  /* const char *; operands come in the table's order */
    FLAG_TYPE_MAYBE,    /* an operand that may be left out, behind the others */
    FLAG_TYPE_OPERANDS, /* FlagTexts: one operand or more, behind all others */
    FLAG_TYPE_SWITCH,   /* bool */
    FLAG_TYPE_COUNT,    /* int64_t in min..max; not given: FLAG_UNSET */
    FLAG_TYPE_TEXT,     /* const char *; not given: NULL */
    FLAG_TYPE_CHOICE,   /* int, index into choices; not given: FLAG_UNSET */
    FLAG_TYPE_NAMES,    /* const char *: choices between commas, each once; not given: NULL */
    FLAG_TYPE_SETS,     /* FlagTexts; may be given many times */
} FlagType;

#define FLAG_UNSET (-1)

/* What a repeated flag was given, or repeated operands, in order. */
typedef struct FlagTexts {
    size_t count;
    const char *const *v;
} FlagTexts;

typedef struct Flag {
    const char *name;     /* "--threads"; of an operand what help calls it: "CONFIG" */
    const char *argument; /* "N"; NULL for switches and operands */
    FlagType type;
    size_t offset;              /* bytes into the verb's struct */
    int64_t min, max;           /* COUNT; min >= 0 */
    const char *const *choices; /* CHOICE, NAMES: NULL-terminated */
    const char *help;           /* lower case, no period */
} Flag;

typedef struct Verb {
    const char *group;   /* "bench" of `hone bench step`; NULL for verbs of one word */
    const char *name;    /* "train", "step" */
    const char *summary; /* one line, lower case, no period */
    const char *about;   /* sentences for --help; lines end in \n; or NULL */
    const char *example; /* of --help, one command a line */
    const Flag *flags;   /* closed by FLAG_END */
    size_t size;         /* of the struct that the table describes */
    /* arguments is that struct, filled. Prints results on stdout; a failure's sentence is printed
     * by the caller, who makes the exit status of it. */
    int (*run)(const void *arguments, Error *e);
} Verb;

#define OPERAND(name_, T, field, help_)                                                            \
    {                                                                                              \
        .name = (name_), .type = FLAG_TYPE_OPERAND, .offset = OPTION_AT(T, field, const char *),   \
        .help = (help_)                                                                            \
    }
#define OPERAND_MAYBE(name_, T, field, help_)                                                      \
    {                                                                                              \
        .name = (name_), .type = FLAG_TYPE_MAYBE, .offset = OPTION_AT(T, field, const char *),     \
        .help = (help_)                                                                            \
    }
#define OPERANDS(name_, T, field, help_)                                                           \
    {                                                                                              \
        .name = (name_), .type = FLAG_TYPE_OPERANDS, .offset = OPTION_AT(T, field, FlagTexts),     \
        .help = (help_)                                                                            \
    }
#define FLAG_SWITCH(name_, T, field, help_)                                                        \
    {                                                                                              \
        .name = (name_), .type = FLAG_TYPE_SWITCH, .offset = OPTION_AT(T, field, bool),            \
        .help = (help_)                                                                            \
    }
#define FLAG_COUNT(name_, argument_, T, field, min_, max_, help_)                                  \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .type = FLAG_TYPE_COUNT,                         \
        .offset = OPTION_AT(T, field, int64_t), .min = (min_), .max = (max_), .help = (help_)      \
    }
#define FLAG_TEXT(name_, argument_, T, field, help_)                                               \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .type = FLAG_TYPE_TEXT,                          \
        .offset = OPTION_AT(T, field, const char *), .help = (help_)                               \
    }
#define FLAG_CHOICE(name_, argument_, T, field, choices_, help_)                                   \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .type = FLAG_TYPE_CHOICE,                        \
        .offset = OPTION_AT(T, field, int), .choices = (choices_), .help = (help_)                 \
    }
#define FLAG_NAMES(name_, T, field, choices_, help_)                                               \
    {                                                                                              \
        .name = (name_), .argument = "NAMES", .type = FLAG_TYPE_NAMES,                             \
        .offset = OPTION_AT(T, field, const char *), .choices = (choices_), .help = (help_)        \
    }
#define FLAG_SETS(T, field)                                                                        \
    {                                                                                              \
        .name = "--set", .argument = "KEY=VALUE", .type = FLAG_TYPE_SETS,                          \
        .offset = OPTION_AT(T, field, FlagTexts),                                                  \
        .help = "override an option of the configuration; VALUE is YAML; may be repeated"          \
    }
#define FLAG_THREADS(T, field)                                                                     \
    FLAG_COUNT("--threads", "N", T, field, 1, THREADS_MAX,                                         \
               "threads to use; results do not depend on it (default: as configured)")
#define FLAG_JSON(T, field) FLAG_SWITCH("--json", T, field, "print one JSON object, nothing else")
#define FLAG_END                                                                                   \
    {                                                                                              \
        .type = FLAG_TYPE_END                                                                      \
    }

/* All verbs in the order of verbs.def; NULL past the end. */
const Verb *verb_at(size_t i);

/* Finds the verb that the words (those behind the program's name, at least one) begin with; *used is
 * how many of them its name took. Errors: HONE_ERR_USAGE for an unknown one, with the nearest. */
HONE_CHECKED int verb_find(const Verb **verb, int count, char *const *words, int *used, Error *e);

/* Reads the words behind the verb's name into a new struct in the arena: *arguments, or NULL, with
 * HONE_OK, where --help is among them. Flags may stand anywhere, as "--name value" or
 * "--name=value"; behind "--" all are operands. Texts are borrowed from words. Errors:
 * HONE_ERR_USAGE, HONE_ERR_MEMORY. */
HONE_CHECKED int verb_parse(const Verb *verb, int count, char *const *words, Arena *arena,
                            const void **arguments, Error *e);

/* "train", "bench step": group and name, for messages. */
#define VERB_TITLE_BYTES 40
const char *verb_title(const Verb *verb, char title[VERB_TITLE_BYTES]);

#define VERB(name) extern const Verb verb_##name;
#include "cli/verbs.def"
#undef VERB

#endif
