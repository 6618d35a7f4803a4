/* Fuzz target: the images of an IDX data set, plain or zipped; its other files are missing, so that
 * opening must fail, after the images have been read. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/kind.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX "-train-images-idx3-ubyte"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char prefix[256];
    Dataset *d = NULL;
    Error e = {0};
    const char *path = fuzz_file(SUFFIX, data, size);
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strlen(path) - strlen(SUFFIX)), path);
    const DatasetOptions options = {.path = prefix};
    const int status = dataset_open_kind(&d, &dataset_idx, &options, "/", &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK)
        abort();
    return 0;
}
