/* Options as data: what a module can be told, in one table per module.
 *
 * A module declares a plain struct and a const table that describes its fields. The YAML binder,
 * the command line, the messages, the help and the schemas are all made from the table, so that a
 * new option is one line. Nothing here knows YAML; modules never see YAML.
 *
 *     typedef struct OptimizerOptions { int kind; double lr, momentum, beta2; } OptimizerOptions;
 *
 *     const OptionTable optimizer_options = {
 *         .name = "optimizer", .help = "how gradients change weights",
 *         .size = sizeof(OptimizerOptions),
 *         .options = (const Option[]){
 *             OPTION_SELECTOR("kind", OptimizerOptions, kind, "sgd", "update rule"),
 *             OPTION_REAL("lr", OptimizerOptions, lr, "", 0, 10, "0.1", "peak learning rate"),
 *             OPTION_END},
 *         .variants = (const OptionVariant *const[]){
 *             OPTION_VARIANT("sgd", "momentum",
 *                 OPTION_REAL("momentum", OptimizerOptions, momentum, "", 0, 1, "0.9", "decay"),
 *                 OPTION_END),
 *             OPTION_VARIANT("adamw", "Adam, decoupled decay",
 *                 OPTION_REAL("beta2", OptimizerOptions, beta2, "", 0, 1, "0.999", "decay of v"),
 *                 OPTION_END),
 *             NULL},
 *     };
 *
 * The selector's field receives the index of the chosen variant; options of the variants not
 * chosen are zero. A field of the wrong C type is a compile error. Fallbacks: the text of a scalar
 * ("0.1", "true", "sgd"; for TEXT taken as it stands, "null" gives a NULL pointer and allows null),
 * "[a, b]" for INTS, REALS, TEXTS, "[]" for LIST; NULL means the file must give the key. Sections
 * have none: a section left out has its options' fallbacks, an optional one stays absent.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_OPTION_H
#define HONE_CORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define OPTION_INTS_MAX 16

typedef struct OptionInts {
    int count;
    int64_t v[OPTION_INTS_MAX];
} OptionInts;

typedef struct OptionReals {
    int count;
    double v[OPTION_INTS_MAX];
} OptionReals;

/* Strings and the array belong to the configuration that filled the struct. */
typedef struct OptionTexts {
    size_t count;
    const char *const *v;
} OptionTexts;

/* items points to count structs of the option's table, owned by the configuration:
 * `const OverrideOptions *o = options->overrides.items;` */
typedef struct OptionList {
    size_t count;
    const void *items;
} OptionList;

typedef enum OptionType {
    OPTION_TYPE_END,      /* closes an array of options */
    OPTION_TYPE_BOOL,     /* bool */
    OPTION_TYPE_INT,      /* int64_t in whole.min..whole.max */
    OPTION_TYPE_REAL,     /* double in real.min..real.max, finite */
    OPTION_TYPE_TEXT,     /* const char *, owned by the configuration */
    OPTION_TYPE_CHOICE,   /* int or enum: index into choices */
    OPTION_TYPE_SELECTOR, /* int or enum: index into the table's variants */
    OPTION_TYPE_INTS,     /* OptionInts, each in range, count in least..most */
    OPTION_TYPE_REALS,    /* OptionReals, likewise */
    OPTION_TYPE_TEXTS,    /* OptionTexts, each among choices when there are any */
    OPTION_TYPE_SECTION,  /* a struct described by table, inline */
    OPTION_TYPE_LIST,     /* OptionList of structs described by table */
} OptionType;

/* A bound of a REAL that the value must not reach. */
enum { OPTION_OPEN_MIN = 1, OPTION_OPEN_MAX = 2 };

typedef struct OptionTable OptionTable;

