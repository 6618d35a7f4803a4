/* A bound struct as YAML: bind_print of bind.h. Sections as blocks, lists of scalars in brackets,
 * texts plain where no reader of YAML 1.1 or 1.2 could take them for anything else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/option_value.h"
#include "trainer/bind.h"

typedef struct Printer {
    Text *out;
    size_t indent;
    bool dash; /* the next key continues a line that begins with "- " */
} Printer;

static size_t print_section(Printer *p, const OptionTable *table, const void *options);

static bool is_plain(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on",
                                        "off",  "y",    "n",     "inf", "nan"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    /* What starts with a letter or a path is no number. */
    if (!*text || (!strchr(letters, *text) && *text != '/') || strlen(text) > 200)
        return false;
    for (const char *c = text; *c; c++)
        if (!strchr(letters, *c) && !strchr("0123456789_./-+", *c))
            return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_distance(text, words[i]) == 0)
            return false;
    return true;
}

/* The code point at *s, which moves behind it; a byte that is no UTF-8 counts as itself. */
static unsigned long next_point(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    size_t more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    unsigned long point = more ? p[0] & (0x3fu >> more) : p[0];
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *s += 1;
            return p[0];
        }
        point = point << 6 | (p[i] & 0x3fu);
    }
    *s += more + 1;
    return point;
}

/* Line breaks, controls and what YAML's reader refuses raw. */
static bool is_special(unsigned long point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 ||
           point == 0xfeff || point == 0xfffe || point == 0xffff;
}

static void print_quoted(Text *out, const char *text)
{
    text_add(out, "\"");
    while (*text) {
        const char *start = text;
        unsigned long point = next_point(&text);
        if (point == '"' || point == '\\')
            text_printf(out, "\\%c", (char)point);
        else if (is_special(point))
            text_printf(out, "\\u%04lx", point);
        else
            text_add_bytes(out, start, (size_t)(text - start));
    }
    text_add(out, "\"");
}

static void print_value(Text *out, const OptionTable *table, const Option *o, size_t i,
                        const void *options)
{
    char buffer[32];
    const char *text = option_get(table, o, i, options, buffer);
    bool free_text = o->type == OPTION_TYPE_TEXT || o->type == OPTION_TYPE_TEXTS ||
                     o->type == OPTION_TYPE_CHOICE || o->type == OPTION_TYPE_SELECTOR;
    if (!text)
        text_add(out, "null");
    else if (!free_text || is_plain(text))
        text_add(out, text);
    else
        print_quoted(out, text);
}

static void print_key(Printer *p, const char *name)
{
    if (!p->dash)
        text_printf(p->out, "%*s", (int)p->indent, "");
    p->dash = false;
    text_printf(p->out, "%s:", name);
}

static void print_row(Printer *p, const OptionTable *table, const Option *o, const void *options)
{
    text_add(p->out, " [");
    for (size_t i = 0; i < option_count(o, options); i++) {
        text_add(p->out, i ? ", " : "");
        print_value(p->out, table, o, i, options);
    }
    text_add(p->out, "]\n");
}

static void print_list(Printer *p, const Option *o, const void *options)
{
    const OptionList *list = (const void *)((const char *)options + o->offset);
    text_add(p->out, list->count ? "\n" : " []\n");
    for (size_t i = 0; i < list->count; i++) {
        Printer inner = {.out = p->out, .indent = p->indent + 4, .dash = true};
        text_printf(p->out, "%*s- ", (int)p->indent + 2, "");
        if (print_section(&inner, o->table, (const char *)list->items + i * o->table->size) == 0)
            text_add(p->out, "{}\n");
    }
}

static void print_inner(Printer *p, const Option *o, const void *options)
{
    Printer inner = {.out = p->out, .indent = p->indent + 2};
    size_t start = p->out->length;
    text_add(p->out, "\n");
    if (print_section(&inner, o->table, (const char *)options + o->offset) == 0 &&
        !text_failed(p->out)) {
        p->out->length = start;
        text_add(p->out, " {}\n");
    }
}

/* The number of keys printed. */
static size_t print_options(Printer *p, const OptionTable *table, const Option *list,
                            const void *options)
{
    size_t printed = 0;
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        if (o->optional && !*(const bool *)((const char *)options + o->present))
            continue;
        printed++;
        print_key(p, o->name);
        if (o->type == OPTION_TYPE_SECTION) {
            print_inner(p, o, options);
        } else if (o->type == OPTION_TYPE_LIST) {
            print_list(p, o, options);
        } else if (option_is_row(o)) {
            print_row(p, table, o, options);
        } else {
            text_add(p->out, " ");
            print_value(p->out, table, o, 0, options);
            text_add(p->out, "\n");
        }
    }
    return printed;
}

static size_t print_section(Printer *p, const OptionTable *table, const void *options)
{
    size_t printed = print_options(p, table, table->options, options);
    const Option *selector = option_selector(table);
    if (selector) {
        const OptionVariant *variant = table->variants[option_index(selector, options)];
        printed += print_options(p, table, variant->options, options);
    }
    return printed;
}

void bind_print(const OptionTable *table, const void *options, Text *out)
{
    Printer p = {.out = out};
    print_section(&p, table, options);
}
