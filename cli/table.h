/* Tables of text in columns as wide as their widest cell.
 *
 *     Table t;
 *     table_init(&t, "lrr", (const char *const[]){"layer", "params", "share"});
 *     table_cell(&t, "%s", name); table_cell(&t, "%d", n); table_cell(&t, "%.1f %%", share);
 *     table_print(&t, out);
 *     table_release(&t);
 *
 * Cells fill rows from left to right. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_TABLE_H
#define HONE_CLI_TABLE_H

#include "core/text.h"

#define TABLE_COLUMNS_MAX 16

typedef struct Table {
    const char *align; /* a letter per column: 'l' or 'r' */
    int columns;
    int width[TABLE_COLUMNS_MAX]; /* in characters, so far */
    Text cells;                   /* one after the other, each closed by \1 */
    int column;                   /* of the next cell */
} Table;

/* align has a letter per column, at most TABLE_COLUMNS_MAX; headings as many texts, or NULL. Both
 * must outlive the table. */
void table_init(Table *t, const char *align, const char *const *headings);
void table_cell(Table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A row of lines under what is there, before a sum. */
void table_rule(Table *t);
/* Appends the table, two blanks before each column; columns without any text are left out. */
void table_print(const Table *t, Text *out);
void table_release(Table *t);

#endif
