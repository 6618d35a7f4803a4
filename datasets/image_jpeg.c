/* Decoding JPEG: see image.h. The door to libjpeg, which reports errors by calling back; the callback
 * jumps out. Damage that libjpeg would paper over with gray (a file that ends early, broken codes) is
 * an error here. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/image.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    Image *image;
    const char *path;
    size_t count; /* bytes of the file */
    int status;
    Error *e;
} Decoder;

static void refuse(Decoder *d, int status)
{
    d->status = status;
    longjmp(d->escape, 1);
}

static void fail(j_common_ptr common)
{
    char reason[JMSG_LENGTH_MAX];
    Decoder *d = common->client_data;
    size_t left = d->jpeg.src != NULL ? d->jpeg.src->bytes_in_buffer : d->count;
    if (common->err->msg_code == JERR_OUT_OF_MEMORY)
        refuse(d, error_memory(d->e, d->path, d->count));
    d->errors.format_message(common, reason);
    /* Behind the end libjpeg reads an end marker of its own making. */
    refuse(d, error_set(d->e, HONE_ERR_DATA, "'%s': byte %zu: %s", d->path,
                        left < d->count ? d->count - left : d->count, reason));
}

/* Warnings that cost no pixel are not worth an image. */
static void warn(j_common_ptr common, int level)
{
    int code = common->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM &&
        code != JWRN_JFIF_MAJOR)
        fail(common);
}

static void read_image(Decoder *d, const uint8_t *bytes)
{
    struct jpeg_decompress_struct *j = &d->jpeg;
    jpeg_mem_src(j, bytes, (unsigned long)d->count);
    (void)jpeg_read_header(j, TRUE);
    if (j->num_components != 1 && j->num_components != 3)
        refuse(d, error_set(d->e, HONE_ERR_DATA,
                            "'%s': an image of %d colour components; gray and RGB are read",
                            d->path, j->num_components));
    j->out_color_space = j->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    j->dct_method = JDCT_ISLOW;
    int status =
        image_alloc(d->image, d->path, j->image_height, j->image_width, j->num_components, d->e);
    if (status != HONE_OK)
        refuse(d, status);
    (void)jpeg_start_decompress(j);
    size_t row_bytes = (size_t)d->image->width * (size_t)d->image->channels;
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = d->image->pixels + j->output_scanline * row_bytes;
        (void)jpeg_read_scanlines(j, &row, 1);
    }
    (void)jpeg_finish_decompress(j);
}

/* A function of its own: after the jump its caller's variables are what they were. */
static void decode(Decoder *d, const uint8_t *bytes)
{
    if (setjmp(d->escape) != 0)
        return;
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.client_data = d;
    read_image(d, bytes);
}

int image_decode_jpeg(Image *image, const char *path, const uint8_t *bytes, size_t count, Error *e)
{
    Decoder d = {.image = image, .path = path, .count = count, .status = HONE_OK, .e = e};
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.jpeg.client_data = &d;
    d.errors.error_exit = fail;
    d.errors.emit_message = warn;
    decode(&d, bytes);
    jpeg_destroy_decompress(&d.jpeg);
    return d.status;
}
