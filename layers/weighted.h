/* What conv2d, depthwise and dense have in common as nodes. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_WEIGHTED_H
#define HONE_LAYERS_WEIGHTED_H

#include "core/graph.h"
#include "layers/window.h"

/* Attributes of conv2d and depthwise nodes: the options with the sizes filled in. */
typedef struct WindowAttributes {
    Axis y, x; /* infer fills in, out and, unless explicit, before and after */
    Padding padding;
} WindowAttributes;

struct Conv2dOptions;

/* Options as attributes: zeros become the defaults, sizes follow from the input. Errors: ERR_SHAPE
 * for an input that is no image or a window that does not fit. */
HONE_CHECKED int weighted_window(const char *op, const char *name, const struct Conv2dOptions *o,
                                 Shape x, WindowAttributes *a, Error *e);

/* Appends "name.weight", with `bias` "name.bias", and the node; returns its output. fan_in: products
 * per sum, for the first values (layers.h). */
Value *weighted_node(Graph *g, const Op *op, const char *name, Value *x, Shape weight,
                     double fan_in, int channels, bool bias, const void *attributes, size_t bytes);

/* Checks that weights have shape `want` and that a bias, if any, is [channels]. */
HONE_CHECKED int weighted_check(const Node *n, Shape want, int channels, Error *e);

/* n, or 1 for the 0 of an option that is not set. */
static inline int weighted_or_one(int n)
{
    return n == 0 ? 1 : n;
}

/* The axes as the integer kernels and the integer program want them. */
HoneRtConv weighted_geometry(const WindowAttributes *a, int in_c, int out_c);
void weighted_lower(const WindowAttributes *a, HoneRtOp *op);

#endif
