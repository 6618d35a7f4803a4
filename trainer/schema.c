/* Help and Markdown from option tables: see schema.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/schema.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES  256
#define RANGE_BYTES 256

static void join(char path[PATH_BYTES], const char *prefix, const Option *o)
{
    snprintf(path, PATH_BYTES, "%s%s%s%s", prefix, *prefix ? "." : "", o->name,
             o->type == OPTION_TYPE_LIST ? ".N" : "");
}

/* "0..10 epochs": range and unit, without those of a type that says it all. */
static void range_and_unit(const OptionTable *table, const Option *o, char text[RANGE_BYTES])
{
    option_range_text(table, o, text, RANGE_BYTES);
    size_t used = strlen(text);
    if (*o->unit)
        snprintf(text + used, RANGE_BYTES - used, "%s%s", used ? " " : "", o->unit);
}

static const char *default_text(const Option *o)
{
    if (o->type == OPTION_TYPE_SECTION)
        return o->optional ? "absent" : "";
    if (o->type == OPTION_TYPE_TEXT && o->fallback && !*o->fallback)
        return "\"\"";
    return o->fallback ? o->fallback : "required";
}

/* ---- help ---- */

typedef struct Help {
    const char *under; /* "" for all */
    size_t entries;
    Text *out;
} Help;

/* Whether path is at or below h->under, its list elements by number or N. */
static bool is_under(const Help *h, const char *path)
{
    const char *u = h->under, *p = path;
    while (*u && *p) {
        bool number = *p == 'N' && *u >= '0' && *u <= '9';
        if (*u != *p && !number)
            return false;
        u += number ? strspn(u, "0123456789") : 1;
        p++;
    }
    return !*u && (!*p || *p == '.' || !*h->under);
}

static void help_table(Help *h, const OptionTable *table, const char *prefix);

static void help_entry(Help *h, const OptionTable *table, const Option *o, const char *path,
                       const char *when)
{
    char range[RANGE_BYTES];
    range_and_unit(table, o, range);
    const char *fallback = default_text(o);
    text_printf(h->out, "%s%s%s%s\n    %s; %s%s%s\n", path, *fallback ? " = " : "", fallback, when,
                o->help, option_type_text(o), *range ? ", " : "", range);
    h->entries++;
}

static void help_options(Help *h, const OptionTable *table, const Option *list, const char *prefix,
                         const char *when)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        char path[PATH_BYTES];
        join(path, prefix, o);
        if (is_under(h, path))
            help_entry(h, table, o, path, when);
        if (o->table)
            help_table(h, o->table, path);
    }
}

static void help_table(Help *h, const OptionTable *table, const char *prefix)
{
    help_options(h, table, table->options, prefix, "");
    const Option *selector = option_selector(table);
    for (size_t i = 0; selector && table->variants[i]; i++) {
        char when[128];
        snprintf(when, sizeof when, "   (%s: %s)", selector->name, table->variants[i]->choice);
        help_options(h, table, table->variants[i]->options, prefix, when);
    }
}

size_t schema_help(const OptionTable *table, const char *under, Text *out)
{
    Help h = {.under = under ? under : "", .out = out};
    help_table(&h, table, "");
    return h.entries;
}

/* ---- Markdown ---- */

/* A cell and the bar that ends it; bars inside are escaped. */
static void add_cell(Text *out, const char *s)
{
    text_add(out, " ");
    for (; *s; s++) {
        if (*s == '|')
            text_add(out, "\\");
        text_add_bytes(out, s, 1);
    }
    text_add(out, " |");
}

static void markdown_rows(const OptionTable *table, const Option *list, Text *out)
{
    text_add(out, "\n| key | type | range | unit | default | meaning |\n");
    text_add(out, "|---|---|---|---|---|---|\n");
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        char range[RANGE_BYTES];
        option_range_text(table, o, range, sizeof range);
        text_printf(out, "| `%s` | %s |", o->name, option_type_text(o));
        add_cell(out, range);
        add_cell(out, o->unit);
        add_cell(out, default_text(o));
        add_cell(out, o->help);
        text_add(out, "\n");
    }
}

static void markdown_table(const OptionTable *table, const char *path, const char *note, Text *out);

static void markdown_inner(const Option *list, const char *path, const char *note, Text *out)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        char inner[PATH_BYTES];
        join(inner, path, o);
        if (o->table)
            markdown_table(o->table, inner, o->optional ? "Optional: " : note, out);
    }
}

static void markdown_table(const OptionTable *table, const char *path, const char *note, Text *out)
{
    if (*path)
        text_printf(out, "\n## %s\n\n%s%s.\n", path, note, table->help);
    markdown_rows(table, table->options, out);
    const Option *selector = option_selector(table);
    for (size_t i = 0; selector && table->variants[i]; i++) {
        const OptionVariant *v = table->variants[i];
        text_printf(out, "\nWith `%s: %s` (%s)%s\n", selector->name, v->choice, v->help,
                    v->options->type == OPTION_TYPE_END ? ": nothing more." : ":");
        if (v->options->type != OPTION_TYPE_END)
            markdown_rows(table, v->options, out);
    }
    markdown_inner(table->options, path, "", out);
    for (size_t i = 0; selector && table->variants[i]; i++)
        markdown_inner(table->variants[i]->options, path, "", out);
}

void schema_markdown(const OptionTable *table, Text *out)
{
    text_printf(out,
                "# Options\n\nMade by the program from its option tables; edit those. Sections are "
                "nested keys, `N` is an\nelement of a list, and `--set a.b.c=VALUE` names the "
                "same keys.\n\n%s.\n",
                table->help);
    markdown_table(table, "", "", out);
}
