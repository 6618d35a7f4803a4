/* Fuzz target: data sets in HDF5 files. A set that opens gives every sample, with a label that it has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/kind.h"

static void read_samples(const Dataset *d)
{
    const DatasetInfo *info = dataset_info(d);
    uint8_t *bytes = malloc(info->sample_bytes);
    for (int split = 0; split < DATASET_SPLITS; split++) {
        for (int64_t i = 0; i < info->count[split]; i++) {
            int32_t label = -1;
            Error e = {0};
            const int status = dataset_sample(d, (DatasetSplit)split, 0, i, bytes, &label, &e);
            if (status != HONE_OK || label < 0 || label >= info->classes)
                abort();
        }
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Dataset *d = NULL;
    Error e = {0};
    if (fuzz_hdf5_undefined(data, size))
        return 0;
    const DatasetOptions options = {.path = fuzz_file(".h5", data, size)};
    const int status = dataset_open_kind(&d, &dataset_tensors, &options, "/", &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK)
        read_samples(d);
    dataset_close(d);
    return 0;
}
