/* Gradients that are too long are shortened, all by one factor. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_CLIP_H
#define HONE_OPTIM_CLIP_H

#include <stdint.h>

#include "core/params.h"
#include "core/threads.h"

/* Returns the gradient's norm |g| = sqrt(sum of g^2), where mask [trained_count] is 1 (NULL:
 * everywhere), and if it is above limit scales params->grad by limit / (|g| + 1e-6). Sums in double,
 * the same bits at any number of threads; pool may be NULL. No allocation. As PyTorch's
 * clip_grad_norm_; Pascanu et al., "On the difficulty of training recurrent neural networks", ICML
 * 2013, sec. 3.2. */
double gradient_clip(Params *params, const uint8_t *mask, double limit, Threads *pool);

#endif
