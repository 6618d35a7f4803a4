/* Text and pictures for a page: see html.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/html.h"

#include <string.h>

void html_add(Text *t, const char *s)
{
    for (; s && *s; s++) {
        const char *entity = *s == '&'   ? "&amp;"
                             : *s == '<' ? "&lt;"
                             : *s == '>' ? "&gt;"
                             : *s == '"' ? "&quot;"
                                         : NULL;
        if (entity)
            text_add(t, entity);
        else
            text_add_bytes(t, s, 1);
    }
}

/* ---- pictures ---- */

enum { BMP_HEADER = 54 };

/* RFC 4648, section 4. Bytes come one at a time; three make four characters. */
typedef struct Base64 {
    Text *to;
    uint32_t bits;
    int bytes; /* in bits */
} Base64;

static void base64_flush(Base64 *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char out[4];
    const uint32_t bits = b->bits << 8 * (3 - b->bytes);
    for (int i = 0; i < 4; i++)
        out[i] = i <= b->bytes ? digits[bits >> (18 - 6 * i) & 63] : '=';
    if (b->bytes > 0)
        text_add_bytes(b->to, out, sizeof out);
    b->bits = 0;
    b->bytes = 0;
}

static void base64_add(Base64 *b, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        b->bits = b->bits << 8 | bytes[i];
        if (++b->bytes == 3)
            base64_flush(b);
    }
}

static void put_le(uint8_t *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* File header and BITMAPINFOHEADER: 24 bits a pixel, a negative height for rows from the top. */
static void bmp_header(uint8_t *h, int width, int height, size_t row_bytes)
{
    memset(h, 0, BMP_HEADER);
    h[0] = 'B';
    h[1] = 'M';
    put_le(h + 2, (uint32_t)(BMP_HEADER + row_bytes * (size_t)height), 4);
    put_le(h + 10, BMP_HEADER, 4);
    put_le(h + 14, 40, 4);
    put_le(h + 18, (uint32_t)width, 4);
    put_le(h + 22, 0u - (uint32_t)height, 4);
    put_le(h + 26, 1, 2);
    put_le(h + 28, 24, 2);
}

static void add_row(Base64 *b, const HtmlPicture *p, int y, int step, int width, size_t row_bytes)
{
    static const uint8_t zeros[4] = {0};
    for (int x = 0; x < width; x++) {
        const uint8_t *from =
            p->pixels + ((size_t)y * (size_t)p->width + (size_t)(x * step)) * (size_t)p->channels;
        const bool color = p->channels == 3;
        const uint8_t pixel[3] = {from[color ? 2 : 0], from[color ? 1 : 0], from[0]};
        base64_add(b, pixel, sizeof pixel);
    }
    base64_add(b, zeros, row_bytes - (size_t)width * 3);
}

void html_add_picture(Text *t, const HtmlPicture *p, const char *title)
{
    const int longest = p->width > p->height ? p->width : p->height;
    const int step = (longest + HTML_PICTURE_MAX - 1) / HTML_PICTURE_MAX;
    const int width = (p->width + step - 1) / step, height = (p->height + step - 1) / step;
    const size_t row_bytes = ((size_t)width * 3 + 3) / 4 * 4;
    uint8_t header[BMP_HEADER];
    Base64 b = {.to = t};
    bmp_header(header, width, height, row_bytes);
    text_add(t, "<img alt=\"\" title=\"");
    html_add(t, title);
    text_add(t, "\" src=\"data:image/bmp;base64,");
    base64_add(&b, header, sizeof header);
    for (int y = 0; y < height; y++)
        add_row(&b, p, y * step, step, width, row_bytes);
    base64_flush(&b);
    text_add(t, "\">");
}