typedef struct Option {
    const char *name;
    OptionType type;
    size_t offset;    /* bytes into the table's struct */
    size_t size;      /* bytes of the field: of a SECTION's struct */
    const char *unit; /* "epochs", "images"; "" where there is none */
    struct {
        int64_t min, max;
    } whole;
    struct {
        double min, max; /* -INFINITY, INFINITY: no bound */
    } real;
    unsigned open;              /* OPTION_OPEN_* */
    size_t least, most;         /* elements of INTS, REALS, TEXTS, LIST */
    const char *fallback;       /* NULL: required */
    const char *const *choices; /* NULL-terminated */
    const OptionTable *table;   /* SECTION, LIST; tables must not contain themselves */
    bool optional;              /* SECTION that may be absent: its `present` says */
    size_t present;             /* bytes to that bool, from the start of the table's struct */
    const char *help;           /* one line, lower case, no period */
} Option;

/* One value of a selector, with the options that only it has. */
typedef struct OptionVariant {
    const char *choice;
    const char *help;
    const Option *options; /* closed by OPTION_END */
} OptionVariant;

struct OptionTable {
    const char *name;
    const char *help;
    size_t size;                          /* of the struct that the table describes */
    const Option *options;                /* closed by OPTION_END; at most one SELECTOR */
    const OptionVariant *const *variants; /* NULL-terminated; NULL without a SELECTOR */
    /* Conditions between options, called when the struct is complete; may be NULL. Its sentence is
     * put behind the section's place, so it starts with the key: "end_epoch 3 is before ...". */
    int (*check)(const void *options, Error *e);
};

/* offsetof(T, field), and a compile error unless the field has type C. */
#define OPTION_AT(T, field, C) _Generic(((T *)0)->field, C : offsetof(T, field))
/* Enumerations are int or unsigned, at the compiler's choice. */
#define OPTION_AT_ENUM(T, field)                                                                   \
    _Generic(((T *)0)->field, int : offsetof(T, field), unsigned : offsetof(T, field))
#define OPTION_SIZE(T, field) sizeof(((T *)0)->field)

#define OPTION_END                                                                                 \
    {                                                                                              \
        .type = OPTION_TYPE_END                                                                    \
    }

#define OPTION_BOOL(name_, T, field, fallback_, help_)                                             \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_BOOL, .offset = OPTION_AT(T, field, bool),            \
        .size = sizeof(bool), .unit = "", .fallback = (fallback_), .help = (help_)                 \
    }

#define OPTION_INT(name_, T, field, unit_, min_, max_, fallback_, help_)                           \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_INT, .offset = OPTION_AT(T, field, int64_t),          \
        .size = sizeof(int64_t), .unit = (unit_), .whole = {(min_), (max_)},                       \
        .fallback = (fallback_), .help = (help_)                                                   \
    }

/* Bounds included. */
#define OPTION_REAL(name_, T, field, unit_, min_, max_, fallback_, help_)                          \
    OPTION_REAL_OPEN(name_, T, field, unit_, min_, max_, 0, fallback_, help_)

/* open_: OPTION_OPEN_MIN, OPTION_OPEN_MAX or both: that bound is excluded. */
#define OPTION_REAL_OPEN(name_, T, field, unit_, min_, max_, open_, fallback_, help_)              \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_REAL, .offset = OPTION_AT(T, field, double),          \
        .size = sizeof(double), .unit = (unit_), .real = {(min_), (max_)}, .open = (open_),        \
        .fallback = (fallback_), .help = (help_)                                                   \
    }

#define OPTION_TEXT(name_, T, field, fallback_, help_)                                             \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_TEXT, .offset = OPTION_AT(T, field, const char *),    \
        .size = sizeof(const char *), .unit = "", .fallback = (fallback_), .help = (help_)         \
    }

/* choices_: `const char *const names[] = {"a", "b", NULL}`. */
#define OPTION_CHOICE(name_, T, field, choices_, fallback_, help_)                                 \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_CHOICE, .offset = OPTION_AT_ENUM(T, field),           \
        .size = sizeof(int), .unit = "", .choices = (choices_), .fallback = (fallback_),           \
        .help = (help_)                                                                            \
    }

/* The values are the names of the table's variants. */
#define OPTION_SELECTOR(name_, T, field, fallback_, help_)                                         \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_SELECTOR, .offset = OPTION_AT_ENUM(T, field),         \
        .size = sizeof(int), .unit = "", .fallback = (fallback_), .help = (help_)                  \
    }

