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
    /* As dataset_sample, with arguments that are in range; the label is the same in every epoch. pixels
     * may be NULL: then only the label is wanted, and nothing is decoded or drawn for it. */
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

/* ---- what kinds that read files have in common; errors name the kind first ---- */

#define KIND_PATH_BYTES 4096

/* Into out: options->path, or root/path where only that exists; root/name where path is empty.
 * Errors: HONE_ERR_IO when too long. */
HONE_CHECKED int kind_path(char out[KIND_PATH_BYTES], const char *kind,
                           const DatasetOptions *options, const char *root, const char *name,
                           Error *e);
/* Cuts the counts of samples to what options->train and ->test ask for, 0 being all. place names
 * where they lie. Errors: HONE_ERR_CONFIG where that is more than there are. */
HONE_CHECKED int kind_limits(const char *kind, const DatasetOptions *options, const char *place,
                             int64_t count[DATASET_SPLITS], Error *e);

/* Labels of one split as a file has them. */
typedef struct KindLabels {
    const int32_t *labels; /* [count] */
    int64_t count;
    const char *file; /* for messages */
    const char *unit; /* "item", "row": what is counted from 0 in the file */
} KindLabels;

/* Checks that all labels are in 0..classes-1 and that every class has a training sample; classes is
 * options->classes, or where that is 0 the largest training label and one. Errors: HONE_ERR_DATA with
 * file and place. */
HONE_CHECKED int kind_classes(const char *kind, const DatasetOptions *options,
                              const KindLabels labels[DATASET_SPLITS], int *classes, Error *e);

/* A set whose samples are held in memory, the same in every epoch. */
typedef struct KindHeld {
    size_t sample_bytes;
    uint8_t *bytes[DATASET_SPLITS];
    int32_t *labels[DATASET_SPLITS];
} KindHeld;

/* DatasetKind.sample and .close of kinds whose state is a KindHeld; close frees all of it. */
HONE_CHECKED int kind_held_sample(const void *state, DatasetSplit split, int64_t epoch,
                                  int64_t index, uint8_t *bytes, int32_t *label, Error *e);
void kind_held_close(void *state);

#define DATASET_KIND(name) extern const DatasetKind dataset_##name;
#include "datasets/kinds.def"
#undef DATASET_KIND

#endif
