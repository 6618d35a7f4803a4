/* Tables of numbers: see array.h. A table is lines of decimal numbers between commas, all with the
 * same number of columns; spaces around numbers, empty lines and a byte order mark in front are
 * skipped. No quotes, no text: a data set is numbers. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "datasets/array.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* in UTF-8, as spreadsheets write it */

typedef struct Reader {
    const char *path, *at; /* NUL-terminated text */
    long line;             /* from 1 */
    double *numbers;
    size_t count, room;
    int64_t rows, columns;
    Error *e;
} Reader;

static int add_number(Reader *r, double v)
{
    if (r->count == r->room) {
        size_t room = r->room > 0 ? 2 * r->room : 1024;
        double *numbers = realloc(r->numbers, room * sizeof *numbers);
        if (numbers == NULL)
            return error_memory(r->e, r->path, room * sizeof *numbers);
        r->numbers = numbers;
        r->room = room;
    }
    r->numbers[r->count++] = v;
    return HONE_OK;
}

static void skip_spaces(Reader *r)
{
    r->at += strspn(r->at, " \t\r");
}

/* What may be meant by a field that is no number. */
static const char *hint(const Reader *r, size_t length)
{
    if (memchr(r->at, ';', length) || memchr(r->at, '\t', length))
        return " (columns are separated by commas)";
    return r->rows == 0 ? " (a first line of names: dataset.header: true, or --header)" : "";
}

/* One number and what ends it: a comma, which is stepped over, or the end of the line. */
static int read_number(Reader *r, int64_t column, bool *more)
{
    char *end;
    skip_spaces(r);
    size_t length = strcspn(r->at, ",\r\n");
    double v = strtod(r->at, &end);
    end += strspn(end, " \t");
    /* strtod would take hexadecimal numbers, names and the line behind. */
    if (strspn(r->at, "0123456789+-.eE \t") < length || end != r->at + length || length == 0)
        return error_set(r->e, HONE_ERR_DATA,
                         "'%s': line %ld, column %lld: '%.*s' is not a number%s", r->path, r->line,
                         (long long)column, length < 40 ? (int)length : 40, r->at, hint(r, length));
    if (!isfinite(v))
        return error_set(r->e, HONE_ERR_DATA, "'%s': line %ld, column %lld: %.*s is too large",
                         r->path, r->line, (long long)column, length < 40 ? (int)length : 40,
                         r->at);
    r->at = end;
    skip_spaces(r);
    *more = *r->at == ',';
    r->at += *more;
    return add_number(r, v);
}

static int read_line(Reader *r)
{
    int64_t columns = 0;
    for (bool more = true; more;) {
        int status = read_number(r, ++columns, &more);
        if (status != HONE_OK)
            return status;
    }
    if (r->rows++ == 0)
        r->columns = columns;
    if (columns != r->columns)
        return error_set(r->e, HONE_ERR_DATA,
                         "'%s': line %ld has %lld column%s, the lines before have %lld", r->path,
                         r->line, (long long)columns, text_plural(columns), (long long)r->columns);
    return HONE_OK;
}

static int read_lines(Reader *r, bool header)
{
    int status = HONE_OK;
    if (strncmp(r->at, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        r->at += strlen(BYTE_ORDER_MARK);
    for (r->line = 1; *r->at != '\0' && status == HONE_OK; r->line++) {
        skip_spaces(r);
        if (header && r->line == 1)
            r->at += strcspn(r->at, "\n");
        else if (*r->at != '\n' && *r->at != '\0')
            status = read_line(r);
        if (status == HONE_OK && *r->at == '\n')
            r->at++;
    }
    if (status == HONE_OK && r->rows == 0)
        return error_set(r->e, HONE_ERR_DATA, "'%s' has no line of numbers", r->path);
    return status;
}

int array_read_csv(Array *a, const char *path, bool header, Error *e)
{
    Reader r = {.path = path, .e = e};
    unsigned char *bytes = NULL;
    size_t count = 0;
    *a = (Array){0};
    int status = file_read(path, ARRAY_BYTES_MAX, &bytes, &count, e);
    if (status != HONE_OK)
        return status;
    bytes[count] = '\0'; /* file_read leaves room for it */
    r.at = (const char *)bytes;
    if (strlen(r.at) != count)
        status = error_set(e, HONE_ERR_DATA, "'%s': byte %zu: a zero byte in a text file", path,
                           strlen(r.at));
    if (status == HONE_OK)
        status = read_lines(&r, header);
    if (status == HONE_OK)
        *a = (Array){.type = ARRAY_F64,
                     .rank = 2,
                     .dim = {r.rows, r.columns},
                     .count = r.count,
                     .data = r.numbers};
    else
        free(r.numbers);
    free(bytes);
    return status;
}
