/* Geometry of sliding windows: sizes, padding, and which taps meet which pixels.
 *
 *     out[o] reads in[o * stride - before + tap * dilation], taps 0 .. kernel - 1
 *
 * A window has two axes that are treated alike, so everything here is one-dimensional. The same
 * relation read the other way, which outputs an input went to, is what gradients need; both
 * directions give taps and positions in arithmetic progression. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_WINDOW_H
#define HONE_LAYERS_WINDOW_H

#include "core/error.h"

typedef enum Padding {
    PADDING_SAME,  /* out = ceil(in / stride); the odd row or column goes after, as in TensorFlow */
    PADDING_VALID, /* none */
    PADDING_EXPLICIT, /* as told */
} Padding;

typedef struct Axis {
    int in, out;
    int kernel, stride, dilation;
    int before, after; /* padding, in input positions; each below the dilated kernel */
} Axis;

/* The taps that meet one position: tap first + i * step at position at + i * move, i < count. */
typedef struct Taps {
    int first, step, count;
    int at, move;
} Taps;

/* Fills a->out and, unless padding is explicit, a->before and a->after from the other fields.
 * op and name are for the message: "conv2d 'stem': kernel 5 > input 3". Errors: ERR_SHAPE. */
HONE_CHECKED int window_axis(Axis *a, Padding padding, const char *op, const char *name, Error *e);

/* Positions the kernel spans: (kernel - 1) * dilation + 1. */
static inline int window_span(const Axis *a)
{
    return (a->kernel - 1) * a->dilation + 1;
}

/* The taps of output o that lie inside the input; positions are inputs. */
Taps window_at_output(const Axis *a, int o);
/* The taps through which input i reaches outputs; positions are outputs. */
Taps window_at_input(const Axis *a, int i);

#endif
