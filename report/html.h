/* Pieces of an HTML page that stands alone: escaped text, pictures inside the page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_HTML_H
#define HONE_REPORT_HTML_H

#include "core/text.h"

#include <stdint.h>

/* s with &, <, > and " written as entities; NULL adds nothing. */
void html_add(Text *t, const char *s);

/* Bytes of a sample as a picture. */
typedef struct HtmlPicture {
    const uint8_t *pixels; /* [height][width][channels] */
    int height, width;
    int channels; /* 3: red, green, blue; else the first alone, as gray */
} HtmlPicture;

enum {
    HTML_PICTURE_MAX = 96
}; /* pixels of a side; larger pictures lose every second, third, ... */

/* An <img> with the picture in it, as an uncompressed BMP (the BITMAPINFOHEADER form) in base64. title
 * is shown under the pointer. */
void html_add_picture(Text *t, const HtmlPicture *p, const char *title);

#endif
