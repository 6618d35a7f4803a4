/* Depthwise convolutions on codes whose output or its gradient is a stream (Run.stream), as in fused
 * nodes. The output is cheaper made than moved: it is never kept (Op.again), but made again from the
 * codes wherever it is needed. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_DEPTHWISE_RING_H
#define HONE_LAYERS_DEPTHWISE_RING_H

#include "core/graph.h"

/* Whether the functions below can do a node's work, if it has a stream: Op.again. */
bool depthwise_ring_can(const Run *r);
/* Raises needs to what they take. */
void depthwise_ring_needs(const Run *r, Needs *needs);
void depthwise_ring_forward(const Run *r);
void depthwise_ring_backward(const Run *r);

#endif
