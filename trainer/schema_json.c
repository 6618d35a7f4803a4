/* JSON Schema from option tables: schema_json of schema.h.
 *
 * An object lists all keys it may ever have and forbids others; with a selector, one if/then per
 * variant narrows that to the variant's keys. A missing selector means its fallback, so the
 * fallback's `if` holds without the key too. Wright, Andrews, "JSON Schema Validation", draft-07,
 * 2019, sections 6.5 and 6.6. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/option_value.h"
#include "trainer/schema.h"

static void object(const OptionTable *table, bool nullable, Text *out);

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

/* "name": */
static void key(Text *out, const char *name)
{
    text_add_json(out, name);
    text_add(out, ": ");
}

static void whole_number(const Option *o, Text *out)
{
    text_add(out, "\"type\": \"integer\"");
    if (o->whole.min > INT64_MIN)
        text_printf(out, ", \"minimum\": %" PRId64, o->whole.min);
    if (o->whole.max < INT64_MAX)
        text_printf(out, ", \"maximum\": %" PRId64, o->whole.max);
}

static void number(const Option *o, Text *out)
{
    text_add(out, "\"type\": \"number\"");
    if (isfinite(o->real.min)) {
        text_printf(out, ", \"%s\": ", o->open & OPTION_OPEN_MIN ? "exclusiveMinimum" : "minimum");
        text_add_real(out, o->real.min);
    }
    if (isfinite(o->real.max)) {
        text_printf(out, ", \"%s\": ", o->open & OPTION_OPEN_MAX ? "exclusiveMaximum" : "maximum");
        text_add_real(out, o->real.max);
    }
}

static void choices(const OptionTable *table, const Option *o, Text *out)
{
    text_add(out, "\"enum\": [");
    const char *name;
    for (size_t i = 0; (name = option_choice(table, o, i)); i++) {
        text_add(out, i ? ", " : "");
        text_add_json(out, name);
    }
    text_add(out, "]");
}

static void array_of(const Option *o, Text *out)
{
    bool nullable = o->type == OPTION_TYPE_LIST && o->fallback;
    text_printf(out, "\"type\": %s, \"minItems\": %zu, \"maxItems\": %zu, \"items\": ",
                nullable ? "[\"array\", \"null\"]" : "\"array\"", o->least, o->most);
}

/* The default as JSON: numbers, words of rows quoted where they are texts. */
static void add_default(const Option *o, Text *out)
{
    bool text = o->type == OPTION_TYPE_CHOICE || o->type == OPTION_TYPE_SELECTOR ||
                (o->type == OPTION_TYPE_TEXT && strcmp(o->fallback, "null") != 0);
    text_add(out, ", \"default\": ");
    if (text) {
        text_add_json(out, o->fallback);
    } else if (o->type != OPTION_TYPE_TEXTS) {
        text_add(out, o->fallback);
    } else {
        text_add(out, "[");
        const char *p = o->fallback + 1;
        for (size_t n = strcspn(p, ",]"), i = 0; n > 0;
             p += n + strspn(p + n, ", "), n = strcspn(p, ",]"), i++) {
            text_add(out, i ? ", \"" : "\"");
            text_add_bytes(out, p, n);
            text_add(out, "\"");
        }
        text_add(out, "]");
    }
}

/* An element of INTS, REALS or TEXTS. */
static void element(const OptionTable *table, const Option *o, Text *out)
{
    if (o->type == OPTION_TYPE_INTS)
        whole_number(o, out);
    else if (o->type == OPTION_TYPE_REALS)
        number(o, out);
    else if (o->choices)
        choices(table, o, out);
    else
        text_add(out, "\"type\": \"string\"");
}

static void row(const OptionTable *table, const Option *o, Text *out)
{
    array_of(o, out);
    text_add(out, "{");
    element(table, o, out);
    text_add(out, "}");
}

static void constraints(const OptionTable *table, const Option *o, Text *out)
{
    bool nullable = o->fallback && strcmp(o->fallback, "null") == 0;
    switch (o->type) {
    case OPTION_TYPE_BOOL:
        text_add(out, "\"type\": \"boolean\"");
        break;
    case OPTION_TYPE_INT:
        whole_number(o, out);
        break;
    case OPTION_TYPE_REAL:
        number(o, out);
        break;
    case OPTION_TYPE_CHOICE:
    case OPTION_TYPE_SELECTOR:
        choices(table, o, out);
        break;
    case OPTION_TYPE_INTS:
    case OPTION_TYPE_REALS:
    case OPTION_TYPE_TEXTS:
        if (option_takes_one(o)) {
            text_add(out, "\"anyOf\": [{");
            element(table, o, out);
            text_add(out, "}, {");
        }
        row(table, o, out);
        text_add(out, option_takes_one(o) ? "}]" : "");
        break;
    default: /* TEXT */
        text_printf(out, "\"type\": %s", nullable ? "[\"string\", \"null\"]" : "\"string\"");
    }
}

