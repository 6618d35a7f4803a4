/* Inputs of artifacts from files: see readers.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/readers.h"

#include "cli/read_wav.h"
#include "core/text.h"
#include "datasets/array.h"
#include "datasets/image.h"
#include "runtime/frontend.h"
#include "runtime/runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int make_rows(ReadRows *rows, const ReadTarget *t, size_t count, const char *path, Error *e)
{
    rows->codes = count > 0 ? calloc(count, t->elements) : NULL;
    rows->rows = count;
    if (count == 0)
        return error_set(e, HONE_ERR_DATA, "'%s' has no rows", path);
    return rows->codes ? HONE_OK : error_memory(e, path, count * t->elements);
}

/* An image is cut to the shape of the input and resized, as data sets do. */
static int read_image(ReadRows *rows, const ReadTarget *t, const char *path, Error *e)
{
    Image image;
    size_t bytes;
    if (hone_rt_section(t->artifact, HONE_RT_SECTION_FRONTEND, &bytes))
        return error_set(e, HONE_ERR_DATA,
                         "'%s' is an image, the artifact takes recordings (.wav) or their features "
                         "(.npy, .csv)",
                         path);
    if (t->channels != 1 && t->channels != 3)
        return error_set(e, HONE_ERR_DATA,
                         "'%s': the artifact takes %d channels, images have 1 or 3", path,
                         t->channels);
    int status = image_read(&image, path, e);
    if (status == HONE_OK)
        status = make_rows(rows, t, 1, path, e);
    if (status == HONE_OK)
        status = image_fit(&image, t->height, t->width, t->channels, IMAGE_CROP,
                           (uint8_t *)rows->codes, e);
    for (size_t i = 0; i < t->elements && status == HONE_OK; i++)
        rows->codes[i] = (int8_t)(((uint8_t *)rows->codes)[i] - 128);
    image_release(&image);
    return status;
}

/* Numbers are real values on the artifact's grid. Only where it names none, having been trained on
 * images, uint8 are pixels and int8 codes. */
static int8_t code_of(const ReadTarget *t, const Array *a, double v)
{
    if (!t->notes->has_input && a->type == ARRAY_U8)
        return (int8_t)(v - 128);
    if (!t->notes->has_input && a->type == ARRAY_I8)
        return (int8_t)v;
    return array_code(t->notes->input.scale, t->notes->input.zero_point, v);
}

static int convert(ReadRows *rows, const ReadTarget *t, const Array *a, const char *path, Error *e)
{
    for (size_t i = 0; i < a->count; i++) {
        double v = array_at(a, i);
        if (!isfinite(v))
            return error_set(e, HONE_ERR_DATA, "'%s': row %zu, number %zu (from 0) is not finite",
                             path, i / t->elements, i % t->elements);
        rows->codes[i] = code_of(t, a, v);
    }
    return HONE_OK;
}

static int refuse_row(const ReadTarget *t, const Array *a, size_t row, const char *path, Error *e)
{
    const bool table = a->rank > 1;
    return error_set(
        e, HONE_ERR_DATA, "'%s' has %zu number%s%s, the artifact takes %zu, %dx%dx%d%s", path, row,
        text_plural((long long)row), table ? " in a row" : "", t->elements, t->height, t->width,
        t->channels, table && row == t->elements + 1 ? ", without a label" : "");
}

/* One input, or rows of them along the first axis. */
static int take_array(ReadRows *rows, const ReadTarget *t, const Array *a, const char *path,
                      Error *e)
{
    size_t count = a->rank > 0 ? (size_t)a->dim[0] : 1;
    const size_t row = count > 0 ? a->count / count : 0;
    bool one = a->count == t->elements;
    if (!one && (count == 0 || a->count % count != 0 || row != t->elements))
        return refuse_row(t, a, row, path, e);
    rows->many = !one || count == 1;
    int status = make_rows(rows, t, one ? 1 : count, path, e);
    return status == HONE_OK ? convert(rows, t, a, path, e) : status;
}

static int read_array(ReadRows *rows, const ReadTarget *t, const char *path, Error *e)
{
    Array a;
    int status = array_read_npy(&a, path, e);
    if (status == HONE_OK)
        status = take_array(rows, t, &a, path, e);
    array_release(&a);
    return status;
}

static int read_table(ReadRows *rows, const ReadTarget *t, const char *path, Error *e)
{
    Array a;
    int status = array_read_csv(&a, path, t->header, e);
    if (status == HONE_OK)
        status = take_array(rows, t, &a, path, e);
    array_release(&a);
    return status;
}

static int read_recording(ReadRows *rows, const ReadTarget *t, const char *path, Error *e)
{
    int status = make_rows(rows, t, 1, path, e);
    return status == HONE_OK ? read_wav(path, t->artifact, rows->codes, t->elements, e) : status;
}

static const struct {
    const char *ending;
    int (*read)(ReadRows *rows, const ReadTarget *t, const char *path, Error *e);
} readers[] = {{".jpg", read_image}, {".jpeg", read_image}, {".png", read_image},
               {".npy", read_array}, {".csv", read_table},  {".wav", read_recording}};
enum { READERS = sizeof readers / sizeof readers[0] };

int read_rows(ReadRows *rows, const ReadTarget *target, const char *path, Error *e)
{
    char endings[80] = "";
    const char *dot = strrchr(path, '.');
    *rows = (ReadRows){0};
    for (int i = 0; i < READERS; i++) {
        if (dot && strcasecmp(dot, readers[i].ending) == 0) {
            int status = readers[i].read(rows, target, path, e);
            if (status != HONE_OK)
                read_release(rows);
            return status;
        }
        strcat(strcat(endings, i > 0 ? ", " : ""), readers[i].ending);
    }
    return error_set(e, HONE_ERR_USAGE, "run: '%s' is none of %s", path, endings);
}

void read_release(ReadRows *rows)
{
    free(rows->codes);
    *rows = (ReadRows){0};
}
