/* NumPy's file format: see array.h.
 *
 *     \x93 N U M P Y | major, minor | length of the header (version 1: uint16, else uint32) |
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (60, 28, 28), }   spaces, newline | elements
 *
 * Source: NEP 1, "A simple file format for NumPy arrays"; numpy.lib.format.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "datasets/array.h"

#define MAGIC "\x93NUMPY"

typedef struct Reader {
    const char *path;
    const unsigned char *bytes;
    size_t count, at; /* of the file, and the next to be read */
    size_t end;       /* of the header */
    ArrayType type;
    bool fortran;
    int rank;
    int64_t dim[ARRAY_RANK_MAX];
    Error *e;
} Reader;

static int refuse(const Reader *r, const char *what)
{
    return error_set(r->e, HONE_ERR_DATA, "'%s': byte %zu: %s", r->path, r->at, what);
}

/* ---- the header, a Python literal ------------------------------------------------------------ */

static void skip_spaces(Reader *r)
{
    while (r->at < r->end && (r->bytes[r->at] == ' ' || r->bytes[r->at] == '\n'))
        r->at++;
}

/* Steps over word, and spaces before it, where it comes next. */
static bool take(Reader *r, const char *word)
{
    size_t n = strlen(word);
    skip_spaces(r);
    if (r->end - r->at < n || memcmp(r->bytes + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* The length of the short text in quotes that comes next, them included; 0: none that can be shown. */
static int quoted(const Reader *r)
{
    const unsigned char *text = r->bytes + r->at;
    const size_t room = r->end - r->at < 16 ? r->end - r->at : 16;
    if (room == 0 || text[0] != '\'')
        return 0;
    for (size_t i = 1; i < room && text[i] >= ' ' && text[i] <= '~'; i++)
        if (text[i] == '\'')
            return (int)i + 1;
    return 0;
}

static int read_type(Reader *r)
{
    static const struct {
        const char *text;
        ArrayType type;
    } types[] = {{"'|u1'", ARRAY_U8},  {"'|i1'", ARRAY_I8},  {"'<i4'", ARRAY_I32},
                 {"'<i8'", ARRAY_I64}, {"'<f4'", ARRAY_F32}, {"'<f8'", ARRAY_F64}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (take(r, types[i].text)) {
            r->type = types[i].type;
            return HONE_OK;
        }
    }
    const int length = quoted(r);
    if (length == 0)
        return refuse(r, "elements are not little-endian " ARRAY_TYPES_TEXT);
    return error_set(r->e, HONE_ERR_DATA, "'%s': byte %zu: elements are %.*s, not little-endian %s",
                     r->path, r->at, length, (const char *)r->bytes + r->at, ARRAY_TYPES_TEXT);
}

static int read_order(Reader *r)
{
    r->fortran = take(r, "True");
    if (r->fortran || take(r, "False"))
        return HONE_OK;
    return refuse(r, "'fortran_order' is neither True nor False");
}

static int read_extent(Reader *r)
{
    int64_t v = 0;
    size_t begin = r->at;
    while (r->at < r->end && r->bytes[r->at] >= '0' && r->bytes[r->at] <= '9') {
        if (v > INT64_MAX / 10 - 1)
            return refuse(r, "an extent of the shape is out of range");
        v = 10 * v + (r->bytes[r->at++] - '0');
    }
    if (r->at == begin)
        return refuse(r, "'shape' is not a tuple of whole numbers");
    if (r->rank == ARRAY_RANK_MAX)
        return refuse(r, "the array has more than 4 axes");
    r->dim[r->rank++] = v;
    return HONE_OK;
}

static int read_shape(Reader *r)
{
    if (!take(r, "("))
        return refuse(r, "'shape' is not a tuple of whole numbers");
    while (!take(r, ")")) {
        skip_spaces(r);
        int status = read_extent(r);
        if (status != HONE_OK)
            return status;
        (void)take(r, ",");
    }
    return HONE_OK;
}

/* The keys may come in any order, each once. */
static int read_dictionary(Reader *r)
{
    static const struct {
        const char *text;
        int (*read)(Reader *r);
    } keys[] = {
        {"'descr':", read_type}, {"'fortran_order':", read_order}, {"'shape':", read_shape}};
    bool seen[3] = {false, false, false};
    if (!take(r, "{"))
        return refuse(r, "the header is not a dictionary");
    while (!take(r, "}")) {
        int k = 0;
        while (k < 3 && (seen[k] || !take(r, keys[k].text)))
            k++;
        if (k == 3)
            return refuse(r, "the header has something else than descr, fortran_order and shape");
        seen[k] = true;
        int status = keys[k].read(r);
        if (status != HONE_OK)
            return status;
        (void)take(r, ",");
    }
    if (!seen[0] || !seen[1] || !seen[2])
        return refuse(r, "the header lacks descr, fortran_order or shape");
    return HONE_OK;
}

static int cut_short(const Reader *r)
{
    return error_set(r->e, HONE_ERR_DATA, "'%s' ends at byte %zu, inside its header", r->path,
                     r->count);
}

/* What stands before the dictionary; sets where that lies. */
static int read_prefix(Reader *r)
{
    const unsigned char *b = r->bytes;
    if (r->count < 6 || memcmp(b, MAGIC, 6) != 0)
        return refuse(r, "not the magic string of a .npy file");
    size_t start = r->count > 6 && b[6] == 1 ? 10 : 12;
    if (r->count < start)
        return cut_short(r);
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return error_set(r->e, HONE_ERR_DATA,
                         "'%s': byte 6: version %d.%d; 1.0, 2.0 and 3.0 are read", r->path, b[6],
                         b[7]);
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (start == 12)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    r->at = start;
    r->end = start + length;
    return r->end > r->count ? cut_short(r) : HONE_OK;
}

static int read_header(Reader *r)
{
    int status = read_prefix(r);
    if (status != HONE_OK)
        return status;
    status = read_dictionary(r);
    skip_spaces(r);
    return status == HONE_OK && r->at != r->end ? refuse(r, "the header goes on behind its end")
                                                : status;
}

/* ---- the elements ---------------------------------------------------------------------------- */

/* From the first index fastest to the last index fastest. */
static void transpose(const Array *a, const unsigned char *from)
{
    size_t size = array_size(a->type), step[ARRAY_RANK_MAX], stride = 1;
    int64_t index[ARRAY_RANK_MAX] = {0};
    for (int k = 0; k < a->rank; k++) {
        step[k] = stride;
        stride *= (size_t)a->dim[k];
    }
    for (size_t i = 0; i < a->count; i++) {
        size_t at = 0;
        for (int k = 0; k < a->rank; k++)
            at += (size_t)index[k] * step[k];
        memcpy((unsigned char *)a->data + i * size, from + at * size, size);
        for (int k = a->rank - 1; k >= 0 && ++index[k] == a->dim[k]; k--)
            index[k] = 0;
    }
}

static int read_elements(Reader *r, Array *a)
{
    size_t left = r->count - r->end;
    int status = array_shape(a, r->type, r->rank, r->dim, r->path, r->e);
    if (status != HONE_OK)
        return status;
    size_t bytes = a->count * array_size(a->type);
    if (left != bytes)
        return error_set(r->e, HONE_ERR_DATA,
                         "'%s': byte %zu: %zu bytes of elements follow, its shape asks for %zu",
                         r->path, r->end, left, bytes);
    status = array_alloc(a, r->path, r->e);
    if (status != HONE_OK)
        return status;
    if (r->fortran && a->rank > 1)
        transpose(a, r->bytes + r->end);
    else if (bytes > 0)
        memcpy(a->data, r->bytes + r->end, bytes);
    return HONE_OK;
}

int array_read_npy(Array *a, const char *path, Error *e)
{
    Reader r = {.path = path, .e = e};
    unsigned char *bytes = NULL;
    *a = (Array){0};
    int status = file_read(path, ARRAY_BYTES_MAX, &bytes, &r.count, e);
    r.bytes = bytes;
    if (status == HONE_OK)
        status = read_header(&r);
    if (status == HONE_OK)
        status = read_elements(&r, a);
    free(bytes);
    if (status != HONE_OK)
        array_release(a);
    return status;
}
