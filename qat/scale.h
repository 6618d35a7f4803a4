/* From ranges to grids: the one definition of scales and zero points.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_SCALE_H
#define HONE_QAT_SCALE_H

#include "core/op.h"

/* The affine grid of codes qmin..qmax over [min, max], which is first widened to contain 0:
 *
 *     scale = float32((max - min) / (qmax - qmin))        zero_point = clip(rint(qmin - min / scale))
 *
 * in double from the rounded scale, halves to even; so 0 is a code exactly. A degenerate range (its
 * scale below 2^-126, as when min = max = 0) gives scale 1, zero point 0 clipped to the codes.
 * Returns HONE_OK; or ERR_NUMERIC, with the degenerate grid, when a bound is not finite.
 * Source: Jacob et al., CVPR 2018, section 3. */
int qat_grid_from_range(float min, float max, int qmin, int qmax, Grid *grid);

/* The scale of a channel of weights of at most this magnitude, float32(extreme / qmax); 0 where the
 * channel is dead: all zero, or not finite. */
Real qat_weight_scale(Real extreme, int qmax);

/* Symmetric scales of weights, in place: on entry scale[c] is max |w| of channel c, on return
 * qat_weight_scale's. A dead channel gets the median of the other channels' scales, the lower of the
 * two middle ones; 1 when all are dead. With per_tensor every channel gets the scale of the largest
 * weight. */
void qat_weight_scales(int channels, int qmax, bool per_tensor, Real *scale);

/* Largest magnitude of n >= 1 weights, NaN where one is not finite. (weight_grid.c) */
Real weights_extreme(const Kernels *k, size_t n, const Real *w);
/* The same for each channel of rows of channels. (weight_grid.c) */
void weights_extremes(size_t rows, size_t channels, const Real *w, Real *extreme);

#endif
