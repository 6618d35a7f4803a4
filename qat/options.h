/* What can be said about quantization-aware training. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_OPTIONS_H
#define HONE_QAT_OPTIONS_H

#include "core/option.h"

typedef enum QatGranularity { QAT_PER_CHANNEL, QAT_PER_TENSOR } QatGranularity;

typedef struct QatWeightOptions {
    int64_t bits;    /* 2..8; the grid is +-(2^(bits-1) - 1) */
    int granularity; /* QatGranularity */
} QatWeightOptions;

typedef struct QatActivationOptions {
    int64_t bits;      /* 2..8 */
    int observer;      /* ObserverKind of qat/nodes.h */
    double momentum;   /* of the ema observer */
    bool share_inputs; /* the inputs of an add use one grid */
} QatActivationOptions;

typedef struct QatOverride {
    const char *layers;           /* pattern of layer names, as the shell's * and ? */
    int64_t weights, activations; /* bits; 0: as everywhere */
} QatOverride;

typedef struct QatOptions {
    bool present;
    double begin_epoch;            /* epochs may be fractions; equal to `epochs`: at the end */
    double freeze_observers_epoch; /* -1: never */
    double freeze_batchnorm_epoch; /* -1: never */
    int64_t calibration_batches;
    QatWeightOptions weights;
    QatActivationOptions activations;
    OptionList overrides; /* of QatOverride */
} QatOptions;

extern const OptionTable qat_options;

#endif
