/* The arithmetic of batch-norm between its sweeps, for nodes that make the sweeps themselves. r is
 * bound as a Run of op_batchnorm, of which in[0] and out[0] need no data. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef HONE_LAYERS_BATCHNORM_H
#define HONE_LAYERS_BATCHNORM_H

#include "core/graph.h"

/* Places among the inputs of the node. */
enum {
    BATCHNORM_X,
    BATCHNORM_GAMMA,
    BATCHNORM_BETA,
    BATCHNORM_MEAN,
    BATCHNORM_VARIANCE,
    BATCHNORM_INPUTS
};

/* Training, the map y = a x + b: from sums over the batch of x - pivot and (x - pivot)^2, or where
 * first is NULL from the running statistics. Leaves in Run.kept what backward and commit need. */
void batchnorm_map(const Run *r, const double *first, const double *second, const Real *pivot,
                   Real *a, Real *b);
/* Of the last batchnorm_map. */
const Real *batchnorm_mean(const Run *r);
/* The a of batchnorm_grad_map, which does not depend on the sums. */
void batchnorm_grad_slope(const Run *r, Real *a);
/* Gradients of gamma and beta, and the map dx = a dy + b x + k: from sums over the batch of dy and
 * dy (x - mean). */
void batchnorm_grad_map(const Run *r, const double *first, const double *second, Real *a, Real *b,
                        Real *k);

#endif
