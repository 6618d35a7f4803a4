/* Growing text, JSON strings, nearest words: see text.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 63

/* Room for extra more bytes and the terminator. */
static bool reserve(Text *t, size_t extra)
{
    if (t->failed)
        return false;
    if (extra < t->room - t->length)
        return true;
    size_t room = t->room ? t->room : 256;
    while (room - t->length <= extra && room <= SIZE_MAX / 4)
        room *= 2;
    char *data = room - t->length > extra ? realloc(t->data, room) : NULL;
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->room = room;
    return true;
}

void text_add_bytes(Text *t, const char *s, size_t length)
{
    if (!reserve(t, length))
        return;
    memcpy(t->data + t->length, s, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_add(Text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

void text_printf(Text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        t->failed = true;
    if (length >= 0 && reserve(t, (size_t)length)) {
        vsnprintf(t->data + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

void text_add_json(Text *t, const char *s)
{
    if (!s) {
        text_add(t, "null");
        return;
    }
    text_add(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_printf(t, "\\%c", c);
        else if (c == '\n')
            text_add(t, "\\n");
        else if (c < 0x20 || c == 0x7f)
            text_printf(t, "\\u%04x", c);
        else
            text_add_bytes(t, s, 1);
    }
    text_add(t, "\"");
}

char *text_from_real(double v, char out[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    /* YAML 1.1 takes 4e-05 for a text: give the mantissa its point. */
    char *e = strchr(out, 'e');
    if (e && !strchr(out, '.')) {
        memmove(e + 2, e, strlen(e) + 1);
        memcpy(e, ".0", 2);
    }
    return out;
}

void text_add_real(Text *t, double v)
{
    char number[32];
    text_add(t, text_from_real(v, number));
}

bool text_failed(const Text *t)
{
    return t->failed;
}

const char *text_string(const Text *t)
{
    return t->data ? t->data : "";
}

void text_release(Text *t)
{
    free(t->data);
    *t = (Text){0};
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

const char *text_plural(long long count)
{
    return count == 1 ? "" : "s";
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t text_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX)
        return strcmp(a, b) ? SIZE_MAX : 0;
    /* Rows i-2, i-1 and i of the table of distances between prefixes, taken in turn. */
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replace = above[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            row[j] = smaller(replace, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = smaller(row[j], two[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void text_nearest(TextNearest *n, const char *candidate)
{
    size_t distance = text_distance(n->word, candidate);
    size_t most = (strlen(n->word) + 2) / 3;
    if (distance <= most && distance < strlen(candidate) && (!n->best || distance < n->distance)) {
        n->best = candidate;
        n->distance = distance;
    }
}
