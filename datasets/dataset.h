/* Labelled samples, mostly images: where the bytes come from.
 *
 *     Dataset *d = NULL;
 *     if (dataset_open(&d, &config.dataset, NULL, e) != HONE_OK) goto out;
 *     const DatasetInfo *info = dataset_info(d);           // 32x32x3, 10 classes, 8000 + 2000
 *     uint8_t *pixels = malloc(info->sample_bytes);
 *     int32_t label;
 *     status = dataset_sample(d, DATASET_TEST, 0, 17, pixels, &label, e);
 *
 * A sample is a pure function of (options, split, epoch, index): it does not depend on what was
 * asked before, so any thread may ask for any sample at any time. Samples are bytes in HWC order;
 * the float input of a model is (p - 128) / 128, its int8 code p - 128. Real numbers (tables, arrays)
 * come as bytes on a grid that DatasetInfo states. Augmentation is augment.h,
 * batches and prefetching are loader.h.
 *
 * A new kind of data set is one file with a DatasetKind and one line in datasets/kinds.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_DATASET_H
#define HONE_DATASETS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/option.h"
#include "datasets/clip.h"
#include "datasets/mel.h"

typedef enum DatasetSplit { DATASET_TRAIN = 0, DATASET_TEST = 1, DATASET_SPLITS = 2 } DatasetSplit;

/* What the option table fills; `kind` indexes the lines of kinds.def. */
typedef struct DatasetOptions {
    int kind;
    OptionInts normal; /* classes that are no anomalies; none: the task is to tell classes apart */
    int64_t train;     /* samples in the training split; of sets in files 0: all there are */
    int64_t test;      /* samples in the test split, likewise */
    int64_t seed;      /* shapes, random: which set is drawn; independent of the run's seed */
    bool fresh;        /* shapes: draw new training images every epoch */
    const char *path;  /* sets in files: where; "" is a folder of the data root */
    OptionInts shape;  /* random, tensors: height, width, channels */
    int64_t classes;   /* random; idx, tensors: 0 is as many as the labels say */
    int coarse;        /* cifar100: 1 for the 20 superclasses */
    OptionInts size;   /* images: height, width */
    int64_t channels;  /* images: 3, or 1 for gray */
    int fit;           /* images: an ImageFit */
    int64_t cache_mb;  /* images: memory for decoded images, in 10^6 bytes */
    double test_share; /* images, audio: of the files (or speakers), goes to the test split */
    OptionReals range; /* tensors, audio: [lo, hi] of reals; none: of the training split */
    int64_t label_column;  /* tensors: of CSV files, from 0; -1: the last */
    bool header;           /* tensors: CSV files start with a line of names */
    int64_t rate;          /* audio: samples per second of every file; 0: as the first */
    int64_t label_field;   /* audio: of a name, from 0; -1: the folder */
    int64_t speaker_field; /* audio: likewise; -1: unknown */
    const char *separator; /* audio: between fields of a name */
    const char *holdout;   /* audio: the test split's speaker, or "" */
    double clip_ms;        /* audio */
    int place;             /* audio: HONE_RT_FRONT_CENTRE, ... */
    double clip_percent;   /* audio: of the features, cut off at each end of the range */
    MelOptions features;   /* audio */
} DatasetOptions;

extern const OptionTable dataset_options;

typedef struct DatasetInfo {
    const char *kind;              /* the selector's text */
    int64_t count[DATASET_SPLITS]; /* samples per split */
    int height, width, channels;
    size_t sample_bytes; /* height * width * channels */
    int classes;
    const char *const *class_names; /* [classes], or NULL where classes have no names */
    /* What a byte means to whoever prepares inputs: the real number scale * (byte - 128 - zero_point).
     * 1/128 and 0 for images; a model trains on (byte - 128) / 128 whatever they are. */
    float scale;
    int32_t zero_point;
    /* audio: the section FRNT of an artifact (runtime/frontend.h), alive as long as the data set;
     * else NULL and 0. */
    const void *frontend;
    size_t frontend_bytes;
} DatasetInfo;

typedef struct Dataset Dataset;

/* Opens the data set that options describe. root is the folder of downloaded data; NULL means
 * dataset_root(). options need not outlive the call. The data set is the caller's to close.
 * Errors: HONE_ERR_IO or HONE_ERR_DATA with the file, HONE_ERR_CONFIG, HONE_ERR_MEMORY. */
HONE_CHECKED int dataset_open(Dataset **d, const DatasetOptions *options, const char *root,
                              Error *e);
/* Frees d; NULL is allowed. No other thread may be inside dataset_sample. */
void dataset_close(Dataset *d);

/* Counts, shape and classes; lives as long as d. */
const DatasetInfo *dataset_info(const Dataset *d);

/* Writes the bytes of one sample, [height][width][channels], and its label, 0 <= label < classes.
 * 0 <= index < count[split]; epoch >= 0 matters only to sets that draw anew every epoch, and never
 * to the test split. Any number of threads may call it at once. Fails only for sets that read files
 * as they go. */
HONE_CHECKED int dataset_sample(const Dataset *d, DatasetSplit split, int64_t epoch, int64_t index,
                                uint8_t *pixels, int32_t *label, Error *e);

/* How the recordings behind training samples are varied. */
typedef struct DatasetVary {
    const ClipAugmentOptions *audio;
    uint64_t seed; /* of the run */
} DatasetVary;

/* Whether dataset_vary can be called: samples come from recordings. */
bool dataset_can_vary(const Dataset *d);
/* As dataset_sample of the training split, with the recording varied before its features are
 * computed: a pure function of (options, vary, epoch, index). */
HONE_CHECKED int dataset_vary(const Dataset *d, const DatasetVary *vary, int64_t epoch,
                              int64_t index, uint8_t *pixels, int32_t *label, Error *e);

/* The name of a class; where classes have no names, "class 7" written into buffer (24 bytes do). */
const char *dataset_class_name(const Dataset *d, int label, char *buffer, size_t size);

/* The folder that holds downloaded data: the environment's HONE_DATA, else "./data". */
const char *dataset_root(void);

#endif
