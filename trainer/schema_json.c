/* JSON Schema from option tables: schema_json of schema.h.
 *
 * An object lists all keys it may ever have and forbids others; with a selector, one if/then per
 * variant narrows that to the variant's keys. A missing selector means its fallback, so the
 * fallback's `if` holds without the key too. Wright, Andrews, "JSON Schema Validation", draft-07,
 * 2019, sections 6.5 and 6.6. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/option_value.h"
#include "report/json.h"
#include "trainer/schema.h"

/* The members of an object's schema. */
static void members(const OptionTable *table, bool nullable, Json *j);

static bool needs_nothing(const OptionTable *table);

/* Whether a section must give the option. */
static bool is_needed(const Option *o)
{
    if (o->type == OPTION_TYPE_SECTION)
        return !o->optional && !needs_nothing(o->table);
    return !o->fallback;
}

/* Whether a struct of table can be made from nothing: no required key in it. */
static bool needs_nothing(const OptionTable *table)
{
    const Option *selector = option_selector(table);
    const Option *lists[2] = {table->options, NULL};
    if (selector && !selector->fallback)
        return false;
    for (size_t i = 0; selector && table->variants[i]; i++)
        if (strcmp(table->variants[i]->choice, selector->fallback) == 0)
            lists[1] = table->variants[i]->options;
    for (int i = 0; i < 2; i++)
        for (const Option *o = lists[i]; o && o->type != OPTION_TYPE_END; o++)
            if (is_needed(o))
                return false;
    return true;
}

static void type(const char *name, bool nullable, Json *j)
{
    if (!nullable) {
        json_text(j, "type", name);
        return;
    }
    json_open(j, "type", '[');
    json_text(j, NULL, name);
    json_text(j, NULL, "null");
    json_close(j);
}

static void whole_number(const Option *o, Json *j)
{
    type("integer", false, j);
    if (o->whole.min > INT64_MIN)
        json_whole(j, "minimum", o->whole.min);
    if (o->whole.max < INT64_MAX)
        json_whole(j, "maximum", o->whole.max);
}

static void number(const Option *o, Json *j)
{
    type("number", false, j);
    if (isfinite(o->real.min))
        json_real(j, o->open & OPTION_OPEN_MIN ? "exclusiveMinimum" : "minimum", o->real.min);
    if (isfinite(o->real.max))
        json_real(j, o->open & OPTION_OPEN_MAX ? "exclusiveMaximum" : "maximum", o->real.max);
}

static void choices(const OptionTable *table, const Option *o, Json *j)
{
    const char *name;
    json_open(j, "enum", '[');
    for (size_t i = 0; (name = option_choice(table, o, i)); i++)
        json_text(j, NULL, name);
    json_close(j);
}

/* All about a row or a list but its items. */
static void array(const Option *o, Json *j)
{
    type("array", o->type == OPTION_TYPE_LIST && o->fallback, j);
    json_whole(j, "minItems", (int64_t)o->least);
    json_whole(j, "maxItems", (int64_t)o->most);
}

/* The words of "[one, two]". */
static void words(const char *list, Json *j)
{
    char word[64];
    for (const char *p = list + 1; *p != ']'; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ",]");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        json_text(j, NULL, word);
        p += n;
    }
}

/* Fallbacks of numbers and of rows of numbers are JSON as they are. */
static void add_default(const Option *o, Json *j)
{
    bool text = o->type == OPTION_TYPE_CHOICE || o->type == OPTION_TYPE_SELECTOR ||
                (o->type == OPTION_TYPE_TEXT && strcmp(o->fallback, "null") != 0);
    if (text) {
        json_text(j, "default", o->fallback);
    } else if (o->type == OPTION_TYPE_TEXTS) {
        json_open(j, "default", '[');
        words(o->fallback, j);
        json_close(j);
    } else {
        json_source(j, "default", o->fallback);
    }
}

/* What a value must be; of a row, what its elements must be. */
static void value(const OptionTable *table, const Option *o, Json *j)
{
    switch (o->type) {
    case OPTION_TYPE_BOOL:
        type("boolean", false, j);
        break;
    case OPTION_TYPE_INT:
    case OPTION_TYPE_INTS:
        whole_number(o, j);
        break;
    case OPTION_TYPE_REAL:
    case OPTION_TYPE_REALS:
        number(o, j);
        break;
    case OPTION_TYPE_TEXT:
        type("string", o->fallback && strcmp(o->fallback, "null") == 0, j);
        break;
    default: /* CHOICE, SELECTOR, TEXTS */
        if (o->choices || o->type != OPTION_TYPE_TEXTS)
            choices(table, o, j);
        else
            type("string", false, j);
    }
}

