/* The backward pass of a convolution whose input and weights are codes, on 16-bit numbers
 * (pairs.h): in place of convolve_backward where Mode.backward says so.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_CONVOLVE_PAIRS_H
#define HONE_LAYERS_CONVOLVE_PAIRS_H

#include "layers/gather.h"

void convolve_pairs_needs(const Run *r, const ConvShape *shape, Needs *needs);
/* As convolve_backward; minds Run.stream. */
void convolve_pairs_backward(const Run *r, const ConvShape *shape);

#endif
