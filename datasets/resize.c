/* Fitting an image to a size: see image.h.
 *
 * Along one axis an output pixel is a sum of inputs with integer weights of a common total:
 *     shrinking   pixel o of n covers inputs [o m / n, (o + 1) m / n) of m: in units of 1/n an input is
 *                 n long, and weights are the lengths of the overlaps, m in all
 *     growing     its centre lies at ((2 o + 1) m - n) / (2 n): weights of its two neighbours in units
 *                 of 1 / (2 n), 2 n in all
 * Rows are summed first, exactly in uint32 (255 * IMAGE_SIDE_MAX < 2^32), then columns in uint64;
 * one division rounds to nearest. This is area (box) averaging and bilinear interpolation with
 * half-pixel centres, as torch.nn.functional.interpolate has them (align_corners=False).
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "datasets/image.h"

typedef struct Span {
    int first, count;       /* inputs */
    const uint32_t *weight; /* [count] */
} Span;

typedef struct Axis {
    Span *spans; /* [n] */
    uint32_t *weights;
    uint32_t total;
} Axis;

typedef struct Rect {
    int y, x, height, width;
} Rect;

/* ---- weights --------------------------------------------------------------------------------- */

static int shrink(uint32_t *w, int64_t m, int64_t n, int64_t o, int *first)
{
    int64_t begin = o * m, end = begin + m, k = begin / n;
    int count = 0;
    for (*first = (int)k; k * n < end; k++) {
        int64_t lo = k * n > begin ? k * n : begin, hi = (k + 1) * n < end ? (k + 1) * n : end;
        w[count++] = (uint32_t)(hi - lo);
    }
    return count;
}

static int grow(uint32_t *w, int64_t m, int64_t n, int64_t o, int *first)
{
    int64_t at = (2 * o + 1) * m - n, last = (m - 1) * 2 * n;
    at = at < 0 ? 0 : at > last ? last : at;
    uint32_t right = (uint32_t)(at % (2 * n));
    *first = (int)(at / (2 * n));
    w[0] = (uint32_t)(2 * n) - right;
    w[1] = right;
    return right > 0 ? 2 : 1;
}

/* From m inputs to n outputs. */
static int axis_init(Axis *a, int m, int n, Error *e)
{
    size_t room = (size_t)m + 2 * (size_t)n; /* shrinking shares at most one input per border */
    a->spans = malloc((size_t)n * sizeof *a->spans);
    a->weights = malloc(room * sizeof *a->weights);
    if (a->spans == NULL || a->weights == NULL)
        return error_memory(e, "resizing an image", room * sizeof *a->weights);
    bool shrinks = m >= n;
    uint32_t *w = a->weights;
    a->total = shrinks ? (uint32_t)m : 2 * (uint32_t)n;
    for (int o = 0; o < n; o++) {
        Span *s = &a->spans[o];
        s->weight = w;
        s->count = shrinks ? shrink(w, m, n, o, &s->first) : grow(w, m, n, o, &s->first);
        w += s->count;
    }
    assert((size_t)(w - a->weights) <= room);
    return HONE_OK;
}

static void axis_release(Axis *a)
{
    free(a->spans);
    free(a->weights);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void sum_row(const Axis *x, int width, int channels, const uint8_t *in, uint32_t *out)
{
    for (int o = 0; o < width; o++) {
        const Span *s = &x->spans[o];
        for (int c = 0; c < channels; c++) {
            uint32_t sum = 0;
            for (int k = 0; k < s->count; k++)
                sum += s->weight[k] * in[(s->first + k) * channels + c];
            *out++ = sum;
        }
    }
}

static void sum_column(const Axis *y, int row, size_t values, uint64_t total, const uint32_t *sums,
                       uint8_t *out)
{
    const Span *s = &y->spans[row];
    for (size_t i = 0; i < values; i++) {
        uint64_t sum = total / 2;
        for (int k = 0; k < s->count; k++)
            sum += (uint64_t)s->weight[k] * sums[(size_t)(s->first + k) * values + i];
        out[i] = (uint8_t)(sum / total);
    }
}

/* The part of the image inside from, as [height][width][its channels]. */
static int resize(const Image *image, Rect from, int height, int width, uint8_t *out, Error *e)
{
    Axis y = {0}, x = {0};
    size_t values = (size_t)width * (size_t)image->channels;
    size_t bytes = (size_t)from.height * values * sizeof(uint32_t);
    uint32_t *sums = malloc(bytes);
    int status = sums != NULL ? HONE_OK : error_memory(e, "resizing an image", bytes);
    if (status == HONE_OK)
        status = axis_init(&y, from.height, height, e);
    if (status == HONE_OK)
        status = axis_init(&x, from.width, width, e);
    if (status == HONE_OK) {
        for (int r = 0; r < from.height; r++) {
            size_t at = (size_t)(from.y + r) * (size_t)image->width + (size_t)from.x;
            sum_row(&x, width, image->channels, image->pixels + at * (size_t)image->channels,
                    sums + (size_t)r * values);
        }
        uint64_t total = (uint64_t)x.total * y.total;
        for (int r = 0; r < height; r++)
            sum_column(&y, r, values, total, sums, out + (size_t)r * values);
    }
    axis_release(&y);
    axis_release(&x);
    free(sums);
    return status;
}

/* ---- shape and colour ------------------------------------------------------------------------ */

/* The largest rectangle of shape height : width around the centre. */
static Rect crop(const Image *image, int height, int width)
{
    Rect r = {.height = image->height, .width = image->width};
    int64_t fitting_width = (int64_t)image->height * width / height;
    int64_t fitting_height = (int64_t)image->width * height / width;
    if (fitting_width < r.width)
        r.width = fitting_width > 0 ? (int)fitting_width : 1;
    else if (fitting_height < r.height)
        r.height = fitting_height > 0 ? (int)fitting_height : 1;
    r.y = (image->height - r.height) / 2;
    r.x = (image->width - r.width) / 2;
    return r;
}

static void to_gray(const uint8_t *in, size_t pixels, uint8_t *out)
{
    for (size_t i = 0; i < pixels; i++, in += 3)
        out[i] = (uint8_t)((19595u * in[0] + 38470u * in[1] + 7471u * in[2] + 32768u) >> 16);
}

/* In place, from the end: a gray image of pixels bytes becomes three times as long. */
static void to_colour(uint8_t *pixels, size_t count)
{
    for (size_t i = count; i-- > 0;)
        pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = pixels[i];
}

int image_fit(const Image *image, int height, int width, int channels, ImageFit fit, uint8_t *out,
              Error *e)
{
    assert(channels == 1 || channels == 3);
    Rect from = {.height = image->height, .width = image->width};
    size_t pixels = (size_t)height * (size_t)width;
    uint8_t *colour = NULL;
    if (fit == IMAGE_CROP)
        from = crop(image, height, width);
    if (image->channels > channels) {
        colour = malloc(3 * pixels);
        if (colour == NULL)
            return error_memory(e, "resizing an image", 3 * pixels);
    }
    int status = resize(image, from, height, width, colour != NULL ? colour : out, e);
    if (status == HONE_OK && colour != NULL)
        to_gray(colour, pixels, out);
    else if (status == HONE_OK && image->channels < channels)
        to_colour(out, pixels);
    free(colour);
    return status;
}