static void row(const OptionTable *table, const Option *o, Json *j)
{
    array(o, j);
    json_open(j, "items", '{');
    value(table, o, j);
    json_close(j);
}

/* A row of one element may be written without brackets. */
static void value_or_row(const OptionTable *table, const Option *o, Json *j)
{
    json_open(j, "anyOf", '[');
    json_open(j, NULL, '{');
    value(table, o, j);
    json_close(j);
    json_open(j, NULL, '{');
    row(table, o, j);
    json_close(j);
    json_close(j);
}

static void property(const OptionTable *table, const Option *o, Json *j)
{
    json_open(j, o->name, '{');
    if (o->type == OPTION_TYPE_SECTION) {
        members(o->table, o->optional || needs_nothing(o->table), j);
        json_close(j);
        return;
    }
    if (o->type != OPTION_TYPE_LIST)
        j->layout = JSON_LINE;
    json_text(j, "description", o->help);
    if (*o->unit)
        json_text(j, "$comment", o->unit);
    if (o->type == OPTION_TYPE_LIST) {
        array(o, j);
        json_open(j, "items", '{');
        members(o->table, needs_nothing(o->table), j);
        json_close(j);
    } else if (option_takes_one(o)) {
        value_or_row(table, o, j);
    } else if (option_is_row(o)) {
        row(table, o, j);
    } else {
        value(table, o, j);
    }
    if (o->fallback)
        add_default(o, j);
    json_close(j);
    j->layout = JSON_TREE;
}

static void properties(const OptionTable *table, const Option *list, Json *j)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++)
        property(table, o, j);
}

static void required(const Option *list, Json *j)
{
    json_open(j, "required", '[');
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++)
        if (is_needed(o))
            json_text(j, NULL, o->name);
    json_close(j);
}

/* "if" the selector says so. */
static void condition(const Option *selector, const char *choice, Json *j)
{
    json_open(j, "if", '{');
    j->layout = JSON_LINE;
    type("object", false, j);
    json_open(j, "properties", '{');
    json_open(j, selector->name, '{');
    json_text(j, "const", choice);
    json_close(j);
    json_close(j);
    if (!selector->fallback || strcmp(selector->fallback, choice) != 0) {
        json_open(j, "required", '[');
        json_text(j, NULL, selector->name);
        json_close(j);
    }
    json_close(j);
    j->layout = JSON_TREE;
}

/* Of the keys that all variants have only the names: their schemas stand outside. */
static void variant(const OptionTable *table, const OptionVariant *v, Json *j)
{
    json_open(j, NULL, '{');
    condition(option_selector(table), v->choice, j);
    json_open(j, "then", '{');
    json_open(j, "properties", '{');
    for (const Option *o = table->options; o->type != OPTION_TYPE_END; o++)
        json_bool(j, o->name, true);
    properties(table, v->options, j);
    json_close(j);
    json_bool(j, "additionalProperties", false);
    required(v->options, j);
    json_close(j);
    json_close(j);
}

/* The names of all variants' options, each once. */
static void variant_names(const OptionTable *table, Json *j)
{
    for (int i = 0; table->variants[i]; i++)
        for (const Option *o = table->variants[i]->options; o->type != OPTION_TYPE_END; o++) {
            bool seen = false;
            for (int k = 0; k < i; k++)
                seen |= option_find(table, k, o->name, strlen(o->name)) != NULL;
            if (!seen)
                json_bool(j, o->name, true);
        }
}

static void members(const OptionTable *table, bool nullable, Json *j)
{
    const bool selects = option_selector(table) != NULL;
    json_text(j, "description", table->help);
    type("object", nullable, j);
    json_open(j, "properties", '{');
    properties(table, table->options, j);
    if (selects)
        variant_names(table, j);
    json_close(j);
    json_bool(j, "additionalProperties", false);
    required(table->options, j);
    if (!selects)
        return;
    json_open(j, "allOf", '[');
    for (size_t i = 0; table->variants[i]; i++)
        variant(table, table->variants[i], j);
    json_close(j);
}

void schema_json(const OptionTable *table, Text *out)
{
    Json j = {.out = out, .layout = JSON_TREE};
    json_open(&j, NULL, '{');
    json_text(&j, "$schema", "http://json-schema.org/draft-07/schema#");
    json_text(&j, "title", table->name);
    members(table, false, &j);
    json_close(&j);
}
