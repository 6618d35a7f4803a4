/* Images from JPEG and PNG files, and fitting them to a size.
 *
 *     Image image;
 *     if (image_read(&image, "cat.jpg", e) != HONE_OK) return e->code;
 *     int status = image_fit(&image, 64, 64, 3, IMAGE_CROP, pixels, e);   // [64][64][3]
 *     image_release(&image);
 *
 * Decoding is libjpeg's (accurate integer DCT, smooth upsampling) and libpng's: 8 bits a channel,
 * gray or RGB; alpha is dropped, gamma and colour profiles are not applied. Fitting is resize.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_IMAGE_H
#define HONE_DATASETS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Of a file: more is taken for a lie. */
#define IMAGE_PIXELS_MAX (1 << 26)
#define IMAGE_SIDE_MAX   (1 << 20)

typedef struct Image {
    int height, width;
    int channels;    /* 1: gray, 3: red, green, blue */
    uint8_t *pixels; /* [height][width][channels] */
} Image;

/* How an image of another shape becomes one of the wanted shape. */
typedef enum ImageFit {
    IMAGE_CROP,    /* the largest part of the wanted shape around the centre, then resized */
    IMAGE_STRETCH, /* resized, each axis for itself */
} ImageFit;

/* Whether a file of this name is taken for an image: .jpg, .jpeg or .png in any case. */
bool image_name(const char *name);

/* Reads a JPEG or PNG file, told apart by their first bytes. The pixels are the caller's:
 * image_release. Errors: HONE_ERR_IO; HONE_ERR_DATA with the file, the byte and the library's
 * reason; HONE_ERR_MEMORY. On failure image is empty. */
HONE_CHECKED int image_read(Image *image, const char *path, Error *e);
void image_release(Image *image);

/* Writes image as [height][width][channels] bytes into out. Per axis: by area where it shrinks, by
 * linear interpolation where it grows, edges repeated; pixels are squares, so that corners, not
 * centres, meet. All weights are integers, one rounding at the end: the same bytes everywhere. Gray
 * is repeated into three channels; colour becomes gray as (19595 R + 38470 G + 7471 B) / 65536 (ITU-R
 * BT.601). channels is 1 or 3. Errors: HONE_ERR_MEMORY. */
HONE_CHECKED int image_fit(const Image *image, int height, int width, int channels, ImageFit fit,
                           uint8_t *out, Error *e);

/* The decoders behind image_read. bytes is the whole file, path is for messages. */
HONE_CHECKED int image_decode_jpeg(Image *image, const char *path, const uint8_t *bytes,
                                   size_t count, Error *e);
HONE_CHECKED int image_decode_png(Image *image, const char *path, const uint8_t *bytes,
                                  size_t count, Error *e);
/* Sets the size of an image that a decoder is about to fill. Errors: HONE_ERR_DATA above the
 * limits, HONE_ERR_MEMORY. */
HONE_CHECKED int image_alloc(Image *image, const char *path, uint32_t height, uint32_t width,
                             int channels, Error *e);

#endif
