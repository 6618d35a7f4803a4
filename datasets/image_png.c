/* Decoding PNG: see image.h. The door to libpng, which reports errors by calling back; the callback
 * jumps out. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/image.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct Decoder {
    png_structp png;
    png_infop info;
    png_bytep *rows;
    Image *image;
    const char *path;
    const uint8_t *bytes;
    size_t count, at; /* bytes of the file, and read of them */
    int status;
    Error *e;
} Decoder;

static void fail(png_structp png, png_const_charp reason)
{
    Decoder *d = png_get_error_ptr(png);
    if (d->status == HONE_OK)
        d->status = error_set(d->e, HONE_ERR_DATA, "'%s': byte %zu: %s", d->path, d->at, reason);
    png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp reason)
{
    (void)png, (void)reason; /* nothing that costs a pixel is a warning */
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    Decoder *d = png_get_io_ptr(png);
    if (count > d->count - d->at) {
        d->at = d->count;
        png_error(png, "the file ends here");
    }
    memcpy(to, d->bytes + d->at, count);
    d->at += count;
}

/* To 8 bits a channel, gray or RGB. */
static void set_transforms(png_structp png, png_infop info)
{
    int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void read_image(Decoder *d)
{
    png_structp png = d->png;
    png_read_info(png, d->info);
    set_transforms(png, d->info);
    uint32_t height = png_get_image_height(png, d->info), width = png_get_image_width(png, d->info);
    int channels = png_get_channels(png, d->info);
    d->status = image_alloc(d->image, d->path, height, width, channels, d->e);
    if (d->status == HONE_OK) {
        d->rows = malloc(height * sizeof *d->rows);
        if (d->rows == NULL)
            d->status = error_memory(d->e, d->path, height * sizeof *d->rows);
    }
    if (d->status != HONE_OK)
        png_longjmp(png, 1);
    for (uint32_t y = 0; y < height; y++)
        d->rows[y] = d->image->pixels + (size_t)y * width * (size_t)channels;
    png_read_image(png, d->rows);
    png_read_end(png, NULL);
}

/* A function of its own: after the jump its caller's variables are what they were. */
static void decode(Decoder *d)
{
    if (setjmp(png_jmpbuf(d->png)) != 0)
        return;
    png_set_read_fn(d->png, d, read_bytes);
    read_image(d);
}

int image_decode_png(Image *image, const char *path, const uint8_t *bytes, size_t count, Error *e)
{
    Decoder d = {
        .image = image, .path = path, .bytes = bytes, .count = count, .status = HONE_OK, .e = e};
    d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, fail, warn);
    if (d.png != NULL)
        d.info = png_create_info_struct(d.png);
    if (d.info == NULL) {
        png_destroy_read_struct(&d.png, NULL, NULL);
        return error_memory(e, path, sizeof d);
    }
    decode(&d);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    free(d.rows);
    return d.status;
}