/* "description": help and unit. */
static void describe(const Option *o, Text *out)
{
    text_add(out, "{\"description\": ");
    text_add_json(out, o->help);
    if (*o->unit) {
        text_add(out, ", \"$comment\": ");
        text_add_json(out, o->unit);
    }
    text_add(out, ", ");
}

static void property(const OptionTable *table, const Option *o, Text *out)
{
    key(out, o->name);
    if (o->type == OPTION_TYPE_SECTION) {
        object(o->table, o->optional || needs_nothing(o->table), out);
        return;
    }
    describe(o, out);
    if (o->type == OPTION_TYPE_LIST) {
        array_of(o, out);
        object(o->table, needs_nothing(o->table), out);
    } else {
        constraints(table, o, out);
    }
    if (o->fallback)
        add_default(o, out);
    text_add(out, "}");
}

/* list's keys; known: only their names, the schemas being elsewhere. first: no comma yet. */
static bool properties(const OptionTable *table, const Option *list, bool known, bool first,
                       Text *out)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++, first = false) {
        text_add(out, first ? "" : ",\n");
        if (known)
            text_printf(out, "\"%s\": true", o->name);
        else
            property(table, o, out);
    }
    return first;
}

static void required(const Option *list, Text *out)
{
    bool first = true;
    text_add(out, ", \"required\": [");
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        if (!is_needed(o))
            continue;
        text_add(out, first ? "" : ", ");
        text_add_json(out, o->name);
        first = false;
    }
    text_add(out, "]");
}

static void variant(const OptionTable *table, const Option *selector, const OptionVariant *v,
                    Text *out)
{
    text_add(out, "{\"if\": {\"type\": \"object\", \"properties\": {");
    key(out, selector->name);
    text_add(out, "{\"const\": ");
    text_add_json(out, v->choice);
    text_add(out, "}}");
    if (!selector->fallback || strcmp(selector->fallback, v->choice) != 0) {
        text_add(out, ", \"required\": [");
        text_add_json(out, selector->name);
        text_add(out, "]");
    }
    text_add(out, "},\n\"then\": {\"properties\": {");
    bool first = properties(table, table->options, true, true, out);
    properties(table, v->options, false, first, out);
    text_add(out, "}, \"additionalProperties\": false");
    required(v->options, out);
    text_add(out, "}}");
}

/* The names of all variants' options, each once, as known keys. */
static void variant_names(const OptionTable *table, bool first, Text *out)
{
    for (size_t i = 0; table->variants[i]; i++)
        for (const Option *o = table->variants[i]->options; o->type != OPTION_TYPE_END; o++) {
            bool seen = false;
            for (int j = 0; j < (int)i; j++)
                seen |= option_find(table, j, o->name, strlen(o->name)) != NULL;
            if (seen)
                continue;
            text_printf(out, "%s\"%s\": true", first ? "" : ",\n", o->name);
            first = false;
        }
}

/* The inside of an object's schema. */
static void members(const OptionTable *table, bool nullable, Text *out)
{
    const Option *selector = option_selector(table);
    text_add(out, "\"description\": ");
    text_add_json(out, table->help);
    text_printf(out, ", \"type\": %s,\n\"properties\": {\n",
                nullable ? "[\"object\", \"null\"]" : "\"object\"");
    bool first = properties(table, table->options, false, true, out);
    if (selector)
        variant_names(table, first, out);
    text_add(out, "},\n\"additionalProperties\": false");
    required(table->options, out);
    if (!selector)
        return;
    text_add(out, ",\n\"allOf\": [");
    for (size_t i = 0; table->variants[i]; i++) {
        text_add(out, i ? ",\n" : "\n");
        variant(table, selector, table->variants[i], out);
    }
    text_add(out, "]");
}

static void object(const OptionTable *table, bool nullable, Text *out)
{
    text_add(out, "{");
    members(table, nullable, out);
    text_add(out, "}");
}

void schema_json(const OptionTable *table, Text *out)
{
    text_add(out, "{\"$schema\": \"http://json-schema.org/draft-07/schema#\",\n\"title\": ");
    text_add_json(out, table->name);
    text_add(out, ",\n");
    members(table, false, out);
    text_add(out, "}\n");
}
