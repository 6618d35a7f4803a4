/* What a kind of data set provides; for datasets/ and its tests. The contract is in dataset.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_KIND_H
#define HONE_DATASETS_KIND_H

#include "datasets/dataset.h"

typedef struct DatasetKind {
    /* The selector's text, a line of help and the options, which fill a DatasetOptions. */
    OptionVariant variant;
    /* Checks options, fills counts, shape and classes of info (kind and sample_bytes are set by the
     * caller), and stores what sample needs in *state. After a failure close is still called with
     * whatever *state holds, NULL at first. */
    int (*open)(void **state, const DatasetOptions *options, const char *root, DatasetInfo *info,
                Error *e);
    /* As dataset_sample, with arguments that are in range. */
    int (*sample)(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                  uint8_t *pixels, int32_t *label, Error *e);
    /* As dataset_vary; NULL where samples do not come from recordings. */
    int (*vary)(const void *state, const DatasetVary *vary, int64_t epoch, int64_t index,
                uint8_t *pixels, int32_t *label, Error *e);
    void (*close)(void *state);
} DatasetKind;

/* dataset_open for a kind that need not be in kinds.def; root is not NULL. */
HONE_CHECKED int dataset_open_kind(Dataset **d, const DatasetKind *kind,
                                   const DatasetOptions *options, const char *root, Error *e);

#define DATASET_KIND(name) extern const DatasetKind dataset_##name;
#include "datasets/kinds.def"
#undef DATASET_KIND

#endif
