/* Reading image files of either format: see image.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/image.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"

#define FILE_BYTES_MAX ((size_t)1 << 28)
#define PNG_SIGNATURE  "\x89PNG\r\n\x1a\n"

bool image_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                           strcasecmp(dot, ".png") == 0);
}

int image_read(Image *image, const char *path, Error *e)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    *image = (Image){0};
    int status = file_read(path, FILE_BYTES_MAX, &bytes, &count, e);
    if (status != HONE_OK)
        return status;
    if (count >= 8 && memcmp(bytes, PNG_SIGNATURE, 8) == 0)
        status = image_decode_png(image, path, bytes, count, e);
    else if (count >= 2 && bytes[0] == 0xff && bytes[1] == 0xd8)
        status = image_decode_jpeg(image, path, bytes, count, e);
    else
        status = error_set(e, HONE_ERR_DATA,
                           "'%s': byte 0: neither a JPEG nor a PNG file starts like this", path);
    free(bytes);
    if (status != HONE_OK)
        image_release(image);
    return status;
}
