/* Random integer convolutions for the suites of kernels.
 *
 * Every buffer lies at a random alignment between poisoned margins that must survive the call; in half
 * of the cases all values are extremes, so that a saturating instruction cannot hide.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_CONV_CASE_H
#define HONE_TESTS_CONV_CASE_H

#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/guarded.h"

#include <stdbool.h>

typedef struct ConvCase {
    HoneRtConv g;
    bool depthwise, has_bias;
    int32_t x_zp;
    int split; /* rows [0, split) and [split, out_h) are computed by two calls */
    Guarded x, w, bias;
} ConvCase;

/* In groups, the channels are rounded up to multiples; 1: none. */
ConvCase conv_case_new(Rng *rng, bool depthwise, int groups);
void conv_case_free(ConvCase *c);
/* Its geometry, for messages; valid until the next call. */
const char *conv_case_text(const HoneRtConv *g);
/* Gives it biases as networks have them, so that sums are small; now and then one that is not. */
void conv_case_tame(Rng *rng, ConvCase *c);

size_t conv_case_scratch(const ConvCase *c, const HoneRtKernels *k);
/* Packs, then computes all rows in two calls; in the given scratch, or in one of its own. */
void conv_case_compute_in(const ConvCase *c, const HoneRtKernels *k, Rng *rng, void *scratch,
                          HoneRtEpilogue epilogue, void *context);
void conv_case_compute(const ConvCase *c, const HoneRtKernels *k, Rng *rng, HoneRtEpilogue epilogue,
                       void *context);

/* The sums of a convolution and how often each was delivered. */
typedef struct Collected {
    int32_t *acc;
    int *times;
    int pixels, channels;
} Collected;

Collected collected_new(const HoneRtConv *g);
void collected_free(Collected *c);
/* A HoneRtEpilogue; context is the Collected. */
void collected_add(void *context, const int32_t *acc, int ld, int pixel, int rows, int channel,
                   int cols);
/* Words, one per channel, that spread the sums over the codes and beyond. */
void collected_spread(Rng *rng, const Collected *sums, uint32_t *words);

/* The sums that k computes, each of them once. */
Collected conv_case_run(const ConvCase *c, const HoneRtKernels *k, Rng *rng);

#endif
