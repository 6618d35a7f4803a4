/* The float computation of a convolution or dense layer, forward and backward: y = b + W x by the
 * kernels of kernels_conv.h over blocks of images. Inputs may be codes; they are dequantized block by
 * block and weight by weight, never as a whole.
 *
 * Inputs of the node: x, weights [out_c][kernel_h][kernel_w][in_c], bias [out_c] (optional).
 * The exact integer forward of codes is codes.h's. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_CONVOLVE_H
#define HONE_LAYERS_CONVOLVE_H

#include "layers/gather.h"

/* What forward needs and, in training, backward. */
void convolve_needs(const Run *r, const ConvShape *shape, Needs *needs);
void convolve_forward(const Run *r, const ConvShape *shape);
/* Produces what r->want asks for. Weights' gradients are sums of one partial per chunk of the batch,
 * added in the order of the chunks. Minds Run.stream. */
void convolve_backward(const Run *r, const ConvShape *shape);

#endif
