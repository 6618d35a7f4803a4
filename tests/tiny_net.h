/* A small quantized network for tests of everything behind training: each kind of layer once, random
 * parameters, ranges calibrated on random images.
 *
 *     image 9x9x3 > stem (conv 3x3 s2, bn, relu6) > dw (depthwise 3x3, bn, relu6)
 *                     |                               > point (conv 1x1, bn) --+
 *                     +-----------------------------------------------------> sum (add)
 *           > last (conv 3x3, bn, relu) > pool (mean) > logits (dense, bias)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_TINY_NET_H
#define HONE_TESTS_TINY_NET_H

#include "core/exec.h"
#include "export/prove.h"
#include "models/model.h"

enum { TINY_CLASSES = 5, TINY_IMAGE = 9 * 9 * 3, TINY_IMAGES = 24 };

typedef struct TinyNet {
    Graph graph;
    Params params;
    Compute compute;
    IntegerPlan plan;
    ProveSource source; /* ready for prove.h */
    int8_t *codes;      /* TINY_IMAGES random images */
    size_t image;       /* elements of one */
} TinyNet;

/* Builds, draws and calibrates it; fails the running test when anything fails. level as compute_open,
 * NULL: HONE_CPU's; share: the add's inputs have one grid. */
void tiny_net_init(TinyNet *t, uint64_t seed, int threads, const char *level, bool share);
/* The same with the less usual convolutions: dilated, in groups, depthwise with a multiplier.
 *
 *     image 9x9x3 > wide (conv 3x3, dilation 2, bn, relu6) > twice (depthwise 3x3 x2, dilation 3, bn)
 *                 > parts (conv 3x3 s2 in 4 groups, bn, relu) > mix (conv 1x1 in 3 groups, bn, relu6)
 *                 > thrice (depthwise 3x3 s2 x3, bias) > pool (mean) > logits (dense, bias) */
void tiny_net_init_parts(TinyNet *t, uint64_t seed, int threads, const char *level);
/* The same with an architecture of models/ in place of the network above. */
void tiny_net_init_model(TinyNet *t, const ModelOptions *options);
/* Makes its integers again, in another profile of fixed.h than S24. */
void tiny_net_plan(TinyNet *t, uint32_t profile);
void tiny_net_release(TinyNet *t);
/* The network as an artifact; the caller frees the bytes. */
unsigned char *tiny_net_artifact(const TinyNet *t, size_t *count);

#endif
