/* Images in memory: see image.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/image.h"

#include <stdlib.h>

int image_alloc(Image *image, const char *path, uint32_t height, uint32_t width, int channels,
                Error *e)
{
    if (height > IMAGE_SIDE_MAX || width > IMAGE_SIDE_MAX ||
        (uint64_t)height * width > IMAGE_PIXELS_MAX)
        return error_set(e, HONE_ERR_DATA, "'%s' says it has %u x %u pixels; at most %d are read",
                         path, (unsigned)width, (unsigned)height, IMAGE_PIXELS_MAX);
    size_t bytes = (size_t)height * width * (size_t)channels;
    image->height = (int)height;
    image->width = (int)width;
    image->channels = channels;
    image->pixels = malloc(bytes);
    return image->pixels != NULL ? HONE_OK : error_memory(e, path, bytes);
}

void image_release(Image *image)
{
    free(image->pixels);
    *image = (Image){0};
}
