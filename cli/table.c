/* Text in columns: see table.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "cli/terminal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CELL_END '\1'
#define RULE     "\2" /* a cell that is a line as wide as its column */
#define CELL_MAX 160

void table_init(Table *t, const char *align, const char *const *headings)
{
    *t = (Table){.align = align, .columns = (int)strlen(align)};
    assert(t->columns <= TABLE_COLUMNS_MAX);
    for (int i = 0; headings && i < t->columns; i++)
        table_cell(t, "%s", headings[i]);
    /* A heading alone does not make a column. */
    for (int i = 0; i < t->columns; i++)
        t->width[i] = 0;
}

void table_cell(Table *t, const char *format, ...)
{
    char text[CELL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int width = strcmp(text, RULE) == 0 ? 0 : terminal_text_width(text);
    if (width > t->width[t->column])
        t->width[t->column] = width;
    text_add(&t->cells, text);
    text_add_bytes(&t->cells, (const char[]){CELL_END}, 1);
    t->column = (t->column + 1) % t->columns;
}

void table_rule(Table *t)
{
    for (int i = 0; i < t->columns; i++)
        table_cell(t, "%s", RULE);
}

static void add_repeated(Text *out, char c, int n)
{
    for (int i = 0; i < n; i++)
        text_add_bytes(out, &c, 1);
}

static void add_cell(Text *out, const char *cell, int length, int width, char align)
{
    char text[CELL_MAX];
    snprintf(text, sizeof text, "%.*s", length, cell);
    text_add(out, "  ");
    if (strcmp(text, RULE) == 0) {
        add_repeated(out, '-', width);
        return;
    }
    int pad = width - terminal_text_width(text);
    add_repeated(out, ' ', align == 'r' ? pad : 0);
    text_add(out, text);
    add_repeated(out, ' ', align == 'l' ? pad : 0);
}

/* Blanks at the end of a line are nobody's. */
static void end_line(Text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
    text_add(out, "\n");
}

/* Column widths with the headings, where there is something below them. */
static void final_widths(const Table *t, int width[TABLE_COLUMNS_MAX])
{
    const char *cell = text_string(&t->cells);
    for (int i = 0; i < t->columns && *cell; i++) {
        char text[CELL_MAX];
        size_t n = strcspn(cell, "\1");
        snprintf(text, sizeof text, "%.*s", (int)n, cell);
        int w = terminal_text_width(text);
        width[i] = t->width[i] > 0 && w > t->width[i] ? w : t->width[i];
        cell += n + 1;
    }
}

void table_print(const Table *t, Text *out)
{
    int width[TABLE_COLUMNS_MAX] = {0}, column = 0;
    if (t->cells.failed)
        out->failed = true;
    final_widths(t, width);
    for (const char *cell = text_string(&t->cells); *cell;) {
        size_t n = strcspn(cell, "\1");
        if (width[column] > 0)
            add_cell(out, cell, (int)n, width[column], t->align[column]);
        column = (column + 1) % t->columns;
        if (column == 0)
            end_line(out);
        cell += n + 1;
    }
}

void table_release(Table *t)
{
    text_release(&t->cells);
}
