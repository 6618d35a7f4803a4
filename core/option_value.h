/* Values of options: from a word to the field of a struct and back.
 *
 * The one place that knows what each OptionType accepts and how it prints; it is not a parser of
 * files: the caller splits lists into elements and knows places. Sentences start with the value
 * ("0 is outside 1..100000 epochs") so that a caller puts place and key in front.
 *
 *     option_set(&train_options, epochs, 0, (OptionWord){.text = "12"}, &train, &e);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_OPTION_VALUE_H
#define HONE_CORE_OPTION_VALUE_H

#include "core/arena.h"
#include "core/option.h"

/* A scalar as it was written. */
typedef struct OptionWord {
    const char *text; /* NULL: null, nothing given */
    bool quoted;      /* written in quotes: a text, never a number or a bool */
} OptionWord;

/* Whether the option holds a list of scalars (INTS, REALS, TEXTS). */
bool option_is_row(const Option *option);

/* Sets the number of elements of a row or checks that of a LIST, in least..most; TEXTS get their
 * array from arena. options is the table's struct. */
HONE_CHECKED int option_set_count(const Option *option, size_t count, void *options, Arena *arena,
                                  Error *e);
/* Stores word into the option's field of options, for a row into element i (below its count), else
 * i is 0. A text is stored by pointer: it must outlive options. Not for SECTION and LIST. */
HONE_CHECKED int option_set(const OptionTable *table, const Option *option, size_t i,
                            OptionWord word, void *options, Error *e);
/* Stores the option's fallback, which it must have. */
HONE_CHECKED int option_set_fallback(const OptionTable *table, const Option *option, void *options,
                                     Arena *arena, Error *e);
/* Fills a struct with fallbacks, for the variant called choice (NULL: the selector's fallback);
 * required options and optional sections stay zero. Texts belong to arena or are constant. */
HONE_CHECKED int option_defaults(const OptionTable *table, const char *choice, void *options,
                                 Arena *arena, Error *e);

/* The elements of a row or a LIST. */
size_t option_count(const Option *option, const void *options);
/* The index in an int or enum field: of a CHOICE or SELECTOR. */
int option_index(const Option *option, const void *options);
/* The value (for a row: of element i) as the word that option_set reads back, in buffer or where it
 * lies; NULL for a null text. Not for SECTION and LIST. */
const char *option_get(const OptionTable *table, const Option *option, size_t i,
                       const void *options, char buffer[32]);

#endif
