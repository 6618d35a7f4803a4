/* The entries of `arch: layers`, a network written down layer by layer:
 *
 *     layers:
 *       - {op: conv2d, name: stem, filters: 16, kernel: 3, stride: 2, bias: false}
 *       - {op: batchnorm}
 *       - {op: relu, name: a}
 *       - {op: conv2d, filters: 16, kernel: 3}
 *       - {op: add, with: a}
 *       - {op: mean}
 *       - {op: dense, units: 10}
 *
 * An entry reads the one before it, the first the image, unless `input` names an earlier entry or
 * "image". Entries without a name are called after their op and their place among the entries of
 * that op, named ones included: here batchnorm1, conv2d2, add1, mean1 and dense1.
 * Every output but the last must be read by a later entry; the last gives the logits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_MODELS_LAYER_LIST_H
#define HONE_MODELS_LAYER_LIST_H

#include "core/option.h"

/* Not all are set: an op's own options are, the others are zero. */
typedef struct LayerEntry {
    int op;
    const char *name;  /* NULL: made up */
    const char *input; /* NULL: the entry before */
    int64_t filters;   /* conv2d, conv1d */
    OptionInts kernel; /* of windows: one number, or height and width; as stride, dilation */
    OptionInts stride;
    OptionInts dilation;
    int padding;        /* index of same, valid, explicit */
    OptionInts pads;    /* explicit: top, left, bottom, right; conv1d: left, right */
    bool bias;          /* conv2d, conv1d, depthwise, dense */
    int64_t units;      /* dense */
    const char *with;   /* add, mul: the other operand, an earlier entry */
    int64_t groups;     /* conv2d */
    int64_t multiplier; /* depthwise */
    OptionTexts others; /* concat: what follows the input, earlier entries */
    OptionInts factor;  /* upsample */
    OptionInts shape;   /* reshape: height, width, channels; or channels alone */
    double slope;       /* leaky_relu */
    double alpha;       /* elu */
    double rate;        /* dropout */
} LayerEntry;

extern const OptionTable layer_entry_options;

#endif
