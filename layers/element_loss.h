/* The terms of losses that are sums over single outputs; element_loss.c has their ops.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_ELEMENT_LOSS_H
#define HONE_LAYERS_ELEMENT_LOSS_H

/* (y - t)^2 */
double element_squared(double y, double t);
/* -t log s - (1 - t) log(1 - s) with s = 1 / (1 + exp(-y)), for any y without overflow. */
double element_bce(double y, double t);

#endif
