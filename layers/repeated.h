/* A depthwise layer with a multiplier as one without: over an input whose every channel stands there
 * `times` times, so that output channel o reads channel o of it. Forward and backward of the plain
 * layer get such a run; here are the copies before and the sums after it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_REPEATED_H
#define HONE_LAYERS_REPEATED_H

#include "core/op.h"

/* needs of the plain layer and of the copies: the plain layer's Run.shared follows them. */
void repeated_needs(const Run *r, int times, void (*plain)(const Run *r, Needs *needs),
                    Needs *needs);
/* x to its copy, then plain. */
void repeated_forward(const Run *r, int times, void (*plain)(const Run *r));
/* The same; then dx is the sum over the copies of a channel. */
void repeated_backward(const Run *r, int times, void (*plain)(const Run *r));

#endif
