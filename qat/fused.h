/* What the fused ops have in common. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_FUSED_H
#define HONE_QAT_FUSED_H

#include "qat/fuse.h"

/* The layer whose work a fused node does. */
static inline const FusedLayer *fused_layer(const Node *n)
{
    return n->attributes;
}

/* Outputs as the covered nodes have them. */
int fused_infer(Node *n, Error *e);

/* The activation and the grid of the output, as kernels want them. */
typedef struct FusedOutput {
    Real low, high; /* of the activation; infinities for no bound */
    Real scale;
    int32_t zero_point, lo, hi;
} FusedOutput;

/* Of a fused node that runs now: the scale is that of this step. */
FusedOutput fused_output(const Run *r);

/* Smallest and largest number, both NaN where something is not finite. */
void fused_give_extent(const Run *r, Real lo, Real hi);

#endif
