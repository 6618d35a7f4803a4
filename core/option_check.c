/* The rules that a table of options keeps, checked: see option_table_check in option.h.
 * Runs in tests only, so that mistakes in a table are found before a user meets them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/option.h"
#include "core/option_value.h"

#define DEPTH_MAX 8
/* What a rule needs to know beside the option. */
typedef struct Rules {
    const OptionTable *table;
    int depth;
    Error *e;
} Rules;

static int check_table(const OptionTable *table, int depth, Error *e);

static int broken(const Rules *r, const char *name, const char *what)
{
    return error_set(r->e, HONE_ERR_CONFIG, "option table '%s', key '%s': %s", r->table->name, name,
                     what);
}

static bool name_is_legal(const char *name)
{
    return name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
           !(*name >= '0' && *name <= '9');
}

static bool is_whole(const Option *o)
{
    return o->type == OPTION_TYPE_INT || o->type == OPTION_TYPE_INTS;
}

static bool is_real(const Option *o)
{
    return o->type == OPTION_TYPE_REAL || o->type == OPTION_TYPE_REALS;
}

/* Bounds, counts and choices by type; NULL when they are sound. */
static const char *bounds_fault(const Option *o)
{
    bool fixed = o->type == OPTION_TYPE_INTS || o->type == OPTION_TYPE_REALS;
    if (is_whole(o) && o->whole.min > o->whole.max)
        return "its smallest value is above its largest";
    if (is_real(o) && !(o->real.min <= o->real.max))
        return "its smallest value is above its largest";
    if (o->least > o->most)
        return "its least count is above its most";
    if (fixed && o->most > OPTION_INTS_MAX)
        return "it allows more elements than OPTION_INTS_MAX";
    if (o->type == OPTION_TYPE_CHOICE && !(o->choices && o->choices[0]))
        return "a choice without choices";
    return NULL;
}

static const char *list_fault(const Option *o)
{
    if (!o->table || o->table->size == 0)
        return "a list without a table";
    if (o->fallback && (strcmp(o->fallback, "[]") != 0 || o->least > 0))
        return "the fallback of a list of sections is [] or none";
    return NULL;
}

static const char *section_fault(const Option *o)
{
    if (!o->table || o->size != o->table->size)
        return "its struct is not the one that its table describes";
    if (o->optional && (o->present < o->offset || o->present >= o->offset + o->size))
        return "'present' is not in the section's struct";
    return NULL;
}

static const char *layout_fault(const OptionTable *table, const Option *o)
{
    if (o->offset > table->size || o->size > table->size - o->offset)
        return "its field lies outside the table's struct";
    if (o->type == OPTION_TYPE_SECTION)
        return section_fault(o);
    return o->type == OPTION_TYPE_LIST ? list_fault(o) : NULL;
}

static bool row_is_bracketed(const Option *o)
{
    size_t length = strlen(o->fallback);
    return length >= 2 && o->fallback[0] == '[' && o->fallback[length - 1] == ']';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Numbers in a form that JSON takes too: digits around a point, a plus only in an exponent. */
static bool numbers_are_portable(const char *text)
{
    for (const char *p = text; *p; p++) {
        char before = p > text ? p[-1] : '\0';
        if (*p == '.' && !(is_digit(before) && is_digit(p[1])))
            return false;
        if (*p == '+' && before != 'e' && before != 'E')
            return false;
    }
    return true;
}

static int check_fallback(const Rules *r, const Option *o)
{
    if (!o->fallback || o->type == OPTION_TYPE_SECTION)
        return HONE_OK;
    if ((is_real(o) || is_whole(o)) && !numbers_are_portable(o->fallback))
        return broken(r, o->name, "the fallback is no number as JSON writes it");
    if (option_is_row(o) && !row_is_bracketed(o))
        return broken(r, o->name, "the fallback of a list is not in brackets");
    Arena arena = {0};
    void *options = calloc(1, r->table->size);
    int rc = options ? option_set_fallback(r->table, o, options, &arena, r->e)
                     : error_memory(r->e, "an option table's check", r->table->size);
    if (rc != HONE_OK && rc != HONE_ERR_MEMORY)
        error_prefix(r->e, "option table '%s', key '%s', fallback", r->table->name, o->name);
    free(options);
    arena_release(&arena);
    return rc;
}

static int check_option(const Rules *r, const Option *o)
{
    if (!name_is_legal(o->name))
        return broken(r, o->name ? o->name : "(none)", "a name is lower case, digits and _");
    if (!o->help || !*o->help || !o->unit)
        return broken(r, o->name, "no help or no unit");
    const char *fault = bounds_fault(o);
    if (!fault)
        fault = layout_fault(r->table, o);
    if (fault)
        return broken(r, o->name, fault);
    int rc = check_fallback(r, o);
    if (rc == HONE_OK && (o->type == OPTION_TYPE_SECTION || o->type == OPTION_TYPE_LIST))
        rc = check_table(o->table, r->depth + 1, r->e);
    return rc;
}

/* list's options, none of them named as one of common's or as an earlier one. */
static int check_list(const Rules *r, const Option *list, const Option *common)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        int rc = check_option(r, o);
        if (rc != HONE_OK)
            return rc;
        for (const Option *c = common; c && c->type != OPTION_TYPE_END; c++)
            if (strcmp(c->name, o->name) == 0)
                return broken(r, o->name, "named twice");
        for (const Option *c = list; c < o; c++)
            if (strcmp(c->name, o->name) == 0)
                return broken(r, o->name, "named twice");
    }
    return HONE_OK;
}

static int check_variants(const Rules *r)
{
    const Option *selector = option_selector(r->table);
    const OptionVariant *const *variants = r->table->variants;
    if (!variants)
        return HONE_OK;
    for (size_t i = 0; variants[i]; i++) {
        if (!variants[i]->help || !*variants[i]->help)
            return broken(r, variants[i]->choice, "a variant without help");
        for (size_t j = 0; j < i; j++)
            if (strcmp(variants[i]->choice, variants[j]->choice) == 0)
                return broken(r, variants[i]->choice, "named twice");
        for (const Option *o = variants[i]->options; o->type != OPTION_TYPE_END; o++)
            if (o->type == OPTION_TYPE_SELECTOR)
                return broken(r, o->name, "a selector inside a variant");
        int rc = check_list(r, variants[i]->options, r->table->options);
        if (rc != HONE_OK)
            return error_prefix(r->e, "%s %s", selector->name, variants[i]->choice);
    }
    return HONE_OK;
}

static int check_table(const OptionTable *table, int depth, Error *e)
{
    Rules r = {.table = table, .depth = depth, .e = e};
    if (depth > DEPTH_MAX)
        return broken(&r, "(all)", "tables nested too deep, or one inside itself");
    if (!table->help || !*table->help)
        return broken(&r, "(all)", "a table without help");
    size_t selectors = 0;
    for (const Option *o = table->options; o->type != OPTION_TYPE_END; o++)
        selectors += o->type == OPTION_TYPE_SELECTOR;
    bool variants = table->variants && table->variants[0];
    if (selectors > 1 || (selectors == 1) != variants)
        return broken(&r, "(all)", "a selector needs variants, variants need one selector");
    int rc = check_list(&r, table->options, NULL);
    return rc == HONE_OK ? check_variants(&r) : rc;
}

int option_table_check(const OptionTable *table, Error *e)
{
    return check_table(table, 0, e);
}