/* least_..most_ elements (most_ <= OPTION_INTS_MAX), each in min_..max_. */
#define OPTION_INTS(name_, T, field, unit_, least_, most_, min_, max_, fallback_, help_)           \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_INTS, .offset = OPTION_AT(T, field, OptionInts),      \
        .size = sizeof(OptionInts), .unit = (unit_), .whole = {(min_), (max_)}, .least = (least_), \
        .most = (most_), .fallback = (fallback_), .help = (help_)                                  \
    }

#define OPTION_REALS(name_, T, field, unit_, least_, most_, min_, max_, fallback_, help_)          \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_REALS, .offset = OPTION_AT(T, field, OptionReals),    \
        .size = sizeof(OptionReals), .unit = (unit_), .real = {(min_), (max_)}, .least = (least_), \
        .most = (most_), .fallback = (fallback_), .help = (help_)                                  \
    }

/* choices_ may be NULL: any text. */
#define OPTION_TEXTS(name_, T, field, least_, most_, choices_, fallback_, help_)                   \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_TEXTS, .offset = OPTION_AT(T, field, OptionTexts),    \
        .size = sizeof(OptionTexts), .unit = "", .choices = (choices_), .least = (least_),         \
        .most = (most_), .fallback = (fallback_), .help = (help_)                                  \
    }

/* field is the section's struct itself. */
#define OPTION_SECTION(name_, T, field, table_, help_)                                             \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_SECTION, .offset = offsetof(T, field),                \
        .size = OPTION_SIZE(T, field), .unit = "", .table = (table_), .help = (help_)              \
    }

/* As OPTION_SECTION, for one that may be left out: its struct has a `bool present`. */
#define OPTION_OPTIONAL(name_, T, field, table_, help_)                                            \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_SECTION, .offset = offsetof(T, field),                \
        .size = OPTION_SIZE(T, field), .unit = "", .table = (table_), .optional = true,            \
        .present = OPTION_AT(T, field.present, bool), .help = (help_)                              \
    }

/* fallback_: "[]" or NULL. */
#define OPTION_LIST(name_, T, field, table_, least_, most_, fallback_, help_)                      \
    {                                                                                              \
        .name = (name_), .type = OPTION_TYPE_LIST, .offset = OPTION_AT(T, field, OptionList),      \
        .size = sizeof(OptionList), .unit = "", .table = (table_), .least = (least_),              \
        .most = (most_), .fallback = (fallback_), .help = (help_)                                  \
    }

/* The rest: the variant's own options, then OPTION_END. */
#define OPTION_VARIANT(choice_, help_, ...)                                                        \
    &(const OptionVariant)                                                                         \
    {                                                                                              \
        .choice = (choice_), .help = (help_), .options = (const Option[])                          \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* Whether a single value may stand for a list of one: INTS, REALS, and TEXTS with choices, of at least
 * 0 or 1. */
bool option_takes_one(const Option *option);
/* The table's SELECTOR, or NULL. */
const Option *option_selector(const OptionTable *table);
/* The option called name (length bytes): common, or of the variant (index; -1: none); or NULL. */
const Option *option_find(const OptionTable *table, int variant, const char *name, size_t length);
/* The i-th value of a CHOICE, a SELECTOR or a TEXTS with choices; NULL past the end. */
const char *option_choice(const OptionTable *table, const Option *option, size_t i);
/* "whole number", "section", ...: constant, for messages and help. */
const char *option_type_text(const Option *option);
/* The allowed range or values: "1..100000", "(0, 1]", "sgd | adamw", "2..4 of >= 1", "" for any;
 * cut to size; returns text. */
const char *option_range_text(const OptionTable *table, const Option *option, char *text,
                              size_t size);
/* Refuses a table that breaks the rules above (sizes, duplicate names, fallbacks that are not legal
 * values, a selector without variants, a missing help), naming table and key; nested ones too.
 * For tests: every module's table passes it. */
HONE_CHECKED int option_table_check(const OptionTable *table, Error *e);

#endif
