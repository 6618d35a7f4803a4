/* The float computation of a convolution in groups, forward and backward: convolve.h's, group by
 * group. Inputs of the node are as there, weights [out_c][kernel_h][kernel_w][in_c / groups].
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_GROUPED_H
#define HONE_LAYERS_GROUPED_H

#include "layers/gather.h"

/* shape has all channels and is not flat; groups >= 2 divides them. As convolve_needs, _forward and
 * _backward; backward minds Run.stream. */
void grouped_needs(const Run *r, const ConvShape *shape, int groups, Needs *needs);
void grouped_forward(const Run *r, const ConvShape *shape, int groups);
void grouped_backward(const Run *r, const ConvShape *shape, int groups);

#endif
