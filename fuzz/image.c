/* Fuzz target: JPEG and PNG files, and fitting what is in them to a size.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Image image;
    Error e = {0};
    uint8_t out[7 * 5 * 3];
    int status = image_read(&image, fuzz_file(".image", data, size), &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK) {
        const ImageFit fit = size % 2 == 0 ? IMAGE_CROP : IMAGE_STRETCH;
        status = image_fit(&image, 7, 5, size % 4 < 2 ? 1 : 3, fit, out, &e);
        fuzz_expect(status, &e);
    }
    image_release(&image);
    return 0;
}
