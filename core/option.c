/* Walking option tables: see option.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/option.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

bool option_takes_one(const Option *option)
{
    const bool word = option->type == OPTION_TYPE_TEXTS && option->choices;
    return (word || option->type == OPTION_TYPE_INTS || option->type == OPTION_TYPE_REALS) &&
           option->least <= 1;
}

const Option *option_selector(const OptionTable *table)
{
    for (const Option *o = table->options; o->type != OPTION_TYPE_END; o++)
        if (o->type == OPTION_TYPE_SELECTOR)
            return o;
    return NULL;
}

static const Option *find_in(const Option *list, const char *name, size_t length)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++)
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

const Option *option_find(const OptionTable *table, int variant, const char *name, size_t length)
{
    const Option *o = find_in(table->options, name, length);
    if (!o && variant >= 0 && table->variants)
        o = find_in(table->variants[variant]->options, name, length);
    return o;
}

const char *option_choice(const OptionTable *table, const Option *option, size_t i)
{
    size_t n = 0;
    if (option->type == OPTION_TYPE_SELECTOR) {
        while (n < i && table->variants[n])
            n++;
        return table->variants[n] ? table->variants[n]->choice : NULL;
    }
    while (option->choices && n < i && option->choices[n])
        n++;
    return option->choices ? option->choices[n] : NULL;
}

const char *option_type_text(const Option *option)
{
    static const char *const names[] = {
        [OPTION_TYPE_END] = "",
        [OPTION_TYPE_BOOL] = "true or false",
        [OPTION_TYPE_INT] = "whole number",
        [OPTION_TYPE_REAL] = "number",
        [OPTION_TYPE_TEXT] = "text",
        [OPTION_TYPE_CHOICE] = "choice",
        [OPTION_TYPE_SELECTOR] = "choice",
        [OPTION_TYPE_INTS] = "whole numbers",
        [OPTION_TYPE_REALS] = "numbers",
        [OPTION_TYPE_TEXTS] = "texts",
        [OPTION_TYPE_SECTION] = "section",
        [OPTION_TYPE_LIST] = "list of sections",
    };
    return names[option->type];
}

/* Cuts off what does not fit, as snprintf does. */
static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void append_whole(const Option *o, char *text, size_t size)
{
    char part[64] = "";
    if (o->whole.min > INT64_MIN && o->whole.max < INT64_MAX)
        snprintf(part, sizeof part, "%" PRId64 "..%" PRId64, o->whole.min, o->whole.max);
    else if (o->whole.min > INT64_MIN)
        snprintf(part, sizeof part, ">= %" PRId64, o->whole.min);
    else if (o->whole.max < INT64_MAX)
        snprintf(part, sizeof part, "<= %" PRId64, o->whole.max);
    append(text, size, part);
}

static void append_real(const Option *o, char *text, size_t size)
{
    char part[96] = "", min[32], max[32];
    bool above = o->open & OPTION_OPEN_MIN, below = o->open & OPTION_OPEN_MAX;
    text_from_real(o->real.min, min);
    text_from_real(o->real.max, max);
    if (isfinite(o->real.min) && isfinite(o->real.max))
        snprintf(part, sizeof part, "%c%s, %s%c", above ? '(' : '[', min, max, below ? ')' : ']');
    else if (isfinite(o->real.min))
        snprintf(part, sizeof part, "%s %s", above ? ">" : ">=", min);
    else if (isfinite(o->real.max))
        snprintf(part, sizeof part, "%s %s", below ? "<" : "<=", max);
    append(text, size, part);
}

static void append_choices(const OptionTable *table, const Option *o, char *text, size_t size)
{
    const char *name;
    for (size_t i = 0; (name = option_choice(table, o, i)); i++) {
        append(text, size, i ? " | " : "");
        append(text, size, name);
    }
}

/* "3 of ", "0..4 of " */
static void append_count(const Option *o, char *text, size_t size)
{
    char part[64];
    if (o->least == o->most)
        snprintf(part, sizeof part, "%zu", o->most);
    else
        snprintf(part, sizeof part, "%zu..%zu", o->least, o->most);
    append(text, size, part);
}

const char *option_range_text(const OptionTable *table, const Option *option, char *text,
                              size_t size)
{
    bool whole = option->type == OPTION_TYPE_INT || option->type == OPTION_TYPE_INTS;
    bool real = option->type == OPTION_TYPE_REAL || option->type == OPTION_TYPE_REALS;
    char of[256] = "";
    if (whole)
        append_whole(option, of, sizeof of);
    else if (real)
        append_real(option, of, sizeof of);
    else if (option->type == OPTION_TYPE_SELECTOR || option->choices)
        append_choices(table, option, of, sizeof of);
    text[0] = '\0';
    if (option->most > 0)
        append_count(option, text, size);
    append(text, size, *text && *of ? " of " : "");
    append(text, size, of);
    return text;
}
