/* Weighted layers on codes, by the integer kernels (runtime/kernels.h): the forward pass of
 * quantization-aware training, the trainer's integer evaluation, and packing for it. Sums are exact.
 *
 *     training    y = (sum (x - zero point) * w + q_b) * (s_x * s_w[o]), real,
 *                 q_b = rint(b / (s_x * s_w[o])): the bias as the artifact will have it
 *     evaluation  y = requantized by fixed.h, codes
 *
 * Inputs of the node: x, weights (int8 codes, scale [channels] or [1], zero point 0), bias.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_CODES_H
#define HONE_LAYERS_CODES_H

#include "core/op.h"

typedef struct CodesShape {
    HoneRtConv conv; /* of one image; flat: its sizes are ignored, all rows are one image */
    int groups;      /* of conv, 0 for one */
    bool depthwise;
    bool flat;  /* a pointwise or dense layer: 1x1, stride 1, no padding */
    int pixels; /* flat: rows of one sample */
} CodesShape;

/* True when forward can be integer: x and weights are codes in this run. */
static inline bool codes_apply(const Run *r)
{
    return r->in[0]->elem == ELEM_CODE && r->in[1]->elem == ELEM_CODE;
}

/* A bias in units of a channel's sums, rint(b / unit), kept small enough that a sum of so many
 * products of codes does not overflow with it (export checks that it was). */
int32_t codes_bias(double b, double unit, double products);

/* Raises needs to what codes_forward, or in Mode.integer codes_integer, takes. */
void codes_needs(const Run *r, const CodesShape *shape, Needs *needs);
/* Minds Run.stream. */
void codes_forward(const Run *r, const CodesShape *shape);
void codes_integer(const Run *r, const CodesShape *shape);
/* Op.pack of the three layers. */
size_t codes_pack(const CodesShape *shape, const Compute *c, const int8_t *w, const int32_t *bias,
                  int32_t x_zero_point, void *packed);

#endif
