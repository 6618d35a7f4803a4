/* Gradients of weights and biases as sums of partial ones, each over a part of the batch and made by
 * one thread, added in the order of the parts: the same bits at any number of threads.
 *
 * A partial dW lies transposed, [K][ld], K being taps x inputs. Layers of few rows and many weights
 * have fewer parts, each made in slices along the longer side of dW^T.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_PARTIALS_H
#define HONE_LAYERS_PARTIALS_H

#include "layers/gather.h"

/* Lies at the start of Run.shared. */
typedef struct Partials {
    int depth, inputs, outputs; /* K; inputs of one tap */
    int ld;                     /* outputs, rounded up to whole vectors */
    Real *sums;                 /* [parts][depth][ld] */
    int parts;
    int slices;     /* of each part ... */
    int slice_step; /* ... of so many outputs, or 0: cut along the inputs */
    Real *bias;     /* [bias_parts][outputs] */
    int bias_parts;
} Partials;

/* A slice of a partial dW^T: rows [from_k, from_k + inputs), columns [from_o, from_o + outputs). */
typedef struct Slice {
    int from_k, inputs, from_o, outputs;
} Slice;

/* Cuts the sums of a layer whose batch is cut into `parts`: p->slices is 1 and the parts remain, or
 * fewer, larger parts are made in p->slices slices each. */
void partials_cut(const Run *r, const ConvShape *shape, int parts, Partials *p);
/* Places what r->want asks for. */
void partials_layout(const Run *r, Carve *c, Partials *p);
Slice partials_slice(const Partials *p, int i);
/* Partial dW^T of a part, and partial db. */
Real *partials_sums(const Partials *p, int part);
Real *partials_bias(const Partials *p, int part);

/* Reals of a worker's scratch that partials_reduce takes. */
size_t partials_scratch(const Partials *p);
/* Adds the partials up and gives r->want[1] and r->want[2] their gradients. */
void partials_reduce(const Run *r);

#endif
