/* The gradients of a pointwise layer (dense rows, or a 1x1 convolution) whose output y = W x a fused
 * node has not kept (Stream.solve of core/op.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_POINTWISE_H
#define HONE_LAYERS_POINTWISE_H

#include "layers/gather.h"

/* Whether computing y again, here and in forward, costs less than keeping it: shape is flat, has many
 * rows, and outputs enough beside its inputs. */
bool pointwise_again(const Run *r, const ConvShape *shape);

void pointwise_needs(const Run *r, const ConvShape *shape, Needs *needs);
/* Without a bias. */
void pointwise_backward(const Run *r, const ConvShape *shape);

#endif
